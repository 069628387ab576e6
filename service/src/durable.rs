//! Small files that are either wholly there or not there at all, whatever crashes in between.
//!
//! ```text
//! write `.name.tmp` → fsync it → rename onto `name` (or link, if nothing may be replaced) → fsync the directory
//! ```
//! One writer per path. Not for logs or tables: each call costs two fsyncs. After an error the old content, if any, is
//! still there; whether the new one is, is unknown: read again before deciding.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::input;

/// Who may read the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileMode {
    /// The owner alone: 0600.
    Private,
    /// Everybody may read: 0644.
    Shared,
}

impl FileMode {
    fn bits(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Shared => 0o644,
        }
    }
}

/// A file operation that failed, with what was tried on which path.
#[derive(Debug, thiserror::Error)]
#[error("{action} {path}: {source}", path = path.display())]
pub struct DurableError {
    /// What was tried, for example `rename onto`.
    pub action: &'static str,
    /// The file or directory it was tried on.
    pub path: PathBuf,
    /// The operating system's answer.
    pub source: io::Error,
}

/// Replaces `path` by `bytes`, durably: when this returns, a crash leaves the new content.
pub fn write(path: &Path, bytes: &[u8], mode: FileMode) -> Result<(), DurableError> {
    let temp = write_temp(path, bytes, mode)?;
    fs::rename(&temp, path).map_err(failed("rename onto", path))?;
    sync_parent(path)
}

/// Creates `path` with `bytes`, durably. Refuses if it exists (`ErrorKind::AlreadyExists`).
pub fn create(path: &Path, bytes: &[u8], mode: FileMode) -> Result<(), DurableError> {
    let temp = write_temp(path, bytes, mode)?;
    let linked = fs::hard_link(&temp, path).map_err(failed("create", path));
    fs::remove_file(&temp).map_err(failed("remove", &temp))?;
    linked?;
    sync_parent(path)
}

/// Reads a file of at most `bytes_max` bytes; a longer one is an error (`ErrorKind::FileTooLarge`), and so is one that delivers
/// nothing ([`input`]).
pub fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, DurableError> {
    input::read(path, bytes_max).map_err(failed("read", path))
}

/// Makes a directory, and its parents, for its owner alone (0700). One that is there already, and empty, is closed to others, too: it is
/// about to be filled.
pub fn private_directory(path: &Path) -> Result<(), DurableError> {
    let path = or_here(path);
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("make", path))?;
    let is_empty = fs::read_dir(path).map_err(failed("list", path))?.next().is_none();
    if is_empty {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed("protect", path))?;
    }
    Ok(())
}

/// Creates a file that nobody but its owner may read (0600), to write to. Refuses if there is one (`ErrorKind::AlreadyExists`).
pub fn create_private(path: &Path) -> Result<File, DurableError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed("create", path))
}

/// Refuses a file that anybody but its owner may touch (`ErrorKind::PermissionDenied`).
pub fn check_private(path: &Path) -> Result<(), DurableError> {
    let mode = fs::metadata(path).map_err(failed("look at", path))?.permissions().mode();
    if mode & 0o077 != 0 {
        let problem = format!("mode {:04o} lets others touch it; run `chmod 600` on it", mode & 0o7777);
        return Err(failed("use", path)(io::Error::new(io::ErrorKind::PermissionDenied, problem)));
    }
    Ok(())
}

/// The file that a path leads to, over links, if this process may replace it without taking it from its owner: a file that is replaced
/// belongs to whoever replaces it, and a private one is then nobody else's to read (`ErrorKind::PermissionDenied`).
pub fn own_file(path: &Path) -> Result<PathBuf, DurableError> {
    owned_by(path, rustix::process::geteuid().as_raw())
}

fn owned_by(path: &Path, user: u32) -> Result<PathBuf, DurableError> {
    let path = fs::canonicalize(path).map_err(failed("look at", path))?;
    let owner = fs::metadata(&path).map_err(failed("look at", &path))?.uid();
    if owner != user {
        let problem = format!("belongs to the user with number {owner}; run this as that user (`sudo -u`)");
        return Err(failed("replace", &path)(io::Error::new(io::ErrorKind::PermissionDenied, problem)));
    }
    Ok(path)
}

fn write_temp(path: &Path, bytes: &[u8], mode: FileMode) -> Result<PathBuf, DurableError> {
    let temp = temp_path(path)?;
    // Remove what a crash may have left: the new file must not have its mode.
    match fs::remove_file(&temp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &temp)(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(mode.bits()).open(&temp).map_err(failed("create", &temp))?;
    // The umask took bits away: these processes set it to 077 (`hardening`), and a shared file must be readable for all.
    file.set_permissions(fs::Permissions::from_mode(mode.bits())).map_err(failed("protect", &temp))?;
    file.write_all(bytes).map_err(failed("write", &temp))?;
    file.sync_all().map_err(failed("fsync", &temp))?;
    Ok(temp)
}

fn temp_path(path: &Path) -> Result<PathBuf, DurableError> {
    let Some(name) = path.file_name() else {
        return Err(failed("write", path)(io::Error::new(io::ErrorKind::InvalidInput, "is not a file name")));
    };
    let mut temp = std::ffi::OsString::from(".");
    temp.push(name);
    temp.push(".tmp");
    Ok(path.with_file_name(temp))
}

/// Makes durable what somebody else has written to `path`, and that it is there.
pub fn sync_file(path: &Path) -> Result<(), DurableError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(failed("fsync", path))?;
    sync_parent(path)
}

/// Makes durable that `path` is there, or is not: names are content of the directory.
pub fn sync_parent(path: &Path) -> Result<(), DurableError> {
    sync_directory(path.parent().unwrap_or(Path::new("")))
}

/// Makes durable which names are in a directory.
pub fn sync_directory(path: &Path) -> Result<(), DurableError> {
    let path = or_here(path);
    let directory = File::open(path).map_err(failed("open", path))?;
    directory.sync_all().map_err(failed("fsync", path))
}

/// The parent of a bare file name is the empty path, which no system call takes for the working directory.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DurableError {
    let path = path.to_owned();
    move |source| DurableError { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_replaces_and_leaves_no_temp_file() {
        let dir = scratch::Directory::new();
        let path = dir.path().join("state");
        write(&path, b"one", FileMode::Shared).unwrap();
        write(&path, b"two", FileMode::Private).unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_leftover_of_a_crash_is_no_obstacle_and_no_leak() {
        let dir = scratch::Directory::new();
        let path = dir.path().join("state");
        fs::write(dir.path().join(".state.tmp"), b"torn, world-readable").unwrap();
        write(&path, b"whole", FileMode::Private).unwrap();
        assert_eq!(read(&path, 100).unwrap(), b"whole");
        check_private(&path).unwrap();
    }

    #[test]
    fn create_never_replaces() {
        let dir = scratch::Directory::new();
        let path = dir.path().join("key");
        create(&path, b"one", FileMode::Private).unwrap();
        let error = create(&path, b"two", FileMode::Private).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path, 3).unwrap(), b"one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn read_refuses_one_byte_too_many() {
        let dir = scratch::Directory::new();
        let path = dir.path().join("big");
        write(&path, &[0; 11], FileMode::Shared).unwrap();
        assert_eq!(read(&path, 11).unwrap().len(), 11);
        assert_eq!(read(&path, 10).unwrap_err().source.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_shared_file_is_not_private() {
        let dir = scratch::Directory::new();
        let path = dir.path().join("shared");
        write(&path, b"", FileMode::Shared).unwrap();
        let error = check_private(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn the_directory_of_a_bare_file_name_is_the_working_directory() {
        let of_a_bare_name = Path::new("issuer.key").parent().unwrap();
        private_directory(of_a_bare_name).unwrap();
        sync_directory(of_a_bare_name).unwrap();
        sync_parent(Path::new("Cargo.toml")).unwrap();
    }

    #[test]
    fn a_private_directory_is_its_owners_and_one_in_use_keeps_its_mode() {
        let dir = scratch::Directory::new();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = dir.path().join("a").join("b");
        private_directory(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        private_directory(&path).unwrap();
        assert_eq!(mode(&path), 0o700, "empty");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        create_private(&path.join("file")).unwrap();
        assert_eq!(mode(&path.join("file")), 0o600);
        private_directory(&path).unwrap();
        assert_eq!(mode(&path), 0o755, "its owner is told of it, and decides");
    }

    #[test]
    fn a_file_is_replaced_by_its_owner_alone_and_not_a_link_to_it() {
        let dir = scratch::Directory::new();
        let (path, link) = (dir.path().join("key"), dir.path().join("link"));
        create(&path, b"", FileMode::Private).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(own_file(&link).unwrap(), fs::canonicalize(&path).unwrap());
        let another = fs::metadata(&path).unwrap().uid() + 1;
        let error = owned_by(&path, another).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("sudo -u"), "{error}");
    }

    #[test]
    fn errors_name_the_path() {
        let error = write(Path::new("/nonexistent-directory/x"), b"", FileMode::Shared).unwrap_err();
        assert!(error.to_string().contains("/nonexistent-directory/.x.tmp"), "{error}");
    }
}
