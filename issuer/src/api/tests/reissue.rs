use receipt_core::ids::{Fen, ReceiptKey, ReceiptNumber};
use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::model::Receipt;
use receipt_core::record::SignedRecord;

use super::resubmit::recovered_reissuer;
use super::*;
use crate::journal::{Bare, Durability, ReceiptReads as _};

impl Running {
    /// What remains of S01, as sample S14 has it.
    fn remainder(&self, original: &wire::IssueResponse, biz_code: &str) -> ReceiptDraft {
        let key = key_from_wire(&key_of(original)).unwrap();
        let (receipt, _) = self.context.open_receipt(key).unwrap().unwrap();
        remainder_of(&mut self.ledger.chain.lock().unwrap(), &receipt, biz_code)
    }
}

/// Of a settlement of its own: nothing but the link stands between the two.
pub(super) fn remainder_of(chain: &mut TestChain, original: &Receipt, biz_code: &str) -> ReceiptDraft {
    let draft = chain.draft_after("S14", Some(original));
    assert!(draft.total_amount < original.draft.total_amount && draft.total_amount > Fen::new(0));
    let mut draft = ReceiptDraft { biz_code: biz_code.to_owned(), ..draft };
    if let Ext::Medical { medical } = &mut draft.ext {
        medical.settlement_number = format!("JS-{biz_code}");
    }
    draft
}

fn assert_v20(refusal: &Refusal, words: &str) {
    assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("FIELD_INVALID", None), "{refusal:?}");
    assert_eq!(refusal.violations[0].field, "related");
    assert!(refusal.violations[0].description.contains(words), "{refusal:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_issue_needs_a_reversed_original_and_there_is_one() {
    let running = running().await;
    let original = running.sealed("S01", "O").await;
    let unit = running.draft("S01", "-").unit_code;
    assert_v20(&running.issue_sealed(&running.remainder(&original, "R1")).await.unwrap_err(), "is in force");
    let red = running.context.reverse(SYSTEM, running.reversal(&unit, &original, "X")).await.unwrap();
    assert_eq!(red.state(), wire::ReceiptState::Sealed);

    // Two at once: one is issued.
    let drafts = ["R1", "R2"].map(|biz_code| draft_to_wire(&running.remainder(&original, biz_code)));
    let request =
        wire::IssueManyRequest { drafts: drafts.to_vec(), wait: wire::Wait::Sealed.into(), wait_timeout_ms: 20_000 };
    let results = running.context.issue_many(SYSTEM, request).await.unwrap().results;
    let [Some(wire::issue_result::Result::Issued(first)), Some(wire::issue_result::Result::Error(second))] =
        [&results[0].result, &results[1].result]
    else {
        panic!("{results:?}")
    };
    assert_eq!(first.state(), wire::ReceiptState::Sealed);
    assert_eq!((second.reason.as_str(), &second.metadata["receipt_number"]), ("FIELD_INVALID", &first.receipt_number));
    let again = IssueAgain { running: &running, original: &original };
    assert_v20(&again.as_new("R3").await.unwrap_err(), "re-issues it already");
    assert!(again.as_new("R1").await.unwrap().replayed);

    // Reversed itself, it leaves its place.
    let reversal = running.reversal(&unit, first, "X1");
    assert_eq!(running.context.reverse(SYSTEM, reversal).await.unwrap().state(), wire::ReceiptState::Sealed);
    assert_eq!(again.as_new("R4").await.unwrap().state(), wire::ReceiptState::Sealed);
}

struct IssueAgain<'a> {
    running: &'a Running,
    original: &'a wire::IssueResponse,
}

impl IssueAgain<'_> {
    async fn as_new(&self, biz_code: &str) -> Result<wire::IssueResponse, Refusal> {
        self.running.issue_sealed(&self.running.remainder(self.original, biz_code)).await
    }
}

/// The lost journal had reversed an original and re-issued the rest, all of it sealed; the backup knows of the original alone. Before, a second
/// re-issue was taken.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_recovery_a_re_issue_waits_until_what_may_be_one_was_handed_back() {
    let (running, original, kept) = recovered_reissuer().await;
    let again = IssueAgain { running: &running, original: &original };
    let refusal = again.as_new("R2").await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("NOT_READY", Some(60_000)), "{refusal:?}");
    assert!(refusal.message.contains("Resubmit"), "{refusal}");
    assert_eq!(refusal.advice.receipt, tallystick_proto::errors::Stands::No);
    // Nobody else is kept waiting.
    assert!(!running.issue_sealed(&running.draft("S01", "other")).await.unwrap().replayed);
    running.context.resubmit(SYSTEM, kept.request()).await.unwrap();
    assert_v20(&again.as_new("R2").await.unwrap_err(), "re-issues it already");
}

/// After the loss of a whole journal every receipt of a unit is of this kind, and the one writer of all units looks at them. Before, it
/// looked at all of them, at every call.
#[tokio::test(flavor = "multi_thread")]
async fn of_receipts_without_a_body_a_bounded_number_is_looked_at_and_beyond_it_a_re_issue_waits() {
    let running = running().await;
    let original = running.sealed("S01", "O").await;
    let unit_code = running.draft("S01", "-").unit_code;
    running.context.reverse(SYSTEM, running.reversal(&unit_code, &original, "X")).await.unwrap();
    let key = key_from_wire(&key_of(&original)).unwrap();
    let record = running.context.journal.receipt(key).unwrap().unwrap().signed_record;
    let unit = SignedRecord::decode(&record).unwrap().record.unit;
    // Older than the reversal: none of them re-issues what it left.
    let bare = |number| {
        let key = ReceiptKey { code: key.code, number: ReceiptNumber::new(number).unwrap() };
        Bare { key, issue_time: UnixMillis::new(1), total: Fen::new(1) }
    };
    let first = 1_000_000;
    let mut write = running.context.journal.write();
    for number in first..=first + 10_000 {
        write.put_bare(unit, bare(number));
    }
    write.commit(Durability::Synced).unwrap();
    let again = IssueAgain { running: &running, original: &original };
    let refusal = again.as_new("R1").await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("NOT_READY", Some(60_000)), "{refusal:?}");
    assert!(!running.issue_sealed(&running.draft("S01", "other")).await.unwrap().replayed, "nobody else waits");
    let mut write = running.context.journal.write();
    write.delete_bare(unit, bare(first).key);
    write.commit(Durability::Synced).unwrap();
    assert!(!again.as_new("R1").await.unwrap().replayed);
}
