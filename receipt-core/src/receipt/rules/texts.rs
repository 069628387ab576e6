//! V27: every text is NFC, without control or invisible characters, encodable in GB18030, inside its length, and there
//! if it must be.
//!
//! GB18030 covers all of Unicode with four-byte characters, so that rare names pass; the one code point that its
//! encoder (WHATWG Encoding) refuses is a private one.

use unicode_normalization::is_nfc;

use super::{CODE_CHARS_MAX, Findings, NAME_CHARS_MAX, OTHER_VALUE_CHARS_MAX, RuleId};
use crate::limits::{BIZ_CODE_CHARS_MAX, REMARK_CHARS_MAX};
use crate::receipt::ext::Ext;
use crate::receipt::model::{ReceiptDraft, Related, Reversal};

/// The one code point without a GB18030 encoding.
const NOT_IN_GB18030: char = '\u{e5e5}';

/// What is demanded of a text.
#[derive(Clone, Copy)]
pub(super) struct TextRule {
    required: bool,
    chars_max: usize,
}

const fn required(chars_max: usize) -> TextRule {
    TextRule { required: true, chars_max }
}

const fn optional(chars_max: usize) -> TextRule {
    TextRule { required: false, chars_max }
}

pub(super) const REQUIRED_NAME: TextRule = required(NAME_CHARS_MAX);

pub(super) fn check(draft: &ReceiptDraft, findings: &mut Findings) {
    let (code, name, remark) = (CODE_CHARS_MAX, NAME_CHARS_MAX, REMARK_CHARS_MAX);
    for (field, text, rule) in [
        ("receipt_name", &draft.receipt_name, required(name)),
        ("biz_code", &draft.biz_code, required(BIZ_CODE_CHARS_MAX)),
        ("place_code", &draft.place_code, required(code)),
        ("payer_code", &draft.payer_code, optional(code)),
        ("payer_name", &draft.payer_name, required(name)),
        ("rec_name", &draft.rec_name, optional(name)),
        ("rec_account", &draft.rec_account, optional(code)),
        ("rec_bank", &draft.rec_bank, optional(name)),
        ("handling_person", &draft.handling_person, required(name)),
        ("checker", &draft.checker, required(name)),
        ("remark", &draft.remark, optional(remark)),
        ("supervisor_remark", &draft.supervisor_remark, optional(remark)),
    ] {
        check_text(field, text, rule, findings);
    }
    check_rows(draft, findings);
    check_lists(draft, findings);
    let mut values = Vec::new();
    draft.ext.write(&mut values);
    for (field, value) in Ext::names(draft.receipt_code.category()).iter().zip(&values) {
        if draft.ext.fits(draft.receipt_code.category()) {
            check_text(&format!("ext.{field}"), value, optional(name), findings);
        }
    }
}

fn check_rows(draft: &ReceiptDraft, findings: &mut Findings) {
    let (code, name, remark) = (CODE_CHARS_MAX, NAME_CHARS_MAX, REMARK_CHARS_MAX);
    for (index, item) in draft.items.iter().enumerate() {
        for (field, text, rule) in [
            ("item_code", &item.item_code, required(code)),
            ("item_name", &item.item_name, required(name)),
            ("unit", &item.unit, optional(code)),
            ("remark", &item.remark, optional(remark)),
        ] {
            check_entry(("items", index, field), text, rule, findings);
        }
    }
    for (index, aux) in draft.aux_items.iter().enumerate() {
        for (field, text, rule) in [
            ("related_item_code", &aux.related_item_code, required(code)),
            ("related_item_name", &aux.related_item_name, optional(name)),
            ("item_code", &aux.item_code, optional(code)),
            ("item_name", &aux.item_name, required(name)),
            ("unit", &aux.unit, optional(code)),
            ("remark", &aux.remark, optional(remark)),
        ] {
            check_entry(("aux_items", index, field), text, rule, findings);
        }
    }
}

fn check_lists(draft: &ReceiptDraft, findings: &mut Findings) {
    for (index, payment) in draft.payments.iter().enumerate() {
        let rule = optional(NAME_CHARS_MAX);
        check_entry(("payments", index, "channel_reference"), &payment.channel_reference, rule, findings);
    }
    for (index, other) in draft.other_info.iter().enumerate() {
        check_entry(("other_info", index, "name"), &other.name, required(NAME_CHARS_MAX), findings);
        check_entry(("other_info", index, "value"), &other.value, optional(OTHER_VALUE_CHARS_MAX), findings);
    }
    for (index, related) in draft.related.iter().enumerate() {
        let rule = required(CODE_CHARS_MAX);
        match related {
            Related::ExchangedPaper { paper_code, paper_number } => {
                check_entry(("related", index, "paper_code"), paper_code, rule, findings);
                check_entry(("related", index, "paper_number"), paper_number, rule, findings);
            }
            Related::CoversPayCode { pay_code } => {
                check_entry(("related", index, "pay_code"), pay_code, rule, findings);
            }
            Related::ReversalOf { .. } | Related::ReissueAfterPartialRefund { .. } => {}
        }
    }
    if let Some(Reversal { reason: _, text, operator, refund_reference, reissue_biz_code }) = &draft.reversal {
        check_text("reversal.text", text, optional(REMARK_CHARS_MAX), findings);
        check_text("reversal.operator", operator, required(NAME_CHARS_MAX), findings);
        check_text("reversal.refund_reference", refund_reference, optional(NAME_CHARS_MAX), findings);
        check_text("reversal.reissue_biz_code", reissue_biz_code, optional(BIZ_CODE_CHARS_MAX), findings);
    }
}

/// An entry of a list; its path is spelled only when something is wrong.
fn check_entry((list, index, field): (&str, usize, &str), text: &str, rule: TextRule, findings: &mut Findings) {
    if let Some(problem) = problem(text, rule) {
        findings.invalid(RuleId::V27, format!("{list}[{index}].{field}"), problem);
    }
}

pub(super) fn check_text(field: &str, text: &str, rule: TextRule, findings: &mut Findings) {
    if let Some(problem) = problem(text, rule) {
        findings.invalid(RuleId::V27, field, problem);
    }
}

fn problem(text: &str, rule: TextRule) -> Option<String> {
    if text.is_empty() {
        return rule.required.then(|| "is required".to_owned());
    }
    if text.trim() != text {
        return Some("must not begin or end with white space".to_owned());
    }
    // Bytes bound characters from above.
    if text.len() > rule.chars_max && text.chars().count() > rule.chars_max {
        return Some(format!("must have at most {} characters", rule.chars_max));
    }
    if text.chars().all(is_plain) {
        return None;
    }
    if text.chars().any(|character| character.is_control() || is_invisible(character)) {
        return Some("must not have control or invisible characters".to_owned());
    }
    if !is_nfc(text) {
        return Some("must be in Unicode normal form C".to_owned());
    }
    if text.chars().any(|character| character == NOT_IN_GB18030) {
        return Some("must be encodable in GB18030".to_owned());
    }
    None
}

/// Characters that are fine whatever stands beside them, and make up most texts: ASCII, common ideographs, full-width forms.
const fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{4e00}'..='\u{9fff}' | '\u{ff01}'..='\u{ff5e}')
}

/// Zero-width characters, line separators, direction controls, the byte order mark: they make a text look like another.
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code point, against the encoder of browsers and against the normaliser.
    #[test]
    fn short_cuts_agree_with_the_tables() {
        let mut buffer = [0; 4];
        for character in char::MIN..=char::MAX {
            let text: &str = character.encode_utf8(&mut buffer);
            let encodable = !encoding_rs::GB18030.encode(text).2;
            assert_eq!(encodable, character != NOT_IN_GB18030, "{character:?}");
            if is_plain(character) {
                assert!(is_nfc(text) && !character.is_control() && !is_invisible(character), "{character:?}");
                assert_eq!(unicode_normalization::char::canonical_combining_class(character), 0);
                assert!(is_nfc(&format!("a{text}\u{4e00}{text}")), "{character:?}");
            }
        }
    }
}
