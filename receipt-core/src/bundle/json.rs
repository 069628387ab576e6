//! The JSON of a bundle and of a presentation: fixed keys, one spelling.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::parts::{BatchJson, Evidence, LeafJson, StatusJson, base64, bytes_of, chain_of};
use super::{BUNDLE_FORMAT, BatchPart, Bundle, StatusPart};
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
    #[error("the file is of another format")]
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

/// A file of either format: they differ in its body.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileJson {
    format: String,
    chain: String,
    body: BodyJson,
    record: String,
    credential: String,
    batch: BatchJson,
    anchor: String,
    status: StatusJson,
}

/// Seed and values, or leaves.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BodyJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) values: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) leaves: Option<Vec<LeafJson>>,
}

/// What was read of a file.
pub(super) struct FileParts {
    pub(super) chain: ChainId,
    pub(super) body: BodyJson,
    pub(super) record: Vec<u8>,
    pub(super) credential: Vec<u8>,
    pub(super) batch: BatchPart,
    pub(super) anchor: String,
    pub(super) status: StatusPart,
}

fn body_of(bundle: &Bundle) -> BodyJson {
    let (seed, values) = (base64(bundle.seed.as_bytes()), bundle.values.clone());
    BodyJson { seed: Some(seed), values: Some(values), leaves: None }
}

/// Texts and integers under text keys only: JSON always takes them. The empty file would be refused on reading.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BundleError> {
    serde_json::from_slice(bytes).map_err(|error| BundleError::Json { problem: position_of(&error) })
}

/// The canonical bytes of a file of this format.
pub(super) fn write(format: &str, body: BodyJson, evidence: &Evidence<'_>) -> Vec<u8> {
    to_json(&FileJson {
        format: format.to_owned(),
        chain: evidence.chain.0.to_string(),
        body,
        record: base64(evidence.record),
        credential: base64(evidence.credential),
        batch: BatchJson::of(evidence.batch),
        anchor: evidence.anchor.to_owned(),
        status: StatusJson::of(evidence.status),
    })
}

/// Reads a file of this format. Whoever does has to write it again and compare.
pub(super) fn read(format: &str, bytes: &[u8]) -> Result<FileParts, BundleError> {
    if bytes.len() > BUNDLE_BYTES_MAX {
        return Err(BundleError::TooLarge { bytes: bytes.len() });
    }
    // A file has no such bytes outside of its texts, and JSON escapes CR and LF inside of them.
    if let Some(damage) = Damage::of_one_line(bytes) {
        return Err(BundleError::Damaged(damage));
    }
    let json: FileJson = from_json(bytes)?;
    if json.format != format {
        return Err(BundleError::Format);
    }
    Ok(FileParts {
        chain: chain_of(&json.chain)?,
        body: json.body,
        record: bytes_of("record", &json.record)?,
        credential: bytes_of("credential", &json.credential)?,
        batch: json.batch.read()?,
        anchor: json.anchor,
        status: json.status.read()?,
    })
}

pub(super) fn encode(bundle: &Bundle) -> Vec<u8> {
    write(BUNDLE_FORMAT, body_of(bundle), &bundle.evidence())
}

pub(super) fn body_byte_size(bundle: &Bundle) -> usize {
    to_json(&body_of(bundle)).len()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Bundle, BundleError> {
    let FileParts { chain, body, record, credential, batch, anchor, status } = read(BUNDLE_FORMAT, bytes)?;
    let (Some(seed), Some(values), None) = (body.seed, body.values, body.leaves) else {
        return Err(BundleError::Value { name: "body" });
    };
    let seed: [u8; 32] = bytes_of("seed", &seed)?.try_into().map_err(|_| BundleError::Value { name: "seed" })?;
    let seed = Seed::new(seed);
    let bundle = Bundle { chain, seed, values, record, credential, batch, anchor, status };
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
