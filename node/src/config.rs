//! The node's configuration: one TOML file, checked before a file is opened or a port is bound.
//!
//! `node.example.toml` shows every key with its meaning.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use receipt_core::limits;
use serde::Deserialize;
use tallystick_service::config::{ConfigError, ConfigPath, Loaded};
use tallystick_service::telemetry::{LogConfig, check_filter};
use tallystick_service::tls::TlsConfig;
use tallystick_storage::budget::TABLE_BYTES_PER_SECOND_DEFAULT;
use tallystick_storage::{MemoryBudget, StoreShare};

use crate::memory::{Configured, budget};

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
    /// Directory of evidence against other validators; made at the start.
    #[serde(default = "default_evidence_dir")]
    pub evidence_dir: ConfigPath,
    /// The genesis file.
    pub genesis_file: ConfigPath,
    /// Key files.
    pub keys: KeyFiles,
    /// While the keys are changed: those of the next validator set that has this validator. `keys` are used as long as the set has those.
    pub next_keys: Option<NextKeyFiles>,
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
    /// Bounds of the public door.
    #[serde(default)]
    pub public: PublicConfig,
    /// Logging.
    #[serde(default)]
    pub log: LogConfig,
    /// What the process may hold in memory, its parts together; the store gets what the others leave. By default as much as the number of
    /// validators asks for (`memory`).
    pub memory_bytes_max: Option<u64>,
    /// What the store writes into tables at most, bytes a second; its logs come on top. Set it to half of what a slow disk writes.
    #[serde(default = "default_table_bytes_per_second_max")]
    pub table_bytes_per_second_max: u64,
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
    /// File with the passphrase of the three, and of the next ones.
    pub passphrase_file: ConfigPath,
}

/// Encrypted key files of the next validator set, under the passphrase of [`KeyFiles`].
#[derive(Debug, Clone, Deserialize)]
pub struct NextKeyFiles {
    /// Signs consensus votes.
    pub consensus: ConfigPath,
    /// Signs checkpoints as the log.
    pub log: ConfigPath,
    /// Cosigns checkpoints.
    pub cosigner: ConfigPath,
}

/// Addresses to listen on.
#[derive(Debug, Clone, Deserialize)]
pub struct Listen {
    /// gRPC over mTLS: ledger, admin and peer services, and with the latter consensus.
    pub grpc: SocketAddr,
    /// Public, read-only HTTP: checkpoint and tiles.
    pub http: SocketAddr,
    /// Metrics and health over HTTP, for operators.
    pub metrics: SocketAddr,
}

/// Another validator: number and address.
#[derive(Debug, Clone, Deserialize)]
pub struct PeerConfig {
    /// Its registry number.
    pub validator_id: u32,
    /// Its gRPC endpoint, `host:port`.
    pub grpc: String,
}

/// Timing of consensus. All nodes of a chain should agree.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct ConsensusConfig {
    /// How long to wait for a proposal, in milliseconds.
    pub propose_timeout_ms: u64,
    /// How long to wait for votes, in milliseconds.
    pub vote_timeout_ms: u64,
    /// How often an unchanged tip is cosigned anew, in milliseconds.
    pub cosign_interval_ms: u64,
}

impl Default for ConsensusConfig {
    fn default() -> Self {
        Self { propose_timeout_ms: 1000, vote_timeout_ms: 500, cosign_interval_ms: 15_000 }
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
    /// Bytes of all pooled batches, as they came; in memory they take three times as much. One issuer may fill a quarter of it with
    /// batches beyond its next one.
    pub bytes_max: usize,
    /// Batches of one issuer.
    pub issuer_batches_max: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { bytes_max: 32 * 1024 * 1024, issuer_batches_max: 64 }
    }
}

/// Bounds of the public door, `listen.http`, per address: an IPv4 address or an IPv6 /64.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct PublicConfig {
    /// Calls per second in the long run.
    pub calls_per_second: NonZeroU32,
    /// Calls at once after a rest.
    pub calls_burst: NonZeroU32,
}

impl Default for PublicConfig {
    fn default() -> Self {
        let figure = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        Self { calls_per_second: figure(100), calls_burst: figure(500) }
    }
}

fn default_evidence_dir() -> ConfigPath {
    ConfigPath::new("evidence")
}

const fn default_table_bytes_per_second_max() -> u64 {
    TABLE_BYTES_PER_SECOND_DEFAULT
}

fn default_disk_low_water_bytes() -> u64 {
    256 * 1024 * 1024
}

impl NodeConfig {
    /// Reads and checks the file at `path`. Every refusal names the key.
    pub fn load(path: &Path) -> Result<Loaded<Self>, ConfigError> {
        let loaded: Loaded<Self> = tallystick_service::config::load(path)?;
        check_figures(&loaded)?;
        memory_budget(&loaded)?;
        StoreShare::check_table_rate(loaded.value.table_bytes_per_second_max)
            .map_err(|problem| loaded.invalid("table_bytes_per_second_max", problem))?;
        check_paths(&loaded)?;
        check_addresses(&loaded)?;
        check_peers(&loaded)?;
        check_filter(&loaded.value.log.filter).map_err(|error| loaded.invalid("log.filter", error.to_string()))?;
        Ok(loaded)
    }
}

/// How the configured memory is shared out. Refused if the parts and the smallest store do not fit into it.
pub(crate) fn memory_budget(loaded: &Loaded<NodeConfig>) -> Result<MemoryBudget, ConfigError> {
    let NodeConfig { memory_bytes_max, pool, peers, .. } = &loaded.value;
    let configured = Configured { bytes_max: *memory_bytes_max, pool_bytes_max: pool.bytes_max, peers: peers.len() };
    budget(configured).map_err(|error| loaded.invalid("memory_bytes_max", error.to_string()))
}

fn check_figures(loaded: &Loaded<NodeConfig>) -> Result<(), ConfigError> {
    let NodeConfig { validator_id, consensus, pool, .. } = &loaded.value;
    let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    for (key, value, low, high) in [
        ("validator_id", u64::from(*validator_id), 1, u64::from(u32::MAX)),
        ("consensus.propose_timeout_ms", consensus.propose_timeout_ms, 50, 60_000),
        ("consensus.vote_timeout_ms", consensus.vote_timeout_ms, 50, 60_000),
        ("consensus.cosign_interval_ms", consensus.cosign_interval_ms, 100, 3_600_000),
        ("pool.bytes_max", count(pool.bytes_max), count(limits::BATCH_BYTES_MAX), 16 << 30),
        ("pool.issuer_batches_max", count(pool.issuer_batches_max), 1, 4_096),
    ] {
        if !(low..=high).contains(&value) {
            return Err(loaded.invalid(key, format!("must be {low} to {high}, is {value}")));
        }
    }
    Ok(())
}

/// What is never restored must not lie in what is.
fn check_paths(loaded: &Loaded<NodeConfig>) -> Result<(), ConfigError> {
    let data_dir = loaded.resolve(&loaded.value.data_dir);
    let NodeConfig { guard_file, wal_dir, evidence_dir, .. } = &loaded.value;
    for (key, path) in [("guard_file", guard_file), ("wal_dir", wal_dir), ("evidence_dir", evidence_dir)] {
        if loaded.resolve(path).starts_with(&data_dir) {
            return Err(loaded.invalid(key, "must lie outside `data_dir`"));
        }
    }
    Ok(())
}

fn check_addresses(loaded: &Loaded<NodeConfig>) -> Result<(), ConfigError> {
    let Listen { grpc, http, metrics } = loaded.value.listen;
    let mut taken: BTreeSet<SocketAddr> = BTreeSet::new();
    for (key, address) in [("listen.grpc", grpc), ("listen.http", http), ("listen.metrics", metrics)] {
        if address.port() != 0 && !taken.insert(address) {
            return Err(loaded.invalid(key, format!("{address} is listened on already; give each its own")));
        }
    }
    Ok(())
}

fn check_peers(loaded: &Loaded<NodeConfig>) -> Result<(), ConfigError> {
    let mut known = BTreeSet::from([loaded.value.validator_id]);
    for (index, peer) in loaded.value.peers.iter().enumerate() {
        if !known.insert(peer.validator_id) {
            let key = format!("peers[{index}].validator_id");
            return Err(loaded.invalid(&key, "must be another validator's, and each only once"));
        }
        loaded.check_authority(&format!("peers[{index}].grpc"), &peer.grpc)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../node.example.toml");

    fn load(text: &str) -> Result<Loaded<NodeConfig>, ConfigError> {
        let directory = scratch::Directory::new();
        let path = directory.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        NodeConfig::load(&path)
    }

    #[test]
    fn the_example_loads() {
        assert_eq!(load(EXAMPLE).unwrap().value.peers.len(), 1);
    }

    #[test]
    fn every_refusal_names_its_key() {
        for (from, to, key) in [
            ("validator_id = 1 ", "validator_id = 0 ", "validator_id"),
            ("validator_id = 1 ", "validator = 1 ", "validator"),
            ("propose_timeout_ms = 1000", "propose_timeout_ms = 0", "consensus.propose_timeout_ms"),
            ("vote_timeout_ms    = 500", "vote_timeout_ms = 70000", "consensus.vote_timeout_ms"),
            ("bytes_max          = 33554432", "bytes_max = 1", "pool.bytes_max"),
            ("# memory_bytes_max = 536870912", "memory_bytes_max = 268435456", "memory_bytes_max"),
            (
                "table_bytes_per_second_max = 67108864",
                "table_bytes_per_second_max = 2097151",
                "table_bytes_per_second_max",
            ),
            ("issuer_batches_max = 64", "issuer_batches_max = 0", "pool.issuer_batches_max"),
            ("\"guard/guard.bin\"", "\"data/guard.bin\"", "guard_file"),
            ("\"wal\"", "\"data/wal\"", "wal_dir"),
            ("\"evidence\"", "\"data/evidence\"", "evidence_dir"),
            ("127.0.0.1:7301", "127.0.0.1:7201", "listen.metrics"),
            ("validator_id = 2", "validator_id = 1", "peers[0].validator_id"),
            ("\"127.0.0.1:7102\"", "\"https://127.0.0.1\"", "peers[0].grpc"),
            ("\"127.0.0.1:7102\"", "\"https://127.0.0.1:7102\"", "peers[0].grpc"),
            ("calls_per_second = 100", "calls_per_second = 0", "public.calls_per_second"),
            ("calls_burst      = 500", "calls_burst = -1", "public.calls_burst"),
            ("filter = \"info\"", "filter = \"a=b=c\"", "log.filter"),
        ] {
            let text = EXAMPLE.replace(from, to);
            assert_ne!(text, EXAMPLE, "{from}");
            let error = load(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }
}
