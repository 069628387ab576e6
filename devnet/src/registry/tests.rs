//! What holds of the registry: complete, and accepted by the ledger's own rules.

use std::collections::BTreeSet;

use receipt_core::receipt::idcheck::uscc_is_valid;
use receipt_core::suite::{Signer as _, SoftwareKey};

use super::*;

#[test]
fn every_category_has_a_unit_and_every_code_is_valid() {
    let registry = Registry::new(8, 26).unwrap();
    let categories: BTreeSet<u32> =
        registry.units.iter().flat_map(|unit| unit.kinds.keys()).map(|kind| kind / 100 % 100).collect();
    assert_eq!(categories, [1, 2, 3, 4, 5, 6, 7, 8, 9, 99].into());
    let codes: BTreeSet<&str> = registry.units.iter().map(|unit| unit.unit_code.as_str()).collect();
    assert_eq!(codes.len(), registry.units.len());
    for unit in &registry.units {
        assert!(uscc_is_valid(&unit.unit_code), "{}", unit.unit_code);
    }
    assert_eq!(registry.load_hospitals().len(), 8);
    assert!(registry.load_hospitals().iter().all(|unit| unit.kinds.len() == 2));
}

#[test]
fn the_samples_units_kinds_and_items_are_registered() {
    let registry = Registry::new(0, 26).unwrap();
    let samples = Samples::load().unwrap();
    assert_eq!(samples.ids().len(), 17);
    for sample_id in samples.ids() {
        let row = samples.unit(sample_id).unwrap();
        let unit = registry.unit(&row.unit_code).unwrap();
        assert_eq!(unit.name, row.unit_name);
        assert_eq!(row.supervisor_area_code, AREA_CODE);
        let kind = &unit.kinds[&(row.receipt_code.get() / 100)];
        for (code, _) in row.items {
            assert!(kind.items.contains_key(&code), "{sample_id} {code}");
        }
    }
}

#[test]
fn segments_of_a_code_never_overlap_also_with_two_issuers() {
    let registry = Registry::new(2, 26).unwrap();
    let key = |key_id: u32| Ok(SoftwareKey::from_seed(&[key_id.to_be_bytes()[3]; 32]).public_key());
    let terms =
        RegistryTerms { issuers: 2, segment_numbers: 1000, keys_valid_from: UnixMillis::new(1), public_key: &key };
    let actions = registry.actions(&terms).unwrap();
    let mut ranges: Vec<(u32, u64, u64, u32)> = actions
        .iter()
        .filter_map(|action| match action {
            Action::AllocateSegment(s) => Some((s.receipt_code, s.first_number, s.last_number, s.issuer_id)),
            _ => None,
        })
        .collect();
    let kinds_of_units: usize = registry.units.iter().map(|unit| unit.kinds.len()).sum();
    assert_eq!(ranges.len(), 2 * kinds_of_units);
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        assert!(pair[0].0 != pair[1].0 || pair[0].2 < pair[1].1, "{pair:?}");
    }
}
