//! The commands: files and network in, library calls, text or JSON and an exit code out.

mod audit;
mod compare;
mod serve;
mod trust;
mod verify;

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use receipt_core::genesis::Genesis;
use receipt_core::trust::TrustFile;
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_service::report::Stamped;
use tallystick_verifier::node::{NodeAddress, NodeTls};
use tallystick_verifier::source::Source;

use crate::cli::{Arguments, Command, SourceArguments, TlsArguments};

/// Format of the JSON reports: `docs/spec/schemas`.
const REPORT_FORMAT_VERSION: u32 = 1;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// All is well.
    Good,
    /// Valid, but not in force; incomplete; unproven.
    Reserved,
    /// Invalid, refuted, forked.
    Bad,
    /// Bad arguments.
    Usage,
    /// Unreadable input, or output that cannot be written.
    NoInput,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Bad => 1,
            Exit::Reserved => 2,
            Exit::Usage => 64,
            Exit::NoInput => 66,
        })
    }
}

/// An error with its exit code.
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

/// Gives an error its exit code.
pub(crate) trait OrExit<T> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit, error: error.into() })
    }
}

/// Runs what was asked for.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Trust(command) => trust::run(&command),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display())).or_exit(Exit::NoInput)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let text = String::from_utf8(read_file(path)?);
    text.with_context(|| format!("reading {}", path.display())).or_exit(Exit::Usage)
}

fn read_trust(path: &Path) -> Result<TrustFile, Failure> {
    let trust = TrustFile::parse(&read_text(path)?);
    trust.with_context(|| format!("reading {}", path.display())).or_exit(Exit::Usage)
}

fn read_genesis(path: &Path) -> Result<Genesis, Failure> {
    let genesis = Genesis::decode(&read_file(path)?);
    genesis.with_context(|| format!("reading {}", path.display())).or_exit(Exit::Usage)
}

fn node_address(url: &str, tls: &TlsArguments, chain_name: &str) -> Result<NodeAddress, Failure> {
    let tls = match (&tls.tls_cert, &tls.tls_key, &tls.tls_ca) {
        (Some(certificate), Some(key), Some(authorities)) => {
            Some(NodeTls::new(certificate.clone(), key.clone(), authorities.clone(), chain_name))
        }
        _ => None,
    };
    NodeAddress::parse(url, tls).or_exit(Exit::Usage)
}

fn source_of(arguments: &SourceArguments, tls: &TlsArguments, chain_name: &str) -> Result<Source, Failure> {
    match (&arguments.node, &arguments.export) {
        (Some(url), _) => Ok(Source::Node(node_address(url, tls, chain_name)?)),
        (None, Some(path)) => Ok(Source::Export(path.clone())),
        (None, None) => Err(anyhow::anyhow!("either --node or --export is needed")).or_exit(Exit::Usage),
    }
}

/// One JSON document on standard output, with its head. Its schemas: `docs/spec/schemas`.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let program = ("tallystick-verifier", env!("CARGO_PKG_VERSION"));
    let stamped = Stamped::new(program, Some(REPORT_FORMAT_VERSION), SystemClock.now(), value);
    let text = serde_json::to_string(&stamped).context("writing the report").or_exit(Exit::NoInput)?;
    print_text(&format!("{text}\n"))
}

/// Text on standard output. A reader that has seen enough (`| head`) is no failure: the exit code still tells the verdict.
fn print_text(text: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("writing the output"),
        _ => Ok(()),
    }
    .or_exit(Exit::NoInput)
}
