//! The receipt draft: gRPC message ⇄ `receipt_core::receipt::model::ReceiptDraft`.
//!
//! Strict: what the core types cannot hold (an unknown enum value, a date that does not exist, a group of another
//! category) is refused, all such fields at once, each named as in the bundle. Two things are done for the caller when a draft
//! is read ([`read_draft`]): texts are brought into normal form, the changed ones named; and a draft without a date gets one.
//! Nothing else is defaulted, trimmed or corrected. Not here: the fiscal rules; a converted draft is well typed, not yet valid.

use receipt_core::ids::{Fen, IdError, ReceiptCode, ReceiptNumber};
use receipt_core::reason::Reason;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::decimal::{Quantity, Yuan4};
use receipt_core::receipt::model;
use receipt_core::receipt::normalise::normalise;

use crate::errors::{FieldViolation, Refusal};
use crate::receipt::v1 as wire;

mod enums;
mod ext;

use ext::{ext_from_wire, ext_to_wire};

/// A field for which a message is not a draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct DraftError {
    /// The field as in the bundle: `items[3].amount`.
    pub field: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl From<DraftError> for Refusal {
    fn from(error: DraftError) -> Self {
        Self::field(error.field, error.problem)
    }
}

/// All fields for which a message is not a draft, in the order of the message; at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct DraftErrors(pub Vec<DraftError>);

impl From<DraftErrors> for Refusal {
    fn from(errors: DraftErrors) -> Self {
        let fields = errors.0.into_iter();
        let fields = fields.map(|error| FieldViolation { field: error.field, description: error.problem.to_owned() });
        Self::fields(Reason::FieldInvalid, fields.collect())
    }
}

/// What was found wrong so far.
#[derive(Default)]
struct Faults(Vec<DraftError>);

impl Faults {
    /// The value, or `None` and one fault more.
    fn keep<T>(&mut self, value: Result<T, DraftError>) -> Option<T> {
        value.map_err(|error| self.0.push(error)).ok()
    }
}

/// A draft as it came through the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadDraft {
    /// Normalised, and with a date.
    pub draft: model::ReceiptDraft,
    /// Whether the caller dated it; else the date is the one it was read with, and may be replaced until it is issued.
    pub dated: bool,
    /// The fields whose text changed, as in the bundle: `items[3].item_name`.
    pub normalised: Vec<String>,
}

/// Reads a draft as a caller sends it: with texts in any form, and maybe without a date, which is then `undated`.
pub fn read_draft(mut draft: wire::ReceiptDraft, undated: CivilDate) -> Result<ReadDraft, DraftErrors> {
    let dated = !draft.issue_date.is_empty();
    if !dated {
        draft.issue_date = undated.to_string();
    }
    let mut draft = draft_from_wire(draft)?;
    let normalised = normalise(&mut draft);
    Ok(ReadDraft { draft, dated, normalised })
}

/// Reads a complete draft as it is. Takes the message, so that no text is copied.
pub fn draft_from_wire(draft: wire::ReceiptDraft) -> Result<model::ReceiptDraft, DraftErrors> {
    let mut faults = Faults::default();
    let read = typed(draft, &mut faults);
    match read {
        Some(draft) if faults.0.is_empty() => Ok(draft),
        _ => Err(DraftErrors(faults.0)),
    }
}

/// `None` only with a fault; a draft with faults has absent fields in their place.
fn typed(draft: wire::ReceiptDraft, faults: &mut Faults) -> Option<model::ReceiptDraft> {
    let receipt_code = faults.keep(named("receipt_code", ReceiptCode::parse(&draft.receipt_code)));
    let issue_date = faults.keep(named("issue_date", CivilDate::parse(&draft.issue_date)));
    let payer_type = faults.keep(enums::payer_type(draft.payer_type));
    let payer_id_type = faults.keep(enums::payer_id_type(draft.payer_id_type));
    let payments = rows("payments", draft.payments, faults, payment);
    let related = rows("related", draft.related, faults, related);
    let reversal = draft.reversal.and_then(|reversal| faults.keep(reversal_from_wire(reversal)));
    let ext = ext_from_wire(receipt_code.map(ReceiptCode::category), draft.ext.unwrap_or_default(), faults);
    Some(model::ReceiptDraft {
        receipt_code: receipt_code?,
        receipt_name: draft.receipt_name,
        specimen_code: draft.specimen_code,
        supervisor_area_code: draft.supervisor_area_code,
        unit_code: draft.unit_code,
        issue_date: issue_date?,
        biz_code: draft.biz_code,
        place_code: draft.place_code,
        total_amount: Fen::new(draft.total_amount_fen),
        payer_type: payer_type?,
        payer_id_type: payer_id_type?,
        payer_code: draft.payer_code,
        payer_name: draft.payer_name,
        payments,
        rec_name: draft.rec_name,
        rec_account: draft.rec_account,
        rec_bank: draft.rec_bank,
        handling_person: draft.handling_person,
        checker: draft.checker,
        remark: draft.remark,
        supervisor_remark: draft.supervisor_remark,
        related,
        reversal,
        other_info: draft.other_info.into_iter().map(other_info).collect(),
        ext,
        items: draft.items.into_iter().map(item).collect(),
        aux_items: draft.aux_items.into_iter().map(aux_item).collect(),
    })
}

/// Writes a draft.
pub fn draft_to_wire(draft: &model::ReceiptDraft) -> wire::ReceiptDraft {
    wire::ReceiptDraft {
        receipt_code: draft.receipt_code.to_string(),
        receipt_name: draft.receipt_name.clone(),
        specimen_code: draft.specimen_code.clone(),
        supervisor_area_code: draft.supervisor_area_code.clone(),
        unit_code: draft.unit_code.clone(),
        issue_date: draft.issue_date.to_string(),
        biz_code: draft.biz_code.clone(),
        place_code: draft.place_code.clone(),
        total_amount_fen: draft.total_amount.get(),
        payer_type: enums::payer_type_to_wire(draft.payer_type),
        payer_id_type: enums::payer_id_type_to_wire(draft.payer_id_type),
        payer_code: draft.payer_code.clone(),
        payer_name: draft.payer_name.clone(),
        payments: draft.payments.iter().map(payment_to_wire).collect(),
        rec_name: draft.rec_name.clone(),
        rec_account: draft.rec_account.clone(),
        rec_bank: draft.rec_bank.clone(),
        handling_person: draft.handling_person.clone(),
        checker: draft.checker.clone(),
        remark: draft.remark.clone(),
        supervisor_remark: draft.supervisor_remark.clone(),
        related: draft.related.iter().map(related_to_wire).collect(),
        reversal: draft.reversal.as_ref().map(reversal_to_wire),
        other_info: draft.other_info.iter().map(other_info_to_wire).collect(),
        ext: ext_to_wire(&draft.ext),
        items: draft.items.iter().map(item_to_wire).collect(),
        aux_items: draft.aux_items.iter().map(aux_item_to_wire).collect(),
    }
}

/// Reads the reason block of a reversal.
pub fn reversal_from_wire(reversal: wire::Reversal) -> Result<model::Reversal, DraftError> {
    Ok(model::Reversal {
        reason: enums::reversal_reason(reversal.reason)?,
        text: reversal.text,
        operator: reversal.operator,
        refund_reference: reversal.refund_reference,
        reissue_biz_code: reversal.reissue_biz_code,
    })
}

/// Writes the reason block of a reversal.
pub fn reversal_to_wire(reversal: &model::Reversal) -> wire::Reversal {
    wire::Reversal {
        reason: enums::reversal_reason_to_wire(reversal.reason),
        text: reversal.text.clone(),
        operator: reversal.operator.clone(),
        refund_reference: reversal.refund_reference.clone(),
        reissue_biz_code: reversal.reissue_biz_code.clone(),
    }
}

fn named<T>(field: impl Into<String>, value: Result<T, IdError>) -> Result<T, DraftError> {
    value.map_err(|error| DraftError { field: field.into(), problem: error.problem })
}

/// The rows that read.
fn rows<W, M>(
    list: &'static str,
    rows: Vec<W>,
    faults: &mut Faults,
    read: impl Fn(&str, W, &mut Faults) -> Option<M>,
) -> Vec<M> {
    rows.into_iter().enumerate().filter_map(|(index, row)| read(&format!("{list}[{index}]"), row, faults)).collect()
}

fn payment(at: &str, payment: wire::Payment, faults: &mut Faults) -> Option<model::Payment> {
    Some(model::Payment {
        mode: faults.keep(enums::payment_mode(at, payment.mode))?,
        amount: Fen::new(payment.amount_fen),
        channel_reference: payment.channel_reference,
    })
}

fn payment_to_wire(payment: &model::Payment) -> wire::Payment {
    wire::Payment {
        mode: enums::payment_mode_to_wire(payment.mode),
        amount_fen: payment.amount.get(),
        channel_reference: payment.channel_reference.clone(),
    }
}

fn related(at: &str, related: wire::Related, faults: &mut Faults) -> Option<model::Related> {
    use wire::related::Relation;
    let mut key = |reference: wire::ReceiptReference| {
        let code = named(format!("{at}.receipt_code"), ReceiptCode::parse(&reference.receipt_code));
        let number = named(format!("{at}.receipt_number"), ReceiptNumber::parse(&reference.receipt_number));
        faults.keep(code).zip(faults.keep(number))
    };
    Some(match related.relation {
        Some(Relation::ReversalOf(reference)) => {
            let (receipt_code, receipt_number) = key(reference)?;
            model::Related::ReversalOf { receipt_code, receipt_number }
        }
        Some(Relation::ReissueAfterPartialRefund(reference)) => {
            let (receipt_code, receipt_number) = key(reference)?;
            model::Related::ReissueAfterPartialRefund { receipt_code, receipt_number }
        }
        Some(Relation::ExchangedPaper(paper)) => {
            model::Related::ExchangedPaper { paper_code: paper.paper_code, paper_number: paper.paper_number }
        }
        Some(Relation::CoversPayCode(pay_code)) => model::Related::CoversPayCode { pay_code },
        None => {
            return faults.keep(Err(DraftError { field: format!("{at}.relation"), problem: "is missing or unknown" }));
        }
    })
}

fn related_to_wire(related: &model::Related) -> wire::Related {
    use wire::related::Relation;
    let reference = |code: &ReceiptCode, number: &ReceiptNumber| wire::ReceiptReference {
        receipt_code: code.to_string(),
        receipt_number: number.to_string(),
    };
    let relation = match related {
        model::Related::ReversalOf { receipt_code, receipt_number } => {
            Relation::ReversalOf(reference(receipt_code, receipt_number))
        }
        model::Related::ReissueAfterPartialRefund { receipt_code, receipt_number } => {
            Relation::ReissueAfterPartialRefund(reference(receipt_code, receipt_number))
        }
        model::Related::ExchangedPaper { paper_code, paper_number } => Relation::ExchangedPaper(wire::PaperReference {
            paper_code: paper_code.clone(),
            paper_number: paper_number.clone(),
        }),
        model::Related::CoversPayCode { pay_code } => Relation::CoversPayCode(pay_code.clone()),
    };
    wire::Related { relation: Some(relation) }
}

fn other_info(info: wire::OtherInfo) -> model::OtherInfo {
    model::OtherInfo { no: info.no, name: info.name, value: info.value }
}

fn other_info_to_wire(info: &model::OtherInfo) -> wire::OtherInfo {
    wire::OtherInfo { no: info.no, name: info.name.clone(), value: info.value.clone() }
}

fn item(item: wire::Item) -> model::Item {
    model::Item {
        item_code: item.item_code,
        item_name: item.item_name,
        unit: item.unit,
        quantity: item.quantity_e4.map(Quantity::new),
        standard: item.standard_e4.map(Yuan4::new),
        amount: Fen::new(item.amount_fen),
        rounding_adjustment: item.rounding_adjustment_e4.map(Yuan4::new),
        remark: item.remark,
    }
}

fn item_to_wire(item: &model::Item) -> wire::Item {
    wire::Item {
        item_code: item.item_code.clone(),
        item_name: item.item_name.clone(),
        unit: item.unit.clone(),
        quantity_e4: item.quantity.map(Quantity::get),
        standard_e4: item.standard.map(Yuan4::get),
        amount_fen: item.amount.get(),
        rounding_adjustment_e4: item.rounding_adjustment.map(Yuan4::get),
        remark: item.remark.clone(),
    }
}

fn aux_item(aux: wire::AuxItem) -> model::AuxItem {
    model::AuxItem {
        related_item_code: aux.related_item_code,
        related_item_name: aux.related_item_name,
        item_code: aux.item_code,
        item_name: aux.item_name,
        unit: aux.unit,
        quantity: aux.quantity_e4.map(Quantity::new),
        standard: aux.standard_e4.map(Yuan4::new),
        amount: Yuan4::new(aux.amount_e4),
        remark: aux.remark,
    }
}

fn aux_item_to_wire(aux: &model::AuxItem) -> wire::AuxItem {
    wire::AuxItem {
        related_item_code: aux.related_item_code.clone(),
        related_item_name: aux.related_item_name.clone(),
        item_code: aux.item_code.clone(),
        item_name: aux.item_name.clone(),
        unit: aux.unit.clone(),
        quantity_e4: aux.quantity.map(Quantity::get),
        standard_e4: aux.standard.map(Yuan4::get),
        amount_e4: aux.amount.get(),
        remark: aux.remark.clone(),
    }
}

#[cfg(test)]
mod tests;
