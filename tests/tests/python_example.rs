//! The Python example works as its page shows it, and so do the commands of README.md and the calls from a shell in
//! docs/how-to/call-the-api.md: they are taken from the pages and run as they stand, against a network of real processes;
//! grpcurl has a stand-in.
//! Then what an integrator meets: a retry, refusals, an issuer that is away.
//!
//! What `pip` installs is kept in the target directory, by the hash of `requirements.txt`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use receipt_core::hash::sha256;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::{Caller, Network, NetworkOptions};
use tallystick_tests::{TestNetwork, after_kills};
use tokio::process::Command;

const UNIT_CODE: &str = "129903004000000181";

/// How the commands of a page belong together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blocks {
    Apart,
    InOneShell,
}

struct Example {
    directory: PathBuf,
    out: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Example {
    fn new(network: &Network) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/python");
        let requirements = std::fs::read(directory.join("requirements.txt")).unwrap();
        let programs = network.binaries().verifier.parent().unwrap().to_owned();
        let hash = sha256(&[&requirements]).to_string();
        let out = programs.parent().unwrap().join("python-example").join(&hash[..16]);
        std::fs::create_dir_all(&out).unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let issuer = format!("localhost:{}", network.issuer_addresses(1).unwrap().grpc.port());
        let node = format!("localhost:{}", network.node_addresses(1).unwrap().grpc.port());
        let environment = vec![
            ("DEVNET", network.layout().root().display().to_string()),
            ("ISSUER", issuer),
            ("NODE", node),
            ("OUT", out.display().to_string()),
            ("PATH", path),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ];
        Self { directory, out, environment }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory).stdin(Stdio::null()).kill_on_drop(true);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the commands of a page in its order, each block in a shell of its own or all in one; what the last one printed.
    async fn run_page(&self, page: &Path, blocks: Blocks, change: impl Fn(&mut Command)) -> String {
        let text = std::fs::read_to_string(page).unwrap();
        let commands = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned());
        let mut commands: Vec<String> = commands.collect();
        assert!(!commands.is_empty(), "{} has no commands", page.display());
        if blocks == Blocks::InOneShell {
            commands = vec![commands.concat()];
        }
        let mut printed = String::new();
        for block in commands {
            let mut shell = self.command(Path::new("bash"));
            change(&mut shell);
            let output = shell.args(["-euo", "pipefail", "-c", &block]).output().await.unwrap();
            assert!(output.status.success(), "{block}\n{}", text_of(&output));
            printed = text_of(&output);
        }
        printed
    }

    /// `issue_receipt.py` as one of the callers, not yet started.
    fn issue(&self, network: &TestNetwork, caller: Caller, arguments: &[&str]) -> Command {
        let (layout, value) = (network.layout(), |name: &str| {
            self.environment.iter().find(|(known, _)| *known == name).unwrap().1.clone()
        });
        let certificate = layout.client(&caller.name());
        let mut command = self.command(&self.out.join("venv/bin/python"));
        command.env("PYTHONPATH", self.out.join("generated"));
        command.arg("issue_receipt.py").args(["--issuer", &value("ISSUER"), "--unit", UNIT_CODE]);
        let today = network.sample("S01", 1).unwrap().draft.issue_date;
        command.args(["--visited", &today.to_string()]);
        command.arg("--ca").arg(layout.ca().cert).arg("--cert").arg(certificate.cert).arg("--key").arg(certificate.key);
        command.arg("--out").arg(layout.root().join("python.tally")).args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_example_does_what_its_page_says() {
    let options = NetworkOptions { documents: true, ..NetworkOptions::default() };
    let mut network = TestNetwork::start(&options).await.unwrap();
    let example = Example::new(&network);
    let printed = example.run_page(&example.directory.join("README.md"), Blocks::Apart, |_| {}).await;
    for expected in ["sealed in block", "IN FORCE", "Anchored: yes"] {
        assert!(printed.contains(expected), "{printed}");
    }

    calls_from_a_shell(&example).await;

    // Once more with the same biz_code, then what is refused, with the exit code and the words that a person sees.
    let hospitals = Caller::System(1);
    for (caller, arguments, code, expected) in [
        (hospitals, &["--biz-code", "PY-1"][..], 0, "sealed in block"),
        (hospitals, &["--biz-code", "PY-1"], 0, "(issued before)"),
        (hospitals, &["--biz-code", "PY-1", "--amount-fen", "2600"], 4, "BIZ_CODE_CONFLICT"),
        (hospitals, &["--biz-code", "PY-1", "--amount-fen", "2600"], 4, "  biz_code: PY-1\n  receipt_code: 9906"),
        (hospitals, &["--biz-code", "PY-1", "--amount-fen", "2600"], 4, "do not issue anew"),
        (hospitals, &["--biz-code", "PY-2", "--amount-fen", "0"], 1, "total_amount: "),
        (Caller::System(3), &["--biz-code", "PY-3"], 1, "NOT_DELEGATED"),
        (Caller::Auditor, &["--biz-code", "PY-3"], 1, "NOT_PERMITTED"),
        (Caller::StrangerSystem, &["--biz-code", "PY-3", "--patience", "2"], 3, "UNAVAILABLE"),
    ] {
        let output = example.issue(&network, caller, arguments).output().await.unwrap();
        let printed = text_of(&output);
        assert_eq!(output.status.code(), Some(code), "{caller:?} {arguments:?}: {printed}");
        assert!(printed.contains(expected), "{caller:?} {arguments:?}: {printed}");
    }

    // An issuer that is away: the example waits for it.
    network.issuer(1).unwrap().kill().await.unwrap();
    let waiting = example.issue(&network, hospitals, &["--biz-code", "PY-4"]).spawn().unwrap();
    // Long enough for a first attempt in vain; if it comes later, the test is only easier.
    tokio::time::sleep(Duration::from_secs(1)).await;
    network.issuer(1).unwrap().start().unwrap();
    network.issuer(1).unwrap().wait_ready().await.unwrap();
    let output = waiting.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", text_of(&output));

    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&after_kills(AllowList::lifecycle())).await.unwrap();
}

/// The page for the shell, and README.md: with a `grpcurl` on PATH that speaks through the Python that the example has installed.
async fn calls_from_a_shell(example: &Example) {
    let root = example.directory.parent().unwrap().parent().unwrap().to_owned();
    let python = example.out.join("venv/bin");
    let generated = example.out.join("generated-all");
    std::fs::create_dir_all(&generated).unwrap();
    let mut generate = example.command(&python.join("python"));
    generate.args(["-m", "grpc_tools.protoc", "-I"]).arg(root.join("proto"));
    generate.arg(format!("--python_out={}", generated.display()));
    for package in ["receipt", "issuer", "ledger", "admin", "portal"] {
        generate.arg(format!("tallystick/{package}/v1/{package}.proto"));
    }
    let output = generate.output().await.unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
    let path = example.environment.iter().find(|(name, _)| *name == "PATH").unwrap().1.clone();
    let path = format!("{}:{}:{path}", root.join("tests/python").display(), python.display());
    let from_a_shell = [
        "RECEIPT_STATE_SEALED",
        "STANDING_IN_FORCE",
        "IN FORCE",
        "\"fileName\": \"99",
        "%PDF-1",
        "/node-1 ",
        "decidedHeight",
    ];
    let readme = ["sealed in block", "IN FORCE", "RECEIPT_STATE_SEALED", "CLEAN"];
    for (page, expected) in [("docs/how-to/call-the-api.md", &from_a_shell[..]), ("README.md", &readme)] {
        let change = |shell: &mut Command| {
            shell.current_dir(&root).env("PATH", &path).env("PYTHONPATH", &generated);
        };
        let printed = example.run_page(&root.join(page), Blocks::InOneShell, change).await;
        for words in expected {
            assert!(printed.contains(words), "the commands of {page} do not print {words}: {printed}");
        }
    }
}
