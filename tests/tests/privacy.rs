//! Personal data lies where it must, encrypted, and nowhere else: not in the issuer's files as anybody could read them, and in
//! no form in a validator's files, in metrics, in logs, or in a refusal.
//!
//! Every file of the network is read. That the search finds what is there is shown by something that must be found.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use receipt_core::receipt::ext::Ext;
use receipt_core::receipt::model::PayerIdType;
use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1::{IssueRequest, IssueResponse, Wait};
use tallystick_tests::TestNetwork;

const NAME: &str = "欧阳测试甲";
const RESIDENT_ID: &str = "990305199001010015";
const PATIENT_NUMBER: &str = "PATIENTQ7719";
const INSURANCE_ID: &str = "99030077777700007777";
const REMARK: &str = "备注里的秘密";
const CHANNEL_REFERENCE: &str = "WXREFQ55512";
const PERSONAL: [&str; 6] = [NAME, RESIDENT_ID, PATIENT_NUMBER, INSURANCE_ID, REMARK, CHANNEL_REFERENCE];
/// An ID whose check digit is wrong, and a name that is no name of a field.
const BAD_ID: &str = "990305199001010011";

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.symlink_metadata().unwrap().file_type() {
            kind if kind.is_dir() => files(&path, found),
            // A control socket holds nothing.
            kind if kind.is_socket() => {}
            _ => found.push(path),
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Files below a directory that contain any of these.
fn holders(directory: &Path, parts: &[Vec<u8>]) -> Vec<String> {
    let mut paths = Vec::new();
    files(directory, &mut paths);
    let mut holders = Vec::new();
    for path in paths {
        let text = std::fs::read(&path).unwrap();
        for part in parts.iter().filter(|part| contains(&text, part)) {
            holders.push(format!("{} holds {:?}", path.display(), String::from_utf8_lossy(part)));
        }
    }
    holders
}

/// A value as text, as UTF-16, and in hexadecimal and as JSON escapes of its characters.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let hex = hex::encode(value);
    let utf16: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let escaped: String = value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    vec![value.as_bytes().to_vec(), utf16, hex.into_bytes(), escaped.into_bytes()]
}

fn personal_receipt(network: &TestNetwork, serial: u64) -> GeneratedReceipt {
    let mut receipt = network.sample("S01", serial).unwrap();
    let draft = &mut receipt.draft;
    draft.payer_name = NAME.to_owned();
    draft.payer_id_type = PayerIdType::Resident;
    draft.payer_code = RESIDENT_ID.to_owned();
    draft.remark = REMARK.to_owned();
    draft.payments.last_mut().unwrap().channel_reference = CHANNEL_REFERENCE.to_owned();
    match &mut draft.ext {
        Ext::Medical { medical } => {
            medical.patient_number = PATIENT_NUMBER.to_owned();
            medical.medical_insurance_id = INSURANCE_ID.to_owned();
        }
        other => panic!("the sample is {other:?}"),
    }
    receipt
}

/// Logs tell more in this test than in the field.
fn log_all(network: &TestNetwork) {
    let (layout, description) = (network.layout(), network.description());
    let nodes = description.nodes.iter().map(|node| layout.node_config(node.validator_id));
    let issuers = description.issuers.iter().map(|issuer| layout.issuer_config(issuer.issuer_id));
    for config in nodes.chain(issuers) {
        let text = std::fs::read_to_string(&config).unwrap();
        let filter = "info,tallystick_node=trace,tallystick_issuer=trace,tallystick_anchoring=trace,tallystick_service=trace,tower=debug";
        std::fs::write(&config, format!("{text}\n[log]\nfilter = \"{filter}\"\n")).unwrap();
    }
}

async fn refused(network: &TestNetwork, receipt: &GeneratedReceipt) -> Refusal {
    let mut client = network.issuer_client(1, Caller::System(receipt.system_id)).await.unwrap();
    let request = IssueRequest { draft: Some(draft_to_wire(&receipt.draft)), ..IssueRequest::default() };
    Refusal::from_status(&client.issue(request).await.unwrap_err()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_is_nowhere_but_in_the_encrypted_body() {
    let mut network = TestNetwork::generate(&NetworkOptions::default()).await.unwrap();
    log_all(&network);
    network.start().await.unwrap();
    let receipt = personal_receipt(&network, 1);
    let client = network.issuer_client(1, Caller::System(receipt.system_id)).await.unwrap();
    let issued: IssueResponse = issue_one(client, &receipt, Wait::Sealed).await.unwrap().response;
    // The body is there, for whom it is due: the bundle has every value.
    for value in PERSONAL {
        assert!(contains(&issued.bundle, value.as_bytes()), "the bundle lacks {value}");
    }

    // Refused drafts: what is wrong is named, what was sent is not.
    let mut bad_id = personal_receipt(&network, 2);
    bad_id.draft.payer_code = BAD_ID.to_owned();
    let mut other_content = receipt.clone();
    other_content.draft.remark = format!("{REMARK}！");
    let mut bad_sum = personal_receipt(&network, 3);
    bad_sum.draft.items.pop();
    for receipt in [&bad_id, &other_content, &bad_sum] {
        let text = format!("{:?}", refused(&network, receipt).await);
        for value in PERSONAL.iter().chain([&BAD_ID]) {
            assert!(!text.contains(value), "a refusal repeats {value}: {text}");
        }
    }
    network.wait_equal_tips().await.unwrap();

    let mut secrets: Vec<Vec<u8>> = PERSONAL.iter().chain([&BAD_ID]).flat_map(|value| forms(value)).collect();
    secrets.push(issued.body_seed.to_vec());
    let description = network.description();
    let nodes = description.nodes.iter().map(|node| node.metrics);
    for address in nodes.chain(description.issuers.iter().map(|issuer| issuer.metrics)) {
        for path in ["/metrics", "/readyz", "/livez"] {
            let (_, body) = http_get(address, path).await.unwrap();
            assert!(!secrets.iter().any(|secret| contains(&body, secret)), "{address}{path} shows personal data");
        }
    }

    // While the processes run, and again when they have written what was still in memory.
    let root = network.layout().root().to_owned();
    assert_eq!(holders(&root, &secrets), Vec::<String>::new());
    // The search finds what is there: the signed record lies in every journal and store, as it is.
    let record = [issued.signed_record.to_vec()];
    for process in ["node-1", "node-2", "node-3", "node-4", "issuer-1"] {
        assert!(!holders(&root.join(process), &record).is_empty(), "{process} does not have the record");
    }
    // No validator has the unit's own number of the receipt either.
    let biz_code = forms(&receipt.draft.biz_code);
    for node in ["node-1", "node-2", "node-3", "node-4"] {
        assert_eq!(holders(&root.join(node), &biz_code), Vec::<String>::new());
    }
    network.stop().await.unwrap();
    assert_eq!(holders(&root, &secrets), Vec::<String>::new());
    network.start().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
