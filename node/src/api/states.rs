//! What the ledger says of a receipt: where its record stands and what became of it since, or why it was refused.
//!
//! An answer is always *inclusion and status*, or *refusal and reason*, each proved under one checkpoint. The status map alone has
//! nothing of a record that never was on the ledger, and that nothing would read like "in force".

use bytes::Bytes;
use receipt_core::block::{Batch, Block, Item};
use receipt_core::entry::Entry;
use receipt_core::governance::RegisterSystem;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, LeafIndex, ReceiptCode, ReceiptKey, ReceiptNumber, TreeSize, UnitId};
use receipt_core::merkle::{InnerTree, inclusion_path};
use receipt_core::record::SignedRecord;
use receipt_core::state::tables::{
    ReceiptState, RefusedState, Table, biz_key_bytes, receipt_key_bytes, uniqueness_key_bytes,
};
use receipt_core::state::{StateRead as _, StatusNodes, receipt_key_of};
use receipt_core::status::StatusMap;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::ledger::v1::get_receipt_state_response::Answer;
use tallystick_proto::ledger::v1::{
    self as wire, GetReceiptStateRequest, GetReceiptStateResponse, RecordPlace, TakenState,
};
use tallystick_service::identity::{PeerIdentity, Role};
use tonic::Status;

use super::proofs::{corrupt, hashes};
use super::{Failure, Services, invalid, not_found, not_sealed_yet};
use crate::store::StoreError;
use crate::wire::hash_bytes;

/// The block that decides a record comes a moment before the checkpoint that covers it. NOT_FOUND would be read as "never came".
fn decided_not_sealed() -> Status {
    Refusal::new(CallReason::NotReady)
        .with_message("the record is decided and no checkpoint covers it yet; ask again")
        .to_status()
}

/// Where a record stands, by the tables.
struct Found {
    status_key: Hash,
    leaf_index: LeafIndex,
    batch_index: u16,
    /// Where it was refused, and why.
    refused: Option<RefusedState>,
}

impl Services {
    pub(super) fn receipt_state(
        &self,
        request: &GetReceiptStateRequest,
        caller: Option<&PeerIdentity>,
    ) -> Result<GetReceiptStateResponse, Failure> {
        let tip = self.sealed_tip()?.ok_or_else(not_sealed_yet)?;
        let size = TreeSize::new(tip.tree_size);
        // A number that does not exist and a wrong status key are not told apart: else numbers could be tried.
        let found = self.find_record(request, caller)?;
        let found =
            found.ok_or_else(|| not_found("no receipt with this code, number and status key is on the ledger"))?;
        if found.leaf_index.get() >= size.get() {
            return Err(decided_not_sealed().into());
        }
        let (place, record) = self.record_place(&found, size)?;
        let answer = match found.refused {
            Some(state) => Answer::Refused(wire::RefusedState {
                reason: state.reason.as_str().to_owned(),
                replaced_by: self.replacing(&record, size)?.map(|key| wire::ReceiptKey {
                    receipt_code: key.code.to_string(),
                    receipt_number: key.number.to_string(),
                }),
            }),
            None => {
                let (proof, value) = self.status_proof(tip.height, found.status_key)?;
                let (salt, status) = value.split_at_checked(16).unwrap_or_default();
                Answer::Taken(TakenState {
                    status_proof: proof.into(),
                    status: Bytes::copy_from_slice(status),
                    salt: Bytes::copy_from_slice(salt),
                })
            }
        };
        Ok(GetReceiptStateResponse {
            checkpoint: tip.note,
            height: tip.height.get(),
            seal: tip.seal_entry.into(),
            seal_path: tip.seal_path,
            status_key: hash_bytes(&found.status_key),
            place: Some(place),
            answer: Some(answer),
        })
    }

    /// The record that the request names, if the caller may ask for it.
    fn find_record(
        &self,
        request: &GetReceiptStateRequest,
        caller: Option<&PeerIdentity>,
    ) -> Result<Option<Found>, Failure> {
        let key = request.key.as_ref().ok_or_else(|| invalid("key", "must be set"))?;
        let code = ReceiptCode::parse(&key.receipt_code);
        let number = ReceiptNumber::parse(&key.receipt_number);
        let code = code.map_err(|error| invalid("key.receipt_code", error.problem))?;
        let number = number.map_err(|error| invalid("key.receipt_number", error.problem))?;
        let shown = match request.status_key.len() {
            0 => None,
            _ => {
                Some(Hash::from_slice(&request.status_key).ok_or_else(|| invalid("status_key", "must have 32 bytes"))?)
            }
        };
        let units = if shown.is_some() { None } else { self.units_by_number(caller)? };
        let row = self.ledger.store.get(Table::Receipts, &receipt_key_bytes(ReceiptKey { code, number }));
        let row = row.map_err(StoreError::from)?.map(|bytes| ReceiptState::decode(&bytes)).transpose();
        let row = row.map_err(StoreError::from)?;
        let asked = |row: &ReceiptState| {
            shown.is_none_or(|shown| shown == row.status_key)
                && units.as_ref().is_none_or(|units| units.contains(&row.unit))
        };
        if let Some(row) = row.filter(asked) {
            let ReceiptState { status_key, leaf_index, batch_index, .. } = row;
            return Ok(Some(Found { status_key, leaf_index, batch_index, refused: None }));
        }
        let Some(status_key) = shown else { return Ok(None) };
        let row = self.ledger.store.get(Table::Refused, status_key.as_bytes()).map_err(StoreError::from)?;
        let row = row.map(|bytes| RefusedState::decode(&bytes)).transpose().map_err(StoreError::from)?;
        Ok(row.map(|state| Found {
            status_key,
            leaf_index: state.leaf_index,
            batch_index: state.batch_index,
            refused: Some(state),
        }))
    }

    /// Who may ask by number alone, and of which units (`None`: of all). Numbers are sequential, so this is for those who read the
    /// ledger anyway, and for a system in the units for which it acts: to it, others' receipts do not exist.
    fn units_by_number(&self, caller: Option<&PeerIdentity>) -> Result<Option<Vec<UnitId>>, Failure> {
        match caller.map(|caller| (caller.role, caller.id)) {
            Some((Role::Issuer | Role::Validator | Role::Auditor | Role::Operator, _)) => Ok(None),
            Some((Role::System, id)) => self.units_of_system(id).map(Some),
            _ => {
                let refusal = Refusal::new(CallReason::NotPermitted);
                Err(refusal
                    .with_message("give the status_key, too; asking by number alone is not for this role")
                    .to_status()
                    .into())
            }
        }
    }

    fn units_of_system(&self, id: u32) -> Result<Vec<UnitId>, Failure> {
        let bytes = self.ledger.store.get(Table::Systems, &id.to_be_bytes()).map_err(StoreError::from)?;
        let system = bytes.map(|bytes| <RegisterSystem as prost::Message>::decode(bytes.as_slice()));
        let system = system.transpose().map_err(corrupt)?.unwrap_or_default();
        Ok(system.grants.into_iter().map(|grant| UnitId::new(grant.unit_id)).collect())
    }

    /// The receipt that the ledger has for what a refused record was about: the same transaction, or the same payment, of the same unit. Nothing is
    /// told of another unit's.
    fn replacing(&self, record: &[u8], size: TreeSize) -> Result<Option<ReceiptKey>, StoreError> {
        let Ok(SignedRecord { record, .. }) = SignedRecord::decode(record) else { return Ok(None) };
        let store = &self.ledger.store;
        let mut holders = vec![store.get(Table::BizKeys, &biz_key_bytes(record.unit, record.biz_key))?];
        // A red one bears the keys of what it was to reverse.
        for unique in record.uniqueness_keys.iter().filter(|_| record.reverses.is_none()) {
            holders.push(store.get(Table::UniquenessKeys, &uniqueness_key_bytes(record.unit, unique))?);
        }
        for holder in holders.into_iter().flatten() {
            let Some(row) = store.get(Table::Receipts, &holder)? else { continue };
            let row = ReceiptState::decode(&row)?;
            let key = receipt_key_of(&holder)?;
            if row.unit == record.unit && row.leaf_index.get() < size.get() && key != record.key {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// The record, and its way to the log's root: its batch is read from the block that decided it.
    fn record_place(&self, found: &Found, size: TreeSize) -> Result<(RecordPlace, Vec<u8>), StoreError> {
        let store = &self.ledger.store;
        let leaf = found.leaf_index;
        let corrupt = |what: &str| StoreError::corrupt(format!("{what} of leaf {leaf}"));
        let height = store.height_of_leaf(leaf)?.ok_or_else(|| corrupt("the height"))?;
        let record = store.block(height)?.ok_or_else(|| corrupt("the block"))?;
        let position =
            usize::try_from(leaf.get() - record.range.first_leaf.get()).map_err(|_| corrupt("the position"))?;
        let entry = store.entries(&record.range)?.into_iter().nth(position).ok_or_else(|| corrupt("the entry"))?;
        let header_hash = match Entry::decode(&entry).map_err(|_| corrupt("the entry"))? {
            Entry::BatchHeader(header) => header.header_hash(),
            Entry::BatchRefused(refused) => refused.header_hash,
            Entry::Governance(_) | Entry::Seal(_) => return Err(corrupt("the kind")),
        };
        let block = Block::decode(&record.block).map_err(|_| corrupt("the block"))?;
        let is_it = |item: Item| match item {
            Item::Batch(batch) if batch.header.header_hash() == header_hash => Some(batch),
            _ => None,
        };
        let batch: Batch = block.content.items.into_iter().find_map(is_it).ok_or_else(|| corrupt("the batch"))?;
        let tree =
            InnerTree::from_leaves(self.ledger.chain.suite, &batch.records).map_err(|_| corrupt("the records"))?;
        let batch_path = tree.path(LeafIndex::new(found.batch_index.into())).ok_or_else(|| corrupt("the record"))?;
        let path = inclusion_path(store, leaf, size).map_err(|error| StoreError::corrupt(error.to_string()))?;
        let place = RecordPlace {
            leaf_index: leaf.get(),
            entry: entry.into(),
            path: hashes(&path),
            signed_header: batch.header.encode().into(),
            batch_index: found.batch_index.into(),
            batch_path: hashes(&batch_path),
        };
        let record = batch.records.into_iter().nth(found.batch_index.into());
        Ok((place, record.ok_or_else(|| corrupt("the record"))?))
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
