//! The directory as a file: what the authorities signed, and what has changed since, one behind the other.
//!
//! ```text
//! length u32 ‖ SignedDirectory ‖ (length u32 ‖ DirectoryDelta)…        nothing follows
//! ```
//! Each delta but the last changes rows, so that a file has no more of them than the ledger had changes: one delta put into it again and
//! again would hold up whoever opens it for minutes.
//!
//! A draft is such a file before enough authorities have signed: with a delta without rows, whose seal says that the rows are the
//! ledger's.

use super::delta::DirectoryDelta;
use super::signed::SignedDirectory;
use super::trusted::{DeltaError, DirectoryError, TrustedDirectory};
use crate::limits::DIRECTORY_BYTES_MAX;
use crate::seal::Seal;
use crate::trust::TrustFile;

/// A directory and its deltas, in the order in which they are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryFile {
    /// What was signed.
    pub signed: SignedDirectory,
    /// The bytes of a `DirectoryDelta` each.
    pub deltas: Vec<Vec<u8>>,
}

/// Why a directory file is not judged by. It is taken whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryFileError {
    /// The directory itself.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// One of its deltas.
    #[error("delta {position} of the directory: {error}")]
    Delta {
        /// Its position, from 1.
        position: usize,
        /// Why it is not taken.
        error: DeltaError,
    },
    /// A draft without a seal of its own block, or with more than that.
    #[error(
        "the draft does not have the seal of height {0} that says that these are the ledger's rows, and nothing else: draft it anew"
    )]
    Unsealed(crate::ids::Height),
}

impl DirectoryFile {
    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in std::iter::once(&self.signed.encode()).chain(&self.deltas) {
            // Parts are bounded far below 4 GiB.
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Reads a file of at most [`DIRECTORY_BYTES_MAX`] bytes. Nothing is judged.
    ///
    /// # Errors
    /// [`DirectoryError::Form`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DirectoryError> {
        if bytes.len() > DIRECTORY_BYTES_MAX {
            return Err(DirectoryError::Form);
        }
        let mut parts = Vec::new();
        let mut rest = bytes;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| DirectoryError::Form)?;
            let (part, after) = after.split_at_checked(length).ok_or(DirectoryError::Form)?;
            parts.push(part);
            rest = after;
        }
        let [first, deltas @ ..] = parts.as_slice() else { return Err(DirectoryError::Form) };
        if !rest.is_empty() {
            return Err(DirectoryError::Form);
        }
        let signed = SignedDirectory::decode(first).map_err(|_| DirectoryError::Form)?;
        Ok(Self { signed, deltas: deltas.iter().map(|delta| delta.to_vec()).collect() })
    }

    /// The directory that may be judged by, after all deltas.
    ///
    /// # Errors
    /// See [`DirectoryFileError`].
    pub fn open(&self, trust: &TrustFile) -> Result<TrustedDirectory, DirectoryFileError> {
        self.after_deltas(TrustedDirectory::of(&self.signed, trust)?, trust)
    }

    /// What a draft comes to for whoever is about to sign it: whether its rows, height and time are those of a seal under a quorum.
    /// Signatures are not asked.
    ///
    /// # Errors
    /// See [`DirectoryFileError`].
    pub fn open_draft(&self, trust: &TrustFile) -> Result<TrustedDirectory, DirectoryFileError> {
        let directory = &self.signed.directory;
        // Nothing behind it: whoever signs is shown what the file comes to, and signs what it begins with.
        let [delta] = self.deltas.as_slice() else { return Err(DirectoryFileError::Unsealed(directory.height)) };
        let seal = bare(delta).and_then(|delta| Seal::decode(&delta.seal).ok());
        if seal.is_none_or(|seal| (seal.height, seal.time) != (directory.height, directory.time)) {
            return Err(DirectoryFileError::Unsealed(directory.height));
        }
        self.after_deltas(TrustedDirectory::unsigned(directory), trust)
    }

    fn after_deltas(
        &self,
        mut directory: TrustedDirectory,
        trust: &TrustFile,
    ) -> Result<TrustedDirectory, DirectoryFileError> {
        for (index, delta) in self.deltas.iter().enumerate() {
            let position = index + 1;
            if position < self.deltas.len() && bare(delta).is_some() {
                return Err(DirectoryFileError::Delta { position, error: DeltaError::NotLast });
            }
            let taken = directory.with_delta(delta, trust);
            directory = taken.map_err(|error| DirectoryFileError::Delta { position, error })?;
        }
        Ok(directory)
    }
}

/// The delta, if it reads and has no rows.
fn bare(delta: &[u8]) -> Option<DirectoryDelta> {
    DirectoryDelta::decode(delta).ok().filter(|delta| delta.units.is_empty())
}

/// Reads and opens a directory file.
///
/// # Errors
/// See [`DirectoryFileError`].
pub fn open_directory_file(bytes: &[u8], trust: &TrustFile) -> Result<TrustedDirectory, DirectoryFileError> {
    DirectoryFile::decode(bytes)?.open(trust)
}
