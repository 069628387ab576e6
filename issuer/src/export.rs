//! `export-bodies`: every sealed receipt's content, for an auditor who replays the ledger (`receipt_core::bundle::BodyLine`
//! is the line format, ascending by code and number).
//!
//! ```text
//! journal (read-only) ──▶ opened bodies ──▶ a file without a name, 0600 ──▶ fsync ──▶ NAME, never over another file
//! ```
//! Of a receipt without a content the line says why: erased, lost (damage), or never held (learnt from the ledger). Not here: receipts
//! that the ledger refused or has not decided, since nothing there speaks of them. The file is personal data in the clear: whatever
//! ends this process early leaves none of it behind, and nothing of it goes to a log.

use std::fmt;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use receipt_core::bundle::{Absence, BodyContent, BodyLine};
use receipt_core::fingerprint::Fingerprint;
use receipt_core::genesis::Genesis;
use receipt_core::ids::{Height, ReceiptKey};
use tallystick_service::durable;
use tallystick_service::keyfile::{KeyKind, Passphrase, open};

use unnamed::UnnamedFile;

use crate::body::BodyCipher;
use crate::config::Settings;
use crate::fate::{Fate, fate};
use crate::journal::{Journal, JournalError, JournalIdentity, LAYOUT, ReceiptReads as _, ReceiptRow, StoredBody};
use crate::secrets::check_master;

mod unnamed;

/// Receipts read at once.
const PAGE_RECEIPTS: usize = 256;
const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Numbers of lines written, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportedBodies {
    /// The file.
    pub path: PathBuf,
    /// Lines with content.
    pub bodies: u64,
    /// Lines that say that the content was erased.
    pub erased: u64,
    /// Lines that say that the content was here and cannot be read any more.
    pub lost: u64,
    /// Lines that say that the receipt was learnt from the ledger, without its content.
    pub never_held: u64,
}

impl ExportedBodies {
    /// Whether nothing is lost: no sealed receipt lacks a content that the journal should have.
    pub fn is_complete(&self) -> bool {
        self.lost == 0
    }
}

impl fmt::Display for ExportedBodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, bodies, erased, lost, never_held } = self;
        let path = path.display();
        writeln!(f, "{path}: {bodies} bodies, {erased} erased, {lost} lost, {never_held} never held (mode 0600).")?;
        write!(f, "This file is personal data in the clear: encrypt it to move it, and delete it after the audit.")
    }
}

/// Exports from the journal that the settings name; works beside the running issuer.
pub fn run(settings: &Settings, out: &Path, until: Option<Height>) -> Result<ExportedBodies> {
    let genesis = durable::read(&settings.genesis_file, GENESIS_BYTES_MAX)?;
    let genesis = Genesis::decode(&genesis)
        .with_context(|| format!("read the genesis file {}", settings.genesis_file.display()))?;
    let passphrase = Passphrase::from_file(&settings.passphrase_file)?;
    let master = open(&settings.master_key_file, &passphrase, KeyKind::Symmetric)?;
    let identity =
        JournalIdentity { chain: genesis.chain_id(), suite: genesis.suite, issuer: settings.issuer, layout: &LAYOUT };
    let journal = Journal::open_read_only(&settings.journal_dir, identity)?;
    // Check the key first: with another one no body opens, and the export would call all of them lost.
    check_master(&journal, Fingerprint::of_master(genesis.suite, &master))?;
    export(&journal, &BodyCipher::new(&master), out, until)
}

/// Writes the content of every receipt sealed at `until` or below into a new file.
pub fn export(journal: &Journal, cipher: &BodyCipher, out: &Path, until: Option<Height>) -> Result<ExportedBodies> {
    ensure!(!out.exists(), "{} exists and is not overwritten; name a new file", out.display());
    let mut file = UnnamedFile::create(out)?;
    let mut exported = ExportedBodies { path: out.to_owned(), ..ExportedBodies::default() };
    let mut writer = BufWriter::new(&mut file);
    let mut after: Option<ReceiptKey> = None;
    loop {
        let page = journal.receipts_after(after, PAGE_RECEIPTS)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (key, row) in page {
            if !is_sealed(journal, key, until)? {
                continue;
            }
            let content = content(journal, cipher, key, &row)?;
            *match &content {
                Ok(_) => &mut exported.bodies,
                Err(Absence::Erased) => &mut exported.erased,
                Err(Absence::Lost) => &mut exported.lost,
                Err(Absence::NeverHeld) => &mut exported.never_held,
            } += 1;
            let mut line = BodyLine { record: row.signed_record, content }.encode();
            line.push(b'\n');
            writer.write_all(&line).with_context(|| format!("write {}", out.display()))?;
        }
    }
    writer.flush().with_context(|| format!("write {}", out.display()))?;
    drop(writer);
    ensure!(
        exported.bodies > 0 || exported.lost == 0,
        "not one body opens under keys.master_key_file, and {} are there: is it the key of this journal? Nothing was written",
        exported.lost
    );
    file.give_name()?;
    Ok(exported)
}

/// The content of a receipt, or why there is none. A single damaged body stops nobody's audit: it is named as lost.
fn content(
    journal: &Journal,
    cipher: &BodyCipher,
    key: ReceiptKey,
    row: &ReceiptRow,
) -> Result<std::result::Result<BodyContent, Absence>, JournalError> {
    let lost = |problem: &dyn fmt::Display| {
        tracing::warn!(receipt = %key, %problem, "the content of a receipt is lost");
        Ok(Err(Absence::Lost))
    };
    match journal.stored_body(key) {
        Ok(StoredBody::Erased(_)) => Ok(Err(Absence::Erased)),
        // Only a receipt that was learnt from the ledger has no biz code here.
        Ok(StoredBody::Nothing) if row.biz_code.is_empty() => Ok(Err(Absence::NeverHeld)),
        Ok(StoredBody::Nothing) => lost(&"its body is not in the journal, and no erasure is noted"),
        Ok(StoredBody::Torn) => lost(&"ciphertext or wrapped key is missing"),
        Ok(StoredBody::Whole(sealed)) => match cipher.open(key, &sealed) {
            Ok(body) => Ok(Ok(BodyContent { seed: body.seed, values: body.values })),
            Err(error) => lost(&error),
        },
        Err(error) if error.is_damage() => lost(&error),
        Err(error) => Err(error),
    }
}

fn is_sealed(journal: &Journal, key: ReceiptKey, until: Option<Height>) -> Result<bool> {
    Ok(match fate(journal, key)? {
        Fate::Sealed { height, .. } => until.is_none_or(|until| height <= until),
        Fate::Pending | Fate::Refused { .. } => false,
    })
}

#[cfg(test)]
mod tests;
