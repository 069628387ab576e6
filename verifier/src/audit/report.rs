//! What an audit says, for machines (serde); `page.rs` writes it for people.

use std::collections::BTreeMap;

use prost::Message;
use receipt_core::genesis::Genesis;
use receipt_core::ids::{Fen, UnixMillis};
use receipt_core::registered_at::RegisteredAt;
use receipt_core::state::StateRead;
use receipt_core::state::tables::{Table, UnitState};
use receipt_core::verdict::utc_text;
use serde::Serialize;

use super::bodies::BodiesReport;
use super::finding::Finding;
use super::handover::{AuthorityChangeReport, HandoverReport};
use super::left_out::{LeftOutOutcome, LeftOutReport};
use super::replay::Replay;
use super::tally::Tally;
use crate::source::Source;

/// Blocks at the end whose checkpoint may be on its way while the ledger is read. In health a node has no more.
const UNSEALED_BLOCKS_MAX: u64 = 1;

/// The audit in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditResult {
    /// Everything that was read holds, under a quorum's checkpoint.
    Clean,
    /// Something does not hold: see the findings.
    Refuted,
    /// What was read holds, but not everything was seen: see the reservations.
    Incomplete,
}

/// The newest checkpoint that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckpointReport {
    /// Height that it seals.
    pub height: u64,
    /// Leaves of the log.
    pub tree_size: u64,
    /// Root of the log, hex.
    pub root: String,
    /// Oldest cosignature time of the freshest quorum, Unix seconds.
    pub as_of: u64,
    /// The same as RFC 3339 text, UTC.
    pub as_of_utc: String,
    /// Names of that quorum's members.
    pub signers: Vec<String>,
}

/// Counts and sums of receipts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TotalsReport {
    /// Blue receipts.
    pub blue_count: u64,
    /// Their sum in yuan.
    pub blue_yuan: String,
    /// Red receipts.
    pub red_count: u64,
    /// Their (negative) sum in yuan.
    pub red_yuan: String,
    /// Blue and red together, in yuan.
    pub net_yuan: String,
}

impl TotalsReport {
    fn new(blue: (u64, i128), red: (u64, i128)) -> Self {
        Self {
            blue_count: blue.0,
            blue_yuan: yuan(blue.1),
            red_count: red.0,
            red_yuan: yuan(red.1),
            net_yuan: yuan(blue.1 + red.1),
        }
    }
}

/// One unit's receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitReport {
    /// Registry number.
    pub unit: u32,
    /// 统一社会信用代码.
    pub unit_code: String,
    /// The unit's name.
    pub name: String,
    /// Counts and sums.
    #[serde(flatten)]
    pub totals: TotalsReport,
}

/// Records of one issuer that stand in a block later than they were promised to be sealed. Late is not wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LateReport {
    /// The issuer's registry number.
    pub issuer: u32,
    /// Records whose block's time is above their `seal_by`.
    pub records: u64,
    /// The longest delay among them, in milliseconds.
    pub worst_ms: u64,
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditReport {
    /// The result in one word.
    pub result: AuditResult,
    /// Chain id, hex.
    pub chain: String,
    /// Chain name.
    pub chain_name: String,
    /// The source that was read: an export or a node.
    pub source: String,
    /// Height of the last block that holds; absent if not even genesis does.
    pub height: Option<u64>,
    /// Decided blocks replayed, genesis not counted.
    pub blocks: u64,
    /// Leaves of the log.
    pub log_size: u64,
    /// Root of the log, hex.
    pub log_root: String,
    /// Root of the status map, hex.
    pub status_root: String,
    /// Hash over every write since genesis, hex.
    pub effects_hash: String,
    /// The newest verified checkpoint.
    pub sealed: Option<CheckpointReport>,
    /// Blocks after it.
    pub unsealed_blocks: u64,
    /// Distinct checkpoints verified.
    pub checkpoints: u64,
    /// Served checkpoints of sizes that the source does not reach.
    pub checkpoints_not_reached: usize,
    /// Records read, those of refused batches included.
    pub records: u64,
    /// Bytes of those records.
    pub record_bytes: u64,
    /// Bytes of all blocks.
    pub block_bytes: u64,
    /// Batches taken.
    pub batches_taken: u64,
    /// Batches refused whole.
    pub batches_refused: u64,
    /// Refused records by reason.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Receipts reversed.
    pub reversed: u64,
    /// Broken promises to seal, by issuer.
    pub late: Vec<LateReport>,
    /// Receipts and amounts, all units.
    pub totals: TotalsReport,
    /// Receipts and amounts by unit.
    pub units: Vec<UnitReport>,
    /// Changes of the validator set.
    pub handovers: Vec<HandoverReport>,
    /// Changes of the authorities.
    pub authority_changes: Vec<AuthorityChangeReport>,
    /// Contents; absent: content not checked.
    pub bodies: Option<BodiesReport>,
    /// What became of the receipts that were reported as left out, in the order of the reports.
    pub left_out: Vec<LeftOutReport>,
    /// What does not hold; empty if nothing was found.
    pub findings: Vec<Finding>,
    /// Why the source stopped early.
    pub source_error: Option<String>,
    /// What keeps the result from being clean though nothing is wrong.
    pub reservations: Vec<String>,
    /// What was not checked.
    pub not_checked: Vec<String>,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Records per second.
    pub records_per_second: f64,
    /// The trust file that the ledger implies at this point: genesis, every handover and every change of authorities.
    #[serde(skip)]
    pub trust_text: String,
    /// The registry as of the height that was asked for, if the replay reached it.
    #[serde(skip)]
    pub registered: Option<RegisteredAt>,
}

pub(super) struct Parts<'a> {
    pub(super) genesis: &'a Genesis,
    pub(super) source: &'a Source,
    pub(super) replay: Replay<'a>,
    pub(super) findings: Vec<Finding>,
    pub(super) source_error: Option<String>,
    /// What a trust file in use has beyond the replay.
    pub(super) trust_beyond: Option<String>,
    pub(super) bodies: Option<BodiesReport>,
    pub(super) left_out: Vec<LeftOutReport>,
    /// Why reports of receipts left out were not judged, if they were not.
    pub(super) reports_not_judged: Option<String>,
    pub(super) bodies_wanted: bool,
    pub(super) seconds: f64,
}

pub(super) fn assemble(parts: Parts<'_>) -> AuditReport {
    let Parts {
        genesis,
        source,
        replay,
        findings,
        source_error,
        trust_beyond,
        bodies,
        left_out,
        reports_not_judged,
        bodies_wanted,
        seconds,
    } = parts;
    let tally = &replay.tally;
    let totals = tally.totals();
    let height = replay.tip.as_ref().map(|(height, _)| height.get());
    let sealed_height = replay.sealed.as_ref().map(|(height, _)| height.get());
    let seal = replay.tip.as_ref().map(|(_, seal)| seal);
    let hash = |hash: Option<receipt_core::hash::Hash>| hash.map(|hash| hash.to_string()).unwrap_or_default();
    let refuted = !findings.is_empty() || bodies.as_ref().is_some_and(BodiesReport::is_refuted);
    let unsealed_blocks = height.map_or(0, |height| height - sealed_height.unwrap_or(0).min(height));
    let mut reservations = checkpoint_reservations(height, sealed_height, unsealed_blocks);
    reservations.extend(trust_beyond);
    reservations.extend(bodies.iter().flat_map(BodiesReport::reservations));
    reservations.extend(left_out_reservation(&left_out));
    reservations.extend(refused_reservation(&left_out));
    let complete = source_error.is_none() && reservations.is_empty();
    AuditReport {
        result: match (refuted, complete) {
            (true, _) => AuditResult::Refuted,
            (false, true) => AuditResult::Clean,
            (false, false) => AuditResult::Incomplete,
        },
        chain: genesis.chain_id().0.to_string(),
        chain_name: genesis.chain_name.clone(),
        source: source.to_string(),
        height,
        blocks: tally.blocks,
        log_size: replay.frontier.size().get(),
        log_root: replay.frontier.root().to_string(),
        status_root: hash(seal.map(|seal| seal.status_root)),
        effects_hash: hash(seal.map(|seal| seal.effects_hash)),
        sealed: sealed_report(&replay),
        unsealed_blocks,
        checkpoints: tally.checkpoints,
        checkpoints_not_reached: replay.pending.len(),
        records: tally.records,
        record_bytes: tally.record_bytes,
        block_bytes: tally.block_bytes,
        batches_taken: tally.batches_taken,
        batches_refused: tally.batches_refused,
        refusals: tally.refusals.clone(),
        reversed: tally.reversed,
        late: late_reports(tally),
        totals: TotalsReport::new((totals.blue_count, totals.blue_fen), (totals.red_count, totals.red_fen)),
        units: unit_reports(&replay),
        handovers: replay.handovers.clone(),
        authority_changes: replay.authority_changes.clone(),
        not_checked: not_checked(bodies.as_ref(), bodies_wanted, replay.pending.len(), reports_not_judged),
        bodies,
        left_out,
        findings,
        source_error,
        reservations,
        seconds,
        records_per_second: rate(tally.records, seconds),
        trust_text: replay.trust.to_text(),
        registered: replay.registered,
    }
}

fn sealed_report(replay: &Replay<'_>) -> Option<CheckpointReport> {
    let (height, checkpoint) = replay.sealed.as_ref()?;
    Some(CheckpointReport {
        height: height.get(),
        tree_size: checkpoint.size.get(),
        root: checkpoint.root.to_string(),
        as_of: checkpoint.as_of.get(),
        as_of_utc: utc_text(UnixMillis::new(checkpoint.as_of.get().saturating_mul(1000))),
        signers: checkpoint.signers.iter().map(|name| replay.trust.agency(name).to_owned()).collect(),
    })
}

/// Why the log's root, as the replay gives it, is not what a quorum has cosigned, or only for a part.
fn checkpoint_reservations(height: Option<u64>, sealed_height: Option<u64>, unsealed_blocks: u64) -> Vec<String> {
    match (height, sealed_height) {
        (None, _) => vec!["Not even genesis was served.".to_owned()],
        (Some(_), None) => vec![
            "No checkpoint under a quorum was served for any of these blocks: no root of the log was compared. Ask \
             another node, or export again."
                .to_owned(),
        ],
        (Some(_), Some(sealed)) if unsealed_blocks > UNSEALED_BLOCKS_MAX => vec![format!(
            "{unsealed_blocks} blocks stand after height {sealed}, the newest whose checkpoint was served: no root of the \
             log was compared for them. Ask another node, or export again."
        )],
        (Some(_), Some(_)) => Vec::new(),
    }
}

/// That signed receipts are not there. The ledger is none the worse for it; whoever promised them is.
fn left_out_reservation(reports: &[LeftOutReport]) -> Option<String> {
    let count = reports.iter().filter(|report| report.outcome == LeftOutOutcome::LeftOut).count();
    let (subject, their) = if count == 1 { ("receipt is", "its") } else { ("receipts are", "their") };
    (count > 0)
        .then(|| format!("{count} reported {subject} left out: signed by {their} unit, and not on the ledger in time."))
}

/// Whoever submits what he leaves out so that it is refused, has left it out all the same.
fn refused_reservation(reports: &[LeftOutReport]) -> Option<String> {
    let count = reports.iter().filter(|report| report.owed).count();
    let (subject, their) = if count == 1 { ("receipt was", "its") } else { ("receipts were", "their") };
    (count > 0).then(|| format!("{count} reported {subject} refused, and no other took {their} place."))
}

fn late_reports(tally: &Tally) -> Vec<LateReport> {
    let late = tally.late.iter();
    late.map(|(issuer, late)| LateReport { issuer: *issuer, records: late.records, worst_ms: late.worst_ms }).collect()
}

fn unit_reports(replay: &Replay<'_>) -> Vec<UnitReport> {
    let units = replay.tally.units.iter().map(|(id, tally)| {
        let state = replay.state.get(Table::Units, &id.to_be_bytes()).ok().flatten();
        let state = state.and_then(|bytes| UnitState::decode(bytes.as_slice()).ok()).unwrap_or_default();
        UnitReport {
            unit: *id,
            unit_code: state.unit.unit_code,
            name: state.unit.name,
            totals: TotalsReport::new((tally.blue_count, tally.blue_fen), (tally.red_count, tally.red_fen)),
        }
    });
    units.collect()
}

fn not_checked(
    bodies: Option<&BodiesReport>,
    bodies_wanted: bool,
    checkpoints_not_reached: usize,
    reports_not_judged: Option<String>,
) -> Vec<String> {
    let mut list = vec![
        "Whether block times were near the validators' clocks: each validator judged that when it voted.".to_owned(),
        "The issuers' own rules about dates, lateness and confirmed payments.".to_owned(),
    ];
    if checkpoints_not_reached > 0 {
        list.push(format!("{checkpoints_not_reached} checkpoints of trees larger than what was served."));
    }
    list.extend(reports_not_judged);
    match bodies {
        None if bodies_wanted => list.push("Content not checked: the replay did not come through.".to_owned()),
        None => list.push("Content not checked: no bodies were given.".to_owned()),
        Some(_) => {
            list.push("Items were judged by the registry as it stands at the end of the replay (V13).".to_owned());
        }
    }
    list
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// An amount in yuan; sums may be larger than a receipt's amount.
fn yuan(fen: i128) -> String {
    match i64::try_from(fen) {
        Ok(fen) => Fen::new(fen).to_string(),
        Err(_) => format!("{fen} fen"),
    }
}
