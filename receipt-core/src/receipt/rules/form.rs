//! Forms, dates, kinds, counts and sizes: V01, V04, V05, V13 and the limits.

use super::{Catalogue, Findings, OFFLINE_AGE_MS_MAX, OTHER_INFO_MAX, PAYMENTS_MAX, RELATED_MAX, RuleContext, RuleId};
use crate::limits::{AUX_ITEMS_MAX, ITEMS_MAX, RECEIPT_BYTES_MAX};
use crate::reason::Reason;
use crate::receipt::civil::CivilDate;
use crate::receipt::field::to_json;
use crate::receipt::model::ReceiptDraft;

/// Up to this many rows, texts within their own limits keep a body below half of [`RECEIPT_BYTES_MAX`].
const ROWS_SURELY_SMALL: usize = 150;

pub(super) fn check_limits(draft: &ReceiptDraft, findings: &mut Findings) {
    for (field, count, count_max) in [
        ("items", draft.items.len(), ITEMS_MAX),
        ("aux_items", draft.aux_items.len(), AUX_ITEMS_MAX),
        ("payments", draft.payments.len(), PAYMENTS_MAX),
        ("related", draft.related.len(), RELATED_MAX),
        ("other_info", draft.other_info.len(), OTHER_INFO_MAX),
    ] {
        if count > count_max {
            findings.invalid(RuleId::Limit, field, format!("has {count} entries, at most {count_max} are allowed"));
        }
    }
    for (field, count) in [("items", draft.items.len()), ("payments", draft.payments.len())] {
        if count == 0 {
            findings.invalid(RuleId::Form, field, "needs at least one entry");
        }
    }
    if draft.items.len() + draft.aux_items.len() > ROWS_SURELY_SMALL {
        // Salts and positions take 20 bytes a row; 64 KiB are kept for the header.
        let rows = draft.items.iter().map(to_json).chain(draft.aux_items.iter().map(to_json));
        let bytes = rows.map(|row| row.len() + 20).sum::<usize>() + 64 * 1024;
        if bytes > RECEIPT_BYTES_MAX {
            findings.invalid(RuleId::Limit, "aux_items", format!("the receipt would exceed {RECEIPT_BYTES_MAX} bytes"));
        }
    }
}

pub(super) fn check_codes(draft: &ReceiptDraft, findings: &mut Findings) {
    if !draft.ext.fits(draft.receipt_code.category()) {
        findings.invalid(RuleId::Form, "ext", "is not the extension of the receipt code's category");
    }
    if !is_digits(&draft.supervisor_area_code, 6) {
        findings.invalid(RuleId::Form, "supervisor_area_code", "must be exactly 6 digits");
    }
    let version = draft.specimen_code.strip_prefix(&draft.receipt_code.to_string());
    if !version.is_some_and(|version| is_digits(version, 2)) {
        findings.invalid(RuleId::Form, "specimen_code", "must be the receipt code and a 2-digit version");
    }
    let pay_codes = draft.pay_codes();
    for (index, pay_code) in pay_codes.iter().enumerate() {
        if !is_digits(pay_code, 20) {
            findings.invalid(RuleId::Form, "pay_code", "must be exactly 20 digits");
        }
        if pay_codes[..index].contains(pay_code) {
            findings.invalid(RuleId::Form, "pay_code", "the same pay code is covered twice");
        }
    }
}

/// V01: the kind is registered, and the title on the face is the kind's. A red receipt bears its original's title, which may
/// have been renamed since.
pub(super) fn check_kind(draft: &ReceiptDraft, catalogue: &dyn Catalogue, findings: &mut Findings) {
    if !catalogue.kind_is_registered(draft.receipt_code) {
        let message = format!("kind {} is not registered", draft.receipt_code);
        findings.add(RuleId::V01, Reason::KindNotAllowed, "receipt_code", message);
        return;
    }
    let title = catalogue.title(draft.receipt_code).filter(|title| !title.is_empty());
    if let Some(title) =
        title.filter(|title| !draft.is_red() && !draft.receipt_name.is_empty() && *title != draft.receipt_name)
    {
        findings.invalid(RuleId::V01, "receipt_name", format!("is not {title}, the registered title of this kind"));
    }
}

/// V13: each item is attached to unit and kind, and bears the name that it is attached with. A red receipt copies its
/// original's items, which may have been detached since.
pub(super) fn check_items_attached(draft: &ReceiptDraft, catalogue: &dyn Catalogue, findings: &mut Findings) {
    if draft.is_red() {
        return;
    }
    for (index, item) in draft.items.iter().enumerate() {
        if !catalogue.item_is_attached(&draft.unit_code, draft.receipt_code, &item.item_code) {
            let message = format!("item is not attached to the unit and kind {}", draft.receipt_code);
            findings.add(RuleId::V13, Reason::ItemNotAllowed, format!("items[{index}].item_code"), message);
            continue;
        }
        let name = catalogue.item_name(&draft.unit_code, draft.receipt_code, &item.item_code);
        if let Some(name) =
            name.filter(|name| !name.is_empty() && !item.item_name.is_empty() && !bears_name(&item.item_name, name))
        {
            let message =
                format!("is not {name}, the registered name of this item; an addition stands in （） behind it");
            findings.add(RuleId::V13, Reason::ItemNotAllowed, format!("items[{index}].item_name"), message);
        }
    }
}

/// The registered name, or it with an addition in brackets: 理事单位会费（2027年度）.
fn bears_name(given: &str, registered: &str) -> bool {
    given.strip_prefix(registered).is_some_and(|rest| {
        let bracketed = |open: char, close: char| rest.starts_with(open) && rest.ends_with(close);
        rest.is_empty() || bracketed('（', '）') || bracketed('(', ')')
    })
}

pub(super) fn check_dates(draft: &ReceiptDraft, context: &RuleContext<'_>, findings: &mut Findings) {
    let issue_time = context.offline_issue_time.unwrap_or(context.now);
    if issue_time > context.now {
        findings.add(RuleId::V05, Reason::TimeInvalid, "offline_issue_time", "lies in the future");
    } else if context.now.since(issue_time) > OFFLINE_AGE_MS_MAX {
        findings.add(RuleId::V05, Reason::OfflineExpired, "offline_issue_time", "is more than 24 hours ago");
    }
    match CivilDate::at(issue_time, context.utc_offset_minutes) {
        Ok(date) if date == draft.issue_date => {}
        Ok(date) => {
            let message = format!("is {}, but the day of issue is {date}", draft.issue_date);
            findings.add(RuleId::V05, Reason::DateOutOfRange, "issue_date", message);
        }
        Err(error) => findings.add(RuleId::V05, Reason::TimeInvalid, "issue_date", error.to_string()),
    }
    let year = i64::from(draft.issue_date.year());
    let code_year = i64::from(draft.receipt_code.year());
    let in_grace = draft.issue_date.day_of_year() <= context.new_year_grace_days;
    if code_year != year % 100 && !(in_grace && code_year == (year - 1) % 100) {
        let message = format!("year digits {code_year:02} do not fit a day of issue in {year}");
        findings.add(RuleId::V04, Reason::DateOutOfRange, "receipt_code", message);
    }
}

pub(super) fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}
