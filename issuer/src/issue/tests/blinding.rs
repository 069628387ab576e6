//! What is issued, and under which keys, while blinding epochs come and go.

use receipt_core::blind::BlindingSecret;
use receipt_core::block::Item;
use receipt_core::fingerprint::Fingerprint;
use receipt_core::governance::{Action, RegisterBlinding, WithdrawBlinding};
use receipt_core::suite::Suite;
use receipt_core::testkit::blinding_secret;

use super::*;
use crate::blinding::Blinding;
use crate::secrets::SecretsWatch;
use crate::testing::Held;

fn secret(epoch: u32, byte: u8) -> BlindingSecret {
    BlindingSecret::new(Suite::Ed25519Sha256, epoch, &[byte; 32])
}

fn govern(chain: &mut TestChain, action: Action) {
    let message = chain.governance(vec![action]);
    chain.add_items(vec![Item::Governance(message)]).unwrap();
}

/// Registers the secret of an epoch on the ledger.
fn register(chain: &mut TestChain, secret: &BlindingSecret) {
    let fingerprint = Fingerprint::of_blinding(secret).0.to_vec();
    govern(chain, Action::RegisterBlinding(RegisterBlinding { epoch: secret.epoch(), fingerprint }));
}

/// With another secret than the ledger's, as on a new journal that was made before the ledger had one, a payment would get a second receipt.
#[test]
fn nothing_is_issued_under_another_blinding_secret_than_the_ledgers() {
    let first = || blinding_secret(Suite::Ed25519Sha256);
    let rows = [
        (Blinding::new(secret(1, 9), Vec::new()), "it is not the blinding secret of epoch 1"),
        (Blinding::new(secret(2, 9), Vec::new()), "the blinding secret of epoch 1"),
        (Blinding::new(secret(2, 9), vec![first()]), "epoch 2 (fingerprint"),
        (Blinding::new(secret(2, 77), Vec::new()), "for epoch 2 is that of epoch 1"),
    ];
    for (blinding, says) in rows {
        let dir = scratch::Directory::new();
        let mut chain = TestChain::new();
        let held = Held { blinding, ..Held::default() };
        let mut issuer = TestIssuer::start_with(init(dir.path(), &chain), &chain, 1, held);
        let keys = Arc::clone(&issuer.keys);
        let mut watch = SecretsWatch::new(keys, Arc::clone(&issuer.registry), Arc::clone(&issuer.gate));
        let problem = watch.look().unwrap();
        assert!(problem.contains(says), "{problem}");
        let refused = issuer.issue(vec![draft(&mut chain, "S01", "A")]);
        assert_eq!(reason(&refused[0]), CallReason::NotReady.into(), "{says}");
        let told = refused[0].as_ref().unwrap_err().message.clone();
        assert!(!told.contains("fingerprint") && !told.contains("docs/"), "{told}");
    }
}

#[test]
fn a_new_epoch_opens_an_issuer_once_the_ledger_has_registered_it() {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let next = secret(2, 9);
    let held =
        Held { blinding: Blinding::new(next.clone(), vec![blinding_secret(Suite::Ed25519Sha256)]), ..Held::default() };
    let mut issuer = TestIssuer::start_with(init(dir.path(), &chain), &chain, 1, held);
    let draft_a = draft(&mut chain, "S01", "A");
    assert_eq!(reason(&issuer.issue(vec![draft_a.clone()])[0]), CallReason::NotReady.into());
    register(&mut chain, &next);
    issuer.follow(&chain);
    let acknowledgement = issuer.issue_new(draft_a);
    let record = SignedRecord::decode(&acknowledgement.signed_record).unwrap().record;
    assert_eq!(record.key_epoch, 2);
    let epochs: Vec<u32> = record.uniqueness_keys.iter().map(|key| key.epoch).collect();
    assert_eq!((epochs.iter().filter(|epoch| **epoch == 1).count(), epochs.len() % 2), (epochs.len() / 2, 0));
    assert!(epochs.contains(&2), "{epochs:?}");
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    assert!(matches!(fate(&issuer.journal, acknowledgement.key).unwrap(), Fate::Sealed { .. }));
}

/// A payment that was receipted under the secret of before is known again.
#[test]
fn a_payment_of_a_former_epoch_has_its_receipt() {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let mut issuer = TestIssuer::start(init(dir.path(), &chain), &chain, 1);
    let first = draft(&mut chain, "S01", "A");
    issuer.issue_new(first.clone());
    let next = secret(2, 9);
    register(&mut chain, &next);
    issuer.follow(&chain);
    drop(issuer);
    let held = Held { blinding: Blinding::new(next, vec![blinding_secret(Suite::Ed25519Sha256)]), ..Held::default() };
    let journal = Journal::open(dir.path(), identity(&chain)).unwrap();
    let mut issuer = TestIssuer::start_with(journal, &chain, 2, held);
    let again = ReceiptDraft { biz_code: "B".to_owned(), ..first };
    assert_eq!(reason(&issuer.issue(vec![again])[0]), Reason::PaymentReceipted.into());
}

/// Nothing more is issued in it; what was acknowledged before is anchored, and its payment stays known in whichever epoch the issuer goes on.
#[test]
fn a_withdrawn_epoch_ends_issuing_and_loses_nothing() {
    let dir = scratch::Directory::new();
    let mut chain = TestChain::new();
    let (first, second) = (blinding_secret(Suite::Ed25519Sha256), secret(2, 9));
    register(&mut chain, &second);
    let holding = |own: &BlindingSecret, others: &[&BlindingSecret]| Held {
        blinding: Blinding::new(own.clone(), others.iter().map(|other| (*other).clone()).collect()),
        ..Held::default()
    };
    let mut issuer = TestIssuer::start_with(init(dir.path(), &chain), &chain, 1, holding(&second, &[&first]));
    issuer.follow(&chain);
    let paid = draft(&mut chain, "S01", "A");
    let acknowledged = issuer.issue_new(paid.clone()).key;
    govern(&mut chain, Action::WithdrawBlinding(WithdrawBlinding { epoch: 2 }));
    issuer.follow(&chain);
    let refused = issuer.issue(vec![draft(&mut chain, "S01", "B")]);
    assert_eq!(reason(&refused[0]), CallReason::NotReady.into());
    let keys = Arc::clone(&issuer.keys);
    let mut watch = SecretsWatch::new(keys, Arc::clone(&issuer.registry), Arc::clone(&issuer.gate));
    let problem = watch.look().unwrap();
    assert!(problem.contains("blinding epoch 2 was withdrawn on the ledger"), "{problem}");
    let (_, request) = issuer.cut();
    chain.add_items(vec![offered(&request)]).unwrap();
    issuer.follow(&chain);
    assert!(matches!(fate(&issuer.journal, acknowledged).unwrap(), Fate::Sealed { .. }));
    drop(issuer);

    let third = secret(3, 10);
    register(&mut chain, &third);
    // Back to the epoch before, and on to the next one, without the withdrawn one's secret and with it.
    let starts = [holding(&first, &[]), holding(&third, &[&first]), holding(&third, &[&first, &second])];
    for (start, held) in (2..).zip(starts) {
        let journal = Journal::open(dir.path(), identity(&chain)).unwrap();
        let mut issuer = TestIssuer::start_with(journal, &chain, start, held);
        issuer.follow(&chain);
        let again = ReceiptDraft { biz_code: format!("again-{start}"), ..paid.clone() };
        assert_eq!(reason(&issuer.issue(vec![again])[0]), Reason::PaymentReceipted.into(), "{start}");
        assert_eq!(issuer.issue(vec![paid.clone()]), vec![Ok(Issued::Existing(acknowledged))], "{start}");
        // A draft of another payment.
        chain.issue("S01");
        issuer.issue_new(draft(&mut chain, "S01", &format!("new-{start}")));
    }
}
