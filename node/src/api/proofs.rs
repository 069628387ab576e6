//! Proofs: inclusion and consistency in the log, and a receipt's status in the status map.

use bytes::Bytes;
use receipt_core::governance::RegisterSystem;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, LeafIndex, ReceiptCode, ReceiptKey, ReceiptNumber, TreeSize, UnitId};
use receipt_core::merkle::{consistency_path, inclusion_path};
use receipt_core::state::tables::{ReceiptState, Table, receipt_key_bytes};
use receipt_core::state::{StateRead as _, StatusNodes};
use receipt_core::status::StatusMap;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::ledger::v1::get_receipt_state_request::Selector;
use tallystick_proto::ledger::v1::{
    GetCheckpointResponse, GetConsistencyProofRequest, GetConsistencyProofResponse, GetInclusionProofRequest,
    GetInclusionProofResponse, GetReceiptStateResponse, ReceiptKey as WireKey,
};
use tallystick_service::identity::{PeerIdentity, Role};

use super::{Failure, Services, hash_bytes, invalid, not_found, not_sealed_yet};
use crate::store::StoreError;

/// A row or a path that the store must have and has not.
fn corrupt(error: impl std::fmt::Display) -> StoreError {
    StoreError::corrupt(error.to_string())
}

fn hashes(path: &[Hash]) -> Vec<Bytes> {
    path.iter().map(hash_bytes).collect()
}

impl Services {
    pub(super) fn checkpoint(&self) -> Result<GetCheckpointResponse, Failure> {
        let tip = self.sealed_tip()?.ok_or_else(not_sealed_yet)?;
        Ok(GetCheckpointResponse {
            checkpoint: tip.note,
            height: tip.height.get(),
            tree_size: tip.tree_size,
            seal: tip.seal_entry.into(),
            seal_path: tip.seal_path,
        })
    }

    pub(super) fn inclusion_proof(
        &self,
        request: &GetInclusionProofRequest,
    ) -> Result<GetInclusionProofResponse, Failure> {
        let (size, checkpoint) = self.sealed_size(request.tree_size)?;
        if request.leaf_index >= size.get() {
            return Err(not_found(format!("leaf {} is not under the tree of size {size}", request.leaf_index)).into());
        }
        let path = inclusion_path(&self.ledger.store, LeafIndex::new(request.leaf_index), size).map_err(corrupt)?;
        Ok(GetInclusionProofResponse {
            leaf_index: request.leaf_index,
            tree_size: size.get(),
            path: hashes(&path),
            checkpoint,
        })
    }

    pub(super) fn consistency_proof(
        &self,
        request: &GetConsistencyProofRequest,
    ) -> Result<GetConsistencyProofResponse, Failure> {
        let (second, checkpoint) = self.sealed_size(request.second_size)?;
        if request.first_size == 0 || request.first_size > second.get() {
            return Err(invalid("first_size", "must be at least 1 and at most second_size").into());
        }
        let first = TreeSize::new(request.first_size);
        let path = consistency_path(&self.ledger.store, first, second).map_err(corrupt)?;
        Ok(GetConsistencyProofResponse {
            first_size: first.get(),
            second_size: second.get(),
            path: hashes(&path),
            checkpoint,
        })
    }

    /// A sealed tree size and the note of exactly that size, which is empty where only a later one was sealed; 0 asks for the
    /// newest.
    fn sealed_size(&self, size: u64) -> Result<(TreeSize, String), Failure> {
        let store = &self.ledger.store;
        let (sealed, note) = store.latest_checkpoint()?.ok_or_else(not_sealed_yet)?;
        if size == 0 {
            let range = store.height_range(sealed)?;
            let range = range.ok_or_else(|| StoreError::corrupt("a sealed height is missing"))?;
            return Ok((range.size, note));
        }
        let size = TreeSize::new(size);
        let height = store.height_of_size(size)?;
        let height = height.ok_or_else(|| not_found(format!("no decided block ends a tree of size {size}")))?;
        if height > sealed {
            return Err(not_found(format!("the tree of size {size} is decided, but not sealed yet")).into());
        }
        Ok((size, store.checkpoint(height)?.unwrap_or_default()))
    }

    pub(super) fn receipt_state(
        &self,
        selector: Selector,
        caller: Option<&PeerIdentity>,
    ) -> Result<GetReceiptStateResponse, Failure> {
        let key = match selector {
            Selector::StatusKey(key) => {
                Hash::from_slice(&key).ok_or_else(|| invalid("status_key", "must have 32 bytes"))?
            }
            Selector::Key(key) => self.status_key_of(&key, caller)?,
        };
        let tip = self.sealed_tip()?.ok_or_else(not_sealed_yet)?;
        let (proof, value) = self.status_proof(tip.height, key)?;
        let (salt, status) = value.split_at_checked(16).unwrap_or_default();
        Ok(GetReceiptStateResponse {
            checkpoint: tip.note,
            height: tip.height.get(),
            seal: tip.seal_entry.into(),
            seal_path: tip.seal_path,
            status_key: hash_bytes(&key),
            status_proof: proof.into(),
            status: Bytes::copy_from_slice(status),
            salt: Bytes::copy_from_slice(salt),
        })
    }

    /// The status key of a receipt by its number. Numbers are sequential, so this is for those who read the ledger anyway, and
    /// for a system in the units for which it acts: to it, others' receipts do not exist.
    fn status_key_of(&self, key: &WireKey, caller: Option<&PeerIdentity>) -> Result<Hash, Failure> {
        let units = match caller.map(|caller| (caller.role, caller.id)) {
            Some((Role::Issuer | Role::Validator | Role::Auditor | Role::Operator, _)) => None,
            Some((Role::System, id)) => Some(self.units_of_system(id)?),
            _ => {
                let refusal = Refusal::new(CallReason::NotPermitted);
                return Err(refusal
                    .with_message("ask by status_key; asking by number is not for this role")
                    .to_status()
                    .into());
            }
        };
        let code = ReceiptCode::parse(&key.receipt_code);
        let number = ReceiptNumber::parse(&key.receipt_number);
        let code = code.map_err(|error| invalid("key.receipt_code", error.problem))?;
        let number = number.map_err(|error| invalid("key.receipt_number", error.problem))?;
        let row = self.ledger.store.get(Table::Receipts, &receipt_key_bytes(ReceiptKey { code, number }));
        let row = row.map_err(StoreError::from)?.map(|bytes| ReceiptState::decode(&bytes)).transpose();
        let row = row.map_err(StoreError::from)?;
        let row = row.filter(|row| units.as_ref().is_none_or(|units| units.contains(&row.unit)));
        let unknown = || not_found("no receipt with this code and number is on the ledger");
        row.map(|row| row.status_key).ok_or_else(|| unknown().into())
    }

    fn units_of_system(&self, id: u32) -> Result<Vec<UnitId>, Failure> {
        let bytes = self.ledger.store.get(Table::Systems, &id.to_be_bytes()).map_err(StoreError::from)?;
        let system = bytes.map(|bytes| <RegisterSystem as prost::Message>::decode(bytes.as_slice()));
        let system = system.transpose().map_err(corrupt)?.unwrap_or_default();
        Ok(system.grants.into_iter().map(|grant| UnitId::new(grant.unit_id)).collect())
    }

    /// Proof as of a height, and the salted status if the map has the key then.
    fn status_proof(&self, height: Height, key: Hash) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        let range = self.ledger.store.height_range(height)?;
        let range = range.ok_or_else(|| StoreError::Corrupt("a sealed height is missing".into()))?;
        let reader = StatusNodes(&self.ledger.store);
        let lookup = StatusMap::at(self.ledger.chain.suite, &reader, range.status_version).prove(&key);
        let lookup = lookup.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let value = match lookup.value {
            None => Vec::new(),
            Some(_) => self.ledger.store.get(Table::Statuses, key.as_bytes())?.unwrap_or_default(),
        };
        Ok((lookup.proof.encode(), value))
    }
}
