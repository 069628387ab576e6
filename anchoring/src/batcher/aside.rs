//! Records that wait, and cannot go into the next batch: others are cut meanwhile.
//!
//! ```text
//! early        issued too far ahead of the validators' time: ripe when that is reached
//! unreadable   its row cannot be read: back when somebody has written it anew
//! ```
//! They stay where they wait in the journal, so that a restart finds them again; here is only what was set aside since the start.

use std::collections::BTreeMap;

use receipt_core::ids::{BatchSequence, RecordKey, UnixMillis};

use crate::quorum_time::QuorumTime;

/// The queue in which a record waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Outbox(u64),
    Requeue(BatchSequence, u16),
}

/// What was set aside.
#[derive(Debug, Default)]
pub(super) struct Aside {
    early: BTreeMap<Source, (UnixMillis, RecordKey)>,
    unreadable: BTreeMap<Source, RecordKey>,
}

impl Aside {
    /// One that waits for its issue time.
    pub(super) fn put_early(&mut self, source: Source, issue_time: UnixMillis, key: RecordKey) {
        self.unreadable.remove(&source);
        self.early.insert(source, (issue_time, key));
    }

    /// One whose row cannot be read.
    pub(super) fn put_unreadable(&mut self, source: Source, key: RecordKey) {
        self.early.remove(&source);
        self.unreadable.insert(source, key);
    }

    /// One that is in a batch now. Whether it was set aside.
    pub(super) fn remove(&mut self, source: Source) -> bool {
        self.early.remove(&source).is_some() | self.unreadable.remove(&source).is_some()
    }

    /// Whether it is set aside.
    pub(super) fn has(&self, source: Source) -> bool {
        self.early.contains_key(&source) || self.unreadable.contains_key(&source)
    }

    /// Those whose time has come.
    pub(super) fn ripe(&self, time: &QuorumTime) -> impl Iterator<Item = (Source, RecordKey)> {
        let ripe = self.early.iter().filter(|(_, (issued, _))| !time.is_early(*issued));
        ripe.map(|(source, (_, key))| (*source, *key))
    }

    /// Those that cannot be read.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = (Source, RecordKey)> {
        self.unreadable.iter().map(|(source, key)| (*source, *key))
    }

    /// How many wait for their time.
    pub(super) fn early_count(&self) -> usize {
        self.early.len()
    }

    /// How many cannot be read.
    pub(super) fn unreadable_count(&self) -> usize {
        self.unreadable.len()
    }

    /// All of them.
    pub(super) fn count(&self) -> usize {
        self.early.len() + self.unreadable.len()
    }
}
