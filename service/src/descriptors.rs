//! How many files a process may have open, and what that leaves for connections.
//!
//! Connections, database and log files share one bound. Whoever accepts until it is reached can open no file any more, and accepts
//! nobody: a handful of idle callers would lock out all others, and a database that can open no table ends its process.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the process's own bound on open files to what the system allows. Returns the bound.
fn raise_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::info!(%error, "the bound on open files stays as it is");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How a process shares out the files that it may open: a third for tables of its database, a third for connections that it accepts, and
/// the rest for logs, links to other processes, and whatever is opened for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Files {
    limit: u64,
}

impl Files {
    /// Raises the process's bound on open files as far as the system allows, and shares it out.
    pub fn raised() -> Self {
        Self { limit: raise_limit() }
    }

    /// Shares out this bound on open files.
    pub const fn of(limit: u64) -> Self {
        Self { limit }
    }

    /// Tables that may be open at once.
    pub const fn tables(self) -> u64 {
        self.limit / 3
    }

    /// Connections that each port may have: what it wants, or its share of what there is; at least one.
    pub fn connections<const PORTS: usize>(self, wanted: [usize; PORTS]) -> [usize; PORTS] {
        let third = usize::try_from(self.limit / 3).unwrap_or(usize::MAX);
        let sum = wanted.iter().fold(0, |sum: usize, one| sum.saturating_add(*one));
        let share = |one: usize| one.saturating_mul(third).checked_div(sum).unwrap_or(0).max(1);
        if sum > third { wanted.map(share) } else { wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Before, tables and connections took a half each, and each HTTP port 256 more: nothing was left for a log file.
    #[test]
    fn tables_and_connections_leave_a_third_to_everything_else() {
        let wanted = [512, 256];
        for limit in [64, 256, 1024, 1500, 4096, 1 << 20] {
            let files = Files::of(limit);
            let connections: usize = files.connections(wanted).iter().sum();
            let taken = files.tables() + connections as u64;
            assert!(taken <= limit - limit / 3, "{limit}: {taken}");
            assert!(files.connections(wanted).iter().all(|one| *one > 0), "{limit}");
        }
        assert_eq!((Files::of(1024).tables(), Files::of(1024).connections(wanted)), (341, [227, 113]));
        assert_eq!(Files::of(1 << 20).connections(wanted), wanted);
        assert_eq!(Files::of(0).connections([4096]), [1]);
    }
}
