//! V27: every text is NFC, made of characters that show ([`crate::receipt::chars`]), encodable in GB18030, inside its length, and
//! there if it must be. A name or code says something: it has a letter or a digit.

use super::{CODE_CHARS_MAX, Findings, NAME_CHARS_MAX, OTHER_VALUE_CHARS_MAX, RuleId};
use crate::limits::{BIZ_CODE_CHARS_MAX, REMARK_CHARS_MAX};
use crate::receipt::chars;
use crate::receipt::ext::Ext;
use crate::receipt::model::{ReceiptDraft, Related, Reversal};

/// What a text is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Identifies something: has a letter or digit, and no variation selector, so that equal ones look equal.
    Code,
    /// Names something: has a letter or digit.
    Name,
    /// Anything that can be read.
    Prose,
}

/// What is demanded of a text.
#[derive(Clone, Copy)]
pub(super) struct TextRule {
    required: bool,
    chars_max: usize,
    purpose: Purpose,
}

impl TextRule {
    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn at_most(self, chars_max: usize) -> Self {
        Self { chars_max, ..self }
    }
}

const CODE: TextRule = TextRule { required: false, chars_max: CODE_CHARS_MAX, purpose: Purpose::Code };
const NAME: TextRule = TextRule { required: false, chars_max: NAME_CHARS_MAX, purpose: Purpose::Name };
const PROSE: TextRule = TextRule { required: false, chars_max: NAME_CHARS_MAX, purpose: Purpose::Prose };
const REMARK: TextRule = PROSE.at_most(REMARK_CHARS_MAX);
pub(super) const REQUIRED_NAME: TextRule = NAME.required();
const BIZ_CODE: TextRule = CODE.at_most(BIZ_CODE_CHARS_MAX);

/// Fields of extensions by which one payment or decision is told from another.
const EXT_CODES: [&str; 3] = ["medical.settlement_number", "non_tax.pay_code", "fine.penalty_decision_no"];

pub(super) fn check(draft: &ReceiptDraft, findings: &mut Findings) {
    for (field, text, rule) in [
        ("receipt_name", &draft.receipt_name, REQUIRED_NAME),
        ("biz_code", &draft.biz_code, BIZ_CODE.required()),
        ("place_code", &draft.place_code, CODE.required()),
        ("payer_code", &draft.payer_code, CODE),
        ("payer_name", &draft.payer_name, REQUIRED_NAME),
        ("rec_name", &draft.rec_name, NAME),
        ("rec_account", &draft.rec_account, CODE),
        ("rec_bank", &draft.rec_bank, NAME),
        ("handling_person", &draft.handling_person, REQUIRED_NAME),
        ("checker", &draft.checker, REQUIRED_NAME),
        ("remark", &draft.remark, REMARK),
        ("supervisor_remark", &draft.supervisor_remark, REMARK),
    ] {
        check_text(field, text, rule, findings);
    }
    check_rows(draft, findings);
    check_lists(draft, findings);
    let mut values = Vec::new();
    draft.ext.write(&mut values);
    for (field, value) in Ext::names(draft.receipt_code.category()).iter().zip(&values) {
        if draft.ext.fits(draft.receipt_code.category()) {
            let rule = if EXT_CODES.contains(field) { CODE.at_most(NAME_CHARS_MAX) } else { PROSE };
            check_text(field, value, rule, findings);
        }
    }
}

fn check_rows(draft: &ReceiptDraft, findings: &mut Findings) {
    for (index, item) in draft.items.iter().enumerate() {
        for (field, text, rule) in [
            ("item_code", &item.item_code, CODE.required()),
            ("item_name", &item.item_name, REQUIRED_NAME),
            ("unit", &item.unit, PROSE.at_most(CODE_CHARS_MAX)),
            ("remark", &item.remark, REMARK),
        ] {
            check_entry(("items", index, field), text, rule, findings);
        }
    }
    for (index, aux) in draft.aux_items.iter().enumerate() {
        for (field, text, rule) in [
            ("related_item_code", &aux.related_item_code, CODE.required()),
            ("related_item_name", &aux.related_item_name, NAME),
            ("item_code", &aux.item_code, PROSE.at_most(CODE_CHARS_MAX)),
            ("item_name", &aux.item_name, REQUIRED_NAME),
            ("unit", &aux.unit, PROSE.at_most(CODE_CHARS_MAX)),
            ("remark", &aux.remark, REMARK),
        ] {
            check_entry(("aux_items", index, field), text, rule, findings);
        }
    }
}

fn check_lists(draft: &ReceiptDraft, findings: &mut Findings) {
    for (index, payment) in draft.payments.iter().enumerate() {
        check_entry(("payments", index, "channel_reference"), &payment.channel_reference, PROSE, findings);
    }
    for (index, other) in draft.other_info.iter().enumerate() {
        check_entry(("other_info", index, "name"), &other.name, REQUIRED_NAME, findings);
        check_entry(("other_info", index, "value"), &other.value, PROSE.at_most(OTHER_VALUE_CHARS_MAX), findings);
    }
    for (index, related) in draft.related.iter().enumerate() {
        match related {
            Related::ExchangedPaper { paper_code, paper_number } => {
                check_entry(("related", index, "paper_code"), paper_code, CODE.required(), findings);
                check_entry(("related", index, "paper_number"), paper_number, CODE.required(), findings);
            }
            Related::CoversPayCode { pay_code } => {
                check_entry(("related", index, "pay_code"), pay_code, CODE.required(), findings);
            }
            Related::ReversalOf { .. } | Related::ReissueAfterPartialRefund { .. } => {}
        }
    }
    if let Some(Reversal { reason: _, text, operator, refund_reference, reissue_biz_code }) = &draft.reversal {
        check_text("reversal.text", text, REMARK, findings);
        check_text("reversal.operator", operator, REQUIRED_NAME, findings);
        check_text("reversal.refund_reference", refund_reference, NAME, findings);
        check_text("reversal.reissue_biz_code", reissue_biz_code, BIZ_CODE, findings);
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
    if !text.chars().all(chars::is_plain) {
        if let Some(problem) = chars::problem(text) {
            return Some(problem);
        }
        if rule.purpose == Purpose::Code && text.chars().any(chars::is_variation_selector) {
            return Some("must not have variation selectors: it is a code".to_owned());
        }
    }
    if rule.purpose != Purpose::Prose && !text.chars().any(char::is_alphanumeric) {
        return Some("must have a letter or a digit; leave an optional field empty instead".to_owned());
    }
    None
}
