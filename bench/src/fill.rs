//! Fills a store in this process, row by row as the load fills it, and shows what it costs as it grows.
//!
//! ```text
//! issuer   a group of receipts in one synced write · its batch, synced · its outcome
//! node     a block as a proposal, synced · the block decided: entries, receipts, keys, log, synced
//! ```
//! No signature is made and no network is there: what grows here is the store's. Keys of payments and biz codes are random, as hashes
//! are; numbers go up in several segments. Every key that is written is looked up before, as issuer and node do.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tallystick_service::errln;
use tallystick_storage::{StoreFigures, StoreShare};

use crate::figures::{ms, row, section};
use crate::processes::own_cpu_micros;

mod journal;
mod ledger;

/// Rows of the table.
const STEPS: u64 = 20;

/// A store that can be filled.
pub trait Filled {
    /// One synced write of new receipts and what follows from it; answers how many, and how long each synced write took.
    fn write(&mut self, random: &mut Random) -> Result<(u64, Vec<Duration>)>;

    /// Its memory and its stalls.
    fn figures(&self) -> StoreFigures;
}

/// How many rows to write, and how fast.
#[derive(Debug, Clone, Copy)]
pub struct FillOptions {
    /// Receipts at least.
    pub receipts: u64,
    /// At most so many a second; `None`: as fast as the store takes them.
    pub rate: Option<u64>,
    /// What the store may use.
    pub share: StoreShare,
}

/// Fills an issuer's journal; answers the table.
pub fn journal(directory: &Path, options: FillOptions) -> Result<String> {
    let store = journal::FilledJournal::make(&directory.join("journal"), options.share)?;
    fill("an issuer's journal", store, options)
}

/// Fills a node's store; answers the table.
pub fn ledger(directory: &Path, options: FillOptions) -> Result<String> {
    let store = ledger::FilledLedger::make(directory, options.share)?;
    fill("a node's store", store, options)
}

/// What happened since the last row.
struct Step {
    started: Instant,
    cpu_micros: u64,
    receipts: u64,
    longest: Duration,
    before: StoreFigures,
}

impl Step {
    fn begin(before: StoreFigures) -> Result<Self> {
        let cpu_micros = own_cpu_micros()?;
        Ok(Self { started: Instant::now(), cpu_micros, receipts: 0, longest: Duration::ZERO, before })
    }

    fn line(&self, now: &StoreFigures, in_all: u64) -> Result<String> {
        let receipts = self.receipts.max(1);
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        let cpu = own_cpu_micros()?.saturating_sub(self.cpu_micros) / receipts;
        let since = |of: fn(&StoreFigures) -> u64| of(now).saturating_sub(of(&self.before)) / receipts;
        let mib = |bytes: u64| bytes / 1024 / 1024;
        let mut line = format!("{in_all} receipts, {}/s", receipts.saturating_mul(1_000_000) / micros);
        // Writing to a String cannot fail.
        let _ = write!(line, "; CPU {cpu} µs a receipt; longest write {}", ms(micros_of(self.longest)));
        let stalled = now.write_stall_micros.saturating_sub(self.before.write_stall_micros);
        let _ = write!(line, ", stalled {}; level 0 up to {}", ms(stalled), now.level0_tables_max);
        let _ = write!(
            line,
            "; bytes a receipt: log {} flush {} compaction {} blob {}",
            since(|figures| figures.written_log_bytes),
            since(|figures| figures.written_flush_bytes),
            since(|figures| figures.written_compaction_bytes),
            since(|figures| figures.written_blob_bytes)
        );
        let _ = write!(
            line,
            "; MiB: resident {} cache {} pinned {} buffers {} readers {}",
            mib(crate::processes::own_resident_bytes()?),
            mib(now.cache_bytes),
            mib(now.pinned_bytes),
            mib(now.memtable_bytes),
            mib(now.table_reader_bytes)
        );
        Ok(line)
    }
}

fn fill(name: &str, mut store: impl Filled, options: FillOptions) -> Result<String> {
    let FillOptions { receipts, rate, share } = options;
    let mut table = String::new();
    section(&mut table, &format!("{name}, {receipts} receipts, {} MiB for the store", share.bytes / 1024 / 1024));
    let (mut random, mut in_all) = (Random::new(), 0);
    let started = Instant::now();
    for number in 1..=STEPS {
        let mut step = Step::begin(store.figures())?;
        while in_all < receipts.saturating_mul(number) / STEPS {
            let (count, took) = store.write(&mut random)?;
            in_all += count;
            step.receipts += count;
            step.longest = took.into_iter().fold(step.longest, Duration::max);
            if let Some(rate) = rate {
                let due =
                    Duration::from_micros(in_all.saturating_mul(1_000_000).checked_div(rate).context("a rate of 0")?);
                std::thread::sleep(due.saturating_sub(started.elapsed()));
            }
        }
        let line = step.line(&store.figures(), in_all)?;
        errln!("  {number:>2} {line}");
        row(&mut table, &format!("part {number}"), &line);
    }
    Ok(table)
}

fn micros_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Xorshift: the same rows in every run.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(0x7A11_957C_0DEC_0DE5)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count.next_multiple_of(8));
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next().to_be_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

/// Segments from which numbers are given out in turn.
const SEGMENTS: u64 = 8;

/// A receipt's key: code and number, of the segment whose turn it is.
fn receipt_key(serial: u64) -> [u8; 12] {
    let mut key = [0; 12];
    let code = u32::try_from(serial % SEGMENTS).unwrap_or(0) + 99_060_126;
    key[..4].copy_from_slice(&code.to_be_bytes());
    key[4..].copy_from_slice(&(serial / SEGMENTS).to_be_bytes());
    key
}
