//! Judging one record against the state: the ledger's share of the rules (V02 V03 V14–V19 V26), and what a good one writes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use super::blinding;
use super::checked::CheckedRecord;
use super::overlay::{Keys, Overlay};
use super::reading::ReadError;
use super::refusal::{RecordError, require};
use super::statuses::Status;
use super::tables::{
    KeyState, ReceiptState, SegmentRange, SegmentState, Table, Totals, UnitState, biz_key_bytes, pair_bytes,
    receipt_key_bytes, uniqueness_key_bytes,
};
use super::uniqueness::{claim_keys, free_keys};
use crate::batch::BatchHeader;
use crate::governance::{KeyOwner, RegisterIssuer};
use crate::hash::Hash;
use crate::ids::{LeafIndex, ReceiptKey, UnitId, UnixMillis};
use crate::limits;
use crate::reason::Reason;
use crate::record::{ReceiptRecord, SignedRecord};
use crate::suite::{ChainId, PublicKey, Suite};

/// Registry entries that records of one block keep asking for, decoded once.
#[derive(Default)]
pub(crate) struct RegistryCache {
    units: HashMap<u32, Option<UnitState>>,
    keys: HashMap<u32, Option<KeyState>>,
    segment_index: HashMap<(u32, u32), Vec<SegmentRange>>,
    segments: HashMap<u32, SegmentState>,
    /// Blinding epochs that no record names yet.
    unused_epochs: Option<Vec<u32>>,
}

impl RegistryCache {
    fn unit(&mut self, overlay: &Overlay<'_>, id: u32) -> Result<Option<&UnitState>, ReadError> {
        let read = || overlay.read_message(Table::Units, &id.to_be_bytes());
        Ok(remembered(&mut self.units, id, read)?.as_ref())
    }

    fn key(&mut self, overlay: &Overlay<'_>, id: u32) -> Result<Option<&KeyState>, ReadError> {
        let read = || overlay.read_message(Table::Keys, &id.to_be_bytes());
        Ok(remembered(&mut self.keys, id, read)?.as_ref())
    }

    fn name_epochs(&mut self, overlay: &mut Overlay<'_>, records: &[CheckedRecord]) -> Result<(), ReadError> {
        let mut unused = match self.unused_epochs.take() {
            Some(unused) => unused,
            None => blinding::unused_epochs(overlay)?,
        };
        blinding::name_epochs(overlay, &mut unused, records)?;
        self.unused_epochs = Some(unused);
        Ok(())
    }

    fn segment_of(
        &mut self,
        overlay: &Overlay<'_>,
        unit: u32,
        key: ReceiptKey,
    ) -> Result<Option<&SegmentState>, ReadError> {
        let (code, number) = (key.code.get(), key.number.get());
        let ranges = remembered(&mut self.segment_index, (unit, code), || {
            let bytes = overlay.read(Table::SegmentIndex, &pair_bytes(unit, code))?;
            SegmentRange::decode_all(&bytes.unwrap_or_default())
        })?;
        let Some(range) = ranges.iter().find(|range| range.first <= number && number <= range.last) else {
            return Ok(None);
        };
        let id = range.segment;
        let segment = remembered(&mut self.segments, id, || {
            let state = overlay.read_message(Table::Segments, &id.to_be_bytes())?;
            state.ok_or_else(|| ReadError::corrupt("segment index"))
        })?;
        Ok(Some(segment))
    }
}

/// The cached value of `key`, read once.
fn remembered<K: Eq + std::hash::Hash, V>(
    cache: &mut HashMap<K, V>,
    key: K,
    read: impl FnOnce() -> Result<V, ReadError>,
) -> Result<&V, ReadError> {
    Ok(match cache.entry(key) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(empty) => empty.insert(read()?),
    })
}

/// The block and batch a record is judged in.
pub(crate) struct RecordContext<'a> {
    pub(crate) chain: ChainId,
    pub(crate) suite: Suite,
    pub(crate) block_time: UnixMillis,
    pub(crate) header: &'a BatchHeader,
    /// Who signed the header, as registered.
    pub(crate) submitter: &'a RegisterIssuer,
    pub(crate) leaf_index: LeafIndex,
}

/// The rows of large tables that judging these records asks for.
pub(crate) fn keys_asked(records: &[CheckedRecord]) -> Keys {
    let mut keys = Keys::new();
    for signed in records.iter().filter_map(|record| record.decoded.as_ref().ok()) {
        let record = &signed.record;
        let receipts = std::iter::once(record.key).chain(record.reverses);
        keys.entry(Table::Receipts).or_default().extend(receipts.map(|key| receipt_key_bytes(key).to_vec()));
        keys.entry(Table::BizKeys).or_default().push(biz_key_bytes(record.unit, record.biz_key).to_vec());
        let uniqueness = record.uniqueness_keys.iter().map(|key| uniqueness_key_bytes(record.unit, key).to_vec());
        keys.entry(Table::UniquenessKeys).or_default().extend(uniqueness);
    }
    keys
}

/// Judges a record and, if it is good, writes it into the batch's layer. Returns a status that changed by it.
pub(crate) fn apply_record(
    context: &RecordContext<'_>,
    overlay: &mut Overlay<'_>,
    cache: &mut RegistryCache,
    record: &CheckedRecord,
    batch_index: u16,
) -> Result<Option<(Hash, Status)>, RecordError> {
    let signed = record.decoded.as_ref().map_err(|reason| *reason)?;
    require(context.submitter.may_carry(signed.record_type()), Reason::RecordTypeNotAllowed)?;
    let uniqueness_count = u8::try_from(signed.record.uniqueness_keys.len()).map_err(|_| Reason::FieldInvalid)?;
    check_authority(context, overlay, cache, signed, record.verdict)?;
    check_number(context, overlay, cache, &signed.record)?;
    // Each step from here on makes all of its checks before its first write, so that a refused record changes nothing.
    let change = match signed.record.reverses {
        None => {
            claim_keys(overlay, &signed.record)?;
            None
        }
        Some(original) => Some(reverse(overlay, &signed.record, original)?),
    };
    let receipt = ReceiptState {
        status_key: record.status_key,
        unit: signed.record.unit,
        total: signed.record.total,
        uniqueness_count,
        leaf_index: context.leaf_index,
        batch_index,
        reversed_by: None,
    };
    overlay.write(Table::Receipts, receipt_key_bytes(signed.record.key), receipt.encode());
    overlay.write(
        Table::BizKeys,
        biz_key_bytes(signed.record.unit, signed.record.biz_key),
        receipt_key_bytes(signed.record.key).to_vec(),
    );
    Ok(change)
}

/// V16 V17 V18: suite, time, unit, kind, key and signature.
fn check_authority(
    context: &RecordContext<'_>,
    overlay: &Overlay<'_>,
    cache: &mut RegistryCache,
    signed: &SignedRecord,
    verdict: Option<(PublicKey, bool)>,
) -> Result<(), RecordError> {
    let record = &signed.record;
    require(record.suite == context.suite, Reason::SuiteUnknown)?;
    let in_header =
        context.header.first_issue_time <= record.issue_time && record.issue_time <= context.header.last_issue_time;
    let may_come = record.issue_time.since(context.block_time) <= limits::ISSUE_TIME_WAITS_MS_MAX;
    require(in_header && may_come, Reason::TimeInvalid)?;

    let unit = cache.unit(overlay, record.unit.get())?.ok_or(Reason::UnitUnknown)?;
    let (issue_time, block_time) = (record.issue_time, context.block_time);
    require(unit.suspension().permits(issue_time, block_time), Reason::UnitSuspended)?;
    require(unit.permits_kind(record.key.code.get() / 100, issue_time, block_time), Reason::KindNotAllowed)?;

    let key = cache.key(overlay, record.signing_key.get())?.ok_or(Reason::SignatureInvalid)?;
    require(owned_by_unit(key, record.unit), Reason::SignatureInvalid)?;
    require(key.permits(issue_time, block_time), Reason::KeyRevoked)?;
    require(signed_by(context, signed, key, verdict)?, Reason::SignatureInvalid)
}

/// Whether the record's unit signed it, with whatever key of its own, valid then or not. Only such a record is remembered as refused:
/// an answer about a record that anybody may have made up says nothing about a receipt.
pub(crate) fn is_genuine(
    context: &RecordContext<'_>,
    overlay: &Overlay<'_>,
    cache: &mut RegistryCache,
    record: &CheckedRecord,
) -> Result<bool, ReadError> {
    let Ok(signed) = &record.decoded else { return Ok(false) };
    if signed.record.suite != context.suite {
        return Ok(false);
    }
    let Some(key) = cache.key(overlay, signed.record.signing_key.get())? else { return Ok(false) };
    if !owned_by_unit(key, signed.record.unit) {
        return Ok(false);
    }
    signed_by(context, signed, key, record.verdict)
}

fn owned_by_unit(key: &KeyState, unit: UnitId) -> bool {
    key.key.owner_kind == KeyOwner::Unit.number() && key.key.owner_id == unit.get()
}

/// The signature's verdict: the one that was found before, if it was found for this very key.
fn signed_by(
    context: &RecordContext<'_>,
    signed: &SignedRecord,
    key: &KeyState,
    verdict: Option<(PublicKey, bool)>,
) -> Result<bool, ReadError> {
    let public_key = key.key.key().map_err(|_| ReadError::corrupt("public key"))?;
    Ok(match verdict {
        Some((checked_key, verdict)) if checked_key == public_key => verdict,
        _ => signed.verify(context.chain, &public_key),
    })
}

/// V02 V03 and the `biz_code`: the number is the unit's, leased to this issuer, and used by nobody; so is the key.
fn check_number(
    context: &RecordContext<'_>,
    overlay: &mut Overlay<'_>,
    cache: &mut RegistryCache,
    record: &ReceiptRecord,
) -> Result<(), RecordError> {
    let segment = cache.segment_of(overlay, record.unit.get(), record.key)?.ok_or(Reason::NumberNotOwned)?;
    require(segment.segment.issuer_id == context.header.issuer.get(), Reason::NumberNotOwned)?;
    require(segment.closing().permits(record.issue_time, context.block_time), Reason::NumberNotOwned)?;
    require(!overlay.contains(Table::Receipts, &receipt_key_bytes(record.key))?, Reason::NumberUsed)?;
    require(!overlay.contains(Table::BizKeys, &biz_key_bytes(record.unit, record.biz_key))?, Reason::BizCodeUsed)
}

/// V19: the original exists, is the unit's own, blue, in force, and of exactly the opposite amount. Frees its keys.
fn reverse(
    overlay: &mut Overlay<'_>,
    red: &ReceiptRecord,
    original_key: ReceiptKey,
) -> Result<(Hash, Status), RecordError> {
    let bytes = overlay.read(Table::Receipts, &receipt_key_bytes(original_key))?.ok_or(Reason::OriginalUnknown)?;
    let mut original = ReceiptState::decode(&bytes)?;
    require(original.unit == red.unit, Reason::UnitMismatch)?;
    require(!original.is_red(), Reason::OriginalIsRed)?;
    require(original.reversed_by.is_none(), Reason::AlreadyReversed)?;
    require(original.total.checked_neg() == Some(red.total), Reason::AmountMismatch)?;
    require(usize::from(original.uniqueness_count) == red.uniqueness_keys.len(), Reason::FieldInvalid)?;
    free_keys(overlay, red, original_key)?;
    original.reversed_by = Some(red.key);
    overlay.write(Table::Receipts, receipt_key_bytes(original_key), original.encode());
    Ok((original.status_key, Status::Reversed { by: red.key }))
}

/// Counts a taken batch's numbers and amounts: segments' use and the running totals. Notes which blinding epochs its records name.
pub(crate) fn count_records(
    overlay: &mut Overlay<'_>,
    cache: &mut RegistryCache,
    records: &[CheckedRecord],
    totals: &mut Totals,
) -> Result<(), ReadError> {
    cache.name_epochs(overlay, records)?;
    let mut touched = BTreeSet::new();
    for checked in records {
        let Ok(signed) = &checked.decoded else { continue };
        let record = &signed.record;
        totals.add(record.total);
        let Some(segment) = cache.segment_of(overlay, record.unit.get(), record.key)? else { continue };
        let id = segment.segment.segment_id;
        if let Some(segment) = cache.segments.get_mut(&id) {
            segment.used_count += 1;
            segment.highest_used = segment.highest_used.max(record.key.number.get());
            touched.insert(id);
        }
    }
    for id in touched {
        if let Some(segment) = cache.segments.get(&id) {
            overlay.write(Table::Segments, id.to_be_bytes(), prost::Message::encode_to_vec(segment));
        }
    }
    Ok(())
}
