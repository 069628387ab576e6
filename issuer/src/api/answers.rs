//! Answers to Issue, IssueMany and Reverse: the acknowledgement, and waiting for the seal.
//!
//! Invariant: once a receipt exists, no failure in here is told as if there were none.

use std::time::Duration;

use bytes::Bytes;
use receipt_core::ids::{ReceiptKey, UnixMillis};
use receipt_core::receipt::civil::CivilDate;
use receipt_core::record::SignedRecord;
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::{Action, CallReason, Place, Refusal, Stands, advice_if_refused};
use tallystick_proto::issuer::v1 as wire;
use tokio::time::Instant;

use super::ApiContext;
use crate::failure::internal;
use crate::fate::{Fate, fate};
use crate::issue::{Acknowledgement, Issued};
use crate::journal::ReceiptReads as _;

const WAIT_MS_DEFAULT: u32 = 10_000;
const WAIT_MS_MAX: u32 = 60_000;

/// How long a call waits for the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Answers at once, with what is known.
    Pending,
    /// Waits until the seal, or until this moment.
    Until(Instant),
}

impl Patience {
    /// What the request asks for. The time runs from now.
    pub(super) fn of_request(wait: i32, timeout_ms: u32) -> Result<Self, Refusal> {
        let timeout_ms = if timeout_ms == 0 { WAIT_MS_DEFAULT } else { timeout_ms };
        if timeout_ms > WAIT_MS_MAX {
            return Err(Refusal::field("wait_timeout_ms", format!("is at most {WAIT_MS_MAX}")));
        }
        match wire::Wait::try_from(wait) {
            Ok(wire::Wait::Unspecified | wire::Wait::Pending) => Ok(Self::Pending),
            Ok(wire::Wait::Sealed) => Ok(Self::Until(Instant::now() + Duration::from_millis(u64::from(timeout_ms)))),
            Err(_) => Err(Refusal::field("wait", "is no value of this schema")),
        }
    }
}

impl ApiContext {
    /// The answer to an issued (or replayed) receipt, as it stands now. `OUTCOME_UNKNOWN`, naming the receipt, if one that
    /// exists cannot be read.
    pub(super) fn answer(&self, issued: &Issued) -> Result<wire::IssueResponse, Refusal> {
        let mut response = match issued {
            Issued::New(acknowledgement) => new_response(acknowledgement),
            Issued::Existing(key) => self.existing_response(*key).map_err(|_| unanswered(*key))?,
        };
        let issue_time = UnixMillis::new(response.issue_time_ms);
        let issue_date = CivilDate::at(issue_time, self.utc_offset_minutes);
        response.issue_date = issue_date.map(|date| date.to_string()).unwrap_or_default();
        Ok(response)
    }

    fn existing_response(&self, key: ReceiptKey) -> Result<wire::IssueResponse, Refusal> {
        let missing = || internal(format!("receipt {key} is missing"));
        let row = self.journal.receipt(key).map_err(internal)?.ok_or_else(missing)?;
        let record = SignedRecord::decode(&row.signed_record).map_err(internal)?.record;
        let mut response = wire::IssueResponse {
            receipt_code: key.code.to_string(),
            receipt_number: key.number.to_string(),
            signed_record: Bytes::from(row.signed_record),
            issue_time_ms: record.issue_time.get(),
            seal_by_ms: record.seal_by.get(),
            replayed: true,
            ..wire::IssueResponse::default()
        };
        // `None` if the body is erased: its check code and seed are erased with it.
        if let Some((receipt, seed)) = self.open_receipt(key)? {
            response.check_code = receipt.issued.check_code.to_string();
            response.body_seed = Bytes::copy_from_slice(seed.as_bytes());
            response.red_draft = receipt.draft.is_red().then(|| draft_to_wire(&receipt.draft));
        }
        self.update_state(key, &mut response)?;
        Ok(response)
    }

    /// Writes the receipt's state into an answer. Whether it is decided.
    pub(super) fn update_state(&self, key: ReceiptKey, response: &mut wire::IssueResponse) -> Result<bool, Refusal> {
        let fate = fate(&self.journal, key).map_err(internal)?;
        response.set_state(state_of(fate));
        if let Fate::Refused { reason, .. } = fate {
            response.refused_reason = reason.as_str().to_owned();
            response.refused_advice = Some(advice_if_refused(reason).to_wire());
        }
        Ok(fate != Fate::Pending)
    }

    /// Waits until a receipt is decided, or the time is over. If its state cannot be read the answer stays as it is: the receipt
    /// is acknowledged, and `GetReceipt` tells what becomes of it.
    pub(super) async fn wait(&self, key: ReceiptKey, patience: Patience, response: &mut wire::IssueResponse) {
        let Patience::Until(deadline) = patience else { return };
        let decided = self.waiters.register(key);
        if !matches!(self.update_state(key, response), Ok(false)) {
            return;
        }
        tokio::select! {
            // Whether it was decided or timed out is not looked at here: the journal says it, below.
            _ = tokio::time::timeout_at(deadline, decided) => {}
            () = self.stop.cancelled() => {}
        }
        // An error here was logged where it arose. The receipt is acknowledged in any case, so the answer goes out without the newer state.
        let _ = self.update_state(key, response);
    }

    /// Puts the bundle into an answer that is sealed and asked for it. Without a node the answer stays without: the
    /// receipt is sealed all the same, and GetBundle gives it later.
    pub(super) async fn attach_bundle(&self, key: ReceiptKey, response: &mut wire::IssueResponse) {
        if response.state() == wire::ReceiptState::Sealed
            && let Ok(bundle) = self.bundler.assemble(key).await
        {
            response.bundle = Bytes::from(bundle.bytes);
        }
    }
}

/// `OUTCOME_UNKNOWN` of a receipt that exists: its answer could not be made.
pub(super) fn unanswered(key: ReceiptKey) -> Refusal {
    Refusal::new(CallReason::OutcomeUnknown)
        .with_message("the receipt exists, and cannot be read now; make the same call again, at this issuer")
        .with_advice(Stands::Yes, Place::BizCode, Action::RepeatHere)
        .with_metadata("receipt_code", key.code.to_string())
        .with_metadata("receipt_number", key.number.to_string())
}

/// The key in an answer of ours.
pub(super) fn issued_key(issued: &Issued) -> ReceiptKey {
    match issued {
        Issued::New(acknowledgement) => acknowledgement.key,
        Issued::Existing(key) => *key,
    }
}

/// The state on the wire.
pub(super) const fn state_of(fate: Fate) -> wire::ReceiptState {
    match fate {
        Fate::Pending => wire::ReceiptState::Pending,
        Fate::Sealed { .. } => wire::ReceiptState::Sealed,
        Fate::Refused { .. } => wire::ReceiptState::Refused,
    }
}

fn new_response(acknowledgement: &Acknowledgement) -> wire::IssueResponse {
    wire::IssueResponse {
        state: wire::ReceiptState::Pending.into(),
        receipt_code: acknowledgement.key.code.to_string(),
        receipt_number: acknowledgement.key.number.to_string(),
        check_code: acknowledgement.check_code.to_string(),
        signed_record: Bytes::from(acknowledgement.signed_record.clone()),
        issue_time_ms: acknowledgement.issue_time.get(),
        seal_by_ms: acknowledgement.seal_by.get(),
        body_seed: Bytes::copy_from_slice(acknowledgement.seed.as_bytes()),
        ..wire::IssueResponse::default()
    }
}
