//! V29, the issuer's side: what became of every number of a segment that gives out no more.
//!
//! ```text
//! first ………………………… first unused ……………… last
//! used | lost | undecided        void                used: sealed.  lost: given out, and no receipt has it on the ledger
//! ```
//! The issuer alone knows which numbers it never gave out. Before it says so, it stops the segment with a synced write
//! ([`Sequencer::stop`](crate::issue::Sequencer::stop)): a number once called void is never used. A number is lost if the ledger
//! refused its receipt, or if it was burnt by a recovery and nobody has brought its receipt back. While a receipt is undecided
//! there is no report. Not here: signing the settlement (the authorities), judging it (`receipt_core::state`).

use prost::Message as _;
use receipt_core::governance::{AllocateSegment, NumberRange, SettleSegment};
use receipt_core::ids::{ReceiptCode, ReceiptKey, ReceiptNumber, SegmentId, UnitId};
use receipt_core::state::tables::{SegmentState, Table, UnitState};
use serde::{Deserialize, Serialize};

use crate::fate::{Fate, fate};
use crate::journal::{Journal, JournalError, ReceiptReads as _};

#[cfg(test)]
mod tests;

const FORMAT: u32 = 1;
/// Receipts read at a time.
const PAGE: usize = 1_000;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Not a segment of this issuer.
    #[error("segment {0} is not leased to this issuer, as far as it has followed the ledger")]
    Unknown(SegmentId),
    /// The ledger still takes receipts of it.
    #[error(
        "segment {0} is open on the ledger: have it closed (CloseSegment), or say `--stop` to give out none of its numbers from \
         now on; nothing takes that back"
    )]
    Open(SegmentId),
    /// It still gives out numbers.
    #[error("segment {0} still gives out numbers")]
    NotStopped(SegmentId),
    /// Some receipts may still be sealed.
    #[error(
        "{count} receipts of segment {segment} are not decided on the ledger yet, the first is {first}; the segment gives out no \
         more numbers, so make the report again when they are"
    )]
    Undecided {
        /// The segment.
        segment: SegmentId,
        /// How many.
        count: u64,
        /// The first of them.
        first: ReceiptKey,
    },
    /// A registered value is not what it should be.
    #[error("the registry's entry of segment {0} cannot be read")]
    Registry(SegmentId),
}

/// A proposal for the authorities, and the figures behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentReport {
    /// Format of this file.
    pub format_version: u32,
    /// The chain, hexadecimal.
    pub chain_id: String,
    /// The issuer that reports.
    pub issuer_id: u32,
    /// The unit's code.
    pub unit_code: String,
    /// 票据代码 of the segment.
    pub receipt_code: String,
    /// Its first number.
    #[serde(with = "number")]
    pub first_number: u64,
    /// Its last number, inclusive.
    #[serde(with = "number")]
    pub last_number: u64,
    /// Sealed receipts.
    pub used_count: u64,
    /// Numbers never given out.
    pub void_count: u64,
    /// Numbers given out of which the ledger has no receipt.
    pub lost_count: u64,
    /// When the ledger closed it, milliseconds; 0 while it is open there.
    pub closed_at_ms: u64,
    /// The ledger takes the settlement from this block time on; 0 while it is open there.
    pub settleable_from_ms: u64,
    /// Height up to which the ledger was followed.
    pub followed_height: u64,
    /// The actions for the authorities to sign.
    pub actions: Vec<ProposedAction>,
}

/// An action, as a description for the authorities names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposedAction {
    /// V29.
    SettleSegment(Settlement),
}

/// `SettleSegment`, readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// The segment.
    pub segment_id: u32,
    /// Ranges of void numbers, ascending.
    pub void: Vec<Range>,
    /// Ranges of lost numbers, ascending.
    pub lost: Vec<Range>,
}

/// Numbers from `first` to `last`, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The first.
    #[serde(with = "number")]
    pub first: u64,
    /// The last.
    #[serde(with = "number")]
    pub last: u64,
}

/// 票据号码 as everywhere outside: ten digits, as text.
mod number {
    use receipt_core::ids::ReceiptNumber;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:010}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        ReceiptNumber::parse(&text).map(ReceiptNumber::get).map_err(|error| de::Error::custom(error.problem))
    }
}

impl SegmentReport {
    /// The description that `tallystick-authority propose` reads (TOML), with the figures for whoever signs it.
    pub fn to_description(&self) -> String {
        let mut text = format!(
            "# Issuer {} of chain {}, as of height {}:\n# unit {}, receipt code {}, numbers {:010} to {:010}: {} used, {} void, {} lost.\n",
            self.issuer_id,
            self.chain_id,
            self.followed_height,
            self.unit_code,
            self.receipt_code,
            self.first_number,
            self.last_number,
            self.used_count,
            self.void_count,
            self.lost_count,
        );
        text.push_str(&match self.closed_at_ms {
            0 => "# The segment is still open on the ledger: CloseSegment comes first, and ten days.\n".to_owned(),
            _ => format!("# The ledger takes it from block time {} (milliseconds, UTC) on.\n", self.settleable_from_ms),
        });
        for ProposedAction::SettleSegment(settlement) in &self.actions {
            text.push_str(&format!(
                "\n[[actions]]\n[actions.settle_segment]\nsegment_id = {}\n",
                settlement.segment_id
            ));
            for (name, ranges) in [("void", &settlement.void), ("lost", &settlement.lost)] {
                let line = |range: &Range| {
                    format!("  {{ first = \"{:010}\", last = \"{:010}\" }},\n", range.first, range.last)
                };
                text.push_str(&format!("{name} = [\n{}]\n", ranges.iter().map(line).collect::<String>()));
            }
        }
        text
    }
}

impl Settlement {
    /// The report as the action that settles the segment.
    pub fn to_action(&self) -> SettleSegment {
        let range = |range: &Range| NumberRange { first: range.first, last: range.last };
        SettleSegment {
            segment_id: self.segment_id,
            void: self.void.iter().map(range).collect(),
            lost: self.lost.iter().map(range).collect(),
        }
    }
}

/// A segment as registered, if it is leased to this issuer.
pub fn registered(journal: &Journal, segment: SegmentId) -> Result<SegmentState, SegmentError> {
    let bytes = journal.registered(Table::Segments, &segment.get().to_be_bytes())?;
    let bytes = bytes.ok_or(SegmentError::Unknown(segment))?;
    let state = SegmentState::decode(bytes.as_slice()).map_err(|_| SegmentError::Registry(segment))?;
    let own = state.segment.issuer_id == journal.identity().issuer.get();
    if own { Ok(state) } else { Err(SegmentError::Unknown(segment)) }
}

/// What became of every number of a stopped segment.
pub fn report(journal: &Journal, segment: SegmentId) -> Result<SegmentReport, SegmentError> {
    let state = registered(journal, segment)?;
    let first_unused = journal.first_unused(segment)?.ok_or(SegmentError::NotStopped(segment))?;
    let counted = Count::of(journal, segment, &state.segment, first_unused)?;
    if let Some(first) = counted.first_undecided {
        return Err(SegmentError::Undecided { segment, count: counted.undecided, first });
    }
    let lease = &state.segment;
    let closed = state.closed_at_ms;
    let settleable_from_ms = state.closing().over_from_ms();
    let settlement = Settlement { segment_id: lease.segment_id, void: counted.void.ranges, lost: counted.lost.ranges };
    Ok(SegmentReport {
        format_version: FORMAT,
        chain_id: journal.identity().chain.0.to_string(),
        issuer_id: lease.issuer_id,
        unit_code: unit_code(journal, UnitId::new(lease.unit_id), segment)?,
        receipt_code: code_of(lease, segment)?.to_string(),
        first_number: lease.first_number,
        last_number: lease.last_number,
        used_count: counted.used,
        void_count: counted.void.count,
        lost_count: counted.lost.count,
        closed_at_ms: closed,
        settleable_from_ms,
        followed_height: journal.followed_tip()?.height.get(),
        actions: vec![ProposedAction::SettleSegment(settlement)],
    })
}

/// Ranges in the making: numbers come ascending.
#[derive(Default)]
struct Ranges {
    ranges: Vec<Range>,
    count: u64,
}

impl Ranges {
    /// Adds numbers from `first` up to `end`, exclusive.
    fn push(&mut self, first: u64, end: u64) {
        if first >= end {
            return;
        }
        self.count += end - first;
        match self.ranges.last_mut() {
            Some(range) if range.last + 1 == first => range.last = end - 1,
            _ => self.ranges.push(Range { first, last: end - 1 }),
        }
    }
}

#[derive(Default)]
struct Count {
    used: u64,
    void: Ranges,
    lost: Ranges,
    undecided: u64,
    first_undecided: Option<ReceiptKey>,
}

impl Count {
    fn of(
        journal: &Journal,
        segment: SegmentId,
        lease: &AllocateSegment,
        first_unused: u64,
    ) -> Result<Self, SegmentError> {
        let code = code_of(lease, segment)?;
        let at = |number: u64| {
            let number = ReceiptNumber::new(number).map_err(|_| SegmentError::Registry(segment))?;
            Ok::<_, SegmentError>(ReceiptKey { code, number })
        };
        let mut count = Self::default();
        let mut next = lease.first_number;
        while next <= lease.last_number {
            let keys = journal.keys_between(at(next)?, at(lease.last_number)?, PAGE)?;
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let number = key.number.get();
                count.gap(next, number, first_unused);
                count.receipt(key, fate(journal, key)?);
                next = number + 1;
            }
        }
        count.gap(next, lease.last_number + 1, first_unused);
        Ok(count)
    }

    /// Numbers from `first` up to `end`, exclusive, that no receipt here has.
    fn gap(&mut self, first: u64, end: u64, first_unused: u64) {
        let border = first_unused.clamp(first, end.max(first));
        self.lost.push(first, border);
        self.void.push(border, end);
    }

    fn receipt(&mut self, key: ReceiptKey, fate: Fate) {
        match fate {
            Fate::Sealed { .. } => self.used += 1,
            Fate::Refused { .. } => self.lost.push(key.number.get(), key.number.get() + 1),
            Fate::Pending => {
                self.undecided += 1;
                self.first_undecided.get_or_insert(key);
            }
        }
    }
}

fn code_of(lease: &AllocateSegment, segment: SegmentId) -> Result<ReceiptCode, SegmentError> {
    ReceiptCode::new(lease.receipt_code).map_err(|_| SegmentError::Registry(segment))
}

fn unit_code(journal: &Journal, unit: UnitId, segment: SegmentId) -> Result<String, SegmentError> {
    let bytes = journal.registered(Table::Units, &unit.get().to_be_bytes())?;
    let state = bytes.and_then(|bytes| UnitState::decode(bytes.as_slice()).ok());
    state.map(|state| state.unit.unit_code).ok_or(SegmentError::Registry(segment))
}
