//! Fetched receipts that wait to be downloaded, each under a random token, in memory and for minutes.
//!
//! Some browsers on phones save nothing that a script holds, and hand a download to another program, which asks for the same address
//! again. So a token answers twice, and then never; it names nothing, and nobody can guess it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tallystick_service::callers::{Network, Share};
use tallystick_service::rng::{Entropy, EntropyError, random_array};
use tallystick_service::shutdown::{CancellationToken, TaskError};

/// Answers to one token.
const USES_MAX: u32 = 2;
const SWEEP_INTERVAL: Duration = Duration::from_secs(15);

/// A file, and its place among all that are held.
#[derive(Debug, Clone)]
pub(crate) struct Download {
    pub(crate) content: Bytes,
    pub(crate) media_type: String,
    pub(crate) file_name: String,
    pub(crate) place: Arc<Share<Network>>,
}

/// What waits.
#[derive(Debug)]
pub(crate) struct Downloads {
    life: Duration,
    entropy: Arc<dyn Entropy>,
    waiting: Mutex<HashMap<[u8; 32], Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    download: Download,
    until: Instant,
    uses: u32,
}

impl Downloads {
    /// None yet.
    pub(crate) fn new(life: Duration, entropy: Arc<dyn Entropy>) -> Self {
        Self { life, entropy, waiting: Mutex::default() }
    }

    /// How long a download waits.
    pub(crate) fn life(&self) -> Duration {
        self.life
    }

    /// Keeps a file; the token under which it is had, 64 hex digits.
    pub(crate) fn keep(&self, download: Download) -> Result<String, EntropyError> {
        let token: [u8; 32] = random_array(self.entropy.as_ref())?;
        let waiting = Waiting { download, until: Instant::now() + self.life, uses: 0 };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(token, waiting);
        Ok(hex::encode(token))
    }

    /// The file of a token, if it has not been had and its time is not over.
    pub(crate) fn take(&self, token: &str) -> Option<Download> {
        self.take_at(token, Instant::now())
    }

    fn take_at(&self, token: &str, now: Instant) -> Option<Download> {
        let token: [u8; 32] = hex::decode(token).ok()?.try_into().ok()?;
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = all.get_mut(&token).filter(|waiting| waiting.until > now)?;
        waiting.uses += 1;
        if waiting.uses < USES_MAX {
            return Some(waiting.download.clone());
        }
        all.remove(&token).map(|waiting| waiting.download)
    }

    fn sweep(&self, now: Instant) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, waiting| waiting.until > now);
    }

    /// Forgets what nobody has had in time, until `stop`.
    pub(crate) async fn forget(self: Arc<Self>, stop: CancellationToken) -> Result<(), TaskError> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(SWEEP_INTERVAL) => self.sweep(Instant::now()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tallystick_service::callers::Shares;
    use tallystick_service::rng::SeededEntropy;

    use super::*;

    fn downloads() -> (Shares<Network>, Downloads) {
        (Shares::new(100, 100), Downloads::new(Duration::from_secs(120), Arc::new(SeededEntropy::new(1))))
    }

    fn download(places: &Shares<Network>) -> Download {
        let source = Network::of("192.0.2.1".parse().unwrap());
        Download {
            content: Bytes::from_static(b"receipt"),
            media_type: "application/pdf".to_owned(),
            file_name: "99060126-0000000001.pdf".to_owned(),
            place: Arc::new(places.try_acquire(source, 7).unwrap()),
        }
    }

    #[test]
    fn a_token_answers_twice_and_then_never() {
        let (places, downloads) = downloads();
        let (token, other) = (downloads.keep(download(&places)).unwrap(), downloads.keep(download(&places)).unwrap());
        assert!(token.len() == 64 && token != other);
        for _ in 0..USES_MAX {
            assert_eq!(downloads.take(&token).unwrap().content, "receipt");
        }
        assert!(downloads.take(&token).is_none());
        for wrong in ["", "00", &"0".repeat(64), &"x".repeat(64)] {
            assert!(downloads.take(wrong).is_none(), "{wrong}");
        }
        assert_eq!(places.in_use(), 7, "the other one waits");
    }

    #[test]
    fn what_nobody_has_had_in_time_is_forgotten_with_its_place() {
        let (places, downloads) = downloads();
        let token = downloads.keep(download(&places)).unwrap();
        let late = Instant::now() + Duration::from_secs(121);
        assert!(downloads.take_at(&token, late).is_none());
        downloads.sweep(Instant::now());
        assert_eq!(places.in_use(), 7);
        downloads.sweep(late);
        assert_eq!(places.in_use(), 0);
    }
}
