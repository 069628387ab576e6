//! Starting and stopping the engine.

use std::io::Write as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use malachitebft_app_channel::app::engine::consensus::ConsensusMsg;
use malachitebft_app_channel::app::engine::network::NetworkMsg;
use malachitebft_app_channel::app::engine::node::NodeRef;
use malachitebft_app_channel::app::engine::sync::SyncMsg;
use malachitebft_app_channel::{
    Channels, ConsensusContext, EngineBuilder, EngineHandle as Actors, NetworkMsg as PartMsg, RequestContext,
    SyncContext, WalContext,
};
use ractor::{Actor as _, ActorRef, Message};
use tokio::sync::{Notify, OnceCell, mpsc, watch};
use tokio::task::JoinHandle;
use tracing::info;

use crate::adapter::{ChainSigner, ChainVerifier};
use crate::app_loop::{AppLoop, Fixed, Inbox};
use crate::application::Application;
use crate::block_support::BlockSupport;
use crate::codec::ChainCodec;
use crate::config::{EngineConfig, lock_log};
use crate::context::ChainContext;
use crate::error::{EngineError, start_error};
use crate::network::{Attached, Network, NetworkActor};
use crate::parts::{Parts, STOP_WITHIN};
use crate::signing::ConsensusSigner;
use crate::streaming::{Assembly, Limits};
use crate::wal::{LogFault, examine_log};

/// Requests to the engine that may wait.
const REQUESTS_MAX: usize = 100;
/// More than the space that a small file may share with its name.
const PROBE_BYTES: usize = 64 * 1024;
/// How often to look whether the log is closed.
const LOG_LOOK: Duration = Duration::from_millis(20);

/// Talks to a running engine from anywhere. Cheap to clone.
#[derive(Clone)]
pub struct EngineControl {
    wake: Arc<Notify>,
    stop: Arc<Notify>,
}

impl EngineControl {
    /// There may be work: has a resting chain ask [`Application::is_idle`] again. Call it after the work is visible
    /// there. Never lost, also if the chain begins to rest only now; calls that come together count once.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends the engine in order: links and log are closed, [`EngineHandle::join`] returns `Ok`.
    pub fn stop(&self) {
        self.stop.notify_one();
    }
}

/// A running engine.
pub struct EngineHandle {
    control: EngineControl,
    task: JoinHandle<Result<(), EngineError>>,
}

impl EngineHandle {
    /// A way to talk to it.
    pub fn control(&self) -> EngineControl {
        self.control.clone()
    }

    /// Waits for its end: `Ok` after [`EngineControl::stop`], else the reason, after which the process must exit.
    /// May be used in a `select!` and called again until it has returned; not after.
    pub async fn join(&mut self) -> Result<(), EngineError> {
        match (&mut self.task).await {
            Ok(result) => result,
            Err(error) => Err(EngineError::Panicked(error.to_string())),
        }
    }
}

/// What [`start`] returns: a boxed future.
pub type Starting = Pin<Box<dyn Future<Output = Result<EngineHandle, EngineError>> + Send>>;

/// Checks the configuration, starts the engine and the loop that serves `app`. To be awaited in a tokio runtime.
///
/// Boxed on purpose: the body of an `async fn` is compiled again in each crate that awaits it, and with it the engine.
pub fn start(config: EngineConfig, signer: Arc<dyn ConsensusSigner>, app: Box<dyn Application>) -> Starting {
    Box::pin(start_here(config, signer, app))
}

async fn start_here(
    config: EngineConfig,
    signer: Arc<dyn ConsensusSigner>,
    app: Box<dyn Application>,
) -> Result<EngineHandle, EngineError> {
    info!("the engine starts");
    let (tip_sender, peer_tip) = watch::channel(0);
    let (refused_sender, refused) = mpsc::unbounded_channel();
    let codec = ChainCodec { peer_tip: tip_sender };
    let support = BlockSupport::default();
    let (stopping_sender, stopping) = watch::channel(false);
    let signer = ChainSigner { chain_id: config.chain_id, signer, support, refused: refused_sender, stopping };
    let (channels, actors, carrier) = build(&config, codec.clone(), signer.clone()).await?;

    let control = EngineControl { wake: Arc::new(Notify::new()), stop: Arc::new(Notify::new()) };
    let inbox = Inbox {
        consensus: channels.consensus,
        events: channels.events.subscribe(),
        refused,
        peer_tip,
        wake: control.wake.clone(),
        stop: control.stop.clone(),
    };
    let supervisor = actors.actor.clone();
    let network = config.network.clone();
    let links = links_of(&supervisor, &network, codec);
    let parts =
        Parts { supervisor, carrier, network: network.clone(), stopping: stopping_sender, ended: OnceCell::new() };
    let parts = Arc::new(parts);
    let begun = links.and_then(|links| {
        let links = Arc::new(links);
        network.attach(links.clone());
        links.begin()
    });
    if let Err(error) = begun {
        parts.stop().await;
        return Err(error);
    }
    let peers: Vec<_> = network.peers().collect();
    let fixed = Fixed {
        member: config.member,
        signer,
        network,
        parts_out: channels.network,
        parts: parts.clone(),
        log_path: config.log_path.clone(),
        block_bytes_max: config.block_bytes_max,
        #[cfg(feature = "byzantine")]
        forges_bodies: config.byzantine.is_some_and(|byzantine| byzantine.forge_bodies),
    };
    let assembly = Assembly::new(Limits::for_blocks(config.block_bytes_max), peers);
    let app_loop = AppLoop::new(app, fixed, assembly);
    let log_path = config.log_path;
    let task = tokio::spawn(async move {
        let result = app_loop.run(inbox).await;
        parts.stop().await;
        // All parts have ended by now; this waits for their supervisor.
        let _ = tokio::time::timeout(STOP_WITHIN, actors.handle).await;
        let _ = tokio::time::timeout(STOP_WITHIN, log_closed(&log_path)).await;
        match result {
            // When the log cannot be written the engine ends, and tells the loop nothing. So look at the log.
            Err(EngineError::Closed) => Err(probe(&log_path)
                .err()
                .map_or(EngineError::Closed, |source| EngineError::LogFailed { path: log_path, source })),
            result => result,
        }
    });
    Ok(EngineHandle { control, task })
}

/// The engine's writer thread closes the log a moment after its actor has ended; waits for that.
async fn log_closed(path: &Path) {
    while lock_log(path).is_err() {
        tokio::time::sleep(LOG_LOOK).await;
    }
}

/// Whether a file beside the log can be written to the disk.
fn probe(log_path: &Path) -> std::io::Result<()> {
    let path = log_path.with_extension("wal.probe");
    let mut file = std::fs::File::create(&path)?;
    let written = file.write_all(&[0; PROBE_BYTES]).and_then(|()| file.sync_all());
    std::fs::remove_file(&path).and(written)
}

/// The part of the engine that takes such messages.
fn part_of<M: Message>(supervisor: &NodeRef) -> Result<ActorRef<M>, EngineError> {
    let children = supervisor.get_cell().get_children();
    let part = children.into_iter().find(|part| part.is_message_type_of::<M>() == Some(true));
    part.map(ActorRef::from).ok_or_else(|| EngineError::Start("a part of it has ended".to_owned()))
}

fn links_of(supervisor: &NodeRef, network: &Network, codec: ChainCodec) -> Result<Attached, EngineError> {
    let (consensus, sync) =
        (part_of::<ConsensusMsg<ChainContext>>(supervisor)?, part_of::<SyncMsg<ChainContext>>(supervisor)?);
    Attached::new(network, consensus, sync, codec)
}

async fn build(
    config: &EngineConfig,
    codec: ChainCodec,
    signer: ChainSigner,
) -> Result<(Channels<ChainContext>, Actors, ActorRef<NetworkMsg<ChainContext>>), EngineError> {
    let checked = config.checked()?;
    match examine_log(&config.log_path) {
        Err(LogFault::Damaged { problem, .. }) => return Err(EngineError::DamagedLog(problem)),
        Err(LogFault::Io(source)) => return Err(config.log_failed(source)),
        Ok(_) | Err(LogFault::InUse) => {}
    }
    let verifier = Box::new(ChainVerifier { chain_id: config.chain_id, support: signer.support.clone() });
    let consensus = ConsensusContext::new_validator(config.member, verifier, Box::new(signer.clone()));
    let network = NetworkActor { network: config.network.clone(), codec: codec.clone() };
    let (carrier, _) = NetworkActor::spawn(None, network, ()).await.map_err(start_error)?;
    let (sender, parts) = mpsc::channel(1);
    tokio::spawn(carry(parts, carrier.clone()));
    let shown = shown(config, carrier.clone(), signer).await?;
    let built = EngineBuilder::new(ChainContext, checked)
        .with_default_wal(WalContext::new(config.log_path.clone(), codec.clone()))
        .with_custom_network(shown, sender)
        .with_default_sync(SyncContext::new(codec))
        .with_default_consensus(consensus)
        .with_default_request(RequestContext::new(REQUESTS_MAX))
        .build()
        .await;
    match built {
        Ok((channels, actors)) => Ok((channels, actors, carrier)),
        Err(error) => {
            carrier.stop(None);
            Err(start_error(error))
        }
    }
}

/// What the engine takes for its network: the carrier, or one that misbehaves in front of it.
async fn shown(
    config: &EngineConfig,
    carrier: ActorRef<NetworkMsg<ChainContext>>,
    signer: ChainSigner,
) -> Result<ActorRef<NetworkMsg<ChainContext>>, EngineError> {
    #[cfg(feature = "byzantine")]
    if let Some(byzantine) = config.byzantine {
        return crate::byzantine::proxy(byzantine, carrier, signer, config.member).await.map_err(start_error);
    }
    let _ = (config, signer);
    Ok(carrier)
}

/// Hands the app loop's block parts on, until either side has ended.
async fn carry(mut parts: mpsc::Receiver<PartMsg<ChainContext>>, carrier: ActorRef<NetworkMsg<ChainContext>>) {
    while let Some(part) = parts.recv().await {
        if carrier.cast(part.into()).is_err() {
            return;
        }
    }
}
