//! The verdict for people, in Chinese and English: a line, or a whole page.
//!
//! Whatever is not ours (content, names, what a check found) goes through [`line`], so that no remark can repaint the page or start
//! a line of its own.

use std::fmt::Write as _;

use super::face::{Face, time_text, utc_text};
use super::{CheckOutcome, Conclusion, LayerResult, Verdict};
use crate::ids::UnixMillis;
use crate::note::PosixSeconds;
use crate::shown::line;

/// What it comes to, in one line: as of when, or why.
pub(super) fn headline(verdict: &Verdict) -> String {
    let heading = verdict.conclusion.heading().sentence();
    let as_of = |time: PosixSeconds| {
        let time = time_text(UnixMillis::new(time.get().saturating_mul(1000)), verdict.utc_offset_minutes);
        format!("截至 as of {time}")
    };
    match &verdict.conclusion {
        Conclusion::InForce { as_of: time } => {
            let red = verdict.reverses().map(|original| format!("  红字 RED, reverses {original}"));
            format!("{heading}  {}{}", as_of(*time), red.unwrap_or_default())
        }
        Conclusion::Reversed { by, as_of: time } => format!("{heading} by {by}  {}", as_of(*time)),
        Conclusion::Unjudged(unjudged) => {
            let doubt = unjudged.doubt;
            format!("{heading}  {}: {} ({})", doubt.code(), doubt.sentence(), line(&unjudged.detail))
        }
        Conclusion::NoReceipt { detail } => format!("{heading}  {}: {}", verdict.code(), line(detail)),
        Conclusion::Invalid(failure) => {
            format!("{heading}  {}: {} ({})", failure.code(), failure.sentence(), line(&failure.detail))
        }
    }
}

/// A span of time as a person says it.
pub(super) fn age(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h {minutes} min", seconds / 3600),
        _ => format!("{days} d {hours} h"),
    }
}

/// A whole page of plain text, ending in a newline.
pub(super) fn render(verdict: &Verdict) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(verdict, &mut page);
    page
}

fn write_page(verdict: &Verdict, page: &mut String) -> std::fmt::Result {
    write_conclusion(verdict, page)?;
    if let Some(receipt) = &verdict.receipt {
        let face = Face::of(receipt, verdict.utc_offset_minutes);
        writeln!(page)?;
        write_face(&face, page)?;
    }
    writeln!(page, "\n检查 Checks ({} / {})", chain_of(verdict), utc_text(verdict.at))?;
    for check in &verdict.checks {
        let (mark, sentence) = match check.outcome {
            CheckOutcome::Passed => ("ok  ", check.id.claim()),
            CheckOutcome::Warned => ("warn", check.id.failure()),
            CheckOutcome::Failed => ("FAIL", check.id.failure()),
            CheckOutcome::Unknown => ("?   ", verdict.open_sentence().unwrap_or(check.id.claim())),
        };
        writeln!(page, "  {mark} {:<22} {sentence}", check.id.code())?;
        for detail in &check.details {
            writeln!(page, "       {}", line(detail))?;
        }
    }
    writeln!(page, "\n未检查 Not checked")?;
    for item in verdict.not_checked() {
        writeln!(page, "  -    {:<22} {}", item.code(), item.sentence())?;
    }
    Ok(())
}

fn chain_of(verdict: &Verdict) -> String {
    let id = verdict.chain.0.to_string();
    format!("{} {}…", line(&verdict.chain_name), id.get(..12).unwrap_or(&id))
}

fn write_conclusion(verdict: &Verdict, page: &mut String) -> std::fmt::Result {
    writeln!(page, "{}", headline(verdict))?;
    if let Some(original) = verdict.reverses() {
        writeln!(page, "  红字 RED: it reverses {original} and attests no payment received")?;
    }
    let mark = |result| match result {
        LayerResult::Passed => "是 yes",
        LayerResult::Failed => "否 NO",
        LayerResult::Unknown => "未判断 not judged",
    };
    let layers = verdict.layers;
    writeln!(page, "  真实 genuine: {}", mark(layers.genuine))?;
    writeln!(page, "  已上链 anchored: {}", mark(layers.anchored))?;
    write!(page, "  有效 in force: {}", mark(layers.in_force))?;
    match verdict.as_of_age_seconds() {
        Some(seconds) => {
            writeln!(page, " (stated {} before the given time by {})", age(seconds), line(&verdict.signers.join(", ")))
        }
        None => writeln!(page),
    }
}

fn write_face(face: &Face, page: &mut String) -> std::fmt::Result {
    let red = if face.red { "  【红字 red】" } else { "" };
    writeln!(page, "{}{red}", line(&face.title))?;
    for field in &face.lines {
        writeln!(page, "  {} {}: {}", line(&field.chinese), line(&field.english), line(&field.value))?;
    }
    writeln!(page, "  项目明细 Items")?;
    for item in &face.items {
        writeln!(page, "    {}", line(item))?;
    }
    if face.aux_count > 0 {
        writeln!(page, "  清单 Details ({} of {})", face.aux_items.len(), face.aux_count)?;
        for item in &face.aux_items {
            writeln!(page, "    {}", line(item))?;
        }
    }
    Ok(())
}
