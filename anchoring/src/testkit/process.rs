//! A process that anchors records, without its network, over a chain in memory. Its owner counts, and keeps nothing else.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use receipt_core::block::Item;
use receipt_core::governance::{Action, FenceIssuer};
use receipt_core::ids::{BatchSequence, IssuerId, KeyId, RecordKey};
use receipt_core::merkle::Frontier;
use receipt_core::record::{RecordType, SignedRecord};
use receipt_core::state::{ChainParameters, genesis_effects};
use receipt_core::suite::{Signer, Suite};
use receipt_core::testkit::{ISSUER, ISSUER_KEY, TestChain, issuer_key};
use receipt_core::trust::TrustFile;
use tallystick_proto::ledger::v1::SubmitBatchRequest;
use tallystick_service::rng::OsEntropy;

use super::{FixedMonotonic, ledger_block};
use crate::batcher::{Batcher, BatcherParts};
use crate::desk::Desk;
use crate::flight::{Departures, Flight};
use crate::follow::{Chain, HeldLimits, Mode, OutcomeError, Outcomes};
use crate::gate::Gate;
use crate::journal::{
    Access, BatchRow, Durability, Family, FollowedTip, Inspector, Journal, JournalError, JournalIdentity, JournalWrite,
    Layout, RecordRow, fixed,
};
use crate::metrics::AnchoringMetrics;
use crate::owner::{Adopted, Committed, OwnBatch, Owner, OwnerStep, RefusedRecord, RegistryChange};
use crate::quorum_time::QuorumTime;
use crate::recover::{RecoverError, Recovery, RecoveryState};
use crate::trust::FollowedTrust;

/// record key → what the owner was told of it: 1 acknowledged, 2 sealed, 3 refused, 4 learnt.
const TOLD: Family = Family { name: "told", access: Access::Scans };

/// An owner that keeps nothing beside its records.
#[derive(Debug)]
pub struct Bare;

impl Inspector for Bare {
    fn naming(&self) -> &'static [Family] {
        &[]
    }

    fn by_record(&self) -> &'static [Family] {
        &[]
    }

    fn expendable(&self) -> &'static [Family] {
        &[]
    }

    fn record(&self, _: &Journal, _: RecordKey, _: &RecordRow) -> Result<Option<String>, JournalError> {
        Ok(None)
    }

    fn name(&self, key: RecordKey) -> String {
        format!("record {}", key.0[11])
    }
}

/// The journal of such a process.
pub const LAYOUT: Layout = Layout { program: "tallystick-test", format: 7, families: &[TOLD] };

/// Tells each record's state apart, in a family of its own.
#[derive(Debug)]
pub struct CountingOwner {
    /// What was told after each write.
    pub committed: Mutex<Vec<Committed>>,
    /// How often anything leased before a fence was to be burnt.
    pub fenced: Mutex<u64>,
}

struct Step<'a>(&'a CountingOwner);

impl Owner for CountingOwner {
    fn record_types(&self) -> &'static [RecordType] {
        &[RecordType::Receipt]
    }

    fn note(&self, records: &[SignedRecord]) -> Result<Vec<u8>, JournalError> {
        Ok(u32::try_from(records.len()).unwrap().to_be_bytes().to_vec())
    }

    fn name(&self, key: RecordKey) -> String {
        format!("{:?}", key.0)
    }

    fn begin(&self) -> Box<dyn OwnerStep + '_> {
        Box::new(Step(self))
    }

    fn committed(&self, committed: &Committed) -> Result<(), JournalError> {
        self.committed.lock().unwrap().push(committed.clone());
        Ok(())
    }

    fn adopt(&self, write: &mut JournalWrite<'_>, batch: &OwnBatch) -> Result<Adopted, JournalError> {
        let mut adopted = Adopted::default();
        for bytes in &batch.records {
            let key = name_of(bytes);
            write.put_record(key, &RecordRow { signed_record: bytes.clone(), note: Vec::new() });
            write.put(TOLD, &key.0, &[4]);
            adopted.keys.push(key);
            adopted.new += 1;
        }
        adopted.note = u32::try_from(batch.records.len()).unwrap().to_be_bytes().to_vec();
        Ok(adopted)
    }
}

impl OwnerStep for Step<'_> {
    fn sealed(&mut self, write: &mut JournalWrite<'_>, batch: &BatchRow) -> Result<Vec<u8>, JournalError> {
        let counted: [u8; 4] = fixed(&batch.note, "a note")?;
        assert_eq!(u32::from_be_bytes(counted) as usize, batch.record_count(), "the note came back as it was made");
        for key in batch.keys()? {
            write.put(TOLD, &key.0, &[2]);
        }
        Ok(b"sealed".to_vec())
    }

    fn refused(
        &mut self,
        write: &mut JournalWrite<'_>,
        _: &BatchRow,
        records: &[RefusedRecord],
    ) -> Result<Vec<u8>, JournalError> {
        for record in records {
            write.put(TOLD, &record.key.0, &[3]);
        }
        Ok(b"refused".to_vec())
    }

    fn governed(&mut self, _: &mut JournalWrite<'_>, _: &RegistryChange<'_>) -> Result<(), JournalError> {
        Ok(())
    }

    fn fenced(&mut self, _: &mut JournalWrite<'_>, _: &RegistryChange<'_>) -> Result<(), JournalError> {
        *self.0.fenced.lock().unwrap() += 1;
        Ok(())
    }

    fn end(self: Box<Self>, _: &mut JournalWrite<'_>) -> Result<(), JournalError> {
        Ok(())
    }
}

fn name_of(signed_record: &[u8]) -> RecordKey {
    SignedRecord::decode(signed_record).unwrap().record.key.into()
}

/// Whose journal it is.
pub fn identity(chain: &TestChain) -> JournalIdentity {
    let genesis = chain.genesis();
    let issuer = IssuerId::new(ISSUER);
    JournalIdentity { chain: genesis.chain_id(), suite: genesis.suite, issuer, layout: &LAYOUT }
}

/// Genesis, followed.
pub fn genesis_tip(chain: &TestChain) -> (receipt_core::state::Writes, FollowedTip) {
    let effects = genesis_effects(chain.genesis()).unwrap();
    let mut frontier = Frontier::new(chain.genesis().suite);
    for entry in &effects.entries {
        frontier.append(entry, |_, _| ()).unwrap();
    }
    let tip = &effects.tip;
    let followed = FollowedTip { height: tip.height, time: tip.time, seal_hash: tip.seal_hash, event: 0, frontier };
    (effects.writes, followed)
}

/// Makes a journal at `path`.
pub fn init(path: &Path, chain: &TestChain) -> Journal {
    let (writes, tip) = genesis_tip(chain);
    Journal::init(path, identity(chain), &writes, &tip, &[]).unwrap()
}

/// Opens it again.
pub fn open(path: &Path, chain: &TestChain) -> Journal {
    Journal::open(path, identity(chain)).unwrap()
}

/// An owner that was told nothing yet.
pub fn counting_owner() -> Arc<CountingOwner> {
    Arc::new(CountingOwner { committed: Mutex::default(), fenced: Mutex::default() })
}

/// What the parts of this journal's process share, with the gate closed.
pub fn desk_of(journal: &Arc<Journal>, chain: &TestChain) -> (Desk, Departures, Arc<CountingOwner>) {
    let metrics = AnchoringMetrics::register(&mut prometheus_client::registry::Registry::default());
    let owner = counting_owner();
    let shared: Arc<dyn Owner> = owner.clone();
    let (desk, departures) =
        Desk::open(Arc::clone(journal), shared, Arc::new(metrics), trust_of(journal, chain)).unwrap();
    (desk, departures, owner)
}

/// The trust file of genesis, as far as a journal has followed it.
pub fn trust_of(journal: &Journal, chain: &TestChain) -> Arc<FollowedTrust> {
    Arc::new(FollowedTrust::open(TrustFile::from_genesis(chain.genesis()).unwrap(), journal).unwrap())
}

/// Parts that a restart makes anew.
pub struct TestProcess {
    /// What the parts share.
    pub desk: Desk,
    /// Batches that set out.
    pub departures: Departures,
    /// Is told of outcomes.
    pub owner: Arc<CountingOwner>,
    /// How long the process runs.
    pub monotonic: Arc<FixedMonotonic>,
    /// The validators' time.
    pub quorum_time: Arc<QuorumTime>,
    /// Cuts batches.
    pub batcher: Batcher,
    /// Acts on sealed blocks.
    pub outcomes: Outcomes,
    /// The followed chain.
    pub log: Chain,
    key: (KeyId, Arc<dyn Signer>),
    outbox_end: u64,
    step: u64,
}

impl TestProcess {
    /// From a journal, as after a start. The gate is open.
    pub fn start(journal: Journal, chain: &TestChain) -> Self {
        Self::start_with_key(journal, chain, (KeyId::new(ISSUER_KEY), Arc::new(issuer_key())))
    }

    /// The same with another key than that of genesis.
    pub fn start_with_key(journal: Journal, chain: &TestChain, key: (KeyId, Arc<dyn Signer>)) -> Self {
        let journal = Arc::new(journal);
        let (desk, departures, owner) = desk_of(&journal, chain);
        desk.gate.caught_up();
        let monotonic = Arc::new(FixedMonotonic::default());
        let quorum_time = Arc::new(QuorumTime::new(monotonic.clone(), 60_000));
        let batcher = Batcher::open(parts(&key, desk.clone(), &quorum_time)).unwrap();
        if desk.gate.seals() {
            batcher.set_out().unwrap();
        }
        Self {
            outcomes: Outcomes::new(desk.clone(), ChainParameters::of(chain.genesis()), Mode::Running),
            log: Chain::new(journal.followed_tip().unwrap(), HeldLimits::default()),
            outbox_end: journal.outbox_end().unwrap(),
            step: journal.step().unwrap().unwrap(),
            desk,
            departures,
            owner,
            monotonic,
            quorum_time,
            batcher,
            key,
        }
    }

    /// A second batcher over the same journal, under a gate and a flight of its own.
    pub fn batcher_under(&self, gate: &Arc<Gate>, flight: &Arc<Flight>) -> Batcher {
        let desk = Desk { gate: Arc::clone(gate), flight: Arc::clone(flight), ..self.desk.clone() };
        Batcher::open(parts(&self.key, desk, &self.quorum_time)).unwrap()
    }

    /// The journal.
    pub fn journal(&self) -> &Journal {
        &self.desk.journal
    }

    /// Acknowledges a new record: record, outbox and the owner's row in one synced write.
    pub fn acknowledge(&mut self, chain: &mut TestChain) -> RecordKey {
        let record = chain.issue("S01").record;
        let key = name_of(&record);
        self.step += 1;
        let mut write = self.desk.journal.write();
        write.put_record(key, &RecordRow { signed_record: record.clone(), note: b"of the owner".to_vec() });
        write.put(TOLD, &key.0, &[1]);
        write.put_outbox(self.outbox_end, key);
        write.put_last_issue_time(SignedRecord::decode(&record).unwrap().record.issue_time);
        write.put_step(self.step);
        write.commit(Durability::Synced).unwrap();
        self.outbox_end += 1;
        self.desk.backlog.grown_to(self.outbox_end);
        key
    }

    /// What the owner's row says of a record.
    pub fn told(&self, key: RecordKey) -> Option<u8> {
        told(self.journal(), key)
    }

    /// Cuts a batch and returns what a node would be offered.
    pub fn cut(&mut self) -> (BatchSequence, SubmitBatchRequest) {
        let sequence = self.batcher.cut().unwrap().unwrap();
        let flying = self.departures.try_recv().unwrap();
        assert_eq!(flying.sequence, sequence);
        (sequence, flying.request.clone())
    }

    /// Takes every block of the chain that is not yet followed, and acts on it.
    pub fn follow(&mut self, chain: &TestChain) {
        follow(&mut self.log, &self.outcomes, &self.desk.trust, chain);
    }
}

/// Takes every block of the chain that is not yet followed, and acts on it, until the journal halts.
pub fn follow(log: &mut Chain, outcomes: &Outcomes, trust: &FollowedTrust, chain: &TestChain) {
    for height in log.next_height()..=chain.height().get() {
        let sealed = log.offer(&ledger_block(chain, height), trust).unwrap();
        let tip = log.sealed_tip(&sealed).unwrap();
        match outcomes.act(&sealed, tip) {
            Ok(acted) => {
                log.acted(acted.event);
                outcomes.wake(&acted);
            }
            Err(OutcomeError::Halted(_)) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// What the owner's row says of a record.
pub fn told(journal: &Journal, key: RecordKey) -> Option<u8> {
    journal.get(TOLD, &key.0).unwrap().map(|value| value[0])
}

fn parts((signing_key, signer): &(KeyId, Arc<dyn Signer>), desk: Desk, quorum_time: &Arc<QuorumTime>) -> BatcherParts {
    BatcherParts {
        desk,
        signer: Arc::clone(signer),
        signing_key: *signing_key,
        quorum_time: Arc::clone(quorum_time),
        suite: Suite::Ed25519Sha256,
        records_max: 4096,
        bytes_max: 2 << 20,
        age: Duration::from_millis(5),
        in_flight_max: 8,
    }
}

/// A copy of a journal in use, as a restored backup is: halted.
pub fn lose_and_restore(journal: &Journal, to: &Path) -> Journal {
    journal.copy_to(to).unwrap();
    let copy = Journal::open(to, journal.identity()).unwrap();
    let mut write = copy.write();
    write.put_halted("restored");
    write.commit(Durability::Synced).unwrap();
    copy
}

/// Begins to recover a halted journal.
pub fn begin(journal: &Arc<Journal>, chain: &TestChain) -> Result<(Recovery, Arc<CountingOwner>), RecoverError> {
    let (desk, _, owner) = desk_of(journal, chain);
    Ok((Recovery::begin(desk, ChainParameters::of(chain.genesis()))?, owner))
}

/// One run of `recover`. The guard stands at `guard`.
pub fn run(journal: &Arc<Journal>, chain: &TestChain, guard: &Path) -> (Arc<CountingOwner>, RecoveryState) {
    let (mut recovery, owner) = begin(journal, chain).unwrap();
    for height in recovery.next_height()..=chain.height().get() {
        recovery.offer(&ledger_block(chain, height), chain.trust()).unwrap();
    }
    let guard_file = crate::guard::stand_aside(journal, guard).unwrap();
    let state = recovery.finish(guard_file, guard, &OsEntropy).unwrap();
    (owner, state)
}

/// Raises the submitter's epoch above this one, on the ledger; this journal may go on in it.
pub fn fence(journal: &Journal, chain: &mut TestChain, epoch: u32) {
    fence_for(journal.fence_id().unwrap().unwrap().to_vec(), chain, epoch);
}

/// The same; the journal that this id names may go on in it, or none.
pub fn fence_for(journal: Vec<u8>, chain: &mut TestChain, epoch: u32) {
    let fence =
        chain.governance(vec![Action::FenceIssuer(FenceIssuer { issuer_id: ISSUER, epoch: epoch + 1, journal })]);
    chain.add_items(vec![Item::Governance(fence)]).unwrap();
}

/// Both runs, with the fence between them.
pub fn recover(journal: &Arc<Journal>, chain: &mut TestChain, guard: &Path) -> RecoveryState {
    let (_, state) = run(journal, chain, guard);
    let RecoveryState::AwaitsFence { epoch } = state else { panic!("{state:?}") };
    fence(journal, chain, epoch);
    run(journal, chain, guard).1
}
