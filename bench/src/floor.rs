//! What a receipt costs at least: the work that the design cannot avoid, measured alone, in one thread, in the same run.
//!
//! ```text
//! floor = sign + 2 × hash + V × (verify + 2 × hash)         of CPU, over all processes; V validators
//! ```
//! `sign`: one Ed25519 signature. `verify`: one of a batch of 4,096 under ZIP 215. `hash`: SHA-256 of 250 bytes, about one
//! record: once as the leaf, once for everything above it and beside it. The floor leaves out the body's own tree, gRPC,
//! TLS, storage and consensus: all that is between floor and figure is theirs. A synced write takes time rather than CPU
//! and is shared by many receipts; it is measured beside.

use std::hint::black_box;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use receipt_core::hash::{Hash, sha256};
use receipt_core::suite::{ChainId, Namespace, Signature, Signed, Signer as _, SoftwareKey, verify_many_zip215};
use serde::Serialize;
use tallystick_devnet::figures::Samples;

use crate::figures::{row, section};

/// About one signed record.
pub(crate) const RECORD_BYTES: usize = 250;
/// As many units as the load has.
const KEY_COUNT: usize = 8;
const SIGN_COUNT: usize = 4_096;
const HASH_COUNT: u32 = 200_000;
/// Repetitions; the median counts.
const REPETITIONS: usize = 9;
const SYNC_COUNT: usize = 200;
const SYNC_BYTES: usize = 4_096;

/// Costs of one operation each, in nanoseconds of CPU where nothing else is said.
#[derive(Debug, Clone, Serialize)]
pub struct Floor {
    /// Validators that verify each receipt.
    pub validators: u64,
    /// One Ed25519 signature.
    pub sign_nanos: u64,
    /// One of a batch of 4,096, under ZIP 215, of 8 keys.
    pub verify_of_4096_nanos: u64,
    /// One of a batch of 250.
    pub verify_of_250_nanos: u64,
    /// Nanoseconds for the SHA-256 of 250 bytes.
    pub hash_nanos: u64,
    /// One write of 4 KiB and its `fdatasync`: elapsed time, median.
    pub sync_nanos: u64,
    /// The formula's value.
    pub receipt_nanos: u64,
}

impl Floor {
    /// Measures in `directory`, on whose disk the network lies.
    pub fn measure(directory: &Path, validators: usize) -> Result<Self> {
        let chain = ChainId(Hash([7; 32]));
        let keys: Vec<SoftwareKey> =
            (0..KEY_COUNT).map(|index| SoftwareKey::from_seed(&[u8::try_from(index).unwrap_or(0); 32])).collect();
        let messages: Vec<Vec<u8>> = (0..SIGN_COUNT).map(message).collect();
        let sign_all = || -> Vec<Signature> {
            let signers = keys.iter().cycle();
            messages.iter().zip(signers).map(|(text, key)| key.sign(Namespace::Receipt, chain, text)).collect()
        };
        let sign_nanos = median(|| sign_all().len())?;
        let signatures = sign_all();
        let signed: Vec<Signed<'_>> = messages
            .iter()
            .zip(keys.iter().cycle())
            .zip(signatures)
            .map(|((message, key), signature)| Signed { key: key.public_key(), message, signature })
            .collect();
        let all_hold = |signed: &[Signed<'_>]| {
            let verdicts = verify_many_zip215(signed, Namespace::Receipt, chain, [9; 32]);
            verdicts.iter().filter(|holds| **holds).count()
        };
        ensure!(all_hold(&signed) == SIGN_COUNT, "a signature that was just made does not verify");
        let verify_of_4096_nanos = median(|| all_hold(&signed))?;
        let verify_of_250_nanos = median(|| all_hold(&signed[..250]))?;
        let record = message(0);
        let hash_nanos = median(|| {
            for _ in 0..HASH_COUNT {
                black_box(sha256(&[black_box(&record)]));
            }
            HASH_COUNT as usize
        })?;
        let validators = validators as u64;
        let receipt_nanos = sign_nanos + 2 * hash_nanos + validators * (verify_of_4096_nanos + 2 * hash_nanos);
        let sync_nanos = sync_nanos(directory)?;
        Ok(Self {
            validators,
            sign_nanos,
            verify_of_4096_nanos,
            verify_of_250_nanos,
            hash_nanos,
            sync_nanos,
            receipt_nanos,
        })
    }

    /// How much of a measured cost is the floor, in words.
    pub fn share(&self, measured_micros: u64) -> String {
        let percent = self.receipt_nanos.saturating_mul(100).checked_div(measured_micros.saturating_mul(1000));
        match percent {
            Some(percent) => format!("{percent} % ({} of {measured_micros} µs)", self.receipt_nanos / 1000),
            None => "nothing was sealed".to_owned(),
        }
    }

    /// Adds its section to the table.
    pub(crate) fn write(&self, table: &mut String) {
        section(table, "floor, one thread");
        row(table, "Ed25519 sign", &micros(self.sign_nanos));
        row(table, "ZIP 215 verify of 4,096", &micros(self.verify_of_4096_nanos));
        row(table, "ZIP 215 verify of 250", &micros(self.verify_of_250_nanos));
        row(table, "SHA-256 of 250 bytes", &micros(self.hash_nanos));
        row(table, "4 KiB and fdatasync", &micros(self.sync_nanos));
        let formula = format!("sign + 2 hash + {} × (verify of 4,096 + 2 hash)", self.validators);
        row(table, "one receipt", &format!("{} = {formula}", micros(self.receipt_nanos)));
    }
}

fn message(index: usize) -> Vec<u8> {
    let mut bytes = vec![0x5a; RECORD_BYTES];
    bytes[..8].copy_from_slice(&(index as u64).to_be_bytes());
    bytes
}

/// CPU nanoseconds of one of the operations that `run` says it did: the median of several runs.
fn median(run: impl Fn() -> usize) -> Result<u64> {
    let one = |_| {
        let start = thread_cpu_nanos()?;
        let count = black_box(run()).max(1);
        Ok((thread_cpu_nanos()? - start) / count as u64)
    };
    let times = (0..REPETITIONS).map(one).collect::<Result<_>>()?;
    Samples::new(times).p50().context("nothing was measured")
}

/// CPU time of this thread so far: other programs on the core do not count.
pub(crate) fn thread_cpu_nanos() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").context("read the thread's CPU time")?;
    let first = text.split_whitespace().next().and_then(|field| field.parse().ok());
    first.with_context(|| format!("/proc/thread-self/schedstat reads {text:?}"))
}

fn sync_nanos(directory: &Path) -> Result<u64> {
    let path = directory.join("sync-probe");
    let mut file = std::fs::File::create(&path).with_context(|| format!("create {}", path.display()))?;
    let block = [0x5a; SYNC_BYTES];
    // Appending within a file that is written already: the length does not change, as in a preallocated log.
    file.write_all(&vec![0; SYNC_BYTES * SYNC_COUNT]).context("write the probe")?;
    file.sync_all().context("sync the probe")?;
    file.seek(SeekFrom::Start(0)).context("rewind the probe")?;
    let mut times = Vec::with_capacity(SYNC_COUNT);
    for _ in 0..SYNC_COUNT {
        let start = Instant::now();
        file.write_all(&block).context("write the probe")?;
        file.sync_data().context("sync the probe")?;
        times.push(nanos(start.elapsed()));
    }
    std::fs::remove_file(&path).context("remove the probe")?;
    Ok(Samples::new(times).p50().unwrap_or(0))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn micros(nanos: u64) -> String {
    format!("{}.{:02} µs", nanos / 1000, nanos % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_the_measured_cost() {
        let floor = Floor {
            validators: 4,
            sign_nanos: 20_000,
            verify_of_4096_nanos: 7_000,
            verify_of_250_nanos: 9_000,
            hash_nanos: 200,
            sync_nanos: 250_000,
            receipt_nanos: 50_000,
        };
        assert_eq!(floor.share(200), "25 % (50 of 200 µs)");
        assert_eq!(floor.share(0), "nothing was sealed");
        assert_eq!(micros(1_234_567), "1234.56 µs");
    }
}
