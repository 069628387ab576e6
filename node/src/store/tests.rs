use receipt_core::block::{Block, Item};
use receipt_core::ids::{Height, LeafIndex, TreeSize};
use receipt_core::merkle::{inclusion_path, leaf_hash, verify_inclusion};
use receipt_core::state::NoCache;
use receipt_core::testkit::{TestChain, TestValidator};
use receipt_core::validators::ValidatorSet;
use rocksdb::WriteBatch;
use tallystick_storage::StoreShare;

use super::*;
use crate::ledger::Ledger;

mod shortage;

const SUITE: Suite = Suite::Ed25519Sha256;

/// A store that follows a test chain: every block executed and committed as a node does.
fn follow(store: &Store, chain: &TestChain) {
    let ledger = Ledger::new(store.clone(), chain.genesis().clone());
    let next = store.tip().unwrap().height.get() + 1;
    for block in chain.blocks().iter().skip(next as usize) {
        let executed = ledger.execute(&block.bytes, &NoCache, [0; 32]).unwrap();
        store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
    }
}

fn chain_of_three() -> TestChain {
    let mut chain = TestChain::new();
    let first = chain.issue("S01");
    let second = chain.issue("S04");
    chain.add_block(&[first.clone(), second]);
    let red = chain.reverse(&first);
    chain.add_block(&[red]);
    chain.add_block(&[]);
    chain
}

#[test]
fn each_height_keeps_its_validators_across_restarts() {
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    let mut chain = TestChain::new();
    let mut store = Store::init(&path, chain.genesis()).unwrap();
    let mut firsts = vec![0];
    for ids in [3..=6, 5..=11, 3..=6] {
        chain.add_block(&[]);
        chain.rotate_validators(ids.map(TestValidator::new).collect());
        firsts.push(chain.height().get() + 1);
        follow(&store, &chain);
        drop(store);
        store = Store::open(&path, chain.genesis()).unwrap();
        let next = chain.height().get() + 1;
        for height in (0..=next).map(Height::new) {
            let members = chain.validators_at(height).iter().map(TestValidator::public).collect();
            let first = *firsts.iter().rfind(|first| **first <= height.get()).unwrap();
            let expected = ValidatorsFrom { first: Height::new(first), set: ValidatorSet::new(members).unwrap() };
            assert_eq!(store.validators_at(height).unwrap(), Some(expected), "height {height}");
        }
        assert_eq!(store.validators_at(Height::new(next + 1)).unwrap(), None, "not known yet");
    }
    let ledger = Ledger::new(store.clone(), chain.genesis().clone());
    let begins = (0..=chain.height().get() + 1).filter(|height| ledger.begins_set(Height::new(*height)).unwrap());
    assert_eq!(begins.collect::<Vec<_>>(), firsts[1..]);
    assert!(ledger.validators_at(Height::new(chain.height().get() + 2)).is_err());
    // A store whose two accounts of it differ is not used.
    store.damage(VALIDATOR_SETS, &firsts[3].to_be_bytes());
    drop((ledger, store));
    assert!(matches!(Store::open(&path, chain.genesis()), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_store_has_the_chains_roots_entries_and_proofs_at_every_height() {
    let directory = scratch::Directory::new();
    let chain = chain_of_three();
    let store = Store::init(&directory.path().join("data"), chain.genesis()).unwrap();
    follow(&store, &chain);
    let tip = store.tip().unwrap();
    assert_eq!(tip.height, chain.height());
    for (height, block) in chain.blocks().iter().enumerate() {
        let height = Height::new(height as u64);
        let record = store.block(height).unwrap().unwrap();
        assert_eq!(record.block, block.bytes);
        assert_eq!(store.entries(&record.range).unwrap(), block.entries);
        let size = TreeSize::new(block.log_size);
        let root = store.root_at(size).unwrap();
        assert_eq!(root, chain.log().root(block.log_size));
        assert_eq!(store.height_of_size(size).unwrap(), Some(height));
        for (offset, entry) in block.entries.iter().enumerate() {
            let leaf = LeafIndex::new(block.first_leaf + offset as u64);
            assert_eq!(store.height_of_leaf(leaf).unwrap(), Some(height));
            let path = inclusion_path(&store, leaf, size).unwrap();
            verify_inclusion(SUITE, &leaf_hash(SUITE, entry), leaf, size, &path, &root).unwrap();
        }
    }
    assert_eq!(store.height_of_leaf(LeafIndex::new(tip.log_size.get())).unwrap(), None);
}

#[test]
fn many_keys_are_answered_as_one_by_one_in_any_order() {
    let directory = scratch::Directory::new();
    let chain = chain_of_three();
    let store = Store::init(&directory.path().join("data"), chain.genesis()).unwrap();
    follow(&store, &chain);
    let (_, rows) = store.scan(Table::Receipts, &[], 10).unwrap();
    assert!(rows.len() >= 3);
    let there = rows.iter().rev().map(|(key, _)| key.clone());
    let keys: Vec<Vec<u8>> = there.chain([vec![], vec![0xFF; 12], rows[0].0.clone(), rows[0].0.clone()]).collect();
    let one_by_one: Vec<_> = keys.iter().map(|key| store.get(Table::Receipts, key).unwrap()).collect();
    assert_eq!(store.get_many(Table::Receipts, &keys).unwrap(), one_by_one);
    assert_eq!(store.get_many(Table::Receipts, &[]).unwrap(), Vec::<Option<Vec<u8>>>::new());
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    let chain = chain_of_three();
    let store = Store::init(&path, chain.genesis()).unwrap();
    follow(&store, &chain);
    let before = store.tip().unwrap();
    drop(store);
    let store = Store::open(&path, chain.genesis()).unwrap();
    assert_eq!(store.tip().unwrap(), before);
    assert_eq!(store.frontier().unwrap().root(), chain.log().root(before.log_size.get()));
}

#[test]
fn init_never_overwrites_and_open_never_creates() {
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    let chain = TestChain::new();
    assert!(matches!(Store::open(&path, chain.genesis()), Err(OpenError::Missing { .. })));
    assert!(!path.exists());
    drop(Store::init(&path, chain.genesis()).unwrap());
    assert!(matches!(Store::init(&path, chain.genesis()), Err(OpenError::Exists { .. })));
}

#[test]
fn a_foreign_chains_store_is_not_opened() {
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    drop(Store::init(&path, TestChain::new().genesis()).unwrap());
    let other = TestChain::named("otherchain");
    assert!(matches!(Store::open(&path, other.genesis()), Err(OpenError::Foreign { .. })));
}

#[test]
fn a_newer_format_is_not_opened() {
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    let chain = TestChain::new();
    let store = Store::init(&path, chain.genesis()).unwrap();
    let mut batch = WriteBatch::default();
    batch.put_cf(store.family(NODE).unwrap(), b"format", (FORMAT_VERSION + 1).to_be_bytes());
    store.write_synced(batch).unwrap();
    drop(store);
    let refused = Store::open(&path, chain.genesis());
    assert!(matches!(refused, Err(OpenError::Newer { found, .. }) if found == FORMAT_VERSION + 1));
}

#[test]
fn a_torn_store_is_not_opened() {
    let chain = chain_of_three();
    // Each row damages a store in its own way.
    let damages: [fn(&Store, &std::path::Path); 3] = [
        |store, _| {
            let mut batch = WriteBatch::default();
            batch.delete_cf(store.family(NODE).unwrap(), b"frontier");
            store.write_synced(batch).unwrap();
        },
        |store, _| {
            let mut batch = WriteBatch::default();
            let height = store.tip().unwrap().height.get();
            batch.delete_cf(store.family(HEIGHTS).unwrap(), height.to_be_bytes());
            store.write_synced(batch).unwrap();
        },
        |_, path| {
            let mut files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            let manifest = files.find(|path| path.to_string_lossy().contains("MANIFEST")).unwrap();
            let bytes = std::fs::read(&manifest).unwrap();
            std::fs::write(&manifest, &bytes[..bytes.len() / 2]).unwrap();
        },
    ];
    for (row, damage) in damages.into_iter().enumerate() {
        let directory = scratch::Directory::new();
        let path = directory.path().join("data");
        let store = Store::init(&path, chain.genesis()).unwrap();
        follow(&store, &chain);
        damage(&store, &path);
        drop(store);
        let refused = Store::open(&path, chain.genesis());
        assert!(matches!(refused, Err(OpenError::Damaged { .. })), "row {row}");
    }
}

/// Newest write-ahead log of a store, and its length.
fn newest_log(path: &std::path::Path) -> (std::path::PathBuf, usize) {
    let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let log = files.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap();
    let bytes = std::fs::metadata(&log).unwrap().len();
    (log, usize::try_from(bytes).unwrap())
}

fn copy_store(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A power cut leaves any of the pages that were not synced, in any order: zeros, or what stood there before the file was
/// used again. The store opens as it was before the torn write, says so, and goes on.
#[test]
fn a_store_whose_last_write_is_torn_in_any_pages_opens_as_it_was_before_it() {
    const PAGE_BYTES: usize = 4096;
    const PAGES_MAX: usize = 5;
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    let mut chain = chain_of_three();
    let store = Store::init(&path, chain.genesis()).unwrap();
    follow(&store, &chain);
    let before = store.tip().unwrap();
    let (log, synced) = newest_log(&path);
    let receipts: Vec<_> = (0..40).map(|_| chain.issue("S01")).collect();
    chain.add_block(&receipts);
    follow(&store, &chain);
    let after = store.tip().unwrap();
    let bytes = std::fs::read(&log).unwrap();
    let first = synced / PAGE_BYTES;
    let pages = bytes.len().div_ceil(PAGE_BYTES) - first;
    assert!((3..=PAGES_MAX + 40).contains(&pages), "the last write has {pages} pages");
    let mut torn: Vec<Vec<u8>> = Vec::new();
    for set in 1..(1_usize << pages.min(PAGES_MAX)) {
        let mut bytes = bytes.clone();
        for page in (0..pages).filter(|page| set >> page & 1 == 1) {
            let start = synced.max((first + page) * PAGE_BYTES);
            let end = bytes.len().min((first + page + 1) * PAGE_BYTES);
            bytes[start..end].fill(if set % 3 == 0 { 0xA5 } else { 0 });
        }
        torn.push(bytes);
    }
    torn.extend((synced..bytes.len()).step_by(1021).map(|cut| bytes[..cut].to_vec()));
    let reopened = |path: &std::path::Path| {
        let (_, torn) = open::open_to_a_point_in_time(path, &StoreSetup::new(StoreShare::SMALL)).unwrap();
        torn
    };
    for (row, bytes) in torn.iter().enumerate() {
        let copy = directory.path().join(format!("copy-{row}"));
        copy_store(&path, &copy);
        std::fs::write(copy.join(log.file_name().unwrap()), bytes).unwrap();
        let store = Store::open(&copy, chain.genesis()).unwrap_or_else(|error| panic!("row {row}: {error}"));
        assert_eq!(store.tip().unwrap(), before, "row {row}");
        drop(store);
        assert_eq!(reopened(&copy), None, "row {row}: once opened, it is whole");
        let store = Store::open(&copy, chain.genesis()).unwrap();
        follow(&store, &chain);
        assert_eq!(store.tip().unwrap(), after, "row {row}");
        drop(store);
        std::fs::remove_dir_all(&copy).unwrap();
    }
    let copy = directory.path().join("named");
    copy_store(&path, &copy);
    // A first page of zeros looks as if nothing had been written; the second one does not.
    std::fs::write(copy.join(log.file_name().unwrap()), &torn[1]).unwrap();
    assert!(reopened(&copy).is_some(), "what is dropped is named");
}

/// A disk that said of a page that it was there, and lost it: the store is refused, or is one of an earlier moment, from which
/// the chain leads to where it was. Never one with a hole.
#[test]
fn a_store_that_has_lost_a_synced_page_of_its_log_has_no_hole() {
    const PAGE_BYTES: usize = 4096;
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    let mut chain = TestChain::new();
    let store = Store::init(&path, chain.genesis()).unwrap();
    for _ in 0..24 {
        let receipt = chain.issue("S01");
        chain.add_block(&[receipt]);
    }
    follow(&store, &chain);
    let after = store.tip().unwrap();
    let (log, _) = newest_log(&path);
    let bytes = std::fs::read(&log).unwrap();
    let (mut refused, mut earlier) = (0, 0);
    for (row, page) in (0..bytes.len()).step_by(PAGE_BYTES / 4).enumerate() {
        let copy = directory.path().join(format!("copy-{row}"));
        copy_store(&path, &copy);
        let mut bytes = bytes.clone();
        let end = bytes.len().min(page + PAGE_BYTES);
        bytes[page..end].fill(0);
        std::fs::write(copy.join(log.file_name().unwrap()), bytes).unwrap();
        match Store::open(&copy, chain.genesis()) {
            Err(OpenError::Damaged { .. }) => refused += 1,
            Err(error) => panic!("row {row}: {error}"),
            Ok(store) => {
                earlier += 1;
                follow(&store, &chain);
                assert_eq!(store.tip().unwrap(), after, "row {row}");
            }
        }
        std::fs::remove_dir_all(&copy).unwrap();
    }
    println!("{refused} refused, {earlier} of an earlier moment");
    assert!(earlier > 10, "{refused} {earlier}");
}

/// The store is not called damaged for what a restart, more space or the right user mends.
#[test]
fn a_store_that_is_in_use_or_not_ours_to_read_is_not_called_damaged() {
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    let chain = TestChain::new();
    let store = Store::init(&path, chain.genesis()).unwrap();
    let refused = Store::open(&path, chain.genesis()).err().unwrap();
    assert!(matches!(&refused, OpenError::Blocked { .. }), "{refused}");
    assert!(refused.to_string().contains("another process has it open"), "{refused}");
    drop(store);
    // A file in the place of a directory, and a loop of links: the system's answer, whoever asks.
    std::os::unix::fs::symlink("loop", directory.path().join("loop")).unwrap();
    let refused = Store::open(&directory.path().join("loop"), chain.genesis()).err().unwrap();
    assert!(!refused.to_string().contains("is damaged"), "{refused}");
    let failed = StoreError::Corrupt("x".to_owned()).to_string();
    assert!(failed.contains("`tallystick-node init`"), "{failed}");
}

#[test]
fn proposals_stay_until_their_height_is_committed() {
    let directory = scratch::Directory::new();
    let chain = chain_of_three();
    let store = Store::init(&directory.path().join("data"), chain.genesis()).unwrap();
    let block = &chain.blocks()[1];
    let head = ProposalHead {
        block_id: receipt_core::block::block_id(SUITE, &block.bytes),
        round: 3,
        pol_round: Some(0),
        proposer: 2,
        valid: true,
        timely: true,
        own: false,
    };
    store.put_proposal(Height::new(1), &head, &block.bytes).unwrap();
    assert_eq!(store.proposals(Height::new(1)).unwrap(), vec![head]);
    let stored = StoredProposal { head, bytes: block.bytes.clone() };
    assert_eq!(store.proposal(Height::new(1), head.block_id).unwrap(), Some(stored));
    assert_eq!(store.proposals(Height::new(2)).unwrap(), vec![]);
    follow(&store, &chain);
    assert_eq!(store.proposals(Height::new(1)).unwrap(), vec![]);
}

/// Else a proposer would build a second block for its round after a crash.
#[test]
fn a_proposal_stays_as_it_was_first_stored_when_it_is_proposed_again_or_synced() {
    let directory = scratch::Directory::new();
    let chain = chain_of_three();
    let store = Store::init(&directory.path().join("data"), chain.genesis()).unwrap();
    let height = Height::new(1);
    let bytes = chain.blocks()[1].bytes.clone();
    let block_id = receipt_core::block::block_id(SUITE, &bytes);
    let (round, pol_round, proposer) = (2, None, 0);
    let synced = ProposalHead { block_id, round, pol_round, proposer, valid: true, timely: false, own: false };
    let again = ProposalHead { round: 4, pol_round: Some(0), proposer: 3, ..synced };
    let own = ProposalHead { round: 0, proposer: 1, timely: true, own: true, ..synced };
    store.put_proposal(height, &own, &bytes).unwrap();
    for later in [&again, &synced] {
        store.put_proposal(height, later, &bytes).unwrap();
        assert_eq!(store.proposals(height).unwrap(), vec![own]);
    }
    // What only sync brought has no proposer, and the first proposer takes its place.
    let other = Height::new(2);
    let now_timely = ProposalHead { timely: true, ..again };
    for (put, expected) in
        [(&synced, &synced), (&again, &again), (&synced, &again), (&own, &now_timely), (&again, &now_timely)]
    {
        store.put_proposal(other, put, &bytes).unwrap();
        assert_eq!(store.proposals(other).unwrap(), vec![*expected]);
        assert_eq!(
            store.proposal(other, block_id).unwrap(),
            Some(StoredProposal { head: *expected, bytes: bytes.clone() })
        );
    }
    let invalid = ProposalHead { block_id: Hash([9; 32]), valid: false, timely: false, ..own };
    store.put_proposal(other, &invalid, &bytes).unwrap();
    assert_eq!(store.proposal_head(other, invalid.block_id).unwrap(), Some(invalid));
}

#[test]
fn a_block_with_another_seal_is_refused_whole() {
    let directory = scratch::Directory::new();
    let chain = chain_of_three();
    let store = Store::init(&directory.path().join("data"), chain.genesis()).unwrap();
    let ledger = Ledger::new(store, chain.genesis().clone());
    let mut block = Block::decode(&chain.blocks()[1].bytes).unwrap();
    block.seal.effects_hash.0[0] ^= 1;
    assert!(ledger.execute(&block.encode(), &NoCache, [0; 32]).is_err());
    let mut block = Block::decode(&chain.blocks()[1].bytes).unwrap();
    block.content.items.retain(|item| matches!(item, Item::Governance(_)));
    assert!(ledger.execute(&block.encode(), &NoCache, [0; 32]).is_err());
    assert_eq!(ledger.tip().unwrap().height, Height::ZERO);
}

/// Rows of the status map's own table.
fn status_nodes(store: &Store) -> usize {
    store.scan(Table::StatusNodes, &[], usize::MAX).unwrap().1.len()
}

/// Reads every key's proof under the newest root.
fn all_proofs_hold(store: &Store, chain: &TestChain, reversed: &[Hash]) {
    use receipt_core::state::{StatusNodes, StatusValue, status_value_hash};
    use receipt_core::status::StatusMap;
    let height = store.tip().unwrap().height;
    let root = chain.blocks()[height.get() as usize].seal.status_root;
    let reader = StatusNodes(store);
    let map = StatusMap::at(SUITE, &reader, store.height_range(height).unwrap().unwrap().status_version);
    for key in reversed {
        let lookup = map.prove(key).unwrap();
        let value = StatusValue::decode(&store.get(Table::Statuses, key.as_bytes()).unwrap().unwrap()).unwrap();
        lookup.proof.verify(SUITE, &root, key, Some(&status_value_hash(SUITE, &value).0)).unwrap();
    }
    let absent = receipt_core::hash::sha256(&[b"absent"]);
    map.prove(&absent).unwrap().proof.verify(SUITE, &root, &absent, None).unwrap();
}

#[test]
fn replaced_status_nodes_go_behind_the_window_and_the_newest_root_is_whole() {
    const HEIGHTS: u64 = 150;
    let directory = scratch::Directory::new();
    let mut chain = TestChain::new();
    let receipts: Vec<_> = (0..HEIGHTS).map(|_| chain.issue("S01")).collect();
    chain.add_block(&receipts);
    let mut reversed = Vec::new();
    for receipt in &receipts {
        let red = chain.reverse(receipt);
        chain.add_block(&[red]);
        reversed.push(receipt_core::record::status_key(SUITE, &receipt.record));
    }
    let store = Store::init(&directory.path().join("data"), chain.genesis()).unwrap();
    let ledger = Ledger::new(store.clone(), chain.genesis().clone());
    let commit = |height: u64| {
        let block = &chain.blocks()[height as usize];
        let executed = ledger.execute(&block.bytes, &NoCache, [0; 32]).unwrap();
        store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
        executed.effects
    };
    // Rows that each height adds (the map's head, which is written again, apart) and makes stale.
    let (mut created, mut stale) = (vec![0], vec![0]);
    let mut count = |effects: &receipt_core::state::Effects| {
        let is_node = |(table, key): &&(Table, Vec<u8>)| *table == Table::StatusNodes && key.len() > b"head".len();
        created.push(effects.writes.keys().filter(is_node).count());
        stale.push(effects.stale_nodes.len());
        (created.iter().sum::<usize>(), stale.clone())
    };
    // While nothing is sealed, nothing goes: the sealed root may be the oldest.
    let unsealed = 80;
    for height in 1..=unsealed {
        let (written, _) = count(&commit(height));
        assert_eq!(status_nodes(&store), written + usize::from(written > 0), "height {height}");
    }
    for height in unsealed + 1..=HEIGHTS {
        let sealed = height - 1;
        let note = &chain.blocks()[sealed as usize].checkpoint;
        store.put_checkpoint(Height::new(sealed), note, note).unwrap();
        let (written, stale) = count(&commit(height));
        let forgotten: usize = stale[..=(sealed - statuses::PROVEN_HEIGHTS) as usize].iter().sum();
        // A backlog goes in a few steps.
        if height > unsealed + 4 {
            assert_eq!(status_nodes(&store), written + 1 - forgotten, "height {height}");
        }
        all_proofs_hold(&store, &chain, &reversed[..height as usize - 1]);
    }
    let forgotten = created.iter().sum::<usize>() + 1 - status_nodes(&store);
    assert!(forgotten > 100, "{forgotten}");
}

/// Names, contents and times of change of the files in a directory.
fn snapshot(directory: &std::path::Path) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = entries
        .map(|entry| {
            let changed = entry.metadata().unwrap().modified().unwrap();
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap(), changed)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn looking_at_a_store_changes_nothing_and_sees_what_only_the_log_has() {
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    let chain = chain_of_three();
    let store = Store::init(&path, chain.genesis()).unwrap();
    follow(&store, &chain);
    drop(store);
    let before = snapshot(&path);
    let store = Store::open_read_only(&path, chain.genesis()).unwrap();
    assert_eq!(store.tip().unwrap().height, chain.height());
    assert_eq!(store.live_bytes().unwrap().len(), FAMILIES.len() + Table::ALL.len());
    assert!(store.put_checkpoint(Height::ZERO, "note", "note").is_err());
    drop(store);
    assert_eq!(snapshot(&path), before);
}

#[test]
fn the_published_note_is_the_newest_ones_and_lasts() {
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    let chain = chain_of_three();
    let store = Store::init(&path, chain.genesis()).unwrap();
    assert_eq!(store.published_checkpoint().unwrap(), None);
    for height in 1..=2 {
        store.put_checkpoint(Height::new(height), &format!("small {height}"), &format!("full {height}")).unwrap();
    }
    drop(store);
    let store = Store::open(&path, chain.genesis()).unwrap();
    assert_eq!(store.published_checkpoint().unwrap(), Some((Height::new(2), "full 2".to_owned())));
    assert_eq!(store.checkpoint(Height::new(1)).unwrap(), Some("small 1".to_owned()));
    assert_eq!(store.latest_checkpoint().unwrap(), Some((Height::new(2), "small 2".to_owned())));
}

/// As RocksDB itself wrote down what it was opened with.
#[test]
fn memory_and_logs_of_the_database_are_bounded() {
    let directory = scratch::Directory::new();
    let path = directory.path().join("data");
    Store::init(&path, TestChain::new().genesis()).unwrap();
    let files = snapshot(&path);
    let (_, options, _) = files.iter().rfind(|(name, ..)| name.starts_with("OPTIONS-")).unwrap();
    let options = String::from_utf8(options.clone()).unwrap();
    let count = |line: &str| options.lines().filter(|given| given.trim() == line).count();
    assert_eq!((count("max_log_file_size=4194304"), count("keep_log_file_num=4")), (1, 1), "{options}");
    let families = FAMILIES.len() + Table::ALL.len() + 1;
    for line in ["cache_index_and_filter_blocks=true", "index_type=kTwoLevelIndexSearch"] {
        assert_eq!(count(line), families, "{line}");
    }
    assert_eq!(count("partition_filters=true"), 7, "the tables that are asked for new keys");
    assert_eq!(count("stats_dump_period_sec=0"), 1, "an idle node writes nothing");
}
