//! What an operator does with a node that does not run: look at it, repair it, export it.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use prost::Message as _;
use receipt_core::export::ExportEncoder;
use receipt_core::genesis::Genesis;
use receipt_core::hash::Hash;
use receipt_core::ids::Height;
use receipt_core::suite::PublicKey;
use receipt_core::validators::ValidatorSet;
use tallystick_engine::{DoubleSign, Equivocation, MemberId};
use tallystick_service::config::Loaded;
use tallystick_service::durable;
use tallystick_service::outln;

use crate::app::read_genesis;
use crate::config::NodeConfig;
use crate::guard::{Guard, GuardError, GuardSummary};
use crate::ledger::Ledger;
use crate::participation::height_to_reach;
use crate::store::Store;
use crate::voting_log::{self, Fitness, Judges, VOTING_LOG};

/// Larger than any file of evidence.
const EVIDENCE_BYTES_MAX: usize = 256 * 1024;

/// Holds the guard file, so that the node does not start while its store is read; refused if it runs. The inner error is of a guard
/// that cannot be read, which is no reason not to read the store.
fn hold_guard(config: &Loaded<NodeConfig>, genesis: &Genesis) -> anyhow::Result<Result<Guard, GuardError>> {
    match Guard::open(&config.resolve(&config.value.guard_file), genesis.chain_id()) {
        Err(error @ GuardError::InUse { .. }) => Err(error).context("the node runs; stop it first"),
        guard => Ok(guard),
    }
}

/// Opens the store of a stopped node to look at: nothing in it changes.
fn open_to_read(config: &Loaded<NodeConfig>, genesis: &Genesis) -> anyhow::Result<Store> {
    Ok(Store::open_read_only(&config.resolve(&config.value.data_dir), genesis)?)
}

/// Opens the store of a stopped node.
fn open(config: &Loaded<NodeConfig>) -> anyhow::Result<Store> {
    Ok(Store::open(&config.resolve(&config.value.data_dir), &read_genesis(config)?)?)
}

/// Prints where a stopped node stands, and how large each table is. Nothing is written; `compacted`: all tables are compacted
/// first.
pub fn inspect(config: &Loaded<NodeConfig>, compacted: bool) -> anyhow::Result<()> {
    let genesis = read_genesis(config)?;
    let guard = hold_guard(config, &genesis)?;
    let store = if compacted { open(config)? } else { open_to_read(config, &genesis)? };
    let tip = store.tip()?;
    outln!("chain          {}", genesis.chain_id().0);
    outln!("height         {}", tip.height);
    outln!("log            {} leaves, root {}", tip.log_size, store.root_at(tip.log_size)?);
    outln!("status root    {}", tip.status_root);
    outln!("effects hash   {}", tip.effects_hash);
    match store.latest_checkpoint()? {
        Some((height, _)) => outln!("sealed         height {height}"),
        None => outln!("sealed         nothing yet"),
    }
    outln!("guard          {}", shown(&guard?.summary()));
    if compacted {
        store.compact()?;
    }
    let sizes = store.live_bytes()?;
    let total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
    outln!("live bytes     {total}{}", if compacted { " after compaction" } else { "" });
    for (table, bytes) in sizes.into_iter().filter(|(_, bytes)| *bytes > 0) {
        outln!("  {table:<17} {bytes}");
    }
    Ok(())
}

/// Says what a file of evidence proves. An error: it proves nothing against this chain's validators.
pub fn inspect_evidence(config: &Loaded<NodeConfig>, file: &Path) -> anyhow::Result<()> {
    let genesis = read_genesis(config)?;
    let bytes = durable::read(file, EVIDENCE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not text", file.display()))?;
    if text.starts_with("tallystick/fork/") {
        anyhow::bail!(
            "this file holds two checkpoint notes: check it with `tallystick-verifier compare FILE --trust TRUST`"
        );
    }
    let evidence = Equivocation::decode(&text).with_context(|| format!("cannot use {}", file.display()))?;
    let DoubleSign { kind, chain_id, slot, block_ids } = evidence.check()?;
    if chain_id != genesis.chain_id().0.0 {
        anyhow::bail!("the statements are of another chain, {}", Hash(chain_id));
    }
    let key = PublicKey(evidence.public_key);
    let owner = |set: &ValidatorSet| set.members().iter().find(|member| member.consensus_key == key).cloned();
    // Take the set of that height, if the store has it. The store of a running node cannot be read; then take the set of genesis, which is
    // right unless validators were replaced since.
    let height = Height::new(slot.height);
    let of_height = open_to_read(config, &genesis).ok();
    let of_height = of_height.and_then(|store| Ledger::new(store, genesis.clone()).validators_at(height).ok());
    let owner = owner(of_height.as_ref().unwrap_or(&genesis.validators));
    let owner = owner.with_context(|| match of_height {
        Some(_) => format!("the signatures are good, but no validator of height {height} has that key"),
        None => format!(
            "the signatures are good, but no validator of genesis has that key, and this store does not say who decides height {height} (a running node's store cannot be read: stop it and try again)"
        ),
    })?;
    let [first, second] = block_ids.map(|id| id.map_or("nil".to_owned(), |id| format!("block {id}")));
    outln!("validator {} ({}) signed two {kind}s at height {} round {}", owner.id, owner.name, slot.height, slot.round);
    outln!("  {first}");
    outln!("  {second}");
    outln!("  consensus key {}", Hash(evidence.public_key));
    outln!("PROVED: both signatures are good, and no honest validator signs so");
    Ok(())
}

fn shown(summary: &GuardSummary) -> String {
    let round = summary.round.map_or(String::new(), |round| format!(" round {round}"));
    let lock = match summary.lock {
        Some((round, block_id)) => format!("locked on block {block_id} since round {round}"),
        None => "not locked".to_owned(),
    };
    format!("voted at height {}{round}, {lock}, cosigned size {}", summary.height, summary.cosigned_size)
}

/// Looks at a stopped node, and does what its next start would do with an engine's log that it cannot go on from: moves it
/// aside. Deletes nothing, and prints what was done and what happens at the next start.
pub fn repair(config: &Loaded<NodeConfig>) -> anyhow::Result<()> {
    let genesis = read_genesis(config)?;
    let wal_dir = config.resolve(&config.value.wal_dir);
    let log = wal_dir.join(VOTING_LOG);
    // Store, guard and log can each be open in one process only, and each says so if another one has it.
    let store = open(config)?;
    let guard = Guard::open(&config.resolve(&config.value.guard_file), genesis.chain_id())?;
    let (tip, summary) = (store.tip()?.height, guard.summary());
    outln!("decided        height {tip}");
    outln!("guard          {}", shown(&summary));
    let judges = Judges { guard: &guard, store: &store, member: MemberId::new(config.value.validator_id) };
    // Below the guard's height the node follows its peers without voting.
    let votes_from = tip.get().saturating_add(1).max(summary.height);
    let fitness = voting_log::judge(&log, votes_from, judges)?;
    match &fitness {
        Fitness::Usable(contents) => {
            outln!(
                "consensus log  sound: {} entries of height {}. Nothing was changed",
                contents.entries,
                contents.height
            );
        }
        Fitness::Missing => {
            durable::private_directory(&wal_dir).context("cannot make wal_dir")?;
            outln!("consensus log  there is none; the node makes a new one. Nothing was changed");
        }
        Fitness::Uncovered(height) => {
            outln!(
                "consensus log  cannot be used, and says more of this validator than the guard. Nothing was changed"
            );
            outln!(
                "next           `run` follows the peers past height {height} without voting, then moves the log aside"
            );
            return Ok(());
        }
        Fitness::Unfit(why) => {
            let to = voting_log::set_aside(&log, why)?;
            outln!("consensus log  cannot be used: {why}");
            outln!("moved          {} to {}", log.display(), to.display());
        }
    }
    outln!("next           {}", what_happens_next(tip, &summary));
    Ok(())
}

fn what_happens_next(tip: Height, summary: &GuardSummary) -> String {
    let height = summary.height;
    if let Some(before) = height_to_reach(tip, height) {
        return format!(
            "`run` follows the peers to height {before} without voting, then votes from height {height} on"
        );
    }
    let next = tip.get().saturating_add(1);
    if next == height {
        return format!("`run` votes at height {height}: it repeats what the guard remembers, and keeps its lock");
    }
    format!("`run` votes from height {next} on, where this validator has signed nothing yet")
}

/// Writes every block of a stopped node into a new export file, for an auditor without access to a node.
pub fn export(config: &Loaded<NodeConfig>, out: &Path) -> anyhow::Result<()> {
    let genesis = read_genesis(config)?;
    let _held = hold_guard(config, &genesis)?;
    let store = open_to_read(config, &genesis)?;
    let tip = store.tip()?.height;
    let shown = out.display();
    let file = durable::create_private(out).with_context(|| format!("cannot create {shown}; it must not exist yet"))?;
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
    outln!("{} blocks written to {shown}", tip.get() + 1);
    Ok(())
}
