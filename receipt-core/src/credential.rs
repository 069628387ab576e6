//! The unit credential: the supervision mark (财政监制), by which authorities vouch offline for a unit and its signing key.
//!
//! ```text
//! SignedCredential { 1 credential: bytes, 2 signers: bytes[32]… (authority keys, ascending), 3 signatures: bytes[64]… }
//! UnitCredential {
//!   1 format_version  2 suite  3 unit_id  4 unit_code  5 unit_name  6 supervisor_area_code  7 key_id
//!   8 public_key[32]  9 valid_from_ms  10 valid_until_ms (0: open)
//! }
//! ```
//! It repeats what the ledger's registry says of a unit and one key, so that a record can be checked without the registry.
//! Signed strictly, and believed of a record if at least the threshold of the authorities signed it that were in force when the record
//! was anchored: it carries no time of signing, and one that it stated would be the signers' word. So a key that was replaced can vouch
//! for nothing that comes after it.
//!
//! Not here: revocation. Who holds a credential alone does not learn that its key was revoked; that the record stands in
//! the ledger says that its key was good when it was taken.

use prost::Message;

use crate::authorities::AuthoritySet;
use crate::authorized::{self, Signed};
use crate::ids::{KeyId, UnitId, UnixMillis};
use crate::record::FORMAT_VERSION;
use crate::suite::{ChainId, Namespace, PublicKey, Signature, Signer, Suite};
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// A credential above this is refused unread: names are 200 characters at most, and 64 authorities and 64 that follow them may sign.
pub const CREDENTIAL_BYTES_MAX: usize = 16 * 1024;

/// What the authorities say about a unit and one of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitCredential {
    /// Suite of the unit's key and of the authority signatures.
    pub suite: Suite,
    /// The unit's registry number.
    pub unit: UnitId,
    /// 统一社会信用代码, 18 characters.
    pub unit_code: String,
    /// 开票单位名称.
    pub unit_name: String,
    /// 监管机构代码, 6 digits.
    pub supervisor_area_code: String,
    /// The key's registry number.
    pub signing_key: KeyId,
    /// The key that signs the unit's records.
    pub public_key: PublicKey,
    /// First issue time it is valid for.
    pub valid_from: UnixMillis,
    /// First issue time it is no longer valid for; `None`: open.
    pub valid_until: Option<UnixMillis>,
}

#[derive(Clone, PartialEq, Message)]
struct CredentialWire {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(uint32, tag = "2")]
    suite: u32,
    #[prost(uint32, tag = "3")]
    unit_id: u32,
    #[prost(string, tag = "4")]
    unit_code: String,
    #[prost(string, tag = "5")]
    unit_name: String,
    #[prost(string, tag = "6")]
    supervisor_area_code: String,
    #[prost(uint32, tag = "7")]
    key_id: u32,
    #[prost(bytes = "vec", tag = "8")]
    public_key: Vec<u8>,
    #[prost(uint64, tag = "9")]
    valid_from_ms: u64,
    #[prost(uint64, tag = "10")]
    valid_until_ms: u64,
}

impl UnitCredential {
    /// The canonical bytes that authorities sign.
    pub fn encode(&self) -> Vec<u8> {
        CredentialWire {
            format_version: FORMAT_VERSION,
            suite: self.suite.number(),
            unit_id: self.unit.get(),
            unit_code: self.unit_code.clone(),
            unit_name: self.unit_name.clone(),
            supervisor_area_code: self.supervisor_area_code.clone(),
            key_id: self.signing_key.get(),
            public_key: self.public_key.0.to_vec(),
            valid_from_ms: self.valid_from.get(),
            valid_until_ms: self.valid_until.map_or(0, UnixMillis::get),
        }
        .encode_to_vec()
    }

    /// Decodes the canonical bytes and checks the form: lengths, a registrable key, a window that is not empty.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        const WHAT: NotCanonical = NotCanonical("UnitCredential");
        let wire: CredentialWire = decode_canonical("UnitCredential", bytes)?;
        let credential = Self {
            suite: Suite::from_number(wire.suite).ok_or(WHAT)?,
            unit: UnitId::new(wire.unit_id),
            unit_code: wire.unit_code,
            unit_name: wire.unit_name,
            supervisor_area_code: wire.supervisor_area_code,
            signing_key: KeyId::new(wire.key_id),
            public_key: PublicKey(fixed("public_key", &wire.public_key)?),
            valid_from: UnixMillis::new(wire.valid_from_ms),
            valid_until: (wire.valid_until_ms != 0).then_some(UnixMillis::new(wire.valid_until_ms)),
        };
        let sound = wire.format_version == FORMAT_VERSION && credential.is_sound();
        if sound { Ok(credential) } else { Err(WHAT) }
    }

    fn is_sound(&self) -> bool {
        let alphanumeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        self.unit_code.len() == 18
            && alphanumeric(&self.unit_code)
            && !self.unit_name.is_empty()
            && self.suite.registers(&self.public_key)
            && self.valid_until.is_none_or(|until| self.valid_from < until)
    }

    /// Whether the key signs validly at this issue time.
    pub fn covers(&self, issue_time: UnixMillis) -> bool {
        self.valid_from <= issue_time && self.valid_until.is_none_or(|until| issue_time < until)
    }
}

/// A credential with the authorities' signatures, as carried in bundles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCredential {
    /// The decoded credential.
    pub credential: UnitCredential,
    /// The signed bytes, verbatim.
    pub credential_bytes: Vec<u8>,
    /// Public key and signature, ascending by key.
    pub signatures: Vec<(PublicKey, Signature)>,
}

impl SignedCredential {
    /// Signs with authority keys.
    pub fn sign(credential: UnitCredential, chain: ChainId, signers: &[&dyn Signer]) -> Self {
        let credential_bytes = credential.encode();
        let signatures = authorized::sign(Namespace::Credential, chain, &credential_bytes, signers);
        Self { credential, credential_bytes, signatures }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        authorized::encode(&self.credential_bytes, &self.signatures)
    }

    /// Decodes the canonical bytes; signers must be strictly ascending. Signatures are not judged.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        const WHAT: NotCanonical = NotCanonical("SignedCredential");
        if bytes.len() > CREDENTIAL_BYTES_MAX {
            return Err(WHAT);
        }
        let (credential_bytes, signatures) = authorized::decode("SignedCredential", bytes)?;
        Ok(Self { credential: UnitCredential::decode(&credential_bytes)?, credential_bytes, signatures })
    }

    /// Whether enough of these authorities signed, every given signature being valid. What others signed besides them does not count:
    /// they may be authorities of another time.
    pub fn verify(&self, chain: ChainId, authorities: &AuthoritySet) -> bool {
        self.is_signed_by_enough(authorities) && self.signatures_hold(chain)
    }

    /// Whether enough of these authorities are named as signers.
    pub fn is_signed_by_enough(&self, authorities: &AuthoritySet) -> bool {
        authorities.suffices(|key| self.signatures.iter().any(|(signer, _)| signer == key))
    }

    /// Whether every given signature is valid under the credential's suite. Whether that is the chain's suite is the caller's to ask.
    pub fn signatures_hold(&self, chain: ChainId) -> bool {
        let signed = Signed {
            suite: self.credential.suite,
            namespace: Namespace::Credential,
            chain,
            message: &self.credential_bytes,
        };
        signed.by(&self.signatures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;
    use crate::suite::SoftwareKey;

    const CHAIN: ChainId = ChainId(Hash([9; 32]));

    fn key(seed: u8) -> SoftwareKey {
        SoftwareKey::from_seed(&[seed; 32])
    }

    fn credential() -> UnitCredential {
        UnitCredential {
            suite: Suite::Ed25519Sha256,
            unit: UnitId::new(7),
            unit_code: "129903004000000181".to_owned(),
            unit_name: "示例市第一人民医院".to_owned(),
            supervisor_area_code: "990300".to_owned(),
            signing_key: KeyId::new(3),
            public_key: key(50).public_key(),
            valid_from: UnixMillis::new(1_000),
            valid_until: Some(UnixMillis::new(2_000)),
        }
    }

    #[test]
    fn the_threshold_of_authorities_must_sign_this_very_credential() {
        let keys = [key(1), key(2), key(3)];
        let of = |threshold| AuthoritySet { keys: keys.iter().map(Signer::public_key).collect(), threshold };
        let signers: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
        let two = SignedCredential::sign(credential(), CHAIN, &signers[1..]);
        assert_eq!(SignedCredential::decode(&two.encode()), Ok(two.clone()));
        assert!(two.verify(CHAIN, &of(2)));
        assert!(!two.verify(CHAIN, &of(3)), "all three required");
        assert!(!two.verify(ChainId(Hash([8; 32])), &of(2)), "another chain");
        // One of the three is replaced: the other two still suffice, whoever signed besides them.
        let all = SignedCredential::sign(credential(), CHAIN, &signers);
        let with =
            |seeds: [u8; 3]| AuthoritySet { keys: seeds.map(|seed| key(seed).public_key()).to_vec(), threshold: 2 };
        assert!(all.verify(CHAIN, &with([1, 9, 3])));
        assert!(!all.verify(CHAIN, &with([1, 9, 8])), "two are replaced");
        assert!(!two.verify(CHAIN, &with([1, 9, 3])), "one of the two signers is replaced");
        let mut other = two.clone();
        other.credential_bytes = UnitCredential { unit: UnitId::new(8), ..credential() }.encode();
        assert!(!other.verify(CHAIN, &of(2)), "another credential");
        let mut unsigned = two.clone();
        unsigned.signatures.clear();
        assert!(!unsigned.verify(CHAIN, &of(0)), "a threshold of nobody");
        let mut twice = two;
        twice.signatures[1] = twice.signatures[0];
        assert!(SignedCredential::decode(&twice.encode()).is_err(), "one authority twice");
    }

    #[test]
    fn a_window_covers_its_start_and_not_its_end() {
        let credential = credential();
        let covered = |time| credential.covers(UnixMillis::new(time));
        assert_eq!([covered(999), covered(1_000), covered(1_999), covered(2_000)], [false, true, true, false]);
        let open = UnitCredential { valid_until: None, ..credential };
        assert!(open.covers(UnixMillis::new(u64::MAX)));
    }

    #[test]
    fn malformed_credentials_are_refused() {
        let refused = |credential: UnitCredential| assert!(UnitCredential::decode(&credential.encode()).is_err());
        refused(UnitCredential { unit_code: "12".to_owned(), ..credential() });
        refused(UnitCredential { unit_name: String::new(), ..credential() });
        refused(UnitCredential { public_key: PublicKey([0; 32]), ..credential() });
        refused(UnitCredential { valid_until: Some(UnixMillis::new(1_000)), ..credential() });
        let mut extended = credential().encode();
        extended.extend_from_slice(&[0x58, 1]);
        assert!(UnitCredential::decode(&extended).is_err());
    }
}
