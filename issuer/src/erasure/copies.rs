//! Older journals beside the one in use: what `repair`, a start after a power cut, or an operator has moved aside. They hold the keys of bodies
//! that were erased since, and no command reaches into them, so whoever erases is told of them.
//!
//! Not here: copies elsewhere. Nobody knows of those but the operator.

use std::io;
use std::path::{Path, PathBuf};

/// What the files of a journal, or of a piece of its log, are called.
const ENDINGS: [&str; 3] = ["sst", "blob", "log"];

/// Directories beside the journal whose names begin with its own and which hold such files; sorted.
fn beside(journal_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let parent = journal_dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = journal_dir.file_name() else { return Ok(Vec::new()) };
    let begins = [name.as_encoded_bytes(), b"."].concat();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        let is_one = entry.file_name().as_encoded_bytes().starts_with(&begins) && entry.path().is_dir();
        if is_one && holds_tables(&entry.path())? {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn holds_tables(directory: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| ENDINGS.iter().any(|ending| extension == *ending)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is said after an erasure: which copies still hold what was erased.
pub fn said_of_copies(journal_dir: &Path) -> String {
    const BACKUPS: &str = "; backups made before now still hold them";
    match beside(journal_dir) {
        Ok(found) if found.is_empty() => BACKUPS.to_owned(),
        Ok(found) => {
            let found: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
            format!(
                "{BACKUPS}, and so do older journals that were moved aside: {}. Remove them when nothing in them is needed any more \
                 (docs/ops/erasing.md, \"Journals that were moved aside\")",
                found.join(", ")
            )
        }
        Err(error) => {
            format!("{BACKUPS}; whether older journals lie beside {} could not be seen: {error}", journal_dir.display())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_journals_are_named_and_nothing_else() {
        let dir = scratch::Directory::new();
        let journal = dir.path().join("journal");
        let said = || said_of_copies(&journal);
        for (name, file) in [
            ("journal", "000009.sst"),
            ("journal.damaged-1", "000008.blob"),
            ("journal.torn-1", "000010.log"),
            ("journal.lost", "000004.sst"),
            ("journal.notes", "about.txt"),
            ("journalist", "000004.sst"),
        ] {
            assert!(!said().contains(name) || name == "journal", "{}", said());
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join(file), b"").unwrap();
        }
        std::fs::write(dir.path().join("journal.erased"), b"").unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let named = ["journal.damaged-1", "journal.lost", "journal.torn-1"].map(path).join(", ");
        assert!(said().contains(&format!("moved aside: {named}. Remove them")), "{}", said());
    }

    #[test]
    fn without_older_journals_backups_alone_are_spoken_of() {
        let dir = scratch::Directory::new();
        assert_eq!(said_of_copies(&dir.path().join("journal")), "; backups made before now still hold them");
        assert!(said_of_copies(&dir.path().join("gone/journal")).contains("could not be seen"));
    }
}
