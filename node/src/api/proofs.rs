//! Proofs of the log: inclusion and consistency.

use bytes::Bytes;
use receipt_core::hash::Hash;
use receipt_core::ids::{LeafIndex, TreeSize};
use receipt_core::merkle::{consistency_path, inclusion_path};
use tallystick_proto::ledger::v1::{
    GetCheckpointResponse, GetConsistencyProofRequest, GetConsistencyProofResponse, GetInclusionProofRequest,
    GetInclusionProofResponse,
};

use super::{Failure, Services, invalid, not_found, not_sealed_yet};
use crate::store::StoreError;
use crate::wire::hash_bytes;

/// A row or a path that the store must have and has not.
pub(super) fn corrupt(error: impl std::fmt::Display) -> StoreError {
    StoreError::corrupt(error.to_string())
}

pub(super) fn hashes(path: &[Hash]) -> Vec<Bytes> {
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
}
