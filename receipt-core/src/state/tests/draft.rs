//! Records of the test ledger before they are signed, each field open to change.

use std::num::NonZeroU16;

use super::ledger::{CODE, Ledger, T};
use crate::blind::{UniquenessKey, UniquenessType};
use crate::hash::Hash;
use crate::ids::{Fen, KeyId, ReceiptCode, ReceiptKey, ReceiptNumber, UnitId, UnixMillis};
use crate::record::{ReceiptRecord, SignedRecord};
use crate::suite::{ChainId, Namespace, Signer, SoftwareKey, Suite};
use crate::testkit::unit_key;

/// A record, and who signs it for which chain.
pub(super) struct Draft {
    pub(super) record: ReceiptRecord,
    pub(super) signer: SoftwareKey,
    pub(super) chain: ChainId,
}

pub(super) fn receipt_key(code: u32, number: u64) -> ReceiptKey {
    ReceiptKey { code: ReceiptCode::new(code).unwrap(), number: ReceiptNumber::new(number).unwrap() }
}

/// The key of what was paid, of a decision: at once.
pub(super) fn uniqueness(kind: UniquenessType, tag: u8) -> UniquenessKey {
    UniquenessKey { kind, hash: [tag; 16], instalment: None, epoch: 1 }
}

/// The key of an instalment of a decision, from 1.
pub(super) fn instalment(tag: u8, number: u16) -> UniquenessKey {
    UniquenessKey { instalment: NonZeroU16::new(number), ..uniqueness(UniquenessType::Decision, tag) }
}

pub(super) fn biz_key(number: u64) -> [u8; 16] {
    let mut key = [0xB0; 16];
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

/// A good blue record of unit 1 over 385.37, issued one second after genesis; its `biz_key` follows from its number.
pub(super) fn blue(ledger: &Ledger, number: u64) -> Draft {
    let record = ReceiptRecord {
        suite: Suite::Ed25519Sha256,
        key: receipt_key(CODE, number),
        unit: UnitId::new(1),
        total: Fen::new(38_537),
        issue_time: UnixMillis::new(T + 1000),
        signing_key: KeyId::new(101),
        body_root: Hash([0x0B; 32]),
        disclosure_count: 30,
        biz_key: biz_key(number),
        key_epoch: 1,
        uniqueness_keys: Vec::new(),
        reverses: None,
        seal_by: UnixMillis::new(T + 86_400_000),
    };
    Draft { record, signer: unit_key(1), chain: ledger.chain.id }
}

/// A good blue record of unit 2.
pub(super) fn blue_of_2(ledger: &Ledger, number: u64) -> Draft {
    let mut draft = blue(ledger, number);
    draft.record.unit = UnitId::new(2);
    draft.record.signing_key = KeyId::new(102);
    Draft { signer: unit_key(2), ..draft }
}

/// The red record that reverses a blue one of unit 1, under another number.
pub(super) fn red(ledger: &Ledger, number: u64, original: &Draft) -> Draft {
    reversal(blue(ledger, number), original)
}

/// The red record of unit 2 likewise.
pub(super) fn red_of_2(ledger: &Ledger, number: u64, original: &Draft) -> Draft {
    reversal(blue_of_2(ledger, number), original)
}

fn reversal(mut draft: Draft, original: &Draft) -> Draft {
    draft.record.total = original.record.total.checked_neg().unwrap();
    draft.record.uniqueness_keys.clone_from(&original.record.uniqueness_keys);
    draft.record.reverses = Some(original.record.key);
    draft
}

impl Draft {
    pub(super) fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    pub(super) fn with_keys(self, keys: &[UniquenessKey]) -> Self {
        self.with(|draft| draft.record.uniqueness_keys = keys.to_vec())
    }

    /// The leaf.
    pub(super) fn leaf(&self) -> Vec<u8> {
        SignedRecord::sign(self.record.clone(), self.chain, &self.signer).encode()
    }

    /// A leaf over any bytes in place of the record's, properly signed.
    pub(super) fn leaf_over(&self, record_bytes: Vec<u8>) -> Vec<u8> {
        let signature = self.signer.sign(Namespace::Receipt, self.chain, &record_bytes);
        SignedRecord { record: self.record.clone(), record_bytes, signature }.encode()
    }
}
