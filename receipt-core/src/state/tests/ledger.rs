//! A ledger with a registry small enough to keep in mind:
//!
//! ```text
//! unit     kinds             keys                                            segments of 99060126 (issuer)
//! 1        990601 990602     101; 111 from T+1 h; 112 until T+1 h            11: 1–9,999 (1)   12: 10,001–20,000 (2)
//! 2        990601            102                                             21: 30,001–40,000 (1)  22: 40,001–50,000 (2)
//! issuer   1 with key 1, 2 with key 2            kind 990603 is registered and nobody's; T is the time of genesis
//! segment  13: unit 1, issuer 1, 20,001–20,100; 14: unit 1, issuer 1, 1–9,999 of 99060326, whose kind is not unit 1's
//! ```

use crate::batch::{BatchHeader, SignedBatchHeader};
use crate::block::{Batch, BlockContent, Item};
use crate::entry::RecordRefusal;
use crate::genesis::{Genesis, Timeliness};
use crate::governance::{
    Action, AllocateSegment, Governance, KeyOwner, RegisterIssuer, RegisterKey, RegisterKind, RegisterUnit,
    SignedGovernance,
};
use crate::hash::tagged;
use crate::ids::{BatchSequence, Height, IssuerId, KeyId, UnixMillis};
use crate::memory::MemoryState;
use crate::merkle::InnerTree;
use crate::record::SignedRecord;
use crate::state::tables::{GovernanceState, IssuerState, KeyState, META_TOTALS, Table, Tip, Totals};
use crate::state::{
    ApplyError, BatchFault, BlockRefusal, ChainParameters, CheckedBlock, Effects, NoCache, StateRead, apply,
    genesis_effects, proposer_order, read_schedule, read_validators,
};
use crate::suite::{PublicKey, Signer, SoftwareKey, Suite};
use crate::testkit::{TestValidator, authorities, software_key, unit_key};
use crate::validators::ValidatorSet;

/// Time of genesis.
pub(super) const T: u64 = 1_793_577_600_000;
pub(super) const HOUR_MS: u64 = 3_600_000;
pub(super) const CODE: u32 = 99_060_126;

pub(super) struct Ledger {
    pub(super) chain: ChainParameters,
    pub(super) state: MemoryState,
    /// Time of the next block; each block adds a second.
    pub(super) time: u64,
}

pub(super) fn issuer_signer(issuer: u32) -> SoftwareKey {
    software_key(&format!("issuer-{issuer}"))
}

pub(super) fn validator_set(ids: impl IntoIterator<Item = u32>) -> ValidatorSet {
    ValidatorSet::new(ids.into_iter().map(|id| TestValidator::new(id).public()).collect()).unwrap()
}

pub(super) fn register_unit(unit_id: u32, kinds: &[u32]) -> RegisterUnit {
    RegisterUnit {
        unit_id,
        unit_code: format!("UNIT{unit_id:014}"),
        name: format!("单位{unit_id}"),
        supervisor_area_code: "990100".to_owned(),
        kinds: kinds.to_vec(),
        suspended_from_ms: 0,
    }
}

pub(super) fn register_key(key_id: u32, owner: KeyOwner, owner_id: u32, key: PublicKey) -> RegisterKey {
    RegisterKey {
        key_id,
        owner_kind: owner.number(),
        owner_id,
        suite: 1,
        public_key: key.0.to_vec(),
        valid_from_ms: T,
        valid_until_ms: 0,
    }
}

pub(super) fn segment(segment_id: u32, unit_id: u32, issuer_id: u32, first: u64, last: u64) -> AllocateSegment {
    AllocateSegment { segment_id, unit_id, issuer_id, receipt_code: CODE, first_number: first, last_number: last }
}

fn registry() -> Vec<Action> {
    let kind = |kind| Action::RegisterKind(RegisterKind::named(kind, format!("kind {kind}")));
    let issuer =
        |issuer_id| Action::RegisterIssuer(RegisterIssuer::of_receipts(issuer_id, format!("issuer {issuer_id}")));
    let issuer_key = |id| Action::RegisterKey(register_key(id, KeyOwner::Issuer, id, issuer_signer(id).public_key()));
    let unit = unit_key(1).public_key();
    vec![
        kind(990_601),
        kind(990_602),
        kind(990_603),
        issuer(1),
        issuer(2),
        issuer_key(1),
        issuer_key(2),
        Action::RegisterUnit(register_unit(1, &[990_601, 990_602])),
        Action::RegisterUnit(register_unit(2, &[990_601])),
        Action::RegisterKey(register_key(101, KeyOwner::Unit, 1, unit)),
        Action::RegisterKey(register_key(102, KeyOwner::Unit, 2, unit_key(2).public_key())),
        Action::RegisterKey(RegisterKey { valid_from_ms: T + HOUR_MS, ..register_key(111, KeyOwner::Unit, 1, unit) }),
        Action::RegisterKey(RegisterKey { valid_until_ms: T + HOUR_MS, ..register_key(112, KeyOwner::Unit, 1, unit) }),
        Action::AllocateSegment(segment(11, 1, 1, 1, 9_999)),
        Action::AllocateSegment(segment(12, 1, 2, 10_001, 20_000)),
        Action::AllocateSegment(segment(13, 1, 1, 20_001, 20_100)),
        Action::AllocateSegment(AllocateSegment { receipt_code: 99_060_326, ..segment(14, 1, 1, 1, 9_999) }),
        Action::AllocateSegment(segment(21, 2, 1, 30_001, 40_000)),
        Action::AllocateSegment(segment(22, 2, 2, 40_001, 50_000)),
    ]
}

/// The four-validator, three-authority genesis of all these tests.
pub(super) fn genesis() -> Genesis {
    Genesis {
        chain_name: "statetest".to_owned(),
        origin: "ledger.example/statetest".to_owned(),
        suite: Suite::Ed25519Sha256,
        time: UnixMillis::new(T),
        utc_offset_minutes: 480,
        authorities: authorities().iter().map(Signer::public_key).collect(),
        authority_threshold: 2,
        validators: validator_set(1..=4),
        actions: registry(),
        timeliness: Timeliness::default(),
        is_test: false,
    }
}

impl Ledger {
    pub(super) fn new() -> Self {
        let genesis = genesis();
        let mut state = MemoryState::new();
        state.commit(genesis_effects(&genesis).unwrap().writes, &[]);
        Self { chain: ChainParameters::of(&genesis), state, time: T + 10_000 }
    }

    pub(super) fn tip(&self) -> Tip {
        self.state.tip().unwrap().unwrap()
    }

    pub(super) fn totals(&self) -> Totals {
        Totals::decode(&self.get(Table::Meta, META_TOTALS).unwrap()).unwrap()
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> Option<Vec<u8>> {
        StateRead::get(&self.state, table, key).unwrap()
    }

    pub(super) fn message<M: prost::Message + Default>(&self, table: Table, id: u32) -> M {
        M::decode(self.get(table, &id.to_be_bytes()).unwrap().as_slice()).unwrap()
    }

    /// The next block's content: right height, parent, time and proposer.
    pub(super) fn content(&self, items: Vec<Item>) -> BlockContent {
        let tip = self.tip();
        let height = tip.height.next().unwrap();
        let set = read_validators(&self.state, height).unwrap();
        let order = proposer_order(&set, &read_schedule(&self.state).unwrap(), height);
        BlockContent {
            height,
            time: UnixMillis::new(self.time),
            parent_seal_hash: tip.seal_hash,
            proposer: order[0],
            proposer_round: 0,
            items,
            salt: tagged("tallystick/statetest/salt", &[&height.get().to_be_bytes()]).0,
        }
    }

    pub(super) fn check(&self, content: BlockContent) -> Result<CheckedBlock, BatchFault> {
        let key = |id: KeyId| {
            let bytes = self.get(Table::Keys, &id.get().to_be_bytes())?;
            let state: KeyState = prost::Message::decode(bytes.as_slice()).unwrap();
            state.key.key().ok()
        };
        CheckedBlock::check(content, self.chain.id, &NoCache, &key, [0; 32])
    }

    /// Executes without committing.
    pub(super) fn execute(&self, content: BlockContent) -> Result<Effects, BlockRefusal> {
        match apply(&self.state, &self.chain, &self.check(content).unwrap()) {
            Ok(effects) => Ok(effects),
            Err(ApplyError::Refused(refusal)) => Err(refusal),
            Err(ApplyError::Read(error)) => panic!("{error}"),
        }
    }

    pub(super) fn commit(&mut self, effects: &Effects) {
        self.state.commit(effects.writes.clone(), &effects.stale_nodes);
        self.time += 1000;
    }

    /// Executes and commits a block with these items.
    pub(super) fn add(&mut self, items: Vec<Item>) -> Result<Effects, BlockRefusal> {
        let effects = self.execute(self.content(items))?;
        self.commit(&effects);
        Ok(effects)
    }

    pub(super) fn next_sequence(&self, issuer: u32) -> u64 {
        self.message::<IssuerState>(Table::Issuers, issuer).next_sequence
    }

    /// A true header of an issuer's next batch over these leaves.
    pub(super) fn header(&self, issuer: u32, leaves: &[Vec<u8>]) -> BatchHeader {
        let times = leaves.iter().filter_map(|leaf| SignedRecord::decode(leaf).ok());
        let times: Vec<UnixMillis> = times.map(|signed| signed.record.issue_time).collect();
        BatchHeader {
            suite: Suite::Ed25519Sha256,
            issuer: IssuerId::new(issuer),
            epoch: 1,
            sequence: BatchSequence::new(self.next_sequence(issuer)),
            count: u32::try_from(leaves.len()).unwrap(),
            root: InnerTree::from_leaves(Suite::Ed25519Sha256, leaves).unwrap().root(),
            first_issue_time: times.iter().min().copied().unwrap_or(UnixMillis::new(T)),
            last_issue_time: times.iter().max().copied().unwrap_or(UnixMillis::new(T)),
            signing_key: KeyId::new(issuer),
        }
    }

    pub(super) fn sign_header(&self, header: BatchHeader, leaves: Vec<Vec<u8>>) -> Item {
        let signer = issuer_signer(header.issuer.get());
        Item::Batch(Batch { header: SignedBatchHeader::sign(header, self.chain.id, &signer), records: leaves })
    }

    pub(super) fn batch(&self, issuer: u32, leaves: Vec<Vec<u8>>) -> Item {
        self.sign_header(self.header(issuer, &leaves), leaves)
    }

    /// Commits a block with one batch of issuer 1; its refusals, empty if it was taken.
    pub(super) fn submit(&mut self, leaves: Vec<Vec<u8>>) -> Vec<RecordRefusal> {
        let batch = self.batch(1, leaves);
        self.add(vec![batch]).unwrap().outcomes[0].refusals.clone()
    }

    /// The next governance message with these actions, signed by authorities 0 and 1.
    pub(super) fn governance(&self, actions: Vec<Action>) -> SignedGovernance {
        self.signed(self.unsigned(actions), &[0, 1])
    }

    pub(super) fn unsigned(&self, actions: Vec<Action>) -> Governance {
        let last = self.get(Table::Meta, crate::state::tables::META_GOVERNANCE).unwrap();
        let last = GovernanceState::decode(&last).unwrap();
        let (suite, sequence) = (Suite::Ed25519Sha256, last.sequence + 1);
        Governance { suite, area: None, sequence, expiry: Height::new(100_000), previous: last.id, actions }
    }

    pub(super) fn signed(&self, governance: Governance, signers: &[u32]) -> SignedGovernance {
        let keys = authorities();
        let signers: Vec<&dyn Signer> = signers.iter().map(|index| &keys[*index as usize] as &dyn Signer).collect();
        SignedGovernance::sign(governance, self.chain.id, &signers)
    }

    /// Commits a block with these actions; panics if they are refused. Returns the block's time.
    pub(super) fn govern(&mut self, actions: Vec<Action>) -> u64 {
        let time = self.time;
        let governance = self.governance(actions);
        self.add(vec![Item::Governance(governance)]).unwrap();
        time
    }
}
