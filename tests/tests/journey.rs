//! One receipt's whole journey through real processes: issued over mTLS, signed, batched, ordered by four validators,
//! sealed, verified offline, audited from genesis.

use receipt_core::ids::UnixMillis;
use receipt_core::note::{Checkpoint, SignedNote};
use receipt_core::verdict::{Conclusion, verify_bundle};
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::{GetReceiptRequest, ReceiptKey, ReceiptState, Standing, Wait, get_receipt_request};
use tallystick_proto::ledger::v1::GetCheckpointRequest;
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::TestNetwork;

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_issued_sealed_verified_and_audited() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let trust = network.trust().unwrap();
    let generated = network.receipts(1).unwrap().outpatient().unwrap();
    let client = network.issuer_client(1, Caller::System(generated.system_id)).await.unwrap();

    let issued = issue_one(client.clone(), &generated, Wait::Sealed).await.unwrap();
    assert_eq!(issued.response.state(), ReceiptState::Sealed);
    assert!(!issued.response.replayed);

    // The citizen: offline, from the bundle and the trust file alone.
    let bundle = issued.response.bundle.to_vec();
    let now = SystemClock.now();
    let verdict = verify_bundle(&bundle, &trust, now);
    assert!(verdict.is_in_force(), "{:?}", verdict.conclusion);
    let receipt = verdict.receipt.as_ref().unwrap();
    assert_eq!(receipt.draft, generated.draft);
    assert_eq!(receipt.issued.receipt_number.to_string(), issued.key.1);
    assert!(verdict.signers.len() >= 3, "{:?}", verdict.signers);
    for position in (0..bundle.len()).step_by(97) {
        let mut flipped = bundle.clone();
        flipped[position] ^= 1;
        let verdict = verify_bundle(&flipped, &trust, now);
        // Another chain, format or signer is one that cannot be judged here; everything else is invalid.
        assert!(!verdict.is_proved(), "byte {position}: {:?}", verdict.conclusion);
    }
    let before_genesis = verify_bundle(&bundle, &trust, UnixMillis::new(1));
    assert!(matches!(before_genesis.conclusion, Conclusion::Invalid(_)), "signed in the future");

    // The unit: its receipt is sealed and in force, and asking again with the same content changes nothing.
    let key = ReceiptKey { receipt_code: issued.key.0.clone(), receipt_number: issued.key.1.clone() };
    let request = GetReceiptRequest { selector: Some(get_receipt_request::Selector::Key(key)) };
    let state = client.clone().get_receipt(request).await.unwrap().into_inner();
    assert_eq!((state.state(), state.standing()), (ReceiptState::Sealed, Standing::InForce));
    assert_eq!(state.signed_record, issued.response.signed_record);
    let replayed = issue_one(client.clone(), &generated, Wait::Sealed).await.unwrap();
    assert!(replayed.response.replayed);
    assert_eq!(replayed.key, issued.key);
    assert_eq!(replayed.response.signed_record, issued.response.signed_record);

    // The validators: one tip, and a checkpoint that the trust file accepts at each.
    let tip = network.wait_equal_tips().await.unwrap();
    assert!(tip.sealed_height >= 1);
    for node in &network.description().nodes {
        let mut ledger = network.ledger_client(node.validator_id, Caller::Auditor).await.unwrap();
        let answer = ledger.get_checkpoint(GetCheckpointRequest {}).await.unwrap().into_inner();
        let trusted = trust.verify_checkpoint(&answer.checkpoint).unwrap();
        assert_eq!(trusted.root.as_bytes().as_slice(), tip.sealed_root.as_ref());
        let note = SignedNote::parse(answer.checkpoint.as_bytes()).unwrap();
        assert_eq!(Checkpoint::parse(note.text()).unwrap().size().get(), tip.sealed_tree_size);
    }

    // The audit office: everything from genesis, with software of its own.
    network.audit(1).await.unwrap();
    drop(client);
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
