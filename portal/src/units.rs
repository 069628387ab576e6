//! The directory of units as a file of its own: whoever has an older one fetches this (docs/spec/directory.md).
//!
//! ```text
//! GET /units.bin    the file as it lies on the disk, with its deltas; asked for again each time, by its ETag
//! ```
//! Read at the start, and whenever another file lies in its place. It is handed on only if it opens under the portal's trust file and is not of before the
//! one that is served; nobody believes it for that, a page opens it again. Not here: making it (`tallystick-authority directory`).

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
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
    /// The file has no place in an answer.
    #[error("{path}: {problem}", path = path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
}

/// The directory that is served, and where the next one will lie.
#[derive(Debug)]
pub(crate) struct Units {
    path: PathBuf,
    trust: TrustFile,
    served: RwLock<Arc<Served>>,
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
    /// Reads the file.
    pub(crate) fn read(path: &Path, trust: TrustFile) -> Result<Self, UnitsError> {
        let served = Served::read(path, &trust)?;
        Ok(Self { path: path.to_owned(), trust, served: RwLock::new(Arc::new(served)) })
    }

    /// The answer to a GET of this path; `None`: it is not the directory's.
    pub(crate) fn answer(&self, path: &str, asked: &HeaderMap) -> Option<Response<Body>> {
        (path.strip_prefix('/') == Some(UNITS)).then(|| self.served().file.answer(asked))
    }

    /// Looks at the file each minute and at SIGHUP, until `stop`. A problem is logged once, and the directory before is served on.
    pub(crate) async fn watch(
        self: Arc<Self>,
        clock: Arc<dyn Clock>,
        metrics: PortalMetrics,
        stop: CancellationToken,
    ) -> Result<(), TaskError> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut told = None;
        loop {
            let as_of = self.served().as_of.get();
            metrics.directory_age_seconds.set(clock.now().seconds().saturating_sub(as_of) as f64);
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
                _ = hangup.recv() => told = None,
            }
            let units = Arc::clone(&self);
            let problem = match tokio::task::spawn_blocking(move || units.reload()).await? {
                Ok(false) => None,
                Ok(true) => {
                    let (path, as_of_seconds) = (self.path.display(), self.served().as_of.get());
                    tracing::info!(%path, as_of_seconds, "another directory of units is served");
                    None
                }
                Err(error) => Some(describe(&error)),
            };
            if let Some(problem) = problem.as_ref().filter(|problem| told.as_ref() != Some(*problem)) {
                tracing::warn!(problem, "the directory of units was not taken; the one before is served on");
            }
            told = problem;
        }
    }

    /// Takes another file that lies in the place. Whether there was one.
    fn reload(&self) -> Result<bool, UnitsError> {
        let served = self.served();
        if Stamp::of(&self.path)? == served.stamp {
            return Ok(false);
        }
        let new = Served::read(&self.path, &self.trust)?;
        if new.as_of < served.as_of {
            let (new, served) = (new.as_of.get(), served.as_of.get());
            return Err(UnitsError::Older { path: self.path.clone(), new, served });
        }
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        Ok(true)
    }

    fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Served {
    fn read(path: &Path, trust: &TrustFile) -> Result<Self, UnitsError> {
        // Before the bytes: a file that comes between is another at the next look.
        let stamp = Stamp::of(path)?;
        let bytes = input::read(path, DIRECTORY_BYTES_MAX).map_err(|source| unreadable(path, source))?;
        let refused = |source| UnitsError::Refused { path: path.to_owned(), source };
        let as_of = open_directory_file(&bytes, trust).map_err(refused)?.as_of();
        let wrong = |problem| UnitsError::Wrong { path: path.to_owned(), problem };
        Ok(Self { file: File::new(UNITS, bytes).map_err(wrong)?, as_of, stamp })
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
        let units = Units::read(&path, chain.trust().clone()).unwrap();
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
        let units = Units::read(&path, chain.trust().clone()).unwrap();
        let of_first = etag(&units);
        assert!(!units.reload().unwrap(), "it is the same file");

        chain.add_block(&[]);
        let newer = signed(&chain, before.clone(), vec![chain.delta(&before, Vec::new()).encode()]);
        fs::write(&path, &newer).unwrap();
        assert!(units.reload().unwrap());
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
        assert!(units.reload().unwrap(), "a file in the place again");
        assert!(Units::read(folder.path(), chain.trust().clone()).is_err(), "a folder is none");
    }
}
