//! What a bundle costs: its bytes, and the time of one verification on this machine. Prints, asserts nothing.
//!
//! `cargo run --release -p receipt-core --features testkit --example bundle_figures`

use std::time::Instant;

use receipt_core::testkit::{TestChain, TestReceipt};
use receipt_core::verdict::{Language, verify_bundle};

/// Receipts in one batch, and verifications timed.
const RECEIPTS: usize = 4096;
const RUNS: usize = 2000;

fn main() {
    let mut chain = TestChain::new();
    let receipts: Vec<TestReceipt> = (0..RECEIPTS).map(|_| chain.issue("S02")).collect();
    chain.add_block(&receipts);
    for _ in 0..1000 {
        chain.add_block(&[]);
    }
    let bundle = chain.bundle(&receipts[RECEIPTS / 2]);
    let bytes = bundle.encode();
    let mut micros: Vec<u128> = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        let verdict = verify_bundle(&bytes, chain.trust(), chain.now());
        micros.push(start.elapsed().as_micros());
        if !verdict.is_in_force() {
            println!("unexpected: {}", verdict.to_text(Language::En));
            return;
        }
    }
    micros.sort_unstable();
    println!("batch of {RECEIPTS}, log of {} leaves, 4 validators, quorum of 3", chain.log().size());
    println!("bundle {} bytes, of which evidence {}", bytes.len(), bundle.evidence_byte_size());
    println!("verify: median {} µs, p99 {} µs, max {} µs", micros[RUNS / 2], micros[RUNS * 99 / 100], micros[RUNS - 1]);
}
