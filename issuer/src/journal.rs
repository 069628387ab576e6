//! The journal: everything this issuer must not forget, in one RocksDB. The only module that names RocksDB.
//!
//! ```text
//! column family  key                                      value
//! meta           ASCII name                               see below
//! receipts       code u32 ‖ number u64                    ReceiptRow (signed record, biz code, place)
//! bodies         code u32 ‖ number u64                    ciphertext of seed and values (see `body`)
//! body-keys      code u32 ‖ number u64                    wrapped key of the body; once erased: when, u64 milliseconds
//! biz            unit u32 ‖ biz code                      content hash [32] (zeros: erased) ‖ code u32 ‖ number u64
//!                unit u32 ‖ 0x00 ‖ biz key [16]           code u32 ‖ number u64: learnt from the ledger (format 2)
//! uniqueness     type u8 ‖ hash [16]                      code u32 ‖ number u64 of the live receipt that holds it
//! reversals      code u32 ‖ number u64 of the original    code u32 ‖ number u64 of the red receipt
//!                the same ‖ 0x01                          code u32 ‖ number u64 of the receipt that re-issues the rest of it
//! outbox         position u64                             code u32 ‖ number u64: not yet in a batch
//! requeue        sequence u64 ‖ index u16                 code u32 ‖ number u64: good ones of a refused batch
//! placements     code u32 ‖ number u64                    Placement: in which batch, or refused for which reason
//! batches        sequence u64                             BatchRow (signed header, receipt keys)
//! outcomes       sequence u64                             BatchOutcome: decided on the ledger
//! events         event number u64                         EventRow: what Watch tells
//! days           unit u32 ‖ day u32 ‖ code u32 ‖ number u64   place code
//! issued         unit u32 ‖ day u32 ‖ kind u32            IssuedTally (written by the sequencer)
//! decided        unit u32 ‖ day u32 ‖ kind u32            DecidedTally (written by the follower)
//! segments       segment u32                              next number u64
//!                segment u32 ‖ 0x01                       first number u64 that was never given out, of a stopped segment
//! registry       table u8 ‖ key                           the ledger's registry, as the ledger lays it out
//!                0xf0 ‖ unit u32 ‖ name                   empty: the unit had this name before
//! ```
//! All integers big-endian; a day is `yyyymmdd`, a kind the first six digits of a code. Meta: `format`, `chain`, `issuer`,
//! `epoch`, `last-issue-time`, `next-sequence`, `progress` (see [`Progress`]), `halted` (a sentence),
//! `fence-above` (while recovering: the epoch that the ledger must exceed), `step` (see `guard`). Format 2 is format 1 with receipts learnt from
//! the ledger: `recover` makes it, and a program that does not know them must not issue over it.
//!
//! Invariants: one process at a time (RocksDB's lock); `init` alone creates; a foreign chain, another issuer and a newer
//! format are refused; what belongs together is one atomic write; after a failed write the process must end.

use std::path::Path;

use receipt_core::ids::{BatchSequence, IssuerId, UnixMillis};
use receipt_core::merkle::Frontier;
use receipt_core::state::tables::Table;
use receipt_core::state::{ReadError, StateRead};
use receipt_core::suite::{ChainId, Suite};
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedOptions, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Options,
    WriteOptions,
};

use tallystick_service::disk_fault::DiskFault;

mod read;
mod rows;
mod scrub;
mod write;

#[cfg(test)]
mod tests;

pub use rows::{
    BatchOutcome, BatchRow, BizRow, DayKind, DecidedTally, EventRow, IssuedTally, Placement, Progress, ReceiptRow,
    day_number,
};
pub use write::{Durability, JournalWrite};

/// The newest format this build knows: with receipts that were learnt from the ledger. A newer one is refused.
pub const JOURNAL_FORMAT: u32 = 2;
/// The format of a journal that learnt nothing from the ledger.
const JOURNAL_FORMAT_FIRST: u32 = 1;

/// Why the journal cannot be used. Fatal in every case: the process ends and starts again from disk.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is none, and `run` never makes one.
    #[error("there is no journal at {0}; make one with `tallystick-issuer init`")]
    Absent(String),
    /// There is something already; `init` never overwrites.
    #[error("{0} exists and is not empty; `init` makes new journals only")]
    Exists(String),
    /// Of another chain, another issuer, or a newer format.
    #[error("the journal is not ours: {0}")]
    Foreign(String),
    /// The store failed.
    #[error("the journal's store failed: {0}. What to do: {way}", way = way_of(.0))]
    Store(String),
    /// A stored value is not what was written.
    #[error("the journal is corrupt: {0}; run `tallystick-issuer restore` with its newest backup, then `recover`")]
    Corrupt(&'static str),
}

/// What an operator does about a failed store. Only damage wants a restore, which costs numbers.
fn way_of(problem: &str) -> &'static str {
    DiskFault::of_text(problem, Path::new("")).way().unwrap_or(
        "it is damaged. Keep it aside, run `tallystick-issuer restore` with its newest backup, then `recover` \
         (docs/ops/backup-restore.md)",
    )
}

/// Refuses where there is no journal. A directory that may not be looked into is no missing one: nobody may make another for it.
fn check_present(path: &Path) -> Result<(), JournalError> {
    match std::fs::metadata(path.join("CURRENT")) {
        Ok(_) => Ok(()),
        Err(error) if DiskFault::of_io(&error).is_some() => Err(JournalError::Store(error.to_string())),
        Err(_) => Err(JournalError::Absent(path.display().to_string())),
    }
}

impl From<rocksdb::Error> for JournalError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Store(error.into_string())
    }
}

impl From<JournalError> for ReadError {
    fn from(error: JournalError) -> Self {
        Self(error.to_string())
    }
}

/// Whose journal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalIdentity {
    /// The chain.
    pub chain: ChainId,
    /// The chain's suite; it follows from the chain id and is not stored.
    pub suite: Suite,
    /// The issuer's number in the registry.
    pub issuer: IssuerId,
}

/// The open journal. Reads are concurrent; each kind of row has one writer (see `issue`, `batcher`, `follow`).
pub struct Journal {
    db: DB,
    identity: JournalIdentity,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal({})", self.db.path().display())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cf {
    Meta,
    Receipts,
    Bodies,
    BodyKeys,
    Biz,
    Uniqueness,
    Reversals,
    Outbox,
    Requeue,
    Placements,
    Batches,
    Outcomes,
    Events,
    Days,
    Issued,
    Decided,
    Segments,
    Registry,
}

impl Cf {
    const ALL: [Self; 18] = [
        Self::Meta,
        Self::Receipts,
        Self::Bodies,
        Self::BodyKeys,
        Self::Biz,
        Self::Uniqueness,
        Self::Reversals,
        Self::Outbox,
        Self::Requeue,
        Self::Placements,
        Self::Batches,
        Self::Outcomes,
        Self::Events,
        Self::Days,
        Self::Issued,
        Self::Decided,
        Self::Segments,
        Self::Registry,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Receipts => "receipts",
            Self::Bodies => "bodies",
            Self::BodyKeys => "body-keys",
            Self::Biz => "biz",
            Self::Uniqueness => "uniqueness",
            Self::Reversals => "reversals",
            Self::Outbox => "outbox",
            Self::Requeue => "requeue",
            Self::Placements => "placements",
            Self::Batches => "batches",
            Self::Outcomes => "outcomes",
            Self::Events => "events",
            Self::Days => "days",
            Self::Issued => "issued",
            Self::Decided => "decided",
            Self::Segments => "segments",
            Self::Registry => "registry",
        }
    }

    fn options(self) -> Options {
        let mut options = Options::default();
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_write_buffer_size(16 << 20);
        let mut table = BlockBasedOptions::default();
        match self {
            Self::Receipts | Self::BodyKeys | Self::Biz | Self::Uniqueness | Self::Placements => {
                // Most look-ups are for what is not there: a filter answers them from memory.
                table.set_bloom_filter(10.0, false);
                options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM_RATIO);
                options.set_memtable_whole_key_filtering(true);
                options.set_write_buffer_size(32 << 20);
            }
            Self::Bodies => {
                // Ciphertext does not compress, and compaction should not copy it.
                options.set_compression_type(DBCompressionType::None);
                options.set_write_buffer_size(64 << 20);
                options.set_enable_blob_files(true);
                options.set_min_blob_size(512);
                options.set_enable_blob_gc(true);
            }
            _ => {}
        }
        options.set_block_based_table_factory(&table);
        options
    }
}

/// Share of a write buffer that its filter may take.
const MEMTABLE_BLOOM_RATIO: f64 = 0.02;
const META_FORMAT: &[u8] = b"format";
const META_CHAIN: &[u8] = b"chain";
const META_ISSUER: &[u8] = b"issuer";
const META_EPOCH: &[u8] = b"epoch";
const META_LAST_ISSUE_TIME: &[u8] = b"last-issue-time";
const META_NEXT_SEQUENCE: &[u8] = b"next-sequence";
const META_PROGRESS: &[u8] = b"progress";
const META_HALTED: &[u8] = b"halted";
const META_FENCE_ABOVE: &[u8] = b"fence-above";
const META_STEP: &[u8] = b"step";

impl Journal {
    /// Makes a journal in an absent or empty directory, holding the registry of genesis (`registry` writes) and the log
    /// up to `progress`. Durable when it returns.
    pub fn init(
        path: &Path,
        identity: JournalIdentity,
        registry: &receipt_core::state::Writes,
        progress: &Progress,
    ) -> Result<Self, JournalError> {
        let exists = || JournalError::Exists(path.display().to_string());
        match std::fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(exists());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::create_dir_all(path).map_err(|error| JournalError::Store(error.to_string()))?;
            }
            Err(error) => return Err(JournalError::Store(error.to_string())),
        }
        let journal = Self { db: open_store(path, true)?, identity };
        let mut write = journal.write();
        write.put_meta(META_CHAIN, &identity.chain.0.0);
        write.put_meta(META_ISSUER, &identity.issuer.get().to_be_bytes());
        write.put_meta(META_EPOCH, &1_u32.to_be_bytes());
        write.put_meta(META_NEXT_SEQUENCE, &1_u64.to_be_bytes());
        write.put_step(0);
        write.put_registry(registry);
        write.put_progress(progress);
        // Last, so that a torn `init` leaves a directory that `run` refuses.
        write.put_meta(META_FORMAT, &JOURNAL_FORMAT_FIRST.to_be_bytes());
        write.commit(Durability::Synced)?;
        Ok(journal)
    }

    /// Opens an existing journal of this chain and issuer.
    pub fn open(path: &Path, identity: JournalIdentity) -> Result<Self, JournalError> {
        check_present(path)?;
        let journal = Self { db: open_store(path, false)?, identity };
        journal.check_identity()?;
        Ok(journal)
    }

    /// Opens an existing journal of this chain and issuer to read what it holds now, also beside the process that writes
    /// it. A read fails, never lies, if that process has since compacted a file away.
    pub fn open_read_only(path: &Path, identity: JournalIdentity) -> Result<Self, JournalError> {
        check_present(path)?;
        let mut options = Options::default();
        options.set_paranoid_checks(true);
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        // Tables are opened at once and stay open, so that compaction does not pull them away.
        options.set_max_open_files(-1);
        let families = Cf::ALL.map(|cf| ColumnFamilyDescriptor::new(cf.name(), cf.options()));
        let journal = Self { db: DB::open_cf_descriptors_read_only(&options, path, families, false)?, identity };
        journal.check_identity()?;
        Ok(journal)
    }

    fn check_identity(&self) -> Result<(), JournalError> {
        let foreign = |problem: String| JournalError::Foreign(problem);
        let Some(format) = self.meta(META_FORMAT)? else {
            return Err(foreign("its making was interrupted; remove it and run `init` again".to_owned()));
        };
        let format = u32::from_be_bytes(fixed(&format, "format")?);
        if !(JOURNAL_FORMAT_FIRST..=JOURNAL_FORMAT).contains(&format) {
            return Err(foreign(format!("it has format {format}; this program knows up to {JOURNAL_FORMAT}")));
        }
        if self.meta(META_CHAIN)?.as_deref() != Some(self.identity.chain.0.as_bytes()) {
            return Err(foreign("it belongs to another chain".to_owned()));
        }
        let issuer = self.identity.issuer.get();
        if self.meta(META_ISSUER)?.as_deref() != Some(&issuer.to_be_bytes()) {
            return Err(foreign(format!("it belongs to another issuer than {issuer}")));
        }
        Ok(())
    }

    /// A consistent copy of the journal as it is now, in a directory that is not there yet, on the same file system or
    /// another. Writes go on meanwhile.
    pub fn copy_to(&self, directory: &Path) -> Result<(), JournalError> {
        Ok(Checkpoint::new(&self.db)?.create_checkpoint(directory)?)
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.db.path()
    }

    /// The chain and issuer.
    pub fn identity(&self) -> JournalIdentity {
        self.identity
    }

    /// Starts an atomic write.
    pub fn write(&self) -> JournalWrite<'_> {
        JournalWrite::new(self)
    }

    /// The fencing epoch in which this journal signs.
    pub fn epoch(&self) -> Result<u32, JournalError> {
        let bytes = self.meta(META_EPOCH)?.ok_or(JournalError::Corrupt("epoch"))?;
        Ok(u32::from_be_bytes(fixed(&bytes, "epoch")?))
    }

    /// The latest issue time that was ever given out; 0 at first.
    pub fn last_issue_time(&self) -> Result<UnixMillis, JournalError> {
        match self.meta(META_LAST_ISSUE_TIME)? {
            None => Ok(UnixMillis::new(0)),
            Some(bytes) => Ok(UnixMillis::new(u64::from_be_bytes(fixed(&bytes, "last issue time")?))),
        }
    }

    /// The sequence of the next batch to be cut.
    pub fn next_sequence(&self) -> Result<BatchSequence, JournalError> {
        let bytes = self.meta(META_NEXT_SEQUENCE)?.ok_or(JournalError::Corrupt("next sequence"))?;
        Ok(BatchSequence::new(u64::from_be_bytes(fixed(&bytes, "next sequence")?)))
    }

    /// How far the ledger has been followed.
    pub fn progress(&self) -> Result<Progress, JournalError> {
        let bytes = self.meta(META_PROGRESS)?.ok_or(JournalError::Corrupt("progress"))?;
        Progress::decode(self.identity.suite, &bytes)
    }

    /// Why this journal may never issue again without `recover`, if so.
    pub fn halted(&self) -> Result<Option<String>, JournalError> {
        Ok(self.meta(META_HALTED)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Of a recovery under way: the epoch that the ledger must exceed before this journal may issue.
    pub fn fence_above(&self) -> Result<Option<u32>, JournalError> {
        let bytes = self.meta(META_FENCE_ABOVE)?;
        bytes.map(|bytes| Ok(u32::from_be_bytes(fixed(&bytes, "fence above")?))).transpose()
    }

    /// How many writes the sequencer has made; `None` of a journal that an older program made and this one has not written.
    pub fn step(&self) -> Result<Option<u64>, JournalError> {
        let bytes = self.meta(META_STEP)?;
        bytes.map(|bytes| Ok(u64::from_be_bytes(fixed(&bytes, "step")?))).transpose()
    }

    fn meta(&self, name: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        self.get(Cf::Meta, name)
    }

    fn cf(&self, cf: Cf) -> Result<&ColumnFamily, JournalError> {
        self.db.cf_handle(cf.name()).ok_or(JournalError::Corrupt("a column family is missing"))
    }

    fn get(&self, cf: Cf, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.db.get_cf(self.cf(cf)?, key)?)
    }
}

impl StateRead for Journal {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(Self::get(self, Cf::Registry, &rows::registry_key(table, key))?)
    }
}

fn open_store(path: &Path, create: bool) -> Result<DB, JournalError> {
    let mut options = Options::default();
    options.create_if_missing(create);
    options.create_missing_column_families(create);
    options.set_paranoid_checks(true);
    // A torn tail is what a crash leaves; damage before the tail is not survived silently.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_max_background_jobs(2);
    options.set_max_total_wal_size(512 << 20);
    options.set_bytes_per_sync(1 << 20);
    options.set_keep_log_file_num(4);
    options.set_max_open_files(512);
    let families = Cf::ALL.map(|cf| ColumnFamilyDescriptor::new(cf.name(), cf.options()));
    Ok(DB::open_cf_descriptors(&options, path, families)?)
}

fn write_options(durability: Durability) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(durability == Durability::Synced);
    options
}

fn fixed<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], JournalError> {
    bytes.try_into().map_err(|_| JournalError::Corrupt(what))
}

/// A frontier's stored bytes, read.
fn frontier(suite: Suite, bytes: &[u8]) -> Result<Frontier, JournalError> {
    Frontier::decode(suite, bytes).map_err(|_| JournalError::Corrupt("frontier"))
}
