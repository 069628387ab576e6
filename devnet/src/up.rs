//! `tallystick-devnet up`: a network that stays, and how to talk to it.

use std::future::Future;
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
    let client = layout.client(&Caller::System(SYSTEM_HOSPITALS).name());
    if let (Some(issuer), Some(unit)) = (description.issuers.first(), network.registry().units.first()) {
        println!("\nWith grpcurl (services describe themselves by reflection):\n");
        println!(
            "  grpcurl -cacert {} -cert {} -key {} \\\n    -d '{{\"biz_key\": {{\"unit_code\": \"{}\", \"biz_code\": \"none\"}}}}' \\\n    localhost:{} tallystick.issuer.v1.IssuerService/GetReceipt",
            layout.ca().cert.display(),
            client.cert.display(),
            client.key.display(),
            unit.unit_code,
            issuer.grpc.port()
        );
    }
    println!("\nCtrl-C stops it; the same command starts it again.");
}
