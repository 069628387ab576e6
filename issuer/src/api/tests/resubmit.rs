use receipt_core::governance::RegisterUnit;
use receipt_core::ids::{ReceiptCode, ReceiptKey as Key, ReceiptNumber};

use super::reissue::remainder_of;
use super::*;
use crate::issue::{Acknowledgement, Issued};
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
    let dir = scratch::Directory::new();
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

/// An issuer recovered from a backup that has an original; the lost one had reversed it and re-issued the rest, all of it sealed. The original,
/// and what the caller kept of the re-issue.
pub(super) async fn recovered_reissuer() -> (Running, wire::IssueResponse, Kept) {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut lost = TestIssuer::start(init(&dir.path().join("lost"), &chain), &chain, 1);
    let seal = |lost: &mut TestIssuer, chain: &mut TestChain| {
        let (_, request) = lost.cut();
        chain.add_items(vec![offered(&request)]).unwrap();
        lost.follow(chain);
    };
    let original_draft = draft(&mut chain, "S01", "O");
    let original = lost.issue_new(original_draft.clone()).key;
    seal(&mut lost, &mut chain);
    let journal = lose_and_restore(&lost.journal, &dir.path().join("journal"));
    lost.reverse(&original_draft, original, "X").unwrap();
    seal(&mut lost, &mut chain);
    let receipt = lost.content(original);
    let rest = remainder_of(&mut chain, &receipt, "R1");
    let prepared = lost.prepare(rest.clone(), Some(&receipt)).unwrap();
    let Ok(Issued::New(acknowledgement)) = lost.sequencer.issue(vec![prepared]).unwrap().remove(0) else {
        panic!("not new")
    };
    seal(&mut lost, &mut chain);
    drop(lost);
    let journal = recovered(journal, &dir.path().join("journal"), &mut chain);
    let ledger = FakeLedger::new(chain);
    let channel = ledger.serve().await;
    let original = wire::IssueResponse {
        receipt_code: original.code.to_string(),
        receipt_number: original.number.to_string(),
        ..wire::IssueResponse::default()
    };
    let kept = Kept { draft: rest, acknowledgement: *acknowledgement };
    (running_on(dir, journal, ledger, vec![("node".to_owned(), channel)]), original, kept)
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
    let dir = scratch::Directory::new();
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
    let dir = scratch::Directory::new();
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

/// How far receipts had come.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Waiting,
    Cut,
    Sealed,
}

/// An issuer whose journal has everything in tables and blob files, one byte of which is spoiled by `spoil`, and what the callers kept.
async fn rotten_issuer(stage: Stage, spoil: impl Fn(&std::path::Path)) -> (Running, Vec<Kept>) {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut before = TestIssuer::start(init(&dir.path().join("before"), &chain), &chain, 1);
    let kept = (0..3).map(|number| {
        let draft = draft(&mut chain, "S01", &format!("B{number}"));
        Kept { acknowledgement: before.issue_new(draft.clone()), draft }
    });
    let kept: Vec<Kept> = kept.collect();
    if stage != Stage::Waiting {
        let (_, request) = before.cut();
        if stage == Stage::Sealed {
            chain.add_items(vec![offered(&request)]).unwrap();
            before.follow(&chain);
        }
    }
    let path = dir.path().join("journal");
    before.journal.copy_to(&path).unwrap();
    let identity = before.journal.identity();
    drop(before);
    spoil(&path);
    let journal = crate::journal::Journal::open(&path, identity).unwrap();
    let ledger = FakeLedger::new(chain);
    let channel = ledger.serve().await;
    (running_on(dir, journal, ledger, vec![("node".to_owned(), channel)]), kept)
}

/// Flips a byte of the newest file with this extension that `wanted` takes.
fn flip(journal: &std::path::Path, extension: &str, wanted: impl Fn(&[u8]) -> Option<usize>) {
    let files = std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    let mut flipped = 0;
    for file in files.filter(|path| path.extension() == Some(extension.as_ref())) {
        let mut bytes = std::fs::read(&file).unwrap();
        if let Some(at) = wanted(&bytes) {
            bytes[at] ^= 1;
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, bytes).unwrap();
            flipped += 1;
        }
    }
    assert_eq!(flipped, 1);
}

/// Where to spoil the table that has the biz codes' notes beside the records, which is that of the records.
fn records(bytes: &[u8]) -> Option<usize> {
    let text = b"\x0a\x02B0";
    let is_records = bytes.windows(text.len()).any(|window| window == text);
    is_records.then_some(40)
}

fn inspector() -> crate::check::ReceiptInspector {
    let cipher = crate::body::BodyCipher::new(&tallystick_service::keyfile::Secret::new([5; 32]));
    crate::check::ReceiptInspector::new(std::sync::Arc::new(cipher))
}

fn findings(running: &Running) -> tallystick_anchoring::check::Findings {
    tallystick_anchoring::check::Pass::new(&running.context.journal, &inspector()).run().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_whose_body_has_rotted_is_mended_by_its_caller() {
    let (running, kept) =
        rotten_issuer(Stage::Sealed, |journal| flip(journal, "blob", |bytes| Some(bytes.len() / 2))).await;
    let found = findings(&running);
    assert_eq!(found.faults, 1, "{found:?}");
    let damaged = |kept: &&Kept| found.named[0].name == format!("receipt {}", kept.acknowledgement.key);
    let damaged = kept.iter().find(damaged).unwrap();
    let request = wire::GetBundleRequest { selector: Some(wire::get_bundle_request::Selector::Key(damaged.key())) };
    let refusal = running.context.get_bundle(SYSTEM, request).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "INTERNAL");
    let mended = running.context.resubmit(SYSTEM, damaged.request()).await.unwrap();
    assert_eq!((mended.state(), mended.replayed), (wire::ReceiptState::Sealed, true));
    let again = running.issue_sealed(&damaged.draft).await.unwrap();
    assert!(matches!(running.conclusion(&again.bundle), Conclusion::InForce { .. }));
    let found = findings(&running);
    assert!(found.is_sound(), "{found:?}");
    // One that is whole is left as it is.
    let body = running.context.journal.body(damaged.acknowledgement.key).unwrap();
    running.context.resubmit(SYSTEM, damaged.request()).await.unwrap();
    assert_eq!(running.context.journal.body(damaged.acknowledgement.key).unwrap(), body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_whose_record_cannot_be_read_is_mended_and_stops_nobody() {
    let (running, kept) = rotten_issuer(Stage::Sealed, |journal| flip(journal, "sst", records)).await;
    let unreadable = running.context.journal.receipt(kept[0].acknowledgement.key).unwrap_err();
    assert!(unreadable.is_damage(), "{unreadable}");
    // Whoever asks is refused, and the issuer goes on for everybody else.
    let refusal = running.issue_sealed(&kept[0].draft).await.unwrap_err();
    assert_eq!(refusal.reason.as_str(), "OUTCOME_UNKNOWN");
    let new = running.draft("S01", "new");
    assert!(!running.issue_sealed(&new).await.unwrap().replayed);
    // Written anew, it would lose what only the callers have.
    let (inspector, copy) = (inspector(), running.dir.path().join("copy"));
    let refused = running.context.journal.write_anew(&copy, &inspector).unwrap_err();
    assert!(refused.to_string().contains("receipt 99") && refused.to_string().contains("`Resubmit`"), "{refused}");
    std::fs::remove_dir_all(&copy).unwrap();
    for kept in &kept {
        let mended = running.context.resubmit(SYSTEM, kept.request()).await.unwrap();
        assert_eq!((mended.state(), mended.replayed), (wire::ReceiptState::Sealed, true));
    }
    // A bundle takes all records of its batch.
    for kept in &kept {
        let again = running.issue_sealed(&kept.draft).await.unwrap();
        assert!(matches!(running.conclusion(&again.bundle), Conclusion::InForce { .. }));
        assert_eq!(again.signed_record, kept.acknowledgement.signed_record);
    }
    // Every receipt can be read; the rotten table is still there, and goes when the journal is written anew.
    let found = findings(&running);
    assert!(found.named.iter().all(|fault| fault.name == "the journal's records"), "{found:?}");
    assert_eq!(found.faults, 1);
    let copy = running.context.journal.write_anew(&copy, &inspector).unwrap();
    let found = tallystick_anchoring::check::Pass::new(&copy, &inspector).run().unwrap();
    assert_eq!((found.faults, found.records), (0, 4), "{found:?}");
    assert_eq!(copy.receipt(kept[0].acknowledgement.key).unwrap().unwrap().biz_code, "B0");
    assert_eq!(copy.step().unwrap(), running.context.journal.step().unwrap());
}

/// Before, each start ended with it, and no caller could mend it.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_that_are_not_sealed_and_cannot_be_read_are_sealed_once_their_callers_hand_them_back() {
    for stage in [Stage::Waiting, Stage::Cut] {
        let (running, kept) = rotten_issuer(stage, |journal| flip(journal, "sst", records)).await;
        let new = running.draft("S01", "new");
        if stage == Stage::Waiting {
            assert!(!running.issue_sealed(&new).await.unwrap().replayed, "others are sealed meanwhile");
        }
        let found = findings(&running);
        for kept in &kept {
            let name = format!("receipt {}", kept.acknowledgement.key);
            assert!(found.named.iter().any(|fault| fault.name == name), "{name}: {found:?}");
        }
        for kept in &kept {
            let request = wire::ResubmitRequest { wait: wire::Wait::Pending.into(), ..kept.request() };
            assert!(running.context.resubmit(SYSTEM, request).await.unwrap().replayed);
        }
        for kept in &kept {
            let sealed = running.issue_sealed(&kept.draft).await.unwrap();
            assert_eq!(sealed.state(), wire::ReceiptState::Sealed);
            assert_eq!(sealed.signed_record, kept.acknowledgement.signed_record);
            assert!(matches!(running.conclusion(&sealed.bundle), Conclusion::InForce { .. }));
        }
        assert_eq!(running.issue_sealed(&new).await.unwrap().state(), wire::ReceiptState::Sealed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_that_are_handed_back_together_share_one_synced_write() {
    let (running, _, unsealed) = recovered_issuer(&["A", "B", "C"]).await;
    let context = std::sync::Arc::clone(&running.context);
    let before = context.journal.step().unwrap().unwrap();
    // The one writer is busy until all of them wait.
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let queue = context.queue.clone();
    let busy = tokio::spawn(async move {
        queue
            .errand(move |_| {
                let _ = begun.send(());
                let _ = held.recv();
                Ok(())
            })
            .await
    });
    begins.await.unwrap();
    let idle = format!("{:?}", context.queue);
    let calls: Vec<_> = [0, 1, 2, 0]
        .map(|index: usize| {
            let mut request = unsealed[index].request();
            request.wait = wire::Wait::Pending.into();
            let context = std::sync::Arc::clone(&context);
            tokio::spawn(async move { context.resubmit(SYSTEM, request).await })
        })
        .into();
    let free = |text: &str| text.trim_start_matches("IssueQueue(").split(' ').next().unwrap().parse::<usize>().unwrap();
    while free(&idle) - free(&format!("{:?}", context.queue)) < calls.len() {
        tokio::task::yield_now().await;
    }
    let_go.send(()).unwrap();
    busy.await.unwrap().unwrap();
    let mut replayed = Vec::new();
    for call in calls {
        replayed.push(call.await.unwrap().unwrap().replayed);
    }
    assert_eq!(replayed.iter().filter(|replayed| **replayed).count(), 1, "one was handed back twice: {replayed:?}");
    assert_eq!(context.journal.step().unwrap(), Some(before + 1), "one write for all of them");
    assert_eq!(context.journal.outbox_end().unwrap(), 3);
}
