//! Parts of a block and the stream messages that carry them.
//!
//! ```text
//! header   tag 0 · height u64 · round u32 · pol round · block id 32 · proposer u32 · sender u32 · bytes total u32
//!          · hash 32 of each chunk; their count follows from the bytes total · signature 64
//! chunk    tag 1 · height u64 · round u32 · length u32 · bytes
//! stream   id length u8 (1 to 32) · id · sequence u64 · content u8 (0 a part, 1 end) · part if 0
//! ```

use malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};

use super::Wire;
use crate::limits::BLOCK_BYTES_LIMIT;
use crate::preimage::{StreamFields, VoteSlot};
use crate::proposal_part::{ProposalPart, StreamHeader};
use crate::streaming::{CHUNK_BYTES, chunk_count};
use crate::wire::{CodecError, Reader, put_optional_round};

const STREAM_ID_BYTES_MAX: usize = 32;

fn put_slot(out: &mut Vec<u8>, slot: VoteSlot) {
    out.extend_from_slice(&slot.height.to_be_bytes());
    out.extend_from_slice(&slot.round.to_be_bytes());
}

fn read_slot(reader: &mut Reader) -> Result<VoteSlot, CodecError> {
    Ok(VoteSlot { height: reader.height()?, round: reader.bounded_round()? })
}

impl Wire for ProposalPart {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Header(header) => {
                out.push(0);
                put_slot(out, header.slot);
                put_optional_round(out, header.fields.pol_round);
                out.extend_from_slice(&header.fields.block_id.0);
                let fields = &header.fields;
                for number in [fields.proposer.get(), fields.sender.get(), fields.bytes_total] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
                fields.chunk_hashes.iter().for_each(|hash| out.extend_from_slice(hash));
                out.extend_from_slice(&header.signature);
            }
            Self::Chunk { slot, bytes } => {
                out.reserve(17 + bytes.len());
                out.push(1);
                put_slot(out, *slot);
                out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        match reader.u8()? {
            0 => {
                let slot = read_slot(reader)?;
                let mut fields = StreamFields {
                    pol_round: reader.optional_round()?,
                    block_id: reader.block_id()?,
                    proposer: reader.member()?,
                    sender: reader.member()?,
                    bytes_total: reader.u32()?,
                    chunk_hashes: Vec::new(),
                };
                let bytes_total = fields.bytes_total as usize;
                if bytes_total > BLOCK_BYTES_LIMIT {
                    return Err(CodecError::Invalid("block length"));
                }
                for _ in 0..chunk_count(bytes_total) {
                    fields.chunk_hashes.push(reader.array()?);
                }
                Ok(Self::Header(Box::new(StreamHeader { slot, fields, signature: reader.array()? })))
            }
            1 => {
                let slot = read_slot(reader)?;
                let length = reader.u32()? as usize;
                if length == 0 || length > CHUNK_BYTES {
                    return Err(CodecError::Invalid("chunk length"));
                }
                reader.bytes(length).map(|bytes| Self::Chunk { slot, bytes })
            }
            _ => Err(CodecError::Invalid("part tag")),
        }
    }
}

impl Wire for StreamMessage<ProposalPart> {
    fn write(&self, out: &mut Vec<u8>) {
        let id = self.stream_id.to_bytes();
        if let StreamContent::Data(ProposalPart::Chunk { bytes, .. }) = &self.content {
            out.reserve(bytes.len() + 64);
        }
        out.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(&id);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        match &self.content {
            StreamContent::Data(part) => {
                out.push(0);
                part.write(out);
            }
            StreamContent::Fin => out.push(1),
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let length = usize::from(reader.u8()?);
        if length == 0 || length > STREAM_ID_BYTES_MAX {
            return Err(CodecError::Invalid("stream id length"));
        }
        let id = StreamId::new(reader.bytes(length)?);
        let sequence = reader.u64()?;
        let content = match reader.u8()? {
            0 => StreamContent::Data(ProposalPart::read(reader)?),
            1 => StreamContent::Fin,
            _ => return Err(CodecError::Invalid("stream content")),
        };
        Ok(Self::new(id, sequence, content))
    }
}
