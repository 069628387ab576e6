//! The unit credentials that go into bundles: files in one directory, made by the authorities.
//!
//! ```text
//! <key id>.credential            the key's first one
//! <key id>-<anything>.credential further ones of the same key: of a unit that was renamed, or moved to another area
//! ```
//! A credential names its unit, and so does every receipt: what was issued before a change of name or area needs the old one,
//! what comes after it the new one, and both stay. So do those of before and after a change of authorities: a receipt needs one that is
//! signed by enough of those in force when it was anchored. A file that is put there counts at once.
//!
//! Invariant: a credential goes into no bundle whose authorities did not sign it. Not here: whether a bundle verifies (`bundle`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use receipt_core::credential::{CREDENTIAL_BYTES_MAX, SignedCredential, UnitCredential};
use receipt_core::ids::{KeyId, LeafIndex};
use receipt_core::receipt::model::Receipt;
use receipt_core::record::ReceiptRecord;
use tallystick_anchoring::trust::FollowedTrust;
use tallystick_proto::errors::{Action, CallReason, Place, Refusal, Stands};
use tallystick_service::durable;

const EXTENSION: &str = ".credential";

/// One of them.
struct Held {
    signed: SignedCredential,
    bytes: Arc<Vec<u8>>,
}

/// All of them, read when they are needed first.
pub struct Credentials {
    directory: PathBuf,
    trust: Arc<FollowedTrust>,
    known: Mutex<HashMap<KeyId, Vec<Held>>>,
}

impl Credentials {
    /// Those in a directory, as far as authorities of this trust file signed them.
    pub fn new(directory: PathBuf, trust: Arc<FollowedTrust>) -> Self {
        if !directory.is_dir() {
            // Receipts can be issued without credentials; but every bundle that is asked for would fail, so say it now.
            let directory = directory.display();
            tracing::warn!(%directory, "credentials_dir is no directory: no receipt has a bundle before the credentials are there");
        }
        Self { directory, trust, known: Mutex::default() }
    }

    /// The bytes of one that covers this receipt: its key and issue time, its unit's code, name and area as the body has
    /// them, under the authorities of the leaf at which its batch stands. `NOT_READY` if none does; the log says which file the operator has to put where.
    pub fn of(&self, record: &ReceiptRecord, receipt: &Receipt, leaf: LeafIndex) -> Result<Arc<Vec<u8>>, Refusal> {
        let key = record.signing_key;
        if let Some(bytes) = self.known_of(record, receipt, leaf) {
            return Ok(bytes);
        }
        let read = self.read(key);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, read);
        self.known_of(record, receipt, leaf).ok_or_else(|| self.missing(record))
    }

    fn known_of(&self, record: &ReceiptRecord, receipt: &Receipt, leaf: LeafIndex) -> Option<Arc<Vec<u8>>> {
        let trust = self.trust.current();
        let authorities = trust.authorities_at(leaf);
        let fits = |signed: &SignedCredential| {
            covers(&signed.credential, record, receipt) && signed.is_signed_by_enough(authorities)
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = known.get(&record.signing_key)?.iter();
        held.find(|held| fits(&held.signed)).map(|held| Arc::clone(&held.bytes))
    }

    /// Every credential of a key. What is none of it is passed over, with a warning if it is named as one.
    fn read(&self, key: KeyId) -> Vec<Held> {
        let mut names = vec![format!("{key}{EXTENSION}")];
        match std::fs::read_dir(&self.directory) {
            Ok(entries) => {
                let further = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
                names.extend(further.filter(|name| is_further(name, key)));
            }
            Err(error) => {
                let directory = self.directory.display();
                tracing::error!(%directory, %error, "the credentials directory cannot be read");
            }
        }
        names.sort_unstable();
        names.iter().filter_map(|name| self.read_one(key, &self.directory.join(name))).collect()
    }

    fn read_one(&self, key: KeyId, path: &Path) -> Option<Held> {
        let passed_over = |problem: &str| {
            tracing::warn!(path = %path.display(), problem, "a credential is passed over");
            None
        };
        let bytes = match durable::read(path, CREDENTIAL_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(_) if !path.exists() => return None,
            Err(error) => return passed_over(&error.to_string()),
        };
        let Ok(signed) = SignedCredential::decode(&bytes) else { return passed_over("it does not read") };
        let trust = self.trust.current();
        if !signed.signatures_hold(trust.chain_id()) {
            return passed_over("a signature of it is not valid on this chain");
        }
        if !trust.authority_sets().iter().any(|known| signed.is_signed_by_enough(&known.set)) {
            // Authorities that are not in force yet may have signed it. It counts once they are.
            let path = path.display();
            tracing::warn!(%path, "a credential is signed by no authorities that this issuer knows of: it does not count so far");
        }
        if signed.credential.signing_key != key {
            return passed_over("it is of another key than its name says");
        }
        Some(Held { signed, bytes: Arc::new(bytes) })
    }

    fn missing(&self, record: &ReceiptRecord) -> Refusal {
        let (key, receipt) = (record.signing_key, record.key);
        let directory = self.directory.display();
        tracing::error!(
            %receipt, %key, %directory,
            "ALARM: no credential of the key covers this receipt's unit, name and area under the authorities in force when it was \
             anchored; put one that they signed into the directory, as {key}{EXTENSION} or {key}-NAME{EXTENSION}"
        );
        Refusal::new(CallReason::NotReady)
            .with_message(format!(
                "receipt {receipt} is sealed, and there is no bundle of it yet: this issuer lacks the unit's credential for the \
                 name and area that the receipt states. Its operator has to supply it"
            ))
            .with_retry_after_ms(60_000)
            .with_advice(Stands::Yes, Place::BizCode, Action::Repeat)
    }
}

fn covers(credential: &UnitCredential, record: &ReceiptRecord, receipt: &Receipt) -> bool {
    credential.unit == record.unit
        && credential.suite == record.suite
        && credential.covers(record.issue_time)
        && credential.unit_code == receipt.draft.unit_code
        && credential.unit_name == receipt.issued.unit_name
        && credential.supervisor_area_code == receipt.draft.supervisor_area_code
}

/// `<key id>-<anything>.credential`.
fn is_further(name: &str, key: KeyId) -> bool {
    let label = name.strip_suffix(EXTENSION).and_then(|stem| stem.strip_prefix(&key.to_string()));
    label.is_some_and(|label| label.starts_with('-'))
}
