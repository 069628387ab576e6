//! The same call twice: however what is absent is written, on whatever day, in whatever form of Unicode.

use receipt_core::receipt::ext::Ext;
use tallystick_proto::issuer::v1::issuer_service_server::IssuerServiceServer;
use tallystick_service::identity::{ChainName, PeerIdentity, Role};

use super::*;

impl Running {
    async fn issue_wire(&self, draft: receipt_wire::ReceiptDraft) -> Result<wire::IssueResponse, Refusal> {
        let request = wire::IssueRequest { draft: Some(draft), ..wire::IssueRequest::default() };
        self.context.issue(SYSTEM, request).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_does_not_conflict_with_itself_however_what_is_absent_is_written() {
    let running = running().await;
    // S12 is of category 04, whose groups may all be absent.
    let plain = receipt_wire::ReceiptDraft {
        ext: None,
        ..draft_to_wire(&ReceiptDraft { ext: Ext::empty(4), ..running.draft("S12", "A") })
    };
    let first = running.issue_wire(plain.clone()).await.unwrap();
    assert!(!first.replayed);
    let groups = receipt_wire::Extension {
        settlement: Some(receipt_wire::SettlementExtension::default()),
        school: Some(receipt_wire::SchoolExtension::default()),
        non_tax: Some(receipt_wire::NonTaxExtension::default()),
        ..receipt_wire::Extension::default()
    };
    for ext in [None, Some(receipt_wire::Extension::default()), Some(groups)] {
        let again = running.issue_wire(receipt_wire::ReceiptDraft { ext, ..plain.clone() }).await.unwrap();
        assert_eq!((again.replayed, key_of(&again)), (true, key_of(&first)));
    }
    let other = receipt_wire::ReceiptDraft { remark: "别的".to_owned(), ..plain };
    assert_eq!(running.issue_wire(other).await.unwrap_err().reason.as_str(), "BIZ_CODE_CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_midnight_is_the_same_call() {
    let running = running().await;
    let mut undated = draft_to_wire(&running.draft("S01", "A"));
    let today = std::mem::take(&mut undated.issue_date);
    let first = running.issue_wire(undated.clone()).await.unwrap();
    assert_eq!((first.replayed, first.issue_date.as_str()), (false, today.as_str()));
    running.clock.set(running.clock.now().plus_millis(86_400_000));
    let tomorrow = "2026-11-03".to_owned();
    assert_ne!(today, tomorrow);
    for issue_date in [String::new(), today.clone(), tomorrow.clone()] {
        let again = receipt_wire::ReceiptDraft { issue_date, ..undated.clone() };
        let again = running.issue_wire(again).await.unwrap();
        assert_eq!((again.replayed, key_of(&again)), (true, key_of(&first)));
        assert_eq!(again.issue_date, today, "the day it was issued on");
    }
    let biz_code = "B".to_owned();
    let mut next = receipt_wire::ReceiptDraft { biz_code, ..undated };
    next.ext.as_mut().unwrap().medical.as_mut().unwrap().settlement_number = "JS-B".to_owned();
    assert_eq!(running.issue_wire(next).await.unwrap().issue_date, tomorrow);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_normalised_at_the_door_and_the_answer_says_so() {
    let running = running().await;
    let mut draft = draft_to_wire(&running.draft("S01", "A"));
    draft.payer_name = "\u{f92c}某".to_owned();
    draft.biz_code = "A\u{f9f1}".to_owned();
    draft.remark = "\u{e863}".to_owned();
    let first = running.issue_wire(draft.clone()).await.unwrap();
    assert_eq!(first.normalised_fields, ["biz_code", "payer_name", "remark"]);
    let key = crate::api::key_from_wire(&key_of(&first)).unwrap();
    let (receipt, _) = running.context.open_receipt(key).unwrap().unwrap();
    assert_eq!((receipt.draft.payer_name.as_str(), receipt.draft.remark.as_str()), ("郎某", "䶮"));
    // Either form is the same call, and finds the receipt.
    let unit_code = draft.unit_code.clone();
    for (payer_name, biz_code, normalised) in [("郎某", "A隣", 1), ("\u{f92c}某", "A\u{f9f1}", 3)] {
        let (payer_name, biz_code) = (payer_name.to_owned(), biz_code.to_owned());
        let again = receipt_wire::ReceiptDraft { payer_name, biz_code: biz_code.clone(), ..draft.clone() };
        let again = running.issue_wire(again).await.unwrap();
        assert_eq!((again.replayed, again.normalised_fields.len()), (true, normalised));
        let selector =
            Some(wire::get_receipt_request::Selector::BizKey(wire::BizKey { unit_code: unit_code.clone(), biz_code }));
        let found = running.context.get_receipt(SYSTEM, wire::GetReceiptRequest { selector }).unwrap();
        assert_eq!(found.key, Some(key_of(&first)));
    }
    let many = wire::IssueManyRequest { drafts: vec![draft.clone()], ..wire::IssueManyRequest::default() };
    let mut many = running.context.issue_many(SYSTEM, many).await.unwrap();
    let Some(wire::issue_result::Result::Issued(again)) = many.results.remove(0).result else { panic!("refused") };
    assert_eq!((again.replayed, again.normalised_fields), (true, first.normalised_fields.clone()));
    // What the caller kept brings it back in the form in which it was sent, without its date.
    draft.issue_date.clear();
    let request = wire::ResubmitRequest {
        signed_record: first.signed_record.clone(),
        draft: Some(draft),
        check_code: first.check_code.clone(),
        body_seed: first.body_seed.clone(),
        ..wire::ResubmitRequest::default()
    };
    let returned = running.context.resubmit(SYSTEM, request).await.unwrap();
    assert_eq!((key_of(&returned), returned.normalised_fields), (key_of(&first), first.normalised_fields));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_is_normalised_too() {
    let running = running().await;
    let draft = running.draft("S01", "A");
    let original = running.issue_sealed(&draft).await.unwrap();
    let mut request = running.reversal(&draft.unit_code, &original, "R");
    request.handling_person = "\u{f92c}某".to_owned();
    let reversal = request.reversal.as_mut().unwrap();
    reversal.text = "\u{fa18}".to_owned();
    let red = running.context.reverse(SYSTEM, request).await.unwrap();
    assert_eq!(red.normalised_fields, ["handling_person", "reversal.text"]);
    assert_eq!(red.red_draft.unwrap().handling_person, "郎某");
}

/// Title and item name are those of the ledger, which the issuer follows.
#[tokio::test(flavor = "multi_thread")]
async fn titles_and_items_bear_their_registered_names() {
    let running = running().await;
    let good = running.draft("S01", "A");
    let mut other_title = good.clone();
    other_title.receipt_name = running.draft("S02", "B").receipt_name;
    let mut other_item = good.clone();
    other_item.items[0].item_name.clone_from(&good.items[1].item_name);
    other_item.aux_items.clear();
    for (draft, reason, field) in
        [(other_title, "FIELD_INVALID", "receipt_name"), (other_item, "ITEM_NOT_ALLOWED", "items[0].item_name")]
    {
        let refusal = running.issue_sealed(&draft).await.unwrap_err();
        assert_eq!((refusal.reason.as_str(), refusal.violations[0].field.as_str()), (reason, field), "{refusal}");
    }
    assert!(running.issue_sealed(&good).await.is_ok());
}

/// Whatever amount is at the end of its type: it is refused, and nothing is signed that could not be opened.
#[tokio::test(flavor = "multi_thread")]
async fn an_amount_without_a_negative_is_never_signed() {
    type Edit = fn(&mut receipt_wire::ReceiptDraft);
    fn medical(draft: &mut receipt_wire::ReceiptDraft) -> &mut receipt_wire::MedicalExtension {
        draft.ext.as_mut().unwrap().medical.as_mut().unwrap()
    }
    let running = running().await;
    let edits: &[(&str, Edit)] = &[
        ("medical.refund", |d| medical(d).refund_fen = Some(i64::MIN)),
        ("medical.prepay", |d| medical(d).prepay_fen = Some(i64::MIN)),
        ("medical.self_payment", |d| medical(d).self_payment_fen = Some(i64::MIN)),
        ("medical.self_cost", |d| medical(d).self_cost_fen = Some(i64::MIN)),
        ("items[0].quantity", |d| (d.items[0].quantity_e4, d.items[0].standard_e4) = (Some(i64::MIN), None)),
        ("items[0].standard", |d| (d.items[0].quantity_e4, d.items[0].standard_e4) = (None, Some(i64::MIN))),
        ("aux_items[0].quantity", |d| d.aux_items[0].quantity_e4 = Some(i64::MIN)),
        ("aux_items[0].standard", |d| d.aux_items[0].standard_e4 = Some(i64::MIN)),
    ];
    for (field, edit) in edits {
        let mut draft = draft_to_wire(&running.draft("S01", "A"));
        edit(&mut draft);
        let refusal = running.issue_wire(draft).await.unwrap_err();
        assert_eq!(refusal.violations[0].field, *field, "{refusal}");
    }
}

/// A request of a newer schema than the issuer's, over a connection: what protobuf would drop refuses it.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_would_be_dropped_refuses_the_call() {
    #[derive(Clone, PartialEq, prost::Message)]
    struct NewerRequest {
        #[prost(message, optional, tag = "1")]
        draft: Option<receipt_wire::ReceiptDraft>,
        #[prost(string, tag = "99")]
        further: String,
    }
    let running = running().await;
    let caller = PeerIdentity { chain: ChainName::parse("test").unwrap(), role: Role::System, id: 1 };
    let service = IssuerServiceServer::with_interceptor(
        IssuerApi::new(Arc::clone(&running.context)),
        move |mut request: Request<()>| {
            request.extensions_mut().insert(caller.clone());
            Ok(request)
        },
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(service);
    let serving = tokio::spawn(server.serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener)));
    let channel =
        tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let call = async |request: NewerRequest| {
        let mut client = tonic::client::Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let path = tonic::codegen::http::uri::PathAndQuery::from_static("/tallystick.issuer.v1.IssuerService/Issue");
        let codec = tallystick_proto::strict::StrictCodec::<NewerRequest, wire::IssueResponse>::default();
        client.unary(Request::new(request), path, codec).await
    };
    let good = NewerRequest { draft: Some(draft_to_wire(&running.draft("S01", "A"))), further: String::new() };
    let status = call(NewerRequest { further: "新".to_owned(), ..good.clone() }).await.unwrap_err();
    let refusal = Refusal::from_status(&status).unwrap();
    assert_eq!((refusal.reason.as_str(), refusal.violations[0].field.as_str()), ("REQUEST_INVALID", "(field 99)"));
    let issued = call(good).await.unwrap().into_inner();
    assert!(!issued.replayed, "the refused call left nothing behind");
    serving.abort();
}
