//! The verdict on a signed record without its content, as a code on paper carries it: against a directory of units, and with what the
//! ledger answers about it, if it was asked.
//!
//! ```text
//! not asked                       signed, not checked whether anchored or reversed
//! revoked key, nothing proved     cannot be judged: it may be a thief's
//! no such record                  signed, in time or overdue: a node's word, as of a checkpoint; absence cannot be proved
//! refused, with the refusal       refused, and why
//! taken, with proofs              in force or reversed: the checks of a bundle, the content's apart
//! ```
//! A record does not name its chain: what another chain's unit signed looks like what this one's did not sign. The address in a code does name it
//! ([`crate::code::read`] refuses codes of other hosts), so that such a record gets here only under a host that is not its own. An answer that does not hold
//! says nothing of the receipt, so the verdict is that it cannot be judged.

use super::CLOCK_DRIFT_MS_MAX;
use super::anchored::{self, check_time, endorsed, is_after};
use super::check::Judge;
use super::conclusion::{Conclusion, Doubt, Unjudged};
use super::genuine::{check_issue_time, check_signature, read_record};
use super::in_force;
use super::material::{AsOf, DateSource, Proofs, Seen};
use super::place::{PlaceVerdict, RecordPlace, proved_place};
use super::sentences::CheckId;
use super::value::{Parameters, Value};
use crate::bundle::{BatchPart, StatusPart};
use crate::code::{self, Host};
use crate::directory::{DirectoryKey, TrustedDirectory};
use crate::ids::{ReceiptKey, UnixMillis};
use crate::note::{PosixSeconds, SignedNote};
use crate::record::SignedRecord;
use crate::trust::{TrustFile, TrustedCheckpoint};

/// What is open about every record that nobody found.
pub(super) const NOBODY_CAN_PROVE: &str = "no such record was found; nobody can prove that there is none";

/// A signed record, and what is known around it.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// The bytes of the `SignedRecord`, verbatim.
    pub record: &'a [u8],
    /// The units and their keys.
    pub directory: &'a TrustedDirectory,
    /// What the ledger says.
    pub ledger: LedgerAnswer<'a>,
}

/// The text of a code, as it was scanned, and what is known around it.
#[derive(Debug, Clone, Copy)]
pub struct CodeScan<'a> {
    /// The text: nothing trimmed, no case changed.
    pub text: &'a str,
    /// The hosts of the page that judges, former ones included.
    pub hosts: &'a [Host],
    /// The units and their keys.
    pub directory: &'a TrustedDirectory,
    /// What the ledger says.
    pub ledger: LedgerAnswer<'a>,
}

/// What the ledger answers about a record, by a node that nobody has to believe.
#[derive(Debug, Clone, Copy)]
pub enum LedgerAnswer<'a> {
    /// It was not asked.
    NotAsked,
    /// It has no such record.
    Absent {
        /// The newest checkpoint of whoever said so, a signed note.
        checkpoint: &'a str,
    },
    /// It refused a batch with the record in it, and took none since.
    Refused {
        /// The checkpoint that covers the refusal, a signed note.
        checkpoint: &'a str,
        /// Where the refusal stands.
        place: &'a RecordPlace,
        /// The receipt that the unit issued in its place, by the word of whoever answers.
        replaced_by: Option<ReceiptKey>,
    },
    /// It took the record.
    Taken {
        /// Where the record stands in its batch.
        batch: &'a BatchPart,
        /// Proof file of the batch header's log entry.
        anchor: &'a str,
        /// What the status map says.
        status: &'a StatusPart,
    },
}

pub(super) fn conclude_code(
    scan: &CodeScan<'_>,
    trust: &TrustFile,
    latest: UnixMillis,
    judge: &mut Judge,
    seen: &mut Seen,
) -> Result<Conclusion, Conclusion> {
    let record = code::read(scan.text, scan.hosts).map_err(|error| {
        judge.leave_open(CheckId::CodeForm, error.code());
        Conclusion::NoCode(error)
    })?;
    judge.pass(CheckId::CodeForm);
    conclude(&Scan { record: &record, directory: scan.directory, ledger: scan.ledger }, trust, latest, judge, seen)
}

pub(super) fn conclude(
    scan: &Scan<'_>,
    trust: &TrustFile,
    latest: UnixMillis,
    judge: &mut Judge,
    seen: &mut Seen,
) -> Result<Conclusion, Conclusion> {
    let ByDirectory { signed, revoked_from } = by_directory(scan.record, scan.directory, trust, latest, judge, seen)?;
    let concluded = match ask(scan, trust, &signed, latest, judge, seen) {
        Err(Conclusion::Invalid(failure)) => {
            let (doubt, detail) = (Doubt::AnswerFalse, format!("{}: {}", failure.code(), failure.detail));
            Conclusion::Unjudged(Unjudged { doubt, parameters: Parameters::NONE, detail })
        }
        Ok(concluded) | Err(concluded) => concluded,
    };
    Ok(match revoked_from {
        Some(from) => under_revoked_key(concluded, from, judge),
        None => concluded,
    })
}

/// A record that the unit signed, by the directory.
pub(super) struct ByDirectory {
    pub(super) signed: SignedRecord,
    /// From when on its key is revoked, if it is.
    pub(super) revoked_from: Option<UnixMillis>,
}

/// That the unit signed the record, by the directory's word of its key.
pub(super) fn by_directory(
    record: &[u8],
    directory: &TrustedDirectory,
    trust: &TrustFile,
    latest: UnixMillis,
    judge: &mut Judge,
    seen: &mut Seen,
) -> Result<ByDirectory, Conclusion> {
    seen.as_of = Some(AsOf { time: directory.as_of(), source: DateSource::Directory });
    seen.directory_as_of = Some(directory.as_of());
    seen.signers = directory.signers().to_vec();
    let signed = read_record(record, judge)?;
    let record = &signed.record;
    let dated = || Parameters::of([("directory_seconds", Value::Seconds(directory.as_of().get()))]);
    if is_after(directory.as_of(), latest) {
        let detail = format!("it is of {}", directory.as_of());
        return Err(judge.doubt_with(CheckId::DirectoryKey, Doubt::DirectoryAhead, dated(), detail));
    }
    let row = directory.unit(record.unit);
    let unit = row.and_then(|row| row.credential_at(directory.suite(), record.signing_key, record.issue_time));
    let Some(unit) = unit else {
        let detail = format_args!("unit {}, key {}", record.unit, record.signing_key);
        return Err(judge.doubt_with(CheckId::DirectoryKey, Doubt::KeyUnknown, dated(), detail));
    };
    judge.pass(CheckId::DirectoryKey);
    seen.signed = Some(check_signature(trust, &signed, &unit, judge)?);
    check_issue_time(record, latest, judge)?;
    let revoked_from = row.and_then(|row| row.key(record.signing_key)).and_then(DirectoryKey::revoked_from);
    if revoked_from.is_none() {
        judge.pass(CheckId::DirectoryRevocation);
    }
    Ok(ByDirectory { signed, revoked_from })
}

/// Whoever has stolen a key dates what it signs as it likes. Only the ledger, which takes old times for ten days after a revocation and no
/// longer, can say of a record under a revoked key that it is not the thief's.
pub(super) fn under_revoked_key(concluded: Conclusion, revoked_from: UnixMillis, judge: &mut Judge) -> Conclusion {
    let detail = match &concluded {
        Conclusion::InForce { .. } | Conclusion::Reversed { .. } | Conclusion::Refused { .. } => return concluded,
        // The ledger's own word, and proved.
        Conclusion::Unjudged(unjudged) if unjudged.doubt == Doubt::StatusUnknown => return concluded,
        Conclusion::Unjudged(unjudged) => format!("what was answered proves nothing: {}", unjudged.detail),
        _ => "nothing proves that the ledger took the record".to_owned(),
    };
    let parameters = Parameters::of([("revoked_from_ms", Value::Millis(revoked_from))]);
    judge.doubt_with(CheckId::DirectoryRevocation, Doubt::KeyRevoked, parameters, detail)
}

fn ask(
    scan: &Scan<'_>,
    trust: &TrustFile,
    signed: &SignedRecord,
    latest: UnixMillis,
    judge: &mut Judge,
    seen: &mut Seen,
) -> Result<Conclusion, Conclusion> {
    match scan.ledger {
        LedgerAnswer::NotAsked => Ok(Conclusion::Unchecked),
        LedgerAnswer::Absent { checkpoint } => {
            let checkpoint = checkpoint_of(checkpoint, trust, latest, judge)?;
            if is_before(checkpoint.as_of, signed) {
                let issued = signed.record.issue_time;
                let detail = format_args!("its checkpoint is of {}, and the record of {issued}", checkpoint.as_of);
                return Err(judge.doubt(CheckId::LedgerAnswer, Doubt::AnswerFalse, detail));
            }
            judge.leave_open(CheckId::LedgerAnswer, NOBODY_CAN_PROVE);
            date(&checkpoint, trust, seen);
            Ok(waiting(signed, checkpoint.as_of))
        }
        LedgerAnswer::Refused { checkpoint, place, replaced_by } => {
            let checkpoint = checkpoint_of(checkpoint, trust, latest, judge)?;
            let suite = trust.suite();
            let judged = proved_place(suite, &checkpoint.root, checkpoint.size, scan.record, place);
            let id = CheckId::LedgerAnswer;
            // Whoever says "refused" and does not show it has not shown that the ledger refused anything.
            match judged.map_err(|error| judge.doubt(id, Doubt::AnswerFalse, error))? {
                PlaceVerdict::Refused(reason) => {
                    date(&checkpoint, trust, seen);
                    drop(judge.fail(id, reason));
                    Ok(Conclusion::Refused { reason, replaced_by })
                }
                PlaceVerdict::SentBack => {
                    judge.leave_open(id, "its batch was refused for other records' sake");
                    date(&checkpoint, trust, seen);
                    Ok(waiting(signed, checkpoint.as_of))
                }
                PlaceVerdict::Taken => {
                    Err(judge.doubt(id, Doubt::AnswerFalse, "the proof of a refusal shows that it was taken"))
                }
            }
        }
        LedgerAnswer::Taken { batch, anchor, status } => {
            let record = scan.record;
            let proofs = Proofs { record, batch, anchor, status, trust, latest, may_have_spare_lines: true };
            let header_index = anchored::check(&proofs, signed, judge)?;
            judge.pass(CheckId::LedgerAnswer);
            in_force::check(&proofs, header_index, judge, seen)
        }
    }
}

/// The checkpoint of an answer: under a quorum, and not from the future.
fn checkpoint_of(
    note: &str,
    trust: &TrustFile,
    latest: UnixMillis,
    judge: &mut Judge,
) -> Result<TrustedCheckpoint, Conclusion> {
    let id = CheckId::AnchorQuorum;
    let note = SignedNote::parse(note.as_bytes()).map_err(|error| judge.fail(id, error))?;
    let checkpoint = endorsed(id, trust, &note, judge)?;
    judge.pass(id);
    check_time(checkpoint.as_of, latest, judge)?;
    Ok(checkpoint)
}

pub(super) fn date(checkpoint: &TrustedCheckpoint, trust: &TrustFile, seen: &mut Seen) {
    seen.signers = checkpoint.signers.iter().map(|name| trust.agency(name).to_owned()).collect();
    seen.as_of = Some(AsOf { time: checkpoint.as_of, source: DateSource::Checkpoint });
}

/// Whether a checkpoint of this time is from before the record: it cannot say that the ledger does not have it.
pub(super) fn is_before(as_of: PosixSeconds, signed: &SignedRecord) -> bool {
    signed.record.issue_time.seconds() > as_of.get().saturating_add(CLOCK_DRIFT_MS_MAX / 1000)
}

/// The ledger does not have it: by the quorum's time, not by that of this machine, it is in time or overdue.
fn waiting(signed: &SignedRecord, as_of: PosixSeconds) -> Conclusion {
    let seal_by = signed.record.seal_by;
    match as_of.get() > seal_by.seconds() {
        true => Conclusion::Overdue { seal_by },
        false => Conclusion::Pending { seal_by },
    }
}
