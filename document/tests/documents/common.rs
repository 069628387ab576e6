//! Fonts, receipts and a code for the tests of documents.

use std::fs;
use std::sync::{LazyLock, Mutex};

use receipt_core::code::Host;
use receipt_core::hash::{Hash, sha256};
use receipt_core::receipt::model::Receipt;
use receipt_core::suite::ChainId;
use receipt_core::testkit::{TestChain, TestReceipt};
use tallystick_document::{Code, Face, FaceOptions, Facts, FontSource, Fonts, Template};

/// Debian's fonts in the order in which they are asked: file, font of the collection, and the hash in Debian 12.
pub(crate) const FONTS: [(&str, u32, &str); 3] = [
    (
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
        // This one is Noto Sans Mono CJK SC.
        7,
        "b76b0433203017ca80401b2ee0dd69350349871c4b19d504c34dbdd80541690a",
    ),
    (
        "/usr/share/fonts/truetype/hanazono/HanaMinB.ttf",
        0,
        "829543436cdf7b4c6730e2af5806fa406f8ddf0d4b656e0cd49c58d4db1c8d3c",
    ),
    (
        "/usr/share/fonts/truetype/babelstone/BabelStoneHan.ttf",
        0,
        "a2027ca3606907f6a628e9cd869605e3879beaaa38b37c7fec95b372130628c8",
    ),
];

/// Samples of all categories, one that comes from reversing another, and one that is what remains of it.
pub(crate) const SAMPLES: [&str; 17] = [
    "S01", "S02", "S03", "S04", "S05", "S06", "S07", "S08", "S09", "S10", "S11", "S12", "S13", "S14", "S15", "S16",
    "S17",
];

pub(crate) static TEMPLATE: LazyLock<Template> = LazyLock::new(|| Template::standard().unwrap());

/// The files of [`FONTS`] with the hashes that they have here.
pub(crate) fn sources() -> Vec<FontSource> {
    let source = |(path, index, _): &(&str, u32, &str)| {
        let bytes = fs::read(path);
        let bytes = bytes.unwrap_or_else(|error| panic!("{path}: {error}; `make document-tools` installs it"));
        FontSource { name: (*path).to_owned(), sha256: sha256(&[&bytes]), bytes, index: *index }
    };
    FONTS.iter().map(source).collect()
}

pub(crate) static ALL_FONTS: LazyLock<Fonts> = LazyLock::new(|| Fonts::new(sources(), &TEMPLATE).unwrap());

/// Whether the fonts are those of Debian 12: golden hashes are of documents that these draw.
pub(crate) fn fonts_are_known() -> bool {
    sources().iter().zip(FONTS).all(|(source, (_, _, known))| hex::encode(source.sha256.as_bytes()) == known)
}

/// A receipt of each sample.
pub(crate) static RECEIPTS: LazyLock<Vec<(&str, TestReceipt)>> = LazyLock::new(|| {
    let mut chain = TestChain::new();
    let mut receipts: Vec<(&str, TestReceipt)> = Vec::new();
    for sample in SAMPLES {
        let original = receipts.first().map(|(_, receipt)| receipt.clone());
        let receipt = match (sample, original) {
            ("S13", Some(original)) => chain.reverse(&original),
            ("S14", Some(original)) => {
                let draft = chain.draft_after("S14", Some(&original.receipt));
                chain.issue_draft(draft, Vec::new())
            }
            _ => chain.issue(sample),
        };
        receipts.push((sample, receipt));
    }
    receipts
});

pub(crate) fn receipt(sample: &str) -> Receipt {
    RECEIPTS.iter().find(|(name, _)| *name == sample).unwrap().1.receipt.clone()
}

/// The page of the codes.
pub(crate) fn host() -> Host {
    Host::new("TALLY.EXAMPLE").unwrap()
}

/// A code of bytes that stay the same, as many as a medical receipt's record has.
pub(crate) fn code() -> Code {
    let bytes: Vec<u8> = (0..182_u8).map(|index| index.wrapping_mul(151)).collect();
    Code::of_receipt(&host(), &bytes)
}

pub(crate) fn facts(receipt: &Receipt) -> Facts {
    Facts::of(receipt, ChainId(Hash([7; 32])), 480)
}

pub(crate) fn face(receipt: &Receipt, test_chain: bool) -> Face {
    face_with(receipt, &code(), test_chain)
}

pub(crate) fn face_with(receipt: &Receipt, code: &Code, test_chain: bool) -> Face {
    let options = FaceOptions {
        utc_offset_minutes: 480,
        code: Some(code),
        test_chain,
        with_evidence: true,
        ..FaceOptions::default()
    };
    Face::of(receipt, &TEMPLATE, &options)
}

/// Foreign programs are installed once, whichever test asks first.
pub(crate) static INSTALLING: Mutex<()> = Mutex::new(());
