//! V29: in a closed segment every number is used, void or lost.
//!
//! A settlement names the void and lost numbers of a segment that takes no receipts any more: closed, and the grace for
//! those issued before its closing over. Void, lost and used ones must be all there are, each of them one thing only. That
//! none of the named is used follows above the highest used number from the counts; below it, each is looked up.
//!
//! Not here: who finds out what became of a number (its issuer knows), and why the authorities believe it.

use prost::Message;

use super::action::{ActionError, ActionPlace, ActionResult, Records, require};
use super::overlay::Overlay;
use super::reading::ReadError;
use super::tables::{SegmentState, Table};
use crate::governance::{NumberRange, SettleSegment};
use crate::limits;

/// Numbers that a block's settlements may still look up: [`limits::SETTLED_HOLES_MAX`] for all of them together.
#[derive(Debug)]
pub(crate) struct LookUps(u64);

impl Default for LookUps {
    fn default() -> Self {
        Self(limits::SETTLED_HOLES_MAX)
    }
}

impl LookUps {
    fn spend(&mut self, count: u64) -> ActionResult {
        let left = self.0.checked_sub(count);
        self.0 = left.ok_or(ActionError::Refused(
            "too many numbers below the highest used ones are named; settle fewer segments at once",
        ))?;
        Ok(())
    }
}

/// Without the records at hand (a follower of governance) what was used is not known here: the block that carries the
/// settlement was judged where it is.
pub(super) fn settle_segment(
    overlay: &mut Overlay<'_>,
    settlement: &SettleSegment,
    place: ActionPlace<'_>,
    look_ups: &mut LookUps,
) -> ActionResult {
    let ActionPlace { block_time, records, .. } = place;
    let id = settlement.segment_id.to_be_bytes();
    let state: Option<SegmentState> = overlay.read_message(Table::Segments, &id)?;
    let mut state = state.ok_or(ActionError::Refused("the segment is not allocated"))?;
    require(state.closed_at_ms != 0, "the segment is not closed")?;
    require(state.settled_at_ms == 0, "the segment is settled already")?;

    let mut named: Vec<&NumberRange> = settlement.void.iter().chain(&settlement.lost).collect();
    named.sort_by_key(|range| range.first);
    require(is_ascending(settlement.void.iter()) && is_ascending(settlement.lost.iter()), "ranges must ascend")?;
    require(is_ascending(named.iter().copied()), "a number is both void and lost")?;
    let (first, last) = (state.segment.first_number, state.segment.last_number);
    let inside = |range: &&NumberRange| first <= range.first && range.last <= last;
    require(named.iter().all(inside), "a range lies outside of the segment")?;
    let (void, lost) = (numbers_of(&settlement.void), numbers_of(&settlement.lost));
    if records == Records::AtHand {
        let accounted = state.used_count.checked_add(void).and_then(|sum| sum.checked_add(lost));
        require(accounted == Some(last - first + 1), "not every number of the segment is used, void or lost")?;
        require_unused(overlay, &state, &named, look_ups)?;
    }
    // Checked last, so that during the grace every other fault of a settlement is reported already.
    require(state.closing().is_over(block_time), "receipts of the segment may still come within the grace")?;

    state.settled_at_ms = block_time.get();
    (state.void_count, state.lost_count) = (void, lost);
    overlay.write(Table::Segments, id, state.encode_to_vec());
    Ok(())
}

/// Whether each range has a number, and lies after the one before.
fn is_ascending<'a>(ranges: impl Iterator<Item = &'a NumberRange>) -> bool {
    let mut end = 0;
    for range in ranges {
        if range.first <= end || range.last < range.first {
            return false;
        }
        end = range.last;
    }
    true
}

/// How many numbers; the ranges are known to ascend.
fn numbers_of(ranges: &[NumberRange]) -> u64 {
    ranges.iter().map(|range| range.last - range.first + 1).sum()
}

fn require_unused(
    overlay: &Overlay<'_>,
    state: &SegmentState,
    named: &[&NumberRange],
    look_ups: &mut LookUps,
) -> ActionResult {
    let below = named.iter().filter(|range| range.first <= state.highest_used);
    let below: Vec<(u64, u64)> = below.map(|range| (range.first, range.last.min(state.highest_used))).collect();
    let holes: u64 = below.iter().map(|(first, last)| last - first + 1).sum();
    look_ups.spend(holes)?;
    for number in below.into_iter().flat_map(|(first, last)| first..=last) {
        let used = is_used(overlay, state.segment.receipt_code, number)?;
        require(!used, "a number is used and cannot be void or lost")?;
    }
    Ok(())
}

fn is_used(overlay: &Overlay<'_>, code: u32, number: u64) -> Result<bool, ReadError> {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&code.to_be_bytes());
    key[4..].copy_from_slice(&number.to_be_bytes());
    overlay.contains(Table::Receipts, &key)
}
