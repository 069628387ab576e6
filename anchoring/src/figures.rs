//! What is measured once a second: what waits, which node is in use, how far the clock is off.
//!
//! Not here: counters, which the parts count themselves as things happen (`metrics`).

use std::sync::Arc;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::ids::{RecordKey, UnixMillis};
use receipt_core::record::SignedRecord;
use tallystick_service::clock::Clock;

use crate::desk::Desk;
use crate::journal::{Journal, JournalError};
use crate::metrics::NodeLabel;
use crate::nodes::Nodes;
use crate::quorum_time::QuorumTime;

/// Measures the figures of anchoring for `/metrics`.
pub struct Figures {
    /// What waits and what is on its way, and where it is shown.
    pub desk: Desk,
    /// Which of them is in use.
    pub nodes: Arc<Nodes>,
    /// How far the clock is from it.
    pub quorum_time: Arc<QuorumTime>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

/// Records acknowledged and not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Number of records.
    pub records: u64,
    /// How long the oldest of them has waited, milliseconds; 0 if there is none.
    pub oldest_ms: u64,
}

impl Figures {
    /// Measures everything once. An error is fatal to the process.
    pub fn measure(&self) -> Result<Pending, JournalError> {
        let Desk { backlog, flight, metrics, .. } = &self.desk;
        metrics.outbox_records.set(backlog.records());
        metrics.outbox_early_records.set(backlog.early());
        metrics.outbox_unreadable_records.set(backlog.unreadable());
        metrics.batches_unreadable.set(flight.grounded().len() as u64);
        metrics.batches_in_flight.set(flight.count() as u64);
        let now = self.clock.now();
        if let Some(distance) = self.quorum_time.distance_ms(now) {
            metrics.clock_distance_seconds.set(distance as f64 / 1000.0);
        }
        self.measure_nodes();
        let waiting = backlog.records().saturating_add(backlog.early()).saturating_add(backlog.unreadable());
        Ok(Pending {
            records: waiting.saturating_add(flight.records()),
            oldest_ms: self.oldest_pending()?.map_or(0, |oldest| now.get().saturating_sub(oldest.get())),
        })
    }

    /// Issue time of the record that has waited longest for its seal.
    fn oldest_pending(&self) -> Result<Option<UnixMillis>, JournalError> {
        let Desk { journal, backlog, flight, .. } = &self.desk;
        let corrupt = |_| JournalError::Corrupt("a batch header");
        let in_flight = match flight.oldest() {
            Some(flying) => {
                let signed = SignedBatchHeader::decode(&flying.request.signed_header).map_err(corrupt)?;
                Some(signed.header.first_issue_time)
            }
            None => None,
        };
        let requeued = journal.requeued(1)?.first().map(|(.., key)| *key);
        let waiting = journal.outbox(backlog.outbox_start(), 1)?.first().map(|(_, key)| *key);
        let mut oldest = in_flight;
        for key in [requeued, waiting].into_iter().flatten() {
            let time = match issue_time(journal, key) {
                // The batcher sets such a record aside and logs it.
                Err(error) if error.is_damage() => continue,
                time => time?,
            };
            oldest = Some(oldest.map_or(time, |oldest| oldest.min(time)));
        }
        Ok(oldest)
    }

    fn measure_nodes(&self) {
        let (nodes, metrics) = (&self.nodes, &self.desk.metrics);
        let preferred = nodes.preferred();
        for index in 0..nodes.count() {
            let label = NodeLabel { node: nodes.node(index).name.clone() };
            metrics.node_in_use.get_or_create(&label).set(u64::from(index == preferred));
        }
        let fail_overs = nodes.fail_overs();
        metrics.node_fail_overs.inc_by(fail_overs.saturating_sub(metrics.node_fail_overs.get()));
    }
}

fn issue_time(journal: &Journal, key: RecordKey) -> Result<UnixMillis, JournalError> {
    let row = journal.record(key)?.ok_or(JournalError::Corrupt("a record is missing"))?;
    let signed = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?;
    Ok(signed.record.issue_time)
}
