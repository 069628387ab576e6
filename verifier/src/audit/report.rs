//! What an audit says: for machines (serde) and for people (text).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prost::Message;
use receipt_core::genesis::Genesis;
use receipt_core::ids::{Fen, Height};
use receipt_core::state::StateRead;
use receipt_core::state::tables::{Table, UnitState};
use serde::Serialize;

use super::bodies::BodiesReport;
use super::replay::Replay;
use crate::source::Source;

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FindingCode {
    /// A height is missing, doubled or out of order.
    HeightOrder,
    /// A block is not in canonical form.
    BlockForm,
    /// The served block hash is not the block's.
    BlockHash,
    /// A batch's records do not fit its header.
    Batch,
    /// No quorum of validators decided the block.
    Certificate,
    /// The ledger's rules refuse the block.
    Refused,
    /// Executing the block gives another seal.
    Seal,
    /// Executing the block gives other log entries.
    Entries,
    /// The validator set changed otherwise than announced.
    Handover,
    /// A checkpoint is malformed, of a wrong size, or not under a quorum.
    Checkpoint,
    /// A quorum cosigned a root that is not the ledger's.
    CheckpointRoot,
    /// The running totals are not the sum of the receipts.
    Totals,
    /// The trust file in use is not the ledger's.
    Trust,
    /// The auditor's own machine failed.
    NotJudged,
}

/// Something that is wrong with the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Height of the block concerned.
    pub height: u64,
    /// What kind.
    pub code: FindingCode,
    /// Particulars.
    pub detail: String,
    /// A signed note that shows it, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl Finding {
    pub(super) fn at(height: Height, code: FindingCode, detail: impl Into<String>) -> Self {
        Self { height: height.get(), code, detail: detail.into(), evidence: None }
    }
}

/// The audit in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditResult {
    /// Everything that was read holds.
    Clean,
    /// Something does not hold: see the findings.
    Refuted,
    /// What was read holds, but the source stopped before its end, or contents are missing.
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
    /// That quorum.
    pub signers: Vec<String>,
}

/// A change of the validator set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandoverReport {
    /// First height of the new set.
    pub height: u64,
    /// First tree size for which its keys count.
    pub first_tree_size: u64,
    /// Members.
    pub validators: usize,
    /// How many are enough.
    pub quorum: usize,
    /// The set's hash, hex.
    pub set_hash: String,
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
    /// Name.
    pub name: String,
    /// Counts and sums.
    #[serde(flatten)]
    pub totals: TotalsReport,
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditReport {
    /// In one word.
    pub result: AuditResult,
    /// Chain id, hex.
    pub chain: String,
    /// Chain name.
    pub chain_name: String,
    /// What was read.
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
    /// Receipts and amounts, all units.
    pub totals: TotalsReport,
    /// Receipts and amounts by unit.
    pub units: Vec<UnitReport>,
    /// Changes of the validator set.
    pub handovers: Vec<HandoverReport>,
    /// Contents; absent: content not checked.
    pub bodies: Option<BodiesReport>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Why the source stopped early.
    pub source_error: Option<String>,
    /// What was not checked.
    pub not_checked: Vec<String>,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Records per second.
    pub records_per_second: f64,
    /// The trust file that the ledger implies at this point: genesis and every handover.
    #[serde(skip)]
    pub trust_text: String,
}

pub(super) struct Parts<'a> {
    pub(super) genesis: &'a Genesis,
    pub(super) source: &'a Source,
    pub(super) replay: Replay<'a>,
    pub(super) findings: Vec<Finding>,
    pub(super) source_error: Option<String>,
    pub(super) bodies: Option<BodiesReport>,
    pub(super) bodies_wanted: bool,
    pub(super) seconds: f64,
}

pub(super) fn assemble(parts: Parts<'_>) -> AuditReport {
    let Parts { genesis, source, replay, findings, source_error, bodies, bodies_wanted, seconds } = parts;
    let tally = &replay.tally;
    let totals = tally.totals();
    let height = replay.tip.as_ref().map(|(height, _)| height.get());
    let sealed_height = replay.sealed.as_ref().map(|(height, _)| height.get());
    let seal = replay.tip.as_ref().map(|(_, seal)| seal);
    let hash = |hash: Option<receipt_core::hash::Hash>| hash.map(|hash| hash.to_string()).unwrap_or_default();
    let refuted = !findings.is_empty() || bodies.as_ref().is_some_and(BodiesReport::is_refuted);
    let complete = source_error.is_none() && height.is_some() && bodies.as_ref().is_none_or(BodiesReport::is_complete);
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
        sealed: replay.sealed.as_ref().map(|(height, checkpoint)| CheckpointReport {
            height: height.get(),
            tree_size: checkpoint.size.get(),
            root: checkpoint.root.to_string(),
            as_of: checkpoint.as_of.get(),
            signers: checkpoint.signers.clone(),
        }),
        unsealed_blocks: height.map_or(0, |height| height - sealed_height.unwrap_or(0).min(height)),
        checkpoints: tally.checkpoints,
        checkpoints_not_reached: replay.pending.len(),
        records: tally.records,
        record_bytes: tally.record_bytes,
        block_bytes: tally.block_bytes,
        batches_taken: tally.batches_taken,
        batches_refused: tally.batches_refused,
        refusals: tally.refusals.clone(),
        reversed: tally.reversed,
        totals: TotalsReport::new((totals.blue_count, totals.blue_fen), (totals.red_count, totals.red_fen)),
        units: unit_reports(&replay),
        handovers: replay.handovers.clone(),
        not_checked: not_checked(bodies.as_ref(), bodies_wanted),
        bodies,
        findings,
        source_error,
        seconds,
        records_per_second: rate(tally.records, seconds),
        trust_text: replay.trust.to_text(),
    }
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

fn not_checked(bodies: Option<&BodiesReport>, bodies_wanted: bool) -> Vec<String> {
    let mut list = vec![
        "Whether block times were near the validators' clocks: each validator judged that when it voted.".to_owned(),
        "The issuers' own rules about dates, lateness and confirmed payments.".to_owned(),
    ];
    match bodies {
        None if bodies_wanted => list.push("Content not checked: the replay did not come through.".to_owned()),
        None => list.push("Content not checked: no bodies were given.".to_owned()),
        Some(bodies) => {
            list.push("Items were judged by the registry as it stands at the end of the replay (V13).".to_owned());
            if bodies.erased > 0 {
                list.push(format!("Content of {} receipts: their issuer says that it was erased.", bodies.erased));
            }
            if bodies.missing > 0 {
                list.push(format!("Content of {} receipts: no line was given for them.", bodies.missing));
            }
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

impl AuditReport {
    /// The report for people.
    pub fn to_text(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> std::fmt::Result {
        let word = match self.result {
            AuditResult::Clean => "CLEAN",
            AuditResult::Refuted => "REFUTED",
            AuditResult::Incomplete => "INCOMPLETE",
        };
        writeln!(page, "{word}  {} ({})", self.chain_name, self.source)?;
        writeln!(page, "  chain          {}", self.chain)?;
        let height = self.height.map_or_else(|| "none".to_owned(), |height| height.to_string());
        writeln!(page, "  height         {height}, {} blocks, {} bytes", self.blocks, self.block_bytes)?;
        writeln!(page, "  log            {} leaves, root {}", self.log_size, self.log_root)?;
        writeln!(page, "  status root    {}", self.status_root)?;
        writeln!(page, "  effects hash   {}", self.effects_hash)?;
        match &self.sealed {
            Some(sealed) => writeln!(
                page,
                "  sealed         height {}, {} leaves, as of {} by {}; {} blocks after it",
                sealed.height,
                sealed.tree_size,
                sealed.as_of,
                sealed.signers.join(", "),
                self.unsealed_blocks
            )?,
            None => writeln!(page, "  sealed         nothing: no checkpoint was served")?,
        }
        writeln!(page, "  checkpoints    {} verified, {} not reached", self.checkpoints, self.checkpoints_not_reached)?;
        writeln!(page, "  batches        {} taken, {} refused", self.batches_taken, self.batches_refused)?;
        for (reason, count) in &self.refusals {
            writeln!(page, "                 {count} records refused: {reason}")?;
        }
        let totals = &self.totals;
        writeln!(page, "  receipts       {} blue, {} yuan", totals.blue_count, totals.blue_yuan)?;
        writeln!(
            page,
            "                 {} red, {} yuan; {} reversed",
            totals.red_count, totals.red_yuan, self.reversed
        )?;
        writeln!(page, "                 net {} yuan", totals.net_yuan)?;
        for handover in &self.handovers {
            let HandoverReport { height, first_tree_size, validators, quorum, .. } = handover;
            writeln!(page, "  handover       height {height}, size {first_tree_size}: {quorum} of {validators}")?;
        }
        self.write_bodies(page)?;
        for line in &self.not_checked {
            writeln!(page, "  not checked    {line}")?;
        }
        for finding in &self.findings {
            writeln!(page, "  FINDING        height {}: {:?}: {}", finding.height, finding.code, finding.detail)?;
        }
        if let Some(error) = &self.source_error {
            writeln!(page, "  SOURCE         {error}")?;
        }
        writeln!(page, "  {:.1} s, {:.0} records/s", self.seconds, self.records_per_second)
    }

    fn write_bodies(&self, page: &mut String) -> std::fmt::Result {
        let Some(bodies) = &self.bodies else { return Ok(()) };
        let BodiesReport { good, erased, missing, mismatches, repeated, .. } = bodies;
        writeln!(
            page,
            "  content        {good} good, {erased} erased, {missing} missing, {mismatches} mismatches, {repeated} repeated"
        )?;
        for (rule, count) in &bodies.broken_rules {
            writeln!(page, "                 {count} times {rule} broken")?;
        }
        for receipt in &bodies.erased_receipts {
            writeln!(page, "  ERASED         {receipt}")?;
        }
        for problem in &bodies.problems {
            writeln!(page, "  CONTENT        {problem}")?;
        }
        Ok(())
    }
}
