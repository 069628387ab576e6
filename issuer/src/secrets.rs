//! Binds a journal to its secrets: whoever starts it, restores it, recovers it or exports from it must hold the same ones.
//!
//! ```text
//! master key         the owner's value `master-key` in the journal: fingerprint [16] of the key that wraps the keys of all bodies
//! blinding secrets   the journal's replica of the ledger's registry: the fingerprint of each epoch (see `blinding`)
//! ```
//! While a stopped issuer is given another master key (see `rewrap`), both keys are needed, and neither suffices.
//!
//! Under another master key the bodies of before cannot be read; under another blinding secret the ledger does not know a payment
//! again, and one payment gets two receipts. Both would show only later, when nothing mends it any more. Fingerprints:
//! [`receipt_core::fingerprint`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use receipt_core::fingerprint::Fingerprint;
use receipt_core::state::{BlindingEpoch, RegisteredEpoch};
use receipt_core::suite::Suite;
use tallystick_anchoring::gate::Gate;

use crate::blinding::{BlindingFault, judge};
use crate::config::Settings;
use crate::journal::{Journal, JournalError, JournalWrite};
use crate::keys::{KeyRing, KeysError};
use crate::registry::{Registry, blinding_epochs};

#[cfg(test)]
mod tests;

const MASTER: &str = "master-key";
const MASTER_CHANGE: &str = "master-key-change";
const MASTER_FILE: &str = "keys.master_key_file";
const BLINDING_FILE: &str = "keys.blinding_secret_file";
const FORMER_FILES: &str = "keys.former_blinding_secrets";
const OF_BLINDING: &str = "under another one a payment gets a second receipt";

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
    /// The master key is being changed.
    #[error(
        "the master key of this journal is being changed, and some of its bodies open under the old key (fingerprint {from}), some under \
         the new one ({to}): name the old file in `keys.master_key_file`, and run `tallystick-issuer rewrap-body-keys` again with the \
         new one (docs/ops/keys.md)"
    )]
    Changing {
        /// Of the old key.
        from: Fingerprint,
        /// Of the new one.
        to: Fingerprint,
    },
    /// Payments would not be known again with these blinding secrets.
    #[error(transparent)]
    Blinding(BlindingFault),
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
            Self::Master { .. } | Self::Changing { .. } => Some(MASTER_FILE),
            Self::Blinding(fault) => Some(match fault {
                BlindingFault::Other { .. } => BLINDING_FILE,
                BlindingFault::OtherEpoch { .. }
                | BlindingFault::Unregistered { .. }
                | BlindingFault::Withdrawn { .. } => "keys.blinding_epoch",
                BlindingFault::Missing { .. } => FORMER_FILES,
            }),
            Self::Missing { key, .. } => Some(key),
            Self::Journal(_) | Self::Keys(_) => None,
        }
    }
}

/// Fingerprints of the secrets that a config names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretMarks {
    /// Of the master key.
    pub master: Fingerprint,
    /// Of the blinding secrets, ascending by epoch.
    pub blinding: Vec<BlindingEpoch>,
}

impl SecretMarks {
    /// Of these keys, on a chain of `suite`.
    pub fn of(keys: &KeyRing, suite: Suite) -> Self {
        Self { master: Fingerprint::of_master(suite, &keys.master), blinding: keys.blinding.epochs().to_vec() }
    }

    /// What a new journal holds of them.
    pub fn rows(&self) -> [(&'static str, Vec<u8>); 1] {
        [(MASTER, self.master.0.to_vec())]
    }

    /// Refuses other secrets than the journal's.
    pub fn check(&self, journal: &Journal) -> Result<(), SecretsError> {
        check_master(journal, self.master)?;
        check_blinding(&self.blinding, &blinding_epochs(journal)?)
    }
}

/// Refuses other blinding secrets than the registered ones. What keeps the issuer from issuing and may come right by itself passes, because
/// the rest of its work has to go on; [`SecretsWatch`] tells it:
///
/// - an epoch that is not registered: governance may register it in a block that is still to be followed, and withdraw there an earlier
///   one whose secret is missing here;
/// - the issuer's own epoch, withdrawn: what was issued in it before is still to be anchored.
pub fn check_blinding(held: &[BlindingEpoch], registered: &[RegisteredEpoch]) -> Result<(), SecretsError> {
    let own = held.last().map(|own| own.epoch);
    let own_is_registered = registered.iter().any(|known| Some(known.secret.epoch) == own);
    match judge(held, registered) {
        Ok(()) | Err(BlindingFault::Unregistered { .. } | BlindingFault::Withdrawn { .. }) => Ok(()),
        Err(BlindingFault::Missing { .. }) if !own_is_registered => Ok(()),
        Err(fault) => Err(SecretsError::Blinding(fault)),
    }
}

/// Looks, while the ledger is followed, whether the held blinding secrets are the registered ones.
#[derive(Debug)]
pub struct SecretsWatch {
    keys: Arc<KeyRing>,
    registry: Arc<Registry>,
    gate: Arc<Gate>,
    before: Result<(), BlindingFault>,
}

impl SecretsWatch {
    /// Nothing looked at yet.
    pub fn new(keys: Arc<KeyRing>, registry: Arc<Registry>, gate: Arc<Gate>) -> Self {
        Self { keys, registry, gate, before: Ok(()) }
    }

    /// Why nothing is issued, if so. Tells it once when it goes wrong, and once when it is right again. Before the ledger is caught up with,
    /// the registry may be an old one.
    pub fn look(&mut self) -> Option<String> {
        if !self.gate.is_caught_up() {
            return None;
        }
        let now = judge(self.keys.blinding.epochs(), &self.registry.view().blinding);
        match (self.before, now) {
            (Ok(()), Err(fault)) => {
                tracing::error!(%fault, "ALARM: nothing is issued until this issuer holds the ledger's blinding secrets");
            }
            (Err(_), Ok(())) => tracing::info!("the blinding secrets are the ledger's"),
            _ => {}
        }
        self.before = now;
        now.err().map(|fault| fault.to_string())
    }
}

/// Refuses another master key than the one under which the journal's bodies were written.
pub fn check_master(journal: &Journal, given: Fingerprint) -> Result<(), SecretsError> {
    let bound = bound_master(journal)?;
    if let Some(change) = master_change(journal)? {
        return Err(SecretsError::Changing { from: bound, to: change.to });
    }
    if bound == given { Ok(()) } else { Err(SecretsError::Master { given, bound }) }
}

/// The master key under which the journal's bodies open; while it is being changed, the old one.
pub(crate) fn bound_master(journal: &Journal) -> Result<Fingerprint, JournalError> {
    const CORRUPT: JournalError = JournalError::Corrupt("the master key's fingerprint");
    journal.owned(MASTER)?.as_deref().and_then(Fingerprint::from_slice).ok_or(CORRUPT)
}

/// How far a change of the master key has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MasterChange {
    /// Of the new key.
    pub(crate) to: Fingerprint,
    /// Key of the last row that was rewrapped; empty at first.
    pub(crate) after: Vec<u8>,
}

/// The change under way, if one is.
pub(crate) fn master_change(journal: &Journal) -> Result<Option<MasterChange>, JournalError> {
    let Some(bytes) = journal.owned(MASTER_CHANGE)? else { return Ok(None) };
    let (to, after) = bytes.split_first_chunk().ok_or(JournalError::Corrupt("the change of the master key"))?;
    Ok(Some(MasterChange { to: Fingerprint(*to), after: after.to_vec() }))
}

/// The change goes on.
pub(crate) fn put_master_change(write: &mut JournalWrite<'_>, change: &MasterChange) {
    write.put_owned(MASTER_CHANGE, &[&change.to.0[..], &change.after].concat());
}

/// The change ends with this key.
pub(crate) fn put_master(write: &mut JournalWrite<'_>, key: Fingerprint) {
    write.put_owned(MASTER, &key.0);
    write.delete_owned(MASTER_CHANGE);
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
    require_old_files(settings)?;
    require(BLINDING_FILE, &settings.blinding_secret_file, OF_BLINDING)
}

/// The same but for the blinding secret of the config's epoch, which `keygen` may make while nobody knows of the epoch.
pub fn require_old_files(settings: &Settings) -> Result<(), SecretsError> {
    require(MASTER_FILE, &settings.master_key_file, "the bodies of this journal's receipts open under it alone")?;
    settings.former_blinding_secrets.iter().try_for_each(|former| require(FORMER_FILES, &former.file, OF_BLINDING))
}

fn require(key: &'static str, path: &Path, why: &'static str) -> Result<(), SecretsError> {
    // If the path cannot be examined (permissions, for example), opening it gives a better error later.
    match path.try_exists() {
        Ok(false) => Err(SecretsError::Missing { key, path: path.to_owned(), why }),
        _ => Ok(()),
    }
}
