//! The three layers of evidence that a verdict consists of, from the innermost outwards.

/// A layer of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Content and signature.
    Genuine,
    /// The ledger has it.
    Anchored,
    /// The ledger says nothing against it.
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
