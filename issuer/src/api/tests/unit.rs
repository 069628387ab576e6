use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_area_that_is_not_the_units_is_refused_before_a_number_is_spent() {
    let running = running().await;
    let mut draft = running.draft("S01", "A");
    draft.supervisor_area_code = "110000".to_owned();
    let refusal = running.issue_sealed(&draft).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "FIELD_INVALID");
    assert_eq!(refusal.violations[0].field, "supervisor_area_code");
    let first = running.sealed("S01", "A").await;
    assert!(matches!(running.conclusion(&first.bundle), Conclusion::InForce { .. }));
    assert!(first.receipt_number.ends_with("000001"), "{first:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_moved_reverses_what_it_issued_under_its_old_area() {
    let running = running().await;
    let draft = running.draft("S01", "A");
    let original = running.issue_sealed(&draft).await.unwrap();
    let moved = RegisterUnit { supervisor_area_code: "110000".to_owned(), ..running.registered_unit(&draft.unit_code) };
    running.govern(vec![Action::RegisterUnit(moved)]).await;
    let red = running.context.reverse(SYSTEM, running.reversal(&draft.unit_code, &original, "R")).await.unwrap();
    assert_eq!(red.state(), wire::ReceiptState::Sealed);
    assert_eq!(red.red_draft.unwrap().supervisor_area_code, "110000", "the red receipt is issued under the new one");
}
