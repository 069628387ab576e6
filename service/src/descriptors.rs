//! How many files a process may have open, and what that leaves for connections.
//!
//! Connections, database and log files share one bound. Whoever accepts until it is reached can open no file any more, and accepts
//! nobody: a handful of idle callers would lock out all others.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the process's own bound on open files to what the system allows. Returns the bound.
pub fn raise_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::info!(%error, "the bound on open files stays as it is");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Connections that fit under a bound on open files: half of it, and at most `wanted`.
pub fn connections_within(descriptors: u64, wanted: usize) -> usize {
    usize::try_from(descriptors / 2).unwrap_or(usize::MAX).clamp(1, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_half_of_the_descriptors_to_everything_else() {
        let within = |descriptors| connections_within(descriptors, 4096);
        assert_eq!([1, 256, 8190, 8192, 1 << 20, u64::MAX].map(within), [1, 128, 4095, 4096, 4096, 4096]);
    }
}
