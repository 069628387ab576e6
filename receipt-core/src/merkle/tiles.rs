//! The log as static files (c2sp.org/tlog-tiles): which tiles exist, their paths, their bytes, and entry bundles.
//!
//! ```text
//! tile/<L>/<N>[.p/<W>]        W (1 to 256) hashes of 32 bytes; no suffix = 256
//! tile/entries/<N>[.p/<W>]    W times: length u16 BE ‖ entry
//! <N>: groups of three digits, all but the last after an "x":  1234067 -> x001/x234/067
//! ```
//!
//! Hash i of tile N at level L is the root of the complete subtree (level 8·L, index 256·N + i) of the log, so a store of
//! complete subtrees serves any tile by one range read, and tiles serve any proof through [`TileNodes`].

use std::fmt;

use super::hasher::node_hash;
use super::log::NodeReader;
use super::node::NodeId;
use crate::hash::Hash;
use crate::ids::TreeSize;
use crate::suite::Suite;

/// Hashes in a full tile and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// The specification's highest tile level; a log of 2^64 leaves stays below 8.
const LEVEL_MAX: u8 = 63;

/// Why a tile name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a tile: {problem}")]
pub struct TileError {
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Names a tile of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

impl TileId {
    /// Checks level ≤ 63 and 1 ≤ width ≤ 256.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        if level > LEVEL_MAX {
            return Err(TileError { problem: "the level is above 63" });
        }
        if width == 0 || width > TILE_WIDTH {
            return Err(TileError { problem: "the width is not 1 to 256" });
        }
        Ok(Self { level, index, width })
    }

    /// The tile's level, 0 for leaf hashes.
    pub fn level(self) -> u8 {
        self.level
    }

    /// The tile's position inside its level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// The number of hashes, 1 to 256; below 256 the tile is partial.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether a log of `size` leaves has at least this much of the tile.
    pub fn exists_at(self, size: TreeSize) -> bool {
        width_at(size, self.level, self.index).is_some_and(|width| width >= self.width)
    }

    /// The complete subtrees whose hashes make up the tile, from the left; `None` beyond a 64-bit log.
    pub fn nodes(self) -> Option<impl Iterator<Item = NodeId>> {
        let level = self.level.checked_mul(8).filter(|level| *level < 64)?;
        let first = self.index.checked_mul(u64::from(TILE_WIDTH))?;
        Some((0..u64::from(self.width)).map(move |offset| NodeId { level, index: first + offset }))
    }
}

/// What a path under the log's prefix names. `Display` writes the path, [`TilePath::parse`] reads exactly that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TilePath {
    /// `tile/<L>/<N>[.p/<W>]`.
    Hashes(TileId),
    /// `tile/entries/<N>[.p/<W>]`; the tile is the level-0 tile over the same leaves.
    Entries(TileId),
}

impl TilePath {
    /// Reads a path without leading slash; anything but the one canonical spelling is refused.
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let error = |problem| TileError { problem };
        let rest = path.strip_prefix("tile/").ok_or(error("the path does not start with tile/"))?;
        let (level, rest) = rest.split_once('/').ok_or(error("the path has no index"))?;
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH),
            Some((index, width)) => (index, decimal(width).ok_or(error("the width is not a number"))?),
        };
        let index = parse_index(index).ok_or(error("the index is not groups of three digits"))?;
        let parsed = if level == "entries" {
            Self::Entries(TileId::new(0, index, width)?)
        } else {
            let level = decimal(level).ok_or(error("the level is not a number"))?;
            Self::Hashes(TileId::new(level, index, width)?)
        };
        // One name per tile: no leading zeros or needless groups, no `.p/256`.
        if parsed.to_string() == path { Ok(parsed) } else { Err(error("the path is not in canonical form")) }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tile = match self {
            Self::Hashes(tile) => {
                write!(f, "tile/{}/", tile.level)?;
                tile
            }
            Self::Entries(tile) => {
                f.write_str("tile/entries/")?;
                tile
            }
        };
        let digits = tile.index.to_string();
        let padded = format!("{digits:0>width$}", width = digits.len().div_ceil(3) * 3);
        let mut groups = padded.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group)).peekable();
        while let Some(group) = groups.next() {
            if groups.peek().is_some() { write!(f, "x{group}/")? } else { f.write_str(&group)? }
        }
        if tile.width < TILE_WIDTH { write!(f, ".p/{}", tile.width) } else { Ok(()) }
    }
}

fn decimal<N: std::str::FromStr>(text: &str) -> Option<N> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn parse_index(text: &str) -> Option<u64> {
    let mut digits = String::new();
    let mut groups = text.split('/').peekable();
    while let Some(group) = groups.next() {
        let group = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if group.len() != 3 {
            return None;
        }
        digits.push_str(group);
    }
    if digits.len() > 21 { None } else { decimal(&digits) }
}

/// The width of tile `index` of `level` in a log of `size` leaves: 256, or fewer at the right edge; `None` if it is empty.
fn width_at(size: TreeSize, level: u8, index: u64) -> Option<u16> {
    let hashes = size.get().checked_shr(8 * u32::from(level)).unwrap_or(0);
    let before = index.checked_mul(u64::from(TILE_WIDTH))?;
    let left = hashes.checked_sub(before).filter(|left| *left > 0)?;
    Some(left.min(u64::from(TILE_WIDTH)) as u16)
}

/// All tiles of a log of `size` leaves, level by level, from the left; the last of a level may be partial.
pub fn tiles_of(size: TreeSize) -> impl Iterator<Item = TileId> {
    new_tiles(TreeSize::ZERO, size)
}

/// The tiles of a log of `new` leaves that a log of `old` leaves did not have in this width.
pub fn new_tiles(old: TreeSize, new: TreeSize) -> impl Iterator<Item = TileId> {
    (0..8u8).flat_map(move |level| {
        let (before, after) = (old.get() >> (8 * level), new.get() >> (8 * level));
        // The tile where the old log ended is new if it has grown.
        let start = if after > before { before / u64::from(TILE_WIDTH) } else { u64::MAX };
        (start..after.div_ceil(u64::from(TILE_WIDTH)))
            .filter_map(move |index| Some(TileId { level, index, width: width_at(new, level, index)? }))
    })
}

/// Reads a tile's hashes out of stored complete subtrees; `None` for a tile beyond a 64-bit log.
pub fn tile_hashes<R: NodeReader>(reader: &R, tile: TileId) -> Result<Option<Vec<Hash>>, R::Error> {
    tile.nodes().map(|nodes| nodes.map(|node| reader.node(node)).collect()).transpose()
}

/// Reads whole tiles, for example over HTTP or from an export.
pub trait TileReader {
    /// The reader's own error.
    type Error;

    /// The suite whose hash the tiles were made with.
    fn suite(&self) -> Suite;

    /// The hashes of `tile`, exactly as many as its width says.
    fn tile(&self, tile: TileId) -> Result<Vec<Hash>, Self::Error>;
}

/// Why a node could not be computed from tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileNodesError<E> {
    /// The node is not complete in a log of this size.
    #[error("subtree ({level}, {index}) is not complete at this size")]
    Incomplete {
        /// The node's level.
        level: u8,
        /// The node's index.
        index: u64,
    },
    /// The reader returned another number of hashes than the tile's width.
    #[error("a tile of {expected} hashes has {found}")]
    WrongWidth {
        /// The width asked for.
        expected: u16,
        /// The number of hashes found.
        found: usize,
    },
    /// The tile could not be read.
    #[error("a tile could not be read")]
    Reader(#[source] E),
}

/// A [`NodeReader`] over the tiles of a log of a given size. Reads one tile per node; a reader that caches makes a proof
/// cost one or two tiles per level. Tiles are not authenticated: check what comes out against a signed root.
pub struct TileNodes<'a, R> {
    reader: &'a R,
    size: TreeSize,
}

impl<'a, R: TileReader> TileNodes<'a, R> {
    /// Reads nodes from the tiles that a log of `size` leaves has.
    pub fn new(reader: &'a R, size: TreeSize) -> Self {
        Self { reader, size }
    }
}

impl<R: TileReader> NodeReader for TileNodes<'_, R> {
    type Error = TileNodesError<R::Error>;

    fn suite(&self) -> Suite {
        self.reader.suite()
    }

    fn node(&self, id: NodeId) -> Result<Hash, Self::Error> {
        let incomplete = || TileNodesError::Incomplete { level: id.level, index: id.index };
        if id.level >= 64 {
            return Err(incomplete());
        }
        // The node's 2^inner hashes stand side by side in one tile, because 256 is a power of two.
        let (tile_level, inner) = (id.level / 8, id.level % 8);
        let first = id.index.checked_mul(1 << inner).ok_or_else(incomplete)?;
        let index = first / u64::from(TILE_WIDTH);
        let width = width_at(self.size, tile_level, index).ok_or_else(incomplete)?;
        let start = (first % u64::from(TILE_WIDTH)) as usize;
        let tile = TileId { level: tile_level, index, width };
        let hashes = self.reader.tile(tile).map_err(TileNodesError::Reader)?;
        if hashes.len() != usize::from(width) {
            return Err(TileNodesError::WrongWidth { expected: width, found: hashes.len() });
        }
        let mut layer = hashes.get(start..start + (1 << inner)).ok_or_else(incomplete)?.to_vec();
        while layer.len() > 1 {
            let pairs = layer.as_chunks::<2>().0.iter();
            layer = pairs.map(|[left, right]| node_hash(self.suite(), left, right)).collect();
        }
        layer.first().copied().ok_or_else(incomplete)
    }
}

/// Why bytes are not an entry bundle, or entries do not fit one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry has more than 65,535 bytes.
    #[error("an entry of {bytes} bytes does not fit a bundle")]
    EntryTooLong {
        /// The entry's length.
        bytes: usize,
    },
    /// The bytes end inside an entry or before the last one.
    #[error("the entry bundle ends early")]
    Truncated,
    /// Bytes follow the last entry.
    #[error("bytes follow the last entry of the bundle")]
    Trailing,
}

/// An entry bundle: `length u16 BE ‖ entry`, repeated.
pub fn encode_entry_bundle<E: AsRef<[u8]>>(entries: impl IntoIterator<Item = E>) -> Result<Vec<u8>, BundleError> {
    let mut bundle = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong { bytes: entry.len() })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Splits a bundle into exactly `width` entries.
pub fn decode_entry_bundle(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    for _ in 0..width {
        let (length, tail) = rest.split_first_chunk::<2>().ok_or(BundleError::Truncated)?;
        let (entry, tail) =
            tail.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(BundleError::Truncated)?;
        entries.push(entry);
        rest = tail;
    }
    if rest.is_empty() { Ok(entries) } else { Err(BundleError::Trailing) }
}
