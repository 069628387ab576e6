//! What a receipt says about days: nothing that it reports has happened after the day it is issued on, and what follows one
//! another does so. Days far back pass: bills are settled late.
//!
//! Judged on blue receipts; a red one copies its original. `issue_date` itself: V04, V05 in `form`.

use super::{Findings, RuleId};
use crate::ids::UnixMillis;
use crate::receipt::civil::CivilDate;
use crate::receipt::ext::{Ext, FineExt, MedicalExt};
use crate::receipt::model::ReceiptDraft;

/// Days ahead for which out-patient care is paid when it is booked.
const BOOKED_AHEAD_DAYS_MAX: i64 = 31;
/// Days by which an in-patient settles before the discharge: over a weekend with a holiday.
const SETTLED_AHEAD_DAYS_MAX: i64 = 3;
/// Days that a deadline may lie ahead: ten years.
const DEADLINE_DAYS_MAX: i64 = 3660;
/// 2000-01-01: a confirmation before it is one in seconds instead of milliseconds, or none.
const CONFIRMED_FROM: UnixMillis = UnixMillis::new(946_684_800_000);

/// The days of a draft's extension, against its own day of issue.
pub(super) fn check(draft: &ReceiptDraft, findings: &mut Findings) {
    if draft.is_red() {
        return;
    }
    let today = draft.issue_date;
    match &draft.ext {
        Ext::Medical { medical } => check_medical(medical, today, findings),
        Ext::PaymentBook { fine, .. } => check_fine(fine, today, findings),
        Ext::Donation { donation } => not_after("donation.donation_date", donation.donation_date, (today, 0), findings),
        Ext::Dues { dues } => {
            let period = dues.membership_period.as_str();
            if !period.is_empty() && !is_span(period) {
                let problem = "must look like 2027-01-01/2027-12-31, the earlier day first";
                findings.invalid(RuleId::Form, "dues.membership_period", problem);
            }
        }
        Ext::SocialInsurance { social_insurance, .. } => {
            let period = social_insurance.period.as_str();
            if !period.is_empty() && CivilDate::parse(&format!("{period}-01")).is_err() {
                findings.invalid(RuleId::Form, "social_insurance.period", "must look like 2026-10");
            }
        }
        _ => {}
    }
}

/// When bank or treasury confirmed a payment: not after the day of issue, in the chain's time zone.
pub(super) fn check_confirmed(draft: &ReceiptDraft, utc_offset_minutes: i32, findings: &mut Findings) {
    let Some(time) = draft.ext.non_tax().and_then(|non_tax| non_tax.confirm_time) else { return };
    if draft.is_red() {
        return;
    }
    let field = "non_tax.confirm_time";
    if time < CONFIRMED_FROM {
        findings.invalid(RuleId::Form, field, "lies before 2000: it is in milliseconds since 1970-01-01 UTC");
    }
    if CivilDate::at(time, utc_offset_minutes).map_or(true, |day| day > draft.issue_date) {
        findings.invalid(RuleId::Form, field, "lies after the day of issue");
    }
}

fn check_medical(medical: &MedicalExt, today: CivilDate, findings: &mut Findings) {
    not_after("medical.medical_date", medical.medical_date, (today, BOOKED_AHEAD_DAYS_MAX), findings);
    not_after("medical.in_hospital_date", medical.in_hospital_date, (today, 0), findings);
    not_after("medical.out_hospital_date", medical.out_hospital_date, (today, SETTLED_AHEAD_DAYS_MAX), findings);
    let (Some(admitted), Some(discharged)) = (medical.in_hospital_date, medical.out_hospital_date) else { return };
    if discharged < admitted {
        findings.invalid(RuleId::Form, "medical.out_hospital_date", "is before in_hospital_date");
    } else if medical.hospital_days.is_some_and(|days| i64::from(days) > days_between(admitted, discharged) + 1) {
        findings.invalid(RuleId::Form, "medical.hospital_days", "is more than the days from admission to discharge");
    }
}

fn check_fine(fine: &FineExt, today: CivilDate, findings: &mut Findings) {
    not_after("fine.penalty_decision_date", fine.penalty_decision_date, (today, 0), findings);
    not_after("fine.pay_deadline", fine.pay_deadline, (today, DEADLINE_DAYS_MAX), findings);
    if let (Some(decided), Some(deadline)) = (fine.penalty_decision_date, fine.pay_deadline)
        && deadline < decided
    {
        findings.invalid(RuleId::Form, "fine.pay_deadline", "is before penalty_decision_date");
    }
}

fn not_after(field: &str, date: Option<CivilDate>, (today, ahead_days): (CivilDate, i64), findings: &mut Findings) {
    if date.is_some_and(|date| days_between(today, date) > ahead_days) {
        let message = match ahead_days {
            0 => "lies after the day of issue".to_owned(),
            days => format!("lies more than {days} days after the day of issue"),
        };
        findings.invalid(RuleId::Form, field, message);
    }
}

fn days_between(from: CivilDate, to: CivilDate) -> i64 {
    to.epoch_days() - from.epoch_days()
}

/// Two days, the earlier first.
fn is_span(text: &str) -> bool {
    let Some((from, to)) = text.split_once('/') else { return false };
    matches!((CivilDate::parse(from), CivilDate::parse(to)), (Ok(from), Ok(to)) if from <= to)
}
