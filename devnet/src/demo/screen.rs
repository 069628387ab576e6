//! What the demo shows: a progress bar per step on a terminal, one line per step otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tallystick_service::{outln, outpage};
use tokio::task::JoinHandle;

const REFRESH: Duration = Duration::from_millis(100);

/// Where steps and results are printed.
pub(crate) struct Screen {
    terminal: bool,
    started: Instant,
}

/// A step that is under way.
pub(crate) struct Step {
    title: String,
    started: Instant,
    progress: Arc<AtomicU64>,
    bar: Option<(ProgressBar, JoinHandle<()>)>,
}

impl Screen {
    /// A screen; with progress bars if `terminal`.
    pub(crate) fn new(terminal: bool) -> Self {
        Self { terminal, started: Instant::now() }
    }

    /// Since the screen was made.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Begins a step; `total` is what its progress counts to.
    pub(crate) fn step(&self, title: &str, total: Option<usize>) -> Step {
        let progress = Arc::new(AtomicU64::new(0));
        let bar = self.terminal.then(|| bar(title, total, Arc::clone(&progress)));
        if bar.is_none() {
            outln!("   {title} …");
        }
        Step { title: title.to_owned(), started: Instant::now(), progress, bar }
    }

    /// Prints text between steps.
    pub(crate) fn print(&self, text: &str) {
        outpage!("{}\n", text.trim_end_matches('\n'));
    }
}

impl Step {
    /// The counter behind the bar.
    pub(crate) fn progress(&self) -> &Arc<AtomicU64> {
        &self.progress
    }

    /// Ends the step well.
    pub(crate) fn done(mut self, result: &str) {
        self.clear();
        outln!(" ✓ {}: {result} ({:.1} s)", self.title, self.started.elapsed().as_secs_f32());
    }

    fn clear(&mut self) {
        if let Some((bar, refresh)) = self.bar.take() {
            refresh.abort();
            bar.finish_and_clear();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bar(title: &str, total: Option<usize>, progress: Arc<AtomicU64>) -> (ProgressBar, JoinHandle<()>) {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total as u64), " {spinner} {msg} {bar:30} {pos}/{len}"),
        None => (ProgressBar::new_spinner(), " {spinner} {msg} ({elapsed})"),
    };
    // A template that does not parse costs the looks only.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(title.to_owned());
    let refreshed = bar.clone();
    let refresh = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(REFRESH);
        loop {
            ticks.tick().await;
            refreshed.set_position(progress.load(Ordering::Relaxed));
            refreshed.tick();
        }
    });
    (bar, refresh)
}

/// The text with every line moved in.
pub(crate) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("     {line}\n")).collect()
}
