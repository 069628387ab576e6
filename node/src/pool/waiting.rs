//! What waits, and how much of it may: the pool's content under its lock.
//!
//! Bytes count from the moment a batch is admitted to be checked, so that concurrent offers can not overshoot the bound. An
//! issuer's batches beyond its next one may take a quarter of the pool; the next one always gets in, at the cost of the
//! furthest of whoever holds most. Each issuer keeps its first, up to twice the bound in all.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use receipt_core::area::Area;
use receipt_core::governance::SignedGovernance;
use receipt_core::hash::Hash;
use receipt_core::ids::{IssuerId, UnixMillis};
use receipt_core::state::CheckedBatch;

/// Decided batches whose hashes are remembered, so that late announcements of them are not answered with "missing".
const DECIDED_KEPT: usize = 4096;

/// Issuer and sequence.
pub(super) type Slot = (IssuerId, u64);

/// A batch that asks to be checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    pub(super) hash: Hash,
    pub(super) slot: Slot,
    pub(super) bytes: usize,
    /// Whether it is the one that the ledger expects next of its issuer.
    pub(super) is_next: bool,
}

/// Whose message it is (an area's, or the chain's), and its sequence among theirs.
pub(super) type GovernancePlace = (Option<Area>, u64);

/// What becomes of an offer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Its bytes are reserved: check it.
    Admitted,
    /// The same batch waits already.
    Known,
    /// The same batch is being checked at this moment.
    InCheck,
    /// Another batch waits in its slot.
    Conflict,
    /// No room.
    Full,
}

#[derive(Default)]
pub(super) struct Waiting {
    pub(super) batches: BTreeMap<Slot, Arc<CheckedBatch>>,
    /// By place: whose message it is, those of the chain's own authorities first, and its sequence.
    pub(super) governance: BTreeMap<GovernancePlace, SignedGovernance>,
    pub(super) bytes: usize,
    by_hash: HashMap<Hash, Slot>,
    in_check: HashMap<Hash, Offer>,
    issuer_bytes: HashMap<IssuerId, usize>,
    /// Batches that no block before this time may carry.
    aside: HashMap<Hash, UnixMillis>,
    decided: Decided,
}

impl Waiting {
    /// Judges an offer, and reserves its bytes if it is admitted: then [`Self::release`] must follow.
    pub(super) fn admit(&mut self, offer: Offer, bytes_max: usize) -> Admission {
        if self.by_hash.contains_key(&offer.hash) {
            return Admission::Known;
        }
        if self.in_check.contains_key(&offer.hash) {
            return Admission::InCheck;
        }
        if self.batches.contains_key(&offer.slot) {
            return Admission::Conflict;
        }
        if offer.is_next {
            while self.bytes + offer.bytes > bytes_max && self.evict() {}
            if self.bytes + offer.bytes > 2 * bytes_max {
                return Admission::Full;
            }
        } else {
            let of_issuer = self.issuer_bytes.get(&offer.slot.0).copied().unwrap_or(0);
            if self.bytes + offer.bytes > bytes_max || of_issuer + offer.bytes > bytes_max / 4 {
                return Admission::Full;
            }
        }
        self.count(offer.slot.0, offer.bytes);
        self.in_check.insert(offer.hash, offer);
        Admission::Admitted
    }

    /// The end of a check, however it ended.
    pub(super) fn release(&mut self, hash: Hash) {
        if let Some(offer) = self.in_check.remove(&hash) {
            self.discount(offer.slot.0, offer.bytes);
        }
    }

    /// Takes a checked batch in, whose slot must be free.
    pub(super) fn insert(&mut self, slot: Slot, batch: CheckedBatch) {
        self.count(slot.0, batch.byte_size());
        self.by_hash.insert(batch.header_hash(), slot);
        self.batches.insert(slot, Arc::new(batch));
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        if let Some(batch) = self.batches.remove(&slot) {
            self.discount(slot.0, batch.byte_size());
            self.by_hash.remove(&batch.header_hash());
            self.aside.remove(&batch.header_hash());
        }
    }

    pub(super) fn remove_hash(&mut self, hash: Hash) {
        if let Some(slot) = self.by_hash.get(&hash).copied() {
            self.remove(slot);
        }
    }

    /// Removes a batch for good.
    pub(super) fn decide(&mut self, hash: Hash) {
        self.remove_hash(hash);
        self.decided.add(hash);
    }

    /// Keeps a batch back until a block time.
    pub(super) fn set_aside(&mut self, hash: Hash, until: UnixMillis) {
        if self.by_hash.contains_key(&hash) {
            self.aside.insert(hash, until);
        }
    }

    /// Whether a block of this time may not carry the batch.
    pub(super) fn is_aside(&self, batch: &CheckedBatch, block_time: UnixMillis) -> bool {
        self.aside.get(&batch.header_hash()).is_some_and(|until| block_time < *until)
    }

    pub(super) fn get(&self, hash: Hash) -> Option<&Arc<CheckedBatch>> {
        self.by_hash.get(&hash).and_then(|slot| self.batches.get(slot))
    }

    /// Whether a batch waits, is being checked, or was decided lately: nobody needs to send it.
    pub(super) fn knows(&self, hash: Hash) -> bool {
        self.by_hash.contains_key(&hash) || self.in_check.contains_key(&hash) || self.decided.set.contains(&hash)
    }

    /// Issuers with batches, ascending.
    pub(super) fn issuers(&self) -> Vec<IssuerId> {
        let mut issuers: Vec<IssuerId> = self.batches.keys().map(|(issuer, _)| *issuer).collect();
        issuers.dedup();
        issuers
    }

    /// Drops the furthest batch of the issuer that holds most, each issuer's first apart; `false` if there is none.
    fn evict(&mut self) -> bool {
        let mut ends: BTreeMap<IssuerId, (u64, u64)> = BTreeMap::new();
        for (issuer, sequence) in self.batches.keys() {
            ends.entry(*issuer).and_modify(|(_, last)| *last = *sequence).or_insert((*sequence, *sequence));
        }
        let bytes_of = |issuer: &IssuerId| self.issuer_bytes.get(issuer).copied().unwrap_or(0);
        let several = ends.into_iter().filter(|(_, (first, last))| first != last);
        let Some((issuer, (_, last))) = several.max_by_key(|(issuer, _)| bytes_of(issuer)) else { return false };
        self.remove((issuer, last));
        true
    }

    fn count(&mut self, issuer: IssuerId, bytes: usize) {
        self.bytes += bytes;
        *self.issuer_bytes.entry(issuer).or_default() += bytes;
    }

    fn discount(&mut self, issuer: IssuerId, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(count) = self.issuer_bytes.get_mut(&issuer) {
            *count = count.saturating_sub(bytes);
            if *count == 0 {
                self.issuer_bytes.remove(&issuer);
            }
        }
    }
}

/// The hashes decided last.
#[derive(Default)]
struct Decided {
    set: HashSet<Hash>,
    order: VecDeque<Hash>,
}

impl Decided {
    fn add(&mut self, hash: Hash) {
        if self.set.insert(hash) {
            self.order.push_back(hash);
        }
        if self.order.len() > DECIDED_KEPT {
            self.order.pop_front().map(|oldest| self.set.remove(&oldest));
        }
    }
}
