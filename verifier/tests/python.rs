//! The second implementation, in Python's standard library: it must agree with the committed vectors, and with a ledger
//! that is made here. Where there is no python3 there is nothing to run; continuous integration has it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{TestFile, export, served};
use prost::Message as _;
use receipt_core::area::Area;
use receipt_core::authorities::AuthoritySet;
use receipt_core::block::Item;
use receipt_core::governance::{
    Action, AllocateSegment, AttachItems, CloseSegment, CodeName, FenceIssuer, Governance, NumberRange, Opens,
    RegisterCollector, RegisterIssuer, RegisterKey, RegisterKind, RegisterUnit, RevokeKey, SetAreaAuthorities,
    SettleSegment, SignedGovernance,
};
use receipt_core::ids::{Fen, Height, ReceiptCode, ReceiptKey, ReceiptNumber, UnixMillis};
use receipt_core::limits::REVOCATION_GRACE_MS;
use receipt_core::record::SignedRecord;
use receipt_core::state::tables::{META_TOTALS, Table, Totals, UnitState, receipt_key_bytes};
use receipt_core::state::{StateRead, read_scope};
use receipt_core::suite::{Signer, SoftwareKey};
use receipt_core::testkit::{
    GENESIS_TIME_MS, ISSUER, TestChain, TestReceipt, TestValidator, UNIT_KEY_BASE, software_key, unit_key,
};
use tallystick_service::rng::SeededEntropy;
use tallystick_verifier::audit::{AuditOptions, audit};
use tallystick_verifier::progress::Silent;
use tallystick_verifier::source::Source;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python")
}

/// Runs python3 in the folder; `None` if this machine has none.
fn python(arguments: &[&str]) -> Option<Output> {
    let output =
        Command::new("python3").args(arguments).current_dir(folder()).env("PYTHONDONTWRITEBYTECODE", "1").output();
    match output {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("there is no python3 here: nothing was compared");
            None
        }
        other => Some(other.unwrap()),
    }
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].concat().iter().map(|byte| char::from(*byte)).collect()
}

#[test]
fn every_vector_holds_in_python_too() {
    let Some(output) = python(&["-m", "unittest"]) else { return };
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("OK") && !said(&output).contains("Ran 0 tests"), "{}", said(&output));
}

/// A kind whose payments are demanded later and later, and an issuer that may carry more and more.
fn of_kinds_and_issuers(now_ms: u64) -> Vec<Action> {
    const DAY_MS: u64 = 24 * 3600 * 1000;
    let kind = |from| {
        Action::RegisterKind(RegisterKind {
            payment_required_from_ms: from,
            opens: Opens::Rows.number(),
            ..RegisterKind::named(990_188, "试验票据")
        })
    };
    vec![
        kind(now_ms + 1),
        kind(now_ms + 2 * DAY_MS),
        kind(0),
        kind(now_ms + 30 * DAY_MS),
        Action::RegisterIssuer(RegisterIssuer { issuer_id: 7, name: "second".to_owned(), record_types: Vec::new() }),
        Action::RegisterIssuer(RegisterIssuer::of_receipts(7, "second, and it carries receipts")),
        Action::FenceIssuer(FenceIssuer { issuer_id: 7, epoch: 3, journal: vec![9; 16] }),
    ]
}

/// Reversals, refusals of many kinds, every kind of governance, missed turns, a change of validators.
fn eventful() -> TestChain {
    let mut chain = TestChain::new();
    let receipts: Vec<_> = ["S01", "S02", "S05", "S06"].iter().map(|id| chain.issue(id)).collect();
    chain.add_block(&receipts);
    let red = chain.reverse(&receipts[0]);
    chain.add_block(std::slice::from_ref(&red));
    // Turns are missed, some by validators that are skipped from then on.
    for round in [1, 2, 0, 3, 1] {
        chain.add_items_in_round(Vec::new(), round).unwrap();
    }
    refuse(&mut chain, &receipts);
    let segment = receipts[1].signed.record.unit.get() * 1000 + receipts[1].signed.record.key.code.get() / 100 % 1000;
    let kind = receipts[1].signed.record.key.code.get() / 100;
    let unit = receipts[1].signed.record.unit.get();
    let mut actions = of_kinds_and_issuers(chain.now().get());
    actions.extend([
        Action::AttachItems(AttachItems {
            unit_id: unit,
            kind,
            items: vec![CodeName { code: "1".to_owned(), name: "一".to_owned() }],
            adds: false,
        }),
        Action::AttachItems(AttachItems {
            unit_id: unit,
            kind,
            items: ["0", "1", "2"].map(|code| CodeName { code: code.to_owned(), name: "项".to_owned() }).to_vec(),
            adds: true,
        }),
        Action::AllocateSegment(AllocateSegment {
            segment_id: 77_777,
            unit_id: unit,
            issuer_id: ISSUER,
            receipt_code: 99_018_826,
            first_number: 5,
            last_number: 9,
        }),
        Action::CloseSegment(CloseSegment { segment_id: segment }),
        Action::RevokeKey(RevokeKey {
            key_id: UNIT_KEY_BASE + receipts[2].signed.record.unit.get(),
            revoked_from_ms: GENESIS_TIME_MS + 1,
        }),
    ]);
    let governance = chain.governance(actions);
    chain.add_items(vec![Item::Governance(governance)]).unwrap();
    // A revoked key, within one batch with two good records, one of them of the segment that its issuer does not know to be closed.
    let late: Vec<_> = ["S02", "S05", "S06"].iter().map(|id| chain.issue(id).record).collect();
    let batch = chain.batch(late);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let in_good_faith = chain.issue("S02");
    chain.add_block(&[in_good_faith]);
    // Ten days on it takes no record, and every number of the closed segment is accounted for.
    chain.let_pass(REVOCATION_GRACE_MS + 1);
    let too_late = chain.issue("S02").record;
    let batch = chain.batch(vec![too_late]);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let mut unused = unused_numbers(&chain, unit, receipts[1].signed.record.key.code);
    let settlement = chain.governance(vec![Action::SettleSegment(SettleSegment {
        segment_id: segment,
        void: unused.split_off(1),
        lost: unused,
    })]);
    chain.add_items(vec![Item::Governance(settlement)]).unwrap();
    endings(&mut chain, &receipts);
    chain.rotate_validators((21..=24).map(TestValidator::new).collect());
    succeed(&mut chain, unit);
    districts(&mut chain);
    let last = chain.issue("S06");
    chain.add_block(&[last]);
    chain
}

/// Two of three authorities are replaced, and the new ones register a key for a unit that has one.
fn succeed(chain: &mut TestChain, unit: u32) {
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    let next = Action::RegisterKey(RegisterKey {
        key_id: 999,
        owner_kind: 1,
        owner_id: unit,
        suite: 1,
        public_key: unit_key(999).public_key().0.to_vec(),
        valid_from_ms: GENESIS_TIME_MS,
        valid_until_ms: 0,
    });
    let governance = chain.governance(vec![next]);
    chain.add_items(vec![Item::Governance(governance)]).unwrap();
}

/// A city and a district get authorities, the district registers a unit, its authorities are replaced, and it changes the unit.
fn districts(chain: &mut TestChain) {
    let area = |code| Area::new(code).unwrap();
    let name = |code, name: &str| {
        let set = AuthoritySet { keys: vec![software_key(name).public_key()], threshold: 1 };
        Action::SetAreaAuthorities(SetAreaAuthorities { area: area(code), set })
    };
    let sign = |chain: &TestChain, message: Governance, names: &[&str]| {
        let keys: Vec<SoftwareKey> = names.iter().map(|name| software_key(name)).collect();
        let keys: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
        Item::Governance(SignedGovernance::sign(message, chain.genesis().chain_id(), &keys))
    };
    let next_of = |chain: &TestChain, code, actions| {
        let last = read_scope(chain.state(), Some(area(code))).unwrap().unwrap().last;
        let (suite, sequence, previous) = (chain.genesis().suite, last.sequence + 1, last.id);
        Governance { suite, area: Some(area(code)), sequence, expiry: Height::new(1_000), previous, actions }
    };
    let unit = |name: &str| RegisterUnit {
        unit_id: 888,
        unit_code: "UNIT00000000000888".to_owned(),
        name: name.to_owned(),
        supervisor_area_code: "990106".to_owned(),
        kinds: Vec::new(),
        suspended_from_ms: 0,
    };
    let founding = chain.governance(vec![name(990_100, "city"), name(990_106, "district")]).governance;
    let founding = sign(chain, founding, &["authority-0", "authority-7", "city", "district"]);
    chain.add_items(vec![founding]).unwrap();
    let bank = RegisterCollector {
        collector_id: 1,
        name: "银行".to_owned(),
        unit_ids: vec![888],
        area: 0,
        daily_cap_fen: 500_000_000,
        suspended_from_ms: chain.now().get(),
    };
    let first = vec![Action::RegisterUnit(unit("一")), Action::RegisterCollector(bank)];
    let first = next_of(chain, 990_106, first);
    let change = next_of(chain, 990_100, vec![name(990_106, "district-2")]);
    let items = vec![sign(chain, first, &["district"]), sign(chain, change, &["city", "district-2"])];
    chain.add_items(items).unwrap();
    let second = next_of(chain, 990_106, vec![Action::RegisterUnit(unit("二"))]);
    let second = sign(chain, second, &["district-2"]);
    chain.add_items(vec![second]).unwrap();
}

/// Ends of every kind, set, moved and lifted; a kind taken away with a receipt on its way; a batch of the far future.
fn endings(chain: &mut TestChain, receipts: &[TestReceipt]) {
    const DAY_MS: u64 = 24 * 3600 * 1000;
    let unit = |chain: &TestChain, receipt: &TestReceipt| {
        let id = receipt.signed.record.unit.get().to_be_bytes();
        UnitState::decode(chain.state().get(Table::Units, &id).unwrap().unwrap().as_slice()).unwrap().unit
    };
    let govern = |chain: &mut TestChain, actions: Vec<Action>| {
        let message = chain.governance(actions);
        chain.add_items(vec![Item::Governance(message)]).unwrap();
    };
    let now = chain.now().get();
    let suspend = |unit: &RegisterUnit, suspended_from_ms| {
        Action::RegisterUnit(RegisterUnit { suspended_from_ms, ..unit.clone() })
    };
    let suspended = unit(chain, &receipts[2]);
    for from in [now + 30 * DAY_MS, now + 30 * DAY_MS, now + 20 * DAY_MS, now - DAY_MS, 0, now] {
        govern(chain, vec![suspend(&suspended, from)]);
    }
    // Over since the days that passed, and dated earlier all the same.
    let key_id = UNIT_KEY_BASE + receipts[2].signed.record.unit.get();
    govern(chain, vec![Action::RevokeKey(RevokeKey { key_id, revoked_from_ms: GENESIS_TIME_MS })]);

    let whole = unit(chain, &receipts[3]);
    let on_its_way = chain.issue("S06");
    govern(chain, vec![Action::RegisterUnit(RegisterUnit { kinds: Vec::new(), ..whole.clone() })]);
    chain.add_block(&[on_its_way]);
    // Issued after the kind was taken away, by an issuer that does not know it; and then too late.
    let in_good_faith = chain.issue("S06");
    chain.add_block(&[in_good_faith]);
    chain.let_pass(REVOCATION_GRACE_MS + 1);
    let too_late = chain.issue("S06").record;
    let batch = chain.batch(vec![too_late]);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    govern(chain, vec![Action::RegisterUnit(whole)]);

    let [good, mut future] = [(); 2].map(|()| chain.issue("S06"));
    future.signed.record.issue_time = UnixMillis::new(4_070_908_800_000);
    let key = unit_key(future.signed.record.unit.get());
    let future = SignedRecord::sign(future.signed.record, chain.genesis().chain_id(), &key).encode();
    let batch = chain.batch(vec![good.record.clone(), future]);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    chain.add_block(&[good]);
}

/// The numbers of a unit's segment that no receipt used; those used are among its first hundred.
fn unused_numbers(chain: &TestChain, unit: u32, code: ReceiptCode) -> Vec<NumberRange> {
    let (first, last) = (u64::from(unit) * 1_000_000 + 1, u64::from(unit) * 1_000_000 + 1_000_000);
    let is_used = |number: &u64| {
        let key = ReceiptKey { code, number: ReceiptNumber::new(*number).unwrap() };
        chain.state().get(Table::Receipts, &receipt_key_bytes(key)).unwrap().is_some()
    };
    let mut ranges = Vec::new();
    let mut next = first;
    for used in (first..first + 100).filter(is_used) {
        if next < used {
            ranges.push(NumberRange { first: next, last: used - 1 });
        }
        next = used + 1;
    }
    ranges.push(NumberRange { first: next, last });
    ranges
}

/// One batch in which each record breaks another rule.
fn refuse(chain: &mut TestChain, receipts: &[TestReceipt]) {
    let again = chain.reverse(&receipts[0]).record;
    let mut broken = chain.issue("S06").record;
    let end = broken.len() - 1;
    broken[end] ^= 1;
    let mut huge = receipts[1].record.clone();
    huge.resize(1025, 0);
    let mut amount = chain.reverse(&receipts[1]);
    amount.signed.record.total = Fen::new(-1);
    let key = unit_key(amount.signed.record.unit.get());
    let amount = SignedRecord::sign(amount.signed.record, chain.genesis().chain_id(), &key).encode();
    let good = chain.issue("S06").record;
    let records = vec![receipts[1].record.clone(), again, broken, huge, b"junk".to_vec(), amount, good];
    let batch = chain.batch(records);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
}

#[test]
fn python_replays_an_export_to_the_same_roots() {
    let chain = eventful();
    let genesis = TestFile::new("genesis", chain.genesis().encode());
    let ledger = TestFile::new("ledger", export(&chain, &served(&chain)));
    let paths = [genesis.path(), ledger.path()].map(|path| path.to_str().unwrap().to_owned());
    let Some(output) = python(&["replay.py", &paths[0], &paths[1]]) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let last = chain.blocks().last().unwrap();
    assert_eq!(report["log_root"], chain.log().root(last.log_size).to_string());
    assert_eq!(report["effects_hash"], last.seal.effects_hash.to_string());
    assert_eq!(report["status_root"], last.seal.status_root.to_string());
    let totals = chain.state().get(Table::Meta, META_TOTALS).unwrap().unwrap();
    let totals = Totals::decode(&totals).unwrap();
    assert_eq!(report["blue_count"], totals.blue_count);
    assert_eq!(report["blue_fen"], i64::try_from(totals.blue_fen).unwrap());
    assert_eq!(report["red_fen"], i64::try_from(totals.red_fen).unwrap());
    assert_eq!((report["refused"].as_u64(), report["height"].as_u64()), (Some(5), Some(chain.height().get())));
    let decided = chain.height().get();
    assert_eq!((report["certificates"].as_u64(), report["checkpoints"].as_u64()), (Some(decided), Some(decided + 1)));
}

/// As of every height: before and after each message, of the chain's own authorities and of areas.
#[test]
fn python_finds_the_same_registry_at_any_height() {
    let chain = eventful();
    let genesis = TestFile::new("genesis", chain.genesis().encode());
    let ledger = TestFile::new("ledger", export(&chain, &served(&chain)));
    let paths = [genesis.path(), ledger.path()].map(|path| path.to_str().unwrap().to_owned());
    let last = chain.height().get();
    let mut found = Vec::new();
    for height in [0, last / 2, last - 2, last] {
        let options = AuditOptions {
            threads: 1,
            bodies: Vec::new(),
            left_out: Vec::new(),
            trust: None,
            registry_at: Some(Height::new(height)),
            entropy: &SeededEntropy::new(1),
        };
        let report = audit(chain.genesis(), &Source::Export(ledger.path()), &options, &mut Silent).unwrap();
        let text = report.registered.unwrap().to_text();
        assert!(text.contains(&format!("\nheight {height}\n")), "{text}");
        found.push(text.lines().filter(|line| line.starts_with("row ")).count());
        let Some(output) = python(&["replay.py", &paths[0], &paths[1], &height.to_string()]) else { return };
        assert_eq!((output.status.code(), said(&output)), (Some(0), text), "height {height}");
    }
    assert!(found.is_sorted() && found[0] < found[1] && found[1] < found[3], "{found:?}");
}

#[test]
fn python_refuses_a_manipulated_export() {
    let chain = eventful();
    let genesis = TestFile::new("genesis", chain.genesis().encode());
    let genesis = genesis.path().to_str().unwrap().to_owned();
    for height in [1, 2, 8] {
        let mut blocks = served(&chain);
        let mut bytes = blocks[height].block.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        blocks[height].block = bytes.into();
        let file = TestFile::new("ledger", export(&chain, &blocks));
        let Some(output) = python(&["replay.py", &genesis, file.path().to_str().unwrap()]) else { return };
        assert_eq!(output.status.code(), Some(1), "height {height}: {}", said(&output));
        assert!(said(&output).contains("refuted"), "{}", said(&output));
    }
}
