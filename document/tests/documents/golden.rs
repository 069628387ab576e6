//! The same input gives the same bytes: against a file of hashes, and in another time zone, locale and home.

use std::fmt::Write as _;
use std::process::Command;

use expect_test::expect_file;
use receipt_core::hash::sha256;
use tallystick_document::{FaceOptions, Paper, ofd, pdf, png, slip, xml};

use crate::common::{ALL_FONTS, RECEIPTS, TEMPLATE, code, face, facts, fonts_are_known};

/// Where a run of this program is to write its hashes.
const HASHES_TO: &str = "TALLYSTICK_DOCUMENT_HASHES_TO";
/// Attached in place of a bundle, whose format may change.
const EVIDENCE: &[u8] = b"{\"format\":\"tallystick/bundle/v1\"}";

/// A line for each document of each sample.
fn hashes() -> String {
    let mut lines = String::new();
    let code = code();
    for (sample, issued) in RECEIPTS.iter() {
        let receipt = &issued.receipt;
        let face = face(receipt, *sample == "S01");
        let options = FaceOptions {
            utc_offset_minutes: 480,
            code: Some(&code),
            test_chain: false,
            with_evidence: true,
            ..FaceOptions::default()
        };
        let document = pdf(&face, &ALL_FONTS, &facts(receipt), Some(EVIDENCE)).unwrap();
        let data = xml(receipt, &TEMPLATE, 480, Some(EVIDENCE));
        let pictures = png(&face, &ALL_FONTS).unwrap().concat();
        for (kind, bytes) in [
            ("pdf", document),
            ("ofd", ofd(&face, &ALL_FONTS, &facts(receipt), &data, Some(EVIDENCE)).unwrap()),
            ("png", pictures),
            ("xml", data),
            ("slip58", slip(receipt, &TEMPLATE, &options, Paper::Mm58)),
            ("slip80", slip(receipt, &TEMPLATE, &options, Paper::Mm80)),
        ] {
            writeln!(lines, "{sample} {kind} {}", sha256(&[&bytes])).unwrap();
        }
    }
    lines
}

#[test]
fn documents_are_those_of_the_golden_file() {
    let hashes = hashes();
    if let Some(path) = std::env::var_os(HASHES_TO) {
        std::fs::write(path, &hashes).unwrap();
    }
    if fonts_are_known() {
        expect_file!["golden.txt"].assert_eq(&hashes);
    } else {
        // Pictures of other fonts are others; what no font draws must be the same.
        let golden = include_str!("golden.txt");
        let without_fonts = |text: &str| {
            text.lines()
                .filter(|line| !line.contains(" pdf ") && !line.contains(" png "))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(without_fonts(&hashes), without_fonts(golden));
    }
}

#[test]
fn another_time_zone_locale_and_home_change_no_byte() {
    let directory = scratch::Directory::new();
    let told = directory.path().join("hashes");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "golden::documents_are_those_of_the_golden_file", "--quiet"])
        .env(HASHES_TO, &told)
        .env("TZ", "America/Caracas")
        .env("LANG", "tr_TR.ISO-8859-9")
        .env("LC_ALL", "tr_TR.ISO-8859-9")
        .env("HOME", directory.path())
        .current_dir(directory.path())
        .status();
    let elsewhere = std::fs::read_to_string(&told).unwrap_or_default();
    assert_eq!(elsewhere, hashes(), "{status:?}");
}
