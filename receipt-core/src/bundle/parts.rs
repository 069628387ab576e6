//! Parts that a bundle, a presentation and a ledger's answer have in common, as JSON writes them. Binary values are base64 (RFC 4648 §4, padded).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::{BatchPart, BundleError, StatusPart};
use crate::hash::Hash;
use crate::ids::LeafIndex;
use crate::suite::ChainId;

/// What a bundle and a presentation carry beside the content.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The chain that the evidence is about.
    pub chain: ChainId,
    /// The bytes of the `SignedRecord`, verbatim.
    pub record: &'a [u8],
    /// The bytes of the `SignedCredential`, verbatim.
    pub credential: &'a [u8],
    /// Where the record stands in its batch.
    pub batch: &'a BatchPart,
    /// Proof file of the batch header's log entry.
    pub anchor: &'a str,
    /// Whether the receipt is in force, as of some later checkpoint.
    pub status: &'a StatusPart,
}

/// A position of a presentation's body: salt and value, or a hash.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeafJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) salt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchJson {
    index: u64,
    path: Vec<String>,
    header: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusJson {
    seal: String,
    proof: String,
    map: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl BatchJson {
    pub(crate) fn of(part: &BatchPart) -> Self {
        Self { index: part.index.get(), path: texts(&part.path), header: base64(&part.header) }
    }

    pub(crate) fn read(&self) -> Result<BatchPart, BundleError> {
        Ok(BatchPart {
            index: LeafIndex::new(self.index),
            path: hashes("path", &self.path)?,
            header: bytes_of("header", &self.header)?,
        })
    }
}

impl StatusJson {
    pub(crate) fn of(part: &StatusPart) -> Self {
        Self {
            seal: base64(&part.seal),
            proof: part.proof.clone(),
            map: base64(&part.map),
            value: part.value.as_deref().map(base64),
        }
    }

    pub(crate) fn read(self) -> Result<StatusPart, BundleError> {
        Ok(StatusPart {
            seal: bytes_of("seal", &self.seal)?,
            proof: self.proof,
            map: bytes_of("map", &self.map)?,
            value: self.value.map(|text| bytes_of("value", &text)).transpose()?,
        })
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// A chain's id, in lower-case hex or not: whoever reads a file encodes it again and compares.
pub(crate) fn chain_of(text: &str) -> Result<ChainId, BundleError> {
    let hash = hex::decode(text).ok().and_then(|bytes| Hash::from_slice(&bytes));
    hash.map(ChainId).ok_or(BundleError::Value { name: "chain" })
}

pub(crate) fn bytes_of(name: &'static str, text: &str) -> Result<Vec<u8>, BundleError> {
    BASE64_STANDARD.decode(text).map_err(|_| BundleError::Value { name })
}

pub(crate) fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| base64(hash.as_bytes())).collect()
}

pub(crate) fn hashes(name: &'static str, texts: &[String]) -> Result<Vec<Hash>, BundleError> {
    let hash = |text: &String| Hash::from_slice(&bytes_of(name, text)?).ok_or(BundleError::Value { name });
    texts.iter().map(hash).collect()
}
