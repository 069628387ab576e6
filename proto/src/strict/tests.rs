use super::*;
use crate::issuer::v1::{IssueManyRequest, IssueRequest, IssueResponse, ReverseRequest};
use crate::receipt::v1::{Extension, Item, MedicalExtension, ReceiptDraft, Related, related::Relation};

fn request() -> IssueRequest {
    let medical = MedicalExtension { gender: "女".to_owned(), own_pay_fen: 100, ..Default::default() };
    let draft = ReceiptDraft {
        receipt_code: "99060126".to_owned(),
        ext: Some(Extension { medical: Some(medical), ..Default::default() }),
        items: vec![Item { item_code: "0601".to_owned(), quantity_e4: Some(0), ..Default::default() }; 3],
        related: vec![Related { relation: Some(Relation::CoversPayCode("1".to_owned())) }],
        ..Default::default()
    };
    IssueRequest { draft: Some(draft), wait: 2, ..Default::default() }
}

/// A field with a length: number, content.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut bytes);
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

/// A request of a draft with further bytes in it.
fn with_in_draft(further: &[u8]) -> Bytes {
    let mut draft = request().draft.unwrap().encode_to_vec();
    draft.extend_from_slice(further);
    Bytes::from(field(1, &draft))
}

fn refused(bytes: Bytes) -> (String, String) {
    let refusal = decode_strict::<IssueRequest>(bytes).unwrap_err();
    assert_eq!(refusal.reason, CallReason::RequestInvalid.into());
    let violation = refusal.violations[0].clone();
    (violation.field, violation.description)
}

#[test]
fn what_the_schema_has_is_read() {
    let bytes = Bytes::from(request().encode_to_vec());
    assert_eq!(decode_strict::<IssueRequest>(bytes).unwrap(), request());
    assert_eq!(decode_strict::<IssueRequest>(Bytes::new()).unwrap(), IssueRequest::default());
    let many = IssueManyRequest { drafts: vec![request().draft.unwrap(); 2], ..Default::default() };
    assert_eq!(decode_strict::<IssueManyRequest>(Bytes::from(many.encode_to_vec())).unwrap(), many);
    // A writer may write what is default.
    let padded = with_in_draft(&[0x48, 0x00]);
    assert!(decode_strict::<IssueRequest>(padded).is_ok());
}

#[test]
fn an_unknown_field_is_refused_wherever_it_stands() {
    let unknown = field(99, "谁".as_bytes());
    let mut at_the_top = request().encode_to_vec();
    at_the_top.extend_from_slice(&unknown);
    assert_eq!(refused(Bytes::from(at_the_top)).0, "(field 99)");
    assert_eq!(refused(with_in_draft(&unknown)).0, "(field 99)");
    assert_eq!(refused(with_in_draft(&field(26, &unknown))).0, "items[3].(field 99)");
    // A varint field, a fixed one.
    assert_eq!(refused(with_in_draft(&[0xe0, 0x07, 0x01])).0, "(field 124)");
    assert_eq!(refused(with_in_draft(&[0xe5, 0x07, 1, 2, 3, 4])).0, "(field 124)");
    let draft = ReceiptDraft::default().encode_to_vec();
    let nested = [draft, field(25, &field(1, &unknown))].concat();
    assert_eq!(refused(Bytes::from(field(1, &nested))).0, "ext.medical.(field 99)");
    let many = field(1, &[request().draft.unwrap().encode_to_vec(), unknown].concat());
    let refusal = decode_strict::<IssueManyRequest>(Bytes::from(many)).unwrap_err();
    assert_eq!(refusal.violations[0].field, "drafts[0].(field 99)");
}

#[test]
fn what_is_given_twice_is_refused() {
    let (field_path, problem) = refused(with_in_draft(&field(1, b"99060226")));
    assert_eq!((field_path.as_str(), problem.as_str()), ("receipt_code", "is given twice"));
    let mut two_drafts = request().encode_to_vec();
    two_drafts.extend_from_slice(&request().encode_to_vec());
    assert_eq!(refused(Bytes::from(two_drafts)).0, "draft");
    let two_relations = [field(4, b"1"), field(1, b"")].concat();
    let (field_path, problem) = refused(with_in_draft(&field(22, &two_relations)));
    assert_eq!(field_path, "related[1].reversal_of");
    assert!(problem.contains("only one"), "{problem}");
}

#[test]
fn unreadable_bytes_are_refused_with_a_reason() {
    for bytes in [&b"\xff\xff"[..], b"\x0a\x05ab", &with_in_draft(&field(13, b"\xc1\xd6"))] {
        let refusal = decode_strict::<IssueRequest>(Bytes::copy_from_slice(bytes)).unwrap_err();
        assert_eq!(refusal.reason, CallReason::RequestInvalid.into());
        assert!(refusal.message.contains("not readable"), "{refusal}");
    }
}

/// The list is of messages that exist, and nothing else is read strictly: a client must take answers of newer issuers.
#[test]
fn only_what_is_signed_is_strict() {
    let schema = Schema::read();
    for name in STRICT {
        assert!(schema.0.contains_key(&format!("{STRICT_PACKAGE}.{name}")), "{name}");
    }
    assert!(is_strict::<IssueRequest>() && is_strict::<ReverseRequest>());
    assert!(!is_strict::<IssueResponse>() && !is_strict::<crate::issuer::v1::GetReceiptRequest>());
}
