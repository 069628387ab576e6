//! `tallystick-devnet demo`: a receipt's whole journey, on a network of real processes, in a little over a minute.
//!
//! ```text
//! start ▶ samples ▶ volume ▶ sealed ▶ bundles verified ▶ one shown ▶ a flipped byte ▶ reversal ▶ a killed node ▶ audit ▶ summary
//! ```
//! Each step proves its claim or ends the demo with an error. Not here: load with a rate and figures to quote; that is the
//! load generator's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use receipt_core::trust::TrustFile;
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::generate_receipts::{GeneratorParams, ReceiptGenerator};
use tallystick_devnet::issuing::{IssuePace, IssuedReceipt, issue_all};
use tallystick_devnet::midnight::clear_of_midnight;
use tallystick_devnet::outcomes::{Key, OutcomeWatch};
use tallystick_devnet::registry::{SYSTEM_HOSPITALS, SYSTEM_OFFICES};
use tallystick_devnet::{Caller, Network};
use tallystick_service::clock::{Clock as _, SystemClock};

pub(crate) mod bundles;
mod fault;
pub(crate) mod reversal;
pub(crate) mod samples;
mod screen;
mod summary;

pub(crate) use screen::Screen;
pub(crate) use summary::Summary;

/// The issuer that the demo talks to.
const ISSUER: u32 = 1;
/// How long sealing may take at any point of the demo.
const SEAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than a whole demonstration.
pub(crate) const DEMO_LASTS_MAX: Duration = Duration::from_secs(90);
/// Content of the generated receipts.
const CONTENT_SEED: u64 = 20_261_102;

/// What every step needs.
pub(crate) struct Demo {
    pub(crate) network: Network,
    pub(crate) screen: Screen,
    pub(crate) trust: Arc<TrustFile>,
    clients: BTreeMap<u32, IssuerClient>,
    watches: BTreeMap<u32, OutcomeWatch>,
    pub(crate) params: GeneratorParams,
}

/// Runs the demonstration and stops the network.
pub(crate) async fn run(mut network: Network, receipt_count: usize, terminal: bool) -> Result<()> {
    let screen = Screen::new(terminal);
    let offset = network.description().utc_offset_minutes;
    clear_of_midnight(SystemClock.now(), offset, DEMO_LASTS_MAX, |message| screen.print(message)).await;
    let step = screen.step("start four validators and one issuer, each a process of its own", None);
    network.start().await?;
    step.done(&format!("chain {}", network.description().chain_name));
    let mut demo = Demo::connect(network, screen).await?;
    let mut summary = Summary::default();

    let samples = samples::issue(&demo).await?;
    let issued = demo.issue_volume(receipt_count, &mut summary).await?;
    let mut keys: Vec<(u32, Key)> =
        samples.iter().map(|sample| (sample.issued.system_id, sample.issued.key.clone())).collect();
    keys.extend(issued.iter().map(|receipt| (receipt.system_id, receipt.key.clone())));
    bundles::verify_all(&demo, &keys, &mut summary).await?;
    let first = samples.first().context("there are no samples")?;
    bundles::show_one(&demo, first).await?;
    bundles::show_flipped_byte(&demo, first).await?;
    let reversal = reversal::run(&demo, first).await?;
    keys.extend(reversal.into_iter().map(|receipt| (receipt.system_id, receipt.key)));
    let during_fault = fault::run(&mut demo, &mut summary).await?;
    let during_fault: Vec<(u32, Key)> =
        during_fault.into_iter().map(|receipt| (receipt.system_id, receipt.key)).collect();
    bundles::verify_all(&demo, &during_fault, &mut summary).await?;
    summary.receipts = keys.len() + during_fault.len();
    summary::measure_blocks(&demo, &mut summary).await?;
    demo.audit().await?;
    demo.hang_up();
    let step = demo.screen.step("stop all processes", None);
    demo.network.stop().await?;
    step.done("all drained");
    demo.screen.print(&summary.table(demo.screen.elapsed()));
    Ok(())
}

impl Demo {
    /// Talks to the issuer of a network that runs.
    pub(crate) async fn connect(network: Network, screen: Screen) -> Result<Self> {
        let mut clients = BTreeMap::new();
        let mut watches = BTreeMap::new();
        for system_id in [SYSTEM_HOSPITALS, SYSTEM_OFFICES] {
            let client = network.issuer_client(ISSUER, Caller::System(system_id)).await?;
            watches.insert(system_id, OutcomeWatch::start(client.clone(), 0).await?);
            clients.insert(system_id, client);
        }
        let offset = network.description().utc_offset_minutes;
        let params = GeneratorParams::at(SystemClock.now(), offset, CONTENT_SEED)?;
        let trust = Arc::new(network.trust()?);
        Ok(Self { network, screen, trust, clients, watches, params })
    }

    /// Most by `IssueMany`, a fifth by single calls; waits until all are sealed.
    pub(crate) async fn issue_volume(&self, count: usize, summary: &mut Summary) -> Result<Vec<IssuedReceipt>> {
        let mut generator = ReceiptGenerator::new(self.network.registry(), self.params.clone())?;
        let mut many = (0..count).map(|_| generator.mixed()).collect::<Result<Vec<_>>>()?;
        let single = many.split_off(count - count / 5);
        let step = self.screen.step(&format!("issue {count} generated receipts of many kinds"), Some(count));
        let many_pace = IssuePace { per_call: 50, concurrency: 4 };
        let single_pace = IssuePace { per_call: 1, concurrency: 16 };
        let started = std::time::Instant::now();
        let (issued_many, issued_single) = tokio::try_join!(
            issue_all(&self.clients, many, many_pace, step.progress()),
            issue_all(&self.clients, single, single_pace, step.progress()),
        )?;
        step.done("acknowledged: each is on the issuer's disk");
        let step = self.screen.step("wait until every one is sealed by more than two thirds of the validators", None);
        let receipts: Vec<IssuedReceipt> = issued_many.iter().chain(&issued_single).cloned().collect();
        let sealed = self.wait_sealed(&receipts).await?;
        let elapsed = sealed.iter().max().map_or(Duration::ZERO, |last| last.duration_since(started));
        step.done(&format!("{} receipts, none refused", receipts.len()));
        summary.record_volume(&issued_many, &issued_single, &sealed, elapsed);
        Ok(receipts)
    }

    /// Waits until all are sealed; a refused one is an error. The instants are in the order of the receipts.
    async fn wait_sealed(&self, receipts: &[IssuedReceipt]) -> Result<Vec<std::time::Instant>> {
        let mut at: BTreeMap<&Key, std::time::Instant> = BTreeMap::new();
        for (system_id, watch) in &self.watches {
            let mine = receipts.iter().filter(|receipt| receipt.system_id == *system_id);
            let keys: Vec<&Key> = mine.map(|receipt| &receipt.key).collect();
            let owned: Vec<Key> = keys.iter().map(|key| (*key).clone()).collect();
            let outcomes = watch.wait_for(&owned, SEAL_TIMEOUT).await?;
            for (key, outcome) in keys.into_iter().zip(outcomes) {
                ensure!(outcome.refused_reason.is_none(), "receipt {key:?} was refused: {:?}", outcome.refused_reason);
                at.insert(key, outcome.at);
            }
        }
        let instants = receipts.iter().map(|receipt| at.get(&receipt.key).copied());
        instants.collect::<Option<Vec<_>>>().context("a receipt belongs to no watched system")
    }

    /// Ends all calls: while one is open, the issuer waits for it at its stop.
    pub(crate) fn hang_up(&mut self) {
        self.watches.clear();
        self.clients.clear();
    }

    /// Of a system that issues.
    pub(crate) fn client(&self, system_id: u32) -> Result<IssuerClient> {
        self.clients.get(&system_id).cloned().with_context(|| format!("there is no client of system {system_id}"))
    }

    async fn audit(&self) -> Result<()> {
        let step = self.screen.step("replay the whole ledger from genesis, as the audit office would", None);
        let arguments = self.network.audit_arguments(1, Caller::Auditor)?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, output) = self.network.run_verifier(&arguments).await?;
        ensure!(code == 0, "the audit ended with exit code {code}:\n{output}");
        step.done("every hash, signature, rule, number and total holds");
        self.screen.print(&screen::indented(&output));
        Ok(())
    }
}
