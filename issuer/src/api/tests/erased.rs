use super::*;
use crate::erasure::Wish;
use crate::erasure::list::ErasedList;
use crate::erasure::rule::Retention;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_receipt_whose_body_was_erased() {
    let running = running().await;
    let draft = running.draft("S01", "A");
    let issued = running.issue_sealed(&draft).await.unwrap();
    let key = key_of(&issued);
    let before = running.state(SYSTEM, key.clone());
    assert_eq!((before.body_erased_at_ms, before.check_code.len()), (0, 6));
    let wish = Wish {
        keys: vec![key_from_wire(&key).unwrap()],
        now: running.clock.now(),
        today: 20_261_102,
        utc_offset_minutes: 480,
        retention: Retention { years: 5, by_category: std::collections::BTreeMap::new() },
        despite_retention: true,
    };
    let now = wish.now;
    let list = ErasedList::new(&running.dir.path().join("erased"), running.context.journal.identity());
    list.create(now).unwrap();
    running.context.queue.errand(move |sequencer| sequencer.erase(&list, &wish)).await.unwrap().unwrap();

    let after = running.state(SYSTEM, key.clone());
    let same = wire::GetReceiptResponse {
        check_code: String::new(),
        body_erased_at_ms: now.get(),
        snapshot_height: after.snapshot_height,
        ..before
    };
    assert_eq!(after, same, "all but the body is told as before");
    let selector = Some(wire::get_bundle_request::Selector::Key(key));
    let refused = [
        running.context.get_bundle(SYSTEM, wire::GetBundleRequest { selector }).await.unwrap_err(),
        running.context.reverse(SYSTEM, running.reversal(&draft.unit_code, &issued, "R")).await.unwrap_err(),
        running.issue_sealed(&draft).await.unwrap_err(),
    ];
    for refusal in refused {
        assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("BODY_ERASED", None), "{refusal}");
    }
}
