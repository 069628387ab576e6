//! `bench erase`: how long an erasure by age takes, and what it does to the synced writes of issuing beside it.
//!
//! ```text
//! fill      as many bodies that are due as asked for, and as many that are not; then everything is in tables
//! issuing   groups of new receipts, one synced write each, at a fixed pace
//! erasing   the steps and rests of the issuer's task, for a while, then nothing for as long: in turns, so that whatever else this
//!           machine does meanwhile falls on both alike
//! ```
//! No signature is made, no network is there, and nothing is prepared: what is compared is the part of issuing that the journal is.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use receipt_core::hash::Hash;
use receipt_core::ids::{
    BatchSequence, Fen, Height, IssuerId, KeyId, LeafIndex, ReceiptCode, ReceiptKey, ReceiptNumber, UnitId, UnixMillis,
};
use receipt_core::merkle::Frontier;
use receipt_core::record::{ReceiptRecord, SignedRecord};
use receipt_core::suite::{ChainId, Signature, Suite};
use tallystick_anchoring::journal::{
    BatchOutcome, Durability, FollowedTip, Journal, JournalIdentity, JournalWrite, Placement,
};
use tallystick_issuer::body::SealedBody;
use tallystick_issuer::erasure::rule::Rule;
use tallystick_issuer::erasure::run::Eraser;
use tallystick_issuer::erasure::task::rest_after;
use tallystick_issuer::journal::{
    BizRow, ErasurePhase, ErasureRun, ErasureWrites as _, LAYOUT, ReceiptRow, ReceiptWrites as _,
};
use tallystick_service::errln;

use crate::clock;
use crate::figures::{Latency, row, section};

/// Receipt codes of 2020, whose bodies are due, and of 2026.
const DUE: u32 = 99_060_120;
const YOUNG: u32 = 99_060_126;
const RULE: &str = "06<=20201231";
/// 1 March 2020 and 2026.
const DUE_MS: u64 = 1_583_020_800_000;
const YOUNG_MS: u64 = 1_772_323_200_000;
const UTC_OFFSET_MINUTES: i32 = 480;
/// Receipts of one write while filling.
const FILL_RECEIPTS: u64 = 2_000;
/// Receipts of one write of issuing, and the time between two.
const GROUP_RECEIPTS: u64 = 16;
const PACE: Duration = Duration::from_millis(20);
/// The erasure goes on for so long, then pauses for so long.
const TURN: Duration = Duration::from_secs(4);
const CIPHERTEXT_BYTES: usize = 1_600;
const WRAPPED_KEY_BYTES: usize = 72;

/// The measurements of one run.
struct Measured {
    run: ErasureRun,
    /// Steps and rests, without the pauses.
    took: Duration,
    alone: Latency,
    walking: Latency,
    rewriting: Latency,
    beside: Latency,
}

/// What the erasure does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Pausing,
    Walking,
    Rewriting,
    Done,
}

/// Told by the erasure, read by who issues.
struct Now(Mutex<Phase>);

impl Now {
    fn get(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

/// Fills a journal below `directory` (or the temporary directory), measures, and removes it; answers the table.
pub fn run(directory: Option<&Path>, bodies: u64) -> Result<String> {
    ensure!(bodies > 0, "`--bodies` must be at least 1");
    let name = clock::run_name()?;
    let directory = directory.map_or_else(|| std::env::temp_dir().join(&name), |directory| directory.join(&name));
    let measured = measure(&directory, bodies);
    std::fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
    let Measured { run, took, alone, walking, rewriting, beside } = measured?;
    let mut table = String::new();
    section(&mut table, &format!("an erasure by age: {bodies} bodies due of {}", bodies * 2));
    let seconds = took.as_secs_f64();
    let per_second = run.erased as f64 / seconds;
    row(&mut table, "erased", &format!("{} in {seconds:.1} s, rests included: {per_second:.0}/s", run.erased));
    row(&mut table, "looked at", &format!("{}, rewritten in {} ranges", run.looked_at, run.ranges.len()));
    row(&mut table, "a synced write, pausing", &alone.line());
    row(&mut table, "beside the walk", &walking.line());
    row(&mut table, "beside the rewriting", &rewriting.line());
    row(&mut table, "beside either", &beside.line());
    let ratio = beside.p99_micros as f64 / alone.p99_micros.max(1) as f64;
    row(&mut table, "p99 beside / pausing", &format!("{ratio:.2}"));
    Ok(table)
}

fn measure(directory: &Path, bodies: u64) -> Result<Measured> {
    let identity = JournalIdentity {
        chain: ChainId(Hash([7; 32])),
        suite: Suite::Ed25519Sha256,
        issuer: IssuerId::new(1),
        layout: &LAYOUT,
    };
    let tip = FollowedTip {
        height: Height::new(0),
        time: UnixMillis::new(0),
        seal_hash: Hash([0; 32]),
        event: 0,
        frontier: Frontier::new(identity.suite),
    };
    std::fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    let journal = Journal::init(&directory.join("journal"), identity, &Default::default(), &tip, &[])?;
    errln!("  filling a journal with {} bodies", bodies * 2);
    let mut rows = Rows::new();
    fill(&journal, &mut rows, bodies)?;
    journal.flush_logs()?;
    errln!("  issuing and erasing");
    let rule: Rule = RULE.parse()?;
    let mut write = journal.write();
    write.put_erasure_run(&ErasureRun::begin(rule.to_string(), clock::now()?));
    write.commit(Durability::Synced)?;
    let now = Now(Mutex::new(Phase::Pausing));
    let (run, samples) = thread::scope(|scope| {
        let issuing = scope.spawn(|| issue(&journal, &mut rows, &now));
        let run = erase(&journal, &now);
        now.set(Phase::Done);
        let samples = issuing.join().unwrap_or_else(|_| bail!("the thread that issues panicked"));
        anyhow::Ok((run?, samples?))
    })?;
    let (run, took) = run;
    ensure!(run.erased == bodies, "{} of {bodies} were erased", run.erased);
    let of = |wanted: &[Phase]| {
        let wanted = samples.iter().filter(|(phase, _)| wanted.contains(phase));
        Latency::of(wanted.map(|(_, took)| *took).collect())
    };
    Ok(Measured {
        run,
        took,
        alone: of(&[Phase::Pausing]),
        walking: of(&[Phase::Walking]),
        rewriting: of(&[Phase::Rewriting]),
        beside: of(&[Phase::Walking, Phase::Rewriting]),
    })
}

/// As the issuer's task makes the steps, with pauses between. How long it took without these.
fn erase(journal: &Journal, now: &Now) -> Result<(ErasureRun, Duration)> {
    let eraser = Eraser::new(journal, UTC_OFFSET_MINUTES);
    let (mut last, mut took, mut phase) = (None, Duration::ZERO, Phase::Walking);
    loop {
        now.set(Phase::Pausing);
        thread::sleep(TURN);
        now.set(phase);
        let turn = Instant::now();
        while turn.elapsed() < TURN {
            let began = Instant::now();
            let Some(run) = eraser.step(clock::now()?)? else {
                took += turn.elapsed();
                return Ok((last.context("no erasure was under way")?, took));
            };
            phase = if run.phase() == ErasurePhase::Walking { Phase::Walking } else { Phase::Rewriting };
            now.set(phase);
            last = Some(run);
            thread::sleep(rest_after(began.elapsed()));
        }
        took += turn.elapsed();
    }
}

/// Half of the bodies are due, in turns, as in the years in which they were issued.
fn fill(journal: &Journal, rows: &mut Rows, bodies: u64) -> Result<()> {
    let mut written = 0;
    while written < bodies * 2 {
        let mut write = journal.write();
        for index in 0..FILL_RECEIPTS.min(bodies * 2 - written) {
            let (code, time) = if (written + index) < bodies { (DUE, DUE_MS) } else { (YOUNG, YOUNG_MS) };
            rows.put(&mut write, code, time)?;
        }
        rows.decide(&mut write);
        write.commit(Durability::Ordered)?;
        written += FILL_RECEIPTS.min(bodies * 2 - written);
    }
    Ok(())
}

/// Writes groups at the fixed pace until the erasure is done; how long each write took, and what the erasure did at its beginning.
fn issue(journal: &Journal, rows: &mut Rows, now: &Now) -> Result<Vec<(Phase, Duration)>> {
    let mut samples = Vec::new();
    let mut due = Instant::now();
    loop {
        let phase = now.get();
        if phase == Phase::Done {
            return Ok(samples);
        }
        let mut write = journal.write();
        for _ in 0..GROUP_RECEIPTS {
            rows.put(&mut write, YOUNG, YOUNG_MS)?;
        }
        rows.decide(&mut write);
        let began = Instant::now();
        write.commit(Durability::Synced)?;
        samples.push((phase, began.elapsed()));
        due += PACE;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Rows of receipts, each with its own random bytes.
struct Rows {
    serial: u64,
    batch: u64,
    in_batch: u16,
    random: u64,
}

impl Rows {
    fn new() -> Self {
        Self { serial: 0, batch: 1, in_batch: 0, random: 0x7A11_957C_0DEC_0DE5 }
    }

    /// A receipt with its body, its biz code and its place in a batch.
    fn put(&mut self, write: &mut JournalWrite<'_>, code: u32, time: u64) -> Result<()> {
        self.serial += 1;
        let key = ReceiptKey { code: ReceiptCode::new(code)?, number: ReceiptNumber::new(self.serial)? };
        let record = ReceiptRecord {
            suite: Suite::Ed25519Sha256,
            key,
            unit: UnitId::new(1),
            total: Fen::new(100),
            issue_time: UnixMillis::new(time),
            signing_key: KeyId::new(1),
            body_root: Hash([1; 32]),
            disclosure_count: 40,
            biz_key: [2; 16],
            key_epoch: 1,
            uniqueness_keys: Vec::new(),
            reverses: None,
            seal_by: UnixMillis::new(time + 600_000),
        };
        let record_bytes = record.encode();
        let signed = SignedRecord { record, record_bytes, signature: Signature([3; 64]) };
        let biz_code = hex_of(&self.bytes(16));
        let row = ReceiptRow { signed_record: signed.encode(), biz_code, place_code: "1".to_owned() };
        let body = SealedBody { ciphertext: self.bytes(CIPHERTEXT_BYTES), wrapped_key: self.bytes(WRAPPED_KEY_BYTES) };
        write.put_receipt(key, &row, &body);
        write.put_biz(UnitId::new(1), &row.biz_code, BizRow { content: Hash([4; 32]), key });
        let placement = Placement::Batched { sequence: BatchSequence::new(self.batch), index: self.in_batch };
        write.put_placement(key, placement);
        self.in_batch = self.in_batch.saturating_add(1);
        Ok(())
    }

    /// The batch of what was put so far is sealed; the next one begins.
    fn decide(&mut self, write: &mut JournalWrite<'_>) {
        let outcome =
            BatchOutcome { refused: false, leaf_index: LeafIndex::new(self.batch), height: Height::new(self.batch) };
        write.put_outcome(BatchSequence::new(self.batch), outcome);
        self.batch += 1;
        self.in_batch = 0;
    }

    /// Xorshift: the same in every run, and incompressible.
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            bytes.extend_from_slice(&self.random.to_be_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
