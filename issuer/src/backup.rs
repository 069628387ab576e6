//! Backups of a journal: made from a running or stopped issuer, checked to the byte before anything is restored from them.
//!
//! ```text
//! DIR/manifest.json   whose journal, up to where, which keys it needs (never the keys)
//! DIR/journal/…       a RocksDB checkpoint: all column families at one moment
//! DIR/SHA256SUMS      of all the others; written last, so that a torn backup has none (`sha256sum -c` reads it, too)
//! ```
//! A restored journal is halted: it may be older than what it acknowledged, so it issues nothing before `recover`. Bodies are
//! encrypted as in the journal. Not here: the keys, certificates and config, which are backed up apart (docs/ops).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use receipt_core::ids::{KeyId, UnixMillis};
use receipt_core::verdict::utc_text;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tallystick_anchoring::check::{Findings, Pass};
use tallystick_service::durable::{self, DurableError, FileMode};

use crate::body::BodyCipher;
use crate::check::{ReceiptInspector, said};
use crate::config::{Settings, beside};
use crate::journal::{Durability, Journal, JournalError, JournalIdentity};
use crate::keys::KeyRing;
use crate::secrets::{SecretMarks, SecretsError};

#[cfg(test)]
mod tests;

/// The format of the manifest.
const FORMAT: u32 = 2;
const PROGRAM: &str = "tallystick-issuer";
const MANIFEST: &str = "manifest.json";
const SUMS: &str = "SHA256SUMS";
const JOURNAL: &str = "journal";
const MANIFEST_BYTES_MAX: usize = 16 * 1024 * 1024;
const SUMS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why a backup was not made or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The journal failed, or is not what the manifest says.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file could not be written or read.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// A file or directory cannot be read or written.
    #[error("{action} {path}: {source}", path = path.display())]
    File {
        /// What was tried, as a verb for the message.
        action: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Something stands where the backup or journal is to go.
    #[error("{0} exists and is not empty; nothing is overwritten")]
    Occupied(String),
    /// A restore that was interrupted.
    #[error("{0} is left from a restore that was interrupted; remove it and run `restore` again")]
    Leftover(String),
    /// Not a whole backup, or not what was written.
    #[error("the backup is not usable: {0}; take another one")]
    Damaged(String),
    /// As it was written, and of a journal that was damaged already.
    #[error(
        "the backup is of a damaged journal: {0}. Take another backup; if there is none that is sound, or none so new, put this one back \
         with `--despite-damage`"
    )]
    Rotten(String),
    /// The backup is of another chain or issuer than the config's.
    #[error("the backup does not fit this config: {0}")]
    Foreign(String),
    /// Written under other secrets than the config's.
    #[error("the backup does not fit this config")]
    Secrets(#[from] SecretsError),
}

/// What a backup says of itself: docs/spec/schemas/backup-manifest.schema.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format of this file.
    pub format_version: u32,
    /// The program that made it: the issuer.
    pub program: String,
    /// The program's version.
    pub program_version: String,
    /// When it was made, by the issuer's clock: RFC 3339, UTC.
    pub made_at: String,
    /// The chain, hexadecimal.
    pub chain_id: String,
    /// The issuer's number.
    pub issuer_id: u32,
    /// The journal as copied.
    pub position: Position,
    /// Places of it that are damaged: a backup with none is to be preferred.
    pub faults: u64,
    /// The keys that the journal needs, by file and public half; the files are not in the backup.
    pub keys: Vec<KeyReference>,
}

/// The part of a manifest that says how to read the rest.
#[derive(Deserialize)]
struct Head {
    format_version: u32,
}

/// How far a journal had come when it was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Its fencing epoch.
    pub epoch: u32,
    /// The next batch to be cut.
    pub next_sequence: u64,
    /// Height up to which the ledger was followed.
    pub followed_height: u64,
    /// Leaves of the log up to there.
    pub followed_log_size: u64,
    /// Hash of the last seal.
    pub seal_hash: String,
    /// The latest issue time.
    pub last_issue_time_ms: u64,
}

/// A key, by reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyReference {
    /// `issuer`, `unit`, `master` or `blinding`.
    pub purpose: String,
    /// Registry number; 0 of symmetric keys.
    pub key_id: u32,
    /// Its file, as the config named it.
    pub file: String,
    /// Public key, hexadecimal; empty of symmetric keys.
    pub public_key: String,
}

/// A copy of a journal, and what was found when all of it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Whether it is sound.
    pub findings: Findings,
}

impl Position {
    fn of(journal: &Journal) -> Result<Self, JournalError> {
        let tip = journal.followed_tip()?;
        Ok(Self {
            epoch: journal.epoch()?,
            next_sequence: journal.next_sequence()?.get(),
            followed_height: tip.height.get(),
            followed_log_size: tip.frontier.size().get(),
            seal_hash: tip.seal_hash.to_string(),
            last_issue_time_ms: journal.last_issue_time()?.get(),
        })
    }
}

/// Copies `journal`, which may be in use, to `directory`, which must be absent or empty, and reads all of the copy. The copy of a damaged
/// journal is whole, too: it has what the journal still has.
pub fn back_up(
    journal: &Journal,
    settings: &Settings,
    keys: &KeyRing,
    now: UnixMillis,
    directory: &Path,
) -> Result<Copied, BackupError> {
    require_vacant(directory)?;
    // The copy has biz codes and places in clear text, so only its owner may read it.
    durable::private_directory(directory)?;
    let copy = directory.join(JOURNAL);
    journal.copy_to(&copy)?;
    // Read the position from the copy: the journal has gone on since.
    let copied = Journal::open(&copy, journal.identity())?;
    let position = Position::of(&copied)?;
    let inspector = ReceiptInspector::new(Arc::new(BodyCipher::new(&keys.master)));
    let findings = Pass::new(&copied, &inspector).run()?;
    drop(copied);
    let identity = journal.identity();
    let manifest = Manifest {
        format_version: FORMAT,
        program: PROGRAM.to_owned(),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: utc_text(now),
        chain_id: identity.chain.0.to_string(),
        issuer_id: identity.issuer.get(),
        position,
        faults: findings.faults,
        keys: key_references(settings, keys),
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| BackupError::Damaged(error.to_string()))?;
    durable::create(&directory.join(MANIFEST), text.as_bytes(), FileMode::Private)?;
    let mut sums = String::new();
    for (name, sum) in sums_of(directory)? {
        sums.push_str(&format!("{sum}  {name}\n"));
    }
    durable::sync_directory(&copy)?;
    durable::create(&directory.join(SUMS), sums.as_bytes(), FileMode::Private)?;
    Ok(Copied { manifest, findings })
}

fn key_references(settings: &Settings, keys: &KeyRing) -> Vec<KeyReference> {
    let reference = |purpose: &str, key_id: KeyId, file: &Path, public: Option<[u8; 32]>| KeyReference {
        purpose: purpose.to_owned(),
        key_id: key_id.get(),
        file: file.display().to_string(),
        public_key: public.map(hex::encode).unwrap_or_default(),
    };
    let none = KeyId::new(0);
    let mut references = vec![
        reference("issuer", settings.issuer_key, &settings.issuer_key_file, Some(keys.issuer.public_key().0)),
        reference("master", none, &settings.master_key_file, None),
        reference("blinding", none, &settings.blinding_secret_file, None),
    ];
    let former = settings.former_blinding_secrets.iter();
    references.extend(former.map(|former| reference("blinding", none, &former.file, None)));
    let mut units: Vec<_> = keys.units().collect();
    units.sort_unstable_by_key(|(id, _)| *id);
    for (id, signer) in units {
        let file = settings.unit_keys_dir.join(format!("{id}.key"));
        references.push(reference("unit", id, &file, Some(signer.public_key().0)));
    }
    references
}

/// Reads a backup and checks every byte of it.
pub fn check(directory: &Path) -> Result<Manifest, BackupError> {
    let damaged = |problem: String| BackupError::Damaged(problem);
    if !directory.join(SUMS).exists() {
        return Err(damaged(format!("{} has no {SUMS}: its making was interrupted", directory.display())));
    }
    let text = durable::read(&directory.join(SUMS), SUMS_BYTES_MAX)?;
    let text = String::from_utf8(text).map_err(|_| damaged(format!("{SUMS} is not text")))?;
    let mut listed = BTreeMap::new();
    for line in text.lines() {
        let (sum, name) = line.split_once("  ").ok_or_else(|| damaged(format!("{SUMS} has a malformed line")))?;
        listed.insert(name.to_owned(), sum.to_owned());
    }
    let found = sums_of(directory)?;
    if let Some((name, _)) = listed.iter().find(|(name, sum)| found.get(*name) != Some(*sum)) {
        return Err(damaged(format!("{name} is missing or not what was written")));
    }
    if let Some((name, _)) = found.iter().find(|(name, _)| !listed.contains_key(*name)) {
        return Err(damaged(format!("{name} does not belong to it")));
    }
    let bytes = durable::read(&directory.join(MANIFEST), MANIFEST_BYTES_MAX)?;
    let malformed = |error: serde_json::Error| damaged(format!("{MANIFEST}: {error}"));
    let Head { format_version } = serde_json::from_slice(&bytes).map_err(malformed)?;
    if format_version != FORMAT {
        return Err(damaged(format!("it has format {format_version}; this program knows {FORMAT}")));
    }
    serde_json::from_slice(&bytes).map_err(malformed)
}

/// What a restore needs beside the backup.
#[derive(Debug)]
pub struct RestoreTarget<'a> {
    /// Whose journal it must be.
    pub identity: JournalIdentity,
    /// Where it goes: absent or empty.
    pub journal_dir: &'a Path,
    /// The config's master key: it must open the bodies.
    pub cipher: Arc<BodyCipher>,
    /// Fingerprints of the config's secrets: they must be those of the journal.
    pub secrets: SecretMarks,
    /// Whether a damaged one is taken, too.
    pub despite_damage: bool,
}

/// Puts a checked backup back, halted. Whole or not at all.
pub fn restore(directory: &Path, target: &RestoreTarget<'_>) -> Result<Copied, BackupError> {
    let manifest = check(directory)?;
    let foreign = |problem: &str| BackupError::Foreign(problem.to_owned());
    if manifest.chain_id != target.identity.chain.0.to_string() {
        return Err(foreign("it is of another chain"));
    }
    if manifest.issuer_id != target.identity.issuer.get() {
        return Err(foreign(&format!("it is of issuer {}", manifest.issuer_id)));
    }
    require_vacant(target.journal_dir)?;
    let making = beside(target.journal_dir, "restoring");
    if making.exists() {
        return Err(BackupError::Leftover(making.display().to_string()));
    }
    let findings = match prepare(directory, &making, &manifest, target) {
        Ok(findings) => findings,
        Err(error) => {
            let _ = fs::remove_dir_all(&making);
            return Err(error);
        }
    };
    if target.journal_dir.exists() {
        fs::remove_dir(target.journal_dir).map_err(failed("replace", target.journal_dir))?;
    }
    fs::rename(&making, target.journal_dir).map_err(failed("rename onto", target.journal_dir))?;
    durable::sync_parent(target.journal_dir)?;
    Ok(Copied { manifest, findings })
}

/// The copy that takes the journal's place: opened, compared with the manifest, read from end to end, and halted.
fn prepare(
    from: &Path,
    making: &Path,
    manifest: &Manifest,
    target: &RestoreTarget<'_>,
) -> Result<Findings, BackupError> {
    copy_journal(&from.join(JOURNAL), making)?;
    let journal = Journal::open(making, target.identity)?;
    if Position::of(&journal)? != manifest.position {
        return Err(BackupError::Damaged("its journal does not stand where its manifest says".to_owned()));
    }
    target.secrets.check(&journal)?;
    let inspector = ReceiptInspector::new(Arc::clone(&target.cipher));
    let findings = Pass::new(&journal, &inspector).run()?;
    if inspector.opened_none() {
        return Err(BackupError::Foreign("its bodies do not open under keys.master_key_file".to_owned()));
    }
    if !findings.is_sound() && !target.despite_damage {
        return Err(BackupError::Rotten(said(&findings)));
    }
    let mut write = journal.write();
    let Position { epoch, next_sequence, .. } = &manifest.position;
    write.put_halted(&format!(
        "this journal was restored from a backup (epoch {epoch}, next batch {next_sequence}) and may be older than what it \
         acknowledged; {}",
        target.identity.layout.how_to_recover()
    ));
    write.commit(Durability::Synced)?;
    drop(journal);
    durable::sync_directory(making)?;
    Ok(findings)
}

/// Copies, so that the backup stays what it is: an open journal changes its files.
fn copy_journal(from: &Path, to: &Path) -> Result<(), BackupError> {
    durable::private_directory(to)?;
    for entry in fs::read_dir(from).map_err(failed("list", from))? {
        let path = entry.map_err(failed("list", from))?.path();
        let Some(name) = path.file_name() else { continue };
        let copy = to.join(name);
        fs::copy(&path, &copy).map_err(failed("copy", &path))?;
        File::open(&copy).and_then(|file| file.sync_all()).map_err(failed("sync", &copy))?;
    }
    Ok(durable::sync_directory(to)?)
}

fn require_vacant(directory: &Path) -> Result<(), BackupError> {
    match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(BackupError::Occupied(directory.display().to_string())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("look at", directory)(error)),
    }
}

/// Names and SHA-256 of all files of a backup but the list itself; syncs each.
fn sums_of(directory: &Path) -> Result<BTreeMap<String, String>, BackupError> {
    let journal = directory.join(JOURNAL);
    let mut sums = BTreeMap::new();
    sums.insert(MANIFEST.to_owned(), sum_of(&directory.join(MANIFEST))?);
    for entry in fs::read_dir(&journal).map_err(failed("list", &journal))? {
        let entry = entry.map_err(failed("list", &journal))?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|_| BackupError::Damaged("a file of it has a strange name".to_owned()))?;
        sums.insert(format!("{JOURNAL}/{name}"), sum_of(&entry.path())?);
    }
    Ok(sums)
}

fn sum_of(path: &Path) -> Result<String, BackupError> {
    let mut file = File::open(path).map_err(failed("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(failed("read", path))?;
        if count == 0 {
            break;
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
    file.sync_all().map_err(failed("sync", path))?;
    Ok(hex::encode(hasher.finalize()))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { action, path, source }
}
