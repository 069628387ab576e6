//! Resubmit: an acknowledgement comes back to an issuer that lost its disk. And what a recovered issuer knows of receipts that
//! it learnt from the ledger alone.

use receipt_core::ids::{ReceiptKey, SystemId, UnitId};
use receipt_core::limits;
use receipt_core::reason::Reason;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::disclosure::{Body, SEED_BYTES, Seed};
use receipt_core::receipt::model::{CheckCode, Issued as IssuedPart, Receipt, ReceiptDraft};
use receipt_core::receipt::sameness::draft_identity;
use receipt_core::record::{ReceiptRecord, SignedRecord};
use tallystick_proto::convert::{ReadDraft, read_draft};
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1 as wire;

use super::ApiContext;
use super::answers::{Patience, issued_key};
use crate::authority::authorised_unit;
use crate::failure::internal;
use crate::holder::Asker;
use crate::issue::{Acknowledgement, Returned, uniqueness_keys};
use crate::journal::ReceiptReads as _;
use crate::registry::Unit;

impl ApiContext {
    /// Takes a receipt back, or finds it.
    pub(super) async fn resubmit(
        &self,
        system: SystemId,
        request: wire::ResubmitRequest,
    ) -> Result<wire::IssueResponse, Refusal> {
        let patience = Patience::of_request(request.wait, request.wait_timeout_ms)?;
        let (returned, normalised) = tokio::task::block_in_place(|| self.judge_returned(system, request))?;
        let issued = self.queue.take_back(returned).await?;
        let key = issued_key(&issued);
        let mut response = self.answer(&issued)?;
        response.normalised_fields = normalised;
        self.wait(key, patience, &mut response).await;
        Ok(response)
    }

    /// Whether the record is genuine, this unit's, and of this very draft. Nothing is told of a record that is not.
    fn judge_returned(
        &self,
        system: SystemId,
        request: wire::ResubmitRequest,
    ) -> Result<(Returned, Vec<String>), Refusal> {
        let bytes = request.signed_record.to_vec();
        let signed = SignedRecord::decode(&bytes)
            .map_err(|reason| Refusal::new(reason).with_violation("signed_record", "is not an acknowledged record"))?;
        let draft = request.draft.ok_or_else(|| Refusal::field("draft", "is required"))?;
        // As at Issue, a draft without a date gets the date of its issue.
        let issue_date = CivilDate::at(signed.record.issue_time, self.utc_offset_minutes)
            .map_err(|error| Refusal::field("signed_record", error.to_string()))?;
        let ReadDraft { draft, dated: _, normalised } = read_draft(draft, issue_date)?;
        let content = draft_identity(&draft).map_err(|error| Refusal::field("ext", error.to_string()))?;
        let check_code =
            CheckCode::parse(&request.check_code).map_err(|error| Refusal::field("check_code", error.problem))?;
        let seed: [u8; SEED_BYTES] = request
            .body_seed
            .as_ref()
            .try_into()
            .map_err(|_| Refusal::field("body_seed", format!("must have {SEED_BYTES} bytes")))?;
        let view = self.view();
        let unit = authorised_unit(&view, system, &draft.unit_code, Some(&draft.place_code))?;
        self.check_signature(&signed, &unit)?;
        let seed = Seed::new(seed);
        let body = self
            .unit_names(&unit)?
            .into_iter()
            .find_map(|name| body_of(&draft, name, &signed, check_code, &seed))
            .ok_or_else(|| {
                let problem = "with check_code and body_seed, does not lead to the record's body_root";
                Refusal::field("draft", problem)
            })?;
        let record = &signed.record;
        let byte_size = body.disclosures().iter().map(|disclosure| disclosure.value.len()).sum::<usize>()
            + limits::RECORD_BYTES_MAX;
        let acknowledgement = Acknowledgement {
            key: record.key,
            signed_record: bytes.clone(),
            check_code,
            seed: seed.clone(),
            issue_time: record.issue_time,
            seal_by: record.seal_by,
        };
        let reissues = draft.reissue_of();
        let (biz_code, place_code) = (draft.biz_code, draft.place_code);
        let caller = system;
        let returned = Returned {
            signed,
            bytes,
            body,
            seed,
            acknowledgement,
            content,
            biz_code,
            place_code,
            reissues,
            byte_size,
            caller,
        };
        Ok((returned, normalised))
    }

    /// The names that the unit has or had: a receipt bears the one of its issue time, and the record's root says which.
    fn unit_names(&self, unit: &Unit) -> Result<Vec<String>, Refusal> {
        let mut names = vec![unit.name.clone()];
        names.extend(self.journal.past_names(unit.id).map_err(internal)?);
        Ok(names)
    }

    /// Signed by a key of the unit that is in this issuer's custody: the unit's keys at other issuers are theirs to answer for.
    fn check_signature(&self, signed: &SignedRecord, unit: &Unit) -> Result<(), Refusal> {
        let record = &signed.record;
        if record.unit != unit.id {
            return Err(Refusal::new(Reason::UnitMismatch).with_message("the record is of another unit than the draft"));
        }
        if record.suite != self.journal.identity().suite {
            return Err(
                Refusal::new(Reason::SuiteUnknown).with_message("the record is of another suite than the chain")
            );
        }
        let invalid = |message: &str| Refusal::new(Reason::SignatureInvalid).with_message(message);
        let registered = unit.keys.iter().find(|key| key.id == record.signing_key);
        let held = self.keys.unit(record.signing_key).map(|held| held.public_key());
        let key = registered.filter(|key| held == Some(key.public));
        let key = key.ok_or_else(|| invalid("the record names no key of the unit that this issuer holds"))?;
        if signed.verify(self.journal.identity().chain, &key.public) {
            Ok(())
        } else {
            Err(invalid("the record's signature does not fit the unit's key and this chain"))
        }
    }

    /// A sealed receipt under this draft's biz code that a recovered journal learnt from the ledger. As far as a record tells, it
    /// must be of this content. Once it was resubmitted, the journal knows it as its own.
    pub(super) fn adopted(
        &self,
        asker: Asker<'_>,
        unit: UnitId,
        draft: &ReceiptDraft,
    ) -> Result<Option<ReceiptKey>, Refusal> {
        let Some(key) = self.adopted_key(unit, &draft.biz_code)? else { return Ok(None) };
        let missing = || internal(format!("receipt {key} is missing"));
        let row = self.journal.receipt(key).map_err(internal)?.ok_or_else(missing)?;
        if !row.biz_code.is_empty() {
            return Ok(None);
        }
        let record = SignedRecord::decode(&row.signed_record).map_err(internal)?.record;
        let same_payments = self.are_payments_of(&record, draft);
        let same = record.key.code == draft.receipt_code && record.total == draft.total_amount && same_payments;
        if same { Ok(Some(key)) } else { Err(self.named(asker, Refusal::new(Reason::BizCodeConflict), key)) }
    }

    /// The receipt under a biz code that a recovered journal learnt from the ledger.
    pub(super) fn adopted_key(&self, unit: UnitId, biz_code: &str) -> Result<Option<ReceiptKey>, Refusal> {
        for biz_hash in self.keys.blinding.biz_keys(unit, biz_code) {
            if let Some(key) = self.journal.adopted(unit, &biz_hash).map_err(internal)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Whether a record's uniqueness keys are those of a draft, as far as the secrets of their epochs are held here.
    fn are_payments_of(&self, record: &ReceiptRecord, draft: &ReceiptDraft) -> bool {
        let is_held = |epoch: u32| self.keys.blinding.epochs().iter().any(|held| held.epoch == epoch);
        let is_named =
            |epoch: u32| epoch == record.key_epoch || record.uniqueness_keys.iter().any(|unique| unique.epoch == epoch);
        let listed = record.uniqueness_keys.iter().filter(|unique| is_held(unique.epoch));
        let expected = uniqueness_keys(draft, &self.keys.blinding);
        listed.eq(expected.iter().filter(|unique| is_named(unique.epoch)))
    }
}

/// The body that the acknowledgement was for, if draft, unit name, check code and seed lead to the record's root.
fn body_of(
    draft: &ReceiptDraft,
    unit_name: String,
    signed: &SignedRecord,
    check_code: CheckCode,
    seed: &Seed,
) -> Option<Body> {
    let record = &signed.record;
    let issued = IssuedPart { receipt_number: record.key.number, check_code, issue_time: record.issue_time, unit_name };
    // The body's root commits to every field. What the record states beside the root must agree with the fields.
    let receipt = Receipt { issued, draft: draft.clone() };
    let body = Body::of_receipt(record.suite, &receipt, seed).ok()?;
    let counted = u32::try_from(body.disclosures().len()).is_ok_and(|count| count == record.disclosure_count);
    let same = record.key.code == draft.receipt_code && record.total == draft.total_amount;
    let linked = record.reverses == draft.reversal_of();
    (counted && same && linked && body.root() == record.body_root).then_some(body)
}
