//! Directories for tests. A test leaves nothing: its directories go when its thread ends, and the test program fails where
//! something is still open in them.
//!
//! The thread's end, because that is after everything else: a store that is still open when its directory goes writes on, and a
//! part of the directory is there again, on some runs. Variables, fields of a struct and tasks of a runtime each end in an
//! order of their own, and all of them before the thread. What a test does alone, in a process of its own: [`alone`].

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub mod alone;

/// Characters of a test's name in its directory's.
const NAME_CHARS_MAX: usize = 32;
/// How long what a test has let go of may take to close: a store whose last owner is a thread that is ending.
const CLOSING_LASTS_MAX: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A new, empty directory below the temporary directory (`TMPDIR`), named by the test that asked for it. It goes, with all that
/// is in it, when the thread ends that made it.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes the directory.
    ///
    /// # Panics
    /// Where none can be made.
    #[must_use]
    #[allow(clippy::new_without_default, clippy::expect_used)]
    pub fn new() -> Self {
        // A test's thread has the test's name. Of a long one the beginning: the path of a socket has 108 bytes at most.
        let thread = std::thread::current();
        let test = thread.name().and_then(|name| name.rsplit("::").next()).unwrap_or("test");
        let test: String = test.chars().take(NAME_CHARS_MAX).collect();
        let directory = tempfile::Builder::new().prefix(&format!("{test}.")).tempdir().expect("a temporary directory");
        let path = directory.path().to_owned();
        OF_THIS_THREAD.with_borrow_mut(|directories| directories.0.push(directory));
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for Directory {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}

thread_local! {
    static OF_THIS_THREAD: RefCell<Directories> = const { RefCell::new(Directories(Vec::new())) };
}

struct Directories(Vec<TempDir>);

impl Drop for Directories {
    /// A panic while a thread ends ends the program: no result of it counts then.
    fn drop(&mut self) {
        for directory in self.0.drain(..) {
            let path = directory.path().to_owned();
            let open = open_after(&path, CLOSING_LASTS_MAX);
            assert!(open.is_empty(), "a test has ended, and this is still open in its directory: {open:?}");
            // A test may have removed it itself.
            if let Err(error) = directory.close() {
                assert!(!path.exists(), "the directory of a test is left behind: {error}");
            }
        }
    }
}

/// What is still open below `directory` once nothing is, or after `lasts_max`.
fn open_after(directory: &Path, lasts_max: Duration) -> Vec<PathBuf> {
    let deadline = Instant::now() + lasts_max;
    loop {
        let open = open_below(directory);
        if open.is_empty() || Instant::now() >= deadline {
            return open;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// The files and directories below `directory` that this process has open.
fn open_below(directory: &Path) -> Vec<PathBuf> {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    descriptors
        .filter_map(|descriptor| std::fs::read_link(descriptor.ok()?.path()).ok())
        .filter(|file| file.starts_with(directory))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_directory_is_named_by_its_test_and_goes_with_its_thread() {
        let [path, in_thread] = std::thread::Builder::new()
            .name("tests::of_this_test".to_owned())
            .spawn(|| {
                let directory = Directory::new();
                let file = directory.path().join("store/file");
                std::fs::create_dir(directory.path().join("store")).unwrap();
                std::fs::write(&file, b"x").unwrap();
                drop(directory);
                assert!(file.exists());
                [file, PathBuf::from(std::thread::current().name().unwrap())]
            })
            .unwrap()
            .join()
            .unwrap();
        let directory = path.parent().unwrap().parent().unwrap();
        let name = directory.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("of_this_test.") && in_thread.ends_with("tests::of_this_test"), "{name}");
        assert!(!directory.exists());
    }

    #[test]
    fn what_is_closed_a_moment_later_is_waited_for() {
        let (path, other) = std::thread::spawn(|| {
            let directory = Directory::new();
            let file = File::create(directory.path().join("file")).unwrap();
            let other = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(50));
                drop(file);
            });
            (directory.path().to_owned(), other)
        })
        .join()
        .unwrap();
        assert!(!path.exists());
        other.join().unwrap();
    }

    #[test]
    fn what_stays_open_is_named() {
        let directory = Directory::new();
        let path = directory.path().join("file");
        let file = File::create(&path).unwrap();
        assert_eq!(open_after(directory.path(), Duration::from_millis(20)), [path]);
        drop(file);
        assert!(open_after(directory.path(), Duration::ZERO).is_empty());
    }
}
