//! The configuration is checked before a port is bound, and the engine's limits fit the blocks.

use super::*;
use crate::streaming::chunk_count;

fn config(directory: &std::path::Path) -> EngineConfig {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    EngineConfig {
        moniker: "node".to_owned(),
        chain_id: [0xC1; 32],
        member: MemberId::new(1),
        listen: port,
        peers: vec![Peer { address: "127.0.0.1:4000".to_owned(), public_key: p2p_public_key(&[2; 32]).unwrap() }],
        p2p_seed: [1; 32],
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
    let directory = tempfile::tempdir().unwrap();
    let changed = |change: fn(&mut EngineConfig)| {
        let mut config = config(directory.path());
        change(&mut config);
        failing_key(&config)
    };
    assert_eq!(changed(|_| ()), "none");
    assert_eq!(changed(|config| config.moniker.clear()), "moniker");
    assert_eq!(changed(|config| config.block_bytes_max = 10), "block_bytes_max");
    assert_eq!(changed(|config| config.block_bytes_max = usize::MAX), "block_bytes_max");
    assert_eq!(changed(|config| config.listen.set_port(0)), "listen");
    assert_eq!(changed(|config| config.log_path = "/no/such/directory/log".into()), "log_path");
    assert_eq!(changed(|config| config.peers[0].public_key = [2; 32]), "peers");
    for address in ["", "host", ":1", "host:", "host:99999", "ho/st:1", "host/p2p/x:1", "::1"] {
        let mut config = config(directory.path());
        config.peers[0].address = address.to_owned();
        assert_eq!(failing_key(&config), "peers", "{address}");
    }
    let locked = config(directory.path());
    let lock = lock_log(&locked.log_path).unwrap();
    assert_eq!(failing_key(&locked), "log_path");
    drop(lock);
    assert_eq!(failing_key(&locked), "none");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(directory.path());
    config.listen = taken.local_addr().unwrap();
    assert_eq!(failing_key(&config), "listen");
}

#[test]
fn addresses_pin_the_peer() {
    let public_key = p2p_public_key(&[2; 32]).unwrap();
    let id = peer_id(&public_key).unwrap();
    for (address, expected) in [
        ("10.0.0.7:4000", "/ip4/10.0.0.7/tcp/4000/p2p/"),
        ("[::1]:4000", "/ip6/::1/tcp/4000/p2p/"),
        ("node-2.example:4000", "/dns/node-2.example/tcp/4000/p2p/"),
    ] {
        let peer = Peer { address: address.to_owned(), public_key };
        assert_eq!(peer.multiaddr().unwrap().to_string(), format!("{expected}{id}"));
    }
}

#[test]
fn messages_have_room_for_the_largest_block() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let checked = config.checked().unwrap();
    let certificate = 46 + 68 * crate::certificate::SIGNATURES_MAX;
    let block = (config.block_bytes_max + certificate) as u64;
    assert!(checked.sync.max_response_size.as_u64() > 2 * block);
    assert!(checked.consensus.p2p.rpc_max_size.as_u64() > checked.sync.max_response_size.as_u64());
    let published = checked.consensus.p2p.pubsub_max_size.as_u64();
    let hashes = 32 * chunk_count(BLOCK_BYTES_LIMIT) as u64;
    let votes = 256 * crate::types::MEMBERS_MAX as u64;
    assert!([CHUNK_BYTES as u64, hashes, votes].iter().all(|bytes| published > bytes + 4096), "{published}");
    assert!(!checked.sync.status_update_interval.is_zero(), "a tip that is told once may be missed");
    assert!(checked.consensus.p2p.persistent_peers_only);
    let PubSubProtocol::GossipSub(gossip) = checked.consensus.p2p.protocol else { panic!("a stream a message") };
    // Else a vote would wait for a peer that passes it on; and the engine corrects what it finds inconsistent.
    assert!(gossip.enable_flood_publish());
    assert_eq!((gossip.mesh_n(), gossip.mesh_n_high(), gossip.mesh_n_low(), gossip.mesh_outbound_min()), (2, 4, 1, 1));
    assert_eq!(checked.consensus.value_payload, ValuePayload::ProposalAndParts);
}
