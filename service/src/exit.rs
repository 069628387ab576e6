//! How every program ends: one table of exit codes, shown by each `--help` and in docs/ops/README.md.

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use receipt_core::shown::{line, page};

use crate::config::ConfigError;
use crate::config_key::{KeyError, will_last};
use crate::hardening;

/// The table, for `after_help`. Comparing programs use all of it, servers 0, 1 and 64.
pub const EXIT_CODES: &str = "\
Exit codes:
  0   done; good: in force, clean, consistent, executed
  1   bad: invalid, refused by the ledger, refuted, forked, never to be executed; or the program failed, and trying again may help
  2   good with a reservation: reversed, incomplete, unproven
  3   not yet: governance is still to be executed
  4   cannot be judged here, or signed only: another chain, later validators or authorities, an unknown format or status, a state too old
  5   no receipt: the file or code is something else
  64  wrong arguments or config, or a file they name is not what it must be: trying again changes nothing
  66  a file cannot be read, an address not be bound, or the output not be written";

/// The exit codes of all programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; all is well.
    Good,
    /// Something is bad, or the program failed.
    Bad,
    /// Good, with a reservation.
    Reserved,
    /// Not yet.
    NotYet,
    /// It may be good: this program or this trust file does not know enough.
    Unjudged,
    /// Something else than a receipt.
    NoReceipt,
    /// Wrong arguments, config, or a file that they name.
    Usage,
    /// A file that cannot be read, an address that cannot be bound, or output that cannot be written.
    NoAccess,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Bad => 1,
            Self::Reserved => 2,
            Self::NotYet => 3,
            Self::Unjudged => 4,
            Self::NoReceipt => 5,
            Self::Usage => 64,
            Self::NoAccess => 66,
        }
    }

    /// Which of several outcomes a program ends with: the one that a caller must not miss. A file that could not be read comes after one
    /// that is bad, because that one is known.
    pub const fn severity(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Reserved => 1,
            Self::NotYet => 2,
            Self::Unjudged => 3,
            Self::NoReceipt => 4,
            Self::NoAccess => 5,
            Self::Bad => 6,
            Self::Usage => 7,
        }
    }

    /// How a program ends that fails with this error: a config error, wherever it stands among the causes, is [`Self::Usage`].
    pub fn of_error(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(next) = cause {
            let is_config = next.is::<ConfigError>() || next.downcast_ref().is_some_and(KeyError::is_config);
            if is_config {
                return Self::Usage;
            }
            cause = next.source();
        }
        Self::Bad
    }

    /// The same for a command that a person runs: there a file that is missing, in the way, or of the wrong mode was named by them.
    pub fn of_command_error(error: &(dyn Error + 'static)) -> Self {
        if will_last(error) { Self::Usage } else { Self::of_error(error) }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Reads the command line. Help and version end with 0, anything wrong with 64 and a sentence on standard error, in which no
/// argument acts on the terminal. The first thing that every program does; so it closes the process to others, too
/// ([`hardening`]): any of its commands may read a secret.
pub fn parse<A: Parser>() -> Result<A, ExitCode> {
    if let Err(error) = hardening::close_to_others() {
        crate::terminal::ask(&format!("error: this process cannot be closed to other users: {error}\n"));
        return Err(Exit::Bad.into());
    }
    let given: Vec<OsString> = std::env::args_os().collect();
    A::try_parse_from(&given).map_err(|error| {
        if !error.use_stderr() {
            // If the help text cannot be printed, an error about that cannot be printed either.
            let _ = error.print();
            return Exit::Good.into();
        }
        // The parser's message quotes arguments as they are. If one has characters that act on a terminal, show only that argument, escaped.
        let acting =
            given.iter().map(|argument| argument.to_string_lossy()).find(|argument| line(argument) != *argument);
        let text = match acting {
            Some(argument) => format!(
                "error: wrong arguments; see --help. One has characters that are not shown as they are: {}\n",
                line(&argument)
            ),
            None => page(&error.render().to_string()).into_owned(),
        };
        crate::terminal::ask(&text);
        Exit::Usage.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_code_once() {
        let all = [
            Exit::Good,
            Exit::Bad,
            Exit::Reserved,
            Exit::NotYet,
            Exit::Unjudged,
            Exit::NoReceipt,
            Exit::Usage,
            Exit::NoAccess,
        ];
        let codes: Vec<String> = all.iter().map(|exit| exit.code().to_string()).collect();
        let told: Vec<&str> = EXIT_CODES.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(told, codes);
        let mut severities = all.map(Exit::severity);
        severities.sort_unstable();
        assert!(severities.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn the_operators_page_has_the_table() {
        let page = include_str!("../../docs/ops/README.md");
        for row in EXIT_CODES.lines().skip(1) {
            let (code, meaning) = row.trim().split_once(' ').unwrap();
            let row = format!("| {code} | {} |", meaning.trim());
            assert!(page.contains(&row), "docs/ops/README.md lacks: {row}");
        }
    }
}
