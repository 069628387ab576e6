//! The orderly end of a node on which others hang: it does not wait for them.

use tallystick_devnet::logs::AllowList;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::errors::{CallReason, ErrorReason, Refusal};
use tallystick_proto::ledger::v1::StreamBlocksRequest;
use tallystick_tests::TestNetwork;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_node_ends_cleanly_and_says_so_to_its_followers() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    network.wait_equal_tips().await.unwrap();
    let mut streams = Vec::new();
    for caller in [Caller::Auditor, Caller::Operator, Caller::Validator(2)] {
        let mut ledger = network.ledger_client(1, caller).await.unwrap();
        let request = StreamBlocksRequest { from_height: 0, with_records: true, follow: true };
        let mut blocks = ledger.stream_blocks(request).await.unwrap().into_inner();
        assert_eq!(blocks.message().await.unwrap().unwrap().height, 0);
        streams.push(blocks);
    }
    // Strangers who hold the public ports open: one says nothing, one half a request.
    let addresses = network.node_addresses(1).unwrap();
    let mut strangers = Vec::new();
    for (address, said) in [(addresses.http, ""), (addresses.http, "GET /checkpoint HT"), (addresses.grpc, "")] {
        let mut stranger = TcpStream::connect(address).await.unwrap();
        stranger.write_all(said.as_bytes()).await.unwrap();
        strangers.push(stranger);
    }

    // A task that has to be aborted after the drain's deadline makes the exit code another.
    let status = network.node(1).unwrap().terminate().await.unwrap();
    assert!(status.success(), "{status}");
    for mut blocks in streams {
        let ended = loop {
            match blocks.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ends as if it were complete"),
                Err(status) => break status,
            }
        };
        let refusal = Refusal::from_status(&ended).unwrap_or_else(|| panic!("{ended:?}"));
        assert_eq!(refusal.reason, ErrorReason::Call(CallReason::ShuttingDown));
    }
    for mut stranger in strangers {
        // Cut or closed: either way it is over.
        let _ = stranger.read_to_end(&mut Vec::new()).await;
    }
    network.node(1).unwrap().start().unwrap();
    network.node(1).unwrap().wait_ready().await.unwrap();
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
