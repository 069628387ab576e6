//! Creating and opening the database.
//!
//! What it may hold in memory and how many files it may keep open is said by its caller; how RocksDB is set up for that, `storage`'s.

use std::path::Path;
use std::sync::Arc;

use receipt_core::genesis::Genesis;
use receipt_core::state::genesis_effects;
use receipt_core::state::tables::Table;
use rocksdb::{ColumnFamilyDescriptor, DB, DBRecoveryMode};
use tallystick_service::disk_fault::DiskFault;
use tallystick_storage::{Access, StoreSetup, StoreShare};

use super::{
    BLOCKS, FAMILIES, FORMAT_VERSION, HEIGHTS, NODE, SIZES, Store, StoreError, UNDECIDED, VALIDATOR_SETS,
    WAY_OF_DAMAGE, family_names,
};

/// Why a directory can not be opened or created as a node's store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `init` would overwrite something.
    #[error("{path} exists already; `init` only makes new directories. To start over, move it away first")]
    Exists {
        /// The directory.
        path: String,
    },
    /// There is no store.
    #[error("{path} holds no node store; create one with `tallystick-node init`")]
    Missing {
        /// The directory.
        path: String,
    },
    /// Made by a newer program.
    #[error("{path} has format {found}, this program reads up to {FORMAT_VERSION}; run the newer program")]
    Newer {
        /// The directory.
        path: String,
        /// The format that the store has.
        found: u32,
    },
    /// The store of another chain.
    #[error(
        "{path} belongs to chain {found}, the configured genesis is chain {expected}; check `data_dir` and `genesis_file`"
    )]
    Foreign {
        /// The directory.
        path: String,
        /// Its chain id.
        found: String,
        /// The genesis file's.
        expected: String,
    },
    /// Torn or damaged.
    #[error("{path} is damaged: {problem}. What to do: {WAY_OF_DAMAGE}")]
    Damaged {
        /// The directory.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The operating system does not let the database in; nothing says that it is damaged.
    #[error("{path} can not be opened: {problem}. What to do: {way}")]
    Blocked {
        /// The directory.
        path: String,
        /// The operating system's message.
        problem: String,
        /// What the operator can do.
        way: &'static str,
    },
    /// Genesis can not be executed.
    #[error("the genesis file can not be executed: {0}")]
    Genesis(String),
}

/// How each family is used. Of a record's rows most look-ups ask whether its key is new.
fn access(name: &str) -> Access {
    const LOOK_UPS: [Table; 7] = [
        Table::Receipts,
        Table::BizKeys,
        Table::UniquenessKeys,
        Table::Batches,
        Table::Statuses,
        Table::StatusNodes,
        Table::Refused,
    ];
    if LOOK_UPS.into_iter().any(|table| table.name() == name) {
        return Access::LookUps;
    }
    match name {
        BLOCKS | UNDECIDED => Access::Large,
        NODE | HEIGHTS | SIZES | VALIDATOR_SETS => Access::Few,
        name if FAMILIES.contains(&name) => Access::Scans,
        // The tables of the registry, and the default family that RocksDB always has.
        _ => Access::Few,
    }
}

fn families(setup: &StoreSetup) -> impl Iterator<Item = ColumnFamilyDescriptor> + '_ {
    let names = family_names().chain([rocksdb::DEFAULT_COLUMN_FAMILY_NAME]);
    names.map(|name| ColumnFamilyDescriptor::new(name, setup.family(access(name))))
}

impl Store {
    /// Creates a store with block 0 in it. The directory must not exist.
    pub fn init(path: &Path, genesis: &Genesis) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        if path.exists() {
            return Err(OpenError::Exists { path: shown });
        }
        let effects = genesis_effects(genesis).map_err(|error| OpenError::Genesis(error.to_string()))?;
        let damaged =
            |error: StoreError| OpenError::Damaged { path: shown.clone(), problem: error.problem().to_owned() };
        let setup = StoreSetup::new(StoreShare::SMALL);
        let mut options = setup.database(DBRecoveryMode::AbsoluteConsistency);
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let db = DB::open_cf_descriptors(&options, path, families(&setup)).map_err(|error| refusal(path, &error))?;
        let store = Self { db: Arc::new(db), suite: genesis.suite, setup, shortage: Arc::default() };
        store.commit_genesis(genesis, &effects).map_err(damaged)?;
        Ok(store)
    }

    /// Opens a store that `init` made for this genesis, for a command, with little memory.
    pub fn open(path: &Path, genesis: &Genesis) -> Result<Self, OpenError> {
        Self::open_within(path, genesis, StoreShare::SMALL)
    }

    /// Opens it for a process that gives it so much memory and so many files.
    pub fn open_within(path: &Path, genesis: &Genesis, share: StoreShare) -> Result<Self, OpenError> {
        Self::open_by(path, genesis, share, open_to_a_point_in_time)
    }

    /// The same, to look at only: nothing in the directory changes, not even its log. For a store that no process has open.
    pub fn open_read_only(path: &Path, genesis: &Genesis) -> Result<Self, OpenError> {
        Self::open_by(path, genesis, StoreShare::SMALL, |path, setup| {
            let options = setup.database(DBRecoveryMode::PointInTime);
            let db = DB::open_cf_descriptors_read_only(&options, path, families(setup), false);
            Ok((db.map_err(|error| refusal(path, &error))?, None))
        })
    }

    fn open_by(
        path: &Path,
        genesis: &Genesis,
        share: StoreShare,
        open: impl FnOnce(&Path, &StoreSetup) -> Result<(DB, Option<String>), OpenError>,
    ) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        if let Err(error) = std::fs::metadata(path.join("CURRENT")) {
            return Err(match DiskFault::of_io(&error).and_then(DiskFault::way) {
                Some(way) => OpenError::Blocked { path: shown, problem: error.to_string(), way },
                None => OpenError::Missing { path: shown },
            });
        }
        let damaged = |problem: String| OpenError::Damaged { path: shown.clone(), problem };
        let setup = StoreSetup::new(share);
        let (db, torn) = open(path, &setup)?;
        let store = Self { db: Arc::new(db), suite: genesis.suite, setup, shortage: Arc::default() };
        let mark = |name: &str| {
            let value = store.get_in(NODE, name.as_bytes()).map_err(|error| damaged(error.problem().to_owned()))?;
            value.ok_or_else(|| damaged(format!("its mark `{name}` is missing")))
        };
        let format = mark("format")?.try_into().map(u32::from_be_bytes);
        let format = format.map_err(|_| damaged("its format mark is torn".into()))?;
        if format > FORMAT_VERSION {
            return Err(OpenError::Newer { path: shown, found: format });
        }
        let chain = mark("chain")?;
        let expected = genesis.chain_id();
        if chain != expected.0.as_bytes() {
            return Err(OpenError::Foreign {
                path: shown,
                found: hex::encode(&chain),
                expected: expected.0.to_string(),
            });
        }
        store.check_tip().map_err(|error| damaged(error.problem().to_owned()))?;
        if let Some(problem) = torn {
            let height = store.tip().map_err(|error| damaged(error.problem().to_owned()))?.height;
            tracing::warn!(path = shown, problem, %height, "the store's newest writes were torn and are dropped, as a power cut leaves them; what lacks comes from the peers");
        }
        Ok(store)
    }
}

/// Opens the database. If the newest writes of its log are torn, it is opened as it was before the first of them, and what is
/// wrong is returned.
///
/// Every write is synced before the next one begins, so that only the last can be torn, in whatever way the disk leaves its pages. Should the
/// disk have lost more, the store is older than it was, but still of one moment: nothing after a gap is taken. This is
/// safe, because what this validator has said stands in the guard: behind it, the node follows its peers.
pub(super) fn open_to_a_point_in_time(path: &Path, setup: &StoreSetup) -> Result<(DB, Option<String>), OpenError> {
    let open = |recovery| DB::open_cf_descriptors(&setup.database(recovery), path, families(setup));
    let error = match open(DBRecoveryMode::AbsoluteConsistency) {
        Ok(db) => return Ok((db, None)),
        Err(error) => error,
    };
    if DiskFault::of_text(error.as_ref(), path) != DiskFault::Damaged {
        return Err(refusal(path, &error));
    }
    let db = open(DBRecoveryMode::PointInTime).map_err(|error| refusal(path, &error))?;
    Ok((db, Some(error.into_string())))
}

/// A full disk and a second process are told apart from damage: whoever makes a new store for them does harm.
fn refusal(path: &Path, error: &rocksdb::Error) -> OpenError {
    let (shown, problem) = (path.display().to_string(), error.to_string());
    match DiskFault::of_text(&problem, path).way() {
        Some(way) => OpenError::Blocked { path: shown, problem, way },
        None => OpenError::Damaged { path: shown, problem },
    }
}
