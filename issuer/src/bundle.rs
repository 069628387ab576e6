//! Assembles a receipt's bundle on demand: what the journal has, a path recomputed from its batch, fresh proofs of a node.
//!
//! A node's proofs are verified before they go into a bundle, and another node is asked where they do not hold; a bundle that
//! would not verify is never handed out, nor one that shows a receipt in force of which this issuer knows the reversal.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use receipt_core::batch::SignedBatchHeader;
use receipt_core::bundle::{BatchPart, Bundle, StatusPart};
use receipt_core::entry::Entry;
use receipt_core::hash::Hash;
use receipt_core::ids::{BatchSequence, LeafIndex, ReceiptKey, RecordKey, UnixMillis};
use receipt_core::merkle::{InnerTree, leaf_hash, verify_inclusion};
use receipt_core::note::{SignedNote, TlogProof};
use receipt_core::reason::Reason;
use receipt_core::receipt::layout::from_values;
use receipt_core::record::{SignedRecord, status_key};
use receipt_core::trust::TrustedCheckpoint;
use receipt_core::verdict::{Language, Verdict, proved_status, verify_bundle};
use tallystick_anchoring::nodes::{LedgerClient, Nodes};
use tallystick_anchoring::trust::FollowedTrust;
use tallystick_proto::errors::{Action, Advice, CallReason, Place, Refusal, Stands, advice_if_refused};
use tallystick_proto::ledger::v1::get_receipt_state_response::Answer;
use tallystick_proto::ledger::v1::{GetInclusionProofRequest, GetReceiptStateRequest, ReceiptKey as WireKey};
use tallystick_service::clock::Clock;
use tonic::Status;

use crate::body::{BodyCipher, OpenBody};
use crate::credentials::Credentials;
use crate::failure::internal;
use crate::fate::{Fate, fate, reversed_by};
use crate::issue::{SameCall, same_call};
use crate::journal::{BizRow, Journal, JournalError, ReceiptReads as _};

/// Batch trees kept: each is at most 256 KiB, and bundles are mostly asked for soon after sealing.
const TREES_MAX: usize = 32;

/// A bundle and how fresh its status proof is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssembledBundle {
    /// The `.tally` file.
    pub bytes: Vec<u8>,
    /// Height as of which its status proof speaks.
    pub snapshot_height: u64,
    /// What it proves, as of now.
    pub verdict: Verdict,
    /// The signed record in it.
    pub signed_record: Vec<u8>,
}

/// Makes bundles.
pub struct Bundler {
    journal: Arc<Journal>,
    cipher: Arc<BodyCipher>,
    nodes: Arc<Nodes>,
    trust: Arc<FollowedTrust>,
    clock: Arc<dyn Clock>,
    credentials: Credentials,
    trees: Mutex<VecDeque<(BatchSequence, Arc<InnerTree>)>>,
}

/// What stands in the journal of a sealed receipt.
struct Stored {
    key: ReceiptKey,
    record: Vec<u8>,
    body: OpenBody,
    credential: Arc<Vec<u8>>,
    batch: BatchPart,
    leaf_index: LeafIndex,
    leaf_hash: Hash,
    /// What a status proof must be younger than: its own leaf, and that of the red receipt which is known to reverse it.
    status_after: LeafIndex,
}

impl Bundler {
    /// Puts the parts together; no batch tree is held yet.
    pub fn new(
        journal: Arc<Journal>,
        cipher: Arc<BodyCipher>,
        nodes: Arc<Nodes>,
        trust: Arc<FollowedTrust>,
        clock: Arc<dyn Clock>,
        credentials: Credentials,
    ) -> Self {
        Self { journal, cipher, nodes, trust, clock, credentials, trees: Mutex::default() }
    }

    /// The opened body of a receipt; `None` if it was erased.
    pub fn body(&self, key: ReceiptKey) -> Result<Option<OpenBody>, Refusal> {
        let Some(sealed) = self.journal.body(key).map_err(internal)? else { return Ok(None) };
        self.cipher.open(key, &sealed).map(Some).map_err(internal)
    }

    /// What a call is to the receipt that has its biz code.
    pub(crate) fn same_call(&self, row: &BizRow, content: &Hash) -> Result<SameCall, Refusal> {
        same_call(&self.journal, &self.cipher, row, content).map_err(internal)
    }

    /// The bundle of a sealed receipt.
    pub async fn assemble(&self, key: ReceiptKey) -> Result<AssembledBundle, Refusal> {
        let stored = tokio::task::block_in_place(|| self.stored(key))?;
        let unavailable = |status: Status| {
            tracing::warn!(receipt = %key, code = ?status.code(), message = status.message(), "no node gave a proof");
            unproved()
        };
        let ((status, snapshot_height), _) =
            self.nodes.ask(|client| self.fetch_status(client, &stored)).await.map_err(unavailable)?;
        let (anchor, _) = self.nodes.ask(|client| self.fetch_anchor(client, &stored)).await.map_err(unavailable)?;
        let signed_record = stored.record.clone();
        let bundle = Bundle {
            chain: self.journal.identity().chain,
            seed: stored.body.seed,
            values: stored.body.values,
            record: stored.record,
            credential: stored.credential.as_ref().clone(),
            batch: stored.batch,
            anchor,
            status,
        };
        let bytes = bundle.encode();
        let verdict = verify_bundle(&bytes, &self.trust.current(), self.clock.now());
        if !verdict.is_proved() {
            return Err(distrusted(format!("the bundle of {key} would not verify: {}", verdict.to_line(Language::En))));
        }
        Ok(AssembledBundle { bytes, snapshot_height, verdict, signed_record })
    }

    fn stored(&self, key: ReceiptKey) -> Result<Stored, Refusal> {
        let not_found = || Refusal::new(Reason::NotFoundOrMismatch);
        let row = self.journal.receipt(key).map_err(internal)?.ok_or_else(not_found)?;
        let (sequence, index, leaf_index) = match fate(&self.journal, key).map_err(internal)? {
            Fate::Sealed { sequence, index, leaf_index, .. } => (sequence, index, leaf_index),
            Fate::Pending => return Err(pending()),
            Fate::Refused { reason, .. } => return Err(refused(reason)),
        };
        let body = self.body(key)?.ok_or_else(|| bodyless(self.journal.erased_at(key)))?;
        let record = SignedRecord::decode(&row.signed_record).map_err(internal)?.record;
        let receipt = from_values(&body.values).map_err(internal)?;
        let credential = self.credentials.of(&record, &receipt, leaf_index)?;
        let batch = self.journal.batch(sequence).map_err(internal)?.ok_or_else(not_found)?;
        let tree = self.tree(sequence, &batch.keys().map_err(internal)?)?;
        let index = LeafIndex::new(u64::from(index));
        let path = tree.path(index).ok_or_else(not_found)?;
        let header = SignedBatchHeader::decode(&batch.signed_header).map_err(internal)?;
        let entry = Entry::BatchHeader(header).encode();
        Ok(Stored {
            key,
            record: row.signed_record,
            body,
            credential,
            batch: BatchPart { index, path, header: batch.signed_header },
            leaf_index,
            leaf_hash: leaf_hash(self.journal.identity().suite, &entry),
            status_after: self.status_after(key, leaf_index)?,
        })
    }

    fn status_after(&self, key: ReceiptKey, own: LeafIndex) -> Result<LeafIndex, Refusal> {
        let Some((red, _)) = reversed_by(&self.journal, key).map_err(internal)? else { return Ok(own) };
        Ok(match fate(&self.journal, red).map_err(internal)? {
            Fate::Sealed { leaf_index, .. } => own.max(leaf_index),
            _ => own,
        })
    }

    fn tree(&self, sequence: BatchSequence, keys: &[RecordKey]) -> Result<Arc<InnerTree>, Refusal> {
        let lock = || self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tree)) = lock().iter().find(|(cached, _)| *cached == sequence) {
            return Ok(Arc::clone(tree));
        }
        let records = self.journal.signed_records(keys).map_err(internal)?;
        let tree = Arc::new(InnerTree::from_leaves(self.journal.identity().suite, &records).map_err(internal)?);
        let mut trees = lock();
        trees.push_back((sequence, Arc::clone(&tree)));
        if trees.len() > TREES_MAX {
            trees.pop_front();
        }
        Ok(tree)
    }

    /// A status proof that holds, younger than the batch and than a known reversal, with the height as of which it speaks.
    async fn fetch_status(&self, mut client: LedgerClient, stored: &Stored) -> Result<(StatusPart, u64), Status> {
        let suite = self.journal.identity().suite;
        let key = status_key(suite, &stored.record);
        let (code, number) = (stored.key.code.to_string(), stored.key.number.to_string());
        let receipt = WireKey { receipt_code: code, receipt_number: number };
        let request = GetReceiptStateRequest { key: Some(receipt), status_key: key.0.to_vec().into() };
        let state = client.get_receipt_state(request).await?.into_inner();
        // The journal knows the record's place, and its inclusion proof is fetched separately; only the status is taken from this answer.
        let Some(Answer::Taken(taken)) = state.answer else {
            return Err(distrusted("the node says that a sealed receipt was refused").into());
        };
        let (note, checkpoint) = self.checkpoint(&state.checkpoint)?;
        let index = checkpoint.size.previous().ok_or_else(|| distrusted("an empty tree"))?;
        let index = LeafIndex::new(index.get());
        if index <= stored.status_after {
            return Err(Status::unavailable("the node is behind the receipt or its reversal"));
        }
        let path = hashes(&state.seal_path)?;
        let Entry::Seal(seal) = Entry::decode(&state.seal).map_err(distrusted)? else {
            return Err(distrusted("the tree's last leaf is no seal").into());
        };
        let leaf = leaf_hash(suite, &state.seal);
        verify_inclusion(suite, &leaf, index, checkpoint.size, &path, &checkpoint.root).map_err(distrusted)?;
        let proof = TlogProof { extra: None, index, path, checkpoint: note }.to_string();
        let value = (!taken.status.is_empty()).then(|| [&taken.salt[..], &taken.status].concat());
        proved_status(&seal, &key, &taken.status_proof, value.as_deref()).map_err(distrusted)?;
        let part = StatusPart { seal: seal.encode(), proof, map: taken.status_proof.to_vec(), value };
        Ok((part, state.height))
    }

    /// The proof file of the batch header's entry.
    async fn fetch_anchor(&self, mut client: LedgerClient, stored: &Stored) -> Result<String, Status> {
        let request = GetInclusionProofRequest { leaf_index: stored.leaf_index.get(), tree_size: 0 };
        let inclusion = client.get_inclusion_proof(request).await?.into_inner();
        let (note, checkpoint) = self.checkpoint(&inclusion.checkpoint)?;
        let (index, path) = (stored.leaf_index, hashes(&inclusion.path)?);
        let (suite, leaf) = (self.journal.identity().suite, &stored.leaf_hash);
        verify_inclusion(suite, leaf, index, checkpoint.size, &path, &checkpoint.root).map_err(distrusted)?;
        Ok(TlogProof { extra: None, index, path, checkpoint: note }.to_string())
    }

    /// A checkpoint under the quorum, with exactly the signatures that the quorum needs.
    fn checkpoint(&self, note: &str) -> Result<(SignedNote, TrustedCheckpoint), Refusal> {
        let note = SignedNote::parse(note.as_bytes()).map_err(distrusted)?;
        let trust = self.trust.current();
        let trusted = trust.verify_note(&note).map_err(|error| match error.is_beyond_the_file() {
            // The signers may be validators that took over in a block which this issuer has not followed yet.
            true => unproved(),
            false => distrusted(error),
        })?;
        let (_, set) = trust.set_for(trusted.size).ok_or_else(|| distrusted("no validator set"))?;
        Ok((set.policy.assemble(&note).notes.map_err(distrusted)?.smallest, trusted))
    }
}

/// A receipt without its body: erased, or learnt from the ledger alone.
fn bodyless(erased_at: Result<Option<UnixMillis>, JournalError>) -> Refusal {
    match erased_at {
        Ok(Some(_)) => Refusal::new(CallReason::BodyErased),
        Ok(None) => Refusal::new(CallReason::NotFound)
            .with_message("this issuer learnt of the receipt from the ledger; its body comes back by Resubmit")
            .with_advice(Stands::Yes, Place::BizCode, Action::Correct),
        Err(error) => internal(error),
    }
}

/// `IN_PROGRESS`: the receipt is not sealed yet.
fn pending() -> Refusal {
    Refusal::new(Reason::InProgress)
        .with_message("the receipt is not sealed yet; its bundle can be had once it is")
        .with_advice(Stands::Yes, Place::BizCode, Action::Repeat)
}

/// The receipt's own refusal, with what it means that the ledger refused it.
fn refused(reason: Reason) -> Refusal {
    let Advice { receipt, place, action } = advice_if_refused(reason);
    Refusal::new(reason)
        .with_message(format!(
            "the ledger refused this receipt ({reason}); its number is spent, and there is no bundle"
        ))
        .with_advice(receipt, place, action)
}

/// Only sealed receipts come so far: they stay sealed, whatever nodes do.
fn unproved() -> Refusal {
    Refusal::new(Reason::LedgerUnavailable)
        .with_message("the receipt is sealed, and no node gives a proof of its state now; its bundle can be had later")
}

fn hashes(path: &[bytes::Bytes]) -> Result<Vec<Hash>, Refusal> {
    path.iter().map(|hash| Hash::from_slice(hash).ok_or_else(|| distrusted("a hash of another length"))).collect()
}

/// A node's proof that does not hold.
fn distrusted(problem: impl std::fmt::Display) -> Refusal {
    tracing::error!(%problem, "a node's proof does not hold");
    unproved()
}
