//! Every name prints: a document, whatever characters it has; and what is wrong with a font is said in a sentence.

use std::path::Path;

use receipt_core::hash::Hash;
use tallystick_document::{FontError, Fonts, pdf, png};

use crate::common::{ALL_FONTS, TEMPLATE, face, facts, receipt, sources};
use crate::foreign::Foreign;

/// Names, and what of them no font has.
const NAMES: [(&str, &str); 11] = [
    ("林某某", ""),
    ("𠮷野", ""),
    // This one of extension B only the second font has.
    ("李𪚥", ""),
    // Of extension G the first font has some, and of H only the third.
    ("陈𰻞", ""),
    ("陈\u{31350}", ""),
    // This is a compatibility ideograph, as GBK has it.
    ("郎\u{f92c}", ""),
    // A variation selector chooses a form.
    ("葛\u{e0100}某", ""),
    ("阿卜杜拉·买买提", ""),
    ("José Nguyễn", ""),
    // No font has what is not assigned or for private use.
    ("何\u{323b0}某", "0323B0"),
    ("某\u{e816}", "E816"),
];

#[test]
fn every_name_prints() {
    let foreign = Foreign::install();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("document-pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let mut receipt = receipt("S01");
    for (index, (name, missing)) in NAMES.iter().enumerate() {
        receipt.draft.payer_name = (*name).to_owned();
        let face = face(&receipt, false);
        let document = pdf(&face, &ALL_FONTS, &facts(&receipt), None).unwrap();
        let path = pictures.join(format!("name-{index}.pdf"));
        std::fs::write(&path, document).unwrap();
        // A foreign reader copies the name, also where a box stands for a character.
        let text = foreign.text_of(&path);
        assert!(text.contains(&format!("交款人：{name}")), "{name}: {text}");
        // The digits in the box are for eyes only.
        assert!(missing.is_empty() || !text.contains(missing), "{name}: {text}");
        std::fs::write(pictures.join(format!("name-{index}-own.png")), &png(&face, &ALL_FONTS).unwrap()[0]).unwrap();
    }
}

/// With the first font alone there are more boxes, and a document all the same.
#[test]
fn a_name_prints_without_fallback_fonts() {
    let alone = Fonts::new(sources().into_iter().take(1).collect(), &TEMPLATE).unwrap();
    let mut receipt = receipt("S01");
    for (name, _) in NAMES {
        receipt.draft.payer_name = name.to_owned();
        let face = face(&receipt, false);
        pdf(&face, &alone, &facts(&receipt), None).unwrap();
        assert_eq!(png(&face, &alone).unwrap().len(), face.pages.len());
    }
}

#[test]
fn fonts_that_are_not_those_configured_are_refused_with_a_sentence() {
    let said = |sources| Fonts::new(sources, &TEMPLATE).unwrap_err();
    assert_eq!(said(Vec::new()), FontError::None);

    let mut other = sources();
    other[1].sha256 = Hash([0; 32]);
    let error = said(other).to_string();
    assert!(
        error.contains("HanaMinB") && error.contains("SHA-256") && error.contains("install the version"),
        "{error}"
    );

    let mut out_of_range = sources();
    out_of_range[0].index = 99;
    let error = said(out_of_range).to_string();
    assert!(error.contains("index 99"), "{error}");

    let mut no_font = sources();
    no_font[0].bytes = b"no font".to_vec();
    no_font[0].sha256 = receipt_core::hash::sha256(&[b"no font"]);
    assert!(matches!(said(no_font), FontError::NoFont { .. }));

    // HanaMinB has rare characters and no others.
    let mut wrong_order = sources();
    wrong_order.swap(0, 1);
    let error = said(wrong_order).to_string();
    assert!(error.contains("put a Chinese font first"), "{error}");
}
