//! Keyed hashes that let the ledger enforce uniqueness without seeing what it compares.
//!
//! Issuers and the bureau share the secret; nodes do not have it. Each key is the suite's keyed hash (suite 1: HMAC-SHA256)
//! under the secret, cut to 16 bytes, over a domain, a newline (0x0A) and what it stands for:
//! ```text
//! tallystick/biz-key/v1                  unit id (u32, big-endian) ‖ biz_code
//! tallystick/payment-key/v1              pay code
//! tallystick/medical-settlement-key/v1   settlement number
//! tallystick/decision-key/v1             decision number ‖ 0x00 ‖ instalment
//! ```
//! References of payments, settlements and decisions are hashed in their canonical text ([`canonical_reference`]), so that one
//! decision written with full-width digits, another dash or in lower case is one decision. A `biz_code` is hashed as it is: it is
//! the caller's own.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use crate::ids::UnitId;
use crate::receipt::chars::{self, GeneralCategory};
use crate::suite::Suite;
use crate::suite::hashing::KeyedHasher;

/// The secret behind all keyed hashes of one key epoch.
#[derive(Clone)]
pub struct BlindingSecret(KeyedHasher);

/// What a uniqueness key stands for. At most one live receipt holds a given key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UniquenessType {
    /// 1: a payment, by its 缴款码 (pay code).
    Payment,
    /// 2: a medical settlement, by its settlement number.
    MedicalSettlement,
    /// 3: a penalty decision and its instalment (V15).
    Decision,
}

impl UniquenessType {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Payment => 1,
            Self::MedicalSettlement => 2,
            Self::Decision => 3,
        }
    }

    /// The type with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Payment),
            2 => Some(Self::MedicalSettlement),
            3 => Some(Self::Decision),
            _ => None,
        }
    }

    const fn domain(self) -> &'static str {
        match self {
            Self::Payment => "tallystick/payment-key/v1\n",
            Self::MedicalSettlement => "tallystick/medical-settlement-key/v1\n",
            Self::Decision => "tallystick/decision-key/v1\n",
        }
    }
}

/// A typed 16-byte keyed hash, 17 bytes on the wire: type ‖ hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniquenessKey {
    /// What it stands for.
    pub kind: UniquenessType,
    /// The keyed hash of the reference.
    pub hash: [u8; 16],
}

impl UniquenessKey {
    /// type ‖ hash.
    pub fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [0; 17];
        bytes[0] = self.kind.number();
        bytes[1..].copy_from_slice(&self.hash);
        bytes
    }

    /// Reads type ‖ hash.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        Some(Self { kind: UniquenessType::from_number(*first)?, hash: rest.try_into().ok()? })
    }
}

impl BlindingSecret {
    /// Wraps 32 random bytes, for receipts of a chain of `suite`.
    pub fn new(suite: Suite, secret: [u8; 32]) -> Self {
        Self(suite.keyed(&secret))
    }

    /// The uniqueness key of `reference` (pay code, settlement number, `decision ‖ 0x00 ‖ instalment`), however it is written.
    pub fn uniqueness_key(&self, kind: UniquenessType, reference: &str) -> UniquenessKey {
        UniquenessKey { kind, hash: self.keyed(kind.domain(), &[canonical_reference(reference).as_bytes()]) }
    }

    /// The key of a unit's `biz_code` (业务流水号).
    pub fn biz_key(&self, unit: UnitId, biz_code: &str) -> [u8; 16] {
        self.keyed("tallystick/biz-key/v1\n", &[&unit.get().to_be_bytes(), biz_code.as_bytes()])
    }

    fn keyed(&self, domain: &str, parts: &[&[u8]]) -> [u8; 16] {
        self.0.clone().short_of([domain.as_bytes()].into_iter().chain(parts.iter().copied()))
    }
}

/// The one text under which a reference is compared, whatever a keyboard made of it: Unicode normal form KC (full-width letters
/// and digits become ASCII), then upper case; every dash (Dash_Punctuation, U+2212) is `-`, every opening and closing bracket
/// (Open_, Close_Punctuation) `(` and `)`; white space and variation selectors are left out. docs/spec/record.md.
pub fn canonical_reference(text: &str) -> Cow<'_, str> {
    let is_canonical = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'-' | b'(' | b')' | 0);
    if text.bytes().all(is_canonical) {
        return Cow::Borrowed(text);
    }
    let canonical = |character: char| match chars::category(character) {
        _ if character.is_whitespace() || chars::is_variation_selector(character) => None,
        GeneralCategory::DashPunctuation => Some('-'),
        GeneralCategory::OpenPunctuation => Some('('),
        GeneralCategory::ClosePunctuation => Some(')'),
        _ if character == '\u{2212}' => Some('-'),
        _ => Some(character),
    };
    Cow::Owned(text.nfkc().flat_map(char::to_uppercase).filter_map(canonical).collect())
}

impl std::fmt::Debug for BlindingSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlindingSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reference_however_it_is_written() {
        for (canonical, others) in [
            (
                "3101-A1",
                &["３１０１-A1", "3101—a1", "3101–Ａ１", "3101 － a1", "3101\u{2212}A1", "3101‐A1", "３１０１﹣Ａ1"][..],
            ),
            (
                "沪公罚字(2026)第1号",
                &["沪公罚字〔2026〕第1号", "沪公罚字﹝2026﹞第１号", "沪公罚字[2026]第1号", "沪公罚字 【2026】 第1号"],
            ),
            ("葛1", &["葛\u{e0100}1", "葛１", "葛\u{3000}1"]),
        ] {
            assert_eq!(canonical_reference(canonical), canonical);
            for other in others {
                assert_eq!(canonical_reference(other), canonical, "{other}");
                assert_eq!(canonical_reference(&canonical_reference(other)), canonical, "{other}: once is enough");
            }
        }
        // Two of them stay two, and an instalment stays apart from its decision.
        for (one, other) in [("3101", "31O1"), ("31-01", "3101"), ("1\x001", "11"), ("A1\x001", "A\x0011")] {
            assert_ne!(canonical_reference(one), canonical_reference(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn keys_are_of_the_canonical_text_and_biz_keys_of_the_given() {
        let secret = BlindingSecret::new(Suite::Ed25519Sha256, [7; 32]);
        let key = |kind, text: &str| secret.uniqueness_key(kind, text);
        for kind in [UniquenessType::Payment, UniquenessType::MedicalSettlement, UniquenessType::Decision] {
            assert_eq!(key(kind, "３１０１—ａ"), key(kind, "3101-A"));
            assert_ne!(key(kind, "3101-A"), key(kind, "3101-B"));
        }
        assert_ne!(secret.biz_key(UnitId::new(1), "a"), secret.biz_key(UnitId::new(1), "A"));
    }
}
