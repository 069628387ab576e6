//! `keygen`: an issuer's keys, made where they are used.
//!
//! Private halves go into the key files that the config names; public halves are printed as actions for the descriptions that
//! `tallystick-authority` reads. A key file that exists is opened, never replaced. The blinding secret is made on request
//! alone: all issuers of a chain share one, so that a second issuer must be given the first one's. What a journal or the ledger's
//! registry hangs on is never made a second time: a new file in the place of a lost one would only hide the loss.

use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use receipt_core::blind::BlindingSecret;
use receipt_core::fingerprint::Fingerprint;
use receipt_core::ids::KeyId;
use receipt_core::state::RegisteredEpoch;
use receipt_core::suite::{PublicKey, Signer as _, SoftwareKey, Suite};
use tallystick_service::config_key::KeyError;
use tallystick_service::keyfile::{self, Held, KeyKind, Passphrase};
use tallystick_service::outpage;
use tallystick_service::rng::{Entropy, OsEntropy};
use tallystick_service::{durable, errln};

use crate::chain::load_chain;
use crate::config::Settings;
use crate::journal::Journal;
use crate::registry::RegistryView;
use crate::secrets;

/// What keys are made for: there may be no genesis yet.
const SUITE: Suite = Suite::Ed25519Sha256;

/// A unit key to make: `KEY_ID:UNIT_ID`, both registry numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitKey {
    /// Number of the key, and name of its file.
    pub key_id: u32,
    /// The unit whose records it signs.
    pub unit_id: u32,
}

impl FromStr for UnitKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once(':').and_then(|(key, unit)| Some((key.parse().ok()?, unit.parse().ok()?)));
        let (key_id, unit_id) = numbers.ok_or("must be KEY_ID:UNIT_ID, two registry numbers such as 1021:21")?;
        Ok(Self { key_id, unit_id })
    }
}

/// What to make beside the issuer's own key and its master key.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Unit keys.
    pub unit_keys: Vec<UnitKey>,
    /// The blinding secret, too.
    pub blinding_secret: bool,
}

/// Makes the missing keys and prints the public halves.
pub fn run(settings: &Settings, wanted: &Wanted) -> Result<()> {
    outpage!("{}", keygen(settings, wanted, &OsEntropy)?);
    Ok(())
}

fn keygen(settings: &Settings, wanted: &Wanted, entropy: &dyn Entropy) -> Result<String> {
    let passphrase = Passphrase::from_file(&settings.passphrase_file)
        .context("keys.passphrase_file: write a passphrase on one line into a file of mode 0600 first")?;
    refuse_second_ones(settings, wanted)?;
    let hold = |path: &Path, kind| hold(path, &passphrase, kind, entropy);
    let public = |held: Held| SoftwareKey::from_seed(&held.secret).public_key();
    hold(&settings.master_key_file, KeyKind::Symmetric)?;
    let mut text = "# For `tallystick-authority`; put in from when on each key is valid.\n".to_owned();
    if wanted.blinding_secret {
        let held = hold(&settings.blinding_secret_file, KeyKind::Symmetric)?;
        register_blinding(&mut text, &BlindingSecret::new(SUITE, settings.blinding_epoch, &held.secret));
    } else if !settings.blinding_secret_file.exists() {
        bail!(
            "{} is missing: all issuers of a chain share one blinding secret. Copy the first issuer's file, or make it here \
             with `--blinding-secret` if this is the first one",
            settings.blinding_secret_file.display()
        );
    }
    let issuer = public(hold(&settings.issuer_key_file, KeyKind::Ed25519Seed)?);
    register(&mut text, settings.issuer_key.get(), ("issuer", settings.issuer.get()), issuer);
    for UnitKey { key_id, unit_id } in &wanted.unit_keys {
        let file = settings.unit_keys_dir.join(format!("{key_id}.key"));
        register(&mut text, *key_id, ("unit", *unit_id), public(hold(&file, KeyKind::Ed25519Seed)?));
    }
    Ok(text)
}

/// Refuses where a file is missing that cannot be made anew: a secret of the journal that is there, or a key that is registered.
fn refuse_second_ones(settings: &Settings, wanted: &Wanted) -> Result<()> {
    if !settings.journal_dir.join("CURRENT").exists() {
        return Ok(());
    }
    secrets::require_old_files(settings)?;
    let journal = Journal::open_read_only(&settings.journal_dir, load_chain(settings)?.identity)?;
    let view = RegistryView::load(&journal)?;
    let registered = view.blinding.iter().find(|known| known.secret.epoch == settings.blinding_epoch);
    if registered.is_some_and(RegisteredEpoch::is_withdrawn) && !settings.blinding_secret_file.exists() {
        let epoch = settings.blinding_epoch;
        let problem = format!(
            "blinding epoch {epoch} was withdrawn on the ledger, and its number is not used again: give the next one (docs/ops/keys.md)"
        );
        return Err(KeyError::config("keys.blinding_epoch", problem).into());
    }
    if !wanted.blinding_secret || registered.is_some() {
        secrets::require_files(settings)?;
    }
    let refuse = |key: &str, id: KeyId, path: &Path| -> Result<()> {
        let problem = format!(
            "key {id} is registered, and {} is missing: put its copy back. If it is lost, give the new key another number, which \
             the authorities register (docs/ops/keys.md)",
            path.display()
        );
        Err(KeyError::config(key, problem).into())
    };
    let file = &settings.issuer_key_file;
    if view.own.public(settings.issuer_key).is_some() && !file.exists() {
        return refuse("keys.issuer_key_file", settings.issuer_key, file);
    }
    for UnitKey { key_id, .. } in &wanted.unit_keys {
        let file = settings.unit_keys_dir.join(format!("{key_id}.key"));
        let id = KeyId::new(*key_id);
        if view.unit_key(id).is_some() && !file.exists() {
            return refuse("keys.unit_keys_dir", id, &file);
        }
    }
    Ok(())
}

/// The action that registers the blinding secret.
fn register_blinding(text: &mut String, secret: &BlindingSecret) {
    let (epoch, fingerprint) = (secret.epoch(), Fingerprint::of_blinding(secret));
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        r#"
[[actions]]
[actions.register_blinding]
epoch = {epoch}
fingerprint = "{fingerprint}"
"#
    );
}

/// The action that registers a key.
fn register(text: &mut String, key_id: u32, (owner, owner_id): (&str, u32), key: PublicKey) {
    let key = hex::encode(key.0);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        r#"
[[actions]]
[actions.register_key]
key_id = {key_id}
owner = "{owner}"
owner_id = {owner_id}
public_key = "{key}"
valid_from = "YYYY-MM-DDT00:00:00+08:00"
"#
    );
}

/// The key in this file, made if there is none, and said on standard error which of both.
fn hold(path: &Path, passphrase: &Passphrase, kind: KeyKind, entropy: &dyn Entropy) -> Result<Held> {
    if let Some(directory) = path.parent() {
        durable::private_directory(directory)?;
    }
    let held = keyfile::open_or_make(path, passphrase, kind, entropy)?;
    errln!("{} {}", if held.is_new { "made" } else { "kept" }, path.display());
    Ok(held)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tallystick_service::rng::SeededEntropy;

    use super::*;
    use crate::keys::KeyRing;

    #[test]
    fn an_issuers_keys_are_made_once_and_printed_as_actions() {
        let directory = scratch::Directory::new();
        let path = directory.path().join("issuer.toml");
        std::fs::write(&path, include_str!("../issuer.example.toml")).unwrap();
        let settings = Settings::load(&path).unwrap();
        std::fs::create_dir(directory.path().join("keys")).unwrap();
        std::fs::write(&settings.passphrase_file, "correct horse\n").unwrap();
        std::fs::set_permissions(&settings.passphrase_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let unit_keys: Vec<UnitKey> = ["1021:21", "1022:22"].iter().map(|text| text.parse().unwrap()).collect();
        let mut wanted = Wanted { unit_keys, blinding_secret: false };
        let error = keygen(&settings, &wanted, &SeededEntropy::new(1)).unwrap_err().to_string();
        assert!(error.contains("--blinding-secret"), "{error}");
        wanted.blinding_secret = true;
        let printed = keygen(&settings, &wanted, &SeededEntropy::new(2)).unwrap();
        let again = keygen(&settings, &wanted, &SeededEntropy::new(3)).unwrap();
        assert_eq!(printed, again);
        let table: toml::Table = printed.parse().unwrap();
        let ring = KeyRing::open(&settings, receipt_core::suite::Suite::Ed25519Sha256).unwrap();
        let actions = table["actions"].as_array().unwrap();
        assert_eq!(actions.len(), 4);
        let blinding = &actions[0]["register_blinding"];
        assert_eq!(blinding["epoch"].as_integer(), Some(1));
        assert_eq!(blinding["fingerprint"].as_str(), Some(&*ring.blinding.epochs()[0].fingerprint.to_string()));
        let printed_key = |index: usize| actions[index + 1]["register_key"]["public_key"].as_str().unwrap().to_owned();
        assert_eq!(printed_key(0), hex::encode(ring.issuer.public_key().0));
        for (index, key_id) in [(1, 1021), (2, 1022)] {
            let unit = ring.unit(receipt_core::ids::KeyId::new(key_id)).unwrap();
            assert_eq!(printed_key(index), hex::encode(unit.public_key().0));
        }
    }

    #[test]
    fn a_unit_key_names_key_and_unit() {
        for bad in ["", "1", "1:", ":1", "a:1", "1:2:3", "-1:2"] {
            assert!(bad.parse::<UnitKey>().is_err(), "{bad}");
        }
        assert_eq!("7:8".parse(), Ok(UnitKey { key_id: 7, unit_id: 8 }));
    }
}
