//! The list of erased bodies: a file beside the journal and outside of its backups, by which no older copy of the journal brings a
//! body back.
//!
//! ```text
//! tallystick-erased/2 ␠ chain ␠ issuer ␠ milliseconds \n         made by `init`; the time tells this file from one made anew
//! code-number ␠ milliseconds \n                                   one receipt, by its name
//! expired ␠ milliseconds ␠ rule \n                                all that was due (see `rule`), in one line
//! ```
//! Only appended to, fsynced before the journal erases anything. The journal notes up to where it has done what the list says, so that a
//! start reads on from there. Behind that stands at most one append, of which a power cut leaves any pages: nothing was done by it, so
//! it is cut from its first bad line on. What cannot be such a torn append refuses the start. No personal data.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use receipt_core::ids::{ReceiptCode, ReceiptKey, ReceiptNumber, UnixMillis};
use tallystick_service::durable::{self, FileMode};

use super::rule::Rule;
use super::{EraseError, RECEIPTS_MAX};
use crate::journal::{JournalIdentity, ListPosition};

const MAGIC: &str = "tallystick-erased/2";
const EXPIRED: &str = "expired";
/// No line is longer: a rule of all hundred categories is some 1,300.
const LINE_BYTES_MAX: u64 = 4096;
/// No line of a receipt is longer.
const NAMED_BYTES_MAX: usize = 64;
/// No append is longer.
const APPEND_BYTES_MAX: u64 = (RECEIPTS_MAX * NAMED_BYTES_MAX) as u64;

/// What an operator does about lines that cannot be read.
const WAY_OF_BAD_LINES: &str = "put back a whole copy of it; if there is none, take out what cannot be read, and erase again what it may have said \
                                (docs/ops/erasing.md, \"The list is damaged\")";

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A receipt that was named.
    Named {
        /// The receipt whose body was erased.
        key: ReceiptKey,
        /// When it was erased.
        at: UnixMillis,
    },
    /// All bodies that were due by a rule.
    Expired {
        /// The rule.
        rule: Rule,
        /// When the run began.
        at: UnixMillis,
    },
}

impl Line {
    fn write(&self) -> String {
        match self {
            Self::Named { key, at } => format!("{key} {at}\n"),
            Self::Expired { rule, at } => format!("{EXPIRED} {at} {rule}\n"),
        }
    }

    fn at(&self) -> UnixMillis {
        match self {
            Self::Named { at, .. } | Self::Expired { at, .. } => *at,
        }
    }

    fn read(line: &str) -> Option<Self> {
        let at = |text: &str| text.parse().ok().map(UnixMillis::new);
        let mut words = line.split(' ');
        let read = match (words.next()?, words.next()?, words.next()) {
            (EXPIRED, time, Some(rule)) => Self::Expired { rule: rule.parse().ok()?, at: at(time)? },
            (key, time, None) => Self::Named { key: parse_key(key)?, at: at(time)? },
            _ => return None,
        };
        (words.next().is_none()).then_some(read)
    }
}

/// Reads `code-number`.
pub fn parse_key(text: &str) -> Option<ReceiptKey> {
    let (code, number) = text.split_once('-')?;
    Some(ReceiptKey { code: ReceiptCode::parse(code).ok()?, number: ReceiptNumber::parse(number).ok()? })
}

/// The list of one journal. One writer at a time.
#[derive(Debug, Clone)]
pub struct ErasedList {
    path: PathBuf,
    identity: JournalIdentity,
}

impl ErasedList {
    /// The list at this path, of the journal with this identity.
    pub fn new(path: &Path, identity: JournalIdentity) -> Self {
        Self { path: path.to_owned(), identity }
    }

    /// Path of the list.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Makes an empty list where there is none; one that is there must be this journal's, and stays.
    pub fn create(&self, now: UnixMillis) -> Result<(), EraseError> {
        if self.exists() {
            return self.position().map(|_| ());
        }
        Ok(durable::create(&self.path, self.header(now).as_bytes(), FileMode::Private)?)
    }

    /// Makes the list anew, with these lines. Where it ends then.
    pub fn replace(&self, lines: &[Line], now: UnixMillis) -> Result<ListPosition, EraseError> {
        let text: String = std::iter::once(self.header(now)).chain(lines.iter().map(Line::write)).collect();
        durable::write(&self.path, text.as_bytes(), FileMode::Private)?;
        self.position()
    }

    /// Which file it is, and where its last whole line ends.
    pub fn position(&self) -> Result<ListPosition, EraseError> {
        let file = self.open(OpenOptions::new().read(true))?;
        self.position_of(&file)
    }

    /// Appends lines, durably. Where the list ends then.
    pub fn append(&self, lines: &[Line]) -> Result<ListPosition, EraseError> {
        let file = self.open(OpenOptions::new().read(true).write(true))?;
        let ListPosition { made_at, bytes } = self.position_of(&file)?;
        // What stands behind the last whole line is the torn end of an append that was never acted upon.
        file.set_len(bytes).map_err(self.failed("cut the torn end of"))?;
        let text: String = lines.iter().map(Line::write).collect();
        if let Err(source) = file.write_all_at(text.as_bytes(), bytes).and_then(|()| file.sync_all()) {
            // Nothing is erased by it. If this fails too, the next erasure, or start, cuts it.
            let _ = file.set_len(bytes).and_then(|()| file.sync_all());
            return Err(self.failed("write")(source));
        }
        Ok(ListPosition { made_at, bytes: bytes + text.len() as u64 })
    }

    /// Cuts what a power cut left of the last append, from its first bad line on; `known` is up to where the newest journal has done what the
    /// list says. Returns how many bytes were cut. Nothing is cut where there is more than one append could have left: then lines that
    /// were acted upon are bad.
    pub fn cut_torn(&self, known: &ListPosition) -> Result<Option<u64>, EraseError> {
        let file = self.open(OpenOptions::new().read(true))?;
        let length = file.metadata().map_err(self.failed("look at"))?.len();
        let behind = length.saturating_sub(known.bytes);
        if behind == 0 || behind > APPEND_BYTES_MAX || self.made_at(&file)? != known.made_at {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(behind).unwrap_or_default()];
        file.read_exact_at(&mut bytes, known.bytes).map_err(self.failed("read"))?;
        let (mut whole, mut bad, mut times) = (0, false, BTreeSet::new());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").and_then(|line| str::from_utf8(line).ok());
            match text.and_then(Line::read) {
                Some(read) => {
                    times.insert(read.at());
                    whole += if bad { 0 } else { line.len() as u64 };
                }
                None => bad = true,
            }
        }
        // All lines of one append have one time.
        if !bad || times.len() > 1 {
            return Ok(None);
        }
        let file = self.open(OpenOptions::new().write(true))?;
        file.set_len(known.bytes + whole).and_then(|()| file.sync_all()).map_err(self.failed("cut the torn end of"))?;
        Ok(Some(behind - whole))
    }

    /// Its whole lines from an earlier position of the same file on; without one, all.
    pub fn lines_after(&self, bytes: Option<u64>) -> Result<Vec<Line>, EraseError> {
        let mut file = self.open(OpenOptions::new().read(true))?;
        let end = self.position_of(&file)?.bytes;
        let from = match bytes {
            Some(bytes) => bytes,
            None => self.first_line(&file)?.len() as u64,
        };
        file.seek(SeekFrom::Start(from)).map_err(self.failed("read"))?;
        let reader = BufReader::new(file.take(end.saturating_sub(from)));
        let read = |line: io::Result<String>| {
            let line = line.map_err(self.failed("read"))?;
            Line::read(&line)
                .ok_or_else(|| self.problem(&format!("has a line that is no erasure, {line:?}; {WAY_OF_BAD_LINES}")))
        };
        reader.lines().map(read).collect()
    }

    fn header(&self, now: UnixMillis) -> String {
        format!("{} {now}\n", self.header_start())
    }

    fn header_start(&self) -> String {
        format!("{MAGIC} {} {}", self.identity.chain.0, self.identity.issuer)
    }

    fn open(&self, options: &mut OpenOptions) -> Result<File, EraseError> {
        options.open(&self.path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => self.problem(
                "is missing: without it an older copy of the journal would bring erased bodies back. Put its newest copy back; if there is \
                 none, `tallystick-issuer erase-bodies --rewrite-list` makes it anew from what the journal knows",
            ),
            _ => self.failed("open")(source),
        })
    }

    fn first_line(&self, file: &File) -> Result<String, EraseError> {
        let mut bytes = vec![0; LINE_BYTES_MAX as usize];
        let read = file.read_at(&mut bytes, 0).map_err(self.failed("read"))?;
        bytes.truncate(read);
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        bytes.truncate(end);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn made_at(&self, file: &File) -> Result<UnixMillis, EraseError> {
        let header = self.first_line(file)?;
        let made_at = header.strip_suffix('\n').and_then(|header| {
            header.strip_prefix(&self.header_start())?.strip_prefix(' ')?.parse().ok().map(UnixMillis::new)
        });
        made_at.ok_or_else(|| {
            self.problem("is of another chain or issuer, or none; erased_file must be this journal's own")
        })
    }

    fn position_of(&self, file: &File) -> Result<ListPosition, EraseError> {
        let made_at = self.made_at(file)?;
        // Lines are short: the last whole one ends within the last few kilobytes.
        let length = file.metadata().map_err(self.failed("look at"))?.len();
        let from = length.saturating_sub(LINE_BYTES_MAX);
        let mut tail = vec![0; usize::try_from(length - from).unwrap_or_default()];
        file.read_exact_at(&mut tail, from).map_err(self.failed("read"))?;
        let end = tail.iter().rposition(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| self.problem(&format!("ends in no line; {WAY_OF_BAD_LINES}")))?;
        Ok(ListPosition { made_at, bytes: from + end as u64 + 1 })
    }

    fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> EraseError + use<> {
        let path = self.path.clone();
        move |source| EraseError::File { action, path: path.clone(), source }
    }

    pub(super) fn problem(&self, problem: &str) -> EraseError {
        EraseError::List { path: self.path.clone(), problem: problem.to_owned() }
    }
}
