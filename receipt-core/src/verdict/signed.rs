//! What the unit put its name to, as far as record and credential say it: what must be the same on a paper.

use crate::credential::UnitCredential;
use crate::ids::{Fen, ReceiptKey, UnixMillis};
use crate::receipt::civil::CivilDate;
use crate::receipt::words::amount_in_words;
use crate::record::ReceiptRecord;

/// What was signed, known once the unit's signature holds. Nothing of it is the content's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// 开票单位, by its credential.
    pub unit_name: String,
    /// 统一社会信用代码, by its credential.
    pub unit_code: String,
    /// 票据代码 and 票据号码.
    pub key: ReceiptKey,
    /// 开票日期 where the chain is; `None` for a time that no calendar has.
    pub issue_date: Option<CivilDate>,
    /// 金额合计.
    pub total: Fen,
    /// The receipt that this red one reverses.
    pub reverses: Option<ReceiptKey>,
    /// The time by which it was to be anchored.
    pub seal_by: UnixMillis,
}

impl Signed {
    pub(super) fn of(record: &ReceiptRecord, unit: &UnitCredential, utc_offset_minutes: i32) -> Self {
        Self {
            unit_name: unit.unit_name.clone(),
            unit_code: unit.unit_code.clone(),
            key: record.key,
            issue_date: CivilDate::at(record.issue_time, utc_offset_minutes).ok(),
            total: record.total,
            reverses: record.reverses,
            seal_by: record.seal_by,
        }
    }

    /// What to compare with a paper, by the names of the fields, in the order of the face.
    pub fn to_compare(&self) -> Vec<(&'static str, String)> {
        let date = self.issue_date.map(|date| ("issue_date", date.to_string()));
        let before = [
            ("unit_name", self.unit_name.clone()),
            ("unit_code", self.unit_code.clone()),
            ("receipt_code", self.key.code.to_string()),
            ("receipt_number", self.key.number.to_string()),
        ];
        let amounts = [("total_amount", self.total.to_string()), ("total_in_words", amount_in_words(self.total))];
        before.into_iter().chain(date).chain(amounts).collect()
    }
}
