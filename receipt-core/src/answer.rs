//! What the ledger answers about one record, as a text that a portal hands on and a browser judges: to be judged with a scanned record, or
//! joined to a bundle, whose status it makes new.
//!
//! Canonical JSON: exactly these keys in this order, no white space outside of texts; what is read is encoded again and compared.
//! ```text
//! {"format":"tallystick/ledger-answer/v1","answer":"taken",
//!  "batch":{…},"anchor":"<proof file>","status":{…}}                           as in a bundle
//! {"format":"tallystick/ledger-answer/v1","answer":"refused",
//!  "batch":{…},"refusal":{"index":7,"path":["<hash>",…],"entry":"<log entry>"},
//!  "checkpoint":"<note>"[,"replaced_by":"<code-number>"]}
//! {"format":"tallystick/ledger-answer/v1","answer":"absent","checkpoint":"<note>"}
//! ```
//! Whoever hands it over is not believed: nothing here is verified but what [`join`] says. Of a scan, `verdict::verify_scan` judges it; of
//! a bundle, `verdict::verify_bundle` judges what [`join`] gives. A record that the ledger does not have when its time is over can be reported
//! ([`report_left_out`]).

use serde::{Deserialize, Serialize};

use crate::bundle::json::{from_json, to_json};
use crate::bundle::parts::{BatchJson, StatusJson, base64, bytes_of, hashes, texts};
use crate::bundle::{BatchPart, BundleError, LeftOut, ReceiptFile, StatusPart};
use crate::ids::{LeafIndex, ReceiptCode, ReceiptKey, ReceiptNumber, UnixMillis};
use crate::limits::ANSWER_BYTES_MAX;
use crate::note::{SignedNote, TlogProof};
use crate::trust::{TrustFile, TrustedCheckpoint};
use crate::verdict::{Conclusion, LedgerAnswer, RecordPlace, Scan, Verdict, verify_scan};

/// The value of `format`.
pub const ANSWER_FORMAT: &str = "tallystick/ledger-answer/v1";

/// What a node answered about a record. Nobody has to believe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The ledger took it: where, and its status.
    Taken {
        /// Where the record stands in its batch.
        batch: BatchPart,
        /// Proof file of the batch header's log entry.
        anchor: String,
        /// What the status map says.
        status: StatusPart,
    },
    /// The ledger refused a batch with it, and took none since.
    Refused {
        /// The checkpoint that covers the refusal, a signed note.
        checkpoint: String,
        /// Where the refusal stands.
        place: RecordPlace,
        /// The receipt that the unit issued in its place, by the word of whoever answers.
        replaced_by: Option<ReceiptKey>,
    },
    /// It has no such record, by the node's word.
    Absent {
        /// The node's newest checkpoint, a signed note.
        checkpoint: String,
    },
}

/// Why an answer does not make a bundle new. Another node may answer better.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The file is no bundle.
    #[error("the file is no bundle: {0}")]
    Bundle(BundleError),
    /// The answer says that the ledger does not have the bundle's record.
    #[error("the bundle proves that the ledger took the receipt, and the answer says that it did not")]
    NotTaken,
    /// A checkpoint in the answer is not under a quorum that the trust file knows, or is none.
    #[error("a checkpoint of the answer cannot be used: {0}")]
    Checkpoint(String),
    /// The answer speaks as of an earlier tree than the bundle does.
    #[error("the answer is older than the bundle: the node is behind")]
    Older,
}

impl JoinError {
    /// Its stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Bundle(_) => "RECEIPT",
            Self::NotTaken => "ANSWER_CONTRADICTS",
            Self::Checkpoint(_) => "ANSWER_UNPROVED",
            Self::Older => "ANSWER_OLDER",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerJson {
    format: String,
    answer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<BatchJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anchor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<StatusJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<RefusalJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusalJson {
    index: u64,
    path: Vec<String>,
    entry: String,
}

impl AnswerJson {
    fn of(answer: &str) -> Self {
        Self {
            format: ANSWER_FORMAT.to_owned(),
            answer: answer.to_owned(),
            batch: None,
            anchor: None,
            status: None,
            refusal: None,
            checkpoint: None,
            replaced_by: None,
        }
    }
}

impl Answer {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_json(&match self {
            Self::Taken { batch, anchor, status } => AnswerJson {
                batch: Some(BatchJson::of(batch)),
                anchor: Some(anchor.clone()),
                status: Some(StatusJson::of(status)),
                ..AnswerJson::of("taken")
            },
            Self::Refused { checkpoint, place, replaced_by } => {
                let RecordPlace { leaf_index, entry, path, signed_header, batch_index, batch_path } = place;
                let batch = BatchPart { index: *batch_index, path: batch_path.clone(), header: signed_header.clone() };
                AnswerJson {
                    batch: Some(BatchJson::of(&batch)),
                    refusal: Some(RefusalJson { index: leaf_index.get(), path: texts(path), entry: base64(entry) }),
                    checkpoint: Some(checkpoint.clone()),
                    replaced_by: replaced_by.map(|key| key.to_string()),
                    ..AnswerJson::of("refused")
                }
            }
            Self::Absent { checkpoint } => {
                AnswerJson { checkpoint: Some(checkpoint.clone()), ..AnswerJson::of("absent") }
            }
        })
    }

    /// Reads a text of at most [`ANSWER_BYTES_MAX`] bytes; only the canonical spelling is taken.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(BundleError::TooLarge { bytes: bytes.len() });
        }
        let json: AnswerJson = from_json(bytes)?;
        if json.format != ANSWER_FORMAT {
            return Err(BundleError::Format);
        }
        let answer = match (json.answer.as_str(), json.batch, json.anchor, json.status, json.refusal, json.checkpoint) {
            ("taken", Some(batch), Some(anchor), Some(status), None, None) => {
                Self::Taken { batch: batch.read()?, anchor, status: status.read()? }
            }
            ("refused", Some(batch), None, None, Some(refusal), Some(checkpoint)) => {
                let batch = batch.read()?;
                let place = RecordPlace {
                    leaf_index: LeafIndex::new(refusal.index),
                    entry: bytes_of("entry", &refusal.entry)?,
                    path: hashes("path", &refusal.path)?,
                    signed_header: batch.header,
                    batch_index: batch.index,
                    batch_path: batch.path,
                };
                Self::Refused { checkpoint, place, replaced_by: json.replaced_by.as_deref().map(key_of).transpose()? }
            }
            ("absent", None, None, None, None, Some(checkpoint)) => Self::Absent { checkpoint },
            _ => return Err(BundleError::Value { name: "answer" }),
        };
        if answer.encode() == bytes { Ok(answer) } else { Err(BundleError::NotCanonical) }
    }

    /// The same for [`crate::verdict::Scan`].
    #[must_use]
    pub fn borrowed(&self) -> LedgerAnswer<'_> {
        match self {
            Self::Taken { batch, anchor, status } => LedgerAnswer::Taken { batch, anchor, status },
            Self::Refused { checkpoint, place, replaced_by } => {
                LedgerAnswer::Refused { checkpoint, place, replaced_by: *replaced_by }
            }
            Self::Absent { checkpoint } => LedgerAnswer::Absent { checkpoint },
        }
    }
}

fn key_of(text: &str) -> Result<ReceiptKey, BundleError> {
    let key = text.split_once('-').and_then(|(code, number)| {
        Some(ReceiptKey { code: ReceiptCode::parse(code).ok()?, number: ReceiptNumber::parse(number).ok()? })
    });
    key.ok_or(BundleError::Value { name: "replaced_by" })
}

/// The bundle or presentation with the proofs of an answer in the place of its own: the same receipt, as of a later checkpoint. Its notes
/// get exactly the lines that a bundle has. Judge it with [`crate::verdict::verify_bundle`]: only if it is proved then, it takes the old one's place.
pub fn join(file: &[u8], answer: &Answer, trust: &TrustFile) -> Result<ReceiptFile, JoinError> {
    let file = ReceiptFile::decode(file).map_err(JoinError::Bundle)?;
    let Answer::Taken { batch, anchor, status } = answer else { return Err(JoinError::NotTaken) };
    let (anchor, _) = with_quorum_lines(anchor, trust)?;
    let (proof, newer) = with_quorum_lines(&status.proof, trust)?;
    // A bundle whose own proofs do not hold has nothing that an answer could be behind.
    let own = with_quorum_lines(&file.evidence().status.proof, trust).ok().map(|(_, own)| own);
    if own.is_some_and(|own| (newer.size, newer.as_of) < (own.size, own.as_of)) {
        return Err(JoinError::Older);
    }
    Ok(file.with_proofs(batch.clone(), anchor, StatusPart { proof, ..status.clone() }))
}

/// The proof file with the lines of its note that the quorum needs, and no other.
fn with_quorum_lines(proof: &str, trust: &TrustFile) -> Result<(String, TrustedCheckpoint), JoinError> {
    let unusable = |problem: &dyn ToString| JoinError::Checkpoint(problem.to_string());
    let proof = TlogProof::parse_without_extra(proof.as_bytes()).map_err(|error| unusable(&error))?;
    let (checkpoint, trusted) = quorum_note(&proof.checkpoint, trust)?;
    Ok((TlogProof { checkpoint, ..proof }.to_string(), trusted))
}

/// The report that the ledger leaves a receipt out, out of a signed record and what a node answered about it; or the verdict that says why there
/// is none: the ledger has it, or refused it, its time is not over, or nothing of it holds. `at` as in [`crate::verdict::verify_bundle`].
///
/// # Errors
/// The verdict, which is another than OVERDUE.
pub fn report_left_out(scan: &Scan<'_>, trust: &TrustFile, at: UnixMillis) -> Result<LeftOut, Box<Verdict>> {
    let verdict = verify_scan(scan, trust, at);
    left_out_by(&verdict, scan.record, scan.ledger, trust).ok_or_else(|| Box::new(verdict))
}

/// The same by the verdict on the record with that answer; `None` if it is another than OVERDUE.
pub fn left_out_by(verdict: &Verdict, record: &[u8], ledger: LedgerAnswer<'_>, trust: &TrustFile) -> Option<LeftOut> {
    let (Conclusion::Overdue { .. }, LedgerAnswer::Absent { checkpoint } | LedgerAnswer::Refused { checkpoint, .. }) =
        (&verdict.conclusion, ledger)
    else {
        return None;
    };
    let (chain, record) = (trust.chain_id(), record.to_vec());
    Some(LeftOut { chain, record, checkpoint: with_needed_lines(checkpoint, trust)? })
}

/// The note without the lines that it needs not, the last of them first, to be accepted as of the same time. Less code than a quorum's choice of
/// lines, in a module that phones fetch.
fn with_needed_lines(note: &str, trust: &TrustFile) -> Option<String> {
    let as_of = trust.verify_checkpoint(note).ok()?.as_of;
    let (text, lines) = note.rsplit_once("\n\n")?;
    let mut lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let written = |lines: &[&str]| [&[text, "\n\n"], lines].concat().concat();
    for position in (0..lines.len()).rev() {
        let line = lines.remove(position);
        if !trust.verify_checkpoint(&written(&lines)).is_ok_and(|found| found.as_of == as_of) {
            lines.insert(position, line);
        }
    }
    Some(written(&lines))
}

fn quorum_note(note: &SignedNote, trust: &TrustFile) -> Result<(SignedNote, TrustedCheckpoint), JoinError> {
    let unusable = |problem: &dyn ToString| JoinError::Checkpoint(problem.to_string());
    let trusted = trust.verify_note(note).map_err(|error| unusable(&error))?;
    let (_, set) = trust.set_for(trusted.size).ok_or_else(|| unusable(&"no validator set"))?;
    let assembled = set.policy.assemble(note).notes.map_err(|error| unusable(&error))?;
    Ok((assembled.smallest, trusted))
}

#[cfg(test)]
mod tests;
