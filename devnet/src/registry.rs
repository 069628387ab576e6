//! The registry of a development network: units of every category with their kinds and items, and the systems that may
//! act for them.
//!
//! The units behind the samples come from the samples themselves. Load hospitals, with the items of the samples' two
//! hospitals, are added for volume. Numbers: units from 1, a unit's key at an issuer is `issuer × 1000 + unit`, the
//! issuer's own is `issuer × 1000`, segments from 1 in the order in which they are allocated.
//!
//! Not here: secrets.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use receipt_core::governance::{
    Action, AllocateSegment, AttachItems, CodeName, Grant, KeyOwner, Opens, RegisterIssuer, RegisterKey, RegisterKind,
    RegisterSystem, RegisterUnit,
};
use receipt_core::ids::{ReceiptCode, UnixMillis};
use receipt_core::receipt::idcheck::uscc_check_character;
use receipt_core::receipt::samples::Samples;
use receipt_core::suite::{PublicKey, Suite};

/// 监管机构代码 of the made-up city.
pub const AREA_CODE: &str = "990300";
/// Registry number of the system behind all hospitals.
pub const SYSTEM_HOSPITALS: u32 = 1;
/// Registry number of the system behind all other units.
pub const SYSTEM_OFFICES: u32 = 2;
/// Registry number of a system that may act for nobody.
pub const SYSTEM_WITHOUT_GRANTS: u32 = 3;
/// Registry number of a system that may act for the first hospital at one place only.
pub const SYSTEM_ONE_PLACE: u32 = 4;
/// The one place of business for which the restricted system may issue.
pub const ONE_PLACE: &str = "MZ-03";
/// Category digits of medical receipts.
const CATEGORY_MEDICAL: u32 = 6;
/// Out-patient and in-patient kinds of region 99.
pub const KIND_OUTPATIENT: u32 = 990_601;
/// See [`KIND_OUTPATIENT`].
pub const KIND_INPATIENT: u32 = 990_602;

/// Issuing points of a load hospital.
pub const LOAD_HOSPITAL_PLACES: [&str; 4] = ["MZ-01", "MZ-02", "ZZJ-01", "ZY-01"];

/// A kind as attached to a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitKind {
    /// 票据名称.
    pub title: String,
    /// Item codes and names, ascending.
    pub items: BTreeMap<String, String>,
}

/// An issuing unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Registry number.
    pub unit_id: u32,
    /// 统一社会信用代码.
    pub unit_code: String,
    /// Its name.
    pub name: String,
    /// Kinds by the first six digits of a receipt code.
    pub kinds: BTreeMap<u32, UnitKind>,
}

impl Unit {
    /// Whether it issues medical receipts.
    pub fn is_hospital(&self) -> bool {
        self.kinds.keys().any(|kind| category(*kind) == CATEGORY_MEDICAL)
    }
}

/// All units, and how codes are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The units, by number from 1.
    pub units: Vec<Unit>,
    /// Units that exist for volume only: the last ones of `units`.
    pub load_hospital_count: usize,
    /// Last two digits of the year in receipt codes.
    pub year_digits: u32,
}

/// What [`Registry::actions`] needs beside the registry.
pub struct RegistryTerms<'a> {
    /// Issuers, from 1.
    pub issuers: u32,
    /// Numbers per segment; every unit has one segment per code and issuer.
    pub segment_numbers: u64,
    /// From when on keys are valid.
    pub keys_valid_from: UnixMillis,
    /// The public key of a key number.
    pub public_key: &'a dyn Fn(u32) -> Result<PublicKey>,
}

/// Digits 3 and 4 of a receipt code.
const fn category(kind: u32) -> u32 {
    kind / 100 % 100
}

/// Number of a unit's key at an issuer; unit 0 stands for the issuer's own.
pub const fn key_id(issuer_id: u32, unit_id: u32) -> u32 {
    issuer_id * 1000 + unit_id
}

impl Registry {
    /// The samples' units and `load_hospital_count` further hospitals.
    pub fn new(load_hospital_count: usize, year_digits: u32) -> Result<Self> {
        ensure!(load_hospital_count <= 900, "at most 900 load hospitals");
        let samples = Samples::load()?;
        let mut units: Vec<Unit> = Vec::new();
        for sample_id in samples.ids() {
            let row = samples.unit(sample_id)?;
            let position = match units.iter().position(|unit| unit.unit_code == row.unit_code) {
                Some(position) => position,
                None => {
                    let unit_id = u32::try_from(units.len() + 1)?;
                    let (unit_code, name) = (row.unit_code, row.unit_name);
                    units.push(Unit { unit_id, unit_code, name, kinds: BTreeMap::new() });
                    units.len() - 1
                }
            };
            let kind = units[position].kinds.entry(row.receipt_code.get() / 100);
            let kind = kind.or_insert_with(|| UnitKind { title: row.receipt_name, items: BTreeMap::new() });
            kind.items.extend(row.items);
        }
        let medical =
            |kind: u32| units.iter().find_map(|unit| unit.kinds.get(&kind).cloned().map(|found| (kind, found)));
        let medical: BTreeMap<u32, UnitKind> =
            [KIND_OUTPATIENT, KIND_INPATIENT].into_iter().filter_map(medical).collect();
        for number in 1..=load_hospital_count {
            let prefix = format!("12990300400009{number:03}");
            let check = uscc_check_character(&prefix).context("compute a unit code's check character")?;
            units.push(Unit {
                unit_id: u32::try_from(units.len() + 1)?,
                unit_code: format!("{prefix}{check}"),
                name: format!("示例市社区医院第{number}分院"),
                kinds: medical.clone(),
            });
        }
        Ok(Self { units, load_hospital_count, year_digits })
    }

    /// The unit with this code.
    pub fn unit(&self, unit_code: &str) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.unit_code == unit_code)
    }

    /// The hospitals that exist for volume.
    pub fn load_hospitals(&self) -> &[Unit] {
        &self.units[self.units.len() - self.load_hospital_count..]
    }

    /// The receipt code of a kind in this network's year.
    pub fn receipt_code(&self, kind: u32) -> Result<ReceiptCode> {
        Ok(ReceiptCode::new(kind * 100 + self.year_digits)?)
    }

    /// The system whose certificate may act for a unit.
    pub fn system_of(&self, unit: &Unit) -> u32 {
        if unit.is_hospital() { SYSTEM_HOSPITALS } else { SYSTEM_OFFICES }
    }

    /// The governance actions of genesis.
    pub fn actions(&self, terms: &RegistryTerms<'_>) -> Result<Vec<Action>> {
        let mut actions = Vec::new();
        self.push_kinds(&mut actions);
        self.push_units(&mut actions);
        for issuer_id in 1..=terms.issuers {
            actions.push(Action::RegisterIssuer(RegisterIssuer::of_receipts(issuer_id, format!("issuer-{issuer_id}"))));
        }
        self.push_keys(&mut actions, terms)?;
        self.push_systems(&mut actions);
        self.push_segments(&mut actions, terms)?;
        Ok(actions)
    }

    fn push_kinds(&self, actions: &mut Vec<Action>) {
        let mut titles: BTreeMap<u32, &str> = BTreeMap::new();
        for (kind, detail) in self.units.iter().flat_map(|unit| &unit.kinds) {
            titles.entry(*kind).or_insert(&detail.title);
        }
        for (kind, name) in titles {
            // What was charged to a patient is for nobody to see; an authority sees a medical receipt's amounts alone.
            let opens = if category(kind) == CATEGORY_MEDICAL { Opens::Header } else { Opens::Rows };
            actions
                .push(Action::RegisterKind(RegisterKind { opens: opens.number(), ..RegisterKind::named(kind, name) }));
        }
    }

    fn push_units(&self, actions: &mut Vec<Action>) {
        for unit in &self.units {
            actions.push(Action::RegisterUnit(RegisterUnit {
                unit_id: unit.unit_id,
                unit_code: unit.unit_code.clone(),
                name: unit.name.clone(),
                supervisor_area_code: AREA_CODE.to_owned(),
                kinds: unit.kinds.keys().copied().collect(),
                suspended_from_ms: 0,
            }));
            for (kind, detail) in &unit.kinds {
                let items = detail.items.iter();
                let items = items.map(|(code, name)| CodeName { code: code.clone(), name: name.clone() }).collect();
                actions.push(Action::AttachItems(AttachItems {
                    unit_id: unit.unit_id,
                    kind: *kind,
                    items,
                    adds: false,
                }));
            }
        }
    }

    fn push_keys(&self, actions: &mut Vec<Action>, terms: &RegistryTerms<'_>) -> Result<()> {
        for issuer_id in 1..=terms.issuers {
            let issuer = (0, KeyOwner::Issuer, issuer_id);
            let units = self.units.iter().map(|unit| (unit.unit_id, KeyOwner::Unit, unit.unit_id));
            for (unit_id, owner, owner_id) in std::iter::once(issuer).chain(units) {
                let key_id = key_id(issuer_id, unit_id);
                actions.push(Action::RegisterKey(RegisterKey {
                    key_id,
                    owner_kind: owner.number(),
                    owner_id,
                    suite: Suite::Ed25519Sha256.number(),
                    public_key: (terms.public_key)(key_id)?.0.to_vec(),
                    valid_from_ms: terms.keys_valid_from.get(),
                    valid_until_ms: 0,
                }));
            }
        }
        Ok(())
    }

    fn push_systems(&self, actions: &mut Vec<Action>) {
        let grants = |system_id: u32| -> Vec<Grant> {
            let units = self.units.iter().filter(|unit| self.system_of(unit) == system_id);
            units.map(|unit| Grant { unit_id: unit.unit_id, places: Vec::new() }).collect()
        };
        let first = self.units.first().map(|unit| Grant { unit_id: unit.unit_id, places: vec![ONE_PLACE.to_owned()] });
        for (system_id, name, grants) in [
            (SYSTEM_HOSPITALS, "hospital-his", grants(SYSTEM_HOSPITALS)),
            (SYSTEM_OFFICES, "office-system", grants(SYSTEM_OFFICES)),
            (SYSTEM_WITHOUT_GRANTS, "system-without-grants", Vec::new()),
            (SYSTEM_ONE_PLACE, "kiosk", first.into_iter().collect()),
        ] {
            actions.push(Action::RegisterSystem(RegisterSystem { system_id, name: name.to_owned(), grants }));
        }
    }

    fn push_segments(&self, actions: &mut Vec<Action>, terms: &RegistryTerms<'_>) -> Result<()> {
        let mut next_number: BTreeMap<u32, u64> = BTreeMap::new();
        let mut segment_id = 0;
        for issuer_id in 1..=terms.issuers {
            for unit in &self.units {
                for kind in unit.kinds.keys() {
                    let receipt_code = self.receipt_code(*kind)?.get();
                    let next = next_number.entry(receipt_code).or_insert(1);
                    let first_number = *next;
                    *next += terms.segment_numbers;
                    segment_id += 1;
                    actions.push(Action::AllocateSegment(AllocateSegment {
                        segment_id,
                        unit_id: unit.unit_id,
                        issuer_id,
                        receipt_code,
                        first_number,
                        last_number: *next - 1,
                    }));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
