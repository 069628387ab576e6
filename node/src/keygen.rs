//! `keygen`: a validator's four keys, made where they are used.
//!
//! Private halves go into the key files that the config names; public halves are printed as a `[[validators]]` block for the
//! description from which `tallystick-authority` makes genesis or a change of the validator set; with `next_keys` there is a second block. A key file that exists is opened, never replaced: what was
//! interrupted is completed by a second call, which prints the same keys.
//!
//! A validator keeps its name for ever, and the ledger refuses a set that gives it another. So it is printed under the name that it has:
//! that of genesis, or that of the node's store. Only one that neither knows is given a name to begin with.

use std::path::Path;

use anyhow::Context as _;
use receipt_core::ids::ValidatorId;
use receipt_core::state::read_validator_name;
use receipt_core::suite::{PublicKey, Signer as _, SoftwareKey};
use tallystick_service::config::{ConfigPath, Loaded};
use tallystick_service::durable;
use tallystick_service::errln;
use tallystick_service::keyfile::{self, KeyKind, Passphrase};
use tallystick_service::outpage;
use tallystick_service::rng::{Entropy, OsEntropy};

use crate::app::read_genesis;
use crate::config::NodeConfig;
use crate::store::{OpenError, Store};

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
    let id = config.value.validator_id;
    let known = known_name(config)?;
    let choice = match known {
        Some(_) => "",
        None => "# The name may be another now; from the first set on that has it, it is this validator's for ever.\n",
    };
    let name = known.unwrap_or_else(|| format!("node-{id}"));
    let mut printed = format!(
        r#"# For the genesis description; put in the addresses at which the other validators reach this one.
{choice}{member}peer = {{ grpc = "{grpc}" }}
"#,
        member = member(id, &name, [consensus, log, cosigner]),
        grpc = config.value.listen.grpc
    );
    if let Some(next) = &config.value.next_keys {
        let keys = [hold(&next.consensus)?, hold(&next.log)?, hold(&next.cosigner)?];
        printed +=
            &format!("\n# With [next_keys], for the set in which the keys are changed.\n{}", member(id, &name, keys));
    }
    Ok(printed)
}

/// The name that belongs to this validator, as far as this machine can know: nothing of a chain need be there yet.
fn known_name(config: &Loaded<NodeConfig>) -> anyhow::Result<Option<String>> {
    let id = ValidatorId::new(config.value.validator_id);
    let Ok(genesis) = read_genesis(config) else { return Ok(None) };
    if let Some(member) = genesis.validators.member(id) {
        return Ok(Some(member.name.clone()));
    }
    // The node may be running: the row that is read is written once and never changed.
    let path = config.resolve(&config.value.data_dir);
    let unread = || {
        let path = path.display();
        format!(
            "data_dir: {path} holds a node store that cannot be read, and the validator may have a name there; mend it, or move it away"
        )
    };
    match Store::open_read_only(&path, &genesis) {
        Ok(store) => read_validator_name(&store, id).with_context(unread),
        Err(OpenError::Missing { .. }) => Ok(None),
        Err(error) => Err(error).with_context(unread),
    }
}

/// A `[[validators]]` block: consensus, log and cosigner key.
fn member(id: u32, name: &str, keys: [PublicKey; 3]) -> String {
    let [consensus, log, cosigner] = keys.map(|key| hex::encode(key.0));
    format!(
        r#"[[validators]]
id = {id}
name = "{name}"
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

    use receipt_core::state::NoCache;
    use receipt_core::testkit::{TestChain, TestValidator};
    use tallystick_service::rng::SeededEntropy;

    use super::*;
    use crate::ledger::Ledger;
    use crate::testing::config_in;

    /// The ledger refused the set in which a validator changed its keys, because `keygen` called it node-N: "a validator keeps its name".
    #[test]
    fn a_validator_is_printed_under_the_name_that_it_has_on_the_ledger() {
        let mut chain = TestChain::new();
        chain.rotate_validators((1..=5).map(TestValidator::new).collect());
        for (id, joins, is_chosen) in [(2, false, false), (5, false, true), (5, true, false)] {
            let directory = scratch::Directory::new();
            let own = directory.path().join("node");
            std::fs::create_dir_all(own.join("keys")).unwrap();
            std::fs::write(own.join("genesis.bin"), chain.genesis().encode()).unwrap();
            let passphrase = own.join("keys/passphrase");
            std::fs::write(&passphrase, "correct horse\n").unwrap();
            std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o600)).unwrap();
            let config = config_in(&own, id, &[1]);
            let running = joins.then(|| {
                let store = Store::init(&own.join("data"), chain.genesis()).unwrap();
                let ledger = Ledger::new(store, chain.genesis().clone());
                for block in &chain.blocks()[1..] {
                    let executed = ledger.execute(&block.bytes, &NoCache, [0; 32]).unwrap();
                    ledger.store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
                }
                ledger
            });
            let printed = keygen(&config, &SeededEntropy::new(1)).unwrap();
            let table: toml::Table = printed.parse().unwrap();
            let name = if is_chosen { format!("node-{id}") } else { TestValidator::new(id).public().name };
            assert_eq!(table["validators"][0]["name"].as_str(), Some(name.as_str()), "{id} {joins}");
            assert_eq!(printed.contains("# The name may be another now"), is_chosen, "{printed}");
            drop(running);
            if joins {
                // Before, it printed the name of a new validator here, and the ledger refuses a set with that name.
                std::fs::write(own.join("data/CURRENT"), "no manifest\n").unwrap();
                let error = format!("{:#}", keygen(&config, &SeededEntropy::new(1)).unwrap_err());
                assert!(error.contains("data_dir: ") && error.contains("cannot be read"), "{error}");
            }
        }
    }

    #[test]
    fn keys_are_made_once_and_printed_as_toml() {
        let directory = scratch::Directory::new();
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
