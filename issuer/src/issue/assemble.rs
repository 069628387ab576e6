//! Building one receipt: body, record, signature, encryption. Pure but for the secrets it is given; runs in parallel.

use std::sync::Arc;

use receipt_core::hash::Hash;
use receipt_core::ids::{Fen, KeyId, ReceiptKey, ReceiptNumber, UnitId, UnixMillis};
use receipt_core::receipt::disclosure::{Body, SEED_BYTES, Seed};
use receipt_core::receipt::layout::to_values;
use receipt_core::receipt::model::{CheckCode, Issued as IssuedPart, Receipt};
use receipt_core::record::{ReceiptRecord, SignedRecord};
use receipt_core::suite::{ChainId, Signer, Suite};
use tallystick_service::keyfile::Secret;

use super::{Acknowledgement, Prepared};
use crate::body::{BodyCipher, BodySecrets, SealedBody};
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
    pub(super) unit: UnitId,
    /// Its tag: see [`BodyCipher::tag`].
    pub(super) content: Hash,
    pub(super) total: Fen,
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
    mut allotted: Vec<Allotted>,
    secrets: &[u8],
) -> Result<Vec<Assembled>, AssembleError> {
    let count = allotted.len();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let chunk = count.div_ceil(threads).max(16);
    let mut parts = Vec::new();
    for secrets in secrets.chunks(chunk * SECRET_BYTES) {
        let rest = allotted.split_off(allotted.len().min(chunk));
        parts.push((allotted, secrets));
        allotted = rest;
    }
    let build = |(receipts, secrets): (Vec<Allotted>, &[u8])| {
        let pairs = receipts.into_iter().zip(secrets.chunks_exact(SECRET_BYTES));
        pairs.map(|(receipt, secrets)| assemble(workshop, receipt, secrets)).collect::<Result<Vec<_>, _>>()
    };
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Ok(Vec::new()) };
    let assembled = std::thread::scope(|scope| {
        let build = &build;
        let others: Vec<_> = parts.map(|part| scope.spawn(move || build(part))).collect();
        let mut assembled = build(first)?;
        for other in others {
            assembled.extend(other.join().map_err(|_| AssembleError("a thread panicked".to_owned()))??);
        }
        Ok::<_, AssembleError>(assembled)
    })?;
    if assembled.len() == count { Ok(assembled) } else { Err(AssembleError("too few secrets".to_owned())) }
}

fn assemble(workshop: &Workshop<'_>, allotted: Allotted, secrets: &[u8]) -> Result<Assembled, AssembleError> {
    let failed = |error: &dyn std::fmt::Display| AssembleError(error.to_string());
    let short = || AssembleError("too few secrets".to_owned());
    let (body_key, secrets) = secrets.split_first_chunk::<32>().ok_or_else(short)?;
    let (nonce, secrets) = secrets.split_first_chunk::<24>().ok_or_else(short)?;
    let (seed, secrets) = secrets.split_first_chunk::<SEED_BYTES>().ok_or_else(short)?;
    let (check, _) = secrets.split_first_chunk::<8>().ok_or_else(short)?;
    let (key, issue_time) = (allotted.key(), allotted.issue_time);
    let prepared = allotted.prepared;
    let (unit, total) = (prepared.unit.id, prepared.draft.total_amount);
    let check_code = CheckCode::from_random(u64::from_be_bytes(*check));
    let unit_name = prepared.unit.name.clone();
    let issued = IssuedPart { receipt_number: allotted.number, check_code, issue_time, unit_name };
    let receipt = Receipt { issued, draft: prepared.draft };
    let seed = Seed::new(*seed);
    let values = to_values(&receipt).map_err(|error| failed(&error))?;
    let body = Body::of_values(workshop.suite, values, &seed).map_err(|error| failed(&error))?;
    let seal_by = issue_time.plus_millis(workshop.seal_promise_ms);
    let record = ReceiptRecord {
        suite: workshop.suite,
        key,
        unit,
        total,
        issue_time,
        signing_key: allotted.signing_key,
        body_root: body.root(),
        disclosure_count: u32::try_from(body.disclosures().len()).map_err(|error| failed(&error))?,
        biz_key: prepared.biz_key,
        key_epoch: workshop.blinding_epoch,
        uniqueness_keys: prepared.uniqueness,
        reverses: prepared.reverses,
        seal_by,
    };
    let signed_record = SignedRecord::sign(record, workshop.chain, allotted.signer.as_ref()).encode();
    let secrets = BodySecrets { key: Secret::new(*body_key), nonce: *nonce };
    let values = body.disclosures().iter().map(|disclosure| &disclosure.value);
    let body = workshop.cipher.seal(key, &seed, values, &secrets).map_err(|error| failed(&error))?;
    let row = ReceiptRow {
        signed_record: signed_record.clone(),
        biz_code: receipt.draft.biz_code,
        place_code: receipt.draft.place_code,
    };
    let acknowledgement = Acknowledgement { key, signed_record, check_code, seed, issue_time, seal_by };
    Ok(Assembled { unit, content: secrets.tag(&prepared.content), total, row, body, acknowledgement })
}
