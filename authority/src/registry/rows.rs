//! Rows of the registry as what they register, field by field, named as in descriptions.

use anyhow::{Context as _, Result, bail, ensure};
use prost::Message;
use receipt_core::authorities::AuthoritySet;
use receipt_core::governance::{AttachItems, KeyOwner, RegisterKind, RegisterSystem};
use receipt_core::ids::{ReceiptCode, ReceiptNumber, UnixMillis};
use receipt_core::state::tables::{
    AreaState, CollectorState, IssuerState, KeyState, META_AUTHORITIES, META_BLINDING, META_VALIDATORS,
    META_VALIDATORS_NEXT, SegmentState, Table, UnitState,
};
use receipt_core::state::{Ending, EpochState, RegisteredEpoch};
use receipt_core::validators::ValidatorSet;

use super::Reading;
use super::thing::{Class, Thing, Value};
use crate::text::shown_time;
use crate::words::{opened, record_types};

/// The row as what it registers. Its key must be the one that its value names.
pub(super) fn read(reading: Reading, table: Table, key: &[u8], value: &[u8]) -> Result<Thing> {
    let thing = match table {
        Table::Meta if key == META_AUTHORITIES => return authorities(value),
        Table::Meta if key == META_BLINDING => return blinding_secrets(value),
        Table::Meta => return validators(key, value),
        Table::Units => unit(reading, &UnitState::decode(value)?),
        Table::Systems => system(RegisterSystem::decode(value)?),
        Table::Keys => signing_key(reading, &KeyState::decode(value)?),
        Table::Segments => segment(reading, &SegmentState::decode(value)?),
        Table::Issuers => issuer(IssuerState::decode(value)?),
        Table::Kinds => kind(reading, &RegisterKind::decode(value)?),
        Table::Collectors => collector(reading, &CollectorState::decode(value)?),
        Table::Areas => area(&AreaState::decode(value)?),
        Table::Items => return items(key, AttachItems::decode(value)?),
        Table::CodeHighWater => return code(key, value),
        other => bail!("{} is no table of the registry", other.name()),
    };
    let number = u32::from_be_bytes(key.try_into().ok().context("its key is no registry number")?);
    let (name, expected) = match thing.class {
        Class::Kind | Class::Area => (six_digits(number), &thing.name),
        _ => (number.to_string(), &thing.name),
    };
    ensure!(name == *expected, "{} {expected} stands under the key {name}", thing.class.word());
    Ok(thing)
}

fn six_digits(kind: u32) -> String {
    format!("{kind:06}")
}

fn plain(text: impl Into<String>) -> Value {
    Value::Plain(text.into())
}

fn number(number: impl Into<u64>) -> Value {
    Value::Number(number.into())
}

impl Reading {
    /// 0: there is none.
    fn time(self, time_ms: u64) -> Value {
        if time_ms == 0 { Value::Absent } else { plain(shown_time(time_ms, self.utc_offset_minutes)) }
    }
}

fn unit(reading: Reading, state: &UnitState) -> Thing {
    let unit = &state.unit;
    let detached = state.detached.iter().map(|detached| {
        let (at, over) = (reading.time(detached.detached_at_ms), reading.time(detached.ending().over_from_ms()));
        let kind = plain(six_digits(detached.kind));
        Value::Part(vec![("kind", kind), ("taken_away_at", at), ("nothing_taken_from", over)])
    });
    let suspended = match unit.suspended_from_ms {
        0 => "active",
        from if from <= reading.now.get() => "suspended",
        _ => "active, to be suspended",
    };
    Thing {
        class: Class::Unit,
        name: unit.unit_id.to_string(),
        fields: vec![
            ("unit_id", number(unit.unit_id)),
            ("unit_code", Value::Foreign(unit.unit_code.clone())),
            ("name", Value::Foreign(unit.name.clone())),
            ("supervisor_area_code", Value::Foreign(unit.supervisor_area_code.clone())),
            ("kinds", Value::List(unit.kinds.iter().map(|kind| plain(six_digits(*kind))).collect())),
            ("kinds_taken_away", Value::List(detached.collect())),
            ("suspended_from", reading.time(unit.suspended_from_ms)),
            ("suspension_recorded_at", reading.time(state.suspended_at_ms)),
        ],
        moving: vec![("state", plain(suspended))],
    }
}

fn system(system: RegisterSystem) -> Thing {
    let grants = system.grants.into_iter().map(|grant| {
        let all = grant.places.is_empty();
        let places = Value::List(grant.places.into_iter().map(Value::Foreign).collect());
        let places = if all { plain("all") } else { places };
        Value::Part(vec![("unit_id", number(grant.unit_id)), ("places", places)])
    });
    Thing {
        class: Class::System,
        name: system.system_id.to_string(),
        fields: vec![
            ("system_id", number(system.system_id)),
            ("name", Value::Foreign(system.name)),
            ("grants", Value::List(grants.collect())),
        ],
        moving: Vec::new(),
    }
}

fn signing_key(reading: Reading, state: &KeyState) -> Thing {
    let key = &state.key;
    let owner = match key.owner_kind {
        kind if kind == KeyOwner::Unit.number() => plain("unit"),
        kind if kind == KeyOwner::Issuer.number() => plain("issuer"),
        other => plain(format!("unknown kind {other}")),
    };
    let endings = [Ending::planned(key.valid_until_ms), state.revocation()];
    let has_ended = |from_ms: u64| from_ms != 0 && from_ms <= reading.now.get();
    let now = match () {
        () if has_ended(state.revoked_from_ms) => "revoked",
        () if has_ended(key.valid_until_ms) => "ended",
        () if UnixMillis::new(key.valid_from_ms) > reading.now => "not valid yet",
        () if state.revoked_from_ms != 0 => "valid, revocation to come",
        () => "valid",
    };
    // The first block time at which nothing under this key is taken any more. Before it, what was issued before the end still is.
    let over = endings.into_iter().map(Ending::over_from_ms).filter(|over| *over != 0).min().unwrap_or(0);
    Thing {
        class: Class::Key,
        name: key.key_id.to_string(),
        fields: vec![
            ("key_id", number(key.key_id)),
            ("owner", owner),
            ("owner_id", number(key.owner_id)),
            ("suite", number(key.suite)),
            ("public_key", plain(hex::encode(&key.public_key))),
            ("valid_from", reading.time(key.valid_from_ms)),
            ("valid_until", reading.time(key.valid_until_ms)),
            ("revoked_from", reading.time(state.revoked_from_ms)),
            ("revocation_recorded_at", reading.time(state.revoked_at_ms)),
            ("nothing_taken_from", reading.time(over)),
        ],
        moving: vec![("state", plain(now))],
    }
}

fn segment(reading: Reading, state: &SegmentState) -> Thing {
    let segment = &state.segment;
    let now = match (state.closed_at_ms, state.settled_at_ms) {
        (0, _) => "open",
        (_, 0) => "closed",
        _ => "settled",
    };
    Thing {
        class: Class::Segment,
        name: segment.segment_id.to_string(),
        fields: vec![
            ("segment_id", number(segment.segment_id)),
            ("unit_id", number(segment.unit_id)),
            ("issuer_id", number(segment.issuer_id)),
            ("receipt_code", plain(code_text(segment.receipt_code))),
            ("first_number", plain(number_text(segment.first_number))),
            ("last_number", plain(number_text(segment.last_number))),
            ("closed_at", reading.time(state.closed_at_ms)),
            ("nothing_taken_from", reading.time(state.closing().over_from_ms())),
            ("settled_at", reading.time(state.settled_at_ms)),
            ("void_count", number(state.void_count)),
            ("lost_count", number(state.lost_count)),
            ("state", plain(now)),
        ],
        moving: vec![
            ("used_count", number(state.used_count)),
            (
                "highest_used",
                if state.highest_used == 0 { Value::Absent } else { plain(number_text(state.highest_used)) },
            ),
        ],
    }
}

fn issuer(state: IssuerState) -> Thing {
    Thing {
        class: Class::Issuer,
        name: state.issuer.issuer_id.to_string(),
        fields: vec![
            ("issuer_id", number(state.issuer.issuer_id)),
            ("name", Value::Foreign(state.issuer.name.clone())),
            ("record_types", Value::List(record_types(&state.issuer).into_iter().map(plain).collect())),
            ("epoch", number(state.epoch)),
        ],
        moving: vec![("next_sequence", number(state.next_sequence)), ("refused_bytes", number(state.refused_bytes))],
    }
}

fn kind(reading: Reading, kind: &RegisterKind) -> Thing {
    let name = six_digits(kind.kind);
    let payment = match kind.payment_required_from_ms {
        0 => "not required",
        _ if kind.requires_payment(reading.now) => "required",
        _ => "not required, to be required",
    };
    Thing {
        class: Class::Kind,
        fields: vec![
            ("kind", plain(name.clone())),
            ("name", Value::Foreign(kind.name.clone())),
            ("payment_required_from", reading.time(kind.payment_required_from_ms)),
            ("opens", plain(opened(kind))),
        ],
        name,
        moving: vec![("payment", plain(payment))],
    }
}

fn items(key: &[u8], attached: AttachItems) -> Result<Thing> {
    ensure!(
        key == receipt_core::state::tables::pair_bytes(attached.unit_id, attached.kind),
        "items of unit {} and kind {:06} stand under another key",
        attached.unit_id,
        attached.kind
    );
    let items = attached
        .items
        .into_iter()
        .map(|item| Value::Part(vec![("code", Value::Foreign(item.code)), ("name", Value::Foreign(item.name))]));
    let kind = six_digits(attached.kind);
    Ok(Thing {
        class: Class::Items,
        name: format!("unit {}, kind {kind}", attached.unit_id),
        fields: vec![
            ("unit_id", number(attached.unit_id)),
            ("kind", plain(kind)),
            ("items", Value::List(items.collect())),
        ],
        moving: Vec::new(),
    })
}

fn code(key: &[u8], value: &[u8]) -> Result<Thing> {
    let code = u32::from_be_bytes(key.try_into().ok().context("its key is no receipt code")?);
    let last = u64::from_be_bytes(value.try_into().ok().context("it is no receipt number")?);
    let code = code_text(code);
    // Above the last number there is none.
    let next = last.checked_add(1).filter(|next| ReceiptNumber::new(*next).is_ok());
    Ok(Thing {
        class: Class::Code,
        name: code.clone(),
        fields: vec![
            ("receipt_code", plain(code)),
            ("last_allocated", plain(number_text(last))),
            ("next_free", next.map_or(Value::Absent, |next| plain(number_text(next)))),
        ],
        moving: Vec::new(),
    })
}

fn authorities(value: &[u8]) -> Result<Thing> {
    let set = AuthoritySet::decode(value).context("it is no set of authorities")?;
    let keys = set.keys.iter().map(|key| plain(hex::encode(key.0))).collect();
    Ok(Thing {
        class: Class::Authorities,
        name: "in force".to_owned(),
        fields: vec![("threshold", number(set.threshold)), ("public_keys", Value::List(keys))],
        moving: Vec::new(),
    })
}

fn validators(key: &[u8], value: &[u8]) -> Result<Thing> {
    let (name, first, set) = match key {
        META_VALIDATORS => ("in force", Value::Absent, value),
        META_VALIDATORS_NEXT => {
            let (first, set) = value.split_first_chunk::<8>().context("it names no height")?;
            ("decided on", Value::Number(u64::from_be_bytes(*first)), set)
        }
        _ => bail!("it is no row of the registry"),
    };
    let set = ValidatorSet::decode_stored(set).context("it is no set of validators")?;
    let member = |member: &receipt_core::validators::Validator| {
        Value::Part(vec![
            ("id", number(member.id.get())),
            ("name", Value::Foreign(member.name.clone())),
            ("consensus_key", plain(hex::encode(member.consensus_key.0))),
            ("log_key", plain(hex::encode(member.log_key.0))),
            ("cosigner_key", plain(hex::encode(member.cosigner_key.0))),
        ])
    };
    Ok(Thing {
        class: Class::Validators,
        name: name.to_owned(),
        fields: vec![
            ("set", plain(name)),
            ("effective_height", first),
            ("quorum", number(set.quorum() as u64)),
            ("validators", Value::List(set.members().iter().map(member).collect())),
        ],
        moving: Vec::new(),
    })
}

fn blinding_secrets(value: &[u8]) -> Result<Thing> {
    let registered = RegisteredEpoch::decode_all(value)?;
    let epochs = registered.iter().map(|known| {
        let state = if known.is_withdrawn() { "withdrawn" } else { "in force" };
        Value::Part(vec![
            ("epoch", number(known.secret.epoch)),
            ("fingerprint", plain(known.secret.fingerprint.to_string())),
            ("state", plain(state)),
        ])
    });
    let epochs = Value::List(epochs.collect());
    // Records come without governance, so that validators may differ in it for a moment.
    let named = registered.iter().filter(|known| known.state == EpochState::Named);
    let named = named.map(|known| number(known.secret.epoch)).collect();
    Ok(Thing {
        class: Class::BlindingSecrets,
        name: "of the chain".to_owned(),
        fields: vec![("epochs", epochs)],
        moving: vec![("named_by_records", Value::List(named))],
    })
}

fn collector(reading: Reading, state: &CollectorState) -> Thing {
    let collector = &state.collector;
    let suspended = match collector.suspended_from_ms {
        0 => "active",
        from if from <= reading.now.get() => "suspended",
        _ => "active, to be suspended",
    };
    Thing {
        class: Class::Collector,
        name: collector.collector_id.to_string(),
        fields: vec![
            ("collector_id", number(collector.collector_id)),
            ("name", Value::Foreign(collector.name.clone())),
            ("unit_ids", Value::List(collector.unit_ids.iter().map(|unit| number(*unit)).collect())),
            ("area", collector.area().map_or(Value::Absent, |area| plain(area.to_string()))),
            ("daily_cap_fen", number(collector.daily_cap_fen)),
            ("suspended_from", reading.time(collector.suspended_from_ms)),
            ("suspension_recorded_at", reading.time(state.suspended_at_ms)),
        ],
        moving: vec![("state", plain(suspended))],
    }
}

fn area(state: &AreaState) -> Thing {
    let name = six_digits(state.area);
    Thing {
        class: Class::Area,
        fields: vec![
            ("area", plain(name.clone())),
            ("threshold", number(state.threshold)),
            ("public_keys", Value::List(state.keys.iter().map(|key| plain(hex::encode(key))).collect())),
            ("last_sequence", number(state.sequence)),
            ("last_message", plain(hex::encode(&state.last_id))),
        ],
        name,
        moving: Vec::new(),
    }
}

fn code_text(code: u32) -> String {
    ReceiptCode::new(code).map_or_else(|_| code.to_string(), |code| code.to_string())
}

fn number_text(value: u64) -> String {
    ReceiptNumber::new(value).map_or_else(|_| value.to_string(), |number| number.to_string())
}
