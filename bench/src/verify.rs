//! `bench verify`: how long a citizen's program takes over one bundle, every check of it made each time.
//!
//! Not here: reading the file and starting a program.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use receipt_core::ids::UnixMillis;
use receipt_core::limits::{BUNDLE_BYTES_MAX, TRUST_BYTES_MAX};
use receipt_core::trust::TrustFile;
use receipt_core::verdict::verify_bundle;
use tallystick_service::durable;

use crate::clock;
use crate::figures::Latency;

/// Verifies a bundle `runs` times, in one thread.
pub fn run(bundle: &Path, trust: &Path, runs: usize) -> Result<Latency> {
    let bytes = durable::read(bundle, BUNDLE_BYTES_MAX)?;
    let trust_text = String::from_utf8(durable::read(trust, TRUST_BYTES_MAX)?).context("the trust file is not text")?;
    let trust = TrustFile::parse(&trust_text).with_context(|| format!("{} is not a trust file", trust.display()))?;
    let now: UnixMillis = clock::now()?;
    ensure!(verify_bundle(&bytes, &trust, now).is_in_force(), "{} is not in force", bundle.display());
    let mut durations = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        black_box(verify_bundle(black_box(&bytes), &trust, now));
        durations.push(start.elapsed());
    }
    Ok(Latency::of(durations))
}
