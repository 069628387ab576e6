//! Every spelling of a code but one is refused, and nothing near a receipt's code is another receipt.

use super::*;
use crate::record::SignedRecord;
use crate::suite::Signer as _;
use crate::testkit::{TestChain, TestReceipt, unit_key};

fn host(text: &str) -> Host {
    Host::new(text).unwrap()
}

/// A receipt of every sample; S13 is the red one.
fn receipts(chain: &mut TestChain) -> Vec<TestReceipt> {
    let original = chain.issue("S01");
    let mut receipts = vec![original.clone()];
    for id in (2..=17).map(|number| format!("S{number:02}")) {
        receipts.push(if id == "S13" {
            chain.reverse(&original)
        } else {
            let draft = chain.draft_after(&id, Some(&original.receipt));
            chain.issue_draft(draft, Vec::new())
        });
    }
    receipts
}

#[test]
fn a_code_gives_back_the_record_byte_by_byte() {
    let mut chain = TestChain::new();
    let own = [host("old.example"), host("tally.example:8443")];
    for receipt in receipts(&mut chain) {
        for host in &own {
            let text = text(host, &receipt.record);
            assert!(text.starts_with(&format!("HTTPS://{host}/V#")));
            assert_eq!(read(&text, &own), Ok(receipt.record.clone()));
            assert!(matches!(read(&text, &[]), Err(CodeError::Elsewhere { .. })));
        }
        assert_eq!(read_digits(&digits(&receipt.record)), Ok(receipt.record.clone()));
    }
}

#[test]
fn groups_have_as_many_digits_as_their_largest_value() {
    let cases: &[(&[u8], &str)] = &[
        (&[0], "000"),
        (&[255], "255"),
        (&[1, 0], "00256"),
        (&[255; 3], "16777215"),
        (&[255; 4], "4294967295"),
        (&[255; 5], "1099511627775"),
        (&[255; 6], "281474976710655"),
        (&[255; 7], "72057594037927935"),
        (&[0; 7], "00000000000000000"),
        (&[0, 0, 0, 0, 0, 0, 1, 2], "00000000000000001002"),
    ];
    for (bytes, text) in cases {
        assert_eq!(digits(bytes), *text);
        assert_eq!(read_digits(text).as_deref(), Ok(*bytes));
    }
    assert_eq!(digits(&[]), "");
    assert_eq!(digits(&[7; limits::RECORD_BYTES_MAX]).len(), DIGITS_MAX);
    assert!(read_digits(&digits(&[7; limits::RECORD_BYTES_MAX])).is_ok());
}

#[test]
fn texts_that_are_no_code_are_refused_by_reason() {
    let own = [host("TALLY.EXAMPLE")];
    let long = "7".repeat(limits::CODE_BYTES_MAX + 1);
    let full = format!("HTTPS://TALLY.EXAMPLE/V#{}", &long[..limits::CODE_BYTES_MAX - 24]);
    for (scanned, code) in [
        ("", "NO_CODE"),
        ("00000000000000001002", "NO_CODE"),
        ("/V#000", "NO_CODE"),
        ("财政电子票据", "NO_CODE"),
        (" HTTPS://TALLY.EXAMPLE/V#000", "NO_CODE"),
        ("\u{feff}HTTPS://TALLY.EXAMPLE/V#000", "NO_CODE"),
        (long.as_str(), "TOO_LONG"),
        (full.as_str(), "TOO_MANY_DIGITS"),
        ("https://evil.example/V#000", "ELSEWHERE"),
        ("HTTPS://TALLY.EXAMPLE.EVIL.CN/V#000", "ELSEWHERE"),
        ("HTTPS://TALLY.EXAMPLE@EVIL.CN/V#000", "ELSEWHERE"),
        ("HTTPS://TALLY.EXAMPLE:8443/V#000", "ELSEWHERE"),
        ("HTTP://TALLY.EXAMPLE/V#000", "ELSEWHERE"),
        ("HTTPS://TALLY.EXAMPLE/V/#000", "ELSEWHERE"),
        ("HTTPS://TALLY.EXAMPLE/V?A#000", "ELSEWHERE"),
        ("HTTPS://TALLY.EXAMPLE", "ELSEWHERE"),
        ("HTTPS:\\\\TALLY.EXAMPLE\\V#000", "ELSEWHERE"),
        ("weixin://dl/business", "ELSEWHERE"),
        ("javascript:alert(1)", "ELSEWHERE"),
        ("tel:110", "ELSEWHERE"),
        ("https://tally.example/V#000", "MISSPELT"),
        ("HTTPS://TALLY.EXAMPLE/v#000", "MISSPELT"),
        ("https://tally.example/v", "MISSPELT"),
        ("HTTPS://TALLY.EXAMPLE/V", "ADDRESS_ALONE"),
        ("HTTPS://TALLY.EXAMPLE/V#", "NO_DIGITS"),
        ("HTTPS://TALLY.EXAMPLE/V#00x", "NOT_A_DIGIT"),
        ("HTTPS://TALLY.EXAMPLE/V#000\n", "NOT_A_DIGIT"),
        ("HTTPS://TALLY.EXAMPLE/V# 000", "NOT_A_DIGIT"),
        ("HTTPS://TALLY.EXAMPLE/V#-01", "NOT_A_DIGIT"),
        ("HTTPS://TALLY.EXAMPLE/V#０００", "NOT_A_DIGIT"),
        ("HTTPS://TALLY.EXAMPLE/V#0٣0", "NOT_A_DIGIT"),
        ("HTTPS://TALLY.EXAMPLE/V#%30%30%30", "NOT_A_DIGIT"),
        ("HTTPS://TALLY.EXAMPLE/V#0", "DIGIT_COUNT"),
        ("HTTPS://TALLY.EXAMPLE/V#0000", "DIGIT_COUNT"),
        ("HTTPS://TALLY.EXAMPLE/V#000000000000000000", "DIGIT_COUNT"),
        ("HTTPS://TALLY.EXAMPLE/V#999999999999999999", "DIGIT_COUNT"),
        ("HTTPS://TALLY.EXAMPLE/V#256", "GROUP_TOO_LARGE"),
        ("HTTPS://TALLY.EXAMPLE/V#999", "GROUP_TOO_LARGE"),
        ("HTTPS://TALLY.EXAMPLE/V#72057594037927936", "GROUP_TOO_LARGE"),
        ("HTTPS://TALLY.EXAMPLE/V#99999999999999999", "GROUP_TOO_LARGE"),
        ("HTTPS://TALLY.EXAMPLE/V#00000000000000000256", "GROUP_TOO_LARGE"),
    ] {
        let error = read(scanned, &own).unwrap_err();
        assert_eq!(error.code(), code, "{scanned:.60}: {error}");
        assert!(error.in_chinese().contains(|c| c > '\u{4e00}'), "{scanned:.60}");
        // They stand in a sentence, behind its colon.
        assert!(!error.in_chinese().contains('：') && !error.to_string().contains(": "), "{scanned:.60}");
    }
    let group = read("HTTPS://TALLY.EXAMPLE/V#00000000000000000256", &own).unwrap_err();
    assert_eq!(group, CodeError::GroupTooLarge { first: 18, last: 20 });
    let odd = read_digits("00x").unwrap_err();
    assert_eq!(odd, CodeError::NotADigit { position: 3, found: 'x' });
}

#[test]
fn a_foreign_address_is_shown_and_acts_on_nothing() {
    for (scanned, expected) in [
        // Of an address its host, which says whose it is; what stands around it is made to look like another's.
        ("HTTPS://EVIL.EXAMPLE/\u{202e}\nA", "HTTPS://EVIL.EXAMPLE"),
        ("https://evil.example?https://tally.example/V", "https://evil.example"),
        ("https://evil.example#/", "https://evil.example"),
        ("https://evil.example\\@TALLY.EXAMPLE/V", "https://evil.example"),
        ("HTTPS://TALLY.EXAMPLE@a@EVIL.EXAMPLE:8443/@/V#000", "HTTPS://EVIL.EXAMPLE:8443"),
        ("https://例.example\u{202e}/", "https://%E4%BE%8B.example%E2%80%AE"),
        ("weixin://dl/business", "weixin://dl"),
        ("HTTPS:TALLY.EXAMPLE/V", "HTTPS:TALLY.EXAMPLE/V"),
        ("tel:110 ok", "tel:110%20ok"),
        ("x:%41-._~:/?#[]@!$&'()*+,;=", "x:%41-._~:/?#[]@!$&'()*+,;="),
        ("x:\"<>\\^`{|}\u{7f}", "x:%22%3C%3E%5C%5E%60%7B%7C%7D%7F"),
    ] {
        let Err(CodeError::Elsewhere { address }) = read(scanned, &[]) else { panic!("it leads elsewhere") };
        assert_eq!(address, expected);
    }
    for (scanned, length) in [(format!("x:{}", "A".repeat(500)), 100), (format!("x:{}", "票".repeat(500)), 98)] {
        let Err(CodeError::Elsewhere { address }) = read(&scanned, &[]) else { panic!("it leads elsewhere") };
        assert_eq!(address.len(), length, "{address}");
    }
    // Whose a host is stands at its end.
    let long = format!("https://tally.example.{}.evil.example/V", "a".repeat(300));
    let Err(CodeError::Elsewhere { address }) = read(&long, &[]) else { panic!("it leads elsewhere") };
    assert!(address.starts_with("…aaa") && address.ends_with("a.evil.example"), "{address}");
    assert_eq!(address.chars().count(), 101, "{address}");
    // One of this page's own that goes on in another way.
    for scanned in ["HTTPS://TALLY.EXAMPLE/V?A#000", "https://tally.example/W"] {
        let Err(CodeError::Elsewhere { address }) = read(scanned, &[host("TALLY.EXAMPLE")]) else {
            panic!("{scanned}")
        };
        assert_eq!(address, scanned);
    }
}

#[test]
fn what_is_no_digit_is_quoted_and_acts_on_nothing() {
    for (digits, shown) in [("0<", "“<”"), ("0票", "“票”"), ("0\u{202e}", "“\\u{202e}”"), ("0\n", "“\\n”")]
    {
        let error = read_digits(digits).unwrap_err();
        for said in [error.in_chinese(), error.to_string()] {
            assert!(said.contains(shown), "{said}");
        }
    }
}

#[test]
fn who_makes_a_code_does_not_speak_in_our_voice() {
    let error = read("OK:）没有问题。本票据真实，已上链，有效。（", &[]).unwrap_err();
    assert_eq!(error.code(), "ELSEWHERE");
    for said in [error.in_chinese(), error.to_string()] {
        assert!(said.contains("OK:%EF%BC%89%E6"), "{said}");
        assert!(!["没有问题", "真实", "有效"].iter().any(|word| said.contains(word)), "{said}");
    }
}

#[test]
fn hosts_are_read_in_any_case_and_nothing_else_is_a_host() {
    for (text, read) in [
        ("tally.czt.gov.cn", Ok("TALLY.CZT.GOV.CN")),
        ("Tally.Example:8443", Ok("TALLY.EXAMPLE:8443")),
        ("127.0.0.1:1", Ok("127.0.0.1:1")),
        ("xn--fiq.example", Ok("XN--FIQ.EXAMPLE")),
        ("localhost:65535", Ok("LOCALHOST:65535")),
        ("", Err(HostError::Length)),
        ("https://tally.example", Err(HostError::Character('/'))),
        ("tally.example/V", Err(HostError::Character('/'))),
        ("tally example", Err(HostError::Character(' '))),
        ("票据.example", Err(HostError::Character('票'))),
        ("[::1]", Err(HostError::Character('['))),
        ("a_b.example", Err(HostError::Character('_'))),
        ("user@tally.example", Err(HostError::Character('@'))),
        (".example", Err(HostError::Label)),
        ("tally.example.", Err(HostError::Label)),
        ("a..b", Err(HostError::Label)),
        ("-a.b", Err(HostError::Label)),
        ("a-.b", Err(HostError::Label)),
        (":8443", Err(HostError::Label)),
        ("a:", Err(HostError::Port)),
        ("a:0", Err(HostError::Port)),
        ("a:080", Err(HostError::Port)),
        ("a:443", Err(HostError::Port)),
        ("a:65536", Err(HostError::Port)),
        ("a:80:80", Err(HostError::Port)),
        ("a:b", Err(HostError::Port)),
    ] {
        assert_eq!(Host::new(text).as_ref().map(Host::as_str), read.as_ref().copied(), "{text:?}");
    }
    let label = "a".repeat(63);
    assert!(Host::new(&label).is_ok());
    assert_eq!(Host::new(&format!("{label}a")), Err(HostError::Label));
    assert_eq!(Host::new(&format!("{label}.a")), Err(HostError::Length));
}

/// Whether a text is the code of a receipt that the unit it names has signed.
fn is_a_receipt(chain: &TestChain, host: &Host, scanned: &str) -> bool {
    let Ok(bytes) = read(scanned, std::slice::from_ref(host)) else { return false };
    let Ok(signed) = SignedRecord::decode(&bytes) else { return false };
    signed.verify(chain.genesis().chain_id(), &unit_key(signed.record.unit.get()).public_key())
}

/// KSeF took links whose last character had been changed: several spellings were one document there. Here none is another receipt,
/// and none is the same one.
#[test]
fn a_change_of_one_character_is_never_a_receipt() {
    let mut chain = TestChain::new();
    let host = host("TALLY.EXAMPLE");
    // One of each length, because groups end elsewhere then.
    let mut receipts = receipts(&mut chain);
    receipts.sort_by_key(|receipt| receipt.record.len());
    receipts.dedup_by_key(|receipt| receipt.record.len());
    let mut refused: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for receipt in &receipts {
        let text = text(&host, &receipt.record);
        assert!(is_a_receipt(&chain, &host, &text));
        let prefix = address(&host).len() + 1;
        for at in prefix..text.len() {
            // Every other digit, without the digit, and with a zero before it.
            let others = ('0'..='9').filter(|digit| !text[at..].starts_with(*digit)).map(String::from);
            for other in others.chain([String::new(), format!("0{}", &text[at..=at])]) {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                // Zeros in a row: the text is the same.
                if changed == text {
                    continue;
                }
                let reason = match read(&changed, std::slice::from_ref(&host)) {
                    Err(error) => error.code(),
                    Ok(bytes) if SignedRecord::decode(&bytes).is_err() => "RECORD_FORM",
                    Ok(_) => "RECORD_SIGNATURE",
                };
                *refused.entry(reason).or_default() += 1;
                // A signature takes long to verify: all of one receipt's, and of the others those that a group's end is near.
                let group = (at - prefix) % GROUP_DIGITS;
                if std::ptr::eq(receipt, &receipts[0]) || group == 0 || group == GROUP_DIGITS - 1 {
                    assert!(!is_a_receipt(&chain, &host, &changed), "{changed}");
                }
            }
        }
    }
    for reason in ["DIGIT_COUNT", "GROUP_TOO_LARGE", "RECORD_FORM", "RECORD_SIGNATURE"] {
        assert!(refused.get(reason).is_some_and(|count| *count > 100), "{refused:?}");
    }
}

proptest::proptest! {
    #[test]
    fn bytes_come_back(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 1..=limits::RECORD_BYTES_MAX)) {
        proptest::prop_assert_eq!(read_digits(&digits(&bytes)), Ok(bytes));
    }

    #[test]
    fn what_is_read_is_the_only_spelling(text in "[0-9]{0,60}|[0-6][0-9]{16}[0-2][0-9]{2}|[0-9 .a٣]{0,20}") {
        if let Ok(bytes) = read_digits(&text) {
            proptest::prop_assert_eq!(digits(&bytes), text);
        }
    }

    #[test]
    fn junk_never_panics(text in "(HTTPS://A\\.B/V|https://a\\.b/v|[A-Za-z]{0,6}:|\\PC{0,4})(#)?\\PC{0,40}") {
        let own = [host("a.b")];
        if let Ok(bytes) = read(&text, &own) {
            proptest::prop_assert_eq!(super::text(&own[0], &bytes), text);
        }
    }
}
