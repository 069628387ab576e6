//! The governance that a recovery needs, written out for the authorities to sign: fence the lost journal, lease new numbers.
//!
//! The fence names this journal, so that no other copy of the backup goes on in its epoch.
//! Made from the journal's replica of the registry, which a quorum stands behind. One message per [`SEGMENTS_PER_MESSAGE`]
//! segments; the fence is the first action of the first one, so that all these segments are leased after it. Not here: signing.

use std::collections::BTreeMap;

use prost::Message as _;
use receipt_core::governance::{Action, AllocateSegment, FenceIssuer, Governance};
use receipt_core::ids::Height;
use receipt_core::limits;
use receipt_core::state::tables::{GovernanceState, META_GOVERNANCE, SegmentState, Table};
use receipt_core::suite::Suite;

use crate::journal::{Journal, JournalError};

/// Segments of one message: some 30 bytes each, far below the limit of an entry.
const SEGMENTS_PER_MESSAGE: usize = 1_000;
/// Unsigned messages: this issuer's epoch rises above `epoch`, and each open segment gets a successor of the same length, next
/// in its code.
pub fn governance_plan(journal: &Journal, suite: Suite, epoch: u32) -> Result<Vec<Governance>, JournalError> {
    let corrupt = || JournalError::Corrupt("the registry's numbering");
    let issuer = journal.identity().issuer.get();
    let mut leased = Vec::new();
    let mut last_id = 0;
    let mut high_water: BTreeMap<u32, u64> = BTreeMap::new();
    for bytes in journal.registry_table(Table::Segments)? {
        let state = SegmentState::decode(bytes.as_slice()).map_err(|_| corrupt())?;
        last_id = last_id.max(state.segment.segment_id);
        let high = high_water.entry(state.segment.receipt_code).or_default();
        *high = (*high).max(state.segment.last_number);
        if state.segment.issuer_id == issuer && state.closed_at_ms == 0 {
            leased.push(state.segment);
        }
    }
    // One new segment for each unit and code, however many it has used up. It follows the newest of them.
    let newest: BTreeMap<(u32, u32), AllocateSegment> =
        leased.into_iter().map(|segment| ((segment.unit_id, segment.receipt_code), segment)).collect();
    let named = journal.fence_id()?.ok_or(JournalError::Corrupt("what the fence must name"))?;
    let epoch = epoch.checked_add(1).ok_or_else(corrupt)?;
    let fence = FenceIssuer { issuer_id: issuer, epoch, journal: named.to_vec() };
    let mut actions = vec![Action::FenceIssuer(fence)];
    for segment in newest.into_values() {
        let length = segment.last_number - segment.first_number;
        let high = high_water.entry(segment.receipt_code).or_default();
        let first_number = high.checked_add(1).ok_or_else(corrupt)?;
        let last_number = first_number.checked_add(length).ok_or_else(corrupt)?;
        *high = last_number;
        last_id += 1;
        let segment = AllocateSegment { segment_id: last_id, first_number, last_number, ..segment };
        actions.push(Action::AllocateSegment(segment));
    }
    let mut last = last_governance(journal)?.ok_or_else(corrupt)?;
    let height = journal.followed_tip()?.height.get();
    let expiry = Height::new(height.saturating_add(limits::GOVERNANCE_VALID_HEIGHTS_MAX));
    let mut messages = Vec::new();
    for actions in actions.chunks(SEGMENTS_PER_MESSAGE) {
        let sequence = last.sequence.checked_add(1).ok_or_else(corrupt)?;
        let message = Governance { suite, area: None, sequence, expiry, previous: last.id, actions: actions.to_vec() };
        last = GovernanceState { sequence, id: message.id() };
        messages.push(message);
    }
    Ok(messages)
}

fn last_governance(journal: &Journal) -> Result<Option<GovernanceState>, JournalError> {
    let bytes = journal.registered(Table::Meta, META_GOVERNANCE)?;
    bytes
        .map(|bytes| GovernanceState::decode(&bytes))
        .transpose()
        .map_err(|_| JournalError::Corrupt("the last governance"))
}
