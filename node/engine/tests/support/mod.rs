//! A small chain in memory: an application, a guarding signer, and nodes that can be stopped and started again.
//!
//! "Disk" is what survives a restart of a node. A block is `height · round · author · item count · items · padding`.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod links;
pub(crate) mod wires;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use tallystick_engine::{
    Application, BlockId, Certificate, ConsensusSigner, DecidedValue, EngineConfig, EngineControl, EngineHandle,
    Equivocation, Fatal, HeightSet, KnownProposal, LinkKeys, Member, MemberId, Network, NetworkConfig, OwnProposal,
    ReceivedProposal, SignRefused, SignRequest, SignResponse, StartHeight, SyncVerdict, SyncedBlock, Timeouts, Verdict,
    VoteSlot, precommit, prevote, proposal, start,
};
use tokio::sync::watch;

pub(crate) const CHAIN: [u8; 32] = [0xC1; 32];
pub(crate) const BLOCK_BYTES_MAX: usize = 4 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than a round without a proposal takes.
const QUIET: Duration = Duration::from_secs(5);

pub(crate) fn key(index: usize) -> SigningKey {
    SigningKey::from_bytes(&[index as u8 + 1; 32])
}

/// The member with this index; ids are not indexes.
pub(crate) fn id(index: usize) -> MemberId {
    MemberId::new(100 + index as u32)
}

/// Of one of so many nodes, by which its links are known.
struct Keys {
    index: usize,
    nodes: usize,
}

impl LinkKeys for Keys {
    fn sign(&self, preimage: &[u8]) -> Vec<[u8; 64]> {
        vec![key(self.index).sign(preimage).to_bytes()]
    }

    fn keys_of(&self, member: MemberId) -> Result<Vec<[u8; 32]>, String> {
        let index = (0..self.nodes).find(|index| id(*index) == member);
        Ok(index.map(|index| key(index).verifying_key().to_bytes()).into_iter().collect())
    }
}

/// The author of height h, round r has index `(h + r) % n`.
pub(crate) fn set(nodes: usize, height: u64) -> HeightSet {
    let members = (0..nodes).map(|index| Member {
        id: id(index),
        public_key: key(index).verifying_key().to_bytes(),
        voting_power: 1,
    });
    let proposer_order = (0..nodes).map(|round| id((height as usize + round) % nodes)).collect();
    HeightSet { members: members.collect(), proposer_order, timeouts: Timeouts::default() }
}

fn hash(bytes: &[u8]) -> BlockId {
    BlockId(Sha256::digest(bytes).into())
}

#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) decided: Vec<(Bytes, Certificate)>,
    blocks: BTreeMap<BlockId, Bytes>,
    undecided: Vec<KnownProposal>,
    own: BTreeMap<(u64, u32), BlockId>,
    pub(crate) equivocations: Vec<Equivocation>,
}

/// What survives a restart, and what the test turns.
pub(crate) struct Disk {
    pub(crate) stored: Mutex<Stored>,
    pub(crate) tip: watch::Sender<u64>,
    pub(crate) pool: Mutex<BTreeSet<u64>>,
    pub(crate) busy: AtomicBool,
    pub(crate) fail_build: AtomicBool,
    pub(crate) block_bytes: AtomicUsize,
    /// How long it takes to judge a block.
    pub(crate) judging_ms: AtomicU64,
    pub(crate) signed: Mutex<BTreeMap<(VoteSlot, u8), SignRequest>>,
    /// Whether its clock is so far behind that no block of another comes in time.
    pub(crate) lags: AtomicBool,
    /// Whether it precommits nil only, whatever it prevoted.
    pub(crate) never_precommits: AtomicBool,
    /// How often the signer said something else than it was asked for, because it had said it before.
    pub(crate) repeated: AtomicUsize,
    pub(crate) refuse: AtomicBool,
}

impl Disk {
    pub(crate) fn empty() -> Arc<Self> {
        Arc::new(Self {
            stored: Mutex::default(),
            tip: watch::channel(0).0,
            pool: Mutex::default(),
            busy: AtomicBool::new(false),
            fail_build: AtomicBool::new(false),
            block_bytes: AtomicUsize::new(0),
            judging_ms: AtomicU64::new(0),
            signed: Mutex::default(),
            lags: AtomicBool::new(false),
            never_precommits: AtomicBool::new(false),
            repeated: AtomicUsize::new(0),
            refuse: AtomicBool::new(false),
        })
    }

    pub(crate) async fn wait_for_tip(&self, height: u64) {
        let mut tip = self.tip.subscribe();
        let waited = tokio::time::timeout(PATIENCE, tip.wait_for(|tip| *tip >= height)).await;
        assert!(waited.is_ok(), "height {height} not reached, tip is {}", *self.tip.borrow());
    }

    pub(crate) fn tip(&self) -> u64 {
        *self.tip.borrow()
    }

    /// Waits until a block holds this item; returns its height.
    pub(crate) async fn wait_for_item(&self, item: u64) -> u64 {
        let mut tip = self.tip.subscribe();
        let waited = tokio::time::timeout(PATIENCE, tip.wait_for(|_| self.height_of(item).is_some())).await;
        assert!(waited.is_ok(), "item {item} not decided, tip is {}", self.tip());
        self.height_of(item).unwrap()
    }

    /// What it signed in this slot; kinds as the signer numbers them.
    fn said(&self, slot: VoteSlot, kind: u8) -> Option<SignRequest> {
        self.signed.lock().unwrap().get(&(slot, kind)).cloned()
    }

    /// The block that it precommitted last at this height.
    pub(crate) fn lock(&self, height: u64) -> Option<BlockId> {
        let signed = self.signed.lock().unwrap();
        signed.values().rev().find_map(|statement| match statement {
            SignRequest::Precommit { slot, block_id } if slot.height == height => *block_id,
            _ => None,
        })
    }

    pub(crate) fn blocks(&self) -> Vec<BlockId> {
        self.stored.lock().unwrap().decided.iter().map(|(_, certificate)| certificate.block_id).collect()
    }

    /// For a node that is behind: of at most one block's bytes.
    fn decided_values(&self, heights: RangeInclusive<u64>) -> Vec<DecidedValue> {
        let stored = self.stored.lock().unwrap();
        let (mut values, mut bytes) = (Vec::new(), 0);
        for height in heights {
            let Some((block, certificate)) = height.checked_sub(1).and_then(|i| stored.decided.get(i as usize)) else {
                break;
            };
            bytes += block.len();
            if bytes > BLOCK_BYTES_MAX && !values.is_empty() {
                break;
            }
            values.push(DecidedValue { bytes: block.clone(), certificate: certificate.clone() });
        }
        values
    }

    /// The height that holds this item.
    pub(crate) fn height_of(&self, item: u64) -> Option<u64> {
        let stored = self.stored.lock().unwrap();
        stored.decided.iter().position(|(block, _)| items(block).contains(&item)).map(|index| index as u64 + 1)
    }
}

fn items(block: &[u8]) -> Vec<u64> {
    let count = u32::from_be_bytes(block[16..20].try_into().unwrap()) as usize;
    block[20..20 + 8 * count].chunks(8).map(|item| u64::from_be_bytes(item.try_into().unwrap())).collect()
}

/// A small guard, by the contract of the signer: what was said is repeated, and nothing is voted for that a later vote or the
/// lock forbids.
struct GuardingSigner {
    key: SigningKey,
    disk: Arc<Disk>,
    /// False for a validator that misbehaves on purpose: it signs anything.
    guarded: bool,
}

impl GuardingSigner {
    /// What to say, given what was said.
    fn statement(&self, said: &BTreeMap<(VoteSlot, u8), SignRequest>, asked: &SignRequest) -> SignRequest {
        let Some(key) = ballot_key(asked).filter(|_| self.guarded) else { return asked.clone() };
        if let Some(first) = said.get(&key) {
            return first.clone();
        }
        let this_height = said.range((VoteSlot { height: key.0.height, round: 0 }, 0)..);
        let mut newest = None;
        let mut lock = None;
        let mut voted = BTreeSet::new();
        for (at, statement) in this_height {
            if at.1 > 0 {
                newest = Some(*at);
            }
            if let SignRequest::Prevote { block_id: Some(block), .. }
            | SignRequest::Precommit { block_id: Some(block), .. } = statement
            {
                voted.insert(*block);
            }
            if let SignRequest::Precommit { slot, block_id: Some(block) } = statement {
                lock = Some((slot.round, *block));
            }
        }
        let late = newest.is_some_and(|newest| key < newest);
        match *asked {
            SignRequest::Prevote { slot, block_id: Some(block), polka_round, untimely } => {
                let free =
                    lock.is_none_or(|(round, id)| id == block || polka_round.is_some_and(|polka| polka >= round));
                let may_begin = !untimely || voted.contains(&block);
                let block_id = Some(block).filter(|_| free && !late && may_begin);
                SignRequest::Prevote { slot, block_id, polka_round, untimely }
            }
            SignRequest::Precommit { slot, block_id } => {
                let never = self.disk.never_precommits.load(Ordering::SeqCst);
                SignRequest::Precommit { slot, block_id: block_id.filter(|_| !late && !never) }
            }
            _ => asked.clone(),
        }
    }
}

fn ballot_key(request: &SignRequest) -> Option<(VoteSlot, u8)> {
    match request {
        SignRequest::Proposal { slot, .. } => Some((*slot, 0)),
        SignRequest::Prevote { slot, .. } => Some((*slot, 1)),
        SignRequest::Precommit { slot, .. } => Some((*slot, 2)),
        SignRequest::Stream { .. } => None,
    }
}

impl ConsensusSigner for GuardingSigner {
    fn sign(&self, request: &SignRequest, preimage: &[u8]) -> Result<SignResponse, SignRefused> {
        if self.disk.refuse.load(Ordering::SeqCst) {
            return Err(SignRefused { reason: "told to".to_owned(), conflict: false });
        }
        let mut said = self.disk.signed.lock().unwrap();
        let statement = self.statement(&said, request);
        let preimage = match &statement {
            SignRequest::Prevote { slot, block_id, .. } => prevote(&CHAIN, *slot, block_id.as_ref()),
            SignRequest::Precommit { slot, block_id } => precommit(&CHAIN, *slot, block_id.as_ref()),
            SignRequest::Proposal { slot, pol_round, block_id } => proposal(&CHAIN, *slot, *pol_round, block_id),
            SignRequest::Stream { .. } => preimage.to_vec(),
        };
        if let Some(key) = ballot_key(&statement)
            && said.insert(key, statement.clone()).is_some()
            && statement != *request
        {
            self.disk.repeated.fetch_add(1, Ordering::SeqCst);
        }
        Ok(SignResponse { statement, signature: self.key.sign(&preimage).to_bytes() })
    }

    fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }
}

struct MemoryChain {
    disk: Arc<Disk>,
    index: usize,
    nodes: usize,
}

impl MemoryChain {
    fn start_at(&self, height: u64) -> StartHeight {
        let carried = {
            let stored = self.disk.stored.lock().unwrap();
            stored.decided.last().is_some_and(|(block, _)| !items(block).is_empty())
        };
        StartHeight { height, set: set(self.nodes, height), carried }
    }

    /// Pure: height and length fit.
    fn is_valid(height: u64, block: &[u8]) -> bool {
        block.len() >= 20 && block[..8] == height.to_be_bytes()
    }
}

#[async_trait]
impl Application for MemoryChain {
    async fn ready(&mut self) -> Result<StartHeight, Fatal> {
        Ok(self.start_at(self.disk.tip() + 1))
    }

    async fn started_round(&mut self, height: u64, _: u32, _: MemberId) -> Result<Vec<KnownProposal>, Fatal> {
        assert_eq!(height, self.disk.tip() + 1);
        Ok(self.disk.stored.lock().unwrap().undecided.clone())
    }

    async fn build(&mut self, height: u64, round: u32, _: Duration) -> Result<Option<OwnProposal>, Fatal> {
        if self.disk.fail_build.load(Ordering::SeqCst) {
            return Err("told to fail".into());
        }
        let pool: Vec<u64> = self.disk.pool.lock().unwrap().iter().copied().collect();
        let mut stored = self.disk.stored.lock().unwrap();
        if let Some(block_id) = stored.own.get(&(height, round)) {
            return Ok(Some(OwnProposal { block_id: *block_id, bytes: stored.blocks[block_id].clone() }));
        }
        // Proposed before with a proof that is lost; or locked on a block, which the engine has forgotten.
        let said = self.disk.said(VoteSlot { height, round }, 0);
        if matches!(said, Some(SignRequest::Proposal { pol_round: Some(_), .. })) {
            return Ok(None);
        }
        if let Some(block_id) = self.disk.lock(height) {
            return Ok(Some(OwnProposal { block_id, bytes: stored.blocks[&block_id].clone() }));
        }
        let mut block = height.to_be_bytes().to_vec();
        block.extend_from_slice(&round.to_be_bytes());
        block.extend_from_slice(&id(self.index).get().to_be_bytes());
        block.extend_from_slice(&(pool.len() as u32).to_be_bytes());
        pool.iter().for_each(|item| block.extend_from_slice(&item.to_be_bytes()));
        block.resize(block.len().max(self.disk.block_bytes.load(Ordering::SeqCst)), height as u8);
        let (block_id, bytes) = (hash(&block), Bytes::from(block));
        stored.own.insert((height, round), block_id);
        stored.blocks.insert(block_id, bytes.clone());
        let proposer = id(self.index);
        let known = KnownProposal { round, pol_round: None, proposer, block_id, valid: true, timely: true };
        stored.undecided.push(known);
        Ok(Some(OwnProposal { block_id, bytes }))
    }

    async fn received(&mut self, proposal: ReceivedProposal) -> Result<Verdict, Fatal> {
        tokio::time::sleep(Duration::from_millis(self.disk.judging_ms.load(Ordering::SeqCst))).await;
        if hash(&proposal.bytes) != proposal.block_id {
            return Ok(Verdict::Ignore);
        }
        let ReceivedProposal { height, round, pol_round, proposer, block_id, bytes } = proposal;
        let valid = Self::is_valid(height, &bytes);
        let mut stored = self.disk.stored.lock().unwrap();
        let is_known_timely = stored.undecided.iter().any(|known| known.block_id == block_id && known.timely);
        let built_now = valid && bytes[8..12] == round.to_be_bytes() && bytes[12..16] == proposer.get().to_be_bytes();
        let timely = is_known_timely || (built_now && !self.disk.lags.load(Ordering::SeqCst));
        stored.blocks.insert(block_id, bytes);
        stored.undecided.push(KnownProposal { round, pol_round, proposer, block_id, valid, timely });
        Ok(match (valid, timely) {
            (true, true) => Verdict::Valid,
            (true, false) => Verdict::Untimely,
            (false, _) => Verdict::Invalid,
        })
    }

    async fn decided(&mut self, certificate: &Certificate) -> Result<(), Fatal> {
        assert_eq!(certificate.height, self.disk.tip() + 1);
        let mut stored = self.disk.stored.lock().unwrap();
        let block = stored.blocks.get(&certificate.block_id).expect("a decided block is stored").clone();
        items(&block).iter().for_each(|item| {
            self.disk.pool.lock().unwrap().remove(item);
        });
        stored.decided.push((block, certificate.clone()));
        stored.undecided.clear();
        stored.blocks.clear();
        drop(stored);
        self.disk.tip.send_replace(certificate.height);
        Ok(())
    }

    async fn finalized(&mut self, height: u64, equivocations: Vec<Equivocation>) -> Result<StartHeight, Fatal> {
        self.disk.stored.lock().unwrap().equivocations.extend(equivocations);
        Ok(self.start_at(height + 1))
    }

    async fn is_idle(&mut self, _: u64) -> Result<bool, Fatal> {
        Ok(!self.disk.busy.load(Ordering::SeqCst) && self.disk.pool.lock().unwrap().is_empty())
    }

    async fn history_min_height(&mut self) -> Result<u64, Fatal> {
        Ok(1)
    }

    async fn synced(&mut self, block: SyncedBlock) -> Result<SyncVerdict, Fatal> {
        let block_id = hash(&block.bytes);
        let valid = Self::is_valid(block.height, &block.bytes);
        self.disk.stored.lock().unwrap().blocks.insert(block_id, block.bytes);
        Ok(if valid { SyncVerdict::Valid(block_id) } else { SyncVerdict::PeerFault })
    }

    async fn restream(&mut self, _: u64, block_id: BlockId) -> Result<Option<Bytes>, Fatal> {
        Ok(self.disk.stored.lock().unwrap().blocks.get(&block_id).cloned())
    }
}

/// One node of the test network.
pub(crate) struct Node {
    pub(crate) index: usize,
    pub(crate) disk: Arc<Disk>,
    pub(crate) fetch: Arc<wires::TcpFetch>,
    pub(crate) config: EngineConfig,
    /// Where the others reach it.
    pub(crate) listen: SocketAddr,
    /// Where it reaches the others.
    pub(crate) addresses: wires::Addresses,
    nodes: usize,
    running: Option<EngineHandle>,
    wires: tokio::task::JoinSet<()>,
}

impl Node {
    pub(crate) async fn start(&mut self) {
        self.try_start().await.unwrap();
    }

    pub(crate) async fn try_start(&mut self) -> Result<(), tallystick_engine::EngineError> {
        #[cfg(feature = "byzantine")]
        let guarded = self.config.byzantine.is_none();
        #[cfg(not(feature = "byzantine"))]
        let guarded = true;
        let signer = Arc::new(GuardingSigner { key: key(self.index), disk: self.disk.clone(), guarded });
        let app = Box::new(MemoryChain { disk: self.disk.clone(), index: self.index, nodes: self.nodes });
        self.running = Some(start(self.config.clone(), signer, app).await?);
        let served = wires::Served { network: self.config.network.clone(), disk: self.disk.clone() };
        self.wires = wires::wire(served, self.config.member, self.listen, &self.addresses);
        Ok(())
    }

    pub(crate) fn control(&self) -> EngineControl {
        self.running.as_ref().unwrap().control()
    }

    /// Stops it in order.
    pub(crate) async fn stop(&mut self) {
        self.control().stop();
        self.end().await.unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn end(&mut self) -> Result<(), tallystick_engine::EngineError> {
        let mut running = self.running.take().unwrap();
        let ended = tokio::time::timeout(PATIENCE, running.join()).await.expect("the engine ends");
        self.wires.shutdown().await;
        ended
    }

    pub(crate) fn log_path(&self) -> &PathBuf {
        &self.config.log_path
    }
}

fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

/// Nodes that know each other; none runs yet.
pub(crate) fn network(nodes: usize, directory: &std::path::Path) -> Vec<Node> {
    let addresses = free_addresses(nodes);
    let build = |index: usize| {
        let others = (0..nodes).filter(|other| *other != index);
        let others: BTreeMap<MemberId, String> =
            others.map(|other| (id(other), addresses[other].to_string())).collect();
        let peers: Vec<MemberId> = others.keys().copied().collect();
        let known = wires::Addresses::new(Mutex::new(others));
        let disk = Disk::empty();
        let fetch = Arc::new(wires::TcpFetch::new(id(index), known.clone(), disk.clone()));
        let config = EngineConfig {
            moniker: format!("node-{index}"),
            chain_id: CHAIN,
            member: id(index),
            network: Network::new(NetworkConfig {
                chain_id: CHAIN,
                own: id(index),
                peers: &peers,
                block_bytes_max: BLOCK_BYTES_MAX,
                fetch: fetch.clone(),
                keys: Arc::new(Keys { index, nodes }),
            })
            .unwrap(),
            log_path: directory.join(format!("log-{index}")),
            block_bytes_max: BLOCK_BYTES_MAX,
            votes: true,
            #[cfg(feature = "byzantine")]
            byzantine: None,
        };
        let (listen, wires) = (addresses[index], tokio::task::JoinSet::new());
        Node { index, disk, fetch, config, listen, addresses: known, nodes, running: None, wires }
    };
    (0..nodes).map(build).collect()
}

pub(crate) async fn start_all(nodes: &mut [Node]) {
    for node in nodes {
        node.start().await;
    }
}

pub(crate) fn set_busy(nodes: &[Node], busy: bool) {
    for node in nodes {
        node.disk.busy.store(busy, Ordering::SeqCst);
        if let Some(running) = &node.running {
            running.control().wake();
        }
    }
}

/// Waits until no node has decided anything for [`QUIET`] and all are equally far; returns that height. A busy chain decides
/// every few dozen milliseconds. A block or two may still come when nodes become idle one after the other: if three
/// have started the next height already, they finish it, in a later round perhaps.
pub(crate) async fn rest(nodes: &[Node]) -> u64 {
    let tips = || -> Vec<u64> { nodes.iter().map(|node| node.disk.tip()).collect() };
    let resting = async {
        loop {
            let before = tips();
            tokio::time::sleep(QUIET).await;
            if tips() == before && before.iter().all(|tip| *tip == before[0]) {
                return before[0];
            }
        }
    };
    tokio::time::timeout(PATIENCE, resting).await.expect("an idle chain rests")
}

/// Waits until no node has decided anything for [`QUIET`]; returns the highest tip.
pub(crate) async fn stand_still(nodes: &[Node]) -> u64 {
    let tips = || -> Vec<u64> { nodes.iter().map(|node| node.disk.tip()).collect() };
    let standing = async {
        loop {
            let before = tips();
            tokio::time::sleep(QUIET).await;
            if tips() == before {
                return before.into_iter().max().unwrap_or(0);
            }
        }
    };
    tokio::time::timeout(PATIENCE, standing).await.expect("a chain without a quorum stands still")
}

/// All decided the same blocks.
pub(crate) fn assert_same(nodes: &[Node]) {
    let first = nodes[0].disk.blocks();
    for node in nodes {
        assert_eq!(node.disk.blocks(), first, "node {}", node.index);
    }
}
