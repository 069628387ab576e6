//! What the ledger's registry says of this submitter itself: its keys, its epoch, what it may carry.
//!
//! Rebuilt in memory from the journal's replica whenever governance changed it; readers hold an `Arc` of one consistent view. Not
//! here: the rest of the registry, which is the owner's to read.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use prost::Message;
use receipt_core::governance::{KeyOwner, RegisterIssuer};
use receipt_core::ids::{KeyId, UnixMillis};
use receipt_core::record::RecordType;
use receipt_core::state::tables::{IssuerState, KeyState, Table};
use receipt_core::suite::PublicKey;
use tallystick_proto::errors::{CallReason, Refusal};

use crate::journal::{Journal, JournalError};

/// A key of this submitter, as registered.
#[derive(Debug, Clone)]
struct OwnKey {
    public: PublicKey,
    state: KeyState,
}

/// One consistent view.
#[derive(Debug, Clone, Default)]
pub struct OwnKeys {
    /// This submitter's epoch on the ledger; 0 if it is not registered.
    pub epoch: u32,
    /// The submitter, once it is registered.
    submitter: Option<RegisterIssuer>,
    keys: HashMap<KeyId, OwnKey>,
}

/// Why this submitter signs no batch that the ledger would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not in the registry, or not as this submitter's.
    #[error("key {0} is not registered for this issuer")]
    Unknown(KeyId),
    /// Registered with another public half than the one in custody.
    #[error("key {0} is registered with another public key than the key file has")]
    Other(KeyId),
    /// Not yet, or no longer, or revoked.
    #[error("key {0} of this issuer is not valid at this time: it has expired, was revoked, or is not valid yet")]
    NotValid(KeyId),
    /// It is not registered to carry such records: the ledger would refuse each of them.
    #[error("this submitter is not registered to carry records of the type {}", .0.name())]
    NotCarried(RecordType),
}

impl KeyFault {
    /// What a caller is told.
    pub fn refusal(self) -> Refusal {
        // Callers are not told which key it is and why. The operator reads that in `/readyz` and the log.
        let message = match self {
            Self::NotCarried(_) => {
                "this issuer is not registered to submit such records, and makes none until the authorities have registered it so; try \
                 another issuer of the unit, or later"
            }
            Self::Unknown(_) | Self::Other(_) | Self::NotValid(_) => {
                "this issuer has no valid key of its own, and issues nothing until its operator has put one in place; try another \
                 issuer of the unit, or later"
            }
        };
        Refusal::new(CallReason::NotReady).with_message(message).with_retry_after_ms(60_000)
    }
}

impl OwnKeys {
    /// Reads the journal's replica.
    pub fn load(journal: &Journal) -> Result<Self, JournalError> {
        let issuer = journal.identity().issuer.get();
        let mut own = Self::default();
        for value in journal.registry_table(Table::Keys)? {
            let state: KeyState = message(&value)?;
            if state.key.owner_kind == KeyOwner::Issuer.number() && state.key.owner_id == issuer {
                let public = state.key.key().map_err(|_| JournalError::Corrupt("registered key"))?;
                own.keys.insert(KeyId::new(state.key.key_id), OwnKey { public, state });
            }
        }
        for value in journal.registry_table(Table::Issuers)? {
            let state: IssuerState = message(&value)?;
            if state.issuer.issuer_id == issuer {
                own.epoch = state.epoch;
                own.submitter = Some(state.issuer);
            }
        }
        Ok(own)
    }

    /// Whether the ledger takes records of all these types from this submitter.
    pub fn carries(&self, types: &[RecordType]) -> Result<(), KeyFault> {
        let may_carry = |wanted: &RecordType| self.submitter.as_ref().is_some_and(|known| known.may_carry(*wanted));
        types.iter().find(|wanted| !may_carry(wanted)).map_or(Ok(()), |wanted| Err(KeyFault::NotCarried(*wanted)))
    }

    /// The public half of a registered key.
    pub fn public(&self, id: KeyId) -> Option<PublicKey> {
        self.keys.get(&id).map(|key| key.public)
    }

    /// When a registered key ends, by plan or by revocation. `None`: it has no end, or is not registered.
    pub fn until(&self, id: KeyId) -> Option<UnixMillis> {
        first_end(&self.keys.get(&id)?.state)
    }

    /// Whether batches whose last issue time is this one can be signed with this key, whose public half in custody is `held`, and be
    /// taken by a block of `block_time`.
    pub fn check(
        &self,
        id: KeyId,
        held: &PublicKey,
        last_issue_time: UnixMillis,
        block_time: UnixMillis,
    ) -> Result<(), KeyFault> {
        match self.keys.get(&id) {
            None => Err(KeyFault::Unknown(id)),
            Some(key) if key.public != *held => Err(KeyFault::Other(id)),
            Some(key) if !key.state.permits(last_issue_time, block_time) => Err(KeyFault::NotValid(id)),
            Some(_) => Ok(()),
        }
    }

    /// Whether no block after one of `block_time` can carry a header of this last issue time under this key: it was this submitter's,
    /// and has ended for it. What has ended stays ended.
    pub fn has_ended(&self, id: KeyId, last_issue_time: UnixMillis, block_time: UnixMillis) -> bool {
        self.keys.get(&id).is_some_and(|key| !key.state.permits(last_issue_time, block_time))
    }
}

/// The current view, replaced whole.
#[derive(Debug)]
pub struct Registered {
    current: RwLock<Arc<OwnKeys>>,
}

impl Registered {
    /// Loads the first view.
    pub fn open(journal: &Journal) -> Result<Self, JournalError> {
        Ok(Self { current: RwLock::new(Arc::new(OwnKeys::load(journal)?)) })
    }

    /// The current view.
    pub fn view(&self) -> Arc<OwnKeys> {
        // The lock is held for a clone or a swap: a poisoned one still holds a whole view.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Loads the view anew, after governance.
    pub fn reload(&self, journal: &Journal) -> Result<(), JournalError> {
        let view = Arc::new(OwnKeys::load(journal)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = view;
        Ok(())
    }
}

/// When a key ends first, planned or revoked. `None`: it has no end.
pub fn first_end(state: &KeyState) -> Option<UnixMillis> {
    let ends = [state.key.valid_until_ms, state.revoked_from_ms].into_iter();
    ends.filter(|end| *end != 0).min().map(UnixMillis::new)
}

fn message<M: Message + Default>(bytes: &[u8]) -> Result<M, JournalError> {
    M::decode(bytes).map_err(|_| JournalError::Corrupt("registry value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submitter_carries_what_it_is_registered_for() {
        let wanted = [RecordType::Receipt];
        let registered = |submitter| OwnKeys { submitter, ..OwnKeys::default() }.carries(&wanted);
        let nothing = RegisterIssuer { issuer_id: 1, name: "one".to_owned(), record_types: Vec::new() };
        assert_eq!(registered(Some(RegisterIssuer::of_receipts(1, "one"))), Ok(()));
        for submitter in [None, Some(nothing)] {
            let fault = registered(submitter).unwrap_err();
            assert_eq!(fault, KeyFault::NotCarried(RecordType::Receipt));
            assert_eq!(fault.to_string(), "this submitter is not registered to carry records of the type receipt");
            assert!(fault.refusal().message.contains("not registered to submit"), "{}", fault.refusal());
        }
        assert_eq!(OwnKeys::default().carries(&[]), Ok(()), "who submits nothing");
    }
}
