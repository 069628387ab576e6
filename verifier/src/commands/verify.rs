//! `verify`: bundles and reports of receipts left out in, verdicts out. A file that cannot be read does not keep the others from being judged.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use receipt_core::bundle::{FileKind, FileSort, kind_of};
use receipt_core::directory::TrustedDirectory;
use receipt_core::hash::tagged;
use receipt_core::limits::BUNDLE_BYTES_MAX;
use receipt_core::verdict::{
    FindingResult, Language, Parameters, Phrase, UnreadableReport, Value, Verdict, VerdictReport, say, unreadable,
    verify_bundle, verify_left_out,
};
use serde::Serialize;
use tallystick_service::exit::Exit;
use tallystick_service::input;
use tallystick_service::terminal::path as shown;

use super::{Failure, Terms, print_json_of, print_text, read_directory};
use crate::cli::VerifyArguments;

/// Format of a line of JSON: `docs/spec/schemas`.
const LINE_FORMAT_VERSION: u32 = 2;

/// One file's answer for machines.
#[derive(Serialize)]
struct FileReport<'a, V> {
    file: String,
    /// The first file with the same receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_before_as: Option<&'a str>,
    /// docs/spec/verdict.md.
    verdict: &'a V,
}

/// What was found in all files.
#[derive(Default)]
struct Tally {
    results: Vec<FindingResult>,
    reds: usize,
    parts: usize,
    again: usize,
    /// By receipt (code and number), or by content if it is none: the first file that had it.
    seen: HashMap<Vec<u8>, String>,
}

pub(super) fn run(arguments: &VerifyArguments) -> Result<Exit, Failure> {
    let terms = Terms::read(&arguments.terms)?;
    let directory = arguments.directory.as_deref().map(|path| read_directory(path, &terms.trust)).transpose()?;
    let mut tally = Tally::default();
    for path in &arguments.files {
        let result = match judge(path, &terms, directory.as_ref()) {
            Ok((bytes, verdict)) => tell(path, &bytes, &verdict, arguments, &mut tally)?,
            Err(error) => tell_unread(path, &unreadable(&error.to_string(), &terms.trust), arguments)?,
        };
        tally.results.push(result);
    }
    if !arguments.json && tally.results.len() > 1 {
        print_text(&summary(&tally, arguments.wording.language()))?;
    }
    let exits = tally.results.into_iter().map(exit_of);
    Ok(exits.max_by_key(|exit| exit.severity()).unwrap_or(Exit::Good))
}

fn judge(path: &Path, terms: &Terms, directory: Option<&TrustedDirectory>) -> io::Result<(Vec<u8>, Verdict)> {
    // One byte above the limit is enough to see that a file is too long.
    let bytes = input::head(path, BUNDLE_BYTES_MAX + 1)?;
    let judged = match (kind_of(&bytes), directory) {
        (FileKind::Other(FileSort::LeftOut), Some(directory)) => {
            verify_left_out(&bytes, directory, &terms.trust, terms.at)
        }
        _ => verify_bundle(&bytes, &terms.trust, terms.at),
    };
    let verdict = terms.meant(judged);
    Ok((bytes, verdict))
}

fn tell(
    path: &Path,
    bytes: &[u8],
    verdict: &Verdict,
    arguments: &VerifyArguments,
    tally: &mut Tally,
) -> Result<FindingResult, Failure> {
    // Of a receipt there may be the whole and several parts.
    let identity = match &verdict.signed {
        Some(signed) if verdict.is_proved() => signed.key.to_string().into_bytes(),
        _ => tagged("tallystick/verify/file", &[bytes]).as_bytes().to_vec(),
    };
    let before = tally.seen.get(&identity).cloned();
    let language = arguments.wording.language();
    if arguments.json {
        let report: VerdictReport = verdict.to_report();
        tell_json(path, before.as_deref(), &report)?;
    } else {
        let again = before.as_ref().map(|first| {
            let first = Parameters::of([("first", Value::Text(first.clone()))]);
            format!("  {}", say(Phrase::GivenBefore.sentence(), &first, language))
        });
        let again = again.unwrap_or_default();
        if arguments.full || arguments.files.len() == 1 {
            let name = if arguments.files.len() > 1 {
                let file = Parameters::of([("file", Value::Text(shown(path)))]);
                format!("{}{again}\n", say(Phrase::File.sentence(), &file, language))
            } else {
                String::new()
            };
            print_text(&format!("{name}{}\n", verdict.to_text(language)))?;
        } else {
            print_text(&format!("{}{again}  {}\n", verdict.to_line(language), shown(path)))?;
        }
    }
    match before {
        Some(_) => tally.again += 1,
        None => {
            tally.seen.insert(identity, shown(path));
        }
    }
    tally.parts += usize::from(verdict.is_in_force() && verdict.presented.is_some());
    tally.reds += usize::from(verdict.is_in_force() && verdict.reverses().is_some());
    Ok(verdict.finding().result())
}

fn tell_unread(path: &Path, unread: &UnreadableReport, arguments: &VerifyArguments) -> Result<FindingResult, Failure> {
    if arguments.json {
        tell_json(path, None, unread)?;
    } else {
        print_text(&format!("{}  {}\n", unread.to_line(arguments.wording.language()), shown(path)))?;
    }
    Ok(FindingResult::Unreadable)
}

fn tell_json(path: &Path, given_before_as: Option<&str>, verdict: &impl Serialize) -> Result<(), Failure> {
    print_json_of(LINE_FORMAT_VERSION, &FileReport { file: path.display().to_string(), given_before_as, verdict })
}

fn summary(tally: &Tally, language: Language) -> String {
    let counted = |count: usize| Parameters::of([("count", Value::Number(u64::try_from(count).unwrap_or(u64::MAX)))]);
    let count_of = |result| tally.results.iter().filter(|found| **found == result).count();
    let mut parts = Vec::new();
    for (result, always) in [
        (FindingResult::InForce, true),
        (FindingResult::TooOld, false),
        (FindingResult::Reversed, true),
        (FindingResult::Signed, false),
        (FindingResult::Refused, false),
        (FindingResult::Invalid, true),
        (FindingResult::Unjudged, false),
        (FindingResult::NoReceipt, false),
        (FindingResult::Unreadable, false),
    ] {
        let count = count_of(result);
        if !always && count == 0 {
            continue;
        }
        let mut part = say(result.counted(), &counted(count), language);
        if result == FindingResult::InForce {
            for (phrase, count) in [(Phrase::RedOnes, tally.reds), (Phrase::PartOnes, tally.parts)] {
                if count > 0 {
                    part += &say(phrase.sentence(), &counted(count), language);
                }
            }
        }
        parts.push(part);
    }
    let (colon, comma) = match language {
        Language::Zh => ("：", "，"),
        Language::En => (": ", ", "),
    };
    let files = say(Phrase::Files.sentence(), &counted(tally.results.len()), language);
    let again = (tally.again > 0).then(|| say(Phrase::Again.sentence(), &counted(tally.again), language));
    format!("{files}{colon}{}{}\n", parts.join(comma), again.unwrap_or_default())
}

/// Only receipts are good, and only a reversal is known for good: what is open is to be judged again, with other means.
pub(super) const fn exit_of(result: FindingResult) -> Exit {
    match result {
        FindingResult::InForce => Exit::Good,
        FindingResult::Reversed => Exit::Reserved,
        FindingResult::TooOld | FindingResult::Signed | FindingResult::Unjudged => Exit::Unjudged,
        FindingResult::NoReceipt => Exit::NoReceipt,
        FindingResult::Refused | FindingResult::Invalid => Exit::Bad,
        FindingResult::Unreadable => Exit::NoAccess,
    }
}
