//! Checks of the source tree: which crate and file may import which, names that only one place may use, sizes, leftovers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Crate folder, package name, floor. A crate imports floors below its own only.
const FLOORS: &[(&str, &str, f32)] = &[
    ("receipt-core", "receipt-core", 1.0),
    ("scratch", "scratch", 1.5),
    ("qr", "tallystick-qr", 1.75),
    ("proto", "tallystick-proto", 2.0),
    ("service", "tallystick-service", 2.5),
    ("storage", "tallystick-storage", 2.0),
    ("anchoring", "tallystick-anchoring", 2.75),
    ("document", "tallystick-document", 2.0),
    ("node/engine", "tallystick-engine", 2.0),
    ("node", "tallystick-node", 3.0),
    ("issuer", "tallystick-issuer", 3.0),
    ("verifier", "tallystick-verifier", 3.0),
    ("verifier/host", "tallystick-page-host", 1.0),
    ("verifier/wasm", "tallystick-page-wasm", 2.0),
    ("verifier/carrier", "tallystick-page-carrier", 2.25),
    ("page", "tallystick-page", 3.0),
    ("portal", "tallystick-portal", 3.0),
    ("authority", "tallystick-authority", 3.0),
    ("devnet", "tallystick-devnet", 4.0),
    ("bench", "tallystick-bench", 4.5),
    ("tests", "tallystick-tests", 4.5),
];

fn floor_of(package: &str) -> Option<f32> {
    FLOORS.iter().find(|(_, name, _)| *name == package).map(|(_, _, floor)| *floor)
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// All Rust files below the crates, as paths from the root.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut paths = Vec::new();
    for (folder, _, _) in FLOORS {
        rust_files(&root.join(folder), &mut paths);
    }
    paths.sort();
    paths.dedup();
    let relative = |path: &Path| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/testing") || path.contains("/testkit")
}

#[test]
fn every_workspace_member_has_a_floor() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    for member in &members {
        assert!(FLOORS.iter().any(|(folder, _, _)| folder == member), "{member} has no floor: give it one here");
    }
    assert_eq!(members.len(), FLOORS.len());
}

/// Only what `main.rs` names is compiled; `byzantine`, with `clocks`, is a program of its own.
#[test]
fn every_test_of_the_whole_system_runs() {
    let folder = root().join("tests/tests");
    let named = fs::read_to_string(folder.join("main.rs")).unwrap();
    let mut subjects = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let subject = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() {
            assert!(folder.join(format!("{subject}.rs")).is_file(), "{subject}/ belongs to no subject");
        } else if !["main", "byzantine", "clocks"].contains(&subject) {
            let line = format!("mod {subject};");
            assert!(named.lines().any(|named| named == line), "tests/tests/main.rs lacks `{line}`: it would not run");
            subjects += 1;
        }
    }
    assert!(subjects > 20, "{subjects} subjects");
}

#[test]
fn imports_run_downwards() {
    for (folder, _, floor) in FLOORS {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        for line in manifest.lines() {
            let Some((name, _)) = line.split_once('=') else { continue };
            if let Some(below) = floor_of(name.trim()) {
                assert!(below < *floor, "{folder} (floor {floor}) must not import {} (floor {below})", name.trim());
            }
        }
    }
}

/// Who judges, replicates or signs draws nothing: fonts and drawing are large, and read what strangers write.
#[test]
fn only_who_hands_out_documents_links_documents() {
    for folder in ["node", "node/engine", "verifier", "authority", "anchoring", "service", "proto", "receipt-core"] {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let named = manifest.lines().any(|line| line.trim_start().starts_with("tallystick-document"));
        assert!(!named, "{folder} links tallystick-document");
    }
}

#[test]
fn each_big_dependency_has_one_room() {
    // What is named, and where it may be.
    let rooms: &[(&str, &[&str])] = &[
        ("rocksdb::", &["node/src/store", "anchoring/src/journal", "storage/"]),
        ("malachitebft_app_channel", &["node/engine/"]),
        ("rs_merkle", &["receipt-core/src/merkle"]),
        ("use jmt", &["receipt-core/src/status"]),
        ("icu_properties::", &["receipt-core/src/receipt/chars.rs"]),
        ("qrcodegen::", &["qr/src/symbol.rs"]),
        ("ed25519_zebra", &["receipt-core/src/suite.rs", "node/engine/"]),
        ("SystemTime::now", &["service/src/clock.rs", "bench/src/clock.rs"]),
        ("getrandom::", &["service/src/rng.rs"]),
        ("krilla::", &["document/src/pdf.rs"]),
        ("quick_xml::", &["document/src/markup.rs"]),
        ("ab_glyph_rasterizer::", &["document/src/png.rs"]),
        ("write_fonts::", &["document/src/subset.rs"]),
        ("skrifa::", &["document/src/"]),
        ("zip::", &["document/src/ofd.rs"]),
        ("rxing::", &["verifier/carrier/src/scan.rs"]),
        ("miniz_oxide::", &["verifier/carrier/src/inflate.rs"]),
    ];
    for (path, text) in sources() {
        for (name, allowed) in rooms {
            let own = path == "tests/tests/tidy.rs";
            // As the writer of a log line a crate is only a word.
            let log_target = format!("\"arc_{name}::");
            let names = |line: &str| line.contains(name) && !line.contains(&log_target);
            let named = text.lines().any(|line| names(line) && !line.trim_start().starts_with("//"));
            let home = allowed.iter().any(|room| path.starts_with(room));
            assert!(own || is_test(&path) || home || !named, "{path} names {name}, which lives in {allowed:?}");
        }
    }
}

/// A directory of `tempfile` goes while a store in it may be open, and is there again on some runs; one of `scratch` goes last.
#[test]
fn the_directories_of_tests_are_scratch() {
    let allowed = ["scratch/src/lib.rs", "devnet/src/main.rs", "tests/src/lib.rs", "tests/tests/tidy.rs"];
    for (path, text) in sources() {
        let named = text.contains("tempfile::");
        assert!(!named || allowed.contains(&path.as_str()), "{path}: a test's directory is a scratch::Directory");
    }
}

/// Foreign text that reaches a terminal unescaped can repaint a verdict: one file writes, and escapes.
#[test]
fn one_place_writes_to_terminals() {
    let at_home = ["service/src/terminal.rs", "proto/build.rs"];
    let writes =
        ["println!(", "eprintln!(", "print!(", "eprint!(", "stdout().lock()", "stderr().lock()", "io::stdout(),"];
    for (path, text) in sources() {
        // Tests and examples speak to developers.
        if is_test(&path) || path.starts_with("tests/") || path.contains("/examples/") || at_home.contains(&&*path) {
            continue;
        }
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        let found = code
            .lines()
            .find(|line| !line.trim_start().starts_with("//") && writes.iter().any(|write| line.contains(write)));
        assert!(found.is_none(), "{path} writes to a terminal by itself; use tallystick_service::terminal: {found:?}");
    }
}

/// A file that is read without a limit can be a device without an end, and a pipe can say nothing for ever: one place reads.
#[test]
fn one_place_reads_files() {
    const ALLOWED: &[&str] = &[
        "service/src/input.rs",
        // A clock that tests shift.
        "node/src/byzantine.rs",
        // The kernel's figures, and logs that this program wrote.
        "service/src/process.rs",
        "bench/src/",
        "devnet/src/logs.rs",
        "devnet/src/process.rs",
    ];
    for (path, text) in sources() {
        let allowed = ALLOWED.iter().any(|home| path.starts_with(home));
        if allowed || is_test(&path) || path.starts_with("tests/") || path.contains("/examples/") {
            continue;
        }
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        for read in ["fs::read(", "fs::read_to_string("] {
            assert!(
                !code.contains(read),
                "{path} reads a file without a limit ({read}); use tallystick_service::input or durable"
            );
        }
    }
}

/// Names after `crate::` and `super::` in a file of this module, as module paths from the crate's root.
fn named_modules(module: &str, code: &str) -> Vec<String> {
    let parents: Vec<&str> = module.split("::").collect();
    let name_of =
        |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next().map(str::to_owned);
    let mut found = Vec::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        found.extend(line.split("crate::").skip(1).filter_map(name_of));
        for (at, _) in line.match_indices("super::") {
            // Of `super::super::x` only the first is a beginning.
            if line[..at].ends_with("super::") {
                continue;
            }
            let (mut rest, mut above) = (&line[at..], parents.as_slice());
            while let Some(after) = rest.strip_prefix("super::") {
                (rest, above) = (after, &above[..above.len().saturating_sub(1)]);
            }
            found.extend(name_of(rest).map(|name| [above, &[name.as_str()]].concat().join("::")));
        }
    }
    found
}

/// The lines that a build without tests has: a module of tests at the end goes, and what stands under `#[cfg(test)]` by itself.
fn without_tests(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        let Some(mut line) = lines.find(|line| !line.trim_start().starts_with("#[")) else { break };
        if line.starts_with("mod ") && line.ends_with('{') {
            break;
        }
        // The item, arm or field: as far as its brackets are open, and then to its end.
        let mut open = 0_i32;
        loop {
            open += line.chars().map(|c| i32::from("([{".contains(c)) - i32::from(")]}".contains(c))).sum::<i32>();
            if open <= 0 && line.ends_with([';', ',', '}']) {
                break;
            }
            let Some(next) = lines.next() else { break };
            line = next;
        }
    }
    kept.join("\n")
}

/// A crate's files by module path, without tests. The root imports all: it stands outside.
fn modules_of(folder: &str) -> BTreeMap<String, String> {
    let prefix = format!("{folder}/src/");
    let files = sources().into_iter().filter(|(path, _)| path.starts_with(&prefix) && !is_test(path));
    files
        .map(|(path, text)| {
            let module = path[prefix.len()..].trim_end_matches(".rs").replace('/', "::");
            (module, without_tests(&text))
        })
        .filter(|(module, _)| module != "lib" && module != "main")
        .collect()
}

/// The modules that import each other in a circle, however long, and those on a way from one circle to another. A folder and its file
/// are one module of the folder that they stand in; inside of the folder, its files are judged by themselves.
fn circles(modules: &BTreeMap<String, String>) -> Vec<BTreeSet<String>> {
    let module_of = |name: &str| {
        let mut name = name.trim_end_matches(':');
        while !modules.contains_key(name) {
            name = name.rsplit_once("::")?.0;
        }
        Some(name.to_owned())
    };
    let mut imports: Vec<(String, String)> = Vec::new();
    for (module, code) in modules {
        let named = named_modules(module, code).into_iter().filter_map(|name| module_of(&name));
        imports.extend(named.map(|named| (module.clone(), named)));
    }
    let parents = modules.keys().filter_map(|module| module.rsplit_once("::")).map(|(parent, _)| format!("{parent}::"));
    let folders: BTreeSet<String> = parents.chain([String::new()]).collect();
    let mut found = Vec::new();
    for folder in folders {
        let room_of = |module: &str| {
            let first = module.strip_prefix(&folder)?.split("::").next()?;
            Some(format!("{folder}{first}"))
        };
        let edges = imports.iter().filter_map(|(from, to)| Some((room_of(from)?, room_of(to)?)));
        let mut edges: BTreeSet<(String, String)> = edges.filter(|(from, to)| from != to).collect();
        // What imports nothing that is left, or is imported by nothing that is left, stands in no circle.
        loop {
            let from: BTreeSet<String> = edges.iter().map(|(from, _)| from.clone()).collect();
            let to: BTreeSet<String> = edges.iter().map(|(_, to)| to.clone()).collect();
            let before = edges.len();
            edges.retain(|(one, other)| to.contains(one) && from.contains(other));
            if edges.len() == before {
                break;
            }
        }
        let left: BTreeSet<String> = edges.into_iter().flat_map(|(from, to)| [from, to]).collect();
        if !left.is_empty() {
            found.push(left);
        }
    }
    found
}

/// Files that import each other are one file cut in pieces: none can be read, or changed, without the others.
#[test]
fn no_files_import_each_other_in_a_circle() {
    for (folder, _, _) in FLOORS {
        let circles = circles(&modules_of(folder));
        assert!(
            circles.is_empty(),
            "{folder}: these import each other; put what they share into a file of its own: {circles:?}"
        );
    }
}

#[test]
fn imports_below_a_line_of_tests_count_and_those_of_tests_do_not() {
    let text = "#[cfg(test)]\nmod tests;\nuse crate::a::A;\n#[cfg(test)]\nuse crate::b::B;\n#[cfg(test)]\nX => {\n    crate::d::D\n}\nfn f(y: crate::e::E) {}\n#[cfg(test)]\nmod tests {\n    use crate::c::C;\n}\n";
    assert_eq!(named_modules("m", &without_tests(text)), ["a::A", "e::E"]);
}

#[test]
fn circles_are_found() {
    let found = |files: &[(&str, &str)]| {
        let modules = files.iter().map(|(module, code)| ((*module).to_owned(), (*code).to_owned())).collect();
        circles(&modules).into_iter().map(|circle| circle.into_iter().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    // A line of imports, and a folder whose file and files use each other.
    assert_eq!(found(&[("a", "use crate::b::B;"), ("b", "use crate::c::C;"), ("c", "use std::fmt;")]), none);
    assert_eq!(found(&[("a", "use crate::a::x::X;"), ("a::x", "use super::A;")]), none);
    // Two files; three, of which one is reached by its path alone; two folders through one file of each; two files of a folder.
    assert_eq!(found(&[("a", "use crate::b::B;"), ("b", "use super::a::A;")]), ["a b"]);
    let three = [
        ("a", "use crate::b::B;"),
        ("b", "fn f() -> crate::c::C {}"),
        ("c", "use crate::a::A;"),
        ("d", "use crate::a::A;"),
    ];
    assert_eq!(found(&three), ["a b c"]);
    assert_eq!(found(&[("a", ""), ("a::x", "use crate::b::B;"), ("b", ""), ("b::y", "use crate::a::A;")]), ["a b"]);
    assert_eq!(found(&[("a::x", "use super::y::Y;"), ("a::y", "use super::x::X;")]), ["a::x a::y"]);
}

#[test]
fn imports_are_found() {
    let code =
        "use crate::a::b::{C};\nuse super::d::E;\n// use crate::no;\nfn f(x: super::super::g::H) -> crate::i::J {}\n";
    assert_eq!(named_modules("m::n::o", code), ["a::b::", "m::n::d::E", "i::J", "m::g::H"].map(str::to_owned));
}

/// Anchoring knows signed records and what became of them. What they say is their owner's: another kind of submitter must not find a
/// receipt's words here.
#[test]
fn anchoring_names_no_receipt() {
    let words =
        ["ReceiptKey", "ReceiptCode", "ReceiptNumber", "ReceiptDraft", "receipt::", "biz_code", "UniquenessKey"];
    for (path, text) in sources().into_iter().filter(|(path, _)| path.starts_with("anchoring/src/") && !is_test(path)) {
        let mut code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let named = code.find(|line| words.iter().any(|word| line.contains(word)));
        assert!(named.is_none(), "{path} knows receipts: {named:?}");
    }
}

/// What is hashed for a chain asks its suite. These hash on no chain's behalf, or in a public format that fixes SHA-256.
#[test]
fn the_ledger_names_no_hash_but_its_suites() {
    const FIXED: &[&str] = &[
        "receipt-core/src/hash.rs",
        "receipt-core/src/suite",
        "receipt-core/src/note/key_id.rs",
        "receipt-core/src/export.rs",
        "receipt-core/src/reason.rs",
        "receipt-core/src/receipt/samples/convert.rs",
        "receipt-core/src/receipt/sameness.rs",
    ];
    let ledger = |path: &str| path.starts_with("receipt-core/src/") && !is_test(path);
    for (path, text) in sources().into_iter().filter(|(path, _)| ledger(path)) {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let names = ["sha2::", "hmac::", "sha256", "Sha256", "hash::tagged", "{Hash, tagged}"];
        let named = code
            .filter(|line| !line.contains("Suite::Ed25519Sha256"))
            .find(|line| names.iter().any(|name| line.contains(name)));
        let fixed = FIXED.iter().any(|file| path.starts_with(file));
        assert!(fixed || named.is_none(), "{path} hashes without asking the suite: {named:?}");
    }
}

/// Every crate forbids unsafe code. What modules export to a browser counts as such: one short file writes that, as a macro for all of them.
#[test]
fn unsafe_code_has_one_room() {
    const ROOM: &str = "verifier/host/src/lib.rs";
    const LINES_MAX: usize = 100;
    const MARKS: &[&str] =
        &["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern", "unsafe(", "(unsafe_"];
    for (folder, _, _) in FLOORS {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{folder} takes the workspace's lints");
    }
    for (path, text) in sources().into_iter().filter(|(path, _)| path != "tests/tests/tidy.rs") {
        let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        let mut marked = code.filter(|line| MARKS.iter().any(|mark| line.contains(mark)));
        let other = marked.find(|line| path != ROOM || *line != "#[unsafe(no_mangle)]");
        assert!(other.is_none(), "{path}: {other:?}");
        assert!(path != ROOM || text.lines().count() <= LINES_MAX, "{path} grows");
    }
}

#[test]
fn files_stay_below_their_size() {
    const LINES_MAX: usize = 500;
    for (path, text) in sources() {
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default().lines().count();
        assert!(is_test(&path) || code <= LINES_MAX, "{path} has {code} lines without tests, {LINES_MAX} are allowed");
    }
}

#[test]
fn every_file_says_what_it_is_and_nothing_is_left_over() {
    for (path, text) in sources() {
        assert!(is_test(&path) || text.starts_with("//!"), "{path} does not open with a module comment");
        if path == "tests/tests/tidy.rs" {
            continue;
        }
        for leftover in ["todo!(", "unimplemented!(", "dbg!(", "#[ignore"] {
            assert!(!text.contains(leftover), "{path} contains {leftover}");
        }
    }
}
