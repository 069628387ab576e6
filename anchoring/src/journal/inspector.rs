//! What the owner of a journal says of its own rows when the journal is read whole or written anew.

use receipt_core::ids::RecordKey;

use super::{Family, Journal, JournalError, RecordRow};

/// What the owner looks at, and by which of its families records are named.
pub trait Inspector: Send + Sync {
    /// Families whose keys are those of records, and which have a row of nearly each.
    fn naming(&self) -> &'static [Family];

    /// Families that are looked at record by record alone.
    fn by_record(&self) -> &'static [Family];

    /// Families whose rows are no record of anything: from the first that cannot be read on they are left out where the journal is written anew.
    fn expendable(&self) -> &'static [Family];

    /// What is wrong with what the owner keeps of a record. Damage that a read finds may be returned as the error that it is.
    fn record(&self, journal: &Journal, key: RecordKey, row: &RecordRow) -> Result<Option<String>, JournalError>;

    /// What a message calls a record.
    fn name(&self, key: RecordKey) -> String;
}
