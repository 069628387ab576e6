//! The bundle (`.tally`): one receipt with all its evidence in one file, a citizen's for ever.
//!
//! Canonical JSON: exactly these keys in this order, no white space outside of texts, texts escaped as little as JSON
//! allows. What is read is decoded, encoded again and compared, so a bundle has exactly one spelling. Binary values are
//! base64 (RFC 4648 §4, padded).
//! ```text
//! {"format":"tallystick/bundle/v1",
//!  "chain":"<genesis hash, hex>",
//!  "body":{"seed":"<32 bytes>","values":["…",…]},           every disclosure, by position
//!  "record":"<SignedRecord>",                                the leaf of the batch tree
//!  "credential":"<SignedCredential>",
//!  "batch":{"index":3,"path":["<hash>",…],"header":"<SignedBatchHeader>"},
//!  "anchor":"<tlog-proof: the entry 0x01 ‖ header stands in the log>",
//!  "status":{"seal":"<Seal>","proof":"<tlog-proof: the entry 0x04 ‖ seal is the last leaf>",
//!            "map":"<proof under the seal's status root>","value":"<salt ‖ status>"}}
//! ```
//! `value` stands there only if the receipt is not plainly in force. Nothing here is verified: see `verdict`. What a holder shows of a
//! bundle is a file of its own kind (`presentation`), made by `share`.

use crate::hash::Hash;
use crate::ids::LeafIndex;
use crate::receipt::disclosure::Seed;
use crate::suite::ChainId;

mod body_line;
mod file;
pub(crate) mod json;
mod kind;
mod left_out;
pub(crate) mod parts;
mod presentation;
pub(crate) mod share;

pub use body_line::{Absence, BodyContent, BodyLine};
pub use file::ReceiptFile;
pub use json::BundleError;
pub use kind::{FileKind, FileSort, kind_of};
pub use left_out::{LEFT_OUT_FORMAT, LeftOut};
pub use parts::Evidence;
pub use presentation::{Leaf, NEVER_SHOWN, PRESENTATION_FORMAT, Presentation, SHOWN_ALWAYS};
pub use share::{ShareError, is_always_shown, share};

/// The value of `format`.
pub const BUNDLE_FORMAT: &str = "tallystick/bundle/v1";

/// A decoded bundle. Public fields: an issuer fills them in, a verifier reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The chain that the evidence is about.
    pub chain: ChainId,
    /// The secret from which all salts derive.
    pub seed: Seed,
    /// Every value of the receipt, by position.
    pub values: Vec<String>,
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

/// A record's place in its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPart {
    /// Index of the record.
    pub index: LeafIndex,
    /// The inclusion path, the record's sibling first.
    pub path: Vec<Hash>,
    /// The bytes of the `SignedBatchHeader`, verbatim: the log entry without its tag.
    pub header: Vec<u8>,
}

/// What the status map says of a record. The only part that ages: fetched anew, it says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPart {
    /// The bytes of the `Seal`, verbatim: the log entry without its tag.
    pub seal: Vec<u8>,
    /// Proof file (c2sp.org/tlog-proof) that the seal is the last leaf of its checkpoint.
    pub proof: String,
    /// Proof of presence or absence under the seal's status root, verbatim.
    pub map: Vec<u8>,
    /// The status that is present (salt ‖ status); `None`: the map does not know the record.
    pub value: Option<Vec<u8>>,
}

impl Bundle {
    /// The canonical bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        json::encode(self)
    }

    /// Reads a file of at most [`crate::limits::BUNDLE_BYTES_MAX`] bytes; only the canonical spelling is taken.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        json::decode(bytes)
    }

    /// Everything but the content.
    pub fn evidence(&self) -> Evidence<'_> {
        let Self { chain, record, credential, batch, anchor, status, .. } = self;
        Evidence { chain: *chain, record, credential, batch, anchor, status }
    }

    /// Bytes of the file without the body's JSON: what the evidence costs.
    pub fn evidence_byte_size(&self) -> usize {
        let body: usize = json::body_byte_size(self);
        self.encode().len().saturating_sub(body)
    }
}
