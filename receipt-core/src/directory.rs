//! The directory of units: by what a code on paper is judged without a network (docs/spec/directory.md).
//!
//! A bundle brings its unit's credential along; a code has no room for it. So whoever scans codes keeps the rows of all units: signed
//! once by the authorities ([`SignedDirectory`]), fresh by the root over its rows that every seal names ([`directory_root`]), brought up
//! to date by what changed ([`DirectoryDelta`]). Only a [`TrustedDirectory`] is judged by: `verdict::verify_code`. How the ledger keeps the rows: `state`.

mod delta;
mod file;
mod row;
mod signed;
#[cfg(test)]
mod tests;
mod trusted;

pub use delta::DirectoryDelta;
pub use file::{DirectoryFile, DirectoryFileError, open_directory_file};
pub use row::{DirectoryKey, FormerName, UnitRow};
pub use signed::{Directory, SignedDirectory, directory_root};
pub use trusted::{DeltaError, DirectoryError, TrustedDirectory};
