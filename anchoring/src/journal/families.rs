//! Which column families a journal has: its own, and those of its owner. Nothing here names RocksDB.

use tallystick_storage::Access;

use super::JOURNAL_FORMAT;

/// A column family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Its name on disk.
    pub name: &'static str,
    /// How it is read and written; its RocksDB options follow from that.
    pub access: Access,
}

/// What an owner brings along: written into its program, never into its config.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// The owner's program, as messages to its operator name it.
    pub program: &'static str,
    /// Number of the owner's format: of its families and of its notes. A journal of another one is refused.
    pub format: u32,
    /// Its families. Names differ from each other and from those of the journal.
    pub families: &'static [Family],
}

pub(super) const META: Family = Family { name: "meta", access: Access::Few };
pub(super) const RECORDS: Family = Family { name: "records", access: Access::LookUps };
pub(super) const OUTBOX: Family = Family { name: "outbox", access: Access::Scans };
pub(super) const REQUEUE: Family = Family { name: "requeue", access: Access::Few };
pub(super) const PLACEMENTS: Family = Family { name: "placements", access: Access::LookUps };
pub(super) const BATCHES: Family = Family { name: "batches", access: Access::Scans };
pub(super) const OUTCOMES: Family = Family { name: "outcomes", access: Access::Few };
pub(super) const EVENTS: Family = Family { name: "events", access: Access::Scans };
pub(super) const REGISTRY: Family = Family { name: "registry", access: Access::Few };

/// The journal's own.
const OWN: [Family; 9] = [META, RECORDS, OUTBOX, REQUEUE, PLACEMENTS, BATCHES, OUTCOMES, EVENTS, REGISTRY];

impl Layout {
    /// All families of such a journal.
    pub(super) fn all(&self) -> impl Iterator<Item = Family> {
        OWN.into_iter().chain(self.families.iter().copied())
    }

    /// What `meta` holds under `format`.
    pub(super) fn format_bytes(&self) -> Vec<u8> {
        [JOURNAL_FORMAT.to_be_bytes(), self.format.to_be_bytes()].concat()
    }

    /// What an operator does about a halted journal: the end of every message that says so.
    pub fn how_to_recover(&self) -> String {
        format!("stop it and run `{} recover --config FILE`", self.program)
    }
}
