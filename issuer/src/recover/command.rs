//! The command: catches up over the network, and says what is to be done.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use prometheus_client::registry::Registry as Metrics;
use receipt_core::state::ChainParameters;
use tallystick_anchoring::desk::Desk;
use tallystick_anchoring::guard::stand_aside;
use tallystick_anchoring::nodes::Nodes;
use tallystick_anchoring::own_fault::OwnFault;
use tallystick_anchoring::recover::{RecoverError, Recovery, RecoveryState, Session};
use tallystick_anchoring::tail::open_to_recover;
use tallystick_anchoring::trust::FollowedTrust;
use tallystick_service::clock::{Clock, SystemClock};
use tallystick_service::config_key::KeyError;
use tallystick_service::durable::{self, FileMode};
use tallystick_service::identity::ChainName;
use tallystick_service::outln;
use tallystick_service::rng::OsEntropy;
use tallystick_service::tls::Tls;

use super::plan::governance_plan;
use crate::chain::{LoadedChain, load_chain};
use crate::config::Settings;
use crate::journal::Journal;
use crate::metrics::IssuerMetrics;
use crate::owner::ReceiptOwner;
use crate::registry::Registry;
use crate::secrets;

/// Catches up and ends the halt, or writes to `plan` (if given) the governance that must come first. Tells on standard output.
pub async fn run(settings: &Settings, plan: Option<&Path>) -> Result<RecoveryState> {
    let chain = load_chain(settings)?;
    let journal = Arc::new(open_to_recover(&settings.journal_dir, chain.identity, &settings.guard_file)?);
    secrets::open_keys(settings, &journal)?;
    let guard = stand_aside(&journal, &settings.guard_file)?;
    let trust = chain.followed_trust(&journal)?;
    let mut recovery = begin(&chain, &journal, &trust)?;
    let nodes = nodes_of(settings, &chain)?;
    let fresh_seconds = settings.ledger.fresh_ms / 1000;
    let session = Session { trust: &trust, nodes: &nodes, clock: &SystemClock, fresh_seconds };
    session.catch_up(&mut recovery).await.map_err(|error| match error {
        RecoverError::Own(OwnFault::TrustFile(_)) => KeyError::config("trust_file", error.to_string()).into(),
        error => anyhow::Error::from(error),
    })?;
    let (batches, receipts) = recovery.adopted();
    outln!("caught up with the ledger at height {}", recovery.next_height().saturating_sub(1));
    outln!("learnt from it: {receipts} receipts in {batches} batches that this journal did not have");
    let state = recovery.finish(guard, &settings.guard_file, &OsEntropy)?;
    match state {
        RecoveryState::Recovered { epoch, waiting } => {
            outln!("recovered: this journal signs in epoch {epoch}; {waiting} of its receipts wait for a batch");
            outln!("start it with `tallystick-issuer run`, and have the callers resubmit what they miss");
        }
        RecoveryState::AwaitsFence { epoch } => {
            outln!("the ledger has epoch {epoch} of this issuer: it must rise before this journal may issue");
            if let Some(id) = journal.fence_id()? {
                outln!("only a fence that names this journal, {}, ends the halt", hex::encode(id));
            }
            tell_plan(&chain, &journal, epoch, plan)?;
        }
    }
    Ok(state)
}

/// The nodes that the config names, for a command.
pub(crate) fn nodes_of(settings: &Settings, chain: &LoadedChain) -> Result<Nodes> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chain_name = ChainName::parse(&chain.genesis.chain_name).context("the chain's name")?;
    let tls = Tls::load(settings.tls.clone(), chain_name, clock).context("load TLS files")?;
    Ok(Nodes::new(&tls, &settings.nodes, settings.call_timeout())?)
}

/// Whose records they are, for a command: its metrics are nobody's.
pub(crate) fn owner_of(chain: &LoadedChain, journal: &Arc<Journal>) -> Result<ReceiptOwner> {
    Ok(ReceiptOwner {
        journal: Arc::clone(journal),
        registry: Arc::new(Registry::open(journal)?),
        metrics: Arc::new(IssuerMetrics::register(&mut Metrics::default())),
        utc_offset_minutes: chain.genesis.utc_offset_minutes,
    })
}

fn begin(chain: &LoadedChain, journal: &Arc<Journal>, trust: &Arc<FollowedTrust>) -> Result<Recovery> {
    let owner = owner_of(chain, journal)?;
    let anchoring_metrics = Arc::clone(&owner.metrics.anchoring);
    let (desk, _departures) = Desk::open(Arc::clone(journal), Arc::new(owner), anchoring_metrics, Arc::clone(trust))?;
    Ok(Recovery::begin(desk, ChainParameters::of(&chain.genesis))?)
}

fn tell_plan(chain: &LoadedChain, journal: &Journal, epoch: u32, plan: Option<&Path>) -> Result<()> {
    let messages = governance_plan(journal, chain.genesis.suite, epoch)?;
    let Some(path) = plan else {
        outln!("run it again with `--plan FILE`: it writes the governance that the authorities must sign");
        return Ok(());
    };
    for (index, message) in messages.iter().enumerate() {
        let path = if index == 0 { path.to_owned() } else { path.with_extension(format!("{}.gov", index + 1)) };
        durable::create(&path, &message.encode(), FileMode::Shared)
            .with_context(|| format!("write the plan {}", path.display()))?;
        outln!(
            "wrote {}: governance sequence {}, {} actions; have it signed and submitted, then run `recover` again",
            path.display(),
            message.sequence,
            message.actions.len()
        );
    }
    Ok(())
}
