//! A body line: how an issuer hands a receipt's content to an auditor, one canonical JSON object per line.
//!
//! ```text
//! {"record":"<SignedRecord>","seed":"<32 bytes>","values":["…",…]}\n      the content
//! {"record":"<SignedRecord>","absent":"erased"}\n                         none, and why: `erased`, `lost` or `never_held`
//! ```
//! Binary values are base64. The record says which receipt it is; whether the values are what it commits to is for the
//! reader. A file of them is personal data in the open: it travels and rests encrypted, and is deleted after the audit.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::BundleError;
use crate::limits::BUNDLE_BYTES_MAX;
use crate::receipt::disclosure::Seed;

/// One receipt's content, or why its issuer has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyLine {
    /// The bytes of the `SignedRecord`, verbatim.
    pub record: Vec<u8>,
    /// The content, or why there is none, as the issuer says. Nobody can check that word.
    pub content: Result<BodyContent, Absence>,
}

/// Why an issuer has no content of a receipt that it answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// It was erased on purpose, and the issuer has noted when.
    Erased,
    /// The issuer made this receipt, and its content cannot be read any more: damage, which nobody ordered.
    Lost,
    /// The issuer learnt of the receipt from the ledger, after it had lost its journal; nobody has brought the content back.
    NeverHeld,
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
    absent: Option<Absence>,
}

impl BodyLine {
    /// The canonical line, without its newline.
    pub fn encode(&self) -> Vec<u8> {
        super::json::to_json(&LineJson {
            record: BASE64_STANDARD.encode(&self.record),
            seed: self.content.as_ref().ok().map(|content| BASE64_STANDARD.encode(content.seed.as_bytes())),
            values: self.content.as_ref().ok().map(|content| content.values.clone()),
            absent: self.content.as_ref().err().copied(),
        })
    }

    /// Reads a line without its newline; only the canonical spelling is taken.
    pub fn decode(line: &[u8]) -> Result<Self, BundleError> {
        if line.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLarge { bytes: line.len() });
        }
        let json: LineJson = super::json::from_json(line)?;
        let bytes_of = |name, text: &str| BASE64_STANDARD.decode(text).map_err(|_| BundleError::Value { name });
        let content = match (json.seed, json.values, json.absent) {
            (Some(seed), Some(values), None) => {
                let seed = bytes_of("seed", &seed)?.try_into().map_err(|_| BundleError::Value { name: "seed" })?;
                Ok(BodyContent { seed: Seed::new(seed), values })
            }
            (None, None, Some(absence)) => Err(absence),
            _ => return Err(BundleError::Value { name: "absent" }),
        };
        let body = Self { record: bytes_of("record", &json.record)?, content };
        if body.encode() == line { Ok(body) } else { Err(BundleError::NotCanonical) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> [BodyLine; 4] {
        let content = BodyContent { seed: Seed::new([3; 32]), values: vec!["医\n\"".to_owned(), String::new()] };
        [Ok(content), Err(Absence::Erased), Err(Absence::Lost), Err(Absence::NeverHeld)]
            .map(|content| BodyLine { record: vec![1, 2], content })
    }

    #[test]
    fn why_there_is_no_content_is_one_of_three_words() {
        let words = lines().into_iter().skip(1).map(|line| String::from_utf8(line.encode()).unwrap());
        let words: Vec<String> = words.collect();
        let line = |word: &str| format!(r#"{{"record":"AQI=","absent":"{word}"}}"#);
        assert_eq!(words, ["erased", "lost", "never_held"].map(line));
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
    fn a_line_is_content_or_absent_never_both_nor_neither() {
        for line in [
            r#"{"record":"AQI="}"#,
            r#"{"record":"AQI=","absent":"gone"}"#,
            r#"{"record":"AQI=","absent":null}"#,
            r#"{"record":"AQI=","erased":true}"#,
            r#"{"record":"AQI=","values":[]}"#,
            r#"{"record":"AQI=","seed":"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="}"#,
            r#"{"record":"AQI=","seed":"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=","values":[],"absent":"erased"}"#,
        ] {
            assert!(BodyLine::decode(line.as_bytes()).is_err(), "{line}");
        }
    }
}
