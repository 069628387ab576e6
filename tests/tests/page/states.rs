//! A file for every kind of verdict that a file can have, on a chain of its own.

use receipt_core::answer::Answer;
use receipt_core::bundle::Bundle;
use receipt_core::ids::{Fen, LeafIndex, UnixMillis};
use receipt_core::record::SignedRecord;
use receipt_core::testkit::{TestChain, TestReceipt, TestValidator};
use receipt_core::trust::TrustFile;
use receipt_core::verdict::verify_bundle;

/// The files, what they are judged by, and when.
pub(crate) struct Scene {
    pub(crate) trust: TrustFile,
    pub(crate) at: UnixMillis,
    /// Name and bytes.
    pub(crate) files: Vec<(&'static str, Vec<u8>)>,
    /// What the ledger answers later: name and bytes.
    pub(crate) answers: Vec<(&'static str, Vec<u8>)>,
}

/// How much later a person looks.
const DAYS_3_MS: u64 = 3 * 86_400_000;
const HOUR_MS: u64 = 3_600_000;
/// Names that try to be more than a name.
const HOSTILE_NAME: &str = "<script>alert(1)</script>林\u{202e}某\u{3164}";
const HOSTILE_REMARK: &str = "<img src=x onerror=alert(1)>\n有效 IN FORCE";

/// A receipt of a chain whose receipts are specimens.
pub(crate) fn specimen() -> Scene {
    let mut chain = TestChain::of_specimens("specimens");
    let receipt = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&receipt));
    let files = vec![("specimen", chain.bundle(&receipt).encode())];
    Scene { trust: chain.trust().clone(), at: chain.now().plus_millis(DAYS_3_MS), files, answers: Vec::new() }
}

pub(crate) fn scene() -> Scene {
    let mut chain = TestChain::new();
    let mut blues: Vec<TestReceipt> = ["S02", "S01", "S05", "S06", "S08"].iter().map(|id| chain.issue(id)).collect();
    let mut draft = chain.draft("S02");
    draft.payer_name = HOSTILE_NAME.to_owned();
    draft.remark = HOSTILE_REMARK.to_owned();
    blues.push(chain.issue_draft(draft, Vec::new()));
    chain.add_block(&blues);
    // Not yet reversed, and good for a long time: nobody who has it knows what came after.
    let stale = chain.bundle(&blues[1]).encode();
    // Long enough that a clock of that time takes what follows for the future.
    chain.let_pass(HOUR_MS);
    let red = chain.reverse(&blues[1]);
    chain.add_block(std::slice::from_ref(&red));
    chain.add_block(&[]);
    let trust = chain.trust().clone();
    let good = chain.bundle(&blues[0]);
    let changed = |change: fn(&mut Bundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        bundle.encode()
    };
    let mut truncated = good.encode();
    truncated.truncate(truncated.len() / 2);
    let text = String::from_utf8(good.encode()).unwrap();
    let mut files = vec![
        ("in-force", good.encode()),
        ("medical", chain.bundle(&blues[3]).encode()),
        ("reversed", chain.bundle(&blues[1]).encode()),
        ("red", chain.bundle(&red).encode()),
        ("hostile", chain.bundle(&blues[5]).encode()),
        ("altered", changed(|bundle| bundle.values[7] = "1.00".to_owned())),
        (
            "forged",
            changed(|bundle| {
                let mut signed = SignedRecord::decode(&bundle.record).unwrap();
                signed.record.total = Fen::new(signed.record.total.get() + 1);
                signed.record_bytes = signed.record.encode();
                bundle.record = signed.encode();
            }),
        ),
        ("not-anchored", changed(|bundle| bundle.batch.index = LeafIndex::new(4))),
        ("status-unproved", changed(|bundle| bundle.status.map.truncate(1))),
        ("damaged", truncated),
        ("format-unknown", text.replacen("bundle/v1", "bundle/v9", 1).into_bytes()),
        ("no-receipt", trust.to_text().into_bytes()),
    ];
    files.push(("stale", stale));
    let answers = vec![
        ("stale", answer(chain.bundle(&blues[1]))),
        ("in-force", answer(good.clone())),
        ("forged", answer(Bundle { status: chain.bundle(&blues[3]).status, ..chain.bundle(&blues[1]) })),
    ];
    let mut other = TestChain::named("otherchain");
    let stranger = other.issue("S01");
    other.add_block(std::slice::from_ref(&stranger));
    files.push(("other-chain", other.bundle(&stranger).encode()));
    // Its status is vouched for by validators that the trust file does not know: it knows only until when those before them were in office.
    chain.rotate_validators((21..=24).map(TestValidator::new).collect());
    chain.add_block(&[]);
    let unknown = chain.bundle(&blues[4]).encode();
    let whole = chain.trust().to_text();
    let trust = TrustFile::parse(&whole[..=whole.rfind("\n\nvalidators ").unwrap()]).unwrap();
    assert_eq!(verify_bundle(&unknown, &trust, chain.now()).code(), "VALIDATORS_UNKNOWN");
    files.push(("validators-unknown", unknown));
    Scene { trust, at: chain.now().plus_millis(DAYS_3_MS), files, answers }
}

/// A node's answer with the proofs of a bundle.
fn answer(bundle: Bundle) -> Vec<u8> {
    let Bundle { batch, anchor, status, .. } = bundle;
    Answer::Taken { batch, anchor, status }.encode()
}
