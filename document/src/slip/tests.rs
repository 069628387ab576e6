use receipt_core::receipt::model::Receipt;
use receipt_core::testkit::TestChain;

use super::*;
use crate::state::State;

fn receipt(sample: &str) -> Receipt {
    TestChain::new().issue(sample).receipt
}

fn printed_text(receipt: &Receipt, options: &FaceOptions<'_>, paper: Paper) -> Vec<String> {
    let bytes = slip(receipt, &Template::standard().unwrap(), options, paper);
    let mut text = Vec::new();
    let mut at = 0;
    // These are the commands that a slip uses, with their lengths.
    while at < bytes.len() {
        let command = match bytes[at..] {
            [0x1b, b'@', ..] | [0x1c, b'&', ..] => 2,
            [0x1b, b'a' | b'E', _, ..] => 3,
            [0x1d, b'V', 66, _, ..] => 4,
            [0x1d, b'v', b'0', 0, x_low, x_high, y_low, y_high, ..] => {
                let side = |low: u8, high: u8| usize::from(low) + 256 * usize::from(high);
                8 + side(x_low, x_high) * side(y_low, y_high)
            }
            _ => 0,
        };
        if command > 0 {
            at += command;
        } else {
            text.push(bytes[at]);
            at += 1;
        }
    }
    let (text, _, malformed) = GB18030.decode(&text);
    assert!(!malformed);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_slip_says_what_must_be_compared_and_no_line_is_too_long() {
    for sample in ["S01", "S02", "S04", "S05", "S06", "S07", "S08", "S09", "S10", "S15", "S16", "S17"] {
        let receipt = receipt(sample);
        for paper in [Paper::Mm58, Paper::Mm80] {
            let lines = printed_text(&receipt, &FaceOptions::default(), paper);
            for line in &lines {
                assert!(printed_cells(line) <= paper.cells(), "{sample} {paper:?}: {line}");
            }
            let all = lines.concat();
            let key = receipt.key();
            for value in [
                key.code.to_string(),
                key.number.to_string(),
                receipt.issued.check_code.to_string(),
                receipt.issued.unit_name.clone(),
                receipt.draft.payer_name.clone(),
                receipt.draft.total_amount.to_string(),
                receipt.draft.issue_date.to_string(),
                "不带印章".to_owned(),
            ] {
                assert!(all.contains(&value), "{sample} {paper:?}: {value} in {lines:?}");
            }
            assert!(!all.contains("测试样票"));
        }
    }
}

#[test]
fn a_rare_character_has_its_code_point_below() {
    let mut receipt = receipt("S01");
    for (name, expected) in [("林某某", None), ("𠮷野", Some("（𠮷=U+20BB7）")), ("\u{323b0}", Some("=U+323B0）"))]
    {
        receipt.draft.payer_name = name.to_owned();
        let lines = printed_text(&receipt, &FaceOptions::default(), Paper::Mm58);
        let at = lines.iter().position(|line| line.contains(&format!("交款人：{name}"))).unwrap();
        match expected {
            None => assert!(!lines[at + 1].contains("U+")),
            Some(expected) => assert!(lines[at + 1].contains(expected), "{}", lines[at + 1]),
        }
    }
}

/// Bytes of a receipt must not become commands: V27 refuses control characters, and a slip does without them all the same.
#[test]
fn a_text_is_never_a_command() {
    let mut receipt = receipt("S01");
    receipt.draft.payer_name = "林\u{1b}@\u{1d}V\u{0}某\u{85}\n某".to_owned();
    let lines = printed_text(&receipt, &FaceOptions::default(), Paper::Mm80);
    assert!(lines.iter().any(|line| line.contains("交款人：林@V某某")), "{lines:?}");
}

#[test]
fn the_code_is_a_raster_of_whole_dots() {
    let receipt = receipt("S01");
    let code = Code::of_modules(21, 4, 375, "TALLY.EXAMPLE", |x, y| x == 0 && y == 0);
    let options = FaceOptions { code: Some(&code), test_chain: true, ..FaceOptions::default() };
    let bytes = slip(&receipt, &Template::standard().unwrap(), &options, Paper::Mm58);
    let at = bytes.windows(4).position(|window| window == [0x1d, b'v', b'0', 0]).unwrap();
    let side = 29 * 3;
    assert_eq!(bytes[at + 4..at + 8], [11, 0, side, 0]);
    let bits = &bytes[at + 8..at + 8 + 11 * usize::from(side)];
    let dark: Vec<(usize, usize)> = (0..usize::from(side))
        .flat_map(|y| (0..usize::from(side)).map(move |x| (x, y)))
        .filter(|(x, y)| bits[y * 11 + x / 8] & (0x80 >> (x % 8)) != 0)
        .collect();
    let expected: Vec<(usize, usize)> = (12..15).flat_map(|y| (12..15).map(move |x| (x, y))).collect();
    assert_eq!(dark, expected);
    let lines = printed_text(&receipt, &options, Paper::Mm58);
    assert_eq!(lines.iter().filter(|line| line.contains("*** 测试样票 ***")).count(), 2);
    assert!(lines.iter().any(|line| line.contains("TALLY.EXAMPLE")));
}

#[test]
fn a_slip_says_what_the_ledger_says() {
    let receipt = receipt("S01");
    let by = receipt.key();
    let state = |reversed_by| State {
        sentence: "甲乙丙。".to_owned(),
        as_of: receipt_core::note::PosixSeconds::new(1_793_578_897),
        reversed_by,
    };
    let own_lines = ["电话 000-1111".to_owned()];
    let of = |state| {
        let options = FaceOptions { utc_offset_minutes: 480, state, own_lines: &own_lines, ..FaceOptions::default() };
        printed_text(&receipt, &options, Paper::Mm58)
    };
    let (in_force, reversed) = (state(None), state(Some(by)));
    for state in [&in_force, &reversed] {
        assert!(of(Some(state)).concat().contains("截至 2026-11-02 08:21:37：甲乙丙。"), "{:?}", of(Some(state)));
    }
    let stamped = |lines: &[String]| lines.iter().filter(|line| *line == "*** 已冲红 ***").count();
    assert_eq!((stamped(&of(Some(&in_force))), stamped(&of(Some(&reversed)))), (0, 2));
    assert!(of(None).concat().contains("（不在签名之内）：电话 000-1111"));
}
