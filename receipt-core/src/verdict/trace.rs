//! The way from one value of a receipt to the checkpoint that covers it, hash by hash: to be drawn and followed by a reader.
//!
//! ```text
//! content   the salted value … body root        which stands in the record that the unit signed
//! batch     the record … batch root             which stands in the batch header
//! log       the header … root of the log        which stands in the checkpoint that the validators cosigned
//! ```
//! Never evidence: it repeats what a verdict has established, and ends where the verdict does. Without the values, salts and check
//! code.

use serde::Serialize;

use super::layer::LayerResult;
use super::times::utc_text;
use super::verify_bundle;
use crate::batch::SignedBatchHeader;
use crate::bundle::{Bundle, Leaf, Presentation, ReceiptFile};
use crate::entry::Entry;
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize, UnixMillis};
use crate::merkle::{InnerTree, PathStep, inclusion_steps, leaf_hash};
use crate::note::TlogProof;
use crate::receipt::blanks::from_known_values;
use crate::receipt::disclosure::Body;
use crate::receipt::layout::position_name;
use crate::record::SignedRecord;
use crate::suite::Suite;
use crate::trust::TrustFile;

/// The way from a value upwards, as far as the verdict has established it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The value's name in the body's layout.
    pub field: String,
    /// The trees on the way: content, then batch and log if the receipt is anchored.
    pub trees: Vec<TracedTree>,
    /// The checkpoint at the end of the way, if the receipt is anchored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<TracedCheckpoint>,
}

/// The way through one Merkle tree. Hashes are 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TracedTree {
    /// `content`, `batch` or `log`.
    pub kind: &'static str,
    /// Position of the leaf, from 0.
    pub index: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// Hash of the leaf.
    pub leaf: String,
    /// From the leaf to the root; empty if the leaf is the only one.
    pub steps: Vec<TracedStep>,
    /// The root, which is signed.
    pub root: String,
}

/// One step upwards: two hashes make one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TracedStep {
    /// The hash beside.
    pub sibling: String,
    /// The side that it stands on: `left` or `right`.
    pub side: &'static str,
    /// The hash of both.
    pub parent: String,
}

/// What the validators have cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TracedCheckpoint {
    /// The log's origin.
    pub origin: String,
    /// As of then, seconds since 1970.
    pub as_of: u64,
    /// The same as RFC 3339 text, UTC.
    pub as_of_utc: String,
    /// The agencies of the quorum, in the policy's order.
    pub signers: Vec<String>,
}

/// Follows the value called `field` (a name of the body's layout, for example `total_amount` or `items[0]`). `None` if the content is
/// not established to be what the unit signed, or has no such value, or withholds it. Time and trust file as for [`verify_bundle`].
pub fn trace_bundle(bytes: &[u8], trust: &TrustFile, at: UnixMillis, field: &str) -> Option<Trace> {
    let verdict = verify_bundle(bytes, trust, at);
    if verdict.layers.genuine != LayerResult::Passed {
        return None;
    }
    let file = ReceiptFile::decode(bytes).ok()?;
    let (suite, evidence) = (trust.suite(), file.evidence());
    let mut trace =
        Trace { field: field.to_owned(), trees: vec![content_tree(suite, &file, field)?], checkpoint: None };
    if verdict.layers.anchored == LayerResult::Passed {
        let header = SignedBatchHeader::decode(&evidence.batch.header).ok()?;
        let (index, size) = (evidence.batch.index, header.header.tree_size());
        trace.trees.push(tree(suite, "batch", leaf_hash(suite, evidence.record), index, size, &evidence.batch.path)?);
        let proof = TlogProof::parse_without_extra(evidence.anchor.as_bytes()).ok()?;
        let checkpoint = trust.verify_note(&proof.checkpoint).ok()?;
        let leaf = leaf_hash(suite, &Entry::BatchHeader(header).encode());
        trace.trees.push(tree(suite, "log", leaf, proof.index, checkpoint.size, &proof.path)?);
        let as_of = checkpoint.as_of.get();
        trace.checkpoint = Some(TracedCheckpoint {
            signers: checkpoint.signers.iter().map(|name| trust.agency(name).to_owned()).collect(),
            origin: checkpoint.origin,
            as_of,
            as_of_utc: utc_text(UnixMillis::new(as_of.saturating_mul(1000))),
        });
    }
    Some(trace)
}

fn content_tree(suite: Suite, file: &ReceiptFile, field: &str) -> Option<TracedTree> {
    let record = SignedRecord::decode(file.evidence().record).ok()?.record;
    let (hashes, items) = match file {
        ReceiptFile::Whole(bundle) => leaves_of_all(suite, bundle)?,
        ReceiptFile::Part(presentation) => leaves_of_some(suite, presentation)?,
    };
    let (category, items) = (record.key.code.category(), u32::try_from(items).ok()?);
    let position = (0..record.disclosure_count).find(|position| position_name(category, items, *position) == field)?;
    if let ReceiptFile::Part(presentation) = file {
        presentation.leaves.get(position as usize).and_then(Leaf::value)?;
    }
    let (index, size) = (LeafIndex::new(position.into()), TreeSize::new(record.disclosure_count.into()));
    let path = InnerTree::from_leaf_hashes(suite, &hashes).ok()?.path(index)?;
    tree(suite, "content", *hashes.get(position as usize)?, index, size, &path)
}

/// The hashes of a content's leaves, and how many rows of items it has.
fn leaves_of_all(suite: Suite, bundle: &Bundle) -> Option<(Vec<Hash>, usize)> {
    let body = Body::of_values(suite, bundle.values.clone(), &bundle.seed).ok()?;
    let items = body.receipt().ok()?.draft.items.len();
    Some((body.disclosures().iter().map(|disclosure| disclosure.leaf_hash(suite)).collect(), items))
}

fn leaves_of_some(suite: Suite, presentation: &Presentation) -> Option<(Vec<Hash>, usize)> {
    let items = from_known_values(&presentation.values()).ok()?.draft.items.len();
    Some((presentation.leaf_hashes(suite), items))
}

fn tree(
    suite: Suite,
    kind: &'static str,
    leaf: Hash,
    index: LeafIndex,
    size: TreeSize,
    path: &[Hash],
) -> Option<TracedTree> {
    let steps = inclusion_steps(suite, &leaf, index, size, path).ok()?;
    let root = steps.last().map_or(leaf, |step| step.parent);
    Some(TracedTree {
        kind,
        index: index.get(),
        size: size.get(),
        leaf: leaf.to_string(),
        steps: steps.iter().map(traced).collect(),
        root: root.to_string(),
    })
}

fn traced(step: &PathStep) -> TracedStep {
    TracedStep {
        sibling: step.sibling.to_string(),
        side: if step.sibling_is_left { "left" } else { "right" },
        parent: step.parent.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::node_hash;
    use crate::note::Checkpoint;
    use crate::receipt::layout::row_start;
    use crate::testkit::{TestChain, TestReceipt};

    const SUITE: Suite = Suite::Ed25519Sha256;

    fn hash(hex_digits: &str) -> Hash {
        Hash::from_slice(&hex::decode(hex_digits).unwrap()).unwrap()
    }

    /// Each step makes one hash of two, and the last is the root.
    fn follow(tree: &TracedTree) -> Hash {
        tree.steps.iter().fold(hash(&tree.leaf), |own, step| {
            let sibling = hash(&step.sibling);
            let parent = match step.side {
                "left" => node_hash(SUITE, &sibling, &own),
                _ => node_hash(SUITE, &own, &sibling),
            };
            assert_eq!(parent, hash(&step.parent));
            parent
        })
    }

    #[test]
    fn every_value_leads_to_what_is_signed() {
        let mut chain = TestChain::new();
        let receipts: Vec<TestReceipt> = ["S02", "S01", "S05"].iter().map(|id| chain.issue(id)).collect();
        chain.add_block(&receipts);
        chain.add_block(&[]);
        let bundle = chain.bundle(&receipts[1]);
        let record = &receipts[1].signed.record;
        let header = SignedBatchHeader::decode(&bundle.batch.header).unwrap().header;
        let note = TlogProof::parse(bundle.anchor.as_bytes()).unwrap().checkpoint;
        let checkpoint = Checkpoint::parse(note.text()).unwrap();
        let rows = receipts[1].receipt.draft.items.len();
        let category = record.key.code.category();
        for position in 0..record.disclosure_count {
            let field = position_name(category, u32::try_from(rows).unwrap(), position);
            let trace = trace_bundle(&bundle.encode(), chain.trust(), chain.now(), &field).unwrap();
            let [content, batch, log] = &trace.trees[..] else { panic!("{trace:?}") };
            assert_eq!((content.index, content.size), (position.into(), record.disclosure_count.into()));
            for (tree, root) in [(content, record.body_root), (batch, header.root), (log, checkpoint.root())] {
                assert_eq!((follow(tree), hash(&tree.root)), (root, root), "{field} {}", tree.kind);
            }
            assert_eq!(trace.checkpoint.unwrap().signers.len(), 3);
        }
        assert!(row_start(category) < record.disclosure_count as usize, "rows are among them");
    }

    #[test]
    fn nothing_is_shown_that_the_verdict_does_not_establish() {
        let mut chain = TestChain::new();
        let receipt = chain.issue("S02");
        chain.add_block(std::slice::from_ref(&receipt));
        let good = chain.bundle(&receipt);
        let trace = |bundle: &Bundle, field| trace_bundle(&bundle.encode(), chain.trust(), chain.now(), field);
        assert!(trace(&good, "total_amount").is_some());
        assert_eq!(trace(&good, "no_such_field"), None);
        let mut altered = good.clone();
        altered.values[7] = "1.00".to_owned();
        assert_eq!(trace(&altered, "total_amount"), None);
        let mut unanchored = good.clone();
        unanchored.batch.path.push(Hash::ZERO);
        let trace = trace(&unanchored, "total_amount").unwrap();
        assert_eq!((trace.trees.len(), trace.checkpoint), (1, None));
        assert_eq!(trace_bundle(b"", chain.trust(), chain.now(), "total_amount"), None);
    }
}
