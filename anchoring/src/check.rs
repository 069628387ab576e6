//! Reading the whole journal: whether every row can be read, and is what was written.
//!
//! ```text
//! every family but the record's own ─▶ rows read, decoded; a batch's records lead to the root of its header
//! every record                      ─▶ read, decoded, its owner's rows looked at; named by three families, so that none hides
//! ```
//! It begins by giving up what is cached, so that what it reads has come from the disk since; where that fails it says so and reads what there is. A pass goes in steps, so that whoever makes it may rest between them, beside the process that writes. What looks wrong is
//! looked at twice: the row may have changed between two reads.
//!
//! Not here: what the owner keeps beside a record ([`Inspector`]), and the mending (`docs/ops/repair.md`).

use std::collections::BTreeSet;
use std::fmt;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::ids::{BatchSequence, RecordKey};
use receipt_core::merkle::InnerTree;
use receipt_core::record::SignedRecord;

pub use crate::journal::Inspector;
use crate::journal::{Family, Journal, JournalError, StretchEnd, fixed};

#[cfg(test)]
mod tests;

/// Faults that are named; beyond, they are counted.
const NAMED_MAX: usize = 1000;
/// Rows of a step.
const STEP_ROWS: usize = 128;

/// The place of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In what is kept of one record. Whoever has its acknowledgement can mend it.
    Record(RecordKey),
    /// A batch; no bundle can be made of its records.
    Batch(BatchSequence),
    /// A family of rows that cannot be read on from some key.
    Family(&'static str),
}

/// Something that cannot be read, or is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The row or file in which it lies.
    pub place: Place,
    /// Name of the place, as messages show it.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, problem, .. } = self;
        write!(f, "{name}: {problem}")
    }
}

/// What a pass has found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Rows read.
    pub rows: u64,
    /// Records among them.
    pub records: u64,
    /// Faults found.
    pub faults: u64,
    /// The first of them.
    pub named: Vec<Fault>,
}

impl Findings {
    fn add(&mut self, fault: Fault) {
        self.faults += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(fault);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.faults == 0
    }
}

/// Which family of rows a pass is reading, and how far it is.
enum Stage {
    Family { index: usize, after: Option<Vec<u8>> },
    Records { after: Option<RecordKey> },
    Done,
}

/// One pass over a journal.
pub struct Pass<'a> {
    journal: &'a Journal,
    inspector: &'a dyn Inspector,
    families: Vec<Family>,
    stage: Stage,
    /// Families of which it was told that their naming of records is damaged.
    told: BTreeSet<&'static str>,
    findings: Findings,
}

impl<'a> Pass<'a> {
    /// A pass over the whole journal, from its first row.
    pub fn new(journal: &'a Journal, inspector: &'a dyn Inspector) -> Self {
        // If this fails, the pass checks what is cached instead of what is on the disk, and so may find less. It is no reason to end.
        if let Err(error) = journal.forget_cached() {
            tracing::warn!(%error, "what is cached of the journal is checked as it is cached");
        }
        let by_record = inspector.by_record();
        let apart = |family: &Family| by_record.contains(family) || family.name == "records";
        let families = journal.families().into_iter().filter(|family| !apart(family)).collect();
        let stage = Stage::Family { index: 0, after: None };
        Self { journal, inspector, families, stage, told: BTreeSet::new(), findings: Findings::default() }
    }

    /// All of it at once.
    pub fn run(mut self) -> Result<Findings, JournalError> {
        while self.step()? {}
        Ok(self.findings)
    }

    /// What was found so far.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// The next rows. Returns whether there is more to do. An error is of a store that cannot be read at all for the moment, not of damage: this pass cannot
    /// go on, another one may.
    pub fn step(&mut self) -> Result<bool, JournalError> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Family { index, after } => match self.families.get(index).copied() {
                Some(family) => match self.family_step(family, after.as_deref())? {
                    Some(last) => Stage::Family { index, after: Some(last) },
                    None => Stage::Family { index: index + 1, after: None },
                },
                None => Stage::Records { after: None },
            },
            Stage::Records { after } => match self.records_step(after)? {
                Some(last) => Stage::Records { after: Some(last) },
                None => Stage::Done,
            },
            Stage::Done => Stage::Done,
        };
        Ok(!matches!(self.stage, Stage::Done))
    }

    /// Returns the key after which the next step reads; `None` at the family's end, or where it cannot be read.
    fn family_step(&mut self, family: Family, after: Option<&[u8]>) -> Result<Option<Vec<u8>>, JournalError> {
        let stretch = self.journal.stretch(family, after, STEP_ROWS)?;
        self.findings.rows += stretch.rows.len() as u64;
        if family.name == "batches" {
            for (key, _) in &stretch.rows {
                match fixed(key, "batch sequence") {
                    Ok(sequence) => self.batch(BatchSequence::new(u64::from_be_bytes(sequence)))?,
                    Err(error) => self.unreadable(family.name, &error),
                }
            }
        } else if let Some(problem) =
            stretch.rows.iter().find_map(|(key, value)| self.journal.misread(family, key, value))
        {
            let name = format!("the journal's {}", family.name);
            self.findings.add(Fault { place: Place::Family(family.name), name, problem });
        }
        match stretch.end {
            StretchEnd::Full => Ok(stretch.rows.last().map(|(key, _)| key.to_vec())),
            StretchEnd::Last => Ok(None),
            StretchEnd::Damage(error) => {
                self.unreadable(family.name, &error);
                Ok(None)
            }
        }
    }

    fn unreadable(&mut self, family: &'static str, error: &JournalError) {
        if self.told.insert(family) {
            let name = format!("the journal's {family}");
            self.findings.add(Fault { place: Place::Family(family), name, problem: error.to_string() });
        }
    }

    fn batch(&mut self, sequence: BatchSequence) -> Result<(), JournalError> {
        let look = || batch_problem(self.journal, sequence);
        if let Some(problem) = twice(look)? {
            let name = format!("batch {sequence}");
            self.findings.add(Fault { place: Place::Batch(sequence), name, problem });
        }
        Ok(())
    }

    fn records_step(&mut self, after: Option<RecordKey>) -> Result<Option<RecordKey>, JournalError> {
        let names = self.journal.names(self.inspector.naming(), after, STEP_ROWS)?;
        for (family, error) in &names.damaged {
            self.unreadable(family, error);
        }
        for key in &names.keys {
            self.findings.rows += 1;
            self.findings.records += 1;
            if let Some(problem) = twice(|| record_problem(self.journal, self.inspector, *key))? {
                let name = self.inspector.name(*key);
                self.findings.add(Fault { place: Place::Record(*key), name, problem });
            }
        }
        Ok(names.keys.last().copied().filter(|_| names.more))
    }
}

/// A problem that stays when it is looked at again. Damage is one; any other failure of the store is not.
fn twice(look: impl Fn() -> Result<Option<String>, JournalError>) -> Result<Option<String>, JournalError> {
    let judged = || match look() {
        Err(error) if error.is_damage() => Ok(Some(error.to_string())),
        looked => looked,
    };
    match judged()? {
        None => Ok(None),
        Some(_) => judged(),
    }
}

fn record_problem(
    journal: &Journal,
    inspector: &dyn Inspector,
    key: RecordKey,
) -> Result<Option<String>, JournalError> {
    let Some(row) = journal.record(key)? else {
        // Another family names this record. It may have been removed since that family was read.
        let placed = journal.placement(key)?.is_some();
        return Ok(placed.then(|| "its record is gone".to_owned()));
    };
    if SignedRecord::decode(&row.signed_record).is_err() {
        return Err(JournalError::Corrupt("a signed record"));
    }
    // Read it although the value is not used: a placement that cannot be read is damage, as without it there is no bundle.
    journal.placement(key)?;
    inspector.record(journal, key, &row)
}

fn batch_problem(journal: &Journal, sequence: BatchSequence) -> Result<Option<String>, JournalError> {
    let Some(row) = journal.batch(sequence)? else { return Ok(None) };
    let header = SignedBatchHeader::decode(&row.signed_header).map_err(|_| JournalError::Corrupt("a batch header"))?;
    let outcome = journal.outcome(sequence)?;
    // A refused batch may have been learnt from the ledger; then some of its records have no row here.
    if outcome.is_some_and(|outcome| outcome.refused) {
        return Ok(None);
    }
    let records = match journal.signed_records(&row.keys()?) {
        // Each damaged record is named where the pass checks the records one by one.
        Err(error) if error.is_damage() => return Ok(None),
        read => read?,
    };
    let tree = InnerTree::from_leaves(header.header.suite, &records);
    let whole =
        header.header.count as usize == records.len() && tree.is_ok_and(|tree| tree.root() == header.header.root);
    Ok((!whole).then(|| "its records do not lead to the root of its header".to_owned()))
}
