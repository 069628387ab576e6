//! Authorities govern a running chain, each with its key at home; and a chain that they found with fresh keys boots.
//!
//! Every step is the real `tallystick-authority`: propose, sign apart, combine, submit. Every misuse is refused with its reason.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../verifier/tests/common/schema.rs"]
mod schema;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use receipt_core::receipt::idcheck::uscc_check_character;
use receipt_core::verdict::verify_bundle;
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::{AREA_CODE, KIND_OUTPATIENT};
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::Wait;
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::TestNetwork;

const ISSUER: u32 = 1;
const UNIT: u32 = 900;
const UNIT_KEY: u32 = 1900;
/// Not registered by the generated genesis, but in possession of a certificate.
const SYSTEM: u32 = 999;
const EXIT_OK: i32 = 0;
const EXIT_REFUSED: i32 = 1;
const EXIT_CONFIG: i32 = 64;

/// A network, a directory for its authorities' files, and the genesis that they believe.
struct Desk<'a> {
    network: &'a TestNetwork,
    directory: PathBuf,
    genesis: String,
}

impl<'a> Desk<'a> {
    fn new(network: &'a TestNetwork) -> Self {
        let directory = network.layout().root().join("desk");
        std::fs::create_dir(&directory).unwrap();
        Self { network, directory, genesis: network.layout().genesis().display().to_string() }
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.directory.join(name), text).unwrap();
        self.path(name)
    }

    /// Runs the program, which must end with this code; what it said.
    async fn run(&self, code: i32, arguments: &[&str]) -> String {
        let (ended, output) = self.network.run_authority(arguments).await.unwrap();
        assert_eq!(ended, code, "{arguments:?}: {output}");
        assert!(!output.contains("panicked"), "{output}");
        output
    }

    /// As [`Self::run`], towards the validators and with the chain's genesis.
    async fn call(&self, code: i32, arguments: &[&str], caller: Caller) -> String {
        let reach = self.network.authority_arguments(caller);
        let reach = reach.iter().map(String::as_str);
        let arguments: Vec<&str> =
            arguments.iter().copied().chain(["--genesis", self.genesis.as_str()]).chain(reach).collect();
        self.run(code, &arguments).await
    }

    /// Signs as an authority, from 1, into a copy of its own, having read what it signs.
    async fn sign(&self, code: i32, file: &str, authority: u32, out: &str) -> (String, String) {
        let shown = self.run(EXIT_OK, &["show", file, "--genesis", &self.genesis]).await;
        let digest = digest_of(&shown);
        let layout = self.network.layout();
        let key = layout.authority_key(authority - 1).display().to_string();
        let passphrase = layout.authorities().join("passphrase").display().to_string();
        let out = self.path(out);
        let arguments = ["sign", file, "--genesis", &self.genesis, "--key", &key];
        let more = ["--passphrase-file", &passphrase, "--digest", &digest, "--out", &out];
        (self.run(code, &[&arguments[..], &more[..]].concat()).await, out)
    }

    /// Signs as authorities 1 and 3, each a copy of the unsigned file, and combines both.
    async fn signed_by_two(&self, file: &str, name: &str) -> String {
        let (_, first) = self.sign(EXIT_OK, file, 1, &format!("{name}.1")).await;
        let (_, third) = self.sign(EXIT_OK, file, 3, &format!("{name}.3")).await;
        let merged = self.path(&format!("{name}.signed"));
        self.run(EXIT_OK, &["merge", &third, &first, "--genesis", &self.genesis, "--out", &merged]).await;
        merged
    }

    /// A proposal to raise an issuer's epoch, at a given sequence, after a given message, and with a given expiry height.
    async fn fence_at(&self, name: &str, sequence: u64, previous: &str, expiry: u64) -> String {
        let description = self.write("fence.toml", "[[actions]]\n[actions.fence_issuer]\nissuer_id = 1\nepoch = 2\n");
        let out = self.path(name);
        let (sequence, expiry) = (sequence.to_string(), expiry.to_string());
        let position = ["--sequence", &sequence, "--previous", previous, "--expiry-height", &expiry];
        let files = ["propose", "--description", &description, "--genesis", &self.genesis, "--out", &out];
        self.run(EXIT_OK, &[&files[..], &position[..]].concat()).await;
        out
    }
}

fn digest_of(shown: &str) -> String {
    let line = shown.lines().find(|line| line.trim_start().starts_with("digest")).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

fn assert_says(said: &str, expected: &[&str]) {
    for text in expected {
        assert!(said.contains(text), "{text:?} is missing in: {said}");
    }
}

/// A new unit with an item, its key as the issuer made it, a system that may act for it, numbers, and the key's credential.
async fn new_unit(network: &TestNetwork) -> (String, String) {
    let wanted = format!("{UNIT_KEY}:{UNIT}");
    let (code, printed) = network.run_issuer_command(ISSUER, "keygen", &["--unit-key", &wanted]).await.unwrap();
    assert_eq!(code, EXIT_OK, "{printed}");
    // The issuer's own key is registered already; the unit's is the last one that is printed.
    let key = printed[printed.rfind("[[actions]]").unwrap()..].split("made ").next().unwrap();
    let key = key.split("kept ").next().unwrap().replace("YYYY-MM-DD", "2020-01-01");
    let prefix = "12990300400009999";
    let unit_code = format!("{prefix}{}", uscc_check_character(prefix).unwrap());
    let registry = network.registry();
    let hospital = &registry.load_hospitals()[0].kinds[&KIND_OUTPATIENT];
    let items = hospital.items.iter().map(|(code, name)| format!("{{ code = {code:?}, name = {name:?} }}"));
    let items = items.collect::<Vec<_>>().join(", ");
    let receipt_code = registry.receipt_code(KIND_OUTPATIENT).unwrap();
    let description = format!(
        r#"[[actions]]
[actions.register_unit]
unit_id = {UNIT}
unit_code = "{unit_code}"
name = "示例市新医院"
supervisor_area_code = "{AREA_CODE}"
kinds = ["{KIND_OUTPATIENT}"]

[[actions]]
[actions.attach_items]
unit_id = {UNIT}
kind = "{KIND_OUTPATIENT}"
items = [{items}]

{key}
[[actions]]
[actions.register_system]
system_id = {SYSTEM}
name = "new-his"
grants = [{{ unit_id = {UNIT} }}]

[[actions]]
[actions.allocate_segment]
segment_id = 9000
unit_id = {UNIT}
issuer_id = {ISSUER}
receipt_code = "{receipt_code}"
first_number = "9000000001"
last_number = "9000001000"

[[credentials]]
key_id = {UNIT_KEY}
"#
    );
    (description, unit_code)
}

/// Before anybody signs: the validators say what the proposal would change, and what they would refuse and why.
async fn the_validators_try_it(desk: &Desk<'_>, unsigned: &str) {
    let said = desk.call(EXIT_OK, &["try", unsigned], Caller::Operator).await;
    let expected = [
        "Register unit 900",
        "sequence   1; the next one is 1",
        "the last message (",
        "blocks may still carry it",
        "unit 900, new",
        "key 1900, new",
        "WHAT IT CHANGES: 6 entries of the registry",
        "THE LEDGER WOULD EXECUTE IT",
        "NEXT FREE NUMBERS",
    ];
    assert_says(&said, &expected);
    // Two actions, of which the second is refused; the next free number is said.
    let used = "[[actions]]\n[actions.register_kind]\nkind = \"990777\"\nname = \"new\"\nopens = \"rows\"\n\n\
                [[actions]]\n[actions.register_issuer]\nissuer_id = 1\nname = \"again\"\nrecord_types = []\n";
    let (description, file) = (desk.write("tried.toml", used), desk.path("tried"));
    desk.call(EXIT_OK, &["propose", "--description", &description, "--out", &file], Caller::Operator).await;
    let said = desk.call(EXIT_REFUSED, &["try", &file], Caller::Operator).await;
    let problem =
        "WOULD REFUSE IT: action 2 (Register issuer 1, or add to what it may carry): an issuer keeps its record types";
    assert_says(&said, &[problem, "  issuer 2\n"]);
    let genesis_id = said.lines().find_map(|line| line.trim().strip_prefix("chain id")).unwrap().trim().to_owned();
    let ahead = desk.fence_at("tried-ahead", 2, &"ab".repeat(32), 90_000).await;
    let said = desk.call(3, &["try", &ahead], Caller::Operator).await;
    assert_says(&said, &["IT HAS TO WAIT", "NOT the last message", "issuer 1\n    epoch: 1 -> 2"]);
    let expired = desk.fence_at("tried-expired", 1, &genesis_id, 1).await;
    let next_height = desk.network.node_status(1).await.unwrap().decided_height + 1;
    let code = if next_height > 1 { EXIT_REFUSED } else { EXIT_OK };
    let said = desk.call(code, &["try", &expired], Caller::Operator).await;
    assert!(next_height <= 1 || said.contains("WOULD REFUSE IT: it has expired"), "{said}");
    // One validator's word is not enough, and whoever may not submit may not try.
    let reach = desk.network.authority_arguments(Caller::Operator);
    let one: Vec<&str> = reach.iter().take(2).chain(reach.iter().rev().take(6).rev()).map(String::as_str).collect();
    let said = desk.run(EXIT_REFUSED, &[&["try", unsigned, "--genesis", &desk.genesis][..], &one].concat()).await;
    assert_says(&said, &["2 validators must say the same registry"]);
    let said = desk.call(EXIT_REFUSED, &["try", unsigned], Caller::Auditor).await;
    assert_says(&said, &["NOT_PERMITTED"]);
}

/// What is on the ledger after `authorities_sign_apart…`: for people, and as a document that fits its schema.
async fn the_registry_is_listed(desk: &Desk<'_>) {
    let said = desk.call(EXIT_OK, &["registry"], Caller::Operator).await;
    let expected =
        ["AUTHORITY SETS: 1", "validators in force", "unit 900", "示例市新医院", "next free number 901", "key 1900"];
    assert_says(&said, &expected);
    assert_says(&said, &["system 999", "segment 9000", "9000001001", "kind 990601", "say alike"]);
    let said = desk.call(EXIT_OK, &["registry", "--json"], Caller::Operator).await;
    let document: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let schema = include_str!("../../docs/spec/schemas/registry.schema.json");
    let mut problems = Vec::new();
    schema::breaks(&serde_json::from_str(schema).unwrap(), &document, "$", &mut problems);
    assert_eq!(problems, Vec::<String>::new(), "{document}");
    assert_eq!(document["last_message"]["sequence"], 1);
    assert_eq!(document["next_free"]["keys"], 1901);
    let keys = document["keys"].as_array().unwrap();
    let new = keys.iter().find(|key| key["key_id"] == UNIT_KEY).unwrap();
    assert_eq!((&new["state"], &new["owner_id"]), (&"valid".into(), &UNIT.into()));
}

/// The new unit issues under its new key, and the bundle verifies with the new credential.
async fn issues_and_verifies(network: &mut TestNetwork, unit_code: &str) {
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    network.start_issuers().await.unwrap();
    let mut receipt = network.receipts(7).unwrap().outpatient().unwrap();
    receipt.system_id = SYSTEM;
    unit_code.clone_into(&mut receipt.draft.unit_code);
    let client = network.issuer_client(ISSUER, Caller::System(SYSTEM)).await.unwrap();
    let issued = issue_one(client, &receipt, Wait::Sealed).await.unwrap();
    assert_eq!(issued.key.1, "9000000001");
    let verdict = verify_bundle(&issued.response.bundle, &network.trust().unwrap(), SystemClock.now());
    assert!(verdict.is_in_force(), "{:?}", verdict.conclusion);
}

/// What is wrong before anything is sent: each refused with its reason, and nothing is written.
async fn misuse_at_home_is_refused(desk: &Desk<'_>, unsigned: &str, signed_once: &str) {
    let (genesis, layout) = (desk.genesis.as_str(), desk.network.layout());
    let said = desk.call(EXIT_CONFIG, &["submit", signed_once], Caller::Operator).await;
    assert_says(&said, &["1 of 2 signatures"]);
    let said =
        desk.run(EXIT_CONFIG, &["credentials", signed_once, "--genesis", genesis, "--out", &desk.path("c")]).await;
    assert_says(&said, &["1 of 2 signatures"]);

    // Between two signers somebody changes the expiry height, or an action.
    let text = std::fs::read_to_string(signed_once).unwrap();
    let start = text.find("\"governance\": \"").unwrap() + "\"governance\": \"".len();
    let end = start + text[start..].find('"').unwrap();
    let bytes = hex::decode(&text[start..end]).unwrap();
    let mut message = receipt_core::governance::Governance::decode(&bytes).unwrap();
    message.actions.pop();
    let changed = hex::encode(message.encode());
    let tampered = desk.write("tampered", &format!("{}{changed}{}", &text[..start], &text[end..]));
    for arguments in [["show", &tampered], ["submit", &tampered]] {
        let said = match arguments[0] {
            "submit" => desk.call(EXIT_CONFIG, &arguments, Caller::Operator).await,
            _ => desk.run(EXIT_CONFIG, &[&arguments[..], &["--genesis", genesis]].concat()).await,
        };
        assert_says(&said, &["tampered", "the signature of authority 1 does not cover", "was changed after"]);
    }
    let key = layout.authority_key(2).display().to_string();
    let passphrase = layout.authorities().join("passphrase").display().to_string();
    let sign = ["--genesis", genesis, "--key", &key, "--passphrase-file", &passphrase];
    let said = desk.run(EXIT_CONFIG, &[&["sign", &tampered][..], &sign[..]].concat()).await;
    assert_says(&said, &["was changed after authority 1 signed it"]);
    // Nothing is signed that was not shown: the digest of something else, or no answer at all.
    let other = "0".repeat(64);
    let said = desk.run(EXIT_CONFIG, &[&["sign", unsigned, "--digest", &other][..], &sign[..]].concat()).await;
    assert_says(&said, &["is not what was shown"]);
    let before = std::fs::read(unsigned).unwrap();
    let said = desk.run(EXIT_CONFIG, &[&["sign", unsigned][..], &sign[..]].concat()).await;
    assert_says(&said, &["Register unit 900", "nothing was signed"]);
    assert_eq!(std::fs::read(unsigned).unwrap(), before);
    // Keys that are none of the authorities', and one that has signed.
    let stranger = layout.node(1).join("keys");
    let (key, passphrase) = (stranger.join("log.key"), stranger.join("passphrase"));
    let digest = digest_of(&desk.run(EXIT_OK, &["show", unsigned, "--genesis", genesis]).await);
    let arguments = ["sign", unsigned, "--genesis", genesis, "--digest", &digest, "--key", key.to_str().unwrap()];
    let more = ["--passphrase-file", passphrase.to_str().unwrap()];
    let said = desk.run(EXIT_CONFIG, &[&arguments[..], &more[..]].concat()).await;
    assert_says(&said, &["no authority's of this chain"]);
    let (said, _) = desk.sign(EXIT_CONFIG, signed_once, 1, "again").await;
    assert_says(&said, &["authority 1 has signed it already"]);
    // A description with a misspelt key.
    let bad = desk.write("bad.toml", "[[actions]]\n[actions.fence_issuer]\nissuer = 1\nepoch = 2\n");
    let arguments = ["propose", "--description", &bad, "--genesis", genesis, "--out", &desk.path("never")];
    let said = desk.run(EXIT_CONFIG, &arguments).await;
    assert_says(&said, &["`actions.0.issuer`"]);
}

/// What the validators refuse, with their reason.
async fn the_chain_refuses(desk: &Desk<'_>, executed: &str) {
    let said = desk.call(EXIT_OK, &["submit", executed], Caller::Operator).await;
    assert_says(&said, &["executed before at height"]);
    let said = desk.call(EXIT_OK, &["status", executed], Caller::Operator).await;
    assert_says(&said, &["next sequence     2", "executed at height"]);
    let last = said.lines().find_map(|line| line.strip_prefix("last message")).unwrap().trim().to_owned();
    let unknown = "ab".repeat(32);
    for (name, sequence, previous, expiry, expected) in [
        (
            "old-sequence",
            1,
            &last,
            90_000,
            ["SEQUENCE_CONFLICT", "the next governance sequence is 2, this message has 1"],
        ),
        (
            "far-sequence",
            9,
            &unknown,
            90_000,
            ["SEQUENCE_GAP", "the next governance sequence is 2, this message has 9"],
        ),
        ("other-order", 2, &unknown, 90_000, ["SEQUENCE_CONFLICT", "signed to follow another message"]),
        ("for-ever", 2, &last, 1_000_000, ["FIELD_INVALID", "it expires at height 1000000"]),
        ("expired", 2, &last, 1, ["FIELD_INVALID", "it expires at height 1"]),
    ] {
        let file = desk.fence_at(name, sequence, previous, expiry).await;
        let signed = desk.signed_by_two(&file, name).await;
        let said = desk.call(EXIT_REFUSED, &["submit", &signed], Caller::Operator).await;
        assert_says(&said, &expected);
    }
    let said = desk.call(EXIT_REFUSED, &["status", &desk.path("old-sequence.signed")], Caller::Operator).await;
    assert_says(&said, &["another message took sequence 1"]);
    let said = desk.call(EXIT_REFUSED, &["status", &desk.path("expired.signed")], Caller::Operator).await;
    assert_says(&said, &["past its expiry height 1"]);
    // One validator's word for it is not enough, and none for where governance stands.
    let reach = desk.network.authority_arguments(Caller::Operator);
    let one: Vec<&str> = reach.iter().take(2).chain(reach.iter().rev().take(6).rev()).map(String::as_str).collect();
    let file = desk.path("expired.signed");
    let said = desk.run(EXIT_REFUSED, &[&["status", &file, "--genesis", &desk.genesis][..], &one].concat()).await;
    assert_says(&said, &["1 of the validators that were asked say that the message expired; 2 must"]);
    let description = desk.write("fence.toml", "[[actions]]\n[actions.fence_issuer]\nissuer_id = 1\nepoch = 2\n");
    let (out, files) = (desk.path("of-one"), ["propose", "--description", &description, "--genesis", &desk.genesis]);
    let said = desk.run(EXIT_REFUSED, &[&files[..], &["--out", &out], &one].concat()).await;
    assert_says(&said, &["2 validators must say alike where governance stands", "no `--trust` was given"]);
    // Nor is it under two names.
    let other_name = one[1].replace("127.0.0.1", "localhost");
    let two: Vec<&str> = ["--node", other_name.as_str()].into_iter().chain(one.iter().copied()).collect();
    let said = desk.run(EXIT_REFUSED, &[&files[..], &["--out", &out], &two].concat()).await;
    assert_says(&said, &["1 answered", "it is validator 1, as localhost", "each validator counts once"]);
    let said = desk.run(EXIT_REFUSED, &[&["status", &file, "--genesis", &desk.genesis][..], &two].concat()).await;
    assert_says(&said, &["1 of the validators that were asked say that the message expired; 2 must", "counts once"]);
    let said = desk.call(3, &["status", &desk.path("far-sequence.signed")], Caller::Operator).await;
    assert_says(&said, &["not executed yet"]);
    // What the registry does not allow, and who may not hand it in.
    let used = "[[actions]]\n[actions.register_issuer]\nissuer_id = 1\nname = \"again\"\nrecord_types = []\n";
    let (description, file) = (desk.write("used.toml", used), desk.path("used"));
    desk.call(EXIT_OK, &["propose", "--description", &description, "--out", &file], Caller::Operator).await;
    let signed = desk.signed_by_two(&file, "used").await;
    let said = desk.call(EXIT_REFUSED, &["submit", &signed], Caller::Operator).await;
    assert_says(&said, &["FIELD_INVALID", "an issuer keeps its record types"]);
    let said = desk.call(EXIT_REFUSED, &["submit", &signed], Caller::Auditor).await;
    assert_says(&said, &["NOT_PERMITTED"]);
    let said = desk.call(EXIT_REFUSED, &["submit", &signed], Caller::StrangerSystem).await;
    assert_says(&said, &["no node took"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_sign_apart_and_a_new_unit_issues() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let (description, unit_code) = new_unit(&network).await;
    let desk = Desk::new(&network);
    let (description, unsigned) = (desk.write("unit.toml", &description), desk.path("unit"));
    let said =
        desk.call(EXIT_OK, &["propose", "--description", &description, "--out", &unsigned], Caller::Operator).await;
    assert_says(&said, &["sequence   1", "Register unit 900", "Vouch for key 1900 of unit 900", "0 of 2 signatures"]);
    the_validators_try_it(&desk, &unsigned).await;
    let (_, signed_once) = desk.sign(EXIT_OK, &unsigned, 1, "unit.once").await;
    misuse_at_home_is_refused(&desk, &unsigned, &signed_once).await;

    let signed = desk.signed_by_two(&unsigned, "unit").await;
    let said = desk.call(EXIT_OK, &["submit", &signed], Caller::Operator).await;
    assert_says(&said, &["executed at height"]);
    let credentials = network.layout().issuer(ISSUER).join("credentials").display().to_string();
    desk.run(EXIT_OK, &["credentials", &signed, "--genesis", &desk.genesis, "--out", &credentials]).await;
    the_registry_is_listed(&desk).await;
    the_chain_refuses(&desk, &signed).await;
    foreign_chains_are_refused(&desk, &signed).await;
    issues_and_verifies(&mut network, &unit_code).await;
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

fn passphrase_file(directory: &Path) -> String {
    let path = directory.join("authority-passphrase");
    std::fs::write(&path, "correct horse battery staple\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// A genesis of this name, of fresh authority keys and of these validators, in a new directory; its chain id.
async fn found(desk: &Desk<'_>, chain_name: &str, validators: &str, directory: &str) -> String {
    let passphrase = passphrase_file(&desk.directory);
    let mut keys = Vec::new();
    for number in 1..=3 {
        let key = desk.path(&format!("{directory}-{number}.key"));
        let said = desk.run(EXIT_OK, &["keygen", "--out", &key, "--passphrase-file", &passphrase]).await;
        let public = said.lines().find(|line| line.len() == 64).unwrap();
        keys.push(format!("{public:?}"));
    }
    let description = format!(
        r#"chain_name = "{chain_name}"
origin = "ledger.devnet.example/{chain_name}-2"
utc_offset_minutes = 480
time = "2020-01-01T00:00:00+08:00"

[authorities]
threshold = 2
public_keys = [{}]

{validators}
[[actions]]
[actions.register_kind]
kind = "990601"
name = "医疗门诊收费票据（电子）"
opens = "header"
"#,
        keys.join(", ")
    );
    let file = desk.write(&format!("{directory}.toml"), &description);
    let said = desk.run(EXIT_OK, &["genesis", "--description", &file, "--out", &desk.path(directory)]).await;
    let line = said.lines().find(|line| line.starts_with("chain id")).unwrap();
    line.split_whitespace().nth(2).unwrap().to_owned()
}

/// The validators' public keys, as each one prints them; their files are made by it.
async fn validators_of(network: &TestNetwork) -> String {
    let mut blocks = String::new();
    for validator_id in 1..=4 {
        let keys = network.layout().node(validator_id).join("keys");
        for name in ["consensus", "log", "cosigner"] {
            std::fs::remove_file(keys.join(format!("{name}.key"))).unwrap();
        }
        let (code, printed) = network.run_node_command(validator_id, "keygen").await.unwrap();
        assert_eq!(code, EXIT_OK, "{printed}");
        assert!(printed.contains("made "), "{printed}");
        let start = printed.find("[[validators]]").unwrap();
        let block = printed[start..].lines().take_while(|line| !line.starts_with("made ")).collect::<Vec<_>>();
        blocks.push_str(&block.join("\n"));
        blocks.push_str("\n\n");
    }
    blocks
}

/// The same proposal under another chain's genesis: refused at home, and by every validator.
async fn foreign_chains_are_refused(desk: &Desk<'_>, signed: &str) {
    let mut validators = String::new();
    for id in 1..=4 {
        let mut keys = Vec::new();
        for role in ["consensus", "log", "cosigner"] {
            let key = desk.path(&format!("foreign-{role}-{id}.key"));
            let passphrase = passphrase_file(&desk.directory);
            let said = desk.run(EXIT_OK, &["keygen", "--out", &key, "--passphrase-file", &passphrase]).await;
            keys.push(said.lines().find(|line| line.len() == 64).unwrap().to_owned());
        }
        let [consensus, log, cosigner] = &keys[..] else { panic!("three keys") };
        validators.push_str(&format!(
            "[[validators]]\nid = {id}\nname = \"node-{id}\"\nconsensus_key = \"{consensus}\"\nlog_key = \"{log}\"\n\
             cosigner_key = \"{cosigner}\"\n\n"
        ));
    }
    // Of the same name, so that certificates do not tell the chains apart.
    found(desk, "devnet", &validators, "foreign").await;
    let genesis = desk.path("foreign/genesis.bin");
    let said = desk.run(EXIT_CONFIG, &["show", signed, "--genesis", &genesis]).await;
    assert_says(&said, &["it is of chain", "use the genesis of the proposal's chain"]);
    let reach = desk.network.authority_arguments(Caller::Operator);
    let reach: Vec<&str> = reach.iter().map(String::as_str).collect();
    let said = desk.run(EXIT_REFUSED, &[&["status", "--genesis", &genesis][..], &reach[..]].concat()).await;
    assert_says(&said, &["no node could be asked", "it is of chain"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_founded_with_fresh_keys_boots_and_is_governed() {
    let mut network = TestNetwork::generate(&NetworkOptions::default()).await.unwrap();
    let validators = validators_of(&network).await;
    let desk = Desk::new(&network);
    let chain_id = found(&desk, "devnet", &validators, "chain").await;
    for (from, to) in [("genesis.bin", network.layout().genesis()), ("trust.txt", network.layout().trust())] {
        std::fs::copy(desk.path(&format!("chain/{from}")), to).unwrap();
    }
    for validator_id in 1..=4 {
        let peers = std::fs::read_to_string(desk.path(&format!("chain/peers-of-{validator_id}.toml"))).unwrap();
        let path = network.layout().node_config(validator_id);
        let config = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = config.split_once("[[peers]]").unwrap();
        let tail = &rest[rest.find("[consensus]").unwrap()..];
        std::fs::write(&path, format!("{head}{peers}\n{tail}")).unwrap();
    }
    let (code, said) = network.run_node_command(1, "init").await.unwrap();
    assert_eq!(code, EXIT_OK, "{said}");
    assert_says(&said, &[&format!("chain {chain_id} initialised")]);
    let directory = desk.directory.clone();
    network.start_nodes().await.unwrap();

    let desk = Desk { network: &network, directory, genesis: network.layout().genesis().display().to_string() };
    let said = desk.call(EXIT_OK, &["status"], Caller::Operator).await;
    assert_says(&said, &[&chain_id, "next sequence     1"]);
    let issuer =
        "[[actions]]\n[actions.register_issuer]\nissuer_id = 1\nname = \"issuer-1\"\nrecord_types = [\"receipt\"]\n";
    let (description, file) = (desk.write("issuer.toml", issuer), desk.path("issuer"));
    desk.call(EXIT_OK, &["propose", "--description", &description, "--out", &file], Caller::Operator).await;
    let passphrase = passphrase_file(&desk.directory);
    for number in [2, 3] {
        let digest = digest_of(&desk.run(EXIT_OK, &["show", &file, "--genesis", &desk.genesis]).await);
        let key = desk.path(&format!("chain-{number}.key"));
        let arguments = ["sign", &file, "--genesis", &desk.genesis, "--key", &key];
        let more = ["--passphrase-file", &passphrase, "--digest", &digest];
        desk.run(EXIT_OK, &[&arguments[..], &more[..]].concat()).await;
    }
    let said = desk.call(EXIT_OK, &["submit", &file], Caller::Operator).await;
    assert_says(&said, &["executed at height"]);
    let said = desk.call(EXIT_OK, &["status"], Caller::Operator).await;
    assert_says(&said, &["next sequence     2"]);
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
