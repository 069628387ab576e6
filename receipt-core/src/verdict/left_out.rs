//! The verdict on the report of a receipt that was left out: the unit signed the record, by a directory of units, and validators sealed after
//! the time by which it had promised to have it anchored. That the ledger does not have it stays the reporter's word.
//!
//! What in a scan is an answer that does not hold is a report that does not hold here: it is invalid.

use super::anchored::{check_time, endorsed};
use super::check::Judge;
use super::conclusion::{Conclusion, Doubt};
use super::material::Seen;
use super::scan::{self, ByDirectory, NOBODY_CAN_PROVE};
use super::sentences::CheckId;
use super::value::{Parameters, Value};
use crate::bundle::{BundleError, LEFT_OUT_FORMAT, LeftOut};
use crate::directory::TrustedDirectory;
use crate::ids::UnixMillis;
use crate::note::{Checkpoint, SignedNote};
use crate::record::SignedRecord;
use crate::shown::line;
use crate::trust::TrustFile;

pub(super) fn conclude(
    bytes: &[u8],
    directory: &TrustedDirectory,
    trust: &TrustFile,
    latest: UnixMillis,
    judge: &mut Judge,
    seen: &mut Seen,
) -> Result<Conclusion, Conclusion> {
    let report = read(bytes, judge)?;
    if report.chain != trust.chain_id() {
        return Err(other_chain(&report, trust, judge));
    }
    judge.pass(CheckId::Chain);
    let ByDirectory { signed, revoked_from } =
        scan::by_directory(&report.record, directory, trust, latest, judge, seen)?;
    let concluded = match check_deadline(&report, &signed, trust, latest, judge, seen) {
        Ok(concluded) | Err(concluded) => concluded,
    };
    Ok(match revoked_from {
        Some(from) => scan::under_revoked_key(concluded, from, judge),
        None => concluded,
    })
}

fn read(bytes: &[u8], judge: &mut Judge) -> Result<LeftOut, Conclusion> {
    if let Some(format) = LeftOut::later_format(bytes) {
        let detail = format!("its format is {}, and this program knows {LEFT_OUT_FORMAT}", line(format));
        return Err(judge.doubt(CheckId::ReportForm, Doubt::FormatUnknown, detail));
    }
    let report = LeftOut::decode(bytes).map_err(|error| {
        let damage = match &error {
            BundleError::Damaged(damage) => Some(Value::Damage(*damage)),
            _ => None,
        };
        judge.fail_with(CheckId::ReportForm, Parameters::NONE.and("damage", damage), error)
    })?;
    judge.pass(CheckId::ReportForm);
    Ok(report)
}

/// That a quorum sealed after the promised time, and not before the record was there. The note has exactly a quorum's lines: a line more is one
/// that nobody answers for. That the ledger does not have the record stays open.
fn check_deadline(
    report: &LeftOut,
    signed: &SignedRecord,
    trust: &TrustFile,
    latest: UnixMillis,
    judge: &mut Judge,
    seen: &mut Seen,
) -> Result<Conclusion, Conclusion> {
    let id = CheckId::AnchorQuorum;
    let note = SignedNote::parse(report.checkpoint.as_bytes()).map_err(|error| judge.fail(id, error))?;
    let checkpoint = endorsed(id, trust, &note, judge)?;
    let (given, needed) = (note.signatures().len(), 1 + checkpoint.signers.len());
    judge.require(id, given == needed, format_args!("it has {given} signatures and needs {needed}"))?;
    check_time(checkpoint.as_of, latest, judge)?;
    let (as_of, seal_by) = (checkpoint.as_of, signed.record.seal_by);
    let has_passed = as_of.get() > seal_by.seconds() && !scan::is_before(as_of, signed);
    let detail =
        format_args!("it is of {as_of}, and the record of {}, to be anchored by {seal_by}", signed.record.issue_time);
    judge.require(CheckId::SealByPassed, has_passed, detail)?;
    scan::date(&checkpoint, trust, seen);
    judge.leave_open(CheckId::LedgerAnswer, NOBODY_CAN_PROVE);
    Ok(Conclusion::LeftOut { seal_by })
}

/// Which chain the report is of, and which is asked about. The name of its log is its own word.
fn other_chain(report: &LeftOut, trust: &TrustFile, judge: &mut Judge) -> Conclusion {
    let note = SignedNote::parse(report.checkpoint.as_bytes()).ok();
    let checkpoint = note.and_then(|note| Checkpoint::parse(note.text()).ok());
    let log = checkpoint.map(|checkpoint| checkpoint.origin().to_owned());
    super::genuine::other_chain(report.chain, log, trust, judge)
}
