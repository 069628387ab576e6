//! Where the repository's own files are: pages that tests type, examples, what the build says.

use std::path::{Path, PathBuf};

/// A file of the repository, by its path in it.
#[must_use]
pub fn page(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
