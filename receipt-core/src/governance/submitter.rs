//! Who submits, and what: an issuer is registered with the types of records that its batches may carry.

use prost::Message;

use crate::record::RecordType;

/// Registers a submitter, and what it may carry; its first epoch is 1. Of one that is registered it replaces the name and adds types: what
/// was given is never taken back, because a batch may be on its way.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RegisterIssuer {
    /// Registry number.
    #[prost(uint32, tag = "1")]
    pub issuer_id: u32,
    /// Display name; nothing refers to it.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Numbers of the [`RecordType`]s that its batches may carry, ascending; none: nothing yet.
    #[prost(uint32, repeated, tag = "3")]
    pub record_types: Vec<u32>,
}

impl RegisterIssuer {
    /// One that carries receipts.
    pub fn of_receipts(issuer_id: u32, name: impl Into<String>) -> Self {
        Self { issuer_id, name: name.into(), record_types: vec![RecordType::Receipt.number()] }
    }

    /// Whether its batches may carry records of this type.
    pub fn may_carry(&self, record_type: RecordType) -> bool {
        self.record_types.contains(&record_type.number())
    }
}
