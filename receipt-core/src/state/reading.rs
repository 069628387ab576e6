//! Reading stored values: a cursor over fixed layouts, and the error of whatever is not as it was written.

use crate::hash::Hash;
use crate::ids::{ReceiptCode, ReceiptKey, ReceiptNumber};

/// Reading the state failed: the store's fault, never the block's. Fatal to whoever executes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading the ledger state failed: {0}")]
pub struct ReadError(pub String);

impl ReadError {
    /// A stored value is not what was written.
    pub fn corrupt(what: &str) -> Self {
        Self(format!("corrupt state: {what}"))
    }
}

/// The receipt that a row of BizKeys or UniquenessKeys names (`tables::receipt_key_bytes`).
pub fn receipt_key_of(row: &[u8]) -> Result<ReceiptKey, ReadError> {
    let mut fields = Fields(row);
    let key = fields.key()?;
    fields.end()?;
    Ok(key)
}

/// A cursor over fixed-layout values: every read is checked, and so is the end.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| ReadError::corrupt("value too short"))?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ReadError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ReadError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ReadError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn hash(&mut self) -> Result<Hash, ReadError> {
        self.array().map(Hash)
    }

    pub(crate) fn key(&mut self) -> Result<ReceiptKey, ReadError> {
        let code = ReceiptCode::new(self.u32()?).map_err(|_| ReadError::corrupt("receipt code"))?;
        let number = ReceiptNumber::new(self.u64()?).map_err(|_| ReadError::corrupt("receipt number"))?;
        Ok(ReceiptKey { code, number })
    }

    pub(crate) fn end(self) -> Result<(), ReadError> {
        if self.0.is_empty() { Ok(()) } else { Err(ReadError::corrupt("value too long")) }
    }
}
