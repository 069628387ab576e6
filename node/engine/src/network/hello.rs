//! The hello with which a link begins, and whose it is.
//!
//! ```text
//! hello     kind 0 u8 · version u8 · chain id 32 · count u8 (1 or 2) · count × signature 64
//! signed    tallystick/link/v1 ‖ 0x0A ‖ chain id 32 · from u32 · to u32 · session 32
//! ```
//! The certificate at the other end of a connection says who speaks as far as the TLS authority knows, and the TLS key lies on a machine that
//! answers the network. So the hello is signed with the consensus keys that the speaker holds: one, or two while they are changed.
//! The session is a value that only the two ends of this connection know (its TLS exporter): a hello that was signed for another connection, in the
//! other direction or by another is worth nothing here.
//!
//! Not here: what an unsigned link may do (`network`).

use bytes::Bytes;

use super::{HELLO, LinkError, VERSION, frame};
use crate::preimage;
use crate::scheme::{PublicKey, Signature};
use crate::types::MemberId;
use crate::wire::{CodecError, Reader};

/// Those of now and the next ones.
const KEYS_MAX: usize = 2;

/// What only the two ends of a connection know.
pub type Session = [u8; 32];

/// The consensus keys by which links are known.
pub trait LinkKeys: Send + Sync + 'static {
    /// Signs with each key that this node holds: with one, or with two while they are changed.
    fn sign(&self, preimage: &[u8]) -> Vec<[u8; 64]>;

    /// The keys by which a member may be known now. Empty: it is in no validator set that this node knows. An error, in words: the sets
    /// cannot be read, which is another matter, because whoever is in no set needs no signature.
    fn keys_of(&self, member: MemberId) -> Result<Vec<[u8; 32]>, String>;
}

/// What a hello says before its signatures; requests begin with it, too.
pub(super) fn head(chain_id: &[u8; 32]) -> Bytes {
    frame(HELLO, &[&[VERSION][..], chain_id].concat())
}

/// A link's direction on a connection.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) chain_id: &'a [u8; 32],
    pub(super) from: MemberId,
    pub(super) to: MemberId,
    pub(super) session: &'a Session,
}

impl Way<'_> {
    fn preimage(&self) -> Vec<u8> {
        preimage::link(self.chain_id, self.from, self.to, self.session)
    }
}

/// This node's hello on a connection.
pub(super) fn signed(way: Way<'_>, keys: &dyn LinkKeys) -> Bytes {
    let mut signatures = keys.sign(&way.preimage());
    signatures.truncate(KEYS_MAX);
    let count = u8::try_from(signatures.len()).unwrap_or(0);
    [&head(way.chain_id)[..], &[count], signatures.as_flattened()].concat().into()
}

/// What a peer's hello proves. It is judged again when the peer's keys are others: a node that lags knows the old ones.
pub(super) struct Proof {
    preimage: Vec<u8>,
    signatures: Vec<Signature>,
    refuted: Vec<[u8; 32]>,
}

impl Proof {
    /// Reads a hello. A first frame of another kind is at fault; another version or chain is not.
    pub(super) fn read(hello: &[u8], way: Way<'_>) -> Result<Self, LinkError> {
        if hello.first() != Some(&HELLO) {
            return Err(CodecError::Invalid("a link begins with a hello").into());
        }
        let rest = hello.strip_prefix(&head(way.chain_id)[..]).ok_or(LinkError::OtherLanguage)?;
        let mut reader = Reader::new(Bytes::copy_from_slice(rest));
        let count = reader.u8()?;
        if !(1..=KEYS_MAX).contains(&usize::from(count)) {
            return Err(CodecError::Invalid("signatures of a hello").into());
        }
        let signatures: Result<Vec<_>, CodecError> = (0..count).map(|_| reader.array().map(Signature)).collect();
        let signatures = signatures?;
        reader.finish()?;
        Ok(Self { preimage: way.preimage(), signatures, refuted: Vec::new() })
    }

    /// Whether one of these keys has signed it. A key is tried once.
    pub(super) fn is_by(&mut self, keys: &[[u8; 32]]) -> bool {
        self.refuted.retain(|key| keys.contains(key));
        for key in keys {
            if self.refuted.contains(key) {
                continue;
            }
            let is_by =
                |key: PublicKey| self.signatures.iter().any(|signature| key.verifies(&self.preimage, signature));
            if PublicKey::decode(key).is_ok_and(is_by) {
                return true;
            }
            self.refuted.push(*key);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    const CHAIN: [u8; 32] = [0xC1; 32];
    const SESSION: Session = [0x5E; 32];

    /// Holds the keys of these seeds.
    struct Holder(Vec<u8>);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn public(seed: u8) -> [u8; 32] {
        key(seed).verifying_key().to_bytes()
    }

    impl LinkKeys for Holder {
        fn sign(&self, preimage: &[u8]) -> Vec<[u8; 64]> {
            self.0.iter().map(|seed| key(*seed).sign(preimage).to_bytes()).collect()
        }

        fn keys_of(&self, _: MemberId) -> Result<Vec<[u8; 32]>, String> {
            Ok(Vec::new())
        }
    }

    fn way(from: u32, to: u32) -> Way<'static> {
        Way { chain_id: &CHAIN, from: MemberId::new(from), to: MemberId::new(to), session: &SESSION }
    }

    #[test]
    fn a_hello_proves_its_keys_on_its_connection_and_in_its_direction() {
        let hello = signed(way(1, 2), &Holder(vec![7, 8]));
        let is_by = |way: Way<'_>, keys: &[u8]| {
            let keys: Vec<_> = keys.iter().map(|seed| public(*seed)).collect();
            Proof::read(&hello, way).is_ok_and(|mut proof| proof.is_by(&keys))
        };
        // While a validator changes its keys, a peer may know the old one, the new one, or both.
        for (keys, expected) in [(&[7][..], true), (&[8], true), (&[9, 8], true), (&[9], false), (&[], false)] {
            assert_eq!(is_by(way(1, 2), keys), expected, "{keys:?}");
        }
        for other in [
            way(2, 1),
            way(1, 3),
            way(3, 2),
            Way { session: &[0x5F; 32], ..way(1, 2) },
            Way { chain_id: &[0xC2; 32], ..way(1, 2) },
        ] {
            assert!(!is_by(other, &[7, 8]));
        }
    }

    #[test]
    fn a_hello_is_judged_again_when_the_keys_are_others() {
        let mut proof = Proof::read(&signed(way(1, 2), &Holder(vec![8])), way(1, 2)).unwrap();
        assert!(!proof.is_by(&[public(7)]));
        assert_eq!(proof.refuted, [public(7)], "tried once");
        assert!(proof.is_by(&[public(7), public(8)]));
    }

    #[test]
    fn another_language_is_told_from_what_is_no_hello() {
        let good = signed(way(1, 2), &Holder(vec![7]));
        let read = |frame: &[u8]| Proof::read(frame, way(1, 2)).err();
        assert_eq!(read(&good), None);
        let mut newer = good.to_vec();
        newer[1] += 1;
        for other in [&newer[..], &good[..20], &[HELLO]] {
            assert_eq!(read(other), Some(LinkError::OtherLanguage));
        }
        let none = [&good[..34], &[0]].concat();
        let three = signed(way(1, 2), &Holder(vec![7]));
        let three = [&three[..34], &[3], &[0; 3 * 64]].concat();
        for bad in [&[][..], &[5, 1], &good[..90], &[&good[..], &[0]].concat(), &none, &three] {
            assert!(read(bad).is_some_and(|error| error.is_fault()), "{bad:?}");
        }
    }
}
