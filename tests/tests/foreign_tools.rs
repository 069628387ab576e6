//! The published log is what the public specifications say: foreign software reads it over HTTP from every validator of a
//! network of real processes, verifies signatures and cosignatures, and makes proofs that this project's code accepts.

use std::path::{Path, PathBuf};

use receipt_core::merkle::leaf_hash;
use receipt_core::note::TlogProof;
use receipt_core::suite::Suite;
use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_tests::TestNetwork;
use tallystick_tests::load::Load;
use tallystick_tests::python::Python;

/// More than one tile of 256 hashes, so that the second level has its first one.
const SUITE: Suite = Suite::Ed25519Sha256;
const TREE_SIZE: u64 = 300;
/// Older checkpoints are kept from about these sizes on: within a tile, and around its end.
const OLDER_FROM: [u64; 4] = [2, 20, 130, 256];
/// Acknowledgements between two looks at the tree.
const STEP: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn foreign_software_reads_and_proves_the_published_log() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign");
    let foreign = Python::install(network.binaries().verifier.parent().unwrap(), &directory).await.unwrap();
    let trust = network.trust().unwrap();
    let trust_file = network.layout().root().join("trust-of-foreigners");
    std::fs::write(&trust_file, trust.to_text()).unwrap();
    let first = network.node_addresses(1).unwrap().http;

    let mut load = Load::start(&network, 1, 1).await.unwrap();
    let mut older: Vec<PathBuf> = Vec::new();
    loop {
        load.wait_more(STEP).await.unwrap();
        let (status, note) = http_get(first, "/checkpoint").await.unwrap();
        assert_eq!(status, 200);
        let size = trust.verify_checkpoint(std::str::from_utf8(&note).unwrap()).unwrap().size.get();
        if OLDER_FROM.get(older.len()).is_some_and(|from| size >= *from) {
            let path = network.layout().root().join(format!("checkpoint-{size}"));
            std::fs::write(&path, &note).unwrap();
            older.push(path);
        }
        if size >= TREE_SIZE {
            break;
        }
    }
    assert_eq!(older.len(), OLDER_FROM.len());
    load.stop().await.unwrap();
    let size = network.wait_equal_tips().await.unwrap().sealed_tree_size;

    let text = |path: &Path| path.to_str().unwrap().to_owned();
    for node in &network.description().nodes {
        let url = format!("http://{}", node.http);
        let mut arguments = vec!["read_log.py".to_owned(), url.clone(), text(&trust_file)];
        arguments.extend(older.iter().map(|path| text(path)));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = String::from_utf8(foreign.run(&arguments).await.unwrap()).unwrap();
        let expected = format!("entries included, {} older checkpoints consistent\n", older.len());
        assert!(said.ends_with(&expected), "node-{}: {said}", node.validator_id);

        // A foreign proof file, judged by our code: the first and last leaf, and those around the end of a tile.
        let policy = &trust.set_for(receipt_core::ids::TreeSize::new(size)).unwrap().1.policy;
        for index in [0, 255, 256, size - 1] {
            let index = index.to_string();
            let tool = |command| ["-m", "tlog_scales.cli", command, url.as_str(), index.as_str()];
            let entry = foreign.run(&tool("get-leaf")).await.unwrap();
            let proof = foreign.run(&tool("gen-proof")).await.unwrap();
            let proof = TlogProof::parse_without_extra(&proof).unwrap();
            proof.verify(SUITE, policy, &leaf_hash(SUITE, &entry)).unwrap();
            assert!(proof.verify(SUITE, policy, &leaf_hash(SUITE, &[&entry[..], b"x"].concat())).is_err());
        }
    }
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
