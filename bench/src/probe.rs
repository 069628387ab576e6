//! How fast the processor is while a load runs: a fixed piece of work, once a second, in CPU time of its thread. A virtual machine's neighbours
//! change that by a third within an hour, and a rate that falls with it is not the program's.
//!
//! The work is the floor's own, signatures and hashes. It touches next to no memory, so that what the load itself does to caches and disk is not
//! taken for a slower machine.

use std::hint::black_box;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use receipt_core::hash::{Hash, sha256};
use receipt_core::suite::{ChainId, Namespace, Signer as _, SoftwareKey};

use crate::floor::{RECORD_BYTES, thread_cpu_nanos};

const PAUSE: Duration = Duration::from_secs(1);
const SIGN_COUNT: u8 = 20;
const HASH_COUNT: usize = 2_000;

/// One piece of work.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it was done.
    pub at: Instant,
    /// CPU time that it took, in nanoseconds.
    pub nanos: u64,
}

/// The thread that does it.
#[derive(Debug)]
pub struct Probe {
    stop: Sender<()>,
    thread: JoinHandle<Result<Vec<Sample>>>,
}

impl Probe {
    /// Begins.
    pub fn start() -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let key = SoftwareKey::from_seed(&[7; 32]);
            let mut samples = Vec::new();
            loop {
                samples.push(Sample { at: Instant::now(), nanos: cost(|| work(&key))? });
                if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                    return Ok(samples);
                }
            }
        });
        Self { stop, thread }
    }

    /// Ends; what was measured.
    pub fn finish(self) -> Result<Vec<Sample>> {
        drop(self.stop);
        self.thread.join().ok().context("the probe of the processor's speed has failed")?
    }
}

/// CPU time of `work`, in nanoseconds. The kernel counts a thread's time when it stops running, so it rests for a moment on either side.
fn cost(work: impl FnOnce()) -> Result<u64> {
    let rest = || std::thread::sleep(Duration::from_micros(100));
    rest();
    let start = thread_cpu_nanos()?;
    work();
    rest();
    Ok(thread_cpu_nanos()? - start)
}

fn work(key: &SoftwareKey) {
    let mut record = [0x5a; RECORD_BYTES];
    for index in 0..SIGN_COUNT {
        record[0] = index;
        black_box(key.sign(Namespace::Receipt, ChainId(Hash([7; 32])), black_box(&record)));
    }
    for _ in 0..HASH_COUNT {
        black_box(sha256(&[black_box(&record)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time_of_the_processor_and_the_probe_ends_when_it_is_told() {
        let key = SoftwareKey::from_seed(&[7; 32]);
        let once = (0..9).map(|_| cost(|| work(&key)).unwrap()).min().unwrap();
        let thrice = cost(|| (0..3).for_each(|_| work(&key))).unwrap();
        assert!(once > 0 && thrice > once, "{once} {thrice}");
        let samples = Probe::start().finish().unwrap();
        assert!(samples.len() == 1 && samples[0].nanos > 0, "{samples:?}");
    }
}
