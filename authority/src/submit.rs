//! Hands a signed message to the validators, and finds out what became of it.
//!
//! ```text
//! offer to one node after the other until one takes it ──▶ follow the sealed blocks ──▶ entry found ──▶ inclusion proof
//! ```
//! A node's word that a message or another of its sequence was executed is not enough: the entry must lie in a tree that a
//! quorum of validators has cosigned, by the trust file. That nothing was executed until the expiry height no single node's word shows:
//! one more than may lie must say so. Not here: making and signing messages.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use receipt_core::entry::Entry;
use receipt_core::governance::{Governance, SignedGovernance};
use receipt_core::hash::Hash;
use receipt_core::ids::{LeafIndex, TreeSize};
use receipt_core::merkle::{leaf_hash, verify_inclusion};
use receipt_core::trust::TrustFile;
use tallystick_proto::admin::v1::SubmitGovernanceRequest;
use tallystick_proto::ledger::v1::{GetInclusionProofRequest, LedgerBlock, StreamBlocksRequest};
use tallystick_service::said::said;
use tokio::time::{Instant, timeout_at};

use crate::chain::Chain;
use crate::council::Voices;
use crate::nodes::{Node, Nodes, Unanswered};

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The ledger has executed it, and a quorum stands behind it.
    Executed {
        /// Height of the block that carries it.
        height: u64,
        /// Index of its leaf in the log.
        leaf_index: u64,
    },
    /// Another message took its sequence: it can never be executed.
    Overtaken {
        /// Height of the block that executed the other one.
        height: u64,
    },
    /// The chain has passed its expiry height without it: it can never be executed.
    Expired,
    /// Neither, as far as the sealed blocks tell.
    Open,
}

/// A message to look for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its canonical bytes.
    pub message: &'a [u8],
    /// The decoded form of the bytes above.
    pub governance: &'a Governance,
    /// It stands in no block below.
    pub from_height: u64,
}

/// What judges the answers of nodes.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The chain.
    pub chain: &'a Chain,
    /// Which validators' cosignatures are believed.
    pub trust: &'a TrustFile,
}

/// Offers a message to one node after the other until one takes it. Returns that node's name.
pub async fn offer(nodes: &Nodes, chain: &Chain, message: &SignedGovernance) -> Result<String> {
    let mut problems = Vec::new();
    for node in nodes.all() {
        let offered = async {
            node.status(chain).await?;
            let request = SubmitGovernanceRequest { signed_governance: message.encode().into() };
            node.admin().submit_governance(request).await.map_err(|status| anyhow!(said(&status)))
        };
        match offered.await {
            Ok(_) => return Ok(node.name.clone()),
            Err(problem) => problems.push(format!("{}: {problem:#}", node.name)),
        }
    }
    let (sequence, problems) = (message.governance.sequence, problems.join("; "));
    Err(Unanswered(format!("no node took governance message {sequence}: {problems}")).into())
}

/// Follows the sealed blocks until the message's fate is known, at most for `patience`; without patience, up to the newest
/// sealed block. A node that fails is followed by the next.
pub async fn fate(nodes: &Nodes, judge: Judge<'_>, wanted: Wanted<'_>, patience: Option<Duration>) -> Result<Fate> {
    let deadline = patience.map(|patience| Instant::now() + patience);
    // Only an expiry is a matter of words; the rest is proved.
    let mut voices: Option<Voices> = None;
    let mut problems = Vec::new();
    for node in nodes.all() {
        match follow(node, judge, wanted, deadline).await {
            Ok(Fate::Expired) => {
                let voices = match &mut voices {
                    Some(voices) => voices,
                    none => none.insert(nodes.voices(judge.chain).await?),
                };
                if voices.admit(node, Ok(())).is_some() && voices.count() >= voices.needed() {
                    return Ok(Fate::Expired);
                }
            }
            Ok(fate) => return Ok(fate),
            Err(problem) => problems.push(format!("{}: {problem:#}", node.name)),
        }
    }
    if let Some(voices) = voices {
        let (expired, needed, away) = (voices.count(), voices.needed(), voices.away());
        return Err(Unanswered(format!(
            "{expired} of the validators that were asked say that the message expired; {needed} must, because the others may \
             be wrong. Give `--node` for more of them.{away}"
        ))
        .into());
    }
    Err(Unanswered(format!("no node could tell what became of the message: {}", problems.join("; "))).into())
}

async fn follow(node: &Node, judge: Judge<'_>, wanted: Wanted<'_>, deadline: Option<Instant>) -> Result<Fate> {
    node.status(judge.chain).await?;
    let request =
        StreamBlocksRequest { from_height: wanted.from_height, with_records: false, follow: deadline.is_some() };
    let blocks = node.ledger().stream_blocks(request).await.map_err(|status| anyhow!(said(&status)))?;
    let mut blocks = blocks.into_inner();
    loop {
        let next = match deadline {
            None => blocks.message().await,
            Some(deadline) => match timeout_at(deadline, blocks.message()).await {
                Ok(next) => next,
                Err(_) => return Ok(Fate::Open),
            },
        };
        let block = match next.map_err(|status| anyhow!(said(&status)))? {
            Some(block) => block,
            None if deadline.is_some() => bail!("its stream of blocks ended"),
            None => return Ok(Fate::Open),
        };
        match look_into(&block, wanted)? {
            Some(found) => {
                prove(node, judge, &found).await?;
                let (height, leaf_index) = (block.height, found.leaf_index);
                return Ok(if found.is_wanted {
                    Fate::Executed { height, leaf_index }
                } else {
                    Fate::Overtaken { height }
                });
            }
            None if block.height >= wanted.governance.expiry.get() => return Ok(Fate::Expired),
            None => {}
        }
    }
}

/// The entry that took the wanted message's sequence among those of its area, or of the chain's own authorities.
struct Found {
    is_wanted: bool,
    leaf_index: u64,
    entry: Vec<u8>,
}

fn look_into(block: &LedgerBlock, wanted: Wanted<'_>) -> Result<Option<Found>> {
    for (position, entry) in (0_u64..).zip(&block.entries) {
        let decoded = Entry::decode(entry).with_context(|| format!("block {} has a bad entry", block.height))?;
        let Entry::Governance(signed) = decoded else { continue };
        let place = |message: &Governance| (message.area, message.sequence);
        if place(&signed.governance) == place(wanted.governance) {
            let is_wanted = signed.governance_bytes == wanted.message;
            let leaf_index = block.first_leaf_index.checked_add(position).context("a leaf index is too large")?;
            return Ok(Some(Found { is_wanted, leaf_index, entry: entry.to_vec() }));
        }
    }
    Ok(None)
}

/// That the entry is this leaf of a tree that a quorum has cosigned.
async fn prove(node: &Node, judge: Judge<'_>, found: &Found) -> Result<()> {
    let Found { leaf_index, entry, .. } = found;
    let request = GetInclusionProofRequest { leaf_index: *leaf_index, tree_size: 0 };
    let proof = node.ledger().get_inclusion_proof(request).await.map_err(|status| anyhow!(said(&status)))?.into_inner();
    let checkpoint = judge.trust.verify_checkpoint(&proof.checkpoint);
    let checkpoint = checkpoint.context(
        "its checkpoint is not one that the trust file accepts; if the validators have changed since genesis, give `--trust` \
         with an updated trust file",
    )?;
    ensure!(checkpoint.size == TreeSize::new(proof.tree_size), "its proof is of another tree than its checkpoint");
    let path = proof.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Option<Vec<_>>>();
    let path = path.context("its proof holds something that is no hash")?;
    let suite = judge.chain.genesis.suite;
    let leaf = leaf_hash(suite, entry);
    verify_inclusion(suite, &leaf, LeafIndex::new(*leaf_index), checkpoint.size, &path, &checkpoint.root)
        .context("its proof does not show the entry in the log")
}
