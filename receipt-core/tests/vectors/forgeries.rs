//! Ways of being bad, each with the check at which it must fail. Applied to the bundle of the first record of block 1, whose
//! status is as of block 7.

use std::collections::HashMap;
use std::convert::Infallible;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::bundle::Bundle;
use receipt_core::credential::UnitCredential;
use receipt_core::entry::Entry;
use receipt_core::hash::Hash;
use receipt_core::ids::{Fen, Height, KeyId, LeafIndex, TreeSize, UnitId};
use receipt_core::merkle::{leaf_hash, node_hash};
use receipt_core::note::{Checkpoint, SignedNote, TlogProof};
use receipt_core::receipt::disclosure::{Body, Seed};
use receipt_core::record::{ReceiptRecord, SignedRecord, status_key};
use receipt_core::seal::Seal;
use receipt_core::state::stored_value_hash;
use receipt_core::status::StatusMap;
use receipt_core::suite::Signer as _;
use receipt_core::testkit::{TestValidator, authorities, unit_key};

use super::SUITE;
use super::scene::Scene;

type Forge = fn(&mut Scene, &mut Bundle);

/// Name, expected code, what is done to the good bundle.
pub(crate) const FORGERIES: &[(&str, &str, Forge)] = &[
    ("a byte after the record", "RECORD_FORM", |_, bundle| bundle.record.push(0)),
    ("a default written out in the record", "RECORD_FORM", |_, bundle| {
        // Field 16, reverses_number, as an explicit zero.
        let mut bytes = SignedRecord::decode(&bundle.record).unwrap().record_bytes;
        let end = bytes.len() - 8;
        bytes.splice(end..end, [0x80, 0x01, 0x00]);
        let mut signed = SignedRecord::decode(&bundle.record).unwrap();
        signed.record_bytes = bytes;
        bundle.record = signed.encode();
    }),
    ("a byte after the credential", "CREDENTIAL_FORM", |_, bundle| bundle.credential.push(0)),
    ("one authority of two", "CREDENTIAL_SIGNATURES", |scene, bundle| {
        let mut credential = scene.chain.credential(&scene.blues[0]);
        credential.signatures.truncate(1);
        bundle.credential = credential.encode();
    }),
    ("a third authority's signature, which is wrong", "CREDENTIAL_SIGNATURES", |scene, bundle| {
        let mut credential = scene.chain.credential(&scene.blues[0]);
        let first = credential.signatures[0].1;
        credential.signatures.push((authorities()[2].public_key(), first));
        credential.signatures.sort_by_key(|(key, _)| *key);
        bundle.credential = credential.encode();
    }),
    ("another unit's credential", "CREDENTIAL_SCOPE", |scene, bundle| {
        recredential(scene, bundle, |credential| credential.unit = UnitId::new(999));
    }),
    ("another key's credential", "CREDENTIAL_SCOPE", |scene, bundle| {
        recredential(scene, bundle, |credential| credential.signing_key = KeyId::new(999));
    }),
    ("a credential that ended at the time of issue", "CREDENTIAL_SCOPE", |scene, bundle| {
        let issued = scene.blues[0].signed.record.issue_time;
        recredential(scene, bundle, |credential| credential.valid_until = Some(issued));
    }),
    ("somebody else's key", "RECORD_SIGNATURE", |scene, bundle| {
        let key = receipt_core::suite::Signer::public_key(&unit_key(4242));
        recredential(scene, bundle, |credential| credential.public_key = key);
    }),
    ("a record changed after signing", "RECORD_SIGNATURE", |_, bundle| {
        let mut signed = SignedRecord::decode(&bundle.record).unwrap();
        signed.record.total = Fen::new(signed.record.total.get() + 1);
        signed.record_bytes = signed.record.encode();
        bundle.record = signed.encode();
    }),
    ("an amount changed", "BODY_ROOT", |_, bundle| bundle.values[7] = "1.00".to_owned()),
    ("a value left out", "BODY_ROOT", |_, bundle| {
        bundle.values.pop();
    }),
    ("another seed", "BODY_ROOT", |_, bundle| bundle.seed = Seed::new([0; 32])),
    ("a signed amount with one decimal", "BODY_FORM", |scene, bundle| {
        resign(scene, bundle, |values, _| values[7] = "1.0".to_owned());
    }),
    ("a signed list with a space", "BODY_FORM", |scene, bundle| {
        resign(scene, bundle, |values, _| values[17] = values[17].replacen(',', ", ", 1));
    }),
    ("a signed item with a field that is empty", "BODY_FORM", |scene, bundle| {
        resign(scene, bundle, |values, _| {
            let last = values.last_mut().unwrap();
            *last = last.replacen('}', ",\"remark\":\"\"}", 1);
        });
    }),
    ("a signed date that does not exist", "BODY_FORM", |scene, bundle| {
        resign(scene, bundle, |values, _| values[6] = "2026-11-31".to_owned());
    }),
    ("a signed row too many", "BODY_FORM", |scene, bundle| {
        resign(scene, bundle, |values, record| {
            values.push("{}".to_owned());
            record.disclosure_count += 1;
        });
    }),
    ("a signed total that the record denies", "BODY_RECORD", |scene, bundle| {
        resign(scene, bundle, |_, record| record.total = Fen::new(record.total.get() + 1));
    }),
    ("a signed date of another day", "BODY_RECORD", |scene, bundle| {
        resign(scene, bundle, |values, _| values[6] = "2026-11-03".to_owned());
    }),
    ("a link to an original on the record's side only", "BODY_RECORD", |scene, bundle| {
        resign(scene, bundle, |values, record| {
            record.total = Fen::new(-record.total.get());
            record.reverses = Some(record.key);
            values[7] = record.total.to_string();
        });
    }),
    ("another unit's name in the credential", "BODY_UNIT", |scene, bundle| {
        recredential(scene, bundle, |credential| credential.unit_name = "别的单位".to_owned());
    }),
    ("a byte after the batch header", "HEADER_FORM", |_, bundle| bundle.batch.header.push(0)),
    ("another index in the batch", "BATCH_INCLUSION", |_, bundle| bundle.batch.index = LeafIndex::new(1)),
    ("an index beyond the batch", "BATCH_INCLUSION", |_, bundle| bundle.batch.index = LeafIndex::new(5)),
    ("a hash too many in the batch path", "BATCH_INCLUSION", |_, bundle| bundle.batch.path.push(Hash::ZERO)),
    ("a hash too few in the batch path", "BATCH_INCLUSION", |_, bundle| {
        bundle.batch.path.pop();
    }),
    ("a time outside the batch's", "HEADER_TIME", |_, bundle| {
        // The header is not decided either, but its times are looked at first.
        let mut header = SignedBatchHeader::decode(&bundle.batch.header).unwrap();
        header.header.first_issue_time = header.header.last_issue_time;
        header.header_bytes = header.header.encode();
        bundle.batch.header = header.encode();
    }),
    ("a header that was never decided", "ANCHOR_INCLUSION", |_, bundle| {
        let mut header = SignedBatchHeader::decode(&bundle.batch.header).unwrap();
        header.header.epoch += 1;
        header.header_bytes = header.header.encode();
        bundle.batch.header = header.encode();
    }),
    ("another signature under the header", "ANCHOR_INCLUSION", |_, bundle| {
        let mut header = SignedBatchHeader::decode(&bundle.batch.header).unwrap();
        header.signature.0[0] ^= 1;
        bundle.batch.header = header.encode();
    }),
    ("extra data in the proof", "ANCHOR_FORM", |_, bundle| {
        bundle.anchor = bundle.anchor.replacen("index ", "extra AAAA\nindex ", 1);
    }),
    ("an index with a leading zero", "ANCHOR_FORM", |_, bundle| {
        bundle.anchor = bundle.anchor.replacen("index ", "index 0", 1);
    }),
    ("a hash too many in the log path", "ANCHOR_INCLUSION", |_, bundle| {
        let mut proof = TlogProof::parse(bundle.anchor.as_bytes()).unwrap();
        proof.path.push(Hash::ZERO);
        bundle.anchor = proof.to_string();
    }),
    ("another root in the checkpoint", "ANCHOR_QUORUM", |scene, bundle| {
        let size = scene.chain.blocks()[1].log_size;
        let root = scene.chain.log().root(size - 1).to_string();
        let text = |root: Hash| Checkpoint::new("x", TreeSize::new(size), root).unwrap().to_string();
        let line = |root: Hash| text(root).lines().nth(2).unwrap().to_owned();
        assert_ne!(root, scene.chain.log().root(size).to_string());
        let (old, new) = (line(scene.chain.log().root(size)), line(scene.chain.log().root(size - 1)));
        bundle.anchor = bundle.anchor.replacen(&old, &new, 1);
    }),
    ("a byte after the seal", "SEAL_FORM", |_, bundle| bundle.status.seal.push(0)),
    ("two of four cosigners", "SEAL_QUORUM", |scene, bundle| {
        recheck(scene, bundle, |validators| validators[..2].to_vec())
    }),
    ("one cosigner twice", "SEAL_QUORUM", |scene, bundle| {
        recheck(scene, bundle, |all| vec![all[0].clone(), all[1].clone(), all[1].clone()]);
    }),
    ("a cosigner more than needed", "SEAL_QUORUM", |scene, bundle| recheck(scene, bundle, <[_]>::to_vec)),
    ("retired validators", "SEAL_QUORUM", |scene, bundle| {
        recheck(scene, bundle, |_| (1..=3).map(TestValidator::new).collect());
    }),
    ("no line by the log", "SEAL_QUORUM", |_, bundle| {
        let mut proof = TlogProof::parse(bundle.status.proof.as_bytes()).unwrap();
        let cosigned = proof.checkpoint.signatures()[1..].to_vec();
        proof.checkpoint = SignedNote::new(proof.checkpoint.text(), cosigned).unwrap();
        bundle.status.proof = proof.to_string();
    }),
    ("a status from before the receipt", "SEAL_NEWER", |scene, bundle| {
        bundle.status.proof = scene.chain.proof(scene.chain.blocks()[0].log_size - 1, Height::ZERO);
        bundle.status.seal = scene.chain.blocks()[0].seal.encode();
    }),
    ("a seal that is not the last leaf", "SEAL_POSITION", |scene, bundle| {
        let (earlier, tip) = (&scene.chain.blocks()[6], &scene.chain.blocks()[7]);
        bundle.status.seal = earlier.seal.encode();
        bundle.status.proof = scene.chain.proof_with(earlier.log_size - 1, tip.log_size, &tip.checkpoint);
    }),
    ("another status root in the seal", "SEAL_POSITION", |scene, bundle| {
        let mut seal = scene.chain.blocks()[7].seal.clone();
        seal.status_root = Hash::ZERO;
        bundle.status.seal = seal.encode();
    }),
    ("a checkpoint from the future", "SEAL_TIME", |scene, bundle| {
        let size = scene.chain.log().size();
        let validators = &scene.chain.validators_at(scene.chain.height())[..3];
        let note = scene.chain.checkpoint_note(size, validators, scene.chain.now().seconds() + 601);
        bundle.status.proof = scene.chain.proof_with(size - 1, size, &note);
    }),
    ("a byte after the status proof", "STATUS_PROOF", |_, bundle| bundle.status.map.push(0)),
    ("another receipt's status", "STATUS_PROOF", |scene, bundle| {
        let other = scene.chain.bundle(&scene.blues[1]);
        bundle.status.map = other.status.map;
        bundle.status.value = other.status.value;
    }),
    ("a status of a later kind, which the ledger does not state", "STATUS_PROOF", |_, bundle| {
        bundle.status.value = Some(LATER_STATUS.to_vec());
    }),
    ("a status that the proof does not state", "STATUS_PROOF", |scene, bundle| {
        bundle.status.value = scene.chain.bundle(&scene.blues[1]).status.value;
    }),
];

/// What a program or a trust file may not know: name, code of the doubt, what is done to the good bundle.
pub(crate) const DOUBTS: &[(&str, &str, Forge)] = &[
    ("another chain", "OTHER_CHAIN", |_, bundle| bundle.chain.0.0[0] ^= 1),
    ("a record of a later format", "FORMAT_UNKNOWN", |_, bundle| later(&mut bundle.record, 1, 2)),
    ("a record that is no receipt", "FORMAT_UNKNOWN", |_, bundle| later(&mut bundle.record, 5, 7)),
    ("a credential of a later format", "FORMAT_UNKNOWN", |_, bundle| later(&mut bundle.credential, 1, 2)),
    ("a batch header of a later format", "FORMAT_UNKNOWN", |_, bundle| later(&mut bundle.batch.header, 1, 2)),
    ("a seal of a later format", "FORMAT_UNKNOWN", |_, bundle| bundle.status.seal[1] = 2),
    ("strangers", "VALIDATORS_UNKNOWN", |scene, bundle| {
        recheck(scene, bundle, |_| (31..=33).map(TestValidator::new).collect());
    }),
    ("one stranger among three", "VALIDATORS_UNKNOWN", |scene, bundle| {
        recheck(scene, bundle, |all| vec![all[0].clone(), all[1].clone(), TestValidator::new(31)]);
    }),
    ("a status of a later kind, which the ledger states", "STATUS_UNKNOWN", state_later_status),
];

/// salt ‖ a kind that nobody knows yet ‖ what it has to say.
const LATER_STATUS: [u8; 20] = [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 9, 1, 2, 3];

/// A seal under a quorum, whose status map has such a status for the record.
fn state_later_status(scene: &mut Scene, bundle: &mut Bundle) {
    let key = status_key(SUITE, &bundle.record);
    let map_value = stored_value_hash(SUITE, &LATER_STATUS).0.to_vec();
    let mut store = HashMap::<Vec<u8>, Vec<u8>>::new();
    let empty = |_: &[u8]| Ok::<_, Infallible>(None);
    let update = StatusMap::at(SUITE, &empty, None).update(Height::new(1), &[(key, Some(map_value))]).unwrap();
    store.extend(update.nodes);
    let reader = |key: &[u8]| Ok::<_, Infallible>(store.get(key).cloned());
    let map = StatusMap::at(SUITE, &reader, update.version).prove(&key).unwrap().proof;
    let mut seal = Seal::decode(&bundle.status.seal).unwrap();
    seal.status_root = update.root;
    let mut proof = TlogProof::parse(bundle.status.proof.as_bytes()).unwrap();
    // All siblings of a tree's last leaf stand on its left.
    let leaf = leaf_hash(SUITE, &Entry::Seal(seal.clone()).encode());
    let root = proof.path.iter().fold(leaf, |root, left| node_hash(SUITE, left, &root));
    let (size, now) = (scene.chain.log().size(), scene.chain.now().seconds());
    let note = scene.chain.checkpoint_over(size, root, &scene.chain.validators_at(scene.chain.height())[..3], now);
    proof.checkpoint = SignedNote::parse(note.as_bytes()).unwrap();
    bundle.status.seal = seal.encode();
    bundle.status.proof = proof.to_string();
    bundle.status.map = map.encode();
    bundle.status.value = Some(LATER_STATUS.to_vec());
}

/// Another number at this place of a signed message, and an unknown field behind it, as a later format may have.
pub(crate) fn later(signed: &mut Vec<u8>, place: usize, number: u8) {
    let start = signed.iter().position(|byte| *byte == 0x08).unwrap();
    signed[start + place] = number;
    signed.extend_from_slice(&[0xf8, 0x01, 0x01]);
}

/// Another credential under the threshold of authorities.
fn recredential(scene: &Scene, bundle: &mut Bundle, change: impl FnOnce(&mut UnitCredential)) {
    let mut credential = scene.chain.credential(&scene.blues[0]).credential;
    change(&mut credential);
    bundle.credential = scene.chain.sign_credential(credential).encode();
}

/// What a dishonest unit signs: other values, or a record that contradicts them. The ledger does not know it.
fn resign(scene: &Scene, bundle: &mut Bundle, change: impl FnOnce(&mut Vec<String>, &mut ReceiptRecord)) {
    let mut record = scene.blues[0].signed.record.clone();
    change(&mut bundle.values, &mut record);
    record.body_root = Body::of_values(SUITE, bundle.values.clone(), &bundle.seed).unwrap().root();
    let key = unit_key(record.unit.get());
    bundle.record = SignedRecord::sign(record, scene.chain.genesis().chain_id(), &key).encode();
}

/// The newest checkpoint under other cosigners.
fn recheck(scene: &Scene, bundle: &mut Bundle, choose: impl FnOnce(&[TestValidator]) -> Vec<TestValidator>) {
    let size = scene.chain.log().size();
    let validators = choose(scene.chain.validators_at(scene.chain.height()));
    let note = scene.chain.checkpoint_note(size, &validators, scene.chain.now().seconds());
    bundle.status.proof = scene.chain.proof_with(size - 1, size, &note);
}
