//! Fills a node's store.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use receipt_core::block::block_id;
use receipt_core::genesis::Genesis;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, LeafIndex, TreeSize, UnixMillis};
use receipt_core::state::tables::{META_TIP, Table};
use receipt_core::state::{Effects, StateRead as _, genesis_effects};
use tallystick_devnet::{Network, NetworkOptions};
use tallystick_node::store::{ProposalHead, Store};
use tallystick_service::durable;
use tallystick_storage::{StoreFigures, StoreShare};

use super::{Filled, Random, receipt_key};

/// Receipts of a block, as a closed load has them.
const BLOCK_RECEIPTS: u64 = 900;
/// Bytes of a receipt in a block.
const RECEIPT_BYTES: usize = 220;
const CERTIFICATE_BYTES: usize = 500;
const GENESIS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The store and where it stands.
pub(super) struct FilledLedger {
    store: Store,
    genesis: Genesis,
    effects: Effects,
    serial: u64,
}

impl FilledLedger {
    pub(super) fn make(directory: &Path, share: StoreShare) -> Result<Self> {
        let network = Network::generate(&directory.join("network"), &NetworkOptions::default())?;
        let bytes = durable::read(&network.layout().genesis(), GENESIS_BYTES_MAX)?;
        let genesis = Genesis::decode(&bytes).context("read the genesis file")?;
        let effects = genesis_effects(&genesis).context("execute genesis")?;
        let path = directory.join("data");
        drop(Store::init(&path, &genesis)?);
        let store = Store::open_within(&path, &genesis, share)?;
        Ok(Self { store, genesis, effects, serial: 0 })
    }

    /// Looks every key of a block up, and answers what it would write.
    fn execute(&mut self, random: &mut Random) -> Result<()> {
        let before = self.effects.tip.clone();
        let height = Height::new(before.height.get() + 1);
        let mut writes = receipt_core::state::Writes::new();
        for _ in 0..BLOCK_RECEIPTS {
            let key = receipt_key(self.serial);
            self.serial += 1;
            let new = [
                (Table::Receipts, key.to_vec(), random.bytes(60)),
                (Table::BizKeys, [&key[..4], &random.bytes(16)].concat(), key.to_vec()),
                (Table::UniquenessKeys, [&[1][..], &random.bytes(16)].concat(), key.to_vec()),
                (Table::UniquenessKeys, [&[2][..], &random.bytes(16)].concat(), key.to_vec()),
            ];
            for (table, key, value) in new {
                writes.insert((table, key), Some(value));
            }
        }
        let mut asked: BTreeMap<Table, Vec<Vec<u8>>> = BTreeMap::new();
        for (table, key) in writes.keys() {
            asked.entry(*table).or_default().push(key.clone());
        }
        for (table, keys) in asked {
            ensure!(self.store.get_many(table, &keys)?.iter().all(Option::is_none), "a key twice");
        }
        let batch_key = [&1_u32.to_be_bytes()[..], &height.get().to_be_bytes()].concat();
        writes.insert((Table::Batches, batch_key), Some(random.bytes(41)));
        let mut tip = before.clone();
        tip.height = height;
        tip.time = UnixMillis::new(before.time.get() + 100);
        tip.log_size = TreeSize::new(before.log_size.get() + 2);
        writes.insert((Table::Meta, META_TIP.to_vec()), Some(tip.encode()));
        self.effects.entries = vec![random.bytes(250), random.bytes(400)];
        self.effects.first_leaf = LeafIndex::new(before.log_size.get());
        self.effects.writes = writes;
        self.effects.tip = tip;
        Ok(())
    }
}

impl Filled for FilledLedger {
    fn write(&mut self, random: &mut Random) -> Result<(u64, Vec<Duration>)> {
        let block = random.bytes(RECEIPT_BYTES * usize::try_from(BLOCK_RECEIPTS)?);
        self.execute(random)?;
        let height = self.effects.tip.height;
        let id: Hash = block_id(self.genesis.suite, &block);
        let head =
            ProposalHead { block_id: id, round: 0, pol_round: None, proposer: 1, valid: true, timely: true, own: true };
        let proposed = Instant::now();
        self.store.put_proposal(height, &head, &block)?;
        let decided = Instant::now();
        self.store.commit_block(&self.effects, &block, &random.bytes(CERTIFICATE_BYTES))?;
        Ok((BLOCK_RECEIPTS, vec![decided - proposed, decided.elapsed()]))
    }

    fn figures(&self) -> StoreFigures {
        self.store.figures()
    }
}
