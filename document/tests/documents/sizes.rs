//! How large documents may be.

use receipt_core::receipt::decimal::Yuan4;
use receipt_core::receipt::model::AuxItem;
use receipt_core::testkit::TestChain;
use receipt_core::verdict::verify_bundle;
use tallystick_document::{
    CHARACTERS_MAX, Code, Face, FaceOptions, OfdError, PdfError, State, ofd, pdf, png, png_page,
};

use crate::common::{ALL_FONTS, RECEIPTS, TEMPLATE, face, facts, host};

#[test]
fn a_receipt_of_ten_rows_has_at_most_60_kb() {
    // All are of one batch; the path of a batch of hundreds would add some hashes.
    let mut chain = TestChain::new();
    let samples = ["S01", "S02", "S04", "S05", "S06", "S07", "S08", "S09", "S10", "S15", "S16", "S17"];
    let receipts: Vec<_> = samples.iter().map(|sample| chain.issue(sample)).collect();
    chain.add_block(&receipts);
    for (sample, issued) in samples.iter().zip(&receipts) {
        let rows = issued.receipt.draft.items.len() + issued.receipt.draft.aux_items.len();
        let bundle = chain.bundle(issued).encode();
        // As an issuer draws it: with the state, of a chain for tests.
        let state = State::of(&verify_bundle(&bundle, chain.trust(), chain.now()));
        let code = Code::of_receipt(&host(), &issued.record);
        let options = FaceOptions {
            utc_offset_minutes: 480,
            code: Some(&code),
            test_chain: true,
            with_evidence: true,
            state: state.as_ref(),
            own_lines: &[],
        };
        let face = Face::of(&issued.receipt, &TEMPLATE, &options);
        assert!(face.texts().any(|text| text.starts_with("截至")));
        let document = pdf(&face, &ALL_FONTS, &facts(&issued.receipt), Some(&bundle)).unwrap();
        assert!(rows > 10 || document.len() <= 60_000, "{sample}: {} bytes for {rows} rows", document.len());
    }
}

#[test]
fn a_receipt_of_800_rows_has_at_most_1_mb() {
    let mut chain = TestChain::new();
    let mut draft = chain.draft("S02");
    let name = |index: u32| -> String {
        // Names have 6 to 12 characters out of two thousand, so that the subset is large.
        (0..6 + index % 7).filter_map(|place| char::from_u32(0x4e00 + (index * 131 + place * 977) % 2000)).collect()
    };
    let line = |index: u32| AuxItem {
        related_item_code: draft.items[0].item_code.clone(),
        related_item_name: String::new(),
        item_code: format!("XA{index:05}"),
        item_name: name(index),
        unit: "盒".to_owned(),
        quantity: None,
        standard: None,
        amount: Yuan4::new(i64::from(index) * 100),
        remark: "乙类".to_owned(),
    };
    draft.aux_items = (0..800).map(line).collect();
    let issued = chain.issue_draft(draft, Vec::new());
    chain.add_block(std::slice::from_ref(&issued));
    let bundle = chain.bundle(&issued).encode();
    let face = face(&issued.receipt, true);
    let document = pdf(&face, &ALL_FONTS, &facts(&issued.receipt), Some(&bundle)).unwrap();
    assert!(document.len() <= 1_000_000, "{} bytes", document.len());
    assert!(face.pages.len() > 20);
}

#[test]
fn a_picture_is_small_enough_for_a_messenger() {
    for (sample, issued) in RECEIPTS.iter() {
        let pictures = png(&face(&issued.receipt, true), &ALL_FONTS).unwrap();
        for picture in pictures {
            assert!(picture.len() <= 200_000, "{sample}: {} bytes", picture.len());
        }
    }
}

/// Somebody could hand in every character there is: nothing grows without end or breaks, and who asks is told.
#[test]
fn a_receipt_of_too_many_characters_is_refused_and_one_at_the_limit_is_drawn() {
    let mut receipt = RECEIPTS[1].1.receipt.clone();
    let mut with = |count: u32| {
        // Scattered over the planes, so that no range of a table holds two of them.
        let characters = (0..count).filter_map(|index| char::from_u32(0x20000 + index * 8)).collect::<Vec<_>>();
        let line = |name: &[char]| AuxItem {
            related_item_code: receipt.draft.items[0].item_code.clone(),
            related_item_name: String::new(),
            item_code: "XA".to_owned(),
            item_name: name.iter().collect(),
            unit: String::new(),
            quantity: None,
            standard: None,
            amount: Yuan4::new(100),
            remark: String::new(),
        };
        let lines = characters.chunks(100).map(line).collect();
        receipt.draft.aux_items = lines;
        face(&receipt, true)
    };
    let facts = facts(&RECEIPTS[1].1.receipt);
    // With one line there are the headings of the table, too.
    let own = with(1).characters() - 1;
    let most = u32::try_from(CHARACTERS_MAX - own).unwrap();
    let at_limit = with(most);
    assert_eq!(at_limit.characters(), CHARACTERS_MAX);
    assert!(pdf(&at_limit, &ALL_FONTS, &facts, None).unwrap().len() < 4_000_000);
    assert!(ofd(&at_limit, &ALL_FONTS, &facts, b"", None).unwrap().len() < 4_000_000);
    let beyond = with(most + 1);
    assert!(matches!(pdf(&beyond, &ALL_FONTS, &facts, None), Err(PdfError::Characters(5_001))));
    assert!(matches!(ofd(&beyond, &ALL_FONTS, &facts, b"", None), Err(OfdError::Characters(5_001))));
    assert_eq!(png_page(&beyond, 0, &ALL_FONTS).unwrap()[1..4], *b"PNG");
}

/// Few characters make many shapes: each letter with each mark is one.
#[test]
fn letters_with_marks_are_counted_as_the_shapes_that_they_make() {
    let mut receipt = RECEIPTS[1].1.receipt.clone();
    let marks = || (0x300..0x330).filter_map(char::from_u32);
    let item = receipt.draft.items[0].clone();
    let line = |letter: char| AuxItem {
        related_item_code: item.item_code.clone(),
        related_item_name: String::new(),
        item_code: "XA".to_owned(),
        item_name: marks().flat_map(|mark| [letter, mark]).collect(),
        unit: String::new(),
        quantity: None,
        standard: None,
        amount: Yuan4::new(100),
        remark: String::new(),
    };
    receipt.draft.aux_items = ('a'..='z').chain('A'..='Z').chain('α'..='ω').map(line).collect();
    let facts = facts(&RECEIPTS[1].1.receipt);
    let face = face(&receipt, true);
    assert!(face.characters() > CHARACTERS_MAX, "{}", face.characters());
    assert!(matches!(pdf(&face, &ALL_FONTS, &facts, None), Err(PdfError::Characters(_))));
    assert!(matches!(ofd(&face, &ALL_FONTS, &facts, b"", None), Err(OfdError::Characters(_))));
}
