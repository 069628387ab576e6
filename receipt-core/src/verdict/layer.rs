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
    /// All three, from the innermost outwards.
    pub const ALL: [Self; 3] = [Self::Genuine, Self::Anchored, Self::InForce];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::Anchored => "anchored",
            Self::InForce => "in_force",
        }
    }
}

/// What became of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerResult {
    /// Every check of it holds.
    Passed,
    /// A check of it does not hold, or (in force) the receipt is reversed.
    Failed,
    /// An earlier check failed, or this cannot be judged here.
    Unknown,
}

impl LayerResult {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}
