//! A process that may open no more files for a while: what reads waits, and goes on where it was.

use std::time::{Duration, Instant};

use scratch::alone::{NoFiles, is_alone};

use super::*;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store of three blocks, most of whose tables are not open.
fn store_of_tables(path: &Path, chain: &TestChain) -> Store {
    let store = Store::init(path, chain.genesis()).unwrap();
    follow(&store, chain);
    for name in family_names() {
        store.db.flush_cf(store.family(name).unwrap()).unwrap();
    }
    drop(store);
    Store::open_within(path, chain.genesis(), StoreShare { files: 20, ..StoreShare::SMALL }).unwrap()
}

/// All that a store is asked for.
fn read_all(store: &Store) -> Vec<String> {
    let heights = store.heights_all();
    let blocks = heights.iter().map(|height| format!("{:?}", store.block(*height)));
    let entries =
        heights.iter().map(|height| format!("{:?}", store.entries(&store.height_range(*height).unwrap().unwrap())));
    let checked = family_names().map(|name| format!("{:?}", store.read_through(name, None, 1000)));
    let validators = format!("{:?} {:?}", store.validators_at(heights[1]), store.handover_after(heights[0]));
    let proposals = format!("{:?} {:?}", store.proposals(heights[1]), store.proposal_head(heights[1], Hash([7; 32])));
    let seals = format!("{:?} {:?}", store.latest_checkpoint(), store.checkpoint_from(heights[0]));
    let registry = format!("{:?}", store.registry_page((Table::Units, &[]), 1 << 20).map(|page| page.rows));
    let scanned = format!("{:?}", store.scan(Table::Kinds, &[], 100));
    let sizes = format!("{:?}", store.height_of_leaf(LeafIndex::new(0)));
    let all = blocks.chain(entries).chain(checked).chain([validators, proposals, seals, registry, scanned, sizes]);
    all.collect()
}

impl Store {
    fn heights_all(&self) -> Vec<Height> {
        (0..=3).map(Height::new).collect()
    }
}

/// Until somebody waits for files, or until nobody does.
fn until_short(store: &Store, short: bool) {
    let begun = Instant::now();
    while store.is_short() != short {
        assert!(begun.elapsed() < PATIENCE, "short: {}", store.is_short());
        std::thread::yield_now();
    }
}

/// Before, the first read that opened a table ended the node.
#[test]
fn reads_wait_as_long_as_no_file_can_be_opened_and_then_give_what_they_always_do() {
    if !is_alone(
        "store::tests::shortage::reads_wait_as_long_as_no_file_can_be_opened_and_then_give_what_they_always_do",
    ) {
        return;
    }
    let directory = scratch::Directory::new();
    let chain = chain_of_three();
    let store = store_of_tables(&directory.path().join("data"), &chain);
    let no_files = NoFiles::begin();
    let reader = std::thread::spawn({
        let store = store.clone();
        move || read_all(&store)
    });
    until_short(&store, true);
    drop(no_files);
    let read = reader.join().unwrap();
    assert!(!store.is_short());
    assert!(read.iter().all(|answer| !answer.contains("Err(")), "{read:?}");
    assert_eq!(read, read_all(&store));
}

/// A process that is asked to end does not wait.
#[test]
fn at_the_end_nobody_waits() {
    if !is_alone("store::tests::shortage::at_the_end_nobody_waits") {
        return;
    }
    let directory = scratch::Directory::new();
    let chain = chain_of_three();
    let store = store_of_tables(&directory.path().join("data"), &chain);
    let no_files = NoFiles::begin();
    let reader = std::thread::spawn({
        let store = store.clone();
        move || family_names().map(|name| store.read_through(name, None, 1000).err()).collect::<Vec<_>>()
    });
    until_short(&store, true);
    store.end_waiting();
    let failed = reader.join().unwrap().into_iter().flatten().collect::<Vec<_>>();
    drop(no_files);
    assert!(!failed.is_empty() && !store.is_short());
    for error in failed {
        assert!(error.to_string().contains("raise LimitNOFILE"), "{error}");
    }
}
