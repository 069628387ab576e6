//! A generated directory: complete, private where it must be, and repeatable from a seed.

use std::os::unix::fs::PermissionsExt as _;

use receipt_core::suite::Signer as _;
use tallystick_service::keyfile::{self, KeyKind, Passphrase};

use super::*;

fn options(seed: Option<u64>) -> NetworkOptions {
    NetworkOptions { seed, issuers: 2, load_hospitals: 1, ..NetworkOptions::default() }
}

fn generated(seed: Option<u64>) -> (scratch::Directory, Layout) {
    let directory = scratch::Directory::new();
    let layout = Layout::new(directory.path());
    generate(&layout, &options(seed)).unwrap();
    (directory, layout)
}

#[test]
fn genesis_trust_and_credentials_fit_together() {
    let (_directory, layout) = generated(None);
    let genesis = Genesis::decode(&std::fs::read(layout.genesis()).unwrap()).unwrap();
    let trust = TrustFile::parse(&std::fs::read_to_string(layout.trust()).unwrap()).unwrap();
    assert_eq!(trust.chain_id(), genesis.chain_id());
    assert_eq!(Description::read(&layout).unwrap().chain_id, hex::encode(genesis.chain_id().0.as_bytes()));
    assert_eq!(genesis.validators.members().len(), 4);
    for issuer_id in [1, 2] {
        let directory = layout.issuer(issuer_id);
        let passphrase = Passphrase::from_file(&directory.join("keys/passphrase")).unwrap();
        let mut credentials = 0;
        for entry in std::fs::read_dir(directory.join("credentials")).unwrap() {
            let path = entry.unwrap().path();
            let signed = SignedCredential::decode(&std::fs::read(&path).unwrap()).unwrap();
            assert!(signed.verify(genesis.chain_id(), &genesis.authority_set()));
            let number = path.file_stem().unwrap().to_str().unwrap();
            assert_eq!(signed.credential.signing_key.get().to_string(), number);
            let key_file = directory.join("keys/units").join(format!("{number}.key"));
            let seed = keyfile::open(&key_file, &passphrase, KeyKind::Ed25519Seed).unwrap();
            assert_eq!(SoftwareKey::from_seed(&seed).public_key(), signed.credential.public_key);
            credentials += 1;
        }
        assert_eq!(credentials, Registry::new(1, 26).unwrap().units.len());
        keyfile::open(&directory.join("keys/master.key"), &passphrase, KeyKind::Symmetric).unwrap();
    }
}

#[test]
fn only_the_owner_reads_keys() {
    let (directory, _layout) = generated(None);
    let mut pending = vec![directory.path().to_owned()];
    let mut keys = 0;
    while let Some(path) = pending.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|end| end == "key") || path.ends_with("passphrase") {
                let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", path.display());
                keys += 1;
            }
        }
    }
    // Three authorities, three keys of each validator, four and the units' of each issuer; TLS keys; passphrases.
    let units = Registry::new(1, 26).unwrap().units.len();
    let tls = 1 + 4 + 2 + Caller::CLIENTS.len();
    assert_eq!(keys, 3 + 3 * 4 + 2 * (3 + units) + tls + (1 + 4 + 2));
}

#[test]
fn the_same_seed_repeats_the_keys_and_no_seed_does_not() {
    let keys = |seed| {
        let (_directory, layout) = generated(seed);
        let genesis = Genesis::decode(&std::fs::read(layout.genesis()).unwrap()).unwrap();
        (genesis.authorities, genesis.validators)
    };
    assert_eq!(keys(Some(7)), keys(Some(7)));
    assert_ne!(keys(Some(7)), keys(Some(8)));
    assert_ne!(keys(None), keys(None));
}

#[test]
fn a_network_is_never_overwritten() {
    let (_directory, layout) = generated(Some(1));
    let before = std::fs::read(layout.genesis()).unwrap();
    assert!(generate(&layout, &options(Some(2))).is_err());
    assert_eq!(std::fs::read(layout.genesis()).unwrap(), before);
}

#[test]
fn the_configs_are_toml_and_name_the_other_validators() {
    let (_directory, layout) = generated(Some(1));
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap().parse::<toml::Table>().unwrap();
    for validator_id in 1..=4 {
        let config = read(layout.node_config(validator_id));
        let peers: Vec<i64> =
            config["peers"].as_array().unwrap().iter().map(|peer| peer["validator_id"].as_integer().unwrap()).collect();
        let others: Vec<i64> = (1..=4).filter(|id| *id != i64::from(validator_id)).collect();
        assert_eq!(peers, others);
    }
    for issuer_id in 1..=2 {
        let config = read(layout.issuer_config(issuer_id));
        assert_eq!(config["nodes"].as_array().unwrap().len(), 4);
        assert_eq!(config["keys"]["issuer_key_id"].as_integer(), Some(i64::from(issuer_id) * 1000));
    }
}
