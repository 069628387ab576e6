//! Starts and ends that a person hardly meant: shown beside the proposal, before anybody signs it.
//!
//! An end dated far ahead lets a stolen key sign until then; one dated far back refuses what is on its way. Either may be meant, so
//! nothing is refused here. The times are compared with the clock of this machine, and the sentence says so.

use std::fmt::Write as _;

use receipt_core::governance::Action;
use receipt_core::ids::UnixMillis;
use receipt_core::limits;

use crate::proposal::Proposal;
use crate::text::shown_time;
use crate::words::{of_action, of_credential};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// An end may lie this far from now without a word: as long as receipts issued before it are still taken.
const END_DISTANCE_MS_MAX: u64 = limits::REVOCATION_GRACE_MS;
/// A key may begin this long from now.
const BEGIN_AHEAD_MS_MAX: u64 = 90 * DAY_MS;
/// A key may have begun this long ago.
const BEGIN_BEHIND_MS_MAX: u64 = 366 * DAY_MS;

/// A time of the proposal, and what it means if it is far off.
struct Start {
    field: &'static str,
    time_ms: u64,
    ahead_ms_max: u64,
    behind_ms_max: u64,
    if_ahead: &'static str,
    if_behind: &'static str,
}

impl Start {
    /// An end of a permission; 0: there is none.
    fn end(field: &'static str, time_ms: u64) -> Option<Self> {
        (time_ms != 0).then_some(Self {
            field,
            time_ms,
            ahead_ms_max: END_DISTANCE_MS_MAX,
            behind_ms_max: END_DISTANCE_MS_MAX,
            if_ahead: "until then everything goes on as before, also for whoever has stolen a key",
            if_behind: "what was issued since then and is still on its way to the ledger will be refused",
        })
    }

    fn begin(time_ms: u64) -> Self {
        Self {
            field: "valid from",
            time_ms,
            ahead_ms_max: BEGIN_AHEAD_MS_MAX,
            behind_ms_max: BEGIN_BEHIND_MS_MAX,
            if_ahead: "before then nothing can be signed with the key",
            if_behind: "whoever has the key may date receipts back to then",
        }
    }

    /// A planned end may lie as far ahead as one likes.
    fn planned_end(time_ms: u64) -> Option<Self> {
        let end = Self::end("valid until", time_ms)?;
        let if_behind = "the key has ended already";
        Some(Self { ahead_ms_max: u64::MAX, behind_ms_max: 0, if_behind, ..end })
    }

    fn warning(&self, now: UnixMillis, utc_offset_minutes: i32) -> Option<String> {
        let time = UnixMillis::new(self.time_ms);
        let (ahead, behind) = (time.since(now), now.since(time));
        let (days, direction, meaning) = if ahead > self.ahead_ms_max {
            (ahead / DAY_MS, "ahead of", self.if_ahead)
        } else if behind > self.behind_ms_max {
            (behind / DAY_MS, "behind", self.if_behind)
        } else {
            return None;
        };
        let (field, shown) = (self.field, shown_time(self.time_ms, utc_offset_minutes));
        Some(format!("\"{field}\" is {shown}, {days} days {direction} this machine's clock: {meaning}"))
    }
}

fn starts_of(action: &Action) -> Vec<Start> {
    match action {
        Action::RegisterUnit(unit) => Start::end("suspended from", unit.suspended_from_ms).into_iter().collect(),
        Action::RevokeKey(revocation) => Start::end("revoked from", revocation.revoked_from_ms).into_iter().collect(),
        Action::RegisterKey(key) => {
            std::iter::once(Start::begin(key.valid_from_ms)).chain(Start::planned_end(key.valid_until_ms)).collect()
        }
        _ => Vec::new(),
    }
}

/// One line for each unusual time of the proposal; empty if there is none.
pub fn warnings(proposal: &Proposal, utc_offset_minutes: i32, now: UnixMillis) -> String {
    let actions = proposal.governance().map(|message| message.actions.as_slice()).unwrap_or_default();
    let of_actions = actions.iter().map(|action| (of_action(action, utc_offset_minutes).title, starts_of(action)));
    let of_credentials = proposal.credentials().map(|credential| {
        let until = credential.valid_until.map_or(0, UnixMillis::get);
        let starts = std::iter::once(Start::begin(credential.valid_from.get())).chain(Start::planned_end(until));
        (of_credential(credential, utc_offset_minutes).title, starts.collect::<Vec<_>>())
    });
    let mut text = String::new();
    for (title, starts) in of_actions.chain(of_credentials) {
        for warning in starts.iter().filter_map(|start| start.warning(now, utc_offset_minutes)) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\nWARNING: {title}: {warning}.");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use receipt_core::governance::{Governance, KeyOwner, RegisterKey, RevokeKey};
    use receipt_core::ids::Height;
    use receipt_core::suite::Signer as _;
    use receipt_core::testkit::{TestChain, software_key};

    use super::*;
    use crate::chain::Chain;

    const NOW: u64 = 1_793_584_800_000;

    fn warned(action: Action) -> String {
        let chain = Chain::new(TestChain::new().genesis().clone());
        let suite = chain.genesis.suite;
        let previous = receipt_core::hash::Hash([0; 32]);
        let message = Governance { suite, sequence: 1, expiry: Height::new(10), previous, actions: vec![action] };
        let proposal = Proposal::new(&chain, Some(message), Vec::new(), 0).unwrap();
        warnings(&proposal, 480, UnixMillis::new(NOW))
    }

    fn revoke(revoked_from_ms: u64) -> Action {
        Action::RevokeKey(RevokeKey { key_id: 7, revoked_from_ms })
    }

    fn key(valid_from_ms: u64, valid_until_ms: u64) -> Action {
        let public_key = software_key("k").public_key().0.to_vec();
        let (owner_kind, suite) = (KeyOwner::Unit.number(), 1);
        let key = RegisterKey { key_id: 7, owner_kind, owner_id: 1, suite, public_key, valid_from_ms, valid_until_ms };
        Action::RegisterKey(key)
    }

    #[test]
    fn what_lies_far_from_now_is_said_and_nothing_else() {
        for (name, action, expected) in [
            ("now", revoke(NOW), ""),
            ("nine days ago", revoke(NOW - 9 * DAY_MS), ""),
            ("in nine days", revoke(NOW + 9 * DAY_MS), ""),
            ("in eleven days", revoke(NOW + 11 * DAY_MS), "Revoke key 7, for ever: \"revoked from\" is 2026-11-13"),
            (
                "in ten years",
                revoke(NOW + 3650 * DAY_MS),
                "3650 days ahead of this machine's clock: until then everything",
            ),
            ("seconds taken for milliseconds", revoke(NOW / 1000), "days behind this machine's clock: what was issued"),
            ("a key of today", key(NOW, 0), ""),
            ("a key for five years", key(NOW, NOW + 1825 * DAY_MS), ""),
            ("a key of next year", key(NOW + 91 * DAY_MS, 0), "before then nothing can be signed"),
            ("a key of long ago", key(NOW - 367 * DAY_MS, 0), "may date receipts back to then"),
            ("a key that has ended", key(NOW - 2 * DAY_MS, NOW - DAY_MS), "the key has ended already"),
        ] {
            let warned = warned(action);
            assert_eq!(warned.is_empty(), expected.is_empty(), "{name}: {warned}");
            assert!(warned.contains(expected), "{name}: {warned}");
        }
    }
}
