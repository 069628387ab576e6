//! Which receipt stands in a call's way, told to callers who may see it, so that nobody issues a second one for want of the first.
//!
//! Not here: whether one stands in the way (`issue::sequencer::conflict`), and who may see what (`authority`).

use receipt_core::ids::{ReceiptKey, SystemId, UnitId};
use receipt_core::record::SignedRecord;
use tallystick_proto::errors::{Place, Refusal};

use crate::authority::may_see;
use crate::journal::{Journal, JournalError, ReceiptReads as _};
use crate::registry::RegistryView;

/// A receipt that stands in a call's way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder<'a> {
    /// Its key.
    pub(crate) key: ReceiptKey,
    /// Its unit.
    pub(crate) unit: UnitId,
    /// Its place; empty if it was learnt from the ledger alone.
    pub(crate) place_code: &'a str,
    /// Its biz code; empty likewise.
    pub(crate) biz_code: &'a str,
}

/// Who asks, and what the registry lets it see.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    /// The registry.
    pub(crate) view: &'a RegistryView,
    /// The calling system.
    pub(crate) system: SystemId,
}

impl Asker<'_> {
    /// Names the holder in a refusal. One that the caller may not see is said to be elsewhere, and nothing more.
    pub(crate) fn named(&self, refusal: Refusal, holder: Holder<'_>) -> Refusal {
        if !may_see(self.view, self.system, holder.unit, holder.place_code) {
            let advice = refusal.advice;
            return refusal.with_advice(advice.receipt, Place::OtherPlace, advice.action);
        }
        let refusal = refusal
            .with_metadata("receipt_code", holder.key.code.to_string())
            .with_metadata("receipt_number", holder.key.number.to_string());
        if holder.biz_code.is_empty() { refusal } else { refusal.with_metadata("biz_code", holder.biz_code) }
    }

    /// The same of a receipt in the journal.
    pub(crate) fn named_of(
        &self,
        refusal: Refusal,
        journal: &Journal,
        key: ReceiptKey,
    ) -> Result<Refusal, JournalError> {
        let Some(row) = journal.receipt(key)? else { return Ok(refusal) };
        let signed = SignedRecord::decode(&row.signed_record).map_err(|_| JournalError::Corrupt("a signed record"))?;
        let unit = signed.record.unit;
        Ok(self.named(refusal, Holder { key, unit, place_code: &row.place_code, biz_code: &row.biz_code }))
    }
}
