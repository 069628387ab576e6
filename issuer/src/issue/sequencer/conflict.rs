//! What speaks against a draft that keeps all rules by itself: another receipt of the same payment, decision or original.
//!
//! Of payments, decisions and reversals this is a first answer; the ledger judges them for good. That a re-issue stands for a
//! reversed original (V20) is judged here alone: no record shows it.

use receipt_core::blind::UniquenessKey;
use receipt_core::ids::{ReceiptKey, UnitId, UnixMillis};
use receipt_core::reason::Reason;
use receipt_core::record::SignedRecord;
use tallystick_proto::errors::{Action, CallReason, Place, Refusal, Stands};

use super::{Group, GroupReceipt};
use crate::fate::{is_refused, live_reversal, reversed_by};
use crate::holder::{Asker, Holder};
use crate::issue::Prepared;
use crate::journal::{BareFrom, Journal, JournalError, ReceiptReads as _, rows_against};

/// Receipts without a body looked at together.
const BARE_PAGE: usize = 1_000;
/// So many of them are looked at for one group, in the order of their issue, from the reversal on. After the loss of a whole journal all receipts
/// of a unit are of this kind, and everybody waits for the one thread that looks.
const BARE_LOOKED_AT_MAX: usize = 10_000;
/// What one costs whose fate has to be read, too.
const FATE_COST: usize = 10;

/// Early word on what the ledger would refuse: a payment or decision with a live receipt, an original already reversed.
/// Names the receipt that stands, as far as the caller may see it.
pub(super) fn conflict(
    journal: &Journal,
    asker: Asker<'_>,
    group: &mut Group,
    draft: &Prepared,
) -> Result<Option<Refusal>, JournalError> {
    if let Some(original) = draft.reverses {
        return Ok(reversed(journal, group, original)?.map(already_reversed));
    }
    if let Some(original) = draft.reissues {
        if let Some(refusal) = reissue_conflict(journal, asker, group, original)? {
            return Ok(Some(refusal));
        }
        if may_be_reissued(journal, group, draft.unit.id, original)? {
            group.waiting_reissue = Some(original);
            return Ok(Some(not_handed_back(original)));
        }
    }
    payment_conflict(journal, asker, group, (draft.unit.id, &draft.uniqueness))
}

/// The red receipt that reverses an original, or tries to. One that the ledger refused reverses nothing.
pub(super) fn reversed(
    journal: &Journal,
    group: &Group,
    original: ReceiptKey,
) -> Result<Option<ReceiptKey>, JournalError> {
    match group.reversals.get(&original) {
        Some(red) => Ok(Some(*red)),
        None => live_reversal(journal, original),
    }
}

/// Whether a payment or decision has a live receipt.
pub(super) fn payment_conflict(
    journal: &Journal,
    asker: Asker<'_>,
    group: &Group,
    (unit, keys): (UnitId, &[UniquenessKey]),
) -> Result<Option<Refusal>, JournalError> {
    for unique in keys {
        let holder = match group.receipted(unit, *unique) {
            Some(holder) => Some(holder),
            None if group.absent.has_all(&rows_against(unit, *unique)) => None,
            None => match journal.receipted(unit, *unique)? {
                // The holder is reversed or refused, but its row could not be read at that time, so its payment was not freed.
                Some(dead) if is_dead(journal, dead)? => None,
                holder => holder,
            },
        };
        if let Some(holder) = holder {
            return named(journal, asker, group, Refusal::new(unique.kind.reason_if_held()), holder).map(Some);
        }
    }
    Ok(None)
}

/// `BIZ_CODE_CONFLICT`, naming the receipt that has the biz code.
pub(super) fn biz_code_conflict(
    journal: &Journal,
    asker: Asker<'_>,
    group: &Group,
    holder: ReceiptKey,
) -> Result<Refusal, JournalError> {
    named(journal, asker, group, Refusal::new(Reason::BizCodeConflict), holder)
}

/// One of the group is not in the journal yet.
pub(super) fn named(
    journal: &Journal,
    asker: Asker<'_>,
    group: &Group,
    refusal: Refusal,
    holder: ReceiptKey,
) -> Result<Refusal, JournalError> {
    let Some(GroupReceipt { unit, biz_code, place_code }) = group.receipt(holder) else {
        return asker.named_of(refusal, journal, holder);
    };
    Ok(asker.named(refusal, Holder { key: holder, unit, biz_code, place_code }))
}

/// V20: a partial refund is the reversal of the original and one re-issue of what remains. With the original in force, or a second
/// re-issue, two receipts of one payment would stand. One that the ledger refused, or that was reversed itself, leaves its
/// place.
pub(super) fn reissue_conflict(
    journal: &Journal,
    asker: Asker<'_>,
    group: &Group,
    original: ReceiptKey,
) -> Result<Option<Refusal>, JournalError> {
    if reversed_by(journal, original)?.is_none() {
        if live_reversal(journal, original)?.is_some() {
            let message = "the reversal of the original is not sealed yet; re-issue what remains once it is";
            return Ok(Some(Refusal::new(Reason::InProgress).with_message(message).with_advice(
                Stands::No,
                Place::Nowhere,
                Action::Repeat,
            )));
        }
        let message = format!("V20: receipt {original} is in force; reverse it first, then re-issue what remains");
        return Ok(Some(Refusal::field("related", message)));
    }
    let reissue = match group.reissues.get(&original) {
        Some(reissue) => Some(*reissue),
        None => match journal.reissue(original)? {
            Some(dead) if is_dead(journal, dead)? => None,
            reissue => reissue,
        },
    };
    let Some(reissue) = reissue else { return Ok(None) };
    let refusal = Refusal::field("related", "V20: another receipt re-issues it already").with_advice(
        Stands::Yes,
        Place::BizCode,
        Action::UseReceipt,
    );
    named(journal, asker, group, refusal, reissue).map(Some)
}

/// Whether a receipt that a recovered journal has the record alone of may re-issue what remains of this original: issued since its
/// reversal, and below it. So it is taken to be where more were issued since than a group looks at.
fn may_be_reissued(
    journal: &Journal,
    group: &mut Group,
    unit: UnitId,
    original: ReceiptKey,
) -> Result<bool, JournalError> {
    if journal.bare(unit, BareFrom::Time(UnixMillis::new(0)), 1)?.is_empty() {
        return Ok(false);
    }
    let record_of = |key: ReceiptKey| {
        let row = journal.receipt(key)?.ok_or(JournalError::Corrupt("a receipt is missing"))?;
        let signed = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?;
        Ok::<_, JournalError>(signed.record)
    };
    // The caller has made sure that the original is reversed.
    let Some(red) = journal.reversal(original)? else { return Ok(false) };
    let (since, below) = (record_of(red)?.issue_time, record_of(original)?.total);
    let mut from = BareFrom::Time(since);
    loop {
        // Ask for one more than may be looked at, to learn whether there are more.
        let page_size = BARE_PAGE.min(BARE_LOOKED_AT_MAX.saturating_sub(group.bare_looked_at) + 1);
        let page = journal.bare(unit, from, page_size)?;
        let Some(last) = page.last().copied() else { return Ok(false) };
        for bare in page {
            let fits = bare.total < below;
            group.bare_looked_at += if fits { FATE_COST } else { 1 };
            if group.bare_looked_at > BARE_LOOKED_AT_MAX {
                return Ok(true);
            }
            let is_handed_back = || group.returned.iter().any(|taken| taken.key() == bare.key);
            if fits && !is_handed_back() && !is_dead(journal, bare.key)? {
                return Ok(true);
            }
        }
        from = BareFrom::After(last);
    }
}

fn not_handed_back(original: ReceiptKey) -> Refusal {
    let message = format!(
        "V20: this issuer was recovered, and receipts of the unit that it acknowledged before were not handed back yet; one of them may \
         re-issue {original} already. Call Resubmit for them, then repeat this call"
    );
    Refusal::new(CallReason::NotReady).with_message(message).with_retry_after_ms(60_000)
}

/// Refused, or reversed: it stands for nothing, and what it took is free.
fn is_dead(journal: &Journal, key: ReceiptKey) -> Result<bool, JournalError> {
    Ok(is_refused(journal, key)? || reversed_by(journal, key)?.is_some())
}

/// `ALREADY_REVERSED`, naming the red receipt.
pub(super) fn already_reversed(red: ReceiptKey) -> Refusal {
    Refusal::new(Reason::AlreadyReversed)
        .with_metadata("receipt_code", red.code.to_string())
        .with_metadata("receipt_number", red.number.to_string())
}
