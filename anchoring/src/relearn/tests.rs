use std::path::Path;
use std::time::Duration;

use receipt_core::testkit::TestChain;

use super::*;
use crate::check::Pass;
use crate::testkit::ledger::{FakeLedger, dead_channel};
use crate::testkit::process::{Bare, TestProcess, counting_owner, init, open, trust_of};
use crate::testkit::{ledger_block, offered};

/// Spoils the tables of the batches.
fn rot(journal: Journal, path: &Path) {
    journal.flush_logs().unwrap();
    let batches = journal.families().into_iter().find(|family| family.name == "batches").unwrap();
    let tables = journal.tables_with(batches, &[], &[u8::MAX; 8]).unwrap();
    drop(journal);
    assert!(!tables.is_empty());
    for table in tables {
        let table = path.join(table);
        let mut bytes = std::fs::read(&table).unwrap();
        bytes[10] ^= 1;
        std::fs::write(&table, bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decided_batches_that_cannot_be_read_come_back_from_the_ledger_and_others_are_named() {
    let dir = scratch::Directory::new();
    let (path, copy) = (dir.path().join("journal"), dir.path().join("copy"));
    let mut chain = TestChain::new();
    let mut process = TestProcess::start(init(&path, &chain), &chain);
    for _ in 0..2 {
        process.acknowledge(&mut chain);
        process.acknowledge(&mut chain);
        let (_, request) = process.cut();
        chain.add_items(vec![offered(&request)]).unwrap();
        process.follow(&chain);
    }
    process.acknowledge(&mut chain);
    let (undecided, _) = process.cut();
    let sequences = [1, 2].map(BatchSequence::new);
    let rows = sequences.map(|sequence| process.journal().batch(sequence).unwrap().unwrap());
    drop(process);
    rot(open(&path, &chain), &path);

    let journal = open(&path, &chain);
    assert!(journal.batch(sequences[0]).unwrap_err().is_damage());
    let trust = trust_of(&journal, &chain);
    let ledger = FakeLedger::new(chain);
    let channels = vec![("away".to_owned(), dead_channel()), ("node".to_owned(), ledger.serve().await)];
    let nodes = Nodes::over(channels, Duration::from_secs(20));
    let owner = counting_owner();
    let relearner = Relearner { journal: &journal, owner: owner.as_ref(), nodes: &nodes, trust: &trust };
    let relearnt = relearner.run().await.unwrap();
    assert_eq!(relearnt.batches, sequences);
    let [(left, problem)] = &relearnt.left[..] else { panic!("{relearnt:?}") };
    assert!(*left == undecided && problem.contains("not decided"), "{problem}");
    assert_eq!(sequences.map(|sequence| journal.batch(sequence).unwrap().unwrap()), rows, "byte for byte");
    assert_eq!(relearner.run().await.unwrap().batches, [], "once");
    let refused = journal.write_anew(&copy, &Bare).err().unwrap().to_string();
    assert!(refused.contains(&format!("batch {undecided} cannot be read")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_whose_batches_were_learnt_again_is_written_anew_and_sound() {
    let dir = scratch::Directory::new();
    let (path, copy) = (dir.path().join("journal"), dir.path().join("copy"));
    let mut chain = TestChain::new();
    let mut process = TestProcess::start(init(&path, &chain), &chain);
    process.acknowledge(&mut chain);
    let (sequence, request) = process.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    process.follow(&chain);
    drop(process);
    rot(open(&path, &chain), &path);
    let journal = open(&path, &chain);
    let trust = trust_of(&journal, &chain);
    let ledger = FakeLedger::new(chain);
    let nodes = Nodes::over(vec![("node".to_owned(), ledger.serve().await)], Duration::from_secs(20));
    let owner = counting_owner();
    let relearner = Relearner { journal: &journal, owner: owner.as_ref(), nodes: &nodes, trust: &trust };
    assert_eq!(relearner.run().await.unwrap(), Relearnt { batches: vec![sequence], left: Vec::new() });
    let written = journal.write_anew(&copy, &Bare).unwrap();
    let found = Pass::new(&written, &Bare).run().unwrap();
    assert!(found.is_sound(), "{:?}", found.named);
    assert_eq!(written.batch(sequence).unwrap(), journal.batch(sequence).unwrap());
}

/// One row for each thing that a node may say instead of the batch.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_says_of_another_batch_is_not_believed() {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut process = TestProcess::start(init(dir.path(), &chain), &chain);
    let mut requests = Vec::new();
    for _ in 0..2 {
        process.acknowledge(&mut chain);
        let (sequence, request) = process.cut();
        chain.add_items(vec![offered(&request)]).unwrap();
        process.follow(&chain);
        requests.push(sequence);
    }
    let [sequence, next] = requests[..] else { panic!("two") };
    let journal = process.journal();
    let outcome = journal.outcome(sequence).unwrap().unwrap();
    let trust = trust_of(journal, &chain);
    let nodes = Nodes::over(vec![("away".to_owned(), dead_channel())], Duration::from_secs(1));
    let owner = counting_owner();
    let relearner = Relearner { journal, owner: owner.as_ref(), nodes: &nodes, trust: &trust };
    let block = ledger_block(&chain, outcome.height.get());
    let (_, learnt) = relearner.of_block(&block, sequence, outcome).unwrap();
    assert_eq!(learnt.header.encode(), journal.batch(sequence).unwrap().unwrap().signed_header);
    let other = ledger_block(&chain, outcome.height.get() + 1);
    let empty = LedgerBlock { block: bytes::Bytes::new(), ..block.clone() };
    let foreign = LedgerBlock { block: other.block.clone(), ..block.clone() };
    for (block, sequence, outcome, problem) in [
        (&block, next, outcome, "speaks of something else"),
        (&block, sequence, BatchOutcome { refused: true, ..outcome }, "speaks of something else"),
        (&other, sequence, outcome, "no such leaf"),
        (&empty, sequence, outcome, "without its records"),
        (&foreign, sequence, outcome, "the batch is missing"),
    ] {
        let refused = relearner.of_block(block, sequence, outcome).err().unwrap();
        assert!(refused.contains(problem), "{problem}: {refused}");
    }
}
