//! The signer's contract: [`ConsensusSigner`]. Behind it stands the guard against double signing.
//!
//! The signer knows better than the engine what this validator has said: the engine forgets with its log. So it may answer
//! with another statement of the same kind than the one it was asked for: one it gave before, or a vote for nil. The engine
//! counts and sends that one. A refusal is fatal for the engine, without a detour: it is reported to the loop, consensus waits until
//! the engine's parts are being stopped, and then gets an error, on which it ends before anything leaves; ports and files
//! are closed like at any stop;
//! [`EngineHandle::join`](crate::EngineHandle::join) then returns
//! [`EngineError::SignRefused`](crate::EngineError::SignRefused). Nothing panics, nothing hangs.

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
        /// The newest earlier round in which validators of more than 2/3 of the voting power prevoted for this block, by
        /// signatures verified since the engine started. It lets a lock of that round or an earlier one go.
        polka_round: Option<u32>,
        /// Whether the block came late or early here, and no validators of more than 1/3 of the voting power are known to
        /// have prevoted for it at this height, by such signatures. Only a signer that voted for it before prevotes it then.
        untimely: bool,
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
        /// The block's id.
        block_id: BlockId,
    },
    /// The header of a stream of block parts. No vote: it may be signed for any block, any number of times.
    Stream {
        /// Height and round.
        slot: VoteSlot,
        /// The block's id.
        block_id: BlockId,
        /// Whose proposal it is; not always the signer's.
        proposer: MemberId,
    },
}

/// A statement and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignResponse {
    /// What is signed: what was asked for, or another statement of its kind and height.
    pub statement: SignRequest,
    /// The Ed25519 signature of the statement's preimage.
    pub signature: [u8; 64],
}

/// The guard or the key store will not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused to sign: {reason}")]
pub struct SignRefused {
    /// Why, for the operator.
    pub reason: String,
    /// Whether it would contradict what was signed before: the signer is sound, and the node may follow the chain past this
    /// height without voting. Otherwise the signer failed, and the process must exit.
    pub conflict: bool,
}

/// Signs for consensus. Called before anything leaves; whatever must be remembered (own votes, the lock) is fsynced before it
/// returns. It may block for one fsync.
///
/// Asked again for the same thing, for example when the log is replayed after a crash, it gives the same signature. Asked for a
/// second vote or proposal of one slot, it answers with the first. Asked for a vote that the validator's lock, its later
/// votes or the block's untimeliness forbid, it answers with a vote for nil.
pub trait ConsensusSigner: Send + Sync + 'static {
    /// Signs `preimage`, which says what `request` says, or answers with another statement.
    fn sign(&self, request: &SignRequest, preimage: &[u8]) -> Result<SignResponse, SignRefused>;

    /// The consensus key's public half.
    fn public_key(&self) -> [u8; 32];
}
