//! Looks out for the records and checkpoints of reports of receipts left out while blocks are replayed; `left_out` says what that comes to.
//!
//! A report is anybody's, so it refutes nothing by itself. Its checkpoint does, if a quorum signed it and the ledger has another root there: then
//! the reporter was shown another history.

use std::collections::{BTreeMap, HashMap};

use receipt_core::bundle::LeftOut;
use receipt_core::entry::RecordRefusal;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, UnixMillis};
use receipt_core::merkle::Frontier;
use receipt_core::note::{Checkpoint, SignedNote};
use receipt_core::reason::Reason;
use receipt_core::state::{CheckedBatch, Effects};
use receipt_core::trust::TrustFile;
use serde::Serialize;

use super::finding::{Finding, FindingCode};
use super::prepare::PreparedBlock;

/// A report as somebody handed it in. That it is of the chain that is replayed has been asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenReport {
    /// The name of its file.
    pub file: String,
    /// The report.
    pub report: LeftOut,
}

/// How the report's checkpoint stands to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// It is the ledger's own.
    Same,
    /// It is of a larger tree than was replayed: the source lags behind what the reporter saw.
    Beyond,
    /// It is none that a quorum of the chain signed.
    Unsigned,
    /// A quorum signed it, and the ledger has another root there: see the findings.
    Contradicts,
}

/// What blocks said of a record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// The block that took it.
    pub(super) taken: Option<(Height, UnixMillis)>,
    /// The block that refused it, and why.
    pub(super) refused: Option<(Height, UnixMillis, Reason)>,
    /// Batches that were refused for other records' sake.
    pub(super) sent_back: u64,
}

/// Looks out for the records of reports, and for the checkpoints in them, while blocks are replayed.
#[derive(Debug, Default)]
pub(super) struct Watch {
    given: Vec<GivenReport>,
    /// By the bytes of the signed record.
    records: HashMap<Vec<u8>, Seen>,
    /// Positions in `given`, by the size that the report's checkpoint states, not reached yet.
    waiting: BTreeMap<u64, Vec<usize>>,
    /// As many as `given`.
    agreements: Vec<Agreement>,
    /// What a quorum signed twice.
    pub(super) contradictions: Vec<Finding>,
}

impl Watch {
    /// Looks out for these.
    pub(super) fn over(given: &[GivenReport]) -> Self {
        let mut watch = Self { given: given.to_vec(), ..Self::default() };
        for (position, GivenReport { report, .. }) in given.iter().enumerate() {
            watch.records.entry(report.record.clone()).or_default();
            let size = size_of(&report.checkpoint);
            watch.agreements.push(size.map_or(Agreement::Unsigned, |_| Agreement::Beyond));
            if let Some(size) = size {
                watch.waiting.entry(size).or_default().push(position);
            }
        }
        watch
    }

    /// Each report, in the order in which they were given, and what was seen of it.
    pub(super) fn reports(&self) -> impl Iterator<Item = (&GivenReport, Agreement, Seen)> {
        let seen_of = |given: &GivenReport| self.records.get(&given.report.record).copied().unwrap_or_default();
        self.given.iter().zip(&self.agreements).map(move |(given, agreement)| (given, *agreement, seen_of(given)))
    }

    /// What a block does with the records of reports.
    pub(super) fn count_block(&mut self, height: Height, block: &PreparedBlock, effects: &Effects) {
        if self.records.is_empty() {
            return;
        }
        for (outcome, batch) in effects.outcomes.iter().zip(block.checked.batches()) {
            self.count_batch((height, effects.seal.time), batch, &outcome.refusals);
        }
    }

    fn count_batch(&mut self, (height, time): (Height, UnixMillis), batch: &CheckedBatch, refusals: &[RecordRefusal]) {
        for (index, record) in (0..).zip(batch.records()) {
            let Some(seen) = self.records.get_mut(record) else { continue };
            match refusals.iter().find(|refusal| refusal.index == index) {
                _ if refusals.is_empty() => seen.taken = Some((height, time)),
                Some(refusal) => seen.refused = Some((height, time, refusal.reason)),
                None => seen.sent_back += 1,
            }
        }
    }

    /// Compares the reports' checkpoints of sizes that the log has reached.
    pub(super) fn compare(&mut self, height: Height, log: &Frontier, trust: &TrustFile) {
        let size = log.size().get();
        while let Some(entry) = self.waiting.first_entry()
            && *entry.key() <= size
        {
            let (claimed, positions) = entry.remove_entry();
            for position in positions {
                let note = self.given[position].report.checkpoint.clone();
                let own = (claimed == size).then(|| log.root());
                self.agreements[position] = self.judge(height, note, own, trust);
            }
        }
    }

    /// `own`: the ledger's root of the note's size; `None` if none of its blocks ends there.
    fn judge(&mut self, height: Height, note: String, own: Option<Hash>, trust: &TrustFile) -> Agreement {
        let Ok(trusted) = trust.verify_checkpoint(&note) else { return Agreement::Unsigned };
        if own == Some(trusted.root) {
            return Agreement::Same;
        }
        let detail = match own {
            Some(own) => format!("a quorum cosigned the root {}, the replay gives {own}", trusted.root),
            None => format!("a quorum cosigned a tree of {} leaves, which ends inside this block", trusted.size),
        };
        let detail = format!("{detail}; the checkpoint is of a report of a receipt left out");
        let finding = Finding::at(height, FindingCode::CheckpointRoot, detail);
        self.contradictions.push(Finding { evidence: Some(note), ..finding });
        Agreement::Contradicts
    }
}

fn size_of(note: &str) -> Option<u64> {
    let note = SignedNote::parse(note.as_bytes()).ok()?;
    Some(Checkpoint::parse(note.text()).ok()?.size().get())
}
