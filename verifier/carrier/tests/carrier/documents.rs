//! PDF and OFD as an issuer hands them out, whole and broken in a thousand ways.

use std::fs;

use receipt_core::hash::{Hash, sha256};
use receipt_core::suite::ChainId;
use receipt_core::testkit::TestChain;
use receipt_core::verdict::verify_bundle;
use tallystick_document::{Face, FaceOptions, Facts, FontSource, Fonts, Template, ofd, pdf, xml};
use tallystick_page_carrier::{Why, attached, find};

const FONT: &str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc";
/// Changed files of each kind.
const MUTANTS: u64 = 1_000;

/// A receipt's bundle, PDF and OFD, and the chain that it is of.
fn documents() -> (TestChain, Vec<u8>, [Vec<u8>; 2]) {
    let mut chain = TestChain::new();
    let issued = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&issued));
    let bundle = chain.bundle(&issued).encode();
    let template = Template::standard().unwrap();
    let bytes = fs::read(FONT).unwrap_or_else(|error| panic!("{FONT}: {error}; `make document-tools` installs it"));
    let font = FontSource { name: FONT.to_owned(), sha256: sha256(&[&bytes]), bytes, index: 7 };
    let fonts = Fonts::new(vec![font], &template).unwrap();
    let options =
        FaceOptions { utc_offset_minutes: 480, test_chain: true, with_evidence: true, ..FaceOptions::default() };
    let face = Face::of(&issued.receipt, &template, &options);
    let facts = Facts::of(&issued.receipt, ChainId(Hash([7; 32])), 480);
    let portable = pdf(&face, &fonts, &facts, Some(&bundle)).unwrap();
    let data = xml(&issued.receipt, &template, 480, None);
    let fixed = ofd(&face, &fonts, &facts, &data, Some(&bundle)).unwrap();
    (chain, bundle, [portable, fixed])
}

#[test]
fn the_bundle_of_a_document_is_found_and_good() {
    let (chain, bundle, documents) = documents();
    for (document, kind) in documents.iter().zip(["pdf", "ofd"]) {
        let answer = attached(document);
        let line = answer.iter().position(|byte| *byte == b'\n').unwrap();
        assert_eq!(answer[..line], *format!("{{\"kind\":\"{kind}\",\"why\":null}}").as_bytes());
        assert_eq!(answer[line + 1..], bundle);
        assert!(verify_bundle(&answer[line + 1..], chain.trust(), chain.now()).is_in_force());
        // The end is where the addresses are.
        let (_, cut) = find(&document[..document.len() - 100]);
        assert!(matches!(cut, Err(Why::Damaged)) || cut.as_ref() == Ok(&bundle), "{kind}: {cut:?}");
    }
    assert_eq!(attached(b"GIF89a"), b"{\"kind\":\"other\",\"why\":\"OTHER\"}\n");
    assert_eq!(attached(b""), b"{\"kind\":\"other\",\"why\":\"OTHER\"}\n");
}

#[test]
fn a_damaged_document_gives_its_bundle_or_a_reason() {
    let (_, bundle, documents) = documents();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    for document in documents {
        let (mut whole, mut other) = (0, 0);
        for mutant in 0..MUTANTS {
            let mut bytes = document.clone();
            match mutant % 4 {
                0 => bytes.truncate(next(document.len())),
                1 => {
                    let (from, length) = (next(document.len()), next(200));
                    bytes.drain(from..(from + length).min(document.len()));
                }
                // The end, where most of what is read stands.
                2 => {
                    let at = document.len() - 1 - next(2000.min(document.len()));
                    bytes[at] = next(256) as u8;
                }
                _ => {
                    for _ in 0..20 {
                        let at = next(document.len());
                        bytes[at] = next(256) as u8;
                    }
                }
            }
            match find(&bytes).1 {
                Ok(found) if found == bundle => whole += 1,
                // A PDF has a checksum over what is packed, an archive is read without: what is judged is the bundle.
                Ok(_) | Err(_) => other += 1,
            }
        }
        println!("{MUTANTS} changed documents: {whole} with the bundle, {other} not");
        assert!(whole > MUTANTS / 20 && other > MUTANTS / 20, "{whole} {other}");
    }
}
