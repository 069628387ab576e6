//! What belongs to one holder for ever: a validator's number and name, and every key of validators, authorities, units and issuers.
//!
//! A note names its signers by agency and key, evidence by number, trust files keep retired keys. If somebody else could take them
//! over, old statements would seem to be its own. So every set that comes into force is written down, and a later set is refused that gives a
//! number, a name or a key to another. A validator that left may come back under its own. A key has one role: it lies where that
//! role needs it, and an authority's never lies on a machine with a network.
//!
//! ```text
//! Holders   1 ‖ id u32              name
//!           2 ‖ name                id u32
//!           3 ‖ public key [32]     holder u32 ‖ role u8 (1 consensus, 2 log, 3 cosigner, 4 authority, 5 unit, 6 issuer)
//! ```
//! The holder is the number of the validator, unit or issuer; of an authority, which has no other name than its key, that of its area, or 0. Validators' rows are
//! written when their set comes into force, not when it is decided on: a mistake that is corrected before that claims nothing.

use super::action::{ActionResult, require};
use super::overlay::{Overlay, StateRead};
use super::reading::ReadError;
use super::tables::Table;
use crate::authorities::AuthoritySet;
use crate::governance::{KeyOwner, RegisterKey};
use crate::ids::ValidatorId;
use crate::suite::PublicKey;
use crate::validators::{Validator, ValidatorSet};

/// Why a unit's or issuer's key is refused that another has.
pub(super) const REGISTERED: &str = "the key is somebody else's, or of another role";
/// The holder of keys of the chain's own authorities.
pub(super) const OF_THE_CHAIN: u32 = 0;
const AUTHORITY: u8 = 4;
const UNIT: u8 = 5;
const ISSUER: u8 = 6;

fn key_row(key: &[u8]) -> Vec<u8> {
    [&[3][..], key].concat()
}

fn held_by(holder: u32, role: u8) -> Vec<u8> {
    [&holder.to_be_bytes()[..], &[role]].concat()
}

fn name_key(id: ValidatorId) -> Vec<u8> {
    [&[1][..], &id.get().to_be_bytes()].concat()
}

/// The name that belongs to this number, if it was in a set that came into force.
pub fn read_validator_name(state: &impl StateRead, id: ValidatorId) -> Result<Option<String>, ReadError> {
    let name = state.get(Table::Holders, &name_key(id))?;
    name.map(|name| String::from_utf8(name).map_err(|_| ReadError::corrupt("a validator's name"))).transpose()
}

/// Keys and values of one member.
fn rows(member: &Validator) -> [(Vec<u8>, Vec<u8>); 5] {
    let id = member.id.get().to_be_bytes();
    let key = |role: u8, key: &PublicKey| (key_row(&key.0), held_by(member.id.get(), role));
    [
        (name_key(member.id), member.name.as_bytes().to_vec()),
        ([&[2][..], member.name.as_bytes()].concat(), id.to_vec()),
        key(1, &member.consensus_key),
        key(2, &member.log_key),
        key(3, &member.cosigner_key),
    ]
}

/// Writes down a set that comes into force.
pub(super) fn claim(overlay: &mut Overlay<'_>, set: &ValidatorSet) {
    for (key, value) in set.members().iter().flat_map(rows) {
        overlay.write(Table::Holders, key, value);
    }
}

/// Refuses a set that gives what was one validator's to another.
pub(super) fn check(overlay: &Overlay<'_>, set: &ValidatorSet) -> ActionResult {
    for member in set.members() {
        let [id, name, keys @ ..] = rows(member);
        let is_free = |(key, value): &(Vec<u8>, Vec<u8>)| -> Result<bool, ReadError> {
            Ok(overlay.read(Table::Holders, key)?.is_none_or(|holder| holder == *value))
        };
        require(is_free(&id)?, "a validator keeps its name, and a number belongs to one validator for ever")?;
        require(is_free(&name)?, "a validator's name belongs to it for ever")?;
        for key in &keys {
            require(is_free(key)?, "a key was another validator's, or of another role")?;
        }
    }
    Ok(())
}

/// Writes down authorities that come into force: of the chain ([`OF_THE_CHAIN`]), or of the area with this number.
pub(super) fn claim_authorities(overlay: &mut Overlay<'_>, set: &AuthoritySet, holder: u32) {
    for key in &set.keys {
        overlay.write(Table::Holders, key_row(&key.0), held_by(holder, AUTHORITY));
    }
}

/// Whether somebody has, or had, this key.
pub(super) fn is_held(overlay: &Overlay<'_>, key: &PublicKey) -> Result<bool, ReadError> {
    overlay.contains(Table::Holders, &key_row(&key.0))
}

/// Writes down a unit's or issuer's key. It may be registered again for the same owner, under another number.
pub(super) fn claim_registered(overlay: &mut Overlay<'_>, key: &RegisterKey) -> ActionResult {
    let role = if key.owner_kind == KeyOwner::Unit.number() { UNIT } else { ISSUER };
    let (row, value) = (key_row(&key.public_key), held_by(key.owner_id, role));
    let holder = overlay.read(Table::Holders, &row)?;
    require(holder.is_none_or(|holder| holder == value), REGISTERED)?;
    overlay.write(Table::Holders, row, value);
    Ok(())
}
