//! A file that has no name until it is whole.
//!
//! ```text
//! open(DIRECTORY, O_TMPFILE) ─▶ write … ─▶ fsync ─▶ linkat(/proc/self/fd/N, NAME) ─▶ fsync the directory
//! ```
//! Until the link the kernel frees it with the process, however that ends: Ctrl-C, SIGKILL, a power cut. For content that must
//! not stay behind. Not here: replacing files (`tallystick_service::durable`).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};

/// The file, for its owner alone (0600).
#[derive(Debug)]
pub(super) struct UnnamedFile {
    file: File,
    path: PathBuf,
}

impl UnnamedFile {
    /// On the file system where `path` will be.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let directory = directory_of(path);
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR).map_err(io::Error::from);
        let file = file.with_context(|| {
            format!(
                "make a file without a name in {} (name a directory of this user on a local disk: ext4, xfs, btrfs, tmpfs)",
                directory.display()
            )
        })?;
        Ok(Self { file: file.into(), path: path.to_owned() })
    }

    /// Makes it durable and gives it its name. Refuses if that is taken.
    pub(super) fn give_name(self) -> Result<()> {
        let Self { file, path } = self;
        file.sync_all().with_context(|| format!("sync {}", path.display()))?;
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        rustix::fs::linkat(CWD, open, CWD, &path, AtFlags::SYMLINK_FOLLOW)
            .map_err(io::Error::from)
            .with_context(|| format!("create {}", path.display()))?;
        let directory = directory_of(&path);
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .with_context(|| format!("sync the directory {}", directory.display()))
    }
}

impl Write for UnnamedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
