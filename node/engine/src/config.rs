//! What the engine is started with, what is checked before a port is bound, and how it can fail.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libp2p_identity::{Keypair, PeerId, PublicKey, ed25519};
use malachitebft_app_channel::app::config::{
    ConsensusConfig, GossipSubConfig, NodeConfig, ProtocolNames, PubSubProtocol, ValuePayload, ValueSyncConfig,
};
use malachitebft_app_channel::app::net::Multiaddr;
use malachitebft_app_channel::app::wal::Storage;

use crate::signing::SignRefused;
use crate::streaming::{CHUNK_BYTES, PublisherId};
use crate::types::MemberId;

/// How often each node tells its tip. Zero would mean once after each decision and never again: a node that misses that one,
/// because it just starts or stood still, then waits for ever for a height that the others have left.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);

/// Room for everything around a block in a message: certificate, lengths.
const MESSAGE_OVERHEAD_BYTES: usize = 1024 * 1024;
/// The largest published message: a chunk, or the header of the largest block, or a certificate, each with what is around it.
/// Whole blocks travel in answers to a node that is behind, never here.
const PUBLISHED_BYTES_MAX: usize = CHUNK_BYTES + 64 * 1024;
/// Peers of a mesh at most; see [`gossip`].
const MESH_MOST: usize = 4;
/// Heights in one request of a node that is behind.
const SYNC_BATCH: usize = 8;
/// Blocks above this would not fit the engine's messages twice.
pub(crate) const BLOCK_BYTES_LIMIT: usize = 64 * 1024 * 1024;

/// Another node of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `host:port`; an IP address or a DNS name.
    pub address: String,
    /// The peer's transport key (see [`p2p_public_key`]); a connection with another key is refused.
    pub public_key: [u8; 32],
}

/// Everything the engine needs to start.
#[derive(Clone)]
pub struct EngineConfig {
    /// This node's name in logs and metrics.
    pub moniker: String,
    /// Hash of the genesis block: in every preimage, and in the names of the network protocols.
    pub chain_id: [u8; 32],
    /// This node's number in the registry. It votes at the heights whose set has it, and follows at the others.
    pub member: MemberId,
    /// Where it listens for the other nodes.
    pub listen: SocketAddr,
    /// The nodes it talks to, and no others. Every validator should be connected to every other: what one has made comes at once
    /// from itself, and only as a help, late or not at all, through a third.
    pub peers: Vec<Peer>,
    /// The secret seed of its Ed25519 transport key. Not its consensus key.
    pub p2p_seed: [u8; 32],
    /// The engine's write-ahead log: a file in a directory that exists. Holds block ids and votes of the current height.
    pub log_path: PathBuf,
    /// The largest block, in bytes. The same on all nodes.
    pub block_bytes_max: usize,
    /// Whether it proposes and votes at the heights whose set has it. If not, it follows the chain by sync alone: it asks
    /// the signer for nothing but the proof of its peer id.
    pub votes: bool,
    /// How the node misbehaves, for tests of the others.
    #[cfg(feature = "byzantine")]
    pub byzantine: Option<Byzantine>,
}

/// A misbehaving validator, by the engine's own proxy between consensus and network. For tests only.
#[cfg(feature = "byzantine")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Byzantine {
    /// Sends a second, conflicting vote after each vote.
    pub equivocate_votes: bool,
    /// Sends a second, conflicting proposal after each proposal.
    pub equivocate_proposals: bool,
    /// Sends no votes.
    pub drop_votes: bool,
    /// Sends no proposals.
    pub drop_proposals: bool,
    /// Sends others' stream headers on, twice, with a body of its own.
    pub forge_bodies: bool,
}

/// Why the engine did not start, or why it ended. After any of these the process exits, but for a refusal that says `conflict`.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A value of the configuration is unusable; found before a port is bound.
    #[error("{key}: {problem}")]
    Config {
        /// The field of [`EngineConfig`].
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The engine could not be built: the log cannot be opened, the port is taken.
    #[error("the consensus engine does not start: {0}")]
    Start(String),
    /// The engine was built, and does not listen.
    #[error("the consensus engine does not listen")]
    NotListening,
    /// The signer refused: it would have been a double sign, or the key store failed.
    #[error(transparent)]
    SignRefused(#[from] SignRefused),
    /// The application failed, or answered what cannot be.
    #[error("{call} failed: {reason}")]
    Application {
        /// Which call.
        call: &'static str,
        /// Why.
        reason: String,
    },
    /// The write-ahead log is damaged. The node must be repaired before it votes again.
    #[error("the consensus log is damaged: {0}")]
    DamagedLog(String),
    /// The write-ahead log cannot be read or written. Nothing says that it is damaged.
    #[error("the consensus log {path} cannot be read or written: {source}", path = path.display())]
    LogFailed {
        /// The log.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The engine ended by itself; its log lines say why.
    #[error("the consensus engine has ended; its ERROR lines above say why")]
    Closed,
    /// The engine said something that it should not.
    #[error("the consensus engine sent {0}")]
    Unexpected(&'static str),
    /// A task panicked.
    #[error("the consensus task panicked: {0}")]
    Panicked(String),
}

impl EngineError {
    /// What the engine says of its log is text. An answer of the operating system has its number there; all else is damage.
    pub(crate) fn of_log(path: PathBuf, problem: String) -> Self {
        if problem.contains("(os error ") {
            return Self::LogFailed { path, source: std::io::Error::other(problem) };
        }
        Self::DamagedLog(problem)
    }
}

fn bad(key: &'static str, problem: impl std::fmt::Display) -> EngineError {
    EngineError::Config { key, problem: problem.to_string() }
}

/// The peer id of a transport key, as it stands in addresses and in the engine's logs.
pub fn peer_id(public_key: &[u8; 32]) -> Option<String> {
    libp2p_peer_id(public_key).map(|id| id.to_string())
}

fn libp2p_peer_id(public_key: &[u8; 32]) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(public_key).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

/// The transport key of this secret seed.
pub fn p2p_public_key(seed: &[u8; 32]) -> Option<[u8; 32]> {
    let keypair = Keypair::ed25519_from_bytes(*seed).ok()?;
    Some(keypair.public().try_into_ed25519().ok()?.to_bytes())
}

impl Peer {
    pub(crate) fn multiaddr(&self) -> Result<Multiaddr, EngineError> {
        let id = peer_id(&self.public_key).ok_or_else(|| bad("peers", "not an Ed25519 public key"))?;
        let problem = || bad("peers", format!("{} is not host:port", self.address));
        let text = match self.address.parse::<SocketAddr>() {
            Ok(address) => format!("{}/p2p/{id}", tcp(address)),
            Err(_) => {
                let (host, port) = self.address.rsplit_once(':').ok_or_else(problem)?;
                let port: u16 = port.parse().map_err(|_| problem())?;
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
                if host.is_empty() || !host.chars().all(plain) {
                    return Err(problem());
                }
                format!("/dns/{host}/tcp/{port}/p2p/{id}")
            }
        };
        text.parse().map_err(|_| problem())
    }
}

fn tcp(address: SocketAddr) -> String {
    let family = if address.is_ipv4() { "ip4" } else { "ip6" };
    format!("/{family}/{}/tcp/{}", address.ip(), address.port())
}

/// The engine's configuration.
pub(crate) struct Checked {
    moniker: String,
    consensus: ConsensusConfig,
    sync: ValueSyncConfig,
}

impl NodeConfig for Checked {
    fn moniker(&self) -> &str {
        &self.moniker
    }

    fn consensus(&self) -> &ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &ValueSyncConfig {
        &self.sync
    }

    fn value_sync_mut(&mut self) -> &mut ValueSyncConfig {
        &mut self.sync
    }
}

impl EngineConfig {
    /// Bytes of one answer to a node that is behind: two of the largest blocks.
    pub(crate) fn sync_bytes_max(&self) -> usize {
        2 * self.block_bytes_max
    }

    /// The peer ids of the peers: nobody else publishes block parts.
    pub(crate) fn publishers(&self) -> Result<Vec<PublisherId>, EngineError> {
        let id = |peer: &Peer| libp2p_peer_id(&peer.public_key).map(|id| id.to_bytes());
        self.peers.iter().map(|peer| id(peer).ok_or_else(|| bad("peers", "not an Ed25519 public key"))).collect()
    }

    /// The log failed for a reason that says nothing of its content.
    pub(crate) fn log_failed(&self, source: std::io::Error) -> EngineError {
        EngineError::LogFailed { path: self.log_path.clone(), source }
    }

    /// The transport key pair.
    pub(crate) fn keypair(&self) -> Result<Keypair, EngineError> {
        Keypair::ed25519_from_bytes(self.p2p_seed).map_err(|error| bad("p2p_seed", error))
    }

    /// Checks every value; binds nothing but to see that the port is free.
    pub(crate) fn checked(&self) -> Result<Checked, EngineError> {
        if self.moniker.is_empty() || self.moniker.len() > 64 {
            return Err(bad("moniker", "must have 1 to 64 bytes"));
        }
        if self.block_bytes_max < 1024 || self.block_bytes_max > BLOCK_BYTES_LIMIT {
            return Err(bad("block_bytes_max", format!("must be 1 KiB to {BLOCK_BYTES_LIMIT} bytes")));
        }
        if self.listen.port() == 0 {
            return Err(bad("listen", "the port must be given"));
        }
        if !self.log_path.parent().is_some_and(Path::is_dir) {
            return Err(bad("log_path", format!("{} is not in a directory", self.log_path.display())));
        }
        lock_log(&self.log_path).map_err(|error| bad("log_path", error))?;
        std::net::TcpListener::bind(self.listen).map_err(|error| bad("listen", format!("{}: {error}", self.listen)))?;
        Ok(Checked { moniker: self.moniker.clone(), consensus: self.consensus()?, sync: self.sync()? })
    }

    fn consensus(&self) -> Result<ConsensusConfig, EngineError> {
        let mut config = ConsensusConfig { value_payload: ValuePayload::ProposalAndParts, ..Default::default() };
        // Votes of the next heights that a node keeps while it is behind.
        config.queue_capacity = 16;
        config.enabled = self.votes;
        let p2p = &mut config.p2p;
        p2p.listen_addr = tcp(self.listen).parse().map_err(|error| bad("listen", error))?;
        p2p.persistent_peers = self.peers.iter().map(Peer::multiaddr).collect::<Result<_, _>>()?;
        p2p.persistent_peers_only = true;
        p2p.protocol = PubSubProtocol::GossipSub(gossip());
        p2p.pubsub_max_size = size(PUBLISHED_BYTES_MAX)?;
        p2p.rpc_max_size = size(self.response_bytes_max() + MESSAGE_OVERHEAD_BYTES)?;
        p2p.protocol_names = protocol_names(&self.chain_id);
        Ok(config)
    }

    /// Above anything that `decided_values` returns for one request, certificates included.
    fn response_bytes_max(&self) -> usize {
        self.sync_bytes_max() + self.block_bytes_max + 2 * MESSAGE_OVERHEAD_BYTES
    }

    fn sync(&self) -> Result<ValueSyncConfig, EngineError> {
        Ok(ValueSyncConfig {
            status_update_interval: STATUS_INTERVAL,
            max_response_size: size(self.response_bytes_max())?,
            batch_size: SYNC_BATCH,
            ..Default::default()
        })
    }
}

/// Opens the log with the engine's lock, creating an empty one if there is none. Fails while an engine has it.
pub(crate) fn lock_log(path: &Path) -> std::io::Result<File> {
    File::open_with(path, ())
}

/// One long-lived stream a peer, over which each message takes one one-way delay; the engine's other protocol opens a stream a message
/// and waits for the peer's consent first, three delays (`docs/adr/0016-one-stream-a-peer.md`).
///
/// Whoever makes a message sends it to every peer itself. Besides, each node passes on what it gets to the peers of its mesh, which is
/// small: it helps where two validators do not reach each other, and costs traffic. The mesh may grow to [`MESH_MOST`] peers before
/// some are let go: with fewer than four left the transport's own arithmetic panics then, and any peer can join a mesh.
fn gossip() -> GossipSubConfig {
    let (mesh, mesh_least, mesh_dialed) = (2, 1, 1);
    let (scoring, explicit_peers, everybody_at_once) = (false, false, true);
    GossipSubConfig::new(mesh, MESH_MOST, mesh_least, mesh_dialed, scoring, explicit_peers, everybody_at_once)
}

/// Nodes of different chains do not understand each other.
fn protocol_names(chain_id: &[u8; 32]) -> ProtocolNames {
    let chain: String = chain_id.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = |part: &str| format!("/tallystick/{chain}/{part}/v1");
    ProtocolNames {
        consensus: name("consensus"),
        discovery_kad: name("discovery-kad"),
        discovery_regres: name("discovery"),
        sync: name("sync"),
        validator_proof: name("validator-proof"),
    }
}

/// The engine's type for sizes is not exported; its parser is.
fn size<T: std::str::FromStr>(bytes: usize) -> Result<T, EngineError> {
    format!("{bytes} B").parse().map_err(|_| bad("block_bytes_max", "is not a size"))
}

#[cfg(test)]
mod tests;
