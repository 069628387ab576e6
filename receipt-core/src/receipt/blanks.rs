//! A body of which only some values are known: each of them is read as strictly as in a whole one, with a blank in the place of every
//! value that is not. Blanks are no content: whoever shows such a receipt has to know which values it has.

use crate::ids::ReceiptCode;
use crate::receipt::ext::Ext;
use crate::receipt::field::Field as _;
use crate::receipt::layout::{HEADER_NAMES, from_values, header_position};
use crate::receipt::model::Receipt;
use crate::receipt::values::BodyError;

/// A row and a detail line that say nothing.
const BLANK_ITEM: &str = r#"{"item_code":"","item_name":"","amount":"0.00"}"#;
const BLANK_AUX_ITEM: &str = r#"{"related_item_code":"","item_name":"","amount":"0.0000"}"#;

/// The receipt of exactly these values, with blanks for those that are not known. `receipt_code` and `item_count` must be: which value
/// stands where follows from them.
pub fn from_known_values(values: &[Option<&str>]) -> Result<Receipt, BodyError> {
    let known = |name: &'static str| {
        let position = header_position(name).and_then(|position| values.get(position as usize));
        let missing = || BodyError::Value { name: name.to_owned(), problem: "is not shown" };
        position.copied().flatten().ok_or_else(missing)
    };
    let code = ReceiptCode::parse(known("receipt_code")?).map_err(|error| unread("receipt_code", error.problem))?;
    let items = u32::from_field(known("item_count")?).map_err(|error| unread("item_count", error.problem))?;
    let mut blanks: Vec<String> = HEADER_NAMES.iter().map(|name| header_blank(name).to_owned()).collect();
    Ext::for_code(code).write(&mut blanks);
    let first_aux = blanks.len().saturating_add(items as usize);
    let blank = |position: usize| match blanks.get(position) {
        Some(blank) => blank.as_str(),
        None if position < first_aux => BLANK_ITEM,
        None => BLANK_AUX_ITEM,
    };
    let filled = values.iter().enumerate().map(|(position, value)| value.unwrap_or_else(|| blank(position)).to_owned());
    from_values(&filled.collect::<Vec<String>>())
}

fn unread(name: &str, problem: &'static str) -> BodyError {
    BodyError::Value { name: name.to_owned(), problem }
}

/// What a header value of that name can be that says nothing.
fn header_blank(name: &str) -> &'static str {
    match name {
        "check_code" => "000000",
        "payer_type" => "individual",
        "payer_id_type" => "unidentified",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::is_always_shown;
    use crate::receipt::fixture::receipt;
    use crate::receipt::layout::to_values;

    /// Of every category, whether it has fields of its own or none, with everything blank that can be.
    #[test]
    fn blanks_read_for_every_category() {
        let whole = receipt();
        let values = to_values(&whole).unwrap();
        for category in 0..=99_u32 {
            let code = format!("99{category:02}0126");
            let fields = Ext::names(category).len();
            let rows = whole.draft.items.len() + whole.draft.aux_items.len();
            let mut known: Vec<Option<&str>> = vec![None; HEADER_NAMES.len() + fields + rows];
            for (position, name) in HEADER_NAMES.iter().enumerate().filter(|(_, name)| is_always_shown(name)) {
                known[position] = Some(if *name == "receipt_code" { &code } else { &values[position] });
            }
            let read = from_known_values(&known).unwrap_or_else(|error| panic!("{category}: {error}"));
            assert_eq!(read.draft.receipt_code.to_string(), code);
            assert_eq!(read.draft.total_amount, whole.draft.total_amount, "{category}");
            assert_eq!((read.draft.items.len(), read.draft.aux_items.len()), (2, 1), "{category}");
            assert_eq!(read.draft.payer_name, "", "{category}");
            known.pop();
            assert!(from_known_values(&known).is_err(), "{category}: a row less than the counts say");
        }
    }

    #[test]
    fn a_known_value_is_read_as_strictly_as_in_a_whole_body() {
        let values = to_values(&receipt()).unwrap();
        let all: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
        assert_eq!(from_known_values(&all).unwrap(), receipt());
        for (position, wrong) in
            [(7, "121"), (6, "2026-02-30"), (17, "[]"), (28, "3"), (29, "2"), (0, ""), (13, "child")]
        {
            let mut changed = all.clone();
            changed[position] = Some(wrong);
            assert!(from_known_values(&changed).is_err(), "{position}: {wrong}");
        }
        for missing in [0, 28] {
            let mut changed = all.clone();
            changed[missing] = None;
            assert!(from_known_values(&changed).is_err(), "{missing}");
        }
        assert!(from_known_values(&[]).is_err());
        assert!(from_known_values(&all[..all.len() - 1]).is_err());
    }
}
