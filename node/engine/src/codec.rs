//! The engine's codec: how messages lie on the wire and in the write-ahead log.
//!
//! Compact, hand-written, big-endian, strict: every length is bounded before memory is taken, unknown tags and trailing
//! bytes are refused, and each value has exactly one encoding. Heights and rounds far beyond use are refused, because the
//! engine computes with them. Layouts stand in `message` (votes, proposals, log entries), `sync` and `part`;
//! the fields that they consist of in `wire`.

mod message;
mod part;
mod sync;

pub(crate) use sync::{asked_heights, response};

use bytes::Bytes;
use malachitebft_app_channel::app::types::codec::Codec;
use tokio::sync::watch;

use crate::wire::{CodecError, Reader};

/// A type with a layout.
pub(crate) trait Wire: Sized + Send {
    fn write(&self, out: &mut Vec<u8>);
    fn read(reader: &mut Reader) -> Result<Self, CodecError>;

    /// The message alone.
    fn to_bytes(&self) -> Bytes {
        let mut out = Vec::new();
        self.write(&mut out);
        out.into()
    }

    /// The message, and nothing behind it.
    fn from_bytes(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let message = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(message)
    }

    /// What the codec notes of a message in passing.
    fn noted(&self, _: &ChainCodec) {}
}

/// The one codec of this crate. It also notes the highest tip that peers announce, the only place where that shows.
#[derive(Clone, Debug)]
pub(crate) struct ChainCodec {
    pub(crate) peer_tip: watch::Sender<u64>,
}

impl<T: Wire> Codec<T> for ChainCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<T, CodecError> {
        let message = T::from_bytes(bytes)?;
        message.noted(self);
        Ok(message)
    }

    fn encode(&self, message: &T) -> Result<Bytes, CodecError> {
        Ok(message.to_bytes())
    }
}

#[cfg(test)]
mod tests;
