use receipt_core::ids::{Fen, ReceiptKey, ReceiptNumber};
use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::model::Receipt;
use receipt_core::record::SignedRecord;

use super::resubmit::recovered_reissuer;
use super::*;
use crate::journal::{Bare, BareFrom, Durability, ReceiptReads as _};

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

/// What the journal has of an original, of its reversal, and of the unit.
struct Reversed {
    original: wire::IssueResponse,
    key: ReceiptKey,
    unit: UnitId,
    /// When the red receipt was issued.
    since: UnixMillis,
}

async fn reversed(running: &Running) -> Reversed {
    let original = running.sealed("S01", "O").await;
    let unit_code = running.draft("S01", "-").unit_code;
    running.context.reverse(SYSTEM, running.reversal(&unit_code, &original, "X")).await.unwrap();
    let journal = &running.context.journal;
    let key = key_from_wire(&key_of(&original)).unwrap();
    let record = |key| SignedRecord::decode(&journal.receipt(key).unwrap().unwrap().signed_record).unwrap().record;
    let red = journal.reversal(key).unwrap().unwrap();
    Reversed { key, unit: record(key).unit, since: record(red).issue_time, original }
}

impl Reversed {
    /// So many receipts without a body, as a recovery leaves them.
    fn bare(&self, count: u64, issue_time: UnixMillis, total: Fen) -> Vec<Bare> {
        let key = |number| ReceiptKey { number: ReceiptNumber::new(number).unwrap(), ..self.key };
        (1_000_000..1_000_000 + count).map(|number| Bare { key: key(number), issue_time, total }).collect()
    }
}

/// After the loss of a whole journal every receipt of a unit is of this kind, and the one writer of all units looks at them. Before, it
/// looked at all of them, at every call.
#[tokio::test(flavor = "multi_thread")]
async fn of_receipts_without_a_body_a_bounded_number_is_looked_at_and_beyond_it_a_re_issue_waits() {
    let running = running().await;
    let reversed = reversed(&running).await;
    // More than the original: none of them re-issues what is left of it.
    let bare = reversed.bare(10_001, reversed.since, Fen::new(i64::MAX));
    let mut write = running.context.journal.write();
    bare.iter().for_each(|bare| write.put_bare(reversed.unit, *bare));
    write.commit(Durability::Synced).unwrap();
    let again = IssueAgain { running: &running, original: &reversed.original };
    let refusal = again.as_new("R1").await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("NOT_READY", Some(60_000)), "{refusal:?}");
    assert!(!running.issue_sealed(&running.draft("S01", "other")).await.unwrap().replayed, "nobody else waits");
    let mut write = running.context.journal.write();
    write.delete_bare(reversed.unit, bare[0].issue_time, bare[0].key);
    write.commit(Durability::Synced).unwrap();
    assert!(!again.as_new("R1").await.unwrap().replayed);
}

/// Whatever their numbers are. Before, they counted, and a re-issue waited as long as so many were not handed back.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_without_a_body_that_were_issued_before_the_reversal_keep_no_re_issue_waiting() {
    let running = running().await;
    let reversed = reversed(&running).await;
    let before = UnixMillis::new(reversed.since.get() - 1);
    let bare = reversed.bare(20_000, before, Fen::new(1));
    let mut write = running.context.journal.write();
    bare.iter().for_each(|bare| write.put_bare(reversed.unit, *bare));
    write.commit(Durability::Synced).unwrap();
    let listed = |from| running.context.journal.bare(reversed.unit, from, 2).unwrap();
    assert_eq!(listed(BareFrom::Time(UnixMillis::new(0))), bare[..2]);
    assert_eq!(listed(BareFrom::After(bare[0])), bare[1..3]);
    assert_eq!(listed(BareFrom::Time(reversed.since)), []);
    let again = IssueAgain { running: &running, original: &reversed.original };
    assert!(!again.as_new("R1").await.unwrap().replayed);
}
