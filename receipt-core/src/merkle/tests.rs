//! Published vectors, all sizes up to 70 leaf by leaf, wrong paths, and junk.

use std::cell::Cell;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;

use super::*;
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize};
use crate::suite::Suite;

const SUITE: Suite = Suite::Ed25519Sha256;

const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const ROOTS: [(u64, &str); 6] = [
    (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
];

const INCLUSION_5_IN_8: [&str; 3] = [
    "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
    "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
    "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
];

const CONSISTENCY_6_TO_8: [&str; 3] = [
    "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
    "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
    "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
];

fn hash_from_hex(text: &str) -> Hash {
    Hash::from_slice(&hex::decode(text).unwrap()).unwrap()
}

fn hashes_from_base64(lines: &[&str]) -> Vec<Hash> {
    lines.iter().map(|line| Hash::from_slice(&BASE64_STANDARD.decode(line).unwrap()).unwrap()).collect()
}

fn index(value: u64) -> LeafIndex {
    LeafIndex::new(value)
}

fn size(value: u64) -> TreeSize {
    TreeSize::new(value)
}

/// A store of complete subtrees, as a node keeps one, that counts its reads.
struct Store {
    nodes: BTreeMap<NodeId, Hash>,
    frontier: Frontier,
    roots: Vec<Hash>,
    reads: Cell<usize>,
}

impl Store {
    fn with_leaves(leaves: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let frontier = Frontier::new(SUITE);
        let (nodes, roots, reads) = (BTreeMap::new(), vec![frontier.root()], Cell::new(0));
        let mut store = Self { nodes, frontier, roots, reads };
        for leaf in leaves {
            let nodes = &mut store.nodes;
            let appended = store.frontier.append(&leaf, |id, hash| {
                assert_eq!(nodes.insert(id, hash), None, "a complete subtree is written once");
            });
            appended.unwrap();
            store.roots.push(store.frontier.root());
        }
        store
    }

    fn numbered(count: u64) -> Self {
        Self::with_leaves((0..count).map(|i| i.to_be_bytes().to_vec()))
    }
}

impl NodeReader for Store {
    type Error = NodeId;

    fn suite(&self) -> Suite {
        SUITE
    }

    fn node(&self, id: NodeId) -> Result<Hash, NodeId> {
        self.reads.set(self.reads.get() + 1);
        self.nodes.get(&id).copied().ok_or(id)
    }
}

/// Serves the store's tiles, and only tiles that exist at the size.
struct Tiles<'a>(&'a Store, TreeSize);

impl TileReader for Tiles<'_> {
    type Error = NodeId;

    fn suite(&self) -> Suite {
        SUITE
    }

    fn tile(&self, tile: TileId) -> Result<Vec<Hash>, NodeId> {
        assert!(tile.exists_at(self.1));
        Ok(tile_hashes(self.0, tile)?.unwrap())
    }
}

#[test]
fn published_roots() {
    let leaves: Vec<Vec<u8>> = LEAVES.iter().map(|leaf| hex::decode(leaf).unwrap()).collect();
    let store = Store::with_leaves(leaves.clone());
    for (count, root) in ROOTS {
        let root = hash_from_hex(root);
        assert_eq!(
            InnerTree::from_leaves(SUITE, &leaves[..count as usize]).unwrap().root(),
            root,
            "inner, n = {count}"
        );
        assert_eq!(store.roots[count as usize], root, "frontier, n = {count}");
        assert_eq!(root_at(&store, size(count)).unwrap(), root, "log, n = {count}");
    }
}

#[test]
fn published_paths() {
    let leaves: Vec<Vec<u8>> = LEAVES.iter().map(|leaf| hex::decode(leaf).unwrap()).collect();
    let store = Store::with_leaves(leaves.clone());
    let inclusion = hashes_from_base64(&INCLUSION_5_IN_8);
    assert_eq!(InnerTree::from_leaves(SUITE, &leaves).unwrap().path(index(5)).unwrap(), inclusion);
    assert_eq!(inclusion_path(&store, index(5), size(8)).unwrap(), inclusion);
    assert_eq!(
        verify_inclusion(SUITE, &leaf_hash(SUITE, &leaves[5]), index(5), size(8), &inclusion, &store.roots[8]),
        Ok(())
    );
    let consistency = hashes_from_base64(&CONSISTENCY_6_TO_8);
    assert_eq!(consistency_path(&store, size(6), size(8)).unwrap(), consistency);
    assert_eq!(verify_consistency(SUITE, size(6), &store.roots[6], size(8), &store.roots[8], &consistency), Ok(()));
}

#[test]
fn frontier_log_and_inner_tree_agree_up_to_300() {
    let store = Store::numbered(300);
    for count in 0..=300u64 {
        let tree = InnerTree::from_leaves(SUITE, (0..count).map(u64::to_be_bytes)).unwrap();
        assert_eq!(tree.root(), store.roots[count as usize], "root at {count}");
        assert_eq!(tree.root(), root_of_leaves(SUITE, (0..count).map(u64::to_be_bytes)), "streamed root at {count}");
        assert_eq!(root_at(&store, size(count)).unwrap(), tree.root(), "stored root at {count}");
        let paths = tree.paths();
        assert_eq!(paths.len() as u64, count);
        for (position, path) in (0..).zip(&paths) {
            assert_eq!(inclusion_path(&store, index(position), size(count)).as_ref(), Ok(path));
        }
        assert_eq!(tree.path(index(count)), None);
        let refused = LogError::IndexBeyondSize { index: index(count), size: size(count) };
        assert_eq!(inclusion_path(&store, index(count), size(count)), Err(refused));
    }
}

#[test]
fn every_inclusion_up_to_70_and_every_way_to_spoil_it() {
    let store = Store::numbered(70);
    let lengths: Vec<Vec<usize>> = (0..=140u64)
        .map(|count| InnerTree::from_leaves(SUITE, (0..count).map(u64::to_be_bytes)).unwrap().paths())
        .map(|paths| paths.iter().map(Vec::len).collect())
        .collect();
    for count in 1..=70u64 {
        let root = store.roots[count as usize];
        for position in 0..count {
            let leaf = leaf_hash(SUITE, &position.to_be_bytes());
            let path = inclusion_path(&store, index(position), size(count)).unwrap();
            let verify = |leaf, at, of, path: &[Hash]| verify_inclusion(SUITE, leaf, index(at), size(of), path, &root);
            assert_eq!(verify(&leaf, position, count, &path), Ok(()));

            let longer = [path.as_slice(), &[root]].concat();
            assert_eq!(verify(&leaf, position, count, &longer), Err(ProofError::PathTooLong));
            if let Some((_, shorter)) = path.split_last() {
                assert_eq!(verify(&leaf, position, count, shorter), Err(ProofError::PathTooShort));
            }
            for spoiled in 0..path.len() {
                let mut path = path.clone();
                path[spoiled].0[spoiled % 32] ^= 1;
                assert_eq!(verify(&leaf, position, count, &path), Err(ProofError::RootMismatch));
            }
            let other_leaf = leaf_hash(SUITE, b"another leaf");
            assert_eq!(verify(&other_leaf, position, count, &path), Err(ProofError::RootMismatch));
            assert!(verify_inclusion(SUITE, &leaf, index(position), size(count), &path, &Hash::ZERO).is_err());
            for elsewhere in (0..count).filter(|elsewhere| *elsewhere != position) {
                assert!(verify(&leaf, elsewhere, count, &path).is_err(), "{position} also at {elsewhere} of {count}");
            }
            let beyond = ProofError::IndexBeyondSize { index: index(count), size: size(count) };
            assert_eq!(verify(&leaf, count, count, &path), Err(beyond));
            // A size that needs another number of hashes is refused; the rest is why the size must be signed.
            for wrong in 0..=2 * count {
                if lengths[wrong as usize].get(position as usize) != Some(&path.len()) {
                    assert!(verify(&leaf, position, wrong, &path).is_err(), "{position} of {count} under {wrong}");
                }
            }
        }
    }
}

#[test]
fn every_consistency_up_to_70_and_every_way_to_spoil_it() {
    let store = Store::numbered(70);
    for second in 1..=70u64 {
        for first in 1..=second {
            let (old, new) = (store.roots[first as usize], store.roots[second as usize]);
            let path = consistency_path(&store, size(first), size(second)).unwrap();
            let verify = |from, to, path: &[Hash]| verify_consistency(SUITE, size(from), &old, size(to), &new, path);
            assert_eq!(verify(first, second, &path), Ok(()), "{first} to {second}");

            let longer = [path.as_slice(), &[new]].concat();
            assert_eq!(verify(first, second, &longer), Err(ProofError::PathTooLong), "{first} to {second}");
            if let Some((_, shorter)) = path.split_last() {
                assert_eq!(verify(first, second, shorter), Err(ProofError::PathTooShort), "{first} to {second}");
            }
            for spoiled in 0..path.len() {
                let mut path = path.clone();
                path[spoiled].0[spoiled % 32] ^= 1;
                assert_eq!(verify(first, second, &path), Err(ProofError::RootMismatch));
            }
            let other = Hash::ZERO;
            assert!(verify_consistency(SUITE, size(first), &other, size(second), &new, &path).is_err());
            assert!(verify_consistency(SUITE, size(first), &old, size(second), &other, &path).is_err());
            for wrong in (0..=second).filter(|wrong| *wrong != first) {
                assert!(verify(wrong, second, &path).is_err(), "{first} to {second} passes as {wrong}");
            }
        }
        assert!(
            verify_consistency(SUITE, size(0), &store.roots[0], size(second), &store.roots[second as usize], &[])
                .is_err()
        );
        assert!(consistency_path(&store, size(second), size(second - 1)).is_err());
        assert!(consistency_path(&store, size(0), size(second)).is_err());
    }
}

#[test]
fn proofs_read_o_log_n_nodes() {
    let store = Store::numbered(70_000);
    let reads = |action: &dyn Fn()| {
        store.reads.set(0);
        action();
        store.reads.get()
    };
    for (position, count) in [(0, 70_000), (69_999, 70_000), (65_535, 65_537), (12_345, 54_321)] {
        let read = reads(&|| assert!(inclusion_path(&store, index(position), size(count)).is_ok()));
        assert!(read <= 2 * 17, "{read} reads for {position} of {count}");
    }
    for (first, second) in [(1, 70_000), (65_535, 70_000), (54_321, 69_999)] {
        let read = reads(&|| assert!(consistency_path(&store, size(first), size(second)).is_ok()));
        assert!(read <= 2 * 17, "{read} reads from {first} to {second}");
    }
    assert!(store.nodes.len() < 2 * 70_000);
}

#[test]
fn a_missing_node_is_an_error() {
    let mut store = Store::numbered(7);
    store.nodes.remove(&NodeId { level: 1, index: 2 });
    let missing = NodeId { level: 1, index: 2 };
    assert_eq!(root_at(&store, size(7)), Err(LogError::Reader(missing)));
    assert_eq!(inclusion_path(&store, index(0), size(7)), Err(LogError::Reader(missing)));
    assert_eq!(frontier_at(&store, size(7)), Err(LogError::Reader(missing)));
    assert_eq!(root_at(&Store::numbered(3), size(4)), Err(LogError::Reader(NodeId { level: 2, index: 0 })));
}

#[test]
fn frontier_encoding_is_exact() {
    let store = Store::numbered(70);
    for count in 0..=70u64 {
        let frontier = frontier_at(&store, size(count)).unwrap();
        assert_eq!(frontier.root(), store.roots[count as usize]);
        let bytes = frontier.encode();
        assert_eq!(Frontier::decode(SUITE, &bytes), Ok(frontier));
        assert!(Frontier::decode(SUITE, &bytes[..bytes.len() - 1]).is_err());
        assert!(Frontier::decode(SUITE, &[bytes.as_slice(), &[0]].concat()).is_err());
        assert!(Frontier::decode(SUITE, &[bytes.as_slice(), &[0; 32]].concat()).is_err());
    }
    let full = [&[0xff; 8][..], &[7; 64 * 32]].concat();
    let mut full = Frontier::decode(SUITE, &full).unwrap();
    assert_eq!(full.append(b"", |_, _| panic!("nothing is completed")), Err(FrontierError::Full));
}

#[test]
fn tiles_of_70_000_leaves() {
    let tiles: Vec<TileId> = tiles_of(size(70_000)).collect();
    let of_level = |level| tiles.iter().filter(move |tile| tile.level() == level);
    assert_eq!(of_level(0).filter(|tile| tile.width() == 256).count(), 273);
    assert_eq!(of_level(0).next_back().unwrap().width(), 112);
    assert_eq!(of_level(0).count(), 274);
    assert_eq!(of_level(1).map(|tile| tile.width()).collect::<Vec<_>>(), [256, 17]);
    assert_eq!(of_level(2).map(|tile| tile.width()).collect::<Vec<_>>(), [1]);
    assert_eq!(tiles.iter().filter(|tile| tile.level() > 2).count(), 0);
    assert_eq!(tiles_of(size(0)).count(), 0);
    let names = |count| tiles_of(size(count)).map(|tile| TilePath::Hashes(tile).to_string()).collect::<Vec<_>>();
    assert_eq!(names(256), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(names(257), ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]);
}

#[test]
fn new_tiles_are_those_that_the_old_log_lacks() {
    for old in (0..1_000u64).step_by(37).chain([255, 256, 257, 65_535, 65_536]) {
        for new in [old, old + 1, old + 255, old + 256, old + 300, old + 66_000] {
            let had: Vec<TileId> = tiles_of(size(old)).collect();
            let expected: Vec<TileId> = tiles_of(size(new)).filter(|tile| !had.contains(tile)).collect();
            assert_eq!(new_tiles(size(old), size(new)).collect::<Vec<_>>(), expected, "{old} to {new}");
        }
    }
}

#[test]
fn proofs_from_tiles_equal_proofs_from_nodes() {
    let store = Store::numbered(70_000);
    for count in [1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000] {
        let tiles = Tiles(&store, size(count));
        let nodes = TileNodes::new(&tiles, size(count));
        assert_eq!(root_at(&nodes, size(count)), Ok(store.roots[count as usize]));
        for position in [0, count / 3, count / 2, count - 1] {
            let path = inclusion_path(&nodes, index(position), size(count)).unwrap();
            assert_eq!(inclusion_path(&store, index(position), size(count)), Ok(path));
            let path = consistency_path(&nodes, size(position + 1), size(count)).unwrap();
            assert_eq!(consistency_path(&store, size(position + 1), size(count)), Ok(path));
        }
        let beyond = NodeId { level: 0, index: count };
        assert_eq!(nodes.node(beyond), Err(TileNodesError::Incomplete { level: 0, index: count }));
        assert!(nodes.node(NodeId { level: 200, index: 0 }).is_err());
    }
}

#[test]
fn tile_paths() {
    let hashes = |level, index, width| TilePath::Hashes(TileId::new(level, index, width).unwrap());
    let entries = |index, width| TilePath::Entries(TileId::new(0, index, width).unwrap());
    let good = [
        ("tile/0/x001/x234/067", hashes(0, 1_234_067, 256)),
        ("tile/0/x001/x234/067.p/8", hashes(0, 1_234_067, 8)),
        ("tile/2/000.p/1", hashes(2, 0, 1)),
        ("tile/63/999", hashes(63, 999, 256)),
        ("tile/1/x001/000", hashes(1, 1000, 256)),
        ("tile/entries/001.p/1", entries(1, 1)),
        ("tile/entries/x273/000", entries(273_000, 256)),
        ("tile/0/x018/x446/x744/x073/x709/x551/615", hashes(0, u64::MAX, 256)),
    ];
    for (path, tile) in good {
        assert_eq!(TilePath::parse(path), Ok(tile), "{path}");
        assert_eq!(tile.to_string(), path);
    }
    let bad = [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/0/x000/000",
        "tile/0/x000/x001/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.p/1/",
        "tile/0/000/",
        "tile/8/0/000",
        "tile/entries/1",
        "tile/entrie/001",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
        "tile/0/٠٠٠",
    ];
    for path in bad {
        assert!(TilePath::parse(path).is_err(), "{path} was taken");
    }
}

#[test]
fn entry_bundles() {
    let longest = vec![7u8; 65_535];
    let entries: [&[u8]; 4] = [b"", b"a", b"two", &longest];
    let bundle = encode_entry_bundle(entries).unwrap();
    assert_eq!(&bundle[..10], b"\x00\x00\x00\x01a\x00\x03two");
    assert_eq!(decode_entry_bundle(&bundle, 4).unwrap(), entries);
    assert_eq!(decode_entry_bundle(&bundle, 3), Err(BundleError::Trailing));
    assert_eq!(decode_entry_bundle(&bundle, 5), Err(BundleError::Truncated));
    for cut in [0, 1, 3, 9, bundle.len() - 1] {
        assert_eq!(decode_entry_bundle(&bundle[..cut], 4), Err(BundleError::Truncated));
    }
    assert_eq!(encode_entry_bundle([vec![0; 65_536]]), Err(BundleError::EntryTooLong { bytes: 65_536 }));
}

proptest! {
    #[test]
    fn junk_never_panics(
        text in "(tile/)?(entries|[0-9]{0,3})?/?[x0-9/.p]{0,40}",
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        numbers in any::<[u64; 4]>(),
        path in proptest::collection::vec(any::<[u8; 32]>(), 0..80),
    ) {
        if let Ok(tile) = TilePath::parse(&text) {
            prop_assert_eq!(tile.to_string(), text);
        }
        if let Ok(frontier) = Frontier::decode(SUITE, &bytes) {
            prop_assert_eq!(frontier.encode(), bytes.clone());
        }
        let _ = decode_entry_bundle(&bytes, numbers[0] as u16);
        let path: Vec<Hash> = path.into_iter().map(Hash).collect();
        let [a, b, c, _] = numbers;
        prop_assert!(verify_inclusion(SUITE, &Hash::ZERO, index(a), size(b), &path, &Hash::ZERO).is_err());
        prop_assert!(verify_consistency(SUITE, size(a), &Hash::ZERO, size(c), &Hash([1; 32]), &path).is_err());
        for tile in tiles_of(size(numbers[3] % 100_000)) {
            prop_assert!(tile.exists_at(size(numbers[3] % 100_000)));
        }
    }
}
