//! Watch: outcomes from a position on, then live.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use receipt_core::ids::{SystemId, UnitId};
use receipt_core::reason::Reason;
use tallystick_proto::errors::{CallReason, Refusal, advice_if_refused};
use tallystick_proto::issuer::v1 as wire;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;

use super::{ApiContext, key_to_wire};
use crate::authority::{Audience, authorised_unit};
use crate::failure::internal;
use crate::registry::System;
use crate::watch::{Change, WatchedOutcome, outcomes_after};

/// Units of one filter.
const UNITS_MAX: usize = 1_000;
/// Streams at once, of all callers together.
const STREAMS_MAX: usize = 4_096;
/// Outcomes on their way to a slow reader; then it is waited for.
const STREAM_OUTCOMES_MAX: usize = 64;

/// What one caller watches. Never ends with OK: a client that reconnects after an error only would stay away for ever.
#[derive(Debug)]
pub struct OutcomeStream {
    outcomes: mpsc::Receiver<Result<wire::WatchResponse, Status>>,
    ended: bool,
}

impl Stream for OutcomeStream {
    type Item = Result<wire::WatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let outcome = std::task::ready!(self.outcomes.poll_recv(cx));
        self.ended = !matches!(outcome, Some(Ok(_)));
        // The sending task ends without an error only when the process stops.
        let stopping = || {
            let message = "the issuer is shutting down; watch again from the last position";
            Err(Refusal::new(CallReason::ShuttingDown).with_message(message).to_status())
        };
        Poll::Ready(Some(outcome.unwrap_or_else(stopping)))
    }
}

impl ApiContext {
    /// Starts a stream. It ends when the caller goes away or the process stops.
    pub(super) fn watch(
        this: &Arc<Self>,
        system: SystemId,
        request: &wire::WatchRequest,
    ) -> Result<OutcomeStream, Refusal> {
        if request.unit_codes.len() > UNITS_MAX {
            return Err(Refusal::field("unit_codes", format!("has at most {UNITS_MAX} units")));
        }
        if this.streams.len() >= STREAMS_MAX {
            return Err(Refusal::new(Reason::Overloaded)
                .with_message(format!("{STREAMS_MAX} Watch streams are open already; end some, or try again later")));
        }
        let view = this.view();
        let mut units = HashSet::new();
        for unit_code in &request.unit_codes {
            units.insert(authorised_unit(&view, system, unit_code, None)?.id);
        }
        let units = (!units.is_empty()).then_some(units);
        let (sender, receiver) = mpsc::channel(STREAM_OUTCOMES_MAX);
        let (context, position) = (Arc::clone(this), request.after_position);
        this.streams.spawn(async move {
            let stop = context.stop.clone();
            tokio::select! {
                () = context.stream(system, units, position, sender.clone()) => {}
                () = stop.cancelled() => {}
                () = sender.closed() => {}
            }
        });
        Ok(OutcomeStream { outcomes: receiver, ended: false })
    }

    async fn stream(
        &self,
        system: SystemId,
        filter: Option<HashSet<UnitId>>,
        mut position: u64,
        sender: mpsc::Sender<Result<wire::WatchResponse, Status>>,
    ) {
        let mut followed = self.followed.clone();
        loop {
            followed.mark_unchanged();
            // Look at the registry anew for each page: after a delegation is revoked, the stream must show no more of that unit.
            let page = {
                let (view, nothing) = (self.view(), System::default());
                let audience = Audience { system: view.system(system).unwrap_or(&nothing), units: filter.as_ref() };
                tokio::task::block_in_place(|| outcomes_after(&self.journal, &audience, position))
            };
            match page {
                Ok(Some(page)) => {
                    for outcome in page.outcomes {
                        if sender.send(Ok(self.to_response(outcome))).await.is_err() {
                            return;
                        }
                    }
                    position = page.next;
                }
                Ok(None) => {
                    if followed.changed().await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let _ = sender.send(Err(internal(error).to_status())).await;
                    return;
                }
            }
        }
    }

    fn to_response(&self, outcome: WatchedOutcome) -> wire::WatchResponse {
        let mut response = wire::WatchResponse {
            position: outcome.position,
            key: Some(key_to_wire(outcome.key)),
            biz_key: Some(wire::BizKey { unit_code: self.unit_code(outcome.unit), biz_code: outcome.biz_code }),
            block_height: outcome.height.get(),
            ..wire::WatchResponse::default()
        };
        match outcome.change {
            Change::Sealed => {
                response.set_state(wire::ReceiptState::Sealed);
                response.set_standing(wire::Standing::InForce);
            }
            Change::Refused(reason) => {
                response.set_state(wire::ReceiptState::Refused);
                response.refused_reason = reason.as_str().to_owned();
                response.refused_advice = Some(advice_if_refused(reason).to_wire());
            }
            Change::Reversed(red) => {
                response.set_state(wire::ReceiptState::Sealed);
                response.set_standing(wire::Standing::Reversed);
                response.reversed_by = Some(key_to_wire(red));
            }
        }
        response
    }
}
