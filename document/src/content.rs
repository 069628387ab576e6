//! What a receipt says, field by field, as a person reads it: codes are words of the template, a person's document and the account are
//! masked. The check code is shown: a document goes to its holder. XML has fields as they are; see `xml`.

use std::collections::BTreeMap;

use receipt_core::ids::{Fen, ReceiptKey, UnixMillis};
use receipt_core::receipt::decimal::Yuan4;
use receipt_core::receipt::field::Field as _;
use receipt_core::receipt::idcheck::masked_code;
use receipt_core::receipt::layout::{position_name, row_start, to_values};
use receipt_core::receipt::model::{AuxItem, Item, PayerIdType, Receipt, Related};
use receipt_core::receipt::words::amount_in_words;

use crate::template::Template;

/// Fields that the rows show by themselves.
const COUNTS: [&str; 2] = ["item_count", "aux_count"];
/// Lists and groups, which are shown by entry.
const LISTS: [&str; 3] = ["related", "reversal", "other_info"];

/// The fields of a receipt, as shown.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    receipt: &'a Receipt,
    fields: BTreeMap<String, String>,
}

impl<'a> Content<'a> {
    /// The fields of a receipt in the words of a template; times under a fixed UTC offset.
    pub(crate) fn new(receipt: &'a Receipt, template: &Template, utc_offset_minutes: i32) -> Self {
        let draft = &receipt.draft;
        let category = draft.receipt_code.category();
        // A receipt was read from values, so it has some.
        let values = to_values(receipt).unwrap_or_default();
        let mut fields = BTreeMap::new();
        for (position, value) in (0_u32..).zip(values.into_iter().take(row_start(category))) {
            let name = position_name(category, 0, position);
            if value.is_empty() || COUNTS.contains(&name.as_str()) || LISTS.contains(&name.as_str()) {
                continue;
            }
            let shown = shown(receipt, &name, value, template, utc_offset_minutes);
            if let Some(shown) = shown {
                fields.insert(name, shown);
            }
        }
        let mut set = |name: &str, value: String| {
            if !value.is_empty() {
                fields.insert(name.to_owned(), value);
            }
        };
        set("total_in_words", amount_in_words(draft.total_amount));
        let payee = if draft.rec_name.is_empty() { &receipt.issued.unit_name } else { &draft.rec_name };
        set("payee", payee.clone());
        let area = draft.supervisor_area_code.as_str();
        set("supervision", template.sentences.supervision.replace("{area}", area));
        if draft.is_red() {
            set("red_mark", template.sentences.red_mark.clone());
        }
        if let Some(reversal) = &draft.reversal {
            set("reversal.reason", template.word("reversal.reason", reversal.reason.as_str()));
            set("reversal.text", reversal.text.clone());
            set("reversal.operator", reversal.operator.clone());
            set("reversal.refund_reference", reversal.refund_reference.clone());
        }
        for (name, value) in related(draft.related.iter()) {
            set(name, value);
        }
        Self { receipt, fields }
    }

    /// The shown form of a field; `None` if the receipt has none.
    pub(crate) fn get(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    /// Whether an amount of money is drawn in red: all of a red receipt.
    pub(crate) const fn is_red(&self) -> bool {
        self.receipt.draft.is_red()
    }

    /// 项目明细.
    pub(crate) fn items(&self) -> &'a [Item] {
        &self.receipt.draft.items
    }

    /// 清单.
    pub(crate) fn aux_items(&self) -> &'a [AuxItem] {
        &self.receipt.draft.aux_items
    }

    /// Regional fields: name and value.
    pub(crate) fn other_info(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.receipt.draft.other_info.iter().map(|info| (info.name.as_str(), info.value.as_str()))
    }
}

fn shown(receipt: &Receipt, name: &str, value: String, template: &Template, utc_offset_minutes: i32) -> Option<String> {
    let draft = &receipt.draft;
    Some(match name {
        "issue_time" => time_text(receipt.issued.issue_time, utc_offset_minutes),
        "non_tax.confirm_time" => time_text(draft.ext.non_tax()?.confirm_time?, utc_offset_minutes),
        // A unified social credit code is public; every other code is a person's.
        "payer_code" if draft.payer_id_type != PayerIdType::Uscc => masked_code(&value),
        "rec_account" => masked_code(&value),
        "payments" => {
            let parts = draft.payments.iter();
            let parts = parts.map(|part| format!("{} {}", template.word("payments", part.mode.as_str()), part.amount));
            parts.collect::<Vec<_>>().join("；")
        }
        // "No" is what everybody expects.
        "donation.restricted_use" | "donation.anonymous" if value == "false" => return None,
        _ => template.word(name, &value),
    })
}

/// The relations that a face names, all of one kind together.
fn related<'a>(related: impl Iterator<Item = &'a Related>) -> Vec<(&'static str, String)> {
    let mut found: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for relation in related {
        let (name, value) = match relation {
            Related::ReversalOf { receipt_code, receipt_number } => {
                ("reversal_of", key_text(ReceiptKey { code: *receipt_code, number: *receipt_number }))
            }
            Related::ReissueAfterPartialRefund { receipt_code, receipt_number } => {
                ("reissue_of", key_text(ReceiptKey { code: *receipt_code, number: *receipt_number }))
            }
            Related::ExchangedPaper { paper_code, paper_number } => {
                ("exchanged_paper", format!("代码 {paper_code} 号码 {paper_number}"))
            }
            Related::CoversPayCode { pay_code } => ("covers_pay_code", pay_code.clone()),
        };
        found.entry(name).or_default().push(value);
    }
    found.into_iter().map(|(name, values)| (name, values.join("、"))).collect()
}

fn key_text(key: ReceiptKey) -> String {
    format!("代码 {} 号码 {}", key.code, key.number)
}

/// `2026-11-02 08:21:37`, local.
pub(crate) fn time_text(time: UnixMillis, utc_offset_minutes: i32) -> String {
    let local = LocalTime::of(time, utc_offset_minutes);
    format!("{} {}", local.date("-"), local.clock())
}

/// An instant in local calendar and clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocalTime {
    /// Of the common era.
    pub(crate) year: i32,
    /// From 1.
    pub(crate) month: u32,
    /// From 1.
    pub(crate) day: u32,
    /// Since midnight.
    pub(crate) second_of_day: u32,
}

impl LocalTime {
    /// Under a fixed UTC offset.
    pub(crate) fn of(time: UnixMillis, utc_offset_minutes: i32) -> Self {
        let (year, month, day) = time.civil_date(utc_offset_minutes);
        let seconds = i128::from(time.seconds()) + i128::from(utc_offset_minutes) * 60;
        let second_of_day = u32::try_from(seconds.rem_euclid(86_400)).unwrap_or_default();
        Self { year, month, day, second_of_day }
    }

    /// Year, month and day with something between them.
    pub(crate) fn date(self, between: &str) -> String {
        format!("{:04}{between}{:02}{between}{:02}", self.year, self.month, self.day)
    }

    /// `08:21:37`.
    pub(crate) fn clock(self) -> String {
        let second = self.second_of_day;
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }
}

/// A field of a row, as shown; empty if it has none.
pub(crate) fn item_field(item: &Item, field: &str) -> String {
    match field {
        "item_code" => item.item_code.clone(),
        "item_name" => item.item_name.clone(),
        "unit" => item.unit.clone(),
        "quantity" => item.quantity.to_field(),
        "standard" => item.standard.map(short_yuan).unwrap_or_default(),
        "amount" => item.amount.to_string(),
        "remark" => item.remark.clone(),
        _ => String::new(),
    }
}

/// A field of a detail line, as shown; empty if it has none.
pub(crate) fn aux_item_field(item: &AuxItem, field: &str) -> String {
    match field {
        "related_item" => {
            [item.related_item_code.as_str(), item.related_item_name.as_str()].join(" ").trim_end().to_owned()
        }
        "item_code" => item.item_code.clone(),
        "item_name" => item.item_name.clone(),
        "unit" => item.unit.clone(),
        "quantity" => item.quantity.to_field(),
        "standard" => item.standard.map(short_yuan).unwrap_or_default(),
        "amount" => item.amount.to_string(),
        "remark" => item.remark.clone(),
        _ => String::new(),
    }
}

/// With two decimals if that is exact: `25.00`, `31.9133`.
fn short_yuan(amount: Yuan4) -> String {
    if amount.get() % 100 == 0 { Fen::new(amount.get() / 100).to_string() } else { amount.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times() {
        let of = |millis, offset| time_text(UnixMillis::new(millis), offset);
        assert_eq!(of(1_793_578_897_000, 480), "2026-11-02 08:21:37");
        assert_eq!(of(0, -60), "1969-12-31 23:00:00");
        assert_eq!(of(1_793_548_799_999, 480), "2026-11-01 23:59:59");
    }

    #[test]
    fn standards_are_short_where_that_is_exact() {
        for (given, shown) in [("25", "25.00"), ("31.9133", "31.9133"), ("0.005", "0.0050"), ("-1.5", "-1.50")] {
            assert_eq!(short_yuan(Yuan4::parse(given).unwrap()), shown);
        }
    }
}
