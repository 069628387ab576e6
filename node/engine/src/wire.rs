//! Reading and writing the fields that messages consist of: big-endian, every length bounded before memory is taken.

use bytes::{Buf, Bytes};

use crate::types::{BlockId, MemberId};

/// Heights above are refused.
const HEIGHT_MAX: u64 = 1 << 62;
/// Rounds above are refused.
const ROUND_MAX: u32 = 1 << 30;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end before the message does.
    #[error("the message is cut short")]
    Truncated,
    /// They go on after the message.
    #[error("{0} bytes after the end of the message")]
    Trailing(usize),
    /// A tag, count or number outside its range.
    #[error("invalid message: {0}")]
    Invalid(&'static str),
}

/// Reads from bytes without copying them.
pub(crate) struct Reader(Bytes);

impl Reader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Refuses bytes after the last field.
    pub(crate) fn finish(self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::Trailing(self.0.len())) }
    }

    fn need(&self, len: usize) -> Result<(), CodecError> {
        if self.0.len() < len { Err(CodecError::Truncated) } else { Ok(()) }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, CodecError> {
        self.need(1)?;
        Ok(self.0.get_u8())
    }

    pub(crate) fn u16(&mut self) -> Result<u16, CodecError> {
        self.need(2)?;
        Ok(self.0.get_u16())
    }

    pub(crate) fn u32(&mut self) -> Result<u32, CodecError> {
        self.need(4)?;
        Ok(self.0.get_u32())
    }

    pub(crate) fn u64(&mut self) -> Result<u64, CodecError> {
        self.need(8)?;
        Ok(self.0.get_u64())
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        self.need(N)?;
        let mut out = [0; N];
        self.0.copy_to_slice(&mut out);
        Ok(out)
    }

    /// `len` bytes, shared with the message.
    pub(crate) fn bytes(&mut self, len: usize) -> Result<Bytes, CodecError> {
        self.need(len)?;
        Ok(self.0.split_to(len))
    }

    pub(crate) fn rest(&mut self) -> Bytes {
        self.0.split_off(0)
    }

    /// A count of elements, bounded.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, CodecError> {
        let count = usize::from(self.u16()?);
        if count > max { Err(CodecError::Invalid("too many elements")) } else { Ok(count) }
    }

    pub(crate) fn height(&mut self) -> Result<u64, CodecError> {
        let height = self.u64()?;
        if height > HEIGHT_MAX { Err(CodecError::Invalid("height")) } else { Ok(height) }
    }

    pub(crate) fn bounded_round(&mut self) -> Result<u32, CodecError> {
        let round = self.u32()?;
        if round > ROUND_MAX { Err(CodecError::Invalid("round")) } else { Ok(round) }
    }

    /// A flag byte and a round, which is 0 if the flag is 0.
    pub(crate) fn optional_round(&mut self) -> Result<Option<u32>, CodecError> {
        match (self.u8()?, self.bounded_round()?) {
            (0, 0) => Ok(None),
            (1, round) => Ok(Some(round)),
            _ => Err(CodecError::Invalid("round flag")),
        }
    }

    pub(crate) fn member(&mut self) -> Result<MemberId, CodecError> {
        self.u32().map(MemberId::new)
    }

    pub(crate) fn block_id(&mut self) -> Result<BlockId, CodecError> {
        self.array().map(BlockId)
    }
}

/// A count as u16. Counts come from sets and certificates, far below the end of the range; the readers bound them.
pub(crate) fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

/// A flag byte and a round.
pub(crate) fn put_optional_round(out: &mut Vec<u8>, round: Option<u32>) {
    out.push(u8::from(round.is_some()));
    out.extend_from_slice(&round.unwrap_or(0).to_be_bytes());
}
