//! Reading what somebody handed over: files, pipes, devices. Nothing is read beyond its limit, and nothing is waited for without
//! end.
//!
//! ```text
//! read(path, bytes_max)    a whole file: at most bytes_max, otherwise FileTooLarge; all of it within PATIENCE
//! head(path, bytes_max)    the same, cut off after bytes_max
//! open(path)               a stream of any length; each piece within PATIENCE
//! ```
//! A file may be a pipe (`<(…)`, `/dev/stdin`): it is opened without blocking and read when something comes. One that delivers
//! nothing ends with `TimedOut`, `/dev/zero` with `FileTooLarge`, a directory with `IsADirectory`.
//!
//! Not here: secrets (`keyfile`), and writing (`durable`).

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// Room beyond a file's length, so that its end is found without growing.
const PROBE_BYTES: usize = 64;
/// How long a file may deliver nothing.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Reads all of a file of at most `bytes_max` bytes.
pub fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    read_within(path, bytes_max, PATIENCE)
}

/// Reads at most `bytes_max` bytes of a file, for who judges what is too long by its beginning.
pub fn head(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    head_within(path, bytes_max, PATIENCE)
}

/// Opens a file that is read piece by piece. A directory is refused here.
pub fn open(path: &Path) -> io::Result<Input> {
    open_within(path, PATIENCE)
}

fn read_within(path: &Path, bytes_max: usize, patience: Duration) -> io::Result<Vec<u8>> {
    let bytes = head_within(path, bytes_max.saturating_add(1), patience)?;
    if bytes.len() > bytes_max {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("longer than {bytes_max} bytes")));
    }
    Ok(bytes)
}

fn head_within(path: &Path, bytes_max: usize, patience: Duration) -> io::Result<Vec<u8>> {
    let mut input = open_within(path, patience)?;
    input.deadline = Some(Instant::now() + patience);
    // With room for all of a regular file at once: a buffer that grew would leave copies of a passphrase or private key behind, which
    // nobody wipes.
    let length = usize::try_from(input.file.metadata()?.len()).unwrap_or(usize::MAX).min(bytes_max);
    let mut bytes = Vec::with_capacity(length.saturating_add(PROBE_BYTES));
    input.take(u64::try_from(bytes_max).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn open_within(path: &Path, patience: Duration) -> io::Result<Input> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "is a directory"));
    }
    Ok(Input { file, waits: !kind.is_file(), patience, deadline: None })
}

/// An open file that does not wait for ever.
#[derive(Debug)]
pub struct Input {
    file: File,
    /// Whether it may have nothing yet.
    waits: bool,
    patience: Duration,
    /// The time by which all must be read; if there is none, each piece has `patience`.
    deadline: Option<Instant>,
}

impl Input {
    fn wait(&self, until: Instant) -> io::Result<()> {
        let left = until.saturating_duration_since(Instant::now());
        let silent = || io::Error::new(ErrorKind::TimedOut, format!("delivered nothing for {:?}", self.patience));
        if left.is_zero() {
            return Err(silent());
        }
        let timeout = Timespec::try_from(left).map_err(|_| silent())?;
        match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => Err(silent()),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.waits {
            return self.file.read(buffer);
        }
        let until = self.deadline.unwrap_or_else(|| Instant::now() + self.patience);
        loop {
            self.wait(until)?;
            match self.file.read(buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn kind(path: &Path, bytes_max: usize) -> ErrorKind {
        read_within(path, bytes_max, SHORT).unwrap_err().kind()
    }

    #[test]
    fn nothing_is_read_beyond_its_limit() {
        let dir = scratch::Directory::new();
        let path = dir.path().join("file");
        std::fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read_within(&path, 10, SHORT).unwrap(), [7; 10]);
        assert_eq!(kind(&path, 9), ErrorKind::FileTooLarge);
        assert_eq!(kind(Path::new("/dev/zero"), 1000), ErrorKind::FileTooLarge);
        assert_eq!(read_within(Path::new("/dev/null"), 10, SHORT).unwrap(), b"");
        assert_eq!(kind(dir.path(), 10), ErrorKind::IsADirectory);
        assert_eq!(kind(&dir.path().join("none"), 10), ErrorKind::NotFound);
    }

    #[test]
    fn a_pipe_that_never_delivers_is_given_up() {
        let dir = scratch::Directory::new();
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert_eq!(kind(&path, 10), ErrorKind::TimedOut, "nobody writes");
        let mut held = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert_eq!(kind(&path, 10), ErrorKind::TimedOut, "somebody could");
        held.write_all(b"abc").unwrap();
        assert_eq!(kind(&path, 10), ErrorKind::TimedOut, "it begins and does not end");
    }

    #[test]
    fn a_pipe_that_delivers_is_a_file() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        writer.write_all(b"whole").unwrap();
        drop(writer);
        assert_eq!(read(Path::new(&path), 5).unwrap(), b"whole");
        let mut all = Vec::new();
        open(Path::new("/dev/null")).unwrap().read_to_end(&mut all).unwrap();
        assert!(all.is_empty());
    }
}
