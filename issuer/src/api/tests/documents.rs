//! GetDocument of an issuer without fonts: XML and slips. With fonts, and over the wire: `tests/tests/documents.rs`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tallystick_proto::errors::Action;
use wire::DocumentFormat as F;

use super::*;

/// 测试样票 and 已冲红, as a printer gets them.
const SPECIMEN: &[u8] = &[0xb2, 0xe2, 0xca, 0xd4, 0xd1, 0xf9, 0xc6, 0xb1];
const REVERSED: &[u8] = &[0xd2, 0xd1, 0xb3, 0xe5, 0xba, 0xec];

async fn running_on_chain(chain: TestChain) -> Running {
    let ledger = FakeLedger::new(chain);
    let channel = ledger.serve().await;
    running_over(ledger, vec![("node".to_owned(), channel)])
}

async fn document(
    running: &Running,
    system: SystemId,
    key: wire::ReceiptKey,
    format: F,
) -> Result<wire::GetDocumentResponse, Refusal> {
    let selector = Some(wire::get_document_request::Selector::Key(key));
    let request = wire::GetDocumentRequest { selector, format: format.into(), ..wire::GetDocumentRequest::default() };
    running.context.get_document(system, None, request).await.map(|(document, _)| document)
}

fn has(document: &wire::GetDocumentResponse, bytes: &[u8]) -> bool {
    document.document.windows(bytes.len()).any(|window| window == bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_carries_the_proof_and_says_the_state() {
    let running = running().await;
    let original = running.sealed("S01", "A").await;
    let xml = document(&running, SYSTEM, key_of(&original), F::Xml).await.unwrap();
    assert_eq!((xml.media_type.as_str(), xml.standing()), ("application/xml", wire::Standing::InForce));
    assert_eq!(xml.file_name, format!("{}-{}.xml", original.receipt_code, original.receipt_number));
    let text = std::str::from_utf8(&xml.document).unwrap();
    let (_, rest) = text.split_once("<TallystickBundle>").unwrap();
    let bundle = BASE64_STANDARD.decode(rest.split_once('<').unwrap().0).unwrap();
    assert!(matches!(running.conclusion(&bundle), Conclusion::InForce { as_of } if as_of.get() == xml.as_of_seconds));
    let slip = document(&running, SYSTEM, key_of(&original), F::Slip).await.unwrap();
    assert!(slip.document.starts_with(&[0x1b, b'@']) && !has(&slip, REVERSED));

    let unit = running.draft("S01", "-").unit_code;
    let red = running.context.reverse(SYSTEM, running.reversal(&unit, &original, "R")).await.unwrap();
    let slip = document(&running, SYSTEM, key_of(&original), F::Slip).await.unwrap();
    assert!(has(&slip, REVERSED), "a reversed receipt is not printed as in force");
    assert_eq!((slip.standing(), slip.reversed_by), (wire::Standing::Reversed, Some(key_of(&red))));
    let of_red = document(&running, SYSTEM, key_of(&red), F::Slip).await.unwrap();
    assert!(!has(&of_red, REVERSED));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_genesis_says_whether_every_document_is_a_specimen() {
    for (chain, is_specimen) in [(TestChain::new(), false), (TestChain::of_specimens("specimens"), true)] {
        assert_eq!(chain.genesis().is_test, is_specimen);
        let running = running_on_chain(chain).await;
        let sealed = running.sealed("S01", "A").await;
        let slip = document(&running, SYSTEM, key_of(&sealed), F::Slip).await.unwrap();
        assert_eq!(has(&slip, SPECIMEN), is_specimen);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_have_the_bundle_may_not_have_the_document() {
    let running = running().await;
    let sealed = running.sealed("S01", "A").await;
    let refusal = document(&running, STRANGER, key_of(&sealed), F::Xml).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "NOT_FOUND_OR_MISMATCH");
    let nowhere = wire::ReceiptKey { receipt_number: "0999999999".to_owned(), ..key_of(&sealed) };
    assert_eq!(document(&running, SYSTEM, nowhere, F::Xml).await.unwrap_err(), refusal, "the same answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_not_set_up_says_what_to_configure() {
    let mut running = running().await;
    let sealed = running.sealed("S01", "A").await;
    for (format, missing) in
        [(F::Pdf, "`documents.fonts`"), (F::Ofd, "`documents.fonts`"), (F::Png, "`documents.fonts`")]
    {
        let refusal = document(&running, SYSTEM, key_of(&sealed), format).await.unwrap_err();
        assert_eq!((refusal.reason.as_str(), refusal.advice.action), ("NO_DOCUMENT", Action::Operator));
        assert!(refusal.message.contains(missing), "{refusal}");
        assert_eq!(Status::from(refusal).code(), tonic::Code::FailedPrecondition);
    }
    Arc::get_mut(&mut running.context).unwrap().documents = None;
    let refusal = document(&running, SYSTEM, key_of(&sealed), F::Slip).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "NO_DOCUMENT");
    assert!(refusal.message.contains("`[documents]`"), "{refusal}");
    assert!(matches!(running.bundle(&sealed).await.unwrap(), Conclusion::InForce { .. }));
}
