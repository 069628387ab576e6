//! The configuration is checked before a port is bound, and the engine's limits fit the blocks.

use super::*;
use crate::network::FRAME_BYTES_MAX;
use crate::network::tests::silent;
use crate::streaming::{CHUNK_BYTES, chunk_count};

fn config(directory: &std::path::Path) -> EngineConfig {
    EngineConfig {
        moniker: "node".to_owned(),
        chain_id: [0xC1; 32],
        member: MemberId::new(1),
        network: silent(1, &[2]).unwrap(),
        log_path: directory.join("log"),
        block_bytes_max: 4 * 1024 * 1024,
        votes: true,
        #[cfg(feature = "byzantine")]
        byzantine: None,
    }
}

fn failing_key(config: &EngineConfig) -> &'static str {
    match config.checked() {
        Err(EngineError::Config { key, .. }) => key,
        Err(other) => panic!("{other}"),
        Ok(_) => "none",
    }
}

#[test]
fn each_unusable_value_is_named() {
    let directory = scratch::Directory::new();
    let changed = |change: fn(&mut EngineConfig)| {
        let mut config = config(directory.path());
        change(&mut config);
        failing_key(&config)
    };
    assert_eq!(changed(|_| ()), "none");
    assert_eq!(changed(|config| config.moniker.clear()), "moniker");
    assert_eq!(changed(|config| config.block_bytes_max = 10), "block_bytes_max");
    assert_eq!(changed(|config| config.block_bytes_max = usize::MAX), "block_bytes_max");
    assert_eq!(changed(|config| config.log_path = "/no/such/directory/log".into()), "log_path");
    let locked = config(directory.path());
    let lock = lock_log(&locked.log_path).unwrap();
    assert_eq!(failing_key(&locked), "log_path");
    drop(lock);
    assert_eq!(failing_key(&locked), "none");
}

#[test]
fn peers_are_others_and_each_only_once() {
    for peers in [&[1, 2][..], &[2, 2]] {
        assert!(matches!(silent(1, peers), Err(EngineError::Config { key: "peers", .. })), "{peers:?}");
    }
    assert!(silent(1, &[]).is_ok(), "a chain of one");
}

#[test]
fn messages_have_room_for_the_largest_block() {
    let directory = scratch::Directory::new();
    let config = config(directory.path());
    let checked = config.checked().unwrap();
    let certificates = REQUEST_HEIGHTS_MAX * (4 + 46 + 68 * crate::certificate::SIGNATURES_MAX);
    let answer = (10 + config.block_bytes_max + certificates) as u64;
    assert!(checked.sync.max_response_size.as_u64() >= answer);
    let hashes = 32 * chunk_count(BLOCK_BYTES_LIMIT) as u64;
    let votes = 256 * crate::types::MEMBERS_MAX as u64;
    assert!([CHUNK_BYTES as u64, hashes, votes].iter().all(|bytes| FRAME_BYTES_MAX as u64 > bytes + 4096));
    assert!(!checked.sync.status_update_interval.is_zero(), "a tip that is told once may be missed");
    assert_eq!(checked.consensus.value_payload, ValuePayload::ProposalAndParts);
}
