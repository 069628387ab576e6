//! `keygen`: a validator's four keys, made where they are used.
//!
//! Private halves go into the key files that the config names; public halves are printed as a `[[validators]]` block for the
//! description from which `tallystick-authority` makes genesis or a change of the validator set; with `next_keys` there is a second block. A key file that exists is opened, never replaced: what was
//! interrupted is completed by a second call, which prints the same keys.

use std::path::Path;

use anyhow::Context as _;
use receipt_core::suite::{PublicKey, Signer as _, SoftwareKey};
use tallystick_service::config::{ConfigPath, Loaded};
use tallystick_service::durable;
use tallystick_service::errln;
use tallystick_service::keyfile::{self, KeyKind, Passphrase};
use tallystick_service::outpage;
use tallystick_service::rng::{Entropy, OsEntropy};

use crate::config::NodeConfig;

/// Makes the missing keys and prints all public halves.
pub fn run(config: &Loaded<NodeConfig>) -> anyhow::Result<()> {
    outpage!("{}", keygen(config, &OsEntropy)?);
    Ok(())
}

fn keygen(config: &Loaded<NodeConfig>, entropy: &dyn Entropy) -> anyhow::Result<String> {
    let files = &config.value.keys;
    let passphrase = config.resolve(&files.passphrase_file);
    let passphrase = Passphrase::from_file(&passphrase)
        .context("keys.passphrase_file: write a passphrase on one line into a file of mode 0600 first")?;
    let hold = |path: &ConfigPath| hold(&config.resolve(path), &passphrase, entropy);
    let (consensus, log) = (hold(&files.consensus)?, hold(&files.log)?);
    let cosigner = hold(&files.cosigner)?;
    let mut printed = format!(
        r#"# For the genesis description; put in the addresses at which the other validators reach this one.
{member}peer = {{ grpc = "{grpc}" }}
"#,
        member = member(config, [consensus, log, cosigner]),
        grpc = config.value.listen.grpc
    );
    if let Some(next) = &config.value.next_keys {
        let keys = [hold(&next.consensus)?, hold(&next.log)?, hold(&next.cosigner)?];
        printed +=
            &format!("\n# With [next_keys], for the set in which the keys are changed.\n{}", member(config, keys));
    }
    Ok(printed)
}

/// A `[[validators]]` block: consensus, log and cosigner key.
fn member(config: &Loaded<NodeConfig>, keys: [PublicKey; 3]) -> String {
    let id = config.value.validator_id;
    let [consensus, log, cosigner] = keys.map(|key| hex::encode(key.0));
    format!(
        r#"[[validators]]
id = {id}
name = "node-{id}"
consensus_key = "{consensus}"
log_key = "{log}"
cosigner_key = "{cosigner}"
"#
    )
}

/// The key in this file, made if there is none, and said on standard error which of both.
fn hold(path: &Path, passphrase: &Passphrase, entropy: &dyn Entropy) -> anyhow::Result<PublicKey> {
    if let Some(directory) = path.parent() {
        durable::private_directory(directory)?;
    }
    let held = keyfile::open_or_make(path, passphrase, KeyKind::Ed25519Seed, entropy)?;
    errln!("{} {}", if held.is_new { "made" } else { "kept" }, path.display());
    Ok(SoftwareKey::from_seed(&held.secret).public_key())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tallystick_service::rng::SeededEntropy;

    use super::*;

    #[test]
    fn keys_are_made_once_and_printed_as_toml() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.toml");
        std::fs::write(&path, include_str!("../node.example.toml")).unwrap();
        let config = NodeConfig::load(&path).unwrap();
        let error = keygen(&config, &OsEntropy).unwrap_err();
        assert!(format!("{error:#}").contains("keys.passphrase_file"), "{error:#}");
        std::fs::create_dir(directory.path().join("keys")).unwrap();
        let passphrase = directory.path().join("keys/passphrase");
        std::fs::write(&passphrase, "correct horse\n").unwrap();
        std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o600)).unwrap();
        let printed = keygen(&config, &SeededEntropy::new(1)).unwrap();
        let table: toml::Table = printed.parse().unwrap();
        let validator = table["validators"][0].as_table().unwrap();
        let mut keys: Vec<&str> = ["consensus_key", "log_key", "cosigner_key"]
            .iter()
            .map(|name| validator[*name].as_str().unwrap())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(validator["peer"]["grpc"].as_str(), Some("127.0.0.1:7101"));
        assert_eq!(keys.len(), 3, "each key is its own");
        std::fs::remove_file(directory.path().join("keys/log.key")).unwrap();
        let again = keygen(&config, &SeededEntropy::new(2)).unwrap();
        let changed = printed.lines().zip(again.lines()).filter(|(before, after)| before != after).count();
        assert_eq!(changed, 1, "only the missing key is made anew");
    }
}
