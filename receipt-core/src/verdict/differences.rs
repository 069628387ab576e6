//! Where a content says something else than the record that commits to it, or than the credential of the unit.

use crate::credential::UnitCredential;
use crate::receipt::civil::CivilDate;
use crate::receipt::model::Receipt;
use crate::record::ReceiptRecord;

/// A field of a content that says something else than its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Difference {
    /// Its name in the body's layout.
    pub field: &'static str,
    /// What differs, as a sentence.
    pub problem: &'static str,
}

/// The first field of a content that says something else than its record; `None` if none does.
pub fn differing_field(receipt: &Receipt, record: &ReceiptRecord, utc_offset_minutes: i32) -> Option<Difference> {
    differing_field_of(receipt, record, utc_offset_minutes, |_| true)
}

/// The same among the fields that are known.
pub(super) fn differing_field_of(
    receipt: &Receipt,
    record: &ReceiptRecord,
    utc_offset_minutes: i32,
    is_known: impl Fn(&str) -> bool,
) -> Option<Difference> {
    let date = CivilDate::at(record.issue_time, utc_offset_minutes);
    let (draft, issued) = (&receipt.draft, &receipt.issued);
    let same = [
        ("receipt_code", "receipt_code differs", draft.receipt_code == record.key.code),
        ("receipt_number", "receipt_number differs", issued.receipt_number == record.key.number),
        ("total_amount", "total_amount differs", draft.total_amount == record.total),
        ("issue_time", "issue_time differs", issued.issue_time == record.issue_time),
        ("issue_date", "issue_date is not the day of issue_time", date.is_ok_and(|date| draft.issue_date == date)),
        ("related", "the reversed original differs", draft.reversal_of() == record.reverses),
        ("reversal", "a reversal is stated on one side only", draft.is_red() == record.reverses.is_some()),
    ];
    let differs = same.into_iter().find(|(field, _, same)| !same && is_known(field));
    differs.map(|(field, problem, _)| Difference { field, problem })
}

/// The first field of a content that says something else of the unit than its credential.
pub(super) fn differing_unit_field(receipt: &Receipt, credential: &UnitCredential) -> Option<&'static str> {
    let same = [
        ("unit_code", receipt.draft.unit_code == credential.unit_code),
        ("unit_name", receipt.issued.unit_name == credential.unit_name),
        ("supervisor_area_code", receipt.draft.supervisor_area_code == credential.supervisor_area_code),
    ];
    same.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
}
