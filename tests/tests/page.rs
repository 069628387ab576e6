//! The page in a browser: its verifier says byte for byte what the library and the command line say, and the page shows just that, in both
//! shapes, to everybody.
//!
//! Needs `make wasm` and a Chromium; `make test` sees to both. What a person meets: `tests/browser/test_page.py`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod carriers;
mod codes;
mod paper;
mod questions;
mod states;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use receipt_core::bundle::Bundle;
use receipt_core::directory::DirectoryFile;
use receipt_core::receipt::disclosure::{Body, Disclosure};
use receipt_core::receipt::layout::position_name;
use receipt_core::record::SignedRecord;
use receipt_core::testkit::TestChain;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{TimeSource, trace_bundle, verify_bundle};
use tallystick_devnet::binaries::Binaries;
use tallystick_tests::python::Python;
use tokio::process::Command;

use codes::Code;
use questions::Question;
use states::Scene;

/// What a phone fetches until it shows the first verdict, what it has fetched once it has scanned a code, what it fetches if it uses everything (keeps
/// receipts, and shares a part of one), and what it keeps as one file: gzip bytes.
const FIRST_GZIP_BYTES_MAX: u64 = 300_000;
const SCANNER_GZIP_BYTES_MAX: u64 = 650_000;
const HOSTED_GZIP_BYTES_MAX: u64 = 775_000;
const ONE_FILE_GZIP_BYTES_MAX: u64 = 800_000;
const MUTANTS: usize = 1_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Where this build's programs are.
fn programs() -> PathBuf {
    Binaries::locate().unwrap().verifier.parent().unwrap().to_owned()
}

/// The verifier as it ships.
fn module() -> PathBuf {
    wasm("tallystick_page_wasm")
}

/// What opens documents and reads codes, as it ships.
fn carrier() -> PathBuf {
    wasm("tallystick_page_carrier")
}

fn wasm(name: &str) -> PathBuf {
    let module = programs().parent().unwrap().join(format!("wasm32-unknown-unknown/page/{name}.wasm"));
    assert!(module.is_file(), "{} is missing: `make wasm` builds it", module.display());
    module
}

async fn browser() -> Python {
    let python = Python::install(&programs(), &root().join("tests/browser")).await.unwrap();
    python.with("PYTHONUTF8", "1")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What the verifier in a browser answers to these questions, one a line.
async fn answers(questions: impl ExactSizeIterator<Item = String>) -> String {
    let (directory, count) = (scratch::Directory::new(), questions.len());
    let asked = directory.path().join("questions");
    std::fs::write(&asked, questions.map(|question| question + "\n").collect::<String>()).unwrap();
    let site = root().join("page/site");
    let answers = browser().await.run(&["answers.py", text(&site), text(&module()), text(&asked)]).await.unwrap();
    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(answers.lines().count(), count);
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_says_byte_for_byte_what_the_library_says() {
    let _turn = tallystick_tests::turn_of_browsers().await;
    let mut questions = questions::vectors(&root());
    let vectors = questions.len();
    questions.extend(questions::mutants(&questions::good(&root()), MUTANTS));
    let answers = answers(questions.iter().map(Question::to_json)).await;
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, (answer, question)) in answers.lines().zip(&questions).enumerate() {
        let verdict = question.judge();
        *found.entry(verdict.code()).or_default() += 1;
        assert_eq!(answer, verdict.to_json(), "question {index}");
    }
    println!("{vectors} vectors and {MUTANTS} mutants by code: {found:?}");
    assert!(found.len() > 20, "the questions reach every kind of check: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_of_every_vector_what_the_library_says() {
    let directory = scratch::Directory::new();
    let mut groups: BTreeMap<(String, u64), Vec<Question>> = BTreeMap::new();
    for question in questions::vectors(&root()) {
        groups.entry((question.trust.clone(), question.at.get())).or_default().push(question);
    }
    for (group, ((trust, at), questions)) in groups.iter().enumerate() {
        let trust_file = directory.path().join(format!("trust-{group}"));
        std::fs::write(&trust_file, trust).unwrap();
        let mut command = Command::new(programs().join("tallystick-verifier"));
        command.args(["verify", "--json", "--at", &at.to_string(), "--trust"]).arg(&trust_file);
        for (index, question) in questions.iter().enumerate() {
            let path = directory.path().join(format!("{group}-{index}.tally"));
            std::fs::write(&path, &question.bundle).unwrap();
            command.arg(path);
        }
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.lines().count(), questions.len(), "{}", String::from_utf8_lossy(&output.stderr));
        for (line, question) in printed.lines().zip(questions) {
            let expected = format!("\"verdict\":{}", question.judge().to_json());
            assert!(line.contains(&expected), "{line}\n{expected}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_says_of_a_code_byte_for_byte_what_the_library_says() {
    let _turn = tallystick_tests::turn_of_browsers().await;
    let mut codes = codes::vectors(&root());
    codes.extend(codes::changed(&codes[0]));
    let answers = answers(codes.iter().map(Code::to_json)).await;
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for (answer, code) in answers.lines().zip(&codes) {
        let verdict = code.judge();
        *found.entry(verdict.finding().code()).or_default() += 1;
        assert_eq!(answer, verdict.to_json(), "{}", code.text);
    }
    println!("{} codes: {found:?}", codes.len());
    assert_eq!(found["UNCHECKED"], 2, "the code, and that of a former host; none of the changed ones: {found:?}");
    assert!(["CODE_ELSEWHERE", "CODE_REFUSED", "DAMAGED", "FORGED"].iter().all(|code| found.contains_key(code)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_of_every_code_what_the_library_says() {
    let directory = scratch::Directory::new();
    let [trust, units] = ["trust", "units"].map(|name| directory.path().join(name));
    let mut codes = codes::vectors(&root());
    // Each is a process: some of the changed ones.
    codes.extend(codes::changed(&codes[0]).into_iter().step_by(50));
    for code in &codes {
        std::fs::write(&trust, &code.trust).unwrap();
        std::fs::write(&units, &code.directory).unwrap();
        let mut command = Command::new(programs().join("tallystick-verifier"));
        command.args(["scan", &code.text, "--json", "--at", &code.at.get().to_string()]);
        command.args(code.hosts.iter().flat_map(|host| ["--host", host]));
        command.arg("--trust").arg(&trust).arg("--directory").arg(&units);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let expected = format!("\"verdict\":{}}}\n", code.judge().to_json());
        assert!(printed.ends_with(&expected), "{printed}{}\n{expected}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Makes the page for a trust file.
async fn make_page(trust: &TrustFile, folder: &Path) -> PathBuf {
    make_page_of(trust, &[], None, folder).await
}

/// The same for codes that lead to these hosts, judged by this directory of units.
async fn make_page_of(trust: &TrustFile, hosts: &[&str], directory: Option<&Path>, folder: &Path) -> PathBuf {
    let trust_file = folder.join("trust.txt");
    std::fs::write(&trust_file, trust.to_text()).unwrap();
    let out = folder.join("page");
    let mut command = Command::new(programs().join("tallystick-page"));
    command.arg("--module").arg(module()).arg("--trust").arg(&trust_file);
    command.args(hosts.iter().flat_map(|host| ["--host", host])).arg("--out").arg(&out);
    if let Some(directory) = directory {
        command.arg("--directory").arg(directory);
    }
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", String::from_utf8_lossy(&output.stdout));
    out
}

/// What the library says of a scene's files, as the page has to show it. The files go to a folder.
fn described(scene: &Scene, folder: &Path) -> Vec<serde_json::Value> {
    let mut states = Vec::new();
    for (name, bytes) in &scene.answers {
        std::fs::write(folder.join(format!("{name}.answer")), bytes).unwrap();
    }
    for (name, bytes) in &scene.files {
        std::fs::write(folder.join(format!("{name}.tally")), bytes).unwrap();
        let verdict = verify_bundle(bytes, &scene.trust, scene.at).timed_by(TimeSource::Clock);
        let of_today = verdict.clone().not_older_than(86_400);
        let trace = trace_bundle(bytes, &scene.trust, scene.at, "total_amount");
        states.push(serde_json::json!({
            "name": name, "verdict": verdict.to_report(), "of_today": of_today.to_report(), "trace": trace,
        }));
    }
    states
}

/// Runs a program of the browser tests with both pages and a file for every kind of verdict.
async fn with_every_state(program: &str) {
    let _turn = tallystick_tests::turn_of_browsers().await;
    let directory = scratch::Directory::new();
    let [folder, plain, specimens] = ["states", "plain", "specimens"].map(|name| directory.path().join(name));
    for folder in [&folder, &plain, &specimens] {
        std::fs::create_dir(folder).unwrap();
    }
    let (scene, specimen) = (states::scene(), states::specimen());
    let page = make_page(&scene.trust, &plain).await;
    let page_of_specimens = make_page(&specimen.trust, &specimens).await;
    let states = described(&scene, &folder);
    let specimen = described(&specimen, &folder).swap_remove(0);
    let described = serde_json::json!({ "at_ms": scene.at.get(), "states": states, "specimen": specimen });
    std::fs::write(folder.join("states.json"), described.to_string()).unwrap();
    let python =
        browser().await.with("PAGE", &page).with("PAGE_OF_SPECIMENS", page_of_specimens).with("STATES", &folder);
    python.run(&["-m", "unittest", "--verbose", program]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_every_verdict_to_everybody() {
    with_every_state("test_page").await;
}

/// Kept in the browser: judged anew, refreshed, saved, removed.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_keeps_receipts() {
    with_every_state("test_holder").await;
}

/// Documents, pictures and a camera; then the same with the page's own sources, for what exactly is read.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_opens_what_carries_a_receipt() {
    let _turn = tallystick_tests::turn_of_browsers().await;
    let directory = scratch::Directory::new();
    let folder = directory.path().join("states");
    std::fs::create_dir(&folder).unwrap();
    let carriers = carriers::write(&folder);
    let page = make_page_of(&carriers.trust, &[carriers::HOST], Some(&folder.join("units")), directory.path()).await;
    let bundle = std::fs::read(folder.join("s01.tally")).unwrap();
    let verdict = verify_bundle(&bundle, &carriers.trust, carriers.at).timed_by(TimeSource::Clock);
    let described = serde_json::json!({
        "at_ms": carriers.at.get(), "states": [], "verdict": verdict.to_report(), "text": carriers.text, "number": carriers.number,
        "scanned": carriers.scanned.to_report(), "elsewhere": carriers.elsewhere.to_report(),
    });
    for name in ["states.json", "carriers.json"] {
        std::fs::write(folder.join(name), described.to_string()).unwrap();
    }
    let python = browser().await.with("PAGE", &page).with("PAGE_OF_SPECIMENS", &page).with("STATES", &folder);
    let python = python.with("SITE", root().join("page/site")).with("CARRIER", carrier());
    python.run(&["-m", "unittest", "--verbose", "test_carriers"]).await.unwrap();
}

/// Codes on paper, however they come in, off and on line; by a page with a directory of units, and by one without.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_judges_codes_on_paper() {
    let _turn = tallystick_tests::turn_of_browsers().await;
    let directory = scratch::Directory::new();
    let [folder, plain] = ["states", "plain"].map(|name| directory.path().join(name));
    for folder in [&folder, &plain] {
        std::fs::create_dir(folder).unwrap();
    }
    let codes = paper::write(&folder);
    let hosts = [carriers::HOST, paper::FORMER_HOST];
    let page = make_page_of(&codes.trust, &hosts, Some(&folder.join("own.units")), directory.path()).await;
    let without = make_page(&codes.trust, &plain).await;
    let described = serde_json::json!({
        "at_ms": codes.at.get(), "states": [], "codes": codes.described, "late_ms": codes.late.get(),
        "report": codes.report,
    });
    std::fs::write(folder.join("states.json"), described.to_string()).unwrap();
    let python = browser().await.with("PAGE", &page).with("PAGE_OF_SPECIMENS", &page).with("STATES", &folder);
    let python = python.with("PAGE_WITHOUT_UNITS", without);
    python.run(&["-m", "unittest", "--verbose", "test_codes"]).await.unwrap();
}

/// What a holder shows of a receipt: drawn for who gets it, picked and made by who has it; what was made says the same on the command line.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_shares_a_part() {
    let _turn = tallystick_tests::turn_of_browsers().await;
    let directory = scratch::Directory::new();
    let [folder, plain, specimens] = ["states", "plain", "specimens"].map(|name| directory.path().join(name));
    for folder in [&folder, &plain, &specimens] {
        std::fs::create_dir(folder).unwrap();
    }
    let (scene, specimen) = (states::sharing(), states::specimen());
    let page = make_page(&scene.trust, &plain).await;
    let page_of_specimens = make_page(&specimen.trust, &specimens).await;
    let states = described(&scene, &folder);
    let specimen = described(&specimen, &folder).remove(1);
    let secrets: BTreeMap<&str, serde_json::Value> =
        scene.files.iter().filter_map(|(name, bytes)| Some((*name, values_of(bytes)?))).collect();
    let described =
        serde_json::json!({ "at_ms": scene.at.get(), "states": states, "specimen": specimen, "secrets": secrets });
    std::fs::write(folder.join("states.json"), described.to_string()).unwrap();
    let python =
        browser().await.with("PAGE", &page).with("PAGE_OF_SPECIMENS", page_of_specimens).with("STATES", &folder);
    let python = python.with("VERIFIER", programs().join("tallystick-verifier")).with("TRUST", plain.join("trust.txt"));
    python.run(&["-m", "unittest", "--verbose", "test_sharing"]).await.unwrap();
}

/// All that a bundle knows and its holder may keep: the seed, and name, value and salt of each position, in hex. `None` of a presentation.
fn values_of(bytes: &[u8]) -> Option<serde_json::Value> {
    let bundle = Bundle::decode(bytes).ok()?;
    let record = SignedRecord::decode(&bundle.record).unwrap().record;
    let body = Body::of_values(record.suite, bundle.values.clone(), &bundle.seed).unwrap();
    let items = u32::try_from(body.receipt().unwrap().draft.items.len()).unwrap();
    let value = |(position, disclosure): (u32, &Disclosure)| {
        let name = position_name(record.key.code.category(), items, position);
        serde_json::json!({ "name": name, "value": disclosure.value, "salt": hex::encode(disclosure.salt.0) })
    };
    let values: Vec<serde_json::Value> = (0..).zip(body.disclosures()).map(value).collect();
    Some(serde_json::json!({ "seed": hex::encode(bundle.seed.as_bytes()), "values": values }))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_small_and_the_same_when_made_again() {
    let directory = scratch::Directory::new();
    let trust = states::scene().trust;
    let mut made = Vec::new();
    for folder in ["once", "again"] {
        let folder = directory.path().join(folder);
        std::fs::create_dir(&folder).unwrap();
        made.push(make_page(&trust, &folder).await);
    }
    let sums = std::fs::read_to_string(made[0].join("SHA256SUMS")).unwrap();
    assert_eq!(sums, std::fs::read_to_string(made[1].join("SHA256SUMS")).unwrap());
    let (mut first, mut scanner, mut hosted) = (0, 0, 0);
    for line in sums.lines() {
        let name = line.split_once("  ").unwrap().1;
        let bytes = gzip_bytes(&made[0].join(name));
        let Some(name) = name.strip_prefix("hosted/") else {
            assert!(bytes <= ONE_FILE_GZIP_BYTES_MAX, "{name}: {bytes}");
            continue;
        };
        hosted += bytes;
        if name == "index.html" || name.starts_with("verify-") {
            first += bytes;
        } else if name.starts_with("codes-") || name.starts_with("carrier-") {
            scanner += bytes;
        }
    }
    scanner += first;
    println!("gzip bytes to the first verdict {first}, with the scanner {scanner}, of all hosted files {hosted}");
    assert!(first <= FIRST_GZIP_BYTES_MAX && scanner <= SCANNER_GZIP_BYTES_MAX, "{first}, {scanner}");
    assert!(hosted <= HOSTED_GZIP_BYTES_MAX, "{hosted}");

    // Made once more with another verifier, it has no file of the one before.
    let before = std::fs::read_dir(made[0].join("hosted")).unwrap().count();
    std::fs::write(made[0].join("hosted/verify-0123456789abcdef.wasm"), b"\0asm").unwrap();
    make_page(&trust, made[0].parent().unwrap()).await;
    assert_eq!(std::fs::read_dir(made[0].join("hosted")).unwrap().count(), before);
}

fn gzip_bytes(path: &Path) -> u64 {
    let output = std::process::Command::new("gzip").args(["-9", "-c"]).arg(path).output().unwrap();
    assert!(output.status.success());
    output.stdout.len() as u64
}

/// What the program refuses: an exit code and a sentence.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_not_made_of_files_that_are_something_else() {
    let directory = scratch::Directory::new();
    let trust = directory.path().join("trust.txt");
    std::fs::write(&trust, states::scene().trust.to_text()).unwrap();
    let other = directory.path().join("other");
    std::fs::write(&other, "something else\n").unwrap();
    let foreign = directory.path().join("foreign");
    let stranger = TestChain::named("otherchain");
    let signed = stranger.sign_directory(stranger.directory());
    std::fs::write(&foreign, DirectoryFile { signed, deltas: Vec::new() }.encode()).unwrap();
    let none = directory.path().join("none");
    for (module, trust, units, code, words) in [
        (&other, &trust, None, 64, "other is no WebAssembly module"),
        (&module(), &other, None, 64, "other: "),
        (&none, &trust, None, 66, "none: "),
        (&module(), &trust, Some(&other), 64, "other: it is no directory of units"),
        (&module(), &trust, Some(&foreign), 64, "foreign: a signature of the directory is not valid"),
        (&module(), &trust, Some(&none), 66, "none: "),
    ] {
        let mut command = Command::new(programs().join("tallystick-page"));
        command.arg("--module").arg(module).arg("--carrier").arg(carrier()).arg("--trust").arg(trust);
        command.args(units.into_iter().flat_map(|units| [Path::new("--directory"), units.as_path()]));
        command.arg("--out").arg(directory.path().join("out"));
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(!directory.path().join("out").exists(), "nothing is half made");
    }
}
