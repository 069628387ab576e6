//! A valid out-patient receipt for the tests of this module.

use crate::ids::{ReceiptNumber, UnixMillis};
use crate::receipt::disclosure::Seed;
use crate::receipt::model::{CheckCode, Issued, Receipt, ReceiptDraft};

const DRAFT: &str = r#"{
  "receipt_code": "99060126", "receipt_name": "示例省医疗门诊收费票据（电子）", "specimen_code": "9906012601",
  "supervisor_area_code": "990300", "unit_code": "129903004000000181", "issue_date": "2026-11-02",
  "biz_code": "MZ20261102000917", "place_code": "MZ-03", "total_amount": "121.00",
  "payer_type": "individual", "payer_id_type": "resident", "payer_code": "990305********0012", "payer_name": "林某某",
  "payments": [
    {"mode": "medical_insurance", "amount": "101.00", "channel_reference": "YB1"},
    {"mode": "wechat", "amount": "20.00"}],
  "handling_person": "何某", "checker": "吴某",
  "other_info": [{"no": 1, "name": "居民大病保险资金支出", "value": "1.00"}],
  "ext": {"medical": {"medical": {"gender": "女", "medical_date": "2026-11-02",
    "fund_pay": "81.00", "account_pay": "20.00", "own_pay": "20.00"}}},
  "items": [
    {"item_code": "0602", "item_name": "诊察费", "unit": "项", "quantity": "1", "standard": "25.00", "amount": "25.00"},
    {"item_code": "0604", "item_name": "化验费", "quantity": "1.5", "standard": "64.00", "amount": "96.00"}],
  "aux_items": [
    {"related_item_code": "0604", "item_name": "血细胞分析", "quantity": "3", "standard": "32", "amount": "96.0049"}]
}"#;

/// The draft.
pub(crate) fn draft() -> ReceiptDraft {
    serde_json::from_str(DRAFT).unwrap()
}

/// Issued on its day at 08:21:37 +08:00.
pub(crate) fn receipt() -> Receipt {
    issue(draft(), 1023)
}

/// Any draft, issued in the morning of 2026-11-02.
pub(crate) fn issue(draft: ReceiptDraft, number: u64) -> Receipt {
    let issued = Issued {
        receipt_number: ReceiptNumber::new(number).unwrap(),
        check_code: CheckCode::parse("7c41a9").unwrap(),
        issue_time: UnixMillis::new(1_793_578_897_000),
        unit_name: "示例市第一人民医院".to_owned(),
    };
    Receipt { issued, draft }
}

/// A seed.
pub(crate) fn seed() -> Seed {
    Seed::new([7; 32])
}
