//! The key files of a change of the master key. The new key's file takes the place of the old one's, which is kept beside it.
//!
//! ```text
//!                       before        linked        renamed
//! master.key            old           old           new
//! master.key.new        new           new           –
//! master.key.before     –             old           old       never overwritten: backups of before open under it alone
//! ```
//! At every moment the file that the config names is there, and so is the old key. A change that is interrupted goes on from what it finds. Not here:
//! what happens in the journal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use tallystick_service::durable;

use crate::config::beside;

/// More than a key file has.
const FILE_BYTES_MAX: usize = 4096;

/// Where the keys are.
#[derive(Debug)]
pub(super) struct KeyFiles {
    /// The file that the config names.
    pub(super) master: PathBuf,
    /// The file of the new key.
    pub(super) new: PathBuf,
    /// Where the old key is kept.
    pub(super) before: PathBuf,
}

impl KeyFiles {
    /// Refuses a new file that could not take the place of the old one in one step, and a user who would take the file from its owner.
    pub(super) fn of(master: &Path, new: &Path) -> Result<Self> {
        let master = durable::own_file(master)?;
        let new = std::path::absolute(new).with_context(|| format!("resolve {}", new.display()))?;
        let directory = new.parent().and_then(|directory| fs::canonicalize(directory).ok());
        let own = master.parent().unwrap_or(Path::new("/"));
        ensure!(
            directory.as_deref() == Some(own),
            "{} does not lie in {}, where keys.master_key_file does: the new key takes its place in one step. Name a file in that directory",
            new.display(),
            own.display()
        );
        let before = beside(&master, "before");
        Ok(Self { master, new, before })
    }

    /// Refuses where another key would have to give way to the old one.
    pub(super) fn check(&self) -> Result<()> {
        let before = match durable::read(&self.before, FILE_BYTES_MAX) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        // A change that was interrupted has kept the old key here already.
        if before == durable::read(&self.master, FILE_BYTES_MAX)? {
            return Ok(());
        }
        let (master, before) = (self.master.display(), self.before.display());
        bail!(
            "{before} is there and has another key than {master}: backups of before the last change open under it alone, so it is not \
             overwritten. Nothing was changed. A change that is complete needs nothing more; before a further one take {before} off this machine, and \
             keep it (docs/ops/keys.md, \"Changing the master key\")"
        );
    }

    /// Keeps the old key, and puts the new one in its place. Durable when it returns.
    pub(super) fn put_in_place(&self) -> Result<()> {
        match fs::hard_link(&self.master, &self.before) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.check()?,
            linked => linked.with_context(|| format!("keep {} as {}", self.master.display(), self.before.display()))?,
        }
        durable::sync_parent(&self.master)?;
        fs::rename(&self.new, &self.master)
            .with_context(|| format!("rename {} onto {}", self.new.display(), self.master.display()))?;
        Ok(durable::sync_parent(&self.master)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with the old and the new key.
    fn made() -> (scratch::Directory, KeyFiles) {
        let dir = scratch::Directory::new();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("master.key"), "old").unwrap();
        fs::write(at("master.key.new"), "new").unwrap();
        let files = KeyFiles::of(&at("master.key"), &at("master.key.new")).unwrap();
        (dir, files)
    }

    fn contents(files: &KeyFiles) -> [Option<String>; 3] {
        [&files.master, &files.new, &files.before].map(|path| fs::read_to_string(path).ok())
    }

    #[test]
    fn interrupted_at_either_step_the_files_come_to_the_same_places() {
        let old = || Some("old".to_owned());
        let new = || Some("new".to_owned());
        for linked in [false, true] {
            let (_dir, files) = made();
            if linked {
                fs::hard_link(&files.master, &files.before).unwrap();
            }
            files.check().unwrap();
            assert_eq!(contents(&files), [old(), new(), linked.then(|| old().unwrap())]);
            files.put_in_place().unwrap();
            assert_eq!(contents(&files), [new(), None, old()]);
        }
    }

    #[test]
    fn the_key_of_before_is_never_overwritten() {
        let (_dir, files) = made();
        fs::write(&files.before, "older").unwrap();
        for refused in [files.check().unwrap_err(), files.put_in_place().unwrap_err()] {
            let refused = refused.to_string();
            assert!(
                refused.contains("master.key.before is there") && refused.contains("off this machine"),
                "{refused}"
            );
        }
        assert_eq!(contents(&files), ["old", "new", "older"].map(|text| Some(text.to_owned())));
    }

    #[test]
    fn a_new_key_lies_beside_the_old_one() {
        let (dir, files) = made();
        fs::create_dir(dir.path().join("elsewhere")).unwrap();
        for elsewhere in ["elsewhere/master.key", "nowhere/master.key"] {
            let refused = KeyFiles::of(&files.master, &dir.path().join(elsewhere)).unwrap_err().to_string();
            assert!(refused.contains("Name a file in that directory"), "{refused}");
        }
    }
}
