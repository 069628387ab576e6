//! How many files a process may have open, and what that leaves for connections.
//!
//! Connections, database and log files share one bound. Whoever accepts until it is reached can open no file any more, and accepts
//! nobody: a handful of idle callers would lock out all others, and a database could open no table. Another process can use up the
//! machine's files all the same, so it is looked whether one can be opened ([`watch`]).

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::disk_fault::DiskFault;
use crate::metrics::ReadyPart;
use crate::shutdown::CancellationToken;

/// With fewer, connections are refused or tables opened again and again.
const LIMIT_USUAL: u64 = 256;
/// Between two looks whether a file can be opened.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// What is short, and what to do.
const SHORT: &str = "cannot open any more files: by this process as many are open as it may have (raise LimitNOFILE of the service, \
     `ulimit -n`), or on the whole machine (raise `sysctl fs.file-max`); connections and what must be opened wait";

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
        let limit = raise_limit();
        if limit < LIMIT_USUAL {
            tracing::warn!(
                limit,
                "this process may open few files, and will refuse connections: allow 1024 or more (LimitNOFILE of the service, `ulimit -n`)"
            );
        }
        Self { limit }
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

/// Whether the system gives this process no file.
fn is_short() -> bool {
    let opened = File::open("/dev/null");
    opened.err().and_then(|error| DiskFault::of_io(&error)) == Some(DiskFault::TooManyFiles)
}

/// Looks until `stop` whether a file can be opened. Tells readiness, and the log when it begins and ends.
pub async fn watch(ready: ReadyPart, stop: CancellationToken) -> io::Result<()> {
    let mut short_since: Option<Instant> = None;
    loop {
        match (is_short(), short_since) {
            (true, None) => {
                tracing::warn!("this process {SHORT}");
                ready.not_ready(SHORT);
                short_since = Some(Instant::now());
            }
            (false, Some(since)) => {
                tracing::info!(seconds = since.elapsed().as_secs(), "this process can open files again");
                short_since = None;
            }
            _ => {}
        }
        if short_since.is_none() {
            ready.ready();
        }
        if stop.run_until_cancelled(tokio::time::sleep(LOOK_INTERVAL)).await.is_none() {
            return Ok(());
        }
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
