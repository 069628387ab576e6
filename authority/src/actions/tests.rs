//! Every action from TOML into words, and one row per refusal.

use tallystick_service::config::load;

use super::*;
use crate::words::of_action;

#[derive(Debug, Deserialize)]
struct List {
    actions: Vec<ActionText>,
}

fn read(text: &str) -> Result<Vec<Action>, String> {
    let directory = scratch::Directory::new();
    let path = directory.path().join("actions.toml");
    std::fs::write(&path, text).unwrap();
    let list = load::<List>(&path).map_err(|error| error.to_string())?;
    actions(&list.value.actions).map_err(|(key, problem)| format!("`{key}`: {problem}"))
}

const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const COSIGNER_KEY: &str = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";

/// One of each, as the documents write them.
const ALL: &str = r#"
[[actions]]
[actions.register_kind]
kind = "990601"
name = "医疗门诊收费票据（电子）"
payment_required_from = "2027-01-01T00:00:00+08:00"
opens = "header"

[[actions]]
[actions.register_unit]
unit_id = 21
unit_code = "129903004000090014"
name = "示例市第二人民医院"
supervisor_area_code = "990300"
kinds = ["990602", "990601"]

[[actions]]
[actions.attach_items]
unit_id = 21
kind = "990601"
items = [{ code = "020", name = "挂号费" }, { code = "010", name = "诊察费" }]

[[actions]]
[actions.register_issuer]
issuer_id = 2
name = "issuer-2"
record_types = ["receipt"]

[[actions]]
[actions.register_key]
key_id = 1021
owner = "unit"
owner_id = 21
public_key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
valid_from = "2026-11-23T00:00:00+08:00"

[[actions]]
[actions.revoke_key]
key_id = 1001
revoked_from = "2026-11-22T12:00:00+08:00"

[[actions]]
[actions.register_system]
system_id = 9
name = "HIS"
grants = [{ unit_id = 21 }, { unit_id = 1, places = ["MZ-01"] }]

[[actions]]
[actions.allocate_segment]
segment_id = 90
unit_id = 21
issuer_id = 2
receipt_code = "99060126"
first_number = "0000000001"
last_number = "0000001000"

[[actions]]
[actions.close_segment]
segment_id = 4

[[actions]]
[actions.settle_segment]
segment_id = 4
void = [{ first = "0000000005", last = "0000000009" }]

[[actions]]
[actions.fence_issuer]
issuer_id = 1
epoch = 2
journal = "00112233445566778899aabbccddeeff"

[[actions]]
[actions.register_blinding]
epoch = 2
fingerprint = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b"

[[actions]]
[actions.withdraw_blinding]
epoch = 2

[[actions]]
[actions.set_area_authorities]
area = "330106"
threshold = 1
public_keys = ["3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"]

[[actions]]
[actions.register_collector]
collector_id = 4
name = "示例银行"
units = [22, 21]
daily_cap_fen = 123456789

[[actions]]
[actions.set_validators]
effective_height = 500
[[actions.set_validators.validators]]
id = 1
name = "v1"
consensus_key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
log_key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
cosigner_key = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
"#;

/// The check character of the unit code above, so that the text stays readable.
fn sound(text: &str) -> String {
    let check = receipt_core::receipt::idcheck::uscc_check_character("12990300400009001").unwrap();
    text.replace("129903004000090014", &format!("12990300400009001{check}"))
}

#[test]
fn every_action_is_read_and_put_into_words() {
    let actions = read(&sound(ALL)).unwrap();
    assert_eq!(actions.len(), 16);
    let words: Vec<_> = actions.iter().map(|action| of_action(action, 480)).collect();
    let row = |index: usize, name: &str| {
        words[index].rows.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap()
    };
    for (index, title) in [
        (0, "Register kind 990601"),
        (1, "Register unit 21"),
        (2, "Attach items to unit 21 and kind 990601"),
        (3, "Register issuer 2"),
        (4, "Register key 1021"),
        (5, "Revoke key 1001, for ever"),
        (6, "Register system 9"),
        (7, "Allocate segment 90"),
        (8, "Close segment 4, for ever"),
        (9, "Settle segment 4, for ever"),
        (10, "Fence issuer 1"),
        (11, "Register the blinding secret of epoch 2"),
        (12, "Withdraw blinding epoch 2, for ever"),
        (13, "Name these 1 the authorities of area 330106, of which 1 sign, from their next message on"),
        (14, "Register collector 4"),
        (15, "Replace the validators by these 1, of which 1 decide"),
    ] {
        assert!(words[index].title.starts_with(title), "{}", words[index].title);
    }
    assert_eq!(row(0, "needs confirmed payments"), "for issue times from 2027-01-01T00:00:00+08:00");
    assert_eq!(row(0, "opens"), "header");
    let other =
        ALL.replace("payment_required_from = \"2027-01-01T00:00:00+08:00\"\nopens = \"header\"", "opens = \"rows\"");
    let other = of_action(&read(&sound(&other)).unwrap()[0], 480);
    let rows: Vec<&str> = other.rows.iter().skip(1).map(|(_, value)| value.as_str()).collect();
    assert_eq!(rows, ["never", "rows"]);
    assert_eq!(row(3, "may carry"), "receipt");
    let nothing = ALL.replace("record_types = [\"receipt\"]", "record_types = []");
    assert_eq!(of_action(&read(&sound(&nothing)).unwrap()[3], 480).rows[1].1, "none");
    assert_eq!(row(1, "kinds it may issue"), "990601, 990602", "in ascending order, as the ledger wants them");
    assert_eq!(row(1, "suspended"), "no");
    assert_eq!(words[2].rows[0].0, "item \"010\"");
    assert!(words[2].title.ends_with("replacing all before"), "{}", words[2].title);
    let adding = ALL.replacen("[actions.attach_items]\n", "[actions.attach_items]\nadds = true\n", 1);
    let adding = of_action(&read(&sound(&adding)).unwrap()[2], 480);
    assert!(adding.title.ends_with("keeping those attached before"), "{}", adding.title);
    assert_eq!(row(4, "owner"), "unit (signs receipts) 21");
    assert_eq!(row(4, "public key"), KEY);
    assert_eq!(row(4, "valid from"), "2026-11-23T00:00:00+08:00");
    assert_eq!(row(4, "valid until"), "open");
    assert_eq!(row(6, "may act for unit 21, places"), "all");
    assert_eq!(row(6, "may act for unit 1, places"), "\"MZ-01\"");
    assert_eq!(row(7, "numbers"), "0000000001 to 0000001000 (1000)");
    assert_eq!(row(9, "void numbers"), "0000000005 to 0000000009 (5)");
    assert_eq!(row(9, "lost numbers"), "none");
    assert_eq!(row(10, "new epoch"), "2");
    assert_eq!(row(11, "fingerprint"), "6b".repeat(16));
    assert_eq!((row(14, "collects for"), row(14, "daily cap")), ("unit 21, unit 22", "1234567.89 yuan"));
    let of_area = of_action(&read(&sound(ALL).replace("units = [22, 21]", "area = \"330100\"")).unwrap()[14], 480);
    assert_eq!(of_area.rows[1].1, "every unit of area 330100");
    assert_eq!(row(15, "validator 1 cosigner key"), COSIGNER_KEY);
    let away = sound(ALL).replace(
        "threshold = 1\npublic_keys = [\"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c\"]",
        "threshold = 0\npublic_keys = []",
    );
    let away = of_action(&read(&away).unwrap()[13], 480);
    assert!(away.title.starts_with("Take the authorities of area 330106 away"), "{}", away.title);
}

/// From, to, and what the refusal must name.
#[test]
fn every_refusal_names_its_key() {
    for (from, to, named) in [
        ("kind = \"990601\"\nname", "kind = 990601\nname", "actions[0].register_kind.kind"),
        ("opens = \"header\"", "opens = \"all\"", "actions[0].register_kind.opens"),
        ("opens = \"header\"\n", "", "actions[0].register_kind`"),
        (
            "payment_required_from = \"2027-01-01T00:00:00+08:00\"",
            "payment_required_from = \"2027-01-01\"",
            "actions[0].register_kind.payment_required_from",
        ),
        ("[\"receipt\"]", "[\"claim\"]", "actions[3].register_issuer.record_types"),
        ("[\"receipt\"]", "[\"receipt\", \"receipt\"]", "actions[3].register_issuer"),
        ("record_types = [\"receipt\"]\n", "", "actions[3].register_issuer`"),
        ("unit_id = 21\nunit_code", "unit_id = 0\nunit_code", "actions[1].register_unit.unit_id"),
        ("unit_code = \"1299", "unit_code = \"1298", "actions[1].register_unit.unit_code"),
        ("\"990602\", \"990601\"", "\"990601\", \"990601\"", "actions[1].register_unit"),
        ("kinds = [", "kind = [", "actions.1.kind"),
        ("supervisor_area_code", "suspended = true\nsupervisor_area_code", "actions.1.suspended"),
        ("code = \"020\"", "code = \"010\"", "actions[2].attach_items"),
        ("owner = \"unit\"", "owner = \"authority\"", "actions[4].register_key.owner"),
        ("fingerprint = \"6b", "fingerprint = \"6B", "actions[11].register_blinding.fingerprint"),
        ("epoch = 2\nfingerprint", "epoch = 0\nfingerprint", "actions[11].register_blinding.epoch"),
        ("withdraw_blinding]\nepoch = 2", "withdraw_blinding]\nepoch = 0", "actions[12].withdraw_blinding.epoch"),
        ("public_key = \"d75a", "public_key = \"D75A", "actions[4].register_key.public_key"),
        (
            "valid_from = \"2026-11-23T00:00:00+08:00\"",
            "valid_from = \"2026-11-23\"",
            "actions[4].register_key.valid_from",
        ),
        (
            "valid_from = \"2026-11-23T00:00:00+08:00\"",
            "valid_from = \"2026-11-23T00:00:00+08:00\"\nvalid_until = \"2026-11-23T00:00:00+08:00\"",
            "actions[4].register_key",
        ),
        ("places = [\"MZ-01\"]", "places = []", "actions[6].register_system"),
        ("{ unit_id = 21 }", "{ unit_id = 1 }", "actions[6].register_system"),
        ("first_number = \"0000000001\"", "first_number = \"0000001001\"", "actions[7].allocate_segment"),
        ("receipt_code = \"99060126\"", "receipt_code = \"9906012\"", "actions[7].allocate_segment.receipt_code"),
        ("last = \"0000000009\"", "last = \"0000000004\"", "actions[9].settle_segment"),
        ("epoch = 2", "epoch = 0", "actions[10].fence_issuer.epoch"),
        ("aabbccddeeff", "aabbccddee", "actions[10].fence_issuer.journal"),
        ("name = \"v1\"", "name = \"V1\"", "actions[15].set_validators"),
        ("area = \"330106\"", "area = \"003106\"", "actions[13].set_area_authorities"),
        ("area = \"330106\"", "area = \"33010\"", "actions[13].set_area_authorities.area"),
        ("threshold = 1", "threshold = 2", "actions[13].set_area_authorities"),
        ("threshold = 1", "threshold = 0", "actions[13].set_area_authorities"),
        ("units = [22, 21]", "units = [21, 21]", "actions[14].register_collector"),
        ("units = [22, 21]", "units = []", "actions[14].register_collector"),
        ("units = [22, 21]", "units = [21]\narea = \"330100\"", "actions[14].register_collector"),
        ("units = [22, 21]", "area = \"000000\"", "actions[14].register_collector"),
        ("daily_cap_fen = 123456789", "daily_cap_fen = 0", "actions[14].register_collector"),
        ("daily_cap_fen = 123456789", "daily_cap_fen = -1", "actions[14].register_collector.daily_cap_fen"),
        ("daily_cap_fen = 123456789", "daily_cap_fen = 100000000000000", "actions[14].register_collector"),
        ("close_segment", "close_segments", "actions[8]"),
    ] {
        let good = sound(ALL);
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let error = read(&text).unwrap_err();
        assert!(error.contains(&format!("`{named}")), "{from}: {error}");
    }
}

#[test]
fn addresses_of_validators_belong_into_genesis() {
    let error = read(&format!("{}peer = {{ grpc = \"a:1\" }}\n", sound(ALL))).unwrap_err();
    assert!(error.contains("`peer`"), "{error}");
}
