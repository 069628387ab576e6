//! The pool: batches and governance that wait for their block.
//!
//! A batch gets in only after root, count and all signatures were checked, once; the verdict stays with it and is reused when
//! the block that carries it is executed. Keyed by header hash; bounded in bytes and, per issuer, in batches. Nothing here is
//! durable: whoever submitted a batch submits it again until it is decided.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use receipt_core::batch::SignedBatchHeader;
use receipt_core::block::Batch;
use receipt_core::governance::{KeyOwner, SignedGovernance};
use receipt_core::hash::Hash;
use receipt_core::ids::{IssuerId, KeyId, LeafIndex};
use receipt_core::limits;
use receipt_core::reason::Reason;
use receipt_core::state::tables::{BatchState, IssuerState, KeyState, META_GOVERNANCE, Table, batch_key_bytes};
use receipt_core::state::{ApplyError, BatchCache, CheckedBatch, Effects, StateRead as _, registry_writes};
use receipt_core::suite::PublicKey;
use tokio::sync::watch;

use crate::config::PoolConfig;
use crate::ledger::Ledger;
use crate::store::StoreError;

/// What became of an offered batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offered {
    /// In the pool, now or before.
    Pooled {
        /// Whether it was there before.
        known: bool,
    },
    /// Decided already.
    Decided {
        /// Taken or refused.
        refused: bool,
        /// Its log entry.
        leaf_index: LeafIndex,
    },
}

/// Why an offered batch or governance message does not get in.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// It is at fault.
    #[error("{}: {detail}", reason.as_str())]
    Refused {
        /// The stable reason.
        reason: Reason,
        /// What exactly, and what to do.
        detail: String,
    },
    /// The pool is full: try again shortly.
    #[error("the pool is full ({bytes} bytes); offer the batch again shortly")]
    Full {
        /// Bytes pooled.
        bytes: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn refused(reason: Reason, detail: impl Into<String>) -> PoolError {
    PoolError::Refused { reason, detail: detail.into() }
}

/// What waits, and what was put into a block lately.
pub struct Pool {
    ledger: Ledger,
    bounds: PoolConfig,
    waiting: Mutex<Waiting>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Waiting {
    batches: BTreeMap<(IssuerId, u64), Arc<CheckedBatch>>,
    by_hash: HashMap<Hash, (IssuerId, u64)>,
    governance: BTreeMap<u64, SignedGovernance>,
    bytes: usize,
}

/// Counts for status and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// Batches.
    pub batches: usize,
    /// Records in them.
    pub records: usize,
    /// Bytes of them.
    pub bytes: usize,
}

/// Work for one block.
#[derive(Default)]
pub struct Candidates {
    /// Governance in order of sequence.
    pub governance: Vec<SignedGovernance>,
    /// Batches; each issuer's in order of sequence.
    pub batches: Vec<Arc<CheckedBatch>>,
}

impl Pool {
    /// An empty pool.
    pub fn new(ledger: Ledger, bounds: PoolConfig) -> Self {
        Self { ledger, bounds, waiting: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Ticks whenever something gets in.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a batch and takes it in. CPU-bound: call it where blocking is fine.
    pub fn offer(
        &self,
        header: SignedBatchHeader,
        records: Vec<Vec<u8>>,
        entropy: [u8; 32],
    ) -> Result<Offered, PoolError> {
        let hash = header.header_hash();
        if self.waiting().by_hash.contains_key(&hash) {
            return Ok(Offered::Pooled { known: true });
        }
        let (issuer, sequence) = (header.header.issuer, header.header.sequence.get());
        if let Some(decided) = self.check_header(&header)? {
            return Ok(decided);
        }
        self.check_room(issuer, sequence, hash)?;
        let key = |id| self.ledger.public_key(id);
        let checked = CheckedBatch::check(Batch { header, records }, self.ledger.chain.id, &key, entropy)
            .map_err(|fault| refused(fault.reason(), fault.to_string()))?;
        let mut waiting = self.waiting();
        let bytes = checked.byte_size();
        if let Some(other) = waiting.batches.get(&(issuer, sequence)) {
            let same = other.header_hash() == hash;
            return if same { Ok(Offered::Pooled { known: true }) } else { Err(conflict(issuer, sequence)) };
        }
        waiting.bytes += bytes;
        waiting.by_hash.insert(hash, (issuer, sequence));
        waiting.batches.insert((issuer, sequence), Arc::new(checked));
        drop(waiting);
        self.changed.send_modify(|count| *count += 1);
        Ok(Offered::Pooled { known: false })
    }

    /// Issuer, epoch, key and sequence against the state. `Some` if the sequence is decided.
    fn check_header(&self, header: &SignedBatchHeader) -> Result<Option<Offered>, PoolError> {
        let (issuer, sequence) = (header.header.issuer, header.header.sequence.get());
        let state = self.issuer(issuer)?.ok_or_else(|| {
            refused(Reason::IssuerUnknown, format!("issuer {issuer} is not registered on this ledger"))
        })?;
        let key = self.issuer_key(issuer, header.header.signing_key)?;
        if !key.is_some_and(|key| header.verify(self.ledger.chain.id, &key)) {
            let detail = "the header's signature does not fit a key of this issuer and this chain";
            return Err(refused(Reason::SignatureInvalid, detail));
        }
        if sequence < state.next_sequence {
            let bytes = self.ledger.store.get(Table::Batches, &batch_key_bytes(issuer, sequence));
            let bytes = bytes.map_err(StoreError::from)?;
            let Some(bytes) = bytes else { return Err(conflict(issuer, sequence)) };
            let decided = BatchState::decode(&bytes).map_err(StoreError::from)?;
            if decided.header_hash != header.header_hash() {
                return Err(conflict(issuer, sequence));
            }
            return Ok(Some(Offered::Decided { refused: decided.refused, leaf_index: decided.leaf_index }));
        }
        if header.header.epoch != state.epoch {
            let detail =
                format!("issuer {issuer} is at epoch {}, the batch is of {}", state.epoch, header.header.epoch);
            return Err(refused(Reason::EpochFenced, detail));
        }
        if sequence >= state.next_sequence + self.bounds.issuer_batches_max as u64 {
            let detail = format!("the ledger expects sequence {} of issuer {issuer}", state.next_sequence);
            return Err(refused(Reason::SequenceGap, detail));
        }
        Ok(None)
    }

    /// A registered key, if it is this issuer's.
    fn issuer_key(&self, issuer: IssuerId, id: KeyId) -> Result<Option<PublicKey>, StoreError> {
        let Some(bytes) = self.ledger.store.get(Table::Keys, &id.get().to_be_bytes())? else { return Ok(None) };
        let state: KeyState =
            prost::Message::decode(bytes.as_slice()).map_err(|_| StoreError::Corrupt("a key".into()))?;
        let owned = state.key.owner_kind == KeyOwner::Issuer.number() && state.key.owner_id == issuer.get();
        Ok(if owned { state.key.key().ok() } else { None })
    }

    /// Room for one more batch. An issuer's next batch may use a reserve that others' later ones can not fill.
    fn check_room(&self, issuer: IssuerId, sequence: u64, hash: Hash) -> Result<(), PoolError> {
        let next = self.issuer(issuer)?.map_or(0, |state| state.next_sequence);
        let bytes_max = if sequence == next { 2 * self.bounds.bytes_max } else { self.bounds.bytes_max };
        let waiting = self.waiting();
        if waiting.batches.get(&(issuer, sequence)).is_some_and(|other| other.header_hash() != hash) {
            return Err(conflict(issuer, sequence));
        }
        let full = waiting.bytes + limits::BATCH_BYTES_MAX > bytes_max;
        if full { Err(PoolError::Full { bytes: waiting.bytes }) } else { Ok(()) }
    }

    /// An issuer's registration and next sequence.
    pub fn issuer(&self, issuer: IssuerId) -> Result<Option<IssuerState>, StoreError> {
        let bytes = self.ledger.store.get(Table::Issuers, &issuer.get().to_be_bytes())?;
        let decoded = bytes.map(|bytes| prost::Message::decode(bytes.as_slice()));
        decoded.transpose().map_err(|_| StoreError::Corrupt("an issuer".into()))
    }

    /// Checks a governance message and takes it in: the next in sequence, and one that applies. Returns whether it was known.
    pub fn offer_governance(&self, message: SignedGovernance) -> Result<bool, PoolError> {
        let sequence = message.governance.sequence;
        let next = self.governance_sequence()? + 1;
        if sequence != next {
            let reason = if sequence < next { Reason::SequenceConflict } else { Reason::SequenceGap };
            return Err(refused(
                reason,
                format!("the next governance sequence is {next}, this message has {sequence}"),
            ));
        }
        if let Some(other) = self.waiting().governance.get(&sequence) {
            let same = other.governance_bytes == message.governance_bytes;
            let detail = format!("another message with sequence {sequence} is waiting");
            return if same { Ok(true) } else { Err(refused(Reason::SequenceConflict, detail)) };
        }
        self.check_governance(&message)?;
        self.waiting().governance.insert(sequence, message);
        self.changed.send_modify(|count| *count += 1);
        Ok(false)
    }

    /// Size, expiry, signatures, and whether every action applies to the state as it is.
    fn check_governance(&self, message: &SignedGovernance) -> Result<(), PoolError> {
        let invalid = |problem: String| refused(Reason::FieldInvalid, problem);
        if message.encode().len() >= limits::ENTRY_BYTES_MAX {
            return Err(invalid(format!("the message is larger than {} bytes; split it", limits::ENTRY_BYTES_MAX)));
        }
        let tip = self.ledger.tip()?;
        let height = tip.height.next().ok_or_else(|| StoreError::Corrupt("no height is left".into()))?;
        if message.governance.expiry < height {
            return Err(invalid(format!("it expires at height {}, the next is {height}", message.governance.expiry)));
        }
        let chain = &self.ledger.chain;
        if !message.verify(chain.id, &chain.authorities, chain.authority_threshold) {
            let detail = format!("{} valid authority signatures are needed", chain.authority_threshold);
            return Err(refused(Reason::SignatureInvalid, detail));
        }
        match registry_writes(&self.ledger.store, chain, message, height, tip.time) {
            Ok(_) => Ok(()),
            Err(ApplyError::Refused(refusal)) => Err(invalid(refusal.to_string())),
            Err(ApplyError::Read(error)) => Err(PoolError::Store(error.into())),
        }
    }

    fn governance_sequence(&self) -> Result<u64, StoreError> {
        let bytes = self.ledger.store.get(Table::Meta, META_GOVERNANCE)?;
        let bytes = bytes.ok_or_else(|| StoreError::Corrupt("no governance sequence".into()))?;
        crate::store::read_u64(&bytes)
    }

    /// What the next block may carry: each issuer's batches from its next sequence on, in turn, up to the block's limits.
    /// `start` turns the order of issuers, so that none is always last.
    pub fn candidates(&self, start: u64) -> Result<Candidates, StoreError> {
        let mut candidates = Candidates::default();
        let mut bytes = 0;
        let mut next_governance = self.governance_sequence()? + 1;
        let waiting = self.waiting();
        while let Some(message) = waiting.governance.get(&next_governance) {
            bytes += message.governance_bytes.len() + limits::RECORD_BYTES_MAX;
            candidates.governance.push(message.clone());
            next_governance += 1;
        }
        let mut issuers: Vec<IssuerId> = waiting.batches.keys().map(|(issuer, _)| *issuer).collect();
        issuers.dedup();
        let turn = usize::try_from(start % issuers.len().max(1) as u64).unwrap_or(0);
        issuers.rotate_left(turn);
        let mut records = 0;
        for issuer in issuers {
            let mut sequence = self.issuer(issuer)?.map_or(0, |state| state.next_sequence);
            while let Some(batch) = waiting.batches.get(&(issuer, sequence)) {
                // Lengths, tags and the block's own fields take less than a tenth on top.
                let size = batch.byte_size() + batch.records().len() * 4 + 256;
                let fits = bytes + size <= limits::BLOCK_BYTES_MAX * 9 / 10
                    && records + batch.records().len() <= limits::BLOCK_RECORDS_MAX;
                if !fits {
                    break;
                }
                (bytes, records) = (bytes + size, records + batch.records().len());
                candidates.batches.push(Arc::clone(batch));
                sequence += 1;
            }
        }
        Ok(candidates)
    }

    /// Whether a block could carry anything.
    pub fn has_work(&self) -> Result<bool, StoreError> {
        let next_governance = self.governance_sequence()? + 1;
        let waiting = self.waiting();
        if waiting.governance.contains_key(&next_governance) {
            return Ok(true);
        }
        let mut issuers: Vec<IssuerId> = waiting.batches.keys().map(|(issuer, _)| *issuer).collect();
        issuers.dedup();
        for issuer in issuers {
            let next = self.issuer(issuer)?.map_or(0, |state| state.next_sequence);
            if waiting.batches.contains_key(&(issuer, next)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Drops what a committed block has decided.
    pub fn forget_decided(&self, effects: &Effects) -> Result<(), StoreError> {
        let last_governance = self.governance_sequence()?;
        let mut waiting = self.waiting();
        waiting.governance.retain(|sequence, _| *sequence > last_governance);
        for outcome in &effects.outcomes {
            waiting.remove_hash(outcome.header_hash);
        }
        // Another header under a spent sequence can never be decided any more.
        let mut spent = Vec::new();
        let mut next = HashMap::new();
        for (issuer, sequence) in waiting.batches.keys() {
            let next_sequence = match next.get(issuer) {
                Some(known) => *known,
                None => {
                    let known = self.issuer(*issuer)?.map_or(0, |state| state.next_sequence);
                    next.insert(*issuer, known);
                    known
                }
            };
            if *sequence < next_sequence {
                spent.push((*issuer, *sequence));
            }
        }
        for key in spent {
            waiting.remove(key);
        }
        Ok(())
    }

    /// Drops one batch: a proposer found that no block may carry it.
    pub fn drop_batch(&self, header_hash: Hash) {
        self.waiting().remove_hash(header_hash);
    }

    /// Drops a governance message for the same reason.
    pub fn drop_governance(&self, sequence: u64) {
        self.waiting().governance.remove(&sequence);
    }

    /// Header hashes of all waiting batches.
    pub fn hashes(&self) -> Vec<Hash> {
        self.waiting().by_hash.keys().copied().collect()
    }

    /// Waiting governance messages.
    pub fn governance(&self) -> Vec<SignedGovernance> {
        self.waiting().governance.values().cloned().collect()
    }

    /// How much waits.
    pub fn size(&self) -> PoolSize {
        let waiting = self.waiting();
        let records = waiting.batches.values().map(|batch| batch.records().len()).sum();
        PoolSize { batches: waiting.batches.len(), records, bytes: waiting.bytes }
    }
}

impl Waiting {
    fn remove_hash(&mut self, hash: Hash) {
        if let Some(key) = self.by_hash.get(&hash).copied() {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: (IssuerId, u64)) {
        if let Some(batch) = self.batches.remove(&key) {
            self.bytes = self.bytes.saturating_sub(batch.byte_size());
            self.by_hash.remove(&batch.header_hash());
        }
    }
}

fn conflict(issuer: IssuerId, sequence: u64) -> PoolError {
    let detail = format!("issuer {issuer} gave another header under sequence {sequence} before");
    refused(Reason::SequenceConflict, detail)
}

impl BatchCache for Pool {
    fn checked_batch(&self, header_hash: Hash) -> Option<Arc<CheckedBatch>> {
        let waiting = self.waiting();
        waiting.by_hash.get(&header_hash).and_then(|key| waiting.batches.get(key)).cloned()
    }
}

#[cfg(test)]
mod tests;
