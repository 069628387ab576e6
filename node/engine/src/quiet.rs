//! What the engine's library says that is not so in this process, and that a node's log therefore leaves out.
//!
//! At a failure of its log the library says that it hangs, and that its node remains alive: here the process ends. And it complains of
//! answers that nobody waits for any more, because the engine ends. What failed stands in other lines, and why the engine ends says
//! [`crate::EngineHandle::join`].

use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Writes, beside the line that misleads, lines that say what happened: of it one text is left out.
const SUPERVISOR: &str = "arc_malachitebft_engine::node";
/// How that text begins: it goes on that the node remains alive.
const LAST_WORD: &str = "Entering safety-hang state";
/// These write errors about answers alone.
const OF_NO_USE: [&str; 2] = ["arc_malachitebft_engine::util::failure", "arc_malachitebft_app_channel::connector"];

/// Whether an event of the engine's library would mislead.
pub fn misleads(event: &Event<'_>) -> bool {
    let writer = event.metadata().target();
    let is_last_word = || writer == SUPERVISOR && text_of(event).starts_with(LAST_WORD);
    *event.metadata().level() == Level::ERROR && (OF_NO_USE.contains(&writer) || is_last_word())
}

fn text_of(event: &Event<'_>) -> String {
    struct Text(String);

    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            if field.name() == "message" {
                self.0 = format!("{value:?}");
            }
        }
    }

    let mut text = Text(String::new());
    event.record(&mut text);
    text.0
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Metadata, Subscriber, error, subscriber, warn};

    use super::*;

    /// What is left out, and what is said.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<(bool, String)>>>);

    impl Subscriber for Heard {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            self.0.lock().unwrap().push((misleads(event), text_of(event)));
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    /// The lines of version 0.8.2, and one that a later version may have: an ERROR of the supervisor without a field was left out, whatever
    /// it said.
    #[test]
    fn of_the_supervisor_one_line_is_left_out() {
        let heard = Heard::default();
        subscriber::with_default(heard.clone(), || {
            let (reason, actor) = ("the log", 1);
            error!(target: "arc_malachitebft_engine::node", %reason, "Safety-critical failure detected");
            error!(
                target: "arc_malachitebft_engine::node",
                "Entering safety-hang state: stopping all children, Node remains alive"
            );
            warn!(target: "arc_malachitebft_engine::node", %actor, %reason, "Actor terminated");
            error!(target: "arc_malachitebft_engine::node", "Something else is wrong");
            error!(target: "arc_malachitebft_engine::util::failure", %reason, "Safety-critical failure; hanging");
            error!(target: "arc_malachitebft_engine::consensus", "Entering safety-hang state");
        });
        let left_out: Vec<bool> = heard.0.lock().unwrap().iter().map(|(left_out, _)| *left_out).collect();
        assert_eq!(left_out, [false, true, false, false, true, false], "{:?}", heard.0.lock().unwrap());
    }
}
