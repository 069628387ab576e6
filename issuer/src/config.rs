//! The issuer's TOML file: every key, its default, and the checks across keys that run before a port is bound.
//!
//! `issuer.example.toml` beside the crate explains each key. Paths are relative to the file. Not here: reading the key
//! files themselves (`keys`), certificates (`service`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use receipt_core::ids::{IssuerId, KeyId};
use receipt_core::limits;
use serde::Deserialize;
use tallystick_anchoring::nodes::NodeConfig;
use tallystick_service::config::{ConfigError, ConfigPath, Loaded, load};
use tallystick_service::telemetry::{LogConfig, check_filter};
use tallystick_service::tls::{TlsConfig, TlsFiles};
use tallystick_storage::budget::{MEMORY_BYTES_DEFAULT, TABLE_BYTES_PER_SECOND_DEFAULT};
use tallystick_storage::{MemoryBudget, StoreShare};

use crate::erasure::rule::Retention;
use crate::memory::{Configured, budget};

mod documents;

pub use documents::{DocumentsConfig, DocumentsSettings, FontConfig, FontFile};

/// A person's life, nearly.
const RETENTION_YEARS_MAX: u32 = 100;
/// Nodes that a config may name.
const NODES_MAX: usize = 64;
/// A node counts the signed header, too: 1 KiB stays for it.
const BATCH_BYTES_MAX: usize = limits::BATCH_BYTES_MAX - 1024;
/// The kernel's limit on a socket's path, less its final zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The file, as written.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// This issuer's number in the ledger's registry.
    pub issuer_id: u32,
    /// Directory of the journal; made by `init` alone.
    pub journal_dir: ConfigPath,
    /// Unix socket of the running process for its operator; absent: beside the journal, with `.sock` after its name.
    pub control_socket: Option<ConfigPath>,
    /// Guard file; absent: beside the journal, with `.guard` after its name.
    pub guard_file: Option<ConfigPath>,
    /// List of erased bodies; absent: beside the journal, with `.erased` after its name.
    pub erased_file: Option<ConfigPath>,
    /// The chain's genesis file.
    pub genesis_file: ConfigPath,
    /// The trust file: whose cosignatures make a checkpoint.
    pub trust_file: ConfigPath,
    /// Directory of unit credentials, one file `<unit key id>.credential` each.
    pub credentials_dir: ConfigPath,
    /// What the process may hold in memory, its parts together; the journal gets what the others leave.
    #[serde(default = "default_memory_bytes_max")]
    pub memory_bytes_max: u64,
    /// What the store writes into tables at most, bytes a second; its logs come on top. Set it to half of what a slow disk writes.
    #[serde(default = "default_table_bytes_per_second_max")]
    pub table_bytes_per_second_max: u64,
    /// Keys and secrets.
    pub keys: KeysConfig,
    /// This process's certificate, for callers and towards nodes.
    pub tls: TlsConfig,
    /// Addresses to listen on.
    pub listen: ListenConfig,
    /// Validators, in the order in which they are tried.
    pub nodes: Vec<NodeConfig>,
    /// Size and age at which batches are cut, and how many are under way.
    #[serde(default)]
    pub batch: BatchConfig,
    /// Bounds of issuing: queue, seal promise, clock.
    #[serde(default)]
    pub issue: IssueConfig,
    /// How long bodies are kept.
    #[serde(default)]
    pub bodies: BodiesConfig,
    /// How the ledger is talked to.
    #[serde(default)]
    pub ledger: LedgerConfig,
    /// Receipts as documents for people; absent: none are handed out.
    pub documents: Option<DocumentsConfig>,
    /// Format and filter of the log.
    #[serde(default)]
    pub log: LogConfig,
}

/// Key files: each 0600, encrypted under the one passphrase.
#[derive(Debug, Clone, Deserialize)]
pub struct KeysConfig {
    /// File with the passphrase of all key files, 0600.
    pub passphrase_file: ConfigPath,
    /// Registry number of the key that signs batch headers.
    pub issuer_key_id: u32,
    /// Key file of the key that signs batch headers.
    pub issuer_key_file: ConfigPath,
    /// Directory of unit keys, one file `<key id>.key` each.
    pub unit_keys_dir: ConfigPath,
    /// Symmetric key that wraps the keys of receipt bodies.
    pub master_key_file: ConfigPath,
    /// Symmetric key shared by all issuers and the bureau, behind every keyed hash.
    pub blinding_secret_file: ConfigPath,
    /// Epoch of that secret, as the records state it.
    #[serde(default = "default_blinding_epoch")]
    pub blinding_epoch: u32,
    /// The secrets of all epochs before that are in force, ascending: payments receipted under them are known by them.
    #[serde(default)]
    pub former_blinding_secrets: Vec<FormerSecretConfig>,
}

/// The blinding secret of an epoch that is over.
#[derive(Debug, Clone, Deserialize)]
pub struct FormerSecretConfig {
    /// The epoch.
    pub epoch: u32,
    /// Its secret's file.
    pub file: ConfigPath,
}

/// Addresses to listen on.
#[derive(Debug, Clone, Deserialize)]
pub struct ListenConfig {
    /// gRPC over mTLS.
    pub grpc: SocketAddr,
    /// Metrics, liveness and readiness over plain HTTP: keep it inside.
    pub metrics: SocketAddr,
}

/// When a batch is closed.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct BatchConfig {
    /// Records of a batch, at most 4,096.
    pub records_max: usize,
    /// Bytes of all its records, at most 1 KiB below 2 MiB.
    pub bytes_max: usize,
    /// Age of its first record, milliseconds.
    pub age_ms: u64,
    /// Batches that may be on their way at once.
    pub in_flight_max: usize,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { records_max: limits::BATCH_RECORDS_MAX, bytes_max: BATCH_BYTES_MAX, age_ms: 100, in_flight_max: 8 }
    }
}

/// Queues and promises of issuing.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct IssueConfig {
    /// Drafts waiting for the sequencer (one of more than 4 KiB counts once per 4 KiB); beyond: OVERLOADED.
    pub queue_drafts_max: usize,
    /// Drafts that share one fsync, about.
    pub group_drafts_max: usize,
    /// Records not yet in a batch; beyond: OVERLOADED.
    pub outbox_records_max: u64,
    /// How long after the issue time the seal is promised, milliseconds: 10 minutes to 24 hours.
    pub seal_promise_ms: u64,
    /// Free bytes below which the journal's disk takes no more receipts.
    pub disk_free_bytes_min: u64,
    /// How far this machine's clock may be from the validators' time, milliseconds; beyond: CLOCK_WRONG. The ledger refuses
    /// receipts from 10 minutes ahead.
    pub clock_distance_max_ms: u64,
}

impl Default for IssueConfig {
    fn default() -> Self {
        Self {
            queue_drafts_max: 8_192,
            group_drafts_max: 1024,
            outbox_records_max: 5_000_000,
            seal_promise_ms: 10 * 60 * 1000,
            disk_free_bytes_min: 1024 * 1024 * 1024,
            clock_distance_max_ms: 60_000,
        }
    }
}

/// How long bodies are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct BodiesConfig {
    /// Years after the day of issue before which a body is erased only by name and by an express word.
    pub retention_years: u32,
    /// The same for single categories: two digits each, positions 3 and 4 of the receipt code.
    pub retention_years_by_category: BTreeMap<String, u32>,
}

impl Default for BodiesConfig {
    fn default() -> Self {
        // Five years: how long 存根 (stubs) must be kept.
        Self { retention_years: 5, retention_years_by_category: BTreeMap::new() }
    }
}

impl BodiesConfig {
    /// The periods; an error names the key.
    fn retention(&self) -> Result<Retention, (String, String)> {
        let in_range = |key: String, years: u32| {
            if years <= RETENTION_YEARS_MAX {
                Ok(years)
            } else {
                Err((key, format!("must be 0 to {RETENTION_YEARS_MAX}")))
            }
        };
        let years = in_range("bodies.retention_years".to_owned(), self.retention_years)?;
        let mut by_category = BTreeMap::new();
        for (category, years) in &self.retention_years_by_category {
            let key = format!("bodies.retention_years_by_category.{category}");
            let number = parse_category(category).ok_or_else(|| (key.clone(), CATEGORY_PROBLEM.to_owned()))?;
            by_category.insert(number, in_range(key, *years)?);
        }
        Ok(Retention { years, by_category })
    }
}

/// What is wrong with a category that is none.
pub const CATEGORY_PROBLEM: &str = "a category is the two digits at positions 3 and 4 of a receipt code, such as 06";

/// A receipt's category: two digits.
#[must_use]
pub fn parse_category(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Time-outs towards nodes.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct LedgerConfig {
    /// One call, milliseconds.
    pub call_timeout_ms: u64,
    /// A batch not sealed after this is offered to the next node, milliseconds.
    pub resubmit_ms: u64,
    /// A checkpoint older than this does not show that the issuer is up to date, milliseconds.
    pub fresh_ms: u64,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self { call_timeout_ms: 5_000, resubmit_ms: 1_000, fresh_ms: 120_000 }
    }
}

const fn default_memory_bytes_max() -> u64 {
    MEMORY_BYTES_DEFAULT
}

const fn default_table_bytes_per_second_max() -> u64 {
    TABLE_BYTES_PER_SECOND_DEFAULT
}

const fn default_blinding_epoch() -> u32 {
    1
}

/// The blinding secret of an epoch that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerSecret {
    /// The epoch.
    pub epoch: u32,
    /// Its secret's file.
    pub file: PathBuf,
}

/// A checked config with usable paths.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Number in the registry.
    pub issuer: IssuerId,
    /// The journal's directory.
    pub journal_dir: PathBuf,
    /// The operator's socket.
    pub control_socket: PathBuf,
    /// How far the journal has come; outside of backups.
    pub guard_file: PathBuf,
    /// Which bodies were erased; outside of backups.
    pub erased_file: PathBuf,
    /// The genesis file.
    pub genesis_file: PathBuf,
    /// The trust file.
    pub trust_file: PathBuf,
    /// Directory of credentials.
    pub credentials_dir: PathBuf,
    /// How memory is shared out.
    pub memory: MemoryBudget,
    /// What the journal writes into tables at most, bytes a second.
    pub table_bytes_per_second_max: u64,
    /// Passphrase of the key files.
    pub passphrase_file: PathBuf,
    /// The key that signs batch headers.
    pub issuer_key: KeyId,
    /// Key file of the key that signs batch headers.
    pub issuer_key_file: PathBuf,
    /// Directory of unit keys.
    pub unit_keys_dir: PathBuf,
    /// File of the master key.
    pub master_key_file: PathBuf,
    /// File of the blinding secret.
    pub blinding_secret_file: PathBuf,
    /// Epoch of the blinding secret.
    pub blinding_epoch: u32,
    /// The secrets of epochs before, ascending.
    pub former_blinding_secrets: Vec<FormerSecret>,
    /// Certificate, key and accepted authorities, PEM.
    pub tls: TlsFiles,
    /// Addresses to listen on.
    pub listen: ListenConfig,
    /// Validators.
    pub nodes: Vec<NodeConfig>,
    /// Batches.
    pub batch: BatchConfig,
    /// Issuing.
    pub issue: IssueConfig,
    /// How long bodies are kept.
    pub retention: Retention,
    /// Towards nodes.
    pub ledger: LedgerConfig,
    /// Documents, if they are handed out.
    pub documents: Option<DocumentsSettings>,
    /// Logs.
    pub log: LogConfig,
}

impl Settings {
    /// Reads and checks the file at `path`. Every refusal names the key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let loaded: Loaded<Config> = load(path)?;
        check(&loaded)?;
        let documents = DocumentsSettings::of(&loaded)?;
        let memory = budget(Configured {
            bytes_max: loaded.value.memory_bytes_max,
            batches_max: loaded.value.batch.in_flight_max,
            batch_bytes_max: loaded.value.batch.bytes_max,
            places_max: loaded.value.issue.queue_drafts_max,
            fonts_bytes: documents.as_ref().map(DocumentsSettings::fonts_bytes),
        });
        let memory = memory.map_err(|error| loaded.invalid("memory_bytes_max", error.to_string()))?;
        StoreShare::check_table_rate(loaded.value.table_bytes_per_second_max)
            .map_err(|problem| loaded.invalid("table_bytes_per_second_max", problem))?;
        let file = |path: &ConfigPath| loaded.resolve(path);
        let config = &loaded.value;
        let journal_dir = file(&config.journal_dir);
        let control_socket =
            config.control_socket.as_ref().map_or_else(|| beside(&journal_dir, "sock"), |path| loaded.resolve(path));
        if control_socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            let path = control_socket.display();
            let problem =
                format!("{path} is longer than the {SOCKET_PATH_BYTES_MAX} bytes a Unix socket may have; give another");
            return Err(loaded.invalid("control_socket", problem));
        }
        let or_beside = |path: &Option<ConfigPath>, extension: &str| {
            path.as_ref().map_or_else(|| beside(&journal_dir, extension), |path| loaded.resolve(path))
        };
        let (guard_file, erased_file) =
            (or_beside(&config.guard_file, "guard"), or_beside(&config.erased_file, "erased"));
        Ok(Self {
            control_socket,
            guard_file,
            erased_file,
            memory,
            table_bytes_per_second_max: config.table_bytes_per_second_max,
            issuer: IssuerId::new(config.issuer_id),
            journal_dir,
            genesis_file: file(&config.genesis_file),
            trust_file: file(&config.trust_file),
            credentials_dir: file(&config.credentials_dir),
            passphrase_file: file(&config.keys.passphrase_file),
            issuer_key: KeyId::new(config.keys.issuer_key_id),
            issuer_key_file: file(&config.keys.issuer_key_file),
            unit_keys_dir: file(&config.keys.unit_keys_dir),
            master_key_file: file(&config.keys.master_key_file),
            blinding_secret_file: file(&config.keys.blinding_secret_file),
            blinding_epoch: config.keys.blinding_epoch,
            former_blinding_secrets: config
                .keys
                .former_blinding_secrets
                .iter()
                .map(|former| FormerSecret { epoch: former.epoch, file: file(&former.file) })
                .collect(),
            tls: config.tls.resolve(&loaded),
            listen: config.listen.clone(),
            nodes: config.nodes.clone(),
            batch: config.batch.clone(),
            issue: config.issue.clone(),
            retention: config.bodies.retention().map_err(|(key, problem)| loaded.invalid(&key, problem))?,
            ledger: config.ledger.clone(),
            documents,
            log: config.log.clone(),
        })
    }

    /// Age at which an open batch is closed.
    pub fn batch_age(&self) -> Duration {
        Duration::from_millis(self.batch.age_ms)
    }

    /// Longest time of one call to a node.
    pub fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.ledger.call_timeout_ms)
    }

    /// After how long an unsealed batch is offered to the next node.
    pub fn resubmit(&self) -> Duration {
        Duration::from_millis(self.ledger.resubmit_ms)
    }
}

/// `path` with `.extension` after its whole name.
pub(crate) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn check(loaded: &Loaded<Config>) -> Result<(), ConfigError> {
    let config = &loaded.value;
    let in_range = |key: &str, value: u64, low: u64, high: u64| {
        let problem = || loaded.invalid(key, format!("must be {low} to {high}, is {value}"));
        if (low..=high).contains(&value) { Ok(()) } else { Err(problem()) }
    };
    let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    in_range("batch.records_max", count(config.batch.records_max), 1, count(limits::BATCH_RECORDS_MAX))?;
    let bytes_min = count(limits::RECORD_BYTES_MAX);
    in_range("batch.bytes_max", count(config.batch.bytes_max), bytes_min, count(BATCH_BYTES_MAX))?;
    in_range("batch.age_ms", config.batch.age_ms, 1, 10_000)?;
    in_range("batch.in_flight_max", count(config.batch.in_flight_max), 1, 64)?;
    in_range("issue.queue_drafts_max", count(config.issue.queue_drafts_max), 2_048, 1_000_000)?;
    in_range("issue.group_drafts_max", count(config.issue.group_drafts_max), 1, 4096)?;
    in_range("issue.outbox_records_max", config.issue.outbox_records_max, 1, 1_000_000_000)?;
    in_range("issue.seal_promise_ms", config.issue.seal_promise_ms, 600_000, 86_400_000)?;
    in_range("issue.clock_distance_max_ms", config.issue.clock_distance_max_ms, 30_000, 300_000)?;
    in_range("ledger.call_timeout_ms", config.ledger.call_timeout_ms, 100, 60_000)?;
    in_range("ledger.resubmit_ms", config.ledger.resubmit_ms, 100, 60_000)?;
    in_range("ledger.fresh_ms", config.ledger.fresh_ms, 30_000, 3_600_000)?;
    in_range("nodes", count(config.nodes.len()), 1, count(NODES_MAX))?;
    for (index, node) in config.nodes.iter().enumerate() {
        loaded.check_authority(&format!("nodes[{index}].authority"), &node.authority)?;
    }
    check_epochs(loaded)?;
    check_filter(&config.log.filter).map_err(|error| loaded.invalid("log.filter", error.to_string()))?;
    if config.listen.grpc == config.listen.metrics && config.listen.grpc.port() != 0 {
        return Err(loaded.invalid("listen.metrics", "must differ from listen.grpc"));
    }
    Ok(())
}

/// Epochs of the blinding secrets: from 1, ascending, the issuer's own last.
fn check_epochs(loaded: &Loaded<Config>) -> Result<(), ConfigError> {
    let keys = &loaded.value.keys;
    if keys.blinding_epoch == 0 {
        return Err(loaded.invalid("keys.blinding_epoch", "epochs begin at 1"));
    }
    let mut before = 0;
    for (index, former) in keys.former_blinding_secrets.iter().enumerate() {
        if former.epoch <= before || former.epoch >= keys.blinding_epoch {
            let key = format!("keys.former_blinding_secrets[{index}].epoch");
            let problem = "former epochs ascend from 1 and are below `keys.blinding_epoch`";
            return Err(loaded.invalid(&key, problem));
        }
        before = former.epoch;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, ConfigError> {
        let dir = scratch::Directory::new();
        let path = dir.path().join("issuer.toml");
        std::fs::write(&path, text).unwrap();
        Settings::load(&path)
    }

    const EXAMPLE: &str = include_str!("../issuer.example.toml");

    #[test]
    fn the_example_loads_and_states_the_defaults() {
        let example = settings(EXAMPLE).unwrap();
        assert_eq!(example.issuer, IssuerId::new(1));
        assert!(example.journal_dir.ends_with("journal"));
        let start = EXAMPLE.find("[batch]").unwrap();
        let bare = settings(&EXAMPLE[..start]).unwrap();
        assert_eq!(format!("{:?}", example.batch), format!("{:?}", bare.batch));
        assert_eq!(format!("{:?}", example.issue), format!("{:?}", bare.issue));
        assert_eq!(example.retention, bare.retention);
        assert_eq!(format!("{:?}", example.ledger), format!("{:?}", bare.ledger));
        assert_eq!(example.log, bare.log);
        let named = bare.memory.clone();
        let unnamed = settings(&EXAMPLE.replace("memory_bytes_max = 536870912\n", "")).unwrap().memory;
        assert_eq!(named, unnamed);
        assert!(named.store_bytes() >= 160 * 1024 * 1024, "{named:?}");
    }

    #[test]
    fn every_refusal_names_its_key() {
        for (from, to, key) in [
            ("memory_bytes_max = 536870912", "memory_bytes_max = 268435456", "memory_bytes_max"),
            (
                "table_bytes_per_second_max = 67108864",
                "table_bytes_per_second_max = 2097151",
                "table_bytes_per_second_max",
            ),
            ("records_max = 4096", "records_max = 4097", "batch.records_max"),
            ("bytes_max = 2096128", "bytes_max = 2096129", "batch.bytes_max"),
            ("age_ms = 100", "age_ms = 0", "batch.age_ms"),
            ("in_flight_max = 8", "in_flight_max = 0", "batch.in_flight_max"),
            ("seal_promise_ms = 600000", "seal_promise_ms = 1", "issue.seal_promise_ms"),
            ("clock_distance_max_ms = 60000", "clock_distance_max_ms = 600000", "issue.clock_distance_max_ms"),
            ("retention_years = 5", "retention_years = 101", "bodies.retention_years"),
            ("by_category = {}", "by_category = { 6 = 5 }", "bodies.retention_years_by_category.6"),
            ("by_category = {}", "by_category = { 06 = 300 }", "bodies.retention_years_by_category.06"),
            ("blinding_epoch = 1", "blinding_epoch = 0", "keys.blinding_epoch"),
            (
                "former_blinding_secrets = []",
                "former_blinding_secrets = [{ epoch = 1, file = \"b\" }]",
                "keys.former_blinding_secrets[0].epoch",
            ),
            ("\"127.0.0.1:7101\"", "\"https://127.0.0.1\"", "nodes[0].authority"),
            ("\"127.0.0.1:7101\"", "\"https://127.0.0.1:7101\"", "nodes[0].authority"),
            ("issuer_id = 1", "issuer_ids = 1", "issuer_ids"),
            ("127.0.0.1:9200", "127.0.0.1:7200", "listen.metrics"),
        ] {
            let text = EXAMPLE.replace(from, to);
            assert_ne!(text, EXAMPLE, "{from}");
            let error = settings(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }

    /// What the example says of documents, with its comment signs taken away and a font that is there.
    fn with_documents() -> (scratch::Directory, String) {
        let dir = scratch::Directory::new();
        let font = dir.path().join("font.ttc");
        std::fs::write(&font, [0; 1000]).unwrap();
        let start = EXAMPLE.find("# [documents]").unwrap();
        let (before, section) = EXAMPLE.split_at(start);
        let section = section.lines().map(|line| match line.strip_prefix("# ") {
            Some(config) if config.starts_with('[') || config.contains(" = ") => config,
            _ => line,
        });
        let section = section.collect::<Vec<_>>().join("\n");
        (dir, format!("{before}{section}").replace("fonts/NotoSansCJK-Regular.ttc", font.to_str().unwrap()))
    }

    #[test]
    fn documents_are_as_the_example_says_and_their_fonts_count() {
        assert_eq!(settings(EXAMPLE).unwrap().documents, None);
        let (_dir, text) = with_documents();
        let settings = settings(&text).unwrap();
        let documents = settings.documents.unwrap();
        assert_eq!((documents.host.as_str(), documents.fonts.len()), ("TALLY.EXAMPLE", 1));
        assert_eq!((documents.fonts[0].index, documents.fonts[0].bytes), (7, 1000));
        assert_eq!(documents.unit_lines["129903004000000181"], ["门诊咨询 000-12345678"]);
        let part = |name: &str| settings.memory.parts().iter().find(|part| part.name == name).unwrap().bytes_max;
        assert_eq!(part("fonts"), 1000);
        assert!(part("documents") > 0 && settings.memory.store_bytes() < settings_of_example().memory.store_bytes());
    }

    fn settings_of_example() -> Settings {
        settings(EXAMPLE).unwrap()
    }

    #[test]
    fn every_refusal_of_documents_names_its_key() {
        let (_dir, good) = with_documents();
        for (from, to, key) in [
            ("host = \"TALLY.EXAMPLE\"", "host = \"https://tally.example\"", "documents.host"),
            ("index = 7", "indices = 7", "documents.fonts.0.indices"),
            ("font.ttc", "other.ttc", "documents.fonts[0].file"),
            ("sha256 = \"b7", "sha256 = \"zz", "documents.fonts[0].sha256"),
            ("\"129903004000000181\" =", "\"12990300\" =", "documents.unit_lines.12990300"),
            ("门诊咨询", "\\u0007", "documents.unit_lines.129903004000000181"),
        ] {
            let text = good.replace(from, to);
            assert_ne!(text, good, "{from}");
            let error = settings(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }

    #[test]
    fn former_epochs_ascend_below_the_own() {
        let with = |former: &str| {
            let text = EXAMPLE.replace("blinding_epoch = 1", "blinding_epoch = 3");
            settings(&text.replace("former_blinding_secrets = []", &format!("former_blinding_secrets = [{former}]")))
        };
        let good = with("{ epoch = 1, file = \"a\" }, { epoch = 2, file = \"b\" }").unwrap().former_blinding_secrets;
        assert_eq!(good.iter().map(|former| former.epoch).collect::<Vec<_>>(), [1, 2]);
        for (former, index) in [
            ("{ epoch = 0, file = \"a\" }", 0),
            ("{ epoch = 3, file = \"a\" }", 0),
            ("{ epoch = 2, file = \"b\" }, { epoch = 1, file = \"a\" }", 1),
            ("{ epoch = 2, file = \"b\" }, { epoch = 2, file = \"a\" }", 1),
        ] {
            let error = with(former).unwrap_err().to_string();
            assert!(error.contains(&format!("`keys.former_blinding_secrets[{index}].epoch`")), "{error}");
        }
    }
}
