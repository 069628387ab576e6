//! What a block leaves behind: the same every time, summed up in one hash, with totals and log entries that fit.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::draft::{blue, blue_of_2, red, uniqueness};
use super::ledger::Ledger;
use crate::blind::UniquenessType::Payment;
use crate::block::{BlockContent, Item};
use crate::entry::Entry;
use crate::governance::{Action, CloseSegment, RegisterKind};
use crate::hash::{Hash, tagged};
use crate::ids::Fen;
use crate::state::overlay::effects_hash;
use crate::state::tables::{META_GOVERNANCE, META_TIP, META_TOTALS, Table, Totals};
use crate::state::{ApplyError, Effects, ReadError, StateRead, Writes, apply, totals_commitment};
use crate::suite::Suite;

const SUITE: Suite = Suite::Ed25519Sha256;

/// A ledger with receipts in force, and a block with a bit of everything for it.
fn busy() -> (Ledger, BlockContent) {
    let mut ledger = Ledger::new();
    let paid = |ledger: &Ledger, number| blue(ledger, number).with_keys(&[uniqueness(Payment, number as u8)]);
    let leaves = (1..=20).map(|number| paid(&ledger, number).leaf()).collect();
    assert_eq!(ledger.submit(leaves), []);
    let kinds = (1..=5).map(|kind| Action::RegisterKind(RegisterKind::named(kind, "新"))).collect();
    let mut leaves: Vec<Vec<u8>> =
        (1..=10).map(|number| red(&ledger, 100 + number, &paid(&ledger, number)).leaf()).collect();
    leaves.extend((20_001..=20_010).map(|number| blue(&ledger, number).leaf()));
    let second = vec![blue_of_2(&ledger, 40_001).leaf(), blue(&ledger, 10_001).leaf()];
    let items = vec![Item::Governance(ledger.governance(kinds)), ledger.batch(1, leaves), ledger.batch(2, second)];
    let content = ledger.content(items);
    (ledger, content)
}

fn same(one: &Effects, other: &Effects) {
    assert_eq!(one.seal, other.seal);
    assert_eq!(one.entries, other.entries);
    assert_eq!(one.first_leaf, other.first_leaf);
    assert_eq!(one.writes, other.writes);
    assert_eq!(one.tip, other.tip);
    assert_eq!(one.outcomes, other.outcomes);
    assert_eq!(one.stale_nodes, other.stale_nodes);
}

#[test]
fn the_same_block_has_the_same_effects_every_time() {
    // Each map takes its seed anew: in this thread, in others, and over a state that was built again.
    let (ledger, content) = busy();
    let first = ledger.execute(content.clone()).unwrap();
    for _ in 0..8 {
        same(&first, &ledger.execute(content.clone()).unwrap());
    }
    let elsewhere = std::thread::spawn(|| {
        let (ledger, content) = busy();
        ledger.execute(content).unwrap()
    });
    same(&first, &elsewhere.join().unwrap());
    // Without a single signature verdict from before, and with other coefficients of the batch equation.
    let checked = ledger.check(content.clone()).unwrap();
    let no_key = |_| None;
    let unchecked =
        crate::state::CheckedBlock::check(content.clone(), ledger.chain.id, &crate::state::NoCache, &no_key, [7; 32]);
    same(&first, &apply(&ledger.state, &ledger.chain, &unchecked.unwrap()).unwrap());
    assert_eq!(checked.to_content(), content);
}

#[test]
fn wrong_verdict_keys_do_not_turn_a_judgement() {
    let (ledger, content) = busy();
    let first = ledger.execute(content.clone()).unwrap();
    let other_key = |_| Some(crate::suite::Signer::public_key(&crate::testkit::unit_key(9)));
    let checked =
        crate::state::CheckedBlock::check(content, ledger.chain.id, &crate::state::NoCache, &other_key, [0; 32]);
    same(&first, &apply(&ledger.state, &ledger.chain, &checked.unwrap()).unwrap());
}

#[test]
fn every_single_write_changes_the_effects_hash() {
    let (ledger, content) = busy();
    let effects = ledger.execute(content).unwrap();
    let previous = ledger.tip().effects_hash;
    // The tip holds the hash and is written after it.
    let mut writes: Writes = effects.writes.clone();
    writes.remove(&(Table::Meta, META_TIP.to_vec())).unwrap();
    let hash = effects_hash(SUITE, previous, &writes);
    assert_eq!((effects.seal.effects_hash, effects.tip.effects_hash), (hash, hash));
    assert_ne!(effects_hash(SUITE, Hash::ZERO, &writes), hash);
    assert_ne!(effects_hash(Suite::Dummy, previous, &writes), hash);
    assert!(writes.values().any(Option::is_none), "some are deletions");
    let tables: std::collections::BTreeSet<Table> = writes.keys().map(|(table, _)| *table).collect();
    assert_eq!(tables.len(), 11);
    let is_node = |table: Table| [Table::StatusNodes, Table::RegistryNodes].contains(&table);
    for ((table, key), value) in &writes {
        let changed_hash = |edit: &dyn Fn(&mut Writes)| {
            let mut writes = writes.clone();
            edit(&mut writes);
            effects_hash(SUITE, previous, &writes)
        };
        let position = (*table, key.clone());
        let mut flipped = value.clone().unwrap_or_default();
        flipped.push(0);
        let edits: [&dyn Fn(&mut Writes); 3] = [
            &|writes| drop(writes.remove(&position)),
            &|writes| drop(writes.insert(position.clone(), Some(flipped.clone()))),
            &|writes| {
                let value = writes.remove(&position).unwrap();
                let mut key = position.1.clone();
                key.push(0);
                writes.insert((position.0, key), value);
            },
        ];
        for edit in edits {
            assert_eq!(changed_hash(edit) == hash, is_node(*table), "{table:?} {}", hex::encode(key));
        }
        if let Some(bytes) = value.as_ref().filter(|bytes| !bytes.is_empty() && !is_node(*table)) {
            for index in [0, bytes.len() - 1] {
                let mut bytes = bytes.clone();
                bytes[index] ^= 1;
                assert_ne!(changed_hash(&|writes| drop(writes.insert(position.clone(), Some(bytes.clone())))), hash);
            }
            assert_ne!(changed_hash(&|writes| drop(writes.insert(position.clone(), None))), hash);
        }
    }
}

#[test]
fn the_hash_frames_keys_and_values() {
    let hash = |rows: &[(&[u8], Option<&[u8]>)]| {
        let rows = rows.iter().map(|(key, value)| ((Table::Kinds, key.to_vec()), value.map(<[u8]>::to_vec)));
        effects_hash(SUITE, Hash::ZERO, &rows.collect())
    };
    let all = [
        hash(&[]),
        hash(&[(b"", None)]),
        hash(&[(b"", Some(b""))]),
        hash(&[(b"ab", Some(b"c"))]),
        hash(&[(b"a", Some(b"bc"))]),
        hash(&[(b"a", Some(b"b")), (b"c", None)]),
        hash(&[(b"a", None), (b"b", Some(b"c"))]),
    ];
    for (index, one) in all.iter().enumerate() {
        assert!(!all[..index].contains(one), "{index}");
    }
    let preimage = [&[0; 32][..], &[13, 0, 0, 0, 2], b"ab", &[1, 0, 0, 0, 1], b"c"].concat();
    assert_eq!(all[3], tagged("tallystick/effects/v1", &[&preimage]), "drawn from the format alone");
    let row = [((Table::Kinds, b"ab".to_vec()), Some(b"c".to_vec()))];
    let dummy = effects_hash(Suite::Dummy, Hash::ZERO, &row.into());
    assert_eq!(dummy, Suite::Dummy.tagged("tallystick/effects/v1", &[&preimage]), "the suite's hash, not SHA-256");
}

#[test]
fn totals_count_what_was_taken_and_are_committed_to() {
    let mut ledger = Ledger::new();
    let of = |ledger: &Ledger, number, fen| blue(ledger, number).with(|draft| draft.record.total = Fen::new(fen));
    let first = of(&ledger, 1, 100);
    let leaves = vec![first.leaf(), of(&ledger, 2, 2_000).leaf(), of(&ledger, 3, 38_537).leaf()];
    let mut expected = Totals { blue_count: 3, blue_fen: 40_637, red_count: 0, red_fen: 0 };
    assert_eq!(ledger.submit(leaves), []);
    assert_eq!(ledger.totals(), expected);
    let leaves = vec![red(&ledger, 4, &first).leaf(), of(&ledger, 5, 1).leaf()];
    assert_eq!(ledger.submit(leaves), []);
    expected = Totals { blue_count: 4, blue_fen: 40_638, red_count: 1, red_fen: -100 };
    assert_eq!(ledger.totals(), expected);
    // A refused batch counts for nothing, not even by its good record.
    let leaves = vec![of(&ledger, 6, 500).leaf(), of(&ledger, 5, 1).leaf()];
    assert_eq!(ledger.submit(leaves).len(), 1);
    assert_eq!(ledger.totals(), expected);
    // Sums go beyond 64 bits.
    let mut large = Totals { blue_fen: i128::from(u64::MAX), ..expected };
    large.add(Fen::new(i64::MAX));
    assert_eq!(large.blue_fen, i128::from(u64::MAX) + i128::from(i64::MAX));

    let content = ledger.content(Vec::new());
    let salt = content.salt;
    let effects = ledger.execute(content.clone()).unwrap();
    assert_eq!(effects.seal.totals_commitment, totals_commitment(SUITE, &salt, &expected));
    let preimage = [&salt[..], &ledger.get(Table::Meta, META_TOTALS).unwrap()].concat();
    assert_eq!(effects.seal.totals_commitment, tagged("tallystick/totals/v1", &[&preimage]));
    let other = ledger.execute(BlockContent { salt: [9; 32], ..content }).unwrap();
    assert_ne!(other.seal.totals_commitment, effects.seal.totals_commitment);
    assert_eq!(other.seal.effects_hash, effects.seal.effects_hash, "the salt hides, it does not change the state");
}

#[test]
fn entries_stand_in_the_order_of_the_items_and_the_seal_last() {
    let (ledger, content) = busy();
    let effects = ledger.execute(content).unwrap();
    let tags: Vec<u8> = effects.entries.iter().map(|entry| entry[0]).collect();
    assert_eq!(tags, [3, 1, 1, 4]);
    let tip = ledger.tip();
    assert_eq!(effects.first_leaf.get(), tip.log_size.get());
    assert_eq!(effects.tip.log_size.get(), tip.log_size.get() + 4);
    assert_eq!(Entry::decode(&effects.entries[3]), Ok(Entry::Seal(effects.seal.clone())));
    assert_eq!((effects.seal.parent_seal_hash, effects.tip.seal_hash), (tip.seal_hash, effects.seal.hash()));
}

/// Every order of some things.
fn permutations<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let [] = items else {
        let rest_of = |index: usize| [&items[..index], &items[index + 1..]].concat();
        return (0..items.len())
            .flat_map(|index| permutations(&rest_of(index)).into_iter().map(move |rest| (index, rest)))
            .map(|(index, rest)| [&items[index..=index], &rest].concat())
            .collect();
    };
    vec![Vec::new()]
}

#[test]
fn changes_that_do_not_touch_each_other_leave_the_same_rows_in_every_order() {
    let ledger = Ledger::new();
    let kinds = [5, 3, 1].map(|kind| Action::RegisterKind(RegisterKind::named(kind, "新")));
    let segments = [11, 12].map(|segment_id| Action::CloseSegment(CloseSegment { segment_id }));
    let orders = permutations(&[&kinds[..], &segments].concat());
    assert_eq!(orders.len(), 120);
    let outcome = |actions: &Vec<Action>| {
        let governance = Item::Governance(ledger.governance(actions.clone()));
        let effects = ledger.execute(ledger.content(vec![governance])).unwrap();
        let mut writes = effects.writes;
        // The tip holds the effects hash; the id of the message is of its bytes, and so of the order.
        writes.remove(&(Table::Meta, META_TIP.to_vec()));
        let id = writes.remove(&(Table::Meta, META_GOVERNANCE.to_vec()));
        (writes, id, effects.seal.effects_hash)
    };
    let (first, id, effects_hash) = outcome(&orders[0]);
    for order in &orders[1..] {
        let (writes, other_id, other_hash) = outcome(order);
        assert_eq!(first, writes, "{order:?}");
        assert_ne!((&id, effects_hash), (&other_id, other_hash), "the ledger still tells the orders apart");
    }
}

#[test]
fn reversals_of_one_batch_have_one_status_root_in_every_order() {
    let (ledger, _) = busy();
    let paid = |number| blue(&ledger, number).with_keys(&[uniqueness(Payment, number as u8)]);
    let reds: Vec<Vec<u8>> = (1..=4).map(|number| red(&ledger, 100 + number, &paid(number)).leaf()).collect();
    let run = |leaves: &Vec<Vec<u8>>| {
        let seal = ledger.execute(ledger.content(vec![ledger.batch(1, leaves.clone())])).unwrap().seal;
        (seal.status_root, seal.totals_commitment)
    };
    let orders = permutations(&reds);
    let first = run(&orders[0]);
    assert!(orders.iter().all(|order| run(order) == first));
}

/// A store that counts what is asked for one by one.
struct Counting<'a>(&'a Ledger, RefCell<BTreeMap<Table, usize>>);

impl StateRead for Counting<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        *self.1.borrow_mut().entry(table).or_default() += 1;
        self.0.state.get(table, key)
    }

    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, ReadError> {
        self.0.state.get_many(table, keys)
    }
}

#[test]
fn what_grows_with_the_receipts_is_asked_for_at_once() {
    let (ledger, content) = busy();
    let counting = Counting(&ledger, RefCell::default());
    let effects = apply(&counting, &ledger.chain, &ledger.check(content.clone()).unwrap()).unwrap();
    same(&effects, &ledger.execute(content).unwrap());
    let asked = counting.1.into_inner();
    assert!(asked.contains_key(&Table::Units));
    for table in [Table::Receipts, Table::BizKeys, Table::UniquenessKeys] {
        assert_eq!(asked.get(&table), None, "{}", table.name());
    }
}

/// A store that fails on one table.
struct Failing<'a>(&'a Ledger, Table);

impl StateRead for Failing<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        if table == self.1 { Err(ReadError("disk".to_owned())) } else { self.0.state.get(table, key) }
    }
}

/// A store that answers with bytes it was never given.
struct Damaged<'a>(&'a Ledger, Table);

impl StateRead for Damaged<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        if table == self.1 { Ok(Some(vec![0xFF; 3])) } else { self.0.state.get(table, key) }
    }
}

#[test]
fn a_broken_store_is_never_the_blocks_fault() {
    let (ledger, content) = busy();
    let checked = ledger.check(content).unwrap();
    let read = [
        Table::Meta,
        Table::Receipts,
        Table::BizKeys,
        Table::UniquenessKeys,
        Table::Units,
        Table::Keys,
        Table::Segments,
        Table::SegmentIndex,
        Table::Issuers,
    ];
    for table in read {
        let result = apply(&Failing(&ledger, table), &ledger.chain, &checked);
        assert_eq!(result.err(), Some(ApplyError::Read(ReadError("disk".to_owned()))), "{table:?}");
    }
    for table in [Table::Meta, Table::Units, Table::Keys, Table::SegmentIndex, Table::Segments, Table::Issuers] {
        let result = apply(&Damaged(&ledger, table), &ledger.chain, &checked);
        assert!(matches!(result, Err(ApplyError::Read(_))), "{table:?}");
    }
}
