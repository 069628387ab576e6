//! Generated receipts pass every rule of the issuer, and never collide.

use std::collections::BTreeSet;

use receipt_core::ids::ReceiptCode;
use receipt_core::receipt::rules::{Catalogue, NEW_YEAR_GRACE_DAYS, RuleContext, check_draft};
use tallystick_proto::convert::{draft_from_wire, draft_to_wire};

use super::*;

/// 2026-11-02 08:21:37 +08:00.
const NOW: UnixMillis = UnixMillis::new(1_793_578_897_000);

struct RegistryCatalogue<'a>(&'a Registry);

impl Catalogue for RegistryCatalogue<'_> {
    fn kind_is_registered(&self, code: ReceiptCode) -> bool {
        self.0.units.iter().any(|unit| unit.kinds.contains_key(&(code.get() / 100)))
    }

    fn item_is_attached(&self, unit_code: &str, code: ReceiptCode, item_code: &str) -> bool {
        let kind = self.0.unit(unit_code).and_then(|unit| unit.kinds.get(&(code.get() / 100)));
        kind.is_some_and(|kind| kind.items.contains_key(item_code))
    }

    fn title(&self, code: ReceiptCode) -> Option<&str> {
        let kinds = self.0.units.iter().filter_map(|unit| unit.kinds.get(&(code.get() / 100)));
        kinds.map(|kind| kind.title.as_str()).next()
    }

    fn item_name(&self, unit_code: &str, code: ReceiptCode, item_code: &str) -> Option<&str> {
        let kind = self.0.unit(unit_code)?.kinds.get(&(code.get() / 100))?;
        kind.items.get(item_code).map(String::as_str)
    }
}

fn drafts(registry: &Registry, seed: u64, count: usize) -> Vec<GeneratedReceipt> {
    let params = GeneratorParams::at(NOW, 480, seed).unwrap();
    let mut generator = ReceiptGenerator::new(registry, params).unwrap();
    (0..count).map(|_| generator.mixed().unwrap()).collect()
}

#[test]
fn every_generated_receipt_passes_every_rule() {
    let registry = Registry::new(3, 26).unwrap();
    let catalogue = RegistryCatalogue(&registry);
    let context = RuleContext {
        now: NOW,
        offline_issue_time: None,
        utc_offset_minutes: 480,
        new_year_grace_days: NEW_YEAR_GRACE_DAYS,
        catalogue: &catalogue,
        original: None,
    };
    let mut categories = BTreeSet::new();
    for generated in drafts(&registry, 1, 2000) {
        let draft = generated.draft;
        assert_eq!(check_draft(&draft, &context), Ok(()), "{draft:?}");
        assert_eq!(draft_from_wire(draft_to_wire(&draft)), Ok(draft.clone()));
        let unit = registry.unit(&draft.unit_code).unwrap();
        assert_eq!(registry.system_of(unit), generated.system_id);
        assert!(unit.kinds.contains_key(&(draft.receipt_code.get() / 100)));
        categories.insert(draft.receipt_code.category());
    }
    assert_eq!(categories.len(), 10, "{categories:?}");
}

#[test]
fn biz_codes_and_payments_are_unique_and_the_same_seed_repeats() {
    let registry = Registry::new(3, 26).unwrap();
    let first = drafts(&registry, 1, 3000);
    let keys = |generated: &GeneratedReceipt| {
        let draft = &generated.draft;
        let settlement = match &draft.ext {
            Ext::Medical { medical } => medical.settlement_number.clone(),
            _ => draft.pay_codes().join("+"),
        };
        (draft.biz_code.clone(), settlement)
    };
    let biz_codes: BTreeSet<String> = first.iter().map(|draft| keys(draft).0).collect();
    assert_eq!(biz_codes.len(), first.len());
    let settlements: Vec<String> = first.iter().map(|draft| keys(draft).1).filter(|key| !key.is_empty()).collect();
    assert_eq!(settlements.iter().collect::<BTreeSet<_>>().len(), settlements.len());
    let again = drafts(&registry, 1, 3000);
    assert!(first.iter().zip(&again).all(|(one, other)| one.draft == other.draft));
}
