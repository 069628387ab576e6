//! What must fit before a node votes: its keys and its certificate to the registry, its peers to the validator set.
//!
//! A validator that starts under another's key would sign what nobody counts, or what the other signs too. Each refusal names
//! the key of the configuration. Each other validator of the set must be among the peers: a node that talks to too few of them
//! waits for ever for lines and batches that the others have. A store that was made anew, or lacks heights at which this validator has voted, may know an old
//! set: of a key or a number that is nobody's there it cannot say whether it is wrong or newer. Then the node follows its
//! peers first, and is judged again when it is level with them (`participation`). Another validator's key is refused at once.

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

/// What this node says it is.
#[derive(Clone)]
pub(crate) struct Claims {
    config: Loaded<NodeConfig>,
    keys: [(&'static str, PublicKey, KeyOf); 3],
    certificate: PeerIdentity,
}

/// Why this node is not a validator of a set as it is configured.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// The refusal.
    pub error: ConfigError,
    /// Whether a newer set could have what this one lacks.
    pub may_be_newer: bool,
}

impl Claims {
    /// By configuration, key files and certificate.
    pub(crate) fn new(config: &Loaded<NodeConfig>, keys: &OwnKeys<'_>, certificate: PeerIdentity) -> Self {
        let public = |key: &SigningKey| PublicKey(key.verifying_key().to_bytes());
        let keys: [(&str, PublicKey, KeyOf); 3] = [
            ("keys.consensus", public(keys.consensus), |member| member.consensus_key),
            ("keys.log", public(keys.log), |member| member.log_key),
            ("keys.cosigner", public(keys.cosigner), |member| member.cosigner_key),
        ];
        Self { config: config.clone(), keys, certificate }
    }

    /// Compares them with a validator set.
    pub(crate) fn check(&self, set: &ValidatorSet) -> Result<(), Misfit> {
        // What no other set could mend comes first.
        self.check_certificate_and_peers()?;
        self.check_keys_of_others(set)?;
        let id = self.id();
        let newer =
            |key: &str, problem: String| Err(Misfit { error: self.config.invalid(key, problem), may_be_newer: true });
        let Some(own) = set.member(id) else {
            let members: Vec<String> = set.members().iter().map(|member| member.id.to_string()).collect();
            return newer(
                "validator_id",
                format!("{id} is not in the validator set, which has {}", members.join(", ")),
            );
        };
        if let Some((name, ..)) = self.keys.iter().find(|(_, key, registered)| registered(own) != *key) {
            let problem = "this key is of no validator, and not the one that the registry has for";
            return newer(name, format!("{problem} validator {id}"));
        }
        let peers: Vec<ValidatorId> =
            self.config.value.peers.iter().map(|peer| ValidatorId::new(peer.validator_id)).collect();
        if let Some(peer) = peers.iter().find(|peer| set.member(**peer).is_none()) {
            return newer("peers.validator_id", format!("{peer} is not in the validator set"));
        }
        let others = set.members().iter().filter(|member| member.id != id && !peers.contains(&member.id));
        let missing: Vec<String> = others.map(|member| format!("{} ({})", member.id, member.name)).collect();
        if !missing.is_empty() {
            let problem = format!(
                "validator {} of the set is missing; every other validator needs a [[peers]]",
                missing.join(", ")
            );
            return newer("peers.validator_id", problem);
        }
        Ok(())
    }

    fn id(&self) -> ValidatorId {
        ValidatorId::new(self.config.value.validator_id)
    }

    fn wrong(&self, key: &str, problem: String) -> Misfit {
        Misfit { error: self.config.invalid(key, problem), may_be_newer: false }
    }

    fn check_certificate_and_peers(&self) -> Result<(), Misfit> {
        let id = self.id();
        if self.certificate.role != Role::Validator || self.certificate.id != id.get() {
            let problem = format!("it names {}, not validator {id}", self.certificate);
            return Err(self.wrong("tls.certificate_chain", problem));
        }
        let mut seen = vec![id];
        for peer in &self.config.value.peers {
            let peer = ValidatorId::new(peer.validator_id);
            if seen.contains(&peer) {
                let problem = if peer == id { "is this node itself" } else { "stands there twice" };
                return Err(self.wrong("peers.validator_id", format!("{peer} {problem}")));
            }
            seen.push(peer);
        }
        Ok(())
    }

    fn check_keys_of_others(&self, set: &ValidatorSet) -> Result<(), Misfit> {
        let id = self.id();
        for (name, key, registered) in &self.keys {
            let owner = set.members().iter().find(|member| registered(member) == *key && member.id != id);
            if let Some(owner) = owner {
                let registry = "and not the one that the registry has for";
                let problem = format!("this key is validator {}'s, {registry} validator {id}", owner.id);
                return Err(self.wrong(name, problem));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use receipt_core::hash::tagged;
    use receipt_core::testkit::{TestChain, TestValidator};
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
            .map(|id| format!("[[peers]]{}", peer.replace("validator_id = 2", &format!("validator_id = {id}"))))
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
        // The last column: whether a newer set may have it.
        type Row<'a> = (u32, &'a [u32], [u32; 3], PeerIdentity, Option<([&'a str; 2], bool)>);
        let rows: [Row<'_>; 14] = [
            (1, &[2, 3, 4], [1, 1, 1], validator(1), None),
            (9, &[2], [9, 9, 9], validator(9), Some((["validator_id", "1, 2, 3, 4"], true))),
            (1, &[2], [2, 1, 1], validator(1), Some((["keys.consensus", "validator 2's"], false))),
            (1, &[2], [1, 9, 1], validator(1), Some((["keys.log", "of no validator"], true))),
            (1, &[2], [1, 1, 3], validator(1), Some((["keys.cosigner", "validator 3's"], false))),
            (1, &[2], [1, 1, 1], validator(2), Some((["tls.certificate_chain", "not validator 1"], false))),
            (1, &[2], [1, 1, 1], identity(Role::Issuer, 1), Some((["tls.certificate_chain", "issuer"], false))),
            (1, &[2, 2], [1, 1, 1], validator(1), Some((["peers.validator_id", "twice"], false))),
            (1, &[1], [1, 1, 1], validator(1), Some((["peers.validator_id", "itself"], false))),
            (9, &[2], [9, 2, 9], validator(9), Some((["keys.log", "validator 2's"], false))),
            (1, &[7], [1, 1, 1], validator(1), Some((["peers.validator_id", "not in the validator set"], true))),
            (1, &[2, 3], [1, 1, 1], validator(1), Some((["peers.validator_id", "4 (v4) of the set is missing"], true))),
            (3, &[1, 2], [3, 3, 3], validator(3), Some((["peers.validator_id", "4 (v4) of the set is missing"], true))),
            (
                1,
                &[],
                [1, 1, 1],
                validator(1),
                Some((["peers.validator_id", "2 (v2), 3 (v3), 4 (v4) of the set"], true)),
            ),
        ];
        for (row, (id, peers, owners, certificate, expected)) in rows.into_iter().enumerate() {
            let keys = [key(owners[0], "consensus"), key(owners[1], "log"), key(owners[2], "cosigner")];
            let keys = OwnKeys { consensus: &keys[0], log: &keys[1], cosigner: &keys[2] };
            let outcome = Claims::new(&loaded(id, peers), &keys, certificate).check(set);
            match expected {
                None => outcome.unwrap(),
                Some((parts, may_be_newer)) => {
                    let misfit = outcome.unwrap_err();
                    assert_eq!(misfit.may_be_newer, may_be_newer, "row {row}");
                    let problem = misfit.error.to_string();
                    assert!(parts.iter().all(|part| problem.contains(part)), "row {row}: {problem}");
                }
            }
        }
    }

    /// Validator 1's keys are replaced. A store made anew knows the old ones only.
    #[test]
    fn new_keys_are_unknown_at_genesis_and_fit_after_the_rotation() {
        let chain = TestChain::new();
        let genesis = chain.genesis().validators.clone();
        let rotated = [11, 2, 3, 4].map(TestValidator::new);
        let members = rotated.iter().map(TestValidator::public).map(|member| match member.id.get() {
            11 => Validator { id: ValidatorId::new(1), name: "v1".to_owned(), ..member },
            _ => member,
        });
        let newest = ValidatorSet::new(members.collect()).unwrap();
        let keys = [key(11, "consensus"), key(11, "log"), key(11, "cosigner")];
        let keys = OwnKeys { consensus: &keys[0], log: &keys[1], cosigner: &keys[2] };
        let claims = Claims::new(&loaded(1, &[2, 3, 4]), &keys, identity(Role::Validator, 1));
        assert!(claims.check(&genesis).unwrap_err().may_be_newer);
        claims.check(&newest).unwrap();
    }
}
