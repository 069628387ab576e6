//! What executing a block leaves behind, and the seal over it.

use super::overlay::{Overlay, Writes, effects_hash};
use super::registry_map::RegistryOutcome;
use super::statuses::StatusOutcome;
use super::tables::{META_TIP, Table, Tip, Totals};
use crate::entry::{Entry, RecordRefusal};
use crate::hash::Hash;
use crate::ids::{Height, LeafIndex, TreeSize, UnixMillis};
use crate::seal::Seal;
use crate::suite::Suite;
use crate::validators::ValidatorSet;

/// What became of one batch of the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The batch's header.
    pub header_hash: Hash,
    /// Its log entry.
    pub leaf_index: LeafIndex,
    /// Empty: taken. Otherwise refused, with the reason of each bad record.
    pub refusals: Vec<RecordRefusal>,
}

/// What a block leaves behind: to be committed whole or not at all.
#[derive(Debug, Clone)]
pub struct Effects {
    /// The block's seal, as executing it gave.
    pub seal: Seal,
    /// Leaves it appends to the outer log, the seal last.
    pub entries: Vec<Vec<u8>>,
    /// Index of the first of them.
    pub first_leaf: LeafIndex,
    /// Writes to the state.
    pub writes: Writes,
    /// Where the chain stands afterwards.
    pub tip: Tip,
    /// What became of each batch, in order.
    pub outcomes: Vec<Outcome>,
    /// Keys of status-map records that this and later heights do not use: a store may prune them later.
    pub stale_nodes: Vec<Vec<u8>>,
}

/// What a seal says besides the writes.
pub(super) struct SealFrame<'a> {
    pub(super) suite: Suite,
    pub(super) height: Height,
    pub(super) time: UnixMillis,
    /// The tip before this block; `None` for block 0.
    pub(super) parent: Option<&'a Tip>,
    pub(super) status: StatusOutcome,
    pub(super) directory_root: Hash,
    pub(super) registry: RegistryOutcome,
    /// The set that decides this height, and that of the next.
    pub(super) sets: [&'a ValidatorSet; 2],
    pub(super) totals: Totals,
    pub(super) salt: [u8; 32],
}

/// Seals: effects hash, seal, last leaf, tip.
pub(super) fn finish(
    mut overlay: Overlay<'_>,
    frame: SealFrame<'_>,
    mut entries: Vec<Vec<u8>>,
    first_leaf: LeafIndex,
    outcomes: Vec<Outcome>,
) -> Effects {
    let previous = frame.parent.map_or(Hash::ZERO, |parent| parent.effects_hash);
    let effects = effects_hash(frame.suite, previous, overlay.writes());
    let [set, next_set] = frame.sets;
    let seal = Seal {
        suite: frame.suite,
        height: frame.height,
        time: frame.time,
        parent_seal_hash: frame.parent.map_or(Hash::ZERO, |parent| parent.seal_hash),
        status_root: frame.status.root,
        validator_set_hash: set.hash(frame.suite),
        next_validator_set_hash: next_set.hash(frame.suite),
        effects_hash: effects,
        totals_commitment: totals_commitment(frame.suite, &frame.salt, &frame.totals),
        directory_root: frame.directory_root,
        registry_root: frame.registry.root,
    };
    entries.push(Entry::Seal(seal.clone()).encode());
    let tip = Tip {
        height: frame.height,
        time: frame.time,
        seal_hash: seal.hash(),
        effects_hash: effects,
        log_size: TreeSize::new(first_leaf.get() + entries.len() as u64),
        status_root: frame.status.root,
        directory_root: frame.directory_root,
        registry_root: frame.registry.root,
        status_version: frame.status.version,
        registry_version: frame.registry.version,
    };
    overlay.write(Table::Meta, META_TIP, tip.encode());
    Effects {
        seal,
        entries,
        first_leaf,
        writes: overlay.into_writes(),
        tip,
        outcomes,
        stale_nodes: frame.status.stale_nodes,
    }
}

/// H(salt ‖ totals): hides single amounts from whoever watches consecutive seals.
pub fn totals_commitment(suite: Suite, salt: &[u8; 32], totals: &Totals) -> Hash {
    suite.tagged("tallystick/totals/v1", &[salt, &totals.encode()])
}
