//! A receipt that stands in a call's way: it is found by what was paid, named to whoever may see it, and to nobody else.

use receipt_core::receipt::civil::CivilDate;
use receipt_core::receipt::ext::Ext;
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
    let Ext::PaymentBook { fine, .. } = &draft.ext else { panic!("a fine") };
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

/// What was paid, however it is typed: a caller asks as its cashier wrote it, and the receipt holds the normal form.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_is_found_however_it_is_written() {
    use wire::payment_key::Reference as R;
    let running = running().await;
    let ask = |unit_code: &str, reference: R| {
        let payment = wire::PaymentKey { unit_code: unit_code.to_owned(), reference: Some(reference) };
        let selector = Some(wire::get_receipt_request::Selector::Payment(payment));
        running.context.get_receipt(SYSTEM, wire::GetReceiptRequest { selector }).unwrap()
    };
    // ⺁ as GBK tables of old have it, at a private-use code point: at the door it becomes the real character.
    let mut visit = running.draft("S01", "A");
    let Ext::Medical { medical } = &mut visit.ext else { panic!("a medical receipt") };
    medical.settlement_number = "JS-\u{e815}1".to_owned();
    let visit_key = Some(key_of(&running.issue_sealed(&visit).await.unwrap()));
    for typed in ["JS-\u{e815}1", "JS-\u{2e81}1", "ｊｓ—\u{e815}１", " js-\u{2e81}1"] {
        assert_eq!(ask(&visit.unit_code, R::SettlementNumber(typed.to_owned())).key, visit_key, "{typed}");
    }
    for typed in ["JS-1", "JS-\u{2e81}2", "JS-\u{e816}1"] {
        assert_eq!(ask(&visit.unit_code, R::SettlementNumber(typed.to_owned())).key, None, "{typed}");
    }

    let mut fined = running.draft("S04", "F");
    let Ext::PaymentBook { non_tax, fine, .. } = &mut fined.ext else { panic!("a fine") };
    non_tax.pay_code = "01234567890123456789".to_owned();
    fine.penalty_decision_no = "\u{e815}公罚字〔2026〕第1号".to_owned();
    let fine_key = Some(key_of(&running.issue_sealed(&fined).await.unwrap()));
    let decision =
        |number: &str| R::Decision(wire::DecisionKey { penalty_decision_no: number.to_owned(), instalment: 0 });
    for typed in ["\u{e815}公罚字〔2026〕第1号", "\u{2e81}公罚字(２０２６)第1号"] {
        assert_eq!(ask(&fined.unit_code, decision(typed)).key, fine_key, "{typed}");
    }
    assert_eq!(ask(&fined.unit_code, decision("公罚字〔2026〕第1号")).key, None);
    for typed in ["01234567890123456789", "０１２３４５６７８９０１２３４５６７８９", "0123456789 0123456789"]
    {
        assert_eq!(ask(&fined.unit_code, R::PayCode(typed.to_owned())).key, fine_key, "{typed}");
    }
}

/// Whoever is refused because a decision was paid finds the receipt under the very reference of the refused draft.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_paid_otherwise_is_found_by_instalment_and_at_once() {
    let running = running().await;
    let fine_of = |biz_code: &str, pay_code: u8, decision: &str, instalment: Option<u32>| {
        let mut draft = running.draft("S04", biz_code);
        let Ext::PaymentBook { non_tax, fine, .. } = &mut draft.ext else { panic!("a fine") };
        non_tax.pay_code = format!("{pay_code:020}");
        fine.penalty_decision_no = decision.to_owned();
        fine.instalment = instalment;
        draft
    };
    let unit_code = fine_of("-", 0, "-", None).unit_code;
    let found = |decision: &str, instalment: u32| {
        let decision = wire::DecisionKey { penalty_decision_no: decision.to_owned(), instalment };
        let reference = Some(wire::payment_key::Reference::Decision(decision));
        let payment = wire::PaymentKey { unit_code: unit_code.clone(), reference };
        let selector = Some(wire::get_receipt_request::Selector::Payment(payment));
        running.context.get_receipt(SYSTEM, wire::GetReceiptRequest { selector }).unwrap().key
    };
    let whole = running.issue_sealed(&fine_of("A", 1, "D1", None)).await.unwrap();
    let refusal = running.issue_sealed(&fine_of("B", 2, "D1", Some(2))).await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), named(&refusal)[0]), ("DECISION_PAID", "A"));
    assert_eq!(found("D1", 2), Some(key_of(&whole)));
    let second = running.issue_sealed(&fine_of("C", 3, "D2", Some(2))).await.unwrap();
    let third = running.issue_sealed(&fine_of("D", 4, "D2", Some(3))).await.unwrap();
    let refusal = running.issue_sealed(&fine_of("E", 5, "D2", None)).await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), named(&refusal)[0]), ("DECISION_PAID", "C"));
    assert_eq!(found("D2", 0), Some(key_of(&second)));
    assert_eq!(found("D2", 3), Some(key_of(&third)));
    assert_eq!((found("D2", 1), found("D2", u32::MAX), found("D2", 65_538)), (None, None, None));
    assert_eq!(third.state(), wire::ReceiptState::Sealed);
    // With the last instalment reversed there is room for all at once.
    for (original, biz_code) in [(&second, "R2"), (&third, "R3")] {
        let mut reversal = running.reversal(&unit_code, original, biz_code);
        reversal.place_code = fine_of("-", 0, "-", None).place_code;
        let red = running.context.reverse(SYSTEM, reversal).await.unwrap();
        assert_eq!(red.state(), wire::ReceiptState::Sealed);
    }
    let paid = running.issue_sealed(&fine_of("G", 6, "D2", None)).await.unwrap();
    assert_eq!(paid.state(), wire::ReceiptState::Sealed);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hospitals_seal_receipts_of_one_settlement_number() {
    let running = running().await;
    let settled = |sample: &str, biz_code: &str| {
        let mut draft = running.draft(sample, biz_code);
        let Ext::Medical { medical } = &mut draft.ext else { panic!("a medical receipt") };
        medical.settlement_number = "JS-1".to_owned();
        draft
    };
    let (one, other) = (settled("S01", "A"), settled("S02", "B"));
    for draft in [&one, &other] {
        let issued = running.issue_sealed(draft).await.unwrap();
        assert_eq!(issued.state(), wire::ReceiptState::Sealed);
        assert_eq!(running.paid(SYSTEM, &draft.unit_code, "JS-1").key, Some(key_of(&issued)));
    }
    let refusal = running.issue_sealed(&settled("S02", "C")).await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), named(&refusal)[0]), ("PAYMENT_RECEIPTED", "B"));
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
