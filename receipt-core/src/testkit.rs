//! A whole little chain in memory, keys included: for the tests of this crate and, under the feature `testkit`, of others.
//!
//! ```text
//! let mut chain = TestChain::new();
//! let receipt = chain.issue("S01");
//! chain.add_block(&[receipt.clone()]);
//! let bytes = chain.bundle(&receipt).encode();
//! verify_bundle(&bytes, chain.trust(), chain.now())
//! ```
//! Deterministic: no clock and no randomness; the same calls give the same bytes. It panics where a test would. Never for
//! production: its secrets are in this file.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has to fail")]

mod blocks;
mod directory;
mod keys;
mod log;
mod receipts;

use std::collections::BTreeMap;

use crate::blind::BlindingSecret;
use crate::fingerprint::Fingerprint;
use crate::genesis::{Genesis, Timeliness};
use crate::governance::{
    Action, AllocateSegment, AttachItems, CodeName, KeyOwner, RegisterBlinding, RegisterIssuer, RegisterKey,
    RegisterKind, RegisterSystem, RegisterUnit,
};
use crate::ids::{Height, UnixMillis};
use crate::memory::MemoryState;
use crate::receipt::civil::CivilDate;
use crate::receipt::samples::Samples;
use crate::seal::Seal;
use crate::state::tables::GovernanceState;
use crate::state::{ChainParameters, genesis_effects};
use crate::suite::{PublicKey, SoftwareKey, Suite};
use crate::trust::TrustFile;

pub use keys::{TestValidator, software_key};
pub use log::TestLog;
pub use receipts::TestReceipt;

/// The day on which everything happens: 2026-11-02, local.
pub const TEST_DATE: (u16, u8, u8) = (2026, 11, 2);
/// 2026-11-02 08:00:00 +08:00: time of genesis.
pub const GENESIS_TIME_MS: u64 = 1_793_577_600_000;
/// +08:00.
pub const UTC_OFFSET_MINUTES: i32 = 480;
/// The only issuer.
pub const ISSUER: u32 = 1;
/// The issuer's key.
pub const ISSUER_KEY: u32 = 1;
/// A unit's key has its number plus this.
pub const UNIT_KEY_BASE: u32 = 100;
/// Two [`TestValidator`]s whose log keys have the same note key id under the origin of `testchain`: found by trying.
pub const TWIN_LOG_KEYS: [u32; 2] = [32_859, 49_563];
/// How many authorities must sign; there are three.
pub const AUTHORITY_THRESHOLD: u32 = 2;

/// The blinding secret of epoch 1.
pub const BLINDING_BYTES: [u8; 32] = [77; 32];

/// A unit as registered on the test chain.
#[derive(Debug, Clone)]
pub(super) struct TestUnit {
    id: u32,
    code: String,
    name: String,
    area: String,
    /// Kinds with the items attached.
    kinds: Vec<(u32, Vec<CodeName>)>,
}

/// A decided block.
#[derive(Debug, Clone)]
pub struct TestBlock {
    /// The block's canonical bytes; empty for genesis.
    pub bytes: Vec<u8>,
    /// Its log entries, the seal last.
    pub entries: Vec<Vec<u8>>,
    /// Log index of the first of them.
    pub first_leaf: u64,
    /// Leaves of the log after it.
    pub log_size: u64,
    /// Its seal.
    pub seal: Seal,
    /// Its commit certificate; empty for genesis.
    pub certificate: Vec<u8>,
    /// Checkpoint note under exactly a quorum.
    pub checkpoint: String,
}

/// The chain.
pub struct TestChain {
    genesis: Genesis,
    trust: TrustFile,
    params: ChainParameters,
    state: MemoryState,
    log: TestLog,
    blocks: Vec<TestBlock>,
    /// Validator sets with the first height that they decide.
    sets: Vec<(u64, Vec<TestValidator>)>,
    /// Names of authorities with the first leaf that is written under them.
    authorities: Vec<(u64, Vec<String>)>,
    samples: Samples,
    units: Vec<TestUnit>,
    time: UnixMillis,
    next_serial: u64,
    next_sequence: u64,
    /// The message that was made last.
    governance: GovernanceState,
}

impl Default for TestChain {
    fn default() -> Self {
        Self::new()
    }
}

impl TestChain {
    /// A chain named `testchain` with four validators, three authorities (two must sign), one issuer, and the units, kinds
    /// and items of the seventeen samples. Only its genesis block is decided.
    pub fn new() -> Self {
        Self::named("testchain")
    }

    /// The same under another name: another chain, with the same keys.
    pub fn named(name: &str) -> Self {
        Self::with_suite(name, Suite::Ed25519Sha256)
    }

    /// The same under any suite that this build has.
    pub fn with_suite(name: &str, suite: Suite) -> Self {
        Self::of_genesis(name, suite, false)
    }

    /// The same, of a chain whose receipts are specimens.
    pub fn of_specimens(name: &str) -> Self {
        Self::of_genesis(name, Suite::Ed25519Sha256, true)
    }

    fn of_genesis(name: &str, suite: Suite, is_test: bool) -> Self {
        let samples = Samples::load().unwrap();
        let units = units_of(&samples);
        let validators: Vec<TestValidator> = (1..=4).map(TestValidator::new).collect();
        let genesis = Genesis {
            chain_name: name.to_owned(),
            origin: format!("ledger.example/{name}"),
            suite,
            time: UnixMillis::new(GENESIS_TIME_MS),
            utc_offset_minutes: UTC_OFFSET_MINUTES,
            authorities: keys::AUTHORITIES.iter().map(|name| keys::signer(suite, name).public_key()).collect(),
            authority_threshold: AUTHORITY_THRESHOLD,
            validators: keys::set_of(&validators),
            actions: registry(suite, &units),
            timeliness: Timeliness::default(),
            is_test,
        };
        Self::from_genesis(genesis, validators, samples, units)
    }

    fn from_genesis(genesis: Genesis, validators: Vec<TestValidator>, samples: Samples, units: Vec<TestUnit>) -> Self {
        let effects = genesis_effects(&genesis).unwrap();
        let genesis_id = genesis.chain_id().0;
        let mut chain = Self {
            trust: TrustFile::from_genesis(&genesis).unwrap(),
            params: ChainParameters::of(&genesis),
            state: MemoryState::new(),
            log: TestLog::new(genesis.suite),
            blocks: Vec::new(),
            sets: vec![(0, validators)],
            authorities: vec![(0, keys::AUTHORITIES.map(str::to_owned).to_vec())],
            samples,
            units,
            time: genesis.time,
            genesis,
            next_serial: 1,
            next_sequence: 1,
            governance: GovernanceState { sequence: 0, id: genesis_id },
        };
        chain.commit(Vec::new(), effects);
        chain
    }

    /// The genesis file.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The trust file of genesis; after [`Self::rotate_validators`] or [`Self::replace_authorities`], with both sets.
    pub fn trust(&self) -> &TrustFile {
        &self.trust
    }

    /// Everything decided so far, genesis first.
    pub fn blocks(&self) -> &[TestBlock] {
        &self.blocks
    }

    /// The state after the last block.
    pub fn state(&self) -> &MemoryState {
        &self.state
    }

    /// The log.
    pub fn log(&self) -> &TestLog {
        &self.log
    }

    /// The height of the last block.
    pub fn height(&self) -> Height {
        Height::new(self.blocks.len() as u64 - 1)
    }

    /// A moment after the last block and its checkpoint.
    pub fn now(&self) -> UnixMillis {
        self.time.plus_millis(60_000)
    }

    /// The next block is decided just after `time`, if that lies ahead.
    pub fn wait_until(&mut self, time: UnixMillis) {
        self.time = self.time.max(time);
    }

    /// The day of issue.
    pub fn date() -> CivilDate {
        CivilDate::new(TEST_DATE.0, TEST_DATE.1, TEST_DATE.2).unwrap()
    }
}

/// The three authorities.
pub fn authorities() -> [SoftwareKey; 3] {
    keys::AUTHORITIES.map(software_key)
}

/// A unit's signing key.
pub fn unit_key(unit: u32) -> SoftwareKey {
    software_key(&format!("unit-{unit}"))
}

/// The issuer's signing key.
pub fn issuer_key() -> SoftwareKey {
    software_key("issuer")
}

/// Units, kinds and items as the samples need them.
fn units_of(samples: &Samples) -> Vec<TestUnit> {
    let mut units: Vec<TestUnit> = Vec::new();
    for id in samples.ids() {
        let sample = samples.unit(id).unwrap();
        let kind = sample.receipt_code.get() / 100;
        let position = units.iter().position(|unit| unit.code == sample.unit_code).unwrap_or(units.len());
        if position == units.len() {
            units.push(TestUnit {
                id: u32::try_from(position).unwrap() + 1,
                code: sample.unit_code,
                name: sample.unit_name,
                area: sample.supervisor_area_code,
                kinds: Vec::new(),
            });
        }
        let kinds = &mut units[position].kinds;
        let entry = kinds.iter().position(|(known, _)| *known == kind).unwrap_or(kinds.len());
        if entry == kinds.len() {
            kinds.push((kind, Vec::new()));
        }
        let items = sample.items.into_iter().map(|(code, name)| CodeName { code, name });
        kinds[entry].1.extend(items);
        kinds[entry].1.sort_by(|a, b| a.code.cmp(&b.code));
        kinds[entry].1.dedup_by(|a, b| a.code == b.code);
        kinds.sort_by_key(|(kind, _)| *kind);
    }
    units
}

/// Everything registered at genesis: kinds, issuer, units with keys, items and segments, one calling system for all.
fn registry(suite: Suite, units: &[TestUnit]) -> Vec<Action> {
    let kinds = titles().into_iter().map(|(kind, name)| Action::RegisterKind(RegisterKind::named(kind, name)));
    let mut actions: Vec<Action> = kinds.collect();
    actions.push(Action::RegisterIssuer(RegisterIssuer::of_receipts(ISSUER, "issuer")));
    let fingerprint = Fingerprint::of_blinding(&blinding_secret(suite)).0.to_vec();
    actions.push(Action::RegisterBlinding(RegisterBlinding { epoch: 1, fingerprint }));
    let key = |key_id, owner, owner_id, name: &str| key_action(suite, key_id, (owner, owner_id), name);
    actions.push(key(ISSUER_KEY, KeyOwner::Issuer, ISSUER, "issuer"));
    for unit in units {
        actions.push(Action::RegisterUnit(RegisterUnit {
            unit_id: unit.id,
            unit_code: unit.code.clone(),
            name: unit.name.clone(),
            supervisor_area_code: unit.area.clone(),
            kinds: unit.kinds.iter().map(|(kind, _)| *kind).collect(),
            suspended_from_ms: 0,
        }));
        actions.push(key(UNIT_KEY_BASE + unit.id, KeyOwner::Unit, unit.id, &format!("unit-{}", unit.id)));
        for (kind, items) in &unit.kinds {
            let items = AttachItems { unit_id: unit.id, kind: *kind, items: items.clone(), adds: false };
            actions.push(Action::AttachItems(items));
            actions.push(Action::AllocateSegment(AllocateSegment {
                segment_id: unit.id * 1000 + kind % 1000,
                unit_id: unit.id,
                issuer_id: ISSUER,
                receipt_code: kind * 100 + 26,
                first_number: first_number(unit.id),
                last_number: first_number(unit.id) + 999_999,
            }));
        }
    }
    let grants = units.iter().map(|unit| crate::governance::Grant { unit_id: unit.id, places: Vec::new() }).collect();
    actions.push(Action::RegisterSystem(RegisterSystem { system_id: 1, name: "system".to_owned(), grants }));
    actions
}

/// The secret under which the chain's payments are hashed, of epoch 1.
pub fn blinding_secret(suite: Suite) -> BlindingSecret {
    BlindingSecret::new(suite, 1, &BLINDING_BYTES)
}

/// The samples' kinds with their titles.
fn titles() -> BTreeMap<u32, String> {
    let samples = Samples::load().unwrap();
    let units = samples.ids().into_iter().map(|id| samples.unit(id).unwrap());
    units.map(|unit| (unit.receipt_code.get() / 100, unit.receipt_name)).collect()
}

/// First number of a unit's segments.
fn first_number(unit: u32) -> u64 {
    u64::from(unit) * 1_000_000 + 1
}

fn key_action(suite: Suite, key_id: u32, (owner, owner_id): (KeyOwner, u32), name: &str) -> Action {
    let key: PublicKey = keys::signer(suite, name).public_key();
    Action::RegisterKey(RegisterKey {
        key_id,
        owner_kind: owner.number(),
        owner_id,
        suite: suite.number(),
        public_key: key.0.to_vec(),
        valid_from_ms: GENESIS_TIME_MS,
        valid_until_ms: 0,
    })
}
