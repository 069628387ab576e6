//! The samples: every category of receipt, issued from the project's templates.
//!
//! S13 and S14 are not issued here: they come from the reversal of S01. (S03's paper copy needs the paper flow.)

use anyhow::{Context as _, Result};
use receipt_core::ids::{ReceiptNumber, UnixMillis};
use receipt_core::receipt::model::{CheckCode, Issued, Receipt, ReceiptDraft};
use receipt_core::receipt::samples::{RunParams, Samples};
use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::issuing::{IssuedReceipt, issue_one};
use tallystick_proto::issuer::v1::Wait;

use super::Demo;

/// A sample that was issued.
pub(crate) struct IssuedSample {
    /// `S01` to `S17`.
    pub(crate) sample_id: String,
    /// The draft that was sent.
    pub(crate) draft: ReceiptDraft,
    /// The issuer's answer.
    pub(crate) issued: IssuedReceipt,
}

impl IssuedSample {
    /// The whole receipt, as its unit knows it.
    pub(crate) fn receipt(&self, unit_name: &str) -> Result<Receipt> {
        let response = &self.issued.response;
        let issued = Issued {
            receipt_number: ReceiptNumber::parse(&response.receipt_number)?,
            check_code: CheckCode::parse(&response.check_code)?,
            issue_time: UnixMillis::new(response.issue_time_ms),
            unit_name: unit_name.to_owned(),
        };
        Ok(Receipt { issued, draft: self.draft.clone() })
    }
}

/// A sample as a draft for this run.
pub(crate) fn draft(
    demo: &Demo,
    samples: &Samples,
    sample_id: &str,
    original: Option<&Receipt>,
) -> Result<GeneratedReceipt> {
    draft_of(demo, samples, sample_id, 0, original)
}

/// The same for another receipt of the sample; `serial` says which.
pub(crate) fn draft_of(
    demo: &Demo,
    samples: &Samples,
    sample_id: &str,
    serial: u64,
    original: Option<&Receipt>,
) -> Result<GeneratedReceipt> {
    let params = RunParams {
        date: demo.params.date,
        year_digits: demo.network.registry().year_digits,
        biz_prefix: &demo.params.biz_prefix,
        serial,
        utc_offset_minutes: demo.params.utc_offset_minutes,
        original,
    };
    let draft = samples.template(sample_id, &params)?;
    let registry = demo.network.registry();
    let unit = registry.unit(&draft.unit_code).with_context(|| format!("the unit of {sample_id} is not registered"))?;
    Ok(GeneratedReceipt { system_id: registry.system_of(unit), draft })
}

/// Issues all samples that need no other receipt, and waits until each is sealed.
pub(crate) async fn issue(demo: &Demo) -> Result<Vec<IssuedSample>> {
    let samples = Samples::load()?;
    let ids: Vec<&str> = samples.ids().into_iter().filter(|id| samples.original_of(id).is_none()).collect();
    let step = demo.screen.step("issue the samples, one receipt of every category", Some(ids.len()));
    let mut issued = Vec::new();
    for sample_id in ids {
        let generated = draft(demo, &samples, sample_id, None)?;
        let client = demo.client(generated.system_id)?;
        let answer =
            issue_one(client, &generated, Wait::Pending).await.with_context(|| format!("sample {sample_id}"))?;
        step.progress().fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        issued.push(IssuedSample { sample_id: sample_id.to_owned(), draft: generated.draft, issued: answer });
    }
    let receipts: Vec<IssuedReceipt> = issued.iter().map(|sample| sample.issued.clone()).collect();
    demo.wait_sealed(&receipts).await?;
    let names: Vec<&str> = issued.iter().map(|sample| sample.sample_id.as_str()).collect();
    step.done(&format!("{} sealed", names.join(" ")));
    Ok(issued)
}
