//! V26: every number has a range, and every amount the sign of its receipt: payments and parts of a blue receipt are never
//! negative, those of a red one never positive. Lines and what no rule uses (自付, 自费) may have either sign.

use super::{Findings, RuleId};
use crate::ids::Fen;
use crate::limits::TOTAL_FEN_BOUND;
use crate::receipt::ext::Ext;
use crate::receipt::model::ReceiptDraft;

/// Amounts and quantities with four decimals are below 10^12 as well.
const E4_BOUND: u64 = TOTAL_FEN_BOUND.unsigned_abs() * 100;
/// A stay of a hundred years.
const HOSPITAL_DAYS_MAX: u32 = 36_600;
/// Instalments of one decision: monthly for a hundred years.
const INSTALMENTS_MAX: u32 = 1200;

/// Judges numbers field by field.
struct Ranges<'a> {
    findings: &'a mut Findings,
    is_red: bool,
}

/// V26 for all numbers of a draft.
pub(super) fn check(draft: &ReceiptDraft, findings: &mut Findings) {
    let total = draft.total_amount.get();
    if draft.is_red() && total >= 0 {
        findings.invalid(RuleId::V26, "total_amount", "must be below zero on a red receipt");
    }
    if !draft.is_red() && total <= 0 {
        findings.invalid(RuleId::V26, "total_amount", "must be above zero");
    }
    let mut ranges = Ranges { findings, is_red: draft.is_red() };
    ranges.fen(|| "total_amount".to_owned(), draft.total_amount);
    for (index, payment) in draft.payments.iter().enumerate() {
        ranges.part(|| format!("payments[{index}].amount"), payment.amount);
    }
    for (index, item) in draft.items.iter().enumerate() {
        ranges.fen(|| format!("items[{index}].amount"), item.amount);
        for (name, value) in [
            ("quantity", item.quantity.map(|quantity| quantity.get())),
            ("standard", item.standard.map(|standard| standard.get())),
            ("rounding_adjustment", item.rounding_adjustment.map(|adjustment| adjustment.get())),
        ] {
            ranges.e4(|| format!("items[{index}].{name}"), value);
        }
    }
    for (index, aux) in draft.aux_items.iter().enumerate() {
        for (name, value) in [
            ("amount", Some(aux.amount.get())),
            ("quantity", aux.quantity.map(|quantity| quantity.get())),
            ("standard", aux.standard.map(|standard| standard.get())),
        ] {
            ranges.e4(|| format!("aux_items[{index}].{name}"), value);
        }
    }
    ranges.extension(draft);
}

impl Ranges<'_> {
    fn extension(&mut self, draft: &ReceiptDraft) {
        match &draft.ext {
            Ext::Medical { medical } => {
                for (name, part) in [
                    ("medical.fund_pay", Some(medical.fund_pay)),
                    ("medical.other_pay", Some(medical.other_pay)),
                    ("medical.account_pay", Some(medical.account_pay)),
                    ("medical.own_pay", Some(medical.own_pay)),
                    ("medical.prepay", medical.prepay),
                    ("medical.recharge", medical.recharge),
                    ("medical.refund", medical.refund),
                ] {
                    self.part(|| name.to_owned(), part.unwrap_or_default());
                }
                for (name, amount) in
                    [("medical.self_payment", medical.self_payment), ("medical.self_cost", medical.self_cost)]
                {
                    self.fen(|| name.to_owned(), amount.unwrap_or_default());
                }
                if medical.hospital_days.is_some_and(|days| days > HOSPITAL_DAYS_MAX) {
                    let message = format!("is above {HOSPITAL_DAYS_MAX} days");
                    self.findings.invalid(RuleId::V26, "medical.hospital_days", message);
                }
            }
            Ext::PaymentBook { fine, .. } => {
                let late_penalty = fine.late_penalty.unwrap_or_default();
                self.part(|| "fine.late_penalty".to_owned(), late_penalty);
                if late_penalty.get().unsigned_abs() > draft.total_amount.get().unsigned_abs() {
                    self.findings.invalid(
                        RuleId::V26,
                        "fine.late_penalty",
                        "is more than the total, of which it is a part",
                    );
                }
                if fine.instalment.is_some_and(|instalment| !(1..=INSTALMENTS_MAX).contains(&instalment)) {
                    let message = format!("counts from 1, to at most {INSTALMENTS_MAX}");
                    self.findings.invalid(RuleId::V15, "fine.instalment", message);
                }
            }
            _ => {}
        }
    }

    /// An amount of either sign.
    fn fen(&mut self, field: impl FnOnce() -> String, amount: Fen) {
        if amount.get().unsigned_abs() >= TOTAL_FEN_BOUND.unsigned_abs() {
            self.findings.invalid(RuleId::V26, field(), "must be below 10^12 yuan");
        }
    }

    /// A part of what was paid or refunded: it has the sign of the receipt.
    fn part(&mut self, field: impl Fn() -> String, amount: Fen) {
        self.fen(&field, amount);
        if self.is_red && amount > Fen::ZERO {
            self.findings.invalid(RuleId::V26, field(), "must not be above zero on a red receipt");
        }
        if !self.is_red && amount < Fen::ZERO {
            self.findings.invalid(RuleId::V26, field(), "must not be below zero; a refund is a reversal");
        }
    }

    /// A number with four decimals, of either sign.
    fn e4(&mut self, field: impl FnOnce() -> String, value: Option<i64>) {
        if value.is_some_and(|value| value.unsigned_abs() >= E4_BOUND) {
            self.findings.invalid(RuleId::V26, field(), "must be below 10^12");
        }
    }
}
