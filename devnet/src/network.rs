//! A whole network as a value: made, started, talked to, disturbed, stopped.
//!
//! Validators and issuers are named by their registry numbers, from 1. Dropping a network kills every process of it, and waits
//! until they have ended. Not here: judgement of what the network does; tests and the demo judge.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use receipt_core::limits::TRUST_BYTES_MAX;
use receipt_core::trust::TrustFile;
use tallystick_proto::admin::v1::{GetNodeStatusRequest, GetNodeStatusResponse};
use tallystick_service::durable;
use tokio::process::Command;
use tonic::transport::Channel;

use crate::binaries::Binaries;
use crate::callers::Caller;
use crate::clients::{self, AdminClient, IssuerClient, LedgerClient, PortalClient};
use crate::description::{Description, IssuerAddresses, NodeAddresses};
use crate::documents;
use crate::generate::{Generated, generate};
use crate::layout::Layout;
use crate::options::NetworkOptions;
use crate::ports::HeldPorts;
use crate::process::{ManagedProcess, ProcessSpec};
use crate::registry::Registry;

/// A network, started or not.
#[derive(Debug)]
pub struct Network {
    layout: Layout,
    description: Description,
    registry: Registry,
    binaries: Binaries,
    nodes: Vec<ManagedProcess>,
    issuers: Vec<ManagedProcess>,
    /// The portal, once it was started.
    portal: Option<ManagedProcess>,
    portal_ports: HeldPorts,
}

impl Network {
    /// Makes a new network in `directory`, which may exist and must not hold one.
    pub fn generate(directory: &Path, options: &NetworkOptions) -> Result<Self> {
        let binaries = Binaries::locate()?;
        let layout = Layout::new(absolute(directory)?);
        let generated = generate(&layout, options)?;
        Self::assemble(layout, binaries, generated)
    }

    /// Takes up a network that was generated before and does not run now.
    pub fn open(directory: &Path) -> Result<Self> {
        let layout = Layout::new(absolute(directory)?);
        let description = Description::read(&layout)?;
        let ports = |count: usize| (0..count).map(|_| HeldPorts::default()).collect();
        let (node_ports, issuer_ports) = (ports(description.nodes.len()), ports(description.issuers.len()));
        let portal_ports = HeldPorts::default();
        Self::assemble(layout, Binaries::locate()?, Generated { description, node_ports, issuer_ports, portal_ports })
    }

    fn assemble(layout: Layout, binaries: Binaries, generated: Generated) -> Result<Self> {
        let Generated { description, node_ports, issuer_ports, portal_ports } = generated;
        let registry = Registry::new(description.load_hospital_count, description.year_digits)?;
        let process = |name: String, program: &Path, config: PathBuf, metrics, held| {
            let arguments = ["run".to_owned(), "--config".to_owned(), config.display().to_string()];
            let log = layout.log(&name);
            let (program, arguments) = (program.to_owned(), arguments.to_vec());
            let spec = ProcessSpec { name, program, arguments, environment: Vec::new(), log, metrics };
            ManagedProcess::new(spec, held)
        };
        let nodes = description.nodes.iter().zip(node_ports).map(|(node, held)| {
            let config = layout.node_config(node.validator_id);
            process(format!("node-{}", node.validator_id), &binaries.node, config, node.metrics, held)
        });
        let nodes = nodes.collect();
        let issuers = description.issuers.iter().zip(issuer_ports).map(|(issuer, held)| {
            let config = layout.issuer_config(issuer.issuer_id);
            process(format!("issuer-{}", issuer.issuer_id), &binaries.issuer, config, issuer.metrics, held)
        });
        let issuers = issuers.collect();
        Ok(Self { layout, description, registry, binaries, nodes, issuers, portal: None, portal_ports })
    }

    /// Runs every process's `init`: makes the stores. Once per network.
    pub async fn init(&self) -> Result<()> {
        for process in self.nodes.iter().chain(&self.issuers) {
            self.init_process(process).await?;
        }
        Ok(())
    }

    /// Starts all and waits until all are ready. Runs `init` first where a store is missing.
    pub async fn start(&mut self) -> Result<()> {
        self.start_nodes().await?;
        self.start_issuers().await
    }

    /// Starts the validators and waits until they are ready. Runs `init` first where a store is missing.
    pub async fn start_nodes(&mut self) -> Result<()> {
        for node in &self.nodes {
            if !self.layout.root().join(&node.spec().name).join("data").exists() {
                self.init_process(node).await?;
            }
        }
        // They need each other, so all are started before the first is waited for.
        for node in &mut self.nodes {
            node.start()?;
        }
        for node in &mut self.nodes {
            node.wait_ready().await?;
        }
        Ok(())
    }

    /// Starts the issuers and waits until they are ready. Runs `init` first where a journal is missing.
    pub async fn start_issuers(&mut self) -> Result<()> {
        for issuer in &self.issuers {
            if !self.layout.root().join(&issuer.spec().name).join("journal").exists() {
                self.init_process(issuer).await?;
            }
        }
        for issuer in &mut self.issuers {
            issuer.start()?;
        }
        for issuer in &mut self.issuers {
            issuer.wait_ready().await?;
        }
        Ok(())
    }

    /// Makes the page for this network's trust file, starts the portal that serves it, and waits until it is ready.
    pub async fn start_portal(&mut self) -> Result<()> {
        let addresses = self.description.portal.clone();
        let addresses = addresses.context("this network was made without a portal: make a new one")?;
        let program = self.binaries.beside("tallystick-portal")?;
        self.make_page(&self.layout.page()).await?;
        let config = self.layout.portal_config().display().to_string();
        let name = "portal".to_owned();
        let log = self.layout.log(&name);
        let arguments = vec!["run".to_owned(), "--config".to_owned(), config];
        let environment = Vec::new();
        let spec = ProcessSpec { name, program, arguments, environment, log, metrics: addresses.metrics };
        let mut portal = ManagedProcess::new(spec, std::mem::take(&mut self.portal_ports));
        portal.start()?;
        portal.wait_ready().await?;
        self.portal = Some(portal);
        Ok(())
    }

    /// Makes the page that judges by this network's trust file and directory of units, in both shapes, into a folder.
    pub async fn make_page(&self, out: &Path) -> Result<()> {
        let (page, module) = (self.binaries.beside("tallystick-page")?, self.binaries.module()?);
        let (trust, out) = (self.layout.trust().display().to_string(), out.display().to_string());
        let (module, directory) = (module.display().to_string(), self.layout.directory().display().to_string());
        let judged_by = ["--trust", &trust, "--directory", &directory, "--host", documents::CODE_HOST];
        let arguments: Vec<&str> = ["--module", &module, "--out", &out].into_iter().chain(judged_by).collect();
        let (code, output) = run(&page, &arguments).await?;
        ensure!(code == 0, "tallystick-page ended with exit code {code}:\n{output}");
        Ok(())
    }

    /// The portal's process, if it was started.
    pub fn portal(&mut self) -> Result<&mut ManagedProcess> {
        self.portal.as_mut().context("the portal was not started")
    }

    /// SIGTERM to all, portal and issuers first. Fails if one had to be killed or ended with an error.
    pub async fn stop(&mut self) -> Result<()> {
        let mut problems = Vec::new();
        for process in self.portal.iter_mut().chain(&mut self.issuers).chain(&mut self.nodes) {
            if !process.is_running() {
                continue;
            }
            match process.terminate().await {
                Ok(status) if status.success() => {}
                Ok(status) => problems.push(format!("{} ended with {status}", process.spec().name)),
                Err(error) => problems.push(format!("{error:#}")),
            }
        }
        ensure!(problems.is_empty(), "not all processes stopped cleanly: {}", problems.join("; "));
        Ok(())
    }

    /// SIGKILL to all, and waits until each has ended: afterwards nothing of the network writes any more.
    pub fn end(&mut self) {
        self.nodes.iter_mut().chain(&mut self.issuers).chain(&mut self.portal).for_each(ManagedProcess::end);
    }

    /// A validator's process, by number from 1.
    pub fn node(&mut self, validator_id: u32) -> Result<&mut ManagedProcess> {
        pick(&mut self.nodes, validator_id).ok_or_else(|| anyhow!("no validator {validator_id}"))
    }

    /// An issuer's process, by number from 1.
    pub fn issuer(&mut self, issuer_id: u32) -> Result<&mut ManagedProcess> {
        pick(&mut self.issuers, issuer_id).ok_or_else(|| anyhow!("no issuer {issuer_id}"))
    }

    /// Every process that should run and does not, with how it ended.
    pub fn dead_processes(&mut self) -> Vec<String> {
        self.dead_processes_by_name().into_iter().map(|(_, said)| said).collect()
    }

    /// The same, with the name of each.
    pub fn dead_processes_by_name(&mut self) -> Vec<(String, String)> {
        let dead = |process: &mut ManagedProcess| {
            let status = process.exited().ok().flatten()?;
            let name = process.spec().name.clone();
            let said = format!("{name} ended with {status}; its log ends:\n{}", process.log_tail());
            Some((name, said))
        };
        self.nodes.iter_mut().chain(&mut self.issuers).chain(&mut self.portal).filter_map(dead).collect()
    }

    /// Process ids by process name, of those that run.
    pub fn process_ids(&self) -> Vec<(String, u32)> {
        let running = self.nodes.iter().chain(&self.issuers).chain(&self.portal);
        running.filter_map(|process| Some((process.spec().name.clone(), process.pid()?))).collect()
    }

    /// The paths of all files of the network.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Addresses and numbers of all parties (`network.json`).
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Units, kinds and items.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The programs.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The programs, to be changed: the same ones run in another way.
    pub fn binaries_mut(&mut self) -> &mut Binaries {
        &mut self.binaries
    }

    /// The trust file.
    pub fn trust(&self) -> Result<TrustFile> {
        let text = durable::read(&self.layout.trust(), TRUST_BYTES_MAX)?;
        let text = String::from_utf8(text).context("the trust file is not text")?;
        TrustFile::parse(&text).context("read the trust file")
    }

    /// The addresses of a validator. An error if there is none of this number.
    pub fn node_addresses(&self, validator_id: u32) -> Result<&NodeAddresses> {
        let found = self.description.nodes.iter().find(|node| node.validator_id == validator_id);
        found.ok_or_else(|| anyhow!("no validator {validator_id}"))
    }

    /// The addresses of an issuer. An error if there is none of this number.
    pub fn issuer_addresses(&self, issuer_id: u32) -> Result<&IssuerAddresses> {
        let found = self.description.issuers.iter().find(|issuer| issuer.issuer_id == issuer_id);
        found.ok_or_else(|| anyhow!("no issuer {issuer_id}"))
    }

    /// A connection to a validator as one of the callers.
    pub async fn node_channel(&self, validator_id: u32, caller: Caller) -> Result<Channel> {
        let address = self.node_addresses(validator_id)?.grpc;
        let endpoint = clients::endpoint(&self.layout, address, caller)?;
        endpoint.connect().await.with_context(|| format!("connect to node-{validator_id} as {}", caller.name()))
    }

    /// A connection to an issuer as one of the callers.
    pub async fn issuer_channel(&self, issuer_id: u32, caller: Caller) -> Result<Channel> {
        let address = self.issuer_addresses(issuer_id)?.grpc;
        let endpoint = clients::endpoint(&self.layout, address, caller)?;
        endpoint.connect().await.with_context(|| format!("connect to issuer-{issuer_id} as {}", caller.name()))
    }

    /// A client of an issuer as one of the callers.
    pub async fn issuer_client(&self, issuer_id: u32, caller: Caller) -> Result<IssuerClient> {
        Ok(clients::issuer_client(self.issuer_channel(issuer_id, caller).await?))
    }

    /// A client of an issuer's service for portals as one of the callers.
    pub async fn portal_client(&self, issuer_id: u32, caller: Caller) -> Result<PortalClient> {
        Ok(clients::portal_client(self.issuer_channel(issuer_id, caller).await?))
    }

    /// A client of a validator's ledger service as one of the callers.
    pub async fn ledger_client(&self, validator_id: u32, caller: Caller) -> Result<LedgerClient> {
        Ok(clients::ledger_client(self.node_channel(validator_id, caller).await?))
    }

    /// A client of a validator's admin service as one of the callers.
    pub async fn admin_client(&self, validator_id: u32, caller: Caller) -> Result<AdminClient> {
        Ok(clients::admin_client(self.node_channel(validator_id, caller).await?))
    }

    /// What a validator says of itself: heights, peers, pool.
    pub async fn node_status(&self, validator_id: u32) -> Result<GetNodeStatusResponse> {
        let mut client = self.admin_client(validator_id, Caller::Operator).await?;
        let status = client.get_node_status(GetNodeStatusRequest {}).await;
        Ok(status.with_context(|| format!("ask node-{validator_id} for its status"))?.into_inner())
    }

    /// Runs `tallystick-verifier` with these arguments to its end: exit code and standard output and error.
    pub async fn run_verifier(&self, arguments: &[&str]) -> Result<(i32, String)> {
        run(&self.binaries.verifier, arguments).await
    }

    /// Runs `tallystick-authority` with these arguments to its end: exit code and standard output and error.
    pub async fn run_authority(&self, arguments: &[&str]) -> Result<(i32, String)> {
        run(&self.binaries.authority, arguments).await
    }

    /// Runs a command of `tallystick-node` other than `run` for a validator, to its end: exit code and output.
    pub async fn run_node_command(&self, validator_id: u32, command: &str) -> Result<(i32, String)> {
        let config = self.layout.node_config(validator_id).display().to_string();
        run(&self.binaries.node, &[command, "--config", &config]).await
    }

    /// Arguments by which `tallystick-authority` reaches the validators as one of the callers.
    pub fn authority_arguments(&self, caller: Caller) -> Vec<String> {
        let files = clients::certificate_files(&self.layout, caller);
        let mut arguments: Vec<String> = Vec::new();
        for node in &self.description.nodes {
            arguments.extend(["--node".to_owned(), node.grpc.to_string()]);
        }
        for (name, path) in [("--tls-ca", self.layout.ca().cert), ("--tls-cert", files.cert), ("--tls-key", files.key)]
        {
            arguments.extend([name.to_owned(), path.display().to_string()]);
        }
        arguments
    }

    /// Runs a command of `tallystick-issuer` other than `run` for an issuer, to its end: exit code and output.
    pub async fn run_issuer_command(&self, issuer_id: u32, command: &str, more: &[&str]) -> Result<(i32, String)> {
        let config = self.layout.issuer_config(issuer_id).display().to_string();
        let arguments: Vec<&str> = [command, "--config", &config].into_iter().chain(more.iter().copied()).collect();
        run(&self.binaries.issuer, &arguments).await
    }

    /// Arguments by which `tallystick-verifier` replays the ledger of a validator as one of the callers.
    pub fn audit_arguments(&self, validator_id: u32, caller: Caller) -> Result<Vec<String>> {
        let certificate = clients::certificate_files(&self.layout, caller);
        let url = format!("https://{}", self.node_addresses(validator_id)?.grpc);
        let arguments: [(&str, PathBuf); 5] = [
            ("--genesis", self.layout.genesis()),
            ("--trust", self.layout.trust()),
            ("--tls-ca", self.layout.ca().cert),
            ("--tls-cert", certificate.cert),
            ("--tls-key", certificate.key),
        ];
        let paths = arguments.into_iter().flat_map(|(name, path)| [name.to_owned(), path.display().to_string()]);
        Ok(["audit".to_owned(), "--node".to_owned(), url].into_iter().chain(paths).collect())
    }

    async fn init_process(&self, process: &ManagedProcess) -> Result<()> {
        let spec = process.spec();
        let config = spec.arguments.last().map(String::as_str).unwrap_or_default();
        let (code, output) = run(&spec.program, &["init", "--config", config]).await?;
        if code != 0 {
            bail!("{} init ended with exit code {code}:\n{output}", spec.name);
        }
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.end();
    }
}

fn pick(processes: &mut [ManagedProcess], number: u32) -> Option<&mut ManagedProcess> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    processes.get_mut(index)
}

fn absolute(directory: &Path) -> Result<PathBuf> {
    std::path::absolute(directory).with_context(|| format!("resolve {}", directory.display()))
}

async fn run(program: &Path, arguments: &[&str]) -> Result<(i32, String)> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("run {}", program.display()))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let code = output.status.code().with_context(|| format!("{} was killed", program.display()))?;
    Ok((code, text))
}
