//! The face of a receipt: what a person reads, field by field. Derived from the content alone; never evidence.
//!
//! The check code is a secret of the receipt and is left out: a face ends up on screens and in logs. For the same reason
//! the number of a person's document and the account are masked; the whole ones are in the body.

use serde::Serialize;

use super::labels::field_label;
use crate::ids::UnixMillis;
use crate::receipt::idcheck::masked_code;
use crate::receipt::layout::{position_name, row_start, to_values};
use crate::receipt::model::{AuxItem, Item, PayerIdType, PayerType, Payment, PaymentMode, Receipt, Related, Reversal};
use crate::receipt::words::amount_in_words;

/// Shown detail lines; a receipt may have 2,000.
const AUX_LINES_SHOWN_MAX: usize = 20;

/// One named field that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaceLine {
    /// Name in the body's layout.
    pub name: String,
    /// Name in Chinese.
    pub chinese: String,
    /// Name in English.
    pub english: String,
    /// The value, as a person reads it.
    pub value: String,
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
        Self {
            title: draft.receipt_name.clone(),
            red: draft.is_red(),
            lines: lines(receipt, utc_offset_minutes),
            items: draft.items.iter().map(item_text).collect(),
            aux_items: draft.aux_items.iter().take(AUX_LINES_SHOWN_MAX).map(aux_text).collect(),
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
        let label = field_label(&name);
        lines.push(FaceLine {
            chinese: label.map_or_else(|| name.clone(), |label| label.chinese.to_owned()),
            english: label.map_or_else(|| name.clone(), |label| label.english.to_owned()),
            name,
            value,
        });
    }
    lines
}

/// How a field is shown; `None`: not at all.
fn shown_value(receipt: &Receipt, name: &str, value: String, utc_offset_minutes: i32) -> Option<String> {
    let draft = &receipt.draft;
    if value.is_empty() {
        return None;
    }
    Some(match name {
        // The secret, what stands in the title, and what the rows show by themselves.
        "check_code" | "receipt_name" | "item_count" | "aux_count" => return None,
        "issue_time" => time_text(receipt.issued.issue_time, utc_offset_minutes),
        "non_tax.confirm_time" => {
            let confirmed = draft.ext.non_tax().and_then(|non_tax| non_tax.confirm_time)?;
            time_text(confirmed, utc_offset_minutes)
        }
        "total_amount" => format!("{value}  {}", amount_in_words(draft.total_amount)),
        // A unified social credit code is public; every other code is a person's.
        "payer_code" if draft.payer_id_type != PayerIdType::Uscc => masked_code(&value),
        "rec_account" => masked_code(&value),
        "payer_type" => payer_type_text(draft.payer_type).to_owned(),
        "payer_id_type" => payer_id_type_text(draft.payer_id_type).to_owned(),
        "payments" => draft.payments.iter().map(payment_text).collect::<Vec<_>>().join("；"),
        "related" => draft.related.iter().map(related_text).collect::<Vec<_>>().join("；"),
        "reversal" => draft.reversal.as_ref().map(reversal_text)?,
        "other_info" => {
            let parts = draft.other_info.iter().map(|info| format!("{}：{}", info.name, info.value));
            parts.collect::<Vec<_>>().join("；")
        }
        "donation.restricted_use" | "donation.anonymous" if value == "false" => return None,
        _ => value,
    })
}

const fn payer_type_text(payer_type: PayerType) -> &'static str {
    match payer_type {
        PayerType::Individual => "个人 individual",
        PayerType::Organisation => "单位 organisation",
    }
}

const fn payer_id_type_text(payer_id_type: PayerIdType) -> &'static str {
    match payer_id_type {
        PayerIdType::Resident => "居民身份证 resident identity card",
        PayerIdType::Passport => "护照 passport",
        PayerIdType::HkMacauTaiwanPermit => "港澳台居民证件 Hong Kong, Macau or Taiwan permit",
        PayerIdType::Newborn => "新生儿 newborn",
        PayerIdType::Unidentified => "无证件 none",
        PayerIdType::Uscc => "统一社会信用代码 unified social credit code",
    }
}

fn payment_text(payment: &Payment) -> String {
    let mode = match payment.mode {
        PaymentMode::Cash => "现金",
        PaymentMode::Transfer => "转账",
        PaymentMode::Pos => "刷卡",
        PaymentMode::Wechat => "微信",
        PaymentMode::Alipay => "支付宝",
        PaymentMode::Unionpay => "银联",
        PaymentMode::Withholding => "银行代扣",
        PaymentMode::MedicalInsurance => "医保",
        PaymentMode::Prepayment => "预交金",
        PaymentMode::InKind => "实物",
    };
    format!("{mode} {}", payment.amount)
}

fn related_text(related: &Related) -> String {
    match related {
        Related::ReversalOf { receipt_code, receipt_number } => format!("冲红 {receipt_code}-{receipt_number}"),
        Related::ReissueAfterPartialRefund { receipt_code, receipt_number } => {
            format!("部分退费后重开 {receipt_code}-{receipt_number}")
        }
        Related::ExchangedPaper { paper_code, paper_number } => format!("纸质票据 {paper_code}-{paper_number}"),
        Related::CoversPayCode { pay_code } => format!("缴款码 {pay_code}"),
    }
}

fn reversal_text(reversal: &Reversal) -> String {
    let parts = [reversal.reason.as_str(), &reversal.text, &reversal.operator, &reversal.refund_reference];
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

/// `2026-11-02 08:21:37 +08:00`.
pub(super) fn time_text(time: UnixMillis, utc_offset_minutes: i32) -> String {
    let (date, clock) = parts(time, utc_offset_minutes);
    let sign = if utc_offset_minutes < 0 { '-' } else { '+' };
    let offset = utc_offset_minutes.unsigned_abs();
    format!("{date} {clock} {sign}{:02}:{:02}", offset / 60, offset % 60)
}

/// RFC 3339, UTC, whole seconds.
pub fn utc_text(time: UnixMillis) -> String {
    let (date, clock) = parts(time, 0);
    format!("{date}T{clock}Z")
}

fn parts(time: UnixMillis, utc_offset_minutes: i32) -> (String, String) {
    let (year, month, day) = time.civil_date(utc_offset_minutes);
    let local_seconds = i128::from(time.seconds()) + i128::from(utc_offset_minutes) * 60;
    let second = local_seconds.rem_euclid(86_400);
    let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    (format!("{year:04}-{month:02}-{day:02}"), clock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::fixture::receipt;

    #[test]
    fn a_persons_document_and_the_account_are_masked_and_a_public_code_is_not() {
        let mut receipt = receipt();
        let shown = |receipt: &Receipt, name: &str| {
            let lines = Face::of(receipt, 480).lines;
            lines.into_iter().find(|line| line.name == name).unwrap().value
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
