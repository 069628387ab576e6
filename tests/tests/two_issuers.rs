//! A unit with two issuers hands one transaction to both: the ledger takes it once, and the other copy ends refused, with its
//! reason, at the issuer that had acknowledged it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use receipt_core::reason::Reason;
use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_proto::issuer::v1::{GetReceiptResponse, ReceiptState};
use tallystick_tests::TestNetwork;
use tallystick_tests::judgement::{SEAL_TIMEOUT, state_of};
use tallystick_tests::load::{Acked, Clients, clients, issue};

const RECEIPTS: usize = 30;
const POLL_INTERVAL: Duration = Duration::from_millis(20);

async fn outcome(clients: &Clients, acked: &Acked) -> GetReceiptResponse {
    let deadline = Instant::now() + SEAL_TIMEOUT;
    loop {
        let state = state_of(clients, acked).await.unwrap();
        if state.state() != ReceiptState::Pending {
            return state;
        }
        assert!(Instant::now() < deadline, "{} is still pending", acked.receipt.draft.biz_code);
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_transaction_at_two_issuers_is_sealed_once() {
    let options = NetworkOptions { issuers: 2, ..NetworkOptions::default() };
    let network = TestNetwork::start(&options).await.unwrap();
    let (first, second) = (clients(&network, 1).await.unwrap(), clients(&network, 2).await.unwrap());
    let mut generator = network.receipts(1).unwrap();
    let (mut sealed_at_first, mut pairs) = (0, Vec::new());
    for _ in 0..RECEIPTS {
        let receipt = generator.mixed().unwrap();
        let (one, two) = tokio::join!(issue(&first, receipt.clone()), issue(&second, receipt));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_ne!(one.key, two.key, "the issuers' numbers are apart");
        pairs.push((one, two));
    }
    for (one, two) in &pairs {
        let (at_first, at_second) = (outcome(&first, one).await, outcome(&second, two).await);
        let (sealed, refused) = match at_first.state() {
            ReceiptState::Sealed => (&at_first, &at_second),
            _ => (&at_second, &at_first),
        };
        let biz_code = &one.receipt.draft.biz_code;
        assert_eq!((sealed.state(), refused.state()), (ReceiptState::Sealed, ReceiptState::Refused), "{biz_code}");
        assert_eq!(refused.refused_reason, Reason::BizCodeUsed.as_str(), "{biz_code}");
        sealed_at_first += u32::from(at_first.state() == ReceiptState::Sealed);
    }
    println!("{sealed_at_first} of {RECEIPTS} were sealed through the first issuer");
    // Asked again, each issuer says the same.
    for (one, two) in &pairs {
        for (clients, acked) in [(&first, one), (&second, two)] {
            let again = issue(clients, acked.receipt.clone()).await.unwrap();
            assert_eq!((&again.key, again.response.replayed), (&acked.key, true));
            let expected = outcome(clients, acked).await;
            assert_eq!(
                (again.response.state(), again.response.refused_reason),
                (expected.state(), expected.refused_reason)
            );
        }
    }
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    // The alarm is the point: a person must look at a receipt that was acknowledged and not taken.
    let alarm =
        AllowList::lifecycle().and("issuer-", &["ALARM: the ledger refused an acknowledged receipt", "BIZ_CODE_USED"]);
    network.finish(&alarm).await.unwrap();
}
