//! Validators join, leave and change their keys while receipts are issued: with real processes, by the page that operators read.
//!
//! One network walks through all of it: who fetched the chain by sync joins, and its vote is needed at once because one of the old is
//! dead; the dead one leaves, and comes back as a follower; two changes at once, one of them of keys; and an issuer that was away
//! meanwhile; and one whose keys were changed while it stood. Nothing is lost, every bundle verifies, trust files walk every handover.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use receipt_core::governance::{Action, Governance, RegisterKind, SetValidators};
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, ValidatorId};
use receipt_core::suite::{PublicKey, Suite};
use receipt_core::validators::{Validator, ValidatorSet};
use receipt_core::verdict::verify_bundle;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Caller, NetworkOptions, governance};
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::judgement::{all_sealed_once, issue_and_keep};
use tallystick_tests::load::Load;
use tallystick_tests::pages::Operator;
use tallystick_tests::{TestNetwork, after_kills};

const PAGE: &str = "docs/ops/validators.md";
const JOINS: u32 = 5;
const DIES_AND_LEAVES: u32 = 1;
const LEAVES: u32 = 2;
const CHANGES_KEYS: u32 = 3;
const RECEIPTS: usize = 30;
/// Under load, far enough for a decision on the change and the next heights.
const HEIGHTS_AHEAD: u64 = 15;
/// After a load: its last heights may not have come to the node that is asked.
const HEIGHTS_AT_REST: u64 = 6;
const WAIT_MAX: Duration = Duration::from_secs(90);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const FOLLOWS: &str = "is in no validator set: this node follows without a vote";

async fn get(network: &TestNetwork, id: u32, path: &str) -> String {
    let (_, body) = http_get(network.node_addresses(id).unwrap().metrics, path).await.unwrap();
    String::from_utf8(body).unwrap()
}

async fn is_validator(network: &TestNetwork, id: u32) -> bool {
    let metrics = get(network, id, "/metrics").await;
    let mut lines = metrics.lines().filter_map(|line| line.strip_prefix("tallystick_node_validator "));
    match lines.next().unwrap() {
        "1" => true,
        "0" => false,
        other => panic!("{other}"),
    }
}

async fn wait_part(network: &TestNetwork, id: u32, expected: bool) {
    let deadline = Instant::now() + WAIT_MAX;
    while is_validator(network, id).await != expected {
        assert!(Instant::now() < deadline, "node-{id} is still no validator, or still one");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// What `keygen` prints of a validator: the keys of now, then the next ones.
async fn printed(network: &TestNetwork, id: u32) -> Vec<Validator> {
    let (code, said) = network.run_node_command(id, "keygen").await.unwrap();
    assert_eq!(code, 0, "{said}");
    let value = |block: &str, name: &str| {
        let mut lines =
            block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'));
        lines.next().unwrap().to_owned()
    };
    let key = |block: &str, name: &str| PublicKey(hex::decode(value(block, name)).unwrap().try_into().unwrap());
    let blocks = said.split("[[validators]]").skip(1);
    let member = |block: &str| Validator {
        id: ValidatorId::new(id),
        name: value(block, "name"),
        consensus_key: key(block, "consensus_key"),
        log_key: key(block, "log_key"),
        cosigner_key: key(block, "cosigner_key"),
    };
    blocks.map(member).collect()
}

/// The newest keys of each of these.
async fn set_of(network: &TestNetwork, ids: &[u32]) -> ValidatorSet {
    let mut members = Vec::new();
    for id in ids {
        members.push(printed(network, *id).await.pop().unwrap());
    }
    ValidatorSet::new(members).unwrap()
}

/// Signs and submits the next governance message; `asked` runs.
async fn govern(network: &TestNetwork, asked: u32, action: impl FnOnce(u64) -> Action) {
    let status = network.node_status(asked).await.unwrap();
    let message = Governance {
        suite: Suite::Ed25519Sha256,
        area: None,
        sequence: status.governance_sequence + 1,
        expiry: Height::new(status.decided_height + 10_000),
        previous: Hash::from_slice(&status.governance_id).unwrap(),
        actions: vec![action(status.decided_height)],
    };
    let signed = governance::sign(network.layout(), &message.encode()).unwrap();
    governance::submit(network.layout(), &signed).await.unwrap();
    let deadline = Instant::now() + WAIT_MAX;
    while network.node_status(asked).await.unwrap().governance_sequence < message.sequence {
        assert!(Instant::now() < deadline, "the message is not executed");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn replace_validators(network: &TestNetwork, asked: u32, ids: &[u32], heights_ahead: u64) {
    let validators = set_of(network, ids).await;
    let change = |height| SetValidators { effective_height: height + heights_ahead, validators };
    govern(network, asked, |height| Action::SetValidators(change(height))).await;
}

/// Makes a chain that rests go on to the change.
async fn go_on(network: &TestNetwork) {
    for _ in 0..HEIGHTS_AT_REST {
        let (kind, name) = (999_001, "示例".to_owned());
        govern(network, 4, |_| Action::RegisterKind(RegisterKind::named(kind, name))).await;
    }
}

/// The network's trust file as the verifier walks it by a node's blocks.
async fn walked_trust(network: &TestNetwork, id: u32) -> Vec<u8> {
    let audit = network.audit_arguments(id, Caller::Auditor).unwrap();
    let tls: Vec<&str> = audit.iter().map(String::as_str).collect();
    let value = |name: &str| tls[tls.iter().position(|argument| *argument == name).unwrap() + 1];
    let mut arguments = vec!["trust", "update", value("--trust")];
    for name in ["--node", "--tls-ca", "--tls-cert", "--tls-key"] {
        arguments.extend([name, value(name)]);
    }
    let output = tokio::process::Command::new(&network.binaries().verifier).args(&arguments).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// It takes the place of the network's. How many sets are new.
async fn update_trust(network: &TestNetwork, id: u32) -> usize {
    let before = network.trust().unwrap().sets().len();
    let walked = walked_trust(network, id).await;
    std::fs::write(network.layout().trust(), walked).unwrap();
    network.trust().unwrap().sets().len() - before
}

/// Authorities read the registry from these nodes, under a trust file that is up to date: exit code, and what was said.
async fn registry_by(network: &TestNetwork, nodes: &[u32]) -> (i32, String) {
    let trust = network.layout().root().join("trust-of-now.txt");
    std::fs::write(&trust, walked_trust(network, 4).await).unwrap();
    let (trust, genesis) = (trust.display().to_string(), network.layout().genesis().display().to_string());
    let addresses: Vec<String> = nodes.iter().map(|id| network.node_addresses(*id).unwrap().grpc.to_string()).collect();
    let mut arguments = vec!["registry", "--genesis", &genesis, "--trust", &trust];
    arguments.extend(addresses.iter().flat_map(|address| ["--node", address.as_str()]));
    let reach = network.authority_arguments(Caller::Operator);
    arguments.extend(reach.iter().map(String::as_str).skip_while(|argument| *argument != "--tls-ca"));
    network.run_authority(&arguments).await.unwrap()
}

/// Who left follows without a vote, and authorities do not count what it says, though its certificate is as good as before.
async fn it_follows_and_its_word_does_not_count(network: &TestNetwork) {
    assert!(get(network, DIES_AND_LEAVES, "/readyz").await.contains(FOLLOWS));
    let (code, said) = registry_by(network, &[DIES_AND_LEAVES, 4]).await;
    assert!(code == 1 && said.contains("validator 1, who is none of those that decide now"), "{said}");
    let (code, said) = registry_by(network, &[JOINS, 4]).await;
    assert_eq!(code, 0, "{said}");
}

/// By somebody who is not sure that it was typed: `[next_keys]` twice would be refused by the start. What the first time printed.
async fn typed_twice(network: &mut TestNetwork, id: u32, page: &str, section: &str) -> String {
    let said = Operator::new(network, id).follow(page, section).await.unwrap();
    Operator::new(network, id).follow(page, section).await.unwrap();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_join_leave_and_change_keys_while_receipts_are_issued() {
    let options = NetworkOptions { followers: 1, ..NetworkOptions::default() };
    let mut network = TestNetwork::start_as_services(&options).await.unwrap();
    let founders_trust = network.trust().unwrap();
    let mut load = Load::start(&network, 1, 1).await.unwrap();
    load.wait_more(RECEIPTS).await.unwrap();
    let (early, old_bundle) = issue_and_keep(&network, 1, 77).await.unwrap();

    // It joins with an empty store.
    assert!(network.node(JOINS).unwrap().terminate().await.unwrap().success());
    let directory = network.layout().node(JOINS);
    for part in ["data", "wal", "guard"] {
        std::fs::remove_dir_all(directory.join(part)).unwrap();
    }
    Operator::new(&mut network, JOINS).follow(PAGE, "On the machine that joins").await.unwrap();
    Operator::new(&mut network, LEAVES).follow(PAGE, "On every other machine").await.unwrap();
    assert!(get(&network, JOINS, "/readyz").await.contains(FOLLOWS));
    assert!(!is_validator(&network, JOINS).await && is_validator(&network, 4).await);
    replace_validators(&network, 4, &[1, 2, 3, 4, JOINS], HEIGHTS_AHEAD).await;
    wait_part(&network, JOINS, true).await;
    assert!(!get(&network, JOINS, "/readyz").await.contains(FOLLOWS));

    // Four of five must agree: its vote counts.
    network.node(DIES_AND_LEAVES).unwrap().kill().await.unwrap();
    network.wait_more_heights(&[2, 3, 4, JOINS], 5).await.unwrap();

    // The dead one leaves, without having signed the handover, and comes back as a follower.
    replace_validators(&network, 4, &[2, 3, 4, JOINS], HEIGHTS_AHEAD).await;
    load.wait_more(RECEIPTS).await.unwrap();
    network.node(DIES_AND_LEAVES).unwrap().start().unwrap();
    network.node(DIES_AND_LEAVES).unwrap().wait_ready().await.unwrap();
    wait_part(&network, DIES_AND_LEAVES, false).await;
    it_follows_and_its_word_does_not_count(&network).await;

    // At once: one leaves, the one that left comes back, a third changes its keys.
    let said = typed_twice(&mut network, CHANGES_KEYS, PAGE, "Before the change").await;
    assert!(said.contains("next_keys") || said.contains("consensus-2.key"), "{said}");
    replace_validators(&network, 4, &[1, 3, 4, JOINS], HEIGHTS_AHEAD).await;
    wait_part(&network, LEAVES, false).await;
    wait_part(&network, 1, true).await;
    assert!(is_validator(&network, CHANGES_KEYS).await, "it holds both keys");
    // Without one of the others the new keys must sign.
    network.node(4).unwrap().kill().await.unwrap();
    network.wait_more_heights(&[1, CHANGES_KEYS, JOINS], 5).await.unwrap();
    network.node(4).unwrap().start().unwrap();
    network.node(4).unwrap().wait_ready().await.unwrap();

    typed_twice(&mut network, CHANGES_KEYS, PAGE, "After the change").await;
    assert!(is_validator(&network, CHANGES_KEYS).await, "with the new keys alone");

    let mut acked = load.stop().await.unwrap();
    network.wait_equal_tips().await.unwrap();

    // An issuer that is away while the set changes.
    assert!(network.issuer(1).unwrap().terminate().await.unwrap().success());
    replace_validators(&network, 4, &[1, 2, 3, 4, JOINS], HEIGHTS_AT_REST).await;
    go_on(&network).await;
    network.issuer(1).unwrap().start().unwrap();
    network.issuer(1).unwrap().wait_ready().await.unwrap();
    let (late, _) = issue_and_keep(&network, 1, 99).await.unwrap();
    network.wait_equal_tips().await.unwrap();

    // It stands while its keys are changed: its store knows the old ones, and it is started with the new ones alone.
    Operator::new(&mut network, LEAVES).follow(PAGE, "Before the change").await.unwrap();
    assert!(network.node(LEAVES).unwrap().terminate().await.unwrap().success());
    replace_validators(&network, 4, &[1, 2, 3, 4, JOINS], HEIGHTS_AT_REST).await;
    go_on(&network).await;
    Operator::new(&mut network, LEAVES).follow(PAGE, "After the change").await.unwrap();
    wait_part(&network, LEAVES, true).await;
    network.wait_equal_tips().await.unwrap();

    // Each node that was there hands out every handover's note: also the one that joined later, and the one that was dead.
    for id in [JOINS, DIES_AND_LEAVES] {
        let founders = founders_trust.to_text();
        std::fs::write(network.layout().trust(), founders).unwrap();
        assert_eq!(update_trust(&network, id).await, 5, "by node-{id}");
        network.audit(id).await.unwrap();
    }
    for trust in [&founders_trust, &network.trust().unwrap()] {
        let verdict = verify_bundle(&old_bundle, trust, SystemClock.now());
        assert!(verdict.is_in_force(), "{verdict:?}");
    }
    acked.extend([early, late]);
    all_sealed_once(&network, 1, &acked).await.unwrap();
    let allowed = after_kills(AllowList::lifecycle())
        .and("node-2", &["this store may know an old validator set"])
        // Its new keys are known when the change is decided on, and vote when it is in force.
        .and("node-2", &["does not vote and signs nothing"]);
    network.finish(&allowed).await.unwrap();
}
