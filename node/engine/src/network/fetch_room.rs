//! Room for what this node fetches when it is behind.
//!
//! The engine asks for blocks of some forty heights at once, and keeps what comes until it gets there, however large: of the largest blocks that
//! is 160 MiB. So each fetch waits for room for the largest answer, and what came keeps as much as it has bytes until its last height is over:
//! ```text
//! asked: the largest answer each │ came: its bytes, until the height after its last │ room      FETCHED_ANSWERS_MAX of the largest
//! ```
//! The height that is decided next waits for none: without it no height would end, and no room come back. So one answer may lie above.
//! Not here: how many heights are asked for (the engine), and what a peer answers (`limits`).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use malachitebft_app_channel::app::types::sync::Response;
use tokio::sync::Notify;

use crate::context::ChainContext;
use crate::limits::FETCHED_ANSWERS_MAX;

/// Of one node.
pub(super) struct FetchRoom {
    answer_bytes_max: usize,
    held: Mutex<Held>,
    /// Told when room is given back, and when the height changes.
    changed: Notify,
}

#[derive(Default)]
struct Held {
    /// To be decided next; 0 before the engine has begun.
    height: u64,
    /// Fetches under way.
    asked: usize,
    /// Bytes of answers, by their last height.
    came: BTreeMap<u64, usize>,
}

/// Room for an answer on its way; given back when dropped.
pub(super) struct Asked<'a>(&'a FetchRoom);

impl FetchRoom {
    pub(super) fn new(answer_bytes_max: usize) -> Self {
        Self { answer_bytes_max, held: Mutex::default(), changed: Notify::new() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes_of(&self, held: &Held) -> usize {
        held.came
            .values()
            .fold(held.asked.saturating_mul(self.answer_bytes_max), |sum, bytes| sum.saturating_add(*bytes))
    }

    /// Bytes that are held, or may come.
    pub(super) fn bytes(&self) -> usize {
        self.bytes_of(&self.held())
    }

    fn try_ask(&self, first: u64) -> Option<Asked<'_>> {
        let mut held = self.held();
        let after = self.bytes_of(&held).saturating_add(self.answer_bytes_max);
        if first > held.height && after > self.answer_bytes_max.saturating_mul(FETCHED_ANSWERS_MAX) {
            return None;
        }
        held.asked += 1;
        Some(Asked(self))
    }

    /// Waits until an answer from this height on has room.
    pub(super) async fn ask(&self, first: u64) -> Asked<'_> {
        loop {
            // Listen before looking, so that no change is missed.
            let changed = self.changed.notified();
            if let Some(asked) = self.try_ask(first) {
                return asked;
            }
            changed.await;
        }
    }

    /// The height to be decided next.
    pub(super) fn at_height(&self, height: u64) {
        let mut held = self.held();
        held.height = height;
        held.came = held.came.split_off(&height);
        drop(held);
        self.changed.notify_waiters();
    }

    /// The engine has ended, and with it what it kept.
    pub(super) fn clear(&self) {
        self.held().came.clear();
        self.changed.notify_waiters();
    }
}

impl Asked<'_> {
    /// An answer of so many bytes has come for these heights. One that the engine does not take holds nothing.
    pub(super) fn came(self, asked: &RangeInclusive<u64>, answer: &Response<ChainContext>, bytes: usize) {
        let Response::ValueResponse(answer) = answer;
        let Some(more) = u64::try_from(answer.values.len()).ok().and_then(|count| count.checked_sub(1)) else { return };
        let last = asked.start().saturating_add(more);
        if answer.start_height.0 == *asked.start() && last <= *asked.end() {
            let mut held = self.0.held();
            // If its heights are over by now, the engine has thrown it away.
            if last >= held.height {
                held.came.insert(last, bytes);
            }
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut held = self.0.held();
        held.asked = held.asked.saturating_sub(1);
        drop(held);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use malachitebft_sync::ValueResponse;

    use super::*;
    use crate::certificate::{Certificate, DecidedValue};
    use crate::codec::response;
    use crate::context::ChainHeight;
    use crate::types::{BlockId, MemberId};

    const ANSWER: usize = 1000;

    fn room() -> FetchRoom {
        let room = FetchRoom::new(ANSWER);
        room.at_height(10);
        room
    }

    /// Blocks of so many heights.
    fn answer(first: u64, count: u64) -> Response<ChainContext> {
        let block = |height| DecidedValue {
            bytes: vec![7].into(),
            certificate: Certificate {
                height,
                round: 0,
                block_id: BlockId([1; 32]),
                signatures: vec![(MemberId::new(1), [1; 64])],
            },
        };
        response(first, (first..first + count).map(block).collect())
    }

    #[test]
    fn fetches_ahead_have_room_for_some_answers_and_the_height_that_is_due_always() {
        let room = room();
        let asked: Vec<_> = (11..=20).filter_map(|first| room.try_ask(first)).collect();
        assert_eq!(asked.len(), FETCHED_ANSWERS_MAX);
        let due = room.try_ask(10).unwrap();
        assert_eq!(room.bytes(), (FETCHED_ANSWERS_MAX + 1) * ANSWER);
        assert!(room.try_ask(11).is_none());
        drop((asked, due));
        assert_eq!(room.bytes(), 0, "what brought nothing holds nothing");
    }

    #[test]
    fn what_came_holds_its_bytes_until_its_last_height_is_over() {
        let room = room();
        room.try_ask(10).unwrap().came(&(10..=17), &answer(10, 3), 300);
        room.try_ask(13).unwrap().came(&(13..=20), &answer(13, 8), 900);
        assert_eq!(room.bytes(), 1200);
        for (height, held) in [(11, 1200), (12, 1200), (13, 900), (20, 900), (21, 0)] {
            room.at_height(height);
            assert_eq!(room.bytes(), held, "{height}");
        }
        room.try_ask(21).unwrap().came(&(21..=28), &answer(21, 8), 900);
        room.clear();
        assert_eq!(room.bytes(), 0);
        let late = room.try_ask(21).unwrap();
        room.at_height(30);
        late.came(&(21..=28), &answer(21, 8), 900);
        assert_eq!(room.bytes(), 0, "its heights are over");
    }

    /// Else a peer could say of any heights that they came, and the room would never come back.
    #[test]
    fn an_answer_to_another_question_holds_nothing() {
        let room = room();
        let nothing = Response::ValueResponse(ValueResponse::new(ChainHeight(10), Vec::new()));
        for (answered, what) in [(answer(11, 1), "first"), (answer(10, 9), "count"), (nothing, "none")] {
            room.try_ask(10).unwrap().came(&(10..=17), &answered, ANSWER);
            assert_eq!(room.bytes(), 0, "{what}");
        }
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_room_comes_back_or_its_height_is_due() {
        let room = room();
        let mut asked: Vec<_> = (11..=20).filter_map(|first| room.try_ask(first)).collect();
        for way in ["room", "due"] {
            let mut waiting = Box::pin(room.ask(18));
            let is_pending = std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending()));
            assert!(is_pending.await, "{way}");
            if way == "room" {
                drop(asked.pop())
            } else {
                room.at_height(18)
            }
            asked.push(waiting.await);
        }
    }
}
