//! Canonical protobuf: the one way from foreign bytes to a message.
//!
//! Signed bytes are carried verbatim and never re-encoded by a verifier. What enters the system is decoded, encoded
//! again and compared: unknown fields, written-out defaults, non-minimal varints and fields out of order all fail here.
//! Messages have no maps, floats or oneofs; tags ascend.

use prost::Message;

/// The bytes are not the canonical encoding of the expected message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the canonical protobuf encoding of a {0}")]
pub struct NotCanonical(pub &'static str);

/// Decodes `bytes` as an `M` named `what`, refusing every encoding but the canonical one.
pub fn decode_canonical<M: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M, NotCanonical> {
    let message = M::decode(bytes).map_err(|_| NotCanonical(what))?;
    if message.encoded_len() != bytes.len() || message.encode_to_vec() != bytes {
        return Err(NotCanonical(what));
    }
    Ok(message)
}

/// Reads a fixed-length byte field.
pub(crate) fn fixed<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u8; N], NotCanonical> {
    bytes.try_into().map_err(|_| NotCanonical(what))
}
