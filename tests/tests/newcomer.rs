//! What the two commands ask of a machine that has never built this: the check for libclang, in each state that a Debian can be
//! in, and what is said where a tool can not be had.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// Without libclang and without a package manager `make` ends at once, before cargo, and says what to install.
#[test]
fn make_ends_at_once_where_libclang_can_not_be_had() {
    let tools = scratch::Directory::new();
    for tool in ["bash", "sh", "make", "readlink", "sed", "tr"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        let path = String::from_utf8(found.stdout).unwrap();
        symlink(path.trim(), tools.path().join(tool)).unwrap();
    }
    // Stands for the compiler, which the check only looks for by name.
    symlink("/bin/true", tools.path().join("c++")).unwrap();
    let output = Command::new(tools.path().join("make"))
        .args(["demo", "test"])
        .current_dir(root())
        .env("PATH", tools.path())
        .env("LIBCLANG_PATH", tools.path())
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .unwrap();
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{said}");
    assert!(complaint.contains("RocksDB needs libclang-dev (Debian"), "{complaint}");
    assert!(!said.contains("cargo"), "cargo was started: {said}");
}
