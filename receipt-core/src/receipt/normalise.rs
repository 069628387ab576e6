//! Normalising a draft's texts: every one is brought into normal form, and the fields that changed are named, so that the
//! answer can say so. A cashier cannot mend how a keyboard or a GBK table spells 郎.
//!
//! Not here: what a text must not have (V27, `rules`). Structures are taken apart field by field: a new text does not compile
//! until it stands here.

use crate::receipt::chars::normalise_text;
use crate::receipt::model::{AuxItem, Item, OtherInfo, Payment, ReceiptDraft, Related, Reversal};

/// Normalises every text of a draft. Returns the paths of those that changed, as in the bundle: `items[3].item_name`.
pub fn normalise(draft: &mut ReceiptDraft) -> Vec<String> {
    let mut door = Door::default();
    let ReceiptDraft {
        receipt_code: _,
        receipt_name,
        specimen_code,
        supervisor_area_code,
        unit_code,
        issue_date: _,
        biz_code,
        place_code,
        total_amount: _,
        payer_type: _,
        payer_id_type: _,
        payer_code,
        payer_name,
        payments,
        rec_name,
        rec_account,
        rec_bank,
        handling_person,
        checker,
        remark,
        supervisor_remark,
        related,
        reversal,
        other_info,
        ext,
        items,
        aux_items,
    } = draft;
    for (field, text) in [
        ("receipt_name", receipt_name),
        ("specimen_code", specimen_code),
        ("supervisor_area_code", supervisor_area_code),
        ("unit_code", unit_code),
        ("biz_code", biz_code),
        ("place_code", place_code),
        ("payer_code", payer_code),
        ("payer_name", payer_name),
        ("rec_name", rec_name),
        ("rec_account", rec_account),
        ("rec_bank", rec_bank),
        ("handling_person", handling_person),
        ("checker", checker),
        ("remark", remark),
        ("supervisor_remark", supervisor_remark),
    ] {
        door.field(field, text);
    }
    for (index, Payment { mode: _, amount: _, channel_reference }) in payments.iter_mut().enumerate() {
        door.entries("payments", index, [("channel_reference", channel_reference)]);
    }
    related.iter_mut().enumerate().for_each(|(index, related)| door.related(index, related));
    if let Some(reversal) = reversal {
        door.reversal(reversal);
    }
    for (index, OtherInfo { no: _, name, value }) in other_info.iter_mut().enumerate() {
        door.entries("other_info", index, [("name", name), ("value", value)]);
    }
    ext.each_text(&mut |field, text| door.field(field, text));
    items.iter_mut().enumerate().for_each(|(index, item)| door.item(index, item));
    aux_items.iter_mut().enumerate().for_each(|(index, aux)| door.aux_item(index, aux));
    door.changed
}

/// Collects what changed.
#[derive(Default)]
struct Door {
    changed: Vec<String>,
}

impl Door {
    fn field(&mut self, field: &str, text: &mut String) {
        if normalise_text(text) {
            self.changed.push(field.to_owned());
        }
    }

    fn entries<const N: usize>(&mut self, list: &str, index: usize, texts: [(&str, &mut String); N]) {
        for (field, text) in texts {
            if normalise_text(text) {
                self.changed.push(format!("{list}[{index}].{field}"));
            }
        }
    }

    fn related(&mut self, index: usize, related: &mut Related) {
        match related {
            Related::ReversalOf { receipt_code: _, receipt_number: _ }
            | Related::ReissueAfterPartialRefund { receipt_code: _, receipt_number: _ } => {}
            Related::ExchangedPaper { paper_code, paper_number } => {
                self.entries("related", index, [("paper_code", paper_code), ("paper_number", paper_number)]);
            }
            Related::CoversPayCode { pay_code } => self.entries("related", index, [("pay_code", pay_code)]),
        }
    }

    fn reversal(&mut self, reversal: &mut Reversal) {
        let Reversal { reason: _, text, operator, refund_reference, reissue_biz_code } = reversal;
        for (field, text) in [
            ("reversal.text", text),
            ("reversal.operator", operator),
            ("reversal.refund_reference", refund_reference),
            ("reversal.reissue_biz_code", reissue_biz_code),
        ] {
            self.field(field, text);
        }
    }

    fn item(&mut self, index: usize, item: &mut Item) {
        let Item { item_code, item_name, unit, quantity: _, standard: _, amount: _, rounding_adjustment: _, remark } =
            item;
        let texts = [("item_code", item_code), ("item_name", item_name), ("unit", unit), ("remark", remark)];
        self.entries("items", index, texts);
    }

    fn aux_item(&mut self, index: usize, aux: &mut AuxItem) {
        let AuxItem {
            related_item_code,
            related_item_name,
            item_code,
            item_name,
            unit,
            quantity: _,
            standard: _,
            amount: _,
            remark,
        } = aux;
        let texts = [
            ("related_item_code", related_item_code),
            ("related_item_name", related_item_name),
            ("item_code", item_code),
            ("item_name", item_name),
            ("unit", unit),
            ("remark", remark),
        ];
        self.entries("aux_items", index, texts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ReceiptCode;
    use crate::receipt::ext::Ext;
    use crate::receipt::fixture;

    /// A draft of every category with every text given.
    fn drafts() -> Vec<ReceiptDraft> {
        let related = r#"[{"relation": "exchanged_paper", "paper_code": "1", "paper_number": "2"},
            {"relation": "covers_pay_code", "pay_code": "3"}]"#;
        let reversal =
            r#"{"reason": "other", "text": "a", "operator": "b", "refund_reference": "c", "reissue_biz_code": "d"}"#;
        let mut base = fixture::draft();
        base.related = serde_json::from_str(related).unwrap();
        base.reversal = Some(serde_json::from_str(reversal).unwrap());
        let x = || "x".to_owned();
        (base.rec_name, base.rec_account, base.rec_bank) = (x(), x(), x());
        (base.remark, base.supervisor_remark, base.payments[1].channel_reference) = (x(), x(), x());
        (base.items[0].remark, base.items[1].unit, base.items[1].remark) = (x(), x(), x());
        let aux = &mut base.aux_items[0];
        (aux.related_item_name, aux.item_code, aux.unit, aux.remark) = (x(), x(), x(), x());
        let of_category = |category: u32| {
            let mut draft = base.clone();
            draft.receipt_code = ReceiptCode::new(99_000_126 + category * 10_000).unwrap();
            draft.ext = Ext::empty(category);
            draft.ext.each_text(&mut |_, text| "x".clone_into(text));
            draft
        };
        (1..=10).map(of_category).collect()
    }

    /// Ends every text of every category with a compatibility ideograph, and expects each to be mended and named.
    #[test]
    fn every_text_of_every_category_goes_through_the_door() {
        for draft in drafts() {
            let mut json = serde_json::to_value(&draft).unwrap();
            let expected = spell_all(&mut json, &draft);
            let mut spelled: ReceiptDraft = serde_json::from_value(json).unwrap();
            assert_ne!(spelled, draft);
            let changed = normalise(&mut spelled);
            assert_eq!(changed.len(), expected, "{}: {changed:?}", draft.receipt_code);
            let text = serde_json::to_string(&spelled).unwrap();
            assert!(!text.contains('\u{fa18}'), "{text}");
            assert_eq!(normalise(&mut spelled), Vec::<String>::new());
        }
    }

    /// Appends U+FA18 to every leaf that still reads as a draft afterwards, that is, to every text. How many.
    fn spell_all(json: &mut serde_json::Value, draft: &ReceiptDraft) -> usize {
        let pointers = pointers(json);
        let mut count = 0;
        for pointer in pointers {
            let leaf = json.pointer_mut(&pointer).unwrap();
            let Some(text) = leaf.as_str().map(str::to_owned) else { continue };
            *leaf = format!("{text}\u{fa18}").into();
            match serde_json::from_value::<ReceiptDraft>(json.clone()) {
                Ok(read) if read != *draft => count += 1,
                _ => *json.pointer_mut(&pointer).unwrap() = text.into(),
            }
        }
        count
    }

    fn pointers(value: &serde_json::Value) -> Vec<String> {
        fn walk(at: &str, value: &serde_json::Value, out: &mut Vec<String>) {
            match value {
                serde_json::Value::Object(fields) => {
                    fields.iter().for_each(|(name, value)| walk(&format!("{at}/{name}"), value, out));
                }
                serde_json::Value::Array(entries) => {
                    entries.iter().enumerate().for_each(|(index, value)| walk(&format!("{at}/{index}"), value, out));
                }
                _ => out.push(at.to_owned()),
            }
        }
        let mut out = Vec::new();
        walk("", value, &mut out);
        out
    }
}
