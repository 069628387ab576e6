//! `verify`: bundles in, verdicts out. A file that cannot be read does not keep the others from being judged.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use receipt_core::hash::tagged;
use receipt_core::ids::UnixMillis;
use receipt_core::limits::BUNDLE_BYTES_MAX;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{Conclusion, Heading, Verdict, VerdictReport, verify_bundle};
use serde::Serialize;
use tallystick_service::clock::{Clock, SystemClock};
use tallystick_service::exit::Exit;
use tallystick_service::input;
use tallystick_service::terminal::path as shown;
use tallystick_verifier::when::{span_of, time_of};

use super::{Failure, OrExit, print_json, print_text, read_trust};
use crate::cli::VerifyArguments;

/// One file's answer for machines.
#[derive(Serialize)]
struct FileReport<'a> {
    file: String,
    /// The first file with the same receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_before_as: Option<&'a str>,
    #[serde(flatten)]
    verdict: &'a VerdictReport,
}

/// The report of a file that gave no bytes to judge.
#[derive(Serialize)]
struct UnreadReport {
    file: String,
    conclusion: UnreadConclusion,
}

#[derive(Serialize)]
struct UnreadConclusion {
    result: &'static str,
    detail: String,
}

/// Trust file, time and greatest age by which bundles are judged.
struct Terms {
    trust: TrustFile,
    at: UnixMillis,
    age_seconds_max: Option<u64>,
}

/// What was found in all files.
#[derive(Default)]
struct Tally {
    exits: Vec<Exit>,
    reds: usize,
    again: usize,
    /// By receipt (code and number), or by content if it is none: the first file that had it.
    seen: HashMap<Vec<u8>, String>,
}

pub(super) fn run(arguments: &VerifyArguments) -> Result<Exit, Failure> {
    let trust = read_trust(&arguments.trust)?;
    let at = match &arguments.at {
        Some(text) => time_of(text, trust.utc_offset_minutes()).or_exit(Exit::Usage)?,
        None => SystemClock.now(),
    };
    let age_seconds_max = match &arguments.max_age {
        Some(text) => Some(span_of(text).or_exit(Exit::Usage)?.as_secs()),
        None => None,
    };
    let terms = Terms { trust, at, age_seconds_max };
    let mut tally = Tally::default();
    for path in &arguments.files {
        let exit = match judge(path, &terms) {
            Ok((bytes, verdict)) => tell(path, &bytes, &verdict, arguments, &mut tally)?,
            Err(error) => tell_unread(path, &error, arguments)?,
        };
        tally.exits.push(exit);
    }
    if !arguments.json && tally.exits.len() > 1 {
        print_text(&summary(&tally))?;
    }
    Ok(tally.exits.into_iter().max_by_key(|exit| exit.severity()).unwrap_or(Exit::Good))
}

fn judge(path: &Path, terms: &Terms) -> io::Result<(Vec<u8>, Verdict)> {
    // One byte above the limit is enough to see that a file is too long.
    let bytes = input::head(path, BUNDLE_BYTES_MAX + 1)?;
    let verdict = verify_bundle(&bytes, &terms.trust, terms.at);
    let verdict = match terms.age_seconds_max {
        Some(age) => verdict.not_older_than(age),
        None => verdict,
    };
    Ok((bytes, verdict))
}

fn tell(
    path: &Path,
    bytes: &[u8],
    verdict: &Verdict,
    arguments: &VerifyArguments,
    tally: &mut Tally,
) -> Result<Exit, Failure> {
    let identity = match &verdict.receipt {
        Some(receipt) if verdict.is_proved() => receipt.key().to_string().into_bytes(),
        _ => tagged("tallystick/verify/file", &[bytes]).as_bytes().to_vec(),
    };
    let before = tally.seen.get(&identity).cloned();
    if arguments.json {
        let report = verdict.to_report();
        let file = path.display().to_string();
        print_json(&FileReport { file, given_before_as: before.as_deref(), verdict: &report })?;
    } else {
        let again = before.as_ref().map(|first| format!("  重复 GIVEN BEFORE as {first}")).unwrap_or_default();
        if arguments.full || arguments.files.len() == 1 {
            let name =
                if arguments.files.len() > 1 { format!("文件 FILE {}{again}\n", shown(path)) } else { String::new() };
            print_text(&format!("{name}{}\n", verdict.to_text()))?;
        } else {
            print_text(&format!("{}{again}  {}\n", verdict.to_line(), shown(path)))?;
        }
    }
    match before {
        Some(_) => tally.again += 1,
        None => {
            tally.seen.insert(identity, shown(path));
        }
    }
    tally.reds += usize::from(verdict.is_in_force() && verdict.reverses().is_some());
    Ok(exit_of(verdict))
}

fn tell_unread(path: &Path, error: &io::Error, arguments: &VerifyArguments) -> Result<Exit, Failure> {
    let heading = Heading::Unreadable;
    if arguments.json {
        let conclusion = UnreadConclusion { result: heading.code(), detail: error.to_string() };
        print_json(&UnreadReport { file: path.display().to_string(), conclusion })?;
    } else {
        print_text(&format!("{}  {error}  {}\n", heading.sentence(), shown(path)))?;
    }
    Ok(Exit::NoAccess)
}

fn summary(tally: &Tally) -> String {
    let count = |exit| tally.exits.iter().filter(|found| **found == exit).count();
    let red = if tally.reds > 0 { format!(" ({} of them red)", tally.reds) } else { String::new() };
    let mut text = format!("{} files: {} in force{red}", tally.exits.len(), count(Exit::Good));
    for (exit, words, always) in [
        (Exit::Reserved, "reversed", true),
        (Exit::Bad, "invalid", true),
        (Exit::Unjudged, "cannot be judged here", false),
        (Exit::NoReceipt, "no receipt", false),
        (Exit::NoAccess, "not read", false),
    ] {
        let count = count(exit);
        if always || count > 0 {
            text += &format!(", {count} {words}");
        }
    }
    if tally.again > 0 {
        text += &format!("; {} given more than once", tally.again);
    }
    text + "\n"
}

fn exit_of(verdict: &Verdict) -> Exit {
    match verdict.conclusion {
        Conclusion::InForce { .. } => Exit::Good,
        Conclusion::Reversed { .. } => Exit::Reserved,
        Conclusion::Unjudged(_) => Exit::Unjudged,
        Conclusion::NoReceipt { .. } => Exit::NoReceipt,
        Conclusion::Invalid(_) => Exit::Bad,
    }
}
