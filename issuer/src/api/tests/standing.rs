//! A receipt that stands in a call's way: it is found by what was paid, named to whoever may see it, and to nobody else.

use receipt_core::receipt::civil::CivilDate;
use tallystick_proto::errors::{Action as Next, Advice, Place, Stands};

use super::*;

const DESK: SystemId = SystemId::new(7);

impl Running {
    /// A system that may act for one place of the unit.
    async fn register_desk(&self, unit_code: &str, place: &str) {
        let unit_id = self.context.view().unit_by_code(unit_code).unwrap().id.get();
        let grants = vec![Grant { unit_id, places: vec![place.to_owned()] }];
        let system = RegisterSystem { system_id: DESK.get(), name: "desk".to_owned(), grants };
        self.govern(vec![Action::RegisterSystem(system)]).await;
    }

    pub(super) fn paid(&self, system: SystemId, unit_code: &str, settlement: &str) -> wire::GetReceiptResponse {
        let payment = wire::PaymentKey {
            unit_code: unit_code.to_owned(),
            reference: Some(wire::payment_key::Reference::SettlementNumber(settlement.to_owned())),
        };
        let selector = Some(wire::get_receipt_request::Selector::Payment(payment));
        self.context.get_receipt(system, wire::GetReceiptRequest { selector }).unwrap()
    }

    async fn issue_as(&self, system: SystemId, draft: &ReceiptDraft) -> Result<wire::IssueResponse, Refusal> {
        let draft = Some(draft_to_wire(draft));
        self.context.issue(system, wire::IssueRequest { draft, ..wire::IssueRequest::default() }).await
    }

    /// A draft of a payment that has a receipt already.
    fn again(&self, biz_code: &str, place_code: &str) -> ReceiptDraft {
        let mut draft = ReceiptDraft { biz_code: biz_code.to_owned(), ..self.draft("S01", "A") };
        draft.place_code = place_code.to_owned();
        draft
    }
}

fn named(refusal: &Refusal) -> Vec<&str> {
    refusal.metadata.values().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_receipt_of_a_payment_is_refused_by_naming_the_first() {
    let running = running().await;
    let first = running.again("A", "MZ-01");
    let unit = first.unit_code.clone();
    running.register_desk(&unit, "MZ-02").await;
    let issued = running.issue_sealed(&first).await.unwrap();

    let refusal = running.issue_as(SYSTEM, &running.again("B", "MZ-01")).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "PAYMENT_RECEIPTED");
    assert_eq!(refusal.advice, Advice { receipt: Stands::Yes, place: Place::Payment, action: Next::UseReceipt });
    assert_eq!(named(&refusal), ["A", &issued.receipt_code, &issued.receipt_number]);
    let found = running.paid(SYSTEM, &unit, "JS-A");
    assert_eq!((found.key.clone(), found.biz_key.unwrap().biz_code), (Some(key_of(&issued)), "A".to_owned()));

    // Another place of the unit learns that there is one, and not which.
    let refusal = running.issue_as(DESK, &running.again("C", "MZ-02")).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "PAYMENT_RECEIPTED");
    assert_eq!(refusal.advice, Advice { receipt: Stands::Yes, place: Place::OtherPlace, action: Next::UseReceipt });
    assert_eq!(named(&refusal), Vec::<&str>::new());
    assert_eq!(running.paid(DESK, &unit, "JS-A").state(), wire::ReceiptState::Unknown);

    // Reversed, it holds the payment no more.
    let red = running.context.reverse(SYSTEM, running.reversal(&unit, &issued, "R")).await.unwrap();
    assert_eq!(red.state(), wire::ReceiptState::Sealed);
    assert_eq!(running.paid(SYSTEM, &unit, "JS-A").state(), wire::ReceiptState::Unknown);
    running.issue_as(SYSTEM, &running.again("D", "MZ-01")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_biz_code_names_its_receipt_to_whom_may_see_it() {
    let running = running().await;
    let first = running.again("A", "MZ-01");
    running.register_desk(&first.unit_code, "MZ-02").await;
    let issued = running.issue_sealed(&first).await.unwrap();
    let mut other = first.clone();
    other.payer_name.push('氏');
    let refusal = running.issue_as(SYSTEM, &other).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "BIZ_CODE_CONFLICT");
    assert_eq!(refusal.advice, Advice { receipt: Stands::Yes, place: Place::BizCode, action: Next::LookUp });
    assert_eq!(named(&refusal), ["A", &issued.receipt_code, &issued.receipt_number]);
    other.place_code = "MZ-02".to_owned();
    let refusal = running.issue_as(DESK, &other).await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), refusal.advice.place), ("BIZ_CODE_CONFLICT", Place::OtherPlace));
    assert_eq!(named(&refusal), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_is_asked_by_one_reference_of_an_own_unit() {
    let running = running().await;
    let ask = |system, payment: wire::PaymentKey| {
        let selector = Some(wire::get_receipt_request::Selector::Payment(payment));
        running.context.get_receipt(system, wire::GetReceiptRequest { selector })
    };
    let unit_code = running.draft("S01", "-").unit_code;
    let bare = wire::PaymentKey { unit_code: unit_code.clone(), reference: None };
    assert_eq!(ask(SYSTEM, bare).unwrap_err().reason.as_str(), "REQUEST_INVALID");
    for reference in [
        wire::payment_key::Reference::PayCode("0".repeat(20)),
        wire::payment_key::Reference::SettlementNumber("JS-NONE".to_owned()),
        wire::payment_key::Reference::Decision(wire::DecisionKey {
            penalty_decision_no: "none".to_owned(),
            instalment: 0,
        }),
    ] {
        let payment = wire::PaymentKey { unit_code: unit_code.clone(), reference: Some(reference) };
        assert_eq!(ask(SYSTEM, payment.clone()).unwrap().state(), wire::ReceiptState::Unknown);
        assert_eq!(ask(STRANGER, payment).unwrap_err().reason.as_str(), "NOT_DELEGATED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fine_is_found_by_its_decision() {
    let running = running().await;
    let draft = running.draft("S04", "F");
    let receipt_core::receipt::ext::Ext::PaymentBook { fine, .. } = &draft.ext else { panic!("a fine") };
    let decision = wire::DecisionKey {
        penalty_decision_no: fine.penalty_decision_no.clone(),
        instalment: fine.instalment.unwrap_or(0),
    };
    let issued = running.issue_sealed(&draft).await.unwrap();
    let reference = Some(wire::payment_key::Reference::Decision(decision));
    let payment = wire::PaymentKey { unit_code: draft.unit_code.clone(), reference };
    let selector = Some(wire::get_receipt_request::Selector::Payment(payment));
    let found = running.context.get_receipt(SYSTEM, wire::GetReceiptRequest { selector }).unwrap();
    assert_eq!(found.key, Some(key_of(&issued)));
    let again = ReceiptDraft { biz_code: "F2".to_owned(), ..draft };
    let refusal = running.issue_as(SYSTEM, &again).await.unwrap_err();
    assert!(["PAYMENT_RECEIPTED", "DECISION_PAID"].contains(&refusal.reason.as_str()), "{refusal}");
    assert_eq!(named(&refusal)[0], "F");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_without_a_code_goes_on_over_the_turn_of_the_year() {
    let running = running().await;
    let draft = running.draft("S01", "A");
    let view = running.context.view();
    let unit = view.unit_by_code(&draft.unit_code).unwrap().id;
    let (code, year) = (draft.receipt_code, 2000 + draft.receipt_code.get() % 100);
    let next = ReceiptCode::new(code.get() + 1).unwrap();
    assert!(view.segments(unit, next).is_empty(), "the unit has no numbers for the coming year");
    let on = |day: &str, wanted: &str| {
        running.context.red_code(&view, unit, wanted, code, CivilDate::parse(day).unwrap()).unwrap()
    };
    assert_eq!(on(&format!("{year}-12-31"), ""), code);
    // Last year's code passes through January (V04), and there are numbers of it.
    assert_eq!(on(&format!("{}-01-01", year + 1), ""), code);
    assert_eq!(on(&format!("{}-01-31", year + 1), ""), code);
    // Then it does not, and the refusal names the code that has no numbers.
    assert_eq!(on(&format!("{}-02-01", year + 1), ""), next);
    assert_eq!(on(&format!("{}-01-05", year + 1), &next.to_string()), next, "a code asked for is taken as it is");
}
