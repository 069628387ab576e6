//! What a node says of a receipt (`GetReceiptState`) as the text that browsers and verifiers judge (docs/spec/ledger-answer.md). Nothing of it is
//! believed here.

use bytes::Bytes;
use receipt_core::answer::Answer;
use receipt_core::bundle::{BatchPart, StatusPart};
use receipt_core::entry::Entry;
use receipt_core::hash::Hash;
use receipt_core::ids::{LeafIndex, ReceiptCode, ReceiptKey, ReceiptNumber};
use receipt_core::note::{Checkpoint, SignedNote, TlogProof};
use receipt_core::verdict::RecordPlace;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::errors::{CallReason, ErrorReason, Refusal};
use crate::ledger::v1::get_receipt_state_response::Answer as WireAnswer;
use crate::ledger::v1::ledger_service_client::LedgerServiceClient;
use crate::ledger::v1::{GetCheckpointRequest, GetReceiptStateRequest, GetReceiptStateResponse, ReceiptKey as WireKey};

fn question_about(key: ReceiptKey, status_key: Hash) -> GetReceiptStateRequest {
    let key = WireKey { receipt_code: key.code.to_string(), receipt_number: key.number.to_string() };
    GetReceiptStateRequest { key: Some(key), status_key: Bytes::copy_from_slice(status_key.as_bytes()) }
}

/// What a node says of a receipt, as it says it.
#[derive(Debug, Clone)]
pub enum Said {
    /// It was taken or refused.
    State(Box<GetReceiptStateResponse>),
    /// There is no such record, as of this checkpoint or later.
    Absent {
        /// A signed note.
        checkpoint: String,
    },
}

/// Asks one node. If it has no such record, its checkpoint is fetched and the question put again: a block that is sealed between two calls would
/// else be in the checkpoint beside the word that it has not the record.
///
/// # Errors
/// What the node answers instead; whether it may know later, its reason says.
pub async fn ask_about(
    client: &mut LedgerServiceClient<Channel>,
    key: ReceiptKey,
    status_key: Hash,
) -> Result<Said, Status> {
    let question = question_about(key, status_key);
    if let Some(state) = found(client.get_receipt_state(question.clone()).await)? {
        return Ok(Said::State(Box::new(state)));
    }
    let checkpoint = client.get_checkpoint(GetCheckpointRequest {}).await?.into_inner().checkpoint;
    let state = found(client.get_receipt_state(question).await)?;
    Ok(state.map_or(Said::Absent { checkpoint }, |state| Said::State(Box::new(state))))
}

fn found(answer: Result<Response<GetReceiptStateResponse>, Status>) -> Result<Option<GetReceiptStateResponse>, Status> {
    match answer {
        Ok(response) => Ok(Some(response.into_inner())),
        Err(status) => match Refusal::from_status(&status).map(|refusal| refusal.reason) {
            Some(ErrorReason::Call(CallReason::NotFound)) => Ok(None),
            _ => Err(status),
        },
    }
}

/// The answer as it is handed on; `None` if it is not of the form.
#[must_use]
pub fn answer_of(response: GetReceiptStateResponse) -> Option<Answer> {
    let GetReceiptStateResponse { checkpoint, seal, seal_path, place, answer, .. } = response;
    let place = place?;
    let batch_index = LeafIndex::new(place.batch_index.into());
    match answer? {
        WireAnswer::Taken(taken) => {
            let note = SignedNote::parse(checkpoint.as_bytes()).ok()?;
            let seal_index = Checkpoint::parse(note.text()).ok()?.size().previous()?;
            let proof = |index, path: &[Bytes]| {
                let proof = TlogProof { extra: None, index, path: hashes(path)?, checkpoint: note.clone() };
                Some(proof.to_string())
            };
            let Entry::Seal(seal) = Entry::decode(&seal).ok()? else { return None };
            let value = (!taken.status.is_empty()).then(|| [&taken.salt[..], &taken.status].concat());
            Some(Answer::Taken {
                batch: BatchPart {
                    index: batch_index,
                    path: hashes(&place.batch_path)?,
                    header: place.signed_header.to_vec(),
                },
                anchor: proof(LeafIndex::new(place.leaf_index), &place.path)?,
                status: StatusPart {
                    seal: seal.encode(),
                    proof: proof(LeafIndex::new(seal_index.get()), &seal_path)?,
                    map: taken.status_proof.to_vec(),
                    value,
                },
            })
        }
        WireAnswer::Refused(refused) => Some(Answer::Refused {
            checkpoint,
            place: RecordPlace {
                leaf_index: LeafIndex::new(place.leaf_index),
                entry: place.entry.to_vec(),
                path: hashes(&place.path)?,
                signed_header: place.signed_header.to_vec(),
                batch_index,
                batch_path: hashes(&place.batch_path)?,
            },
            replaced_by: match refused.replaced_by {
                Some(key) => Some(key_of(&key)?),
                None => None,
            },
        }),
    }
}

fn key_of(key: &WireKey) -> Option<ReceiptKey> {
    let (code, number) = (ReceiptCode::parse(&key.receipt_code), ReceiptNumber::parse(&key.receipt_number));
    Some(ReceiptKey { code: code.ok()?, number: number.ok()? })
}

fn hashes(path: &[Bytes]) -> Option<Vec<Hash>> {
    path.iter().map(|hash| Hash::from_slice(hash)).collect()
}
