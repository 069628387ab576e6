//! Issuing, reversing and bundling receipts on the test chain.

use super::{
    AUTHORITY_THRESHOLD, TestChain, TestUnit, UNIT_KEY_BASE, UTC_OFFSET_MINUTES, blinding_secret, first_number, keys,
};
use crate::blind::{BlindingSecret, PaymentReference, UniquenessKey};
use crate::bundle::{BatchPart, Bundle, StatusPart};
use crate::credential::{SignedCredential, UnitCredential};
use crate::hash::{Hash, tagged};
use crate::ids::{Height, KeyId, LeafIndex, ReceiptNumber, UnitId, UnixMillis};
use crate::note::{SignedNote, TlogProof};
use crate::receipt::disclosure::{Body, Seed};
use crate::receipt::layout::to_values;
use crate::receipt::model::{CheckCode, Issued, Receipt, ReceiptDraft, Reversal, ReversalReason};
use crate::receipt::red::{RedRequest, red_draft};
use crate::receipt::samples::RunParams;
use crate::record::{ReceiptRecord, SignedRecord, status_key};
use crate::state::StateRead;
use crate::state::tables::Table;
use crate::suite::Signer;
use crate::verdict::RecordPlace;

/// A receipt of the test chain, signed; anchored once [`TestChain::add_block`] has taken it.
#[derive(Debug, Clone)]
pub struct TestReceipt {
    /// The content.
    pub receipt: Receipt,
    /// Its seed.
    pub seed: Seed,
    /// The signed record, verbatim.
    pub record: Vec<u8>,
    /// The decoded form of the bytes above.
    pub signed: SignedRecord,
}

impl TestChain {
    fn unit(&self, code: &str) -> &TestUnit {
        self.units.iter().find(|unit| unit.code == code).expect("a unit of the samples")
    }

    fn unit_signer(&self, unit: u32) -> Box<dyn Signer> {
        keys::signer(self.params.suite, &format!("unit-{unit}"))
    }

    fn blinding(&self) -> BlindingSecret {
        blinding_secret(self.params.suite)
    }

    /// A draft made from a sample, good under all rules.
    pub fn draft(&mut self, sample_id: &str) -> ReceiptDraft {
        self.draft_after(sample_id, None)
    }

    /// The same for samples that refer to the receipt issued from S01.
    pub fn draft_after(&mut self, sample_id: &str, original: Option<&Receipt>) -> ReceiptDraft {
        let params = RunParams {
            date: Self::date(),
            year_digits: 26,
            biz_prefix: "T",
            serial: self.next_serial,
            utc_offset_minutes: UTC_OFFSET_MINUTES,
            original,
        };
        self.samples.template(sample_id, &params).unwrap()
    }

    /// Issues a receipt made from a sample.
    pub fn issue(&mut self, sample_id: &str) -> TestReceipt {
        let draft = self.draft(sample_id);
        self.issue_draft(draft, Vec::new())
    }

    /// Issues the red receipt that reverses another.
    pub fn reverse(&mut self, original: &TestReceipt) -> TestReceipt {
        let draft = red_draft(&original.receipt, &self.red_request(&original.receipt)).unwrap();
        self.issue_draft(draft, original.signed.record.uniqueness_keys.clone())
    }

    fn red_request(&self, original: &Receipt) -> RedRequest {
        RedRequest {
            receipt_code: original.draft.receipt_code,
            issue_date: Self::date(),
            biz_code: format!("RED-{}", self.next_serial),
            place_code: original.draft.place_code.clone(),
            handling_person: "何某".to_owned(),
            checker: "吴某".to_owned(),
            remark: String::new(),
            reversal: Reversal {
                reason: ReversalReason::FullRefund,
                text: String::new(),
                operator: "何某".to_owned(),
                refund_reference: "TK1".to_owned(),
                reissue_biz_code: String::new(),
            },
        }
    }

    /// Issues a draft; `released` are the uniqueness keys that a red receipt frees.
    pub fn issue_draft(&mut self, draft: ReceiptDraft, released: Vec<UniquenessKey>) -> TestReceipt {
        let receipt = self.complete(draft);
        let mut keys = released;
        if !receipt.draft.is_red() {
            let pay_codes = receipt.draft.pay_codes().into_iter();
            keys.extend(pay_codes.map(|code| self.blinding().uniqueness_key(PaymentReference::PayCode(code))));
        }
        keys.sort_unstable();
        keys.dedup();
        self.sign(receipt, keys)
    }

    /// Number, check code, time and unit name.
    fn complete(&mut self, draft: ReceiptDraft) -> Receipt {
        let serial = self.next_serial;
        self.next_serial += 1;
        let unit = self.unit(&draft.unit_code);
        let issued = Issued {
            receipt_number: ReceiptNumber::new(first_number(unit.id) + serial).unwrap(),
            check_code: CheckCode::from_random(serial * 7_919),
            issue_time: self.time.plus_millis(serial % 50),
            unit_name: unit.name.clone(),
        };
        Receipt { issued, draft }
    }

    /// Signs a receipt's record as its unit does, whatever the content.
    pub fn sign(&self, receipt: Receipt, uniqueness_keys: Vec<UniquenessKey>) -> TestReceipt {
        let unit = self.unit(&receipt.draft.unit_code);
        let number = receipt.issued.receipt_number.get().to_be_bytes();
        let seed = Seed::new(tagged("tallystick/testkit/seed", &[&number]).0);
        let body = Body::of_receipt(self.params.suite, &receipt, &seed).unwrap();
        let record = ReceiptRecord {
            suite: self.params.suite,
            key: receipt.key(),
            unit: UnitId::new(unit.id),
            total: receipt.draft.total_amount,
            issue_time: receipt.issued.issue_time,
            signing_key: KeyId::new(UNIT_KEY_BASE + unit.id),
            body_root: body.root(),
            disclosure_count: u32::try_from(body.disclosures().len()).unwrap(),
            biz_key: self.blinding().biz_key(UnitId::new(unit.id), &receipt.draft.biz_code),
            key_epoch: 1,
            uniqueness_keys,
            reverses: receipt.draft.reversal_of(),
            seal_by: receipt.issued.issue_time.plus_millis(86_400_000),
        };
        let signed = SignedRecord::sign(record, self.params.id, self.unit_signer(unit.id).as_ref());
        TestReceipt { receipt, seed, record: signed.encode(), signed }
    }

    /// The credential of a receipt's unit, under the present authorities.
    pub fn credential(&self, receipt: &TestReceipt) -> SignedCredential {
        self.sign_credential(self.credential_of(receipt))
    }

    fn credential_of(&self, receipt: &TestReceipt) -> UnitCredential {
        let unit = self.unit(&receipt.receipt.draft.unit_code);
        UnitCredential {
            suite: self.params.suite,
            unit: UnitId::new(unit.id),
            unit_code: unit.code.clone(),
            unit_name: unit.name.clone(),
            supervisor_area_code: unit.area.clone(),
            signing_key: KeyId::new(UNIT_KEY_BASE + unit.id),
            public_key: self.unit_signer(unit.id).public_key(),
            valid_from: self.genesis.time,
            valid_until: None,
        }
    }

    /// Any credential under the threshold of the present authorities.
    pub fn sign_credential(&self, credential: UnitCredential) -> SignedCredential {
        self.sign_credential_at(credential, u64::MAX)
    }

    /// Any credential under the threshold of the authorities of a leaf.
    fn sign_credential_at(&self, credential: UnitCredential, leaf: u64) -> SignedCredential {
        let names = &self.authorities_at(leaf)[..AUTHORITY_THRESHOLD as usize];
        let keys: Vec<_> = names.iter().map(|name| keys::signer(self.params.suite, name)).collect();
        let signers: Vec<&dyn Signer> = keys.iter().map(AsRef::as_ref).collect();
        SignedCredential::sign(credential, self.params.id, &signers)
    }

    /// The bundle of an anchored receipt: anchored under its own block's checkpoint, status as of the last block.
    pub fn bundle(&self, receipt: &TestReceipt) -> Bundle {
        self.bundle_as_of(receipt, self.height())
    }

    /// The same with the status as of an earlier block, which must still be the tip of the status map.
    pub fn bundle_as_of(&self, receipt: &TestReceipt, height: Height) -> Bundle {
        let (anchor_height, index, batch) = self.batch_of(&receipt.record);
        let position = batch.records.iter().position(|record| *record == receipt.record).unwrap();
        let tree = crate::merkle::InnerTree::from_leaves(self.params.suite, &batch.records).unwrap();
        let inner = LeafIndex::new(position as u64);
        Bundle {
            chain: self.params.id,
            seed: receipt.seed.clone(),
            values: to_values(&receipt.receipt).unwrap(),
            record: receipt.record.clone(),
            credential: self.sign_credential_at(self.credential_of(receipt), index).encode(),
            batch: BatchPart { index: inner, path: tree.path(inner).unwrap(), header: batch.header.encode() },
            anchor: self.proof(index, anchor_height),
            status: self.status(&receipt.record, height),
        }
    }

    /// Where a record stands in the log, taken or refused, under the newest checkpoint.
    pub fn place(&self, record: &[u8]) -> RecordPlace {
        let (height, leaf, batch) = self.batch_of(record);
        let block = &self.blocks[usize::try_from(height.get()).unwrap()];
        let position = batch.records.iter().position(|known| known == record).unwrap();
        let batch_index = LeafIndex::new(position as u64);
        let tree = crate::merkle::InnerTree::from_leaves(self.params.suite, &batch.records).unwrap();
        RecordPlace {
            leaf_index: LeafIndex::new(leaf),
            entry: block.entries[usize::try_from(leaf - block.first_leaf).unwrap()].clone(),
            path: self.log.inclusion(leaf, self.log.size()),
            signed_header: batch.header.encode(),
            batch_index,
            batch_path: tree.path(batch_index).unwrap(),
        }
    }

    /// What the status map says of a record as of a block's checkpoint.
    pub fn status(&self, record: &[u8], height: Height) -> StatusPart {
        let block = &self.blocks[usize::try_from(height.get()).unwrap()];
        let key = status_key(self.params.suite, record);
        let lookup = self.state.prove_status(self.params.suite, &key).unwrap();
        StatusPart {
            seal: block.seal.encode(),
            proof: self.proof(block.log_size - 1, height),
            map: lookup.proof.encode(),
            value: StateRead::get(&self.state, Table::Statuses, &key.0).unwrap(),
        }
    }

    /// The proof file of a log leaf under the checkpoint of a block.
    pub fn proof(&self, index: u64, height: Height) -> String {
        let block = &self.blocks[usize::try_from(height.get()).unwrap()];
        self.proof_with(index, block.log_size, &block.checkpoint)
    }

    /// The proof file of a log leaf under any checkpoint note.
    pub fn proof_with(&self, index: u64, size: u64, note: &str) -> String {
        let path: Vec<Hash> = self.log.inclusion(index, size);
        let checkpoint = SignedNote::parse(note.as_bytes()).unwrap();
        TlogProof { extra: None, index: LeafIndex::new(index), path, checkpoint }.to_string()
    }

    /// The time at which the next block will be made.
    pub fn block_time(&self) -> UnixMillis {
        self.time.plus_millis(100)
    }
}
