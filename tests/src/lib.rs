//! What end-to-end tests share: a network of real processes in a directory of its own, one at a time.
//!
//! Networks run one after another, in the order in which they were asked for: several at once on a small machine would only
//! measure each other. Browsers run beside browsers, and beside no network. At the end of a test
//! every process must stop cleanly, and no log may have a WARN or ERROR line that the test does not expect. The directory
//! of a failed test is kept, and named; any other is removed, also that of an interrupted one (`cleanup`), and a directory that
//! cannot be removed fails its test.
//!
//! Not here: what is tested; each file under `tests/` is a subject.

pub mod checkpoints;
mod cleanup;
pub mod comeback;
pub mod forge;
pub mod judgement;
pub mod load;
pub mod pages;
pub mod python;
mod repository;
pub mod requests;
pub mod services;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use receipt_core::receipt::samples::{RunParams, Samples};
use tallystick_devnet::generate_receipts::{GeneratedReceipt, GeneratorParams, ReceiptGenerator};
use tallystick_devnet::logs::{self, AllowList};
use tallystick_devnet::midnight::clear_of_midnight;
use tallystick_devnet::{Caller, Network, NetworkOptions};
use tallystick_proto::admin::v1::GetNodeStatusResponse;
use tallystick_service::clock::{Clock as _, SystemClock};
use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockWriteGuard};

/// How long validators may take to agree on a tip once nothing is submitted any more.
pub const EQUAL_TIPS_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Longer than any test takes that does not say so.
pub const TEST_LASTS_MAX: Duration = Duration::from_secs(300);

static TURN: RwLock<()> = RwLock::const_new(());

/// For a test whose network is not a [`TestNetwork`]: no other network runs meanwhile, and no browser.
pub async fn turn() -> impl Sized {
    TURN.write().await
}

/// For a test that keeps a browser busy, without a network: no network runs meanwhile, but others of its kind do. One alone would leave half of
/// two cores unused, because a browser and who drives it wait for each other.
pub async fn turn_of_browsers() -> impl Sized {
    TURN.read().await
}

/// A started network. Dereferences to it.
pub struct TestNetwork {
    network: Network,
    directory: TempDir,
    /// After a failure: what the processes logged is wanted.
    kept: bool,
    /// How its processes run, if its machines are set up as docs/ops/services.md says.
    users: Option<services::Users>,
    /// Where the programs are.
    programs: PathBuf,
    _turn: RwLockWriteGuard<'static, ()>,
}

impl std::ops::Deref for TestNetwork {
    type Target = Network;

    fn deref(&self) -> &Network {
        &self.network
    }
}

impl std::ops::DerefMut for TestNetwork {
    fn deref_mut(&mut self) -> &mut Network {
        &mut self.network
    }
}

impl Drop for TestNetwork {
    fn drop(&mut self) {
        // A process that is still dying writes into what is being removed.
        self.network.end();
        let path = self.directory.path().to_owned();
        if std::thread::panicking() || self.kept {
            self.directory.disable_cleanup(true);
            cleanup::keep(&path);
            eprintln!("the network's directory is kept: {}", path.display());
            return;
        }
        match std::fs::remove_dir_all(&path) {
            Ok(()) => cleanup::forget(&path),
            Err(error) => panic!("{} is left behind: {error}", path.display()),
        }
    }
}

impl TestNetwork {
    /// Makes and starts a network, once no other test runs one.
    pub async fn start(options: &NetworkOptions) -> Result<Self> {
        Self::start_lasting(options, TEST_LASTS_MAX).await
    }

    /// The same for a test that may take so long: its drafts are all of one day.
    pub async fn start_lasting(options: &NetworkOptions, lasts_max: Duration) -> Result<Self> {
        let mut network = Self::generate_lasting(options, lasts_max).await?;
        if let Err(error) = network.network.start().await {
            network.kept = true;
            return Err(error.context(format!("see {}", network.directory.path().display())));
        }
        Ok(network)
    }

    /// Makes a network without starting it.
    pub async fn generate(options: &NetworkOptions) -> Result<Self> {
        Self::generate_lasting(options, TEST_LASTS_MAX).await
    }

    /// The same on machines that are set up as docs/ops/services.md says, under its unit and its users ([`services`]): for whatever types
    /// pages of docs/ops.
    pub async fn start_as_services(options: &NetworkOptions) -> Result<Self> {
        let mut network = Self::generate_as_services(options).await?;
        if let Err(error) = network.network.start().await {
            network.kept = true;
            return Err(error.context(format!("see {}", network.directory.path().display())));
        }
        Ok(network)
    }

    /// Makes such machines, without starting anything on them.
    pub async fn generate_as_services(options: &NetworkOptions) -> Result<Self> {
        let mut network = Self::generate(options).await?;
        let (users, programs) = services::set_up(&mut network.network)?;
        network.users = Some(users);
        network.programs = programs;
        let layout = network.layout();
        let nodes = network.description().nodes.iter().map(|node| layout.node(node.validator_id));
        let issuers = network.description().issuers.iter().map(|issuer| layout.issuer(issuer.issuer_id));
        let backups = network.backups().display().to_string();
        for state in nodes.chain(issuers) {
            let places = [(services::STATE, state.display().to_string()), (services::BACKUPS, backups.clone())];
            for command in pages::commands(services::SERVICES, services::MACHINE)? {
                pages::typed(&network, &layout.root().join("desk"), &command, &places, "").await?;
            }
        }
        Ok(network)
    }

    /// What stands for `/backups` of all its machines.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.network.layout().root().join("backups")
    }

    /// Gives files that a test has put on a machine to the service's user, as whoever brings them there has to.
    pub fn hand_over(&self, path: &Path) -> Result<()> {
        self.users.as_ref().map_or(Ok(()), |users| users.hand_over(path))
    }

    /// Whether root types and another user runs the processes: not where one user has to do all.
    #[must_use]
    pub fn has_two_users(&self) -> bool {
        self.users == Some(services::Users::RootAndService)
    }

    async fn generate_lasting(options: &NetworkOptions, lasts_max: Duration) -> Result<Self> {
        let turn = TURN.write().await;
        let directory = tempfile::Builder::new().prefix("tallystick-test-").tempdir().context("make a directory")?;
        cleanup::watch(directory.path());
        let network = Network::generate(directory.path(), options)?;
        let offset = network.description().utc_offset_minutes;
        clear_of_midnight(SystemClock.now(), offset, lasts_max, |message| println!("{message}")).await;
        let programs = network.binaries().node.parent().context("the programs have no directory")?.to_owned();
        Ok(Self { network, directory, kept: false, users: None, programs, _turn: turn })
    }

    /// Stops all processes cleanly and judges their logs.
    pub async fn finish(mut self, allowed: &AllowList) -> Result<()> {
        let outcome = self.stop_and_judge(allowed).await;
        self.kept = outcome.is_err();
        outcome.with_context(|| format!("see {}", self.directory.path().display()))
    }

    async fn stop_and_judge(&mut self, allowed: &AllowList) -> Result<()> {
        let dead = self.network.dead_processes();
        ensure!(dead.is_empty(), "{}", dead.join("\n"));
        self.network.stop().await?;
        let findings = logs::findings(self.network.layout(), allowed)?;
        let lines = findings.iter().map(|found| format!("{}:{} {}", found.process, found.line, found.text));
        let lines: Vec<String> = lines.collect();
        ensure!(lines.is_empty(), "unlisted WARN or ERROR lines:\n{}", lines.join("\n"));
        Ok(())
    }

    /// Drafts for this network, issued now; `seed` repeats their content.
    pub fn receipts(&self, seed: u64) -> Result<ReceiptGenerator<'_>> {
        let offset = self.network.description().utc_offset_minutes;
        ReceiptGenerator::new(self.network.registry(), GeneratorParams::at(SystemClock.now(), offset, seed)?)
    }

    /// A sample as a draft, issued now; `serial` makes its numbers its own.
    pub fn sample(&self, sample_id: &str, serial: u64) -> Result<GeneratedReceipt> {
        let (registry, utc_offset_minutes) = (self.network.registry(), self.network.description().utc_offset_minutes);
        let GeneratorParams { date, biz_prefix, .. } = GeneratorParams::at(SystemClock.now(), utc_offset_minutes, 0)?;
        let year_digits = registry.year_digits;
        let (biz_prefix, original) = (biz_prefix.as_str(), None);
        let params = RunParams { date, year_digits, biz_prefix, serial, utc_offset_minutes, original };
        let draft = Samples::load()?.template(sample_id, &params)?;
        let unit = registry.unit(&draft.unit_code).context("the sample's unit is not registered")?;
        Ok(GeneratedReceipt { system_id: registry.system_of(unit), draft })
    }

    /// Waits until all validators report one sealed height, tree size and root, and returns it.
    pub async fn wait_equal_tips(&self) -> Result<GetNodeStatusResponse> {
        let ids: Vec<u32> = self.network.description().nodes.iter().map(|node| node.validator_id).collect();
        let deadline = tokio::time::Instant::now() + EQUAL_TIPS_TIMEOUT;
        loop {
            let mut statuses = Vec::new();
            for id in &ids {
                statuses.push(self.network.node_status(*id).await?);
            }
            let tips: Vec<_> = statuses.iter().map(|s| (s.sealed_height, s.sealed_tree_size, &s.sealed_root)).collect();
            if tips.windows(2).all(|pair| pair[0] == pair[1]) {
                return statuses.pop().context("there are no validators");
            }
            if tokio::time::Instant::now() >= deadline {
                bail!("after {EQUAL_TIPS_TIMEOUT:?} the validators' tips differ: {tips:?}");
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits until each of these validators has sealed `count` heights more than the highest of them has now.
    pub async fn wait_more_heights(&self, validator_ids: &[u32], count: u64) -> Result<()> {
        let mut highest = 0;
        for id in validator_ids {
            highest = highest.max(self.network.node_status(*id).await?.sealed_height);
        }
        let deadline = tokio::time::Instant::now() + EQUAL_TIPS_TIMEOUT;
        for id in validator_ids {
            loop {
                let sealed = self.network.node_status(*id).await?.sealed_height;
                if sealed >= highest + count {
                    break;
                }
                ensure!(
                    tokio::time::Instant::now() < deadline,
                    "node-{id} stands at {sealed}, it was {highest} before"
                );
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
        Ok(())
    }

    /// Runs a validator's `init` anew, after its store was taken away.
    pub async fn init_node(&self, validator_id: u32) -> Result<()> {
        let config = self.network.layout().node_config(validator_id);
        let mut command = tokio::process::Command::new(&self.network.binaries().node);
        let output = command.arg("init").arg("--config").arg(&config).output().await.context("run init")?;
        ensure!(output.status.success(), "init of node-{validator_id}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Replays the ledger of a validator with the auditor's program; its report.
    pub async fn audit(&self, validator_id: u32) -> Result<String> {
        let arguments = self.network.audit_arguments(validator_id, Caller::Auditor)?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, output) = self.network.run_verifier(&arguments).await?;
        ensure!(code == 0, "the audit ended with exit code {code}:\n{output}");
        Ok(output)
    }
}

/// Also what an issuer says of a validator that is away (it names it once per batch, and offers the batch to the next), and a node
/// of a write in the midst of which it was killed.
#[must_use]
pub fn after_kills(allowed: AllowList) -> AllowList {
    allowed
        .and("issuer-", &["a node did not take a batch"])
        .and("node-", &["the store's newest writes were torn"])
        .and("issuer-", &["the journal's newest writes were torn and are cut off"])
}
