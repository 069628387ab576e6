//! What must fit before a node votes: its keys and its certificate to the registry, its peers to the validator set.
//!
//! A validator that starts under another's key would sign what nobody counts, or what the other signs too. Each refusal names
//! the key of the configuration. Each other validator of the set must be among the peers: a node that talks to too few of them
//! waits for ever for lines and batches that the others have. Peers beyond the set are allowed: who joins, and who has left. A node whose
//! number is not in the set follows without a vote (`membership`); one whose number is there must hold the keys that the set has, or those
//! that a set has on which governance has decided already.
//!
//! A store may know an old set (made anew, restored, or of a node that stood while the set changed): of a key that is nobody's there, or
//! of a peer that is missing, it cannot say whether the configuration is wrong or newer. Then the node follows its peers first, and is
//! judged again when it is level with them (`participation`). Another validator's key is refused at once.

use std::sync::Arc;

use receipt_core::ids::ValidatorId;
use receipt_core::suite::PublicKey;
use receipt_core::validators::{Validator, ValidatorSet};
use tallystick_service::config::{ConfigError, Loaded};
use tallystick_service::identity::{PeerIdentity, Role};

use crate::config::NodeConfig;
use crate::ledger::Sets;
use crate::membership::Membership;

/// A registered key of a validator.
type KeyOf = fn(&Validator) -> PublicKey;

/// Keys of the configuration, by its tables, and what they are compared with.
const KEYS: [[(&str, KeyOf); 3]; 2] = [
    [
        ("keys.consensus", |member| member.consensus_key),
        ("keys.log", |member| member.log_key),
        ("keys.cosigner", |member| member.cosigner_key),
    ],
    [
        ("next_keys.consensus", |member| member.consensus_key),
        ("next_keys.log", |member| member.log_key),
        ("next_keys.cosigner", |member| member.cosigner_key),
    ],
];

/// What this node says it is.
#[derive(Clone)]
pub(crate) struct Claims {
    config: Loaded<NodeConfig>,
    keys: Vec<(&'static str, PublicKey, KeyOf)>,
    membership: Arc<Membership>,
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
    /// The claims of a configuration, its key files and its certificate.
    pub(crate) fn new(config: &Loaded<NodeConfig>, membership: Arc<Membership>, certificate: PeerIdentity) -> Self {
        let named = membership.keys().iter().zip(KEYS).flat_map(|(keys, names)| keys.public().into_iter().zip(names));
        let keys = named.map(|(key, (name, registered))| (name, key, registered)).collect();
        Self { config: config.clone(), keys, membership, certificate }
    }

    /// Compares them with the validator sets of now and of soon.
    pub(crate) fn check(&self, sets: &Sets) -> Result<(), Misfit> {
        let set = &sets.next;
        // Check first what would be wrong under any validator set, then what depends on the set.
        self.check_certificate_and_peers()?;
        for set in [Some(set), sets.announced.as_ref()].into_iter().flatten() {
            self.check_keys_of_others(set)?;
        }
        let id = self.id();
        let newer =
            |key: &str, problem: String| Err(Misfit { error: self.config.invalid(key, problem), may_be_newer: true });
        let is_announced = sets.announced.as_ref().is_some_and(|set| self.membership.keys_in(set).is_some());
        if let Some(own) = set.member(id).filter(|_| self.membership.keys_in(set).is_none() && !is_announced) {
            let wrong = self.keys.iter().find(|(_, key, registered)| registered(own) != *key);
            let name = wrong.map_or("keys.consensus", |(name, ..)| name);
            let problem = "this key is of no validator, and not the one that the registry has for";
            return newer(name, format!("{problem} validator {id}"));
        }
        let peers: Vec<ValidatorId> =
            self.config.value.peers.iter().map(|peer| ValidatorId::new(peer.validator_id)).collect();
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
    use ed25519_dalek::SigningKey;
    use receipt_core::hash::tagged;
    use receipt_core::testkit::{TestChain, TestValidator};

    use super::*;
    use crate::membership::ValidatorKeys;
    use crate::testing::{config as loaded, identity};

    fn key(id: u32, role: &str) -> SigningKey {
        let seed = tagged("tallystick/testkit/v1", &[format!("validator-{id}-{role}").as_bytes()]);
        SigningKey::from_bytes(&seed.0)
    }

    fn membership(id: u32, keys: &[[SigningKey; 3]]) -> Arc<Membership> {
        let keys = keys.iter().cloned().map(|[consensus, log, cosigner]| ValidatorKeys { consensus, log, cosigner });
        Arc::new(Membership::new(ValidatorId::new(id), keys.collect()))
    }

    /// The keys of a test validator; `new`: after their change.
    fn keys_of(id: u32, new: bool) -> [SigningKey; 3] {
        let validator = if new { TestValidator::with_new_keys(id) } else { TestValidator::new(id) };
        let [log, cosigner] = validator.note_keys();
        [validator.consensus_key(), log, cosigner]
    }

    /// One row per thing that does not fit: what is given, and what the refusal says.
    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let chain = TestChain::new();
        let sets = Sets { next: chain.genesis().validators.clone(), announced: None };
        let validator = |id| identity(Role::Validator, id);
        // In the last column: whether it may be right under a newer set.
        type Row<'a> = (u32, &'a [u32], [u32; 3], PeerIdentity, Option<([&'a str; 2], bool)>);
        let rows: [Row<'_>; 16] = [
            (1, &[2, 3, 4], [1, 1, 1], validator(1), None),
            // A node that is in no set follows without voting.
            (9, &[1, 2, 3, 4], [9, 9, 9], validator(9), None),
            (9, &[1, 2], [9, 9, 9], validator(9), Some((["peers.validator_id", "3 (v3), 4 (v4) of the set"], true))),
            (1, &[2], [2, 1, 1], validator(1), Some((["keys.consensus", "validator 2's"], false))),
            (1, &[2], [1, 9, 1], validator(1), Some((["keys.log", "of no validator"], true))),
            (1, &[2], [1, 1, 3], validator(1), Some((["keys.cosigner", "validator 3's"], false))),
            (1, &[2], [1, 1, 1], validator(2), Some((["tls.certificate_chain", "not validator 1"], false))),
            (1, &[2], [1, 1, 1], identity(Role::Issuer, 1), Some((["tls.certificate_chain", "issuer"], false))),
            (1, &[2, 2], [1, 1, 1], validator(1), Some((["peers.validator_id", "twice"], false))),
            (1, &[1], [1, 1, 1], validator(1), Some((["peers.validator_id", "itself"], false))),
            (9, &[2], [9, 2, 9], validator(9), Some((["keys.log", "validator 2's"], false))),
            // A peer that joins, or that has left.
            (1, &[2, 3, 4, 7], [1, 1, 1], validator(1), None),
            (1, &[7], [1, 1, 1], validator(1), Some((["peers.validator_id", "2 (v2), 3 (v3), 4 (v4)"], true))),
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
            let outcome = Claims::new(&loaded(id, peers), membership(id, &[keys]), certificate).check(&sets);
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

    /// Validator 1's keys are replaced: which it may hold before the change is decided on, between that and the first height of the new
    /// set, and after it. A store made anew knows the old ones only.
    #[test]
    fn keys_fit_if_the_set_of_now_or_the_announced_one_has_them() {
        let old = TestChain::new().genesis().validators.clone();
        let members =
            [TestValidator::with_new_keys(1), TestValidator::new(2), TestValidator::new(3), TestValidator::new(4)];
        let new = ValidatorSet::new(members.iter().map(TestValidator::public).collect()).unwrap();
        let (before, after) =
            (Sets { next: old.clone(), announced: None }, Sets { next: new.clone(), announced: None });
        let between = Sets { next: old, announced: Some(new) };
        let (own_old, own_new) = (keys_of(1, false), keys_of(1, true));
        let fits = |keys: &[[SigningKey; 3]], sets: &Sets| {
            let claims = Claims::new(&loaded(1, &[2, 3, 4]), membership(1, keys), identity(Role::Validator, 1));
            claims.check(sets).map_err(|misfit| misfit.may_be_newer)
        };
        assert_eq!(
            [&before, &between, &after].map(|sets| fits(std::slice::from_ref(&own_old), sets)),
            [Ok(()), Ok(()), Err(true)]
        );
        assert_eq!(
            [&before, &between, &after].map(|sets| fits(std::slice::from_ref(&own_new), sets)),
            [Err(true), Ok(()), Ok(())]
        );
        let both = [own_old.clone(), own_new.clone()];
        assert_eq!([&before, &between, &after].map(|sets| fits(&both, sets)), [Ok(()); 3]);
        // All three keys must be of the same set.
        let [consensus, ..] = own_new;
        let [_, log, cosigner] = own_old;
        assert_eq!(fits(&[[consensus, log, cosigner]], &between), Err(true));
    }
}
