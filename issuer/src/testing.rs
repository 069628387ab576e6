//! An issuer without its network, over a chain in memory: for the tests of this crate.

pub(crate) mod recovery;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use receipt_core::fingerprint::Fingerprint;
use receipt_core::hash::Hash;
use receipt_core::ids::{BatchSequence, IssuerId, KeyId, ReceiptKey, UnixMillis};
use receipt_core::merkle::Frontier;
use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::layout::from_values;
use receipt_core::receipt::model::{Receipt, ReceiptDraft, Reversal, ReversalReason};
use receipt_core::receipt::red::{RedRequest, red_draft};
use receipt_core::receipt::sameness::draft_identity;
use receipt_core::state::{ChainParameters, genesis_effects};
use receipt_core::suite::{Signer, Suite};
use receipt_core::testkit::{
    GENESIS_TIME_MS, ISSUER, ISSUER_KEY, TestChain, UNIT_KEY_BASE, UTC_OFFSET_MINUTES, blinding_secret, issuer_key,
    unit_key,
};
use tallystick_anchoring::backlog::Backlog;
use tallystick_anchoring::batcher::{Batcher, BatcherParts};
use tallystick_anchoring::desk::Desk;
use tallystick_anchoring::flight::Departures;
use tallystick_anchoring::follow::{Chain, HeldLimits, Mode, Outcomes};
use tallystick_anchoring::gate::Gate;
use tallystick_anchoring::quorum_time::QuorumTime;
use tallystick_anchoring::testkit::FixedMonotonic;
use tallystick_anchoring::testkit::process::{self, trust_of};
pub(crate) use tallystick_anchoring::testkit::{ledger_block, offered};
use tallystick_anchoring::waiters::Waiters;
use tallystick_proto::errors::Refusal;
use tallystick_proto::ledger::v1::SubmitBatchRequest;
use tallystick_service::clock::{Clock as _, FixedClock};
use tallystick_service::keyfile::Secret;
use tallystick_service::rng::SeededEntropy;

use crate::blinding::Blinding;
use crate::body::BodyCipher;
use crate::issue::{Acknowledgement, IssueResult, Issued, Prepared, RuleBasis, Sequencer, SequencerParts, prepare};
use crate::journal::{FollowedTip, Journal, JournalIdentity, LAYOUT, ReceiptReads as _};
use crate::keys::KeyRing;
use crate::metrics::IssuerMetrics;
use crate::owner::ReceiptOwner;
use crate::registry::Registry;
use crate::secrets::SecretMarks;

/// Parts that a restart makes anew.
pub(crate) struct TestIssuer {
    pub(crate) desk: Desk,
    pub(crate) journal: Arc<Journal>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) cipher: Arc<BodyCipher>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) backlog: Arc<Backlog>,
    pub(crate) departures: Departures,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) monotonic: Arc<FixedMonotonic>,
    pub(crate) quorum_time: Arc<QuorumTime>,
    pub(crate) sequencer: Sequencer,
    pub(crate) batcher: Batcher,
    pub(crate) outcomes: Outcomes,
    pub(crate) log: Chain,
    pub(crate) metrics: Arc<IssuerMetrics>,
}

pub(crate) fn identity(chain: &TestChain) -> JournalIdentity {
    let genesis = chain.genesis();
    JournalIdentity { chain: genesis.chain_id(), suite: genesis.suite, issuer: IssuerId::new(ISSUER), layout: &LAYOUT }
}

/// Makes a journal at `path`, as `init` does.
pub(crate) fn init(path: &std::path::Path, chain: &TestChain) -> Journal {
    let effects = genesis_effects(chain.genesis()).unwrap();
    let mut frontier = Frontier::new(chain.genesis().suite);
    for entry in &effects.entries {
        frontier.append(entry, |_, _| ()).unwrap();
    }
    let tip = &effects.tip;
    let followed = FollowedTip { height: tip.height, time: tip.time, seal_hash: tip.seal_hash, event: 0, frontier };
    let secrets = marks(chain).rows();
    Journal::init(path, identity(chain), &effects.writes, &followed, &secrets).unwrap()
}

/// The test issuer's master key.
pub(crate) const MASTER: [u8; 32] = [5; 32];
/// Fingerprints of its secrets.
pub(crate) fn marks(chain: &TestChain) -> SecretMarks {
    let suite = chain.genesis().suite;
    let blinding = Blinding::new(blinding_secret(suite), Vec::new());
    SecretMarks { master: Fingerprint::of_master(suite, &MASTER), blinding: blinding.epochs().to_vec() }
}

/// What an issuer holds of its own.
pub(crate) struct Held {
    /// Number of its key, and the key.
    pub(crate) issuer: (KeyId, Arc<dyn Signer>),
    /// Its blinding secrets.
    pub(crate) blinding: Blinding,
}

impl Default for Held {
    /// As registered in genesis.
    fn default() -> Self {
        Self {
            issuer: (KeyId::new(ISSUER_KEY), Arc::new(issuer_key())),
            blinding: Blinding::new(blinding_secret(Suite::Ed25519Sha256), Vec::new()),
        }
    }
}

fn keys(journal: &Journal, issuer: Arc<dyn Signer>, blinding: Blinding) -> KeyRing {
    let registry = Registry::open(journal).unwrap().view();
    let mut units: HashMap<KeyId, Arc<dyn Signer>> = HashMap::new();
    for unit in 1..100 {
        if registry.unit(receipt_core::ids::UnitId::new(unit)).is_some() {
            units.insert(KeyId::new(UNIT_KEY_BASE + unit), Arc::new(unit_key(unit)));
        }
    }
    KeyRing::new(issuer, Secret::new(MASTER), blinding, units)
}

fn batcher_parts(sequencer: &SequencerParts, desk: Desk) -> BatcherParts {
    BatcherParts {
        desk,
        signer: Arc::clone(&sequencer.keys.issuer),
        signing_key: sequencer.issuer_key,
        quorum_time: Arc::clone(&sequencer.quorum_time),
        suite: Suite::Ed25519Sha256,
        records_max: 4096,
        bytes_max: 2 << 20,
        age: Duration::from_millis(5),
        in_flight_max: 8,
    }
}

/// What the parts of this journal's process share.
pub(crate) fn desk(
    journal: &Arc<Journal>,
    registry: &Arc<Registry>,
    chain: &TestChain,
) -> (Desk, Departures, Arc<IssuerMetrics>) {
    let metrics = Arc::new(IssuerMetrics::register(&mut prometheus_client::registry::Registry::default()));
    let owner = ReceiptOwner {
        journal: Arc::clone(journal),
        registry: Arc::clone(registry),
        metrics: Arc::clone(&metrics),
        utc_offset_minutes: UTC_OFFSET_MINUTES,
    };
    let (desk, departures) =
        Desk::open(Arc::clone(journal), Arc::new(owner), Arc::clone(&metrics.anchoring), trust_of(journal, chain))
            .unwrap();
    (desk, departures, metrics)
}

impl TestIssuer {
    /// From a journal, as after a start. The gate is open; entropy differs by `start`.
    pub(crate) fn start(journal: Journal, chain: &TestChain, start: u64) -> Self {
        Self::start_with(journal, chain, start, Held::default())
    }

    /// The same with another key of the issuer than that of genesis.
    pub(crate) fn start_with_key(
        journal: Journal,
        chain: &TestChain,
        start: u64,
        issuer: (KeyId, Arc<dyn Signer>),
    ) -> Self {
        Self::start_with(journal, chain, start, Held { issuer, ..Held::default() })
    }

    /// The same with what it holds.
    pub(crate) fn start_with(journal: Journal, chain: &TestChain, start: u64, held: Held) -> Self {
        let (issuer_key, signer) = held.issuer;
        let journal = Arc::new(journal);
        let registry = Arc::new(Registry::open(&journal).unwrap());
        let keys = Arc::new(keys(&journal, signer, held.blinding));
        let cipher = Arc::new(BodyCipher::new(&keys.master));
        let (desk, departures, metrics) = desk(&journal, &registry, chain);
        desk.gate.caught_up();
        let clock = Arc::new(FixedClock::new(UnixMillis::new(GENESIS_TIME_MS + 60_000)));
        let monotonic = Arc::new(FixedMonotonic::default());
        let quorum_time = Arc::new(QuorumTime::new(monotonic.clone(), 60_000));
        let parts = SequencerParts {
            journal: Arc::clone(&journal),
            registry: Arc::clone(&registry),
            keys: Arc::clone(&keys),
            issuer_key,
            cipher: Arc::clone(&cipher),
            gate: Arc::clone(&desk.gate),
            backlog: Arc::clone(&desk.backlog),
            clock: clock.clone(),
            quorum_time: Arc::clone(&quorum_time),
            entropy: Arc::new(SeededEntropy::new(start)),
            metrics: Arc::clone(&metrics),
            suite: Suite::Ed25519Sha256,
            utc_offset_minutes: UTC_OFFSET_MINUTES,
            seal_promise_ms: 600_000,
            outbox_records_max: 1_000,
        };
        let batcher = Batcher::open(batcher_parts(&parts, desk.clone())).unwrap();
        let sequencer = Sequencer::open(parts);
        if desk.gate.seals() {
            batcher.set_out().unwrap();
        }
        let outcomes = Outcomes::new(desk.clone(), ChainParameters::of(chain.genesis()), Mode::Running);
        let log = Chain::new(journal.followed_tip().unwrap(), HeldLimits::default());
        Self {
            registry,
            keys,
            cipher,
            gate: Arc::clone(&desk.gate),
            backlog: Arc::clone(&desk.backlog),
            departures,
            waiters: Arc::clone(&desk.waiters),
            clock,
            monotonic,
            quorum_time,
            sequencer: sequencer.unwrap(),
            batcher,
            outcomes,
            log,
            metrics,
            journal,
            desk,
        }
    }

    /// Judges a draft as Issue does, without the caller.
    pub(crate) fn prepare(&self, draft: ReceiptDraft, original: Option<&Receipt>) -> Result<Prepared, Refusal> {
        let view = self.registry.view();
        let unit = view.unit_by_code(&draft.unit_code).unwrap();
        // A draft with another category's extension has none, and breaks a rule.
        let content = draft_identity(&draft).unwrap_or(Hash([1; 32]));
        let basis = RuleBasis {
            now: self.clock.now(),
            utc_offset_minutes: UTC_OFFSET_MINUTES,
            view: &view,
            blinding: &self.keys.blinding,
            original,
            caller: receipt_core::ids::SystemId::new(1),
        };
        prepare(draft, unit, content, &basis)
    }

    /// Issues drafts as one group.
    pub(crate) fn issue(&mut self, drafts: Vec<ReceiptDraft>) -> Vec<IssueResult> {
        let prepared = drafts.into_iter().map(|draft| self.prepare(draft, None).unwrap()).collect();
        self.sequencer.issue(prepared).unwrap()
    }

    /// Issues one new receipt.
    pub(crate) fn issue_new(&mut self, draft: ReceiptDraft) -> Acknowledgement {
        match self.issue(vec![draft]).remove(0) {
            Ok(Issued::New(acknowledgement)) => *acknowledgement,
            other => panic!("not new: {other:?}"),
        }
    }

    /// The content of a receipt that has its body here.
    pub(crate) fn content(&self, key: ReceiptKey) -> Receipt {
        let open = self.cipher.open(key, &self.journal.body(key).unwrap().unwrap()).unwrap();
        from_values(&open.values).unwrap()
    }

    /// Issues the red receipt of `original`, which was issued from this draft, as Reverse does.
    pub(crate) fn reverse(&mut self, draft: &ReceiptDraft, original: ReceiptKey, biz_code: &str) -> IssueResult {
        let receipt = self.content(original);
        let request = RedRequest {
            receipt_code: draft.receipt_code,
            issue_date: draft.issue_date,
            biz_code: biz_code.to_owned(),
            place_code: draft.place_code.clone(),
            handling_person: draft.handling_person.clone(),
            checker: draft.checker.clone(),
            remark: String::new(),
            reversal: Reversal {
                reason: ReversalReason::FullRefund,
                text: String::new(),
                operator: "何某".to_owned(),
                refund_reference: "TK1".to_owned(),
                reissue_biz_code: String::new(),
            },
        };
        let red = red_draft(&receipt, &request).unwrap();
        let prepared = self.prepare(red, Some(&receipt)).unwrap();
        self.sequencer.issue(vec![prepared]).unwrap().remove(0)
    }

    /// Cuts a batch and returns what a node would be offered.
    pub(crate) fn cut(&mut self) -> (BatchSequence, SubmitBatchRequest) {
        let sequence = self.batcher.cut().unwrap().unwrap();
        let flying = self.departures.try_recv().unwrap();
        assert_eq!(flying.sequence, sequence);
        (sequence, flying.request.clone())
    }

    /// Takes every block of the chain that is not yet followed, and acts on it.
    pub(crate) fn follow(&mut self, chain: &TestChain) {
        process::follow(&mut self.log, &self.outcomes, &self.desk.trust, chain);
    }
}

/// A new issuer over a new chain.
pub(crate) struct Fixture {
    pub(crate) chain: TestChain,
    pub(crate) issuer: TestIssuer,
    pub(crate) dir: scratch::Directory,
}

/// An issuer whose journal is in a directory of its own.
pub(crate) fn fixture() -> Fixture {
    let dir = scratch::Directory::new();
    let chain = TestChain::new();
    let issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
    Fixture { dir, chain, issuer }
}

/// A draft of a sample under a biz code of its own; a medical one is of a settlement of its own.
pub(crate) fn draft(chain: &mut TestChain, sample: &str, biz_code: &str) -> ReceiptDraft {
    let mut draft = ReceiptDraft { biz_code: biz_code.to_owned(), ..chain.draft(sample) };
    if let Ext::Medical { medical } = &mut draft.ext {
        medical.settlement_number = format!("JS-{biz_code}");
    }
    draft
}

/// The key of a new receipt.
pub(crate) fn key_of(result: &IssueResult) -> ReceiptKey {
    match result {
        Ok(Issued::New(acknowledgement)) => acknowledgement.key,
        other => panic!("not new: {other:?}"),
    }
}
