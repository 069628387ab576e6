//! A body line: how an issuer hands a receipt's content to an auditor, one canonical JSON object per line.
//!
//! ```text
//! {"record":"<SignedRecord>","seed":"<32 bytes>","values":["…",…]}\n
//! ```
//! Binary values are base64. The record says which receipt it is; whether the values are what it commits to is for the
//! reader. A file of them is personal data in the open: it travels and rests encrypted, and is deleted after the audit.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::BundleError;
use crate::limits::BUNDLE_BYTES_MAX;
use crate::receipt::disclosure::Seed;

/// One receipt's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyLine {
    /// The bytes of the `SignedRecord`, verbatim.
    pub record: Vec<u8>,
    /// The secret from which all salts derive.
    pub seed: Seed,
    /// Every value of the receipt, by position.
    pub values: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineJson {
    record: String,
    seed: String,
    values: Vec<String>,
}

impl BodyLine {
    /// The canonical line, without its newline.
    pub fn encode(&self) -> Vec<u8> {
        super::json::to_json(&LineJson {
            record: BASE64_STANDARD.encode(&self.record),
            seed: BASE64_STANDARD.encode(self.seed.as_bytes()),
            values: self.values.clone(),
        })
    }

    /// Reads a line without its newline; only the canonical spelling is taken.
    pub fn decode(line: &[u8]) -> Result<Self, BundleError> {
        if line.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLarge { bytes: line.len() });
        }
        let json: LineJson = super::json::from_json(line)?;
        let bytes_of = |name, text: &str| BASE64_STANDARD.decode(text).map_err(|_| BundleError::Value { name });
        let seed = bytes_of("seed", &json.seed)?.try_into().map_err(|_| BundleError::Value { name: "seed" })?;
        let body = Self { record: bytes_of("record", &json.record)?, seed: Seed::new(seed), values: json.values };
        if body.encode() == line { Ok(body) } else { Err(BundleError::NotCanonical) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_one_spelling() {
        let body =
            BodyLine {
                record: vec![1, 2], seed: Seed::new([3; 32]), values: vec!["医\n\"".to_owned(), String::new()]
            };
        let line = body.encode();
        assert!(!line.contains(&b'\n'));
        assert_eq!(BodyLine::decode(&line).unwrap(), body);
        for position in 0..line.len() {
            let mut flipped = line.clone();
            flipped[position] ^= 1;
            assert_ne!(BodyLine::decode(&flipped).as_ref(), Ok(&body), "byte {position}");
            assert!(BodyLine::decode(&line[..position]).is_err());
        }
    }
}
