//! A proposal from a readable description, or from a message that another program wrote.
//!
//! ```text
//! [[actions]]              as in `actions`
//! [actions.register_key]
//! key_id = 1021
//! …
//!
//! [[credentials]]          what is left out comes from the actions above, or from genesis
//! key_id = 1021
//! ```
//! A credential repeats what the registry says of a unit and a key, so that it is not typed twice. Not here: signatures, and
//! where sequence and expiry height come from.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use receipt_core::credential::UnitCredential;
use receipt_core::governance::{Action, Governance, KeyOwner, RegisterKey, RegisterUnit};
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, KeyId, UnitId, UnixMillis};
use receipt_core::limits;
use serde::Deserialize;
use tallystick_service::config::{ConfigError, Loaded, load};
use tallystick_service::durable;

use crate::actions::{ActionText, actions};
use crate::chain::Chain;
use crate::proposal::Proposal;
use crate::text::{AreaText, IdText, KeyText, NameText, TimeText, UnitCodeText};

/// A description of a proposal.
#[derive(Debug, Clone, Deserialize)]
pub struct ProposalText {
    /// Changes, in order.
    #[serde(default)]
    pub actions: Vec<ActionText>,
    /// Credentials to sign.
    #[serde(default)]
    pub credentials: Vec<CredentialText>,
}

/// A credential. Unit code, unit name and area code go together, and so do unit id, public key and times.
#[derive(Debug, Clone, Deserialize)]
pub struct CredentialText {
    /// The key.
    pub key_id: IdText,
    /// Its unit.
    pub unit_id: Option<IdText>,
    /// The public key.
    pub public_key: Option<KeyText>,
    /// First issue time it is valid for.
    pub valid_from: Option<TimeText>,
    /// First issue time it is no longer valid for.
    pub valid_until: Option<TimeText>,
    /// The unit's code.
    pub unit_code: Option<UnitCodeText>,
    /// The unit's name.
    pub unit_name: Option<NameText>,
    /// 监管机构代码.
    pub supervisor_area_code: Option<AreaText>,
}

/// Where in the chain's life a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The next sequence of governance.
    pub sequence: u64,
    /// Id of the message before, which the new one names; the chain id if there is none.
    pub previous: Hash,
    /// Last height at which the message may be taken.
    pub expiry: Height,
    /// Height of the ledger now: the message stands in no block below.
    pub look_from_height: u64,
}

/// A description that was read and checked, and waits for its position.
#[derive(Debug, Clone)]
pub struct Draft {
    actions: Vec<Action>,
    credentials: Vec<UnitCredential>,
}

impl Draft {
    /// Reads a description; every refusal names the key.
    pub fn read(path: &Path, chain: &Chain) -> Result<Self, ConfigError> {
        let loaded: Loaded<ProposalText> = load(path)?;
        let text = &loaded.value;
        if text.actions.is_empty() && text.credentials.is_empty() {
            return Err(loaded.invalid("actions", "is empty, and `credentials`, too: there is nothing to propose"));
        }
        let actions = actions(&text.actions).map_err(|(key, problem)| loaded.invalid(&key, problem))?;
        for (index, action) in actions.iter().enumerate() {
            if let Action::SetValidators(change) = action {
                let checked = change.validators.check_note_keys(&chain.genesis.origin);
                let key = format!("actions[{index}].set_validators");
                checked.map_err(|error| loaded.invalid(&key, error.to_string()))?;
            }
        }
        let twice = actions.iter().filter(|action| matches!(action, Action::SetAuthorities(_))).count() > 1;
        if twice {
            return Err(loaded.invalid("actions", "replaces the authorities twice; give the last set alone"));
        }
        let credentials = credentials(&loaded, &actions, chain)?;
        Ok(Self { actions, credentials })
    }

    /// Whether something changes on the ledger, so that a position is needed.
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// The unsigned proposal.
    pub fn propose(self, chain: &Chain, position: Option<Position>) -> Result<Proposal> {
        let governance = match (self.actions, position) {
            (actions, _) if actions.is_empty() => None,
            (actions, Some(Position { sequence, previous, expiry, .. })) => {
                Some(Governance { suite: chain.genesis.suite, area: chain.area, sequence, expiry, previous, actions })
            }
            (_, None) => anyhow::bail!("give `--node`, or `--sequence`, `--previous` and `--expiry-height`"),
        };
        let look_from_height = position.map_or(0, |position| position.look_from_height);
        Ok(Proposal::new(chain, governance, self.credentials, look_from_height)?)
    }
}

/// A proposal of a message as another program wrote it, for example `tallystick-issuer recover --plan`.
pub fn propose_message(path: &Path, chain: &Chain) -> Result<Proposal> {
    let bytes = durable::read(path, limits::ENTRY_BYTES_MAX)?;
    let message = Governance::decode(&bytes);
    let message = message.with_context(|| format!("{} is no governance message", path.display()))?;
    ensure!(message.encode() == bytes, "{} is no governance message in its canonical form", path.display());
    Ok(Proposal::new(chain, Some(message), Vec::new(), 0)?)
}

/// A further proposal of the message that `first` has, with the credentials of a description: those for which `first` has no room. Whoever
/// signs both signs one message, and the credentials of both are under the same authorities.
pub fn propose_beside(path: &Path, chain: &Chain, first: &Proposal) -> Result<Proposal> {
    let message = first.governance();
    let message = message.context("the first proposal changes nothing on the ledger: propose the credentials alone")?;
    let loaded: Loaded<ProposalText> = load(path)?;
    if !loaded.value.actions.is_empty() {
        return Err(loaded.invalid("actions", "are those of the first proposal: leave them out").into());
    }
    let credentials = credentials(&loaded, &message.actions, chain)?;
    if credentials.is_empty() {
        return Err(loaded.invalid("credentials", "is empty: there is nothing to propose").into());
    }
    let keys: Vec<KeyId> = first.credentials().map(|credential| credential.signing_key).collect();
    if let Some(index) = credentials.iter().position(|credential| keys.contains(&credential.signing_key)) {
        let problem = format!("key {} stands in the first proposal", credentials[index].signing_key);
        return Err(loaded.invalid(&format!("credentials[{index}]"), problem).into());
    }
    Ok(Proposal::new(chain, Some(message.clone()), credentials, first.look_from_height())?)
}

/// The credentials of a description, beside these actions.
fn credentials(
    loaded: &Loaded<ProposalText>,
    actions: &[Action],
    chain: &Chain,
) -> Result<Vec<UnitCredential>, ConfigError> {
    let known = Known { described: actions, genesis: &chain.genesis.actions };
    let mut credentials: Vec<UnitCredential> = Vec::new();
    for (index, text) in loaded.value.credentials.iter().enumerate() {
        let invalid = |problem: String| loaded.invalid(&format!("credentials[{index}]"), problem);
        let credential = known.credential(text, chain).map_err(invalid)?;
        if credentials.iter().any(|other| other.signing_key == credential.signing_key) {
            return Err(invalid(format!("key {} stands there twice", credential.signing_key)));
        }
        credentials.push(credential);
    }
    Ok(credentials)
}

/// Where the fields of a credential may be found.
struct Known<'a> {
    described: &'a [Action],
    genesis: &'a [Action],
}

impl Known<'_> {
    fn key(&self, key_id: u32) -> Option<&RegisterKey> {
        let mut all = self.described.iter().chain(self.genesis);
        all.find_map(|action| match action {
            Action::RegisterKey(key) if key.key_id == key_id => Some(key),
            _ => None,
        })
    }

    /// The unit as described last; else as genesis has it.
    fn unit(&self, unit_id: u32) -> Option<&RegisterUnit> {
        let mut newest_first = self.described.iter().rev().chain(self.genesis.iter().rev());
        newest_first.find_map(|action| match action {
            Action::RegisterUnit(unit) if unit.unit_id == unit_id => Some(unit),
            _ => None,
        })
    }

    fn credential(&self, text: &CredentialText, chain: &Chain) -> Result<UnitCredential, String> {
        let key_id = text.key_id.0;
        let of_key = match (text.unit_id, text.public_key, text.valid_from, text.valid_until) {
            (None, None, None, None) => {
                let key = self.key(key_id).ok_or_else(|| {
                    format!(
                        "key {key_id} is neither in the actions nor in genesis: add unit_id, public_key, valid_from"
                    )
                })?;
                of_registered(key)?
            }
            (Some(unit_id), Some(public_key), Some(valid_from), valid_until) => OfKey {
                unit_id: unit_id.0,
                public_key,
                valid_from: valid_from.0,
                valid_until: valid_until.map(|t| t.0),
            },
            _ => return Err("give all of unit_id, public_key and valid_from, or none of them".to_owned()),
        };
        let (unit_code, unit_name, supervisor_area_code) =
            match (&text.unit_code, &text.unit_name, &text.supervisor_area_code) {
                (None, None, None) => {
                    let unit_id = of_key.unit_id;
                    let unit = self.unit(unit_id).ok_or_else(|| {
                        let fields = "unit_code, unit_name, supervisor_area_code";
                        format!("unit {unit_id} is neither in the actions nor in genesis: add {fields}")
                    })?;
                    (unit.unit_code.clone(), unit.name.clone(), unit.supervisor_area_code.clone())
                }
                (Some(code), Some(name), Some(area)) => (code.0.clone(), name.0.clone(), area.0.clone()),
                _ => {
                    return Err("give all of unit_code, unit_name and supervisor_area_code, or none of them".to_owned());
                }
            };
        Ok(UnitCredential {
            suite: chain.genesis.suite,
            unit: UnitId::new(of_key.unit_id),
            unit_code,
            unit_name,
            supervisor_area_code,
            signing_key: KeyId::new(key_id),
            public_key: of_key.public_key.0,
            valid_from: of_key.valid_from,
            valid_until: of_key.valid_until,
        })
    }
}

/// The fields that come from a key.
struct OfKey {
    unit_id: u32,
    public_key: KeyText,
    valid_from: UnixMillis,
    valid_until: Option<UnixMillis>,
}

fn of_registered(key: &RegisterKey) -> Result<OfKey, String> {
    if key.owner_kind != KeyOwner::Unit.number() {
        return Err(format!("key {} is an issuer's; credentials are for units' keys", key.key_id));
    }
    let public_key = key.key().map_err(|error| error.to_string())?;
    let valid_until = (key.valid_until_ms != 0).then_some(UnixMillis::new(key.valid_until_ms));
    let valid_from = UnixMillis::new(key.valid_from_ms);
    Ok(OfKey { unit_id: key.owner_id, public_key: KeyText(public_key), valid_from, valid_until })
}

#[cfg(test)]
mod tests;
