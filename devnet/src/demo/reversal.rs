//! Reversal (冲红): S01 is reversed as a whole by S13, and S14 is what remains of it; the verdict on S01 changes.

use anyhow::{Context as _, Result, bail, ensure};
use receipt_core::receipt::samples::Samples;
use receipt_core::verdict::{Conclusion, Language};
use tallystick_devnet::issuing::{IssuedReceipt, issue_one};
use tallystick_proto::convert::reversal_to_wire;
use tallystick_proto::issuer::v1::{ReceiptKey, ReceiptState, ReverseRequest, Wait};

use super::Demo;
use super::bundles::{fetch, verify};
use super::samples::{self, IssuedSample};
use super::screen::indented;

/// The conclusion and the three layers stand in the first lines of a verdict.
const VERDICT_HEAD_LINES: usize = 4;

/// Reverses `original`, which is S01, and issues what remains. Returns the two receipts.
pub(crate) async fn run(demo: &Demo, original: &IssuedSample) -> Result<Vec<IssuedReceipt>> {
    let step = demo.screen.step("reverse that receipt and re-issue what remains of it", None);
    let samples = Samples::load()?;
    let unit = demo.network.registry().unit(&original.draft.unit_code).context("the unit is not registered")?;
    let receipt = original.receipt(&unit.name)?;
    let red = samples::draft(demo, &samples, "S13", Some(&receipt))?;
    let red_receipt = reverse(demo, original, &red.draft).await?;
    let reissue = samples::draft(demo, &samples, "S14", Some(&receipt))?;
    let reissued = issue_one(demo.client(reissue.system_id)?, &reissue, Wait::Sealed).await.context("sample S14")?;
    let bundle = fetch(demo.client(original.issued.system_id)?, &original.issued.key).await?;
    let verdict = verify(&bundle, &demo.trust);
    let Conclusion::Reversed { by, .. } = verdict.conclusion else {
        bail!("the reversed receipt's verdict is {:?}", verdict.conclusion);
    };
    let red_key = format!("{}-{}", red_receipt.key.0, red_receipt.key.1);
    ensure!(by.to_string() == red_key, "it was reversed by {by}, not by {red_key}");
    for receipt in [&red_receipt, &reissued] {
        let bundle = fetch(demo.client(receipt.system_id)?, &receipt.key).await?;
        let verdict = verify(&bundle, &demo.trust);
        ensure!(verdict.is_in_force(), "the verdict on {:?} is {:?}", receipt.key, verdict.conclusion);
    }
    let reissued_key = format!("{}-{}", reissued.key.0, reissued.key.1);
    step.done(&format!("S13 is red receipt {by}, S14 is {reissued_key}; the verdict on S01 is now"));
    let text = verdict.to_text(Language::En);
    let head: String = text.lines().take(VERDICT_HEAD_LINES).map(|line| format!("{line}\n")).collect();
    demo.screen.print(&indented(&head));
    Ok(vec![red_receipt, reissued])
}

/// `Reverse`, with what the sample says.
async fn reverse(
    demo: &Demo,
    original: &IssuedSample,
    red: &receipt_core::receipt::model::ReceiptDraft,
) -> Result<IssuedReceipt> {
    let reversal = red.reversal.as_ref().context("S13 is not red")?;
    let (receipt_code, receipt_number) = original.issued.key.clone();
    let request = ReverseRequest {
        unit_code: red.unit_code.clone(),
        original: Some(ReceiptKey { receipt_code, receipt_number }),
        reversal: Some(reversal_to_wire(reversal)),
        biz_code: red.biz_code.clone(),
        place_code: red.place_code.clone(),
        handling_person: red.handling_person.clone(),
        checker: red.checker.clone(),
        receipt_code: String::new(),
        wait: Wait::Sealed.into(),
        wait_timeout_ms: 30_000,
        with_bundle: false,
    };
    let system_id = original.issued.system_id;
    let called_at = std::time::Instant::now();
    let response = demo.client(system_id)?.reverse(request).await.context("reverse S01")?.into_inner();
    ensure!(response.state() == ReceiptState::Sealed, "the reversal is {}", response.state().as_str_name());
    let key = (response.receipt_code.clone(), response.receipt_number.clone());
    Ok(IssuedReceipt { system_id, key, called_at, acknowledgement: called_at.elapsed(), response })
}
