//! Body format version 1: which value stands at which position.
//!
//! ```text
//! position   0 ………… h-1    h ………… h+e-1              h+e ……… h+e+n-1       h+e+n ……… h+e+n+m-1
//!            header (h)     the category's fields (e)  one per item row (n)  one per aux row (m)
//! ```
//! `h` is fixed, `e` follows from the category digits of the receipt code (value 0), `n` and `m` are header values.
//! An absent field holds the empty value, so that presence is hidden and each name has one position. Values are UTF-8:
//! texts as they are, amounts `385.37`, counts and times in decimal, dates `2026-11-02`, rows and lists as compact
//! JSON with keys in the order of declaration, absent keys left out. JSON texts escape `"`, `\` and characters below
//! U+0020 (as `\b \t \n \f \r` or `\u00xx`, lower case) and nothing else.
//!
//! Invariant: [`from_values`] accepts exactly what [`to_values`] writes.

use crate::receipt::ext::Ext;
use crate::receipt::field::{Field, from_json, to_json};
use crate::receipt::model::{AuxItem, Issued, Item, Receipt, ReceiptDraft};
use crate::receipt::values::ValueReader;

pub use crate::receipt::values::BodyError;

/// The version of this layout; it stands in the record.
pub const BODY_FORMAT_VERSION: u32 = 1;

macro_rules! header {
    (draft: $($d1:ident),*; issued: $($issued:ident),*; draft: $($d2:ident),*;) => {
        /// The names of the header values, by position.
        pub const HEADER_NAMES: &[&str] = &[
            $(stringify!($d1),)* $(stringify!($issued),)* $(stringify!($d2),)* "item_count", "aux_count",
        ];

        fn write_header(
            draft: &ReceiptDraft,
            issued: Option<&Issued>,
            item_count: u32,
            aux_count: u32,
        ) -> Vec<String> {
            vec![
                $(draft.$d1.to_field(),)*
                $(issued.map(|issued| issued.$issued.to_field()).unwrap_or_default(),)*
                $(draft.$d2.to_field(),)*
                item_count.to_field(),
                aux_count.to_field(),
            ]
        }

        /// Reads the header and the extension; the rows are still missing. Returns the two row counts too.
        fn read_header(reader: &mut ValueReader<'_>) -> Result<(Receipt, u32, u32), BodyError> {
            $(let $d1 = reader.read(stringify!($d1))?;)*
            $(let $issued = reader.read(stringify!($issued))?;)*
            $(let $d2 = reader.read(stringify!($d2))?;)*
            let item_count = reader.read("item_count")?;
            let aux_count = reader.read("aux_count")?;
            let (ext, items, aux_items) = (Ext::Other, Vec::new(), Vec::new());
            let mut draft = ReceiptDraft { $($d1,)* $($d2,)* ext, items, aux_items };
            draft.ext = Ext::read(draft.receipt_code.category(), reader)?;
            Ok((Receipt { issued: Issued { $($issued,)* }, draft }, item_count, aux_count))
        }
    };
}

header! {
    draft: receipt_code;
    issued: receipt_number, check_code, issue_time, unit_name;
    draft: unit_code, issue_date, total_amount, receipt_name, specimen_code, supervisor_area_code, biz_code,
        place_code, payer_type, payer_id_type, payer_code, payer_name, payments, rec_name, rec_account, rec_bank,
        handling_person, checker, remark, supervisor_remark, related, reversal, other_info;
}

/// The position of a header value.
pub fn header_position(name: &str) -> Option<u32> {
    let position = HEADER_NAMES.iter().position(|known| *known == name)?;
    u32::try_from(position).ok()
}

/// The position of a named header or extension value of a category, for example `medical.own_pay`.
pub fn field_position(category: u32, name: &str) -> Option<u32> {
    let mut names = HEADER_NAMES.iter().copied().chain(Ext::names(category));
    u32::try_from(names.position(|known| known == name)?).ok()
}

/// How many values come before the first item row.
pub fn row_start(category: u32) -> usize {
    HEADER_NAMES.len() + Ext::names(category).len()
}

/// What stands at a position: a field's name, `items[i]` or `aux_items[j]`. `item_count` is the header value; whether
/// an aux position exists is for the caller, who knows the number of disclosures.
pub fn position_name(category: u32, item_count: u32, position: u32) -> String {
    let position = position as usize;
    let names = Ext::names(category);
    if let Some(name) = HEADER_NAMES.get(position).or_else(|| names.get(position - HEADER_NAMES.len())) {
        return (*name).to_owned();
    }
    let row = position - row_start(category);
    match row.checked_sub(item_count as usize) {
        None => row_name(RowList::Items, row),
        Some(aux) => row_name(RowList::AuxItems, aux),
    }
}

/// A list whose rows are values of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowList {
    /// 项目明细.
    Items,
    /// 清单.
    AuxItems,
}

impl RowList {
    /// Its name; behind it stands `[i]` in the name of a row.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::AuxItems => "aux_items",
        }
    }

    /// The list of a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Items, Self::AuxItems].into_iter().find(|list| list.name() == name)
    }
}

fn row_name(list: RowList, row: usize) -> String {
    format!("{}[{row}]", list.name())
}

/// The row that a name of [`position_name`] means: of which list, and which one from 0. `None` if it names a field.
pub fn row_of_name(name: &str) -> Option<(RowList, usize)> {
    let (list, row) = name.strip_suffix(']')?.split_once('[')?;
    Some((RowList::named(list)?, row.parse().ok()?))
}

/// The values of a receipt, by position.
pub fn to_values(receipt: &Receipt) -> Result<Vec<String>, BodyError> {
    write_values(&receipt.draft, Some(&receipt.issued))
}

/// The values of a draft, by the positions that they will have; those that the issuer adds are empty.
pub(crate) fn draft_values(draft: &ReceiptDraft) -> Result<Vec<String>, BodyError> {
    write_values(draft, None)
}

fn write_values(draft: &ReceiptDraft, issued: Option<&Issued>) -> Result<Vec<String>, BodyError> {
    if !draft.ext.fits(draft.receipt_code.category()) {
        return Err(BodyError::ExtMismatch);
    }
    let count = |rows: usize| u32::try_from(rows).map_err(|_| BodyError::TooManyRows);
    let mut values = write_header(draft, issued, count(draft.items.len())?, count(draft.aux_items.len())?);
    draft.ext.write(&mut values);
    values.extend(draft.items.iter().map(to_json));
    values.extend(draft.aux_items.iter().map(to_json));
    Ok(values)
}

/// The receipt of exactly these values.
pub fn from_values(values: &[String]) -> Result<Receipt, BodyError> {
    let mut reader = ValueReader::new(values);
    let (mut receipt, item_count, aux_count) = read_header(&mut reader)?;
    let rows = reader.rest();
    let expected = (item_count as usize).checked_add(aux_count as usize);
    if expected != Some(rows.len()) {
        return Err(BodyError::CountMismatch);
    }
    let (items, aux_items) = rows.split_at(item_count as usize);
    receipt.draft.items = read_rows::<Item>("items", items)?;
    receipt.draft.aux_items = read_rows::<AuxItem>("aux_items", aux_items)?;
    let again = to_values(&receipt)?;
    match again.iter().zip(values).position(|(again, given)| again != given) {
        None => Ok(receipt),
        Some(position) => {
            let position = u32::try_from(position).unwrap_or(u32::MAX);
            let category = receipt.draft.receipt_code.category();
            Err(BodyError::NotCanonical { name: position_name(category, item_count, position) })
        }
    }
}

/// Whether a receipt, written down, reads as itself: what is signed otherwise could never be opened.
pub fn check_readable(receipt: &Receipt) -> Result<(), BodyError> {
    if from_values(&to_values(receipt)?)? == *receipt {
        Ok(())
    } else {
        Err(BodyError::NotCanonical { name: "receipt".to_owned() })
    }
}

/// Reads one item row of a partial body. Strict, like [`from_values`].
pub fn read_item(value: &str) -> Result<Item, BodyError> {
    read_row("item", value)
}

/// Reads one aux row of a partial body. Strict, like [`from_values`].
pub fn read_aux_item(value: &str) -> Result<AuxItem, BodyError> {
    read_row("aux_item", value)
}

fn read_row<T: serde::Serialize + serde::de::DeserializeOwned>(name: &str, value: &str) -> Result<T, BodyError> {
    let row =
        from_json("row", value).map_err(|error| BodyError::Value { name: name.to_owned(), problem: error.problem })?;
    if to_json(&row) == value { Ok(row) } else { Err(BodyError::NotCanonical { name: name.to_owned() }) }
}

fn read_rows<T: serde::Serialize + serde::de::DeserializeOwned>(
    list: &str,
    rows: &[String],
) -> Result<Vec<T>, BodyError> {
    rows.iter().enumerate().map(|(index, row)| read_row(&format!("{list}[{index}]"), row)).collect()
}

#[cfg(test)]
mod tests;
