//! The report of a receipt that was left out: what its unit signed, and a checkpoint from after the time by which it promised the seal.
//!
//! ```text
//! {"format":"tallystick/left-out/v1",
//!  "chain":"<genesis hash, hex>",
//!  "record":"<SignedRecord>",
//!  "checkpoint":"<note, with a quorum's lines and no other>"}
//! ```
//! Canonical JSON, as a bundle. Nothing of the content is in it: whoever reads it learns what a code on paper says. That the ledger does
//! not have the record no file can prove; whoever replays the log knows. Nothing here is verified: see `verdict`. Made by `answer`.

use serde::{Deserialize, Serialize};

use super::BundleError;
use super::json::{from_json, to_json};
use super::parts::{base64, bytes_of, chain_of};
use crate::limits::LEFT_OUT_BYTES_MAX;
use crate::shown::Damage;
use crate::suite::ChainId;

/// The value of `format`.
pub const LEFT_OUT_FORMAT: &str = "tallystick/left-out/v1";

/// How a report begins, of this or a later version.
pub(super) const LEFT_OUT_START: &[u8] = b"{\"format\":\"tallystick/left-out/";
/// Where the name of the format begins.
const FORMAT_AT: usize = b"{\"format\":\"".len();
/// What a version may take, so that junk is not named.
const VERSION_BYTES_MAX: usize = 32;

/// A decoded report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The chain whose ledger lacks the record.
    pub chain: ChainId,
    /// The bytes of the `SignedRecord`, verbatim.
    pub record: Vec<u8>,
    /// A checkpoint from after the promised time, a signed note with the lines of a quorum and no other.
    pub checkpoint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeftOutJson {
    format: String,
    chain: String,
    record: String,
    checkpoint: String,
}

impl LeftOut {
    /// The canonical bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_json(&LeftOutJson {
            format: LEFT_OUT_FORMAT.to_owned(),
            chain: self.chain.0.to_string(),
            record: base64(&self.record),
            checkpoint: self.checkpoint.clone(),
        })
    }

    /// The format that a file names, if it begins as a report of another version does.
    #[must_use]
    pub fn later_format(bytes: &[u8]) -> Option<&str> {
        let rest = bytes.strip_prefix(LEFT_OUT_START)?;
        let end = rest.iter().take(VERSION_BYTES_MAX).position(|byte| *byte == b'"')?;
        let name = bytes.get(FORMAT_AT..LEFT_OUT_START.len() + end)?;
        std::str::from_utf8(name).ok().filter(|name| *name != LEFT_OUT_FORMAT)
    }

    /// Reads a file of at most [`LEFT_OUT_BYTES_MAX`] bytes; only the canonical spelling is taken.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > LEFT_OUT_BYTES_MAX {
            return Err(BundleError::TooLarge { bytes: bytes.len() });
        }
        if let Some(damage) = Damage::of_one_line(bytes) {
            return Err(BundleError::Damaged(damage));
        }
        let json: LeftOutJson = from_json(bytes)?;
        if json.format != LEFT_OUT_FORMAT {
            return Err(BundleError::Format);
        }
        let report = Self {
            chain: chain_of(&json.chain)?,
            record: bytes_of("record", &json.record)?,
            checkpoint: json.checkpoint,
        };
        if report.encode() == bytes { Ok(report) } else { Err(BundleError::NotCanonical) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;

    fn report() -> LeftOut {
        LeftOut { chain: ChainId(Hash([7; 32])), record: vec![1, 2, 3], checkpoint: "log\n1\n\"\n".to_owned() }
    }

    #[test]
    fn a_report_has_one_spelling() {
        let bytes = report().encode();
        assert_eq!(LeftOut::decode(&bytes), Ok(report()));
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.starts_with("{\"format\":\"tallystick/left-out/v1\",\"chain\":\"0707"), "{text}");
        for position in 0..bytes.len() {
            assert!(LeftOut::decode(&bytes[..position]).is_err());
            let mut flipped = bytes.clone();
            flipped[position] ^= 1;
            assert_ne!(LeftOut::decode(&flipped).as_ref(), Ok(&report()), "byte {position}");
        }
        for (from, to) in [
            ("{\"format\"", "{ \"format\""),
            ("\"chain\":\"0707", "\"chain\":\"0707".to_uppercase().as_str()),
            ("left-out/v1", "left-out/v2"),
            (",\"record\"", ",\"more\":1,\"record\""),
            (":\"AQID\"", ":\"AQID=\""),
            ("\\n1", "\\u000a1"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert!(LeftOut::decode(changed.as_bytes()).is_err(), "{changed}");
        }
        let large = vec![b' '; LEFT_OUT_BYTES_MAX + 1];
        assert_eq!(LeftOut::decode(&large), Err(BundleError::TooLarge { bytes: large.len() }));
        let saved = format!("\u{feff}{text}");
        assert!(matches!(LeftOut::decode(saved.as_bytes()), Err(BundleError::Damaged(_))));
    }
}
