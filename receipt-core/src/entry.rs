//! Entries of the outer log: `tag (1 byte) ‖ message`, at most [`limits::ENTRY_BYTES_MAX`] bytes, one leaf each.
//!
//! ```text
//! 0x01 SignedBatchHeader      a batch was taken
//! 0x02 BatchRefused           a batch was refused, with the reason of each bad record
//! 0x03 SignedGovernance       the registry or the validator set changed
//! 0x04 Seal                   the last leaf of each block
//! ```

use prost::Message;

use crate::batch::SignedBatchHeader;
use crate::governance::SignedGovernance;
use crate::hash::Hash;
use crate::ids::{BatchSequence, IssuerId};
use crate::limits;
use crate::reason::Reason;
use crate::seal::Seal;
use crate::wire::{NotCanonical, decode_canonical, fixed};

const TAG_BATCH_HEADER: u8 = 1;
const TAG_BATCH_REFUSED: u8 = 2;
const TAG_GOVERNANCE: u8 = 3;
const TAG_SEAL: u8 = 4;

/// A decoded entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A batch was taken.
    BatchHeader(SignedBatchHeader),
    /// A batch was refused whole; its sequence is spent.
    BatchRefused(BatchRefused),
    /// The registry or the validator set changed.
    Governance(SignedGovernance),
    /// The block's seal.
    Seal(Seal),
}

impl Entry {
    /// The leaf bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (tag, message) = match self {
            Self::BatchHeader(header) => (TAG_BATCH_HEADER, header.encode()),
            Self::BatchRefused(refused) => (TAG_BATCH_REFUSED, refused.encode()),
            Self::Governance(governance) => (TAG_GOVERNANCE, governance.encode()),
            Self::Seal(seal) => (TAG_SEAL, seal.encode()),
        };
        let mut bytes = Vec::with_capacity(1 + message.len());
        bytes.push(tag);
        bytes.extend_from_slice(&message);
        bytes
    }

    /// Decodes leaf bytes, refusing every form but the canonical one.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        let (tag, message) = bytes.split_first().ok_or(NotCanonical("Entry"))?;
        if bytes.len() > limits::ENTRY_BYTES_MAX {
            return Err(NotCanonical("Entry"));
        }
        match *tag {
            TAG_BATCH_HEADER => {
                SignedBatchHeader::decode(message).map(Self::BatchHeader).map_err(|_| NotCanonical("SignedBatchHeader"))
            }
            TAG_BATCH_REFUSED => BatchRefused::decode(message).map(Self::BatchRefused),
            TAG_GOVERNANCE => SignedGovernance::decode(message).map(Self::Governance),
            TAG_SEAL => Seal::decode(message).map(Self::Seal),
            _ => Err(NotCanonical("Entry")),
        }
    }
}

/// Why one record of a refused batch was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRefusal {
    /// Index of the record in its batch.
    pub index: u32,
    /// Why it is refused.
    pub reason: Reason,
}

/// A batch with a genuine header that the ledger did not take: decided, and its sequence spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRefused {
    /// The issuer whose batch it is.
    pub issuer: IssuerId,
    /// The spent sequence.
    pub sequence: BatchSequence,
    /// Hash of the refused header.
    pub header_hash: Hash,
    /// The refused records, ascending by index; the others were good and may be cut into a new batch.
    pub refusals: Vec<RecordRefusal>,
}

#[derive(Clone, PartialEq, Message)]
struct RefusedWire {
    #[prost(uint32, tag = "1")]
    issuer_id: u32,
    #[prost(uint64, tag = "2")]
    sequence: u64,
    #[prost(bytes = "vec", tag = "3")]
    header_hash: Vec<u8>,
    #[prost(uint32, repeated, tag = "4")]
    indexes: Vec<u32>,
    #[prost(uint32, repeated, tag = "5")]
    reasons: Vec<u32>,
}

impl BatchRefused {
    fn encode(&self) -> Vec<u8> {
        RefusedWire {
            issuer_id: self.issuer.get(),
            sequence: self.sequence.get(),
            header_hash: self.header_hash.0.to_vec(),
            indexes: self.refusals.iter().map(|refusal| refusal.index).collect(),
            reasons: self.refusals.iter().map(|refusal| refusal.reason.code()).collect(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        const WHAT: NotCanonical = NotCanonical("BatchRefused");
        let wire: RefusedWire = decode_canonical("BatchRefused", bytes)?;
        let ascending = wire.indexes.windows(2).all(|pair| pair[0] < pair[1]);
        if wire.indexes.len() != wire.reasons.len() || wire.indexes.is_empty() || !ascending {
            return Err(WHAT);
        }
        let refusals = wire.indexes.iter().zip(&wire.reasons).map(|(index, reason)| {
            Reason::from_code(*reason).map(|reason| RecordRefusal { index: *index, reason }).ok_or(WHAT)
        });
        Ok(Self {
            issuer: IssuerId::new(wire.issuer_id),
            sequence: BatchSequence::new(wire.sequence),
            header_hash: Hash(fixed("header_hash", &wire.header_hash)?),
            refusals: refusals.collect::<Result<_, _>>()?,
        })
    }
}
