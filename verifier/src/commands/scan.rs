//! `scan`: the text of a code in, a verdict out, by the directory of units and perhaps a ledger's answer, and without a network.

use anyhow::Context as _;
use receipt_core::answer::Answer;
use receipt_core::code::Host;
use receipt_core::verdict::{CodeScan, LedgerAnswer, VerdictReport, verify_code};
use serde::Serialize;
use tallystick_service::exit::Exit;

use super::verify::exit_of;
use super::{Failure, OrExit, Terms, print_json_of, print_text, read_answer, read_code, read_directory};
use crate::cli::ScanArguments;

/// Format of the JSON: `docs/spec/schemas`.
const SCAN_FORMAT_VERSION: u32 = 1;

/// What machines read.
#[derive(Serialize)]
struct ScanReport<'a> {
    /// docs/spec/verdict.md.
    verdict: &'a VerdictReport,
}

pub(super) fn run(arguments: &ScanArguments) -> Result<Exit, Failure> {
    let terms = Terms::read(&arguments.terms)?;
    let hosts = arguments.host.iter().map(|host| Host::new(host).with_context(|| format!("`--host {host}`")));
    let hosts: Vec<Host> = hosts.collect::<Result<_, _>>().or_exit(Exit::Usage)?;
    let directory = read_directory(&arguments.directory, &terms.trust)?;
    let text = read_code(&arguments.text)?;
    let answer = arguments.answer.as_deref().map(read_answer).transpose()?;
    let ledger = answer.as_ref().map_or(LedgerAnswer::NotAsked, Answer::borrowed);
    let scan = CodeScan { text: &text, hosts: &hosts, directory: &directory, ledger };
    let verdict = terms.meant(verify_code(&scan, &terms.trust, terms.at));
    if arguments.json {
        print_json_of(SCAN_FORMAT_VERSION, &ScanReport { verdict: &verdict.to_report() })?;
    } else {
        print_text(&verdict.to_text(arguments.wording.language()))?;
    }
    Ok(exit_of(verdict.finding().result()))
}
