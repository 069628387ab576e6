//! The signer's contract: [`ConsensusSigner`]. Behind it stands the guard against double signing.
//!
//! A refusal is fatal for the process, without a detour: the refusal is reported to the loop first, then the engine gets an
//! error, on which its consensus actor ends before anything leaves; [`EngineHandle::join`](crate::EngineHandle::join) then
//! returns [`EngineError::SignRefused`](crate::EngineError::SignRefused). Nothing panics, nothing hangs.

use crate::preimage::VoteSlot;
use crate::types::{BlockId, MemberId};

/// What is to be signed, in terms that a guard understands. The preimage that comes with it says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignRequest {
    /// A prevote; `None` is nil. One per slot, for ever.
    Prevote {
        /// Height and round.
        slot: VoteSlot,
        /// For which block.
        block_id: Option<BlockId>,
    },
    /// A precommit; `None` is nil. One per slot, for ever. With a block it locks the signer to it.
    Precommit {
        /// Height and round.
        slot: VoteSlot,
        /// For which block.
        block_id: Option<BlockId>,
    },
    /// A proposal. One per slot, for ever.
    Proposal {
        /// Height and round.
        slot: VoteSlot,
        /// The earlier round of more than 2/3 prevotes, if the block is proposed again.
        pol_round: Option<u32>,
        /// Which block.
        block_id: BlockId,
    },
    /// The header of a stream of block parts. No vote: it may be signed for any block, any number of times.
    Stream {
        /// Height and round.
        slot: VoteSlot,
        /// Which block.
        block_id: BlockId,
        /// Whose proposal it is; not always the signer's.
        proposer: MemberId,
    },
    /// The proof that ties the key to this node's peer id. Signed at each start.
    ValidatorProof,
}

/// The guard or the key store will not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused to sign: {reason}")]
pub struct SignRefused {
    /// Why, for the operator.
    pub reason: String,
}

/// Signs for consensus. Called before anything leaves; whatever must be remembered (own votes, the lock) is fsynced before it
/// returns. Asked again for the same thing, for example when the log is replayed after a crash, it gives the same
/// signature; asked for a conflicting one, it refuses. It may block for one fsync.
pub trait ConsensusSigner: Send + Sync + 'static {
    /// The Ed25519 signature of exactly `preimage`.
    fn sign(&self, request: &SignRequest, preimage: &[u8]) -> Result<[u8; 64], SignRefused>;

    /// The consensus key's public half.
    fn public_key(&self) -> [u8; 32];
}
