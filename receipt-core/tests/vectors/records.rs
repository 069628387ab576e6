//! Records, the batch over them, and the keyed hashes inside.

use std::num::NonZeroU16;

use receipt_core::batch::SignedBatchHeader;
use receipt_core::blind::{BlindingSecret, PaymentReference};
use receipt_core::block::{Block, Item};
use receipt_core::fingerprint::Fingerprint;
use receipt_core::ids::{LeafIndex, UnitId};
use receipt_core::merkle::{InnerTree, leaf_hash};
use receipt_core::record::status_key;
use receipt_core::state::tables::uniqueness_key_bytes;
use receipt_core::state::{BlindingEpoch, EpochState, RegisteredEpoch};
use receipt_core::suite::Signer as _;
use receipt_core::testkit::{TestReceipt, unit_key};
use serde_json::{Value, json};

use super::scene::Scene;
use super::{SUITE, hexes};

fn record(receipt: &TestReceipt) -> Value {
    let signed = &receipt.signed;
    let record = &signed.record;
    json!({
        "fields": {
            "suite": record.suite.number(),
            "receipt_code": record.key.code.get(),
            "receipt_number": record.key.number.get(),
            "unit_id": record.unit.get(),
            "total_fen": record.total.get(),
            "issue_time_ms": record.issue_time.get(),
            "key_id": record.signing_key.get(),
            "body_root": record.body_root.to_string(),
            "disclosure_count": record.disclosure_count,
            "biz_key": hex::encode(record.biz_key),
            "key_epoch": record.key_epoch,
            "uniqueness_keys": hexes(record.uniqueness_keys.iter().map(|key| key.to_bytes())),
            "reverses_code": record.reverses.map_or(0, |key| key.code.get()),
            "reverses_number": record.reverses.map_or(0, |key| key.number.get()),
            "seal_by_ms": record.seal_by.get(),
        },
        "record": hex::encode(&signed.record_bytes),
        "public_key": hex::encode(unit_key(record.unit.get()).public_key().0),
        "signature": hex::encode(signed.signature.0),
        "signed_record": hex::encode(&receipt.record),
        "leaf_hash": leaf_hash(SUITE, &receipt.record).to_string(),
        "status_key": status_key(SUITE, &receipt.record).to_string(),
    })
}

#[test]
fn record_json() {
    let scene = Scene::new();
    let chain = scene.chain.genesis().chain_id().0.to_string();
    let value = json!({ "chain": chain, "blue": record(&scene.blues[0]), "red": record(&scene.red) });
    super::check("record.json", &value);
}

#[test]
fn batch_json() {
    let scene = Scene::new();
    let block = Block::decode(&scene.chain.blocks()[1].bytes).unwrap();
    let Some(Item::Batch(batch)) = block.content.items.first() else { panic!("block 1 has a batch") };
    let SignedBatchHeader { header, header_bytes, signature } = &batch.header;
    let tree = InnerTree::from_leaves(SUITE, &batch.records).unwrap();
    let issuer = receipt_core::testkit::issuer_key().public_key();
    assert!(batch.header.verify(scene.chain.genesis().chain_id(), &issuer));
    let paths = (0..5).map(|index| hexes(tree.path(LeafIndex::new(index)).unwrap().iter().map(|hash| hash.0)));
    let value = json!({
        "chain": scene.chain.genesis().chain_id().0.to_string(),
        "fields": {
            "suite": header.suite.number(),
            "issuer_id": header.issuer.get(),
            "epoch": header.epoch,
            "sequence": header.sequence.get(),
            "count": header.count,
            "root": header.root.to_string(),
            "first_issue_time_ms": header.first_issue_time.get(),
            "last_issue_time_ms": header.last_issue_time.get(),
            "key_id": header.signing_key.get(),
        },
        "header": hex::encode(header_bytes),
        "public_key": hex::encode(issuer.0),
        "signature": hex::encode(signature.0),
        "signed_header": hex::encode(batch.header.encode()),
        "header_hash": batch.header.header_hash().to_string(),
        "records": hexes(&batch.records),
        "root": tree.root().to_string(),
        "paths": paths.collect::<Vec<_>>(),
    });
    super::check("batch.json", &value);
}

#[test]
fn blinding_json() {
    let bytes = [0x5e; 32];
    let secret = BlindingSecret::new(SUITE, 3, &bytes);
    let biz = |unit: u32, code: &str| json!({ "unit_id": unit, "biz_code": code, "key": hex::encode(secret.biz_key(UnitId::new(unit), code)) });
    let unique = |payment: PaymentReference<'_>| {
        let key = secret.uniqueness_key(payment);
        let (PaymentReference::PayCode(text)
        | PaymentReference::Settlement(text)
        | PaymentReference::Decision(text, _)) = payment;
        let instalment = key.instalment.map_or(0, NonZeroU16::get);
        json!({
            "type": key.kind.number(),
            "reference": text,
            "instalment": instalment,
            "key": hex::encode(key.to_bytes()),
            "row_of_unit_7": hex::encode(uniqueness_key_bytes(UnitId::new(7), &key)),
        })
    };
    let decision = |number, instalment| unique(PaymentReference::Decision(number, NonZeroU16::new(instalment)));
    let registered = |(epoch, state)| {
        let secret = BlindingSecret::new(SUITE, epoch, &[u8::try_from(epoch).unwrap(); 32]);
        let fingerprint = Fingerprint::of_blinding(&secret);
        RegisteredEpoch { secret: BlindingEpoch { epoch, fingerprint }, state }
    };
    let epochs = [(1, EpochState::Named), (2, EpochState::Withdrawn), (3, EpochState::Unused)].map(registered);
    let rows = epochs.iter().map(|known| {
        json!({
            "epoch": known.secret.epoch,
            "fingerprint": known.secret.fingerprint.to_string(),
            "state": known.state as u8,
        })
    });
    let value = json!({
        "registered": { "epochs": rows.collect::<Vec<_>>(), "row": hex::encode(RegisteredEpoch::encode_all(&epochs)) },
        "secret": hex::encode(bytes),
        "epoch": secret.epoch(),
        "fingerprint": Fingerprint::of_blinding(&secret).to_string(),
        "biz_keys": [biz(7, "HIS-20261102-0001"), biz(8, "HIS-20261102-0001"), biz(7, "业务一")],
        "uniqueness_keys": [
            unique(PaymentReference::PayCode("33010026000000000017")),
            unique(PaymentReference::Settlement("33010026000000000017")),
            decision("330100-123", 0),
            decision("330100-123", 1),
            decision("330100-123", 1200),
            // As above, otherwise written.
            decision("３３０１００—１２３", 1),
            unique(PaymentReference::Settlement("js 2026／ａ（1）")),
            unique(PaymentReference::Settlement("JS2026/A[1]")),
            unique(PaymentReference::Settlement("─━ー➖−˗⁃~～〜∼1")),
            decision("公罚〔二○二六〕・1号", 0),
            decision("公罚〔二〇二六〕·1号", 0),
            decision("公罚〔2026〕·1號", 0),
        ],
    });
    super::check("blinding.json", &value);
}
