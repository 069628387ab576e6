//! When two calls count as the same call: the content of the draft as it was read and normalised, the date of issue apart.
//!
//! ```text
//! identity = SHA-256 over "tallystick/draft-identity/v1\n" ‖ for each value of the body layout: length (u64, big-endian) ‖ value
//! ```
//! The values that the issuer adds (number, check code, time, unit name) and `issue_date` are empty. So a draft without an
//! extension, with an empty one and with empty groups are one draft, and a retry after midnight is the same call.
//!
//! Not here: how messages are read (`proto`). Never on the ledger: only an issuer's journal keeps it, beside the body.

use crate::hash::{Hash, tagged};
use crate::receipt::layout::{BodyError, draft_values, header_position};
use crate::receipt::model::ReceiptDraft;

/// The identity of a draft. Fails if its extension is not that of its category.
pub fn draft_identity(draft: &ReceiptDraft) -> Result<Hash, BodyError> {
    let mut values = draft_values(draft)?;
    if let Some(date) = header_position("issue_date").and_then(|position| values.get_mut(position as usize)) {
        date.clear();
    }
    let lengths: Vec<[u8; 8]> = values.iter().map(|value| (value.len() as u64).to_be_bytes()).collect();
    let parts = lengths.iter().zip(&values).flat_map(|(length, value)| [&length[..], value.as_bytes()]);
    Ok(tagged("tallystick/draft-identity/v1", &parts.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Fen;
    use crate::receipt::civil::CivilDate;
    use crate::receipt::decimal::Quantity;
    use crate::receipt::ext::Ext;
    use crate::receipt::fixture;

    #[test]
    fn the_date_is_no_part_of_it_and_everything_else_is() {
        let draft = fixture::draft();
        let identity = draft_identity(&draft).unwrap();
        let other_day = ReceiptDraft { issue_date: CivilDate::parse("2026-11-03").unwrap(), ..draft.clone() };
        assert_eq!(draft_identity(&other_day).unwrap(), identity);
        let mut json = serde_json::to_value(&draft).unwrap();
        let mut changed = 0;
        for pointer in
            ["/payer_name", "/remark", "/items/0/item_name", "/other_info/0/value", "/payments/0/channel_reference"]
        {
            let before = json.clone();
            match json.pointer_mut(pointer) {
                Some(leaf) => *leaf = "变".into(),
                None => json["remark"] = "变".into(),
            }
            let other: ReceiptDraft = serde_json::from_value(json.clone()).unwrap();
            assert_ne!(draft_identity(&other).unwrap(), identity, "{pointer}");
            changed += 1;
            json = before;
        }
        assert_eq!(changed, 5);
        let mut other = draft.clone();
        other.items[0].quantity = Some(Quantity::ZERO);
        assert_ne!(draft_identity(&other).unwrap(), identity);
        other = draft;
        other.total_amount = Fen::new(12_101);
        assert_ne!(draft_identity(&other).unwrap(), identity);
    }

    /// Text that moves from one field to the next is another draft.
    #[test]
    fn values_do_not_run_together() {
        let with = |remark: &str, supervisor: &str| {
            let mut draft = fixture::draft();
            (draft.remark, draft.supervisor_remark) = (remark.to_owned(), supervisor.to_owned());
            draft_identity(&draft).unwrap()
        };
        assert_ne!(with("ab", ""), with("a", "b"));
        assert_ne!(with("ab", ""), with("", "ab"));
    }

    #[test]
    fn an_extension_of_another_category_has_none() {
        let draft = ReceiptDraft { ext: Ext::empty(5), ..fixture::draft() };
        assert_eq!(draft_identity(&draft), Err(BodyError::ExtMismatch));
    }
}
