//! The JSON of a bundle: fixed keys, one spelling.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{BUNDLE_FORMAT, BatchPart, Bundle, StatusPart};
use crate::hash::Hash;
use crate::ids::LeafIndex;
use crate::limits::BUNDLE_BYTES_MAX;
use crate::receipt::disclosure::Seed;
use crate::shown::Damage;
use crate::suite::ChainId;

/// Why bytes are not a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The file is longer than [`BUNDLE_BYTES_MAX`].
    #[error("a bundle of {bytes} bytes is too large")]
    TooLarge {
        /// The file's length.
        bytes: usize,
    },
    /// Not JSON, or with other keys or values than the format has.
    #[error("not the JSON of a bundle: {problem}")]
    Json {
        /// What the reader met, and where.
        problem: String,
    },
    /// A program between the issuer and here changed it.
    #[error("{}", .0.sentence())]
    Damaged(Damage),
    /// The format's name is another.
    #[error("the format is not {BUNDLE_FORMAT}")]
    Format,
    /// A value does not read.
    #[error("the value of {name} is malformed")]
    Value {
        /// Its key.
        name: &'static str,
    },
    /// The same content would be written differently.
    #[error("the JSON is not in canonical form")]
    NotCanonical,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BundleJson {
    format: String,
    chain: String,
    body: BodyJson,
    record: String,
    credential: String,
    batch: BatchJson,
    anchor: String,
    status: StatusJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyJson {
    seed: String,
    values: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchJson {
    index: u64,
    path: Vec<String>,
    header: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusJson {
    seal: String,
    proof: String,
    map: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn bytes_of(name: &'static str, text: &str) -> Result<Vec<u8>, BundleError> {
    BASE64_STANDARD.decode(text).map_err(|_| BundleError::Value { name })
}

fn body_of(bundle: &Bundle) -> BodyJson {
    BodyJson { seed: base64(bundle.seed.as_bytes()), values: bundle.values.clone() }
}

/// Texts and integers under text keys only: JSON always takes them. The empty file would be refused on reading.
pub(super) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BundleError> {
    serde_json::from_slice(bytes).map_err(|error| BundleError::Json { problem: position_of(&error) })
}

pub(super) fn encode(bundle: &Bundle) -> Vec<u8> {
    to_json(&BundleJson {
        format: BUNDLE_FORMAT.to_owned(),
        chain: bundle.chain.0.to_string(),
        body: body_of(bundle),
        record: base64(&bundle.record),
        credential: base64(&bundle.credential),
        batch: BatchJson {
            index: bundle.batch.index.get(),
            path: bundle.batch.path.iter().map(|hash| base64(hash.as_bytes())).collect(),
            header: base64(&bundle.batch.header),
        },
        anchor: bundle.anchor.clone(),
        status: StatusJson {
            seal: base64(&bundle.status.seal),
            proof: bundle.status.proof.clone(),
            map: base64(&bundle.status.map),
            value: bundle.status.value.as_deref().map(base64),
        },
    })
}

pub(super) fn body_byte_size(bundle: &Bundle) -> usize {
    to_json(&body_of(bundle)).len()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Bundle, BundleError> {
    if bytes.len() > BUNDLE_BYTES_MAX {
        return Err(BundleError::TooLarge { bytes: bytes.len() });
    }
    // A bundle has no such bytes outside of its texts, and JSON escapes CR and LF inside of them.
    if let Some(damage) = Damage::of_one_line(bytes) {
        return Err(BundleError::Damaged(damage));
    }
    let json: BundleJson = from_json(bytes)?;
    if json.format != BUNDLE_FORMAT {
        return Err(BundleError::Format);
    }
    let hash = |name, bytes: Vec<u8>| Hash::from_slice(&bytes).ok_or(BundleError::Value { name });
    let chain = hex::decode(&json.chain).map_err(|_| BundleError::Value { name: "chain" })?;
    let seed: [u8; 32] =
        bytes_of("seed", &json.body.seed)?.try_into().map_err(|_| BundleError::Value { name: "seed" })?;
    let path = json.batch.path.iter().map(|text| hash("path", bytes_of("path", text)?));
    let bundle = Bundle {
        chain: ChainId(hash("chain", chain)?),
        seed: Seed::new(seed),
        values: json.body.values,
        record: bytes_of("record", &json.record)?,
        credential: bytes_of("credential", &json.credential)?,
        batch: BatchPart {
            index: LeafIndex::new(json.batch.index),
            path: path.collect::<Result<_, _>>()?,
            header: bytes_of("header", &json.batch.header)?,
        },
        anchor: json.anchor,
        status: StatusPart {
            seal: bytes_of("seal", &json.status.seal)?,
            proof: json.status.proof,
            map: bytes_of("map", &json.status.map)?,
            value: json.status.value.map(|text| bytes_of("value", &text)).transpose()?,
        },
    };
    if encode(&bundle) == bytes { Ok(bundle) } else { Err(BundleError::NotCanonical) }
}

/// Where the reader stopped, without quoting what stands there: a bundle's values are personal.
fn position_of(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "a key or value is not the format's",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "it is not JSON",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}
