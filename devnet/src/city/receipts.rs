//! What is issued: a receipt of every category, some hundred others, one reversed and issued anew, one that the ledger refuses.

use anyhow::{Context as _, Result, ensure};
use receipt_core::ids::Fen;
use receipt_core::reason::Reason;
use receipt_core::receipt::samples::Samples;
use receipt_core::verdict::Conclusion;
use tallystick_devnet::Caller;
use tallystick_devnet::outcomes::Key;
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::issuer::v1::{IssueRequest, IssueResponse, ReceiptState, Wait};

use crate::demo::bundles::{altered, fetch, verify};
use crate::demo::{Demo, Summary, reversal, samples};

/// The issuer to which the demonstration does not talk.
const SECOND_ISSUER: u32 = 2;
/// Whose amount is altered: a traffic fine.
const ALTERED: &str = "S04";
/// What is handed in twice: a school's fee.
const DOUBLED: &str = "S06";

/// A receipt that is kept, and where.
pub(super) struct Kept {
    /// Its sample, which is the folder's name.
    pub(super) folder: String,
    /// The system that issued it.
    pub(super) system_id: u32,
    /// Code and number.
    pub(super) key: Key,
    /// What else is put there.
    pub(super) others: Vec<Other>,
}

/// Another bundle that somebody could have.
pub(super) struct Other {
    /// The file's name.
    pub(super) name: &'static str,
    /// What it is, in Chinese and English.
    pub(super) said: [&'static str; 2],
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// What is on a receipt that the ledger did not take, and which one stands instead.
pub(super) struct Refused {
    /// As its unit handed it out.
    pub(super) response: IssueResponse,
    /// The unit's name.
    pub(super) unit_name: String,
    /// Its total.
    pub(super) total: Fen,
    /// Code and number of the other one.
    pub(super) replaced_by: Key,
}

/// All that was issued and is shown.
pub(super) struct Issued {
    pub(super) kept: Vec<Kept>,
    pub(super) refused: Refused,
}

/// Issues everything; `count` generated receipts are among it, so that the trees have leaves of others.
pub(super) async fn issue(demo: &Demo, count: usize) -> Result<Issued> {
    let samples = samples::issue(demo).await?;
    demo.issue_volume(count, &mut Summary::default()).await?;
    let first = samples.first().context("there are no samples")?;
    let before = fetch(demo.client(first.issued.system_id)?, &first.issued.key).await?;
    ensure!(verify(&before, &demo.trust).is_in_force(), "the receipt is not in force before it is reversed");
    let reversal = reversal::run(demo, first).await?;
    let refused = refused(demo).await?;
    let mut kept = Vec::new();
    for sample in &samples {
        let (system_id, key) = (sample.issued.system_id, sample.issued.key.clone());
        let mut others = Vec::new();
        if sample.sample_id == ALTERED {
            let bytes = altered(fetch(demo.client(system_id)?, &key).await?, sample.draft.total_amount)?;
            let conclusion = verify(&bytes, &demo.trust).conclusion;
            ensure!(matches!(conclusion, Conclusion::Invalid(_)), "the altered receipt is {conclusion:?}");
            let said = ["金额被改过的凭证：应判为无效", "the bundle with another amount: not valid"];
            others.push(Other { name: "altered.tally", said, bytes });
        }
        kept.push(Kept { folder: sample.sample_id.clone(), system_id, key, others });
    }
    if let Some(reversed) = kept.first_mut() {
        let said = [
            "冲红之前保存的凭证：刷新状态后变为已冲红",
            "the bundle as it was kept before the reversal: refresh its state",
        ];
        reversed.others.push(Other { name: "before-reversal.tally", said, bytes: before });
    }
    for (folder, receipt) in ["S13", "S14"].into_iter().zip(reversal) {
        kept.push(Kept {
            folder: folder.to_owned(),
            system_id: receipt.system_id,
            key: receipt.key,
            others: Vec::new(),
        });
    }
    Ok(Issued { kept, refused })
}

/// One transaction that a system hands to both issuers, as after a fail-over that was none: the ledger takes one of the two receipts.
async fn refused(demo: &Demo) -> Result<Refused> {
    let step = demo.screen.step("hand one transaction to both issuers", None);
    let doubled = samples::draft_of(demo, &Samples::load()?, DOUBLED, 1, None)?;
    let unit = demo.network.registry().unit(&doubled.draft.unit_code).context("the unit is not registered")?;
    let request = IssueRequest {
        draft: Some(draft_to_wire(&doubled.draft)),
        wait: Wait::Sealed.into(),
        wait_timeout_ms: 30_000,
        with_bundle: false,
    };
    let mut first = demo.client(doubled.system_id)?;
    let mut second = demo.network.issuer_client(SECOND_ISSUER, Caller::System(doubled.system_id)).await?;
    let (one, two) = tokio::try_join!(first.issue(request.clone()), second.issue(request))?;
    let (one, two) = (one.into_inner(), two.into_inner());
    let (sealed, refused) = if one.state() == ReceiptState::Sealed { (one, two) } else { (two, one) };
    ensure!(
        sealed.state() == ReceiptState::Sealed && refused.refused_reason == Reason::BizCodeUsed.as_str(),
        "one is {}, the other {} {}",
        sealed.state().as_str_name(),
        refused.state().as_str_name(),
        refused.refused_reason
    );
    let replaced_by = (sealed.receipt_code, sealed.receipt_number);
    step.done(&format!(
        "{}-{} is refused ({}), {}-{} stands",
        refused.receipt_code, refused.receipt_number, refused.refused_reason, replaced_by.0, replaced_by.1
    ));
    Ok(Refused { response: refused, unit_name: unit.name.clone(), total: doubled.draft.total_amount, replaced_by })
}
