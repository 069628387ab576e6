//! The registry's map: its root proves each row, of now and of then, and moves with governance alone.

use crate::governance::{Action, RegisterKind};
use crate::ids::Height;
use crate::memory::MemoryState;
use crate::seal::Seal;
use crate::state::tables::{META_AUTHORITIES, META_BLINDING, META_VALIDATORS, Table};
use crate::state::{StateRead as _, as_registered, is_in_registry_map, registry_map_key};
use crate::suite::Suite;
use crate::testkit::{ISSUER, TestChain};

const SUITE: Suite = Suite::Ed25519Sha256;
const KIND: u32 = 990_188;

/// What the root of a seal proves of a row, by the nodes of the version.
fn proved(state: &MemoryState, version: u64, seal: &Seal, table: Table, key: &[u8]) -> Option<Vec<u8>> {
    let lookup = state.prove_registered(SUITE, Height::new(version), (table, key)).unwrap();
    let place = registry_map_key(SUITE, table, key);
    lookup.proof.verify(SUITE, &seal.registry_root, &place, lookup.value.as_deref()).unwrap();
    lookup.value
}

fn register(chain: &mut TestChain, name: &str) {
    let governance = chain.governance(vec![Action::RegisterKind(RegisterKind::named(KIND, name))]);
    chain.add_items(vec![crate::block::Item::Governance(governance)]).unwrap();
}

fn seal(chain: &TestChain, height: usize) -> &Seal {
    &chain.blocks()[height].seal
}

#[test]
fn the_root_proves_every_row_that_governance_has_put_there_and_that_others_are_not() {
    let mut chain = TestChain::new();
    register(&mut chain, "试验票据");
    let mut rows = 0;
    for table in Table::ALL {
        for (key, value) in chain.state().rows(table) {
            if is_in_registry_map(table, key) {
                let expected = as_registered(table, value).unwrap();
                assert_eq!(proved(chain.state(), 1, seal(&chain, 1), table, key), Some(expected), "{}", table.name());
                rows += 1;
            }
        }
    }
    assert!(rows > 50, "{rows} rows");
    assert_eq!(proved(chain.state(), 1, seal(&chain, 1), Table::Kinds, &123_456_u32.to_be_bytes()), None);
    // The key says of which table a row is.
    assert_eq!(proved(chain.state(), 1, seal(&chain, 1), Table::Units, &KIND.to_be_bytes()), None);
    assert!(is_in_registry_map(Table::Meta, META_AUTHORITIES));
    for (table, key) in [
        (Table::Meta, META_VALIDATORS),
        (Table::Meta, META_BLINDING),
        (Table::Directory, &[0; 4][..]),
        (Table::Receipts, &[0; 12]),
        (Table::RegistryNodes, b"head"),
    ] {
        assert!(!is_in_registry_map(table, key), "{}", table.name());
    }
}

#[test]
fn rows_of_every_past_height_are_proved_under_the_seal_of_then() {
    let mut chain = TestChain::new();
    register(&mut chain, "first");
    chain.add_block(&[]);
    register(&mut chain, "second");
    let name = |version, height| {
        let row = proved(chain.state(), version, seal(&chain, height), Table::Kinds, &KIND.to_be_bytes());
        row.map(|row| <RegisterKind as prost::Message>::decode(row.as_slice()).unwrap().name)
    };
    assert_eq!(name(0, 0), None);
    // Block 2 changed nothing: the root of block 1 stands in its seal.
    assert_eq!([name(1, 1), name(1, 2)], [(); 2].map(|()| Some("first".to_owned())));
    assert_eq!(name(3, 3).as_deref(), Some("second"));
    let key = registry_map_key(SUITE, Table::Kinds, &KIND.to_be_bytes());
    let then = chain.state().prove_registered(SUITE, Height::new(1), (Table::Kinds, &KIND.to_be_bytes())).unwrap();
    let now = seal(&chain, 3).registry_root;
    then.proof.verify(SUITE, &now, &key, then.value.as_deref()).expect_err("what was, said of now");
}

/// Numbers used, an issuer's next batch: they move in every block, and no root has to be made for them.
#[test]
fn what_moves_without_governance_does_not_move_the_root() {
    let mut chain = TestChain::new();
    let receipts = ["S02", "S05"].map(|id| chain.issue(id));
    chain.add_block(&receipts);
    assert_eq!(seal(&chain, 1).registry_root, seal(&chain, 0).registry_root);
    let tip = chain.state().tip().unwrap().unwrap();
    assert_eq!((tip.registry_root, tip.registry_version), (seal(&chain, 0).registry_root, Height::ZERO));
    let segment = |chain: &TestChain| {
        let rows = chain.state().rows(Table::Segments);
        let used = rows.into_iter().find(|(_, value)| as_registered(Table::Segments, value).unwrap() != *value);
        used.map(|(key, value)| (key.to_vec(), value.to_vec()))
    };
    let (key, moved) = segment(&chain).expect("numbers were used");
    // A block that governs does not see them either.
    register(&mut chain, "试验票据");
    assert_ne!(seal(&chain, 2).registry_root, seal(&chain, 0).registry_root);
    let registered = as_registered(Table::Segments, &moved).unwrap();
    assert_ne!(registered, moved);
    assert_eq!(proved(chain.state(), 2, seal(&chain, 2), Table::Segments, &key), Some(registered));
    let issuer = chain.state().get(Table::Issuers, &ISSUER.to_be_bytes()).unwrap().unwrap();
    let registered = as_registered(Table::Issuers, &issuer).unwrap();
    assert_ne!(registered, issuer, "its next batch");
    assert_eq!(proved(chain.state(), 2, seal(&chain, 2), Table::Issuers, &ISSUER.to_be_bytes()), Some(registered));
}
