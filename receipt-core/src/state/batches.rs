//! Judging a batch: taken whole, or refused whole with the reason of every bad record.

use std::sync::Arc;

use super::chain::ChainParameters;
use super::checked::{CheckedBatch, CheckedRecord};
use super::effects::Outcome;
use super::overlay::Overlay;
use super::reading::ReadError;
use super::records::{RecordContext, RegistryCache, apply_record, count_records, is_genuine, keys_asked};
use super::refusal::{ApplyError, BlockRefusal, RecordError};
use super::statuses::Status;
use super::tables::{BatchState, IssuerState, KeyState, RefusedState, Table, Totals, batch_key_bytes};
use crate::batch::Ripeness;
use crate::entry::{BatchRefused, Entry, RecordRefusal};
use crate::governance::KeyOwner;
use crate::hash::Hash;
use crate::ids::{LeafIndex, UnixMillis};
use crate::reason::Reason;

/// What the batches of one block share.
pub(crate) struct BatchContext<'a> {
    pub(crate) chain: &'a ChainParameters,
    pub(crate) block_time: UnixMillis,
    pub(crate) cache: RegistryCache,
    pub(crate) totals: Totals,
    pub(crate) status_changes: Vec<(Hash, Status)>,
}

/// Checks that the batch is its issuer's next, with a genuine header: otherwise it may not stand in a block.
fn check_header(
    context: &BatchContext<'_>,
    overlay: &Overlay<'_>,
    batch: &CheckedBatch,
) -> Result<IssuerState, ApplyError> {
    let header = &batch.header().header;
    let refuse = |reason| ApplyError::Refused(BlockRefusal::Batch { header_hash: batch.header_hash(), reason });
    let issuer: IssuerState = overlay
        .read_message(Table::Issuers, &header.issuer.get().to_be_bytes())?
        .ok_or_else(|| refuse(Reason::IssuerUnknown))?;
    if header.sequence.get() != issuer.next_sequence {
        let known = header.sequence.get() < issuer.next_sequence;
        return Err(refuse(if known { Reason::SequenceConflict } else { Reason::SequenceGap }));
    }
    if header.epoch != issuer.epoch {
        return Err(refuse(Reason::EpochFenced));
    }
    let key: KeyState = overlay
        .read_message(Table::Keys, &header.signing_key.get().to_be_bytes())?
        .ok_or_else(|| refuse(Reason::SignatureInvalid))?;
    let owned = key.key.owner_kind == KeyOwner::Issuer.number() && key.key.owner_id == header.issuer.get();
    let public_key = key.key.key().map_err(|_| refuse(Reason::SignatureInvalid))?;
    if !owned || header.suite != context.chain.suite || !batch.header().verify(context.chain.id, &public_key) {
        return Err(refuse(Reason::SignatureInvalid));
    }
    if !key.permits(header.signing_time(context.block_time), context.block_time) {
        return Err(refuse(Reason::KeyRevoked));
    }
    if header.ripeness(context.block_time) == Ripeness::Early {
        return Err(refuse(Reason::TooEarly));
    }
    Ok(issuer)
}

/// Takes or refuses a batch; either spends its sequence. Returns its log entry and outcome.
pub(crate) fn apply_batch(
    context: &mut BatchContext<'_>,
    overlay: &mut Overlay<'_>,
    batch: &Arc<CheckedBatch>,
    leaf_index: LeafIndex,
) -> Result<(Vec<u8>, Outcome), ApplyError> {
    let mut issuer = check_header(context, overlay, batch)?;
    let submitter = issuer.issuer.clone();
    let header = &batch.header().header;
    let record_context = RecordContext {
        chain: context.chain.id,
        suite: context.chain.suite,
        block_time: context.block_time,
        header,
        submitter: &submitter,
        leaf_index,
    };
    overlay.fetch(keys_asked(&batch.checked))?;
    overlay.begin_batch();
    let mut refusals = Vec::new();
    let mut changes = Vec::new();
    for (index, record) in (0_u16..).zip(&batch.checked) {
        match apply_record(&record_context, overlay, &mut context.cache, record, index) {
            Ok(change) => changes.extend(change),
            Err(RecordError::Refused(reason)) => refusals.push(RecordRefusal { index: u32::from(index), reason }),
            Err(RecordError::Read(error)) => return Err(error.into()),
        }
    }
    if refusals.is_empty() && header.ripeness(context.block_time) == Ripeness::Never {
        // No record is refused, so none has the time that the header states. Refuse all: such a batch may stand in any block, and must not
        // bring in records that are early.
        let all = (0..).zip(&batch.checked).map(|(index, _)| RecordRefusal { index, reason: Reason::TimeInvalid });
        refusals.extend(all);
    }
    let taken = refusals.is_empty();
    if !taken && !issuer.spend_on_refusal(batch.byte_size() as u64, context.block_time) {
        let (header_hash, reason) = (batch.header_hash(), Reason::RefusalBudgetSpent);
        return Err(BlockRefusal::Batch { header_hash, reason }.into());
    }
    let entry = if taken {
        overlay.keep_batch();
        count_records(overlay, &mut context.cache, &batch.checked, &mut context.totals)?;
        context.status_changes.extend(changes);
        Entry::BatchHeader(batch.header().clone())
    } else {
        overlay.drop_batch();
        remember_refused(&record_context, overlay, &mut context.cache, &batch.checked, &refusals)?;
        Entry::BatchRefused(BatchRefused {
            issuer: header.issuer,
            sequence: header.sequence,
            header_hash: batch.header_hash(),
            refusals: refusals.clone(),
        })
    };
    let state = BatchState { refused: !taken, leaf_index, header_hash: batch.header_hash() };
    overlay.write(Table::Batches, batch_key_bytes(header.issuer, header.sequence.get()), state.encode());
    issuer.next_sequence = issuer.next_sequence.saturating_add(1);
    overlay.write(Table::Issuers, header.issuer.get().to_be_bytes(), prost::Message::encode_to_vec(&issuer));
    Ok((entry.encode(), Outcome { header_hash: batch.header_hash(), leaf_index, refusals }))
}

/// Writes where each refused record stands that its unit had signed, so that whoever holds the receipt gets the refusal proved
/// instead of nothing, which would read like "in force".
fn remember_refused(
    context: &RecordContext<'_>,
    overlay: &mut Overlay<'_>,
    cache: &mut RegistryCache,
    records: &[CheckedRecord],
    refusals: &[RecordRefusal],
) -> Result<(), ReadError> {
    for refusal in refusals {
        let Some(record) = records.get(refusal.index as usize) else { continue };
        if !is_genuine(context, overlay, cache, record)? {
            continue;
        }
        // A batch has at most 4,096 records.
        let batch_index = u16::try_from(refusal.index).map_err(|_| ReadError::corrupt("refusal index"))?;
        let state = RefusedState { leaf_index: context.leaf_index, batch_index, reason: refusal.reason };
        overlay.write(Table::Refused, record.status_key.0, state.encode());
    }
    Ok(())
}
