//! Erasing bodies: what a receipt says of a person goes for good; its record, its number and its fate stay.
//!
//! ```text
//! judge all ─▶ list (append, fsync) ─▶ journal: key → time of erasure, body and content hash gone (one synced write) ─▶ scrub
//! list file:  tallystick-erased/1 ␠ chain ␠ issuer \n ( code-number ␠ milliseconds \n )…         no personal data
//! ```
//! The list is kept beside the journal and outside of its backups: at each start, and by `restore`, what it names is erased again,
//! so that a backup brings no body back. Repeating an erasure changes nothing. Not here: who may ask for it (whoever may open
//! the operator's socket), and copies elsewhere: bundles that were handed out, exports, backups.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use receipt_core::ids::{ReceiptCode, ReceiptKey, ReceiptNumber, UnitId, UnixMillis};
use receipt_core::record::SignedRecord;

use crate::fate::{Fate, fate};
use crate::journal::{
    BIZ, BODY_KEYS, BizRow, Durability, Journal, JournalError, JournalIdentity, JournalWrite, ReceiptReads as _,
    ReceiptWrites as _, biz_key, receipt_key_bytes,
};

#[cfg(test)]
mod tests;

/// Receipts of one request.
pub const RECEIPTS_MAX: usize = 200;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const MAGIC: &str = "tallystick-erased/1";
/// Erasures of one write when the list is applied anew.
const CHUNK: usize = 1_000;

/// Why nothing was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The journal failed: fatal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The list failed.
    #[error("{action} the list of erased bodies {path}: {source}", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The list is not this journal's, or a line of it is no line.
    #[error("the list of erased bodies {path} {problem}", path = path.display())]
    List {
        /// Its path.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// This issuer has no such receipt.
    #[error("{0}: this issuer has no such receipt; nothing was erased")]
    Unknown(ReceiptKey),
    /// The ledger has not decided yet.
    #[error(
        "{0} is not decided on the ledger yet, and its bundle was never made; try again when it is. Nothing was erased"
    )]
    Undecided(ReceiptKey),
    /// Within the time for which it must be kept.
    #[error(
        "{key} is younger than bodies.retention_days ({days}); if the law asks for it all the same, say `--despite-retention`. \
         Nothing was erased"
    )]
    Retained {
        /// The receipt.
        key: ReceiptKey,
        /// The days.
        days: u64,
    },
}

/// What is to be erased, and when that is.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The receipts.
    pub keys: Vec<ReceiptKey>,
    /// Now.
    pub now: UnixMillis,
    /// Days for which bodies are kept.
    pub retention_days: u64,
    /// Whether to erase younger ones, too.
    pub despite_retention: bool,
}

/// An erased body, as far as its traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The receipt.
    pub key: ReceiptKey,
    /// Its unit.
    pub unit: UnitId,
    /// Its biz code; empty if the issuer does not know it.
    pub biz_code: String,
    /// Whether it had been erased before.
    pub repeated: bool,
}

impl Erasure {
    fn write(&self, write: &mut JournalWrite<'_>, at: UnixMillis) {
        write.erase_body(self.key, at);
        if !self.biz_code.is_empty() {
            write.put_biz(self.unit, &self.biz_code, BizRow::erased(self.key));
        }
    }
}

/// Makes erased bodies unreadable in the journal's files, too.
pub fn scrub(journal: &Journal, erased: &[Erasure]) -> Result<(), JournalError> {
    let keys = erased.iter().map(|erasure| receipt_key_bytes(erasure.key).to_vec()).collect();
    let codes = erased.iter().map(|erasure| biz_key(erasure.unit, &erasure.biz_code)).collect();
    journal.scrub_rows(vec![(BODY_KEYS, keys), (BIZ, codes)])
}

/// The list of erased bodies of one journal.
#[derive(Debug, Clone)]
pub struct ErasedList {
    path: PathBuf,
    identity: JournalIdentity,
}

impl ErasedList {
    /// At this path, of this journal. The file is made with the first erasure.
    pub fn new(path: &Path, identity: JournalIdentity) -> Self {
        Self { path: path.to_owned(), identity }
    }

    /// Erases all of these bodies, or none of them: durable when it returns, and to be scrubbed next. The journal's writer of
    /// bodies must not write meanwhile.
    pub fn erase(&self, journal: &Journal, wish: &Wish) -> Result<Vec<Erasure>, EraseError> {
        let erasures = wish.keys.iter().map(|key| judge(journal, *key, wish)).collect::<Result<Vec<_>, _>>()?;
        let new: Vec<&Erasure> = erasures.iter().filter(|erasure| !erasure.repeated).collect();
        if new.is_empty() {
            return Ok(erasures);
        }
        self.append(&new, wish.now)?;
        let mut write = journal.write();
        new.iter().for_each(|erasure| erasure.write(&mut write, wish.now));
        write.commit(Durability::Synced)?;
        for erasure in new {
            tracing::info!(receipt = %erasure.key, despite_retention = wish.despite_retention, "a body was erased");
        }
        Ok(erasures)
    }

    /// Erases again what the list names and the journal, an older copy, still has. Returns how many.
    pub fn reapply(&self, journal: &Journal) -> Result<usize, EraseError> {
        let mut back = Vec::new();
        for (key, at) in self.read()? {
            if journal.erased_at(key)?.is_none() {
                let known = journal.receipt(key)?;
                let (unit, biz_code) = match known {
                    None => (UnitId::new(0), String::new()),
                    Some(row) => (record(&row.signed_record)?.record.unit, row.biz_code),
                };
                back.push((Erasure { key, unit, biz_code, repeated: true }, at));
            }
        }
        for chunk in back.chunks(CHUNK) {
            let mut write = journal.write();
            chunk.iter().for_each(|(erasure, at)| erasure.write(&mut write, *at));
            write.commit(Durability::Synced)?;
        }
        if !back.is_empty() {
            scrub(journal, &back.iter().map(|(erasure, _)| erasure.clone()).collect::<Vec<_>>())?;
        }
        Ok(back.len())
    }

    fn append(&self, erasures: &[&Erasure], at: UnixMillis) -> Result<(), EraseError> {
        let failed = |action| move |source| EraseError::File { action, path: self.path.clone(), source };
        // Whatever stands there is ours, and whole but for a torn last line.
        let (text, whole) = self.text()?;
        let mut file =
            OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path).map_err(failed("open"))?;
        if whole < text.len() {
            file.set_len(u64::try_from(whole).unwrap_or(u64::MAX)).map_err(failed("cut the torn end of"))?;
        }
        let mut lines = if whole == 0 { self.header() } else { String::new() };
        for erasure in erasures {
            lines.push_str(&format!("{} {}\n", erasure.key, at.get()));
        }
        file.write_all(lines.as_bytes()).and_then(|()| file.sync_all()).map_err(failed("write"))?;
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("sync the directory of"))
    }

    fn header(&self) -> String {
        format!("{MAGIC} {} {}\n", self.identity.chain.0, self.identity.issuer)
    }

    /// The file's text, and how much of it are whole lines.
    fn text(&self) -> Result<(String, usize), EraseError> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|source| EraseError::File { action: "read", path: self.path.clone(), source })?,
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole > 0 && !text.starts_with(&self.header()) {
            let problem = "is of another chain or issuer; erased_file must be this journal's own".to_owned();
            return Err(EraseError::List { path: self.path.clone(), problem });
        }
        Ok((text, whole))
    }

    fn read(&self) -> Result<Vec<(ReceiptKey, UnixMillis)>, EraseError> {
        let (text, whole) = self.text()?;
        let lines = text.get(..whole).unwrap_or_default().lines().enumerate().skip(1);
        let read = |(index, line): (usize, &str)| {
            let (key, at) = line.split_once(' ').unwrap_or_default();
            parse_key(key).zip(at.parse().ok().map(UnixMillis::new)).ok_or_else(|| EraseError::List {
                path: self.path.clone(),
                problem: format!("has a line {} that is no erasure; put back a whole copy of it", index + 1),
            })
        };
        lines.map(read).collect()
    }
}

/// Reads `code-number`.
pub fn parse_key(text: &str) -> Option<ReceiptKey> {
    let (code, number) = text.split_once('-')?;
    Some(ReceiptKey { code: ReceiptCode::parse(code).ok()?, number: ReceiptNumber::parse(number).ok()? })
}

fn judge(journal: &Journal, key: ReceiptKey, wish: &Wish) -> Result<Erasure, EraseError> {
    let row = journal.receipt(key)?.ok_or(EraseError::Unknown(key))?;
    let record = record(&row.signed_record)?.record;
    let repeated = journal.erased_at(key)?.is_some();
    if !repeated {
        if fate(journal, key)? == Fate::Pending {
            return Err(EraseError::Undecided(key));
        }
        let days = wish.retention_days;
        if !wish.despite_retention && wish.now.since(record.issue_time) < days.saturating_mul(DAY_MS) {
            return Err(EraseError::Retained { key, days });
        }
    }
    Ok(Erasure { key, unit: record.unit, biz_code: row.biz_code, repeated })
}

fn record(bytes: &[u8]) -> Result<SignedRecord, JournalError> {
    SignedRecord::decode(bytes).map_err(|_| JournalError::Corrupt("a signed record"))
}
