//! What the two commands ask of a machine that has never built this: the check for libclang, in each state that a Debian can be
//! in, what is said where a tool can not be had, what is built and when that is said, and that tests leave nothing behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// An empty file and its folders, below a folder that stands for another system's root.
fn file(system: &Path, path: &str) {
    let path = system.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "").unwrap();
}

fn find_libclang(system: &Path, libclang_path: Option<&Path>) -> Output {
    let mut command = Command::new(root().join("scripts/find-libclang.sh"));
    command.arg(system).env_remove("LIBCLANG_PATH").env_remove("LD_LIBRARY_PATH").env_remove("LIBRARY_PATH");
    if let Some(path) = libclang_path {
        command.env("LIBCLANG_PATH", path);
    }
    command.output().unwrap()
}

/// The check and what it says, for each set of files that a system may have.
#[test]
fn libclang_is_what_bindgen_loads() {
    const LLVM: &str = "usr/lib/llvm-14/lib";
    const HEADERS: &str = "usr/lib/llvm-14/lib/clang/14.0.6/include/stddef.h";
    let cases: &[(&str, &[&str], Result<&str, &str>)] = &[
        ("nothing is installed", &[], Err("no libclang in")),
        // Debian's `llvm` brings both: the C++ interface, and the link that `ldconfig -p | grep libclang` finds.
        (
            "llvm without libclang",
            &["usr/lib/x86_64-linux-gnu/libclang-cpp.so.14", "usr/lib/llvm-14/lib/libclang-cpp.so.14", HEADERS],
            Err("no libclang in"),
        ),
        ("the library without its headers", &["usr/lib/llvm-14/lib/libclang.so.1"], Err("not clang's own headers")),
        ("libclang-dev", &["usr/lib/llvm-14/lib/libclang.so", HEADERS], Ok("usr/lib/llvm-14/lib/libclang.so")),
        (
            "libclang1 and libclang-common",
            &["usr/lib/x86_64-linux-gnu/libclang-14.so.1", HEADERS],
            Ok("usr/lib/x86_64-linux-gnu/libclang-14.so.1"),
        ),
        (
            "Fedora's layout",
            &["usr/lib64/libclang.so.18", "usr/lib/clang/18/include/stddef.h"],
            Ok("usr/lib64/libclang.so.18"),
        ),
        ("a static library only", &["usr/lib/llvm-14/lib/libclang.a", HEADERS], Err("no libclang in")),
    ];
    for (name, files, expected) in cases {
        let system = scratch::Directory::new();
        for path in *files {
            file(system.path(), path);
        }
        let output = find_libclang(system.path(), None);
        let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match expected {
            Ok(path) => {
                assert!(output.status.success(), "{name}: {complaint}");
                assert_eq!(Path::new(said.trim()), system.path().join(path), "{name}");
            }
            Err(part) => {
                assert_eq!(output.status.code(), Some(1), "{name}: {said}");
                assert!(complaint.contains(part), "{name}: {complaint}");
            }
        }
    }
    // A link whose library was removed is no library.
    let system = scratch::Directory::new();
    file(system.path(), HEADERS);
    symlink("/nowhere/libclang.so.1", system.path().join(LLVM).join("libclang.so")).unwrap();
    assert_eq!(find_libclang(system.path(), None).status.code(), Some(1));
}

/// bindgen looks nowhere else if the variable is set.
#[test]
fn a_libclang_path_is_believed_only_if_the_library_is_there() {
    let system = scratch::Directory::new();
    file(system.path(), "usr/lib/llvm-14/lib/libclang.so");
    file(system.path(), "usr/lib/llvm-14/lib/clang/14/include/stddef.h");
    file(system.path(), "opt/llvm/libclang.so.1");
    file(system.path(), "opt/empty/readme");
    for (path, found) in [("opt/llvm", true), ("opt/llvm/libclang.so.1", true), ("opt/empty", false), ("opt/no", false)]
    {
        let output = find_libclang(system.path(), Some(&system.path().join(path)));
        assert_eq!(output.status.success(), found, "{path}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The only tools of a machine: those that make and the check need, a compiler that is only looked for by name, and no libclang.
fn bare_machine() -> scratch::Directory {
    let tools = scratch::Directory::new();
    for tool in ["bash", "sh", "make", "readlink", "sed", "tr"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        let path = String::from_utf8(found.stdout).unwrap();
        symlink(path.trim(), tools.path().join(tool)).unwrap();
    }
    symlink("/bin/true", tools.path().join("c++")).unwrap();
    tools
}

fn make_on(machine: &Path, targets: &[&str]) -> Output {
    let mut make = Command::new(machine.join("make"));
    make.args(targets).current_dir(root()).env("PATH", machine).env("LIBCLANG_PATH", machine);
    make.env("CARGO_TARGET_DIR", machine.join("target")).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    make.output().unwrap()
}

/// Without libclang and without a package manager `make` ends at once, before cargo, and says what to install.
#[test]
fn make_ends_at_once_where_libclang_can_not_be_had() {
    let machine = bare_machine();
    let output = make_on(machine.path(), &["demo", "test"]);
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{said}");
    assert!(complaint.contains("RocksDB needs libclang-dev (Debian"), "{complaint}");
    assert!(!said.contains("cargo"), "cargo was started: {said}");
}

/// Installing takes minutes, too: what will be built, and how long that takes, is said before it.
#[test]
fn what_is_built_is_said_before_anything_is_installed() {
    let machine = bare_machine();
    let apt = machine.path().join("apt-get");
    fs::write(&apt, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&apt, fs::Permissions::from_mode(0o755)).unwrap();
    let output = make_on(machine.path(), &["demo"]);
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "apt-get has installed nothing: {said}");
    assert!(said.starts_with("building the five programs of a network in "), "{said}");
    assert!(said.contains(" for the first time: RocksDB (30 CPU minutes)") && said.contains("minutes on "), "{said}");
    // Who is not root is told what to type.
    let installs = said.contains("installing libclang-dev for RocksDB");
    assert!(installs || complaint.contains("Run as root: apt-get install"), "{said}{complaint}");
    assert!(!said.contains("cargo"), "cargo was started: {said}");
}

/// Prerequisites of each target, in their order.
fn prerequisites() -> Vec<(String, Vec<String>)> {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let rules = makefile.lines().filter(|line| !line.starts_with(['\t', '#', '.', ' ']));
    let rules = rules.filter_map(|line| line.split("##").next().filter(|rule| !rule.contains('='))?.split_once(':'));
    rules.map(|(name, needs)| (name.to_owned(), needs.split_whitespace().map(str::to_owned).collect())).collect()
}

/// Whatever installs or compiles something, says so first, or begins with what does.
#[test]
fn every_command_says_first_what_it_builds() {
    const BUILDS: &[&str] =
        &["build", "build-network", "demo", "demo-city", "devnet", "test", "soak", "bench", "pictures", "page"];
    let rules = prerequisites();
    let needs = |name: &str| rules.iter().find(|(rule, _)| rule == name).unwrap_or_else(|| panic!("{name}")).1.clone();
    for name in BUILDS {
        let mut first = (*name).to_owned();
        while !first.starts_with("say-build-") {
            first = needs(&first)
                .first()
                .unwrap_or_else(|| panic!("{name} begins with {first}, which says nothing"))
                .clone();
        }
    }
}

/// Asked of make itself, without building anything.
#[test]
fn the_demonstration_builds_what_it_runs_and_no_more() {
    let mut make = Command::new("make");
    make.args(["-n", "demo"]).current_dir(root()).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    let output = make.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let steps: Vec<&str> = said.lines().collect();
    let place = |part: &str| {
        let found: Vec<usize> = (0..steps.len()).filter(|step| steps[*step].contains(part)).collect();
        let [step] = found[..] else { panic!("{part} in {found:?} of {said}") };
        step
    };
    let order = [
        place("scripts/say-build.sh"),
        place("apt-get install"),
        place("cargo build"),
        place("tallystick-devnet demo"),
    ];
    assert!(order.is_sorted() && order[0] == 0 && order[3] == steps.len() - 1, "{order:?} of {said}");
    // What a network is made of: the launcher, and the programs that it looks for beside itself.
    let built: BTreeSet<&str> =
        steps[order[2]].split(" --bin ").skip(1).map(|rest| rest.split(' ').next().unwrap()).collect();
    let run = ["devnet", "node", "issuer", "verifier", "authority"].map(|name| format!("tallystick-{name}"));
    assert_eq!(built, run.iter().map(String::as_str).collect::<BTreeSet<_>>());
    let located = fs::read_to_string(root().join("devnet/src/binaries.rs")).unwrap();
    let located: BTreeSet<&str> = located
        .split("find(\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .chain(["tallystick-devnet"])
        .collect();
    assert_eq!(built, located);
}

/// The script under which `make test` runs the tests.
fn with_temp_dir(parent: &Path, command: &str) -> Command {
    // A shell cannot trap what was ignored when it was started: so begins what another shell runs in the background.
    let mut script = Command::new("env");
    script.arg("--default-signal=INT,TERM").arg(root().join("scripts/with-temp-dir.sh"));
    script.args(["sh", "-c", command]).env("TMPDIR", parent);
    script
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn what_tests_leave_is_found_and_what_a_failure_leaves_stays_for_one_look() {
    let parent = scratch::Directory::new();
    let run = |command: &str| {
        let output = with_temp_dir(parent.path(), command).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run("touch \"$TMPDIR/x\" && rm \"$TMPDIR/x\""), (Some(0), String::new()));
    assert_eq!(
        run("test \"$(stat -c %a \"$TMPDIR\")\" = 711"),
        (Some(0), String::new()),
        "other users of a test enter it"
    );
    let (code, said) = run("touch \"$TMPDIR/left\"");
    assert!(
        code == Some(1) && said.contains("tests left in the temporary directory") && said.contains("/left"),
        "{said}"
    );
    assert!(is_empty(parent.path()));
    assert_eq!(run("exit 7"), (Some(7), String::new()));
    assert!(is_empty(parent.path()));
    let (code, said) = run("touch \"$TMPDIR/log\"; exit 7");
    assert!(code == Some(7) && said.contains("what the failed run left is in ") && said.contains("/log"), "{said}");
    assert!(!is_empty(parent.path()), "for a look");
    assert_eq!(run("true"), (Some(0), String::new()));
    assert!(is_empty(parent.path()), "until the next run");
}

/// Starts a run that waits; the number of its innermost process, and its directory.
fn waiting(parent: &Path) -> (Child, u32, PathBuf) {
    let command = "echo x > \"$TMPDIR/file\"; sh -c 'echo \"$$ $TMPDIR\"; read -r line'";
    let mut script = with_temp_dir(parent, command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(script.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let (pid, directory) = said.trim().split_once(' ').unwrap();
    (script, pid.parse().unwrap(), PathBuf::from(directory))
}

/// Ctrl-C at the terminal, and what a build service sends.
#[test]
fn an_interrupted_run_leaves_neither_files_nor_processes() {
    for signal in ["INT", "TERM"] {
        let parent = scratch::Directory::new();
        let (mut script, innermost, directory) = waiting(parent.path());
        // Nothing ends by itself.
        let keyboard = script.stdin.take();
        assert!(directory.starts_with(parent.path()) && directory.join("file").exists(), "{}", directory.display());
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(script.id().to_string()).status().unwrap();
        assert!(sent.success());
        let deadline = Instant::now() + Duration::from_secs(30);
        let ended = loop {
            if let Some(status) = script.try_wait().unwrap() {
                break status;
            }
            if Instant::now() >= deadline {
                script.kill().unwrap();
                panic!("{signal}: it goes on");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(ended.code(), Some(130), "{signal}");
        assert!(is_empty(parent.path()), "{signal}");
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_alive(innermost) {
            assert!(Instant::now() < deadline, "{signal}: the tests run on");
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(keyboard);
    }
}

/// Whether a process runs: one that nobody has waited for yet does not.
fn is_alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat"));
    status.is_ok_and(|status| !status.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}
