//! Reports of receipts that were left out (`receipt_core::bundle::LeftOut`), held against the replay: what no report can prove, that the ledger
//! does not have a record, whoever has read all of it knows.
//!
//! What blocks said of the record, and how the report's checkpoint stands to the log, `watch` has looked out for.

use prost::Message;
use receipt_core::governance::KeyOwner;
use receipt_core::ids::{Height, ReceiptCode, ReceiptKey, ReceiptNumber, UnixMillis};
use receipt_core::reason::Reason;
use receipt_core::record::{ReceiptRecord, SignedRecord, status_key};
use receipt_core::state::StateRead;
use receipt_core::state::tables::{KeyState, ReceiptState, Table, UnitState, biz_key_bytes, receipt_key_bytes};
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{CLOCK_DRIFT_MS_MAX, utc_text};
use serde::Serialize;

use super::replay::Replay;
use super::watch::{Agreement, GivenReport, Seen};

const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: u64 = 60_000;

/// What the ledger has of the record that a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LeftOutOutcome {
    /// The unit signed it, its time is over, and it is not there.
    LeftOut,
    /// It is there, in a block later than its `seal_by`.
    Late,
    /// It is there, in time.
    OnTime,
    /// The ledger refused it, and took it in no later batch.
    Refused,
    /// It is not there, and the last block that was replayed is not later than its `seal_by`, or is from before the record.
    NotDue,
    /// It is not there, and its key was revoked: whoever stole a key dates what it signs as they like.
    KeyRevoked,
    /// It is not there, and no key of the unit signed it.
    NotSigned,
}

/// What became of the record of one report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutReport {
    /// The report's file.
    pub file: String,
    /// In one word.
    pub outcome: LeftOutOutcome,
    /// In a sentence, without its stop.
    pub detail: String,
    /// How its checkpoint stands to the ledger.
    pub checkpoint: Agreement,
    /// The receipt, `code-number`; absent if the record does not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The unit's registry number, by the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<u32>,
    /// By when the unit promised the seal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal_by_ms: Option<u64>,
    /// The block that took or refused it; of one that is not there, the last one that was replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// That block's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// By how much that time is later than the promised one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_ms: Option<u64>,
    /// Why the ledger refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The receipt that the ledger has of the same business event, under another record; only if the unit signed the reported one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// Whether the unit signed the reported record, and the ledger has another one under the same number.
    pub number_used: bool,
    /// Whether the unit signed it, the ledger refused it, and has no receipt in its place. A refusal by which one stands counts only if the unit's time
    /// was over.
    pub owed: bool,
}

/// What became of each, in the order in which they were given.
pub(super) fn close(replay: &Replay<'_>) -> Vec<LeftOutReport> {
    let told = |(given, agreement, seen): (&GivenReport, Agreement, Seen)| {
        let agreement = match agreement {
            // Anybody can write a large number into a note.
            Agreement::Beyond if is_made_up(&given.report.checkpoint, &replay.trust) => Agreement::Unsigned,
            agreement => agreement,
        };
        Case { replay, given, agreement, seen }.told()
    };
    replay.left_out.reports().map(told).collect()
}

/// Whether no quorum signed the note, nor one that comes after the ledger as it was replayed.
fn is_made_up(note: &str, trust: &TrustFile) -> bool {
    trust.verify_checkpoint(note).is_err_and(|error| !error.is_beyond_the_file())
}

/// One report, and what the replay saw of its record.
struct Case<'a> {
    replay: &'a Replay<'a>,
    given: &'a GivenReport,
    agreement: Agreement,
    seen: Seen,
}

impl Case<'_> {
    fn told(&self) -> LeftOutReport {
        let signed = match SignedRecord::decode(&self.given.report.record) {
            Ok(signed) => signed,
            Err(reason) => {
                let detail = format!("what it calls a signed record does not read ({reason})");
                return self.report(LeftOutOutcome::NotSigned, detail);
            }
        };
        let record = &signed.record;
        let about = LeftOutReport {
            receipt: Some(record.key.to_string()),
            unit: Some(record.unit.get()),
            seal_by_ms: Some(record.seal_by.get()),
            ..self.outcome(&signed)
        };
        let name = format!("{} of {}", record.key, self.unit_name(record));
        LeftOutReport { detail: format!("{name}: {}", about.detail), ..about }
    }

    fn outcome(&self, signed: &SignedRecord) -> LeftOutReport {
        let record = &signed.record;
        let promised = format!("promised by {}", utc_text(record.seal_by));
        if let Some((height, time)) = self.seen.taken {
            let late_ms = time.since(record.seal_by);
            let sealed = format!("in the block of height {height}, of {}", utc_text(time));
            let (outcome, detail) = match late_ms {
                0 => (LeftOutOutcome::OnTime, format!("{sealed}, {promised}")),
                late => (LeftOutOutcome::Late, format!("{sealed}, {} later than {promised}", span(late))),
            };
            let dated = self.dated(outcome, detail, height, time);
            return LeftOutReport { late_ms: (late_ms > 0).then_some(late_ms), ..dated };
        }
        let problem = self.signer_problem(signed);
        // Who signs what the unit did not, chooses what it looks like.
        let Beside { replaced_by, number_used, words } =
            if problem.is_none() { self.beside(signed) } else { Beside::default() };
        if let Some((height, time, reason)) = self.seen.refused {
            let late_ms = Some(time.since(record.seal_by)).filter(|late| *late > 0 && problem.is_none());
            let late = late_ms.map(|late| format!(", {} later than {promised}", span(late))).unwrap_or_default();
            let block = format!("in the block of height {height}, of {}", utc_text(time));
            let detail = format!("refused {block}{late}: {reason}{words}");
            let dated = self.dated(LeftOutOutcome::Refused, detail, height, time);
            let is_receipted = late_ms.is_none() && says_that_one_stands(reason);
            let owed = problem.is_none() && replaced_by.is_none() && !is_receipted;
            return LeftOutReport { reason: Some(reason.as_str()), replaced_by, number_used, late_ms, owed, ..dated };
        }
        let (outcome, why) = match (problem, self.replay.tip.as_ref()) {
            (Some((outcome, problem)), _) => (outcome, format!("not there, and {problem}")),
            (None, Some((_, seal))) if is_over(seal.time, record) => {
                (LeftOutOutcome::LeftOut, format!("not there, {promised}"))
            }
            (None, _) => (LeftOutOutcome::NotDue, format!("not there yet, {promised}")),
        };
        let sent_back = match self.seen.sent_back {
            0 => String::new(),
            1 => "; a batch with it was refused for other records' sake".to_owned(),
            count => format!("; {count} batches with it were refused for other records' sake"),
        };
        let why = format!("{why}{words}{sent_back}");
        let Some((height, seal)) = &self.replay.tip else { return self.report(outcome, why) };
        let detail = format!("{why}; replayed up to height {height}, of {}", utc_text(seal.time));
        LeftOutReport { replaced_by, number_used, ..self.dated(outcome, detail, *height, seal.time) }
    }

    /// Why the record is not the unit's word, by the registry as it stands at the end.
    fn signer_problem(&self, signed: &SignedRecord) -> Option<(LeftOutOutcome, String)> {
        let record = &signed.record;
        let no = |problem: &str| Some((LeftOutOutcome::NotSigned, problem.to_owned()));
        let id = record.signing_key.get();
        let bytes = self.replay.state.get(Table::Keys, &id.to_be_bytes()).ok().flatten();
        let Some(state) = bytes.and_then(|bytes| KeyState::decode(bytes.as_slice()).ok()) else {
            return no("no such key is registered");
        };
        if state.key.owner_kind != KeyOwner::Unit.number() || state.key.owner_id != record.unit.get() {
            return no("the key that it names is not the unit's");
        }
        let Ok(public) = state.key.key() else { return no("the registered key does not read") };
        if !signed.verify(self.replay.chain(), &public) {
            return no("its signature does not fit the unit's key");
        }
        let until = state.key.valid_until_ms;
        let issued = record.issue_time.get();
        if issued < state.key.valid_from_ms || (until != 0 && issued >= until) {
            return no("the unit's key was not valid at its time of issue");
        }
        let revoked = state.revoked_from_ms;
        (revoked != 0).then(|| {
            let from = utc_text(UnixMillis::new(revoked));
            (LeftOutOutcome::KeyRevoked, format!("its key is revoked from {from} on: a thief dates as he likes"))
        })
    }

    /// What the unit has on the ledger in place of a record that is its own word.
    fn beside(&self, signed: &SignedRecord) -> Beside {
        let replaced_by = self.other_receipt(signed).map(|key| key.to_string());
        let instead = replaced_by.as_ref().map(|key| format!("; the ledger has {key} of the same business event"));
        let number_used = self.number_is_used(signed);
        let twice = if number_used { "; ANOTHER record of this number is there: the unit signed two" } else { "" };
        let words = format!("{}{twice}", instead.unwrap_or_default());
        Beside { replaced_by, number_used, words }
    }

    /// Whether the ledger has another record under the same number.
    fn number_is_used(&self, signed: &SignedRecord) -> bool {
        let bytes = self.replay.state.get(Table::Receipts, &receipt_key_bytes(signed.record.key)).ok().flatten();
        let state = bytes.and_then(|bytes| ReceiptState::decode(&bytes).ok());
        let own = status_key(signed.record.suite, &self.given.report.record);
        state.is_some_and(|state| state.status_key != own && state.unit == signed.record.unit)
    }

    /// The receipt that the unit has on the ledger under the same business reference.
    fn other_receipt(&self, signed: &SignedRecord) -> Option<ReceiptKey> {
        let row = biz_key_bytes(signed.record.unit, signed.record.biz_key);
        let bytes = self.replay.state.get(Table::BizKeys, &row).ok().flatten()?;
        key_of(&bytes).filter(|key| *key != signed.record.key)
    }

    fn unit_name(&self, record: &ReceiptRecord) -> String {
        let bytes = self.replay.state.get(Table::Units, &record.unit.get().to_be_bytes()).ok().flatten();
        let state = bytes.and_then(|bytes| UnitState::decode(bytes.as_slice()).ok());
        state.map_or_else(|| format!("unit {}", record.unit), |state| state.unit.name)
    }

    fn dated(&self, outcome: LeftOutOutcome, detail: String, height: Height, time: UnixMillis) -> LeftOutReport {
        let (height, time_ms) = (Some(height.get()), Some(time.get()));
        LeftOutReport { height, time_ms, ..self.report(outcome, detail) }
    }

    fn report(&self, outcome: LeftOutOutcome, detail: String) -> LeftOutReport {
        LeftOutReport {
            file: self.given.file.clone(),
            outcome,
            detail,
            checkpoint: self.agreement,
            receipt: None,
            unit: None,
            seal_by_ms: None,
            height: None,
            time_ms: None,
            late_ms: None,
            reason: None,
            replaced_by: None,
            number_used: false,
            owed: false,
        }
    }
}

/// What stands on the ledger beside a record that it does not have.
#[derive(Default)]
struct Beside {
    replaced_by: Option<String>,
    number_used: bool,
    /// Both, in words that follow others.
    words: String,
}

/// Whether the promised time is over at that of a block, and the record not from after it.
fn is_over(time: UnixMillis, record: &ReceiptRecord) -> bool {
    time > record.seal_by && record.issue_time <= time.plus_millis(CLOCK_DRIFT_MS_MAX)
}

/// Whether a record is refused so because a receipt for the same matter, or of the same business event, is on the ledger.
fn says_that_one_stands(reason: Reason) -> bool {
    matches!(reason, Reason::PaymentReceipted | Reason::DecisionPaid | Reason::BizCodeUsed | Reason::AlreadyReversed)
}

/// The receipt that a row of BizKeys names.
fn key_of(row: &[u8]) -> Option<ReceiptKey> {
    let (code, number) = row.split_first_chunk::<4>()?;
    let code = ReceiptCode::new(u32::from_be_bytes(*code)).ok()?;
    let number = ReceiptNumber::new(u64::from_be_bytes(number.try_into().ok()?)).ok()?;
    Some(ReceiptKey { code, number })
}

/// A delay, rounded down to what is worth saying.
fn span(ms: u64) -> String {
    match ms {
        0..MINUTE_MS => format!("{} s", ms / 1000),
        MINUTE_MS..HOUR_MS => format!("{} min", ms / MINUTE_MS),
        _ => format!("{} h {} min", ms / HOUR_MS, ms % HOUR_MS / MINUTE_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_said_in_hours() {
        let said: Vec<String> = [999, 59_999, 60_000, 3_600_000, 90_060_000].map(span).to_vec();
        assert_eq!(said, ["0 s", "59 s", "1 min", "1 h 0 min", "25 h 1 min"]);
    }
}
