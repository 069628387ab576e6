//! Fills an issuer's journal.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use receipt_core::hash::Hash;
use receipt_core::ids::{BatchSequence, Height, IssuerId, LeafIndex, RecordKey, UnixMillis};
use receipt_core::merkle::Frontier;
use receipt_core::suite::{ChainId, Suite};
use tallystick_anchoring::journal::{
    BatchOutcome, BatchRow, Durability, EventRow, Family, FollowedTip, Journal, JournalIdentity, Placement, RecordRow,
};
use tallystick_issuer::journal::LAYOUT;
use tallystick_storage::{StoreFigures, StoreShare};

use super::{Filled, Random, receipt_key};

const SUITE: Suite = Suite::Ed25519Sha256;
/// Receipts of one synced write, as a closed load of IssueMany(50) has them.
const GROUP_RECEIPTS: u64 = 150;
/// Groups of a batch.
const BATCH_GROUPS: u64 = 4;
const RECORD_BYTES: usize = 240;
const BODY_BYTES: usize = 1_000;
const WRAPPED_KEY_BYTES: usize = 60;

/// The journal and where it stands.
pub(super) struct FilledJournal {
    journal: Journal,
    serial: u64,
    groups: u64,
    sequence: u64,
    waiting: Vec<RecordKey>,
}

impl FilledJournal {
    pub(super) fn make(path: &Path, share: StoreShare) -> Result<Self> {
        let chain = ChainId(Hash([7; 32]));
        let identity = JournalIdentity { chain, suite: SUITE, issuer: IssuerId::new(1), layout: &LAYOUT };
        drop(Journal::init(path, identity, &receipt_core::state::Writes::new(), &followed_tip(0), &[])?);
        let journal = Journal::open_within(path, identity, share)?;
        Ok(Self { journal, serial: 0, groups: 0, sequence: 1, waiting: Vec::new() })
    }

    fn issue(&mut self, random: &mut Random) -> Result<Duration> {
        let (bodies, body_keys, days) = (family("bodies")?, family("body-keys")?, family("days")?);
        let (biz, uniqueness) = (family("biz")?, family("uniqueness")?);
        let (issued, segments) = (family("issued")?, family("segments")?);
        let receipt = |serial| {
            let key = receipt_key(serial);
            let biz_key = [&key[..4], format!("HIS-20261129-{:016x}", random.next()).as_bytes()].concat();
            (key, biz_key, [[&[1][..], &random.bytes(16)].concat(), [&[2][..], &random.bytes(16)].concat()])
        };
        let group: Vec<_> = (self.serial..self.serial + GROUP_RECEIPTS).map(receipt).collect();
        // As the issuer's sequencer does: of the whole group at once.
        let biz_keys: Vec<&[u8]> = group.iter().map(|(_, biz_key, _)| &biz_key[..]).collect();
        let payments: Vec<&[u8]> = group.iter().flat_map(|(.., payments)| payments).map(|key| &key[..]).collect();
        for (family, keys) in [(biz, &biz_keys), (uniqueness, &payments)] {
            anyhow::ensure!(
                self.journal.are_absent(family, keys)?.into_iter().all(|is_absent| is_absent),
                "a key twice"
            );
        }
        let mut write = self.journal.write();
        for (key, biz_key, payments) in &group {
            let (key, unit) = (*key, &key[..4]);
            for payment in payments {
                write.put(uniqueness, payment, &key);
            }
            let note = format!("HIS-20261129-{:016x} OPD-01", self.serial).into_bytes();
            write.put_record(RecordKey(key), &RecordRow { signed_record: random.bytes(RECORD_BYTES), note });
            write.put(bodies, &key, &random.bytes(BODY_BYTES));
            write.put(body_keys, &key, &random.bytes(WRAPPED_KEY_BYTES));
            write.put(biz, biz_key, &random.bytes(44));
            write.put(days, &[unit, &20_261_129_u32.to_be_bytes(), &key].concat(), b"OPD-01");
            write.put_outbox(self.serial, RecordKey(key));
            write.put(issued, &[unit, unit, unit].concat(), &self.serial.to_be_bytes());
            write.put(segments, unit, &self.serial.to_be_bytes());
            self.waiting.push(RecordKey(key));
            self.serial += 1;
        }
        write.put_last_issue_time(UnixMillis::new(self.serial));
        self.groups += 1;
        write.put_step(self.groups);
        let started = Instant::now();
        write.commit(Durability::Synced)?;
        Ok(started.elapsed())
    }

    /// The batch of all that waits, and its outcome.
    fn anchor(&mut self, random: &mut Random) -> Result<Duration> {
        let decided = family("decided")?;
        let keys = std::mem::take(&mut self.waiting);
        self.journal.signed_records(&keys)?;
        let (sequence, next) = (BatchSequence::new(self.sequence), BatchSequence::new(self.sequence + 1));
        let first = self.serial - keys.len() as u64;
        let mut write = self.journal.write();
        for ((index, key), position) in (0_u16..).zip(&keys).zip(first..) {
            write.put_placement(*key, Placement::Batched { sequence, index });
            write.delete_outbox(position);
        }
        let record_keys: Vec<u8> = keys.iter().flat_map(|key| key.0).collect();
        let row = BatchRow { signed_header: random.bytes(200), record_keys, note: random.bytes(4 * keys.len()) };
        write.put_batch(sequence, next, &row);
        let started = Instant::now();
        write.commit(Durability::Synced)?;
        let took = started.elapsed();
        let mut write = self.journal.write();
        let (leaf_index, height) = (LeafIndex::new(self.sequence), Height::new(self.sequence));
        write.put_outcome(sequence, BatchOutcome { refused: false, leaf_index, height });
        let event =
            EventRow { sequence: self.sequence, height: self.sequence, note: random.bytes(16), ..EventRow::default() };
        write.put_event(self.sequence, &event);
        write.put(decided, &random.bytes(12), &random.bytes(32));
        write.put_followed_tip(&followed_tip(self.sequence));
        write.commit(Durability::Ordered)?;
        self.sequence += 1;
        Ok(took)
    }
}

impl Filled for FilledJournal {
    fn write(&mut self, random: &mut Random) -> Result<(u64, Vec<Duration>)> {
        let mut took = vec![self.issue(random)?];
        if self.groups.is_multiple_of(BATCH_GROUPS) {
            took.push(self.anchor(random)?);
        }
        Ok((GROUP_RECEIPTS, took))
    }

    fn figures(&self) -> StoreFigures {
        self.journal.figures()
    }
}

fn followed_tip(height: u64) -> FollowedTip {
    FollowedTip {
        height: Height::new(height),
        time: UnixMillis::new(height),
        seal_hash: Hash([0; 32]),
        event: height,
        frontier: Frontier::new(SUITE),
    }
}

/// One of the issuer's families.
fn family(name: &'static str) -> Result<Family> {
    let mut known = LAYOUT.families.iter().copied();
    known.find(|family| family.name == name).with_context(|| format!("an issuer keeps no {name} any more"))
}
