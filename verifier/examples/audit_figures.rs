//! How fast a ledger is replayed on this machine: receipts per second by number of threads. Prints, asserts nothing.
//!
//! `cargo run --release -p tallystick-verifier --example audit_figures`

use std::error::Error;

use prost::Message;
use receipt_core::block::block_id;
use receipt_core::export::ExportEncoder;
use receipt_core::testkit::{TestChain, TestReceipt};
use tallystick_proto::ledger::v1::LedgerBlock;
use tallystick_service::rng::OsEntropy;
use tallystick_verifier::audit::{AuditOptions, audit};
use tallystick_verifier::progress::Silent;
use tallystick_verifier::source::Source;

const BLOCKS: usize = 40;
const RECEIPTS_PER_BLOCK: usize = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut chain = TestChain::new();
    for _ in 0..BLOCKS {
        let receipts: Vec<TestReceipt> = (0..RECEIPTS_PER_BLOCK).map(|_| chain.issue("S02")).collect();
        chain.add_block(&receipts);
    }
    let directory = scratch::Directory::new();
    let file = directory.path().join("export");
    let (mut encoder, mut bytes) = ExportEncoder::start(chain.genesis().chain_id());
    for (height, block) in chain.blocks().iter().enumerate() {
        let message = LedgerBlock {
            height: height as u64,
            block: block.bytes.clone().into(),
            entries: block.entries.iter().map(|entry| entry.clone().into()).collect(),
            first_leaf_index: block.first_leaf,
            certificate: block.certificate.clone().into(),
            checkpoint: block.checkpoint.clone(),
            checkpoint_height: height as u64,
            block_hash: block_id(block.seal.suite, &block.bytes).0.to_vec().into(),
        };
        bytes.extend(encoder.frame(&message.encode_to_vec())?);
    }
    bytes.extend(encoder.finish());
    std::fs::write(&file, bytes)?;
    let source = Source::Export(file);
    for threads in [1, 2, 4] {
        let options = AuditOptions {
            threads,
            bodies: Vec::new(),
            left_out: Vec::new(),
            trust: None,
            registry_at: None,
            entropy: &OsEntropy,
        };
        let report = audit(chain.genesis(), &source, &options, &mut Silent)?;
        println!(
            "{threads} threads: {:?}, {} records in {:.2} s, {:.0} records/s",
            report.result, report.records, report.seconds, report.records_per_second
        );
    }
    Ok(())
}
