//! A test in a process of its own, which may open no more files for a while: the bound on open files is a process's.

use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const ALONE: &str = "TALLYSTICK_TEST_ALONE";

/// Runs the test of this name, which calls it, in a process of its own. `true` in that process; `false` where it has been run so.
///
/// # Panics
/// When the test fails there.
#[must_use]
#[allow(clippy::expect_used)]
pub fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut program = Command::new(std::env::current_exe().expect("the test's program"));
    let ran = program.args([test, "--exact", "--nocapture"]).env(ALONE, "1").output().expect("run the test's program");
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// As long as it is there, no file can be opened.
#[derive(Debug)]
pub struct NoFiles(Rlimit);

impl NoFiles {
    /// From now on.
    ///
    /// # Panics
    /// Where the bound cannot be set.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn begin() -> Self {
        let is_free = |descriptor: &u64| !Path::new(&format!("/proc/self/fd/{descriptor}")).is_symlink();
        let free = (0..).find(is_free);
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: free, maximum: before.maximum }).expect("bound the open files");
        assert!(std::fs::File::open("/dev/null").is_err(), "a file was opened");
        Self(before)
    }
}

impl Drop for NoFiles {
    #[allow(clippy::expect_used)]
    fn drop(&mut self) {
        let Rlimit { current, maximum } = self.0;
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lift the bound");
    }
}
