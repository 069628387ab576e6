//! `tallystick-devnet up`: a network that stays, and how to talk to it.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, bail};
use tallystick_devnet::layout::Layout;
use tallystick_devnet::registry::{SYSTEM_HOSPITALS, SYSTEM_OFFICES};
use tallystick_devnet::{Caller, Network, NetworkOptions};

/// Makes or opens the network in `directory` and runs it until `interrupted` is ready.
pub(crate) async fn run(directory: &Path, interrupted: impl Future<Output = Result<&'static str>>) -> Result<()> {
    let mut network = match Layout::new(directory).description().exists() {
        true => Network::open(directory)?,
        false => Network::generate(directory, &NetworkOptions::default())?,
    };
    println!(
        "starting {} validators and {} issuer …",
        network.description().nodes.len(),
        network.description().issuers.len()
    );
    tokio::pin!(interrupted);
    tokio::select! {
        started = network.start() => started?,
        name = &mut interrupted => bail!("stopped by {} before the network was ready", name?),
    }
    print_directions(&network);
    let name = interrupted.await?;
    println!("{name}: stopping …");
    let dead = network.dead_processes();
    network.stop().await?;
    if dead.is_empty() { Ok(()) } else { bail!("{}", dead.join("\n")) }
}

fn print_directions(network: &Network) {
    let description = network.description();
    let layout = network.layout();
    println!("\nchain {} is up (id {})\n", description.chain_name, description.chain_id);
    for node in &description.nodes {
        println!(
            "  node-{}    gRPC https://{}   checkpoint http://{}/checkpoint   metrics http://{}/metrics",
            node.validator_id, node.grpc, node.http, node.metrics
        );
    }
    for issuer in &description.issuers {
        println!(
            "  issuer-{}  gRPC https://{}   metrics http://{}/metrics",
            issuer.issuer_id, issuer.grpc, issuer.metrics
        );
    }
    println!("\n  trust file       {}", layout.trust().display());
    println!("  logs             {}", layout.logs().display());
    println!("  authority of TLS {}", layout.ca().cert.display());
    println!("  certificates     {}/NAME.pem and NAME.key, with NAME one of", layout.root().join("clients").display());
    for caller in Caller::CLIENTS {
        let note = match caller {
            Caller::System(SYSTEM_HOSPITALS) => "  (issues for every hospital)",
            Caller::System(SYSTEM_OFFICES) => "  (issues for every other unit)",
            _ => "",
        };
        println!("                     {}{note}", caller.name());
    }
    println!("\nFor the commands of README, examples/python and docs/how-to/call-the-api.md:\n");
    println!("  {}", exports(network));
    println!("\nCtrl-C stops it; the same command starts it again.");
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
