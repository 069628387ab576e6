//! The directory of units as docs/ops/directory.md has it: drafted from a node, signed by two at home, brought up to date after units
//! changed; and codes of real receipts judged by it: of a unit with another name now, and of one whose key was revoked since.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use receipt_core::bundle::Bundle;
use receipt_core::code::{self, Host};
use receipt_core::directory::open_directory_file;
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::key_id;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::Wait;
use tallystick_tests::TestNetwork;
use tallystick_tests::pages::commands;

use crate::offices::{Desk, at_home, digest_of, governed};

const PAGE: &str = "docs/ops/directory.md";
const ISSUER: u32 = 1;
const HOST: &str = "TALLY.EXAMPLE";

/// A sealed receipt of a sample's unit: the number of the unit, and the record that is in the code on paper.
async fn issued(network: &TestNetwork, sample_id: &str) -> (u32, Vec<u8>) {
    let receipt = network.sample(sample_id, 1).unwrap();
    let unit = network.registry().unit(&receipt.draft.unit_code).unwrap().unit_id;
    let client = network.issuer_client(ISSUER, Caller::System(receipt.system_id)).await.unwrap();
    let issued = issue_one(client, &receipt, Wait::Sealed).await.unwrap();
    (unit, Bundle::decode(&issued.response.bundle).unwrap().record)
}

/// Renames one unit, with the credential that says so, and revokes the key of another.
fn changes(network: &TestNetwork, renamed: u32, revoked: u32) -> String {
    let renamed = network.registry().units.iter().find(|unit| unit.unit_id == renamed).unwrap();
    let kinds: Vec<String> = renamed.kinds.keys().map(|kind| format!("\"{kind}\"")).collect();
    format!(
        "[[actions]]\n[actions.register_unit]\nunit_id = {}\nunit_code = \"{}\"\nname = \"改名医院\"\n\
         supervisor_area_code = \"990300\"\nkinds = [{}]\n\n\
         [[actions]]\n[actions.revoke_key]\nkey_id = {}\nrevoked_from = \"2026-01-01T00:00:00+08:00\"\n\n\
         [[credentials]]\nkey_id = {}\n",
        renamed.unit_id,
        renamed.unit_code,
        kinds.join(", "),
        key_id(ISSUER, revoked),
        key_id(ISSUER, renamed.unit_id),
    )
}

/// Drafted in the office, signed by two at home, combined in the office; what the draft said.
async fn signed(network: &TestNetwork, office: &Desk<'_>) -> String {
    let [draft] = <[String; 1]>::try_from(commands(PAGE, "Drafting").unwrap()).unwrap();
    let shown = office.types(&draft, "").await;
    let [show, sign, merge] = <[String; 3]>::try_from(commands(PAGE, "Signing").unwrap()).unwrap();
    for (authority, copy) in [(1, "copy-a"), (3, "copy-b")] {
        let home = at_home(network, authority);
        home.obtain(&office.path("units.draft"), "units.draft");
        home.obtain(&office.path("units.former"), "units.former");
        let read = home.types(&show, "").await;
        assert_eq!(digest_of(&read), digest_of(&shown));
        let said = home.types(&sign, &format!("{}\n", digest_of(&read))).await;
        assert!(said.contains(&format!("signed as authority {authority}")), "{said}");
        let twice = home.tries(&sign, &format!("{}\n", digest_of(&read))).await.unwrap_err().to_string();
        assert!(twice.contains("has signed it already"), "{twice}");
        office.obtain(&home.path("units.draft"), copy);
    }
    let said = office.types(&merge, "").await;
    assert!(said.contains("2 of 2 signatures (enough)"), "{said}");
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_drafted_signed_and_brought_up_to_date_as_the_page_has_it() {
    let network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let (renamed, record_of_renamed) = issued(&network, "S01").await;
    let (revoked, record_of_revoked) = issued(&network, "S04").await;
    assert_ne!(renamed, revoked);
    let office = Desk::new(&network, "office");
    office.certificate("operator");
    office.obtain(&network.layout().directory(), "units.former");
    governed(&office, &changes(&network, renamed, revoked)).await;

    let shown = signed(&network, &office).await;
    for said in [
        "WHAT HAS CHANGED since units.former (height 0".to_owned(),
        format!("unit {renamed} \"改名医院\""),
        "renamed, from".to_owned(),
        format!("key {}: revoked from 2026-01-01T00:00:00+08:00", key_id(ISSUER, revoked)),
        "1 of them revoked".to_owned(),
        "cosigned by node-".to_owned(),
        "0 of 2 signatures (more must sign)".to_owned(),
    ] {
        assert!(shown.contains(&said), "{said:?} is missing in {shown}");
    }
    assert_eq!(shown.lines().filter(|line| line.starts_with("  unit ")).count(), 2, "and nothing else: {shown}");

    // Nothing has changed since; and from the directory of genesis, what has.
    let [update] = <[String; 1]>::try_from(commands(PAGE, "Bringing it up to date").unwrap()).unwrap();
    let said = office.types(&update, "").await;
    assert!(said.contains("wrote units.today: 0 units changed"), "{said}");
    let from_genesis = update.replace("units.signed", "units.former").replace("units.today", "units.later");
    let bare = from_genesis.replace("--credentials credentials", "");
    let refused = office.tries(&bare, "").await.unwrap_err().to_string();
    assert!(refused.contains("no authorities vouch for a name") && refused.contains("--credentials"), "{refused}");
    let said = office.types(&from_genesis, "").await;
    assert!(said.contains("wrote units.later: 2 units changed") && said.contains("renamed, from"), "{said}");
    let trust = network.trust().unwrap();
    let open = |name: &str| open_directory_file(&std::fs::read(office.path(name)).unwrap(), &trust).unwrap();
    let (today, later) = (open("units.today"), open("units.later"));
    assert_eq!((today.units(), today.root()), (later.units(), later.root()));
    assert!(today.as_of() >= open("units.signed").as_of() && today.signers().len() >= 3);

    // The codes of the receipts, as they would be printed: both were issued before anything changed, and are known to the ledger alone.
    let [scan] = <[String; 1]>::try_from(commands(PAGE, "Judging by it").unwrap()).unwrap();
    for (record, expected) in [(&record_of_renamed, "SIGNED, NOT CHECKED"), (&record_of_revoked, "KEY REVOKED")] {
        let text = code::text(&Host::new(HOST).unwrap(), record);
        let said = office.tries(&format!("TEXT='{text}' HOST={HOST}\n{scan}"), "").await.unwrap_err().to_string();
        assert!(said.contains("exit status: 4") && said.contains(expected), "{expected}: {said}");
        assert!(said.contains("directory of units as of"), "{said}");
        assert!(!said.contains("改名医院"), "the paper has the name of when it was issued: {said}");
    }
    network.finish(&AllowList::lifecycle()).await.unwrap();
}
