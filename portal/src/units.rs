//! The directory of units as a file of its own: whoever has an older one fetches this (docs/spec/directory.md).
//!
//! ```text
//! GET /units.bin    the file as it lies on the disk, with its deltas; asked for again each time, by its ETag
//! ```
//! Read at the start, and whenever another file lies in its place. It is handed on only if it opens under the portal's trust file and is not of before the
//! one that is served; nobody believes it for that, a page opens it again. One that is not taken keeps nothing else of the portal from people: until a good
//! one lies there, none is served, or the one before. Not here: making it (`tallystick-authority directory`).

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Response};
use receipt_core::directory::{DirectoryFileError, open_directory_file};
use receipt_core::limits::DIRECTORY_BYTES_MAX;
use receipt_core::note::PosixSeconds;
use receipt_core::trust::TrustFile;
use tallystick_service::clock::Clock;
use tallystick_service::input;
use tallystick_service::shutdown::{CancellationToken, TaskError};
use tallystick_service::terminal::describe;
use tokio::signal::unix::{SignalKind, signal};

use crate::files::{File, UNITS};
use crate::metrics::PortalMetrics;

/// How often it is looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(60);

/// Why a directory is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnitsError {
    /// The file cannot be read.
    #[error("{path}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It does not open under the trust file.
    #[error("{path}", path = path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DirectoryFileError,
    },
    /// It is of before the one that is served.
    #[error("{path}: it is as of {new}, and the one that is served as of {served} (seconds since 1970)", path = path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// As of when it is.
        new: u64,
        /// As of when the one that is served is.
        served: u64,
    },
}

/// The directory that is served, and where the next one will lie.
#[derive(Debug)]
pub(crate) struct Units {
    path: PathBuf,
    trust: TrustFile,
    /// None until one has been taken.
    served: RwLock<Option<Arc<Served>>>,
    /// Why the last look took none, as it was logged.
    problem: Mutex<Option<String>>,
}

#[derive(Debug)]
struct Served {
    file: File,
    as_of: PosixSeconds,
    stamp: Stamp,
}

/// What tells two files in one place apart without reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Units {
    /// Reads the file. If it is not taken, that is logged, and none is served.
    pub(crate) fn read(path: &Path, trust: TrustFile) -> Self {
        let units = Self { path: path.to_owned(), trust, served: RwLock::new(None), problem: Mutex::new(None) };
        units.look();
        units
    }

    /// The answer to a GET of this path; `None`: it is not the directory's, or none is served.
    pub(crate) fn answer(&self, path: &str, asked: &HeaderMap) -> Option<Response<Body>> {
        let served = self.served().filter(|_| path.strip_prefix('/') == Some(UNITS))?;
        Some(served.file.answer(asked))
    }

    /// Looks at the file each minute and at SIGHUP, until `stop`.
    pub(crate) async fn watch(
        self: Arc<Self>,
        clock: Arc<dyn Clock>,
        metrics: PortalMetrics,
        stop: CancellationToken,
    ) -> Result<(), TaskError> {
        let mut hangup = signal(SignalKind::hangup())?;
        loop {
            self.show(&*clock, &metrics);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
                _ = hangup.recv() => self.put_problem(None),
            }
            let units = Arc::clone(&self);
            tokio::task::spawn_blocking(move || units.look()).await?;
        }
    }

    fn show(&self, clock: &dyn Clock, metrics: &PortalMetrics) {
        let now = clock.now().seconds();
        let age = self.served().map_or(0, |served| now.saturating_sub(served.as_of.get()));
        metrics.directory_age_seconds.set(age as f64);
        metrics.directory_refused.set(i64::from(self.problem().is_some()));
    }

    /// Takes another file that lies in the place. A problem is logged once, and the directory before is served on.
    fn look(&self) {
        let problem = match self.reload() {
            Ok(None) => None,
            Ok(Some(as_of)) => {
                let (path, as_of_seconds) = (self.path.display(), as_of.get());
                tracing::info!(%path, as_of_seconds, "another directory of units is served");
                None
            }
            Err(error) => Some(describe(&error)),
        };
        let told = self.problem();
        if let Some(problem) = problem.as_ref().filter(|problem| told.as_ref() != Some(*problem)) {
            match self.served() {
                Some(_) => tracing::warn!(problem, "the directory of units was not taken; the one before is served on"),
                None => tracing::warn!(problem, "the directory of units was not taken; none is served"),
            }
        }
        self.put_problem(problem);
    }

    /// Takes another file that lies in the place. Of when it is, if there was one.
    fn reload(&self) -> Result<Option<PosixSeconds>, UnitsError> {
        let served = self.served();
        let stamp = Stamp::of(&self.path)?;
        if served.as_ref().is_some_and(|served| served.stamp == stamp) {
            return Ok(None);
        }
        let new = Served::read(&self.path, &self.trust)?;
        let as_of = new.as_of;
        if let Some(served) = served.filter(|served| as_of < served.as_of) {
            let (new, served) = (as_of.get(), served.as_of.get());
            return Err(UnitsError::Older { path: self.path.clone(), new, served });
        }
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(new));
        Ok(Some(as_of))
    }

    fn served(&self) -> Option<Arc<Served>> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put_problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

impl Served {
    fn read(path: &Path, trust: &TrustFile) -> Result<Self, UnitsError> {
        // Before the bytes: a file that comes between is another at the next look.
        let stamp = Stamp::of(path)?;
        let bytes = input::read(path, DIRECTORY_BYTES_MAX).map_err(|source| unreadable(path, source))?;
        let refused = |source| UnitsError::Refused { path: path.to_owned(), source };
        let as_of = open_directory_file(&bytes, trust).map_err(refused)?.as_of();
        Ok(Self { file: File::new(UNITS, bytes, None), as_of, stamp })
    }
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, UnitsError> {
        let metadata = std::fs::metadata(path).map_err(|source| unreadable(path, source))?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Ok(Self { inode: metadata.ino(), bytes: metadata.len(), changed })
    }
}

fn unreadable(path: &Path, source: io::Error) -> UnitsError {
    UnitsError::Unreadable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use http::{HeaderValue, header};
    use receipt_core::directory::{Directory, DirectoryFile};
    use receipt_core::testkit::TestChain;
    use tallystick_service::clock::SystemClock;

    use super::*;

    const PATH: &str = "/units.bin";

    fn signed(chain: &TestChain, directory: Directory, deltas: Vec<Vec<u8>>) -> Vec<u8> {
        DirectoryFile { signed: chain.sign_directory(directory), deltas }.encode()
    }

    fn asked(units: &Units, pairs: &[(header::HeaderName, &str)]) -> Response<Body> {
        let pairs = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        units.answer(PATH, &pairs.collect()).unwrap()
    }

    fn etag(units: &Units) -> String {
        asked(units, &[]).headers()[header::ETAG].to_str().unwrap().to_owned()
    }

    fn chain() -> TestChain {
        let mut chain = TestChain::new();
        chain.add_block(&[]);
        chain
    }

    #[tokio::test]
    async fn the_file_is_served_as_it_lies_there_and_asked_for_again_by_its_hash() {
        let (folder, chain) = (scratch::Directory::new(), chain());
        let path = folder.path().join("units.today");
        let bytes = signed(&chain, chain.directory(), Vec::new());
        fs::write(&path, &bytes).unwrap();
        let units = Units::read(&path, chain.trust().clone());
        let plain = asked(&units, &[]);
        for (name, value) in [
            (header::CONTENT_TYPE, "application/octet-stream"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::VARY, "accept-encoding"),
        ] {
            assert_eq!(plain.headers()[&name], value, "{name}");
        }
        assert_eq!(axum::body::to_bytes(plain.into_body(), usize::MAX).await.unwrap(), bytes);
        let gzip = asked(&units, &[(header::ACCEPT_ENCODING, "gzip")]);
        assert_eq!(gzip.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(asked(&units, &[(header::IF_NONE_MATCH, etag(&units).as_str())]).status().as_u16(), 304);
        for path in ["/units", "units.bin", "/units.bin/", "/units.today", "/"] {
            assert!(units.answer(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }

    #[test]
    fn another_file_is_taken_if_it_opens_and_is_not_older() {
        let (folder, mut chain) = (scratch::Directory::new(), chain());
        let path = folder.path().join("units.today");
        let before = chain.directory();
        let first = signed(&chain, before.clone(), Vec::new());
        fs::write(&path, &first).unwrap();
        let units = Units::read(&path, chain.trust().clone());
        let of_first = etag(&units);
        assert!(units.reload().unwrap().is_none(), "it is the same file");

        chain.add_block(&[]);
        let newer = signed(&chain, before.clone(), vec![chain.delta(&before, Vec::new()).encode()]);
        fs::write(&path, &newer).unwrap();
        assert!(units.reload().unwrap().is_some());
        let of_newer = etag(&units);
        assert_ne!(of_newer, of_first);

        let other = TestChain::named("another");
        for (bytes, problem) in [
            (first, "it is as of"),
            (b"junk".to_vec(), "no directory of units"),
            (signed(&other, other.directory(), Vec::new()), "or is of another chain"),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = describe(&units.reload().unwrap_err());
            assert!(error.contains("units.today") && error.contains(problem), "{error}");
            assert_eq!(etag(&units), of_newer, "the one before is served on");
        }
        fs::remove_file(&path).unwrap();
        assert!(describe(&units.reload().unwrap_err()).contains("No such file"));
        fs::write(&path, &newer).unwrap();
        assert!(units.reload().unwrap().is_some(), "a file in the place again");
    }

    #[test]
    fn without_a_good_file_at_the_start_none_is_served_until_there_is_one() {
        let (folder, chain) = (scratch::Directory::new(), chain());
        let path = folder.path().join("units.today");
        let good = signed(&chain, chain.directory(), Vec::new());
        let metrics = PortalMetrics::default();
        let refused = |units: &Units| {
            units.show(&SystemClock, &metrics);
            metrics.directory_refused.get()
        };
        for (bytes, problem) in [(None, "No such file"), (Some(b"junk"), "no directory of units")] {
            if let Some(bytes) = bytes {
                fs::write(&path, bytes).unwrap();
            }
            let units = Units::read(&path, chain.trust().clone());
            assert!(units.answer(PATH, &HeaderMap::new()).is_none());
            let said = units.problem().unwrap();
            assert!(said.contains("units.today") && said.contains(problem), "{said}");
            assert_eq!((refused(&units), metrics.directory_age_seconds.get()), (1, 0.0));

            fs::write(&path, &good).unwrap();
            units.look();
            assert_eq!(asked(&units, &[]).status().as_u16(), 200);
            assert_eq!((units.problem(), refused(&units)), (None, 0));
            assert!(metrics.directory_age_seconds.get() > 0.0);

            // One that is served already stays, and the metric says that the file in its place is none.
            fs::remove_file(&path).unwrap();
            units.look();
            assert_eq!(asked(&units, &[]).status().as_u16(), 200);
            assert_eq!(refused(&units), 1);
        }
        let units = Units::read(folder.path(), chain.trust().clone());
        assert_eq!(refused(&units), 1, "a folder is none");
    }
}
