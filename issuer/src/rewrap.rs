//! `rewrap-body-keys`: gives the journal of a stopped issuer another master key. The key of each body is unwrapped with the old one and
//! wrapped with the new one; the bodies themselves stay as they are.
//!
//! ```text
//! begin ─▶ page ─▶ … ─▶ page ─▶ flush the logs ─▶ rewrite the tables ─▶ end
//!
//! a small value of the journal, from begin to end:
//! master-key-change    fingerprint [16] of the new key ‖ key of the last row of `body-keys` that was rewrapped (empty at first)
//! ```
//! Each step is one synced write, which says how far the change has come: killed at any moment, it goes on from there when it is run
//! again. Until the end both keys are needed, and no other command uses the bodies ([`crate::secrets::check_master`]). After it no file of
//! the journal has a key that the old master key opens.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use receipt_core::fingerprint::Fingerprint;
use receipt_core::ids::ReceiptKey;
use tallystick_anchoring::tail;
use tallystick_service::keyfile::{self, KeyKind, Passphrase};
use tallystick_service::rng::{Entropy, OsEntropy, random_array};
use tallystick_storage::StoreShare;

use crate::body::BodyCipher;
use crate::chain::load_chain;
use crate::config::Settings;
use crate::journal::{
    BODY_KEYS, Durability, Journal, JournalError, ReceiptReads as _, ReceiptWrites as _, receipt_key_bytes,
};
use crate::secrets::{MasterChange, SecretsError, bound_master, master_change, put_master, put_master_change};

/// Rows of one step.
const STEP_KEYS: usize = 1024;

/// Makes or opens the new key, and changes the journal to it. Says what was done, and what is left to the operator.
pub fn run(settings: &Settings, new_key: &Path) -> Result<String> {
    let chain = load_chain(settings)?;
    let passphrase = Passphrase::from_file(&settings.passphrase_file)?;
    let old = keyfile::open(&settings.master_key_file, &passphrase, KeyKind::Symmetric)?;
    let opened = tail::open(&settings.journal_dir, chain.identity, &settings.guard_file, StoreShare::SMALL);
    let (journal, _) = opened.context("open the stopped issuer's journal")?;
    let suite = chain.genesis.suite;
    let held = keyfile::open_or_make(new_key, &passphrase, KeyKind::Symmetric, &OsEntropy)?;
    let marks = [&old, &held.secret].map(|key| Fingerprint::of_master(suite, key));
    let (from, to) = (BodyCipher::new(&old), BodyCipher::new(&held.secret));
    let path = new_key.display();
    ensure!(
        marks[0] != marks[1],
        "{path} has the key that the config names already; name a file that is not there yet"
    );
    let rewrapper = Rewrapper { journal: &journal, from: (marks[0], &from), to: (marks[1], &to), step_keys: STEP_KEYS };
    let mut total = Rewrapped::default();
    while let Some(done) = rewrapper.step(&OsEntropy)? {
        total.keys += done.keys;
        total.unopened.extend(done.unopened);
    }
    let unopened: String =
        total.unopened.iter().map(|key| format!("\nits body does not open, before as after: receipt {key}")).collect();
    Ok(format!(
        "the journal has the master key of {path} now (fingerprint {}): {} keys of bodies rewrapped by this run.{unopened}\nMove {path} to {}, \
         and keep the old key, off this machine, as long as there are backups of before",
        marks[1],
        total.keys,
        settings.master_key_file.display(),
    ))
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Keys that are wrapped with the new master key.
    pub keys: u64,
    /// Receipts whose key opens under neither: damage, and left as it is.
    pub unopened: Vec<ReceiptKey>,
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
    /// Makes the next step; `None` if the journal has the new key.
    pub fn step(&self, entropy: &dyn Entropy) -> Result<Option<Rewrapped>> {
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
            return Ok(Some(Rewrapped::default()));
        };
        if (bound, change.to) != (from, to) {
            return Err(SecretsError::Changing { from: bound, to: change.to }.into());
        }
        let start = if change.after.is_empty() { Vec::new() } else { [&change.after[..], &[0]].concat() };
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
    ) -> Result<Option<Rewrapped>> {
        let mut done = Rewrapped::default();
        let mut write = self.journal.write();
        for (key, wrapped) in rows {
            // Of an erased body there is none.
            let Some(wrapped) = wrapped else { continue };
            match self.from.1.rewrap(key, &wrapped, self.to.1, random_array(entropy)?) {
                Ok(rewrapped) => {
                    write.put_wrapped_key(key, &rewrapped);
                    done.keys += 1;
                }
                Err(_) => done.unopened.push(key),
            }
        }
        put_master_change(&mut write, &change);
        write.commit(Durability::Synced)?;
        Ok(Some(done))
    }

    /// What the old key opens leaves the disk before the journal is the new key's.
    fn end(&self) -> Result<Option<Rewrapped>> {
        self.journal.flush_logs()?;
        self.journal.rewrite_tables(BODY_KEYS, &[], &[u8::MAX; 12])?;
        let mut write = self.journal.write();
        put_master(&mut write, self.to.0);
        write.commit(Durability::Synced)?;
        Ok(Some(Rewrapped::default()))
    }

    fn commit(&self, change: &MasterChange) -> Result<(), JournalError> {
        let mut write = self.journal.write();
        put_master_change(&mut write, change);
        write.commit(Durability::Synced)
    }
}

#[cfg(test)]
mod tests;
