//! The commands: files and network in, library calls, text or JSON and an exit code out.

mod audit;
mod compare;
mod left_out;
mod scan;
mod serve;
mod share;
mod trust;
mod verify;

use std::io::Read as _;
use std::path::Path;

use anyhow::Context;
use receipt_core::answer::Answer;
use receipt_core::directory::{TrustedDirectory, open_directory_file};
use receipt_core::genesis::Genesis;
use receipt_core::ids::UnixMillis;
use receipt_core::limits::{ANSWER_BYTES_MAX, CODE_BYTES_MAX, DIRECTORY_BYTES_MAX, NOTE_BYTES_MAX, TRUST_BYTES_MAX};
use receipt_core::shown::Damage;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{TimeSource, Verdict};
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_service::exit::Exit;
use tallystick_service::report::Stamped;
use tallystick_service::terminal::{self, path as shown};
use tallystick_service::{durable, input};
use tallystick_verifier::node::{NodeAddress, NodeTls};
use tallystick_verifier::source::Source;
use tallystick_verifier::when::{span_of, time_of};

use crate::cli::{Arguments, Command, SourceArguments, TermsArguments, TlsArguments};

/// Format of the JSON reports of `audit` and `compare`: `docs/spec/schemas`.
const REPORT_FORMAT_VERSION: u32 = 1;

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
        Command::Scan(arguments) => scan::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Share(arguments) => share::run(&arguments),
        Command::ReportLeftOut(arguments) => left_out::run(&arguments),
        Command::Trust(command) => trust::run(&command),
    }
}

/// An export's or a chain's genesis: the registry of a province fits.
const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Two notes and a few words.
const EVIDENCE_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX + 1024;

/// By what is judged: trust file, time, and the greatest age of what a verdict rests on.
struct Terms {
    trust: TrustFile,
    at: UnixMillis,
    time_source: TimeSource,
    age_seconds_max: Option<u64>,
}

impl Terms {
    /// As given; without a time, this machine's.
    fn read(arguments: &TermsArguments) -> Result<Self, Failure> {
        let trust = read_trust(&arguments.trust)?;
        let (at, time_source) = match &arguments.at {
            Some(text) => (time_of(text, trust.utc_offset_minutes()).or_exit(Exit::Usage)?, TimeSource::Given),
            None => (SystemClock.now(), TimeSource::Clock),
        };
        let age = arguments.max_age.as_deref().map(span_of).transpose().or_exit(Exit::Usage)?;
        Ok(Self { trust, at, time_source, age_seconds_max: age.map(|age| age.as_secs()) })
    }

    /// A verdict of this time and by this trust file, as it is told at these terms.
    fn meant(&self, verdict: Verdict) -> Verdict {
        let verdict = verdict.timed_by(self.time_source);
        match self.age_seconds_max {
            Some(age) => verdict.not_older_than(age),
            None => verdict,
        }
    }
}

/// A whole file of at most so many bytes: unreadable is one thing, too long for what it must be another.
fn read_file(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    input::read(path, bytes_max).map_err(|error| {
        let exit = if error.kind() == std::io::ErrorKind::FileTooLarge { Exit::Usage } else { Exit::NoAccess };
        Failure { exit, error: anyhow::Error::new(error).context(format!("reading {}", shown(path))) }
    })
}

fn read_text(path: &Path, bytes_max: usize) -> Result<String, Failure> {
    let bytes = read_file(path, bytes_max)?;
    if let Some(damage) = Damage::of(&bytes) {
        return Err(anyhow::anyhow!("{}: {}", shown(path), damage.sentence())).or_exit(Exit::Usage);
    }
    let text = String::from_utf8(bytes);
    text.with_context(|| format!("reading {}", shown(path))).or_exit(Exit::Usage)
}

fn read_trust(path: &Path) -> Result<TrustFile, Failure> {
    let trust = TrustFile::parse(&read_text(path, TRUST_BYTES_MAX)?);
    trust.with_context(|| format!("reading {}", shown(path))).or_exit(Exit::Usage)
}

/// A directory of units that may be judged by.
fn read_directory(path: &Path, trust: &TrustFile) -> Result<TrustedDirectory, Failure> {
    let directory = open_directory_file(&read_file(path, DIRECTORY_BYTES_MAX)?, trust);
    directory.with_context(|| format!("reading {}", shown(path))).or_exit(Exit::Usage)
}

fn read_answer(path: &Path) -> Result<Answer, Failure> {
    let answer = Answer::decode(&read_file(path, ANSWER_BYTES_MAX)?);
    answer.with_context(|| format!("reading {}", shown(path))).or_exit(Exit::Usage)
}

/// The text of a code: as given, or what a scanner that types has typed. Bytes that are no text are no code.
fn read_code(given: &str) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut bytes = Vec::new();
    // A code, a line end of two characters, and one byte more to see that it is longer.
    let bytes_max = CODE_BYTES_MAX as u64 + 3;
    let read = std::io::stdin().lock().take(bytes_max).read_to_end(&mut bytes);
    read.context("reading standard input").or_exit(Exit::NoAccess)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line)).to_owned())
}

fn read_genesis(path: &Path) -> Result<Genesis, Failure> {
    let genesis = Genesis::decode(&read_file(path, GENESIS_BYTES_MAX)?);
    genesis.with_context(|| format!("reading {}", shown(path))).or_exit(Exit::Usage)
}

/// Writes a file that may be read by all.
fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    durable::write(path, text.as_bytes(), durable::FileMode::Shared).or_exit(Exit::NoAccess)
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
    print_json_of(REPORT_FORMAT_VERSION, value)
}

/// The same, of another format version.
fn print_json_of(format_version: u32, value: &impl serde::Serialize) -> Result<(), Failure> {
    let program = ("tallystick-verifier", env!("CARGO_PKG_VERSION"));
    let stamped = Stamped::new(program, Some(format_version), SystemClock.now(), value);
    terminal::json_line(&stamped).context("writing the output").or_exit(Exit::NoAccess)
}

/// Text on standard output. A reader that has seen enough (`| head`) is no failure: the exit code still tells the verdict.
fn print_text(text: &str) -> Result<(), Failure> {
    terminal::out_page(text).context("writing the output").or_exit(Exit::NoAccess)
}

/// A text file on standard output, as it is.
fn print_file(text: &str) -> Result<(), Failure> {
    terminal::out_file(text).context("writing the output").or_exit(Exit::NoAccess)
}
