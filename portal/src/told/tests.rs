//! Whose word each thing is, of when it is, and that no name of a program is told to people.

use bytes::Bytes;
use receipt_core::block::Item;
use receipt_core::ids::UnixMillis;
use receipt_core::testkit::{TestChain, TestReceipt};
use tallystick_proto::issuer::v1::ReceiptKey as WireKey;
use tallystick_service::clock::FixedClock;

use super::*;

fn teller(chain: &TestChain, at: UnixMillis) -> Teller {
    Teller::new(chain.trust().clone(), Arc::new(FixedClock::new(at)))
}

fn genuine(receipt: &TestReceipt, state: ReceiptState) -> Genuine {
    Genuine { state: state.into(), signed_record: Bytes::from(receipt.record.clone()), ..Genuine::default() }
}

/// The paragraphs under a heading.
fn under(html: &str, heading: &str) -> String {
    let rest = html.split(&format!("<dt>{heading} ")).nth(1).unwrap_or_else(|| panic!("{heading} is not in {html}"));
    rest.split("<dd>").nth(1).unwrap().split("</dd>").next().unwrap().to_owned()
}

fn says_whose_words_they_are(html: &str) {
    assert!(under(html, "本站").contains("只转述，不作判断"), "{html}");
    assert!(!under(html, "开票单位的系统说").is_empty());
    for name in ["入账", "REFUSED", "NUMBER_USED", "PENDING", "SEALED", "…"] {
        assert!(!html.contains(name), "{name}: {html}");
    }
}

#[test]
fn a_sealed_one_comes_with_its_proof_and_the_time_of_it() {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&receipt));
    let mut sealed = genuine(&receipt, ReceiptState::Sealed);
    sealed.bundle = Bytes::from(chain.bundle(&receipt).encode());
    sealed.set_standing(Standing::InForce);
    let teller = teller(&chain, chain.now().plus_millis(3 * 86_400_000));
    assert_eq!(teller.question(&sealed), None, "its proof is there");
    let html = teller.tell(&sealed, None);
    says_whose_words_they_are(&html);
    assert!(under(&html, "开票单位的系统说").contains("五项相符，票据已上链，没有冲红。"), "{html}");
    assert!(under(&html, "所附证明的时间").contains("三天前的状态（20"), "{html}");
    assert!(under(&html, "所附证明的时间").contains("state as of 3 days ago (20"), "{html}");
    sealed.set_standing(Standing::Reversed);
    sealed.reversed_by = Some(WireKey { receipt_code: "99060126".to_owned(), receipt_number: "0000000007".to_owned() });
    let html = teller.tell(&sealed, None);
    says_whose_words_they_are(&html);
    let told = under(&html, "开票单位的系统说");
    assert!(
        told.contains("不再有效") && told.contains("99060126-0000000007") && told.contains("请勿凭此报销"),
        "{told}"
    );
}

#[test]
fn a_refused_one_is_told_with_its_reason_and_what_stands_in_its_place() {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&receipt));
    let twin = chain.issue_draft(receipt.receipt.draft.clone(), Vec::new());
    let batch = chain.batch(vec![twin.record.clone()]);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let mut refused = genuine(&twin, ReceiptState::Refused);
    refused.refused_reason = Reason::BizCodeUsed.as_str().to_owned();
    let teller = teller(&chain, chain.now());
    assert_eq!(teller.question(&refused).unwrap().key, twin.signed.record.key);
    let checkpoint = chain.blocks().last().unwrap().checkpoint.clone();
    let key = receipt.signed.record.key;
    let answer = Answer::Refused { checkpoint, place: chain.place(&twin.record), replaced_by: Some(key) };
    let html = teller.tell(&refused, Some(&answer));
    says_whose_words_they_are(&html);
    assert!(under(&html, "开票单位的系统说").contains("账本拒绝了这张票据：业务流水号已被使用。"), "{html}");
    let told = under(&html, "账本的节点答复");
    assert!(told.contains("的状态（20") && told.contains(&format!("同一业务的票据是{key}。")), "{told}");
    assert!(html.contains(&format!("href=\"/V#{}\"", digits(&twin.record))), "{html}");
    // Whatever the issuer's system writes there is no markup.
    refused.refused_reason = "<b>".to_owned();
    let html = teller.tell(&refused, None);
    says_whose_words_they_are(&html);
    assert!(html.contains("账本没有接受这张票据") && !html.contains("<b>"), "{html}");
    assert!(under(&html, "账本").contains("暂时连不上账本"), "{html}");
}

/// For ever "being anchored" is what a lost receipt would be told.
#[test]
fn what_the_ledger_does_not_have_is_in_time_or_overdue_by_the_nodes_word() {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&receipt));
    let waiting = chain.issue("S02");
    let pending = genuine(&waiting, ReceiptState::Pending);
    let seal_by = waiting.signed.record.seal_by;
    let teller = teller(&chain, seal_by.plus_millis(60_000));
    let validators = chain.validators_at(chain.height())[..3].to_vec();
    for (seconds, words, others) in
        [(seal_by.seconds(), "请届时再查", "报告漏记"), (seal_by.seconds() + 1, "查询的答复说至今未上链", "请届时再查")]
    {
        let checkpoint = chain.checkpoint_note(chain.log().size(), &validators, seconds);
        let html = teller.tell(&pending, Some(&Answer::Absent { checkpoint }));
        says_whose_words_they_are(&html);
        let told = under(&html, "账本的节点答复");
        assert!(told.contains("账本里没有这张票据") && told.contains(words) && !told.contains(others), "{told}");
    }
    // A node whose checkpoint nobody stands behind dates nothing.
    let html = teller.tell(&pending, Some(&Answer::Absent { checkpoint: String::new() }));
    assert!(!html.contains("的状态") && !html.contains("承诺"), "{html}");
}
