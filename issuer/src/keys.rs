//! The issuer's keys, opened once at start: its own signing key, the units' keys, the master key, the blinding secrets.
//!
//! Custody is behind `Signer`: a key in a file here, in an HSM elsewhere. Not here: which key is valid when (the registry
//! says), and the transport keys (`service`).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use receipt_core::blind::BlindingSecret;
use receipt_core::ids::KeyId;
use receipt_core::suite::{Signer, SoftwareKey, Suite};
use tallystick_service::keyfile::{KeyFileError, KeyKind, Passphrase, Secret, open};

use crate::blinding::Blinding;
use crate::config::Settings;

/// Why a key is missing.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A key file cannot be opened.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The directory of unit keys cannot be read.
    #[error("unit keys {path}: {problem}")]
    Directory {
        /// The directory or entry.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

/// All keys in memory.
pub struct KeyRing {
    /// Signs batch headers.
    pub issuer: Arc<dyn Signer>,
    /// Wraps body keys.
    pub master: Secret,
    /// Behind the keyed hashes.
    pub blinding: Blinding,
    units: HashMap<KeyId, Arc<dyn Signer>>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRing({} unit keys)", self.units.len())
    }
}

impl KeyRing {
    /// Puts keys together; for tests and other custody.
    pub fn new(
        issuer: Arc<dyn Signer>,
        master: Secret,
        blinding: Blinding,
        units: HashMap<KeyId, Arc<dyn Signer>>,
    ) -> Self {
        Self { issuer, master, blinding, units }
    }

    /// Opens every key file that the settings name, for a chain of `suite`.
    pub fn open(settings: &Settings, suite: Suite) -> Result<Self, KeysError> {
        let passphrase = Passphrase::from_file(&settings.passphrase_file)?;
        let issuer = open(&settings.issuer_key_file, &passphrase, KeyKind::Ed25519Seed)?;
        let master = open(&settings.master_key_file, &passphrase, KeyKind::Symmetric)?;
        let blinding = |epoch, file: &Path| {
            let secret = open(file, &passphrase, KeyKind::Symmetric)?;
            Ok::<_, KeysError>(BlindingSecret::new(suite, epoch, &secret))
        };
        let former = settings.former_blinding_secrets.iter().map(|former| blinding(former.epoch, &former.file));
        let former = former.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            issuer: Arc::new(SoftwareKey::from_seed(&issuer)),
            master,
            blinding: Blinding::new(blinding(settings.blinding_epoch, &settings.blinding_secret_file)?, former),
            units: open_units(&settings.unit_keys_dir, &passphrase)?,
        })
    }

    /// A unit's key, if it is in this issuer's custody.
    pub fn unit(&self, key: KeyId) -> Option<&Arc<dyn Signer>> {
        self.units.get(&key)
    }

    /// The unit keys in custody.
    pub fn units(&self) -> impl Iterator<Item = (KeyId, &Arc<dyn Signer>)> {
        self.units.iter().map(|(key, signer)| (*key, signer))
    }
}

fn open_units(directory: &Path, passphrase: &Passphrase) -> Result<HashMap<KeyId, Arc<dyn Signer>>, KeysError> {
    let failed = |path: &Path, problem: String| KeysError::Directory { path: path.display().to_string(), problem };
    let mut units: HashMap<KeyId, Arc<dyn Signer>> = HashMap::new();
    for entry in std::fs::read_dir(directory).map_err(|error| failed(directory, error.to_string()))? {
        let path = entry.map_err(|error| failed(directory, error.to_string()))?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| path.extension() == Some("key".as_ref()));
        let id = stem.and_then(|stem| stem.parse::<u32>().ok().filter(|id| id.to_string() == stem));
        let id = id.ok_or_else(|| failed(&path, "is not named `<key id>.key`".to_owned()))?;
        let seed = open(&path, passphrase, KeyKind::Ed25519Seed)?;
        units.insert(KeyId::new(id), Arc::new(SoftwareKey::from_seed(&seed)));
    }
    Ok(units)
}
