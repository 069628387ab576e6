//! Carries the mapping out: official JSON in, values by position out, and those read as a receipt.

use std::fmt::Display;

use serde_json::{Map, Value, json};

use super::mapping::{Target, target};
use super::{RunParams, SampleError};
use crate::hash::sha256;
use crate::ids::{Fen, IdError, ReceiptCode};
use crate::receipt::civil::CivilDate;
use crate::receipt::ext::Ext;
use crate::receipt::field::Field;
use crate::receipt::idcheck::resident_id_check_digit;
use crate::receipt::layout::{field_position, from_values, row_start};
use crate::receipt::model::{
    AuxItem, Item, OtherInfo, Payment, PaymentMode, ReceiptDraft, Related, Reversal, ReversalReason,
};
use crate::receipt::red::{RedRequest, red_draft};
use crate::receipt::words::amount_in_words;

type Object = Map<String, Value>;

/// Payment words of the samples, and the modes that they mean.
const PAY_MODES: &[(&str, &[PaymentMode])] = &[
    ("医保+微信", &[PaymentMode::MedicalInsurance, PaymentMode::Wechat]),
    ("医保+预交金", &[PaymentMode::MedicalInsurance, PaymentMode::Prepayment]),
    ("支付宝", &[PaymentMode::Alipay]),
    ("银联在线", &[PaymentMode::Unionpay]),
    ("银行代扣", &[PaymentMode::Withholding]),
    ("微信", &[PaymentMode::Wechat]),
    ("转账", &[PaymentMode::Transfer]),
    ("实物", &[PaymentMode::InKind]),
];

/// Refuses a sample with a field that the table does not know.
pub(super) fn check_all_mapped(sample_id: &str, sample: &Object) -> Result<(), SampleError> {
    let paths = leaf_paths(sample);
    match paths.iter().find(|(path, _)| target(path).is_none()) {
        None => Ok(()),
        Some((path, _)) => Err(SampleError::Unmapped { sample: sample_id.to_owned(), path: path.clone() }),
    }
}

/// Every scalar of a sample with its official path.
pub(super) fn leaf_paths(sample: &Object) -> Vec<(String, &Value)> {
    fn walk<'a>(path: &str, value: &'a Value, out: &mut Vec<(String, &'a Value)>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(&path, value, out);
                }
            }
            Value::Array(entries) => entries.iter().for_each(|entry| walk(&format!("{path}[]"), entry, out)),
            scalar => out.push((path.to_owned(), scalar)),
        }
    }
    let mut paths = Vec::new();
    for (name, value) in sample {
        walk(name, value, &mut paths);
    }
    paths
}

/// A text at the top level.
pub(super) fn text(sample_id: &str, sample: &Object, path: &str) -> Result<String, SampleError> {
    sample.get(path).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| SampleError::Value {
        sample: sample_id.to_owned(),
        path: path.to_owned(),
        problem: "must be a text".to_owned(),
    })
}

/// The draft of a sample under a run's parameters.
pub(super) fn draft(sample_id: &str, sample: &Object, params: &RunParams<'_>) -> Result<ReceiptDraft, SampleError> {
    Template { sample_id, sample, params }.draft()
}

struct Template<'a> {
    sample_id: &'a str,
    sample: &'a Object,
    params: &'a RunParams<'a>,
}

/// Values by position, filled by name.
struct Values {
    category: u32,
    values: Vec<String>,
}

impl Template<'_> {
    fn draft(&self) -> Result<ReceiptDraft, SampleError> {
        let code = self.receipt_code()?;
        if self.string("related.relation").as_deref() == Some("reversal_of") {
            return self.reversal(code);
        }
        let mut values = Values { category: code.category(), values: vec![String::new(); row_start(code.category())] };
        self.preset(&mut values)?;
        for (path, value) in leaf_paths(self.sample) {
            let text = scalar(value);
            match target(&path) {
                Some(Target::Carry(name)) => self.set(&mut values, name, text)?,
                Some(Target::Shift(name)) => self.set(&mut values, name, self.shifted(&path, &text)?)?,
                Some(Target::Unique(name)) => self.set(&mut values, name, self.unique(&path, &text))?,
                _ => {}
            }
        }
        self.renew(&mut values, code)?;
        let receipt = from_values(&values.values).map_err(|error| self.error("values", error))?;
        let mut draft = receipt.draft;
        draft.payments = self.payments(&draft)?;
        draft.related = self.related()?;
        draft.other_info = self.other_info()?;
        self.check(&draft)?;
        Ok(draft)
    }

    /// What must not be empty to read, and stands in no sample.
    fn preset(&self, values: &mut Values) -> Result<(), SampleError> {
        for (name, value) in [("receipt_number", "0000000000"), ("check_code", "000000"), ("issue_time", "0")] {
            self.set(values, name, value.to_owned())?;
        }
        for (name, value) in [
            ("medical.fund_pay", "0.00"),
            ("medical.other_pay", "0.00"),
            ("medical.account_pay", "0.00"),
            ("medical.own_pay", "0.00"),
            ("donation.restricted_use", "false"),
            ("donation.anonymous", "false"),
        ] {
            if field_position(values.category, name).is_some() {
                self.set(values, name, value.to_owned())?;
            }
        }
        Ok(())
    }

    /// What the run sets afresh, and the rows.
    fn renew(&self, values: &mut Values, code: ReceiptCode) -> Result<(), SampleError> {
        let items = self.items()?;
        let aux_items = self.aux_items()?;
        let specimen = text(self.sample_id, self.sample, "e_invoice_specimen_code")?;
        let version = specimen.get(8..).unwrap_or_default();
        let (payer_type, payer_id_type, payer_code) = self.payer()?;
        for (name, value) in [
            ("receipt_code", code.to_string()),
            ("specimen_code", format!("{code}{version}")),
            ("issue_date", self.params.date.to_string()),
            ("biz_code", self.biz_code(self.sample_id)),
            ("payer_type", payer_type.to_owned()),
            ("payer_id_type", payer_id_type.to_owned()),
            ("payer_code", payer_code),
            ("item_count", items.len().to_string()),
            ("aux_count", aux_items.len().to_string()),
        ] {
            self.set(values, name, value)?;
        }
        if let Some(time) = self.string("main_ext.confirm_time") {
            let second = second_of_day(&time).ok_or_else(|| self.error("main_ext.confirm_time", "not a time"))?;
            let instant = self.params.date.at_seconds(second, self.params.utc_offset_minutes);
            self.set(values, "non_tax.confirm_time", instant.to_field())?;
        }
        if self.string("main_ext.medical_insurance_id").is_some() {
            self.set(values, "medical.settlement_number", format!("JS{}", self.digits("settlement", 16)))?;
        }
        values.values.extend(items.iter().map(crate::receipt::field::to_json));
        values.values.extend(aux_items.iter().map(crate::receipt::field::to_json));
        Ok(())
    }

    /// S13: comes from reversing the receipt that was issued from S01.
    fn reversal(&self, code: ReceiptCode) -> Result<ReceiptDraft, SampleError> {
        let original = self.params.original.ok_or_else(|| self.needs_original())?;
        let field = |path: &str| text(self.sample_id, self.sample, path);
        let request = RedRequest {
            receipt_code: code,
            issue_date: self.params.date,
            biz_code: self.biz_code(self.sample_id),
            place_code: field("place_code")?,
            handling_person: field("handling_person")?,
            checker: field("checker")?,
            remark: String::new(),
            reversal: Reversal {
                reason: ReversalReason::PartialRefund,
                text: self.string("state.reversal_reason").unwrap_or_default(),
                operator: self.string("state.reversal_operator").unwrap_or_default(),
                refund_reference: format!("TF{}", self.digits("refund", 16)),
                reissue_biz_code: self.biz_code("S14"),
            },
        };
        red_draft(original, &request).map_err(|error| self.error("related", error))
    }

    fn related(&self) -> Result<Vec<Related>, SampleError> {
        if self.string("related.relation").is_none() {
            return Ok(Vec::new());
        }
        let key = self.params.original.ok_or_else(|| self.needs_original())?.key();
        Ok(vec![Related::ReissueAfterPartialRefund { receipt_code: key.code, receipt_number: key.number }])
    }

    fn needs_original(&self) -> SampleError {
        SampleError::NeedsOriginal { sample: self.sample_id.to_owned(), original: "S01" }
    }

    fn items(&self) -> Result<Vec<Item>, SampleError> {
        self.rows("items").into_iter().map(|row| self.read_row(row)).collect()
    }

    fn aux_items(&self) -> Result<Vec<AuxItem>, SampleError> {
        self.rows("aux_items").into_iter().map(|row| self.read_row(row)).collect()
    }

    /// The rows of a list under our names.
    fn rows(&self, list: &str) -> Vec<Object> {
        let Some(Value::Array(rows)) = self.value(list) else { return Vec::new() };
        let path = |name: &str| target(&format!("{list}[].{name}"));
        let renamed = |row: &Value| -> Object {
            let fields = row.as_object().into_iter().flatten();
            fields
                .filter_map(|(name, value)| match path(name) {
                    Some(Target::Row(ours)) => Some((ours.to_owned(), value.clone())),
                    _ => None,
                })
                .collect()
        };
        rows.iter().map(renamed).collect()
    }

    fn read_row<T: serde::de::DeserializeOwned>(&self, row: Object) -> Result<T, SampleError> {
        serde_json::from_value(Value::Object(row)).map_err(|error| self.error("rows", error))
    }

    fn other_info(&self) -> Result<Vec<OtherInfo>, SampleError> {
        let mut rows = self.rows("main_ext.other_info");
        for (path, value) in leaf_paths(self.sample) {
            if let Some(Target::OtherInfo(name)) = target(&path) {
                let row = json!({"no": rows.len() + 1, "name": name, "value": value});
                rows.extend(row.as_object().cloned());
            }
        }
        rows.into_iter().map(|row| self.read_row(row)).collect()
    }

    /// One payment of the total or, for "医保+…", what insurance pays and what the patient pays.
    fn payments(&self, draft: &ReceiptDraft) -> Result<Vec<Payment>, SampleError> {
        let words = text(self.sample_id, self.sample, "pay_mode")?;
        let modes = PAY_MODES.iter().find(|(known, _)| *known == words);
        let (_, modes) = modes.ok_or_else(|| self.error("pay_mode", "unknown"))?;
        let amounts = match (&draft.ext, modes) {
            (_, [_]) => vec![draft.total_amount],
            (Ext::Medical { medical }, [_, _]) => {
                let insurance = medical.fund_pay.checked_add(medical.other_pay);
                let insurance = insurance.and_then(|sum| sum.checked_add(medical.account_pay));
                vec![insurance.ok_or_else(|| self.error("pay_mode", "overflow"))?, medical.own_pay]
            }
            _ => return Err(self.error("pay_mode", "no rule for splitting it")),
        };
        let payment = |(mode, amount): (&PaymentMode, Fen)| Payment {
            mode: *mode,
            amount,
            channel_reference: match mode {
                PaymentMode::Cash | PaymentMode::InKind => String::new(),
                _ => format!("{}-{}", mode, self.digits(mode.as_str(), 16)),
            },
        };
        Ok(modes.iter().zip(amounts).map(payment).collect())
    }

    fn payer(&self) -> Result<(&'static str, &'static str, String), SampleError> {
        let code = self.string("payer_party_code");
        match (self.value("payer_party_type").and_then(Value::as_u64), code) {
            (Some(1), None) => Ok(("individual", "unidentified", String::new())),
            (Some(1), Some(masked)) => Ok(("individual", "resident", self.unmasked(&masked)?)),
            (Some(2), Some(code)) => Ok(("organisation", "uscc", code)),
            _ => Err(self.error("payer_party_type", "must be 1, or 2 with a code")),
        }
    }

    /// A valid resident ID that is shown as the masked one: a birthday is found for which its last digit is right.
    fn unmasked(&self, masked: &str) -> Result<String, SampleError> {
        let error = || self.error("payer_party_code", "must look like 990305********0012");
        let (area, sequence, check) = match (masked.get(..6), masked.get(6..14), masked.get(14..17), masked.get(17..)) {
            (Some(area), Some("********"), Some(sequence), Some(check)) => (area, sequence, check),
            _ => return Err(error()),
        };
        let first = CivilDate::new(1980, 1, 1).map_err(|error| self.error("payer_party_code", error))?;
        let start = self.number("birthday", 10_000);
        (0..100)
            .find_map(|days| {
                let birthday = first.plus_days(start + days).ok()?.to_string().replace('-', "");
                let first_17 = format!("{area}{birthday}{sequence}");
                let digit = resident_id_check_digit(&first_17)?;
                check.chars().eq([digit]).then(|| format!("{first_17}{digit}"))
            })
            .ok_or_else(error)
    }

    fn receipt_code(&self) -> Result<ReceiptCode, SampleError> {
        let code = ReceiptCode::parse(&text(self.sample_id, self.sample, "e_invoice_code")?);
        let code = code.map_err(|error| self.error("e_invoice_code", error))?;
        ReceiptCode::new(code.get() / 100 * 100 + self.params.year_digits % 100)
            .map_err(|error| self.error("e_invoice_code", error))
    }

    fn biz_code(&self, sample_id: &str) -> String {
        format!("{}{sample_id}-{:08}", self.params.biz_prefix, self.params.serial)
    }

    fn shifted(&self, path: &str, date: &str) -> Result<String, SampleError> {
        let error = |error: IdError| self.error(path, error);
        let issued = CivilDate::parse(&text(self.sample_id, self.sample, "issue_date")?).map_err(error)?;
        let days = self.params.date.epoch_days() - issued.epoch_days();
        let shifted = CivilDate::parse(date).and_then(|date| date.plus_days(days)).map_err(error)?;
        Ok(shifted.to_string())
    }

    fn unique(&self, path: &str, digits: &str) -> String {
        let (head, tail) = digits.split_at_checked(6).unwrap_or((digits, ""));
        format!("{head}{}", self.digits(path, tail.len()))
    }

    /// Decimal digits that differ for each prefix, sample, serial and label.
    fn digits(&self, label: &str, count: usize) -> String {
        let seed = format!("{}\n{}\n{}\n{label}", self.params.biz_prefix, self.sample_id, self.params.serial);
        sha256(&[seed.as_bytes()]).as_bytes().iter().take(count).map(|byte| char::from(b'0' + byte % 10)).collect()
    }

    fn number(&self, label: &str, bound: i64) -> i64 {
        self.digits(label, 9).parse::<i64>().unwrap_or(0) % bound
    }

    /// What is compared, not carried.
    fn check(&self, draft: &ReceiptDraft) -> Result<(), SampleError> {
        let capital = amount_in_words(draft.total_amount);
        for (path, expected) in [("total_amount_capital", capital.as_str()), ("currency_type", "CNY")] {
            if text(self.sample_id, self.sample, path)? != expected {
                return Err(self.error(path, format!("is not {expected}")));
            }
        }
        Ok(())
    }

    fn set(&self, values: &mut Values, name: &str, value: String) -> Result<(), SampleError> {
        let position = field_position(values.category, name);
        let position = position.ok_or_else(|| self.error(name, "the category has no such field"))? as usize;
        values.values[position] = value;
        Ok(())
    }

    fn value(&self, path: &str) -> Option<&Value> {
        let mut steps = path.split('.');
        let first = self.sample.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    }

    fn string(&self, path: &str) -> Option<String> {
        self.value(path)?.as_str().map(str::to_owned)
    }

    fn error(&self, path: &str, problem: impl Display) -> SampleError {
        SampleError::Value { sample: self.sample_id.to_owned(), path: path.to_owned(), problem: problem.to_string() }
    }
}

/// A scalar as text; null is absent.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Seconds of `HH:MM:SS`.
fn second_of_day(time: &str) -> Option<u32> {
    let mut parts = time.split(':').map(|part| part.parse::<u32>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    (hours < 24 && minutes < 60 && seconds < 60).then_some(hours * 3600 + minutes * 60 + seconds)
}
