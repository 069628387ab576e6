//! The directory of units: what of the registry its rows say, and that only what changes them costs anything.

use crate::directory::{Directory, UnitRow, directory_root};
use crate::governance::Action;
use crate::hash::Hash;
use crate::ids::{KeyId, UnitId, UnixMillis};
use crate::merkle::empty_root;
use crate::state::tables::{META_DIRECTORY, Table, is_of_registry};
use crate::state::{ChainParameters, CheckedBlock, Effects, NoCache, StateRead, apply, genesis_effects};
use crate::suite::Suite;
use crate::testkit::{GENESIS_TIME_MS, TestChain, UNIT_KEY_BASE};

fn sealed_root(chain: &TestChain) -> Hash {
    chain.blocks().last().unwrap().seal.directory_root
}

/// The directory, whose root is the seal's and the tip's.
fn directory(chain: &TestChain) -> Directory {
    let directory = chain.directory();
    assert_eq!(
        (directory.root(), chain.state().tip().unwrap().unwrap().directory_root),
        (sealed_root(chain), sealed_root(chain))
    );
    directory
}

fn row(chain: &TestChain, unit: u32) -> UnitRow {
    directory(chain).units.into_iter().find(|row| row.unit() == UnitId::new(unit)).unwrap()
}

/// What the newest block left behind, executed once more.
fn effects(chain: &TestChain, actions: Vec<Action>) -> Effects {
    let mut again = TestChain::new();
    assert_eq!(again.height(), chain.height());
    let before = again.directory();
    again.govern(actions);
    let content = crate::block::Block::decode(&again.blocks().last().unwrap().bytes).unwrap().content;
    let mut state = crate::memory::MemoryState::new();
    let genesis = genesis_effects(again.genesis()).unwrap();
    assert_eq!(genesis.seal.directory_root, before.root());
    state.commit(genesis.writes, &genesis.stale_nodes);
    let params = ChainParameters::of(again.genesis());
    let key = |id: KeyId| again.registered_key(id);
    let checked = CheckedBlock::check(content, params.id, &NoCache, &key, [0; 32]).unwrap();
    apply(&state, &params, &checked).unwrap()
}

#[test]
fn genesis_has_a_row_for_each_unit_and_no_key_of_an_issuer() {
    let chain = TestChain::new();
    let directory = directory(&chain);
    assert_eq!(directory.units.len(), chain.state().row_count(Table::Units));
    for row in &directory.units {
        let keys: Vec<u32> = row.keys.iter().map(|key| key.key_id).collect();
        assert_eq!(keys, [UNIT_KEY_BASE + row.unit_id]);
        let registered = chain.registered_key(KeyId::new(keys[0])).unwrap();
        assert_eq!(row.keys[0].public_key, registered.0);
        assert!(row.former_names.is_empty() && !row.unit_name.is_empty());
    }
    assert_eq!(directory_root(Suite::Ed25519Sha256, &[]), empty_root(Suite::Ed25519Sha256));
}

#[test]
fn rows_follow_names_keys_and_revocations() {
    let mut chain = TestChain::new();
    let before = row(&chain, 1);
    let genesis_root = sealed_root(&chain);
    chain.govern(vec![chain.key_action(1, 50), chain.unit_action(700, "示例新单位")]);
    let keys: Vec<u32> = row(&chain, 1).keys.iter().map(|key| key.key_id).collect();
    assert_eq!(keys, [50, UNIT_KEY_BASE + 1], "ascending by number, whenever they came");
    assert!(row(&chain, 700).keys.is_empty());
    assert!(directory(&chain).units.is_sorted_by_key(|row| row.unit_id));
    // Between others, where it moves all that follow.
    chain.govern(vec![chain.unit_action(699, "示例另一单位"), chain.key_action(699, 51)]);
    assert_eq!(row(&chain, 699).keys.len(), 1);
    assert!(directory(&chain).units.is_sorted_by_key(|row| row.unit_id));

    chain.govern(vec![chain.unit_action(1, "示例改名单位")]);
    let renamed_at = chain.blocks().last().unwrap().seal.time;
    let renamed = row(&chain, 1);
    assert_eq!(renamed.former_names.len(), 1);
    let at = |millis: u64| renamed.name_at(UnixMillis::new(millis));
    assert_eq!(at(renamed_at.get() - 1), before.unit_name);
    assert_eq!(at(renamed_at.get()), "示例改名单位");
    // Twice within a block is once.
    chain.govern(vec![chain.unit_action(1, "示例中间名"), chain.unit_action(1, &before.unit_name)]);
    let back = row(&chain, 1);
    let former: Vec<&str> = back.former_names.iter().map(|former| former.unit_name.as_str()).collect();
    assert_eq!((former, &back.unit_name), (vec![before.unit_name.as_str(), "示例改名单位"], &before.unit_name));

    for from in [GENESIS_TIME_MS + 5_000, GENESIS_TIME_MS + 4_000] {
        chain.govern(vec![TestChain::revocation(50, from)]);
        assert_eq!(row(&chain, 1).key(KeyId::new(50)).unwrap().revoked_from_ms, from);
    }
    assert_ne!(sealed_root(&chain), genesis_root);
}

#[test]
fn what_is_not_in_a_row_costs_nothing() {
    let mut chain = TestChain::new();
    let (root, other_issuer) = (sealed_root(&chain), 77);
    let of_directory = |effects: &Effects| {
        let is_of_it = |(table, key): &&(Table, Vec<u8>)| {
            *table == Table::Directory || (*table == Table::Meta && key == META_DIRECTORY)
        };
        effects.writes.keys().filter(is_of_it).count()
    };
    let Action::RegisterUnit(mut suspended) = chain.unit_action(1, &row(&chain, 1).unit_name) else { unreachable!() };
    suspended.suspended_from_ms = GENESIS_TIME_MS + 1;
    let issuer = crate::governance::RegisterIssuer::of_receipts(other_issuer, "other");
    let Action::RegisterKey(mut of_issuer) = chain.key_action(1, 52) else { unreachable!() };
    of_issuer.owner_kind = crate::governance::KeyOwner::Issuer.number();
    of_issuer.owner_id = other_issuer;
    let actions = vec![Action::RegisterUnit(suspended), Action::RegisterIssuer(issuer), Action::RegisterKey(of_issuer)];
    let left = effects(&chain, actions.clone());
    assert_eq!((of_directory(&left), left.seal.directory_root), (0, root));
    let changed = effects(&chain, vec![chain.key_action(1, 53)]);
    assert_eq!(of_directory(&changed), 2, "the unit's row and the leaves");
    chain.govern(actions);
    chain.add_block(&[]);
    assert_eq!(sealed_root(&chain), root);
    assert!(is_of_registry(Table::Directory, &[0; 4]) && !is_of_registry(Table::Meta, META_DIRECTORY));
    assert!(StateRead::get(chain.state(), Table::Meta, META_DIRECTORY).unwrap().is_some());
}
