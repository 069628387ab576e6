//! The block: what consensus decides. Entries of the public log, and the records behind them.
//!
//! ```text
//! Block {
//!   1 format_version  2 height  3 time_ms  4 parent_seal_hash[32]  5 proposer_id  6 proposer_round
//!   7 items…  8 salt[32]  9 seal: bytes (the Seal message)
//! }
//! Item { 1 kind (1 batch, 2 governance)  2 message: bytes (SignedBatchHeader | SignedGovernance)  3 records: bytes… }
//! ```
//! The block id is a hash of all these bytes. Whoever votes has executed the block and found the seal to be its own.

use prost::Message;

use crate::batch::SignedBatchHeader;
use crate::governance::SignedGovernance;
use crate::hash::Hash;
use crate::ids::{Height, UnixMillis, ValidatorId};
use crate::limits;
use crate::record::FORMAT_VERSION;
use crate::seal::Seal;
use crate::suite::Suite;
use crate::wire::{NotCanonical, decode_canonical, fixed};

/// A block without its seal: the input of the state transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockContent {
    /// Height, from 1 (block 0 follows from genesis and is never decided).
    pub height: Height,
    /// The proposer's time; later than the parent's.
    pub time: UnixMillis,
    /// Hash of the parent's seal.
    pub parent_seal_hash: Hash,
    /// The validator that built the block.
    pub proposer: ValidatorId,
    /// The round in which it was built: turns missed before it are counted against the schedule.
    pub proposer_round: u32,
    /// Batches and governance, in the order of their log entries.
    pub items: Vec<Item>,
    /// Secret of the block, chosen by the proposer: salts of the totals commitment and of statuses derive from it.
    pub salt: [u8; 32],
}

/// One item of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A batch and its records (each the bytes of a `SignedRecord`).
    Batch(Batch),
    /// A registry change.
    Governance(SignedGovernance),
}

/// A batch header with the records behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The signed header.
    pub header: SignedBatchHeader,
    /// The records, verbatim, in leaf order.
    pub records: Vec<Vec<u8>>,
}

/// A decided (or proposed) block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Everything but the seal.
    pub content: BlockContent,
    /// What executing the content must leave behind.
    pub seal: Seal,
}

#[derive(Clone, PartialEq, Message)]
struct ItemWire {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(bytes = "vec", tag = "2")]
    message: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    records: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct BlockWire {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(uint64, tag = "2")]
    height: u64,
    #[prost(uint64, tag = "3")]
    time_ms: u64,
    #[prost(bytes = "vec", tag = "4")]
    parent_seal_hash: Vec<u8>,
    #[prost(uint32, tag = "5")]
    proposer_id: u32,
    #[prost(uint32, tag = "6")]
    proposer_round: u32,
    #[prost(message, repeated, tag = "7")]
    items: Vec<ItemWire>,
    #[prost(bytes = "vec", tag = "8")]
    salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "9")]
    seal: Vec<u8>,
}

const KIND_BATCH: u32 = 1;
const KIND_GOVERNANCE: u32 = 2;

impl Item {
    fn to_wire(&self) -> ItemWire {
        match self {
            Self::Batch(batch) => {
                ItemWire { kind: KIND_BATCH, message: batch.header.encode(), records: batch.records.clone() }
            }
            Self::Governance(governance) => {
                ItemWire { kind: KIND_GOVERNANCE, message: governance.encode(), records: Vec::new() }
            }
        }
    }

    fn from_wire(wire: ItemWire) -> Result<Self, NotCanonical> {
        match wire.kind {
            KIND_BATCH => Ok(Self::Batch(Batch {
                header: SignedBatchHeader::decode(&wire.message).map_err(|_| NotCanonical("SignedBatchHeader"))?,
                records: wire.records,
            })),
            KIND_GOVERNANCE if wire.records.is_empty() => SignedGovernance::decode(&wire.message).map(Self::Governance),
            _ => Err(NotCanonical("Item")),
        }
    }
}

impl Block {
    /// The canonical bytes that are proposed, stored and hashed.
    pub fn encode(&self) -> Vec<u8> {
        let content = &self.content;
        BlockWire {
            format_version: FORMAT_VERSION,
            height: content.height.get(),
            time_ms: content.time.get(),
            parent_seal_hash: content.parent_seal_hash.0.to_vec(),
            proposer_id: content.proposer.get(),
            proposer_round: content.proposer_round,
            items: content.items.iter().map(Item::to_wire).collect(),
            salt: content.salt.to_vec(),
            seal: self.seal.encode(),
        }
        .encode_to_vec()
    }

    /// Reads canonical bytes of at most [`limits::BLOCK_BYTES_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, NotCanonical> {
        if bytes.len() > limits::BLOCK_BYTES_MAX {
            return Err(NotCanonical("Block"));
        }
        let wire: BlockWire = decode_canonical("Block", bytes)?;
        if wire.format_version != FORMAT_VERSION {
            return Err(NotCanonical("Block"));
        }
        let content = BlockContent {
            height: Height::new(wire.height),
            time: UnixMillis::new(wire.time_ms),
            parent_seal_hash: Hash(fixed("parent_seal_hash", &wire.parent_seal_hash)?),
            proposer: ValidatorId::new(wire.proposer_id),
            proposer_round: wire.proposer_round,
            items: wire.items.into_iter().map(Item::from_wire).collect::<Result<_, _>>()?,
            salt: fixed("salt", &wire.salt)?,
        };
        Ok(Self { content, seal: Seal::decode(&wire.seal)? })
    }
}

/// What consensus votes on: a hash of the block's canonical bytes, under the chain's suite.
pub fn block_id(suite: Suite, block_bytes: &[u8]) -> Hash {
    suite.tagged("tallystick/block/v1", &[block_bytes])
}
