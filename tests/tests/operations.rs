//! What an operator does to running processes: certificates change under them, they are alive before they are ready, and
//! SIGTERM lets them finish what they have begun. One network, one thing after the other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tallystick_devnet::clients::{self, IssuerClient};
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::layout::{CertificateFiles, Layout};
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::pki::{Authority, CertificateRequest, Validity};
use tallystick_devnet::process::http_get;
use tallystick_devnet::registry::SYSTEM_HOSPITALS;
use tallystick_devnet::{Caller, Network, NetworkOptions};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::{CallReason, ErrorReason, Refusal};
use tallystick_proto::issuer::v1::{IssueRequest, Wait, WatchRequest};
use tallystick_proto::ledger::v1::StreamBlocksRequest;
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::judgement::all_sealed_once;
use tallystick_tests::load::{Acked, Load};
use tallystick_tests::{TestNetwork, after_kills};
use tokio::process::Command;

const HOSPITALS: Caller = Caller::System(SYSTEM_HOSPITALS);
const TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Loses its store, and has to fetch it from its peers.
const WIPED: u32 = 3;
/// Gets a certificate of the new authority; the wiped one needs it for a quorum.
const RENEWED: u32 = 2;
/// Of the receipts that make these heights; smaller ones are issued before.
const FIRST_SERIAL: u64 = 6;
const HEIGHTS_SIGNED: u64 = 5;
const RECEIPTS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn certificates_change_readiness_is_told_and_nothing_is_lost_at_the_end() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let mut acked = certificates_change_without_a_restart(&network).await;
    acked.extend(alive_is_not_ready(&mut network).await);
    acked.extend(sigterm_drains_while_receipts_are_issued(&mut network).await);
    all_sealed_once(&network, 1, &acked).await.unwrap();
    network.wait_equal_tips().await.unwrap();
    network.audit(WIPED).await.unwrap();
    let allowed = after_kills(AllowList::lifecycle())
        .and("issuer-1", &["TLS files not reloaded; the old ones stay in use"])
        // The validators were stopped under it.
        .and("issuer-1", &["tallystick_anchoring::follow"]);
    network.finish(&allowed).await.unwrap();
}

async fn issue(network: &Network, client: IssuerClient, serial: u64) -> Acked {
    let receipt = tallystick_devnet::generate_receipts::ReceiptGenerator::new(
        network.registry(),
        tallystick_devnet::generate_receipts::GeneratorParams::at(
            SystemClock.now(),
            network.description().utc_offset_minutes,
            serial,
        )
        .unwrap(),
    )
    .unwrap()
    .outpatient()
    .unwrap();
    let issued = issue_one(client, &receipt, Wait::Pending).await.unwrap();
    Acked { receipt, key: issued.key, response: issued.response }
}

/// Puts a file in the place of another in one step, as a tool for certificates does.
fn replace(path: &Path, content: &[u8]) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, content).unwrap();
    std::fs::set_permissions(&beside, std::fs::metadata(path).unwrap().permissions()).unwrap();
    std::fs::rename(&beside, path).unwrap();
}

async fn hang_up(pids: &[(String, u32)]) {
    let mut command = Command::new("kill");
    command.arg("-HUP").args(pids.iter().map(|(_, pid)| pid.to_string()));
    assert!(command.status().await.unwrap().success());
}

/// Connects as the hospitals' system with what lies in a directory, until it is let in.
async fn connected(layout: &Layout, address: SocketAddr) -> IssuerClient {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let endpoint = clients::endpoint(layout, address, HOSPITALS).unwrap();
        match endpoint.connect().await {
            Ok(channel) => {
                let mut client = clients::issuer_client(channel);
                // A refused client certificate shows at the first call at the latest.
                let unknown = tallystick_proto::issuer::v1::DayTotalsRequest::default();
                let status = client.day_totals(unknown).await.unwrap_err();
                if Refusal::from_status(&status).is_some() {
                    return client;
                }
            }
            Err(_) if Instant::now() < deadline => {}
            Err(error) => panic!("not let in after {TIMEOUT:?}: {error:?}"),
        }
        assert!(Instant::now() < deadline, "not let in after {TIMEOUT:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// A new authority is trusted beside the old one, then the issuer shows a certificate from it: under the same process, over
/// which a connection from before goes on to work.
async fn certificates_change_without_a_restart(network: &Network) -> Vec<Acked> {
    let (layout, address) = (network.layout(), network.issuer_addresses(1).unwrap().grpc);
    let before = network.process_ids();
    let old = network.issuer_client(1, HOSPITALS).await.unwrap();
    let mut acked = vec![issue(network, old.clone(), 1).await];

    // What the callers will have: only the new authority, and a certificate from it.
    let callers = Layout::new(layout.root().join("renewed"));
    std::fs::create_dir_all(callers.root()).unwrap();
    let authority = Authority::new("the next authority", SystemClock.now().get()).unwrap();
    authority.write(&callers.ca()).unwrap();
    let certify = |caller: Caller, files: &CertificateFiles| {
        let identity_uri = caller.identity_uri(&network.description().chain_name);
        let name = caller.name();
        let request = CertificateRequest { name: &name, identity_uri: &identity_uri, validity: Validity::Current };
        authority.certify(&request, files).unwrap();
    };
    certify(HOSPITALS, &callers.client(&HOSPITALS.name()));
    let stranger = clients::endpoint(&callers, address, HOSPITALS).unwrap().connect().await;
    assert!(stranger.is_err(), "the issuer's certificate is of the old authority");

    // The new authority beside the old one, for every process; the issuer's own certificate and a validator's with it. The latter's
    // links stand, and those that are made anew later are under the new one.
    let both = [std::fs::read(layout.ca().cert).unwrap(), std::fs::read(callers.ca().cert).unwrap()].concat();
    replace(&layout.ca().cert, &both);
    let renewed = callers.client("issuer");
    certify(Caller::Issuer(1), &renewed);
    let tls = layout.issuer(1).join("tls");
    replace(&tls.join("issuer.key"), &std::fs::read(&renewed.key).unwrap());
    replace(&tls.join("issuer.pem"), &std::fs::read(&renewed.cert).unwrap());
    let renewed_node = callers.client("node");
    certify(Caller::Validator(RENEWED), &renewed_node);
    let node_tls = layout.node(RENEWED).join("tls");
    replace(&node_tls.join("node.key"), &std::fs::read(&renewed_node.key).unwrap());
    replace(&node_tls.join("node.pem"), &std::fs::read(&renewed_node.cert).unwrap());
    hang_up(&before).await;
    let new = connected(&callers, address).await;
    acked.push(issue(network, new, 2).await);
    acked.push(issue(network, old.clone(), 3).await);

    // A file that is none: the last good ones stay in use, and the log says so.
    replace(&tls.join("issuer.pem"), b"-----BEGIN CERTIFICATE-----\n");
    hang_up(&before).await;
    let log = layout.log("issuer-1");
    let deadline = Instant::now() + TIMEOUT;
    while !std::fs::read_to_string(&log).unwrap().contains("TLS files not reloaded") {
        assert!(Instant::now() < deadline, "the log does not tell of the bad certificate");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    let new = connected(&callers, address).await;
    acked.push(issue(network, new, 4).await);
    acked.push(issue(network, old, 5).await);
    replace(&tls.join("issuer.pem"), &std::fs::read(&renewed.cert).unwrap());
    hang_up(&before).await;

    assert_eq!(network.process_ids(), before, "nothing was restarted");
    acked
}

/// Status and body of `/readyz` or `/livez`, once the door answers.
async fn door(address: SocketAddr, path: &str) -> (u16, String) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match http_get(address, path).await {
            Ok((status, body)) => return (status, String::from_utf8_lossy(&body).into_owned()),
            Err(error) => assert!(Instant::now() < deadline, "{path} does not answer: {error:#}"),
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// While their peers stand still, a validator without its store and a new issuer process are alive, and not ready.
async fn alive_is_not_ready(network: &mut TestNetwork) -> Vec<Acked> {
    let client = network.issuer_client(1, HOSPITALS).await.unwrap();
    // Several heights, one after the other: a validator is behind only if it has signed more than the next one.
    let mut acked = Vec::new();
    for serial in 0..HEIGHTS_SIGNED {
        acked.push(issue(network, client.clone(), FIRST_SERIAL + serial).await);
        all_sealed_once_of(network, &acked).await;
    }
    network.node(WIPED).unwrap().kill().await.unwrap();
    network.issuer(1).unwrap().kill().await.unwrap();
    let directory = network.layout().node(WIPED);
    for part in ["data", "wal"] {
        std::fs::remove_dir_all(directory.join(part)).unwrap();
    }
    network.init_node(WIPED).await.unwrap();
    for id in [1, 2, 4] {
        network.node(id).unwrap().pause().unwrap();
    }
    network.node(WIPED).unwrap().start().unwrap();
    network.issuer(1).unwrap().start().unwrap();

    let node = network.node_addresses(WIPED).unwrap().metrics;
    let issuer = network.issuer_addresses(1).unwrap().metrics;
    assert_eq!(door(node, "/livez").await, (200, "alive\n".to_owned()));
    let (status, body) = door(node, "/readyz").await;
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("consensus"), "{body}");
    assert_eq!(door(issuer, "/livez").await, (200, "alive\n".to_owned()));
    let (status, body) = door(issuer, "/readyz").await;
    assert_eq!(status, 503, "{body}");
    // Not ready is also what a caller is told, and when to come again.
    let mut client = network.issuer_client(1, HOSPITALS).await.unwrap();
    let sample = network.sample("S01", 77).unwrap();
    let request = IssueRequest { draft: Some(draft_to_wire(&sample.draft)), ..IssueRequest::default() };
    let refusal = Refusal::from_status(&client.issue(request).await.unwrap_err()).unwrap();
    assert_eq!(refusal.reason, ErrorReason::Call(CallReason::NotReady));
    assert!(refusal.retry_after_ms.is_some());

    for id in [1, 2, 4] {
        network.node(id).unwrap().resume().unwrap();
    }
    network.node(WIPED).unwrap().wait_ready().await.unwrap();
    network.issuer(1).unwrap().wait_ready().await.unwrap();
    assert_eq!(door(node, "/readyz").await, (200, "ready\n".to_owned()));
    acked
}

/// Sealed, whatever else was issued that day.
async fn all_sealed_once_of(network: &TestNetwork, acked: &[Acked]) {
    let clients = tallystick_tests::load::clients(network, 1).await.unwrap();
    let deadline = Instant::now() + TIMEOUT;
    for one in acked {
        loop {
            let state = tallystick_tests::judgement::state_of(&clients, one).await.unwrap().state();
            if state == tallystick_proto::issuer::v1::ReceiptState::Sealed {
                break;
            }
            assert!(Instant::now() < deadline, "a receipt is still {}", state.as_str_name());
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// The issuer, then each validator, gets SIGTERM under load and with open streams: it ends by itself, with exit code 0, and
/// every receipt that was acknowledged is sealed in the end.
async fn sigterm_drains_while_receipts_are_issued(network: &mut TestNetwork) -> Vec<Acked> {
    let mut load = Load::start(network, 1, 9).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    let mut watcher = network.issuer_client(1, HOSPITALS).await.unwrap();
    let _outcomes = watcher.watch(WatchRequest::default()).await.unwrap();
    let status = network.issuer(1).unwrap().terminate().await.unwrap();
    assert!(status.success(), "the issuer ended with {status}");
    network.issuer(1).unwrap().start().unwrap();
    network.issuer(1).unwrap().wait_ready().await.unwrap();
    for id in 1..=4 {
        load.wait_more(RECEIPTS).await.unwrap();
        let mut reader = network.ledger_client(id, Caller::Auditor).await.unwrap();
        let request = StreamBlocksRequest { from_height: 1, with_records: true, follow: true };
        let _blocks = reader.stream_blocks(request).await.unwrap();
        let status = network.node(id).unwrap().terminate().await.unwrap();
        assert!(status.success(), "node-{id} ended with {status}:\n{}", network.node(id).unwrap().log_tail());
        network.node(id).unwrap().start().unwrap();
        network.node(id).unwrap().wait_ready().await.unwrap();
    }
    load.wait_more(RECEIPTS).await.unwrap();
    load.stop().await.unwrap()
}
