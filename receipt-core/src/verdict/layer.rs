//! The three layers of evidence that a verdict consists of, from the innermost outwards.

/// A layer of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The content is what the record commits to, and the unit signed the record.
    Genuine,
    /// The record stands in the log, under a quorum's checkpoint.
    Anchored,
    /// The ledger's status map, as of a stated time, has nothing against the receipt.
    InForce,
}

impl Layer {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::Anchored => "anchored",
            Self::InForce => "in_force",
        }
    }
}
