//! What a certificate proves, and its bytes.

use ed25519_zebra::{SigningKey, VerificationKeyBytes};

use super::*;

const CHAIN: [u8; 32] = [0xC1; 32];

fn signing_key(id: u32) -> SigningKey {
    SigningKey::from([id as u8; 32])
}

fn member(id: u32, voting_power: u64) -> Member {
    let public_key = VerificationKeyBytes::from(&signing_key(id)).into();
    Member { id: MemberId::new(id), public_key, voting_power }
}

fn four() -> Vec<Member> {
    (1..=4).map(|id| member(id, 1)).collect()
}

fn signed_by(ids: &[u32]) -> Certificate {
    let (height, round, block_id) = (12, 1, BlockId([0xB0; 32]));
    let preimage = preimage::precommit(&CHAIN, VoteSlot { height, round }, Some(&block_id));
    let signatures = ids.iter().map(|id| (MemberId::new(*id), signing_key(*id).sign(&preimage).into())).collect();
    Certificate { height, round, block_id, signatures }
}

#[test]
fn more_than_two_thirds_decide() {
    let unequal = [member(1, 10), member(2, 4), member(3, 1)];
    for (ids, members, expected) in [
        (&[1, 2, 3][..], &four()[..], Ok(())),
        (&[1, 2, 3, 4], &four(), Ok(())),
        (&[2, 4], &four(), Err(CertificateError::NoQuorum { signed: 2, total: 4 })),
        (&[1, 2, 5], &four(), Err(CertificateError::UnknownMember(MemberId::new(5)))),
        (&[1, 1, 1], &four(), Err(CertificateError::NotAscending)),
        (&[3, 2, 1], &four(), Err(CertificateError::NotAscending)),
        (&[1], &unequal, Err(CertificateError::NoQuorum { signed: 10, total: 15 })),
        (&[1, 3], &unequal, Ok(())),
        (&[], &four(), Err(CertificateError::NoQuorum { signed: 0, total: 4 })),
    ] {
        assert_eq!(signed_by(ids).verify(&CHAIN, members), expected, "{ids:?}");
    }
    // Exactly 2/3 is not more than 2/3.
    let three: Vec<_> = (1..=3).map(|id| member(id, 1)).collect();
    assert_eq!(signed_by(&[1, 2]).verify(&CHAIN, &three), Err(CertificateError::NoQuorum { signed: 2, total: 3 }));
}

#[test]
fn every_field_is_signed() {
    let genuine = signed_by(&[1, 2, 3]);
    let first = Err(CertificateError::InvalidSignature(MemberId::new(1)));
    let changes: [fn(&mut Certificate); 4] = [
        |certificate| certificate.height += 1,
        |certificate| certificate.round += 1,
        |certificate| certificate.block_id.0[31] ^= 1,
        |certificate| certificate.signatures[0].1[3] ^= 1,
    ];
    for change in changes {
        let mut certificate = genuine.clone();
        change(&mut certificate);
        assert_eq!(certificate.verify(&CHAIN, &four()), first);
    }
    assert_eq!(genuine.verify(&[0xC2; 32], &four()), first);
}

#[test]
fn bytes_are_canonical() {
    let certificate = signed_by(&[1, 2, 3]);
    let bytes = certificate.encode();
    assert_eq!(bytes.len(), 8 + 4 + 32 + 2 + 3 * 68);
    assert_eq!(Certificate::decode(&bytes), Ok(certificate.clone()));
    for cut in 0..bytes.len() {
        assert_eq!(Certificate::decode(&bytes[..cut]), Err(CodecError::Truncated), "{cut}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(Certificate::decode(&longer), Err(CodecError::Trailing(1)));
    for ids in [&[2, 1][..], &[1, 1], &[]] {
        assert!(matches!(Certificate::decode(&signed_by(ids).encode()), Err(CodecError::Invalid(_))), "{ids:?}");
    }
    assert_eq!(Certificate::from_engine(&certificate.to_engine()), Some(certificate));
}
