//! The directory as authorities sign it: the rows of all units after one block.
//!
//! ```text
//! SignedDirectory { 1 directory: bytes  2 signers: bytes[32]… (authority keys, ascending)  3 signatures: bytes[64]… }
//! Directory { 1 format_version  2 suite  3 height  4 time_ms  5 units { UnitRow }… }         ascending by unit_id
//! ```
//! Signed strictly under `tallystick/directory/v1`, by at least as many authorities as a credential takes. Which of them count is asked
//! when it is opened (`opened`).

use prost::Message;

use super::row::{UnitRow, are_sound};
use crate::authorities::AuthoritySet;
use crate::authorized::{self, Signed};
use crate::hash::Hash;
use crate::ids::{Height, UnixMillis};
use crate::limits::DIRECTORY_BYTES_MAX;
use crate::merkle::root_of_leaves;
use crate::record::FORMAT_VERSION;
use crate::suite::{ChainId, Namespace, PublicKey, Signature, Signer, Suite};
use crate::wire::{NotCanonical, decode_canonical};

/// The rows of all units, as they were after a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The chain's suite.
    pub suite: Suite,
    /// Height of the block.
    pub height: Height,
    /// Its time.
    pub time: UnixMillis,
    /// One row a unit, ascending by number.
    pub units: Vec<UnitRow>,
}

#[derive(Clone, PartialEq, Message)]
struct DirectoryWire {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(uint32, tag = "2")]
    suite: u32,
    #[prost(uint64, tag = "3")]
    height: u64,
    #[prost(uint64, tag = "4")]
    time_ms: u64,
    #[prost(message, repeated, tag = "5")]
    units: Vec<UnitRow>,
}

impl Directory {
    /// The canonical bytes that authorities sign.
    pub fn encode(&self) -> Vec<u8> {
        DirectoryWire {
            format_version: FORMAT_VERSION,
            suite: self.suite.number(),
            height: self.height.get(),
            time_ms: self.time.get(),
            units: self.units.clone(),
        }
        .encode_to_vec()
    }

    /// Decodes the canonical bytes; rows must be sound and ascend.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        const WHAT: NotCanonical = NotCanonical("Directory");
        let wire: DirectoryWire = decode_canonical("Directory", bytes)?;
        if wire.format_version != FORMAT_VERSION || !are_sound(&wire.units) {
            return Err(WHAT);
        }
        Ok(Self {
            suite: Suite::from_number(wire.suite).ok_or(WHAT)?,
            height: Height::new(wire.height),
            time: UnixMillis::new(wire.time_ms),
            units: wire.units,
        })
    }

    /// The root of its rows, as the seal of a block names it.
    pub fn root(&self) -> Hash {
        directory_root(self.suite, &self.units)
    }
}

/// The Merkle root (RFC 6962) over the rows of all units, which ascend by number.
pub fn directory_root(suite: Suite, units: &[UnitRow]) -> Hash {
    root_of_leaves(suite, units.iter().map(UnitRow::encode))
}

/// A directory with the authorities' signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDirectory {
    /// The decoded directory.
    pub directory: Directory,
    /// The signed bytes, verbatim.
    pub directory_bytes: Vec<u8>,
    /// Public key and signature, ascending by key.
    pub signatures: Vec<(PublicKey, Signature)>,
}

impl SignedDirectory {
    /// Signs with authority keys.
    pub fn sign(directory: Directory, chain: ChainId, signers: &[&dyn Signer]) -> Self {
        let directory_bytes = directory.encode();
        let signatures = authorized::sign(Namespace::Directory, chain, &directory_bytes, signers);
        Self { directory, directory_bytes, signatures }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        authorized::encode(&self.directory_bytes, &self.signatures)
    }

    /// Decodes the canonical bytes, at most [`DIRECTORY_BYTES_MAX`]; signers must be strictly ascending. Signatures are not judged.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        const WHAT: &str = "SignedDirectory";
        if bytes.len() > DIRECTORY_BYTES_MAX {
            return Err(NotCanonical(WHAT));
        }
        let (directory_bytes, signatures) = authorized::decode(WHAT, bytes)?;
        Ok(Self { directory: Directory::decode(&directory_bytes)?, directory_bytes, signatures })
    }

    /// Whether enough of these authorities are named as signers.
    pub fn is_signed_by_enough(&self, authorities: &AuthoritySet) -> bool {
        authorities.suffices(|key| self.signatures.iter().any(|(signer, _)| signer == key))
    }

    /// Whether every given signature is valid under the directory's suite. Whether that is the chain's suite is the caller's to ask.
    pub fn signatures_hold(&self, chain: ChainId) -> bool {
        let signed = Signed {
            suite: self.directory.suite,
            namespace: Namespace::Directory,
            chain,
            message: &self.directory_bytes,
        };
        signed.by(&self.signatures)
    }
}
