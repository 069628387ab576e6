//! A node's services over a test chain, in this process: what module tests share.

use std::collections::BTreeMap;
use std::sync::Arc;

use receipt_core::ids::{Height, ValidatorId};
use receipt_core::limits;
use receipt_core::state::NoCache;
use receipt_core::testkit::{TestChain, TestValidator};
use tallystick_engine::{MemberId, Network, NetworkConfig};
use tallystick_proto::peer::v1::peer_service_server::PeerServiceServer;
use tallystick_service::clock::{Clock, FixedClock};
use tallystick_service::config::Loaded;
use tallystick_service::identity::{ChainName, PeerIdentity, Role};
use tallystick_service::rng::OsEntropy;
use tallystick_service::shutdown::CancellationToken;
use tokio::sync::watch;
use tonic::transport::{Channel, Endpoint};

use crate::api::{
    ANSWER_PATIENCE, BLOCK_STREAMS_MAX, CALLER_BLOCK_STREAMS_MAX, CALLER_READ_BYTES_MAX, READER_PATIENCE, Services,
    answer_turns,
};
use crate::clocks::PeerClocks;
use crate::config::{NodeConfig, PoolConfig};
use crate::converse::PeerFetch;
use crate::disk::DiskWatch;
use crate::evidence::EvidenceFolder;
use crate::fatal::Fatal;
use crate::guard::Guard;
use crate::heights::ChainHeights;
use crate::ledger::Ledger;
use crate::membership::{LinkKeys, Membership, ValidatorKeys};
use crate::memory::{ANSWER_BYTES_MAX, READ_BYTES_MAX, answer_bytes_max};
use crate::peers::{Forwarder, PeerLink};
use crate::pool::Pool;
use crate::seal::{SealParts, Sealer};
use crate::store::Store;
use tallystick_service::callers::Places;

/// A validator of the test chain without consensus: blocks are put into it.
pub(crate) struct TestNode {
    pub(crate) id: ValidatorId,
    pub(crate) services: Services,
    pub(crate) guard: Arc<Guard>,
    pub(crate) membership: Arc<Membership>,
    /// Calls that have come to its peer service, refused ones too.
    pub(crate) calls: watch::Sender<usize>,
    directory: scratch::Directory,
}

/// Links to validators 1 to 6; no engine runs, and nobody is asked.
fn network(keys: LinkKeys, own: ValidatorId) -> Network {
    let peers: Vec<MemberId> = (1..=6).filter(|id| *id != own.get()).map(MemberId::new).collect();
    Network::new(NetworkConfig {
        chain_id: keys.chain_id(),
        own: MemberId::new(own.get()),
        peers: &peers,
        block_bytes_max: limits::BLOCK_BYTES_MAX,
        fetch: Arc::new(PeerFetch(BTreeMap::new())),
        keys: Arc::new(keys),
    })
    .unwrap()
}

/// The secret keys of a test validator.
pub(crate) fn keys_of(validator: &TestValidator) -> ValidatorKeys {
    let [log, cosigner] = validator.note_keys();
    ValidatorKeys { consensus: validator.consensus_key(), log, cosigner }
}

/// Somebody on the test chain.
pub(crate) fn identity(role: Role, id: u32) -> PeerIdentity {
    PeerIdentity { chain: ChainName::parse("testchain").unwrap(), role, id }
}

/// The example configuration of this validator, with these peers. Its files are nowhere.
pub(crate) fn config(validator_id: u32, peers: &[u32]) -> Loaded<NodeConfig> {
    config_in(scratch::Directory::new().path(), validator_id, peers)
}

/// The same in this directory.
pub(crate) fn config_in(directory: &std::path::Path, validator_id: u32, peers: &[u32]) -> Loaded<NodeConfig> {
    let example = include_str!("../node.example.toml");
    let (head, tail) = example.split_once("[[peers]]").unwrap();
    let (peer, tail) = tail.split_once("\n[").unwrap();
    let peers: Vec<String> = peers
        .iter()
        .map(|id| format!("[[peers]]{}", peer.replace("validator_id = 2", &format!("validator_id = {id}"))))
        .collect();
    let lines = head.lines().map(|line| match line.split_once('=') {
        Some((name, _)) if name.trim() == "validator_id" => format!("validator_id = {validator_id}"),
        _ => line.to_owned(),
    });
    let text = format!("{}\n{}\n[{tail}", lines.collect::<Vec<_>>().join("\n"), peers.join("\n"));
    let path = directory.join("node.toml");
    std::fs::write(&path, text).unwrap();
    tallystick_service::config::load(&path).unwrap()
}

impl TestNode {
    /// At genesis.
    pub(crate) fn new(chain: &TestChain, id: u32) -> Self {
        Self::with_pool(chain, id, PoolConfig::default())
    }

    pub(crate) fn with_pool(chain: &TestChain, id: u32, bounds: PoolConfig) -> Self {
        Self::made(chain, &TestValidator::new(id), bounds)
    }

    /// With this validator's keys.
    pub(crate) fn of(chain: &TestChain, validator: &TestValidator) -> Self {
        Self::made(chain, validator, PoolConfig::default())
    }

    fn made(chain: &TestChain, validator: &TestValidator, bounds: PoolConfig) -> Self {
        let directory = scratch::Directory::new();
        drop(Store::init(&directory.path().join("data"), chain.genesis()).unwrap());
        Guard::create(&directory.path().join("guard"), chain.genesis().chain_id()).unwrap();
        Self::start(directory, chain, validator, bounds)
    }

    /// The process ends and starts again over the same files, with this validator's keys.
    pub(crate) fn restarted(self, chain: &TestChain, validator: &TestValidator) -> Self {
        let Self { directory, services, guard, membership, .. } = self;
        drop((services, guard, membership));
        Self::start(directory, chain, validator, PoolConfig::default())
    }

    fn start(directory: scratch::Directory, chain: &TestChain, validator: &TestValidator, bounds: PoolConfig) -> Self {
        let store = Store::open(&directory.path().join("data"), chain.genesis()).unwrap();
        let guard = Guard::open(&directory.path().join("guard"), chain.genesis().chain_id()).unwrap();
        let guard = Arc::new(guard);
        let ledger = Ledger::new(store, chain.genesis().clone());
        let sealed = ledger.store.latest_checkpoint().unwrap().map_or(Height::ZERO, |(height, _)| height);
        let heights = Arc::new(ChainHeights::new(ledger.tip().unwrap().height, sealed));
        let id = ValidatorId::new(validator.id);
        let evidence = Arc::new(EvidenceFolder::open(directory.path().join("evidence")).unwrap());
        let (seal_ledger, seal_heights) = (ledger.clone(), Arc::clone(&heights));
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(chain.now()));
        let clocks = Arc::new(PeerClocks::new(Arc::clone(&clock)));
        let (seal_evidence, seal_clocks) = (Arc::clone(&evidence), Arc::clone(&clocks));
        let parts = SealParts {
            ledger: seal_ledger,
            guard: Arc::clone(&guard),
            heights: seal_heights,
            evidence: seal_evidence,
            clocks: seal_clocks,
        };
        let membership = Arc::new(Membership::new(id, vec![keys_of(validator)]));
        let sealer = Sealer::new(parts, Arc::clone(&membership));
        let services = Services {
            network: network(LinkKeys::new(Arc::clone(&membership), ledger.clone()), id),
            pool: Arc::new(Pool::new(ledger.clone(), bounds, clock)),
            ledger,
            heights,
            sealer: Arc::new(sealer),
            evidence,
            clocks,
            forwarder: Forwarder::default(),
            entropy: Arc::new(OsEntropy),
            disk: Arc::new(DiskWatch::new(directory.path().to_owned(), 0).unwrap()),
            block_streams: Places::new(BLOCK_STREAMS_MAX, CALLER_BLOCK_STREAMS_MAX),
            read_bytes: Places::new(READ_BYTES_MAX, CALLER_READ_BYTES_MAX),
            reader_patience: READER_PATIENCE,
            answer_bytes: Places::new(answer_bytes_max(3), ANSWER_BYTES_MAX),
            answer_turns: answer_turns(),
            answer_patience: ANSWER_PATIENCE,
            fatal: Fatal::default(),
            stop: CancellationToken::new(),
        };
        Self { id, services, guard, membership, calls: watch::Sender::new(0), directory }
    }

    /// A file of its own.
    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// Where its evidence lies.
    pub(crate) fn evidence_dir(&self) -> std::path::PathBuf {
        self.directory.path().join("evidence")
    }

    /// Decides what the chain has decided, up to `height`.
    pub(crate) fn decide(&self, chain: &TestChain, height: Height) {
        let ledger = &self.services.ledger;
        let next = ledger.tip().unwrap().height.get() + 1;
        for block in &chain.blocks()[next as usize..=height.get() as usize] {
            let executed = ledger.execute(&block.bytes, &NoCache, [0; 32]).unwrap();
            ledger.store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
            self.services.heights.decided(executed.effects.tip.height);
        }
    }

    /// Publishes the chain's own checkpoint of a decided height.
    pub(crate) fn seal(&self, chain: &TestChain, height: Height) {
        let note = &chain.blocks()[height.get() as usize].checkpoint;
        self.services.ledger.store.put_checkpoint(height, note, note).unwrap();
        self.services.heights.sealed(height);
    }

    /// Serves the peer service to one caller, without TLS.
    pub(crate) async fn serve_peer(&self, caller: ValidatorId) -> Channel {
        let address = self.serve_peer_on(caller).await;
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
    }

    /// As [`Self::serve_peer`]; answers where.
    pub(crate) async fn serve_peer_on(&self, caller: ValidatorId) -> std::net::SocketAddr {
        let (identity, calls) = (identity(Role::Validator, caller.get()), self.calls.clone());
        let service =
            PeerServiceServer::with_interceptor(self.services.clone(), move |mut request: tonic::Request<()>| {
                calls.send_modify(|calls| *calls += 1);
                request.extensions_mut().insert(identity.clone());
                Ok(request)
            });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
        address
    }

    /// This node's link to another.
    pub(crate) async fn link_to(&self, other: &TestNode) -> PeerLink {
        PeerLink {
            id: other.id,
            channel: other.serve_peer(self.id).await,
            origin: self.services.ledger.genesis.origin.as_str().into(),
            pool: Arc::clone(&self.services.pool),
            sealer: Arc::clone(&self.services.sealer),
            heights: Arc::clone(&self.services.heights),
            forwarder: self.services.forwarder.clone(),
        }
    }
}
