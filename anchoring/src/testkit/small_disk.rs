//! A disk that can be filled to its last byte: a tmpfs of its own.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Less than RocksDB reserves for its log, so that it reserves nothing.
const BYTES: u64 = 64 << 20;

/// Mounted; unmounted when dropped, after whatever uses it.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// At `path`, which is made. `None`, and said, where nothing may be mounted (no root, no mount namespace).
    pub fn mount(path: &Path) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        let size = format!("size={BYTES}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tallystick-test"]).arg(path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path.to_owned()));
        }
        // Past the test runner, which keeps what a passing test prints to itself.
        std::io::stderr().write_all(b"NOTHING COULD BE MOUNTED HERE: a full disk is not tested\n").unwrap();
        None
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes until nothing is left.
    pub fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.ballast()).unwrap();
        for chunk in [vec![0xaa; 1 << 16], vec![0xaa; 1]] {
            while ballast.write_all(&chunk).is_ok() {}
        }
    }

    /// Makes room again.
    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The lazy way always works.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
