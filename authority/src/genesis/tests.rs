//! The same description, the same chain; one row per refusal.

use receipt_core::suite::Signer as _;
use receipt_core::testkit::software_key;

use super::*;

fn key(name: &str) -> String {
    hex::encode(software_key(name).public_key().0)
}

fn description() -> String {
    let mut text = format!(
        r#"chain_name = "city-2026"
origin = "ledger.example.org/2026"
utc_offset_minutes = 480
time = "2026-11-23T00:00:00+08:00"

[authorities]
threshold = 2
public_keys = ["{}", "{}", "{}"]
"#,
        key("a1"),
        key("a2"),
        key("a3")
    );
    for id in 1..=4 {
        let [consensus, log, cosigner] = ["consensus", "log", "cosigner"].map(|role| key(&format!("{role}-{id}")));
        let _ = write!(
            text,
            r#"
[[validators]]
id = {id}
name = "node-{id}"
consensus_key = "{consensus}"
log_key = "{log}"
cosigner_key = "{cosigner}"
peer = {{ grpc = "node-{id}.example.org:7101" }}
"#
        );
    }
    text.push_str("\n[[actions]]\n[actions.register_kind]\nkind = \"990601\"\nname = \"票据\"\nopens = \"rows\"\n");
    text.push_str(
        "\n[[actions]]\n[actions.register_issuer]\nissuer_id = 1\nname = \"issuer-1\"\nrecord_types = [\"receipt\"]\n",
    );
    text
}

fn made(text: &str) -> Result<MadeGenesis, String> {
    let directory = scratch::Directory::new();
    let path = directory.path().join("genesis.toml");
    std::fs::write(&path, text).unwrap();
    make(&path).map_err(|error| format!("{error:#}"))
}

#[test]
fn the_same_description_is_the_same_chain_and_any_other_another() {
    let one = made(&description()).unwrap();
    let other = made(&description()).unwrap();
    assert_eq!(one.chain.id, other.chain.id);
    assert_eq!(one.trust.chain_id(), one.chain.id);
    let summary = one.summary();
    assert!(summary.contains(&one.chain.id.0.to_string()) && summary.contains("2 of 3"), "{summary}");
    assert!(!one.chain.genesis.is_test && !summary.contains("TEST CHAIN"), "{summary}");
    let specimens = made(&description().replacen("utc_offset", "test = true\nutc_offset", 1)).unwrap();
    assert!(specimens.chain.genesis.is_test && specimens.trust.is_test(), "{:?}", specimens.trust);
    assert!(specimens.summary().contains("TEST CHAIN"), "{}", specimens.summary());
    assert_ne!(specimens.chain.id, one.chain.id);
    let renamed = made(&description().replace("city-2026", "city-2027")).unwrap();
    assert_ne!(renamed.chain.id, one.chain.id);
    // Addresses may change; they are no part of the chain.
    let moved = made(&description().replace("node-1.example.org", "node-9.example.org")).unwrap();
    assert_eq!(moved.chain.id, one.chain.id);
}

#[test]
fn files_are_written_once_and_read_back() {
    let directory = scratch::Directory::new();
    let out = directory.path().join("chain");
    let made = made(&description()).unwrap();
    assert_eq!(made.write(&out).unwrap().len(), 6);
    assert_eq!(Chain::load(&out.join("genesis.bin")).unwrap().id, made.chain.id);
    let trust = std::fs::read_to_string(out.join("trust.txt")).unwrap();
    assert_eq!(TrustFile::parse(&trust).unwrap(), made.trust);
    let peers = std::fs::read_to_string(out.join("peers-of-2.toml")).unwrap();
    assert_eq!(peers.matches("[[peers]]").count(), 3);
    assert!(!peers.contains("validator_id = 2") && peers.contains("node-3.example.org:7101"), "{peers}");
    let error = made.write(&out).unwrap_err().to_string();
    assert!(error.contains("nothing is replaced"), "{error}");
}

#[test]
fn every_refusal_names_its_key() {
    let (a1, a2, log) = (key("a1"), key("a2"), key("log-1"));
    for (from, to, expected) in [
        ("city-2026", "City", "`chain_name`"),
        ("\"ledger.example.org", "\"https://ledger.example.org", "`origin`"),
        ("utc_offset_minutes = 480", "utc_offset_minutes = 900", "UTC offset"),
        ("time = \"2026-11-23T00:00:00+08:00\"", "time = \"tomorrow\"", "`time`"),
        ("threshold = 2", "threshold = 0", "`authorities.threshold`"),
        ("threshold = 2", "threshold = 4", "`authorities.threshold`"),
        ("threshold = 2", "threshold = 2\nquorum = 2", "`authorities.quorum`"),
        (a2.as_str(), a1.as_str(), "`authorities.public_keys[1]`"),
        (a2.as_str(), log.as_str(), "`authorities.public_keys[1]`"),
        ("id = 2\n", "id = 1\n", "`validators`"),
        ("name = \"node-2\"", "name = \"node-1\"", "`validators`"),
        (log.as_str(), &key("log-2"), "`validators`"),
        ("node-3.example.org:7101", "https://node-3", "`validators[2].peer.grpc`"),
        ("register_issuer]\nissuer_id", "register_issuer]\nid", "`actions.1.id`"),
        ("[authorities]", "[timeliness]\nbehind_ms_max = 20\n\n[authorities]", "the bounds of timely blocks"),
        ("[authorities]", "[timeliness]\nbehind = 20\n\n[authorities]", "`timeliness.behind`"),
    ] {
        let text = description().replacen(from, to, 1);
        assert_ne!(text, description(), "{from}");
        let error = made(&text).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let start = description().find("peer = ").unwrap();
    let mut without = description();
    without.replace_range(start..start + description()[start..].find('\n').unwrap(), "");
    let error = made(&without).unwrap_err();
    assert!(error.contains("`validators[0].peer`"), "{error}");
}

#[test]
fn the_first_action_that_the_ledger_refuses_is_named() {
    let fence = |issuer: u32| format!("\n[[actions]]\n[actions.fence_issuer]\nissuer_id = {issuer}\nepoch = 2\n");
    let text = format!("{}{}{}", description(), fence(1), fence(2));
    let error = made(&text).unwrap_err();
    assert!(error.contains("`actions[3]`") && error.contains("the issuer is not registered"), "{error}");
    assert!(made(&format!("{}{}", description(), fence(1))).is_ok());
}
