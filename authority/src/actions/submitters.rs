//! Submitters as descriptions have them: who carries which records to the ledger.

use receipt_core::governance::RegisterIssuer;
use receipt_core::record::RecordType;
use serde::Deserialize;

use crate::text::{IdText, NameText};

/// See [`RecordType`]: only those that there are can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RecordTypeText(pub RecordType);

impl TryFrom<String> for RecordTypeText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let found = RecordType::ALL.iter().find(|known| known.name() == text);
        let names: Vec<&str> = RecordType::ALL.iter().map(|known| known.name()).collect();
        found.copied().map(Self).ok_or_else(|| format!("is no record type; there are: {}", names.join(", ")))
    }
}

/// See [`RegisterIssuer`].
#[derive(Debug, Clone, Deserialize)]
pub struct IssuerText {
    /// Registry number.
    pub issuer_id: IdText,
    /// Display name; nothing refers to it.
    pub name: NameText,
    /// What its batches may carry, in any order; an empty list: nothing yet.
    pub record_types: Vec<RecordTypeText>,
}

impl IssuerText {
    pub(super) fn registration(&self) -> Result<RegisterIssuer, String> {
        let mut types: Vec<RecordType> = self.record_types.iter().map(|text| text.0).collect();
        types.sort_unstable();
        if let Some(pair) = types.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("record type {} stands there twice", pair[0].name()));
        }
        let record_types = types.into_iter().map(RecordType::number).collect();
        Ok(RegisterIssuer { issuer_id: self.issuer_id.0, name: self.name.0.clone(), record_types })
    }
}
