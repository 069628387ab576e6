//! A chain on which governance stands between batches: in one block the authorities are replaced twice, with batches before, between and after
//! the changes; a blinding epoch is registered by mistake and withdrawn; a city and a district get authorities of their own, and the district registers a
//! unit. And messages for the next block, some of which it refuses.

use receipt_core::area::Area;
use receipt_core::authorities::AuthoritySet;
use receipt_core::blind::{BlindingSecret, UniquenessKey};
use receipt_core::block::Item;
use receipt_core::fingerprint::Fingerprint;
use receipt_core::governance::{
    Action, AttachItems, CloseSegment, Governance, Grant, RegisterBlinding, RegisterCollector, RegisterKey,
    RegisterKind, RegisterSystem, RegisterUnit, RevokeKey, SetAreaAuthorities, SignedGovernance, WithdrawBlinding,
};
use receipt_core::hash::{Hash, sha256};
use receipt_core::ids::Height;
use receipt_core::record::SignedRecord;
use receipt_core::state::tables::{GovernanceState, META_BLINDING, Table};
use receipt_core::state::{ChainParameters, StateRead, read_scope, would_execute};
use receipt_core::suite::{Signer, SoftwareKey};
use receipt_core::testkit::{TestChain, software_key, unit_key};
use serde_json::{Value, json};

use super::{SUITE, hexes};

fn register(epoch: u32, secret: u8) -> Action {
    let fingerprint = Fingerprint::of_blinding(&BlindingSecret::new(SUITE, epoch, &[secret; 32])).0.to_vec();
    Action::RegisterBlinding(RegisterBlinding { epoch, fingerprint })
}

fn withdraw(epoch: u32) -> Action {
    Action::WithdrawBlinding(WithdrawBlinding { epoch })
}

fn kind() -> Action {
    Action::RegisterKind(RegisterKind::named(990_188, "试验票据"))
}

fn replace(names: &[&str]) -> Action {
    let keys = names.iter().map(|name| software_key(name).public_key()).collect();
    Action::SetAuthorities(AuthoritySet { keys, threshold: 2 })
}

fn signed(chain: &TestChain, message: Governance, signers: &[&str]) -> SignedGovernance {
    let keys: Vec<SoftwareKey> = signers.iter().map(|name| software_key(name)).collect();
    let keys: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
    SignedGovernance::sign(message, chain.genesis().chain_id(), &keys)
}

/// The chain's next message, signed by these.
fn governance(chain: &mut TestChain, actions: Vec<Action>, signers: &[&str]) -> Item {
    let message = chain.governance(actions).governance;
    Item::Governance(signed(chain, message, signers))
}

/// A batch of one receipt, whose payment is listed under each of these epochs; the last is the issuer's own.
fn batch(chain: &mut TestChain, sample: &str, epochs: &[u32]) -> Item {
    let receipt = chain.issue(sample);
    let mut record = receipt.signed.record;
    let under = |key: &UniquenessKey, epoch: u32| {
        let mut key = UniquenessKey { epoch, ..*key };
        if epoch != 1 {
            let digest = sha256(&[&key.hash, &epoch.to_be_bytes()]);
            key.hash.copy_from_slice(&digest.0[..16]);
        }
        key
    };
    let keys = record.uniqueness_keys.iter().flat_map(|key| epochs.iter().map(move |epoch| under(key, *epoch)));
    let mut keys: Vec<UniquenessKey> = keys.collect();
    keys.sort_unstable();
    record.uniqueness_keys = keys;
    record.key_epoch = *epochs.last().unwrap();
    let signer = unit_key(record.unit.get());
    let leaf = SignedRecord::sign(record, chain.genesis().chain_id(), &signer).encode();
    Item::Batch(chain.batch(vec![leaf]))
}

const CITY: u32 = 990_100;
const DISTRICT: u32 = 990_106;
const OTHER: u32 = 990_108;

fn name(area: u32, names: &[&str], threshold: u32) -> Action {
    let keys = names.iter().map(|name| software_key(name).public_key()).collect();
    let (area, set) = (Area::new(area).unwrap(), AuthoritySet { keys, threshold });
    Action::SetAreaAuthorities(SetAreaAuthorities { area, set })
}

/// A message of an area (0: of the chain), after its last one.
fn next_of(chain: &TestChain, area: u32, actions: Vec<Action>, signers: &[&str]) -> SignedGovernance {
    let scope = read_scope(chain.state(), Area::new(area)).unwrap();
    let last = scope.map_or(GovernanceState { sequence: 0, id: Hash([0; 32]) }, |scope| scope.last);
    let (sequence, previous) = (last.sequence + 1, last.id);
    let message =
        Governance { suite: SUITE, area: Area::new(area), sequence, expiry: Height::new(100), previous, actions };
    signed(chain, message, signers)
}

fn of_area(chain: &TestChain, area: u32, actions: Vec<Action>, signers: &[&str]) -> Item {
    Item::Governance(next_of(chain, area, actions, signers))
}

fn unit(unit_id: u32, area: u32) -> Action {
    Action::RegisterUnit(RegisterUnit {
        unit_id,
        unit_code: format!("UNIT{unit_id:014}"),
        name: format!("单位{unit_id}"),
        supervisor_area_code: format!("{area:06}"),
        kinds: Vec::new(),
        suspended_from_ms: 0,
    })
}

fn key(key_id: u32, unit: u32) -> Action {
    Action::RegisterKey(RegisterKey {
        key_id,
        owner_kind: 1,
        owner_id: unit,
        suite: 1,
        public_key: unit_key(unit).public_key().0.to_vec(),
        valid_from_ms: 1_793_577_600_000,
        valid_until_ms: 0,
    })
}

fn system(system_id: u32, units: &[u32]) -> Action {
    let grants = units.iter().map(|unit_id| Grant { unit_id: *unit_id, places: Vec::new() }).collect();
    Action::RegisterSystem(RegisterSystem { system_id, name: "HIS".to_owned(), grants })
}

fn collector(units: &[u32], area: u32) -> Action {
    Action::RegisterCollector(RegisterCollector {
        collector_id: 1,
        name: "银行".to_owned(),
        unit_ids: units.to_vec(),
        area,
        daily_cap_fen: 500_000_000,
        suspended_from_ms: 0,
    })
}

/// Messages of areas for the next block: area, actions, signers, and whether it is taken.
fn next_of_areas(chain: &TestChain) -> Vec<Value> {
    let params = ChainParameters::of(chain.genesis());
    let height = chain.height().next().unwrap();
    let revoke = |key_id| Action::RevokeKey(RevokeKey { key_id, revoked_from_ms: 1_793_577_600_001 });
    let items = |unit_id| Action::AttachItems(AttachItems { unit_id, kind: 990_601, items: Vec::new(), adds: false });
    let close = |segment_id| Action::CloseSegment(CloseSegment { segment_id });
    let city = ["city-1", "city-2"];
    type Row<'a> = (&'a str, u32, Vec<Action>, &'a [&'a str], bool);
    let rows: [Row<'_>; 33] = [
        ("a district's own unit", DISTRICT, vec![unit(31, DISTRICT)], &["district"], true),
        ("a unit of its neighbour", DISTRICT, vec![unit(32, OTHER)], &["district"], false),
        ("its neighbour's unit, taken", DISTRICT, vec![unit(32, DISTRICT)], &["district"], false),
        ("its own unit, given away", DISTRICT, vec![unit(31, OTHER)], &["district"], false),
        ("the city moves a unit", CITY, vec![unit(31, OTHER)], &city, true),
        ("its own unit's key is revoked", DISTRICT, vec![revoke(131)], &["district"], true),
        ("its neighbour's", DISTRICT, vec![revoke(132)], &["district"], false),
        ("an issuer's", DISTRICT, vec![revoke(1)], &["district"], false),
        ("its own system", DISTRICT, vec![system(3, &[31])], &["district"], true),
        ("its own system, for its neighbour's unit", DISTRICT, vec![system(3, &[31, 32])], &["district"], false),
        ("its neighbour's system, taken", DISTRICT, vec![system(4, &[31])], &["district"], false),
        ("a system for nobody", DISTRICT, vec![system(9, &[])], &["district"], false),
        ("a collector for its own unit", DISTRICT, vec![collector(&[31], 0)], &["district"], true),
        ("a collector for its neighbour's unit", DISTRICT, vec![collector(&[31, 32], 0)], &["district"], false),
        ("a collector for the city", DISTRICT, vec![collector(&[], CITY)], &["district"], false),
        ("a collector for the city, by the city", CITY, vec![collector(&[], CITY)], &city, true),
        ("a collector for both", CITY, vec![collector(&[31], CITY)], &city, false),
        ("a collector for nobody", CITY, vec![collector(&[], 0)], &city, false),
        ("items of its own unit", DISTRICT, vec![items(31)], &["district"], true),
        ("items of its neighbour's", DISTRICT, vec![items(32)], &["district"], false),
        ("a segment of another city", DISTRICT, vec![close(1601)], &["district"], false),
        ("a kind", DISTRICT, vec![kind()], &["district"], false),
        ("a blinding secret", DISTRICT, vec![register(4, 4)], &["district"], false),
        ("the district names itself", DISTRICT, vec![name(DISTRICT, &["new"], 1)], &["district", "new"], false),
        ("the district names its neighbour's", DISTRICT, vec![name(OTHER, &["new"], 1)], &["district", "new"], false),
        ("the city names a district's", CITY, vec![name(DISTRICT, &["new"], 1)], &["city-1", "city-2", "new"], true),
        ("one that is named has not signed", CITY, vec![name(DISTRICT, &["new"], 1)], &city, false),
        (
            "with a key of another area",
            CITY,
            vec![name(DISTRICT, &["other"], 1)],
            &["city-1", "city-2", "other"],
            false,
        ),
        ("the city takes them away", CITY, vec![name(DISTRICT, &[], 0)], &city, true),
        ("the city, signed by one", CITY, vec![items(31)], &["city-1"], false),
        ("the city, signed by the district", CITY, vec![items(31)], &["district"], false),
        ("an area without authorities", 990_107, vec![items(31)], &["district"], false),
        ("the chain's own act everywhere", 0, vec![items(31), items(32)], &["authority-7", "authority-8"], true),
    ];
    let rows = rows.into_iter().map(|(name, area, actions, signers, taken)| {
        let message = next_of(chain, area, actions, signers);
        let judged = would_execute(chain.state(), &params, &message, height, chain.block_time());
        assert_eq!(judged.is_ok(), taken, "{name}: {judged:?}");
        json!({ "name": name, "taken": taken, "signed_governance": hex::encode(message.encode()) })
    });
    rows.collect()
}

const FIRST: [&str; 3] = ["authority-0", "authority-1", "authority-7"];
const SECOND: [&str; 3] = ["authority-1", "authority-7", "authority-8"];

fn grown() -> TestChain {
    let mut chain = TestChain::new();
    let items = vec![batch(&mut chain, "S01", &[1])];
    chain.add_items(items).unwrap();
    // A mistake: nobody has this secret.
    let items = vec![governance(&mut chain, vec![register(2, 2)], &["authority-0", "authority-2"])];
    chain.add_items(items).unwrap();
    let items = vec![
        batch(&mut chain, "S01", &[1]),
        governance(
            &mut chain,
            vec![replace(&FIRST), kind()],
            &["authority-0", "authority-1", "authority-2", "authority-7"],
        ),
        batch(&mut chain, "S02", &[1]),
        governance(&mut chain, vec![replace(&SECOND)], &SECOND),
        batch(&mut chain, "S01", &[1]),
    ];
    chain.add_items(items).unwrap();
    let items = vec![governance(&mut chain, vec![withdraw(2), register(3, 3)], &["authority-7", "authority-8"])];
    chain.add_items(items).unwrap();
    // One in the new epoch, and one of an issuer that did not know of the withdrawal.
    let items = vec![batch(&mut chain, "S01", &[1, 3]), batch(&mut chain, "S01", &[1, 2])];
    chain.add_items(items).unwrap();
    let named =
        vec![name(CITY, &["city-1", "city-2"], 2), name(DISTRICT, &["district"], 1), name(OTHER, &["other"], 1)];
    let signers = ["authority-7", "authority-8", "city-1", "city-2", "district", "other"];
    let items = vec![governance(&mut chain, named, &signers)];
    chain.add_items(items).unwrap();
    let items = vec![
        of_area(&chain, DISTRICT, vec![unit(31, DISTRICT), key(131, 31), system(3, &[31])], &["district"]),
        of_area(&chain, OTHER, vec![unit(32, OTHER), key(132, 32), system(4, &[32])], &["other"]),
    ];
    chain.add_items(items).unwrap();
    assert!(chain.blocks().iter().flat_map(|block| &block.entries).all(|entry| entry[0] != 2), "a batch was refused");
    chain
}

/// Messages for the next block, each of its own: name, actions, signers, and whether it is taken.
fn next_messages(chain: &mut TestChain) -> Vec<Value> {
    let template = chain.governance(Vec::new()).governance;
    let params = ChainParameters::of(chain.genesis());
    let height = chain.height().next().unwrap();
    let of_second = &SECOND[1..];
    let now = chain.block_time().get();
    let payments = |kind: u32, days: u64| {
        let payment_required_from_ms = now + days * 24 * 3600 * 1000;
        vec![Action::RegisterKind(RegisterKind {
            payment_required_from_ms, ..RegisterKind::named(kind, "试验票据")
        })]
    };
    let rows: [(&str, Vec<Action>, &[&str], bool); 17] = [
        ("payments of a registered kind, in nine days", payments(990_188, 9), of_second, false),
        ("in eleven days", payments(990_188, 11), of_second, true),
        ("and then later", [payments(990_188, 11), payments(990_188, 12)].concat(), of_second, true),
        ("of a new kind, at once", payments(990_189, 0), of_second, true),
        ("the next epoch", vec![register(4, 4)], of_second, true),
        ("an epoch withdrawn in the message that registers it", vec![register(4, 4), withdraw(4)], of_second, true),
        ("an epoch after a gap", vec![register(5, 4)], of_second, false),
        ("the last epoch of all", vec![register(u32::MAX, 4)], of_second, false),
        ("a withdrawn epoch's number", vec![register(2, 4)], of_second, false),
        ("a withdrawn epoch's secret", vec![register(4, 2)], of_second, false),
        (
            "more epochs than a record has room for",
            (4..=18).map(|epoch| register(epoch, u8::try_from(epoch).unwrap())).collect(),
            of_second,
            false,
        ),
        ("an epoch that records name is withdrawn", vec![withdraw(1)], of_second, false),
        ("the newest epoch, which a record names", vec![withdraw(3)], of_second, false),
        ("a withdrawn epoch, once more", vec![withdraw(2)], of_second, false),
        ("an epoch that is not registered", vec![withdraw(4)], of_second, false),
        ("signed by those who were replaced", vec![kind()], &["authority-0", "authority-1"], false),
        (
            "one who was replaced comes back",
            vec![replace(&FIRST)],
            &["authority-0", "authority-1", "authority-7"],
            false,
        ),
    ];
    let rows = rows.into_iter().map(|(name, actions, signers, taken)| {
        let message = signed(chain, Governance { actions, ..template.clone() }, signers);
        let judged = would_execute(chain.state(), &params, &message, height, chain.block_time());
        assert_eq!(judged.is_ok(), taken, "{name}: {judged:?}");
        json!({ "name": name, "taken": taken, "signed_governance": hex::encode(message.encode()) })
    });
    rows.collect()
}

#[test]
fn succession_json() {
    let mut chain = grown();
    let blocks = chain.blocks().iter().map(|block| {
        json!({
            "block": hex::encode(&block.bytes),
            "certificate": hex::encode(&block.certificate),
            "entries": hexes(&block.entries),
        })
    });
    let last = chain.blocks().last().unwrap();
    let mut value = json!({
        "genesis": hex::encode(chain.genesis().encode()),
        "blocks": blocks.collect::<Vec<_>>(),
        "log_root": chain.log().root(last.log_size).to_string(),
        "effects_hash": last.seal.effects_hash.to_string(),
        "blinding": chain.state().get(Table::Meta, META_BLINDING).unwrap().map(hex::encode),
    });
    let of_areas = next_of_areas(&chain);
    value["next_messages"] = [next_messages(&mut chain), of_areas].concat().into();
    super::check("succession.json", &value);
}
