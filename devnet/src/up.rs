//! `tallystick-devnet up`: a network that stays, and how to talk to it.

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tallystick_devnet::layout::Layout;
use tallystick_devnet::registry::{SYSTEM_HOSPITALS, SYSTEM_OFFICES};
use tallystick_devnet::{Caller, Network, NetworkOptions};
use tallystick_service::{durable, outln, outpage};

/// Interval at which the processes are looked after.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);

const DOOR_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes or opens the network in `directory` and runs it until `interrupted` is ready.
pub(crate) async fn run(directory: &Path, interrupted: impl Future<Output = Result<&'static str>>) -> Result<()> {
    let _held = hold(directory)?;
    let mut network = match Layout::new(directory).description().exists() {
        true => open(directory)?,
        false => Network::generate(directory, &NetworkOptions { documents: true, ..NetworkOptions::default() })?,
    };
    outln!(
        "starting {} validators and {} issuer …",
        network.description().nodes.len(),
        network.description().issuers.len()
    );
    tokio::pin!(interrupted);
    tokio::select! {
        started = network.start() => started?,
        name = &mut interrupted => bail!("stopped by {} before the network was ready", name?),
    }
    // A network without its portal is still one; whoever only wants the ledger need not build the page.
    let portal = tokio::select! {
        started = network.start_portal() => started,
        name = &mut interrupted => bail!("stopped by {} before the portal was ready", name?),
    };
    print_directions(&network, portal.err());
    watch(&mut network, interrupted).await
}

/// Says what of a network has ended, until `interrupted` is ready; then stops it.
pub(crate) async fn watch(
    network: &mut Network,
    interrupted: impl Future<Output = Result<&'static str>>,
) -> Result<()> {
    tokio::pin!(interrupted);
    let mut told = Vec::new();
    let name = loop {
        tokio::select! {
            name = &mut interrupted => break name?,
            () = tokio::time::sleep(WATCH_INTERVAL) => tell_dead(network, &mut told),
        }
    };
    outln!("{name}: stopping …");
    tell_dead(network, &mut told);
    network.stop().await?;
    if told.is_empty() { Ok(()) } else { bail!("of the network, {} had ended before", told.join(", ")) }
}

/// Takes up a network, unless processes of it still run that another launcher left behind: they would answer for the new ones.
fn open(directory: &Path) -> Result<Network> {
    let network = Network::open(directory)?;
    let description = network.description();
    let doors = description.nodes.iter().map(|node| node.metrics);
    let doors = doors.chain(description.issuers.iter().map(|issuer| issuer.metrics));
    for door in doors.chain(description.portal.iter().map(|portal| portal.metrics)) {
        if TcpStream::connect_timeout(&door, DOOR_TIMEOUT).is_ok() {
            bail!("something answers at {door}, which is this network's: end what an earlier launcher left running");
        }
    }
    Ok(network)
}

/// Says once of each process that it has ended, and how.
fn tell_dead(network: &mut Network, told: &mut Vec<String>) {
    for (name, said) in network.dead_processes_by_name() {
        if !told.contains(&name) {
            outpage!("{}\n", page_of(&said));
            told.push(name);
        }
    }
}

/// Its log's last lines are set in, so that none can pass for one of ours.
fn page_of(said: &str) -> String {
    said.replace('\n', "\n    ")
}

/// Keeps the directory for one launcher: a second one would start processes on the same stores and ports, find the first one's
/// ready, and call that its own.
fn hold(directory: &Path) -> Result<File> {
    durable::private_directory(directory)?;
    let path = directory.join("devnet.lock");
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("open {}", path.display()))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => {
            bail!("a network runs in {} already: stop that one first, or give another --dir", directory.display())
        }
        Err(error) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}

fn print_directions(network: &Network, no_portal: Option<anyhow::Error>) {
    let description = network.description();
    let layout = network.layout();
    outpage!("\nchain {} is up (id {})\n\n", description.chain_name, description.chain_id);
    for node in &description.nodes {
        outpage!(
            "  node-{}    gRPC https://{}   checkpoint http://{}/checkpoint   metrics http://{}/metrics\n",
            node.validator_id,
            node.grpc,
            node.http,
            node.metrics
        );
    }
    for issuer in &description.issuers {
        outpage!(
            "  issuer-{}  gRPC https://{}   metrics http://{}/metrics\n",
            issuer.issuer_id,
            issuer.grpc,
            issuer.metrics
        );
    }
    match (&description.portal, no_portal) {
        (Some(portal), None) => outpage!(
            "  portal    https://localhost:{}   (a browser warns of the certificate: it is this network's own)   metrics http://{}/metrics\n",
            portal.https.port(),
            portal.metrics
        ),
        (_, Some(error)) => outpage!("  no portal {error:#}\n"),
        (None, None) => {}
    }
    outpage!("\n  trust file       {}\n", layout.trust().display());
    outpage!("  logs             {}\n", layout.logs().display());
    outpage!("  authority of TLS {}\n", layout.ca().cert.display());
    outpage!(
        "  certificates     {}/NAME.pem and NAME.key, with NAME one of\n",
        layout.root().join("clients").display()
    );
    for caller in Caller::CLIENTS {
        let note = match caller {
            Caller::System(SYSTEM_HOSPITALS) => "  (issues for every hospital)",
            Caller::System(SYSTEM_OFFICES) => "  (issues for every other unit)",
            _ => "",
        };
        outpage!("                     {}{note}\n", caller.name());
    }
    outpage!("\nFor the commands of README, examples/python and docs/how-to/call-the-api.md:\n\n");
    outpage!("  {}\n", exports(network));
    outpage!("\nCtrl-C stops it; the same command starts it again.\n");
}

/// Where things are, as a line for a shell.
fn exports(network: &Network) -> String {
    let description = network.description();
    let port = |address: Option<SocketAddr>| address.map_or(0, |address| address.port());
    let issuer = port(description.issuers.first().map(|issuer| issuer.grpc));
    let node = port(description.nodes.first().map(|node| node.grpc));
    let programs = network.binaries().verifier.parent().map(|directory| directory.display().to_string());
    format!(
        "export DEVNET='{}' ISSUER=localhost:{issuer} NODE=localhost:{node} PATH=\"{}:$PATH\"",
        network.layout().root().display(),
        programs.unwrap_or_default()
    )
}
