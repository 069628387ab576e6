//! Binds a journal to its secrets: whoever starts it, restores it, recovers it or exports from it must hold the same ones.
//!
//! ```text
//! the owner's values in the journal:
//! master-key         fingerprint [16] of the key that wraps the keys of all bodies
//! blinding-secrets   (epoch u32 ‖ fingerprint [16]) of each epoch in which this journal has issued, ascending
//! ```
//! Under another master key the bodies of before cannot be read; under another blinding secret the ledger does not know a payment
//! again, and one payment gets two receipts. Both would show only later, when nothing mends it any more. Fingerprints:
//! [`receipt_core::fingerprint`].

use std::path::PathBuf;

use receipt_core::fingerprint::Fingerprint;
use receipt_core::suite::Suite;

use crate::config::Settings;
use crate::journal::{Journal, JournalError};
use crate::keys::{KeyRing, KeysError};

#[cfg(test)]
mod tests;

const MASTER: &str = "master-key";
const BLINDING: &str = "blinding-secrets";
const EPOCH_BYTES: usize = 20;
const MASTER_FILE: &str = "keys.master_key_file";
const BLINDING_FILE: &str = "keys.blinding_secret_file";

/// Why a journal is not used with these secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The bodies of the journal do not open under this master key.
    #[error(
        "it is not the master key of this journal (its fingerprint is {given}, the journal's is {bound}), so no receipt's body \
         opens under it: put the right file back (docs/ops/keys.md)"
    )]
    Master {
        /// Of the config's key.
        given: Fingerprint,
        /// Of the journal's.
        bound: Fingerprint,
    },
    /// Payments would not be known again under this blinding secret.
    #[error(
        "it is not the blinding secret of epoch {epoch} (its fingerprint is {given}, the right one's is {bound}): under another one \
         a payment gets a second receipt. Put the right file back; all issuers of a chain share one secret (docs/ops/keys.md)"
    )]
    Blinding {
        /// The epoch that the config names.
        epoch: u32,
        /// Of the config's secret.
        given: Fingerprint,
        /// Of that epoch's.
        bound: Fingerprint,
    },
    /// The journal has never issued in this epoch.
    #[error(
        "this journal was written in blinding epoch {bound}, not in {given}: put the old number back (docs/ops/keys.md)"
    )]
    Epoch {
        /// The epoch that the config names.
        given: u32,
        /// The newest of the journal's.
        bound: u32,
    },
    /// A secret's file is gone.
    #[error("{path} is missing, and {why}: put its copy back; a new one is of no use (docs/ops/keys.md)", path = path.display())]
    Missing {
        /// The config key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What hangs on it.
        why: &'static str,
    },
    /// A key file cannot be opened.
    #[error("open the keys")]
    Keys(#[source] KeysError),
}

impl SecretsError {
    /// The config key whose value is at fault, if one is.
    pub fn config_key(&self) -> Option<&'static str> {
        match self {
            Self::Master { .. } => Some(MASTER_FILE),
            Self::Blinding { .. } => Some(BLINDING_FILE),
            Self::Epoch { .. } => Some("keys.blinding_epoch"),
            Self::Missing { key, .. } => Some(key),
            Self::Journal(_) | Self::Keys(_) => None,
        }
    }
}

/// Fingerprints of the secrets that a config names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretMarks {
    /// Of the master key.
    pub master: Fingerprint,
    /// Epoch of the blinding secret.
    pub blinding_epoch: u32,
    /// Of the blinding secret.
    pub blinding: Fingerprint,
}

impl SecretMarks {
    /// Of these keys, on a chain of `suite`.
    pub fn of(keys: &KeyRing, suite: Suite) -> Self {
        Self {
            master: Fingerprint::of_master(suite, &keys.master),
            blinding_epoch: keys.blinding.epoch(),
            blinding: Fingerprint::of_blinding(&keys.blinding),
        }
    }

    /// What a new journal holds of them.
    pub fn rows(&self) -> [(&'static str, Vec<u8>); 2] {
        [(MASTER, self.master.0.to_vec()), (BLINDING, epochs_bytes(&[(self.blinding_epoch, self.blinding)]))]
    }

    /// Refuses other secrets than the journal's.
    pub fn check(&self, journal: &Journal) -> Result<(), SecretsError> {
        check_master(journal, self.master)?;
        let epochs = epochs(journal)?;
        let given = self.blinding_epoch;
        let Some((_, bound)) = epochs.iter().find(|(epoch, _)| *epoch == given) else {
            let bound = epochs.last().map_or(0, |(epoch, _)| *epoch);
            return Err(SecretsError::Epoch { given, bound });
        };
        if *bound != self.blinding {
            return Err(SecretsError::Blinding { epoch: given, given: self.blinding, bound: *bound });
        }
        Ok(())
    }
}

/// Refuses another master key than the one under which the journal's bodies were written.
pub fn check_master(journal: &Journal, given: Fingerprint) -> Result<(), SecretsError> {
    const CORRUPT: JournalError = JournalError::Corrupt("the master key's fingerprint");
    let bound = journal.owned(MASTER)?.as_deref().and_then(Fingerprint::from_slice).ok_or(CORRUPT)?;
    if bound == given { Ok(()) } else { Err(SecretsError::Master { given, bound }) }
}

/// Opens all keys for a journal that is there, and refuses others than the journal's.
pub fn open_keys(settings: &Settings, journal: &Journal) -> Result<KeyRing, SecretsError> {
    require_files(settings)?;
    let suite = journal.identity().suite;
    let keys = KeyRing::open(settings, suite).map_err(SecretsError::Keys)?;
    SecretMarks::of(&keys, suite).check(journal)?;
    Ok(keys)
}

/// Refuses where a secret of a journal that is there is not: it cannot be made anew.
pub fn require_files(settings: &Settings) -> Result<(), SecretsError> {
    for (key, path, why) in [
        (MASTER_FILE, &settings.master_key_file, "the bodies of this journal's receipts open under it alone"),
        (BLINDING_FILE, &settings.blinding_secret_file, "under another one a payment gets a second receipt"),
    ] {
        // What cannot be looked at is told when it is opened.
        if let Ok(false) = path.try_exists() {
            return Err(SecretsError::Missing { key, path: path.clone(), why });
        }
    }
    Ok(())
}

fn epochs(journal: &Journal) -> Result<Vec<(u32, Fingerprint)>, JournalError> {
    const CORRUPT: JournalError = JournalError::Corrupt("the blinding secrets' fingerprints");
    let bytes = journal.owned(BLINDING)?.ok_or(CORRUPT)?;
    let rows = bytes.chunks(EPOCH_BYTES).map(|row| {
        let (epoch, fingerprint) = row.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*epoch), Fingerprint::from_slice(fingerprint)?))
    });
    rows.collect::<Option<Vec<_>>>().ok_or(CORRUPT)
}

fn epochs_bytes(epochs: &[(u32, Fingerprint)]) -> Vec<u8> {
    epochs.iter().flat_map(|(epoch, fingerprint)| epoch.to_be_bytes().into_iter().chain(fingerprint.0)).collect()
}
