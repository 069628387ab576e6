use receipt_core::governance::{Action, RegisterKind};
use receipt_core::ids::UnixMillis;
use receipt_core::note::SignedNote;
use receipt_core::testkit::{GENESIS_TIME_MS, TestChain, TestValidator};
use tonic::transport::Endpoint;

use super::*;
use crate::testing::TestNode;

const NOW: UnixMillis = UnixMillis::new(GENESIS_TIME_MS + 60_000);

fn chain_of_two() -> (TestChain, Height) {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S01");
    chain.add_block(&[receipt]);
    let height = chain.add_block(&[]);
    (chain, height)
}

/// As if `from` had told `to` of what it has signed.
fn tell(from: &TestNode, to: &TestNode) {
    let own = from.services.sealer.own_lines().unwrap();
    to.services.sealer.accept_lines(own.height, &own.checkpoint, from.id, own.lines).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_whose_link_is_down_is_pulled_from_whoever_holds_it() {
    let (chain, height) = chain_of_two();
    let [a, b, c] = [1, 2, 3].map(|id| TestNode::new(&chain, id));
    for node in [&a, &b, &c] {
        node.decide(&chain, height);
        node.services.sealer.sign_height(height, NOW).unwrap();
    }
    // Validator 4 is dead, and 1 and 2 do not reach each other.
    tell(&a, &c);
    tell(&b, &c);
    tell(&c, &a);
    assert_eq!(c.services.heights.sealed_height(), height);
    assert_eq!(a.services.heights.sealed_height(), Height::ZERO);
    a.link_to(&c).await.pull().await.unwrap();
    assert_eq!(a.services.heights.sealed_height(), height);
    let note = a.services.ledger.store.checkpoint(height).unwrap().unwrap();
    chain.trust().verify_checkpoint(&note).unwrap();
}

/// The old validators are gone, and the new ones give newer lines only: whoever stored the note hands it out.
#[tokio::test(flavor = "multi_thread")]
async fn a_handover_that_was_missed_is_pulled_from_whoever_stored_its_note() {
    for restarts in [false, true] {
        let mut chain = TestChain::new();
        chain.rotate_validators((3..=6).map(TestValidator::new).collect());
        let last = chain.height();
        let height = chain.add_block(&[]);
        let [a, b, mut c, d] = [1, 2, 3, 4].map(|id| TestNode::new(&chain, id));
        for node in [&c, &b, &d] {
            node.decide(&chain, last);
            node.services.sealer.sign_height(last, NOW).unwrap();
            tell(node, &c);
        }
        assert_eq!(c.services.heights.sealed_height(), last);
        if restarts {
            c = c.restarted(&chain, &TestValidator::new(3));
        }
        a.decide(&chain, height);
        a.link_to(&c).await.pull().await.unwrap();
        assert_eq!(a.services.heights.sealed_height(), last, "restarts: {restarts}");
        let note = a.services.ledger.store.checkpoint(last).unwrap().unwrap();
        chain.trust().verify_checkpoint(&note).unwrap();
    }
}

#[tokio::test]
async fn nothing_is_pulled_that_nobody_has() {
    let (chain, height) = chain_of_two();
    let [a, c] = [1, 3].map(|id| TestNode::new(&chain, id));
    a.decide(&chain, height);
    a.services.sealer.sign_height(height, NOW).unwrap();
    a.link_to(&c).await.pull().await.unwrap();
    assert_eq!(a.services.heights.sealed_height(), Height::ZERO);
}

#[tokio::test]
async fn lines_that_come_before_the_decision_count_after_it() {
    let (chain, height) = chain_of_two();
    let [a, b, c] = [1, 2, 3].map(|id| TestNode::new(&chain, id));
    for node in [&b, &c] {
        node.decide(&chain, height);
        node.services.sealer.sign_height(height, NOW).unwrap();
        tell(node, &a);
    }
    a.decide(&chain, height);
    a.services.sealer.sign_height(height, NOW).unwrap();
    assert_eq!(a.services.heights.sealed_height(), Height::ZERO);
    a.services.sealer.accept_early_lines(height).unwrap();
    assert_eq!(a.services.heights.sealed_height(), height);
}

#[tokio::test]
async fn lines_under_a_wrong_height_are_refused_early_and_late() {
    let (chain, height) = chain_of_two();
    let [a, b] = [1, 2].map(|id| TestNode::new(&chain, id));
    b.decide(&chain, height);
    b.services.sealer.sign_height(height, NOW).unwrap();
    let own = b.services.sealer.own_lines().unwrap();
    let wrong = Height::new(height.get() - 1);
    a.services.sealer.accept_lines(wrong, &own.checkpoint, b.id, own.lines.clone()).unwrap();
    a.decide(&chain, height);
    a.services.sealer.accept_early_lines(wrong).unwrap();
    assert!(!a.services.sealer.has_lines(wrong, b.id));
    let refused = a.services.sealer.accept_lines(wrong, &own.checkpoint, b.id, own.lines).unwrap_err();
    assert!(!refused.is_fatal() && refused.to_string().contains("another height"), "{refused}");
}

/// A way to a peer whose answers never come: what is sent arrives.
async fn deaf_link(from: &TestNode, to: &TestNode) -> PeerLink {
    let target = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = target.local_addr().unwrap();
    let served = to.serve_peer_on(from.id).await;
    tokio::spawn(async move {
        let (mut near, _) = target.accept().await.unwrap();
        let mut far = tokio::net::TcpStream::connect(served).await.unwrap();
        let (mut sent, _unanswered) = near.split();
        let (_unread, mut arrives) = far.split();
        tokio::io::copy(&mut sent, &mut arrives).await.unwrap();
    });
    PeerLink {
        channel: Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy(),
        ..from.link_to(to).await
    }
}

/// Else each seal waits for the answers to the lines of the height before, from a far peer two delays.
#[tokio::test(flavor = "multi_thread")]
async fn own_lines_go_out_while_the_answer_to_earlier_ones_is_on_its_way() {
    let (chain, height) = chain_of_two();
    let [a, b] = [1, 2].map(|id| TestNode::new(&chain, id));
    b.decide(&chain, height);
    let stop = CancellationToken::new();
    let sealing = tokio::spawn(deaf_link(&a, &b).await.run_sealing(stop.clone()));
    for height in [Height::new(height.get() - 1), height] {
        a.decide(&chain, height);
        a.services.sealer.sign_height(height, NOW).unwrap();
        let arrived = async {
            while !b.services.sealer.has_lines(height, a.id) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let arrived = tokio::time::timeout(Duration::from_secs(30), arrived).await;
        assert!(arrived.is_ok(), "the lines of height {height} arrive");
    }
    assert!(!a.services.forwarder.was_asked(b.id), "no call has ended");
    stop.cancel();
    sealing.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_validator_brings_its_own_lines_only() {
    let (chain, height) = chain_of_two();
    let [a, b, c] = [1, 2, 3].map(|id| TestNode::new(&chain, id));
    b.decide(&chain, height);
    b.services.sealer.sign_height(height, NOW).unwrap();
    let own = b.services.sealer.own_lines().unwrap();
    let request = ExchangeCosignaturesRequest {
        checkpoint: Some(checkpoint_id(own.height, &own.checkpoint)),
        own: Some(signature_lines(b.id, &own.lines)),
    };
    // Validator 3 hands on, as if it were its own, what validator 2 has signed.
    let mut client = PeerServiceClient::new(a.serve_peer(c.id).await);
    let refused = client.exchange_cosignatures(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    let mut client = PeerServiceClient::new(a.serve_peer(b.id).await);
    client.exchange_cosignatures(request).await.unwrap();
}

#[tokio::test]
async fn a_batch_is_announced_only_after_it_has_waited_and_sent_only_where_it_lacks() {
    let mut chain = TestChain::new();
    let [a, b] = [1, 2].map(|id| TestNode::new(&chain, id));
    let receipt = chain.issue("S01");
    let batch = chain.batch(vec![receipt.record]);
    a.services.pool.offer(batch.header.clone(), batch.records.clone(), [0; 32]).unwrap();
    let link = a.link_to(&b).await;
    let mut announced = Announced::default();
    link.announce(&mut announced).await.unwrap();
    assert_eq!(b.services.pool.size().batches, 0, "it may be on its way");
    link.announce(&mut announced).await.unwrap();
    assert_eq!(b.services.pool.hashes(), vec![batch.header.header_hash()]);
    // Decided there: not missed any more, although the pool has forgotten it.
    chain.add_items(vec![receipt_core::block::Item::Batch(batch.clone())]).unwrap();
    let block = &chain.blocks()[1];
    let ledger = &b.services.ledger;
    let executed = ledger.execute(&block.bytes, b.services.pool.as_ref(), [0; 32]).unwrap();
    ledger.store.commit_block(&executed.effects, &block.bytes, &block.certificate).unwrap();
    b.services.pool.forget_decided(&executed.effects).unwrap();
    assert_eq!(b.services.pool.size().batches, 0);
    assert!(b.services.pool.knows(batch.header.header_hash()));
}

#[tokio::test]
async fn a_full_peer_is_told_so_and_a_batch_at_fault_is_not_sent_twice() {
    let mut chain = TestChain::new();
    let a = TestNode::new(&chain, 1);
    let receipt = chain.issue("S01");
    let batch = chain.batch(vec![receipt.record]);
    a.services.pool.offer(batch.header.clone(), batch.records.clone(), [0; 32]).unwrap();
    let full = TestNode::with_pool(&chain, 2, crate::config::PoolConfig { bytes_max: 0, issuer_batches_max: 64 });
    let mut announced = Announced::default();
    let link = a.link_to(&full).await;
    link.announce(&mut announced).await.unwrap();
    assert_eq!(link.announce(&mut announced).await.unwrap_err().code(), tonic::Code::ResourceExhausted);

    // Another holds another header of that sequence: the issuer equivocates.
    let mut twin = TestChain::new();
    twin.issue("S04");
    let receipt = twin.issue("S01");
    let other = twin.batch(vec![receipt.record]);
    let holder = TestNode::new(&chain, 3);
    holder.services.pool.offer(other.header, other.records, [0; 32]).unwrap();
    let link = a.link_to(&holder).await;
    let mut announced = Announced::default();
    link.announce(&mut announced).await.unwrap();
    link.announce(&mut announced).await.unwrap();
    assert_eq!(holder.services.pool.refused_batches(), 1);
    link.announce(&mut announced).await.unwrap();
    assert_eq!(holder.services.pool.refused_batches(), 1, "not sent again");
}

/// A peer that loses what it was sent, or says so, is not sent it again at each announcement.
#[tokio::test]
async fn a_peer_that_says_missing_again_is_not_sent_everything_again() {
    let mut chain = TestChain::new();
    let [a, b] = [1, 2].map(|id| TestNode::new(&chain, id));
    let receipt = chain.issue("S01");
    let batch = chain.batch(vec![receipt.record]);
    let governance = chain.governance(Vec::new());
    a.services.pool.offer(batch.header.clone(), batch.records.clone(), [0; 32]).unwrap();
    a.services.pool.offer_governance(governance.clone()).unwrap();
    let link = a.link_to(&b).await;
    let mut announced = Announced::default();
    for _ in 0..2 {
        link.announce(&mut announced).await.unwrap();
    }
    assert_eq!((b.services.pool.size().batches, b.services.pool.governance().len()), (1, 1));
    b.services.pool.drop_batch(batch.header.header_hash());
    b.services.pool.drop_governance(None, governance.governance.sequence);
    for _ in 0..10 {
        link.announce(&mut announced).await.unwrap();
    }
    assert_eq!((b.services.pool.size().batches, b.services.pool.governance().len()), (0, 0));
}

#[tokio::test]
async fn governance_that_a_peer_refuses_keeps_no_batch_back() {
    let mut chain = TestChain::new();
    let [a, b] = [1, 2].map(|id| TestNode::new(&chain, id));
    let receipt = chain.issue("S01");
    let batch = chain.batch(vec![receipt.record]);
    let kind = |kind| Action::RegisterKind(RegisterKind::named(kind, "kind"));
    let mut twin = TestChain::new();
    a.services.pool.offer_governance(chain.governance(vec![kind(990_777)])).unwrap();
    b.services.pool.offer_governance(twin.governance(vec![kind(990_778)])).unwrap();
    a.services.pool.offer(batch.header.clone(), batch.records.clone(), [0; 32]).unwrap();
    let link = a.link_to(&b).await;
    let mut announced = Announced::default();
    for _ in 0..2 {
        link.announce(&mut announced).await.unwrap();
    }
    assert_eq!(b.services.pool.hashes(), vec![batch.header.header_hash()]);
}

/// Validator 2 has signed the chain's history and another one: whoever gets both lines keeps them together.
#[tokio::test]
async fn lines_under_another_history_are_kept_as_evidence() {
    let (chain, height) = chain_of_two();
    let [a, b] = [1, 2].map(|id| TestNode::new(&chain, id));
    for node in [&a, &b] {
        node.decide(&chain, height);
        node.services.sealer.sign_height(height, NOW).unwrap();
    }
    tell(&b, &a);
    let own = b.services.sealer.own_lines().unwrap();
    let origin = &chain.genesis().origin;
    let other = Checkpoint::new(origin, own.checkpoint.size(), Hash([0xEE; 32])).unwrap();
    let traitor = TestValidator::new(2);
    let text = other.to_string();
    let lines = vec![traitor.sign_as_log(origin, &text), traitor.cosign(origin, &text, NOW.seconds())];
    for _ in 0..2 {
        let refused = a.services.sealer.accept_lines(height, &other, b.id, lines.clone()).unwrap_err();
        assert!(refused.to_string().contains("another root"), "{refused}");
    }
    assert_eq!((a.services.evidence.files(), a.services.evidence.found().get()), (1, 2));
    let size = own.checkpoint.size();
    let kept = std::fs::read_to_string(a.evidence_dir().join(format!("fork-2-{size}.txt"))).unwrap();
    let (_, rest) = kept.split_once('\n').unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let theirs = SignedNote::new(&text, lines).unwrap().to_string();
    let ours = rest.strip_prefix(&theirs).unwrap().split_once('\n').unwrap().1;
    // This node's note has the traitor's lines, too: it is convicted by this file alone.
    let ours = SignedNote::parse(ours.as_bytes()).unwrap();
    assert!(own.lines.iter().all(|line| ours.signatures().contains(line)));
    assert_eq!(ours.text(), own.checkpoint.to_string());
    // A line under the wrong root by somebody else proves nothing, and is not kept.
    let forged = vec![TestValidator::new(9).sign_as_log(origin, &text), TestValidator::new(9).cosign(origin, &text, 1)];
    a.services.sealer.accept_lines(height, &other, b.id, forged).unwrap_err();
    assert_eq!(a.services.evidence.files(), 1);
}
