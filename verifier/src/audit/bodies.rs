//! Checking contents: every body line against its record on the ledger, and the body rules.
//!
//! Items are judged by the registry as it stands at the end of the replay (V13): a unit whose items were changed later may
//! show up here, and the report says so.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use prost::Message;
use receipt_core::bundle::{Absence, BodyLine};
use receipt_core::governance::AttachItems;
use receipt_core::hash::Hash;
use receipt_core::ids::{ReceiptCode, ReceiptKey};
use receipt_core::limits::BUNDLE_BYTES_MAX;
use receipt_core::receipt::disclosure::Body;
use receipt_core::receipt::model::Receipt;
use receipt_core::receipt::rules::{Catalogue, check_body};
use receipt_core::record::{SignedRecord, status_key};
use receipt_core::state::StateRead;
use receipt_core::state::tables::{ReceiptState, Table, UnitState, pair_bytes, receipt_key_bytes};
use receipt_core::verdict::differing_field;
use serde::Serialize;
use tallystick_service::input;

use super::replay::Replay;

/// Problems, erased and lost receipts listed in full; the rest is counted.
const LISTED_MAX: usize = 100;
/// A line and its newline; what is longer is read over.
const LINE_BYTES_MAX: u64 = BUNDLE_BYTES_MAX as u64 + 1;

/// Why the body file cannot be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = path.display())]
pub struct BodiesError {
    path: PathBuf,
    source: std::io::Error,
}

/// What came of the contents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BodiesReport {
    /// Receipts whose content is what the record commits to and keeps every body rule.
    pub good: u64,
    /// Receipts on the ledger of which the issuer says that their content was erased: nobody can check it any more.
    pub erased: u64,
    /// Receipts on the ledger of which the issuer says that it had their content and cannot read it any more.
    pub lost: u64,
    /// Receipts on the ledger of which the issuer says that it learnt of them from the ledger and never had their content since.
    pub never_held: u64,
    /// Receipts on the ledger for which no line was given.
    pub missing: u64,
    /// Lines that are no content of a receipt on the ledger.
    pub mismatches: u64,
    /// Lines that repeat a receipt, or say that it has no content beside its content.
    pub repeated: u64,
    /// Broken rules, by rule.
    pub broken_rules: BTreeMap<String, u64>,
    /// The first hundred problems, without personal values.
    pub problems: Vec<String>,
    /// The first hundred erased receipts.
    pub erased_receipts: Vec<String>,
    /// The first hundred lost ones.
    pub lost_receipts: Vec<String>,
}

impl BodiesReport {
    /// Whether some content is not what its record commits to, or breaks a rule.
    pub fn is_refuted(&self) -> bool {
        self.mismatches > 0 || !self.broken_rules.is_empty()
    }

    /// What nobody could check, as sentences: without any, every receipt on the ledger has its content here.
    pub(super) fn reservations(&self) -> Vec<String> {
        let mut list = Vec::new();
        if self.erased > 0 {
            list.push(format!("Content of {} receipts: their issuer says that it was erased.", self.erased));
        }
        if self.lost > 0 {
            list.push(format!("Content of {} receipts: their issuer says that it is lost.", self.lost));
        }
        if self.never_held > 0 {
            list.push(format!(
                "Content of {} receipts: their issuer learnt of them from the ledger and was never given it back.",
                self.never_held
            ));
        }
        if self.missing > 0 {
            list.push(format!("Content of {} receipts: no line was given for them.", self.missing));
        }
        list
    }

    fn problem(&mut self, place: &str, problem: impl std::fmt::Display) {
        if self.problems.len() < LISTED_MAX {
            self.problems.push(format!("{place}: {problem}"));
        }
    }

    fn count(&mut self, place: &str, broken: Vec<(String, String)>) {
        if broken.is_empty() {
            self.good += 1;
        }
        for (rule, sentence) in broken {
            *self.broken_rules.entry(rule).or_default() += 1;
            self.problem(place, sentence);
        }
    }
}

/// What the lines so far say of a receipt.
enum Said {
    /// That its issuer has no content. The word stands only as long as no line has the content.
    Absent(ReceiptKey, Absence),
    /// Its content, which was judged.
    Content,
}

/// Receipts of the ledger for which a line was read, by status key.
#[derive(Default)]
struct Seen(HashMap<Hash, Said>);

impl Seen {
    fn add(&mut self, place: &str, judged: Judged, report: &mut BodiesReport) {
        let said = self.0.get(&judged.status_key);
        report.repeated += u64::from(said.is_some());
        let now = match (said, judged.content) {
            (None, Content::Absent(absence)) => Said::Absent(judged.key, absence),
            (None | Some(Said::Absent(..)), Content::Judged(broken)) => {
                report.count(place, broken);
                Said::Content
            }
            (Some(_), Content::Absent(_)) | (Some(Said::Content), Content::Judged(_)) => return,
        };
        self.0.insert(judged.status_key, now);
    }

    fn close(self, receipts: u64, report: &mut BodiesReport) {
        report.missing = receipts.saturating_sub(self.0.len() as u64);
        let absent = self.0.into_values().filter_map(|said| match said {
            Said::Absent(key, absence) => Some((key, absence)),
            Said::Content => None,
        });
        let mut absent: Vec<(ReceiptKey, Absence)> = absent.collect();
        absent.sort_unstable();
        let count = |wanted| absent.iter().filter(|(_, absence)| *absence == wanted).count() as u64;
        let names = |wanted| {
            let wanted = absent.iter().filter(move |(_, absence)| *absence == wanted);
            wanted.take(LISTED_MAX).map(|(key, _)| key.to_string()).collect()
        };
        (report.erased, report.erased_receipts) = (count(Absence::Erased), names(Absence::Erased));
        (report.lost, report.lost_receipts) = (count(Absence::Lost), names(Absence::Lost));
        report.never_held = count(Absence::NeverHeld);
    }
}

/// Reads whole files: every issuer hands over its own.
pub(super) fn check(
    paths: &[PathBuf],
    replay: &Replay<'_>,
    utc_offset_minutes: i32,
) -> Result<BodiesReport, BodiesError> {
    let mut report = BodiesReport::default();
    let mut seen = Seen::default();
    for path in paths {
        let failed = |source| BodiesError { path: path.clone(), source };
        let mut reader = BufReader::new(input::open(path).map_err(failed)?);
        let mut line = Vec::new();
        for number in 1_u64.. {
            if !read_line(&mut reader, &mut line).map_err(failed)? {
                break;
            }
            let place = format!("{} line {number}", path.display());
            match judge(&line, replay, utc_offset_minutes) {
                Err(problem) => {
                    report.mismatches += 1;
                    report.problem(&place, problem);
                }
                Ok(judged) => seen.add(&place, judged, &mut report),
            }
        }
    }
    seen.close(replay.tally.receipts(), &mut report);
    Ok(report)
}

/// The next line without its newline; `false` at the end. Of a line above the limit only the beginning is kept, which is
/// no line of the format; the rest is read over, so that no file fills the memory.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    if reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else {
        reader.skip_until(b'\n')?;
    }
    Ok(true)
}

struct Judged {
    key: ReceiptKey,
    status_key: Hash,
    content: Content,
}

enum Content {
    /// Broken rules, each with its sentence.
    Judged(Vec<(String, String)>),
    Absent(Absence),
}

fn judge(line: &[u8], replay: &Replay<'_>, utc_offset_minutes: i32) -> Result<Judged, String> {
    let body_line = BodyLine::decode(line).map_err(|error| error.to_string())?;
    let signed = SignedRecord::decode(&body_line.record).map_err(|reason| format!("the record: {reason}"))?;
    let record = &signed.record;
    let status_key = status_key(record.suite, &body_line.record);
    let stored =
        replay.state.get(Table::Receipts, &receipt_key_bytes(record.key)).map_err(|error| error.to_string())?;
    let stored = stored.and_then(|bytes| ReceiptState::decode(&bytes).ok());
    if stored.is_none_or(|stored| stored.status_key != status_key) {
        return Err(format!("{}: this record is not on the ledger", record.key));
    }
    let key = record.key;
    let content = match body_line.content {
        Ok(content) => content,
        Err(absence) => return Ok(Judged { key, status_key, content: Content::Absent(absence) }),
    };
    let body =
        Body::of_values(record.suite, content.values, &content.seed).map_err(|error| format!("{key}: {error}"))?;
    if body.disclosures().len() != record.disclosure_count as usize || body.root() != record.body_root {
        return Err(format!("{}: the content is not what the record commits to", record.key));
    }
    let receipt = body.receipt().map_err(|error| format!("{}: {error}", record.key))?;
    if let Some(differs) = differing_field(&receipt, record, utc_offset_minutes) {
        return Err(format!("{}: {}", record.key, differs.problem));
    }
    if let Some(problem) = unit_problem(replay, record.unit.get(), &receipt) {
        return Err(format!("{}: {problem}", record.key));
    }
    let registry = Registry { replay, unit: record.unit.get() };
    let violations = check_body(&receipt, &registry).err().unwrap_or_default();
    let broken = violations.iter().map(|found| (found.rule.to_string(), format!("{}: {found}", record.key)));
    Ok(Judged { key, status_key, content: Content::Judged(broken.collect()) })
}

/// What a bundle's credential is for `verify`, the registry is here: code, name and area are the unit's. A unit may have
/// had several names; which of them its issuer knew at the time of issue the ledger does not tell.
fn unit_problem(replay: &Replay<'_>, unit: u32, receipt: &Receipt) -> Option<&'static str> {
    let bytes = replay.state.get(Table::Units, &unit.to_be_bytes()).ok().flatten().unwrap_or_default();
    let registered = UnitState::decode(bytes.as_slice()).ok();
    if registered.is_none_or(|state| state.unit.unit_code != receipt.draft.unit_code) {
        return Some("the content names another unit than the record");
    }
    let stated = (receipt.issued.unit_name.clone(), receipt.draft.supervisor_area_code.clone());
    let had = replay.tally.names.get(&unit).is_some_and(|names| names.contains(&stated));
    if had {
        None
    } else {
        Some("the content has a unit_name and supervisor_area_code that the unit was never registered with")
    }
}

/// Kinds and items as registered at the end of the replay.
struct Registry<'a> {
    replay: &'a Replay<'a>,
    unit: u32,
}

impl Catalogue for Registry<'_> {
    fn kind_is_registered(&self, code: ReceiptCode) -> bool {
        let kind = (code.get() / 100).to_be_bytes();
        self.replay.state.get(Table::Kinds, &kind).is_ok_and(|kind| kind.is_some())
    }

    fn item_is_attached(&self, _: &str, code: ReceiptCode, item_code: &str) -> bool {
        let key = pair_bytes(self.unit, code.get() / 100);
        let items = self.replay.state.get(Table::Items, &key).ok().flatten();
        let items = items.and_then(|bytes| AttachItems::decode(bytes.as_slice()).ok());
        items.is_some_and(|items| items.items.iter().any(|item| item.code == item_code))
    }
}
