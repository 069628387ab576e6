//! The seventeen samples as signed records, with the uniqueness keys that an issuer gives them.

use std::num::NonZeroU16;

use receipt_core::blind::{BlindingSecret, PaymentReference, UniquenessKey};
use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::model::ReceiptDraft;
use receipt_core::suite::Suite;
use receipt_core::testkit::{BLINDING_BYTES, TestChain};

/// A signed record and what it is of.
pub(crate) struct Record {
    /// The sample.
    pub(crate) sample: String,
    /// Uniqueness keys in it.
    pub(crate) keys: usize,
    /// The SignedRecord.
    pub(crate) bytes: Vec<u8>,
}

/// All samples in order; payments are hashed under so many epochs' secrets (a secret that was changed once makes two).
pub(crate) fn records(epochs: u32) -> Vec<Record> {
    let mut chain = TestChain::new();
    let draft = chain.draft("S01");
    let keys = further_keys(&draft, epochs);
    let original = chain.issue_draft(draft, keys);
    let ids = (1..=17).map(|number| format!("S{number:02}"));
    ids.map(|sample| {
        let receipt = match sample.as_str() {
            "S01" => original.clone(),
            "S13" => chain.reverse(&original),
            _ => {
                let draft = chain.draft_after(&sample, Some(&original.receipt));
                let keys = further_keys(&draft, epochs);
                chain.issue_draft(draft, keys)
            }
        };
        Record { sample, keys: receipt.signed.record.uniqueness_keys.len(), bytes: receipt.record }
    })
    .collect()
}

/// What an issuer adds to the keys of the test chain, which are those of pay codes in the first epoch.
fn further_keys(draft: &ReceiptDraft, epochs: u32) -> Vec<UniquenessKey> {
    let mut paid: Vec<PaymentReference<'_>> = draft.pay_codes().into_iter().map(PaymentReference::PayCode).collect();
    match &draft.ext {
        Ext::Medical { medical } if !medical.settlement_number.is_empty() => {
            paid.push(PaymentReference::Settlement(&medical.settlement_number));
        }
        Ext::PaymentBook { fine, .. } if !fine.penalty_decision_no.is_empty() => {
            let instalment = fine.instalment.and_then(|number| NonZeroU16::new(u16::try_from(number).unwrap()));
            paid.push(PaymentReference::Decision(&fine.penalty_decision_no, instalment));
        }
        _ => {}
    }
    let secrets = (1..=epochs).map(|epoch| {
        let mut bytes = BLINDING_BYTES;
        bytes[0] += u8::try_from(epoch).unwrap() - 1;
        BlindingSecret::new(Suite::Ed25519Sha256, epoch, &bytes)
    });
    secrets.flat_map(|secret| paid.iter().map(|payment| secret.uniqueness_key(*payment)).collect::<Vec<_>>()).collect()
}
