//! What an operator does with a node that does not run: look at it, export it.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use prost::Message as _;
use receipt_core::export::ExportEncoder;
use receipt_core::ids::Height;
use tallystick_service::config::Loaded;

use crate::app::read_genesis;
use crate::config::NodeConfig;
use crate::guard::Guard;
use crate::store::Store;

/// Opens the store of a stopped node.
fn open(config: &Loaded<NodeConfig>) -> anyhow::Result<Store> {
    Ok(Store::open(&config.resolve(&config.value.data_dir), &read_genesis(config)?)?)
}

/// Prints where a stopped node stands, and how large each table is after compaction.
pub fn inspect(config: &Loaded<NodeConfig>) -> anyhow::Result<()> {
    let genesis = read_genesis(config)?;
    let store = open(config)?;
    let tip = store.tip()?;
    println!("chain          {}", genesis.chain_id().0);
    println!("height         {}", tip.height);
    println!("log            {} leaves, root {}", tip.log_size, store.root_at(tip.log_size)?);
    println!("status root    {}", tip.status_root);
    println!("effects hash   {}", tip.effects_hash);
    match store.latest_checkpoint()? {
        Some((height, _)) => println!("sealed         height {height}"),
        None => println!("sealed         nothing yet"),
    }
    let guard = Guard::open(&config.resolve(&config.value.guard_file), genesis.chain_id())?;
    let (vote_height, cosigned) = guard.position();
    println!("guard          voted at height {vote_height}, cosigned size {cosigned}");
    let sizes = store.compacted_bytes()?;
    let total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
    println!("live bytes     {total} after compaction");
    for (table, bytes) in sizes.into_iter().filter(|(_, bytes)| *bytes > 0) {
        println!("  {table:<17} {bytes}");
    }
    Ok(())
}

/// Writes every block of a stopped node into a new export file, for an auditor without access to a node.
pub fn export(config: &Loaded<NodeConfig>, out: &Path) -> anyhow::Result<()> {
    let genesis = read_genesis(config)?;
    let store = open(config)?;
    let tip = store.tip()?.height;
    let shown = out.display();
    let file = File::create_new(out).with_context(|| format!("cannot create {shown}; it must not exist yet"))?;
    let mut file = std::io::BufWriter::new(file);
    let (mut encoder, header) = ExportEncoder::start(genesis.chain_id());
    file.write_all(&header)?;
    for height in 0..=tip.get() {
        let block = crate::view::ledger_block(&store, Height::new(height), true)?;
        let block = block.with_context(|| format!("height {height} is missing"))?;
        file.write_all(&encoder.frame(&block.encode_to_vec())?)?;
    }
    file.write_all(&encoder.finish())?;
    let file = file.into_inner().context("cannot write the export")?;
    file.sync_all()?;
    println!("{} blocks written to {shown}", tip.get() + 1);
    Ok(())
}
