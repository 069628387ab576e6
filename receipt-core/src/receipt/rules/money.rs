//! Amounts: V08, V09, V10, V11. Sums in 128 bits: 2,000 amounts of 64 bits cannot overflow one.

use std::collections::BTreeMap;

use super::{Findings, RuleId};
use crate::ids::Fen;
use crate::reason::Reason;
use crate::receipt::decimal::Yuan4;
use crate::receipt::ext::Ext;
use crate::receipt::model::{Item, ReceiptDraft};

/// 0.01 yuan in 1/10,000 yuan.
const FEN_IN_YUAN4: i128 = 100;
/// 0.01 yuan as a product of two numbers with four decimals each.
const FEN_IN_PRODUCT: i128 = 1_000_000;

/// V08: items and payments each add up to the total.
pub(super) fn check_sums(draft: &ReceiptDraft, findings: &mut Findings) {
    let items = sum(draft.items.iter().map(|item| item.amount));
    let payments = sum(draft.payments.iter().map(|payment| payment.amount));
    for (field, total, count) in [("items", items, draft.items.len()), ("payments", payments, draft.payments.len())] {
        if count > 0 && total != i128::from(draft.total_amount.get()) {
            let message = format!("add up to {}, but total_amount is {}", yuan(total), draft.total_amount);
            findings.add(RuleId::V08, Reason::SumMismatch, field, message);
        }
    }
}

/// V09: quantity × standard = amount ± 0.01, where both are given.
pub(super) fn check_lines(draft: &ReceiptDraft, findings: &mut Findings) {
    for (index, item) in draft.items.iter().enumerate() {
        let (Some(quantity), Some(standard)) = (item.quantity, item.standard) else { continue };
        let product = i128::from(quantity.get()) * i128::from(standard.get());
        let amount = i128::from(item.amount.get()) * FEN_IN_PRODUCT;
        if (product - amount).abs() > FEN_IN_PRODUCT {
            let message = format!("{quantity} × {standard} is not {} ± 0.01", item.amount);
            findings.add(RuleId::V09, Reason::SumMismatch, format!("items[{index}].amount"), message);
        }
    }
}

/// All rows of one item code: items and their 清单 lines.
#[derive(Default)]
struct Group {
    first_item: usize,
    items_yuan4: i128,
    item_count: i128,
    adjustment: Option<i128>,
    aux_yuan4: i128,
    aux_count: i128,
}

/// V10: the 清单 lines of an item code add up to its items ± 0.01 per item or, if a `rounding_adjustment` is stated, to
/// exactly the items together with it; an adjustment is at most 0.01 per line.
pub(super) fn check_aux(draft: &ReceiptDraft, findings: &mut Findings) {
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for (index, item) in draft.items.iter().enumerate() {
        let group = groups.entry(&item.item_code).or_insert(Group { first_item: index, ..Group::default() });
        group.items_yuan4 += i128::from(item.amount.get()) * FEN_IN_YUAN4;
        group.item_count += 1;
        if let Some(adjustment) = item.rounding_adjustment {
            group.adjustment = Some(group.adjustment.unwrap_or(0) + i128::from(adjustment.get()));
        }
    }
    for (index, aux) in draft.aux_items.iter().enumerate() {
        let Some(group) = groups.get_mut(aux.related_item_code.as_str()) else {
            findings.invalid(
                RuleId::V10,
                format!("aux_items[{index}].related_item_code"),
                "names no item of the receipt",
            );
            continue;
        };
        let named = |item: &Item| item.item_code == aux.related_item_code && item.item_name == aux.related_item_name;
        if !aux.related_item_name.is_empty() && !draft.items.iter().any(named) {
            let field = format!("aux_items[{index}].related_item_name");
            findings.invalid(RuleId::V10, field, "is not the name of the item with that code");
        }
        group.aux_yuan4 += i128::from(aux.amount.get());
        group.aux_count += 1;
    }
    for group in groups.values() {
        check_group(group, findings);
    }
}

fn check_group(group: &Group, findings: &mut Findings) {
    let field = |name: &str| format!("items[{}].{name}", group.first_item);
    let adjustment = group.adjustment.unwrap_or(0);
    if adjustment.abs() > group.aux_count * FEN_IN_YUAN4 {
        findings.invalid(RuleId::V10, field("rounding_adjustment"), "is above 0.01 per line");
    }
    let difference = group.aux_yuan4 + adjustment - group.items_yuan4;
    let tolerance = if group.adjustment.is_some() { 0 } else { group.item_count * FEN_IN_YUAN4 };
    if group.aux_count > 0 && difference.abs() > tolerance {
        let given = yuan4(group.aux_yuan4 + adjustment);
        let message = format!("its aux_items add up to {given} instead of {}", yuan4(group.items_yuan4));
        findings.add(RuleId::V10, Reason::SumMismatch, field("amount"), message);
    }
}

/// V11: fund + other + account + own = total.
pub(super) fn check_medical_split(draft: &ReceiptDraft, findings: &mut Findings) {
    let Ext::Medical { medical } = &draft.ext else { return };
    let split = sum([medical.fund_pay, medical.other_pay, medical.account_pay, medical.own_pay]);
    if split != i128::from(draft.total_amount.get()) {
        let message = format!("the four parts add up to {}, but total_amount is {}", yuan(split), draft.total_amount);
        findings.add(RuleId::V11, Reason::MedicalSplitMismatch, "medical", message);
    }
}

fn sum(amounts: impl IntoIterator<Item = Fen>) -> i128 {
    amounts.into_iter().map(|amount| i128::from(amount.get())).sum()
}

fn yuan(fen: i128) -> String {
    i64::try_from(fen).map_or_else(|_| "an amount beyond the range".to_owned(), |fen| Fen::new(fen).to_string())
}

fn yuan4(ten_thousandths: i128) -> String {
    i64::try_from(ten_thousandths)
        .map_or_else(|_| "an amount beyond the range".to_owned(), |value| Yuan4::new(value).to_string())
}
