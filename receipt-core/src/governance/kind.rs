//! Kinds of receipts as data: what a province adds, no code knows.

use prost::Message;

use crate::ids::UnixMillis;

/// How much of a receipt of a kind an issuer opens for the authority of the area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// Header and amounts alone: what is charged to whom stays closed (medical receipts).
    Header,
    /// The rows of items, too.
    Rows,
}

impl Opens {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Header, Self::Rows];

    /// The number on the wire: the less is opened, the lower.
    pub const fn number(self) -> u32 {
        match self {
            Self::Header => 0,
            Self::Rows => 1,
        }
    }

    /// Its name in descriptions and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Rows => "rows",
        }
    }
}

/// Registers a kind of receipt (V01), or replaces its entry.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RegisterKind {
    /// First six digits of the receipt code: region, category, kind.
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    /// 票据名称.
    #[prost(string, tag = "2")]
    pub name: String,
    /// First issue time (ms) at which a receipt needs confirmed payments; 0: never.
    #[prost(uint64, tag = "3")]
    pub payment_required_from_ms: u64,
    /// Number of an [`Opens`].
    #[prost(uint32, tag = "4")]
    pub opens: u32,
}

impl RegisterKind {
    /// One that opens the header alone, and needs no payment.
    pub fn named(kind: u32, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), ..Self::default() }
    }

    /// Whether a receipt of this issue time needs confirmed payments. The opposite of an [`Ending`](crate::state::Ending): a demand that
    /// begins, judged by issue time alone. It needs no days of grace, because they lie before it: it begins ten days after the ledger was told
    /// at the earliest, and whoever has not heard of it by then acknowledges nothing any more.
    pub fn requires_payment(&self, issue_time: UnixMillis) -> bool {
        self.payment_required_from_ms != 0 && issue_time.get() >= self.payment_required_from_ms
    }

    /// How much of a receipt is opened; `None`: as only a later version knows.
    pub fn opened(&self) -> Option<Opens> {
        Opens::ALL.into_iter().find(|opens| opens.number() == self.opens)
    }
}
