//! The JSON of a bundle: fixed keys, one spelling.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::parts::{BatchJson, StatusJson, base64, bytes_of, chain_of};
use super::{BUNDLE_FORMAT, Bundle};
use crate::limits::BUNDLE_BYTES_MAX;
use crate::receipt::disclosure::Seed;
use crate::shown::Damage;

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

fn body_of(bundle: &Bundle) -> BodyJson {
    BodyJson { seed: base64(bundle.seed.as_bytes()), values: bundle.values.clone() }
}

/// Texts and integers under text keys only: JSON always takes them. The empty file would be refused on reading.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BundleError> {
    serde_json::from_slice(bytes).map_err(|error| BundleError::Json { problem: position_of(&error) })
}

pub(super) fn encode(bundle: &Bundle) -> Vec<u8> {
    to_json(&BundleJson {
        format: BUNDLE_FORMAT.to_owned(),
        chain: bundle.chain.0.to_string(),
        body: body_of(bundle),
        record: base64(&bundle.record),
        credential: base64(&bundle.credential),
        batch: BatchJson::of(&bundle.batch),
        anchor: bundle.anchor.clone(),
        status: StatusJson::of(&bundle.status),
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
    let seed: [u8; 32] =
        bytes_of("seed", &json.body.seed)?.try_into().map_err(|_| BundleError::Value { name: "seed" })?;
    let bundle = Bundle {
        chain: chain_of(&json.chain)?,
        seed: Seed::new(seed),
        values: json.body.values,
        record: bytes_of("record", &json.record)?,
        credential: bytes_of("credential", &json.credential)?,
        batch: json.batch.read()?,
        anchor: json.anchor,
        status: json.status.read()?,
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
