//! The export file: a chain's decided blocks in one self-describing, checksummed stream, for auditors without a node.
//!
//! ```text
//! magic     "TALLYEXP" ‖ version u32 (1) ‖ chain id [32]
//! frame     length u32 (≥ 1) ‖ message: a LedgerBlock of package tallystick.ledger.v1, canonical protobuf
//! …         ascending heights from 0, without gaps
//! trailer   length u32 (0) ‖ number of frames u64 ‖ SHA-256 of every byte before this digest
//! ```
//! All integers big-endian. The file ends right after the digest. The checksum finds torn and damaged files early; it is
//! no evidence: whoever wrote the file wrote it too. What a replay proves rests on the blocks alone.
//!
//! Both sides are push-based and know no file: the encoder returns bytes to write, the decoder is fed what was read.

use sha2::{Digest, Sha256};

use crate::hash::Hash;
use crate::suite::ChainId;

/// First bytes of the file.
pub const EXPORT_MAGIC: &[u8; 8] = b"TALLYEXP";
/// The version that this build writes and reads.
pub const EXPORT_VERSION: u32 = 1;
/// A frame above this is refused unread: a block at its limit, its entries besides, and the notes.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

const HEADER_BYTES: usize = 8 + 4 + 32;
const TRAILER_BYTES: usize = 8 + 32;

/// Why bytes are not an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// It does not start with the magic bytes.
    #[error("not an export file")]
    Magic,
    /// The file has another version of the format.
    #[error("export version {0} is not supported")]
    Version(u32),
    /// A frame is empty or above [`FRAME_BYTES_MAX`].
    #[error("frame {index} of the export has {bytes} bytes, 1 to {FRAME_BYTES_MAX} are allowed")]
    FrameSize {
        /// Position of the frame, from 0.
        index: u64,
        /// Length of the frame, in bytes.
        bytes: usize,
    },
    /// The trailer counts other frames than there are.
    #[error("the export has {found} frames and claims {claimed}")]
    Count {
        /// Frames that were read.
        found: u64,
        /// Frames that the trailer states.
        claimed: u64,
    },
    /// The digest does not fit.
    #[error("the export's checksum is wrong")]
    Checksum,
    /// Bytes after the trailer.
    #[error("the export goes on after its end")]
    Junk,
    /// The file stops inside a header, frame or trailer.
    #[error("the export ends early, after {frames} frames")]
    Truncated {
        /// Whole frames read so far.
        frames: u64,
    },
}

/// Writes an export, piece by piece.
pub struct ExportEncoder {
    hasher: Sha256,
    frames: u64,
}

impl ExportEncoder {
    /// Begins a file; returns its first bytes.
    pub fn start(chain: ChainId) -> (Self, Vec<u8>) {
        let mut bytes = EXPORT_MAGIC.to_vec();
        bytes.extend_from_slice(&EXPORT_VERSION.to_be_bytes());
        bytes.extend_from_slice(chain.0.as_bytes());
        let mut hasher = Sha256::new();
        hasher.update(&bytes);
        (Self { hasher, frames: 0 }, bytes)
    }

    /// The bytes of the next frame.
    pub fn frame(&mut self, message: &[u8]) -> Result<Vec<u8>, ExportError> {
        let size_error = ExportError::FrameSize { index: self.frames, bytes: message.len() };
        if message.is_empty() || message.len() > FRAME_BYTES_MAX {
            return Err(size_error);
        }
        let length = u32::try_from(message.len()).map_err(|_| size_error)?;
        let mut bytes = Vec::with_capacity(4 + message.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(message);
        self.hasher.update(&bytes);
        self.frames += 1;
        Ok(bytes)
    }

    /// The last bytes of the file.
    pub fn finish(mut self) -> Vec<u8> {
        let mut bytes = 0_u32.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.frames.to_be_bytes());
        self.hasher.update(&bytes);
        bytes.extend_from_slice(&self.hasher.finalize());
        bytes
    }
}

/// What the decoder found next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportItem {
    /// The file's header.
    Start(ChainId),
    /// One frame's message.
    Frame(Vec<u8>),
    /// The trailer, with a right count and checksum.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Frames,
    Done,
}

/// Reads an export from pieces of any length.
pub struct ExportDecoder {
    stage: Stage,
    buffer: Vec<u8>,
    start: usize,
    hasher: Sha256,
    frames: u64,
}

impl Default for ExportDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ExportDecoder {
    /// A decoder at the beginning of a file.
    pub fn new() -> Self {
        Self { stage: Stage::Header, buffer: Vec::new(), start: 0, hasher: Sha256::new(), frames: 0 }
    }

    /// Adds what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next item, or `None` until more is fed. After [`ExportItem::End`] there must be nothing more.
    pub fn next_item(&mut self) -> Result<Option<ExportItem>, ExportError> {
        match self.stage {
            Stage::Header => self.header(),
            Stage::Frames => self.frame(),
            Stage::Done if self.rest().is_empty() => Ok(None),
            Stage::Done => Err(ExportError::Junk),
        }
    }

    /// To be called at the end of the input: refuses a file that stops early.
    pub fn finish(&self) -> Result<(), ExportError> {
        match self.stage {
            Stage::Done if self.rest().is_empty() => Ok(()),
            Stage::Done => Err(ExportError::Junk),
            Stage::Header | Stage::Frames => Err(ExportError::Truncated { frames: self.frames }),
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn header(&mut self) -> Result<Option<ExportItem>, ExportError> {
        let rest = self.rest();
        let known = rest.len().min(EXPORT_MAGIC.len());
        if rest.get(..known) != EXPORT_MAGIC.get(..known) {
            return Err(ExportError::Magic);
        }
        let Some(header) = rest.get(..HEADER_BYTES) else { return Ok(None) };
        let header = header.to_vec();
        let version = header.get(8..12).and_then(be_u32).ok_or(ExportError::Magic)?;
        if version != EXPORT_VERSION {
            return Err(ExportError::Version(version));
        }
        let chain = header.get(12..).and_then(Hash::from_slice).ok_or(ExportError::Magic)?;
        self.hasher.update(&header);
        self.start += HEADER_BYTES;
        self.stage = Stage::Frames;
        Ok(Some(ExportItem::Start(ChainId(chain))))
    }

    fn frame(&mut self) -> Result<Option<ExportItem>, ExportError> {
        let Some(length) = self.rest().get(..4).and_then(be_u32) else { return Ok(None) };
        let length = length as usize;
        if length == 0 {
            return self.trailer();
        }
        if length > FRAME_BYTES_MAX {
            return Err(ExportError::FrameSize { index: self.frames, bytes: length });
        }
        let Some(message) = self.rest().get(4..4 + length) else { return Ok(None) };
        let message = message.to_vec();
        let framed = self.buffer.get(self.start..self.start + 4 + length).unwrap_or_default();
        self.hasher.update(framed);
        self.start += 4 + length;
        self.frames += 1;
        Ok(Some(ExportItem::Frame(message)))
    }

    fn trailer(&mut self) -> Result<Option<ExportItem>, ExportError> {
        let Some(trailer) = self.rest().get(4..4 + TRAILER_BYTES) else { return Ok(None) };
        let (count, digest) = trailer.split_at(8);
        let claimed = count.try_into().map(u64::from_be_bytes).unwrap_or_default();
        if claimed != self.frames {
            return Err(ExportError::Count { found: self.frames, claimed });
        }
        let digest = digest.to_vec();
        let counted = self.rest().get(..12).unwrap_or_default().to_vec();
        self.hasher.update(&counted);
        if self.hasher.clone().finalize().as_slice() != digest.as_slice() {
            return Err(ExportError::Checksum);
        }
        self.start += 4 + TRAILER_BYTES;
        self.stage = Stage::Done;
        Ok(Some(ExportItem::End))
    }
}

fn be_u32(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: ChainId = ChainId(Hash([3; 32]));

    fn file() -> Vec<u8> {
        let (mut encoder, mut bytes) = ExportEncoder::start(CHAIN);
        for message in [&b"genesis"[..], b"one", &[9; 3000]] {
            bytes.extend(encoder.frame(message).unwrap());
        }
        bytes.extend(encoder.finish());
        bytes
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<ExportItem>, ExportError> {
        let mut decoder = ExportDecoder::new();
        let mut items = Vec::new();
        for piece in bytes.chunks(piece) {
            decoder.feed(piece);
            while let Some(item) = decoder.next_item()? {
                items.push(item);
            }
        }
        decoder.finish().map(|()| items)
    }

    #[test]
    fn pieces_of_any_length_give_the_same_items() {
        let items = read(&file(), usize::MAX).unwrap();
        assert_eq!(items[0], ExportItem::Start(CHAIN));
        assert_eq!(items[2], ExportItem::Frame(b"one".to_vec()));
        assert_eq!(items[4], ExportItem::End);
        for piece in [1, 2, 3, 7, 44, 100] {
            assert_eq!(read(&file(), piece).unwrap(), items, "pieces of {piece}");
        }
    }

    #[test]
    fn truncation_is_seen_everywhere() {
        let file = file();
        for length in 0..file.len() {
            assert!(read(&file[..length], 64).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn every_flipped_byte_is_seen() {
        let file = file();
        // Bytes 12 to 43 are the chain id: another one is still an export, of another chain, and the checksum fails too.
        for position in 0..file.len() {
            let mut bytes = file.clone();
            bytes[position] ^= 0x40;
            assert!(read(&bytes, 4096).is_err(), "byte {position}");
        }
    }

    #[test]
    fn junk_empty_and_huge_frames_are_refused() {
        let mut bytes = file();
        bytes.push(0);
        assert_eq!(read(&bytes, 4096), Err(ExportError::Junk));
        let (mut encoder, mut bytes) = ExportEncoder::start(CHAIN);
        assert!(encoder.frame(b"").is_err());
        assert!(encoder.frame(&vec![0; FRAME_BYTES_MAX + 1]).is_err());
        bytes.extend_from_slice(&u32::MAX.to_be_bytes());
        assert!(matches!(read(&bytes, 4096), Err(ExportError::FrameSize { .. })));
        let mut newer = file();
        newer[11] = 2;
        assert_eq!(read(&newer, 4096), Err(ExportError::Version(2)));
    }
}
