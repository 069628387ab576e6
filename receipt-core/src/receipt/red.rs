//! Building a red receipt (冲红) from its original, and telling whether a draft is one.
//!
//! A red receipt copies its original's content with the sign of every amount and quantity turned: total, payments, items,
//! 清单, medical split, late penalty. It keeps the charging standards, and `other_info`, which nobody interprets. It has
//! its own number, date, `biz_code` and persons, links to the original, and says why. Its `supervisor_area_code` is the
//! unit's at its own issue, as its `unit_name` is: the original's, unless the unit has moved since.

use crate::ids::{Fen, ReceiptCode, ReceiptKey};
use crate::receipt::civil::CivilDate;
use crate::receipt::decimal::{Quantity, Yuan4};
use crate::receipt::ext::Ext;
use crate::receipt::layout::{position_name, to_values};
use crate::receipt::model::{Receipt, ReceiptDraft, Related, Reversal};

/// What a reversal decides anew; all else comes from the original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedRequest {
    /// The red receipt's code: the original's, or that of another year.
    pub receipt_code: ReceiptCode,
    /// The local date printed.
    pub issue_date: CivilDate,
    /// The reversal's own idempotency key.
    pub biz_code: String,
    /// 开票点.
    pub place_code: String,
    /// 开票人.
    pub handling_person: String,
    /// 复核人.
    pub checker: String,
    /// 备注; may be empty.
    pub remark: String,
    /// Why and by whom.
    pub reversal: Reversal,
}

/// Why there is no red receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedError {
    /// A red receipt can't be reversed.
    #[error("the original is itself a reversal")]
    OriginalIsRed,
    /// Region, category and kind must be the original's.
    #[error("the receipt code is not of the original's kind")]
    KindDiffers,
    /// An amount has no negative.
    #[error("an amount of the original is beyond the range")]
    AmountOutOfRange,
}

/// The draft that reverses `original`.
pub fn red_draft(original: &Receipt, request: &RedRequest) -> Result<ReceiptDraft, RedError> {
    if original.draft.is_red() {
        return Err(RedError::OriginalIsRed);
    }
    if request.receipt_code.get() / 100 != original.draft.receipt_code.get() / 100 {
        return Err(RedError::KindDiffers);
    }
    let mut red = original.draft.clone();
    negate(&mut red).ok_or(RedError::AmountOutOfRange)?;
    red.related = related(original.key(), &original.draft);
    red.receipt_code = request.receipt_code;
    red.specimen_code = specimen_code(&original.draft, request.receipt_code);
    red.issue_date = request.issue_date;
    red.biz_code.clone_from(&request.biz_code);
    red.place_code.clone_from(&request.place_code);
    red.handling_person.clone_from(&request.handling_person);
    red.checker.clone_from(&request.checker);
    red.remark.clone_from(&request.remark);
    red.reversal = Some(request.reversal.clone());
    Ok(red)
}

/// The name of the first field in which `red` is not the reversal of `original`; `None` if it is.
///
/// Fails if `original` cannot be reversed under the draft's own code.
pub fn first_difference(red: &ReceiptDraft, original: &Receipt) -> Result<Option<String>, RedError> {
    let Some(reversal) = &red.reversal else { return Ok(Some("reversal".to_owned())) };
    let mut expected = red_draft(
        original,
        &RedRequest {
            receipt_code: red.receipt_code,
            issue_date: red.issue_date,
            biz_code: red.biz_code.clone(),
            place_code: red.place_code.clone(),
            handling_person: red.handling_person.clone(),
            checker: red.checker.clone(),
            remark: red.remark.clone(),
            reversal: reversal.clone(),
        },
    )?;
    expected.supervisor_area_code.clone_from(&red.supervisor_area_code);
    if expected == *red {
        return Ok(None);
    }
    let values = |draft: &ReceiptDraft| to_values(&Receipt { issued: original.issued.clone(), draft: draft.clone() });
    let (Ok(given), Ok(wanted)) = (values(red), values(&expected)) else { return Ok(Some("ext".to_owned())) };
    let position = given.iter().zip(&wanted).position(|(given, wanted)| given != wanted).unwrap_or(wanted.len());
    let item_count = u32::try_from(expected.items.len()).unwrap_or(u32::MAX);
    let position = u32::try_from(position).unwrap_or(u32::MAX);
    Ok(Some(position_name(red.receipt_code.category(), item_count, position)))
}

fn related(key: ReceiptKey, original: &ReceiptDraft) -> Vec<Related> {
    let reversal_of = Related::ReversalOf { receipt_code: key.code, receipt_number: key.number };
    let covered = original.related.iter().filter(|related| matches!(related, Related::CoversPayCode { .. }));
    std::iter::once(reversal_of).chain(covered.cloned()).collect()
}

/// The original's template version under the red receipt's code.
fn specimen_code(original: &ReceiptDraft, code: ReceiptCode) -> String {
    match original.specimen_code.strip_prefix(&original.receipt_code.to_string()) {
        Some(version) => format!("{code}{version}"),
        None => original.specimen_code.clone(),
    }
}

/// Turns every sign; `None` if a number has no negative.
fn negate(draft: &mut ReceiptDraft) -> Option<()> {
    turn(&mut draft.total_amount)?;
    for payment in &mut draft.payments {
        turn(&mut payment.amount)?;
    }
    for item in &mut draft.items {
        turn(&mut item.amount)?;
        turn_optional(&mut item.quantity, Quantity::checked_neg)?;
        turn_optional(&mut item.rounding_adjustment, Yuan4::checked_neg)?;
    }
    for aux in &mut draft.aux_items {
        aux.amount = aux.amount.checked_neg()?;
        turn_optional(&mut aux.quantity, Quantity::checked_neg)?;
    }
    match &mut draft.ext {
        Ext::Medical { medical } => {
            for part in [&mut medical.fund_pay, &mut medical.other_pay, &mut medical.account_pay, &mut medical.own_pay]
            {
                turn(part)?;
            }
            let informative = [
                &mut medical.self_payment,
                &mut medical.self_cost,
                &mut medical.prepay,
                &mut medical.recharge,
                &mut medical.refund,
            ];
            for part in informative {
                turn_optional(part, Fen::checked_neg)?;
            }
        }
        Ext::PaymentBook { fine, .. } => turn_optional(&mut fine.late_penalty, Fen::checked_neg)?,
        _ => {}
    }
    Some(())
}

fn turn(amount: &mut Fen) -> Option<()> {
    *amount = amount.checked_neg()?;
    Some(())
}

fn turn_optional<T: Copy>(value: &mut Option<T>, negative: impl Fn(T) -> Option<T>) -> Option<()> {
    if let Some(value) = value {
        *value = negative(*value)?;
    }
    Some(())
}

#[cfg(test)]
mod tests;
