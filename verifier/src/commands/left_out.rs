//! `report-left-out`: a bundle or code and what the ledger says of it in; a report out, or the verdict that says why there is none.

use anyhow::Context as _;
use receipt_core::answer::{Answer, left_out_by};
use receipt_core::bundle::ReceiptFile;
use receipt_core::code::read_digits;
use receipt_core::ids::UnixMillis;
use receipt_core::limits::BUNDLE_BYTES_MAX;
use receipt_core::record::{SignedRecord, status_key};
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{
    Finding, FindingResult, LayerResult, Scan, Verdict, verify_bundle, verify_left_out, verify_scan,
};
use tallystick_service::durable;
use tallystick_service::exit::Exit;
use tallystick_service::terminal::path as shown;
use tallystick_verifier::node::receipt_state;

use super::verify::exit_of;
use super::{Failure, OrExit, Terms, node_address, print_text, read_answer, read_code, read_directory, read_file};
use crate::cli::{LeftOutArguments, ReceiptArguments};

/// What is to be reported: a signed record; or the verdict of a bundle that proves that it is not left out, or may prove it to others.
enum Subject {
    Record(Vec<u8>),
    Judged(Box<Verdict>),
}

pub(super) fn run(arguments: &LeftOutArguments) -> Result<Exit, Failure> {
    let terms = Terms::read(&arguments.terms)?;
    let (trust, at) = (&terms.trust, terms.at);
    let directory = read_directory(&arguments.directory, trust)?;
    let language = arguments.wording.language();
    let refuse = |verdict: Verdict| -> Result<Exit, Failure> {
        let result = verdict.finding().result();
        print_text(&verdict.to_text(language))?;
        Ok(exit_unreported(result))
    };
    let record = match subject(&arguments.receipt, trust, at)? {
        Subject::Record(record) => record,
        Subject::Judged(verdict) => return refuse(terms.meant(*verdict)),
    };
    let answer = answer_about(&record, arguments, trust)?;
    let scan = Scan { record: &record, directory: &directory, ledger: answer.borrowed() };
    let verdict = terms.meant(verify_scan(&scan, trust, at));
    let Some(report) = left_out_by(&verdict, &record, answer.borrowed(), trust) else { return refuse(verdict) };
    let report = report.encode();
    let verdict = terms.meant(verify_left_out(&report, &directory, trust, at));
    if verdict.finding() != Finding::LeftOut {
        return refuse(verdict);
    }
    durable::create(&arguments.out, &report, durable::FileMode::Private).or_exit(Exit::NoAccess)?;
    print_text(&format!("{}: {}\n", shown(&arguments.out), verdict.to_line(language)))?;
    Ok(Exit::Good)
}

fn subject(receipt: &ReceiptArguments, trust: &TrustFile, at: UnixMillis) -> Result<Subject, Failure> {
    let Some(path) = &receipt.file else {
        let text = read_code(receipt.code.as_deref().unwrap_or_default())?;
        // Where its address leads does not matter: the unit's signature is what is judged.
        let digits = text.rsplit('#').next().unwrap_or_default();
        let record = read_digits(digits).context("the code is no receipt's").or_exit(Exit::NoReceipt)?;
        return Ok(Subject::Record(record));
    };
    let bytes = read_file(path, BUNDLE_BYTES_MAX)?;
    let verdict = verify_bundle(&bytes, trust, at);
    if speaks_for_itself(&verdict) {
        return Ok(Subject::Judged(Box::new(verdict)));
    }
    let file = ReceiptFile::decode(&bytes);
    let file = file.with_context(|| format!("reading {}", shown(path))).or_exit(Exit::NoReceipt)?;
    Ok(Subject::Record(file.evidence().record.to_vec()))
}

/// Proofs that hold are worth more than a node's word; and so may those be that cannot be judged here, or that this clock takes for the
/// future's.
fn speaks_for_itself(verdict: &Verdict) -> bool {
    let finding = verdict.finding();
    verdict.layers.anchored == LayerResult::Passed
        || finding.result() == FindingResult::Unjudged
        || finding == Finding::FromTheFuture
}

fn answer_about(record: &[u8], arguments: &LeftOutArguments, trust: &TrustFile) -> Result<Answer, Failure> {
    if let Some(path) = &arguments.ledger.answer {
        return read_answer(path);
    }
    let url = arguments.ledger.node.as_deref().unwrap_or_default();
    let address = node_address(url, &arguments.tls, trust.chain_name())?;
    let unread = |reason| anyhow::anyhow!("the signed record does not read ({reason})");
    let signed = SignedRecord::decode(record).map_err(unread).or_exit(Exit::NoReceipt)?;
    receipt_state(&address, signed.record.key, status_key(trust.suite(), record)).or_exit(Exit::NoAccess)
}

/// Nothing was written, so it is never 0.
const fn exit_unreported(result: FindingResult) -> Exit {
    match result {
        FindingResult::InForce | FindingResult::TooOld => Exit::Reserved,
        other => exit_of(other),
    }
}
