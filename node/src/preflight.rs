//! What must fit before a node opens a port: its keys and its certificate to the registry, its peers to the validator set.
//!
//! A validator that starts under another's key would sign what nobody counts, or what the other signs too. Each refusal names
//! the key of the configuration.

use ed25519_dalek::SigningKey;
use receipt_core::ids::ValidatorId;
use receipt_core::suite::PublicKey;
use receipt_core::validators::{Validator, ValidatorSet};
use tallystick_service::config::{ConfigError, Loaded};
use tallystick_service::identity::{PeerIdentity, Role};

use crate::config::NodeConfig;

/// A registered key of a validator.
type KeyOf = fn(&Validator) -> PublicKey;

/// Secret keys as read from the files.
pub(crate) struct OwnKeys<'a> {
    /// Signs votes.
    pub consensus: &'a SigningKey,
    /// Signs checkpoints as the log.
    pub log: &'a SigningKey,
    /// Cosigns checkpoints.
    pub cosigner: &'a SigningKey,
}

/// Compares configuration and files with the validator set of the next height.
pub(crate) fn check(
    config: &Loaded<NodeConfig>,
    set: &ValidatorSet,
    keys: &OwnKeys<'_>,
    certificate: &PeerIdentity,
) -> Result<(), ConfigError> {
    let id = ValidatorId::new(config.value.validator_id);
    let Some(own) = set.member(id) else {
        let members: Vec<String> = set.members().iter().map(|member| member.id.to_string()).collect();
        let problem = format!("{id} is not in the validator set, which has {}", members.join(", "));
        return Err(config.invalid("validator_id", problem));
    };
    let rows: [(&str, &SigningKey, KeyOf); 3] = [
        ("keys.consensus", keys.consensus, |member| member.consensus_key),
        ("keys.log", keys.log, |member| member.log_key),
        ("keys.cosigner", keys.cosigner, |member| member.cosigner_key),
    ];
    for (name, key, registered) in rows {
        let public = PublicKey(key.verifying_key().to_bytes());
        if registered(own) != public {
            let owner = set.members().iter().find(|member| registered(member) == public);
            let whose = owner.map_or("of no validator".to_owned(), |owner| format!("validator {}'s", owner.id));
            let problem = format!("this key is {whose}, and not the one that the registry has for validator {id}");
            return Err(config.invalid(name, problem));
        }
    }
    if certificate.role != Role::Validator || certificate.id != id.get() {
        let problem = format!("it names {certificate}, not validator {id}");
        return Err(config.invalid("tls.certificate_chain", problem));
    }
    let mut seen = Vec::new();
    for peer in &config.value.peers {
        let peer = ValidatorId::new(peer.validator_id);
        let problem = match () {
            () if peer == id => format!("{peer} is this node itself"),
            () if seen.contains(&peer) => format!("{peer} stands there twice"),
            () if set.member(peer).is_none() => format!("{peer} is not in the validator set"),
            () => {
                seen.push(peer);
                continue;
            }
        };
        return Err(config.invalid("peers.validator_id", problem));
    }
    Ok(())
}

/// Raises the process's own bound on open files to what the system allows: connections and database share it.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::info!(%error, "the bound on open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use receipt_core::hash::tagged;
    use receipt_core::testkit::TestChain;
    use tallystick_service::config;

    use super::*;
    use crate::testing::identity;

    fn key(id: u32, role: &str) -> SigningKey {
        let seed = tagged("tallystick/testkit/v1", &[format!("validator-{id}-{role}").as_bytes()]);
        SigningKey::from_bytes(&seed.0)
    }

    fn loaded(validator_id: u32, peers: &[u32]) -> Loaded<NodeConfig> {
        let example = include_str!("../node.example.toml");
        let (head, tail) = example.split_once("[[peers]]").unwrap();
        let (peer, tail) = tail.split_once("\n[").unwrap();
        let peers: Vec<String> = peers
            .iter()
            .map(|id| format!("[[peers]]{}", peer.replace("validator_id   = 2", &format!("validator_id = {id}"))))
            .collect();
        let lines = head.lines().map(|line| match line.split_once('=') {
            Some((name, _)) if name.trim() == "validator_id" => format!("validator_id = {validator_id}"),
            _ => line.to_owned(),
        });
        let text = format!("{}\n{}\n[{tail}", lines.collect::<Vec<_>>().join("\n"), peers.join("\n"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        config::load(&path).unwrap()
    }

    /// One row per thing that does not fit: what is given, and what the refusal says.
    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let chain = TestChain::new();
        let set = &chain.genesis().validators;
        let validator = |id| identity(Role::Validator, id);
        type Row<'a> = (u32, &'a [u32], [u32; 3], PeerIdentity, Option<[&'a str; 2]>);
        let rows: [Row<'_>; 10] = [
            (1, &[2, 3, 4], [1, 1, 1], validator(1), None),
            (9, &[2], [9, 9, 9], validator(9), Some(["validator_id", "1, 2, 3, 4"])),
            (1, &[2], [2, 1, 1], validator(1), Some(["keys.consensus", "validator 2's"])),
            (1, &[2], [1, 9, 1], validator(1), Some(["keys.log", "of no validator"])),
            (1, &[2], [1, 1, 3], validator(1), Some(["keys.cosigner", "validator 3's"])),
            (1, &[2], [1, 1, 1], validator(2), Some(["tls.certificate_chain", "not validator 1"])),
            (1, &[2], [1, 1, 1], identity(Role::Issuer, 1), Some(["tls.certificate_chain", "issuer"])),
            (1, &[2, 2], [1, 1, 1], validator(1), Some(["peers.validator_id", "twice"])),
            (1, &[1], [1, 1, 1], validator(1), Some(["peers.validator_id", "itself"])),
            (1, &[7], [1, 1, 1], validator(1), Some(["peers.validator_id", "not in the validator set"])),
        ];
        for (row, (id, peers, owners, certificate, expected)) in rows.into_iter().enumerate() {
            let keys = [key(owners[0], "consensus"), key(owners[1], "log"), key(owners[2], "cosigner")];
            let keys = OwnKeys { consensus: &keys[0], log: &keys[1], cosigner: &keys[2] };
            let outcome = check(&loaded(id, peers), set, &keys, &certificate).map_err(|error| error.to_string());
            match expected {
                None => assert_eq!(outcome, Ok(()), "row {row}"),
                Some(parts) => {
                    let problem = outcome.unwrap_err();
                    assert!(parts.iter().all(|part| problem.contains(part)), "row {row}: {problem}");
                }
            }
        }
    }
}
