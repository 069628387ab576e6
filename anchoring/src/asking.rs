//! What a node is asked besides blocks, with its answers judged: its newest checkpoint, and proofs that one tree is a beginning of another.

use receipt_core::hash::Hash;
use receipt_core::ids::TreeSize;
use receipt_core::trust::{OutOfTurn, TrustedCheckpoint};
use tallystick_proto::ledger::v1::{GetCheckpointRequest, GetConsistencyProofRequest};
use tallystick_service::clock::Clock;
use tallystick_service::said::said;
use tonic::Status;

use crate::judge::{CheckpointError, judged};
use crate::nodes::{Node, Nodes};
use crate::own_fault::OwnFault;
use crate::trust::FollowedTrust;

/// Why an answer is none.
#[derive(Debug)]
pub(crate) enum AskError {
    /// The node failed, or did not answer in time.
    Node(Status),
    /// It gave a checkpoint of validators that the trust file does not know, as far as it was followed. Perhaps they took over.
    UnknownSet(String),
    /// It gave a checkpoint that a quorum signed whose turn it is not by the trust file.
    OutOfTurn(OutOfTurn),
    /// Its newest checkpoint is older than it may be: it does not show how far the ledger is.
    Old {
        /// Its age by this process's clock, in seconds.
        age_seconds: u64,
        /// The greatest age allowed, in seconds.
        age_seconds_max: u64,
    },
    /// It said something that is not so.
    Distrusted(String),
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node(status) => f.write_str(&said(status)),
            Self::UnknownSet(problem) | Self::Distrusted(problem) => f.write_str(problem),
            Self::OutOfTurn(out_of_turn) => write!(f, "{}", OwnFault::of_turns(*out_of_turn)),
            Self::Old { age_seconds, age_seconds_max } => write!(
                f,
                "its newest checkpoint is {age_seconds} s old by this issuer's clock: either the ledger stands still, or the clock \
                 is ahead; nothing is issued until a checkpoint is at most {age_seconds_max} s old"
            ),
        }
    }
}

/// A node's newest checkpoint, under a quorum. Whether it is fresh: [`check_fresh`].
pub(crate) async fn newest_checkpoint(
    nodes: &Nodes,
    node: &Node,
    trust: &FollowedTrust,
) -> Result<TrustedCheckpoint, AskError> {
    let mut client = node.client.clone();
    let answer = in_time(nodes, "GetCheckpoint", client.get_checkpoint(GetCheckpointRequest {})).await?;
    judged(&trust.current(), &answer.checkpoint).map_err(|error| match error {
        CheckpointError::UnknownSet(error) => AskError::UnknownSet(error.to_string()),
        CheckpointError::OutOfTurn(out_of_turn) => AskError::OutOfTurn(out_of_turn),
        CheckpointError::Refused(error) => AskError::Distrusted(error.to_string()),
    })
}

/// Refuses a checkpoint that is older than so many seconds by the quorum's own times: a node cannot pretend that an old tree is the
/// newest.
pub(crate) fn check_fresh(
    checkpoint: &TrustedCheckpoint,
    clock: &dyn Clock,
    age_seconds_max: u64,
) -> Result<(), AskError> {
    let age_seconds = clock.now().seconds().saturating_sub(checkpoint.as_of.get());
    if age_seconds > age_seconds_max { Err(AskError::Old { age_seconds, age_seconds_max }) } else { Ok(()) }
}

/// The node's proof that one tree is a beginning of another. Believed only once `Chain::prove` has checked it.
pub(crate) async fn consistency_path(
    nodes: &Nodes,
    node: &Node,
    (first, second): (TreeSize, TreeSize),
) -> Result<Vec<Hash>, AskError> {
    let request = GetConsistencyProofRequest { first_size: first.get(), second_size: second.get() };
    let mut client = node.client.clone();
    let answer = in_time(nodes, "GetConsistencyProof", client.get_consistency_proof(request)).await?;
    let path = answer.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Option<Vec<_>>>();
    let no_hash = || AskError::Distrusted("a consistency proof holds something that is no hash".to_owned());
    path.ok_or_else(no_hash)
}

async fn in_time<T>(
    nodes: &Nodes,
    method: &str,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, AskError> {
    let late = |_| AskError::Node(Status::deadline_exceeded(format!("no answer to {method}")));
    let answer = tokio::time::timeout(nodes.call_timeout(), call).await.map_err(late)?;
    Ok(answer.map_err(AskError::Node)?.into_inner())
}
