use receipt_core::ids::ValidatorId;
use receipt_core::limits;
use receipt_core::testkit::{TestChain, TestValidator};
use tallystick_engine::{MemberId, SignRequest, Timeouts, VoteSlot};
use tallystick_service::identity::Role;
use tallystick_service::metrics::Readiness;

use super::*;
use crate::guard::GuardedSigner;
use crate::membership::VotingKeys;
use crate::testing::{TestNode, config, identity};

#[test]
fn votes_begin_at_the_guards_height_whatever_became_of_the_log() {
    // Decided, voted at, to be reached first.
    for (decided, voted, reach) in
        [(0, 0, None), (0, 1, None), (4, 5, None), (5, 5, None), (9, 5, None), (3, 5, Some(4))]
    {
        assert_eq!(height_to_reach(Height::new(decided), voted), reach.map(Height::new), "{decided} {voted}");
    }
}

/// Of a validator whose new keys the store does not know yet, with these of its peers having said that they stand at genesis.
fn unproven(node: &TestNode, said: &[u32]) -> (Participation, Claims) {
    let services = &node.services;
    let peers: Vec<u32> = (1..=4).filter(|id| *id != node.id.get()).collect();
    for peer in &peers {
        if said.contains(peer) {
            services.forwarder.note_signed(ValidatorId::new(*peer), Height::ZERO);
        }
        services.forwarder.note_asked(ValidatorId::new(*peer));
    }
    let claims = Claims::new(
        &config(node.id.get(), &peers),
        Arc::clone(&node.membership),
        identity(Role::Validator, node.id.get()),
    );
    let consensus = ConsensusParts {
        ledger: services.ledger.clone(),
        pool: Arc::clone(&services.pool),
        heights: Arc::clone(&services.heights),
        guard: Arc::clone(&node.guard),
        evidence: Arc::clone(&services.evidence),
        clock: Arc::new(tallystick_service::clock::SystemClock),
        entropy: Arc::clone(&services.entropy),
        timeouts: Timeouts::default(),
        validator: node.id,
    };
    let peer_readiness = PeerReadiness {
        ledger: services.ledger.clone(),
        heights: Arc::clone(&services.heights),
        forwarder: services.forwarder.clone(),
        peers: peers.into_iter().map(ValidatorId::new).collect(),
        membership: Arc::clone(&node.membership),
        is_validator: prometheus_client::metrics::gauge::Gauge::default(),
    };
    let engine = EngineConfig {
        moniker: "test".to_owned(),
        chain_id: services.ledger.chain.id.0.0,
        member: MemberId::new(node.id.get()),
        network: services.network.clone(),
        log_path: node.path("voting.wal"),
        block_bytes_max: limits::BLOCK_BYTES_MAX,
        votes: true,
        #[cfg(feature = "byzantine")]
        byzantine: None,
    };
    let voting_keys = VotingKeys::new(Arc::clone(&node.membership), services.ledger.clone());
    let signer = Arc::new(GuardedSigner::by_height(Arc::clone(&node.guard), voting_keys));
    let (metrics, guard) = (Metrics::default(), Arc::clone(&node.guard));
    (Participation { engine, signer, consensus, metrics, guard, peer_readiness, unproven: None }, claims)
}

/// Validator 4 gets new keys at the second height; its node has them, and a store at genesis.
fn with_new_keys() -> (TestChain, TestNode) {
    let mut chain = TestChain::new();
    let new = TestValidator::with_new_keys(4);
    chain.rotate_validators(vec![TestValidator::new(1), TestValidator::new(2), TestValidator::new(3), new.clone()]);
    let node = TestNode::of(&chain, &new);
    (chain, node)
}

/// f of the set are its only peers that say anything: it cannot know how far the chain is, and ended with a configuration error.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hears_of_fewer_than_f_plus_1_follows_on_until_a_newer_set_knows_it() {
    let (chain, node) = with_new_keys();
    let (participation, claims) = unproven(&node, &[1]);
    let stop = CancellationToken::new();
    let following = node.path(FOLLOWING_LOG);
    let mut proving = Box::pin(participation.prove(&claims, &stop));
    let begun = async {
        while !following.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        proven = &mut proving => panic!("it is judged by a set that may be old: {proven:?}"),
        () = begun => {}
    }
    node.decide(&chain, chain.height());
    proving.await.unwrap();
}

/// What they said may be from before the block that brings its keys: it ended with a configuration error right before that block.
#[tokio::test(flavor = "multi_thread")]
async fn what_peers_said_before_is_not_how_far_they_are() {
    let (chain, node) = with_new_keys();
    let (participation, claims) = unproven(&node, &[1, 2, 3]);
    let (stop, following) = (CancellationToken::new(), node.path(FOLLOWING_LOG));
    let mut proving = Box::pin(participation.prove(&claims, &stop));
    let forwarder = &node.services.forwarder;
    let answered_by_one = async {
        while !following.exists() {
            tokio::task::yield_now().await;
        }
        // f of them may lie: one that answers again and again does not do.
        for _ in 0..1_000 {
            forwarder.note_signed(ValidatorId::new(1), Height::ZERO);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        proven = &mut proving => panic!("it is judged by what was said long ago: {proven:?}"),
        () = answered_by_one => {}
    }
    node.decide(&chain, chain.height());
    proving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_level_with_f_plus_1_that_no_set_knows_ends_with_the_configuration_error() {
    let (_chain, node) = with_new_keys();
    let (participation, claims) = unproven(&node, &[1, 2]);
    let stop = CancellationToken::new();
    let forwarder = &node.services.forwarder;
    let answering = async {
        loop {
            for peer in [1, 2] {
                forwarder.note_signed(ValidatorId::new(peer), Height::ZERO);
            }
            tokio::task::yield_now().await;
        }
    };
    let error = tokio::select! {
        proven = participation.prove(&claims, &stop) => proven.unwrap_err(),
        () = answering => unreachable!("they answer as long as they are asked"),
    };
    assert!(
        matches!(&error, ParticipationError::Config(error) if error.to_string().contains("keys.consensus")),
        "{error}"
    );
}

/// `/readyz` said "consensus is starting" for as long as it followed.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_follows_first_says_until_when_and_why() {
    let (_chain, unknown) = with_new_keys();
    let (mut unproven_first, claims) = unproven(&unknown, &[1]);
    unproven_first.unproven = Some(claims);
    let behind = TestNode::new(&TestChain::new(), 4);
    let slot = VoteSlot { height: 9, round: 0 };
    let voted = SignRequest::Prevote { slot, block_id: None, polka_round: None, untimely: false };
    let preimage = tallystick_engine::prevote(&behind.services.ledger.chain.id.0.0, slot, None);
    GuardedSigner::new(Arc::clone(&behind.guard), &[1; 32]).sign(&voted, &preimage).unwrap();
    let (behind_first, _) = unproven(&behind, &[]);
    for (participation, said) in [(unproven_first, "keys.consensus"), (behind_first, "until height 8")] {
        let (readiness, stop) = (Readiness::new(), CancellationToken::new());
        let running = tokio::spawn(participation.run(readiness.part("consensus"), stop.clone()));
        while readiness.to_string().contains("is starting") {
            assert!(!running.is_finished(), "{:?}", running.await);
            tokio::task::yield_now().await;
        }
        let shown = readiness.to_string();
        assert!(shown.contains("follows without a vote until") && shown.contains(said), "{shown}");
        stop.cancel();
        running.await.unwrap().unwrap();
    }
}
