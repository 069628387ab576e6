//! What a cosigner signs (c2sp.org/tlog-cosignature): a checkpoint and the time at which it was the newest.
//!
//! ```text
//! cosignature message:  "cosignature/v1\n" "time <POSIX seconds>\n" <the whole checkpoint text>
//! ```
//!
//! A cosignature says: "the largest tree that I have seen for this origin at that time has this root". Making one: `signing`.

use std::fmt;

/// Whole seconds since the Unix epoch, as cosignatures state them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PosixSeconds(u64);

impl PosixSeconds {
    /// Wraps seconds since the epoch.
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for PosixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The bytes that a cosigner signs for a checkpoint text.
pub fn cosignature_message(time: PosixSeconds, checkpoint_text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{checkpoint_text}").into_bytes()
}
