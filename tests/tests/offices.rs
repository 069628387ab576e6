//! The pages of the offices, typed as they stand: everybody founds a chain (docs/ops/init.md), authorities govern it
//! (docs/ops/governance.md), auditors audit it (docs/ops/audit.md).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

use receipt_core::receipt::idcheck::uscc_check_character;
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::registry::key_id;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::Wait;
use tallystick_tests::judgement::wait_epoch;
use tallystick_tests::pages::{Operator, commands, page, typed};
use tallystick_tests::{TestNetwork, after_kills};

const GOVERNANCE: &str = "docs/ops/governance.md";
const FOUNDING: &str = "docs/ops/init.md";
const AUDIT: &str = "docs/ops/audit.md";
const BACKUP: &str = "docs/ops/backup-restore.md";
const SERVICES: &str = "docs/ops/services.md";
/// Whose ledger is exported.
const OPERATED: u32 = 2;
/// Of the digest, typed when the program asks.
const TYPED_DIGITS: usize = 8;

/// A directory as somebody at a desk has it, with what a real one obtains.
pub(crate) struct Desk<'a> {
    network: &'a TestNetwork,
    directory: PathBuf,
}

impl<'a> Desk<'a> {
    /// With nothing on it but a passphrase file.
    pub(crate) fn bare(network: &'a TestNetwork, name: &str) -> Self {
        let directory = network.layout().root().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let desk = Self { network, directory };
        desk.secret("passphrase", "correct horse battery staple\n");
        desk
    }

    pub(crate) fn new(network: &'a TestNetwork, name: &str) -> Self {
        let desk = Self::bare(network, name);
        desk.obtain(&network.layout().genesis(), "genesis.bin");
        desk.obtain(&network.layout().trust(), "trust.txt");
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn secret(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub(crate) fn obtain(&self, from: &Path, name: &str) {
        std::fs::copy(from, self.path(name)).unwrap();
    }

    /// A certificate as its owner has it.
    pub(crate) fn certificate(&self, name: &str) {
        let (files, layout) = (self.network.layout().client(name), self.network.layout());
        self.obtain(&layout.ca().cert, "ca.pem");
        self.obtain(&files.cert, &format!("{name}.pem"));
        self.obtain(&files.key, &format!("{name}.key"));
        std::fs::set_permissions(self.path(&format!("{name}.key")), PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub(crate) async fn types(&self, command: &str, answer: &str) -> String {
        self.tries(command, answer).await.unwrap()
    }

    /// The same; a command that fails is an error, with what it said.
    pub(crate) async fn tries(&self, command: &str, answer: &str) -> anyhow::Result<String> {
        let mut places = Vec::new();
        for (id, name) in [(1, "node-1.example.org:7101"), (2, "node-2.example.org:7101")] {
            places.push((name, self.network.node_addresses(id).unwrap().grpc.to_string()));
        }
        typed(self.network, &self.directory, command, &places, answer).await
    }
}

/// An authority at home: no network, its own key.
pub(crate) fn at_home<'a>(network: &'a TestNetwork, authority: u32) -> Desk<'a> {
    let home = Desk::new(network, &format!("home-{authority}"));
    home.obtain(&network.layout().authority_key(authority - 1), "authority.key");
    home.obtain(&network.layout().authorities().join("passphrase"), "passphrase");
    for secret in ["authority.key", "passphrase"] {
        std::fs::set_permissions(home.path(secret), PermissionsExt::from_mode(0o600)).unwrap();
    }
    home
}

/// What a program printed for the description, from a line on.
fn block(printed: &str, begins: &str) -> String {
    let lines = printed[printed.find(begins).unwrap()..].lines();
    let is_description = |line: &&str| !line.starts_with("made ") && !line.starts_with("kept ");
    lines.take_while(is_description).map(|line| format!("{line}\n")).collect()
}

fn unit(unit_id: u32) -> String {
    let prefix = format!("129903004000090{unit_id}");
    let check = uscc_check_character(&prefix).unwrap();
    format!(
        "[[actions]]\n[actions.register_unit]\nunit_id = {unit_id}\nunit_code = \"{prefix}{check}\"\nname = \"医院{unit_id}\"\n\
         supervisor_area_code = \"990300\"\nkinds = [\"990601\"]\n\n"
    )
}

/// A bare machine that is set up as the page has it, and what is typed on it.
struct Bare<'a> {
    network: &'a TestNetwork,
    /// Root's current directory.
    desk: PathBuf,
    /// Stands for `/var/lib/tallystick`.
    state: PathBuf,
}

impl<'a> Bare<'a> {
    async fn new(network: &'a TestNetwork, name: &str) -> Self {
        let root = network.layout().root();
        let machine = Self { network, desk: root.join(format!("desk-{name}")), state: root.join(name) };
        for command in commands(SERVICES, "The machine").unwrap() {
            machine.types(&command).await;
            // Typed again, it changes nothing.
            machine.types(&command).await;
        }
        machine
    }

    async fn types(&self, command: &str) -> String {
        let places = [("/var/lib/tallystick", &self.state), ("/backups", &self.network.backups())]
            .map(|(from, to)| (from, to.display().to_string()));
        typed(self.network, &self.desk, command, &places, "").await.unwrap()
    }

    /// A file of the sources, where the page has root stand.
    fn sources(&self, example: &str) {
        let copy = self.desk.join(example);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(page(example), copy).unwrap();
    }

    /// Changes the config as somebody with an editor does.
    fn edits(&self, config: &str, change: impl FnOnce(&str) -> String) {
        let path = self.state.join(config);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, change(&text)).unwrap();
    }

    /// Types the page's commands, and after the one that makes the config puts right what is different on each machine. What `keygen` printed.
    async fn makes_keys(&self, typed: &[String], config: &str, change: impl Fn(&str) -> String) -> String {
        let [make, .., keygen] = typed else { panic!("{typed:?}") };
        assert!(make.contains("install ") && keygen.contains(" keygen "), "{typed:?}");
        for command in &typed[..typed.len() - 1] {
            self.types(command).await;
        }
        self.edits(config, change);
        let passphrase = std::fs::read(self.state.join("keys/passphrase")).unwrap();
        for command in &typed[..typed.len() - 1] {
            self.types(command).await;
        }
        assert_eq!(std::fs::read(self.state.join("keys/passphrase")).unwrap(), passphrase, "typed again");
        self.types(keygen).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_founded_as_the_page_has_it() {
    let network = TestNetwork::generate_as_services(&NetworkOptions::default()).await.unwrap();
    let (mut authorities, mut validators) = (Vec::new(), String::new());
    let commands = commands(FOUNDING, "Founding a chain").unwrap();
    let makes = |command: &String| command.contains(" keygen ") || command.contains(" genesis ");
    let steps: Vec<&[String]> = commands.split_inclusive(makes).collect();
    let [[authority], validator, issuer, [genesis]] = steps[..] else { panic!("the page has another step: {steps:?}") };
    for number in 1..=3 {
        let said = Desk::bare(&network, &format!("authority-{number}")).types(authority, "").await;
        authorities.push(format!("{:?}", said.lines().find(|line| line.len() == 64).unwrap()));
    }
    for id in 1..=4 {
        let machine = Bare::new(&network, &format!("validator-{id}")).await;
        machine.sources("node/node.example.toml");
        let own = |example: &str| {
            // Its peer is another one.
            let (own, peers) = example.split_once("[[peers]]").unwrap();
            let own = own.replace("validator_id = 1", &format!("validator_id = {id}"));
            let peers = if id == 2 { peers.replace("validator_id = 2", "validator_id = 1") } else { peers.to_owned() };
            format!("{own}[[peers]]{peers}")
        };
        let printed = machine.makes_keys(validator, "node.toml", own).await;
        validators.push_str(&block(&printed, "[[validators]]"));
    }
    let machine = Bare::new(&network, "issuer").await;
    machine.sources("issuer/issuer.example.toml");
    let printed = machine.makes_keys(issuer, "issuer.toml", str::to_owned).await;
    let keys = block(&printed, "[[actions]]").replace("YYYY-MM-DD", "2026-01-01");
    let description = format!(
        "chain_name = \"city-2026\"\norigin = \"ledger.example.org/2026\"\nutc_offset_minutes = 480\n\
         time = \"2026-01-01T00:00:00+08:00\"\n\n[authorities]\nthreshold = 2\npublic_keys = [{}]\n\n{validators}\n\
         [[actions]]\n[actions.register_kind]\nkind = \"990601\"\nname = \"门诊\"\nopens = \"header\"\n\n\
         [[actions]]\n[actions.register_issuer]\nissuer_id = 1\nname = \"issuer-1\"\nrecord_types = [\"receipt\"]\n\n{}{}{keys}",
        authorities.join(", "),
        unit(21),
        unit(22),
    );
    let mut made = Vec::new();
    for office in ["authority-1", "authority-2"] {
        let desk = Desk::bare(&network, office);
        std::fs::write(desk.path("genesis.toml"), &description).unwrap();
        let said = desk.types(genesis, "").await;
        assert!(said.contains("chain id"), "{said}");
        made.push(std::fs::read(desk.path("chain/genesis.bin")).unwrap());
        assert!(desk.path("chain/trust.txt").exists() && desk.path("chain/peers-of-4.toml").exists());
    }
    assert_eq!(made[0], made[1], "the same description gives the same chain");
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

pub(crate) fn digest_of(shown: &str) -> String {
    let line = shown.lines().find_map(|line| line.trim().strip_prefix("digest")).unwrap();
    line.trim()[..TYPED_DIGITS].to_owned()
}

/// Takes a description from a wish to the ledger, as the page has it: proposed, tried, signed by two at home, submitted. What was printed.
pub(crate) async fn governed(desk: &Desk<'_>, description: &str) -> String {
    let network = desk.network;
    for former in ["unit-21.proposal", "copy-a", "copy-b", "unit-21.signed"] {
        // A second message of the same desk.
        let _ = std::fs::remove_file(desk.path(former));
    }
    desk.certificate("operator");
    std::fs::write(desk.path("unit-21.toml"), description).unwrap();
    let mut printed = String::new();
    let mut signed = 0;
    for command in commands(GOVERNANCE, "From a wish to the ledger").unwrap() {
        if command.starts_with("tallystick-authority credentials") && !description.contains("[[credentials]]") {
            continue;
        }
        if !command.starts_with("tallystick-authority sign") {
            printed.push_str(&desk.types(&command, "").await);
            continue;
        }
        for (authority, copy) in [(1, "copy-a"), (3, "copy-b")] {
            let home = at_home(network, authority);
            home.obtain(&desk.path("unit-21.proposal"), "unit-21.proposal");
            let said = home.types(&command, &format!("{}\n", digest_of(&printed))).await;
            assert!(said.contains(&format!("signed as authority {authority}")), "{said}");
            desk.obtain(&home.path("unit-21.proposal"), copy);
            signed += 1;
        }
    }
    assert_eq!(signed, 2, "the page has them sign");
    for said in ["THE LEDGER WOULD EXECUTE IT", "2 of 2 signatures", "executed at height"] {
        assert!(printed.contains(said), "{said:?} is missing in {printed}");
    }
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_follow_the_page_from_a_wish_to_the_ledger() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let desk = Desk::new(&network, "office");
    // The first unit under another name, and the credential of its key.
    let unit = &network.registry().units[0];
    let kinds: Vec<String> = unit.kinds.keys().map(|kind| format!("\"{kind}\"")).collect();
    let description = format!(
        "[[actions]]\n[actions.register_unit]\nunit_id = {}\nunit_code = \"{}\"\nname = \"改名医院\"\n\
         supervisor_area_code = \"990300\"\nkinds = [{}]\n\n[[credentials]]\nkey_id = {}\n",
        unit.unit_id,
        unit.unit_code,
        kinds.join(", "),
        key_id(1, unit.unit_id),
    );
    let printed = governed(&desk, &description).await;
    assert!(printed.contains(".credential"), "{printed}");
    assert_eq!(std::fs::read_dir(desk.path("credentials")).unwrap().count(), 1);
    let mut registry = String::new();
    for command in commands(GOVERNANCE, "What is registered").unwrap() {
        registry.push_str(&desk.types(&command, "").await);
    }
    assert!(registry.contains("改名医院") && registry.contains("say alike"), "{registry}");
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

/// A fence that no development network signs: two of three authorities, one file that goes from one to the next.
#[tokio::test(flavor = "multi_thread")]
async fn authorities_sign_the_fence_of_a_restored_issuer_as_the_page_has_it() {
    const ISSUER: u32 = 1;
    let mut network = TestNetwork::start_as_services(&NetworkOptions::default()).await.unwrap();
    Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "Backup").await.unwrap();
    Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "Putting a backup back").await.unwrap();
    Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "Catching up").await.unwrap();
    let plan = network.backups().join("fence.gov");
    let desk = Desk::new(&network, "office");
    desk.certificate("operator");
    desk.obtain(&plan, "fence.gov");
    let (mut printed, mut signed) = (String::new(), 0);
    for command in commands(BACKUP, "The authorities sign the fence").unwrap() {
        if !command.starts_with("tallystick-authority sign") {
            printed.push_str(&desk.types(&command, "").await);
            continue;
        }
        for authority in [1, 3] {
            let home = at_home(&network, authority);
            home.obtain(&desk.path("fence.proposal"), "fence.proposal");
            let said = home.types(&command, &format!("{}\n", digest_of(&printed))).await;
            assert!(said.contains(&format!("signed as authority {authority}")), "{said}");
            desk.obtain(&home.path("fence.proposal"), "fence.proposal");
            signed += 1;
        }
    }
    assert_eq!(signed, 2, "the page has them sign");
    assert!(printed.contains("executed at height"), "{printed}");
    wait_epoch(&network, ISSUER, 2).await.unwrap();
    let said = Operator::of_issuer(&mut network, ISSUER).follow(BACKUP, "Going on").await.unwrap();
    assert!(said.contains("recovered: this journal signs in epoch 2"), "{said}");
    let receipt = network.receipts(1).unwrap().outpatient().unwrap();
    let client = network.issuer_client(ISSUER, Caller::System(receipt.system_id)).await.unwrap();
    issue_one(client, &receipt, Wait::Sealed).await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_follows_the_page_and_finds_the_ledger_clean() {
    let options = NetworkOptions { issuers: 2, ..NetworkOptions::default() };
    let mut network = TestNetwork::start_as_services(&options).await.unwrap();
    let note = async |network: &TestNetwork, validator_id: u32| {
        let log = network.node_addresses(validator_id).unwrap().http;
        http_get(log, "/checkpoint").await.unwrap().1
    };
    let issue = async |network: &TestNetwork, seed: u64| {
        let receipt = network.receipts(seed).unwrap().outpatient().unwrap();
        let client = network.issuer_client(1, Caller::System(receipt.system_id)).await.unwrap();
        issue_one(client, &receipt, Wait::Sealed).await.unwrap();
    };
    issue(&network, 1).await;
    network.wait_equal_tips().await.unwrap();
    let mine = note(&network, 1).await;
    issue(&network, 2).await;
    network.wait_equal_tips().await.unwrap();
    let theirs = note(&network, 3).await;

    Operator::new(&mut network, OPERATED).follow(AUDIT, "Obtaining the ledger").await.unwrap();
    let height = network.wait_equal_tips().await.unwrap().sealed_height.to_string();
    for issuer_id in [1, 2] {
        let mut operator = Operator::of_issuer(&mut network, issuer_id)
            .with("issuer1.bodies", format!("issuer{issuer_id}.bodies"))
            .with("--until-height 1000", format!("--until-height {height}"));
        operator.follow(AUDIT, "Obtaining the contents").await.unwrap();
    }
    let desk = Desk::new(&network, "office");
    desk.certificate("auditor");
    for name in ["ledger.tallyledger", "issuer1.bodies", "issuer2.bodies"] {
        desk.obtain(&network.backups().join(name), name);
    }
    std::fs::write(desk.path("mine.note"), mine).unwrap();
    std::fs::write(desk.path("theirs.note"), theirs).unwrap();
    let mut printed = Vec::new();
    for command in commands(AUDIT, "The commands").unwrap() {
        printed.push(desk.types(&command, "").await);
    }
    let clean = printed.iter().filter(|said| said.starts_with("CLEAN")).count();
    assert_eq!(clean, 4, "export, node, --write-trust and --write-registry: {printed:?}");
    let registry = printed.iter().find(|said| said.starts_with("REGISTRY of chain")).unwrap();
    assert!(registry.contains("as of height  1, after the seal") && registry.contains("UNITS: "), "{registry}");
    let report = std::fs::read_to_string(desk.path("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["result"], "clean", "{report}");
    let [old, new] = ["trust.txt", "trust.new"].map(|name| std::fs::read(desk.path(name)).unwrap());
    assert_eq!(old, new, "no validators have changed");
    assert!(printed.last().unwrap().starts_with("CONSISTENT"), "{printed:?}");
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_portals_sources_is_made_as_the_page_says_and_nobody_else_reads_it() {
    let network = TestNetwork::generate_as_services(&NetworkOptions::default()).await.unwrap();
    let machine = Bare::new(&network, "portals-machine").await;
    let [make] = <[String; 1]>::try_from(commands("docs/ops/portal.md", "Setting one up").unwrap()).unwrap();
    machine.types(&make).await;
    let path = machine.state.join("source.secret");
    let made = std::fs::read(&path).unwrap();
    // Another one would have issuers forget who tried what.
    machine.types(&make).await;
    assert_eq!(std::fs::read(&path).unwrap(), made);
    let [secret, state] = [&path, &machine.state].map(|path| std::fs::metadata(path).unwrap());
    assert_eq!((secret.len(), secret.permissions().mode() & 0o777), (32, 0o600));
    assert_eq!(secret.uid(), state.uid(), "the service reads it");
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
