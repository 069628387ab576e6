//! The node's configuration: one TOML file, checked before a port is bound.
//!
//! `node.example.toml` shows every key with its meaning.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tallystick_service::config::ConfigPath;
use tallystick_service::telemetry::LogConfig;
use tallystick_service::tls::TlsConfig;

/// Everything a node is told.
#[derive(Debug, Clone, Deserialize)]
pub struct NodeConfig {
    /// This validator's registry number.
    pub validator_id: u32,
    /// Directory of the RocksDB store; made by `init`, and only by it.
    pub data_dir: ConfigPath,
    /// Directory of the engine's write-ahead log.
    pub wal_dir: ConfigPath,
    /// The guard file: outside `data_dir`, and outside backups.
    pub guard_file: ConfigPath,
    /// The genesis file.
    pub genesis_file: ConfigPath,
    /// Key files.
    pub keys: KeyFiles,
    /// Addresses to listen on.
    pub listen: Listen,
    /// mTLS material.
    pub tls: TlsConfig,
    /// The other validators.
    #[serde(default)]
    pub peers: Vec<PeerConfig>,
    /// Timing of consensus.
    #[serde(default)]
    pub consensus: ConsensusConfig,
    /// Bounds of the pool.
    #[serde(default)]
    pub pool: PoolConfig,
    /// Logging.
    #[serde(default)]
    pub log: LogConfig,
    /// Below this many free bytes on the data disk the node stops accepting batches and keeps serving reads.
    #[serde(default = "default_disk_low_water_bytes")]
    pub disk_low_water_bytes: u64,
}

/// Encrypted key files and the passphrase that opens them.
#[derive(Debug, Clone, Deserialize)]
pub struct KeyFiles {
    /// Signs consensus votes.
    pub consensus: ConfigPath,
    /// Signs checkpoints as the log.
    pub log: ConfigPath,
    /// Cosigns checkpoints.
    pub cosigner: ConfigPath,
    /// Identifies this node in the engine's network.
    pub p2p: ConfigPath,
    /// File with the passphrase of the four.
    pub passphrase_file: ConfigPath,
}

/// Addresses to listen on.
#[derive(Debug, Clone, Deserialize)]
pub struct Listen {
    /// gRPC over mTLS: ledger, admin and peer services.
    pub grpc: SocketAddr,
    /// Public, read-only HTTP: checkpoint and tiles.
    pub http: SocketAddr,
    /// Metrics and health over HTTP, for operators.
    pub metrics: SocketAddr,
    /// The consensus engine's own port.
    pub p2p: SocketAddr,
}

/// Another validator.
#[derive(Debug, Clone, Deserialize)]
pub struct PeerConfig {
    /// Its registry number.
    pub validator_id: u32,
    /// Its gRPC endpoint, `host:port`.
    pub grpc: String,
    /// Address of its consensus engine.
    pub p2p: SocketAddr,
    /// Public key (64 hex digits) by which the engine's network knows it.
    pub p2p_public_key: String,
}

/// Timing of consensus. All nodes of a chain should agree.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct ConsensusConfig {
    /// How long to wait for a proposal, in milliseconds.
    pub propose_timeout_ms: u64,
    /// How long to wait for votes, in milliseconds.
    pub vote_timeout_ms: u64,
    /// How far a block's time may lie ahead of this node's clock, in milliseconds.
    pub time_ahead_ms_max: u64,
    /// How often an unchanged tip is cosigned anew, in milliseconds.
    pub cosign_interval_ms: u64,
}

impl Default for ConsensusConfig {
    fn default() -> Self {
        Self { propose_timeout_ms: 1000, vote_timeout_ms: 500, time_ahead_ms_max: 10_000, cosign_interval_ms: 15_000 }
    }
}

impl ConsensusConfig {
    /// Propose timeout.
    pub fn propose_timeout(&self) -> Duration {
        Duration::from_millis(self.propose_timeout_ms)
    }

    /// Vote timeout.
    pub fn vote_timeout(&self) -> Duration {
        Duration::from_millis(self.vote_timeout_ms)
    }
}

/// Bounds of the pool.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct PoolConfig {
    /// Bytes of all pooled batches. One issuer may fill a quarter of it with batches beyond its next one.
    pub bytes_max: usize,
    /// Batches of one issuer.
    pub issuer_batches_max: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { bytes_max: 64 * 1024 * 1024, issuer_batches_max: 64 }
    }
}

fn default_disk_low_water_bytes() -> u64 {
    256 * 1024 * 1024
}
