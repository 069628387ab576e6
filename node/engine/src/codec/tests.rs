//! Round trips, and what bytes from a hostile peer do: each prefix, each extension and each flipped byte of each message.

use malachitebft_app_channel::app::consensus::LivenessMsg;
use malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use malachitebft_app_channel::app::types::codec::HasEncodedLen;
use malachitebft_app_channel::app::types::core::{
    NilOrVal, PolkaCertificate, PolkaSignature, Round, RoundCertificate, RoundCertificateType, RoundSignature,
    SignedMessage, Validity, VoteType,
};
use malachitebft_app_channel::app::types::sync::{Request, Response, Status};
use malachitebft_app_channel::app::types::{PeerId, ProposedValue, SignedConsensusMsg};
use malachitebft_sync::{ValueRequest, ValueResponse};

use super::sync::raw_decided_value;
use super::*;
use crate::certificate::Certificate;
use crate::context::{ChainContext, ChainHeight, ChainProposal, ChainVote};
use crate::preimage::{StreamFields, VoteSlot};
use crate::proposal_part::{ProposalPart, StreamHeader};
use crate::scheme::Signature;
use crate::streaming::CHUNK_BYTES;
use crate::types::{BlockId, MemberId};

fn codec() -> ChainCodec {
    ChainCodec { peer_tip: watch::channel(0).0 }
}

/// Every message has one encoding: what decodes at all encodes to the same bytes again.
fn check<T: Wire + PartialEq + std::fmt::Debug>(message: &T) {
    let codec = codec();
    let bytes: Bytes = codec.encode(message).unwrap();
    assert_eq!(&Codec::<T>::decode(&codec, bytes.clone()).unwrap(), message);
    for cut in 0..bytes.len() {
        if let Ok(other) = Codec::<T>::decode(&codec, bytes.slice(..cut)) {
            assert_eq!(codec.encode(&other).unwrap(), bytes.slice(..cut));
        }
    }
    for junk in [&[0][..], &[1, 2, 3], &[255; 70]] {
        let longer = Bytes::from([&bytes[..], junk].concat());
        if let Ok(other) = Codec::<T>::decode(&codec, longer.clone()) {
            assert_eq!(codec.encode(&other).unwrap(), longer);
        }
    }
    for index in 0..bytes.len().min(512) {
        for flip in [0x01, 0x80, 0xFF] {
            let mut flipped = bytes.to_vec();
            flipped[index] ^= flip;
            if let Ok(other) = Codec::<T>::decode(&codec, flipped.clone().into()) {
                assert_eq!(codec.encode(&other).unwrap(), flipped, "byte {index}");
            }
        }
    }
}

/// Like [`check`], for messages without an open end: prefixes and extensions are refused.
fn check_closed<T: Wire + PartialEq + std::fmt::Debug>(message: &T) {
    check(message);
    let codec = codec();
    let bytes: Bytes = codec.encode(message).unwrap();
    for cut in 0..bytes.len() {
        assert_eq!(Codec::<T>::decode(&codec, bytes.slice(..cut)), Err(CodecError::Truncated), "{cut}");
    }
    let longer = Bytes::from([&bytes[..], &[0]].concat());
    assert_eq!(Codec::<T>::decode(&codec, longer), Err(CodecError::Trailing(1)));
}

const BLOCK: BlockId = BlockId([0xB0; 32]);
const SIGNATURE: Signature = Signature([0x51; 64]);

fn member() -> MemberId {
    MemberId::new(3)
}

fn vote(vote_type: VoteType, value: NilOrVal<BlockId>) -> SignedMessage<ChainContext, ChainVote> {
    let vote = ChainVote { vote_type, height: ChainHeight(9), round: Round::new(2), value, member: member() };
    SignedMessage::new(vote, SIGNATURE)
}

fn proposal(pol_round: Round) -> SignedMessage<ChainContext, ChainProposal> {
    let (height, round) = (ChainHeight(9), Round::new(2));
    SignedMessage::new(ChainProposal { height, round, value: BLOCK, pol_round, member: member() }, SIGNATURE)
}

fn polka() -> PolkaCertificate<ChainContext> {
    PolkaCertificate {
        height: ChainHeight(9),
        round: Round::new(2),
        value_id: BLOCK,
        polka_signatures: vec![PolkaSignature::new(member(), SIGNATURE); 3],
    }
}

fn round_certificate() -> RoundCertificate<ChainContext> {
    RoundCertificate {
        height: ChainHeight(9),
        round: Round::new(2),
        cert_type: RoundCertificateType::Skip,
        round_signatures: vec![
            RoundSignature::new(VoteType::Prevote, NilOrVal::Nil, member(), SIGNATURE),
            RoundSignature::new(VoteType::Precommit, NilOrVal::Val(BLOCK), member(), SIGNATURE),
        ],
    }
}

fn header() -> ProposalPart {
    let fields = StreamFields {
        pol_round: None,
        block_id: BLOCK,
        proposer: member(),
        sender: MemberId::new(4),
        bytes_total: 77,
        chunk_hashes: vec![[0xD0; 32]],
    };
    let slot = VoteSlot { height: 9, round: 2 };
    ProposalPart::Header(Box::new(StreamHeader { slot, fields, signature: [7; 64] }))
}

fn chunk(bytes: Vec<u8>) -> ProposalPart {
    ProposalPart::Chunk { slot: VoteSlot { height: 9, round: 2 }, bytes: bytes.into() }
}

fn peer() -> PeerId {
    PeerId::from_bytes(&[&[0x12, 32][..], &[9; 32]].concat()).unwrap()
}

fn response() -> Response<ChainContext> {
    let certificate = Certificate {
        height: 9,
        round: 0,
        block_id: BLOCK,
        signatures: vec![(MemberId::new(1), [1; 64]), (MemberId::new(2), [2; 64])],
    };
    let value = raw_decided_value(Bytes::from_static(b"a block"), &certificate);
    Response::ValueResponse(ValueResponse::new(ChainHeight(9), vec![value.clone(), value]))
}

#[test]
fn consensus_messages() {
    for vote_type in [VoteType::Prevote, VoteType::Precommit] {
        for value in [NilOrVal::Nil, NilOrVal::Val(BLOCK)] {
            check_closed(&SignedConsensusMsg::Vote(vote(vote_type, value)));
        }
    }
    check_closed(&SignedConsensusMsg::Proposal(proposal(Round::Nil)));
    check_closed(&SignedConsensusMsg::Proposal(proposal(Round::new(1))));
    check_closed(&LivenessMsg::Vote(vote(VoteType::Prevote, NilOrVal::Nil)));
    check_closed(&LivenessMsg::PolkaCertificate(polka()));
    check_closed(&LivenessMsg::SkipRoundCertificate(round_certificate()));
    check_closed(&polka());
}

#[test]
fn log_entries() {
    for validity in [Validity::Valid, Validity::Invalid] {
        check_closed(&ProposedValue {
            height: ChainHeight(9),
            round: Round::new(2),
            valid_round: Round::new(0),
            proposer: member(),
            value: BLOCK,
            validity,
        });
    }
}

#[test]
fn parts_and_streams() {
    let id = StreamId::new(Bytes::from_static(b"0123456789abcdef"));
    check_closed(&header());
    check_closed(&chunk(b"chunk".to_vec()));
    for content in [StreamContent::Data(header()), StreamContent::Data(chunk(vec![5; 40]))] {
        check_closed(&StreamMessage::new(id.clone(), 3, content));
    }
    check_closed(&StreamMessage::<ProposalPart>::new(id, 3, StreamContent::Fin));
}

#[test]
fn sync_messages() {
    let (tip_height, history_min_height) = (ChainHeight(9), ChainHeight(1));
    check(&Status::<ChainContext> { peer_id: peer(), tip_height, history_min_height });
    check_closed(&Request::<ChainContext>::ValueRequest(ValueRequest::new(ChainHeight(3)..=ChainHeight(3))));
    check_closed(&response());
}

#[test]
fn the_announced_length_is_the_encoded_length() {
    let codec = codec();
    assert_eq!(codec.encoded_len(&response()).unwrap(), codec.encode(&response()).unwrap().len());
}

#[test]
fn a_status_raises_the_peer_tip_only() {
    let codec = codec();
    let announce = |tip| {
        let status = Status::<ChainContext> {
            peer_id: peer(),
            tip_height: ChainHeight(tip),
            history_min_height: ChainHeight(1),
        };
        let bytes = codec.encode(&status).unwrap();
        let _: Status<ChainContext> = codec.decode(bytes).unwrap();
        *codec.peer_tip.borrow()
    };
    assert_eq!([announce(4), announce(9), announce(2)], [4, 9, 9]);
}

#[test]
fn out_of_range_numbers_are_refused() {
    let far_height = Request::<ChainContext>::ValueRequest(ValueRequest::new(ChainHeight(1)..=ChainHeight(u64::MAX)));
    let bytes = codec().encode(&far_height).unwrap();
    assert_eq!(Codec::<Request<ChainContext>>::decode(&codec(), bytes), Err(CodecError::Invalid("height")));

    let empty = Request::<ChainContext>::ValueRequest(ValueRequest::new(ChainHeight(2)..=ChainHeight(1)));
    let bytes = codec().encode(&empty).unwrap();
    assert_eq!(Codec::<Request<ChainContext>>::decode(&codec(), bytes), Err(CodecError::Invalid("empty range")));

    let mut far_round = vote(VoteType::Prevote, NilOrVal::Nil);
    far_round.message.round = Round::new(u32::MAX);
    let bytes = codec().encode(&SignedConsensusMsg::Vote(far_round)).unwrap();
    assert_eq!(Codec::<SignedConsensusMsg<ChainContext>>::decode(&codec(), bytes), Err(CodecError::Invalid("round")));

    let mut crowded = polka();
    crowded.polka_signatures = vec![PolkaSignature::new(member(), SIGNATURE); crate::certificate::SIGNATURES_MAX + 1];
    let bytes = codec().encode(&crowded).unwrap();
    assert_eq!(
        Codec::<PolkaCertificate<ChainContext>>::decode(&codec(), bytes),
        Err(CodecError::Invalid("too many elements"))
    );

    for length in [0, CHUNK_BYTES + 1] {
        let bytes = codec().encode(&chunk(vec![0; length])).unwrap();
        assert_eq!(Codec::<ProposalPart>::decode(&codec(), bytes), Err(CodecError::Invalid("chunk length")));
    }
    let ProposalPart::Header(mut long) = header() else { panic!("it is a header") };
    long.fields.bytes_total = u32::MAX;
    let bytes = codec().encode(&ProposalPart::Header(long)).unwrap();
    assert_eq!(Codec::<ProposalPart>::decode(&codec(), bytes), Err(CodecError::Invalid("block length")));
}

/// Arbitrary bytes never panic in any reader.
#[test]
fn noise_never_panics() {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let codec = codec();
    for round in 0..20_000 {
        let length = next() as usize % 300;
        let mut noise: Vec<u8> = (0..length).map(|_| next() as u8).collect();
        if let Some(first) = noise.first_mut() {
            *first = (round % 4) as u8;
        }
        let noise = Bytes::from(noise);
        let _ = Codec::<SignedConsensusMsg<ChainContext>>::decode(&codec, noise.clone());
        let _ = Codec::<LivenessMsg<ChainContext>>::decode(&codec, noise.clone());
        let _ = Codec::<ProposedValue<ChainContext>>::decode(&codec, noise.clone());
        let _ = Codec::<ProposalPart>::decode(&codec, noise.clone());
        let _ = Codec::<StreamMessage<ProposalPart>>::decode(&codec, noise.clone());
        let _ = Codec::<Status<ChainContext>>::decode(&codec, noise.clone());
        let _ = Codec::<Request<ChainContext>>::decode(&codec, noise.clone());
        let _ = Codec::<Response<ChainContext>>::decode(&codec, noise.clone());
        let _ = Certificate::decode(&noise);
    }
}
