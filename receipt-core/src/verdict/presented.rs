//! The content of a presentation: what is shown is what the record commits to, and reads as these fields of a receipt. Of what is
//! withheld nothing is known, so rules that need it are not judged.

use super::check::Judge;
use super::conclusion::Conclusion;
use super::differences::{Difference, differing_field_of, differing_unit_field};
use super::sentences::CheckId;
use super::value::{Parameters, Value};
use crate::bundle::{Leaf, Presentation};
use crate::credential::UnitCredential;
use crate::merkle::root_of_leaf_hashes;
use crate::receipt::blanks::from_known_values;
use crate::receipt::layout::{header_position, position_name};
use crate::receipt::model::Receipt;
use crate::record::ReceiptRecord;
use crate::trust::TrustFile;

/// What a holder shows of a receipt, known to be what the unit signed. It is never the receipt: blanks stand for what is withheld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// With blanks: to be read at shown positions only.
    pub(super) with_blanks: Receipt,
    /// Name and text of each position; no text where it is withheld.
    pub(super) values: Vec<(String, Option<String>)>,
}

impl Presented {
    /// The text of a field that is shown, by its name in the body's layout.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name)?.1.as_deref()
    }

    /// How many values are shown.
    pub fn shown_count(&self) -> usize {
        self.values.iter().filter(|(_, value)| value.is_some()).count()
    }

    /// How many are withheld.
    pub fn withheld_count(&self) -> usize {
        self.values.len() - self.shown_count()
    }
}

pub(super) fn check(
    presentation: &Presentation,
    trust: &TrustFile,
    record: &ReceiptRecord,
    credential: &UnitCredential,
    judge: &mut Judge,
) -> Result<Presented, Conclusion> {
    let (leaves, values) = (presentation.leaf_hashes(trust.suite()), presentation.values());
    let is_shown = |name: &str| {
        let leaf = header_position(name).and_then(|position| presentation.leaves.get(position as usize));
        matches!(leaf, Some(Leaf::Shown { .. }))
    };
    let of_record = |receipt: &Receipt| differing_field_of(receipt, record, trust.utc_offset_minutes(), is_shown);
    let receipt = from_known_values(&values);
    let is_counted = leaves.len() == record.disclosure_count as usize;
    if !is_counted || root_of_leaf_hashes(trust.suite(), leaves.iter().copied()) != record.body_root {
        let field = receipt.as_ref().ok().and_then(|receipt| {
            let differs = of_record(receipt).map(|differs| differs.field);
            differs.or_else(|| differing_unit_field(receipt, credential))
        });
        let detail = if is_counted {
            "shown values and hashes lead to another root".to_owned()
        } else {
            format!("{} values and hashes instead of {}", leaves.len(), record.disclosure_count)
        };
        let parameters = Parameters::NONE.and("field", field.map(Value::Field));
        return Err(judge.fail_with(CheckId::ShownRoot, parameters, detail));
    }
    judge.pass(CheckId::ShownRoot);
    let receipt = judge.require_ok(CheckId::ShownForm, receipt)?;
    let field = |name: &'static str| move || Parameters::of([("field", Value::Field(name))]);
    let differs = of_record(&receipt);
    let Difference { field: name, problem } = differs.unwrap_or_default();
    judge.require_with(CheckId::ShownRecord, differs.is_none(), field(name), problem)?;
    let differs = differing_unit_field(&receipt, credential);
    let name = differs.unwrap_or_default();
    judge.require_with(CheckId::BodyUnit, differs.is_none(), field(name), format_args!("{name} differs"))?;
    let (category, items) = (receipt.draft.receipt_code.category(), receipt.draft.items.len());
    let items = u32::try_from(items).unwrap_or(u32::MAX);
    let named =
        |(position, value): (u32, Option<&str>)| (position_name(category, items, position), value.map(str::to_owned));
    Ok(Presented { values: (0_u32..).zip(values).map(named).collect(), with_blanks: receipt })
}
