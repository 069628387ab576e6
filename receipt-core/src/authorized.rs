//! What several authorities sign: the wrapper that governance messages and unit credentials share.
//!
//! ```text
//! { 1 message: bytes, 2 signers: bytes[32]… (public keys, strictly ascending), 3 signatures: bytes[64]… }
//! ```
//! Signers stand there by their keys: a set of authorities may be replaced, and what was signed still says by whom. Not here: what the
//! message says, and whose signatures count.

use prost::Message;

use crate::suite::{ChainId, Namespace, PublicKey, Signature, Signer, Suite};
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// Public key and signature, ascending by key.
pub(crate) type Signatures = Vec<(PublicKey, Signature)>;

#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(bytes = "vec", tag = "1")]
    message: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    signers: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    signatures: Vec<Vec<u8>>,
}

/// Signs with these keys; the signatures ascend by public key.
pub(crate) fn sign(namespace: Namespace, chain: ChainId, message: &[u8], signers: &[&dyn Signer]) -> Signatures {
    let sign = |signer: &&dyn Signer| (signer.public_key(), signer.sign(namespace, chain, message));
    let mut signatures: Signatures = signers.iter().map(sign).collect();
    signatures.sort_by_key(|(key, _)| *key);
    signatures
}

/// The canonical bytes of the wrapper.
pub(crate) fn encode(message: &[u8], signatures: &[(PublicKey, Signature)]) -> Vec<u8> {
    Wire {
        message: message.to_vec(),
        signers: signatures.iter().map(|(key, _)| key.0.to_vec()).collect(),
        signatures: signatures.iter().map(|(_, signature)| signature.0.to_vec()).collect(),
    }
    .encode_to_vec()
}

/// Message and signatures of a wrapper named `what`; signers must be strictly ascending. Signatures are not judged.
pub(crate) fn decode(what: &'static str, bytes: &[u8]) -> Result<(Vec<u8>, Signatures), NotCanonical> {
    let wire: Wire = decode_canonical(what, bytes)?;
    let ascending = wire.signers.windows(2).all(|pair| pair[0] < pair[1]);
    if wire.signers.len() != wire.signatures.len() || !ascending {
        return Err(NotCanonical(what));
    }
    let signed =
        |(key, signature): (&Vec<u8>, &Vec<u8>)| Ok((PublicKey(fixed(what, key)?), Signature(fixed(what, signature)?)));
    let signatures = wire.signers.iter().zip(&wire.signatures).map(signed);
    Ok((wire.message, signatures.collect::<Result<_, NotCanonical>>()?))
}

/// What was signed.
pub(crate) struct Signed<'a> {
    pub(crate) suite: Suite,
    pub(crate) namespace: Namespace,
    pub(crate) chain: ChainId,
    pub(crate) message: &'a [u8],
}

impl Signed<'_> {
    /// Whether every signature is valid, and no key signed twice.
    pub(crate) fn by(&self, signatures: &[(PublicKey, Signature)]) -> bool {
        let valid = |(key, signature): &(PublicKey, Signature)| {
            self.suite.verify(key, self.namespace, self.chain, self.message, signature)
        };
        signatures.windows(2).all(|pair| pair[0].0 < pair[1].0) && signatures.iter().all(valid)
    }
}
