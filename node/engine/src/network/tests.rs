//! The outbox as links read it. With engines behind it: `tests/links.rs`, `tests/frames.rs`.

use super::*;
use crate::limits::SAID_VOTES_BYTES;

const BLOCK_MAX: usize = 4 * 1024 * 1024;

struct Nobody;

#[async_trait]
impl Fetch for Nobody {
    async fn fetch(&self, _: MemberId, _: Bytes, _: usize) -> Result<Bytes, FetchError> {
        Err(FetchError::Unreachable)
    }
}

/// A node in no set, among such nodes.
impl LinkKeys for Nobody {
    fn sign(&self, _: &[u8]) -> Vec<[u8; 64]> {
        vec![[0; 64]]
    }

    fn keys_of(&self, _: MemberId) -> Result<Vec<[u8; 32]>, String> {
        Ok(Vec::new())
    }
}

/// Of a node whose peers say nothing.
pub(crate) fn silent(own: u32, peers: &[u32]) -> Result<Network, EngineError> {
    let peers: Vec<MemberId> = peers.iter().copied().map(MemberId::new).collect();
    Network::new(NetworkConfig {
        chain_id: [0xC1; 32],
        own: MemberId::new(own),
        peers: &peers,
        block_bytes_max: BLOCK_MAX,
        fetch: Arc::new(Nobody),
        keys: Arc::new(Nobody),
    })
}

fn network() -> Network {
    silent(1, &[2, 3]).unwrap()
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// All that a link reads now.
fn read(link: &mut Outgoing) -> Vec<Bytes> {
    use std::task::{Context, Poll, Waker};
    let mut frames = Vec::new();
    loop {
        let mut next = std::pin::pin!(link.next());
        match next.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => frames.push(frame),
            Poll::Pending => return frames,
        }
    }
}

#[test]
fn members_are_told_apart_by_their_peer_ids() {
    for member in [1, 7, u32::MAX].map(MemberId::new) {
        assert_eq!(member_of(&peer_id(member).unwrap()), Some(member));
    }
    assert_eq!(member_of(&PeerId::from_bytes(&[0, 3, 1, 2, 3]).unwrap()), None);
}

#[test]
fn votes_go_before_parts() {
    let network = network();
    network.at_height(5);
    network.change_outbox(|outbox| {
        outbox.part(5, text("stream"), text("part 1"));
        outbox.part(5, text("stream"), text("part 2"));
        outbox.status(text("status"));
        outbox.vote(5, text("vote"));
    });
    let mut link = network.outgoing();
    assert_eq!(read(&mut link), ["vote", "status", "part 1", "part 2"].map(text));
    assert_eq!(read(&mut link), [] as [Bytes; 0]);
    network.change_outbox(|outbox| outbox.vote(5, text("another")));
    assert_eq!(read(&mut link), [text("another")]);
}

/// A link that comes anew missed what was on its way; one that stands has read it.
#[test]
fn a_new_link_begins_with_all_that_counts_now() {
    let network = network();
    let mut old = network.outgoing();
    for height in 3..=6 {
        network.at_height(height);
        network.change_outbox(|outbox| {
            outbox.vote(height, text(&format!("vote {height}")));
            outbox.part(height, text(&format!("stream {height}")), text(&format!("part {height}")));
        });
    }
    assert_eq!(read(&mut network.outgoing()), ["vote 5", "vote 6", "part 6"].map(text));
    // What is void is not sent, however late a link comes to it; what a peer a moment behind needs is.
    assert_eq!(read(&mut old), ["vote 5", "vote 6", "part 5", "part 6"].map(text));
    network.change_outbox(Outbox::clear);
    assert_eq!(read(&mut network.outgoing()), [] as [Bytes; 0]);
}

#[test]
fn what_is_said_again_stands_once_and_last() {
    let network = network();
    let mut link = network.outgoing();
    for vote in ["one", "two", "one"] {
        network.change_outbox(|outbox| outbox.vote(1, text(vote)));
    }
    assert_eq!(read(&mut link), ["two", "one"].map(text));
    network.change_outbox(|outbox| outbox.vote(1, text("two")));
    assert_eq!(read(&mut link), [text("two")], "also to a link that had it");
}

/// Nobody reads; the newest is never what goes.
#[test]
fn an_unread_outbox_is_bounded_and_keeps_the_newest() {
    let network = network();
    let mut slow = network.outgoing();
    let chunk = Bytes::from(vec![1; CHUNK_BYTES]);
    for stream in 0..100_u32 {
        for _ in 0..BLOCK_MAX / CHUNK_BYTES {
            network.change_outbox(|outbox| outbox.part(1, text(&stream.to_string()), chunk.clone()));
        }
        let (_, bytes) = network.outbox().stored();
        assert!(bytes <= 3 * BLOCK_MAX && bytes >= BLOCK_MAX.min((stream as usize + 1) * BLOCK_MAX), "{bytes}");
    }
    for number in 0..100_000_u32 {
        network.change_outbox(|outbox| outbox.vote(1, text(&number.to_string())));
    }
    let (votes, _) = network.outbox().stored();
    assert!(votes <= 1024, "{votes}");
    let frames = read(&mut slow);
    assert!(frames.contains(&text("99999")) && !frames.contains(&text("7")));
    assert_eq!(frames.iter().filter(|frame| frame.len() == CHUNK_BYTES).count() % (BLOCK_MAX / CHUNK_BYTES), 0);
    // Certificates are larger than votes: as many of them would be 16 MB.
    network.change_outbox(Outbox::clear);
    for number in 0..100u32 {
        let certificate = [&number.to_be_bytes()[..], &[0; 16 * 1024]].concat();
        network.change_outbox(|outbox| outbox.vote(1, Bytes::from(certificate)));
        assert!(network.outbox().bytes() <= SAID_VOTES_BYTES, "{number}");
    }
    network.change_outbox(|outbox| outbox.vote(1, text("the newest")));
    assert_eq!(read(&mut network.outgoing()).last().unwrap(), &text("the newest"));
}

#[test]
fn only_peers_open_links_and_only_to_a_running_engine() {
    let network = network();
    let refused = |peer| network.open(MemberId::new(peer), &[], &[0; 32]).err();
    assert_eq!(refused(4), Some(LinkError::Stranger(MemberId::new(4))));
    assert_eq!(refused(1), Some(LinkError::Stranger(MemberId::new(1))), "itself");
    assert_eq!(refused(2), Some(LinkError::NotRunning));
}

#[test]
fn faults_in_a_row_are_rested_for_ever_longer_and_then_forgotten() {
    let (mut faults, mut now) = (Faults::default(), Instant::now());
    let mut rests = Vec::new();
    for _ in 0..8 {
        faults.note(now);
        let rest = (0..200).find(|second| !faults.rests(now + Duration::from_secs(*second))).unwrap();
        rests.push(rest);
        now += Duration::from_secs(rest);
    }
    assert_eq!(rests, [1, 2, 4, 8, 16, 32, 64, 64]);
    faults.note(now + 2 * FORGOTTEN_AFTER);
    assert!(!faults.rests(now + 2 * FORGOTTEN_AFTER + Duration::from_secs(1)));
}
