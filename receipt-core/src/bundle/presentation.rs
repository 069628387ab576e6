//! A presentation (`.tally`, too): what the holder of a bundle shows of it, with the proofs of all of it. Of every other value there is
//! a hash, which tells nothing: it is salted with 16 bytes that derive from the seed, and neither seed nor salt is in the file.
//!
//! ```text
//! {"format":"tallystick/bundle/presentation/v1",
//!  "chain":"<genesis hash, hex>",
//!  "body":{"leaves":[{"salt":"<16 bytes>","value":"…"},                     one a position: shown,
//!                    {"hash":"<32 bytes>"},…]},                              or withheld
//!  "record":…,"credential":…,"batch":…,"anchor":…,"status":…}              as in a bundle
//! ```
//! Canonical JSON, as a bundle. What record and credential say anyway is always shown ([`SHOWN_ALWAYS`]), and the check code never
//! ([`NEVER_SHOWN`]): whoever has it fetches the whole receipt. Nothing here is verified: see `verdict`.

use super::json::{self, BodyJson, FileParts};
use super::parts::{Evidence, LeafJson, base64, bytes_of};
use super::{BatchPart, BundleError, StatusPart};
use crate::hash::Hash;
use crate::receipt::disclosure::{SALT_BYTES, Salt};
use crate::receipt::layout::HEADER_NAMES;
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

const BODY: BundleError = BundleError::Value { name: "body" };

fn written(leaf: &Leaf) -> LeafJson {
    match leaf {
        Leaf::Shown { salt, value } => LeafJson { salt: Some(base64(&salt.0)), value: Some(value.clone()), hash: None },
        Leaf::Withheld(hash) => LeafJson { salt: None, value: None, hash: Some(base64(hash.as_bytes())) },
    }
}

fn read_leaf(json: LeafJson) -> Result<Leaf, BundleError> {
    match (json.salt, json.value, json.hash) {
        (Some(salt), Some(value), None) => {
            let salt: [u8; SALT_BYTES] = bytes_of("body", &salt)?.try_into().map_err(|_| BODY)?;
            Ok(Leaf::Shown { salt: Salt(salt), value })
        }
        (None, None, Some(hash)) => Hash::from_slice(&bytes_of("body", &hash)?).map(Leaf::Withheld).ok_or(BODY),
        _ => Err(BODY),
    }
}

impl Presentation {
    /// The canonical bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let leaves = self.leaves.iter().map(written).collect();
        let body = BodyJson { leaves: Some(leaves), ..BodyJson::default() };
        json::write(PRESENTATION_FORMAT, body, &self.evidence())
    }

    /// Reads a file of at most [`crate::limits::BUNDLE_BYTES_MAX`] bytes; only the canonical spelling is taken, and only with every value
    /// shown that must be, and none that must not.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let FileParts { chain, body, record, credential, batch, anchor, status } =
            json::read(PRESENTATION_FORMAT, bytes)?;
        let leaves = body.leaves.ok_or(BODY)?.into_iter().map(read_leaf).collect::<Result<Vec<_>, _>>()?;
        if !shows_what_it_must(&leaves) {
            return Err(BODY);
        }
        let presentation = Self { chain, leaves, record, credential, batch, anchor, status };
        if presentation.encode() == bytes { Ok(presentation) } else { Err(BundleError::NotCanonical) }
    }

    /// Everything but the content.
    pub fn evidence(&self) -> Evidence<'_> {
        let Self { chain, record, credential, batch, anchor, status, .. } = self;
        Evidence { chain: *chain, record, credential, batch, anchor, status }
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
