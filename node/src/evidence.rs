//! Evidence against a validator, kept as files: what it signed twice, or signed against the chain's quorum.
//!
//! ```text
//! <evidence_dir>/double-sign-<validator>-<height>-<round>-<prevote|precommit|proposal>.txt   tallystick/double-sign/v1
//! <evidence_dir>/fork-<validator>-<tree size>.txt                                             tallystick/fork/v1
//! ```
//! Each is written once, synced, and never replaced or removed by the node. Bounded: the first [`FILES_OF_KIND_MAX`] of each
//! validator and kind are kept; one is enough, and who contradicts itself may do it without end. A file that cannot be written is
//! logged and nothing else: the chain does not depend on it. Not here: judging (`tallystick_engine::Equivocation::check`).

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use receipt_core::ids::{TreeSize, ValidatorId};
use receipt_core::note::ForkEvidence;
use tallystick_engine::{DoubleSign, Equivocation};
use tallystick_service::durable::{self, FileMode};

/// Files of one validator and kind.
const FILES_OF_KIND_MAX: usize = 4;

/// The directory of evidence against other validators.
#[derive(Debug)]
pub(crate) struct EvidenceFolder {
    path: PathBuf,
    /// One writer at a time: names are counted, then one is added.
    writing: Mutex<()>,
    found: Counter,
}

impl EvidenceFolder {
    /// Makes the directory if it is not there.
    pub(crate) fn open(path: PathBuf) -> std::io::Result<Self> {
        durable::private_directory(&path).map_err(|error| error.source)?;
        Ok(Self { path, writing: Mutex::default(), found: Counter::default() })
    }

    /// Contradictions seen since the start, kept or not.
    pub(crate) fn found(&self) -> Counter {
        self.found.clone()
    }

    /// Files of evidence that lie there now.
    pub(crate) fn files(&self) -> usize {
        names(&self.path).map_or(0, |names| names.len())
    }

    /// Keeps two statements of one validator that contradict each other.
    pub(crate) fn double_sign(&self, evidence: &Equivocation) {
        let DoubleSign { kind, slot, .. } = match evidence.check() {
            Ok(convicted) => convicted,
            Err(error) => {
                tracing::warn!(validator = %evidence.member, %error, "the engine's evidence proves nothing");
                return;
            }
        };
        let prefix = format!("double-sign-{}-", evidence.member);
        let (middle, suffix) = (format!("{}-{}", slot.height, slot.round), format!("-{kind}.txt"));
        if let Some(file) = self.keep(&prefix, &middle, &suffix, &evidence.encode()) {
            let (validator, file) = (evidence.member, file.display());
            tracing::error!(%validator, %file, "a validator signed two conflicting statements");
        }
    }

    /// Keeps two notes of one tree size and different roots, of which a validator has signed the first.
    pub(crate) fn fork(&self, validator: ValidatorId, size: TreeSize, theirs: &str, ours: &str) {
        let text = ForkEvidence::new(theirs, ours).encode();
        let prefix = format!("fork-{validator}-");
        if let Some(file) = self.keep(&prefix, &size.to_string(), ".txt", &text) {
            tracing::error!(%validator, file = %file.display(), "a validator signed another history");
        }
    }

    /// Writes a new file, if there is room for one of its kind; its path.
    fn keep(&self, prefix: &str, middle: &str, suffix: &str, text: &str) -> Option<PathBuf> {
        self.found.inc();
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.join(format!("{prefix}{middle}{suffix}"));
        let written = names(&self.path).and_then(|names| {
            let of_kind = names.iter().filter(|name| name.starts_with(prefix) && name.ends_with(suffix)).count();
            if of_kind >= FILES_OF_KIND_MAX || path.exists() {
                return Ok(false);
            }
            durable::create(&path, text.as_bytes(), FileMode::Shared).map_err(|error| error.source)?;
            Ok(true)
        });
        match written {
            Ok(written) => written.then_some(path),
            Err(error) => {
                let file = path.display();
                tracing::error!(%file, %error, evidence = text, "evidence against a validator cannot be kept: keep this line");
                None
            }
        }
    }
}

/// The names of the files of evidence.
fn names(path: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if ["double-sign-", "fork-"].iter().any(|kind| name.starts_with(kind)) && name.ends_with(".txt") {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use tallystick_engine::{BlockId, MemberId, SignedStatement, VoteSlot, prevote};

    use super::*;

    fn evidence(validator: u32, height: u64) -> Equivocation {
        let key = SigningKey::from_bytes(&[9; 32]);
        let statements = [1, 2].map(|block| {
            let slot = VoteSlot { height, round: 0 };
            let preimage = prevote(&[7; 32], slot, Some(&BlockId([block; 32])));
            let signature = key.sign(&preimage).to_bytes();
            SignedStatement { preimage, signature }
        });
        Equivocation { member: MemberId::new(validator), public_key: key.verifying_key().to_bytes(), statements }
    }

    #[test]
    fn the_first_of_each_kind_are_kept_across_restarts_and_read_back() {
        let directory = scratch::Directory::new();
        let path = directory.path().join("evidence");
        for start in 0..3 {
            let folder = EvidenceFolder::open(path.clone()).unwrap();
            for height in 0..3 {
                // The second time the file is there already.
                for _ in 0..2 {
                    folder.double_sign(&evidence(4, 10 * start + height));
                }
            }
            assert_eq!(folder.found().get(), 6);
        }
        let folder = EvidenceFolder::open(path.clone()).unwrap();
        assert_eq!(folder.files(), FILES_OF_KIND_MAX);
        // Files about another validator, and of another kind, have a bound of their own.
        folder.double_sign(&evidence(44, 1));
        folder.fork(ValidatorId::new(4), TreeSize::new(9), "a note\n", "another\n");
        assert_eq!(folder.files(), FILES_OF_KIND_MAX + 2);
        let kept = std::fs::read_to_string(path.join("double-sign-4-10-0-prevote.txt")).unwrap();
        assert_eq!(Equivocation::decode(&kept), Ok(evidence(4, 10)));
        let kept = std::fs::read_to_string(path.join("fork-4-9.txt")).unwrap();
        assert_eq!(kept, "tallystick/fork/v1\nnote 7\na note\nnote 8\nanother\n");
    }

    #[test]
    fn what_proves_nothing_is_not_kept() {
        let directory = scratch::Directory::new();
        let folder = EvidenceFolder::open(directory.path().to_owned()).unwrap();
        let mut evidence = evidence(4, 1);
        evidence.statements[1] = evidence.statements[0].clone();
        folder.double_sign(&evidence);
        assert_eq!((folder.files(), folder.found().get()), (0, 0));
    }

    /// A full disk, a removed directory: the node goes on.
    #[test]
    fn a_folder_that_cannot_be_written_stops_nothing() {
        let directory = scratch::Directory::new();
        let path = directory.path().join("evidence");
        let folder = EvidenceFolder::open(path.clone()).unwrap();
        std::fs::remove_dir(&path).unwrap();
        folder.double_sign(&evidence(4, 1));
        assert_eq!((folder.files(), folder.found().get()), (0, 1));
    }
}
