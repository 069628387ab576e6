use super::resubmit::{Kept, recovered_issuer};
use super::*;
use crate::testing::recovery::{lose_and_restore, recovered};

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_that_came_back_by_resubmit_is_answered_to_its_caller() {
    let lost = running().await;
    let original = lost.sealed("S01", "A").await;
    let unit = lost.draft("S01", "-").unit_code;
    let dir = scratch::Directory::new();
    let journal = lose_and_restore(&lost.context.journal, &dir.path().join("journal"));
    let request = lost.reversal(&unit, &original, "R");
    let red = lost.context.reverse(SYSTEM, request.clone()).await.unwrap();
    assert_eq!(red.state(), wire::ReceiptState::Sealed);
    lost.token.cancel();
    let journal = recovered(journal, &dir.path().join("journal"), &mut lost.ledger.chain.lock().unwrap());
    lost.ledger.refresh();
    let channel = lost.ledger.serve().await;
    let running = running_on(dir, journal, lost.ledger.clone(), vec![("node".to_owned(), channel)]);

    let resubmit = wire::ResubmitRequest {
        signed_record: red.signed_record.clone(),
        draft: red.red_draft.clone(),
        check_code: red.check_code.clone(),
        body_seed: red.body_seed.clone(),
        wait: wire::Wait::Sealed.into(),
        wait_timeout_ms: 20_000,
    };
    assert_eq!(running.context.resubmit(SYSTEM, resubmit).await.unwrap().state(), wire::ReceiptState::Sealed);
    let again = running.context.reverse(SYSTEM, request.clone()).await.unwrap();
    assert_eq!((key_of(&again), again.replayed), (key_of(&red), true));
    // Its biz code stays its own.
    let other = running.sealed("S01", "B").await;
    let of_other = wire::ReverseRequest { original: Some(key_of(&other)), ..request };
    let refusal = running.context.reverse(SYSTEM, of_other).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "BIZ_CODE_CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_of_one_place_learns_by_biz_code_what_the_ledger_has() {
    const DESK: SystemId = SystemId::new(7);
    const OTHER_DESK: SystemId = SystemId::new(8);
    let (running, sealed, _) = recovered_issuer(&[]).await;
    let unit_id = running.registered_unit(&sealed.draft.unit_code).unit_id;
    let desk = |system: SystemId, place: &str| {
        let grants = vec![Grant { unit_id, places: vec![place.to_owned()] }];
        Action::RegisterSystem(RegisterSystem { system_id: system.get(), name: "desk".to_owned(), grants })
    };
    running.govern(vec![desk(DESK, &sealed.draft.place_code), desk(OTHER_DESK, "elsewhere")]).await;
    let by_biz = |system| {
        let biz_code = sealed.draft.biz_code.clone();
        let biz = wire::BizKey { unit_code: sealed.draft.unit_code.clone(), biz_code };
        let selector = Some(wire::get_receipt_request::Selector::BizKey(biz));
        running.context.get_receipt(system, wire::GetReceiptRequest { selector })
    };
    let key = Kept::key(&sealed);
    let state = by_biz(DESK).unwrap();
    assert_eq!((state.state(), state.key.clone()), (wire::ReceiptState::Sealed, Some(key.clone())));
    assert!(state.block_height > 0);
    // The place is not known yet: nothing of the content is told, and nothing by the number alone.
    assert_eq!((state.total_fen, state.signed_record.len(), state.issue_time_ms), (0, 0, 0));
    assert_eq!(running.state(DESK, key.clone()).state(), wire::ReceiptState::Unknown);
    // Nor by what was paid, of which it learns that there is a receipt: enough not to issue a second one.
    let paid = running.paid(DESK, &sealed.draft.unit_code, &format!("JS-{}", sealed.draft.biz_code));
    assert_eq!((paid.state(), paid.key, paid.total_fen), (wire::ReceiptState::Sealed, Some(key.clone()), 0));
    assert_eq!(by_biz(STRANGER).unwrap_err().reason.as_str(), "NOT_DELEGATED");
    let selector = Some(wire::get_bundle_request::Selector::BizKey(state.biz_key.unwrap()));
    let refusal = running.context.get_bundle(DESK, wire::GetBundleRequest { selector }).await.unwrap_err();
    assert!(refusal.message.contains("Resubmit"), "{refusal}");
    // Once it is resubmitted its place is known, and it is that place's alone.
    running.context.resubmit(DESK, sealed.request()).await.unwrap();
    assert_eq!(running.state(DESK, key).state(), wire::ReceiptState::Sealed);
    assert_eq!(by_biz(DESK).unwrap().total_fen, sealed.draft.total_amount.get());
    assert_eq!(by_biz(OTHER_DESK).unwrap().state(), wire::ReceiptState::Unknown);
}
