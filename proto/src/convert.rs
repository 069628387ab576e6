//! The receipt draft: gRPC message ⇄ `receipt_core::receipt::model::ReceiptDraft`.
//!
//! Strict: what the core types cannot hold (an unknown enum value, a date that does not exist, a group of another
//! category) is refused, the field named as in the bundle. Two things are not the caller's to mend, and done at this door
//! ([`read_draft`]): texts are brought into normal form, the changed ones named; and a draft without a date gets one. Nothing
//! else is defaulted, trimmed or corrected. Not here: the fiscal rules; a converted draft is well typed, not yet valid.

use receipt_core::ids::{Fen, IdError, ReceiptCode, ReceiptNumber};
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::decimal::{Quantity, Yuan4};
use receipt_core::receipt::model;
use receipt_core::receipt::normalise::normalise;

use crate::errors::Refusal;
use crate::receipt::v1 as wire;

mod enums;
mod ext;

use ext::{ext_from_wire, ext_to_wire};

/// Why a message is not a draft.
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
pub fn read_draft(mut draft: wire::ReceiptDraft, undated: CivilDate) -> Result<ReadDraft, DraftError> {
    let dated = !draft.issue_date.is_empty();
    if !dated {
        draft.issue_date = undated.to_string();
    }
    let mut draft = draft_from_wire(draft)?;
    let normalised = normalise(&mut draft);
    Ok(ReadDraft { draft, dated, normalised })
}

/// Reads a complete draft as it is. Takes the message, so that no text is copied.
pub fn draft_from_wire(draft: wire::ReceiptDraft) -> Result<model::ReceiptDraft, DraftError> {
    let receipt_code = named("receipt_code", ReceiptCode::parse(&draft.receipt_code))?;
    Ok(model::ReceiptDraft {
        receipt_code,
        receipt_name: draft.receipt_name,
        specimen_code: draft.specimen_code,
        supervisor_area_code: draft.supervisor_area_code,
        unit_code: draft.unit_code,
        issue_date: named("issue_date", CivilDate::parse(&draft.issue_date))?,
        biz_code: draft.biz_code,
        place_code: draft.place_code,
        total_amount: Fen::new(draft.total_amount_fen),
        payer_type: enums::payer_type(draft.payer_type)?,
        payer_id_type: enums::payer_id_type(draft.payer_id_type)?,
        payer_code: draft.payer_code,
        payer_name: draft.payer_name,
        payments: rows("payments", draft.payments, payment)?,
        rec_name: draft.rec_name,
        rec_account: draft.rec_account,
        rec_bank: draft.rec_bank,
        handling_person: draft.handling_person,
        checker: draft.checker,
        remark: draft.remark,
        supervisor_remark: draft.supervisor_remark,
        related: rows("related", draft.related, related)?,
        reversal: draft.reversal.map(reversal_from_wire).transpose()?,
        other_info: draft.other_info.into_iter().map(other_info).collect(),
        ext: ext_from_wire(receipt_code.category(), draft.ext.unwrap_or_default())?,
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

fn rows<W, M>(
    list: &'static str,
    rows: Vec<W>,
    read: impl Fn(&str, W) -> Result<M, DraftError>,
) -> Result<Vec<M>, DraftError> {
    rows.into_iter().enumerate().map(|(index, row)| read(&format!("{list}[{index}]"), row)).collect()
}

fn payment(at: &str, payment: wire::Payment) -> Result<model::Payment, DraftError> {
    Ok(model::Payment {
        mode: enums::payment_mode(at, payment.mode)?,
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

fn related(at: &str, related: wire::Related) -> Result<model::Related, DraftError> {
    use wire::related::Relation;
    let key = |reference: wire::ReceiptReference| {
        let code = named(format!("{at}.receipt_code"), ReceiptCode::parse(&reference.receipt_code))?;
        let number = named(format!("{at}.receipt_number"), ReceiptNumber::parse(&reference.receipt_number))?;
        Ok::<_, DraftError>((code, number))
    };
    Ok(match related.relation {
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
        None => return Err(DraftError { field: format!("{at}.relation"), problem: "is missing or unknown" }),
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
