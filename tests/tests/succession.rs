//! Authorities are replaced, by the page that operators read, with real processes: two of three leave, and two come.
//!
//! Receipts of before and after have bundles; whoever left signs nothing more; the new ones govern; an issuer that was down meanwhile knows
//! them; an audit walks the change.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use receipt_core::credential::SignedCredential;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{LayerResult, verify_bundle};
use tallystick_devnet::NetworkOptions;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::key_id;
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::TestNetwork;
use tallystick_tests::judgement::{all_sealed_once, issue_and_keep};
use tallystick_tests::pages::commands;

use crate::offices::{Desk, at_home, digest_of};

const PAGE: &str = "docs/ops/authorities.md";
const ISSUER: u32 = 1;
/// Of genesis, who sign the change: the first stays, the second leaves, and so does the third, which is lost.
const OLD: [u32; 2] = [1, 2];
const NEW: [&str; 2] = ["home-4", "home-5"];
/// Of the warning that nodes and issuers log.
const REPLACED: &str = "the authorities were replaced";

/// Types all commands of a section; what they printed.
async fn type_all(desk: &Desk<'_>, page: &str, heading: &str) -> String {
    let mut printed = String::new();
    for command in commands(page, heading).unwrap() {
        printed.push_str(&desk.types(&command, "").await);
    }
    printed
}

/// Somebody at home types this over the proposal that the office sends, and sends it back.
async fn signs(office: &Desk<'_>, home: &Desk<'_>, command: &str, proposal: &str, shown: &str) {
    home.obtain(&office.path(proposal), proposal);
    let said = home.types(command, &format!("{}\n", digest_of(shown))).await;
    assert!(said.contains("signed as authority"), "{said}");
    office.obtain(&home.path(proposal), proposal);
}

/// The new authorities, with a key each; their public keys.
async fn newcomers(network: &TestNetwork) -> (Vec<Desk<'_>>, Vec<String>) {
    let (mut homes, mut keys) = (Vec::new(), Vec::new());
    for name in NEW {
        let home = Desk::new(network, name);
        let said = type_all(&home, PAGE, "A new authority's key").await;
        keys.push(said.lines().find(|line| line.len() == 64).unwrap().to_owned());
        homes.push(home);
    }
    (homes, keys)
}

/// The change, as the office describes it: the first authority of genesis, the new ones, and the credentials of all units' keys; the last one
/// of them as if the first proposal had no room for it.
fn descriptions(network: &TestNetwork, keys: &[String]) -> (String, String) {
    let first = hex::encode(network.trust().unwrap().authorities().keys[0].0);
    let keys: Vec<String> = std::iter::once(&first).chain(keys).map(|key| format!("{key:?}")).collect();
    let units = network.registry().units.iter();
    let mut credentials: Vec<String> =
        units.map(|unit| format!("\n[[credentials]]\nkey_id = {}\n", key_id(ISSUER, unit.unit_id))).collect();
    let more = credentials.pop().unwrap();
    assert!(!credentials.is_empty());
    let set = format!("[[actions]]\n[actions.set_authorities]\nthreshold = 2\npublic_keys = [{}]\n", keys.join(", "));
    (set + &credentials.concat(), more)
}

/// From the description to the signed proposal in the office; the issuer gets the credentials.
async fn change(network: &TestNetwork, office: &Desk<'_>, homes: &[Desk<'_>], keys: &[String]) {
    let (first, more) = descriptions(network, keys);
    std::fs::write(office.path("authorities.toml"), first).unwrap();
    std::fs::write(office.path("more.toml"), more).unwrap();
    let shown = type_all(office, PAGE, "The proposal").await;
    let further = commands(PAGE, "More than 1,000 keys").unwrap();
    let [propose_more, sign_more, take_more] = further.as_slice() else { panic!("{further:?}") };
    let shown_more = office.types(propose_more, "").await;
    for said in ["THE LEDGER WOULD EXECUTE IT", "WHAT THE CHANGE OF AUTHORITIES MEANS", "0 of 2 signatures"] {
        assert!(shown.contains(said), "{said:?} is missing in {shown}");
    }
    let command = commands(PAGE, "Signing it").unwrap().remove(0);
    for authority in OLD {
        let home = at_home(network, authority);
        signs(office, &home, &command, "authorities.proposal", &shown).await;
        signs(office, &home, sign_more, "more.proposal", &shown_more).await;
    }
    // Not by every new one: one typing error would lock governance for ever.
    let submit = commands(PAGE, "The change").unwrap().remove(0);
    let refused = office.tries(&submit, "").await.unwrap_err().to_string();
    assert!(refused.contains("2 of 2 signatures of the authorities in force, and 1 of 3 of the new ones"), "{refused}");
    for home in homes {
        signs(office, home, &command, "authorities.proposal", &shown).await;
        signs(office, home, sign_more, "more.proposal", &shown_more).await;
    }
    let said = type_all(office, PAGE, "The change").await;
    assert!(said.contains("executed at height"), "{said}");
    office.types(take_more, "").await;
    let held = network.layout().issuer(ISSUER).join("credentials");
    let made: Vec<_> = std::fs::read_dir(office.path("credentials")).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(made.len(), network.registry().units.len());
    for file in made {
        let signed = SignedCredential::decode(&std::fs::read(file.path()).unwrap()).unwrap();
        assert_eq!(signed.signatures.len(), OLD.len() + NEW.len());
        assert!(held.join(file.file_name()).exists(), "in the place of the old one");
        std::fs::copy(file.path(), held.join(file.file_name())).unwrap();
    }
}

/// The new ones govern, and whoever left does not.
async fn the_next_message(office: &Desk<'_>, leaves: &Desk<'_>, homes: &[Desk<'_>]) {
    let kind = "[[actions]]\n[actions.register_kind]\nkind = \"999001\"\nname = \"示例\"\nopens = \"rows\"\n";
    std::fs::write(office.path("next.toml"), kind).unwrap();
    let steps = commands(PAGE, "The next message").unwrap();
    let [propose, sign, submit] = steps.as_slice() else { panic!("{steps:?}") };
    let shown = office.types(propose, "").await;
    leaves.obtain(&office.path("next.proposal"), "next.proposal");
    leaves.obtain(&office.path("trust.new"), "trust.new");
    let answer = format!("{}\n", digest_of(&shown));
    let refused = leaves.tries(sign, &answer).await.unwrap_err().to_string();
    assert!(refused.contains("is no authority's of this chain now"), "{refused}");
    for home in homes {
        home.obtain(&office.path("trust.new"), "trust.new");
        signs(office, home, sign, "next.proposal", &shown).await;
    }
    // Who has not followed the change cannot judge them, and is told what to fetch.
    let stale = submit.replace("--trust trust.new", "");
    let refused = office.tries(&stale, "").await.unwrap_err().to_string();
    assert!(refused.contains("give `--trust` with"), "{refused}");
    let said = office.types(submit, "").await;
    assert!(said.contains("executed at height"), "{said}");
}

/// One line each, with who came and who left: also of the issuer that was away.
fn everybody_tells_once(network: &TestNetwork) {
    let trust = network.trust().unwrap();
    let [before, after] = [0, 1].map(|at| &trust.authority_sets()[at].set);
    for process in ["node-1", "node-2", "node-3", "node-4", "issuer-1"] {
        let text = std::fs::read_to_string(network.layout().log(process)).unwrap();
        let told: Vec<&str> = text.lines().filter(|line| line.contains(REPLACED)).collect();
        let [line] = told.as_slice() else { panic!("{process}: {told:?}") };
        let changed = after.keys[1..].iter().chain(&before.keys[1..]).map(|key| hex::encode(key.0));
        for words in changed.chain(["WARN".to_owned(), "2 of 3 must sign".to_owned()]) {
            assert!(line.contains(&words), "{process}: {words}: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_authorities_are_replaced_as_the_page_has_it() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let founders_trust = network.trust().unwrap();
    let (early, old_bundle) = issue_and_keep(&network, ISSUER, 1).await.unwrap();
    // The issuer is away meanwhile.
    assert!(network.issuer(ISSUER).unwrap().terminate().await.unwrap().success());
    {
        let (homes, keys) = newcomers(&network).await;
        let office = Desk::new(&network, "office");
        office.certificate("operator");
        office.certificate("auditor");
        change(&network, &office, &homes, &keys).await;
        let said = type_all(&office, PAGE, "Afterwards").await;
        assert!(said.contains("AUTHORITY SETS: 1") && keys.iter().all(|key| said.contains(key)), "{said}");
        assert!(said.contains("executed before at height"), "the change itself, by the newer trust file: {said}");
        the_next_message(&office, &at_home(&network, OLD[1]), &homes).await;
        std::fs::copy(office.path("trust.new"), network.layout().trust()).unwrap();
    }
    let trust = network.trust().unwrap();
    assert_eq!((trust.authority_sets().len(), trust.sets().len()), (2, 1));
    assert_eq!(TrustFile::parse(&trust.to_text()).as_ref(), Ok(&trust));

    // Its own trust file is that of its start.
    std::fs::write(network.layout().trust(), founders_trust.to_text()).unwrap();
    network.issuer(ISSUER).unwrap().start().unwrap();
    network.issuer(ISSUER).unwrap().wait_ready().await.unwrap();
    let (late, new_bundle) = issue_and_keep(&network, ISSUER, 2).await.unwrap();
    for bundle in [&old_bundle, &new_bundle] {
        let verdict = verify_bundle(bundle, &trust, SystemClock.now());
        assert!(verdict.is_in_force(), "{verdict:?}");
    }
    // What the first authorities alone have signed holds for what was anchored in their time, and for nothing later. One of them has stayed:
    // whether one is enough by now only a newer trust file could say.
    let founders = &trust.authority_sets()[0].set.keys;
    for (signers, code, genuine) in [
        (&founders[..], "AUTHORITIES_UNKNOWN", LayerResult::Unknown),
        (&founders[1..], "CREDENTIAL_SIGNATURES", LayerResult::Failed),
    ] {
        let mut bundle = receipt_core::bundle::Bundle::decode(&new_bundle).unwrap();
        let mut credential = SignedCredential::decode(&bundle.credential).unwrap();
        credential.signatures.retain(|(key, _)| signers.contains(key));
        bundle.credential = credential.encode();
        let verdict = verify_bundle(&bundle.encode(), &trust, SystemClock.now());
        assert_eq!((verdict.code(), verdict.layers.genuine), (code, genuine), "{verdict:?}");
    }

    std::fs::write(network.layout().trust(), trust.to_text()).unwrap();
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    all_sealed_once(&network, ISSUER, &[early, late]).await.unwrap();
    everybody_tells_once(&network);
    let told = AllowList::lifecycle().and("node-", &[REPLACED]).and("issuer-", &[REPLACED]);
    network.finish(&told).await.unwrap();
}
