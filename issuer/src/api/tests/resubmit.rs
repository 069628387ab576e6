use receipt_core::governance::RegisterUnit;
use receipt_core::ids::{ReceiptCode, ReceiptKey as Key, ReceiptNumber};

use super::*;
use crate::issue::Acknowledgement;
use crate::journal::ReceiptReads as _;
use crate::testing::offered;
use crate::testing::recovery::{lose_and_restore, recovered};

/// What a caller kept of an acknowledgement.
pub(super) struct Kept {
    pub(super) draft: ReceiptDraft,
    acknowledgement: Acknowledgement,
}

impl Kept {
    pub(super) fn key(&self) -> wire::ReceiptKey {
        key_to_wire(self.acknowledgement.key)
    }

    pub(super) fn request(&self) -> wire::ResubmitRequest {
        wire::ResubmitRequest {
            signed_record: self.acknowledgement.signed_record.clone().into(),
            draft: Some(draft_to_wire(&self.draft)),
            check_code: self.acknowledgement.check_code.to_string(),
            body_seed: self.acknowledgement.seed.as_bytes().to_vec().into(),
            wait: wire::Wait::Sealed.into(),
            wait_timeout_ms: 20_000,
        }
    }
}

/// An issuer recovered from an empty backup: the lost one had sealed "sealed", and acknowledged the others.
pub(super) async fn recovered_issuer(unsealed: &[&str]) -> (Running, Kept, Vec<Kept>) {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = TestChain::new();
    let mut lost = TestIssuer::start(init(&dir.path().join("lost"), &chain), &chain, 1);
    let journal = lose_and_restore(&lost.journal, &dir.path().join("journal"));
    let keep = |lost: &mut TestIssuer, chain: &mut TestChain, biz_code: &str| {
        let draft = draft(chain, "S01", biz_code);
        Kept { acknowledgement: lost.issue_new(draft.clone()), draft }
    };
    let sealed = keep(&mut lost, &mut chain, "sealed");
    let (_, request) = lost.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    let unsealed = unsealed.iter().map(|biz_code| keep(&mut lost, &mut chain, biz_code)).collect();
    drop(lost);
    let journal = recovered(journal, &dir.path().join("journal"), &mut chain);
    let ledger = FakeLedger::new(chain);
    let channel = ledger.serve().await;
    (running_on(dir, journal, ledger, vec![("node".to_owned(), channel)]), sealed, unsealed)
}

fn key(response: &wire::IssueResponse) -> Key {
    Key {
        code: ReceiptCode::parse(&response.receipt_code).unwrap(),
        number: ReceiptNumber::parse(&response.receipt_number).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_receipt_of_the_lost_journal_is_known_and_completed() {
    let (running, sealed, _) = recovered_issuer(&[]).await;
    // The caller never got its answer: it asks again.
    let again = running.issue_sealed(&sealed.draft).await.unwrap();
    assert!(again.replayed);
    assert_eq!((key(&again), again.state()), (sealed.acknowledgement.key, wire::ReceiptState::Sealed));
    assert_eq!(again.signed_record, sealed.acknowledgement.signed_record);
    assert!(again.check_code.is_empty(), "the ledger does not know it");
    let mut other = sealed.draft.clone();
    other.total_amount = receipt_core::ids::Fen::new(other.total_amount.get() + 100);
    let refusal = running.issue_sealed(&other).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "BIZ_CODE_CONFLICT");
    // With what the caller kept, the journal has it whole.
    let completed = running.context.resubmit(SYSTEM, sealed.request()).await.unwrap();
    assert_eq!((completed.state(), completed.replayed), (wire::ReceiptState::Sealed, true));
    let again = running.issue_sealed(&sealed.draft).await.unwrap();
    assert_eq!(again.check_code, sealed.acknowledgement.check_code.to_string());
    assert!(matches!(running.conclusion(&again.bundle), Conclusion::InForce { .. }));
    let by_biz = wire::BizKey { unit_code: sealed.draft.unit_code.clone(), biz_code: "sealed".to_owned() };
    let selector = Some(wire::get_receipt_request::Selector::BizKey(by_biz));
    let state = running.context.get_receipt(SYSTEM, wire::GetReceiptRequest { selector }).unwrap();
    assert_eq!(state.state(), wire::ReceiptState::Sealed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_receipt_comes_back_and_is_sealed_once() {
    let (running, _, unsealed) = recovered_issuer(&["A", "B"]).await;
    let taken = running.context.resubmit(SYSTEM, unsealed[0].request()).await.unwrap();
    assert_eq!((taken.state(), taken.replayed), (wire::ReceiptState::Sealed, false));
    assert_eq!(key(&taken), unsealed[0].acknowledgement.key);
    let twice = running.context.resubmit(SYSTEM, unsealed[0].request()).await.unwrap();
    assert_eq!((twice.state(), twice.replayed), (wire::ReceiptState::Sealed, true));
    let again = running.issue_sealed(&unsealed[0].draft).await.unwrap();
    assert_eq!((key(&again), again.replayed), (key(&taken), true));
    assert!(matches!(running.conclusion(&again.bundle), Conclusion::InForce { .. }));
    // The caller of the other one did not wait: its biz code has a new receipt, under a number that nobody had.
    let new = running.issue_sealed(&unsealed[1].draft).await.unwrap();
    assert!(!new.replayed);
    assert!(unsealed.iter().all(|kept| kept.acknowledgement.key.number < key(&new).number));
    let refusal = running.context.resubmit(SYSTEM, unsealed[1].request()).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "BIZ_CODE_CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_acknowledged_does_not_come_back() {
    let (running, _, unsealed) = recovered_issuer(&["A"]).await;
    let good = unsealed[0].request();
    let mut forged = good.signed_record.to_vec();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let mut other_draft = good.draft.clone().unwrap();
    other_draft.payer_name.push('氏');
    let edited = |edit: &dyn Fn(&mut wire::ResubmitRequest)| {
        let mut request = good.clone();
        edit(&mut request);
        request
    };
    for (request, system, reason) in [
        (edited(&|request| request.signed_record = forged.clone().into()), SYSTEM, "SIGNATURE_INVALID"),
        (edited(&|request| request.signed_record = vec![1, 2].into()), SYSTEM, "NOT_CANONICAL"),
        (edited(&|request| request.draft = Some(other_draft.clone())), SYSTEM, "FIELD_INVALID"),
        (edited(&|request| request.draft = None), SYSTEM, "FIELD_INVALID"),
        (edited(&|request| request.body_seed = vec![7; 32].into()), SYSTEM, "FIELD_INVALID"),
        (edited(&|request| request.check_code = "zz".to_owned()), SYSTEM, "FIELD_INVALID"),
        (good.clone(), STRANGER, "NOT_DELEGATED"),
    ] {
        let refusal = running.context.resubmit(system, request).await.unwrap_err();
        assert_eq!(refusal.reason.as_str(), reason, "{refusal:?}");
    }
    assert!(running.context.journal.receipt(unsealed[0].acknowledgement.key).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_may_still_be_given_out_is_not_taken_back() {
    let running = running().await;
    // Another journal of this issuer runs beside this one: nothing was recovered, nothing burnt.
    let dir = tempfile::tempdir().unwrap();
    let kept = {
        let chain = &mut running.ledger.chain.lock().unwrap();
        let mut lost = TestIssuer::start(init(dir.path(), chain), chain, 5);
        let draft = draft(chain, "S01", "A");
        Kept { acknowledgement: lost.issue_new(draft.clone()), draft }
    };
    let refusal = running.context.resubmit(SYSTEM, kept.request()).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "NUMBER_NOT_OWNED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_of_a_unit_that_has_another_name_now_comes_back_under_the_old_one() {
    let (running, sealed, unsealed) = recovered_issuer(&["A"]).await;
    let unit = running.context.view().unit_by_code(&unsealed[0].draft.unit_code).unwrap().id;
    for name in ["第二个名字", "第三个名字"] {
        let register = {
            let chain = running.ledger.chain.lock().unwrap();
            let mut units = chain.genesis().actions.iter().filter_map(|action| match action {
                Action::RegisterUnit(register) if register.unit_id == unit.get() => Some(register.clone()),
                _ => None,
            });
            units.next_back().unwrap()
        };
        let height =
            running.ledger.govern(vec![Action::RegisterUnit(RegisterUnit { name: name.to_owned(), ..register })]);
        let mut followed = running.context.followed.clone();
        followed.wait_for(|followed| followed.height >= height).await.unwrap();
        assert_eq!(running.context.view().unit(unit).unwrap().name, name);
    }
    let completed = running.context.resubmit(SYSTEM, sealed.request()).await.unwrap();
    assert_eq!(completed.state(), wire::ReceiptState::Sealed);
    let taken = running.context.resubmit(SYSTEM, unsealed[0].request()).await.unwrap();
    assert_eq!((taken.state(), taken.replayed), (wire::ReceiptState::Sealed, false));
    let again = running.issue_sealed(&unsealed[0].draft).await.unwrap();
    assert!(matches!(running.conclusion(&again.bundle), Conclusion::InForce { .. }));
    // Under a name that it never had, nothing comes back.
    let mut other = unsealed[0].request();
    other.body_seed = vec![7; 32].into();
    assert_eq!(running.context.resubmit(SYSTEM, other).await.unwrap_err().reason.as_str(), "FIELD_INVALID");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_was_called_void_is_not_taken_back() {
    let (running, _, _) = recovered_issuer(&[]).await;
    // The journal that gave it out runs beside this one, from the same segment: nobody recovered it.
    let dir = tempfile::tempdir().unwrap();
    let (kept, lease) = {
        let chain = &mut running.ledger.chain.lock().unwrap();
        let path = dir.path().join("journal");
        running.context.journal.copy_to(&path).unwrap();
        let journal = crate::journal::Journal::open(&path, running.context.journal.identity()).unwrap();
        let mut other = TestIssuer::start(journal, chain, 77);
        let draft = draft(chain, "S01", "other");
        let kept = Kept { acknowledgement: other.issue_new(draft.clone()), draft };
        let number = kept.acknowledgement.key.number.get();
        let view = other.registry.view();
        let unit = view.unit_by_code(&kept.draft.unit_code).unwrap().id;
        let segments = view.leased(unit, kept.acknowledgement.key.code);
        let id = segments.iter().find(|segment| (segment.first..=segment.last).contains(&number)).unwrap().id;
        (kept, crate::segments::registered(&other.journal, id).unwrap().segment)
    };
    let stopped = lease.clone();
    running.context.queue.errand(move |sequencer| sequencer.stop(&stopped)).await.unwrap();
    // Closed on the ledger, too: the segment is none of those that give out numbers.
    let close = receipt_core::governance::CloseSegment { segment_id: lease.segment_id };
    let height = running.ledger.govern(vec![Action::CloseSegment(close)]);
    running.context.followed.clone().wait_for(|followed| followed.height >= height).await.unwrap();
    let refusal = running.context.resubmit(SYSTEM, kept.request()).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "NUMBER_NOT_OWNED");
    assert!(refusal.message.contains("void"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_went_by_age_does_not_come_back_either() {
    use crate::journal::ErasureWrites as _;
    let (running, sealed, _) = recovered_issuer(&[]).await;
    let erase_up_to = |rule: &str| {
        let mut write = running.context.journal.write();
        write.put_erased_by_age(rule);
        write.commit(crate::journal::Durability::Synced).unwrap();
    };
    erase_up_to("06<=20261102");
    let refusal = running.context.resubmit(SYSTEM, sealed.request()).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "BODY_ERASED", "{refusal}");
    erase_up_to("06<=20261101");
    assert!(running.context.resubmit(SYSTEM, sealed.request()).await.is_ok());
    // What is here is whole, whatever the rule says: it goes with the next erasure.
    erase_up_to("06<=20261102");
    assert!(running.context.resubmit(SYSTEM, sealed.request()).await.unwrap().replayed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_body_does_not_come_back() {
    let (running, sealed, _) = recovered_issuer(&[]).await;
    let key = sealed.acknowledgement.key;
    let mut write = running.context.journal.write();
    write.erase_body(key, UnixMillis::new(5));
    write.commit(crate::journal::Durability::Synced).unwrap();
    let refusal = running.context.resubmit(SYSTEM, sealed.request()).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "BODY_ERASED");
    assert_eq!(running.context.journal.body(key).unwrap(), None);
}
