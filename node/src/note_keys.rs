//! The note keys of a validator set, examined once.
//!
//! Whether a key is a canonical, torsion-free point costs more than a signature; a set rarely changes. Not here: signing and
//! judging lines (`seal`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use receipt_core::ids::ValidatorId;
use receipt_core::note::{KeyKind, Policy, VerifierKey};
use receipt_core::trust::policy_of;
use receipt_core::validators::ValidatorSet;

/// A set, its policy and its members' keys.
pub(crate) struct NoteKeys {
    set: ValidatorSet,
    policy: Policy,
    /// Log key and cosigner key, in the set's order.
    members: Vec<[VerifierKey; 2]>,
}

impl NoteKeys {
    fn new(origin: &str, set: ValidatorSet) -> Result<Self, String> {
        let policy = policy_of(origin, &set).map_err(|error| error.to_string())?;
        let keys = |member: &receipt_core::validators::Validator| {
            let log = VerifierKey::new(origin, KeyKind::Log, member.log_key.0)?;
            Ok([log, VerifierKey::new(&member.cosigner_name(origin), KeyKind::Cosigner, member.cosigner_key.0)?])
        };
        let members = set.members().iter().map(keys).collect::<Result<_, receipt_core::note::KeyError>>();
        Ok(Self { members: members.map_err(|error| error.to_string())?, set, policy })
    }

    /// Log key and cosigner key of a member.
    pub(crate) fn of(&self, id: ValidatorId) -> Option<&[VerifierKey; 2]> {
        self.set.members().iter().zip(&self.members).find_map(|(member, keys)| (member.id == id).then_some(keys))
    }

    /// What a note of this set needs.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The members that a note needs.
    pub(crate) fn quorum(&self) -> usize {
        self.set.quorum()
    }
}

/// Sets whose keys are kept: at a handover two are asked for in turn.
const SETS_KEPT: usize = 2;

/// The keys of the sets that were asked for last.
pub(crate) struct NoteKeysOfSet {
    origin: String,
    last: Mutex<VecDeque<Arc<NoteKeys>>>,
}

impl NoteKeysOfSet {
    pub(crate) fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned(), last: Mutex::default() }
    }

    /// The keys of a set, or which of them is none.
    pub(crate) fn of(&self, set: ValidatorSet) -> Result<Arc<NoteKeys>, String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = last.iter().find(|keys| keys.set == set) {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(NoteKeys::new(&self.origin, set)?);
        last.truncate(SETS_KEPT - 1);
        last.push_front(Arc::clone(&keys));
        Ok(keys)
    }
}
