//! Keyed hashes that let the ledger enforce uniqueness without seeing what it compares.
//!
//! Issuers and the bureau share a secret of 32 bytes for each epoch; nodes do not have it. A key is the suite's keyed hash (suite 1:
//! HMAC-SHA256), cut to 16 bytes, over a domain, a newline (0x0A) and what it stands for:
//! ```text
//! domain                                 under             over
//! tallystick/biz-key/v1                  the secret        unit id (u32, big-endian) ‖ biz_code
//! tallystick/payment-key/v1              pay-code secret   pay code
//! tallystick/medical-settlement-key/v1   the secret        settlement number
//! tallystick/decision-key/v1             the secret        decision number
//! pay-code secret = keyed hash(secret, tallystick/pay-code-secret/v1 ‖ 0x0A), all 32 bytes
//!
//! UniquenessKey   type u8 ‖ hash [16] ‖ instalment u16 ‖ epoch u32          23 bytes on the wire
//! ```
//! The pay-code secret is apart, so that whoever has to recognise payments (a collector of revenue) can be given it without being
//! able to test guesses of `biz_code`s, settlements and decisions.
//!
//! References of payments, settlements and decisions are hashed in their canonical text ([`canonical_reference`]), so that one
//! decision written with full-width digits, another dash or in lower case is one decision. A `biz_code` is hashed as it is: it is
//! the caller's own. Whose a key is (the unit's or everybody's) is not part of it: the ledger knows the unit of the record
//! ([`UniquenessType::scope`]).

use std::borrow::Cow;
use std::num::NonZeroU16;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::ids::UnitId;
use crate::reason::Reason;
use crate::receipt::chars::{self, GeneralCategory};
use crate::suite::Suite;
use crate::suite::hashing::KeyedHasher;

/// The secret behind all keyed hashes of one epoch, as hash states that are wiped when it is dropped.
#[derive(Clone)]
pub struct BlindingSecret {
    epoch: u32,
    secret: KeyedHasher,
    pay_codes: KeyedHasher,
}

/// What a uniqueness key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UniquenessType {
    /// 1: a payment, by its 缴款码 (pay code).
    Payment,
    /// 2: a medical settlement, by its settlement number.
    MedicalSettlement,
    /// 3: a penalty decision, paid at once or one instalment of it (V15).
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

    /// Whose keys of this type are: `None` for everybody's, else the unit's that issues. A pay code is one payment wherever it is
    /// receipted; settlements and decisions are numbered by their unit, and another unit may use the same number.
    pub const fn scope(self, unit: UnitId) -> Option<UnitId> {
        match self {
            Self::Payment => None,
            Self::MedicalSettlement | Self::Decision => Some(unit),
        }
    }

    /// Why a receipt is refused whose key of this type another one in force leaves no room for (V14, V15).
    pub const fn reason_if_held(self) -> Reason {
        match self {
            Self::Payment | Self::MedicalSettlement => Reason::PaymentReceipted,
            Self::Decision => Reason::DecisionPaid,
        }
    }
}

/// What was paid, as a receipt or a caller names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentReference<'a> {
    /// 缴款码.
    PayCode(&'a str),
    /// 医保结算号.
    Settlement(&'a str),
    /// A penalty decision, and the instalment of it, from 1; `None` if it was paid at once.
    Decision(&'a str, Option<NonZeroU16>),
}

/// A typed 16-byte keyed hash, 23 bytes on the wire: type ‖ hash ‖ instalment ‖ epoch. Ordered as its bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniquenessKey {
    /// What the key makes unique.
    pub kind: UniquenessType,
    /// The keyed hash of the reference.
    pub hash: [u8; 16],
    /// Of a decision: which instalment, in clear, because the rule over all instalments of a decision needs it; `None` if it was
    /// paid at once. `None` for all other types.
    pub instalment: Option<NonZeroU16>,
    /// Epoch of the secret behind the hash. A red receipt's are its original's, whatever epoch has come since.
    pub epoch: u32,
}

/// Bytes of a uniqueness key.
pub const UNIQUENESS_KEY_BYTES: usize = 23;

impl UniquenessKey {
    /// type ‖ hash ‖ instalment (0: none) ‖ epoch.
    pub fn to_bytes(self) -> [u8; UNIQUENESS_KEY_BYTES] {
        let mut bytes = [0; UNIQUENESS_KEY_BYTES];
        bytes[0] = self.kind.number();
        bytes[1..17].copy_from_slice(&self.hash);
        bytes[17..19].copy_from_slice(&self.instalment.map_or(0, NonZeroU16::get).to_be_bytes());
        bytes[19..].copy_from_slice(&self.epoch.to_be_bytes());
        bytes
    }

    /// Reads type ‖ hash ‖ instalment ‖ epoch. `None` for other lengths, unknown types, and an instalment of anything but a decision.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (hash, rest) = rest.split_first_chunk::<16>()?;
        let (instalment, rest) = rest.split_first_chunk::<2>()?;
        let kind = UniquenessType::from_number(*kind)?;
        let instalment = NonZeroU16::new(u16::from_be_bytes(*instalment));
        if instalment.is_some() && kind != UniquenessType::Decision {
            return None;
        }
        Some(Self { kind, hash: *hash, instalment, epoch: u32::from_be_bytes(rest.try_into().ok()?) })
    }

    /// Whether no receipt may hold both: the same payment, settlement or instalment, or a decision paid at once and in instalments.
    pub fn excludes(&self, other: &Self) -> bool {
        let same = (self.kind, self.hash) == (other.kind, other.hash);
        same && (self.instalment == other.instalment || self.instalment.is_none() || other.instalment.is_none())
    }
}

impl BlindingSecret {
    /// Takes the 32 random bytes of an epoch, for receipts of a chain of `suite`. They stay the caller's to wipe.
    pub fn new(suite: Suite, epoch: u32, secret: &[u8; 32]) -> Self {
        let secret = suite.keyed(secret);
        let derived = Zeroizing::new(secret.clone().digest_of([&b"tallystick/pay-code-secret/v1\n"[..]]));
        let pay_codes = suite.keyed(&derived);
        Self { epoch, secret, pay_codes }
    }

    /// The epoch.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The uniqueness key of what was paid, however its reference is written.
    pub fn uniqueness_key(&self, reference: PaymentReference<'_>) -> UniquenessKey {
        let (kind, secret, domain, text) = match reference {
            PaymentReference::PayCode(code) => {
                (UniquenessType::Payment, &self.pay_codes, "tallystick/payment-key/v1\n", code)
            }
            PaymentReference::Settlement(number) => {
                (UniquenessType::MedicalSettlement, &self.secret, "tallystick/medical-settlement-key/v1\n", number)
            }
            PaymentReference::Decision(number, _) => {
                (UniquenessType::Decision, &self.secret, "tallystick/decision-key/v1\n", number)
            }
        };
        let instalment = match reference {
            PaymentReference::Decision(_, instalment) => instalment,
            PaymentReference::PayCode(_) | PaymentReference::Settlement(_) => None,
        };
        let hash = secret.clone().short_of([domain.as_bytes(), canonical_reference(text).as_bytes()]);
        UniquenessKey { kind, hash, instalment, epoch: self.epoch }
    }

    /// The key of a unit's `biz_code` (业务流水号).
    pub fn biz_key(&self, unit: UnitId, biz_code: &str) -> [u8; 16] {
        self.keyed("tallystick/biz-key/v1\n", &[&unit.get().to_be_bytes(), biz_code.as_bytes()])
    }

    pub(crate) fn keyed(&self, domain: &str, parts: &[&[u8]]) -> [u8; 16] {
        self.secret.clone().short_of([domain.as_bytes()].into_iter().chain(parts.iter().copied()))
    }
}

/// The one text under which a reference is compared, whatever a keyboard or a table of characters made of it: Unicode normal form KC
/// (full-width letters and digits become ASCII), then upper case; every dash (Dash_Punctuation, and what is typed for one) is `-`, every
/// opening and closing bracket (Open_, Close_Punctuation) `(` and `)`, a circle the Chinese zero, a katakana middle dot the Latin one; white
/// space and variation selectors are left out. What stays two, and why: docs/spec/record.md.
pub fn canonical_reference(text: &str) -> Cow<'_, str> {
    let is_canonical = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'-' | b'(' | b')');
    if text.bytes().all(is_canonical) {
        return Cow::Borrowed(text);
    }
    let canonical = |character: char| match chars::category(character) {
        _ if character.is_whitespace() || chars::is_variation_selector(character) => None,
        GeneralCategory::DashPunctuation => Some('-'),
        GeneralCategory::OpenPunctuation => Some('('),
        GeneralCategory::ClosePunctuation => Some(')'),
        _ => Some(look_alike(character)),
    };
    Cow::Owned(text.nfkc().flat_map(char::to_uppercase).filter_map(canonical).collect())
}

/// What stands for a character that is typed in its place, or into which another table converts the same two bytes of GBK.
const fn look_alike(character: char) -> char {
    match character {
        // Minus signs, the hyphen bullet, box drawing (the table of GBK has it beside the dashes), the katakana length mark, and the
        // tilde, into which one table converts what another converts into the wave dash.
        '\u{02D7}' | '\u{2043}' | '\u{2212}' | '\u{2796}' | '\u{2500}' | '\u{2501}' | '\u{30FC}' | '~' | '\u{223C}' => {
            '-'
        }
        '\u{25CB}' | '\u{25EF}' => '\u{3007}',
        '\u{30FB}' => '\u{00B7}',
        other => other,
    }
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
            (
                "罚-1",
                &[
                    "罚─1", "罚━1", "罚ー1", "罚ｰ1", "罚➖1", "罚−1", "罚⁻1", "罚˗1", "罚⁃1", "罚～1", "罚〜1", "罚~1",
                    "罚∼1",
                ],
            ),
            ("公罚(二〇二六)1号", &["公罚〔二〇二六〕1号", "公罚〔二○二六〕1号", "公罚〔二◯二六〕1号"]),
            ("甲·1", &["甲・1", "甲･1", "甲·1"]),
            ("葛1", &["葛\u{e0100}1", "葛１", "葛\u{3000}1"]),
        ] {
            assert_eq!(canonical_reference(canonical), canonical);
            for other in others {
                assert_eq!(canonical_reference(other), canonical, "{other}");
                assert_eq!(canonical_reference(&canonical_reference(other)), canonical, "{other}: once is enough");
            }
        }
        // Two of them stay two: docs/spec/record.md says why.
        for (one, other) in [
            ("3101", "31O1"),
            ("31-01", "3101"),
            ("31--01", "31-01"),
            ("031", "31"),
            ("第1号", "第1號"),
            ("〔二〇二六〕", "〔2026〕"),
            ("〔二〇二六〕", "〔二0二六〕"),
            ("〔二〇二六〕", "〔二零二六〕"),
            ("1-2", "1一2"),
        ] {
            assert_ne!(canonical_reference(one), canonical_reference(other), "{one:?} {other:?}");
        }
    }

    const SUITE: Suite = Suite::Ed25519Sha256;

    #[test]
    fn keys_are_of_the_canonical_text_and_biz_keys_of_the_given() {
        let secret = BlindingSecret::new(SUITE, 1, &[7; 32]);
        for kind in 1..=3 {
            let key = |text: &str| {
                secret.uniqueness_key(match kind {
                    1 => PaymentReference::PayCode(text),
                    2 => PaymentReference::Settlement(text),
                    _ => PaymentReference::Decision(text, None),
                })
            };
            assert_eq!(key("3101-A").kind.number(), kind);
            assert_eq!(key("３１０１—ａ"), key("3101-A"));
            assert_ne!(key("3101-A"), key("3101-B"));
        }
        assert_ne!(secret.biz_key(UnitId::new(1), "a"), secret.biz_key(UnitId::new(1), "A"));
    }

    #[test]
    fn a_key_reads_back_and_nothing_else_does() {
        let secret = BlindingSecret::new(SUITE, 0x0102_0304, &[7; 32]);
        let keys = [
            secret.uniqueness_key(PaymentReference::PayCode("1")),
            secret.uniqueness_key(PaymentReference::Settlement("1")),
            secret.uniqueness_key(PaymentReference::Decision("1", None)),
            secret.uniqueness_key(PaymentReference::Decision("1", NonZeroU16::new(0x0506))),
        ];
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1] && pair[0].to_bytes() < pair[1].to_bytes()));
        for key in keys {
            let bytes = key.to_bytes();
            assert_eq!(UniquenessKey::from_slice(&bytes), Some(key));
            assert_eq!(bytes[19..], [1, 2, 3, 4]);
            for length in 0..bytes.len() {
                assert_eq!(UniquenessKey::from_slice(&bytes[..length]), None);
            }
            assert_eq!(UniquenessKey::from_slice(&[&bytes[..], &[0]].concat()), None);
            let mut other = bytes;
            other[0] = 4;
            assert_eq!(UniquenessKey::from_slice(&other), None);
        }
        let mut payment = keys[0].to_bytes();
        payment[18] = 1;
        assert_eq!(UniquenessKey::from_slice(&payment), None, "only a decision has instalments");
    }

    #[test]
    fn a_decision_paid_at_once_leaves_no_room_for_an_instalment() {
        let secret = BlindingSecret::new(SUITE, 1, &[7; 32]);
        let other_epoch = BlindingSecret::new(SUITE, 2, &[7; 32]);
        let decision = |number, part| secret.uniqueness_key(PaymentReference::Decision(number, NonZeroU16::new(part)));
        for (one, other, expected) in [
            (decision("A", 0), decision("A", 0), true),
            (decision("A", 0), decision("A", 1), true),
            (decision("A", 2), decision("A", 2), true),
            (decision("A", 1), decision("A", 2), false),
            (decision("A", 0), decision("B", 0), false),
            (decision("A", 0), secret.uniqueness_key(PaymentReference::Settlement("A")), false),
            (decision("A", 0), other_epoch.uniqueness_key(PaymentReference::Decision("A", None)), true),
        ] {
            assert_eq!((one.excludes(&other), other.excludes(&one)), (expected, expected), "{one:?} {other:?}");
        }
    }

    /// A collector who recognises payments cannot test what else the secret hides.
    #[test]
    fn pay_codes_have_a_secret_of_their_own() {
        let bytes = [7; 32];
        let secret = BlindingSecret::new(SUITE, 1, &bytes);
        let derived = SUITE.keyed(&bytes).digest_of([&b"tallystick/pay-code-secret/v1\n"[..]]);
        let of_pay_codes = |domain: &str| SUITE.keyed(&derived).short_of([domain.as_bytes(), b"1"]);
        assert_eq!(
            secret.uniqueness_key(PaymentReference::PayCode("1")).hash,
            of_pay_codes("tallystick/payment-key/v1\n")
        );
        assert_ne!(
            secret.uniqueness_key(PaymentReference::Settlement("1")).hash,
            of_pay_codes("tallystick/medical-settlement-key/v1\n")
        );
    }
}
