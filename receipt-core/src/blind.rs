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

use crate::ids::UnitId;
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

    /// The uniqueness key of `reference` (pay code, settlement number, `decision ‖ 0x00 ‖ instalment`).
    pub fn uniqueness_key(&self, kind: UniquenessType, reference: &str) -> UniquenessKey {
        UniquenessKey { kind, hash: self.keyed(kind.domain(), &[reference.as_bytes()]) }
    }

    /// The key of a unit's `biz_code` (业务流水号).
    pub fn biz_key(&self, unit: UnitId, biz_code: &str) -> [u8; 16] {
        self.keyed("tallystick/biz-key/v1\n", &[&unit.get().to_be_bytes(), biz_code.as_bytes()])
    }

    fn keyed(&self, domain: &str, parts: &[&[u8]]) -> [u8; 16] {
        self.0.clone().short_of([domain.as_bytes()].into_iter().chain(parts.iter().copied()))
    }
}

impl std::fmt::Debug for BlindingSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlindingSecret(…)")
    }
}
