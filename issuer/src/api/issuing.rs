//! Issue and IssueMany.

use receipt_core::hash::Hash;
use receipt_core::ids::{ReceiptKey, SystemId, UnitId};
use receipt_core::limits;
use receipt_core::reason::Reason;
use tallystick_proto::convert::draft_from_wire;
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::issuer::v1 as wire;
use tallystick_proto::receipt::v1::ReceiptDraft as WireDraft;

use super::ApiContext;
use super::answers::{Patience, issued_key};
use crate::authority::authorised_unit;
use crate::bundle::internal;
use crate::issue::{IssueResult, Issued, Prepared, RuleBasis, content_hash, erased, prepare};
use crate::journal::ReceiptReads as _;
use crate::registry::RegistryView;

/// Above this many drafts, checking them leaves the other calls' thread.
const INLINE_DRAFTS_MAX: usize = 8;

/// A draft as far as it could be judged alone.
enum Judged {
    Settled(IssueResult),
    Prepared(Box<Prepared>),
}

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
        let issued = results.next().ok_or_else(|| internal("no result"))??;
        let key = issued_key(&issued);
        let mut response = self.answer(&issued)?;
        self.wait(key, patience, &mut response).await?;
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
        if count == 0 || count > limits::ISSUE_MANY_MAX {
            return Err(Refusal::new(CallReason::RequestTooLarge)
                .with_message(format!("IssueMany takes 1 to {} drafts, not {count}", limits::ISSUE_MANY_MAX)));
        }
        let mut results = Vec::with_capacity(count);
        for result in self.issue_drafts(system, request.drafts).await {
            let answered = match result {
                Ok(issued) => self.answer(&issued).map(|response| (issued_key(&issued), response)),
                Err(refusal) => Err(refusal),
            };
            results.push(answered);
        }
        let mut answers = Vec::with_capacity(count);
        for result in results {
            let result = match result {
                Ok((key, mut response)) => match self.wait(key, patience, &mut response).await {
                    Ok(()) => wire::issue_result::Result::Issued(response),
                    Err(refusal) => wire::issue_result::Result::Error(refusal.to_item_error()),
                },
                Err(refusal) => wire::issue_result::Result::Error(refusal.to_item_error()),
            };
            answers.push(wire::IssueResult { result: Some(result) });
        }
        Ok(wire::IssueManyResponse { results: answers })
    }

    /// Judges drafts, hands the good ones to the sequencer together, and puts all results in order.
    async fn issue_drafts(&self, system: SystemId, drafts: Vec<WireDraft>) -> Vec<IssueResult> {
        let results = self.judge_and_issue(system, drafts).await;
        for refusal in results.iter().filter_map(|result| result.as_ref().err()) {
            self.metrics.refused_call(refusal.reason);
        }
        results
    }

    async fn judge_and_issue(&self, system: SystemId, drafts: Vec<WireDraft>) -> Vec<IssueResult> {
        let view = self.view();
        let judge_all = |drafts: Vec<WireDraft>| -> Vec<Judged> {
            drafts.into_iter().map(|draft| self.judge(&view, system, draft)).collect()
        };
        let judged = if drafts.len() > INLINE_DRAFTS_MAX {
            tokio::task::block_in_place(|| judge_all(drafts))
        } else {
            judge_all(drafts)
        };
        let mut prepared = Vec::with_capacity(judged.len());
        let slots: Vec<Option<IssueResult>> = judged
            .into_iter()
            .map(|judged| match judged {
                Judged::Settled(result) => Some(result),
                Judged::Prepared(draft) => {
                    prepared.push(*draft);
                    None
                }
            })
            .collect();
        if prepared.is_empty() {
            return slots.into_iter().flatten().collect();
        }
        let sequenced = self.queue.issue(prepared).await;
        let mut sequenced = sequenced.map(Vec::into_iter);
        let next = |sequenced: &mut Result<std::vec::IntoIter<IssueResult>, Refusal>| match sequenced {
            Ok(results) => results.next().unwrap_or_else(|| Err(internal("too few results"))),
            Err(refusal) => Err(refusal.clone()),
        };
        slots.into_iter().map(|slot| slot.unwrap_or_else(|| next(&mut sequenced))).collect()
    }

    fn judge(&self, view: &RegistryView, system: SystemId, draft: WireDraft) -> Judged {
        match self.try_judge(view, system, draft) {
            Ok(judged) => judged,
            Err(refusal) => Judged::Settled(Err(refusal)),
        }
    }

    fn try_judge(&self, view: &RegistryView, system: SystemId, draft: WireDraft) -> Result<Judged, Refusal> {
        let content = content_hash("issue", &draft);
        let draft = draft_from_wire(draft)?;
        if draft.is_red() {
            return Err(Refusal::field("reversal", "a red receipt is made by Reverse"));
        }
        let unit = authorised_unit(view, system, &draft.unit_code, Some(&draft.place_code))?;
        // A repeated call is answered before any rule: it may come a day later. The ledger's receipt comes first: one of ours
        // under the same biz code was refused for it, or will be.
        if let Some(key) = self.adopted(unit.id, &draft)? {
            return Ok(Judged::Settled(Ok(Issued::Existing(key))));
        }
        if let Some(key) = self.replayed(unit.id, &draft.biz_code, content)? {
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
        };
        Ok(Judged::Prepared(Box::new(prepare(draft, &unit, content, &basis)?)))
    }

    /// The receipt that the same call made before; `BIZ_CODE_CONFLICT` if another call used the biz code.
    pub(super) fn replayed(&self, unit: UnitId, biz_code: &str, content: Hash) -> Result<Option<ReceiptKey>, Refusal> {
        match self.journal.biz(unit, biz_code).map_err(internal)? {
            None => Ok(None),
            Some(row) if row.is_erased() => Err(erased()),
            Some(row) if row.content == content => Ok(Some(row.key)),
            Some(_) => Err(Refusal::new(Reason::BizCodeConflict)),
        }
    }
}
