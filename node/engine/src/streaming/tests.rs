//! Cutting and assembling: order, authority, bounds.

use ed25519_zebra::{SigningKey, VerificationKeyBytes};

use super::*;
use crate::preimage::{StreamFields, VoteSlot};
use crate::types::{BlockId, HeightSet, Member, MemberId, Timeouts};

const CHAIN: [u8; 32] = [0xC1; 32];
const BLOCK_MAX: usize = 4 * CHUNK_BYTES;
type Message = StreamMessage<ProposalPart>;
/// All peers there are.
const PEERS: [MemberId; 3] = [PEER, A, B];
const PEER: MemberId = MemberId::new(91);
const A: MemberId = MemberId::new(92);
const B: MemberId = MemberId::new(93);

fn new_assembly() -> Assembly {
    Assembly::new(Limits::for_blocks(BLOCK_MAX), PEERS)
}

fn signing_key(id: u32) -> SigningKey {
    SigningKey::from([id as u8; 32])
}

/// Members 1 to 4; member `1 + round % 4` proposes.
fn set() -> MemberSet {
    let members = (1..=4).map(|id| Member {
        id: MemberId::new(id),
        public_key: VerificationKeyBytes::from(&signing_key(id)).into(),
        voting_power: 1,
    });
    let proposer_order = (1..=4).map(MemberId::new).collect();
    MemberSet::new(&HeightSet { members: members.collect(), proposer_order, timeouts: Timeouts::default() }).unwrap()
}

fn current(height: u64) -> Current {
    Current { height, round: 0, set: set(), chain_id: CHAIN, started: false }
}

/// An assembly that decides height 5, round 0.
fn assembly() -> Assembly {
    let mut assembly = new_assembly();
    assembly.expect_height(current(5));
    assert_eq!(assembly.start_round(0), []);
    assembly
}

/// Of [`block`].
fn header(slot: VoteSlot, proposer: u32, sender: u32, bytes_total: usize) -> StreamHeader {
    let fields = StreamFields {
        pol_round: None,
        block_id: BlockId([0xB0; 32]),
        proposer: MemberId::new(proposer),
        sender: MemberId::new(sender),
        bytes_total: bytes_total as u32,
        chunk_hashes: chunk_hashes(&block(bytes_total)),
    };
    let signature = signing_key(sender).sign(&preimage::stream(&CHAIN, slot, &fields)).into();
    StreamHeader { slot, fields, signature }
}

fn at(height: u64, round: u32) -> VoteSlot {
    VoteSlot { height, round }
}

fn block(length: usize) -> Bytes {
    (0..length).map(|index| (index / 7) as u8).collect::<Vec<_>>().into()
}

/// The honest stream of the proposer of round 0.
fn stream(ids: &mut StreamIds, height: u64, length: usize) -> Vec<Message> {
    ids.cut(header(at(height, 0), 1, 1, length), &block(length))
}

fn insert_all(assembly: &mut Assembly, messages: impl IntoIterator<Item = Message>) -> Vec<Finished> {
    insert_from(assembly, PEER, messages)
}

fn insert_from(
    assembly: &mut Assembly,
    publisher: MemberId,
    messages: impl IntoIterator<Item = Message>,
) -> Vec<Finished> {
    messages.into_iter().filter_map(|message| assembly.insert(publisher, message)).collect()
}

#[test]
fn a_block_survives_cutting_in_any_order() {
    let mut ids = StreamIds::new();
    for length in [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, BLOCK_MAX] {
        let messages = stream(&mut ids, 5, length);
        assert_eq!(messages.len(), 1 + length.div_ceil(CHUNK_BYTES));
        for order in [messages.clone(), messages.iter().rev().cloned().collect()] {
            let mut assembly = assembly();
            let doubled = order.into_iter().flat_map(|message| [message.clone(), message]);
            let finished = insert_all(&mut assembly, doubled.take(2 * messages.len() - 1));
            assert_eq!(finished.len(), 1, "{length}");
            assert_eq!(finished[0].block, block(length));
        }
    }
}

#[test]
fn two_streams_and_two_publishers_do_not_mix() {
    let mut ids = StreamIds::new();
    let (one, two) = (stream(&mut ids, 5, CHUNK_BYTES + 5), stream(&mut ids, 5, CHUNK_BYTES + 9));
    let mut assembly = assembly();
    let mut lengths = Vec::new();
    for (first, second) in one.into_iter().zip(two) {
        lengths.extend(assembly.insert(A, first).map(|finished| finished.block.len()));
        lengths.extend(assembly.insert(A, second.clone()).map(|finished| finished.block.len()));
        lengths.extend(assembly.insert(B, second).map(|finished| finished.block.len()));
    }
    assert_eq!(lengths, [CHUNK_BYTES + 5, CHUNK_BYTES + 9, CHUNK_BYTES + 9]);
    assert_eq!(assembly.stored(), (0, 0));
}

#[test]
fn only_who_may_sends() {
    let check = |header: &StreamHeader| header.check(&set(), &CHAIN);
    assert_eq!(check(&header(at(5, 0), 1, 1, 9)), Ok(()));
    assert_eq!(check(&header(at(5, 1), 1, 1, 9)), Err(StreamFault::WrongProposer));
    assert_eq!(check(&header(at(5, 0), 1, 2, 9)), Err(StreamFault::WrongSender));
    assert_eq!(check(&header(at(5, 12), 1, 2, 9)), Ok(()), "late rounds: every validator sends again");
    assert_eq!(check(&header(at(5, 12), 1, 9, 9)), Err(StreamFault::WrongSender));
    assert_eq!(header(at(5, 0), 1, 1, 9).check(&set(), &[0xC2; 32]), Err(StreamFault::BadSignature));
    let mut late = header(at(5, 0), 1, 1, 9);
    late.fields.pol_round = Some(0);
    assert_eq!(check(&late), Err(StreamFault::PolRound));
    let changes: [fn(&mut StreamHeader); 5] = [
        |header| header.slot.height += 1,
        |header| header.fields.block_id.0[0] ^= 1,
        |header| header.fields.bytes_total += 1,
        |header| header.fields.chunk_hashes[0][0] ^= 1,
        |header| header.signature[40] ^= 1,
    ];
    for change in changes {
        let mut changed = header(at(5, 0), 1, 1, 9);
        change(&mut changed);
        assert_eq!(check(&changed), Err(StreamFault::BadSignature));
    }
}

#[test]
fn refused_streams_leave_nothing_behind() {
    let mut ids = StreamIds::new();
    let body = block(9);
    for bad in [
        header(at(5, 1), 1, 1, 9),
        header(at(5, 0), 1, 2, 9),
        header(at(5, 0), 1, 1, 0),
        header(at(5, 0), 1, 1, BLOCK_MAX + 1),
        header(at(4, 0), 1, 1, 9),
        header(at(8, 0), 1, 1, 9),
        header(at(5, 17), 2, 2, 9),
    ] {
        let mut assembly = assembly();
        let first = ids.cut(bad, &body).remove(0);
        assert!(insert_all(&mut assembly, [first]).is_empty());
        assert_eq!(assembly.stored(), (0, 0));
    }
    // Chunks that do not fit the header.
    for (told, sent) in [(9, 10), (10, 9), (CHUNK_BYTES + 1, CHUNK_BYTES + 2), (CHUNK_BYTES + 9, CHUNK_BYTES - 1)] {
        let mut assembly = assembly();
        let mut short = header(at(5, 0), 1, 1, told);
        short.fields.chunk_hashes = chunk_hashes(&block(sent));
        short.signature = signing_key(1).sign(&preimage::stream(&CHAIN, short.slot, &short.fields)).into();
        let messages = ids.cut(short, &block(sent));
        assert_eq!(insert_all(&mut assembly, messages), [], "{told} {sent}");
    }
}

#[test]
fn early_parts_wait_for_their_height() {
    let mut ids = StreamIds::new();
    let mut assembly = assembly();
    let (good, forged) = (stream(&mut ids, 6, 300), ids.cut(header(at(6, 0), 2, 2, 300), &block(300)));
    let partial = stream(&mut ids, 6, CHUNK_BYTES + 1);
    assert_eq!(insert_all(&mut assembly, good.into_iter().chain(forged)), []);
    assert_eq!(insert_all(&mut assembly, partial.iter().take(2).cloned()), []);
    assembly.expect_height(current(6));
    // Expected, not yet started by the engine: still waiting.
    assert_eq!(insert_all(&mut assembly, stream(&mut ids, 6, 400)), []);
    let lengths: Vec<_> = assembly.start_round(0).iter().map(|finished| finished.block.len()).collect();
    assert_eq!(lengths, [300, 400]);
    assert_eq!(insert_all(&mut assembly, partial.into_iter().skip(2)).len(), 1);
    assert_eq!(assembly.stored(), (0, 0));
}

/// Else one proposer could have its blocks of many rounds judged now.
#[test]
fn blocks_of_later_rounds_wait_for_their_round() {
    let mut ids = StreamIds::new();
    let mut assembly = assembly();
    let later = |ids: &mut StreamIds, round: u32, length: usize| {
        let proposer = 1 + round % 4;
        ids.cut(header(at(5, round), proposer, proposer, length), &block(length))
    };
    for (round, length) in [(4, 400), (2, 200), (1, 100)] {
        assert_eq!(insert_all(&mut assembly, later(&mut ids, round, length)), [], "round {round}");
    }
    let lengths = |finished: Vec<Finished>| finished.iter().map(|one| one.block.len()).collect::<Vec<_>>();
    assert_eq!(lengths(assembly.start_round(1)), [100]);
    assert_eq!(lengths(insert_all(&mut assembly, later(&mut ids, 1, 101))), [101]);
    // The engine may skip rounds: what is not later is due.
    assert_eq!(lengths(assembly.start_round(4)), [400, 200]);
    assert_eq!(lengths(insert_all(&mut assembly, later(&mut ids, 0, 50))), [50]);
    assert_eq!(assembly.stored(), (0, 0));
}

#[test]
fn blocks_that_wait_for_their_round_are_bounded() {
    let limits = Limits::for_blocks(BLOCK_MAX);
    let mut ids = StreamIds::new();
    let mut assembly = assembly();
    for _ in 0..10 {
        for round in 1..16 {
            let proposer = 1 + round % 4;
            let messages = ids.cut(header(at(5, round), proposer, proposer, BLOCK_MAX), &block(BLOCK_MAX));
            assert_eq!(insert_all(&mut assembly, messages), []);
            let (streams, bytes) = assembly.stored();
            assert!(streams <= limits.streams_max && bytes <= limits.publisher_bytes_max, "{streams} {bytes}");
        }
    }
}

#[test]
fn passed_heights_are_forgotten() {
    let mut ids = StreamIds::new();
    let mut assembly = assembly();
    insert_all(&mut assembly, stream(&mut ids, 5, CHUNK_BYTES + 1).into_iter().take(2));
    assert_eq!(assembly.stored().0, 1);
    assembly.expect_height(current(6));
    assert_eq!(assembly.stored(), (0, 0));
}

#[test]
fn memory_of_one_publisher_is_bounded() {
    let limits = Limits::for_blocks(BLOCK_MAX);
    let mut ids = StreamIds::new();
    let mut assembly = assembly();
    // Unfinished blocks, then chunks without headers, then headers alone.
    for round in 0..40 {
        let messages = stream(&mut ids, 5, BLOCK_MAX);
        let part = match round % 4 {
            0 => &messages[..1],
            1 => &messages[1..],
            _ => &messages[..messages.len() - 1],
        };
        insert_all(&mut assembly, part.iter().cloned());
        let (streams, bytes) = assembly.stored();
        assert!(streams <= limits.streams_max && bytes <= limits.publisher_bytes_max, "{streams} {bytes}");
    }
    // The newest stream is the one that is kept.
    assert_eq!(insert_all(&mut assembly, stream(&mut ids, 5, BLOCK_MAX)).len(), 1);
}

/// Not that it would have a link.
#[test]
fn whoever_is_no_configured_peer_gets_no_place() {
    let mut ids = StreamIds::new();
    let mut assembly = assembly();
    for stranger in 200u32..500 {
        assert_eq!(insert_from(&mut assembly, MemberId::new(stranger), stream(&mut ids, 5, 300)), []);
    }
    assert_eq!(assembly.stored(), (0, 0));
    assert_eq!(insert_all(&mut assembly, stream(&mut ids, 5, 300)).len(), 1);
}

/// The attack: a peer sends the proposer's signed header with bytes of its own. They were judged as the proposer's, twice, and
/// the proposer's real block then not at all.
#[test]
fn anothers_header_with_another_body_comes_to_nothing_and_costs_only_its_publisher() {
    let length = 2 * CHUNK_BYTES + 9;
    let mut ids = StreamIds::new();
    let real = stream(&mut ids, 5, length);
    let junk: Bytes = vec![0xEE; length].into();
    let mut one_bit = block(length).to_vec();
    one_bit[CHUNK_BYTES] ^= 1;
    let mut swapped = real.clone();
    (swapped[1].sequence, swapped[2].sequence) = (2, 1);
    let mut streams = vec![swapped];
    streams.extend([junk, one_bit.into()].map(|body| ids.cut(header(at(5, 0), 1, 1, length), &body)));
    let reversed: Vec<Vec<Message>> = streams.iter().map(|stream| stream.iter().rev().cloned().collect()).collect();
    for hostile in streams.into_iter().chain(reversed) {
        let mut assembly = assembly();
        // The proposer's own stream is under way.
        assert_eq!(insert_from(&mut assembly, A, real[..2].iter().cloned()), []);
        assert_eq!(insert_from(&mut assembly, B, hostile.clone()), []);
        assert_eq!(insert_from(&mut assembly, B, hostile), []);
        let finished = insert_from(&mut assembly, A, real[2..].iter().cloned());
        assert_eq!(finished.len(), 1);
        assert_eq!(finished[0].block, block(length));
    }
}

/// Whoever repeats it, it is the signer's block.
#[test]
fn a_whole_stream_repeated_by_another_peer_is_the_signers_block_still() {
    let mut ids = StreamIds::new();
    let real = stream(&mut ids, 5, CHUNK_BYTES + 5);
    let mut assembly = assembly();
    for publisher in [B, A] {
        let finished = insert_from(&mut assembly, publisher, real.clone());
        assert_eq!(finished.len(), 1);
        assert_eq!((finished[0].header.fields.sender, &finished[0].block), (MemberId::new(1), &block(CHUNK_BYTES + 5)));
    }
    assert_eq!(assembly.stored(), (0, 0));
}

/// From late rounds on everybody sends the locked block, with a header of his own over the same chunks.
#[test]
fn a_block_sent_again_by_another_validator_is_taken_with_that_ones_header() {
    let mut ids = StreamIds::new();
    let mut assembly = assembly();
    assert_eq!(assembly.start_round(12), []);
    let again = ids.cut(header(at(5, 12), 1, 3, CHUNK_BYTES + 5), &block(CHUNK_BYTES + 5));
    let finished = insert_from(&mut assembly, B, again);
    assert_eq!(finished.len(), 1);
    assert_eq!((finished[0].header.fields.sender, &finished[0].block), (MemberId::new(3), &block(CHUNK_BYTES + 5)));
}

#[test]
fn a_flood_of_one_publisher_displaces_nothing_of_another() {
    let mut ids = StreamIds::new();
    let mut assembly = assembly();
    let real = stream(&mut ids, 5, BLOCK_MAX);
    assert_eq!(insert_from(&mut assembly, A, real[..3].iter().cloned()), []);
    for round in 0..40 {
        // Headers alone, chunks alone, whole streams that lack one part.
        let flood = ids.cut(header(at(5, round % 16), 1 + round % 4, 1 + round % 4, BLOCK_MAX), &block(BLOCK_MAX));
        let skipped = (round % 4) as usize;
        insert_from(&mut assembly, B, flood.into_iter().skip(skipped).take(BLOCK_MAX / CHUNK_BYTES));
    }
    assert_eq!(insert_from(&mut assembly, A, real[3..].iter().cloned()).len(), 1);
}

/// A peer that kept the proposer's earlier messages can send them again, under the proposer's name.
#[test]
fn what_was_published_earlier_displaces_nothing_newer_when_it_is_repeated() {
    let mut ids = StreamIds::new();
    let of_round = |ids: &mut StreamIds, height: u64, round: u32| {
        ids.cut(header(at(height, round), 1, 1, BLOCK_MAX), &block(BLOCK_MAX))
    };
    // The proposer of rounds 0, 4, 8.
    let earlier: Vec<_> = [(4, 0), (5, 0), (5, 4)].map(|(height, round)| of_round(&mut ids, height, round)).into();
    let now = of_round(&mut ids, 5, 8);
    let mut assembly = assembly();
    assert_eq!(assembly.start_round(8), []);
    // The newest stream is under way, its header last.
    assert_eq!(insert_from(&mut assembly, A, now[2..].iter().cloned()), []);
    for repeated in earlier.iter().cycle().take(12) {
        let other_id = StreamId::new(ids.next_id().to_bytes());
        let parts =
            repeated[1..].iter().map(|part| StreamMessage::new(other_id.clone(), part.sequence, part.content.clone()));
        insert_from(&mut assembly, A, parts);
    }
    assert_eq!(insert_from(&mut assembly, A, now[..2].iter().cloned()).len(), 1);
}

#[test]
fn parts_of_two_slots_are_no_stream() {
    let mut ids = StreamIds::new();
    let (mut one, two) = (stream(&mut ids, 5, 300), stream(&mut ids, 6, 300));
    one[1].content = two[1].content.clone();
    let mut assembly = assembly();
    assert_eq!(insert_all(&mut assembly, one), []);
    assert_eq!(assembly.stored(), (0, 0));
}

#[test]
fn chunks_out_of_range_are_dropped() {
    let mut assembly = assembly();
    let id = StreamId::new(Bytes::from_static(b"id"));
    for sequence in [0, 5, u64::MAX] {
        let chunk = ProposalPart::Chunk { slot: at(5, 0), bytes: block(CHUNK_BYTES) };
        let chunk = StreamContent::Data(chunk);
        assert_eq!(insert_all(&mut assembly, [StreamMessage::new(id.clone(), sequence, chunk)]), []);
    }
    for slot in [at(4, 0), at(8, 0), at(5, 17)] {
        let chunk = StreamContent::Data(ProposalPart::Chunk { slot, bytes: block(CHUNK_BYTES) });
        assert_eq!(insert_all(&mut assembly, [StreamMessage::new(id.clone(), 1, chunk)]), []);
    }
    assert_eq!(insert_all(&mut assembly, [StreamMessage::new(id, 1, StreamContent::Fin)]), []);
    assert_eq!(assembly.stored(), (0, 0));
}

/// The engine's own constant; if it moves, late rounds would lose their blocks.
#[test]
fn anybody_resends_from_the_engines_round() {
    use malachitebft_app_channel::app::consensus::HIDDEN_LOCK_ROUND;
    assert_eq!(HIDDEN_LOCK_ROUND.as_u32(), Some(ANYBODY_RESENDS_FROM_ROUND));
}

/// Else anybody's header keeps an idle chain awake.
#[test]
fn only_a_signed_header_of_the_height_to_decide_is_genuine() {
    let mut waiting = new_assembly();
    assert!(!waiting.is_genuine(&header(at(5, 0), 1, 1, 9)), "no height is known");
    waiting.expect_height(current(5));
    assert!(waiting.is_genuine(&header(at(5, 0), 1, 1, 9)), "before the height has begun");
    let forged = StreamHeader { signature: [7; 64], ..header(at(5, 0), 1, 1, 9) };
    for other in [header(at(6, 0), 1, 1, 9), header(at(4, 0), 1, 1, 9), header(at(5, 0), 2, 2, 9), forged] {
        assert!(!waiting.is_genuine(&other), "{other:?}");
    }
}
