//! A presentation (`.tally`, too): what the holder of a bundle shows of it, with the proofs of all of it. Of every other value there is
//! a hash, which tells nothing: it is salted with 16 bytes that derive from the seed, and neither seed nor salt is in the file.
//!
//! ```text
//! {"format":"tallystick/bundle/presentation/v1",
//!  "chain":"<genesis hash, hex>",
//!  "body":[{"salt":"<16 bytes>","value":"…"},{"hash":"<32 bytes>"},…],     one a position: shown, or withheld
//!  "record":…,"credential":…,"batch":…,"anchor":…,"status":…}              as in a bundle
//! ```
//! Canonical JSON, as a bundle. What record and credential say anyway is always shown ([`SHOWN_ALWAYS`]), and the check code never
//! ([`NEVER_SHOWN`]): whoever has it fetches the whole receipt. Nothing here is verified: see `verdict`.

use serde::{Deserialize, Serialize};

use super::json::{from_json, to_json};
use super::parts::{BatchJson, StatusJson, base64, bytes_of, chain_of};
use super::{BatchPart, BundleError, StatusPart};
use crate::hash::Hash;
use crate::limits::BUNDLE_BYTES_MAX;
use crate::receipt::disclosure::{SALT_BYTES, Salt};
use crate::receipt::layout::HEADER_NAMES;
use crate::shown::Damage;
use crate::suite::{ChainId, Suite};

/// The value of `format`.
pub const PRESENTATION_FORMAT: &str = "tallystick/bundle/presentation/v1";

/// Values that stand in every presentation: signed record and credential state them, the kind of receipt follows from its code, and the
/// counts say which rows there are.
pub const SHOWN_ALWAYS: [&str; 11] = [
    "receipt_code",
    "receipt_number",
    "issue_time",
    "unit_name",
    "unit_code",
    "issue_date",
    "total_amount",
    "receipt_name",
    "supervisor_area_code",
    "item_count",
    "aux_count",
];

/// The value that stands in none: with code and number it gives the whole receipt to whoever has it.
pub const NEVER_SHOWN: &str = "check_code";

/// One position of a presentation's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// A value that is shown.
    Shown {
        /// Its salt.
        salt: Salt,
        /// Its text.
        value: String,
    },
    /// The leaf's hash, of a value that is withheld.
    Withheld(Hash),
}

impl Leaf {
    /// The value, if it is shown.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Shown { value, .. } => Some(value),
            Self::Withheld(_) => None,
        }
    }
}

/// A decoded presentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// The chain that the evidence is about.
    pub chain: ChainId,
    /// What is shown and what is withheld, by position.
    pub leaves: Vec<Leaf>,
    /// The bytes of the `SignedRecord`, verbatim.
    pub record: Vec<u8>,
    /// The bytes of the `SignedCredential`, verbatim.
    pub credential: Vec<u8>,
    /// Where the record stands in its batch.
    pub batch: BatchPart,
    /// Proof file (c2sp.org/tlog-proof) of the batch header's log entry.
    pub anchor: String,
    /// Whether the receipt is in force, as of some later checkpoint.
    pub status: StatusPart,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PresentationJson {
    format: String,
    chain: String,
    body: Vec<LeafJson>,
    record: String,
    credential: String,
    batch: BatchJson,
    anchor: String,
    status: StatusJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeafJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

const BODY: BundleError = BundleError::Value { name: "body" };

impl LeafJson {
    fn of(leaf: &Leaf) -> Self {
        match leaf {
            Leaf::Shown { salt, value } => Self { salt: Some(base64(&salt.0)), value: Some(value.clone()), hash: None },
            Leaf::Withheld(hash) => Self { salt: None, value: None, hash: Some(base64(hash.as_bytes())) },
        }
    }

    fn read(self) -> Result<Leaf, BundleError> {
        match (self.salt, self.value, self.hash) {
            (Some(salt), Some(value), None) => {
                let salt: [u8; SALT_BYTES] = bytes_of("body", &salt)?.try_into().map_err(|_| BODY)?;
                Ok(Leaf::Shown { salt: Salt(salt), value })
            }
            (None, None, Some(hash)) => Hash::from_slice(&bytes_of("body", &hash)?).map(Leaf::Withheld).ok_or(BODY),
            _ => Err(BODY),
        }
    }
}

impl Presentation {
    /// The canonical bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        to_json(&PresentationJson {
            format: PRESENTATION_FORMAT.to_owned(),
            chain: self.chain.0.to_string(),
            body: self.leaves.iter().map(LeafJson::of).collect(),
            record: base64(&self.record),
            credential: base64(&self.credential),
            batch: BatchJson::of(&self.batch),
            anchor: self.anchor.clone(),
            status: StatusJson::of(&self.status),
        })
    }

    /// Reads a file of at most [`BUNDLE_BYTES_MAX`] bytes; only the canonical spelling is taken, and only with every value shown that
    /// must be, and none that must not.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLarge { bytes: bytes.len() });
        }
        if let Some(damage) = Damage::of_one_line(bytes) {
            return Err(BundleError::Damaged(damage));
        }
        let json: PresentationJson = from_json(bytes)?;
        if json.format != PRESENTATION_FORMAT {
            return Err(BundleError::Value { name: "format" });
        }
        let presentation = Self {
            chain: chain_of(&json.chain)?,
            leaves: json.body.into_iter().map(LeafJson::read).collect::<Result<_, _>>()?,
            record: bytes_of("record", &json.record)?,
            credential: bytes_of("credential", &json.credential)?,
            batch: json.batch.read()?,
            anchor: json.anchor,
            status: json.status.read()?,
        };
        if !shows_what_it_must(&presentation.leaves) {
            return Err(BODY);
        }
        if presentation.encode() == bytes { Ok(presentation) } else { Err(BundleError::NotCanonical) }
    }

    /// The hashes of all leaves, by position.
    pub fn leaf_hashes(&self, suite: Suite) -> Vec<Hash> {
        let hash = |(position, leaf): (u32, &Leaf)| match leaf {
            Leaf::Shown { salt, value } => salt.leaf_hash(suite, position, value),
            Leaf::Withheld(hash) => *hash,
        };
        (0_u32..).zip(&self.leaves).map(hash).collect()
    }

    /// The values that are shown, by position.
    pub fn values(&self) -> Vec<Option<&str>> {
        self.leaves.iter().map(Leaf::value).collect()
    }
}

fn shows_what_it_must(leaves: &[Leaf]) -> bool {
    let is_well = |(name, leaf): (&&str, &Leaf)| match leaf {
        Leaf::Shown { .. } => *name != NEVER_SHOWN,
        Leaf::Withheld(_) => !SHOWN_ALWAYS.contains(name),
    };
    leaves.len() >= HEADER_NAMES.len() && HEADER_NAMES.iter().zip(leaves).all(is_well)
}
