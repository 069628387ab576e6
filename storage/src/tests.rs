//! Against a real RocksDB.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use rocksdb::{ColumnFamilyDescriptor, DB, DBRecoveryMode, WriteBatch};

use super::budget::{MEMORY_BYTES_DEFAULT, STORE_BYTES_MIN};
use super::*;

const MIB: u64 = 1024 * 1024;
const FLUSHED_WITHIN: Duration = Duration::from_secs(60);
const FAMILIES: [(&str, Access); 18] = [
    ("few", Access::Few),
    ("scans", Access::Scans),
    ("large", Access::Large),
    ("blobs", Access::Blobs),
    ("look-ups-0", Access::LookUps),
    ("look-ups-1", Access::LookUps),
    ("look-ups-2", Access::LookUps),
    ("look-ups-3", Access::LookUps),
    ("look-ups-4", Access::LookUps),
    ("look-ups-5", Access::LookUps),
    ("few-1", Access::Few),
    ("few-2", Access::Few),
    ("few-3", Access::Few),
    ("few-4", Access::Few),
    ("scans-1", Access::Scans),
    ("scans-2", Access::Scans),
    ("scans-3", Access::Scans),
    ("scans-4", Access::Scans),
];

fn open(path: &std::path::Path, setup: &StoreSetup) -> DB {
    let mut options = setup.database(DBRecoveryMode::AbsoluteConsistency);
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let families = FAMILIES.map(|(name, access)| ColumnFamilyDescriptor::new(name, setup.family(access)));
    DB::open_cf_descriptors(&options, path, families).unwrap()
}

fn figures(setup: &StoreSetup, db: &DB) -> StoreFigures {
    setup.figures(db, FAMILIES.into_iter().map(|(name, _)| name))
}

/// Write buffers may be over their half for a moment, because on a slow machine a writer is faster than tables are written. They
/// must come back by themselves.
fn once_flushed(figures: impl Fn() -> StoreFigures) -> StoreFigures {
    let deadline = Instant::now() + FLUSHED_WITHIN;
    loop {
        let now = figures();
        if now.memtable_bytes <= STORE_BYTES_MIN * 3 / 4 {
            return now;
        }
        assert!(Instant::now() < deadline, "write buffers stay above their half: {now:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Xorshift: rows that no filter and no compression knows.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count.div_ceil(8)).flat_map(|_| self.next().to_be_bytes()).take(count).collect()
    }
}

/// Before, each family had a cache and write buffers of its own: 18 of them came to 1.7 GiB.
#[test]
fn what_is_charged_stays_within_the_share_while_thrice_as_much_is_written_and_read() {
    let dir = scratch::Directory::new();
    let setup = StoreSetup::new(StoreShare::SMALL);
    let db = open(dir.path(), &setup);
    let mut random = Random(0x7A11_957C);
    let (mut highest, mut keys) = (StoreFigures::default(), Vec::new());
    let mut look = |setup: &StoreSetup, db: &DB| {
        let figures = once_flushed(|| self::figures(setup, db));
        assert!(figures.cache_bytes <= STORE_BYTES_MIN, "{figures:?}");
        assert!(figures.memtable_bytes <= STORE_BYTES_MIN, "{figures:?}");
        highest.cache_bytes = highest.cache_bytes.max(figures.cache_bytes);
        highest.memtable_bytes = highest.memtable_bytes.max(figures.memtable_bytes);
        highest.table_reader_bytes = highest.table_reader_bytes.max(figures.table_reader_bytes);
    };
    let mut written = 0;
    while written < 3 * STORE_BYTES_MIN {
        let mut batch = WriteBatch::default();
        for (number, (name, access)) in FAMILIES.into_iter().enumerate() {
            let rows = if access == Access::LookUps { 40 } else { 2 };
            for _ in 0..rows {
                let key = random.bytes(20);
                let value = match access {
                    Access::Few => random.bytes(8),
                    Access::Scans | Access::LookUps => random.bytes(60),
                    Access::Large => random.bytes(4096),
                    Access::Blobs => random.bytes(16 * 1024),
                };
                written += (key.len() + value.len()) as u64;
                batch.put_cf(db.cf_handle(name).unwrap(), &key, value);
                if keys.len() < 20_000 {
                    keys.push((number, key));
                }
            }
        }
        db.write(batch).unwrap();
        // Read what is there and what is not.
        for _ in 0..20 {
            let (number, key) = &keys[usize::try_from(random.next() % keys.len() as u64).unwrap()];
            assert!(db.get_cf(db.cf_handle(FAMILIES[*number].0).unwrap(), key).unwrap().is_some());
            assert!(db.get_cf(db.cf_handle("look-ups-0").unwrap(), random.bytes(20)).unwrap().is_none());
        }
        look(&setup, &db);
    }
    for (name, _) in FAMILIES {
        db.compact_range_cf::<&[u8], &[u8]>(db.cf_handle(name).unwrap(), None, None);
        look(&setup, &db);
    }
    assert!(highest.cache_bytes > STORE_BYTES_MIN / 4, "the store used its share: {highest:?}");
    assert!(highest.table_reader_bytes < 8 * MIB, "indexes and filters live in the cache: {highest:?}");
    let end = figures(&setup, &db);
    assert!(end.written_log_bytes >= written && end.written_blob_bytes > 0 && end.written_flush_bytes > 0, "{end:?}");
    assert!(end.written_compaction_bytes > 0, "{end:?}");
}

#[test]
fn threads_that_merge_are_nicer_than_all_others() {
    let dir = scratch::Directory::new();
    let _db = open(dir.path(), &StoreSetup::new(StoreShare::SMALL));
    // The thread's name in parentheses, then fields from the third on: the nineteenth is how nice it is.
    let nice =
        |stat: &str| stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(16).unwrap().parse::<i32>().unwrap();
    let own = nice(&std::fs::read_to_string("/proc/thread-self/stat").unwrap());
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread of another test may end meanwhile.
    let stats = threads.filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")).ok());
    let (merging, others): (Vec<String>, Vec<String>) = stats.partition(|stat| stat.contains("(rocksdb:low)"));
    assert!(!merging.is_empty());
    for stat in merging {
        assert_eq!(nice(&stat), (own + threads::NICER).min(19), "{stat}");
    }
    for stat in others.iter().filter(|stat| !stat.contains("(merging)")) {
        assert_eq!(nice(stat), own, "{stat}");
    }
}

#[test]
fn two_stores_of_one_setup_share_its_memory() {
    let dir = scratch::Directory::new();
    let setup = StoreSetup::new(StoreShare::SMALL);
    let stores = ["a", "b"].map(|name| open(&dir.path().join(name), &setup));
    let mut random = Random(1);
    for _ in 0..500 {
        for db in &stores {
            db.put_cf(db.cf_handle("large").unwrap(), random.bytes(20), random.bytes(200_000)).unwrap();
            let figures = once_flushed(|| figures(&setup, db));
            assert!(figures.cache_bytes <= STORE_BYTES_MIN && figures.memtable_bytes <= STORE_BYTES_MIN, "{figures:?}");
        }
    }
}

#[test]
fn the_store_gets_what_the_parts_leave_and_too_little_is_refused_with_a_sentence() {
    let parts = [Part::new("requests", 128 * MIB), Part::new("program", 48 * MIB)];
    let budget = MemoryBudget::share(MEMORY_BYTES_DEFAULT, &parts).unwrap();
    assert_eq!(budget.store_bytes(), 336 * MIB);
    assert_eq!(budget.parts().iter().map(|part| part.bytes_max).sum::<u64>(), MEMORY_BYTES_DEFAULT);
    assert_eq!(MemoryBudget::share(240 * MIB, &parts).unwrap().store_bytes(), STORE_BYTES_MIN);
    assert_eq!(
        MemoryBudget::share(240 * MIB - 1, &parts).unwrap_err().to_string(),
        "must be at least 240 MiB, is 239 MiB: requests takes up to 128 MiB, program takes up to 48 MiB, store takes up to 64 \
         MiB; allow more, or make one of them smaller"
    );
    assert!(MemoryBudget::share(0, &[Part::new("requests", u64::MAX)]).is_err(), "nothing overflows");
}

#[test]
fn every_metric_has_its_row_in_the_operators_table_and_every_row_its_metric() {
    let budget = MemoryBudget::share(MEMORY_BYTES_DEFAULT, &[Part::new("pool", MIB)]).unwrap();
    let mut registry = Registry::default();
    let measured = StoreFigures { write_stall_micros: 1_500_000, cache_bytes: 7, ..StoreFigures::default() };
    figures::register(&mut registry, &budget, Box::new(move || measured), Box::new(|| vec![("pool", 3)]));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "tallystick_memory_budget_bytes{part=\"pool\"} 1048576\n",
        "tallystick_memory_budget_bytes{part=\"store\"} 535822336\n",
        "tallystick_memory_bytes{part=\"pool\"} 3\n",
        "tallystick_memory_bytes{part=\"store_cache\"} 7\n",
        "tallystick_memory_bytes{part=\"store_memtables\"} 0\n",
        "tallystick_memory_bytes{part=\"store_pinned\"} 0\n",
        "tallystick_memory_bytes{part=\"store_table_readers\"} 0\n",
        "tallystick_store_write_stall_seconds_total 1.5\n",
        "tallystick_store_written_bytes_total{by=\"compaction\"} 0\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let shown: BTreeSet<String> =
        kinds.map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() }).collect();
    let table = include_str!("../../docs/ops/metrics-store.md");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `tallystick_")?.split_once('`'));
    assert_eq!(rows.map(|(name, _)| format!("tallystick_{name}")).collect::<BTreeSet<_>>(), shown);
}

/// RocksDB's tables and their blocks are not the only files: see `descriptors` of the service kit.
#[test]
fn open_tables_are_bounded_by_files_and_by_memory() {
    let tables = |bytes, files| setup::open_tables(StoreShare { bytes, files, ..StoreShare::SMALL });
    assert_eq!(tables(64 * MIB, 256), 256);
    assert_eq!(tables(64 * MIB, 1_000_000), 2048);
    assert_eq!(tables(64 * MIB, 0), 20);
}
