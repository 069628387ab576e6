//! The journal: everything that a process which anchors records must not forget, in one RocksDB. The only module that names RocksDB.
//!
//! ```text
//! column family  key                                      value
//! meta           ASCII name                               see below
//! records        record key [12]                          RecordRow (signed record, the owner's note)
//! outbox         position u64                             record key [12]: not yet in a batch
//! requeue        sequence u64 ‖ index u16                 record key [12]: good ones of a refused batch
//! placements     record key [12]                          Placement: in which batch, or refused for which reason
//! batches        sequence u64                             BatchRow (signed header, record keys, the owner's note)
//! outcomes       sequence u64                             BatchOutcome: decided on the ledger
//! events         event number u64                         EventRow (what was decided, the owner's note)
//! registry       table u8 ‖ key                           the ledger's registry, as the ledger lays it out
//! …              the owner's families: see its [`Layout`]
//! ```
//! All integers big-endian. Meta: `format` (this layout's number u32 ‖ the owner's u32), `chain`, `issuer`, `epoch`, `last-issue-time`,
//! `next-sequence`, `progress` (see [`FollowedTip`]), `halted` (a sentence), `fence-above` (while recovering: the epoch that the ledger
//! must exceed), `fence-id` (16 random bytes by which that fence names this journal), `step` (see `guard`), `trust` (the trust file, as far as
//! the ledger was followed; see `trust`), `owner/…` (small values of the owner: see its [`Layout`]).
//!
//! # Contract
//! - *Durability*: [`JournalWrite::commit`] is all or nothing. With [`Durability::Synced`] nothing takes it back once it returned;
//!   a record is acknowledged only after the synced write that holds the record, its place in the outbox and its owner's rows together.
//!   With [`Durability::Ordered`] it is on disk before every later write is, and may be lost in a crash: only what the ledger tells
//!   again is written so.
//! - *Concurrency*: one process at a time (RocksDB's lock). Reads run beside writes and see whole writes only. Each kind of row has one
//!   writer: records, outbox, last issue time and step (see [`JournalWrite::put_step`]) are the owner's; batches and placements the batcher's until they are decided, then
//!   the follower's, like outcomes, events, registry and progress. A write does not read its own rows.
//! - *Errors*: every [`JournalError`] is fatal, but for damage that a read finds ([`JournalError::is_damage`]): whoever can do without that row,
//!   goes on; and for a shortage ([`JournalError::may_pass`]): whoever can wait, tries again. After a failed write nobody knows what is on disk: the
//!   process ends and starts again from disk. It never carries on.
//! - `init` alone creates; a foreign chain, another submitter and another format are refused.

use std::path::Path;

use families::META;
use receipt_core::ids::{BatchSequence, IssuerId, UnixMillis};
use receipt_core::merkle::Frontier;
use receipt_core::suite::{ChainId, Suite};
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{ColumnFamily, ColumnFamilyDescriptor, DB, DBRecoveryMode, WriteOptions};

use tallystick_service::disk_fault::DiskFault;
use tallystick_service::durable;
use tallystick_storage::{StoreFigures, StoreSetup, StoreShare};

mod families;
mod inspector;
mod log_file;
mod read;
mod rewrite;
mod rows;
mod scrub;
mod uncached;
mod write;

#[cfg(test)]
mod tests;

pub use families::{Family, Layout};
pub use inspector::Inspector;
pub(crate) use log_file::{each_whole_write, log_files, torn_at};
pub use read::{ReadRecord, Row};
pub use rewrite::RewriteError;
pub use rows::{BatchOutcome, BatchRow, EventRow, Fields, FollowedTip, Placement, RecordRow};
pub use tallystick_storage::Access;
pub use uncached::{Names, Stretch, StretchEnd};
pub use write::{Durability, JournalWrite};

/// The format of the families drawn above. Any other is refused.
pub const JOURNAL_FORMAT: u32 = 3;

/// Why the journal cannot be used. Fatal but for what the contract names: the process ends and starts again from disk.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is none, and `run` never makes one.
    #[error("there is no journal at {path}; make one with `{program} init`")]
    Absent {
        /// Where it was looked for.
        path: String,
        /// The program whose `init` makes one, for the message.
        program: &'static str,
    },
    /// There is something already; `init` never overwrites.
    #[error("{0} exists and is not empty; `init` makes new journals only")]
    Exists(String),
    /// The journal is of another chain or issuer, or has another format.
    #[error("the journal is not ours: {0}")]
    Foreign(String),
    /// The store failed.
    #[error("the journal's store failed: {0}. What to do: {way}", way = way_of(.0))]
    Store(String),
    /// A part of the store cannot be read: its bytes are not what was written, or a file is gone.
    #[error(
        "a part of the journal cannot be read: {0}; this program's `check-journal` says what is damaged and how it is mended"
    )]
    Unreadable(String),
    /// A read found the machine short of files or memory. It changed nothing, says nothing of what is stored, and may be tried again.
    #[error("the journal cannot be read for the moment: {0}. What to do: {way}", way = way_of(.0))]
    Shortage(String),
    /// Tables that hold old versions of rows, or may, could not be written anew. Nothing else is wrong, and it may be tried again.
    #[error(
        "the journal's tables {0} still hold what was erased: they could not all be written anew, most often because the disk is full. Make \
         room, and give the same command again (docs/ops/erasing.md)"
    )]
    NotRewritten(String),
    /// A stored value is not what was written.
    #[error("the journal is corrupt: {0}; run this program's `restore` with its newest backup, then `recover`")]
    Corrupt(&'static str),
}

impl JournalError {
    /// Whether stored bytes are not what was written. A read that fails so has changed nothing, and others may succeed.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::Corrupt(_))
    }

    /// Whether the machine lacked something that it may have again later: files or memory for a read, room for tables that are written anew.
    /// Nothing is lost by it, and the same may be tried again.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Shortage(_) | Self::NotRewritten(_))
    }

    /// The error of a read: damage to a row, and a machine that is short of something, are told apart from a store that cannot go on.
    fn of_read(error: rocksdb::Error) -> Self {
        let text: &str = error.as_ref();
        if is_unreadable(text) {
            Self::Unreadable(error.into_string())
        } else if DiskFault::of_text(text, Path::new("")).is_shortage() {
            Self::Shortage(error.into_string())
        } else {
            error.into()
        }
    }
}

/// Whether what a read failed with is about the bytes that it asked for. A sector that the disk cannot read any more is an input/output error
/// to it: other rows can be read, and this one can be mended.
fn is_unreadable(problem: &str) -> bool {
    matches!(DiskFault::of_text(problem, Path::new("")), DiskFault::Damaged | DiskFault::Device)
}

/// What an operator does about a failed store. Only damage wants a restore, which costs numbers.
fn way_of(problem: &str) -> &'static str {
    DiskFault::of_text(problem, Path::new("")).way().unwrap_or(
        "it is damaged. Keep it aside, run this program's `restore` with its newest backup, then `recover` \
         (docs/ops/backup-restore.md)",
    )
}

impl From<rocksdb::Error> for JournalError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Store(error.into_string())
    }
}

/// The chain, submitter and layout that a journal is for; another journal is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalIdentity {
    /// The chain.
    pub chain: ChainId,
    /// The chain's suite; it follows from the chain id and is not stored.
    pub suite: Suite,
    /// The submitter's number in the registry.
    pub issuer: IssuerId,
    /// What its owner keeps beside the records.
    pub layout: &'static Layout,
}

/// The open journal. Reads are concurrent; each kind of row has one writer (see `issue`, `batcher`, `follow`).
pub struct Journal {
    db: DB,
    identity: JournalIdentity,
    setup: StoreSetup,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal({})", self.db.path().display())
    }
}

const META_FORMAT: &[u8] = b"format";
const META_CHAIN: &[u8] = b"chain";
const META_ISSUER: &[u8] = b"issuer";
const META_EPOCH: &[u8] = b"epoch";
const META_LAST_ISSUE_TIME: &[u8] = b"last-issue-time";
const META_NEXT_SEQUENCE: &[u8] = b"next-sequence";
const META_FOLLOWED_TIP: &[u8] = b"progress";
const META_HALTED: &[u8] = b"halted";
const META_FENCE_ABOVE: &[u8] = b"fence-above";
const META_FENCE_ID: &[u8] = b"fence-id";
const META_STEP: &[u8] = b"step";
const META_TRUST: &[u8] = b"trust";

/// Where a small value of the owner stands: no name of this module's has a slash.
fn owned_key(name: &str) -> Vec<u8> {
    [b"owner/", name.as_bytes()].concat()
}

impl Journal {
    /// Makes a journal in an absent or empty directory, holding the registry of genesis (`registry` writes), the log
    /// up to `tip`, and small values of its owner by name. Durable when it returns.
    pub fn init(
        path: &Path,
        identity: JournalIdentity,
        registry: &receipt_core::state::Writes,
        tip: &FollowedTip,
        owned: &[(&str, Vec<u8>)],
    ) -> Result<Self, JournalError> {
        let exists = || JournalError::Exists(path.display().to_string());
        match std::fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(exists());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(JournalError::Store(error.to_string())),
        }
        // The journal has places and biz codes in clear text, so only its owner may read the directory.
        durable::private_directory(path).map_err(|error| JournalError::Store(error.to_string()))?;
        let setup = StoreSetup::new(StoreShare::SMALL);
        let journal = Self { db: open_store(path, identity.layout, &setup, true)?, identity, setup };
        let mut write = journal.write();
        write.put_meta(META_CHAIN, &identity.chain.0.0);
        write.put_meta(META_ISSUER, &identity.issuer.get().to_be_bytes());
        write.put_meta(META_EPOCH, &1_u32.to_be_bytes());
        write.put_meta(META_NEXT_SEQUENCE, &1_u64.to_be_bytes());
        write.put_step(0);
        write.put_registry(registry);
        write.put_followed_tip(tip);
        for (name, value) in owned {
            write.put_owned(name, value);
        }
        // The format is written last, so that `run` refuses a directory that a torn `init` left.
        write.put_meta(META_FORMAT, &identity.layout.format_bytes());
        write.commit(Durability::Synced)?;
        Ok(journal)
    }

    /// Opens an existing journal of this chain and submitter for a command, with little memory. Its log is whole:
    /// [`crate::tail`] sees to that before.
    pub fn open(path: &Path, identity: JournalIdentity) -> Result<Self, JournalError> {
        Self::open_within(path, identity, StoreShare::SMALL)
    }

    /// Opens it for a process that gives it so much memory and so many files.
    pub fn open_within(path: &Path, identity: JournalIdentity, share: StoreShare) -> Result<Self, JournalError> {
        Self::check_present(path, identity)?;
        let setup = StoreSetup::new(share);
        let journal = Self { db: open_store(path, identity.layout, &setup, false)?, identity, setup };
        journal.check_identity()?;
        Ok(journal)
    }

    /// Opens a journal that no process has open, to look at it only. Nothing in its directory changes.
    pub(crate) fn look(path: &Path, identity: JournalIdentity) -> Result<Self, JournalError> {
        Self::check_present(path, identity)?;
        let setup = StoreSetup::new(StoreShare::SMALL);
        let families = descriptors(identity.layout, &setup);
        let db = DB::open_cf_descriptors_read_only(&setup.database(RECOVERY), path, families, false)?;
        let journal = Self { db, identity, setup };
        journal.check_identity()?;
        Ok(journal)
    }

    /// Opens an existing journal of this chain and submitter to read what it holds now, also beside the process that writes
    /// it. A read fails, never lies, if that process has since compacted a file away.
    pub fn open_read_only(path: &Path, identity: JournalIdentity) -> Result<Self, JournalError> {
        Self::check_present(path, identity)?;
        let setup = StoreSetup::new(StoreShare::SMALL);
        // The running process may be in the middle of its last write. With this mode nothing behind a gap in the log is read.
        let mut options = setup.database(DBRecoveryMode::PointInTime);
        // Tables are opened at once and stay open, so that compaction does not pull them away.
        options.set_max_open_files(-1);
        let families = descriptors(identity.layout, &setup);
        let db = DB::open_cf_descriptors_read_only(&options, path, families, false)?;
        let journal = Self { db, identity, setup };
        journal.check_identity()?;
        Ok(journal)
    }

    /// Refuses where there is no journal. A directory that may not be looked into is no missing one: nobody may make another for it.
    pub(crate) fn check_present(path: &Path, identity: JournalIdentity) -> Result<(), JournalError> {
        match std::fs::metadata(path.join("CURRENT")) {
            Ok(_) => Ok(()),
            Err(error) if DiskFault::of_io(&error).is_some() => Err(JournalError::Store(error.to_string())),
            Err(_) => Err(JournalError::Absent { path: path.display().to_string(), program: identity.layout.program }),
        }
    }

    fn check_identity(&self) -> Result<(), JournalError> {
        let foreign = |problem: String| JournalError::Foreign(problem);
        let Some(format) = self.meta(META_FORMAT)? else {
            return Err(foreign("its making was interrupted; remove it and run `init` again".to_owned()));
        };
        let known = self.identity.layout.format_bytes();
        if format != known {
            let (found, known) = (hex::encode(format), hex::encode(known));
            return Err(foreign(format!("it has format {found}; this program knows {known} alone")));
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

    /// Has what is read next come from the disk: what is cached of its tables is given up. Writes go on meanwhile. An error changes
    /// nothing of the journal.
    pub fn forget_cached(&self) -> std::io::Result<()> {
        self.setup.forget_cached(self.db.path())
    }

    /// What it holds in memory, and how its writes fare.
    pub fn figures(&self) -> StoreFigures {
        self.setup.figures(&self.db, self.identity.layout.all().map(|family| family.name))
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.db.path()
    }

    /// Chain, submitter, layout.
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

    /// The latest issue time of a record that was ever given out; 0 at first.
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
    pub fn followed_tip(&self) -> Result<FollowedTip, JournalError> {
        let bytes = self.meta(META_FOLLOWED_TIP)?.ok_or(JournalError::Corrupt("progress"))?;
        FollowedTip::decode(self.identity.suite, &bytes)
    }

    /// Why this journal may never anchor again without `recover`, if so.
    pub fn halted(&self) -> Result<Option<String>, JournalError> {
        Ok(self.meta(META_HALTED)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Of a recovery under way: the epoch that the ledger must exceed before this journal may anchor.
    pub fn fence_above(&self) -> Result<Option<u32>, JournalError> {
        let bytes = self.meta(META_FENCE_ABOVE)?;
        bytes.map(|bytes| Ok(u32::from_be_bytes(fixed(&bytes, "fence above")?))).transpose()
    }

    /// Of a recovery under way: what the fence must name, so that of two copies of one backup one alone goes on in its epoch.
    pub fn fence_id(&self) -> Result<Option<[u8; 16]>, JournalError> {
        self.meta(META_FENCE_ID)?.map(|bytes| fixed(&bytes, "fence id")).transpose()
    }

    /// How many counted writes the owner has made: see [`JournalWrite::put_step`].
    pub fn step(&self) -> Result<Option<u64>, JournalError> {
        let bytes = self.meta(META_STEP)?;
        bytes.map(|bytes| Ok(u64::from_be_bytes(fixed(&bytes, "step")?))).transpose()
    }

    /// A small value of the owner, by its name.
    pub fn owned(&self, name: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.meta(&owned_key(name))
    }

    /// The trust file as far as the ledger was followed; `None` before the first block.
    pub fn trust(&self) -> Result<Option<String>, JournalError> {
        let text = self.meta(META_TRUST)?.map(String::from_utf8).transpose();
        text.map_err(|_| JournalError::Corrupt("the trust file"))
    }

    fn meta(&self, name: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        self.get(META, name)
    }

    fn cf(&self, family: Family) -> Result<&ColumnFamily, JournalError> {
        self.db.cf_handle(family.name).ok_or(JournalError::Corrupt("a column family is missing"))
    }
}

/// A torn end was cut before, by whoever knows what is in it.
const RECOVERY: DBRecoveryMode = DBRecoveryMode::AbsoluteConsistency;

/// Every family: this module's and the owner's.
fn descriptors<'a>(layout: &'a Layout, setup: &'a StoreSetup) -> impl Iterator<Item = ColumnFamilyDescriptor> + 'a {
    let families = layout.all().map(|family| (family.name, family.access));
    // RocksDB's default family is set up as well: without options it would have a cache of its own, outside the budget.
    let families = families.chain([(rocksdb::DEFAULT_COLUMN_FAMILY_NAME, Access::Few)]);
    families.map(|(name, access)| ColumnFamilyDescriptor::new(name, setup.family(access)))
}

/// Step and next sequence that a write of the log puts, by the bytes that a put of them has.
pub(crate) fn put_by(write: &[u8]) -> (Option<u64>, Option<u64>) {
    let value_of = |name: &[u8]| {
        let put = [&[u8::try_from(name.len()).unwrap_or_default()], name, &[8]].concat();
        let found = write.windows(put.len()).rposition(|window| window == put)?;
        let value = write.get(found + put.len()..)?.first_chunk()?;
        Some(u64::from_be_bytes(*value))
    };
    (value_of(META_STEP), value_of(META_NEXT_SEQUENCE))
}

fn open_store(path: &Path, layout: &Layout, setup: &StoreSetup, create: bool) -> Result<DB, JournalError> {
    let mut options = setup.database(RECOVERY);
    options.create_if_missing(create);
    options.create_missing_column_families(create);
    Ok(DB::open_cf_descriptors(&options, path, descriptors(layout, setup))?)
}

fn write_options(durability: Durability) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(durability == Durability::Synced);
    options
}

/// Bytes of a length that is known; what else there is, is corrupt.
pub fn fixed<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], JournalError> {
    bytes.try_into().map_err(|_| JournalError::Corrupt(what))
}

/// A frontier's stored bytes, read.
fn frontier(suite: Suite, bytes: &[u8]) -> Result<Frontier, JournalError> {
    Frontier::decode(suite, bytes).map_err(|_| JournalError::Corrupt("frontier"))
}
