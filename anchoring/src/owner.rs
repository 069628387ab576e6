//! What records mean to the program that submits them: the one seam between anchoring and its owner.
//!
//! ```text
//!            one synced write                     note                  one write per step
//! owner ──▶ record, outbox, owner's rows ──▶ batch, as it is cut ──▶ outcomes, owner's rows ──▶ committed
//! ```
//! Whoever adds a kind of submitter implements [`Owner`], opens the journal with its own
//! [`Layout`](crate::journal::Layout), writes its records, and leaves the rest to this crate.
//!
//! # Contract
//! - Calls come from one task at a time: `note` from the batcher; `begin` and what it returns from the follower, or from `recover`;
//!   `adopt` from `recover` alone. They may block on the disk.
//! - Rows go into the write that is handed over, never into one of the owner's own: so they are on disk together with the outcome, or
//!   not at all. A step that halts, or a crash, drops the write; the same blocks come again, and must lead to the same rows.
//! - An error is fatal to the process: see [`JournalError`].

use std::cell::RefCell;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::entry::BatchRefused;
use receipt_core::governance::SignedGovernance;
use receipt_core::ids::{Height, RecordKey};
use receipt_core::reason::Reason;
use receipt_core::record::{RecordType, SignedRecord};
use receipt_core::state::tables::Table;
use receipt_core::state::{ReadError, StateRead, Writes};

use crate::journal::{BatchRow, Journal, JournalError, JournalWrite};

/// The program whose records are anchored.
pub trait Owner: std::fmt::Debug + Send + Sync + 'static {
    /// The types of records that it submits. None is cut, and none is to be acknowledged, before the ledger takes all of them.
    fn record_types(&self) -> &'static [RecordType];

    /// A batch of these records is cut: what is to be kept beside it, so that its decision costs no look at each of them.
    fn note(&self, records: &[SignedRecord]) -> Result<Vec<u8>, JournalError>;

    /// What a log calls a record.
    fn name(&self, key: RecordKey) -> String;

    /// Sealed blocks are about to be acted on.
    fn begin(&self) -> Box<dyn OwnerStep + '_>;

    /// A step is on disk. Called before anybody who waits is woken.
    fn committed(&self, committed: &Committed) -> Result<(), JournalError>;

    /// While recovering: a batch stands on the ledger that this journal does not have. Puts its records (with their owner's rows) as
    /// if they had been submitted here. Records that are here already stay. Repeating it changes nothing.
    fn adopt(&self, write: &mut JournalWrite<'_>, batch: &OwnBatch) -> Result<Adopted, JournalError>;
}

/// What one step over sealed blocks means to the owner. It reads the journal as it was before the step.
pub trait OwnerStep {
    /// All records of a batch are final. Returns the note of its event.
    fn sealed(&mut self, write: &mut JournalWrite<'_>, batch: &BatchRow) -> Result<Vec<u8>, JournalError>;

    /// A batch was refused: these of its records are final, the others are queued again. Returns the note of its event.
    fn refused(
        &mut self,
        write: &mut JournalWrite<'_>,
        batch: &BatchRow,
        records: &[RefusedRecord],
    ) -> Result<Vec<u8>, JournalError>;

    /// Governance changed the registry.
    fn governed(&mut self, write: &mut JournalWrite<'_>, change: &RegistryChange<'_>) -> Result<(), JournalError>;

    /// While recovering: governance raised this submitter's epoch. What was leased to it before may have been used by the lost journal.
    fn fenced(&mut self, write: &mut JournalWrite<'_>, change: &RegistryChange<'_>) -> Result<(), JournalError>;

    /// The step ends: what was gathered over its blocks.
    fn end(self: Box<Self>, write: &mut JournalWrite<'_>) -> Result<(), JournalError>;
}

/// A record that the ledger refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Index in its batch.
    pub index: u16,
    /// The record.
    pub key: RecordKey,
    /// Why it is refused.
    pub reason: Reason,
    /// Height of the deciding block.
    pub height: Height,
}

/// What one step came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Records that were sealed.
    pub sealed: u64,
    /// Acknowledged records that the ledger did not take.
    pub refused: Vec<(RecordKey, Reason)>,
    /// Whether the journal's replica of the registry has changed.
    pub registry_changed: bool,
}

/// The registry's change by one governance message.
pub struct RegistryChange<'a> {
    /// The registry before it.
    pub before: Layered<'a>,
    /// The message.
    pub governance: &'a SignedGovernance,
    /// What the message writes to the registry.
    pub writes: &'a Writes,
}

/// The journal's registry under changes that are not on disk yet.
pub struct Layered<'a> {
    journal: &'a Journal,
    /// Changes of this step that are not on disk yet.
    pub changes: &'a Writes,
    fault: RefCell<Option<JournalError>>,
}

impl<'a> Layered<'a> {
    /// The registry on disk, as it was before this step, under changes of this step.
    pub fn new(journal: &'a Journal, changes: &'a Writes) -> Self {
        Self { journal, changes, fault: RefCell::new(None) }
    }

    /// A value, with the journal's own error.
    pub fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        match self.changes.get(&(table, key.to_vec())) {
            Some(value) => Ok(value.clone()),
            None => self.journal.registered(table, key),
        }
    }

    /// The journal's error behind that of rules which read here: they know only that they could not read.
    pub fn journal_error(&self, _: &ReadError) -> JournalError {
        self.fault.take().unwrap_or(JournalError::Corrupt("a row of the registry"))
    }
}

impl StateRead for Layered<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.read(table, key).map_err(|error| {
            let told = ReadError(error.to_string());
            self.fault.replace(Some(error));
            told
        })
    }
}

/// A batch of this submitter as its block carries it; root and count are those of the header.
#[derive(Debug)]
pub struct OwnBatch {
    /// Its signed header.
    pub header: SignedBatchHeader,
    /// Its signed records, verbatim, in leaf order.
    pub records: Vec<Vec<u8>>,
    /// The log's refusal of it, if it was refused.
    pub refusal: Option<BatchRefused>,
}

/// What became of a batch that was learnt from the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Its records, in leaf order; none if it is not this owner's to tell of.
    pub keys: Vec<RecordKey>,
    /// Kept beside the batch, as [`Owner::note`] would have made it.
    pub note: Vec<u8>,
    /// How many of its records the journal did not have.
    pub new: u64,
}
