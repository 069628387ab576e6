//! Reverse (冲红): a red receipt for a sealed blue one. Idempotent twice over: by biz code, and by the original.

use receipt_core::hash::Hash;
use receipt_core::ids::{ReceiptCode, ReceiptKey, SystemId, UnitId};
use receipt_core::reason::Reason;
use receipt_core::receipt::chars::normalise_text;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::red::{RedError, RedRequest, red_draft};
use receipt_core::receipt::rules::NEW_YEAR_GRACE_DAYS;
use tallystick_proto::convert::{draft_to_wire, reversal_from_wire};
use tallystick_proto::errors::{Action, CallReason, ErrorReason, Place, Refusal, Stands};
use tallystick_proto::issuer::v1 as wire;

use super::answers::{Patience, issued_key, unanswered};
use super::{ApiContext, key_from_wire};
use crate::authority::authorised_unit;
use crate::failure::internal;
use crate::fate::{Fate, fate, live_reversal};
use crate::holder::Asker;
use crate::issue::{Issued, Prepared, RuleBasis, SameCall, content_hash, erased, prepare, unknown_outcome};
use crate::journal::ReceiptReads as _;
use crate::numbering::numbers_left;
use crate::registry::RegistryView;

impl ApiContext {
    /// Reverses a receipt, or finds that it was reversed before.
    pub(super) async fn reverse(
        &self,
        system: SystemId,
        mut request: wire::ReverseRequest,
    ) -> Result<wire::IssueResponse, Refusal> {
        let normalised = normalise_request(&mut request);
        let patience = Patience::of_request(request.wait, request.wait_timeout_ms)?;
        let with_bundle = request.with_bundle;
        let issued = self.judge_and_issue_red(system, request).await;
        let issued = issued.inspect_err(|refusal| self.metrics.refused_call(refusal.reason))?;
        let key = issued_key(&issued);
        let mut response = self.answer(&issued)?;
        response.normalised_fields = normalised;
        if response.red_draft.is_none() {
            // From here on the red receipt exists, so an error must not look as if it did not.
            let opened = self.open_receipt(key).map_err(|_| unanswered(key))?;
            response.red_draft = opened.map(|(receipt, _)| draft_to_wire(&receipt.draft));
        }
        self.wait(key, patience, &mut response).await;
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
        let result = results.next().ok_or_else(unknown_outcome)?;
        match (result, original) {
            // Two calls reversed it at the same time. The later call gets the red receipt of the first.
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
        // Check whose receipt this is before its body is opened or anything about it is said.
        let record = self
            .own_record(&view, system, unit.id, original_key)?
            .ok_or_else(|| Refusal::new(Reason::NotFoundOrMismatch))?;
        let asker = Asker { view: &view, system };
        if let Some(red) = self.red_made(asker, unit.id, &request.biz_code, content, original_key)? {
            return Ok(Reversal::Made(red));
        }
        match fate(&self.journal, original_key).map_err(internal)? {
            Fate::Sealed { .. } => {}
            Fate::Pending => {
                return Err(Refusal::new(Reason::InProgress)
                    .with_message("the original is not sealed yet; reverse it once it is")
                    .with_advice(Stands::No, Place::Nowhere, Action::Repeat));
            }
            Fate::Refused { .. } => {
                return Err(Refusal::new(Reason::OriginalUnknown).with_message("the ledger refused the original"));
            }
        }
        let (original, _) = self.open_receipt(original_key)?.ok_or_else(|| {
            Refusal::new(CallReason::BodyErased)
                .with_message("the body of the original was erased, and a red receipt copies it")
                .with_advice(Stands::No, Place::Nowhere, Action::Operator)
        })?;
        let reversal = request.reversal.ok_or_else(|| missing("reversal"))?;
        let now = self.reliable_now()?;
        let issue_date = CivilDate::at(now, self.utc_offset_minutes).map_err(internal)?;
        let red = RedRequest {
            receipt_code: self.red_code(&view, unit.id, &request.receipt_code, original_key.code, issue_date)?,
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
            caller: system,
        };
        let mut prepared = prepare(draft, &unit, content, &basis)?;
        prepared.dated = false;
        // The red receipt names the keys of its original, whatever the epoch of the blinding secret then was.
        prepared.uniqueness = record.record.uniqueness_keys;
        Ok(Reversal::Prepared(Box::new(prepared)))
    }
}

impl ApiContext {
    /// The code asked for; else the newest of the original's kind that may be used today (V04: in January last year's, too)
    /// and of which the unit has numbers left here. If there is none, this year's: then the refusal names what is missing.
    pub(super) fn red_code(
        &self,
        view: &RegistryView,
        unit: UnitId,
        wanted: &str,
        original: ReceiptCode,
        today: CivilDate,
    ) -> Result<ReceiptCode, Refusal> {
        let field = |error: receipt_core::ids::IdError| Refusal::field("receipt_code", error.problem);
        if !wanted.is_empty() {
            return ReceiptCode::parse(wanted).map_err(field);
        }
        let of_year = |year: u16| ReceiptCode::new(original.get() / 100 * 100 + u32::from(year % 100)).map_err(field);
        let newest = of_year(today.year())?;
        let mut codes = vec![newest];
        if today.day_of_year() <= NEW_YEAR_GRACE_DAYS {
            codes.push(of_year(today.year().saturating_sub(1))?);
        }
        for code in codes {
            if numbers_left(&self.journal, view.segments(unit, code)).map_err(internal)? > 0 {
                return Ok(code);
            }
        }
        Ok(newest)
    }
}

impl ApiContext {
    /// The red receipt that there is already: the same call's, a lost journal's, or another call's of the same original.
    fn red_made(
        &self,
        asker: Asker<'_>,
        unit: UnitId,
        biz_code: &str,
        content: Hash,
        original: ReceiptKey,
    ) -> Result<Option<ReceiptKey>, Refusal> {
        let reversal = self.journal.reversal(original).map_err(internal)?;
        // The receipt that has the biz code. If a lost journal made it, its call is kept nowhere, neither on the ledger nor by `Resubmit`; then it
        // counts as the same call if it reverses the same original.
        let holder = match self.journal.biz(unit, biz_code).map_err(internal)? {
            Some(row) => Some((row.key, self.bundler.same_call(&row, &content)?)),
            None => self.adopted_key(unit, biz_code)?.map(|red| (red, SameCall::Other)),
        };
        match holder {
            Some((red, _)) if reversal == Some(red) => Ok(Some(red)),
            Some((red, SameCall::Same)) => Ok(Some(red)),
            Some((red, SameCall::Erased)) => Err(self.named(asker, erased(), red)),
            Some((red, SameCall::Other)) => Err(self.named(asker, Refusal::new(Reason::BizCodeConflict), red)),
            // Another call may have reversed this original. If the ledger refused that red receipt, the original can be reversed again.
            None => live_reversal(&self.journal, original).map_err(internal),
        }
    }
}

enum Reversal {
    /// There is a red receipt already.
    Made(ReceiptKey),
    /// There will be.
    Prepared(Box<Prepared>),
}

/// Brings the request's texts into normal form, as the door does a draft's. The fields that changed.
fn normalise_request(request: &mut wire::ReverseRequest) -> Vec<String> {
    let reversal = request.reversal.as_mut().map(|reversal| {
        [
            ("reversal.text", &mut reversal.text),
            ("reversal.operator", &mut reversal.operator),
            ("reversal.refund_reference", &mut reversal.refund_reference),
            ("reversal.reissue_biz_code", &mut reversal.reissue_biz_code),
        ]
    });
    let own = [
        ("biz_code", &mut request.biz_code),
        ("place_code", &mut request.place_code),
        ("handling_person", &mut request.handling_person),
        ("checker", &mut request.checker),
    ];
    let texts = own.into_iter().chain(reversal.into_iter().flatten());
    texts.filter_map(|(field, text)| normalise_text(text).then(|| field.to_owned())).collect()
}

/// What makes two calls the same: everything but how they want to be answered.
fn reversal_content(request: &wire::ReverseRequest) -> Hash {
    let same = wire::ReverseRequest { wait: 0, wait_timeout_ms: 0, with_bundle: false, ..request.clone() };
    content_hash("reverse", &same)
}

fn red_refusal(error: RedError) -> Refusal {
    let reason = match error {
        RedError::OriginalIsRed => Reason::OriginalIsRed,
        RedError::KindDiffers => Reason::KindNotAllowed,
        RedError::AmountOutOfRange => Reason::AmountMismatch,
    };
    Refusal::new(reason).with_message(error.to_string())
}
