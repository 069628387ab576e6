//! The verdict for people, in Chinese and English.

use std::fmt::Write as _;

use super::face::{Face, time_text, utc_text};
use super::{CheckOutcome, Conclusion, LayerResult, Verdict};
use crate::ids::UnixMillis;

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
        };
        writeln!(page, "  {mark} {:<22} {sentence}", check.id.code())?;
        for detail in &check.details {
            writeln!(page, "       {detail}")?;
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
    format!("{} {}…", verdict.chain_name, id.get(..12).unwrap_or(&id))
}

fn write_conclusion(verdict: &Verdict, page: &mut String) -> std::fmt::Result {
    let offset = verdict.utc_offset_minutes;
    let time = |seconds: u64| time_text(UnixMillis::new(seconds.saturating_mul(1000)), offset);
    match &verdict.conclusion {
        Conclusion::InForce { as_of } => {
            writeln!(page, "有效 IN FORCE  as of {}", time(as_of.get()))?;
        }
        Conclusion::Reversed { by, as_of } => {
            writeln!(page, "已冲红 REVERSED by {by}  as of {}", time(as_of.get()))?;
        }
        Conclusion::Invalid(failure) => {
            writeln!(page, "无效 INVALID  {}: {}", failure.code(), failure.sentence())?;
            writeln!(page, "  {}", failure.detail)?;
        }
    }
    if let Some(original) = verdict.reverses() {
        writeln!(page, "  红字 RED: it reverses {original} and attests no payment received")?;
    }
    let mark = |result| match result {
        LayerResult::Passed => "是 yes",
        LayerResult::Failed => "否 NO",
        LayerResult::NotReached => "未知 unknown",
    };
    let layers = verdict.layers;
    writeln!(page, "  真实 genuine: {}", mark(layers.genuine))?;
    writeln!(page, "  已上链 anchored: {}", mark(layers.anchored))?;
    write!(page, "  有效 in force: {}", mark(layers.in_force))?;
    match verdict.as_of_age_seconds() {
        Some(age) => writeln!(page, " (stated {age} s before the given time by {})", verdict.signers.join(", ")),
        None => writeln!(page),
    }
}

fn write_face(face: &Face, page: &mut String) -> std::fmt::Result {
    let red = if face.red { "  【红字 red】" } else { "" };
    writeln!(page, "{}{red}", face.title)?;
    for line in &face.lines {
        writeln!(page, "  {} {}: {}", line.chinese, line.english, line.value)?;
    }
    writeln!(page, "  项目明细 Items")?;
    for item in &face.items {
        writeln!(page, "    {item}")?;
    }
    if face.aux_count > 0 {
        writeln!(page, "  清单 Details ({} of {})", face.aux_items.len(), face.aux_count)?;
        for item in &face.aux_items {
            writeln!(page, "    {item}")?;
        }
    }
    Ok(())
}
