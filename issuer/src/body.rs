//! Receipt bodies at rest: each encrypted under a key of its own, which the issuer's master key wraps.
//!
//! ```text
//! plaintext    BodyPlain { 1 seed[32]  2 values… }                     the disclosures' texts by position
//! ciphertext   XChaCha20-Poly1305(body key, nonce 0, plaintext)         associated data: code u32 ‖ number u64 ‖ "body"
//! wrapped key  nonce[24] ‖ XChaCha20-Poly1305(master, nonce, body key)  associated data: code u32 ‖ number u64 ‖ "key"
//! ```
//! A body key encrypts one body, once, so its nonce may be fixed. Erasing a body is deleting its wrapped key: with it goes what the
//! journal remembers of the call that made the receipt, a hash under the same key.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use prost::Message;
use prost::encoding::WireType;
use receipt_core::hash::{Hash, tagged};
use receipt_core::ids::ReceiptKey;
use receipt_core::receipt::disclosure::{Body, Seed};
use receipt_core::record::ReceiptRecord;
use receipt_core::state::tables::receipt_key_bytes;
use tallystick_service::keyfile::Secret;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 24;

/// Why a body does not open or close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyCipherError {
    /// Another master key, or damaged bytes: the two cannot be told apart.
    #[error("a receipt body does not open under this master key")]
    Opening,
    /// The cipher refused; bodies are far below its limits.
    #[error("a receipt body could not be encrypted")]
    Sealing,
}

/// Fresh randomness for one body.
pub struct BodySecrets {
    /// The body's key.
    pub key: Secret,
    /// Nonce of its wrapping.
    pub nonce: [u8; NONCE_BYTES],
}

impl BodySecrets {
    /// What the journal remembers of the call: see [`BodyCipher::tag`].
    #[must_use]
    pub fn tag(&self, content: &Hash) -> Hash {
        tag_under(&*self.key, content)
    }
}

/// A body as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBody {
    /// Seed and values, encrypted.
    pub ciphertext: Vec<u8>,
    /// The body's key, wrapped.
    pub wrapped_key: Vec<u8>,
}

/// A body, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBody {
    /// Seed of the salts.
    pub seed: Seed,
    /// The values by position.
    pub values: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct BodyPlain {
    #[prost(bytes = "vec", tag = "1")]
    seed: Vec<u8>,
    #[prost(string, repeated, tag = "2")]
    values: Vec<String>,
}

/// Encrypts and decrypts bodies under one master key.
pub struct BodyCipher {
    master: XChaCha20Poly1305,
}

impl std::fmt::Debug for BodyCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BodyCipher(…)")
    }
}

impl BodyCipher {
    /// A cipher that wraps the bodies' keys under `master`.
    pub fn new(master: &Secret) -> Self {
        Self { master: XChaCha20Poly1305::new((&**master).into()) }
    }

    /// Encrypts a receipt's body: its seed and its values by position.
    pub fn seal<'a>(
        &self,
        receipt: ReceiptKey,
        seed: &Seed,
        values: impl Iterator<Item = &'a String> + Clone,
        secrets: &BodySecrets,
    ) -> Result<SealedBody, BodyCipherError> {
        // Encode value by value, to the same bytes as the message `BodyPlain`: filling that message would copy every value once more.
        let bytes = values.clone().map(|value| value.len() + 4).sum::<usize>();
        let mut plain = Zeroizing::new(Vec::with_capacity(bytes + 40));
        // The seed is encoded by hand, because `prost` would need a copy of it that nobody wipes.
        prost::encoding::encode_key(1, WireType::LengthDelimited, &mut *plain);
        prost::encoding::encode_varint(seed.as_bytes().len() as u64, &mut *plain);
        plain.extend_from_slice(seed.as_bytes());
        for value in values {
            prost::encoding::string::encode(2, value, &mut *plain);
        }
        let cipher = XChaCha20Poly1305::new((&*secrets.key).into());
        let payload = Payload { msg: &plain, aad: &aad(receipt, b"body") };
        let ciphertext = cipher.encrypt(&XNonce::default(), payload).map_err(|_| BodyCipherError::Sealing)?;
        let payload = Payload { msg: &*secrets.key, aad: &aad(receipt, b"key") };
        let wrapped =
            self.master.encrypt(XNonce::from_slice(&secrets.nonce), payload).map_err(|_| BodyCipherError::Sealing)?;
        Ok(SealedBody { ciphertext, wrapped_key: [&secrets.nonce[..], &wrapped].concat() })
    }

    /// By which a repetition of the call that made a receipt is known: the hash of what the caller sent, under the body's own key. With
    /// that key erased nobody can hold a guess against it.
    pub fn tag(&self, receipt: ReceiptKey, wrapped_key: &[u8], content: &Hash) -> Result<Hash, BodyCipherError> {
        Ok(tag_under(&self.unwrap_key(receipt, wrapped_key)?, content))
    }

    fn unwrap_key(&self, receipt: ReceiptKey, wrapped_key: &[u8]) -> Result<Zeroizing<Vec<u8>>, BodyCipherError> {
        const OPENING: BodyCipherError = BodyCipherError::Opening;
        let (nonce, wrapped) = wrapped_key.split_at_checked(NONCE_BYTES).ok_or(OPENING)?;
        let payload = Payload { msg: wrapped, aad: &aad(receipt, b"key") };
        Ok(Zeroizing::new(self.master.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| OPENING)?))
    }

    /// Whether it opens this wrapped key of a receipt's body.
    pub(crate) fn unwraps(&self, receipt: ReceiptKey, wrapped_key: &[u8]) -> bool {
        self.unwrap_key(receipt, wrapped_key).is_ok()
    }

    /// A wrapped key under another master key, which `to` has.
    pub fn rewrap(
        &self,
        receipt: ReceiptKey,
        wrapped_key: &[u8],
        to: &Self,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, BodyCipherError> {
        let key = self.unwrap_key(receipt, wrapped_key)?;
        let payload = Payload { msg: &key, aad: &aad(receipt, b"key") };
        let wrapped = to.master.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| BodyCipherError::Sealing)?;
        Ok([&nonce[..], &wrapped].concat())
    }

    /// Decrypts a receipt's body.
    pub fn open(&self, receipt: ReceiptKey, sealed: &SealedBody) -> Result<OpenBody, BodyCipherError> {
        const OPENING: BodyCipherError = BodyCipherError::Opening;
        let key = self.unwrap_key(receipt, &sealed.wrapped_key)?;
        let cipher = XChaCha20Poly1305::new_from_slice(&key).map_err(|_| OPENING)?;
        let payload = Payload { msg: &sealed.ciphertext, aad: &aad(receipt, b"body") };
        let plain = Zeroizing::new(cipher.decrypt(&XNonce::default(), payload).map_err(|_| OPENING)?);
        let BodyPlain { seed, values } = BodyPlain::decode(plain.as_slice()).map_err(|_| OPENING)?;
        let seed = Zeroizing::new(seed);
        Ok(OpenBody { seed: Seed::from_slice(&seed).ok_or(OPENING)?, values })
    }

    /// Whether this is the body to which the record commits. A body of another master key is not.
    pub fn holds(&self, record: &ReceiptRecord, sealed: &SealedBody) -> bool {
        let Ok(OpenBody { seed, values }) = self.open(record.key, sealed) else { return false };
        Body::of_values(record.suite, values, &seed).is_ok_and(|body| body.root() == record.body_root)
    }
}

fn tag_under(body_key: &[u8], content: &Hash) -> Hash {
    tagged("tallystick/issuer-content/v1", &[body_key, &content.0])
}

fn aad(receipt: ReceiptKey, purpose: &[u8]) -> Vec<u8> {
    [&receipt_key_bytes(receipt)[..], purpose].concat()
}

#[cfg(test)]
mod tests {
    use receipt_core::ids::{ReceiptCode, ReceiptNumber};

    use super::*;

    fn key(number: u64) -> ReceiptKey {
        ReceiptKey { code: ReceiptCode::parse("99060126").unwrap(), number: ReceiptNumber::new(number).unwrap() }
    }

    fn sealed() -> (BodyCipher, OpenBody, SealedBody) {
        let cipher = BodyCipher::new(&Secret::new([1; 32]));
        let body = OpenBody { seed: Seed::new([2; 32]), values: vec!["99060126".to_owned(), String::new()] };
        let secrets = BodySecrets { key: Secret::new([3; 32]), nonce: [4; 24] };
        let sealed = cipher.seal(key(7), &body.seed, body.values.iter(), &secrets).unwrap();
        (cipher, body, sealed)
    }

    #[test]
    fn opens_for_its_own_receipt_and_master_key_only() {
        let (cipher, body, sealed) = sealed();
        assert_eq!(cipher.open(key(7), &sealed), Ok(body));
        assert_eq!(cipher.open(key(8), &sealed), Err(BodyCipherError::Opening), "another receipt");
        let other = BodyCipher::new(&Secret::new([9; 32]));
        assert_eq!(other.open(key(7), &sealed), Err(BodyCipherError::Opening), "another master key");
    }

    #[test]
    fn a_call_is_known_again_by_the_bodys_own_key() {
        let (cipher, _, sealed) = sealed();
        let secrets = BodySecrets { key: Secret::new([3; 32]), nonce: [4; 24] };
        let (sent, other) = (Hash([7; 32]), Hash([8; 32]));
        assert_eq!(cipher.tag(key(7), &sealed.wrapped_key, &sent), Ok(secrets.tag(&sent)));
        assert_ne!(secrets.tag(&sent), secrets.tag(&other));
        let another_body = BodySecrets { key: Secret::new([5; 32]), nonce: [4; 24] };
        assert_ne!(secrets.tag(&sent), another_body.tag(&sent), "the same call of two receipts looks different");
        assert_eq!(cipher.tag(key(8), &sealed.wrapped_key, &sent), Err(BodyCipherError::Opening));
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let (cipher, _, sealed) = sealed();
        for at in 0..sealed.ciphertext.len() {
            let mut bad = sealed.clone();
            bad.ciphertext[at] ^= 1;
            assert!(cipher.open(key(7), &bad).is_err(), "ciphertext byte {at}");
        }
        for at in 0..sealed.wrapped_key.len() {
            let mut bad = sealed.clone();
            bad.wrapped_key[at] ^= 1;
            assert!(cipher.open(key(7), &bad).is_err(), "wrapped key byte {at}");
        }
        let short = SealedBody { wrapped_key: vec![0; 5], ..sealed };
        assert!(cipher.open(key(7), &short).is_err());
    }

    #[test]
    fn the_plaintext_does_not_show() {
        let (_, _, sealed) = sealed();
        assert!(!sealed.ciphertext.windows(8).any(|window| window == b"99060126"));
    }
}
