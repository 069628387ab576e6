//! The batch: up to 4,096 signed records of one issuer under an RFC 6962 root, with a header the issuer signs.
//!
//! ```text
//! SignedBatchHeader { 1 header: bytes, 2 signature: bytes[64] }
//! BatchHeader {
//!   1 format_version  2 suite  3 issuer_id  4 epoch  5 sequence  6 count  7 root[32]
//!   8 first_issue_time_ms  9 last_issue_time_ms  10 key_id
//! }
//! ```
//! Leaf i of the tree is the bytes of the i-th `SignedRecord`. `count` authenticates the tree's size.

use prost::Message;

use crate::hash::Hash;
use crate::ids::{BatchSequence, IssuerId, KeyId, TreeSize, UnixMillis};
use crate::limits;
use crate::reason::Reason;
use crate::record::FORMAT_VERSION;
use crate::suite::{ChainId, Namespace, PublicKey, Signature, Signer, Suite};
use crate::wire::{decode_canonical, fixed};

/// What an issuer says about a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchHeader {
    /// Signature suite of the header.
    pub suite: Suite,
    /// The issuer that cut and signed the batch.
    pub issuer: IssuerId,
    /// The issuer's fencing epoch.
    pub epoch: u32,
    /// Position among the issuer's batches, from 1, without gaps.
    pub sequence: BatchSequence,
    /// Number of records: the size of the batch tree, 1 to 4,096.
    pub count: u32,
    /// RFC 6962 root over the signed records.
    pub root: Hash,
    /// Smallest issue time among the records.
    pub first_issue_time: UnixMillis,
    /// Largest issue time among the records.
    pub last_issue_time: UnixMillis,
    /// The issuer's key that signs.
    pub signing_key: KeyId,
}

/// How a batch's last issue time lies to the time of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ripeness {
    /// At most [`limits::ISSUE_TIME_AHEAD_MS_MAX`] ahead: a block may carry it.
    Ripe,
    /// Farther ahead: no block of this time may carry it. A later one may.
    Early,
    /// More than [`limits::ISSUE_TIME_WAITS_MS_MAX`] ahead: a block may carry it, and it is refused.
    Never,
}

#[derive(Clone, PartialEq, Message)]
struct HeaderWire {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(uint32, tag = "2")]
    suite: u32,
    #[prost(uint32, tag = "3")]
    issuer_id: u32,
    #[prost(uint32, tag = "4")]
    epoch: u32,
    #[prost(uint64, tag = "5")]
    sequence: u64,
    #[prost(uint32, tag = "6")]
    count: u32,
    #[prost(bytes = "vec", tag = "7")]
    root: Vec<u8>,
    #[prost(uint64, tag = "8")]
    first_issue_time_ms: u64,
    #[prost(uint64, tag = "9")]
    last_issue_time_ms: u64,
    #[prost(uint32, tag = "10")]
    key_id: u32,
}

impl BatchHeader {
    /// The canonical bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        HeaderWire {
            format_version: FORMAT_VERSION,
            suite: self.suite.number(),
            issuer_id: self.issuer.get(),
            epoch: self.epoch,
            sequence: self.sequence.get(),
            count: self.count,
            root: self.root.0.to_vec(),
            first_issue_time_ms: self.first_issue_time.get(),
            last_issue_time_ms: self.last_issue_time.get(),
            key_id: self.signing_key.get(),
        }
        .encode_to_vec()
    }

    /// Decodes and checks the form. Errors: `NOT_CANONICAL`, `SUITE_UNKNOWN`, `COUNT_MISMATCH`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Reason> {
        let wire: HeaderWire = decode_canonical("BatchHeader", bytes).map_err(|_| Reason::NotCanonical)?;
        if wire.format_version != FORMAT_VERSION {
            return Err(Reason::NotCanonical);
        }
        if wire.count == 0 || wire.count as usize > limits::BATCH_RECORDS_MAX {
            return Err(Reason::CountMismatch);
        }
        Ok(Self {
            suite: Suite::from_number(wire.suite).ok_or(Reason::SuiteUnknown)?,
            issuer: IssuerId::new(wire.issuer_id),
            epoch: wire.epoch,
            sequence: BatchSequence::new(wire.sequence),
            count: wire.count,
            root: Hash(fixed("root", &wire.root).map_err(|_| Reason::NotCanonical)?),
            first_issue_time: UnixMillis::new(wire.first_issue_time_ms),
            last_issue_time: UnixMillis::new(wire.last_issue_time_ms),
            signing_key: KeyId::new(wire.key_id),
        })
    }

    /// Whether the batch may stand in a block of this time, by its last issue time alone.
    pub fn ripeness(&self, block_time: UnixMillis) -> Ripeness {
        match self.last_issue_time.since(block_time) {
            0..=limits::ISSUE_TIME_AHEAD_MS_MAX => Ripeness::Ripe,
            ahead if ahead <= limits::ISSUE_TIME_WAITS_MS_MAX => Ripeness::Early,
            _ => Ripeness::Never,
        }
    }

    /// The time at which the key has to be good: the last issue time. Of a batch that is refused in any case it is the block's time:
    /// a key with an end would else keep it out of all blocks, and its issuer's later batches with it.
    pub fn signing_time(&self, block_time: UnixMillis) -> UnixMillis {
        if self.ripeness(block_time) == Ripeness::Never { block_time } else { self.last_issue_time }
    }

    /// The earliest block time at which an early batch is ripe.
    pub fn ripe_at(&self) -> UnixMillis {
        UnixMillis::new(self.last_issue_time.get().saturating_sub(limits::ISSUE_TIME_AHEAD_MS_MAX))
    }

    /// The size of the batch tree.
    pub fn tree_size(&self) -> TreeSize {
        TreeSize::new(u64::from(self.count))
    }
}

/// A header with its signature: the content of a `BatchHeader` log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBatchHeader {
    /// The decoded header.
    pub header: BatchHeader,
    /// The signed bytes, verbatim.
    pub header_bytes: Vec<u8>,
    /// The issuer's signature.
    pub signature: Signature,
}

#[derive(Clone, PartialEq, Message)]
struct SignedWire {
    #[prost(bytes = "vec", tag = "1")]
    header: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    signature: Vec<u8>,
}

impl SignedBatchHeader {
    /// Signs a header.
    pub fn sign(header: BatchHeader, chain: ChainId, signer: &dyn Signer) -> Self {
        let header_bytes = header.encode();
        let signature = signer.sign(Namespace::Batch, chain, &header_bytes);
        Self { header, header_bytes, signature }
    }

    /// The bytes of the log entry, without its tag.
    pub fn encode(&self) -> Vec<u8> {
        SignedWire { header: self.header_bytes.clone(), signature: self.signature.0.to_vec() }.encode_to_vec()
    }

    /// Decodes and checks the form, not the signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, Reason> {
        let wire: SignedWire = decode_canonical("SignedBatchHeader", bytes).map_err(|_| Reason::NotCanonical)?;
        let signature = Signature(fixed("signature", &wire.signature).map_err(|_| Reason::NotCanonical)?);
        Ok(Self { header: BatchHeader::decode(&wire.header)?, header_bytes: wire.header, signature })
    }

    /// The issuer's signature over the received bytes, under the header's suite.
    pub fn verify(&self, chain: ChainId, key: &PublicKey) -> bool {
        self.header.suite.verify(key, Namespace::Batch, chain, &self.header_bytes, &self.signature)
    }

    /// What identifies the batch, under the header's suite: two headers with different hashes under one sequence are evidence.
    pub fn header_hash(&self) -> Hash {
        self.header.suite.tagged("tallystick/batch-header/v1", &[&self.header_bytes])
    }
}
