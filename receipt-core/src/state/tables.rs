//! Tables of the ledger state: names, key layouts, value encodings.
//!
//! ```text
//! table            key                                   value
//! Meta             ASCII name                            see below
//! Receipts         code u32 ‖ number u64                 ReceiptState, fixed layout
//! BizKeys          unit u32 ‖ biz key [16]               code u32 ‖ number u64
//! UniquenessKeys   type u8 ‖ scope u32 ‖ hash [16] ‖ instalment u16   code u32 ‖ number u64 of the live receipt that holds it
//!                  type u8 ‖ scope u32 ‖ hash [16]       instalments of this decision with a live receipt u32
//! Batches          issuer u32 ‖ sequence u64             refused u8 ‖ leaf index u64 ‖ header hash [32]
//! Units            unit u32                              UnitState
//! UnitCodes        unit code (18 ASCII characters)       unit u32
//! Systems          system u32                            RegisterSystem
//! Keys             key u32                               KeyState
//! Segments         segment u32                           SegmentState
//! SegmentIndex     unit u32 ‖ code u32                   (segment u32 ‖ first u64 ‖ last u64)…
//! CodeHighWater    code u32                              last number allocated u64
//! Issuers          issuer u32                            IssuerState
//! Kinds            kind u32                              RegisterKind
//! Items            unit u32 ‖ kind u32                   AttachItems
//! Statuses         status key [32]                       StatusValue (salt ‖ status)
//! StatusNodes      opaque                                nodes of the status map (not part of the effects hash)
//! Refused          status key [32]                       leaf u64 ‖ index u16 ‖ reason u32: genuine records that were refused
//! Holders          1 ‖ id, 2 ‖ name, 3 ‖ key             whose they are for ever (see `owned`)
//! Directory        unit u32                              UnitRow (see `directory`)
//! Areas            area u32                              AreaState (see `scope`)
//! Collectors       collector u32                         CollectorState
//! RegistryNodes    opaque                                nodes of the registry's map (not part of the effects hash)
//! ```
//! All integers big-endian. Meta: `tip` ([`Tip`]), `totals` ([`Totals`]), `schedule`, `validators` (current set),
//! `validators-next` (pending `SetValidators`), `authorities` (those in force), `governance` ([`GovernanceState`]), `blinding`
//! ([`RegisteredEpoch`](crate::state::RegisteredEpoch)), `directory` (the leaves of its tree).

use std::num::NonZeroU16;

use crate::blind::UniquenessKey;
use crate::hash::Hash;
use crate::ids::{Fen, Height, IssuerId, LeafIndex, ReceiptKey, TreeSize, UnitId, UnixMillis};
use crate::reason::Reason;
use crate::state::reading::{Fields, ReadError};

mod registered;

pub use registered::{
    AreaState, CollectorState, DetachedKind, GovernanceState, IssuerState, KeyState, SegmentState, UnitState,
};

/// A table of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each table is described in the module documentation")]
pub enum Table {
    Meta = 0,
    Receipts = 1,
    BizKeys = 2,
    UniquenessKeys = 3,
    Batches = 4,
    Units = 5,
    UnitCodes = 6,
    Systems = 7,
    Keys = 8,
    Segments = 9,
    SegmentIndex = 10,
    CodeHighWater = 11,
    Issuers = 12,
    Kinds = 13,
    Items = 14,
    Statuses = 15,
    StatusNodes = 16,
    Refused = 17,
    Holders = 18,
    Directory = 19,
    Areas = 20,
    Collectors = 21,
    RegistryNodes = 22,
}

impl Table {
    /// Every table, in the order of their numbers.
    pub const ALL: [Self; 23] = [
        Self::Meta,
        Self::Receipts,
        Self::BizKeys,
        Self::UniquenessKeys,
        Self::Batches,
        Self::Units,
        Self::UnitCodes,
        Self::Systems,
        Self::Keys,
        Self::Segments,
        Self::SegmentIndex,
        Self::CodeHighWater,
        Self::Issuers,
        Self::Kinds,
        Self::Items,
        Self::Statuses,
        Self::StatusNodes,
        Self::Refused,
        Self::Holders,
        Self::Directory,
        Self::Areas,
        Self::Collectors,
        Self::RegistryNodes,
    ];

    /// The name of the store's column family.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Receipts => "receipts",
            Self::BizKeys => "biz-keys",
            Self::UniquenessKeys => "uniqueness-keys",
            Self::Batches => "batches",
            Self::Units => "units",
            Self::UnitCodes => "unit-codes",
            Self::Systems => "systems",
            Self::Keys => "keys",
            Self::Segments => "segments",
            Self::SegmentIndex => "segment-index",
            Self::CodeHighWater => "code-high-water",
            Self::Issuers => "issuers",
            Self::Kinds => "kinds",
            Self::Items => "items",
            Self::Statuses => "statuses",
            Self::StatusNodes => "status-nodes",
            Self::Refused => "refused",
            Self::Holders => "holders",
            Self::Directory => "directory",
            Self::Areas => "areas",
            Self::Collectors => "collectors",
            Self::RegistryNodes => "registry-nodes",
        }
    }
}

/// Meta key of [`Tip`].
pub const META_TIP: &[u8] = b"tip";
/// Meta key of [`Totals`].
pub const META_TOTALS: &[u8] = b"totals";
/// Meta key of the proposer schedule.
pub const META_SCHEDULE: &[u8] = b"schedule";
/// Meta key of the current validator set.
pub const META_VALIDATORS: &[u8] = b"validators";
/// Meta key of a pending validator set: effective height u64 ‖ set.
pub const META_VALIDATORS_NEXT: &[u8] = b"validators-next";
/// Meta key of the authorities in force.
pub const META_AUTHORITIES: &[u8] = b"authorities";
/// Meta key of [`GovernanceState`].
pub const META_GOVERNANCE: &[u8] = b"governance";

/// Meta key of the registered blinding secrets: see [`RegisteredEpoch`](crate::state::RegisteredEpoch).
pub const META_BLINDING: &[u8] = b"blinding";

/// Meta key of the leaves of the directory's tree: (unit u32 ‖ leaf hash [32])…, ascending.
pub const META_DIRECTORY: &[u8] = b"directory";

/// Tables that make up the registry, by number: who and what was registered. Of `Meta` validators, authorities and blinding secrets alone.
pub const REGISTRY_TABLES: [Table; 12] = [
    Table::Meta,
    Table::Units,
    Table::Systems,
    Table::Keys,
    Table::Segments,
    Table::CodeHighWater,
    Table::Issuers,
    Table::Kinds,
    Table::Items,
    Table::Directory,
    Table::Areas,
    Table::Collectors,
];

/// Whether a row of the state is one of the registry's.
pub fn is_of_registry(table: Table, key: &[u8]) -> bool {
    let named =
        table != Table::Meta || [META_VALIDATORS, META_VALIDATORS_NEXT, META_AUTHORITIES, META_BLINDING].contains(&key);
    named && REGISTRY_TABLES.contains(&table)
}

/// code u32 ‖ number u64: key of Receipts, value of the uniqueness tables.
pub fn receipt_key_bytes(key: ReceiptKey) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&key.code.get().to_be_bytes());
    bytes[4..].copy_from_slice(&key.number.get().to_be_bytes());
    bytes
}

/// unit u32 ‖ biz key: key of BizKeys.
pub fn biz_key_bytes(unit: UnitId, biz_key: [u8; 16]) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&unit.get().to_be_bytes());
    bytes[4..].copy_from_slice(&biz_key);
    bytes
}

/// type u8 ‖ scope u32 ‖ hash [16] ‖ instalment u16: key of UniquenessKeys, of a record of `unit`. The scope is the unit, or 0 where a
/// key is everybody's; the epoch is no part of it.
pub fn uniqueness_key_bytes(unit: UnitId, key: &UniquenessKey) -> [u8; 23] {
    let mut bytes = [0; 23];
    bytes[0] = key.kind.number();
    bytes[1..5].copy_from_slice(&key.kind.scope(unit).map_or(0, UnitId::get).to_be_bytes());
    bytes[5..21].copy_from_slice(&key.hash);
    bytes[21..].copy_from_slice(&key.instalment.map_or(0, NonZeroU16::get).to_be_bytes());
    bytes
}

/// type u8 ‖ scope u32 ‖ hash [16]: what a decision's rows in UniquenessKeys begin with, and the key of the count of its instalments.
pub fn decision_key_bytes(unit: UnitId, key: &UniquenessKey) -> [u8; 21] {
    let mut bytes = [0; 21];
    bytes.copy_from_slice(&uniqueness_key_bytes(unit, key)[..21]);
    bytes
}

/// issuer u32 ‖ sequence u64: key of Batches.
pub fn batch_key_bytes(issuer: IssuerId, sequence: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&issuer.get().to_be_bytes());
    bytes[4..].copy_from_slice(&sequence.to_be_bytes());
    bytes
}

/// Two registry numbers side by side: keys of SegmentIndex and Items.
pub fn pair_bytes(first: u32, second: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_be_bytes());
    bytes[4..].copy_from_slice(&second.to_be_bytes());
    bytes
}

/// Which numbers of a code a segment holds: one of the entries of SegmentIndex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentRange {
    pub(crate) segment: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl SegmentRange {
    pub(crate) fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, ReadError> {
        let mut fields = Fields(bytes);
        let mut ranges = Vec::new();
        while !fields.0.is_empty() {
            ranges.push(Self { segment: fields.u32()?, first: fields.u64()?, last: fields.u64()? });
        }
        Ok(ranges)
    }

    pub(crate) fn append_to(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.segment.to_be_bytes());
        bytes.extend_from_slice(&self.first.to_be_bytes());
        bytes.extend_from_slice(&self.last.to_be_bytes());
    }
}

/// Where the chain stands after a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Height of the last block.
    pub height: Height,
    /// Its time.
    pub time: UnixMillis,
    /// Hash of its seal.
    pub seal_hash: Hash,
    /// Its effects hash.
    pub effects_hash: Hash,
    /// Leaves of the outer log after it.
    pub log_size: TreeSize,
    /// Root of the status map after it.
    pub status_root: Hash,
    /// Root of the directory of units after it.
    pub directory_root: Hash,
    /// Root of the registry's map after it.
    pub registry_root: Hash,
    /// The height that last changed the status map: its version; `None` while the map is empty.
    pub status_version: Option<Height>,
    /// The height that last changed the registry's map.
    pub registry_version: Height,
}

impl Tip {
    /// Fixed layout: height ‖ time ‖ seal hash ‖ effects hash ‖ log size ‖ status root ‖ directory root ‖ registry root ‖
    /// status version (0: none) ‖ registry version.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(200);
        bytes.extend_from_slice(&self.height.get().to_be_bytes());
        bytes.extend_from_slice(&self.time.get().to_be_bytes());
        bytes.extend_from_slice(&self.seal_hash.0);
        bytes.extend_from_slice(&self.effects_hash.0);
        bytes.extend_from_slice(&self.log_size.get().to_be_bytes());
        bytes.extend_from_slice(&self.status_root.0);
        bytes.extend_from_slice(&self.directory_root.0);
        bytes.extend_from_slice(&self.registry_root.0);
        // Block 0 has no receipts, so no version is 0.
        bytes.extend_from_slice(&self.status_version.map_or(0, Height::get).to_be_bytes());
        bytes.extend_from_slice(&self.registry_version.get().to_be_bytes());
        bytes
    }

    /// Reads the fixed layout.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut fields = Fields(bytes);
        let tip = Self {
            height: Height::new(fields.u64()?),
            time: UnixMillis::new(fields.u64()?),
            seal_hash: fields.hash()?,
            effects_hash: fields.hash()?,
            log_size: TreeSize::new(fields.u64()?),
            status_root: fields.hash()?,
            directory_root: fields.hash()?,
            registry_root: fields.hash()?,
            status_version: Some(fields.u64()?).filter(|version| *version > 0).map(Height::new),
            registry_version: Height::new(fields.u64()?),
        };
        fields.end()?;
        Ok(tip)
    }
}

/// Running totals of the ledger, committed to (salted) in each seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Blue receipts.
    pub blue_count: u64,
    /// Sum of their totals in 分.
    pub blue_fen: i128,
    /// Red receipts.
    pub red_count: u64,
    /// Sum of their (negative) totals in 分.
    pub red_fen: i128,
}

impl Totals {
    /// Fixed layout, 48 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48);
        bytes.extend_from_slice(&self.blue_count.to_be_bytes());
        bytes.extend_from_slice(&self.blue_fen.to_be_bytes());
        bytes.extend_from_slice(&self.red_count.to_be_bytes());
        bytes.extend_from_slice(&self.red_fen.to_be_bytes());
        bytes
    }

    /// Reads the fixed layout.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut fields = Fields(bytes);
        let totals = Self {
            blue_count: fields.u64()?,
            blue_fen: fields.array().map(i128::from_be_bytes)?,
            red_count: fields.u64()?,
            red_fen: fields.array().map(i128::from_be_bytes)?,
        };
        fields.end()?;
        Ok(totals)
    }

    /// Adds one receipt. 2^63 receipts of 10^12 yuan stay far inside i128 and u64.
    pub(crate) fn add(&mut self, total: Fen) {
        let fen = i128::from(total.get());
        if fen < 0 {
            self.red_count += 1;
            self.red_fen += fen;
        } else {
            self.blue_count += 1;
            self.blue_fen += fen;
        }
    }
}

/// What the ledger remembers of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptState {
    /// Hash of its signed record.
    pub status_key: Hash,
    /// Issuing unit.
    pub unit: UnitId,
    /// Total in 分.
    pub total: Fen,
    /// Number of uniqueness keys it brought.
    pub uniqueness_count: u8,
    /// Log leaf of its batch header.
    pub leaf_index: LeafIndex,
    /// Index in the batch.
    pub batch_index: u16,
    /// The red receipt that reversed it.
    pub reversed_by: Option<ReceiptKey>,
}

impl ReceiptState {
    /// Whether this is a red receipt.
    pub fn is_red(&self) -> bool {
        self.total.get() < 0
    }

    /// Fixed layout: status key ‖ unit u32 ‖ total i64 ‖ uniqueness count u8 ‖ leaf u64 ‖ batch index u16 [‖ red key].
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(67);
        bytes.extend_from_slice(&self.status_key.0);
        bytes.extend_from_slice(&self.unit.get().to_be_bytes());
        bytes.extend_from_slice(&self.total.get().to_be_bytes());
        bytes.push(self.uniqueness_count);
        bytes.extend_from_slice(&self.leaf_index.get().to_be_bytes());
        bytes.extend_from_slice(&self.batch_index.to_be_bytes());
        if let Some(red) = self.reversed_by {
            bytes.extend_from_slice(&receipt_key_bytes(red));
        }
        bytes
    }

    /// Reads the fixed layout.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut fields = Fields(bytes);
        let mut state = Self {
            status_key: fields.hash()?,
            unit: UnitId::new(fields.u32()?),
            total: Fen::new(fields.array().map(i64::from_be_bytes)?),
            uniqueness_count: fields.u8()?,
            leaf_index: LeafIndex::new(fields.u64()?),
            batch_index: fields.array().map(u16::from_be_bytes)?,
            reversed_by: None,
        };
        if !fields.0.is_empty() {
            state.reversed_by = Some(fields.key()?);
        }
        fields.end()?;
        Ok(state)
    }
}

/// Where a record was refused that its unit had signed. A later batch may refuse it again, and then this is the later place; if
/// one takes it, it stands in Receipts, which counts before this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedState {
    /// Log leaf of the `BatchRefused` entry.
    pub leaf_index: LeafIndex,
    /// Index in the refused batch.
    pub batch_index: u16,
    /// Why it is refused.
    pub reason: Reason,
}

impl RefusedState {
    /// Fixed layout: leaf u64 ‖ batch index u16 ‖ reason u32.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(14);
        bytes.extend_from_slice(&self.leaf_index.get().to_be_bytes());
        bytes.extend_from_slice(&self.batch_index.to_be_bytes());
        bytes.extend_from_slice(&self.reason.code().to_be_bytes());
        bytes
    }

    /// Reads the fixed layout.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut fields = Fields(bytes);
        let state = Self {
            leaf_index: LeafIndex::new(fields.u64()?),
            batch_index: fields.array().map(u16::from_be_bytes)?,
            reason: Reason::from_code(fields.u32()?).ok_or_else(|| ReadError::corrupt("refusal reason"))?,
        };
        fields.end()?;
        Ok(state)
    }
}

/// What became of a batch sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchState {
    /// Whether the batch was refused.
    pub refused: bool,
    /// Log leaf of its `BatchHeader` or `BatchRefused` entry.
    pub leaf_index: LeafIndex,
    /// Hash of its header.
    pub header_hash: Hash,
}

impl BatchState {
    /// Fixed layout: refused u8 ‖ leaf u64 ‖ header hash.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(41);
        bytes.push(u8::from(self.refused));
        bytes.extend_from_slice(&self.leaf_index.get().to_be_bytes());
        bytes.extend_from_slice(&self.header_hash.0);
        bytes
    }

    /// Reads the fixed layout.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut fields = Fields(bytes);
        let refused = match fields.u8()? {
            0 => false,
            1 => true,
            _ => return Err(ReadError::corrupt("batch state")),
        };
        let state = Self { refused, leaf_index: LeafIndex::new(fields.u64()?), header_hash: fields.hash()? };
        fields.end()?;
        Ok(state)
    }
}
