//! A node does not start under another's key or certificate: it says which, and opens no port.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_tests::TestNetwork;
use tokio::process::Command;

/// Exit code of a refused configuration.
const EXIT_CODE_CONFIG: i32 = 64;

async fn run(program: &Path, config: &Path) -> (Option<i32>, String) {
    let output = Command::new(program)
        .args(["run", "--config"])
        .arg(config)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Puts other files in the place of some, and back.
struct Swapped(Vec<(PathBuf, Vec<u8>)>);

impl Swapped {
    fn new(pairs: &[(PathBuf, PathBuf)]) -> Self {
        let kept = pairs.iter().map(|(own, _)| (own.clone(), std::fs::read(own).unwrap())).collect();
        for (own, other) in pairs {
            std::fs::write(own, std::fs::read(other).unwrap()).unwrap();
        }
        Self(kept)
    }

    fn undo(self) {
        for (path, bytes) in self.0 {
            std::fs::write(path, bytes).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_validators_key_or_certificate_is_refused_by_name() {
    let network = TestNetwork::generate(&NetworkOptions::default()).await.unwrap();
    network.init().await.unwrap();
    let (own, other) = (network.layout().node(1), network.layout().node(2));
    let file = |name: &str| (own.join(name), other.join(name));
    // One passphrase opens all keys of a node.
    let keys = ["consensus.key", "log.key", "cosigner.key", "passphrase"];
    let keys = keys.map(|name| file(&format!("keys/{name}"))).to_vec();
    let certificate = vec![file("tls/node.pem"), file("tls/node.key")];
    for (files, expected) in [(keys, "keys.consensus"), (certificate, "tls.certificate_chain")] {
        let swapped = Swapped::new(&files);
        let (code, said) = run(&network.binaries().node, &network.layout().node_config(1)).await;
        assert_eq!(code, Some(EXIT_CODE_CONFIG), "{expected}: {said}");
        assert!(said.contains(expected) && said.contains("validator 1"), "{said}");
        swapped.undo();
    }
    network.finish(&AllowList::none()).await.unwrap();
}
