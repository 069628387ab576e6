//! `export-bodies`: every sealed receipt's content, for an auditor who replays the ledger (`receipt_core::bundle::BodyLine`
//! is the line format, ascending by code and number).
//!
//! ```text
//! journal (read-only) ──▶ opened bodies ──▶ `.NAME.tmp`, 0600 ──▶ fsync ──▶ NAME, never over another file
//! ```
//! An erased body is named as such. Not here: receipts that the ledger refused or has not decided, since nothing there
//! speaks of them. The file is personal data in the clear; nothing of it goes to a log.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use receipt_core::bundle::{BodyContent, BodyLine};
use receipt_core::genesis::Genesis;
use receipt_core::ids::{Height, ReceiptKey};
use tallystick_service::durable;
use tallystick_service::keyfile::{KeyKind, Passphrase, open};

use crate::body::BodyCipher;
use crate::config::Settings;
use crate::fate::{Fate, fate};
use crate::journal::{Journal, JournalIdentity, LAYOUT, ReceiptReads as _};

/// Receipts read at once.
const PAGE_RECEIPTS: usize = 256;
const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedBodies {
    /// The file.
    pub path: PathBuf,
    /// Lines with content.
    pub bodies: u64,
    /// Lines that say that the content was erased.
    pub erased: u64,
}

impl fmt::Display for ExportedBodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, bodies, erased } = self;
        writeln!(f, "{}: {bodies} bodies, {erased} erased (mode 0600).", path.display())?;
        write!(f, "This file is personal data in the clear: encrypt it to move it, and delete it after the audit.")
    }
}

/// Exports from the journal that the settings name; works beside the running issuer.
pub fn run(settings: &Settings, out: &Path, until: Option<Height>) -> Result<ExportedBodies> {
    let genesis = durable::read(&settings.genesis_file, GENESIS_BYTES_MAX)?;
    let genesis = Genesis::decode(&genesis)
        .with_context(|| format!("read the genesis file {}", settings.genesis_file.display()))?;
    let passphrase = Passphrase::from_file(&settings.passphrase_file)?;
    let cipher = BodyCipher::new(&open(&settings.master_key_file, &passphrase, KeyKind::Symmetric)?);
    let identity =
        JournalIdentity { chain: genesis.chain_id(), suite: genesis.suite, issuer: settings.issuer, layout: &LAYOUT };
    let journal = Journal::open_read_only(&settings.journal_dir, identity)?;
    export(&journal, &cipher, out, until)
}

/// Writes the content of every receipt sealed at `until` or below into a new file.
pub fn export(journal: &Journal, cipher: &BodyCipher, out: &Path, until: Option<Height>) -> Result<ExportedBodies> {
    ensure!(!out.exists(), "{} exists and is not overwritten; name a new file", out.display());
    let temp = temp_path(out)?;
    let written = write_all(journal, cipher, &temp, until)
        .with_context(|| format!("write {}", temp.display()))
        .and_then(|counts| {
            // A link, since a rename would replace a file that came up meanwhile.
            fs::hard_link(&temp, out).with_context(|| format!("create {}", out.display()))?;
            Ok(counts)
        });
    // Whatever happened: a torn file of personal data must not stay behind.
    let removed = fs::remove_file(&temp);
    let (bodies, erased) = written?;
    removed.with_context(|| format!("remove {}", temp.display()))?;
    Ok(ExportedBodies { path: out.to_owned(), bodies, erased })
}

fn temp_path(out: &Path) -> Result<PathBuf> {
    let name = out.file_name().with_context(|| format!("{} is not a file name", out.display()))?;
    let mut temp = std::ffi::OsString::from(".");
    temp.push(name);
    temp.push(".tmp");
    Ok(out.with_file_name(temp))
}

fn create_private(path: &Path) -> io::Result<File> {
    // A leftover of a crash goes first: its mode must not survive into the new file.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn write_all(journal: &Journal, cipher: &BodyCipher, path: &Path, until: Option<Height>) -> Result<(u64, u64)> {
    let mut file = BufWriter::new(create_private(path)?);
    let (mut bodies, mut erased) = (0, 0);
    let mut after: Option<ReceiptKey> = None;
    loop {
        let page = journal.receipts_after(after, PAGE_RECEIPTS)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (key, row) in page {
            if !is_sealed(journal, key, until)? {
                continue;
            }
            let content = match journal.body(key)? {
                None => None,
                Some(sealed) => {
                    let body = cipher.open(key, &sealed).with_context(|| format!("receipt {key}"))?;
                    Some(BodyContent { seed: body.seed, values: body.values })
                }
            };
            *(if content.is_some() { &mut bodies } else { &mut erased }) += 1;
            let mut line = BodyLine { record: row.signed_record, content }.encode();
            line.push(b'\n');
            file.write_all(&line)?;
        }
    }
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok((bodies, erased))
}

fn is_sealed(journal: &Journal, key: ReceiptKey, until: Option<Height>) -> Result<bool> {
    Ok(match fate(journal, key)? {
        Fate::Sealed { height, .. } => until.is_none_or(|until| height <= until),
        Fate::Pending | Fate::Refused { .. } => false,
    })
}

#[cfg(test)]
mod tests;
