//! What a source of blocks sends, and who takes it: the announcement, then blocks, until one of the two stops.

use receipt_core::suite::ChainId;
use tallystick_proto::ledger::v1::LedgerBlock;

/// What to read of each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Entries and checkpoints only.
    Entries,
    /// The records of every batch too.
    Records,
}

/// Whether the sink wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The source is to go on.
    Continue,
    /// The source is to stop: nobody reads any more.
    Stop,
}

/// What the source said about itself before its first block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// Height of the newest block, if it is known beforehand.
    pub last_height: Option<u64>,
    /// The chain that it says it is of, if it says so.
    pub chain: Option<ChainId>,
}

/// Takes what a source sends.
pub trait Sink {
    /// Called once, before the first block.
    fn announce(&mut self, announcement: Announcement) -> Flow;
    /// Called for each block, in order.
    fn block(&mut self, block: LedgerBlock) -> Flow;
}
