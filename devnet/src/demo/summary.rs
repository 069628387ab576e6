//! The table at the end, and where its figures come from.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tallystick_devnet::Caller;
use tallystick_devnet::figures::{Samples, millis};
use tallystick_devnet::issuing::IssuedReceipt;
use tallystick_proto::ledger::v1::StreamBlocksRequest;

use super::Demo;

/// What was measured on the way.
#[derive(Default)]
pub(crate) struct Summary {
    /// Receipts of the whole demo.
    pub(super) receipts: usize,
    /// Bytes of each bundle.
    pub(super) bundle_bytes: Vec<usize>,
    /// Bytes of each bundle without the body.
    pub(super) evidence_bytes: Vec<usize>,
    /// Longest time without a seal after a validator was killed.
    pub(super) pause_after_kill: Option<Duration>,
    volume_receipts: usize,
    volume_elapsed: Duration,
    single_acknowledgements: Vec<Duration>,
    many_acknowledgements: Vec<Duration>,
    sealed_after: Vec<Duration>,
    blocks: u64,
    block_bytes: u64,
}

impl Summary {
    /// Takes the figures of the generated receipts: `sealed` in the order of many, then single.
    pub(super) fn record_volume(
        &mut self,
        many: &[IssuedReceipt],
        single: &[IssuedReceipt],
        sealed: &[Instant],
        elapsed: Duration,
    ) {
        let acknowledgements = |receipts: &[IssuedReceipt]| receipts.iter().map(|r| r.acknowledgement).collect();
        self.many_acknowledgements = acknowledgements(many);
        self.single_acknowledgements = acknowledgements(single);
        let receipts = many.iter().chain(single);
        self.sealed_after = receipts.zip(sealed).map(|(receipt, at)| at.duration_since(receipt.called_at)).collect();
        self.volume_receipts = sealed.len();
        self.volume_elapsed = elapsed;
    }

    /// The table; `elapsed` is what the whole demo took.
    pub(super) fn table(&self, elapsed: Duration) -> String {
        let per_second = self.volume_receipts as u128 * 1000 / self.volume_elapsed.as_millis().max(1);
        let latency = |name: &str, values: &[Duration]| {
            let values = Samples::new(values.to_vec());
            (name.to_owned(), format!("p50 {}, p99 {}", millis(values.p50()), millis(values.p99())))
        };
        let bytes = |name: &str, values: &[usize]| {
            let values = Samples::new(values.to_vec());
            let (middle, largest) = (values.p50().unwrap_or(0), values.max().unwrap_or(0));
            (name.to_owned(), format!("p50 {middle}, max {largest}"))
        };
        let block_bytes = self.block_bytes.checked_div(self.receipts as u64).unwrap_or(0);
        let rows = [
            ("receipts issued, sealed and verified".to_owned(), self.receipts.to_string()),
            ("issued to sealed, generated receipts".to_owned(), format!("{per_second} receipts/s")),
            latency("acknowledgement of Issue", &self.single_acknowledgements),
            latency("acknowledgement of IssueMany(50)", &self.many_acknowledgements),
            latency("sealed after the call", &self.sealed_after),
            ("longest pause after the kill".to_owned(), millis(self.pause_after_kill)),
            ("bytes per receipt in blocks".to_owned(), format!("{block_bytes}, {} blocks", self.blocks)),
            bytes("bytes of a bundle", &self.bundle_bytes),
            bytes("bytes of a bundle without the body", &self.evidence_bytes),
            ("the whole demonstration".to_owned(), format!("{} s", elapsed.as_secs())),
        ];
        let mut table = String::from("\n");
        for (name, value) in rows {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "   {name:<38} {value}");
        }
        table
    }
}

/// Reads all blocks from a node and counts their bytes (records, entries and what frames them).
pub(super) async fn measure_blocks(demo: &Demo, summary: &mut Summary) -> Result<()> {
    let mut client = demo.network.ledger_client(1, Caller::Auditor).await?;
    let request = StreamBlocksRequest { from_height: 1, with_records: true, follow: false };
    let mut blocks = client.stream_blocks(request).await.context("read the blocks")?.into_inner();
    while let Some(block) = blocks.message().await.context("read a block")? {
        summary.blocks += 1;
        summary.block_bytes += block.block.len() as u64;
    }
    Ok(())
}
