//! The config file `portal.toml`, checked before a port is bound. `portal.example.toml` says what each key means.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tallystick_service::config::{ConfigError, ConfigPath, Loaded, load};
use tallystick_service::telemetry::{LogConfig, check_filter};
use tallystick_service::tls::{OwnFiles, PublicTlsConfig, TlsConfig, TlsFiles};

const NODES_MAX: usize = 64;
/// The largest receipt number: ten digits.
const NUMBER_MAX: u64 = 9_999_999_999;
/// One fetched receipt at its limit, and what it is fetched with.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 5 * 1024 * 1024;

#[derive(Debug, Clone, Deserialize)]
struct Config {
    portal_id: u32,
    trust_file: ConfigPath,
    page_dir: ConfigPath,
    #[serde(default)]
    directory_file: Option<ConfigPath>,
    listen: ListenConfig,
    public_tls: PublicTlsConfig,
    tls: TlsConfig,
    nodes: Vec<NodeConfig>,
    #[serde(default)]
    source_secret_file: Option<ConfigPath>,
    #[serde(default)]
    issuers: Vec<IssuerConfig>,
    #[serde(default)]
    segments: Vec<SegmentConfig>,
    #[serde(default)]
    limits: LimitsConfig,
    #[serde(default)]
    refresh: RefreshConfig,
    #[serde(default)]
    fetch: FetchConfig,
    #[serde(default)]
    log: LogConfig,
}

/// Addresses to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListenConfig {
    /// For everybody.
    pub https: SocketAddr,
    /// For the operator.
    pub metrics: SocketAddr,
}

/// A validator.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeConfig {
    /// `host:port`.
    pub authority: String,
    /// Its number in the registry; `None`: any.
    pub validator_id: Option<u32>,
}

/// An issuer whose receipts are fetched here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IssuerConfig {
    /// Its number in the registry.
    pub issuer_id: u32,
    /// `host:port`.
    pub authority: String,
    /// Units that it issues for, by how their codes (18 characters) begin: for who has lost the receipt.
    #[serde(default)]
    pub unit_prefixes: Vec<String>,
}

/// Numbers that an issuer gives out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SegmentConfig {
    /// How the receipt codes begin: 1 to 8 digits.
    pub code_prefix: String,
    /// The first of the numbers.
    #[serde(default)]
    pub first_number: u64,
    /// The last of them.
    #[serde(default = "last_number")]
    pub last_number: u64,
    /// Whose they are.
    pub issuer_id: u32,
}

const fn last_number() -> u64 {
    NUMBER_MAX
}

/// What strangers may occupy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LimitsConfig {
    /// Connections at once.
    pub connections_max: usize,
    /// Of these, connections of one source.
    pub source_connections_max: usize,
    /// How long a connection lives, seconds.
    pub connection_seconds_max: u64,
    /// New connections a second of one source.
    pub source_connections_per_second_max: u32,
    /// New connections a second.
    pub connections_per_second_max: u32,
    /// Requests under way at once.
    pub requests_max: usize,
    /// Of these, requests of one source.
    pub source_requests_max: usize,
    /// Questions about receipts of one source, a minute.
    pub source_refreshes_per_minute_max: u32,
    /// Questions about receipts, a second.
    pub refreshes_per_second_max: u32,
    /// Tries to fetch of one source, a minute.
    pub source_fetches_per_minute_max: u32,
    /// Tries to fetch, a second.
    pub fetches_per_second_max: u32,
    /// What fetched receipts may take in memory, bytes.
    pub documents_bytes_max: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            source_connections_max: 128,
            connection_seconds_max: 300,
            source_connections_per_second_max: 32,
            connections_per_second_max: 1000,
            requests_max: 2048,
            source_requests_max: 64,
            source_refreshes_per_minute_max: 60,
            refreshes_per_second_max: 100,
            source_fetches_per_minute_max: 20,
            fetches_per_second_max: 20,
            documents_bytes_max: 256 * 1024 * 1024,
        }
    }
}

/// Towards nodes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RefreshConfig {
    /// One call, milliseconds.
    pub call_timeout_ms: u64,
    /// How long an answer is handed out again, seconds.
    pub cache_seconds: u64,
    /// What all cached answers may take, bytes.
    pub cache_bytes_max: usize,
}

impl Default for RefreshConfig {
    fn default() -> Self {
        Self { call_timeout_ms: 3_000, cache_seconds: 10, cache_bytes_max: 32 * 1024 * 1024 }
    }
}

/// Towards issuers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FetchConfig {
    /// One call, milliseconds.
    pub call_timeout_ms: u64,
    /// How long a fetched receipt waits to be downloaded, seconds.
    pub download_seconds: u64,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self { call_timeout_ms: 10_000, download_seconds: 120 }
    }
}

/// A checked config with usable paths.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Number of this portal.
    pub portal_id: u32,
    /// The trust file.
    pub trust_file: PathBuf,
    /// What `make page` wrote.
    pub page_dir: PathBuf,
    /// The directory of units; `None`: none is served.
    pub directory_file: Option<PathBuf>,
    /// Addresses.
    pub listen: ListenConfig,
    /// What browsers are shown.
    pub public_tls: OwnFiles,
    /// What nodes and issuers are shown.
    pub tls: TlsFiles,
    /// Validators.
    pub nodes: Vec<NodeConfig>,
    /// Behind the names of sources that issuers are told; `None`: drawn at each start.
    pub source_secret_file: Option<PathBuf>,
    /// Issuers.
    pub issuers: Vec<IssuerConfig>,
    /// Whose which numbers are.
    pub segments: Vec<SegmentConfig>,
    /// Bounds.
    pub limits: LimitsConfig,
    /// Towards nodes.
    pub refresh: RefreshConfig,
    /// Towards issuers.
    pub fetch: FetchConfig,
    /// Logs.
    pub log: LogConfig,
}

impl Settings {
    /// Reads and checks the file at `path`. Every refusal names the key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let loaded: Loaded<Config> = load(path)?;
        check(&loaded)?;
        let config = &loaded.value;
        Ok(Self {
            portal_id: config.portal_id,
            trust_file: loaded.resolve(&config.trust_file),
            page_dir: loaded.resolve(&config.page_dir),
            directory_file: config.directory_file.as_ref().map(|path| loaded.resolve(path)),
            listen: config.listen.clone(),
            public_tls: config.public_tls.resolve(&loaded),
            tls: config.tls.resolve(&loaded),
            nodes: config.nodes.clone(),
            source_secret_file: config.source_secret_file.as_ref().map(|path| loaded.resolve(path)),
            issuers: config.issuers.clone(),
            segments: config.segments.clone(),
            limits: config.limits.clone(),
            refresh: config.refresh.clone(),
            fetch: config.fetch.clone(),
            log: config.log.clone(),
        })
    }

    /// Longest time of one call to a node.
    pub fn node_timeout(&self) -> Duration {
        Duration::from_millis(self.refresh.call_timeout_ms)
    }
}

fn check(loaded: &Loaded<Config>) -> Result<(), ConfigError> {
    let config = &loaded.value;
    let in_range = |key: &str, value: u64, low: u64, high: u64| {
        let problem = || loaded.invalid(key, format!("must be {low} to {high}, is {value}"));
        if (low..=high).contains(&value) { Ok(()) } else { Err(problem()) }
    };
    let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    let limits = &config.limits;
    in_range("nodes", count(config.nodes.len()), 1, count(NODES_MAX))?;
    for (index, node) in config.nodes.iter().enumerate() {
        loaded.check_authority(&format!("nodes[{index}].authority"), &node.authority)?;
    }
    in_range("limits.connections_max", count(limits.connections_max), 1, 1_000_000)?;
    let of_all = count(limits.connections_max);
    in_range("limits.source_connections_max", count(limits.source_connections_max), 1, of_all)?;
    in_range("limits.connection_seconds_max", limits.connection_seconds_max, 1, 3_600)?;
    in_range("limits.requests_max", count(limits.requests_max), 1, 100_000)?;
    in_range("limits.source_requests_max", count(limits.source_requests_max), 1, count(limits.requests_max))?;
    for (key, rate) in [
        ("limits.source_connections_per_second_max", limits.source_connections_per_second_max),
        ("limits.connections_per_second_max", limits.connections_per_second_max),
        ("limits.source_refreshes_per_minute_max", limits.source_refreshes_per_minute_max),
        ("limits.refreshes_per_second_max", limits.refreshes_per_second_max),
        ("limits.source_fetches_per_minute_max", limits.source_fetches_per_minute_max),
        ("limits.fetches_per_second_max", limits.fetches_per_second_max),
    ] {
        in_range(key, rate.into(), 1, 100_000)?;
    }
    in_range("refresh.call_timeout_ms", config.refresh.call_timeout_ms, 100, 20_000)?;
    in_range("refresh.cache_seconds", config.refresh.cache_seconds, 0, 300)?;
    let documents = count(limits.documents_bytes_max);
    in_range("limits.documents_bytes_max", documents, count(DOCUMENT_BYTES_MAX), 1 << 40)?;
    in_range("fetch.call_timeout_ms", config.fetch.call_timeout_ms, 100, 60_000)?;
    in_range("fetch.download_seconds", config.fetch.download_seconds, 10, 600)?;
    check_table(loaded)?;
    check_filter(&config.log.filter).map_err(|error| loaded.invalid("log.filter", error.to_string()))?;
    if config.listen.https == config.listen.metrics && config.listen.https.port() != 0 {
        return Err(loaded.invalid("listen.metrics", "must differ from listen.https"));
    }
    Ok(())
}

/// Which numbers are whose: nobody's twice, and everybody named.
fn check_table(loaded: &Loaded<Config>) -> Result<(), ConfigError> {
    let Config { issuers, segments, .. } = &loaded.value;
    for (index, issuer) in issuers.iter().enumerate() {
        loaded.check_authority(&format!("issuers[{index}].authority"), &issuer.authority)?;
        if issuers[..index].iter().any(|before| before.issuer_id == issuer.issuer_id) {
            return Err(loaded.invalid(&format!("issuers[{index}].issuer_id"), "is there twice"));
        }
    }
    for (index, segment) in segments.iter().enumerate() {
        let refuse = |key: &str, problem: &str| Err(loaded.invalid(&format!("segments[{index}].{key}"), problem));
        let prefix = &segment.code_prefix;
        if prefix.is_empty() || prefix.len() > 8 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return refuse("code_prefix", "must be 1 to 8 digits: how the receipt codes begin");
        }
        if segment.first_number > segment.last_number || segment.last_number > NUMBER_MAX {
            return refuse("last_number", "must be at least first_number, and have at most ten digits");
        }
        if !issuers.iter().any(|issuer| issuer.issuer_id == segment.issuer_id) {
            return refuse("issuer_id", "is not among `issuers`");
        }
        let overlaps = |before: &&SegmentConfig| {
            before.code_prefix == *prefix
                && before.first_number <= segment.last_number
                && segment.first_number <= before.last_number
        };
        if segments[..index].iter().find(overlaps).is_some() {
            return refuse("first_number", "some of these numbers of this prefix are another segment's already");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../portal.example.toml");

    fn settings(text: &str) -> Result<Settings, ConfigError> {
        let dir = scratch::Directory::new();
        let path = dir.path().join("portal.toml");
        std::fs::write(&path, text).unwrap();
        Settings::load(&path)
    }

    #[test]
    fn the_example_loads_and_states_the_defaults() {
        let example = settings(EXAMPLE).unwrap();
        assert_eq!((example.portal_id, example.nodes.len()), (1, 2));
        assert_eq!(example.directory_file, None);
        let with = settings(&EXAMPLE.replacen("# directory_file", "directory_file", 1)).unwrap();
        assert!(with.directory_file.unwrap().ends_with("units.today"));
        let bare = settings(&EXAMPLE[..EXAMPLE.find("[limits]").unwrap()]).unwrap();
        assert_eq!((&example.limits, &example.refresh), (&bare.limits, &bare.refresh));
        assert_eq!((&example.fetch, &example.log), (&bare.fetch, &bare.log));
    }

    #[test]
    fn every_refusal_names_its_key() {
        for (from, to, key) in [
            ("portal_id = 1", "portal_ids = 1", "portal_ids"),
            ("\"127.0.0.1:7101\"", "\"https://127.0.0.1\"", "nodes[0].authority"),
            ("\"127.0.0.1:7101\"", "\"https://127.0.0.1:7101\"", "nodes[0].authority"),
            ("\nconnections_max = 4096", "\nconnections_max = 0", "limits.connections_max"),
            ("source_connections_max = 128", "source_connections_max = 4097", "limits.source_connections_max"),
            ("connection_seconds_max = 300", "connection_seconds_max = 0", "limits.connection_seconds_max"),
            ("\nrequests_max = 2048", "\nrequests_max = 0", "limits.requests_max"),
            ("source_requests_max = 64", "source_requests_max = 2049", "limits.source_requests_max"),
            (
                "source_refreshes_per_minute_max = 60",
                "source_refreshes_per_minute_max = 0",
                "limits.source_refreshes_per_minute_max",
            ),
            ("call_timeout_ms = 3000", "call_timeout_ms = 1", "refresh.call_timeout_ms"),
            ("cache_seconds = 10", "cache_seconds = 301", "refresh.cache_seconds"),
            ("127.0.0.1:9300", "0.0.0.0:443", "listen.metrics"),
            ("\"127.0.0.1:7200\"", "\"issuer\"", "issuers[0].authority"),
            ("code_prefix = \"9906\"", "code_prefix = \"99x6\"", "segments[0].code_prefix"),
            ("last_number = 10000000", "last_number = 0", "segments[0].last_number"),
            ("first_number = 10000001", "first_number = 10000000", "segments[1].first_number"),
            ("issuer_id = 2\n\n", "issuer_id = 3\n\n", "segments[1].issuer_id"),
            ("documents_bytes_max = 268435456", "documents_bytes_max = 1", "limits.documents_bytes_max"),
            ("download_seconds = 120", "download_seconds = 1", "fetch.download_seconds"),
        ] {
            let text = EXAMPLE.replacen(from, to, 1);
            assert_ne!(text, EXAMPLE, "{from}");
            let error = settings(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }
}
