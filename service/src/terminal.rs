//! The one place that writes to standard output and standard error. Foreign text never acts on a terminal: not a remark with ESC,
//! not a file name with a newline.
//!
//! ```text
//! outln!("…")   errln!("…")     one line; a newline inside of it is written out as \n
//! outpage!("…") out_page(text)  several lines that were put together with care: foreign parts went through `line`
//! json_line(value)              one JSON document
//! out_file(text)                a text file: as it is into a file or pipe, as a page on a terminal
//! complain(program, error)      an error with its causes, each said once
//! ```
//! Log lines go through `LogWriter`. Not here: what characters are escaped (`receipt_core::shown`).

use std::error::Error;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::path::Path;

use receipt_core::shown::{self, line, page};
use serde::Serialize;

/// One line on standard output, as `println!`. A reader that has gone (`| head`) is no failure.
#[macro_export]
macro_rules! outln {
    ($($argument:tt)*) => { $crate::terminal::out_line(&::std::format!($($argument)*)) };
}

/// One line on standard error, as `eprintln!`.
#[macro_export]
macro_rules! errln {
    ($($argument:tt)*) => { $crate::terminal::err_line(&::std::format!($($argument)*)) };
}

/// Several lines on standard output, put together here: foreign parts went through `line`.
#[macro_export]
macro_rules! outpage {
    ($($argument:tt)*) => {{
        // If this cannot be written, what the command did is not changed by that.
        let _ = $crate::terminal::out_page(&::std::format!($($argument)*));
    }};
}

/// What [`outln!`](crate::outln) writes. That it cannot be written changes nothing about what was done.
pub fn out_line(text: &str) {
    let _ = out_bytes(format!("{}\n", line(text)).as_bytes());
}

/// What [`errln!`](crate::errln) writes.
pub fn err_line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", line(text));
}

/// Text without a line end on standard error, and out at once: a question.
pub fn ask(text: &str) {
    let mut errors = io::stderr().lock();
    let _ = write!(errors, "{}", page(text)).and_then(|()| errors.flush());
}

/// Several lines on standard output.
pub fn out_page(text: &str) -> io::Result<()> {
    out_bytes(page(text).as_bytes())
}

/// A text file on standard output: as it is, if a file or program takes it, and as a page on a terminal.
pub fn out_file(text: &str) -> io::Result<()> {
    if io::stdout().is_terminal() { out_page(text) } else { out_bytes(text.as_bytes()) }
}

/// One JSON document and a line end on standard output.
pub fn json_line(value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    out_bytes(format!("{}\n", shown::json(&text)).as_bytes())
}

/// JSON text that somebody else wrote, and a line end, on standard output.
pub fn json_text(text: &str) -> io::Result<()> {
    out_bytes(format!("{}\n", shown::json(text.trim_end())).as_bytes())
}

fn out_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// A path in a message.
pub fn path(path: &Path) -> String {
    line(&path.display().to_string()).into_owned()
}

/// An error and its causes in one text, each said once: a cause that the words before it end with is left out.
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

/// Says on standard error why a program ends. What follows on further lines is indented, so that it cannot pass for another line.
pub fn complain(program: &str, error: &(dyn Error + 'static)) {
    let text = page(&describe(error)).trim_end().replace('\n', "\n    ");
    let _ = writeln!(io::stderr().lock(), "{program}: {text}");
}

/// Writes whole log events: one line each, whatever is in them.
#[derive(Debug)]
pub(crate) struct LogWriter<W> {
    to: W,
    is_json: bool,
}

impl<W: Write> LogWriter<W> {
    pub(crate) fn new(to: W, is_json: bool) -> Self {
        Self { to, is_json }
    }
}

impl<W: Write> Write for LogWriter<W> {
    /// Takes one event, as `tracing_subscriber` hands them over: all of it with its line end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let safe = if self.is_json { shown::json(text) } else { line(text) };
        self.to.write_all(format!("{safe}\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("open x: {source}")]
    struct Outer {
        source: io::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("reading the trust file")]
    struct Outermost(#[source] Outer);

    #[test]
    fn every_cause_is_said_once() {
        let error = Outermost(Outer { source: io::Error::other("no such file") });
        assert_eq!(describe(&error), "reading the trust file: open x: no such file");
    }

    #[test]
    fn a_log_event_is_one_line() {
        let written = |event: &str, is_json| {
            let mut bytes = Vec::new();
            LogWriter::new(&mut bytes, is_json).write_all(event.as_bytes()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            written("a\u{1b}[2J\n2026 ERROR forged\u{202e}\n", false),
            "a\\u{1b}[2J\\n2026 ERROR forged\\u{202e}\n"
        );
        assert_eq!(written("{\"a\":\"x\u{9b}2J\"}\n", true), "{\"a\":\"x\\u009b2J\"}\n");
    }
}
