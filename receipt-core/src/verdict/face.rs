//! The face of a receipt: what a person reads, field by field. Derived from the content alone; never evidence.
//!
//! Texts are as they may be shown: what acts on a reader (direction, controls, what cannot be seen) is written out.
//!
//! The check code is a secret of the receipt and is left out: a face ends up on screens and in logs. For the same reason
//! the number of a person's document and the account are masked; the whole ones are in the body.

use serde::Serialize;

use super::labels::{field_label, line_label};
use super::language::{Language, Said, Sentence};
use super::times::time_text;
use crate::ids::UnixMillis;
use crate::receipt::decimal::{Quantity, Yuan4};
use crate::receipt::ext::{CollectionMode, DonationKind};
use crate::receipt::idcheck::masked_code;
use crate::receipt::layout::{position_name, row_start, to_values};
use crate::receipt::model::{
    AuxItem, Item, OtherInfo, PayerIdType, PayerType, Payment, PaymentMode, Receipt, Related, Reversal, ReversalReason,
};
use crate::receipt::words::amount_in_words;
use crate::shown::line;

/// Shown detail lines; a receipt may have 2,000.
const AUX_LINES_SHOWN_MAX: usize = 20;

/// One named field that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaceLine {
    /// Name in the body's layout.
    pub code: String,
    /// What the field is called.
    #[serde(flatten)]
    pub label: Said,
    /// The value, as a person reads it.
    pub value: Said,
}

/// A whole face.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Face {
    /// Title: 票据名称.
    pub title: String,
    /// Whether it is a red receipt (冲红).
    pub red: bool,
    /// Header and extension fields that are not empty, in the order of the layout.
    pub lines: Vec<FaceLine>,
    /// 项目明细, one text each.
    pub items: Vec<String>,
    /// 清单, one text each; the first twenty.
    pub aux_items: Vec<String>,
    /// 清单 rows in all.
    pub aux_count: usize,
    /// 金额合计（小写）.
    pub total: String,
    /// 金额合计（大写）.
    pub total_in_words: String,
}

impl Face {
    /// The face of a receipt; times are printed under a fixed UTC offset.
    pub fn of(receipt: &Receipt, utc_offset_minutes: i32) -> Self {
        let draft = &receipt.draft;
        let safe = |text: String| line(&text).into_owned();
        Self {
            title: safe(draft.receipt_name.clone()),
            red: draft.is_red(),
            lines: lines(receipt, utc_offset_minutes),
            items: draft.items.iter().map(item_text).map(safe).collect(),
            aux_items: draft.aux_items.iter().take(AUX_LINES_SHOWN_MAX).map(aux_text).map(safe).collect(),
            aux_count: draft.aux_items.len(),
            total: draft.total_amount.to_string(),
            total_in_words: amount_in_words(draft.total_amount),
        }
    }
}

fn lines(receipt: &Receipt, utc_offset_minutes: i32) -> Vec<FaceLine> {
    // The content was read from values, so it has values.
    let values = to_values(receipt).unwrap_or_default();
    let category = receipt.draft.receipt_code.category();
    let mut lines = Vec::new();
    for (position, value) in (0_u32..).zip(values.into_iter().take(row_start(category))) {
        let name = position_name(category, 0, position);
        let Some(value) = shown_value(receipt, &name, value, utc_offset_minutes) else { continue };
        let label = match line_label(&name) {
            Some(Sentence { zh, en }) => Said { zh: zh.to_owned(), en: en.to_owned() },
            None => Said { zh: name.clone(), en: name.clone() },
        };
        lines.push(FaceLine { code: name, label, value });
    }
    lines
}

/// How a field's text is shown where it is shown on purpose: whole, and whatever it is.
pub(super) fn value_text(receipt: &Receipt, name: &str, value: &str, utc_offset_minutes: i32) -> Said {
    let draft = &receipt.draft;
    match name {
        "payer_code" | "rec_account" => same(value),
        "payments" => joined(&draft.payments, |payment, language| {
            let rest = [("channel_reference", payment.channel_reference.clone())];
            with_rest(payment_text(payment, language), &rest, language)
        }),
        "other_info" => joined(&draft.other_info, |info, language| {
            with_rest(info_text(info, language), &[("no", info.no.to_string())], language)
        }),
        "reversal" => match &draft.reversal {
            Some(reversal) => both(|language| {
                let rest = [("reissue_biz_code", reversal.reissue_biz_code.clone())];
                with_rest(reversal_text(reversal, language), &rest, language)
            }),
            None => same(value),
        },
        "donation.restricted_use" | "donation.anonymous" => words(flag_text(value)),
        _ => shown_value(receipt, name, value.to_owned(), utc_offset_minutes).unwrap_or_else(|| same(value)),
    }
}

/// What a face says of a row or an entry of a list, and behind it what it leaves out, each by what it is called: whoever shows it shows all of it.
fn with_rest(text: String, rest: &[(&str, String)], language: Language) -> String {
    let given = rest.iter().filter(|(_, value)| !value.is_empty());
    let label = |(name, value): &(&str, String)| {
        labelled(field_label(name).map_or(*name, |label| label.of(language)), value, language)
    };
    let rest: Vec<String> = given.map(label).collect();
    match language {
        _ if rest.is_empty() => text,
        Language::Zh => format!("{text}（{}）", rest.join("，")),
        Language::En => format!("{text} ({})", rest.join(", ")),
    }
}

fn labelled(label: &str, value: &str, language: Language) -> String {
    match language {
        Language::Zh => format!("{label}：{value}"),
        Language::En => format!("{label}: {value}"),
    }
}

/// Of quantity, standard and unit, what the row's text has no place for: it prints all of them or none.
fn rest_of_quantity(quantity: Option<&Quantity>, standard: Option<&Yuan4>, unit: &str) -> [(&'static str, String); 3] {
    if quantity.is_some() && standard.is_some() {
        return ["quantity", "standard", "unit"].map(|name| (name, String::new()));
    }
    let text = |value: Option<String>| value.unwrap_or_default();
    [
        ("quantity", text(quantity.map(Quantity::to_string))),
        ("standard", text(standard.map(Yuan4::to_string))),
        ("unit", unit.to_owned()),
    ]
}

/// A row of items or detail lines, all of it; the empty text if there is none.
pub(super) fn row_text(row: Option<&impl Row>) -> Said {
    both(|language| row.map(|row| row.to_text(language)).unwrap_or_default())
}

/// A row of items or of detail lines.
pub(super) trait Row {
    /// On one line.
    fn to_text(&self, language: Language) -> String;
}

impl Row for Item {
    fn to_text(&self, language: Language) -> String {
        let mut rest = rest_of_quantity(self.quantity.as_ref(), self.standard.as_ref(), &self.unit).to_vec();
        let adjustment = self.rounding_adjustment.as_ref().map(Yuan4::to_string).unwrap_or_default();
        rest.extend([("rounding_adjustment", adjustment), ("remark", self.remark.clone())]);
        with_rest(item_text(self), &rest, language)
    }
}

impl Row for AuxItem {
    fn to_text(&self, language: Language) -> String {
        let mut rest = rest_of_quantity(self.quantity.as_ref(), self.standard.as_ref(), &self.unit).to_vec();
        let others = [
            ("related_item_code", &self.related_item_code),
            ("related_item_name", &self.related_item_name),
            ("item_code", &self.item_code),
            ("remark", &self.remark),
        ];
        rest.extend(others.map(|(name, value)| (name, value.clone())));
        with_rest(aux_text(self), &rest, language)
    }
}

/// How a field is shown; `None`: not at all.
fn shown_value(receipt: &Receipt, name: &str, value: String, utc_offset_minutes: i32) -> Option<Said> {
    let draft = &receipt.draft;
    if value.is_empty() {
        return None;
    }
    let time = |time: UnixMillis| both(|language| time_text(time, utc_offset_minutes, language));
    Some(match name {
        // The secret, what stands in the title, and what the rows show by themselves.
        "check_code" | "receipt_name" | "item_count" | "aux_count" => return None,
        "issue_time" => time(receipt.issued.issue_time),
        "non_tax.confirm_time" => time(draft.ext.non_tax().and_then(|non_tax| non_tax.confirm_time)?),
        "total_amount" => same(&format!("{value}  {}", amount_in_words(draft.total_amount))),
        // A unified social credit code is public; every other code is a person's.
        "payer_code" if draft.payer_id_type != PayerIdType::Uscc => same(&masked_code(&value)),
        "rec_account" => same(&masked_code(&value)),
        "payer_type" => words(payer_type_text(draft.payer_type)),
        "payer_id_type" => words(payer_id_type_text(draft.payer_id_type)),
        "payments" => joined(&draft.payments, payment_text),
        "related" => joined(&draft.related, related_text),
        "reversal" => {
            let reversal = draft.reversal.as_ref()?;
            both(|language| reversal_text(reversal, language))
        }
        "other_info" => joined(&draft.other_info, info_text),
        "donation.restricted_use" | "donation.anonymous" if value == "false" => return None,
        "donation.restricted_use" | "donation.anonymous" => words(flag_text(&value)),
        "non_tax.collection_mode" => words(collection_mode_text(CollectionMode::parse(&value).ok()?)),
        "donation.donation_kind" => words(donation_kind_text(DonationKind::parse(&value).ok()?)),
        _ => same(&value),
    })
}

/// Nothing in a value acts on whoever reads it.
fn both(text: impl Fn(Language) -> String) -> Said {
    let [zh, en] = Language::ALL.map(|language| line(&text(language)).into_owned());
    Said { zh, en }
}

fn same(text: &str) -> Said {
    both(|_| text.to_owned())
}

fn words(sentence: Sentence) -> Said {
    both(|language| sentence.of(language).to_owned())
}

fn joined<T>(parts: &[T], text: impl Fn(&T, Language) -> String) -> Said {
    both(|language| {
        let parts: Vec<String> = parts.iter().map(|part| text(part, language)).collect();
        parts.join(match language {
            Language::Zh => "；",
            Language::En => "; ",
        })
    })
}

const fn payer_type_text(payer_type: PayerType) -> Sentence {
    match payer_type {
        PayerType::Individual => Sentence { zh: "个人", en: "individual" },
        PayerType::Organisation => Sentence { zh: "单位", en: "organisation" },
    }
}

const fn payer_id_type_text(payer_id_type: PayerIdType) -> Sentence {
    match payer_id_type {
        PayerIdType::Resident => Sentence { zh: "居民身份证", en: "resident identity card" },
        PayerIdType::Passport => Sentence { zh: "护照", en: "passport" },
        PayerIdType::HkMacauTaiwanPermit => {
            Sentence { zh: "港澳台居民证件", en: "Hong Kong, Macau or Taiwan permit" }
        }
        PayerIdType::Newborn => Sentence { zh: "新生儿", en: "newborn" },
        PayerIdType::Unidentified => Sentence { zh: "无证件", en: "none" },
        PayerIdType::Uscc => Sentence { zh: "统一社会信用代码", en: "unified social credit code" },
    }
}

const fn collection_mode_text(mode: CollectionMode) -> Sentence {
    match mode {
        CollectionMode::Direct => Sentence { zh: "直缴", en: "paid into the treasury" },
        CollectionMode::Centralised => Sentence { zh: "集中汇缴", en: "collected by the unit" },
    }
}

const fn donation_kind_text(kind: DonationKind) -> Sentence {
    match kind {
        DonationKind::Money => Sentence { zh: "货币", en: "money" },
        DonationKind::InKind => Sentence { zh: "实物", en: "in kind" },
    }
}

fn flag_text(value: &str) -> Sentence {
    match value {
        "true" => Sentence { zh: "是", en: "yes" },
        _ => Sentence { zh: "否", en: "no" },
    }
}

fn payment_text(payment: &Payment, language: Language) -> String {
    let mode = match payment.mode {
        PaymentMode::Cash => Sentence { zh: "现金", en: "cash" },
        PaymentMode::Transfer => Sentence { zh: "转账", en: "transfer" },
        PaymentMode::Pos => Sentence { zh: "刷卡", en: "card" },
        PaymentMode::Wechat => Sentence { zh: "微信", en: "WeChat" },
        PaymentMode::Alipay => Sentence { zh: "支付宝", en: "Alipay" },
        PaymentMode::Unionpay => Sentence { zh: "银联", en: "UnionPay" },
        PaymentMode::Withholding => Sentence { zh: "银行代扣", en: "withholding" },
        PaymentMode::MedicalInsurance => Sentence { zh: "医保", en: "medical insurance" },
        PaymentMode::Prepayment => Sentence { zh: "预交金", en: "prepayment" },
        PaymentMode::InKind => Sentence { zh: "实物", en: "in kind" },
    };
    format!("{} {}", mode.of(language), payment.amount)
}

fn related_text(related: &Related, language: Language) -> String {
    let (what, which) = match related {
        Related::ReversalOf { receipt_code, receipt_number } => {
            (Sentence { zh: "冲红", en: "reverses" }, format!("{receipt_code}-{receipt_number}"))
        }
        Related::ReissueAfterPartialRefund { receipt_code, receipt_number } => (
            Sentence { zh: "部分退费后重开", en: "issued anew after a partial refund of" },
            format!("{receipt_code}-{receipt_number}"),
        ),
        Related::ExchangedPaper { paper_code, paper_number } => {
            (Sentence { zh: "纸质票据", en: "paper" }, format!("{paper_code}-{paper_number}"))
        }
        Related::CoversPayCode { pay_code } => (Sentence { zh: "缴款码", en: "pay code" }, pay_code.clone()),
    };
    format!("{} {which}", what.of(language))
}

fn info_text(info: &OtherInfo, language: Language) -> String {
    labelled(&info.name, &info.value, language)
}

fn reversal_text(reversal: &Reversal, language: Language) -> String {
    let reason = match reversal.reason {
        ReversalReason::FullRefund => Sentence { zh: "全额退费", en: "full refund" },
        ReversalReason::PartialRefund => Sentence { zh: "部分退费", en: "partial refund" },
        ReversalReason::WrongPayer => Sentence { zh: "交款人有误", en: "wrong payer" },
        ReversalReason::WrongItem => Sentence { zh: "项目有误", en: "wrong item" },
        ReversalReason::WrongAmount => Sentence { zh: "金额有误", en: "wrong amount" },
        ReversalReason::Duplicate => Sentence { zh: "重复开具", en: "issued twice" },
        ReversalReason::DecisionRevoked => Sentence { zh: "处罚决定已撤销", en: "decision revoked" },
        ReversalReason::Other => Sentence { zh: "其他", en: "other" },
    };
    let parts = [reason.of(language), &reversal.text, &reversal.operator, &reversal.refund_reference];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn item_text(item: &Item) -> String {
    let mut text = format!("{} {}", item.item_code, item.item_name);
    if let (Some(quantity), Some(standard)) = (&item.quantity, &item.standard) {
        text += &format!("  {quantity}{} × {standard}", item.unit);
    }
    text + &format!("  {}", item.amount)
}

fn aux_text(item: &AuxItem) -> String {
    let mut text = item.item_name.clone();
    if let (Some(quantity), Some(standard)) = (&item.quantity, &item.standard) {
        text += &format!("  {quantity}{} × {standard}", item.unit);
    }
    text + &format!("  {}", item.amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::fixture::receipt;

    #[test]
    fn a_line_with_the_total_in_figures_and_words_is_not_called_figures() {
        let receipt = receipt();
        let lines = Face::of(&receipt, 480).lines;
        let total = lines.iter().find(|line| line.code == "total_amount").unwrap();
        assert_eq!(total.label.zh, "金额合计");
        assert!(total.value.zh.ends_with(&amount_in_words(receipt.draft.total_amount)), "{}", total.value.zh);
    }

    #[test]
    fn a_persons_document_and_the_account_are_masked_and_a_public_code_is_not() {
        let mut receipt = receipt();
        let shown = |receipt: &Receipt, name: &str| {
            let lines = Face::of(receipt, 480).lines;
            lines.into_iter().find(|line| line.code == name).unwrap().value.zh
        };
        receipt.draft.payer_id_type = PayerIdType::Resident;
        receipt.draft.payer_code = "990305199001010015".to_owned();
        receipt.draft.rec_account = "6222020200112233445".to_owned();
        assert_eq!(shown(&receipt, "payer_code"), "990305********0015");
        assert_eq!(shown(&receipt, "rec_account"), "622202*********3445");
        receipt.draft.payer_id_type = PayerIdType::Passport;
        receipt.draft.payer_code = "E12345678".to_owned();
        assert_eq!(shown(&receipt, "payer_code"), "E*******8");
        receipt.draft.payer_id_type = PayerIdType::Uscc;
        receipt.draft.payer_code = "129903004000000181".to_owned();
        assert_eq!(shown(&receipt, "payer_code"), "129903004000000181");
    }
}
