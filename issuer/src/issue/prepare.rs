//! What can be judged and computed of a draft before its turn: rules, the unit's permission, keyed hashes.

use std::num::NonZeroU16;
use std::sync::Arc;

use prost::Message;
use receipt_core::blind::{PaymentReference, UniquenessKey};
use receipt_core::hash::{Hash, tagged};
use receipt_core::ids::{ReceiptCode, ReceiptKey, ReceiptNumber, SystemId, UnixMillis};
use receipt_core::limits;
use receipt_core::reason::Reason;
use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::layout::check_readable;
use receipt_core::receipt::model::{CheckCode, Issued, Receipt, ReceiptDraft};
use receipt_core::receipt::rules::{NEW_YEAR_GRACE_DAYS, RuleContext, Violation, check_draft};
use tallystick_proto::errors::{FieldViolation, Refusal};

use crate::blinding::Blinding;
use crate::registry::{RegistryView, Unit};

/// A draft that keeps every rule that can be judged without its number.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The draft.
    pub draft: ReceiptDraft,
    /// Its unit.
    pub unit: Arc<Unit>,
    /// Identity of what the caller sent: the same biz code with another one is a conflict.
    pub content: Hash,
    /// Whether the caller set the date of issue; else its turn sets it.
    pub dated: bool,
    /// Keyed hash of unit and biz code.
    pub biz_key: [u8; 16],
    /// Keys that at most one live receipt may hold; of a red one, those of its original. Ascending.
    pub uniqueness: Vec<UniquenessKey>,
    /// The receipt that it reverses.
    pub reverses: Option<ReceiptKey>,
    /// The reversed receipt whose rest it re-issues.
    pub reissues: Option<ReceiptKey>,
    /// Who asked: what stands in its way is named as far as this system may see it.
    pub caller: SystemId,
    /// About how much memory it takes.
    pub byte_size: usize,
}

/// What drafts are judged against.
#[derive(Clone, Copy)]
pub struct RuleBasis<'a> {
    /// The issuer's time.
    pub now: UnixMillis,
    /// The chain's UTC offset.
    pub utc_offset_minutes: i32,
    /// The registry.
    pub view: &'a RegistryView,
    /// The secrets of the keyed hashes.
    pub blinding: &'a Blinding,
    /// The receipt that a reversal or re-issue names, if this issuer has it.
    pub original: Option<&'a Receipt>,
    /// The business system that calls.
    pub caller: SystemId,
}

/// Hash of a request that is no draft, by which a repeated call is told from another one under the same biz code. `kind`
/// separates the methods. Of a draft: `receipt_core::receipt::sameness`.
pub fn content_hash<M: Message>(kind: &str, request: &M) -> Hash {
    tagged("tallystick/issuer-request/v1", &[kind.as_bytes(), b"\n", &request.encode_to_vec()])
}

/// Judges a draft of `unit` and makes it ready for its turn. Its date stands, unless the caller of this clears `dated`.
pub fn prepare(
    draft: ReceiptDraft,
    unit: &Arc<Unit>,
    content: Hash,
    basis: &RuleBasis<'_>,
) -> Result<Prepared, Refusal> {
    check_suspension(unit, basis.now)?;
    let context = RuleContext {
        now: basis.now,
        offline_issue_time: None,
        utc_offset_minutes: basis.utc_offset_minutes,
        new_year_grace_days: NEW_YEAR_GRACE_DAYS,
        catalogue: basis.view,
        original: basis.original,
    };
    check_draft(&draft, &context).map_err(|violations| refusal_of(&violations))?;
    check_kind(unit, draft.receipt_code, basis.now)?;
    // The unit's credential names its area. A receipt that states another area would never verify.
    if draft.supervisor_area_code != unit.area {
        let area = &unit.area;
        return Err(Refusal::field("supervisor_area_code", format!("is not {area}, the unit's on the ledger")));
    }
    if !draft.ext.fits(draft.receipt_code.category()) {
        return Err(Refusal::field("ext", "does not belong to the category of the receipt code"));
    }
    let draft = readable(draft, unit, basis.now)?;
    let uniqueness = uniqueness_keys(&draft, basis.blinding);
    if uniqueness.len() > limits::UNIQUENESS_KEYS_MAX {
        return Err(Refusal::field("related", "covers too many payments"));
    }
    Ok(Prepared {
        biz_key: basis.blinding.biz_key(unit.id, &draft.biz_code),
        uniqueness,
        reverses: draft.reversal_of(),
        reissues: draft.reissue_of(),
        unit: Arc::clone(unit),
        content,
        dated: true,
        caller: basis.caller,
        byte_size: 2048 + 512 * (draft.items.len() + draft.aux_items.len()),
        draft,
    })
}

/// Whether the unit may issue anything at this time. Asked again in the draft's turn, whose time becomes the issue time.
pub(super) fn check_suspension(unit: &Unit, time: UnixMillis) -> Result<(), Refusal> {
    if unit.is_suspended(time) { Err(Refusal::new(Reason::UnitSuspended)) } else { Ok(()) }
}

/// Whether the unit may issue this code's kind at this time. Asked again likewise.
pub(super) fn check_kind(unit: &Unit, code: ReceiptCode, time: UnixMillis) -> Result<(), Refusal> {
    if unit.may_issue(code, time) {
        return Ok(());
    }
    let violation = FieldViolation {
        field: "receipt_code".to_owned(),
        description: "V16: this kind is not attached to the unit".to_owned(),
    };
    Err(Refusal::fields(Reason::KindNotAllowed, vec![violation]))
}

/// The draft, if a receipt of it can be opened again: from its values reads what was written into them. What number, check
/// code and time it gets makes no difference.
fn readable(draft: ReceiptDraft, unit: &Unit, issue_time: UnixMillis) -> Result<ReceiptDraft, Refusal> {
    let field = |error: &dyn std::fmt::Display| Refusal::field("draft", format!("could not be opened again: {error}"));
    let receipt_number = ReceiptNumber::new(1).map_err(|error| field(&error))?;
    let check_code = CheckCode::from_random(0);
    let issued = Issued { receipt_number, check_code, issue_time, unit_name: unit.name.clone() };
    let receipt = Receipt { issued, draft };
    check_readable(&receipt).map_err(|error| field(&error))?;
    Ok(receipt.draft)
}

/// One refusal for all violations: the first one's reason, every field named.
fn refusal_of(violations: &[Violation]) -> Refusal {
    let reason = violations.first().map_or(Reason::FieldInvalid, |first| first.reason);
    let fields = violations.iter().map(|violation| FieldViolation {
        // The field's path must be that of the draft, where the extension's group is not inside `ext`, as it is in the body.
        field: violation.field.strip_prefix("ext.").unwrap_or(&violation.field).to_owned(),
        description: format!("{}: {}", violation.rule, violation.message),
    });
    Refusal::fields(reason, fields.collect())
}

/// V14, V15: payments by pay code, medical settlements, decisions with their instalment, under the secret of each epoch. Ascending. A
/// red receipt's are its original's, because it copies them.
pub(crate) fn uniqueness_keys(draft: &ReceiptDraft, blinding: &Blinding) -> Vec<UniquenessKey> {
    let mut paid: Vec<_> = draft.pay_codes().into_iter().map(PaymentReference::PayCode).collect();
    match &draft.ext {
        Ext::Medical { medical } if !medical.settlement_number.is_empty() => {
            paid.push(PaymentReference::Settlement(&medical.settlement_number));
        }
        Ext::PaymentBook { fine, .. } if !fine.penalty_decision_no.is_empty() => {
            // Rule V15 allows far smaller numbers only, so the fallback is never used.
            let instalment = fine.instalment.map(|number| u16::try_from(number).unwrap_or(u16::MAX));
            paid.push(PaymentReference::Decision(&fine.penalty_decision_no, instalment.and_then(NonZeroU16::new)));
        }
        _ => {}
    }
    let keys = paid.into_iter().flat_map(|reference| blinding.uniqueness_keys(reference));
    let mut keys: Vec<UniquenessKey> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
