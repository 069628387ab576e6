//! Building one receipt: body, record, signature, encryption. Pure but for the secrets it is given; runs in parallel.

use std::sync::Arc;

use receipt_core::ids::{KeyId, ReceiptKey, ReceiptNumber, UnixMillis};
use receipt_core::receipt::disclosure::{Body, SEED_BYTES, Seed};
use receipt_core::receipt::layout::to_values;
use receipt_core::receipt::model::{CheckCode, Issued as IssuedPart, Receipt};
use receipt_core::record::{ReceiptRecord, SignedRecord};
use receipt_core::suite::{ChainId, Signer, Suite};
use tallystick_service::keyfile::Secret;

use super::{Acknowledgement, Prepared};
use crate::body::{BodyCipher, BodySecrets, OpenBody, SealedBody};
use crate::journal::ReceiptRow;

/// Random bytes that one receipt takes: body key, nonce of its wrapping, seed, check code.
pub(super) const SECRET_BYTES: usize = 32 + 24 + SEED_BYTES + 8;

/// What is the same for all receipts.
pub(super) struct Workshop<'a> {
    pub(super) chain: ChainId,
    pub(super) suite: Suite,
    pub(super) blinding_epoch: u32,
    pub(super) seal_promise_ms: u64,
    pub(super) cipher: &'a BodyCipher,
}

/// A draft whose turn has come.
pub(super) struct Allotted {
    pub(super) prepared: Prepared,
    pub(super) number: ReceiptNumber,
    pub(super) issue_time: UnixMillis,
    pub(super) signing_key: KeyId,
    pub(super) signer: Arc<dyn Signer>,
}

impl Allotted {
    pub(super) fn key(&self) -> ReceiptKey {
        ReceiptKey { code: self.prepared.draft.receipt_code, number: self.number }
    }
}

/// A receipt ready to be written.
pub(super) struct Assembled {
    pub(super) row: ReceiptRow,
    pub(super) body: SealedBody,
    pub(super) acknowledgement: Acknowledgement,
}

/// A receipt that cannot be built: a defect of this program, since its draft passed every check.
#[derive(Debug, thiserror::Error)]
#[error("a checked draft could not be built: {0}")]
pub(super) struct AssembleError(String);

/// Builds every allotted receipt, in order, on as many threads as pay.
pub(super) fn assemble_all(
    workshop: &Workshop<'_>,
    allotted: &[Allotted],
    secrets: &[u8],
) -> Result<Vec<Assembled>, AssembleError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let chunk = allotted.len().div_ceil(threads).max(16);
    let build = |(receipts, secrets): (&[Allotted], &[u8])| {
        let pairs = receipts.iter().zip(secrets.chunks_exact(SECRET_BYTES));
        pairs.map(|(receipt, secrets)| assemble(workshop, receipt, secrets)).collect::<Result<Vec<_>, _>>()
    };
    let mut parts = allotted.chunks(chunk).zip(secrets.chunks(chunk * SECRET_BYTES));
    let Some(first) = parts.next() else { return Ok(Vec::new()) };
    let mut assembled = std::thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(move || build(part))).collect();
        let mut assembled = build(first)?;
        for other in others {
            assembled.extend(other.join().map_err(|_| AssembleError("a thread panicked".to_owned()))??);
        }
        Ok(assembled)
    })?;
    assembled.shrink_to_fit();
    if assembled.len() == allotted.len() { Ok(assembled) } else { Err(AssembleError("too few secrets".to_owned())) }
}

fn assemble(workshop: &Workshop<'_>, allotted: &Allotted, secrets: &[u8]) -> Result<Assembled, AssembleError> {
    let failed = |error: &dyn std::fmt::Display| AssembleError(error.to_string());
    let short = || AssembleError("too few secrets".to_owned());
    let (body_key, secrets) = secrets.split_first_chunk::<32>().ok_or_else(short)?;
    let (nonce, secrets) = secrets.split_first_chunk::<24>().ok_or_else(short)?;
    let (seed, secrets) = secrets.split_first_chunk::<SEED_BYTES>().ok_or_else(short)?;
    let (check, _) = secrets.split_first_chunk::<8>().ok_or_else(short)?;
    let prepared = &allotted.prepared;
    let (key, issue_time) = (allotted.key(), allotted.issue_time);
    let check_code = CheckCode::from_random(u64::from_be_bytes(*check));
    let issued =
        IssuedPart { receipt_number: allotted.number, check_code, issue_time, unit_name: prepared.unit.name.clone() };
    let receipt = Receipt { issued, draft: prepared.draft.clone() };
    let seed = Seed::new(*seed);
    let values = to_values(&receipt).map_err(|error| failed(&error))?;
    let disclosure_count = u32::try_from(values.len()).map_err(|error| failed(&error))?;
    let body = Body::of_values(values.clone(), &seed).map_err(|error| failed(&error))?;
    let record = ReceiptRecord {
        suite: workshop.suite,
        key,
        unit: prepared.unit.id,
        total: prepared.draft.total_amount,
        issue_time,
        signing_key: allotted.signing_key,
        body_root: body.root(),
        disclosure_count,
        biz_key: prepared.biz_key,
        key_epoch: workshop.blinding_epoch,
        uniqueness_keys: prepared.uniqueness.clone(),
        reverses: prepared.reverses,
        seal_by: issue_time.plus_millis(workshop.seal_promise_ms),
    };
    let seal_by = record.seal_by;
    let signed_record = SignedRecord::sign(record, workshop.chain, allotted.signer.as_ref()).encode();
    let secrets = BodySecrets { key: Secret::new(*body_key), nonce: *nonce };
    let open = OpenBody { seed: seed.clone(), values };
    let body = workshop.cipher.seal(key, open, &secrets).map_err(|error| failed(&error))?;
    let row = ReceiptRow {
        signed_record: signed_record.clone(),
        biz_code: prepared.draft.biz_code.clone(),
        place_code: prepared.draft.place_code.clone(),
    };
    let acknowledgement = Acknowledgement { key, signed_record, check_code, seed, issue_time, seal_by };
    Ok(Assembled { row, body, acknowledgement })
}
