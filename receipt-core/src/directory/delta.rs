//! What changed in the directory since another one, with the seal that says so.
//!
//! ```text
//! DirectoryDelta {
//!   1 format_version  2 suite  3 from_root[32]  4 units { UnitRow }… (ascending; new or changed)  5 credentials: bytes… (SignedCredential)
//!   6 seal: bytes  7 proof text (tlog-proof: the seal is the last leaf of its checkpoint)
//! }
//! ```
//! One without rows says that nothing changed: it makes a directory as of its seal. What it takes to believe one: `opened`.

use prost::Message;

use super::row::{UnitRow, are_sound};
use crate::hash::Hash;
use crate::limits::DIRECTORY_BYTES_MAX;
use crate::record::FORMAT_VERSION;
use crate::suite::Suite;
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// The rows that changed between two blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryDelta {
    /// The chain's suite.
    pub suite: Suite,
    /// Root of the directory that it changes.
    pub from_root: Hash,
    /// Rows of units that are new, or not as they were, ascending.
    pub units: Vec<UnitRow>,
    /// The bytes of a `SignedCredential` for each key and each name that is new.
    pub credentials: Vec<Vec<u8>>,
    /// The bytes of the `Seal` that names the root after it: the log entry without its tag.
    pub seal: Vec<u8>,
    /// Proof file (c2sp.org/tlog-proof) that the seal is the last leaf of its checkpoint.
    pub proof: String,
}

#[derive(Clone, PartialEq, Message)]
struct DeltaWire {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(uint32, tag = "2")]
    suite: u32,
    #[prost(bytes = "vec", tag = "3")]
    from_root: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    units: Vec<UnitRow>,
    #[prost(bytes = "vec", repeated, tag = "5")]
    credentials: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "6")]
    seal: Vec<u8>,
    #[prost(string, tag = "7")]
    proof: String,
}

impl DirectoryDelta {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        DeltaWire {
            format_version: FORMAT_VERSION,
            suite: self.suite.number(),
            from_root: self.from_root.0.to_vec(),
            units: self.units.clone(),
            credentials: self.credentials.clone(),
            seal: self.seal.clone(),
            proof: self.proof.clone(),
        }
        .encode_to_vec()
    }

    /// Decodes the canonical bytes, at most [`DIRECTORY_BYTES_MAX`]; rows must be sound and ascend. Nothing is judged.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        const WHAT: NotCanonical = NotCanonical("DirectoryDelta");
        if bytes.len() > DIRECTORY_BYTES_MAX {
            return Err(WHAT);
        }
        let wire: DeltaWire = decode_canonical("DirectoryDelta", bytes)?;
        if wire.format_version != FORMAT_VERSION || !are_sound(&wire.units) {
            return Err(WHAT);
        }
        Ok(Self {
            suite: Suite::from_number(wire.suite).ok_or(WHAT)?,
            from_root: Hash(fixed("from_root", &wire.from_root)?),
            units: wire.units,
            credentials: wire.credentials,
            seal: wire.seal,
            proof: wire.proof,
        })
    }
}
