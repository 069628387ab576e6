//! What a network's test leaves when it is interrupted: processes (they have groups of their own, so Ctrl-C does not reach them),
//! mounts, and its directory. A small shell outlives the test program and takes all of it away.
//!
//! ```text
//! test program ── "+DIR" … "-DIR" ──▶ stdin of the shell;   end of file: whatever was not taken back is removed
//!                         "=DIR"                              processes and mounts go, the directory stays
//! ```
//! The shell knows a network's processes by the directory in their arguments, which no other process has.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Lines in, then: for each directory left, kill, unmount, remove.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
while IFS= read -r line; do
  dir=${line#?}
  case $line in
    [-=]*) n=$#; while [ "$n" -gt 0 ]; do [ "$1" = "+$dir" ] || set -- "$@" "$1"; shift; n=$((n - 1)); done ;;
  esac
  case $line in [+=]*) set -- "$@" "$line" ;; esac
done
for line; do
  dir=${line#?}
  [ -d "$dir" ] || continue
  for process in /proc/[0-9]*; do
    if grep -qaF -- "$dir/" "$process/cmdline" 2>/dev/null; then kill -KILL "${process#/proc/}" 2>/dev/null; fi
  done
  while read -r _ at _; do case $at in "$dir"/*) umount -l "$at" ;; esac; done </proc/mounts
  case $line in +*) until rm -rf -- "$dir" 2>/dev/null; do sleep 0.1; done ;; esac
done
"#;

static SHELL: OnceLock<Option<Mutex<ChildStdin>>> = OnceLock::new();

/// From now on the directory goes when this program does.
pub(crate) fn watch(directory: &Path) {
    tell('+', directory);
}

/// It was removed.
pub(crate) fn forget(directory: &Path) {
    tell('-', directory);
}

/// It is to be kept, without what runs in it.
pub(crate) fn keep(directory: &Path) {
    tell('=', directory);
}

fn tell(sign: char, directory: &Path) {
    let shell = SHELL.get_or_init(|| {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        command.spawn().ok().and_then(|mut child| child.stdin.take()).map(Mutex::new)
    });
    let Some(stdin) = shell else { return };
    // Without the shell a test is as good; only its interruption leaves something.
    let _ = writeln!(stdin.lock().unwrap_or_else(PoisonError::into_inner), "{sign}{}", directory.display());
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};

    use super::*;

    #[test]
    fn what_an_interrupted_test_leaves_is_removed() {
        let directory = scratch::Directory::new();
        let [left, taken_back, kept] = ["left", "taken back", "kept"].map(|name| directory.path().join(name));
        for made in [&left, &taken_back, &kept] {
            std::fs::create_dir(made).unwrap();
            std::fs::write(made.join("file"), "x").unwrap();
        }
        // A process of the network, known by its arguments.
        let mut orphan = Command::new("sh")
            .args(["-c", "echo started; read -r line", "sh"])
            .arg(left.join("config.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(orphan.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let mut shell = Command::new("sh").args(["-c", SCRIPT]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = shell.stdin.take().unwrap();
        for (sign, path) in [('+', &left), ('+', &taken_back), ('-', &taken_back), ('+', &kept), ('=', &kept)] {
            writeln!(stdin, "{sign}{}", path.display()).unwrap();
        }
        drop(stdin);
        assert!(shell.wait().unwrap().success());
        assert!(!left.exists() && taken_back.join("file").exists() && kept.join("file").exists());
        let ended = std::os::unix::process::ExitStatusExt::signal(&orphan.wait().unwrap());
        assert_eq!(ended, Some(9), "a process of the network was ended");
    }
}
