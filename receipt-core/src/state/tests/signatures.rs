//! Crafted Ed25519 points. Records and headers verify under ZIP 215: whatever the encoding of a small-order or mixed-order
//! point, one signature alone and the same one in a batch get the same verdict. Such keys can not be registered, and the
//! strict rules of governance refuse them.

use ed25519_dalek::{SigningKey, VerifyingKey};
use sha2::{Digest, Sha512};

use super::draft::blue;
use super::ledger::{Ledger, register_key};
use crate::authorities::AuthoritySet;
use crate::block::Item;
use crate::entry::RecordRefusal;
use crate::governance::{Action, KeyOwner, SignedGovernance};
use crate::reason::Reason;
use crate::record::SignedRecord;
use crate::state::BlockRefusal;
use crate::suite::{
    ChainId, Namespace, PublicKey, Signature, Signed, preimage, verify_many_zip215, verify_strict, verify_zip215,
};
use crate::testkit::unit_key;

/// The eight points of small order in every encoding that decodes: eight canonical ones, then six others.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];
/// A point of order 8.
const TORSION: &str = SMALL_ORDER[4];
/// The order of the prime-order subgroup, little-endian.
const GROUP_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
const MESSAGE: &[u8] = b"a record";

fn bytes(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn chain() -> ChainId {
    ChainId(crate::hash::sha256(&[b"a chain"]))
}

/// What stands in place of the key A or the nonce's point R.
#[derive(Clone, Copy)]
enum Part {
    /// A secret's own point.
    Honest([u8; 32]),
    /// The same plus a point of small order.
    Mixed([u8; 32], &'static str),
    /// Only a point of small order, in this encoding; its secret is zero.
    Small(&'static str),
}

/// Signs with S = r + k · a, whatever A and R are.
fn craft(namespace: Namespace, chain: ChainId, message: &[u8], key: Part, nonce: Part) -> (PublicKey, Signature) {
    let secret_of = |seed: &[u8; 32]| SigningKey::from_bytes(seed).to_scalar();
    let some = secret_of(&[1; 32]);
    let (zero, one) = (some + -some, some * some.invert());
    let point_of = |point: &[u8; 32]| VerifyingKey::from_bytes(point).unwrap().to_edwards();
    let parts = |part: Part| match part {
        Part::Honest(seed) => (secret_of(&seed), SigningKey::from_bytes(&seed).verifying_key().to_bytes()),
        Part::Mixed(seed, torsion) => {
            let point = SigningKey::from_bytes(&seed).verifying_key().to_edwards() + point_of(&bytes(torsion));
            (secret_of(&seed), point.compress().to_bytes())
        }
        Part::Small(encoding) => (zero, bytes(encoding)),
    };
    let ((a, key), (r, nonce)) = (parts(key), parts(nonce));
    let digest = Sha512::new()
        .chain_update(nonce)
        .chain_update(key)
        .chain_update(preimage(namespace, chain, message))
        .finalize();
    let bits = digest.iter().rev().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let k = bits.fold(zero, |k, bit| if bit == 1 { k + k + one } else { k + k });
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&nonce);
    signature[32..].copy_from_slice(&(r + k * a).to_bytes());
    (PublicKey(key), Signature(signature))
}

/// S + the group order: the same number modulo the order, in an encoding that is not canonical.
fn with_larger_s(signature: Signature) -> Signature {
    let mut raised = signature;
    let mut carry = 0;
    for (byte, order) in raised.0[32..].iter_mut().zip(bytes(GROUP_ORDER)) {
        carry += u16::from(*byte) + u16::from(order);
        *byte = carry as u8;
        carry >>= 8;
    }
    assert_eq!(carry, 0);
    raised
}

/// The verdict of one signature, asserted to be the same alone, doubled, among good ones and among bad ones.
fn verdict(key: PublicKey, signature: Signature) -> bool {
    let single = verify_zip215(&key, Namespace::Receipt, chain(), MESSAGE, &signature);
    let (good_key, good_signature) =
        craft(Namespace::Receipt, chain(), MESSAGE, Part::Honest([3; 32]), Part::Honest([4; 32]));
    let item = |key, signature| Signed { key, message: MESSAGE, signature };
    let good = || item(good_key, good_signature);
    let bad = || item(good_key, Signature([5; 64]));
    let it = || item(key, signature);
    for entropy in [[0; 32], [7; 32]] {
        let many = |items: &[Signed<'_>]| verify_many_zip215(items, Namespace::Receipt, chain(), entropy);
        assert_eq!(many(&[it()]), [single]);
        assert_eq!(many(&[it(), it()]), [single, single]);
        assert_eq!(many(&[good(), it(), good()]), [true, single, true]);
        assert_eq!(many(&[it(), bad(), good()]), [single, false, true]);
    }
    single
}

fn receipt(key: Part, nonce: Part) -> (PublicKey, Signature) {
    craft(Namespace::Receipt, chain(), MESSAGE, key, nonce)
}

#[test]
fn crafting_gives_true_signatures() {
    let (key, signature) = receipt(Part::Honest([3; 32]), Part::Honest([4; 32]));
    assert!(key.is_registrable());
    assert!(verify_strict(&key, Namespace::Receipt, chain(), MESSAGE, &signature));
    assert!(verdict(key, signature));
    assert!(!verify_zip215(&key, Namespace::Batch, chain(), MESSAGE, &signature));
}

#[test]
fn every_small_order_key_and_nonce_is_accepted_under_zip_215_and_refused_strictly() {
    for key in SMALL_ORDER {
        for nonce in SMALL_ORDER {
            let (key, signature) = receipt(Part::Small(key), Part::Small(nonce));
            assert!(verdict(key, signature), "{key:?} {signature:?}");
            assert!(!verify_strict(&key, Namespace::Receipt, chain(), MESSAGE, &signature));
        }
    }
}

#[test]
fn mixed_and_small_parts_beside_honest_ones() {
    let honest = [3; 32];
    for torsion in SMALL_ORDER {
        for (key, nonce) in [
            (Part::Honest(honest), Part::Mixed([4; 32], torsion)),
            (Part::Honest(honest), Part::Small(torsion)),
            (Part::Mixed(honest, torsion), Part::Honest([4; 32])),
            (Part::Mixed(honest, torsion), Part::Mixed([4; 32], TORSION)),
            (Part::Small(torsion), Part::Honest([4; 32])),
        ] {
            let (key, signature) = receipt(key, nonce);
            assert!(verdict(key, signature), "{torsion}");
            assert!(!verdict(key, with_larger_s(signature)), "{torsion}");
        }
    }
}

#[test]
fn an_s_that_is_not_canonical_is_refused() {
    let (key, signature) = receipt(Part::Honest([3; 32]), Part::Honest([4; 32]));
    let raised = with_larger_s(signature);
    assert!(!verdict(key, raised));
    assert!(!verify_strict(&key, Namespace::Receipt, chain(), MESSAGE, &raised));
    let (key, signature) = receipt(Part::Small(TORSION), Part::Small(TORSION));
    assert_eq!(signature.0[32..], [0; 32]);
    assert!(!verdict(key, with_larger_s(signature)), "S = the order itself, in place of 0");
}

#[test]
fn every_flipped_bit_and_points_off_the_curve_are_refused() {
    let (key, signature) = receipt(Part::Honest([3; 32]), Part::Honest([4; 32]));
    for bit in 0..512 {
        let mut flipped = signature;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        assert!(!verdict(key, flipped), "bit {bit}");
    }
    let off_curve = (2..=255_u8).map(|y| {
        let mut point = [0; 32];
        point[0] = y;
        point
    });
    let off_curve = off_curve.filter(|point| VerifyingKey::from_bytes(point).is_err()).take(8);
    for point in off_curve {
        assert!(!verdict(PublicKey(point), signature));
        let mut wrong = signature;
        wrong.0[..32].copy_from_slice(&point);
        assert!(!verdict(key, wrong));
    }
}

#[test]
fn only_canonical_torsion_free_keys_are_registrable() {
    let mut bad: Vec<PublicKey> = SMALL_ORDER.iter().map(|encoding| PublicKey(bytes(encoding))).collect();
    for torsion in SMALL_ORDER.iter().filter(|torsion| VerifyingKey::from_bytes(&bytes(torsion)).is_ok()) {
        let (mixed, _) = receipt(Part::Mixed([3; 32], torsion), Part::Honest([4; 32]));
        // The identity has two encodings more and adds nothing.
        if mixed != receipt(Part::Honest([3; 32]), Part::Honest([4; 32])).0 {
            bad.push(mixed);
        }
    }
    assert_eq!(bad.len(), 14 + 10, "four of the encodings are the identity");
    // Every y from the field's order up, with either sign.
    for low in 0xED..=0xFF_u8 {
        for high in [0x7F, 0xFF] {
            let mut point = [0xFF; 32];
            (point[0], point[31]) = (low, high);
            bad.push(PublicKey(point));
        }
    }
    let ledger = Ledger::new();
    let register = |key| {
        let action = Action::RegisterKey(register_key(5, KeyOwner::Unit, 1, key));
        ledger.execute(ledger.content(vec![Item::Governance(ledger.governance(vec![action]))])).map(drop)
    };
    let problem = "the public key is not canonical and torsion-free";
    for key in bad {
        assert!(!key.is_registrable(), "{key:?}");
        assert_eq!(register(key), Err(BlockRefusal::Governance { area: None, sequence: 1, problem }), "{key:?}");
    }
    assert_eq!(register(receipt(Part::Honest([3; 32]), Part::Honest([4; 32])).0), Ok(()));
}

/// A record of unit 1 whose signature has a nonce of mixed order: ZIP 215 takes it.
fn mixed_record(ledger: &Ledger, number: u64, seed: [u8; 32]) -> SignedRecord {
    let draft = blue(ledger, number);
    let record_bytes = draft.record.encode();
    let (_, signature) =
        craft(Namespace::Receipt, ledger.chain.id, &record_bytes, Part::Honest(seed), Part::Mixed([4; 32], TORSION));
    SignedRecord { record: draft.record, record_bytes, signature }
}

#[test]
fn the_ledger_judges_a_crafted_record_the_same_alone_and_among_others() {
    let mut ledger = Ledger::new();
    let seed = [9; 32];
    let key = PublicKey(SigningKey::from_bytes(&seed).verifying_key().to_bytes());
    ledger.govern(vec![Action::RegisterKey(register_key(5, KeyOwner::Unit, 1, key))]);
    let crafted = |ledger: &Ledger, number| {
        let mut draft = blue(ledger, number);
        draft.record.signing_key = crate::ids::KeyId::new(5);
        let record_bytes = draft.record.encode();
        let nonce = Part::Mixed([4; 32], TORSION);
        let (_, signature) = craft(Namespace::Receipt, ledger.chain.id, &record_bytes, Part::Honest(seed), nonce);
        SignedRecord { record: draft.record, record_bytes, signature }
    };
    assert_eq!(ledger.submit(vec![crafted(&ledger, 1).encode()]), []);
    let among = vec![blue(&ledger, 2).leaf(), crafted(&ledger, 3).encode(), blue(&ledger, 4).leaf()];
    assert_eq!(ledger.submit(among), []);
    // Its key is not unit 1's first one.
    let foreign = mixed_record(&ledger, 5, seed).encode();
    assert_eq!(
        ledger.submit(vec![foreign, blue(&ledger, 6).leaf()]),
        [RecordRefusal { index: 0, reason: Reason::SignatureInvalid }]
    );
    for others in [vec![], vec![blue(&ledger, 8).leaf(), crafted(&ledger, 9).encode()]] {
        let mut raised = crafted(&ledger, 7);
        raised.signature = with_larger_s(raised.signature);
        let leaves: Vec<Vec<u8>> = std::iter::once(raised.encode()).chain(others).collect();
        assert_eq!(ledger.submit(leaves), [RecordRefusal { index: 0, reason: Reason::SignatureInvalid }]);
    }
    // A small-order signature does not pass for a registered key's.
    let draft = blue(&ledger, 7);
    let (_, signature) = receipt(Part::Small(TORSION), Part::Small(TORSION));
    let record_bytes = draft.record.encode();
    let forged = SignedRecord { record: draft.record, record_bytes, signature };
    assert!(!forged.verify(ledger.chain.id, &crate::suite::Signer::public_key(&unit_key(1))));
    assert_eq!(ledger.submit(vec![forged.encode()]), [RecordRefusal { index: 0, reason: Reason::SignatureInvalid }]);
}

#[test]
fn governance_is_strict() {
    let ledger = Ledger::new();
    let governance = ledger.unsigned(Vec::new());
    let message = governance.encode();
    let verifies = |key: Part, nonce: Part| {
        let (key, signature) = craft(Namespace::Governance, ledger.chain.id, &message, key, nonce);
        let governance_bytes = message.clone();
        let signed =
            SignedGovernance { governance: governance.clone(), governance_bytes, signatures: vec![(key, signature)] };
        signed.verify(ledger.chain.id, &AuthoritySet { keys: vec![key], threshold: 1 })
    };
    assert!(verifies(Part::Honest([3; 32]), Part::Honest([4; 32])));
    for small in SMALL_ORDER {
        assert!(!verifies(Part::Small(small), Part::Small(small)), "{small}");
        assert!(!verifies(Part::Small(small), Part::Honest([4; 32])), "{small}");
        assert!(!verifies(Part::Honest([3; 32]), Part::Small(small)), "{small}");
    }
    assert!(!verifies(Part::Honest([3; 32]), Part::Mixed([4; 32], TORSION)));
    assert!(!verifies(Part::Mixed([3; 32], TORSION), Part::Mixed([4; 32], TORSION)));
}
