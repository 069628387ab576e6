//! Closes a process to other users of its machine, before it reads its first secret.
//!
//! ```text
//! umask 077         what it makes is its own user's alone: stores, logs, exports, sockets, whatever the caller's umask was
//! RLIMIT_CORE 0     no core file with keys in it
//! not dumpable      none by a core handler either, and nobody of the same user reads its memory by ptrace or /proc
//! ```
//! Programs that it starts inherit the first two. Public files are given their mode expressly (`durable::FileMode::Shared`). Not here:
//! swap, and a machine's administrator, who reads everything.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask};

/// Does all three. The first thing that a program does, while it has one thread.
pub fn close_to_others() -> io::Result<()> {
    umask(Mode::RWXG | Mode::RWXO);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Says of each directory, by its config key, if other users of this machine may look into it. One that cannot be looked at is told
/// by whoever opens it.
pub fn warn_of_open_directories(directories: &[(&str, &Path)]) {
    for (key, path) in directories {
        if let Some(mode) = open_mode(path) {
            tracing::warn!(
                "config key `{key}`: {} has mode {mode:04o}, so other users of this machine may look into it; run `chmod 700` on it",
                path.display()
            );
        }
    }
}

/// The mode of a directory that others may look into.
fn open_mode(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_may_enter_is_told() {
        let dir = scratch::Directory::new();
        for (mode, told) in [(0o700, None), (0o710, Some(0o710)), (0o755, Some(0o755)), (0o701, Some(0o701))] {
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_mode(dir.path()), told);
        }
        assert_eq!(open_mode(&dir.path().join("absent")), None);
    }
}
