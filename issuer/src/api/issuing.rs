//! Issue and IssueMany.

use std::collections::BTreeMap;

use receipt_core::hash::Hash;
use receipt_core::ids::{ReceiptKey, SystemId, UnitId};
use receipt_core::limits;
use receipt_core::reason::Reason;
use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::sameness::draft_identity;
use tallystick_proto::convert::{ReadDraft, read_draft};
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::issuer::v1 as wire;
use tallystick_proto::receipt::v1::ReceiptDraft as WireDraft;

use super::ApiContext;
use super::answers::{Patience, issued_key};
use crate::authority::authorised_unit;
use crate::failure::internal;
use crate::holder::Asker;
use crate::issue::{IssueResult, Issued, Prepared, RuleBasis, SameCall, erased, prepare, unknown_outcome};
use crate::journal::ReceiptReads as _;
use crate::registry::RegistryView;

/// Above this many drafts, checking them leaves the other calls' thread.
const INLINE_DRAFTS_MAX: usize = 8;

/// A draft as far as it could be judged alone.
enum Judged {
    Settled(IssueResult),
    Prepared(Box<Prepared>),
}

/// What became of a draft, and which of its fields the door normalised.
type DraftResult = (IssueResult, Vec<String>);

impl ApiContext {
    /// One receipt.
    pub(super) async fn issue(
        &self,
        system: SystemId,
        request: wire::IssueRequest,
    ) -> Result<wire::IssueResponse, Refusal> {
        let patience = Patience::of_request(request.wait, request.wait_timeout_ms)?;
        let missing = || Refusal::new(CallReason::RequestInvalid).with_message("the draft is missing");
        let draft = request.draft.ok_or_else(missing)?;
        let mut results = self.issue_drafts(system, vec![draft]).await.into_iter();
        let (issued, normalised) = results.next().ok_or_else(unknown_outcome)?;
        let issued = issued?;
        let key = issued_key(&issued);
        let mut response = self.answer(&issued)?;
        response.normalised_fields = normalised;
        self.wait(key, patience, &mut response).await;
        if request.with_bundle {
            self.attach_bundle(key, &mut response).await;
        }
        Ok(response)
    }

    /// Many receipts, each with its own result.
    pub(super) async fn issue_many(
        &self,
        system: SystemId,
        request: wire::IssueManyRequest,
    ) -> Result<wire::IssueManyResponse, Refusal> {
        let patience = Patience::of_request(request.wait, request.wait_timeout_ms)?;
        let count = request.drafts.len();
        if count == 0 {
            let message = "drafts: IssueMany takes at least one draft";
            return Err(Refusal::new(CallReason::RequestInvalid)
                .with_violation("drafts", "needs at least one entry")
                .with_message(message));
        }
        if count > limits::ISSUE_MANY_MAX {
            return Err(Refusal::new(CallReason::RequestTooLarge)
                .with_message(format!("IssueMany takes at most {} drafts, not {count}", limits::ISSUE_MANY_MAX)));
        }
        let mut results = Vec::with_capacity(count);
        for (result, normalised_fields) in self.issue_drafts(system, request.drafts).await {
            let answered = match result {
                Ok(issued) => self
                    .answer(&issued)
                    .map(|response| (issued_key(&issued), wire::IssueResponse { normalised_fields, ..response })),
                Err(refusal) => Err(refusal),
            };
            results.push(answered);
        }
        let mut answers = Vec::with_capacity(count);
        for result in results {
            let result = match result {
                Ok((key, mut response)) => {
                    self.wait(key, patience, &mut response).await;
                    wire::issue_result::Result::Issued(response)
                }
                Err(refusal) => wire::issue_result::Result::Error(refusal.to_item_error()),
            };
            answers.push(wire::IssueResult { result: Some(result) });
        }
        Ok(wire::IssueManyResponse { results: answers })
    }

    /// Judges drafts, hands the good ones to the sequencer together, and puts all results in order.
    async fn issue_drafts(&self, system: SystemId, drafts: Vec<WireDraft>) -> Vec<DraftResult> {
        let results = self.judge_and_issue(system, drafts).await;
        let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
        for refusal in results.iter().filter_map(|(result, _)| result.as_ref().err()) {
            self.metrics.refused_call(refusal.reason);
            *refused.entry(refusal.reason.as_str()).or_default() += 1;
        }
        // Refused drafts are part of an OK answer, so the layer that logs refusals does not see them. They are logged here.
        if results.len() > 1 && !refused.is_empty() {
            tracing::info!(system = %system, drafts = results.len(), ?refused, "drafts refused");
        }
        results
    }

    async fn judge_and_issue(&self, system: SystemId, drafts: Vec<WireDraft>) -> Vec<DraftResult> {
        let view = self.view();
        let judge_all = |drafts: Vec<WireDraft>| -> Vec<(Judged, Vec<String>)> {
            drafts.into_iter().map(|draft| self.judge(&view, system, draft)).collect()
        };
        let judged = if drafts.len() > INLINE_DRAFTS_MAX {
            tokio::task::block_in_place(|| judge_all(drafts))
        } else {
            judge_all(drafts)
        };
        let mut prepared = Vec::with_capacity(judged.len());
        let slots: Vec<(Option<IssueResult>, Vec<String>)> = judged
            .into_iter()
            .map(|(judged, normalised)| match judged {
                Judged::Settled(result) => (Some(result), normalised),
                Judged::Prepared(draft) => {
                    prepared.push(*draft);
                    (None, normalised)
                }
            })
            .collect();
        if prepared.is_empty() {
            return slots.into_iter().filter_map(|(slot, normalised)| Some((slot?, normalised))).collect();
        }
        let sequenced = self.queue.issue(prepared).await;
        let mut sequenced = sequenced.map(Vec::into_iter);
        let next = |sequenced: &mut Result<std::vec::IntoIter<IssueResult>, Refusal>| match sequenced {
            Ok(results) => results.next().unwrap_or_else(|| Err(unknown_outcome())),
            Err(refusal) => Err(refusal.clone()),
        };
        let slots = slots.into_iter();
        slots.map(|(slot, normalised)| (slot.unwrap_or_else(|| next(&mut sequenced)), normalised)).collect()
    }

    fn judge(&self, view: &RegistryView, system: SystemId, draft: WireDraft) -> (Judged, Vec<String>) {
        // This date is used only for a draft without one, and the sequencer sets it again. So a wrong clock does no harm here.
        let today = CivilDate::at(self.clock.now(), self.utc_offset_minutes).map_err(internal);
        let read = today.and_then(|today| Ok(read_draft(draft, today)?));
        match read {
            Ok(mut read) => {
                let normalised = std::mem::take(&mut read.normalised);
                let judged = self.try_judge(view, system, read);
                (judged.unwrap_or_else(|refusal| Judged::Settled(Err(refusal))), normalised)
            }
            Err(refusal) => (Judged::Settled(Err(refusal)), Vec::new()),
        }
    }

    fn try_judge(&self, view: &RegistryView, system: SystemId, read: ReadDraft) -> Result<Judged, Refusal> {
        let ReadDraft { draft, dated, normalised: _ } = read;
        let content = draft_identity(&draft).map_err(|error| Refusal::field("ext", error.to_string()))?;
        if draft.is_red() {
            return Err(Refusal::field("reversal", "a red receipt is made by Reverse"));
        }
        let unit = authorised_unit(view, system, &draft.unit_code, Some(&draft.place_code))?;
        // Answer a repeated call before judging any rule: it may come a day later, when the draft would be refused. Look for a receipt learnt
        // from the ledger first: if this journal has another one under the same biz code, the ledger has refused it for that, or will.
        let asker = Asker { view, system };
        if let Some(key) = self.adopted(asker, unit.id, &draft)? {
            return Ok(Judged::Settled(Ok(Issued::Existing(key))));
        }
        if let Some(key) = self.replayed(asker, unit.id, &draft.biz_code, content)? {
            return Ok(Judged::Settled(Ok(Issued::Existing(key))));
        }
        let now = self.reliable_now()?;
        let original = match draft.reissue_of() {
            Some(key) if self.own_record(view, system, unit.id, key)?.is_some() => {
                self.open_receipt(key)?.map(|(receipt, _)| receipt)
            }
            _ => None,
        };
        let basis = RuleBasis {
            now,
            utc_offset_minutes: self.utc_offset_minutes,
            view,
            blinding: &self.keys.blinding,
            original: original.as_ref(),
            caller: system,
        };
        let prepared = prepare(draft, &unit, content, &basis)?;
        Ok(Judged::Prepared(Box::new(Prepared { dated, ..prepared })))
    }

    /// The receipt that the same call made before; `BIZ_CODE_CONFLICT` if another call used the biz code.
    pub(super) fn replayed(
        &self,
        asker: Asker<'_>,
        unit: UnitId,
        biz_code: &str,
        content: Hash,
    ) -> Result<Option<ReceiptKey>, Refusal> {
        let Some(row) = self.journal.biz(unit, biz_code).map_err(internal)? else { return Ok(None) };
        match self.bundler.same_call(&row, &content)? {
            SameCall::Same => Ok(Some(row.key)),
            SameCall::Erased => Err(self.named(asker, erased(), row.key)),
            SameCall::Other => Err(self.named(asker, Refusal::new(Reason::BizCodeConflict), row.key)),
        }
    }

    /// Names the receipt that stands in the way, if the caller may see it.
    pub(super) fn named(&self, asker: Asker<'_>, refusal: Refusal, key: ReceiptKey) -> Refusal {
        asker.named_of(refusal, &self.journal, key).unwrap_or_else(internal)
    }
}
