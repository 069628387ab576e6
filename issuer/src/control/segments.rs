//! `tallystick-issuer segment-report`: stops a segment and says what became of its numbers, as a proposal for the authorities.
//!
//! Asked of the running issuer alone: it knows whether its journal is the newest. Not here: the counting (`crate::segments`).

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use receipt_core::ids::SegmentId;
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_service::durable::{self, FileMode};
use tallystick_service::report::Stamped;

use super::{ControlParts, ask, connect};
use crate::config::Settings;
use crate::journal::ReceiptReads as _;
use crate::segments::{SegmentError, SegmentReport, registered, report};

const STOP: &str = "stop";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentRequest {
    /// The segment.
    pub segment: SegmentId,
    /// Whether to stop a segment that is open on the ledger.
    pub stop: bool,
}

impl ControlParts {
    /// Stops the segment for good, then reports. The answer is the report as JSON.
    pub(super) async fn segment_report(&self, words: &str) -> Result<String> {
        let SegmentRequest { segment, stop } = parse(words)?;
        ensure!(
            self.gate.seals(),
            "the issuer has not caught up with the ledger, or is halted: what it knows of the segment may not be all; see /readyz"
        );
        let state = registered(&self.journal, segment)?;
        if state.closed_at_ms == 0 && !stop && self.journal.first_unused(segment)?.is_none() {
            return Err(SegmentError::Open(segment).into());
        }
        let lease = state.segment;
        self.queue.errand(move |sequencer| sequencer.stop(&lease)).await?;
        let (journal, guard) = (Arc::clone(&self.journal), self.guard.clone());
        let made = tokio::task::spawn_blocking(move || {
            // The guard learns of this step, so that an older copy of the journal does not start and use the numbers that are reported void.
            guard.map_or(Ok(()), |guard| guard.follow(&journal))?;
            anyhow::Ok(report(&journal, segment)?)
        });
        Ok(serde_json::to_string(&made.await??)?)
    }
}

fn parse(words: &str) -> Result<SegmentRequest> {
    let (id, stop) = match words.split_once(' ') {
        None => (words, false),
        Some((id, STOP)) => (id, true),
        Some(_) => bail!("the request is not `segment-report NUMBER [stop]`"),
    };
    Ok(SegmentRequest { segment: SegmentId::new(id.parse().context("read the segment's number")?), stop })
}

/// Asks the running issuer; returns the report as JSON, and writes the description for the authorities to `proposal`, which must
/// not be there.
pub async fn request_report(settings: &Settings, request: SegmentRequest, proposal: Option<&Path>) -> Result<String> {
    let stream = connect(settings).await?.context("no issuer runs under this config; start it and ask again")?;
    let stop = if request.stop { format!(" {STOP}") } else { String::new() };
    let answer = ask(stream, &format!("segment-report {}{stop}", request.segment)).await?;
    let report: SegmentReport = serde_json::from_str(&answer).context("read the running issuer's answer")?;
    if let Some(proposal) = proposal {
        durable::create(proposal, report.to_description().as_bytes(), FileMode::Shared)?;
    }
    let program = ("tallystick-issuer", env!("CARGO_PKG_VERSION"));
    // No format version is given here: the report has its own, from the running issuer.
    Ok(serde_json::to_string_pretty(&Stamped::new(program, None, SystemClock.now(), &report))?)
}
