use receipt_core::hash::Hash;
use receipt_core::merkle::{TileId, TileNodes, TileReader, decode_entry_bundle, leaf_hash, root_at, tiles_of};
use receipt_core::suite::Suite;
use receipt_core::testkit::TestChain;
use tallystick_service::http::{HttpLimits, serve};
use tallystick_service::shutdown::CancellationToken;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::testing::TestNode;

/// Blocks so that the log passes one full tile; each adds two leaves.
const BLOCKS: usize = 140;

struct World {
    chain: TestChain,
    node: TestNode,
    address: std::net::SocketAddr,
    _stop: tokio_util::sync::DropGuard,
}

/// Status, header lines in lower case, body.
async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String, Vec<u8>) {
    ask("GET", address, path).await
}

async fn ask(method: &str, address: std::net::SocketAddr, path: &str) -> (u16, String, Vec<u8>) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let at = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..at].to_vec()).unwrap().to_lowercase();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, answer[at + 4..].to_vec())
}

async fn world(blocks: usize) -> World {
    let plenty = std::num::NonZeroU32::MAX;
    world_with(blocks, PublicConfig { calls_per_second: plenty, calls_burst: plenty }).await
}

async fn world_with(blocks: usize, limits: PublicConfig) -> World {
    let mut chain = TestChain::new();
    for _ in 0..blocks {
        let receipt = chain.issue("S01");
        chain.add_block(&[receipt]);
    }
    let node = TestNode::new(&chain, 1);
    node.decide(&chain, chain.height());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, router(node.services.clone(), &limits), HttpLimits::default(), stop.clone()));
    World { chain, node, address, _stop: stop.drop_guard() }
}

/// Tiles as they came over HTTP.
struct Fetched(std::collections::BTreeMap<TileId, Vec<u8>>);

impl TileReader for Fetched {
    type Error = std::convert::Infallible;

    fn suite(&self) -> Suite {
        Suite::Ed25519Sha256
    }

    fn tile(&self, tile: TileId) -> Result<Vec<Hash>, Self::Error> {
        let (hashes, rest) = self.0[&tile].as_chunks::<32>();
        assert!(rest.is_empty());
        Ok(hashes.iter().map(|hash| Hash(*hash)).collect())
    }
}

#[tokio::test]
async fn the_tree_rebuilt_from_the_tiles_has_the_checkpoints_root() {
    let world = world(BLOCKS).await;
    // The newest height is decided, and not sealed: nothing of it is public.
    let sealed = Height::new(world.chain.height().get() - 1);
    world.node.seal(&world.chain, sealed);
    let (status, head, note) = get(world.address, "/checkpoint").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; charset=utf-8") && head.contains("cache-control: no-cache"));
    let note = String::from_utf8(note).unwrap();
    assert_eq!(note, world.chain.blocks()[sealed.get() as usize].checkpoint, "verbatim");
    let checkpoint = world.chain.trust().verify_checkpoint(&note).unwrap();
    assert!(checkpoint.size.get() > 256, "more than one tile: {}", checkpoint.size);

    let mut tiles = std::collections::BTreeMap::new();
    for tile in tiles_of(checkpoint.size) {
        let (status, head, bytes) = get(world.address, &format!("/{}", TilePath::Hashes(tile))).await;
        assert_eq!((status, bytes.len()), (200, 32 * usize::from(tile.width())), "{}", TilePath::Hashes(tile));
        assert!(head.contains("immutable"));
        tiles.insert(tile, bytes);
    }
    let leaves: Vec<TileId> = tiles.keys().copied().filter(|tile| tile.level() == 0).collect();
    let fetched = Fetched(tiles);
    let root = root_at(&TileNodes::new(&fetched, checkpoint.size), checkpoint.size).unwrap();
    assert_eq!(root, checkpoint.root);

    // The entries are those of the blocks, and their hashes are the tiles'.
    let expected: Vec<&Vec<u8>> = world.chain.blocks().iter().flat_map(|block| &block.entries).collect();
    for tile in leaves {
        let (status, _, bundle) = get(world.address, &format!("/{}", TilePath::Entries(tile))).await;
        assert_eq!(status, 200);
        let entries = decode_entry_bundle(&bundle, tile.width()).unwrap();
        let first = tile.index() as usize * 256;
        for (offset, (entry, hash)) in entries.into_iter().zip(fetched.tile(tile).unwrap()).enumerate() {
            assert_eq!(entry, expected[first + offset].as_slice());
            assert_eq!(leaf_hash(Suite::Ed25519Sha256, entry), hash);
        }
    }
}

#[tokio::test]
async fn the_paths_are_the_specifications() {
    let world = world(3).await;
    let size = world.chain.blocks()[2].log_size;
    world.node.seal(&world.chain, Height::new(2));
    let partial = format!("/tile/0/000.p/{size}");
    assert_eq!(get(world.address, &partial).await.0, 200);
    assert_eq!(get(world.address, &format!("/tile/entries/000.p/{size}")).await.0, 200);
    // A smaller width of the same tile exists, too; nothing beyond the sealed size, and no other spelling.
    assert_eq!(get(world.address, "/tile/0/000.p/1").await.0, 200);
    let beyond = size + 1;
    for path in [
        format!("/tile/0/000.p/{beyond}"),
        format!("/tile/entries/000.p/{beyond}"),
        "/tile/0/000".to_owned(),
        "/tile/0/001.p/1".to_owned(),
        "/tile/1/000.p/1".to_owned(),
        format!("/tile/0/0.p/{size}"),
        format!("/tile/0/x000/000.p/{size}"),
        "/tile/8/0/000.p/1".to_owned(),
        "/tile/0/000.p/0".to_owned(),
        "/tile/0/000.p/01".to_owned(),
        "/tile/entries/../0/000.p/1".to_owned(),
        "/tile/".to_owned(),
        "/nothing".to_owned(),
    ] {
        assert_eq!(get(world.address, &path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn before_the_first_seal_nothing_is_public_and_too_many_reads_are_told_to_wait() {
    let world = world(1).await;
    assert_eq!(get(world.address, "/checkpoint").await.0, 404);
    assert_eq!(get(world.address, "/tile/0/000.p/1").await.0, 404);
    world.node.seal(&world.chain, Height::new(0));
    assert_eq!(get(world.address, "/tile/0/000.p/1").await.0, 200);
    let door = Door { services: world.node.services.clone(), reads: Arc::new(Semaphore::new(0)) };
    let refused = door.read(|services| services.ledger.store.published_checkpoint()).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn an_address_that_calls_too_often_is_told_when_to_come_again() {
    let one = std::num::NonZeroU32::MIN;
    let burst = std::num::NonZeroU32::new(3).unwrap();
    let world = world_with(1, PublicConfig { calls_per_second: one, calls_burst: burst }).await;
    world.node.seal(&world.chain, Height::new(0));
    // Whatever is asked for counts. A machine that is slow enough may get a call more, but not ten.
    let mut answers = Vec::new();
    for path in ["/checkpoint", "/nothing", "/tile/0/000.p/1"].iter().cycle().take(13) {
        answers.push(get(world.address, path).await);
    }
    assert_eq!([answers[0].0, answers[1].0, answers[2].0], [200, 404, 200]);
    let refused = answers.iter().find(|(status, ..)| *status == 429);
    let (_, head, body) = refused.expect("one of thirteen calls is too many");
    assert!(head.contains("retry-after: 1") && body.is_empty(), "{head}");
    assert!(head.contains("access-control-allow-origin: *"), "a page is told as well: {head}");
}

#[tokio::test]
async fn a_read_that_meets_a_failed_store_ends_the_process() {
    let world = world(1).await;
    world.node.seal(&world.chain, Height::new(1));
    world.node.services.ledger.store.damage(crate::store::HEIGHTS, &1_u64.to_be_bytes());
    let (status, _, body) = get(world.address, "/tile/0/000.p/1").await;
    assert_eq!((status, body.len()), (500, 0));
    assert!(world.node.services.fatal.told().is_some_and(|told| told.contains("corrupt")));
}

#[tokio::test]
async fn any_page_may_read_every_answer() {
    let world = world(1).await;
    world.node.seal(&world.chain, Height::new(1));
    let rows: [(&str, &str, u16, bool); 11] = [
        ("GET", "/", 200, true),
        ("GET", "/checkpoint", 200, true),
        ("GET", "/tile/0/000.p/1", 200, true),
        ("HEAD", "/checkpoint", 200, false),
        ("HEAD", "/tile/0/000.p/1", 200, false),
        ("GET", "/tile/0/000", 404, false),
        ("GET", "/nothing", 404, false),
        ("POST", "/checkpoint", 405, false),
        ("OPTIONS", "/checkpoint", 204, false),
        ("OPTIONS", "/tile/0/000.p/1", 204, false),
        ("OPTIONS", "/nothing", 404, false),
    ];
    for (method, path, expected, has_body) in rows {
        let (status, head, body) = ask(method, world.address, path).await;
        assert_eq!((status, !body.is_empty()), (expected, has_body), "{method} {path}");
        assert!(head.contains("access-control-allow-origin: *"), "{method} {path}: {head}");
        if method == "OPTIONS" && status == 204 {
            assert!(head.contains("access-control-allow-methods: get, head"), "{head}");
        }
    }
    let (_, head, body) = get(world.address, "/").await;
    let line = String::from_utf8(body).unwrap();
    assert!(
        line.ends_with('\n') && line.lines().count() == 1 && line.contains(&world.chain.genesis().origin),
        "{line}"
    );
    assert!(head.contains("content-type: text/plain"), "{head}");
}
