//! What belongs to one validator for ever: its number, its name, its keys.
//!
//! A note names its signers by agency and key, evidence by number, trust files keep retired keys. If somebody else could take them
//! over, old statements would seem to be its own. So every set that comes into force is written down, and a later set is refused that gives a
//! number, a name or a key to another. Whoever left may come back under its own.
//!
//! ```text
//! ValidatorsEver   1 ‖ id u32              name
//!                  2 ‖ name                id u32
//!                  3 ‖ public key [32]     id u32 ‖ role u8 (1 consensus, 2 log, 3 cosigner)
//! ```
//! Written when a set comes into force, not when it is decided on: a mistake that is corrected before that claims nothing.

use super::action::{ActionResult, require};
use super::overlay::{Overlay, StateRead};
use super::reading::ReadError;
use super::tables::Table;
use crate::ids::ValidatorId;
use crate::validators::{Validator, ValidatorSet};

fn name_key(id: ValidatorId) -> Vec<u8> {
    [&[1][..], &id.get().to_be_bytes()].concat()
}

/// The name that belongs to this number, if it was in a set that came into force.
pub fn read_validator_name(state: &impl StateRead, id: ValidatorId) -> Result<Option<String>, ReadError> {
    let name = state.get(Table::ValidatorsEver, &name_key(id))?;
    name.map(|name| String::from_utf8(name).map_err(|_| ReadError::corrupt("a validator's name"))).transpose()
}

/// Keys and values of one member.
fn rows(member: &Validator) -> [(Vec<u8>, Vec<u8>); 5] {
    let id = member.id.get().to_be_bytes();
    let key = |role: u8, key: &[u8; 32]| ([&[3][..], key].concat(), [&id[..], &[role]].concat());
    [
        (name_key(member.id), member.name.as_bytes().to_vec()),
        ([&[2][..], member.name.as_bytes()].concat(), id.to_vec()),
        key(1, &member.consensus_key.0),
        key(2, &member.log_key.0),
        key(3, &member.cosigner_key.0),
    ]
}

/// Writes down a set that comes into force.
pub(super) fn claim(overlay: &mut Overlay<'_>, set: &ValidatorSet) {
    for (key, value) in set.members().iter().flat_map(rows) {
        overlay.write(Table::ValidatorsEver, key, value);
    }
}

/// Refuses a set that gives what was one validator's to another.
pub(super) fn check(overlay: &Overlay<'_>, set: &ValidatorSet) -> ActionResult {
    for member in set.members() {
        let [id, name, keys @ ..] = rows(member);
        let is_free = |(key, value): &(Vec<u8>, Vec<u8>)| -> Result<bool, ReadError> {
            Ok(overlay.read(Table::ValidatorsEver, key)?.is_none_or(|holder| holder == *value))
        };
        require(is_free(&id)?, "a validator keeps its name, and a number belongs to one validator for ever")?;
        require(is_free(&name)?, "a validator's name belongs to it for ever")?;
        for key in &keys {
            require(is_free(key)?, "a key was another validator's, or of another role")?;
        }
    }
    Ok(())
}
