//! `rewrap-body-keys`: gives the journal of a stopped issuer another master key. The key of each body is unwrapped with the old one and
//! wrapped with the new one; the bodies themselves stay as they are.
//!
//! ```text
//! begin ─▶ page ─▶ … ─▶ page ─▶ flush the logs ─▶ rewrite the tables ─▶ end ─▶ the new key's file in its place (see `files`)
//!
//! a small value of the journal, from begin to end:
//! master-key-change    fingerprint [16] of the new key ‖ key of the last row of `body-keys` that was rewrapped (empty at first)
//! ```
//! Each step is one synced write, which says how far the change has come: killed at any moment, it goes on from there when it is run
//! again. Until the end both keys are needed, and no other command uses the bodies ([`crate::secrets::check_master`]). After it no file of
//! the journal has a key that the old master key opens. A change that is complete is not begun again by the same command: the file of the old key,
//! by which older backups open, stands in its way.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use receipt_core::fingerprint::Fingerprint;
use receipt_core::ids::ReceiptKey;
use tallystick_anchoring::tail;
use tallystick_service::durable;
use tallystick_service::keyfile::{self, KeyKind, Passphrase, Secret};
use tallystick_service::rng::{Entropy, OsEntropy, random_array};
use tallystick_storage::StoreShare;

use crate::body::BodyCipher;
use crate::chain::load_chain;
use crate::config::Settings;
use crate::journal::{
    BODY_KEYS, Durability, Journal, JournalError, ReceiptReads as _, ReceiptWrites as _, receipt_key_bytes,
};
use crate::secrets::{MasterChange, SecretsError, bound_master, master_change, put_master, put_master_change};

use files::KeyFiles;

mod files;

/// Rows of one step.
const STEP_KEYS: usize = 1024;

/// Makes or opens the new key, changes the journal to it, and puts its file in the place of the old one. Says what was done, and what is
/// left to the operator.
pub fn run(settings: &Settings, new_key: &Path) -> Result<String> {
    let chain = load_chain(settings)?;
    let suite = chain.genesis.suite;
    let passphrase = Passphrase::from_file(&settings.passphrase_file)?;
    let old = keyfile::open(&settings.master_key_file, &passphrase, KeyKind::Symmetric)?;
    let files = KeyFiles::of(&settings.master_key_file, new_key)?;
    files.check()?;
    let opened = tail::open(&settings.journal_dir, chain.identity, &settings.guard_file, StoreShare::SMALL);
    let (journal, _) = opened.context("open the stopped issuer's journal")?;
    let from_mark = Fingerprint::of_master(suite, &old);
    let new = open_new(&journal, &files, &passphrase, from_mark)?;
    let to_mark = Fingerprint::of_master(suite, &new);
    ensure!(
        from_mark != to_mark,
        "{} has the key that the config names already; name a file that is not there yet",
        files.new.display()
    );
    let (from, to) = (BodyCipher::new(&old), BodyCipher::new(&new));
    let (from, to) = ((from_mark, &from), (to_mark, &to));
    let rewrapper = Rewrapper { journal: &journal, from, to, step_keys: STEP_KEYS };
    let mut keys = 0;
    while let Some(rewrapped) = rewrapper.step(&OsEntropy)? {
        keys += rewrapped;
    }
    let unopened = rewrapper.unopened()?;
    let unopened: String =
        unopened.iter().map(|key| format!("\nits body does not open, before as after: receipt {key}")).collect();
    files.put_in_place()?;
    let (master, before) = (files.master.display(), files.before.display());
    Ok(format!(
        "the journal has a new master key, which is in {master} now (fingerprint {to_mark}): {keys} keys of bodies rewrapped by this \
         run.{unopened}\n{before} has the old key (fingerprint {from_mark}): keep it, off this machine, as long as there are backups of before"
    ))
}

/// The new key. Its file is made only where no change is under way: a key is made once for each.
fn open_new(journal: &Journal, files: &KeyFiles, passphrase: &Passphrase, from: Fingerprint) -> Result<Secret> {
    if !files.new.exists() {
        if let Some(change) = master_change(journal)? {
            bail!(
                "the master key of this journal is being changed to the one with fingerprint {}, and {} is missing: put it back, or name \
                 the file that has it",
                change.to,
                files.new.display()
            );
        }
        let bound = bound_master(journal)?;
        if bound != from {
            return Err(SecretsError::Master { given: from, bound }.into());
        }
    }
    let held = keyfile::open_or_make(&files.new, passphrase, KeyKind::Symmetric, &OsEntropy)?;
    // The operator may have copied the file here. If a power cut took it after body keys were wrapped with it, those bodies would be lost.
    durable::sync_file(&files.new)?;
    Ok(held.secret)
}

/// Changes the master key of one journal.
pub struct Rewrapper<'a> {
    /// Of a stopped issuer.
    pub journal: &'a Journal,
    /// The key of before.
    pub from: (Fingerprint, &'a BodyCipher),
    /// The new one.
    pub to: (Fingerprint, &'a BodyCipher),
    /// Rows of one step.
    pub step_keys: usize,
}

impl Rewrapper<'_> {
    /// Makes the next step: how many keys it has wrapped with the new master key. `None` if the journal has that one.
    pub fn step(&self, entropy: &dyn Entropy) -> Result<Option<u64>> {
        let bound = bound_master(self.journal)?;
        let (from, to) = (self.from.0, self.to.0);
        let Some(change) = master_change(self.journal)? else {
            if bound == to {
                return Ok(None);
            }
            if bound != from {
                return Err(SecretsError::Master { given: from, bound }.into());
            }
            self.commit(&MasterChange { to, after: Vec::new() })?;
            return Ok(Some(0));
        };
        if (bound, change.to) != (from, to) {
            return Err(SecretsError::Changing { from: bound, to: change.to }.into());
        }
        let start = if change.after.is_empty() { Vec::new() } else { behind(&change.after) };
        let rows = self.journal.wrapped_keys_from(&start, self.step_keys)?;
        match rows.last() {
            None => self.end(),
            Some((last, _)) => {
                let after = receipt_key_bytes(*last).to_vec();
                self.rewrap(rows, MasterChange { to, after }, entropy)
            }
        }
    }

    fn rewrap(
        &self,
        rows: Vec<(ReceiptKey, Option<Vec<u8>>)>,
        change: MasterChange,
        entropy: &dyn Entropy,
    ) -> Result<Option<u64>> {
        let mut rewrapped = 0;
        let mut write = self.journal.write();
        for (key, wrapped) in rows {
            // Of an erased body there is none.
            let Some(wrapped) = wrapped else { continue };
            // A key that does not open is damaged and stays as it is; `unopened` names it at the end.
            if let Ok(wrapped) = self.from.1.rewrap(key, &wrapped, self.to.1, random_array(entropy)?) {
                write.put_wrapped_key(key, &wrapped);
                rewrapped += 1;
            }
        }
        put_master_change(&mut write, &change);
        write.commit(Durability::Synced)?;
        Ok(Some(rewrapped))
    }

    /// What the old key opens leaves the disk before the journal is the new key's.
    fn end(&self) -> Result<Option<u64>> {
        self.journal.flush_logs()?;
        self.journal.rewrite_tables(BODY_KEYS, &[], &[u8::MAX; 12])?;
        let mut write = self.journal.write();
        put_master(&mut write, self.to.0);
        write.commit(Durability::Synced)?;
        Ok(Some(0))
    }

    /// Of a journal that has the new key: the receipts whose body's key it does not open. They opened under the old one no better. Looked for in
    /// all rows, and not gathered step by step: whatever ended an earlier run, none of them is forgotten.
    pub fn unopened(&self) -> Result<Vec<ReceiptKey>, JournalError> {
        let (mut unopened, mut start) = (Vec::new(), Vec::new());
        loop {
            let rows = self.journal.wrapped_keys_from(&start, self.step_keys)?;
            let Some((last, _)) = rows.last() else { return Ok(unopened) };
            start = behind(&receipt_key_bytes(*last));
            // An erased body has no key.
            let held = rows.into_iter().filter_map(|(key, wrapped)| Some((key, wrapped?)));
            unopened.extend(held.filter(|(key, wrapped)| !self.to.1.unwraps(*key, wrapped)).map(|(key, _)| key));
        }
    }

    fn commit(&self, change: &MasterChange) -> Result<(), JournalError> {
        let mut write = self.journal.write();
        put_master_change(&mut write, change);
        write.commit(Durability::Synced)
    }
}

/// The least key behind this one.
fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

#[cfg(test)]
mod tests;
