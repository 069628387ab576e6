//! Starts and ends that a person hardly meant, or that refuse what is on its way: shown beside the proposal, before anybody signs it.
//!
//! An end dated far ahead lets a stolen key sign until then. One that is not ahead refuses for good what was issued since, and so what issuers
//! acknowledge before they have heard of it. Of a stolen key that is wanted, so nothing is refused here. The times are compared with the clock of this
//! machine, and the sentence says so. Ends without a date (a segment closed, a kind taken away) refuse nothing in good faith.

use std::fmt::Write as _;

use receipt_core::governance::Action;
use receipt_core::ids::UnixMillis;
use receipt_core::limits;

use crate::proposal::Proposal;
use crate::text::shown_time;
use crate::words::{of_action, of_credential};

const MINUTE_MS: i128 = 60 * 1000;
const HOUR_MS: i128 = 60 * MINUTE_MS;
const DAY_MS: i128 = 24 * HOUR_MS;
/// An end may lie this far ahead without a word: as long as receipts issued before it are still taken.
const END_AHEAD_MS_MAX: i128 = limits::REVOCATION_GRACE_MS as i128;
/// And it must lie this far ahead: until the proposal is signed and executed, and issuers have followed it.
const END_AHEAD_MS_MIN: i128 = HOUR_MS;
/// A key may begin this long from now.
const BEGIN_AHEAD_MS_MAX: i128 = 90 * DAY_MS;
/// A key may have begun this long ago.
const BEGIN_BEHIND_MS_MAX: i128 = 366 * DAY_MS;

/// Payments may be required this long from now.
const PAYMENTS_AHEAD_MS_MAX: i128 = 366 * DAY_MS;
/// And from a time on that lies so far ahead of now, or the ledger takes no such time when the proposal is executed.
const PAYMENTS_AHEAD_MS_MIN: i128 = limits::REVOCATION_GRACE_MS as i128 + HOUR_MS;

/// A time of the proposal, how far ahead of now it may lie (negative: behind), and what it means if it lies elsewhere.
struct Start {
    field: &'static str,
    time_ms: u64,
    ahead_ms_min: i128,
    ahead_ms_max: i128,
    if_earlier: &'static str,
    if_later: &'static str,
}

impl Start {
    /// An end of a permission; 0: there is none.
    fn end(field: &'static str, time_ms: u64) -> Option<Self> {
        (time_ms != 0).then_some(Self {
            field,
            time_ms,
            ahead_ms_min: END_AHEAD_MS_MIN,
            ahead_ms_max: END_AHEAD_MS_MAX,
            if_earlier: "what was issued since then and is still on its way to the ledger will be refused, and so will be what is \
                         acknowledged from then on until its issuer has heard of this",
            if_later: "until then everything goes on as before, also for whoever has stolen a key",
        })
    }

    fn begin(time_ms: u64) -> Self {
        Self {
            field: "valid from",
            time_ms,
            ahead_ms_min: -BEGIN_BEHIND_MS_MAX,
            ahead_ms_max: BEGIN_AHEAD_MS_MAX,
            if_earlier: "whoever has the key may date receipts back to then",
            if_later: "before then nothing can be signed with the key",
        }
    }

    /// From then on receipts need payments; 0: never.
    fn payments(time_ms: u64) -> Option<Self> {
        (time_ms != 0).then_some(Self {
            field: "needs confirmed payments",
            time_ms,
            ahead_ms_min: PAYMENTS_AHEAD_MS_MIN,
            ahead_ms_max: PAYMENTS_AHEAD_MS_MAX,
            if_earlier: "of a kind that is registered the ledger takes no such time within ten days, because issuers that are cut off do \
                         not know of it; it takes one of a new kind, one that stands there already, and a later one instead of that",
            if_later: "until then receipts need no payment",
        })
    }

    /// A planned end may lie as far ahead as one likes.
    fn planned_end(time_ms: u64) -> Option<Self> {
        let end = Self::end("valid until", time_ms)?;
        let if_earlier = "the key has ended already";
        Some(Self { ahead_ms_min: 0, ahead_ms_max: i128::MAX, if_earlier, ..end })
    }

    fn warning(&self, now: UnixMillis, utc_offset_minutes: i32) -> Option<String> {
        let ahead = i128::from(self.time_ms) - i128::from(now.get());
        let meaning = match ahead {
            _ if ahead > self.ahead_ms_max => self.if_later,
            _ if ahead < self.ahead_ms_min => self.if_earlier,
            _ => return None,
        };
        let direction = if ahead < 0 { "behind" } else { "ahead of" };
        let (field, shown, distance) = (self.field, shown_time(self.time_ms, utc_offset_minutes), span(ahead.abs()));
        Some(format!("\"{field}\" is {shown}, {distance} {direction} this machine's clock: {meaning}"))
    }
}

/// In the largest unit of which there are two, or minutes.
fn span(millis: i128) -> String {
    let units = [(DAY_MS, "days"), (HOUR_MS, "hours")];
    let (unit, name) = units.into_iter().find(|(unit, _)| millis >= 2 * unit).unwrap_or((MINUTE_MS, "minutes"));
    format!("{} {name}", millis / unit)
}

fn starts_of(action: &Action) -> Vec<Start> {
    match action {
        Action::RegisterUnit(unit) => Start::end("suspended from", unit.suspended_from_ms).into_iter().collect(),
        Action::RegisterCollector(collector) => {
            Start::end("suspended from", collector.suspended_from_ms).into_iter().collect()
        }
        Action::RegisterKind(kind) => Start::payments(kind.payment_required_from_ms).into_iter().collect(),
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
    use receipt_core::governance::{Governance, KeyOwner, RegisterKey, RegisterKind, RegisterUnit, RevokeKey};
    use receipt_core::ids::Height;
    use receipt_core::suite::Signer as _;
    use receipt_core::testkit::{TestChain, software_key};

    use super::*;
    use crate::chain::Chain;

    const NOW: u64 = 1_793_584_800_000;
    const MINUTE_MS: u64 = 60 * 1000;
    const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

    fn warned(action: Action) -> String {
        let chain = Chain::new(TestChain::new().genesis().clone());
        let suite = chain.genesis.suite;
        let previous = receipt_core::hash::Hash([0; 32]);
        let message =
            Governance { suite, area: None, sequence: 1, expiry: Height::new(10), previous, actions: vec![action] };
        let proposal = Proposal::new(&chain, Some(message), Vec::new(), 0).unwrap();
        warnings(&proposal, 480, UnixMillis::new(NOW))
    }

    fn revoke(revoked_from_ms: u64) -> Action {
        Action::RevokeKey(RevokeKey { key_id: 7, revoked_from_ms })
    }

    fn suspend(suspended_from_ms: u64) -> Action {
        let unit = RegisterUnit { unit_id: 1, suspended_from_ms, ..RegisterUnit::default() };
        Action::RegisterUnit(unit)
    }

    fn key(valid_from_ms: u64, valid_until_ms: u64) -> Action {
        let public_key = software_key("k").public_key().0.to_vec();
        let (owner_kind, suite) = (KeyOwner::Unit.number(), 1);
        let key = RegisterKey { key_id: 7, owner_kind, owner_id: 1, suite, public_key, valid_from_ms, valid_until_ms };
        Action::RegisterKey(key)
    }

    fn payments(payment_required_from_ms: u64) -> Action {
        Action::RegisterKind(RegisterKind { payment_required_from_ms, ..RegisterKind::named(990_601, "kind") })
    }

    #[test]
    fn what_lies_far_from_now_is_said_and_nothing_else() {
        for (name, action, expected) in [
            ("now", revoke(NOW), "0 minutes ahead of this machine's clock: what was issued since then"),
            (
                "a theft of nine days ago",
                revoke(NOW - 9 * DAY_MS),
                "9 days behind this machine's clock: what was issued",
            ),
            (
                "suspended from yesterday",
                suspend(NOW - DAY_MS),
                "24 hours behind this machine's clock: what was issued",
            ),
            (
                "suspended a moment ago",
                suspend(NOW - 1),
                "0 minutes behind this machine's clock: what was issued since",
            ),
            ("sooner than it is signed", suspend(NOW + 59 * MINUTE_MS), "until its issuer has heard of this"),
            ("in an hour", suspend(NOW + 60 * MINUTE_MS), ""),
            ("not suspended", suspend(0), ""),
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
            ("payments from next month on", payments(NOW + 30 * DAY_MS), ""),
            ("payments never", payments(0), ""),
            ("payments in the next century", payments(NOW + 36_500 * DAY_MS), "until then receipts need no payment"),
            ("payments in ten days and an hour", payments(NOW + 10 * DAY_MS + 60 * MINUTE_MS), ""),
            ("payments in ten days", payments(NOW + 10 * DAY_MS), "the ledger takes no such time within ten days"),
            ("payments since long", payments(NOW - 2 * DAY_MS), "the ledger takes no such time within ten days"),
            ("a key that has ended", key(NOW - 2 * DAY_MS, NOW - DAY_MS), "the key has ended already"),
        ] {
            let warned = warned(action);
            assert_eq!(warned.is_empty(), expected.is_empty(), "{name}: {warned}");
            assert!(warned.contains(expected), "{name}: {warned}");
        }
    }
}
