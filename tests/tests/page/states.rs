//! A file for every kind of verdict that a file can have, on a chain of its own.

use receipt_core::answer::Answer;
use receipt_core::bundle::{Bundle, Leaf, share};
use receipt_core::ids::{Fen, LeafIndex, UnixMillis};
use receipt_core::receipt::decimal::Yuan4;
use receipt_core::receipt::model::AuxItem;
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
    let bundle = chain.bundle(&receipt);
    let part = share(&bundle, &["payer_name"]).unwrap().encode();
    let files = vec![("specimen", bundle.encode()), ("specimen-part", part)];
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
    // Newer than the file, and in force still.
    chain.let_pass(HOUR_MS);
    chain.add_block(&[]);
    let answers = vec![
        ("unchanged", answer(Bundle::decode(&stale).unwrap())),
        ("stale", answer(chain.bundle(&blues[1]))),
        ("in-force", answer(chain.bundle(&blues[0]))),
        ("in-force-same", answer(good.clone())),
        ("forged", answer(Bundle { status: chain.bundle(&blues[3]).status, ..chain.bundle(&blues[1]) })),
    ];
    files.push(("stale", stale));
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

/// How many detail lines the longest receipt has here.
const ROWS: usize = 200;
/// The place of the payer's name in a content.
const PAYER_NAME: usize = 16;

/// Receipts as their holders have them, and parts of them as others get to see.
pub(crate) fn sharing() -> Scene {
    let mut chain = TestChain::new();
    let mut blues = vec![chain.issue("S01"), chain.issue("S02"), chain.issue("S01")];
    let mut long = chain.draft("S01");
    long.aux_items = aux_items(&long.items[0].item_code);
    blues.push(chain.issue_draft(long, Vec::new()));
    let mut hostile = chain.draft("S01");
    hostile.payer_name = HOSTILE_NAME.to_owned();
    hostile.remark = HOSTILE_REMARK.to_owned();
    hostile.items[0].item_name = HOSTILE_NAME.to_owned();
    blues.push(chain.issue_draft(hostile, Vec::new()));
    chain.add_block(&blues);
    let red = chain.reverse(&blues[2]);
    chain.add_block(std::slice::from_ref(&red));
    let [receipt, second, reversed, long, hostile] = [0, 1, 2, 3, 4].map(|of: usize| chain.bundle(&blues[of]));
    let part = |bundle: &Bundle, fields: &[&str]| share(bundle, fields).unwrap().encode();
    let mut altered = share(&receipt, &["payer_name"]).unwrap();
    let Leaf::Shown { value, .. } = &mut altered.leaves[PAYER_NAME] else { panic!("the payer is shown") };
    value.push('某');
    let files = vec![
        ("receipt", receipt.encode()),
        ("second", second.encode()),
        ("reversed", reversed.encode()),
        ("rows", long.encode()),
        ("part", part(&receipt, &["payer_name", "payments", "remark", "items[0]"])),
        ("part-reversed", part(&reversed, &["payer_name"])),
        ("part-red", part(&chain.bundle(&red), &["related", "items"])),
        ("part-hostile", part(&hostile, &["payer_name", "remark", "items"])),
        ("part-rows", part(&long, &["aux_items"])),
        ("part-of-rows", part(&long, &["aux_items[0]", "aux_items[7]", "aux_items[199]"])),
        ("part-altered", altered.encode()),
    ];
    // Newer than the file.
    chain.let_pass(HOUR_MS);
    chain.add_block(&[]);
    let answers = vec![("receipt", answer(chain.bundle(&blues[0])))];
    Scene { trust: chain.trust().clone(), at: chain.now().plus_millis(DAYS_3_MS), files, answers }
}

fn aux_items(item_code: &str) -> Vec<AuxItem> {
    let row = |row: usize| AuxItem {
        related_item_code: item_code.to_owned(),
        related_item_name: String::new(),
        item_code: format!("Q{row:04}"),
        item_name: format!("明细之{row}"),
        unit: "次".to_owned(),
        quantity: None,
        standard: None,
        amount: Yuan4::ZERO,
        remark: String::new(),
    };
    (1..=ROWS).map(row).collect()
}

/// A node's answer with the proofs of a bundle.
fn answer(bundle: Bundle) -> Vec<u8> {
    let Bundle { batch, anchor, status, .. } = bundle;
    Answer::Taken { batch, anchor, status }.encode()
}
