//! Bundles: fetched from the issuer, judged offline against the trust file, shown to a person, damaged on purpose.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, bail, ensure};
use receipt_core::bundle::Bundle;
use receipt_core::ids::Fen;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{Conclusion, Language, TimeSource, Verdict, verify_bundle};
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::outcomes::Key;
use tallystick_proto::issuer::v1::{GetBundleRequest, ReceiptKey, get_bundle_request};
use tallystick_service::clock::{Clock as _, SystemClock};
use tokio::task::JoinSet;

use super::Demo;
use super::samples::IssuedSample;
use super::screen::indented;
use super::summary::Summary;

const FETCHES_AT_ONCE: usize = 8;

/// Sizes of one bundle.
struct BundleBytes {
    whole: usize,
    evidence: usize,
}

/// The bundle of a receipt, fresh from the issuer.
pub(crate) async fn fetch(mut client: IssuerClient, key: &Key) -> Result<Vec<u8>> {
    let key_message = ReceiptKey { receipt_code: key.0.clone(), receipt_number: key.1.clone() };
    let request = GetBundleRequest { selector: Some(get_bundle_request::Selector::Key(key_message)) };
    let response =
        client.get_bundle(request).await.with_context(|| format!("fetch the bundle of {}-{}", key.0, key.1))?;
    Ok(response.into_inner().bundle.to_vec())
}

/// Judges a bundle offline, now.
pub(crate) fn verify(bundle: &[u8], trust: &TrustFile) -> Verdict {
    verify_bundle(bundle, trust, SystemClock.now()).timed_by(TimeSource::Clock)
}

/// Fetches every bundle and verifies each offline; one that is not in force is an error.
pub(super) async fn verify_all(demo: &Demo, keys: &[(u32, Key)], summary: &mut Summary) -> Result<()> {
    let title = format!("fetch all {} bundles and verify each offline", keys.len());
    let step = demo.screen.step(&title, Some(keys.len()));
    let mut running = JoinSet::new();
    let mut sizes = Vec::with_capacity(keys.len());
    for (system_id, key) in keys {
        if running.len() >= FETCHES_AT_ONCE {
            sizes.extend(next_size(&mut running).await?);
        }
        let (client, trust, key) = (demo.client(*system_id)?, Arc::clone(&demo.trust), key.clone());
        let progress = Arc::clone(step.progress());
        running.spawn(async move {
            let bundle = fetch(client, &key).await?;
            let size = tokio::task::spawn_blocking(move || judge(&bundle, &trust)).await.context("verify a bundle")?;
            progress.fetch_add(1, Ordering::Relaxed);
            size.with_context(|| format!("the bundle of {}-{}", key.0, key.1))
        });
    }
    while !running.is_empty() {
        sizes.extend(next_size(&mut running).await?);
    }
    summary.bundle_bytes.extend(sizes.iter().map(|size| size.whole));
    summary.evidence_bytes.extend(sizes.iter().map(|size| size.evidence));
    step.done(&format!("{} receipts are genuine, anchored and in force", sizes.len()));
    Ok(())
}

async fn next_size(running: &mut JoinSet<Result<BundleBytes>>) -> Result<Option<BundleBytes>> {
    running.join_next().await.map(|size| size.context("fetch a bundle")?).transpose()
}

fn judge(bundle: &[u8], trust: &TrustFile) -> Result<BundleBytes> {
    let verdict = verify(bundle, trust);
    ensure!(verdict.is_in_force(), "the verdict is {:?}", verdict.conclusion);
    let evidence = Bundle::decode(bundle).context("decode a bundle that was judged good")?.evidence_byte_size();
    Ok(BundleBytes { whole: bundle.len(), evidence })
}

/// Prints one receipt and its verdict for a person to read.
pub(super) async fn show_one(demo: &Demo, sample: &IssuedSample) -> Result<()> {
    let bundle = fetch(demo.client(sample.issued.system_id)?, &sample.issued.key).await?;
    let verdict = verify(&bundle, &demo.trust);
    ensure!(verdict.is_in_force(), "the verdict is {:?}", verdict.conclusion);
    let path = demo.network.layout().root().join(format!("{}.tally", sample.sample_id));
    std::fs::write(&path, &bundle).with_context(|| format!("write {}", path.display()))?;
    demo.screen.print(&format!("\n   One of them, as a citizen's verifier shows it ({}):\n", sample.sample_id));
    demo.screen.print(&indented(&format!("{}\n", verdict.to_line(Language::Zh))));
    demo.screen.print(&indented(&verdict.to_text(Language::En)));
    demo.screen.print("");
    Ok(())
}

/// Flips one byte in the middle of the bundle and shows the refusal.
pub(super) async fn show_flipped_byte(demo: &Demo, sample: &IssuedSample) -> Result<()> {
    let step = demo.screen.step("flip one byte of that bundle", None);
    let bundle = fetch(demo.client(sample.issued.system_id)?, &sample.issued.key).await?;
    let bundle = altered(bundle, sample.draft.total_amount)?;
    let verdict = verify(&bundle, &demo.trust);
    let Conclusion::Invalid(_) = &verdict.conclusion else {
        bail!("a flipped byte went unnoticed: {:?}", verdict.conclusion);
    };
    step.done(&verdict.to_line(Language::En));
    Ok(())
}

/// The bundle with another digit in the amount, so that the file stays well-formed: the case that a forger would try.
pub(crate) fn altered(mut bundle: Vec<u8>, total: Fen) -> Result<Vec<u8>> {
    let amount = format!("\"{total}\"");
    let position = bundle.windows(amount.len()).position(|window| window == amount.as_bytes());
    let position = position.context("the amount does not stand in the bundle")? + 1;
    let digit = bundle[position];
    bundle[position] = if digit == b'9' { b'8' } else { digit + 1 };
    Ok(bundle)
}
