//! What a failed disk means, and what an operator does about it: one classification for every file and database.
//!
//! A full disk, missing rights and a second process are told apart from damage, because the ways out differ: whoever makes a new
//! store for a full disk loses data, and whoever only restarts on a damaged one waits for ever. A database reports its
//! errors as text, with the system's own words in it (`strerror`, never translated: no program here sets a locale), so text is what
//! is judged.
//!
//! Not here: what to do about damage; that differs from program to program.

use std::io;
use std::path::Path;

/// Why a file or database cannot be read, written or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// No space, or a quota is used up.
    Full,
    /// This user may not.
    Permission,
    /// The file system is mounted read-only.
    ReadOnly,
    /// Another process has it open.
    Locked,
    /// The process has as many files open as it may.
    TooManyFiles,
    /// The machine has no memory left.
    NoMemory,
    /// The device failed, or is away. It may pass.
    Device,
    /// The bytes are not what was written, or files are gone.
    Damaged,
}

/// The system's words, and what they mean. The first that is found counts.
const WORDS: [(&str, DiskFault); 22] = [
    ("No space left on device", DiskFault::Full),
    ("Disk quota exceeded", DiskFault::Full),
    ("File too large", DiskFault::Full),
    ("Permission denied", DiskFault::Permission),
    ("Operation not permitted", DiskFault::Permission),
    ("Read-only file system", DiskFault::ReadOnly),
    // RocksDB's words for a lock that another process holds, or this one a second time.
    ("hile lock file", DiskFault::Locked),
    ("lock hold by current process", DiskFault::Locked),
    ("Resource temporarily unavailable", DiskFault::Locked),
    ("Text file busy", DiskFault::Locked),
    ("Too many open files", DiskFault::TooManyFiles),
    ("Cannot allocate memory", DiskFault::NoMemory),
    ("Input/output error", DiskFault::Device),
    ("Structure needs cleaning", DiskFault::Device),
    ("No such device", DiskFault::Device),
    ("Stale file handle", DiskFault::Device),
    ("Transport endpoint is not connected", DiskFault::Device),
    ("Remote I/O error", DiskFault::Device),
    ("Connection timed out", DiskFault::Device),
    ("Host is down", DiskFault::Device),
    ("Interrupted system call", DiskFault::Device),
    ("Device or resource busy", DiskFault::Device),
];

impl DiskFault {
    /// Whether it is the machine that is short of something for the moment. Nothing is wrong with the disk, nor with what is on it, and whoever only
    /// reads may try again later.
    pub fn is_shortage(self) -> bool {
        matches!(self, Self::TooManyFiles | Self::NoMemory)
    }

    /// Classifies an error by its text. `path`, the file or directory it is about, is taken out first: its name may hold any words.
    pub fn of_text(text: &str, path: &Path) -> Self {
        let text = text.replace(&*path.to_string_lossy(), "");
        WORDS.iter().find(|(words, _)| text.contains(words)).map_or(Self::Damaged, |(_, fault)| *fault)
    }

    /// Classifies an error of the operating system. `None`: it is none, or it is about a missing file.
    pub fn of_io(error: &io::Error) -> Option<Self> {
        error.raw_os_error()?;
        match Self::of_text(&error.to_string(), Path::new("")) {
            Self::Damaged => None,
            fault => Some(fault),
        }
    }

    /// What an operator does: one or two sentences that begin in lower case. `None` for damage, whose way depends on the program.
    pub fn way(self) -> Option<&'static str> {
        Some(match self {
            Self::Full => {
                "there is no damage: the disk is full, or a quota is. Make room, or move the directory to a larger disk, then \
                 start again"
            }
            Self::Permission => {
                "there is no damage: this user may not read and write it. Run the command as the service's own user, or correct \
                 owner and mode, then start again"
            }
            Self::ReadOnly => {
                "nothing points to damage: its file system is mounted read-only. If the system did that by itself, its \
                 kernel log says why: check that disk, mount it for writing, then start again"
            }
            Self::Locked => {
                "there is no damage: another process has it open, most often this program itself. See that no other process has it \
                 open, then start again"
            }
            Self::TooManyFiles => {
                "there is no damage: too many files are open, by this process (raise LimitNOFILE of the service, `ulimit -n`) or on the \
                 whole machine (raise `sysctl fs.file-max`); then start again"
            }
            Self::NoMemory => "there is no damage: the machine has no memory left. Free some, then start again",
            Self::Device => {
                "nothing points to damage: the disk did not answer, which may pass. Start again; if it stays so, the \
                 kernel's log (`dmesg`) names the disk: replace it"
            }
            Self::Damaged => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts as RocksDB 11 and the standard library write them; one row per class and form.
    #[test]
    fn each_fault_is_told_from_the_others() {
        let path = Path::new("/srv/Permission denied/Input/output error/data");
        for (text, expected) in [
            (
                "IO error: No space left on device: While appending to file: /d/000012.log: No space left on device",
                DiskFault::Full,
            ),
            ("IO error: While fallocate: Disk quota exceeded", DiskFault::Full),
            ("IO error: File too large: While appending to file: /d/000012.log: File too large", DiskFault::Full),
            ("IO error: While open a file for random read: /d/000012.sst: Permission denied", DiskFault::Permission),
            ("IO error: While open a file for appending: /d/LOCK: Read-only file system", DiskFault::ReadOnly),
            ("IO error: While lock file: /d/LOCK: Resource temporarily unavailable", DiskFault::Locked),
            (
                "IO error: lock hold by current process, acquire time 1 acquiring thread 2: /d/LOCK: No locks available",
                DiskFault::Locked,
            ),
            (
                "IO error: While open a file for random read: /d/000012.sst: Too many open files",
                DiskFault::TooManyFiles,
            ),
            ("IO error: While open a file: /d/000012.blob: Too many open files in system", DiskFault::TooManyFiles),
            ("IO error: Cannot allocate memory: While mmap", DiskFault::NoMemory),
            ("IO error: While pread offset 0 len 4096: /d/000012.sst: Input/output error", DiskFault::Device),
            // RocksDB calls this corruption, but the disk did not answer: the file may be whole.
            (
                "Corruption: Can't access /000012.sst: IO error: While stat a file: Input/output error",
                DiskFault::Device,
            ),
            ("Corruption: block checksum mismatch: stored = 1, computed = 2 in /d/000012.sst", DiskFault::Damaged),
            ("Corruption: Can't access /000012.sst: IO error: No such file or directory", DiskFault::Damaged),
            ("Invalid argument: Column families not opened: x", DiskFault::Damaged),
            (
                "Corruption: checksum mismatch in /srv/Permission denied/Input/output error/data/MANIFEST-1",
                DiskFault::Damaged,
            ),
        ] {
            assert_eq!(DiskFault::of_text(text, path), expected, "{text}");
            assert_eq!(expected.way().is_none(), expected == DiskFault::Damaged);
        }
    }

    #[test]
    fn only_the_systems_answers_are_judged_as_such() {
        assert_eq!(DiskFault::of_io(&io::Error::from_raw_os_error(28)), Some(DiskFault::Full));
        assert_eq!(DiskFault::of_io(&io::Error::from_raw_os_error(5)), Some(DiskFault::Device));
        assert_eq!(DiskFault::of_io(&io::Error::from_raw_os_error(13)), Some(DiskFault::Permission));
        assert_eq!(DiskFault::of_io(&io::Error::from_raw_os_error(2)), None);
        assert_eq!(DiskFault::of_io(&io::Error::other("No space left on device")), None);
    }
}
