//! A ledger in memory and clocks that are set by hand: for the tests of this crate and, under the feature `testkit`, of others.
//!
//! It panics where a test would. Never for production.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has to fail")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use receipt_core::batch::SignedBatchHeader;
use receipt_core::block::{Batch, Item};
use receipt_core::testkit::TestChain;
use tallystick_proto::ledger::v1::{LedgerBlock, SubmitBatchRequest};

use crate::quorum_time::Monotonic;

pub mod ledger;
pub mod process;
pub mod small_disk;

/// A monotonic clock that stands until it is told.
#[derive(Debug, Default)]
pub struct FixedMonotonic(AtomicU64);

impl FixedMonotonic {
    /// Goes on.
    pub fn advance_s(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Monotonic for FixedMonotonic {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// What a validator makes of an offered batch.
pub fn offered(request: &SubmitBatchRequest) -> Item {
    Item::Batch(Batch {
        header: SignedBatchHeader::decode(&request.signed_header).unwrap(),
        records: request.records.iter().map(|record| record.to_vec()).collect(),
    })
}

/// A block of the chain as a node streams it.
pub fn ledger_block(chain: &TestChain, height: u64) -> LedgerBlock {
    let block = &chain.blocks()[usize::try_from(height).unwrap()];
    LedgerBlock {
        height,
        block: Bytes::from(block.bytes.clone()),
        entries: block.entries.iter().map(|entry| Bytes::from(entry.clone())).collect(),
        first_leaf_index: block.first_leaf,
        certificate: Bytes::new(),
        checkpoint: block.checkpoint.clone(),
        checkpoint_height: height,
        block_hash: Bytes::new(),
    }
}

/// Copies a directory that a store has open: what the disk holds if the process dies now.
pub fn copy_as_after_a_crash(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "LOCK" {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
