//! Checking the journal: of every receipt that its record can be read, and that its body is here and is what the record
//! commits to. In the background at a gentle pace, at an operator's wish at once, and of every backup and restored copy.
//!
//! The journal is the only place of the bodies: what rots there is found before somebody asks for it, while a caller may still have
//! it. Not here: the reading ([`tallystick_anchoring::check`]).

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use receipt_core::ids::{ReceiptKey, RecordKey};
use receipt_core::record::SignedRecord;
use tallystick_anchoring::check::{Findings, Inspector, Pass, Place};
use tallystick_anchoring::journal::{Family, RecordRow};
use tallystick_service::clock::Clock;
use tallystick_service::shutdown::CancellationToken;

use crate::body::BodyCipher;
use crate::journal::{
    BODIES, BODY_KEYS, Journal, JournalError, ReceiptReads as _, ReceiptRow, StoredBody, TRIES, receipt_of,
};
use crate::metrics::IssuerMetrics;

#[cfg(test)]
mod tests;

/// From a start to the first pass, which costs a little of everything that a start needs, too.
const FIRST_AFTER: Duration = Duration::from_secs(30);
/// Pause between the end of one pass and the next.
const INTERVAL: Duration = Duration::from_secs(24 * 3600);
/// Pause after a pass that could not go on.
const AGAIN_AFTER: Duration = Duration::from_secs(600);
/// Rest after each step of a pass in the background, as a multiple of what the step took: a tenth of one core at most.
const REST: u32 = 9;
const REST_MIN: Duration = Duration::from_millis(10);
/// Faults that a message names; the log and the metric count all.
const SAID_MAX: usize = 20;

/// Looks at what an issuer keeps of a receipt.
#[derive(Debug)]
pub struct ReceiptInspector {
    cipher: Arc<BodyCipher>,
    opened: AtomicU64,
    closed: AtomicU64,
}

impl ReceiptInspector {
    /// Opens bodies with this cipher.
    pub fn new(cipher: Arc<BodyCipher>) -> Self {
        Self { cipher, opened: AtomicU64::new(0), closed: AtomicU64::new(0) }
    }

    /// Whether bodies were looked at and none is what its record commits to: then it is the master key that is wrong.
    pub fn opened_none(&self) -> bool {
        self.opened.load(Ordering::Relaxed) == 0 && self.closed.load(Ordering::Relaxed) > 0
    }
}

impl Inspector for ReceiptInspector {
    fn naming(&self) -> &'static [Family] {
        &[BODY_KEYS]
    }

    fn by_record(&self) -> &'static [Family] {
        &[BODIES, BODY_KEYS]
    }

    fn expendable(&self) -> &'static [Family] {
        &[TRIES]
    }

    fn record(&self, journal: &Journal, key: RecordKey, row: &RecordRow) -> Result<Option<String>, JournalError> {
        let key = receipt_of(key)?;
        let row = ReceiptRow::from_record(row.clone())?;
        let record =
            SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?.record;
        if record.key != key {
            return Ok(Some("its record is another receipt's".to_owned()));
        }
        Ok(match journal.stored_body(key)? {
            StoredBody::Whole(body) if self.cipher.holds(&record, &body) => {
                self.opened.fetch_add(1, Ordering::Relaxed);
                None
            }
            StoredBody::Whole(_) => {
                self.closed.fetch_add(1, Ordering::Relaxed);
                Some("its body does not open, or is not what its record commits to".to_owned())
            }
            StoredBody::Erased(_) => None,
            // A receipt that was learnt from the ledger (it has no biz code here) never had a body in this journal.
            StoredBody::Nothing if row.biz_code.is_empty() => None,
            StoredBody::Nothing => Some("its body is gone".to_owned()),
            StoredBody::Torn => Some("a part of its body is gone".to_owned()),
        })
    }

    fn name(&self, key: RecordKey) -> String {
        receipt_of(key).map_or_else(|_| "a receipt".to_owned(), |key: ReceiptKey| format!("receipt {key}"))
    }
}

/// What an operator is told: what is damaged, and the way out of it.
pub fn said(findings: &Findings) -> String {
    if findings.is_sound() {
        return format!("the journal is sound: {} receipts, {} rows", findings.records, findings.rows);
    }
    let named: Vec<String> = findings.named.iter().take(SAID_MAX).map(ToString::to_string).collect();
    let rest = findings.faults.saturating_sub(named.len() as u64);
    let more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
    let single = findings.named.iter().any(|fault| matches!(fault.place, Place::Record(_)));
    let is_batch = |place: &Place| matches!(place, Place::Batch(_) | Place::Family("batches"));
    let batch = findings.named.iter().any(|fault| is_batch(&fault.place));
    let whole = findings.named.iter().any(|fault| !matches!(fault.place, Place::Record(_)) && !is_batch(&fault.place));
    let mut ways = Vec::new();
    if single {
        ways.push("a receipt that is named is mended when its caller hands its acknowledgement back by `Resubmit`");
    }
    if batch {
        ways.push(
            "batches that the ledger has decided are learnt from it again by `repair --from-ledger` of the stopped issuer, then \
             `repair --rewrite`",
        );
    }
    if whole {
        ways.push(
            "the outbox and requeue are made anew, and of the tries is left out what stands behind the first that cannot be read, by `repair --rewrite` of the stopped \
             issuer; what else is named comes back by `restore` of a sound backup and `recover`",
        );
    }
    format!(
        "the journal is damaged in {} places: {}{more}. What to do: {} (docs/ops/repair.md, \"A damaged journal\")",
        findings.faults,
        named.join("; "),
        ways.join("; ")
    )
}

/// Checks the journal of a running issuer.
#[derive(Debug)]
pub struct Checker {
    /// The journal to check.
    pub journal: Arc<Journal>,
    /// Opens its bodies.
    pub cipher: Arc<BodyCipher>,
    /// Tells how it went.
    pub metrics: Arc<IssuerMetrics>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

impl Checker {
    /// Passes in the background until the token is cancelled. A check only reads: what keeps it from going on ends that pass, and nothing else.
    pub async fn run(self: Arc<Self>, token: CancellationToken) -> Result<(), Infallible> {
        let mut pause = FIRST_AFTER;
        while token.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = self.pass(&token).await;
        }
        Ok(())
    }

    /// One pass at a gentle pace. Returns the pause before the next one.
    async fn pass(&self, token: &CancellationToken) -> Duration {
        match self.read_gently(token).await {
            Ok(Some(findings)) => {
                self.complete(&findings);
                INTERVAL
            }
            Ok(None) => INTERVAL,
            Err(error) => {
                self.metrics.journal_checks_interrupted.inc();
                let minutes = AGAIN_AFTER.as_secs() / 60;
                tracing::error!(%error, "ALARM: the check of the journal could not go on; it begins again in {minutes} minutes");
                AGAIN_AFTER
            }
        }
    }

    /// `None` if the token was cancelled before the end.
    async fn read_gently(&self, token: &CancellationToken) -> Result<Option<Findings>, JournalError> {
        let inspector = ReceiptInspector::new(Arc::clone(&self.cipher));
        let mut pass = tokio::task::block_in_place(|| Pass::new(&self.journal, &inspector));
        loop {
            let (before, begun) = (pass.findings().rows, Instant::now());
            let more = tokio::task::block_in_place(|| pass.step())?;
            self.metrics.journal_rows_checked.inc_by(pass.findings().rows.saturating_sub(before));
            if !more {
                return Ok(Some(pass.findings().clone()));
            }
            let rest = begun.elapsed().saturating_mul(REST).max(REST_MIN);
            if token.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
                return Ok(None);
            }
        }
    }

    /// One pass at once, for an operator. It ends early, without findings, when the token is cancelled.
    pub fn at_once(&self, token: &CancellationToken) -> Result<Option<Findings>, JournalError> {
        let inspector = ReceiptInspector::new(Arc::clone(&self.cipher));
        let mut pass = Pass::new(&self.journal, &inspector);
        while pass.step()? {
            if token.is_cancelled() {
                return Ok(None);
            }
        }
        let findings = pass.findings().clone();
        self.metrics.journal_rows_checked.inc_by(findings.rows);
        self.complete(&findings);
        Ok(Some(findings))
    }

    fn complete(&self, findings: &Findings) {
        self.metrics.journal_faults.set(findings.faults);
        self.metrics.journal_check_completed.set(self.clock.now().get() as f64 / 1000.0);
        if findings.is_sound() {
            tracing::info!(receipts = findings.records, rows = findings.rows, "the journal was checked and is sound");
        } else {
            tracing::error!(faults = findings.faults, "ALARM: {}", said(findings));
        }
    }
}
