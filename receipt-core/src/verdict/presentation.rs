//! What is told of a presentation: the fields that are shown, and the names of those that are withheld. Derived from the content alone.
//!
//! Unlike a face it masks nothing: the holder has chosen what to show.

use serde::Serialize;

use super::face::{FaceLine, row_text, value_text};
use super::fill::said;
use super::labels::line_label;
use super::language::{Said, Sentence};
use super::presented::Presented;
use super::sentences::Phrase;
use super::value::{Parameters, Value};
use crate::receipt::layout::{RowList, row_of_name};
use crate::receipt::model::Receipt;
use crate::shown::line;

/// What is shown of a receipt, and what is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PresentationReport {
    /// Title: 票据名称.
    pub title: String,
    /// What is shown, in the order of the layout; rows are lines, too (`items[0]`).
    pub lines: Vec<FaceLine>,
    /// What is withheld, in the same order.
    pub withheld: Vec<WithheldReport>,
}

/// A value that is withheld. Whether the receipt has one there is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithheldReport {
    /// Name in the body's layout.
    pub code: String,
    /// What the field is called.
    #[serde(flatten)]
    pub label: Said,
}

pub(super) fn of(presented: &Presented, utc_offset_minutes: i32) -> PresentationReport {
    let receipt = &presented.with_blanks;
    let (mut lines, mut withheld) = (Vec::new(), Vec::new());
    for (name, value) in &presented.values {
        match value {
            Some(value) => lines.push(line_of(receipt, name, value, utc_offset_minutes)),
            None => withheld.push(WithheldReport { code: name.clone(), label: label_of(name) }),
        }
    }
    PresentationReport { title: line(&receipt.draft.receipt_name).into_owned(), lines, withheld }
}

/// A field as it is shown in a presentation.
pub(super) fn line_of(receipt: &Receipt, name: &str, value: &str, utc_offset_minutes: i32) -> FaceLine {
    let value = match row_of_name(name) {
        _ if value.is_empty() => said(Phrase::NoValue.sentence(), &Parameters::NONE, 0),
        Some((RowList::Items, row)) => row_text(receipt.draft.items.get(row)),
        Some((RowList::AuxItems, row)) => row_text(receipt.draft.aux_items.get(row)),
        None => value_text(receipt, name, value, utc_offset_minutes),
    };
    FaceLine { code: name.to_owned(), label: label_of(name), value }
}

fn label_of(name: &str) -> Said {
    match (row_of_name(name), line_label(name)) {
        (Some((list, row)), _) => {
            let phrase = match list {
                RowList::Items => Phrase::ItemRow,
                RowList::AuxItems => Phrase::AuxRow,
            };
            let row = u64::try_from(row).unwrap_or(u64::MAX).saturating_add(1);
            said(phrase.sentence(), &Parameters::of([("row", Value::Number(row))]), 0)
        }
        (None, Some(Sentence { zh, en })) => Said { zh: zh.to_owned(), en: en.to_owned() },
        (None, None) => Said { zh: name.to_owned(), en: name.to_owned() },
    }
}
