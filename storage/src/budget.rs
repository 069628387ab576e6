//! One budget of memory for a process: what its parts may hold, and what that leaves to the store.

/// Budget of a process whose config names none.
pub const MEMORY_BYTES_DEFAULT: u64 = 512 * MIB;
/// A store with less would read every block from disk and write every row several times.
pub const STORE_BYTES_MIN: u64 = 64 * MIB;
/// What tables are written with at most if the config says nothing, in bytes a second. A full load of 6,000 receipts a second needs a third of
/// it.
pub const TABLE_BYTES_PER_SECOND_DEFAULT: u64 = 64 * MIB;
/// With less, write buffers fill faster than they are written out at a tenth of a full load.
pub const TABLE_BYTES_PER_SECOND_MIN: u64 = 2 * MIB;
/// Of the store's share, what its cache does not account for: buffers of compactions, open tables, what the allocator holds back.
const STORE_OVERHEAD_PERCENT: u64 = 15;

const MIB: u64 = 1024 * 1024;

/// Something of a process that holds memory and has a bound of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Label of the metric; letters and `_`.
    pub name: &'static str,
    /// What it may hold at most.
    pub bytes_max: u64,
}

impl Part {
    /// A part and its bound in bytes.
    pub const fn new(name: &'static str, bytes_max: u64) -> Self {
        Self { name, bytes_max }
    }
}

/// How a process's memory is shared out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryBudget {
    parts: Vec<Part>,
}

/// The parts and the smallest store do not fit into what the config allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be at least {} MiB, is {} MiB: {}; allow more, or make one of them smaller", least.div_ceil(MIB), given / MIB, listed(parts))]
pub struct TooSmall {
    /// What is needed, in bytes.
    pub least: u64,
    /// What is given, in bytes.
    pub given: u64,
    /// The parts and what each needs.
    pub parts: Vec<Part>,
}

fn listed(parts: &[Part]) -> String {
    let parts = parts.iter().map(|part| format!("{} takes up to {} MiB", part.name, part.bytes_max.div_ceil(MIB)));
    parts.collect::<Vec<_>>().join(", ")
}

impl MemoryBudget {
    /// Shares `bytes_max` out: each part has its bound, the store what is left.
    pub fn share(bytes_max: u64, parts: &[Part]) -> Result<Self, TooSmall> {
        let with_store = |store: u64| -> Vec<Part> { parts.iter().copied().chain([Part::new(STORE, store)]).collect() };
        let taken = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.bytes_max));
        let least = taken.saturating_add(STORE_BYTES_MIN);
        match bytes_max.checked_sub(taken).filter(|left| *left >= STORE_BYTES_MIN) {
            Some(left) => Ok(Self { parts: with_store(left) }),
            None => Err(TooSmall { least, given: bytes_max, parts: with_store(STORE_BYTES_MIN) }),
        }
    }

    /// All parts, the store last.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What the store may hold, in bytes.
    pub fn store_bytes(&self) -> u64 {
        self.parts.last().map_or(STORE_BYTES_MIN, |part| part.bytes_max)
    }
}

/// Name of the store's part.
pub const STORE: &str = "store";

/// What a store may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreShare {
    /// Memory, in bytes.
    pub bytes: u64,
    /// Files that it may keep open.
    pub files: u64,
    /// What flushes and compactions write together, in bytes a second; logs come on top. A synced write waits behind all that the disk was
    /// given before it, so this is to be less than the disk writes.
    pub table_bytes_per_second: u64,
}

impl StoreShare {
    /// For commands that open a store beside a running process, or for a moment.
    pub const SMALL: Self =
        Self { bytes: STORE_BYTES_MIN, files: 256, table_bytes_per_second: TABLE_BYTES_PER_SECOND_DEFAULT };

    /// What is wrong with a bound of a config, if it is too small.
    pub fn check_table_rate(bytes_per_second: u64) -> Result<(), String> {
        if bytes_per_second >= TABLE_BYTES_PER_SECOND_MIN {
            return Ok(());
        }
        let (given, least) = (bytes_per_second, TABLE_BYTES_PER_SECOND_MIN);
        Err(format!(
            "must be at least {least} (bytes a second), is {given}: with less, writes would stop until tables are written"
        ))
    }

    /// What the one cache may hold.
    pub(crate) fn cache_bytes(self) -> usize {
        let bytes = self.bytes - self.bytes / 100 * STORE_OVERHEAD_PERCENT;
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}
