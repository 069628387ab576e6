//! What several authorities sign: the wrapper that governance messages and unit credentials share.
//!
//! ```text
//! { 1 message: bytes, 2 signers: packed u32 (authority indexes, strictly ascending), 3 signatures: bytes[64]… }
//! ```
//! Not here: what the message says, and which authorities there are.

use prost::Message;

use crate::suite::{ChainId, Namespace, PublicKey, Signature, Signer, Suite};
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// Authority index and signature, ascending by index.
pub(crate) type Signatures = Vec<(u32, Signature)>;

#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(bytes = "vec", tag = "1")]
    message: Vec<u8>,
    #[prost(uint32, repeated, tag = "2")]
    signers: Vec<u32>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    signatures: Vec<Vec<u8>>,
}

/// Signs with authority keys, given as (index in genesis, key), ascending.
pub(crate) fn sign(namespace: Namespace, chain: ChainId, message: &[u8], signers: &[(u32, &dyn Signer)]) -> Signatures {
    signers.iter().map(|(index, signer)| (*index, signer.sign(namespace, chain, message))).collect()
}

/// The canonical bytes of the wrapper.
pub(crate) fn encode(message: &[u8], signatures: &[(u32, Signature)]) -> Vec<u8> {
    Wire {
        message: message.to_vec(),
        signers: signatures.iter().map(|(index, _)| *index).collect(),
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
    let signatures = wire
        .signers
        .iter()
        .zip(&wire.signatures)
        .map(|(index, bytes)| fixed(what, bytes).map(|signature| (*index, Signature(signature))));
    Ok((wire.message, signatures.collect::<Result<_, _>>()?))
}

/// Who must have signed what.
pub(crate) struct Demand<'a> {
    pub(crate) suite: Suite,
    pub(crate) namespace: Namespace,
    pub(crate) chain: ChainId,
    pub(crate) message: &'a [u8],
    pub(crate) authorities: &'a [PublicKey],
    pub(crate) threshold: u32,
}

impl Demand<'_> {
    /// Whether at least the threshold of distinct authorities signed, at least one, every given signature being valid.
    pub(crate) fn is_met_by(&self, signatures: &[(u32, Signature)]) -> bool {
        let valid = |(index, signature): &(u32, Signature)| {
            let key = self.authorities.get(*index as usize);
            key.is_some_and(|key| self.suite.verify(key, self.namespace, self.chain, self.message, signature))
        };
        let distinct = signatures.windows(2).all(|pair| pair[0].0 < pair[1].0);
        distinct && signatures.len() >= self.threshold.max(1) as usize && signatures.iter().all(valid)
    }
}
