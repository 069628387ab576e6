//! Shows how far long work has come: a bar on a terminal, a plain line now and then otherwise, on standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tallystick_service::errln;

const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Is told how far a long piece of work has come.
pub trait Progress {
    /// How much there is in all, if it is known.
    fn expect(&mut self, total: u64);
    /// How much is done, and a few words about it.
    fn reach(&mut self, done: u64, words: &str);
    /// The work is over.
    fn finish(&mut self);
}

/// Shows nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn expect(&mut self, _: u64) {}
    fn reach(&mut self, _: u64, _: &str) {}
    fn finish(&mut self) {}
}

/// A bar that redraws itself.
struct Bar(ProgressBar);

impl Progress for Bar {
    fn expect(&mut self, total: u64) {
        self.0.set_length(total);
        let style = ProgressStyle::with_template("{spinner} height {pos}/{len} {wide_bar} {msg}");
        self.0.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    }

    fn reach(&mut self, done: u64, words: &str) {
        self.0.set_position(done);
        self.0.set_message(words.to_owned());
    }

    fn finish(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A line every five seconds.
struct Lines {
    total: Option<u64>,
    last: Instant,
}

impl Progress for Lines {
    fn expect(&mut self, total: u64) {
        self.total = Some(total);
    }

    fn reach(&mut self, done: u64, words: &str) {
        if self.last.elapsed() >= LINE_INTERVAL {
            self.last = Instant::now();
            let of = self.total.map(|total| format!("/{total}")).unwrap_or_default();
            errln!("height {done}{of}  {words}");
        }
    }

    fn finish(&mut self) {}
}

/// What fits the process's standard error.
pub fn for_stderr() -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{spinner} height {pos} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Box::new(Bar(bar))
    } else {
        Box::new(Lines { total: None, last: Instant::now() })
    }
}
