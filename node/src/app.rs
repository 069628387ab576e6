//! Wiring: every part is built here, every task started and joined here.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ed25519_dalek::SigningKey;
use receipt_core::genesis::Genesis;
use receipt_core::ids::{Height, ValidatorId};
use receipt_core::limits;
use tallystick_engine::{EngineConfig, MemberId, Timeouts};
use tallystick_service::answers::{AnswersLayer, CallMetrics};
use tallystick_service::callers::Places;
use tallystick_service::clock::{Clock, SystemClock};
use tallystick_service::config::{ConfigError, ConfigPath, Loaded};
use tallystick_service::config_key::{KeyError, OfKey as _};
use tallystick_service::descriptors::{self, Files};
use tallystick_service::durable;
use tallystick_service::hardening;
use tallystick_service::http::{self, HttpLimits};
use tallystick_service::identity::ChainName;
use tallystick_service::keyfile::{self, KeyKind, Passphrase, Secret};
use tallystick_service::metrics::Readiness;
use tallystick_service::outln;
use tallystick_service::rng::{Entropy, OsEntropy};
use tallystick_service::shutdown::{CancellationToken, DrainError, Tasks, on_signals};
use tallystick_service::tls::{CertificateWatch, IncomingLimits, Tls};
use tallystick_storage::{MemoryBudget, StoreShare};
use tokio::net::TcpListener;

use crate::api::{
    ANSWER_PATIENCE, BLOCK_STREAMS_MAX, CALLER_BLOCK_STREAMS_MAX, CALLER_READ_BYTES_MAX, READER_PATIENCE, Services,
    answer_turns,
};
use crate::clocks::{ClockWatch, PeerClocks};
use crate::config::{NodeConfig, PublicConfig, memory_budget};
use crate::consensus::ConsensusParts;
use crate::converse::{Conversation, channel, channel_with_session, network};
use crate::disk::DiskWatch;
use crate::evidence::EvidenceFolder;
use crate::fatal::Fatal;
use crate::guard::{Guard, GuardedSigner};
use crate::heights::ChainHeights;
use crate::ledger::{Ledger, Sets};
use crate::membership::{LinkKeys, Membership, ValidatorKeys, VotingKeys};
use crate::memory::{ANSWER_BYTES_MAX, READ_BYTES_MAX, answer_bytes_max};
use crate::metrics::{Metrics, register_memory, registry};
use crate::participation::{Participation, ParticipationError};
use crate::peer_readiness::PeerReadiness;
use crate::peers::{Forwarder, PeerLink};
use crate::pool::Pool;
use crate::preflight::{Claims, Misfit};
use crate::seal::{SealParts, Sealer, Signing};
use crate::servers::{SERVICES, accept_grpc, serve_grpc};
use crate::store::Store;
use crate::store_check::StoreCheck;
use crate::voting_log::VOTING_LOG;

const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
const TLS_RELOAD_INTERVAL: Duration = Duration::from_secs(30);
/// Issuers, auditors and validators, not the public.
const GRPC_CONNECTIONS_MAX: usize = 512;
/// Of these, connections of one caller.
const CALLER_CONNECTIONS_MAX: usize = 32;
/// The public.
const HTTP_CONNECTIONS_MAX: usize = 256;
const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Heights behind the tip from which signing skips to the tip: a later checkpoint seals all before.
const SIGN_BEHIND_MAX: u64 = 8;

/// Reads the configured genesis file.
pub fn read_genesis(config: &Loaded<NodeConfig>) -> anyhow::Result<Genesis> {
    let path = config.resolve(&config.value.genesis_file);
    let bytes = durable::read(&path, GENESIS_BYTES_MAX).context("cannot read genesis_file")?;
    let genesis = Genesis::decode(&bytes);
    Ok(genesis.map_err(|error| {
        KeyError::config("genesis_file", format!("{} is not a genesis file: {error}", path.display()))
    })?)
}

/// Creates store, guard and directories. Refuses to touch existing ones, but for a guard of the same chain: a validator
/// whose store is made anew keeps the memory of what it has signed.
pub fn init(config: &Loaded<NodeConfig>) -> anyhow::Result<()> {
    let genesis = read_genesis(config)?;
    let guard = config.resolve(&config.value.guard_file);
    durable::private_directory(&config.resolve(&config.value.wal_dir)).of_key("wal_dir")?;
    let kept = guard.exists().then(|| Guard::open(&guard, genesis.chain_id())).transpose()?;
    let data_dir = config.resolve(&config.value.data_dir);
    let store = Store::init(&data_dir, &genesis)?;
    match kept.as_ref().map(Guard::position) {
        None => Guard::create(&guard, genesis.chain_id())?,
        Some((height, size)) => {
            outln!("kept the guard file: this validator has voted at height {height} and cosigned size {size}");
        }
    }
    let tip = store.tip()?;
    outln!("chain {} initialised; genesis tree has {} leaves", genesis.chain_id().0, tip.log_size);
    Ok(())
}

/// The keys of now, then the next ones.
fn open_keys(config: &Loaded<NodeConfig>) -> anyhow::Result<Vec<ValidatorKeys>> {
    let files = &config.value.keys;
    let passphrase = Passphrase::from_file(&config.resolve(&files.passphrase_file))?;
    let seed = |path: &ConfigPath| keyfile::open(&config.resolve(path), &passphrase, KeyKind::Ed25519Seed);
    let keys = |[consensus, log, cosigner]: [&ConfigPath; 3]| -> anyhow::Result<ValidatorKeys> {
        Ok(ValidatorKeys {
            consensus: SigningKey::from_bytes(&*seed(consensus)?),
            log: SigningKey::from_bytes(&*seed(log)?),
            cosigner: SigningKey::from_bytes(&*seed(cosigner)?),
        })
    };
    let mut opened = vec![keys([&files.consensus, &files.log, &files.cosigner])?];
    if let Some(next) = &config.value.next_keys {
        opened.push(keys([&next.consensus, &next.log, &next.cosigner])?);
    }
    Ok(opened)
}

/// Everything of a running node that tasks share.
struct Node {
    services: Services,
    guard: Arc<Guard>,
    membership: Arc<Membership>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tls: Arc<Tls>,
    metrics: Metrics,
}

/// Checks the configuration, builds the node, runs it until SIGTERM, SIGINT or a fatal error, and drains.
pub async fn run(config: Loaded<NodeConfig>) -> anyhow::Result<()> {
    run_as(config, Arc::new(SystemClock), |_, _| {}).await
}

/// As [`run`], under another clock than the machine's.
#[cfg(feature = "byzantine")]
pub async fn run_under(config: Loaded<NodeConfig>, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    run_as(config, clock, |_, _| {}).await
}

/// As [`run`], as a validator that misbehaves in consensus.
#[cfg(feature = "byzantine")]
pub async fn run_misbehaving(
    config: Loaded<NodeConfig>,
    byzantine: tallystick_engine::Byzantine,
) -> anyhow::Result<()> {
    let misbehave = |participation: &mut Participation, consensus_seed: &[u8; 32]| {
        participation.engine.byzantine = Some(byzantine);
        participation.signer = Arc::new(crate::byzantine::UnguardedSigner::new(consensus_seed));
    };
    run_as(config, Arc::new(SystemClock), misbehave).await
}

async fn run_as(
    config: Loaded<NodeConfig>,
    clock: Arc<dyn Clock>,
    change: impl FnOnce(&mut Participation, &[u8; 32]),
) -> anyhow::Result<()> {
    let genesis = read_genesis(&config)?;
    let keys = open_keys(&config)?;
    let (data_dir, wal_dir) = (config.resolve(&config.value.data_dir), config.resolve(&config.value.wal_dir));
    hardening::warn_of_open_directories(&[("data_dir", &data_dir), ("wal_dir", &wal_dir)]);
    check_propose_timeout(&config, &genesis)?;
    let chain_name = ChainName::parse(&genesis.chain_name)?;
    let tls = Tls::load(config.value.tls.resolve(&config), chain_name, Arc::clone(&clock))?;
    let stop = CancellationToken::new();
    let files = Files::raised();
    let memory = memory_budget(&config)?;
    let share = StoreShare {
        bytes: memory.store_bytes(),
        files: files.tables(),
        table_bytes_per_second: config.value.table_bytes_per_second_max,
    };
    let store = Store::open_within(&data_dir, &genesis, share)?;
    let ledger = Ledger::new(store, genesis);
    let consensus_seed = Secret::new(keys.first().map_or([0; 32], |keys| keys.consensus.to_bytes()));
    let membership = Arc::new(Membership::new(ValidatorId::new(config.value.validator_id), keys));
    let claims = Claims::new(&config, Arc::clone(&membership), tls.identity());
    let misfit = claims.check(&Sets::of(&ledger)?).err();
    let node = build(&config, ledger, membership, tls, clock, stop.clone())?;
    let unproven = may_follow_first(misfit)?.then_some(claims);
    let listen = &config.value.listen;
    let grpc = bind(listen.grpc, "listen.grpc").await?;
    let http = bind(listen.http, "listen.http").await?;
    let door = bind(listen.metrics, "listen.metrics").await?;

    say_start(&config, &node, [&grpc, &http, &door])?;
    let mut tasks = Tasks::new(stop.clone());
    let readiness = Readiness::new();
    let (consensus_ready, level, clock_right) =
        (readiness.part("consensus"), readiness.part("ledger"), readiness.part("clock"));
    tasks.spawn("signals", on_signals(stop.clone())?);
    let days_left = node.metrics.tls_certificate_days_left.clone();
    let watch = CertificateWatch { interval: TLS_RELOAD_INTERVAL, ready: readiness.part("tls"), days_left };
    tasks.spawn("tls reload", Arc::clone(&node.tls).watch(watch, stop.clone()));
    tasks.spawn("calls", node.services.fatal.clone().watch(stop.clone()));
    tasks.spawn("files", descriptors::watch(readiness.part("files"), stop.clone()));
    tasks.spawn("waiting reads", node.services.ledger.store.clone().wait_until(stop.clone()));
    let peers = config.value.peers.iter().map(|peer| peer.validator_id).collect();
    let bounds = Bounds { public: &config.value.public, files, memory: &memory, peers };
    spawn_servers(&mut tasks, &node, &bounds, [grpc, http, door], readiness);
    spawn_peers(&mut tasks, &node, &config)?;
    tasks.spawn("sealing", seal_decided(Arc::clone(&node.services.sealer), node_sealing(&node, &config), stop.clone()));
    tasks.spawn("peer readiness", peer_readiness(&node, &config).watch(level, stop.clone()));
    let Services { clocks, ledger, .. } = node.services.clone();
    tasks.spawn("clock", ClockWatch { clocks, ledger }.watch(clock_right, stop.clone()));
    spawn_disk_watches(&mut tasks, &node, &stop);
    let mut participation = participation(&config, &node);
    participation.unproven = unproven;
    change(&mut participation, &consensus_seed);
    tasks.spawn("consensus", participation.run(consensus_ready, stop));
    tasks.run(DRAIN_DEADLINE).await.map_err(end_of)
}

/// What looks after the disk: its free space, and the bytes on it.
fn spawn_disk_watches(tasks: &mut Tasks, node: &Node, stop: &CancellationToken) {
    let Services { disk, pool, ledger, .. } = &node.services;
    tasks.spawn("disk", Arc::clone(disk).watch(Arc::clone(pool), stop.clone()));
    let (metrics, clock) = (node.metrics.store_check.clone(), Arc::clone(&node.clock));
    tasks.spawn("store check", StoreCheck { store: ledger.store.clone(), metrics, clock }.watch(stop.clone()));
}

/// One line by which an operator knows what runs, and where.
fn say_start(config: &Loaded<NodeConfig>, node: &Node, listeners: [&TcpListener; 3]) -> anyhow::Result<()> {
    let [grpc, http, metrics] = listeners.map(TcpListener::local_addr);
    let chain = &node.services.ledger.chain.id.0;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        validator = config.value.validator_id,
        chain_name = node.services.ledger.genesis.chain_name,
        %chain,
        grpc = %grpc?,
        http = %http?,
        metrics = %metrics?,
        decided = %node.services.heights.decided_height(),
        "the node starts"
    );
    Ok(())
}

/// A proposal that this node still waits for must come in time for it.
fn check_propose_timeout(config: &Loaded<NodeConfig>, genesis: &Genesis) -> Result<(), ConfigError> {
    let (given, most) = (config.value.consensus.propose_timeout_ms, genesis.timeliness.behind_ms_max);
    if given <= most {
        return Ok(());
    }
    let problem =
        format!("is {given}; blocks of this chain come in time for {most} ms (time_behind_ms_max of genesis)");
    Err(config.invalid("consensus.propose_timeout_ms", problem))
}

/// A configuration that turned out wrong is told as one, whichever task found it.
fn end_of(error: DrainError) -> anyhow::Error {
    let DrainError::Failed { name, source } = error else { return error.into() };
    match source.downcast::<ParticipationError>().map(|error| *error) {
        Ok(ParticipationError::Config(error)) => error.into(),
        Ok(error) => DrainError::Failed { name, source: error.into() }.into(),
        Err(source) => DrainError::Failed { name, source }.into(),
    }
}

/// Whether a node that does not fit its own store's validator set may follow the others first: if a newer set could have what this
/// one lacks. No store says of itself that it is new, so it is judged again when it is level (`participation`). Otherwise the misfit
/// is the error.
fn may_follow_first(misfit: Option<Misfit>) -> anyhow::Result<bool> {
    let Some(Misfit { error, may_be_newer }) = misfit else { return Ok(false) };
    if !may_be_newer {
        return Err(error.into());
    }
    tracing::warn!(%error, "this store may know an old validator set: following the others, and looking again then");
    Ok(true)
}

fn build(
    config: &Loaded<NodeConfig>,
    ledger: Ledger,
    membership: Arc<Membership>,
    tls: Arc<Tls>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> anyhow::Result<Node> {
    let data_dir = config.resolve(&config.value.data_dir);
    let guard = Arc::new(Guard::open(&config.resolve(&config.value.guard_file), ledger.genesis.chain_id())?);
    let sealed = ledger.store.latest_checkpoint()?.map_or(Height::ZERO, |(height, _)| height);
    let heights = Arc::new(ChainHeights::new(ledger.tip()?.height, sealed));
    let pool = Arc::new(Pool::new(ledger.clone(), config.value.pool.clone(), Arc::clone(&clock)));
    let clocks = Arc::new(PeerClocks::new(Arc::clone(&clock)));
    let evidence = EvidenceFolder::open(config.resolve(&config.value.evidence_dir));
    let evidence = Arc::new(evidence.context("cannot make evidence_dir")?);
    let seal_parts = SealParts {
        ledger: ledger.clone(),
        guard: Arc::clone(&guard),
        heights: Arc::clone(&heights),
        evidence: Arc::clone(&evidence),
        clocks: Arc::clone(&clocks),
    };
    let sealer = Sealer::new(seal_parts, Arc::clone(&membership));
    let disk = DiskWatch::new(data_dir, config.value.disk_low_water_bytes).context("cannot measure the data disk")?;
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let network = network(config, &tls, LinkKeys::new(Arc::clone(&membership), ledger.clone()))?;
    let services = Services {
        network,
        ledger,
        pool,
        heights,
        sealer: Arc::new(sealer),
        evidence,
        clocks,
        forwarder: Forwarder::default(),
        entropy: Arc::clone(&entropy),
        disk: Arc::new(disk),
        block_streams: Places::new(BLOCK_STREAMS_MAX, CALLER_BLOCK_STREAMS_MAX),
        read_bytes: Places::new(READ_BYTES_MAX, CALLER_READ_BYTES_MAX),
        reader_patience: READER_PATIENCE,
        answer_bytes: Places::new(answer_bytes_max(config.value.peers.len()), ANSWER_BYTES_MAX),
        answer_turns: answer_turns(),
        answer_patience: ANSWER_PATIENCE,
        fatal: Fatal::default(),
        stop,
    };
    Ok(Node { services, guard, membership, clock, entropy, tls, metrics: Metrics::default() })
}

async fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    let listener =
        listener.map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")));
    Ok(listener.of_key(key)?)
}

/// What servers may use, and what they let callers use.
struct Bounds<'a> {
    public: &'a PublicConfig,
    files: Files,
    memory: &'a MemoryBudget,
    /// Registry numbers of the other validators.
    peers: BTreeSet<u32>,
}

fn spawn_servers(
    tasks: &mut Tasks,
    node: &Node,
    bounds: &Bounds<'_>,
    listeners: [TcpListener; 3],
    readiness: Readiness,
) {
    let [grpc, public, door] = listeners;
    let stop = tasks.token().clone();
    let [grpc_connections, http_connections] = bounds.files.connections([GRPC_CONNECTIONS_MAX, HTTP_CONNECTIONS_MAX]);
    let incoming_limits = IncomingLimits::new(grpc_connections, CALLER_CONNECTIONS_MAX);
    let (incoming, accepting) =
        accept_grpc(grpc, Arc::clone(&node.tls), incoming_limits, bounds.peers.clone(), stop.clone());
    tasks.spawn("gRPC accept", accepting);
    let (services, clock) = (node.services.clone(), Arc::clone(&node.clock));
    let mut metrics = registry(&node.metrics, &node.services);
    register_memory(&mut metrics, bounds.memory, &node.services);
    let answers = AnswersLayer::new(CallMetrics::register(&mut metrics, SERVICES));
    tasks.spawn("gRPC", serve_grpc(services, incoming, clock, answers, stop.clone()));
    let router = crate::publish::router(node.services.clone(), bounds.public);
    tasks.spawn("HTTP", http::serve(public, router, HttpLimits::of(http_connections), stop.clone()));
    tasks.spawn("metrics", tallystick_service::metrics::serve(door, metrics, readiness, stop));
}

fn spawn_peers(tasks: &mut Tasks, node: &Node, config: &Loaded<NodeConfig>) -> anyhow::Result<()> {
    let services = &node.services;
    for peer in &config.value.peers {
        let id = ValidatorId::new(peer.validator_id);
        let (own_channel, session) = channel_with_session(config, &node.tls, peer)?;
        let network = services.network.clone();
        let conversation = Conversation { peer: id, channel: own_channel, session, network };
        let link = PeerLink {
            id,
            channel: channel(config, &node.tls, peer)?,
            origin: services.ledger.genesis.origin.as_str().into(),
            pool: Arc::clone(&services.pool),
            sealer: Arc::clone(&services.sealer),
            heights: Arc::clone(&services.heights),
            forwarder: services.forwarder.clone(),
        };
        let stop = tasks.token().clone();
        tasks.spawn("peer forwarding", {
            let (link, stop) = (link.clone(), stop.clone());
            async move {
                link.run_forwarding(stop).await;
                Ok::<_, std::io::Error>(())
            }
        });
        tasks.spawn("peer consensus", {
            let stop = stop.clone();
            async move {
                conversation.run(stop).await;
                Ok::<_, std::io::Error>(())
            }
        });
        tasks.spawn("peer sealing", link.run_sealing(stop));
    }
    Ok(())
}

fn peer_readiness(node: &Node, config: &Loaded<NodeConfig>) -> PeerReadiness {
    let Services { ledger, heights, forwarder, .. } = node.services.clone();
    let peers = config.value.peers.iter().map(|peer| ValidatorId::new(peer.validator_id)).collect();
    let (membership, is_validator) = (Arc::clone(&node.membership), node.metrics.validator.clone());
    PeerReadiness { ledger, heights, forwarder, peers, membership, is_validator }
}

struct Sealing {
    heights: Arc<ChainHeights>,
    clock: Arc<dyn Clock>,
    interval: Duration,
}

fn node_sealing(node: &Node, config: &Loaded<NodeConfig>) -> Sealing {
    Sealing {
        heights: Arc::clone(&node.services.heights),
        clock: Arc::clone(&node.clock),
        interval: Duration::from_millis(config.value.consensus.cosign_interval_ms),
    }
}

/// Signs every decided height as it comes, and the unchanged tip anew at each interval. What lies after a handover is signed as soon as
/// the handover's note is there.
async fn seal_decided(
    sealer: Arc<Sealer>,
    sealing: Sealing,
    stop: CancellationToken,
) -> Result<(), crate::seal::SealError> {
    let mut decided = sealing.heights.watch_decided();
    let mut sealed = sealing.heights.watch_sealed();
    let mut signed = None;
    loop {
        let tip = *decided.borrow_and_update();
        sealed.mark_unchanged();
        let next = match signed {
            Some(last) if tip.get() > last && tip.get() - last <= SIGN_BEHIND_MAX => Height::new(last + 1),
            // After a start, or after several heights at once, sign only the newest tree; but first a handover that is still open, because
            // only lines on that tree itself seal it.
            _ => {
                let handover = tokio::task::block_in_place(|| sealer.open_handover())?;
                handover.filter(|height| signed < Some(height.get())).unwrap_or(tip)
            }
        };
        let (at, now) = (next, sealing.clock.now());
        let sign = || sealer.sign_height(at, now).and_then(|signing| sealer.accept_early_lines(at).map(|()| signing));
        let waits = tokio::task::block_in_place(sign)? == Signing::AwaitsHandover;
        if !waits {
            signed = Some(next.get());
        }
        if next < tip && !waits {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = decided.changed() => if changed.is_err() { return Ok(()) },
            changed = sealed.changed(), if waits => if changed.is_err() { return Ok(()) },
            () = tokio::time::sleep(sealing.interval) => {}
        }
    }
}

fn participation(config: &Loaded<NodeConfig>, node: &Node) -> Participation {
    let timing = &config.value.consensus;
    let (propose, vote) = (timing.propose_timeout(), timing.vote_timeout());
    let timeouts = Timeouts { propose, prevote: vote, precommit: vote, ..Timeouts::default() };
    let services = &node.services;
    let consensus = ConsensusParts {
        ledger: services.ledger.clone(),
        pool: Arc::clone(&services.pool),
        heights: Arc::clone(&services.heights),
        guard: Arc::clone(&node.guard),
        evidence: Arc::clone(&services.evidence),
        clock: Arc::clone(&node.clock),
        entropy: Arc::clone(&node.entropy),
        timeouts,
        validator: ValidatorId::new(config.value.validator_id),
    };
    let engine = EngineConfig {
        moniker: format!("validator-{}", config.value.validator_id),
        chain_id: services.ledger.chain.id.0.0,
        member: MemberId::new(config.value.validator_id),
        network: services.network.clone(),
        log_path: config.resolve(&config.value.wal_dir).join(VOTING_LOG),
        block_bytes_max: limits::BLOCK_BYTES_MAX,
        votes: true,
        #[cfg(feature = "byzantine")]
        byzantine: None,
    };
    let voting_keys = VotingKeys::new(Arc::clone(&node.membership), services.ledger.clone());
    let signer = Arc::new(GuardedSigner::by_height(Arc::clone(&node.guard), voting_keys));
    let (metrics, guard) = (node.metrics.clone(), Arc::clone(&node.guard));
    let peer_readiness = peer_readiness(node, config);
    Participation { engine, signer, consensus, metrics, guard, peer_readiness, unproven: None }
}
