use tallystick_proto::errors::Stands;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_unit_has_bundles_of_before_and_after() {
    let running = running().await;
    let draft = running.draft("S01", "A");
    let before = running.issue_sealed(&draft).await.unwrap();
    let old = running.registered_unit(&draft.unit_code);
    let renamed = RegisterUnit { name: format!("{}（新）", old.name), ..old };
    running.govern(vec![Action::RegisterUnit(renamed.clone())]).await;
    let after = running.sealed("S01", "B").await;
    assert!(after.bundle.is_empty(), "no credential names the unit so");
    let refusal = running.bundle(&after).await.unwrap_err();
    // A condition of the issuer that passes: it is not "never", and callers are told no file.
    assert_eq!((refusal.reason.as_str(), refusal.retry_after_ms), ("NOT_READY", Some(60_000)), "{refusal}");
    assert_eq!(refusal.advice.receipt, Stands::Yes);
    assert!(!refusal.message.contains(".credential") && refusal.message.contains("is sealed"), "{refusal}");
    let key = UNIT_KEY_BASE + renamed.unit_id;
    assert!(matches!(running.bundle(&before).await.unwrap(), Conclusion::InForce { .. }));

    // Put beside the old one, it counts at once; a file that is none stops nobody.
    let credential = credential_of(&running.ledger.chain.lock().unwrap(), &renamed).encode();
    std::fs::write(running.dir.path().join(format!("{key}-2.credential")), credential).unwrap();
    std::fs::write(running.dir.path().join(format!("{key}-1.credential")), [1, 2, 3]).unwrap();
    for response in [&before, &after] {
        assert!(matches!(running.bundle(response).await.unwrap(), Conclusion::InForce { .. }));
    }
}

/// Two of three authorities are replaced: what is anchored from then on needs a credential that the new ones signed.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_authorities_has_bundles_of_before_and_after() {
    let running = running().await;
    let before = running.issue_sealed(&running.draft("S01", "A")).await.unwrap();
    running.ledger.chain.lock().unwrap().replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    let after = running.sealed("S01", "B").await;
    assert!(after.bundle.is_empty(), "no credential of those who are in force now");
    let refusal = running.bundle(&after).await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), refusal.advice.receipt), ("NOT_READY", Stands::Yes), "{refusal}");
    assert!(matches!(running.bundle(&before).await.unwrap(), Conclusion::InForce { .. }));

    let unit = running.registered_unit(&running.draft("S01", "-").unit_code);
    let key = UNIT_KEY_BASE + unit.unit_id;
    let credential = credential_of(&running.ledger.chain.lock().unwrap(), &unit).encode();
    std::fs::write(running.dir.path().join(format!("{key}-2.credential")), credential).unwrap();
    for response in [&before, &after] {
        assert!(matches!(running.bundle(response).await.unwrap(), Conclusion::InForce { .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_receipt_stays_sealed_while_no_node_gives_a_proof() {
    let ledger = FakeLedger::new(TestChain::new());
    let forger = ledger.with_status_fault(StatusFault::Forged).serve().await;
    let running = running_over(ledger, vec![("forger".to_owned(), forger)]);
    let sealed = running.sealed("S01", "A").await;
    assert!(sealed.bundle.is_empty(), "no bundle, and sealed all the same");
    let refusal = running.bundle(&sealed).await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), refusal.advice.receipt), ("LEDGER_UNAVAILABLE", Stands::Yes));
    assert!(refusal.message.contains("is sealed") && !refusal.message.contains("pending"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_behind_the_reversal_or_forges_stops_no_bundle_and_shows_none_in_force() {
    let ledger = FakeLedger::new(TestChain::new());
    let behind = ledger.with_status_fault(StatusFault::Repeats(Arc::default())).serve().await;
    let forger = ledger.with_status_fault(StatusFault::Forged).serve().await;
    let honest = ledger.serve().await;
    let nodes = [("forger", forger), ("behind", behind), ("honest", honest)];
    let running = running_over(ledger, nodes.map(|(name, channel)| (name.to_owned(), channel)).to_vec());
    let original = running.sealed("S01", "A").await;
    assert!(matches!(running.conclusion(&original.bundle), Conclusion::InForce { .. }));
    let unit = running.draft("S01", "-").unit_code;
    let red = running.context.reverse(SYSTEM, running.reversal(&unit, &original, "R")).await.unwrap();
    assert_eq!(red.state(), wire::ReceiptState::Sealed);
    assert!(matches!(running.bundle(&original).await.unwrap(), Conclusion::Reversed { .. }));
}
