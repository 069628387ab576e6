//! The pool: batches and governance that wait for their block.
//!
//! A batch gets in only after root, count and all signatures were checked, once; the verdict stays with it and is reused when
//! the block that carries it is executed. While a batch is checked, another copy of it waits for that verdict. Keyed by header
//! hash; bounded in bytes and, per issuer, in bytes and batches (`waiting`); few checks run at once (`turns`). Nothing here is
//! durable: whoever submitted a batch submits it again until it is decided.

mod governance;
mod turns;
mod waiting;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use receipt_core::batch::{Ripeness, SignedBatchHeader};
use receipt_core::block::Batch;
use receipt_core::governance::{KeyOwner, SignedGovernance};
use receipt_core::hash::Hash;
use receipt_core::ids::{IssuerId, KeyId, LeafIndex, UnixMillis};
use receipt_core::limits;
use receipt_core::reason::Reason;
use receipt_core::state::tables::{BatchState, IssuerState, KeyState, Table, batch_key_bytes};
use receipt_core::state::{BatchCache, CheckedBatch, Effects, StateRead as _};
use tallystick_service::clock::Clock;
use tokio::sync::watch;

use self::turns::Turns;
use self::waiting::{Admission, Offer, Slot, Waiting};
use crate::config::PoolConfig;
use crate::ledger::Ledger;
use crate::store::StoreError;

/// For how long at least a batch is kept back whose issuer has no budget of refused bytes left.
const BUDGET_PAUSE_MS: u64 = 60_000;

/// What became of an offered batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offered {
    /// The batch is in the pool, or was there before.
    Pooled {
        /// Whether it was there before.
        known: bool,
    },
    /// In the pool, and no block may carry it yet: its last issue time lies too far ahead.
    Early {
        /// Whether it was there before.
        known: bool,
        /// Milliseconds until a block may.
        wait_ms: u64,
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
    /// The batch or message is at fault.
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
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
    /// A check has ended.
    checked: Condvar,
    turns: Turns,
    /// No batches go into blocks: the disk is nearly full.
    paused: AtomicBool,
    refused_batches: AtomicU64,
    changed: watch::Sender<u64>,
}

/// Bytes reserved for a batch while it is checked; given back when dropped.
struct Reservation<'a> {
    pool: &'a Pool,
    hash: Hash,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.pool.waiting().release(self.hash);
        self.pool.checked.notify_all();
    }
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
    /// Governance: of the chain's own authorities, then of areas, each in order of sequence.
    pub governance: Vec<SignedGovernance>,
    /// Batches; each issuer's in order of sequence.
    pub batches: Vec<Arc<CheckedBatch>>,
}

impl Pool {
    /// An empty pool.
    pub fn new(ledger: Ledger, bounds: PoolConfig, clock: Arc<dyn Clock>) -> Self {
        // One core stays free for consensus.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            ledger,
            bounds,
            clock,
            waiting: Mutex::default(),
            checked: Condvar::new(),
            turns: Turns::new(cores.saturating_sub(1)),
            paused: AtomicBool::new(false),
            refused_batches: AtomicU64::new(0),
            changed: watch::Sender::new(0),
        }
    }

    /// Whether blocks of this node's own carry batches. While paused there is no work but governance.
    pub fn pause(&self, paused: bool) {
        if self.paused.swap(paused, Ordering::Relaxed) && !paused {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// Batches refused since the start.
    pub fn refused_batches(&self) -> u64 {
        self.refused_batches.load(Ordering::Relaxed)
    }

    /// Ticks whenever something gets in.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a batch and takes it in. CPU-bound, and waits for its turn: call it where blocking is fine.
    pub fn offer(
        &self,
        header: SignedBatchHeader,
        records: Vec<Vec<u8>>,
        entropy: [u8; 32],
    ) -> Result<Offered, PoolError> {
        let outcome = self.try_offer(header, records, entropy);
        if matches!(outcome, Err(PoolError::Refused { .. })) {
            self.refused_batches.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    fn try_offer(
        &self,
        header: SignedBatchHeader,
        records: Vec<Vec<u8>>,
        entropy: [u8; 32],
    ) -> Result<Offered, PoolError> {
        let hash = header.header_hash();
        if self.waiting().get(hash).is_some() {
            return self.pooled(&header, true);
        }
        if let Some(decided) = self.check_header(&header)? {
            return Ok(decided);
        }
        let slot = (header.header.issuer, header.header.sequence.get());
        let bytes = records.iter().map(Vec::len).sum::<usize>() + header.header_bytes.len();
        let Some(reservation) = self.reserve(hash, slot, bytes)? else { return self.pooled(&header, true) };
        let turn = self.turns.acquire();
        let batch = Batch { header: header.clone(), records };
        let checked = self.ledger.with_keys(|key| CheckedBatch::check(batch, self.ledger.chain.id, key, entropy))?;
        drop(turn);
        let checked = checked.map_err(|fault| refused(fault.reason(), fault.to_string()))?;
        let mut waiting = self.waiting();
        // A block may have been committed since the first check; `forget_decided` takes this lock only after that. So check once more.
        if self.issuer(slot.0)?.is_some_and(|state| slot.1 < state.next_sequence) {
            drop(waiting);
            return self.check_header(&header)?.ok_or_else(|| conflict(slot.0, slot.1));
        }
        if waiting.batches.contains_key(&slot) {
            return Err(conflict(slot.0, slot.1));
        }
        waiting.release(hash);
        waiting.insert(slot, checked);
        drop(waiting);
        drop(reservation);
        self.changed.send_modify(|count| *count += 1);
        self.pooled(&header, false)
    }

    /// What a batch that is in the pool is told.
    fn pooled(&self, header: &SignedBatchHeader, known: bool) -> Result<Offered, PoolError> {
        let (header, block_time) = (&header.header, self.block_time()?);
        if header.ripeness(block_time) != Ripeness::Early {
            return Ok(Offered::Pooled { known });
        }
        let wait_ms = header.ripe_at().since(block_time);
        if !known {
            let (issuer, sequence) = (header.issuer, header.sequence);
            tracing::warn!(
                %issuer, %sequence, wait_ms,
                "a batch waits: its last issue time lies too far ahead of this node's clock; one of the two clocks is wrong"
            );
        }
        Ok(Offered::Early { known, wait_ms })
    }

    /// The time of a block that this node would build now.
    fn block_time(&self) -> Result<UnixMillis, StoreError> {
        Ok(self.clock.now().max(self.tip_time()?.plus_millis(1)))
    }

    /// Room for one more batch, until the reservation is dropped; `None` if the batch is in the pool by now. A copy that is being checked
    /// at this moment is waited for: if it is no good, this one may be.
    fn reserve(&self, hash: Hash, slot: Slot, bytes: usize) -> Result<Option<Reservation<'_>>, PoolError> {
        if bytes > limits::BATCH_BYTES_MAX {
            let detail = format!("the batch has {bytes} bytes, the limit is {}", limits::BATCH_BYTES_MAX);
            return Err(refused(Reason::BatchTooLarge, detail));
        }
        let is_next = self.issuer(slot.0)?.is_some_and(|state| slot.1 == state.next_sequence);
        let offer = Offer { hash, slot, bytes, is_next };
        let mut waiting = self.waiting();
        loop {
            match waiting.admit(offer, self.bounds.bytes_max) {
                Admission::Admitted => return Ok(Some(Reservation { pool: self, hash })),
                Admission::Known => return Ok(None),
                Admission::Conflict => return Err(conflict(slot.0, slot.1)),
                Admission::Full => return Err(PoolError::Full { bytes: waiting.bytes }),
                Admission::InCheck => waiting = self.checked.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Issuer, epoch, key and sequence against the state. `Some` if the sequence is decided.
    fn check_header(&self, header: &SignedBatchHeader) -> Result<Option<Offered>, PoolError> {
        let (issuer, sequence) = (header.header.issuer, header.header.sequence.get());
        let state = self.issuer(issuer)?.ok_or_else(|| {
            refused(Reason::IssuerUnknown, format!("issuer {issuer} is not registered on this ledger"))
        })?;
        let key = self
            .issuer_key(issuer, header.header.signing_key)?
            .filter(|key| key.key.key().is_ok_and(|public| header.verify(self.ledger.chain.id, &public)));
        let Some(key) = key else {
            let detail = "the header's signature does not fit a key of this issuer and this chain";
            return Err(refused(Reason::SignatureInvalid, detail));
        };
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
        // No later block may carry this batch either. If it were pooled, its issuer would wait for ever.
        let signing_time = header.header.signing_time(self.block_time()?);
        if !key.permits(signing_time, self.tip_time()?) {
            let detail = format!(
                "key {} of issuer {issuer} is not valid for this batch's last issue time, or its revocation lies too far back",
                header.header.signing_key
            );
            return Err(refused(Reason::KeyRevoked, detail));
        }
        if sequence >= state.next_sequence + self.bounds.issuer_batches_max as u64 {
            let detail = format!("the ledger expects sequence {} of issuer {issuer}", state.next_sequence);
            return Err(refused(Reason::SequenceGap, detail));
        }
        Ok(None)
    }

    fn tip_time(&self) -> Result<UnixMillis, StoreError> {
        Ok(self.ledger.tip()?.time)
    }

    /// A registered key, if it is this issuer's.
    fn issuer_key(&self, issuer: IssuerId, id: KeyId) -> Result<Option<KeyState>, StoreError> {
        let Some(bytes) = self.ledger.store.get(Table::Keys, &id.get().to_be_bytes())? else { return Ok(None) };
        let state: KeyState =
            prost::Message::decode(bytes.as_slice()).map_err(|_| StoreError::Corrupt("a key".into()))?;
        let owned = state.key.owner_kind == KeyOwner::Issuer.number() && state.key.owner_id == issuer.get();
        Ok(owned.then_some(state))
    }

    /// An issuer's registration and next sequence.
    pub fn issuer(&self, issuer: IssuerId) -> Result<Option<IssuerState>, StoreError> {
        let bytes = self.ledger.store.get(Table::Issuers, &issuer.get().to_be_bytes())?;
        let decoded = bytes.map(|bytes| prost::Message::decode(bytes.as_slice()));
        decoded.transpose().map_err(|_| StoreError::Corrupt("an issuer".into()))
    }

    /// What the next block may carry: each issuer's batches from its next sequence on, in turn, up to the block's limits.
    /// `start` turns the order of issuers, so that none is always last. What is early for a block of `block_time` stays, and what
    /// comes after it.
    pub fn candidates(&self, start: u64, block_time: UnixMillis) -> Result<Candidates, StoreError> {
        let mut candidates = Candidates::default();
        let mut bytes = 0;
        let waiting = self.waiting();
        candidates.governance = self.next_governance(&waiting, start, &mut bytes)?;
        let mut issuers = if self.paused.load(Ordering::Relaxed) { Vec::new() } else { waiting.issuers() };
        let turn = usize::try_from(start % issuers.len().max(1) as u64).unwrap_or(0);
        issuers.rotate_left(turn);
        let mut records = 0;
        for issuer in issuers {
            let mut sequence = self.issuer(issuer)?.map_or(0, |state| state.next_sequence);
            while let Some(batch) = waiting.batches.get(&(issuer, sequence)) {
                if batch.header().header.ripeness(block_time) == Ripeness::Early || waiting.is_aside(batch, block_time)
                {
                    break;
                }
                // Lengths, tags and the block's own fields add less than a tenth.
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

    /// Whether a block of now could carry anything.
    pub fn has_work(&self) -> Result<bool, StoreError> {
        let block_time = self.block_time()?;
        let waiting = self.waiting();
        if !self.next_governance(&waiting, 0, &mut 0)?.is_empty() {
            return Ok(true);
        }
        if self.paused.load(Ordering::Relaxed) {
            return Ok(false);
        }
        for issuer in waiting.issuers() {
            let next = self.issuer(issuer)?.map_or(0, |state| state.next_sequence);
            let batch = waiting.batches.get(&(issuer, next));
            let may_come = |batch: &Arc<CheckedBatch>| {
                batch.header().header.ripeness(block_time) != Ripeness::Early && !waiting.is_aside(batch, block_time)
            };
            if batch.is_some_and(may_come) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Drops what a committed block has decided, and what no block may carry after it.
    pub fn forget_decided(&self, effects: &Effects) -> Result<(), StoreError> {
        let mut waiting = self.waiting();
        self.drop_unexecutable(&mut waiting)?;
        for outcome in &effects.outcomes {
            waiting.decide(outcome.header_hash);
        }
        // A header whose sequence is spent, whose epoch is fenced, or whose key has ended can no longer be decided. Remove it: its place is
        // needed for one that can.
        let mut spent = Vec::new();
        let (tip_time, block_time) = (self.tip_time()?, self.block_time()?);
        let mut states = HashMap::new();
        for ((issuer, sequence), batch) in &waiting.batches {
            let (next_sequence, epoch) = match states.get(issuer) {
                Some(known) => *known,
                None => {
                    let known = self.issuer(*issuer)?.map_or((0, 0), |state| (state.next_sequence, state.epoch));
                    states.insert(*issuer, known);
                    known
                }
            };
            let header = &batch.header().header;
            let key_ended = match self.issuer_key(*issuer, header.signing_key)? {
                Some(key) => !key.permits(header.signing_time(block_time), tip_time),
                None => true,
            };
            if *sequence < next_sequence || header.epoch < epoch || key_ended {
                spent.push((*issuer, *sequence));
            }
        }
        for key in spent {
            waiting.remove(key);
        }
        Ok(())
    }

    /// How many batches wait for a block of a later time.
    pub fn early_batches(&self) -> usize {
        // If the tip cannot be read there is no block time to compare with.
        let Ok(block_time) = self.block_time() else { return 0 };
        let waiting = self.waiting();
        waiting.batches.values().filter(|batch| batch.header().header.ripeness(block_time) == Ripeness::Early).count()
    }

    /// Keeps a batch back that a block of `block_time` would refuse beyond its issuer's budget, until the budget has room for it. It
    /// stays here: no other batch may take its place in the sequence.
    pub fn set_aside(&self, header_hash: Hash, block_time: UnixMillis) -> Result<(), StoreError> {
        let Some(batch) = self.waiting().get(header_hash).cloned() else { return Ok(()) };
        let issuer = batch.header().header.issuer;
        let room_from = self.issuer(issuer)?.map(|state| state.refusable_from(batch.byte_size() as u64));
        // The block under way may have spent more of the budget than the tip shows.
        let until = block_time.plus_millis(BUDGET_PAUSE_MS).max(room_from.unwrap_or(block_time));
        self.waiting().set_aside(header_hash, until);
        tracing::warn!(%issuer, %until, "a batch would be refused, and its issuer has no budget of refused bytes left; it is kept back");
        Ok(())
    }

    /// Drops one batch: a proposer found that no block may carry it.
    pub fn drop_batch(&self, header_hash: Hash) {
        self.waiting().remove_hash(header_hash);
    }

    /// Header hashes of all waiting batches, each issuer's in order of sequence.
    pub fn hashes(&self) -> Vec<Hash> {
        self.waiting().batches.values().map(|batch| batch.header_hash()).collect()
    }

    /// Whether a batch waits, is being checked, or was decided lately.
    pub fn knows(&self, header_hash: Hash) -> bool {
        self.waiting().knows(header_hash)
    }

    /// Batches, records and bytes that wait.
    pub fn size(&self) -> PoolSize {
        let waiting = self.waiting();
        let records = waiting.batches.values().map(|batch| batch.records().len()).sum();
        PoolSize { batches: waiting.batches.len(), records, bytes: waiting.bytes }
    }
}

fn conflict(issuer: IssuerId, sequence: u64) -> PoolError {
    let detail = format!("issuer {issuer} gave another header under sequence {sequence} before");
    refused(Reason::SequenceConflict, detail)
}

impl BatchCache for Pool {
    fn checked_batch(&self, header_hash: Hash) -> Option<Arc<CheckedBatch>> {
        self.waiting().get(header_hash).cloned()
    }
}

#[cfg(test)]
mod tests;
