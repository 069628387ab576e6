//! `scan`: the text of a code in, a verdict out, by the directory of units and perhaps a ledger's answer, and without a network.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use receipt_core::answer::Answer;
use receipt_core::code::Host;
use receipt_core::directory::open_directory_file;
use receipt_core::limits::{ANSWER_BYTES_MAX, CODE_BYTES_MAX, DIRECTORY_BYTES_MAX};
use receipt_core::verdict::{CodeScan, LedgerAnswer, VerdictReport, verify_code};
use serde::Serialize;
use tallystick_service::exit::Exit;
use tallystick_service::terminal::path as shown;

use super::verify::exit_of;
use super::{Failure, OrExit, Terms, print_json_of, print_text, read_file};
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
    let path = &arguments.directory;
    let directory = open_directory_file(&read_file(path, DIRECTORY_BYTES_MAX)?, &terms.trust);
    let directory = directory.with_context(|| format!("reading {}", shown(path))).or_exit(Exit::Usage)?;
    let text = match arguments.text.as_str() {
        "-" => standard_input()?,
        text => text.to_owned(),
    };
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

fn read_answer(path: &Path) -> Result<Answer, Failure> {
    let answer = Answer::decode(&read_file(path, ANSWER_BYTES_MAX)?);
    answer.with_context(|| format!("reading {}", shown(path))).or_exit(Exit::Usage)
}

/// What a scanner that types has typed: one line. Bytes that are no text are no code.
fn standard_input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // A code, a line end of two characters, and one byte more to see that it is longer.
    let bytes_max = CODE_BYTES_MAX as u64 + 3;
    let read = std::io::stdin().lock().take(bytes_max).read_to_end(&mut bytes);
    read.context("reading standard input").or_exit(Exit::NoAccess)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line)).to_owned())
}
