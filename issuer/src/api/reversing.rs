//! Reverse (冲红): a red receipt for a sealed blue one. Idempotent twice over: by biz code, and by the original.

use receipt_core::ids::{ReceiptCode, ReceiptKey, SystemId};
use receipt_core::reason::Reason;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::red::{RedError, RedRequest, red_draft};
use tallystick_proto::convert::{draft_to_wire, reversal_from_wire};
use tallystick_proto::errors::{CallReason, ErrorReason, Refusal};
use tallystick_proto::issuer::v1 as wire;

use super::answers::{Patience, issued_key};
use super::{ApiContext, key_from_wire};
use crate::authority::authorised_unit;
use crate::bundle::{internal, pending};
use crate::fate::{Fate, fate};
use crate::issue::{Issued, Prepared, RuleBasis, content_hash, erased, prepare};
use crate::journal::ReceiptReads as _;

impl ApiContext {
    /// Reverses a receipt, or finds that it was reversed before.
    pub(super) async fn reverse(
        &self,
        system: SystemId,
        request: wire::ReverseRequest,
    ) -> Result<wire::IssueResponse, Refusal> {
        let patience = Patience::of_request(request.wait, request.wait_timeout_ms)?;
        let with_bundle = request.with_bundle;
        let issued = self.judge_and_issue_red(system, request).await;
        let issued = issued.inspect_err(|refusal| self.metrics.refused_call(refusal.reason))?;
        let key = issued_key(&issued);
        let mut response = self.answer(&issued)?;
        if response.red_draft.is_none() {
            response.red_draft = self.open_receipt(key)?.map(|(receipt, _)| draft_to_wire(&receipt.draft));
        }
        self.wait(key, patience, &mut response).await?;
        if with_bundle {
            self.attach_bundle(key, &mut response).await;
        }
        Ok(response)
    }

    async fn judge_and_issue_red(&self, system: SystemId, request: wire::ReverseRequest) -> Result<Issued, Refusal> {
        match tokio::task::block_in_place(|| self.judge_reversal(system, request))? {
            Reversal::Made(red) => Ok(Issued::Existing(red)),
            Reversal::Prepared(prepared) => self.issue_red(*prepared).await,
        }
    }

    async fn issue_red(&self, prepared: Prepared) -> Result<Issued, Refusal> {
        let original = prepared.reverses;
        let mut results = self.queue.issue(vec![prepared]).await?.into_iter();
        let result = results.next().ok_or_else(|| internal("no result"))?;
        match (result, original) {
            // Two calls raced: the later one gets the first one's red receipt.
            (Err(refusal), Some(original)) if refusal.reason == ErrorReason::Core(Reason::AlreadyReversed) => {
                self.journal.reversal(original).map_err(internal)?.map(Issued::Existing).ok_or(refusal)
            }
            (result, _) => result,
        }
    }

    /// Whether there is, or will be, a red receipt. The original may be of any place for which the system may act; the red
    /// receipt is issued at the place that the request names.
    fn judge_reversal(&self, system: SystemId, request: wire::ReverseRequest) -> Result<Reversal, Refusal> {
        let content = reversal_content(&request);
        let view = self.view();
        let unit = authorised_unit(&view, system, &request.unit_code, Some(&request.place_code))?;
        let missing = |field: &str| Refusal::field(field, "is required");
        let original_key = key_from_wire(request.original.as_ref().ok_or_else(|| missing("original"))?)?;
        // Before anything is said or opened: whose receipt it is.
        let record = self
            .own_record(&view, system, unit.id, original_key)?
            .ok_or_else(|| Refusal::new(Reason::NotFoundOrMismatch))?;
        let reversal = self.journal.reversal(original_key).map_err(internal)?;
        let own = self.journal.biz(unit.id, &request.biz_code).map_err(internal)?;
        if let Some(red) = own.filter(|row| row.content == content).map(|row| row.key) {
            return Ok(Reversal::Made(red));
        }
        if own.is_some_and(|row| row.is_erased() && reversal != Some(row.key)) {
            return Err(erased());
        }
        // One that a lost journal made is known by what it reverses: neither the ledger nor `Resubmit` has its call.
        let known = own.map(|row| row.key);
        if let Some(red) = known.map_or_else(|| self.adopted_key(unit.id, &request.biz_code), |red| Ok(Some(red)))? {
            let made = reversal == Some(red);
            return if made { Ok(Reversal::Made(red)) } else { Err(Refusal::new(Reason::BizCodeConflict)) };
        }
        if let Some(red) = reversal
            && !matches!(fate(&self.journal, red).map_err(internal)?, Fate::Refused { .. })
        {
            return Ok(Reversal::Made(red));
        }
        match fate(&self.journal, original_key).map_err(internal)? {
            Fate::Sealed { .. } => {}
            Fate::Pending => return Err(pending()),
            Fate::Refused { .. } => {
                return Err(Refusal::new(Reason::OriginalUnknown).with_message("the ledger refused the original"));
            }
        }
        let (original, _) = self.open_receipt(original_key)?.ok_or_else(|| {
            Refusal::new(CallReason::BodyErased)
                .with_message("the body of the original was erased, and a red receipt copies it")
        })?;
        let reversal = request.reversal.ok_or_else(|| missing("reversal"))?;
        let now = self.reliable_now()?;
        let issue_date = CivilDate::at(now, self.utc_offset_minutes).map_err(internal)?;
        let red = RedRequest {
            receipt_code: red_code(&request.receipt_code, original_key.code, issue_date)?,
            issue_date,
            biz_code: request.biz_code,
            place_code: request.place_code,
            handling_person: request.handling_person,
            checker: request.checker,
            remark: String::new(),
            reversal: reversal_from_wire(reversal)?,
        };
        let mut draft = red_draft(&original, &red).map_err(red_refusal)?;
        draft.supervisor_area_code.clone_from(&unit.area);
        let basis = RuleBasis {
            now,
            utc_offset_minutes: self.utc_offset_minutes,
            view: &view,
            blinding: &self.keys.blinding,
            original: Some(&original),
        };
        let mut prepared = prepare(draft, &unit, content, &basis)?;
        // Those that the original holds, under whatever epoch of the secret it was issued.
        prepared.uniqueness = record.record.uniqueness_keys;
        Ok(Reversal::Prepared(Box::new(prepared)))
    }
}

enum Reversal {
    /// There is a red receipt already.
    Made(ReceiptKey),
    /// There will be.
    Prepared(Box<Prepared>),
}

/// What makes two calls the same: everything but how they want to be answered.
fn reversal_content(request: &wire::ReverseRequest) -> receipt_core::hash::Hash {
    let same = wire::ReverseRequest { wait: 0, wait_timeout_ms: 0, with_bundle: false, ..request.clone() };
    content_hash("reverse", &same)
}

/// The code asked for; else the original's, or its successor of the current year (V04).
fn red_code(wanted: &str, original: ReceiptCode, today: CivilDate) -> Result<ReceiptCode, Refusal> {
    let field = |error: receipt_core::ids::IdError| Refusal::field("receipt_code", error.problem);
    if wanted.is_empty() {
        return ReceiptCode::new(original.get() / 100 * 100 + u32::from(today.year() % 100)).map_err(field);
    }
    ReceiptCode::parse(wanted).map_err(field)
}

fn red_refusal(error: RedError) -> Refusal {
    let reason = match error {
        RedError::OriginalIsRed => Reason::OriginalIsRed,
        RedError::KindDiffers => Reason::KindNotAllowed,
        RedError::AmountOutOfRange => Reason::AmountMismatch,
    };
    Refusal::new(reason).with_message(error.to_string())
}
