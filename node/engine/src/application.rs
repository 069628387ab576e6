//! The contract that the node fulfils: [`Application`].
//!
//! Calls come one at a time, from one task. The engine waits for each answer and answers nobody meanwhile, so all are quick:
//! milliseconds, `build` and `received` at most a fraction of the propose timeout. None may wait for another node or for work
//! to arrive; an idle chain waits in between (see [`Application::is_idle`]). Peers that are behind are answered beside them
//! ([`Network::requested`](crate::Network::requested)).
//!
//! Durability, which the engine cannot give: it logs block ids only. Whatever block was built, received or synced must be
//! on disk (fsynced) before the call returns, and found again after a crash.

use std::time::Duration;

use async_trait::async_trait;

use crate::certificate::Certificate;
use crate::types::{
    Equivocation, Fatal, KnownProposal, MemberId, OwnProposal, ReceivedProposal, StartHeight, SyncVerdict, SyncedBlock,
    Verdict,
};

/// What consensus asks of the ledger.
#[async_trait]
pub trait Application: Send + 'static {
    /// The engine listens: where does it start? At the tip plus one.
    async fn ready(&mut self) -> Result<StartHeight, Fatal>;

    /// A round begins. Returns every undecided proposal of this height that is stored, own ones included.
    async fn started_round(&mut self, height: u64, round: u32, proposer: MemberId)
    -> Result<Vec<KnownProposal>, Fatal>;

    /// This node proposes in this round: builds the block, or an empty one. Asked again for the same (height, round), also
    /// after a crash, it returns the same block. The others wait no longer than `timeout`. `None` leaves the round without
    /// a proposal of this node's: it proposed in it before, in a way that cannot be repeated.
    async fn build(&mut self, height: u64, round: u32, timeout: Duration) -> Result<Option<OwnProposal>, Fatal>;

    /// Judges a complete proposal of another node and stores it, valid or not, before it returns.
    async fn received(&mut self, proposal: ReceivedProposal) -> Result<Verdict, Fatal>;

    /// Decided: commits block and certificate atomically. The block was built, received or synced here before.
    async fn decided(&mut self, certificate: &Certificate) -> Result<(), Fatal>;

    /// The height is over. Returns the next one, always `height + 1`, with the validators that the block just committed
    /// leaves behind, and whether it carried anything. `equivocations` are double signs seen at this height.
    async fn finalized(&mut self, height: u64, equivocations: Vec<Equivocation>) -> Result<StartHeight, Fatal>;

    /// Has this node nothing to propose at `next_height`? Then the chain rests. Asked after `finalized` and again at each
    /// [`wake`](crate::EngineControl::wake); make the work visible first, then wake. Work that only one node knows
    /// wakes only that node: the application tells all validators. The rest ends by itself when another validator goes on.
    async fn is_idle(&mut self, next_height: u64) -> Result<bool, Fatal>;

    /// The lowest height of which this node has the decided block for a peer that is behind; the next height to decide if there is none.
    async fn history_min_height(&mut self) -> Result<u64, Fatal>;

    /// Judges a block that was decided while this node was away, and stores it. Its author is in the block.
    async fn synced(&mut self, block: SyncedBlock) -> Result<SyncVerdict, Fatal>;

    /// The stored undecided block of this height, to be sent to the others again; `None` if there is none.
    async fn restream(&mut self, height: u64, block_id: crate::BlockId) -> Result<Option<bytes::Bytes>, Fatal>;
}
