//! A body line: how an issuer hands a receipt's content to an auditor, one canonical JSON object per line.
//!
//! ```text
//! {"record":"<SignedRecord>","seed":"<32 bytes>","values":["…",…]}\n      the content
//! {"record":"<SignedRecord>","erased":true}\n                             the issuer says that it was erased
//! ```
//! Binary values are base64. The record says which receipt it is; whether the values are what it commits to is for the
//! reader. A file of them is personal data in the open: it travels and rests encrypted, and is deleted after the audit.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::BundleError;
use crate::limits::BUNDLE_BYTES_MAX;
use crate::receipt::disclosure::Seed;

/// One receipt's content, or the word that it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyLine {
    /// The bytes of the `SignedRecord`, verbatim.
    pub record: Vec<u8>,
    /// The content; `None`: erased, as the issuer says. Nobody can check that word.
    pub content: Option<BodyContent>,
}

/// What a record's body root commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyContent {
    /// The secret from which all salts derive.
    pub seed: Seed,
    /// Every value of the receipt, by position.
    pub values: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineJson {
    record: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erased: Option<bool>,
}

impl BodyLine {
    /// The canonical line, without its newline.
    pub fn encode(&self) -> Vec<u8> {
        super::json::to_json(&LineJson {
            record: BASE64_STANDARD.encode(&self.record),
            seed: self.content.as_ref().map(|content| BASE64_STANDARD.encode(content.seed.as_bytes())),
            values: self.content.as_ref().map(|content| content.values.clone()),
            erased: self.content.is_none().then_some(true),
        })
    }

    /// Reads a line without its newline; only the canonical spelling is taken.
    pub fn decode(line: &[u8]) -> Result<Self, BundleError> {
        if line.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLarge { bytes: line.len() });
        }
        let json: LineJson = super::json::from_json(line)?;
        let bytes_of = |name, text: &str| BASE64_STANDARD.decode(text).map_err(|_| BundleError::Value { name });
        let content = match (json.seed, json.values, json.erased) {
            (Some(seed), Some(values), None) => {
                let seed = bytes_of("seed", &seed)?.try_into().map_err(|_| BundleError::Value { name: "seed" })?;
                Some(BodyContent { seed: Seed::new(seed), values })
            }
            (None, None, Some(true)) => None,
            _ => return Err(BundleError::Value { name: "erased" }),
        };
        let body = Self { record: bytes_of("record", &json.record)?, content };
        if body.encode() == line { Ok(body) } else { Err(BundleError::NotCanonical) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> [BodyLine; 2] {
        let content = BodyContent { seed: Seed::new([3; 32]), values: vec!["医\n\"".to_owned(), String::new()] };
        [BodyLine { record: vec![1, 2], content: Some(content) }, BodyLine { record: vec![1, 2], content: None }]
    }

    #[test]
    fn a_line_has_one_spelling() {
        for body in lines() {
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

    #[test]
    fn a_line_is_content_or_erased_never_both_nor_neither() {
        for line in [
            r#"{"record":"AQI="}"#,
            r#"{"record":"AQI=","erased":false}"#,
            r#"{"record":"AQI=","erased":null}"#,
            r#"{"record":"AQI=","values":[]}"#,
            r#"{"record":"AQI=","seed":"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="}"#,
            r#"{"record":"AQI=","seed":"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=","values":[],"erased":true}"#,
        ] {
            assert!(BodyLine::decode(line.as_bytes()).is_err(), "{line}");
        }
    }
}
