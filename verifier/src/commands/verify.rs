//! `verify`: bundles in, verdicts out.

use std::path::Path;

use anyhow::Context;
use receipt_core::ids::UnixMillis;
use receipt_core::limits::BUNDLE_BYTES_MAX;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{Conclusion, Verdict, VerdictReport, verify_bundle};
use serde::Serialize;
use tallystick_service::clock::{Clock, SystemClock};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Exit, Failure, OrExit, print_json, print_text, read_trust};
use crate::cli::VerifyArguments;

#[derive(Serialize)]
struct FileReport<'a> {
    file: String,
    #[serde(flatten)]
    verdict: &'a VerdictReport,
}

pub(super) fn run(arguments: &VerifyArguments) -> Result<Exit, Failure> {
    let trust = read_trust(&arguments.trust)?;
    let at = match &arguments.at {
        Some(text) => parse_time(text).or_exit(Exit::Usage)?,
        None => SystemClock.now(),
    };
    let full = arguments.full || arguments.files.len() == 1;
    let mut exits = Vec::with_capacity(arguments.files.len());
    let mut reds = 0;
    for path in &arguments.files {
        let verdict = judge(path, &trust, at)?;
        if arguments.json {
            print_json(&FileReport { file: path.display().to_string(), verdict: &verdict.to_report() })?;
        } else if full {
            print_text(&format!("{}\n", verdict.to_text()))?;
        } else {
            print_text(&format!("{}  {}\n", line_of(&verdict), path.display()))?;
        }
        reds += usize::from(verdict.is_in_force() && verdict.reverses().is_some());
        exits.push(exit_of(&verdict));
    }
    if !arguments.json && exits.len() > 1 {
        let count = |exit| exits.iter().filter(|found| **found == exit).count();
        let (good, reserved, bad) = (count(Exit::Good), count(Exit::Reserved), count(Exit::Bad));
        let total = exits.len();
        let red = if reds > 0 { format!(" ({reds} of them red)") } else { String::new() };
        print_text(&format!("{total} bundles: {good} in force{red}, {reserved} not in force, {bad} invalid\n"))?;
    }
    Ok(exits.into_iter().max().unwrap_or(Exit::Good))
}

fn judge(path: &Path, trust: &TrustFile, at: UnixMillis) -> Result<Verdict, Failure> {
    let context = || format!("reading {}", path.display());
    let length = std::fs::metadata(path).with_context(context).or_exit(Exit::NoInput)?.len();
    // A file above the limit is refused unread; the verdict says so of any bytes beyond it.
    let bytes = if length > BUNDLE_BYTES_MAX as u64 {
        vec![b' '; BUNDLE_BYTES_MAX + 1]
    } else {
        std::fs::read(path).with_context(context).or_exit(Exit::NoInput)?
    };
    Ok(verify_bundle(&bytes, trust, at))
}

fn exit_of(verdict: &Verdict) -> Exit {
    match verdict.conclusion {
        Conclusion::InForce { .. } => Exit::Good,
        Conclusion::Reversed { .. } => Exit::Reserved,
        Conclusion::Invalid(_) => Exit::Bad,
    }
}

fn line_of(verdict: &Verdict) -> String {
    match &verdict.conclusion {
        Conclusion::InForce { .. } => match verdict.reverses() {
            Some(original) => format!("有效 IN FORCE  红字 RED, reverses {original}"),
            None => "有效 IN FORCE".to_owned(),
        },
        Conclusion::Reversed { by, .. } => format!("已冲红 REVERSED by {by}"),
        Conclusion::Invalid(failure) => format!("无效 INVALID {} ({})", failure.code(), failure.layer().as_str()),
    }
}

/// RFC 3339, or milliseconds since the Unix epoch.
fn parse_time(text: &str) -> anyhow::Result<UnixMillis> {
    if let Ok(millis) = text.parse::<u64>() {
        return Ok(UnixMillis::new(millis));
    }
    let time = OffsetDateTime::parse(text, &Rfc3339).with_context(|| format!("--at: `{text}` is no RFC 3339 time"))?;
    let millis = time.unix_timestamp_nanos() / 1_000_000;
    let millis = u64::try_from(millis).with_context(|| format!("--at: `{text}` is before 1970"))?;
    Ok(UnixMillis::new(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_or_milliseconds() {
        let parsed = |text: &str| parse_time(text).ok().map(UnixMillis::get);
        assert_eq!(parsed("1793577600000"), Some(1_793_577_600_000));
        assert_eq!(parsed("2026-11-02T08:00:00+08:00"), Some(1_793_577_600_000));
        assert_eq!(parsed("2026-11-02T00:00:00.250Z"), Some(1_793_577_600_250));
        for bad in ["", "now", "2026-11-02", "-5", "1960-01-01T00:00:00Z"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }
}
