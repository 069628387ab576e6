//! Governance actions and credentials in words: what a person reads before signing.
//!
//! Everything that is signed is shown, field by field, also what is absent. Texts of others are quoted and escaped.

use receipt_core::authorities::AuthoritySet;
use receipt_core::credential::UnitCredential;
use receipt_core::governance::{
    Action, AllocateSegment, AttachItems, Grant, KeyOwner, NumberRange, RegisterCollector, RegisterIssuer, RegisterKey,
    RegisterKind, RegisterSystem, RegisterUnit, SetAreaAuthorities, SetValidators, SettleSegment,
};
use receipt_core::ids::{ReceiptCode, ReceiptNumber};
use receipt_core::record::RecordType;

use crate::text::{quoted, shown_time};

/// A sentence and the fields under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line that says what the action does.
    pub title: String,
    /// Name and value of each field.
    pub rows: Vec<(String, String)>,
}

impl Words {
    fn new(title: impl Into<String>, rows: Vec<(&str, String)>) -> Self {
        let rows = rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { title: title.into(), rows }
    }
}

/// What an action does; times are shown in this offset.
pub fn of_action(action: &Action, utc_offset_minutes: i32) -> Words {
    let time = |time_ms| shown_time(time_ms, utc_offset_minutes);
    match action {
        Action::RegisterUnit(unit) => of_unit(unit, time),
        Action::RegisterKey(key) => of_key(key, time),
        Action::RevokeKey(revocation) => {
            let from = ("no longer valid for issue times from", time(revocation.revoked_from_ms));
            Words::new(format!("Revoke key {}, for ever", revocation.key_id), vec![from])
        }
        Action::RegisterSystem(system) => of_system(system),
        Action::AllocateSegment(segment) => of_segment(segment),
        Action::CloseSegment(close) => {
            let taken = "for ten days whatever was issued from it, because its issuer may not know yet";
            let rows = vec![("the ledger takes", taken.to_owned())];
            Words::new(format!("Close segment {}, for ever", close.segment_id), rows)
        }
        Action::SettleSegment(settlement) => of_settlement(settlement),
        Action::RegisterIssuer(issuer) => of_issuer(issuer),
        Action::FenceIssuer(fence) => {
            let title =
                format!("Fence issuer {}: every batch of an older epoch is refused from then on", fence.issuer_id);
            let journal = match fence.journal.as_slice() {
                [] => "none may issue in it".to_owned(),
                id => hex::encode(id),
            };
            Words::new(title, vec![("new epoch", fence.epoch.to_string()), ("journal", journal)])
        }
        Action::RegisterKind(kind) => of_kind(kind, time),
        Action::AttachItems(items) => of_items(items),
        Action::SetValidators(change) => of_validators(change),
        Action::SetAuthorities(set) => of_authorities(set),
        Action::RegisterBlinding(secret) => {
            let title = format!("Register the blinding secret of epoch {}", secret.epoch);
            Words::new(title, vec![("fingerprint", hex::encode(&secret.fingerprint))])
        }
        Action::WithdrawBlinding(withdrawal) => {
            Words::new(format!("Withdraw blinding epoch {}, for ever", withdrawal.epoch), Vec::new())
        }
        Action::SetAreaAuthorities(change) => of_area_authorities(change),
        Action::RegisterCollector(collector) => of_collector(collector, time),
    }
}

/// The fields of a credential, for people.
pub fn of_credential(credential: &UnitCredential, utc_offset_minutes: i32) -> Words {
    let time = |time_ms| shown_time(time_ms, utc_offset_minutes);
    let title = format!("Vouch for key {} of unit {}", credential.signing_key, credential.unit);
    let valid_until = credential.valid_until.map_or(0, |until| until.get());
    let rows = vec![
        ("unit code", quoted(&credential.unit_code)),
        ("unit name", quoted(&credential.unit_name)),
        ("supervisor area code", quoted(&credential.supervisor_area_code)),
        ("public key", hex::encode(credential.public_key.0)),
        ("suite", credential.suite.number().to_string()),
        ("valid from", time(credential.valid_from.get())),
        ("valid until", until(valid_until, time)),
    ];
    Words::new(title, rows)
}

fn until(time_ms: u64, time: impl Fn(u64) -> String) -> String {
    if time_ms == 0 { "open".to_owned() } else { format!("{} (exclusive)", time(time_ms)) }
}

fn of_unit(unit: &RegisterUnit, time: impl Fn(u64) -> String) -> Words {
    let kinds: Vec<String> = unit.kinds.iter().map(|kind| format!("{kind:06}")).collect();
    let suspended = match unit.suspended_from_ms {
        0 => "no".to_owned(),
        from => format!("for issue times from {}", time(from)),
    };
    let rows = vec![
        ("unit code", quoted(&unit.unit_code)),
        ("name", quoted(&unit.name)),
        ("supervisor area code", quoted(&unit.supervisor_area_code)),
        ("kinds it may issue", or_none(&kinds)),
        ("suspended", suspended),
    ];
    Words::new(format!("Register unit {}, or replace its whole entry", unit.unit_id), rows)
}

fn of_key(key: &RegisterKey, time: impl Fn(u64) -> String) -> Words {
    let owner = match key.owner_kind {
        kind if kind == KeyOwner::Unit.number() => "unit (signs receipts)".to_owned(),
        kind if kind == KeyOwner::Issuer.number() => "issuer (signs batches)".to_owned(),
        other => format!("owner of unknown kind {other}"),
    };
    let rows = vec![
        ("owner", format!("{owner} {}", key.owner_id)),
        ("public key", hex::encode(&key.public_key)),
        ("suite", key.suite.to_string()),
        ("valid from", time(key.valid_from_ms)),
        ("valid until", until(key.valid_until_ms, time)),
    ];
    Words::new(format!("Register key {}", key.key_id), rows)
}

fn of_system(system: &RegisterSystem) -> Words {
    let mut rows = vec![("name".to_owned(), quoted(&system.name))];
    for Grant { unit_id, places } in &system.grants {
        let places: Vec<String> = places.iter().map(|place| quoted(place)).collect();
        let places = if places.is_empty() { "all".to_owned() } else { places.join(", ") };
        rows.push((format!("may act for unit {unit_id}, places"), places));
    }
    if system.grants.is_empty() {
        rows.push(("may act for".to_owned(), "nobody".to_owned()));
    }
    Words { title: format!("Register system {}, or replace its whole entry", system.system_id), rows }
}

fn of_segment(segment: &AllocateSegment) -> Words {
    let code =
        ReceiptCode::new(segment.receipt_code).map_or_else(|_| segment.receipt_code.to_string(), |c| c.to_string());
    let rows = vec![
        ("unit", segment.unit_id.to_string()),
        ("issuer", segment.issuer_id.to_string()),
        ("receipt code", code),
        ("numbers", range(segment.first_number, segment.last_number)),
    ];
    Words::new(format!("Allocate segment {}", segment.segment_id), rows)
}

fn range(first: u64, last: u64) -> String {
    let number = |value| ReceiptNumber::new(value).map_or_else(|_| value.to_string(), |number| number.to_string());
    let count = last.checked_sub(first).and_then(|span| span.checked_add(1));
    let count = count.map_or("none".to_owned(), |count| count.to_string());
    format!("{} to {} ({count})", number(first), number(last))
}

fn of_settlement(settlement: &SettleSegment) -> Words {
    let ranges = |ranges: &[NumberRange]| {
        let ranges: Vec<String> = ranges.iter().map(|numbers| range(numbers.first, numbers.last)).collect();
        or_none(&ranges)
    };
    let rows = vec![("void numbers", ranges(&settlement.void)), ("lost numbers", ranges(&settlement.lost))];
    Words::new(format!("Settle segment {}, for ever", settlement.segment_id), rows)
}

fn of_issuer(issuer: &RegisterIssuer) -> Words {
    let rows = vec![("name", quoted(&issuer.name)), ("may carry", or_none(&record_types(issuer)))];
    Words::new(format!("Register issuer {}, or add to what it may carry", issuer.issuer_id), rows)
}

/// Names of what a submitter may carry.
pub(crate) fn record_types(issuer: &RegisterIssuer) -> Vec<String> {
    let name = |number: &u32| match RecordType::from_number(*number) {
        Some(known) => known.name().to_owned(),
        None => format!("unknown type {number}"),
    };
    issuer.record_types.iter().map(name).collect()
}

fn of_kind(kind: &RegisterKind, time: impl Fn(u64) -> String) -> Words {
    let required = match kind.payment_required_from_ms {
        0 => "never".to_owned(),
        from => format!("for issue times from {}", time(from)),
    };
    let rows = vec![("name", quoted(&kind.name)), ("needs confirmed payments", required), ("opens", opened(kind))];
    Words::new(format!("Register kind {:06}, or replace its whole entry", kind.kind), rows)
}

/// How much of a receipt of a kind is opened.
pub(crate) fn opened(kind: &RegisterKind) -> String {
    kind.opened().map_or_else(|| format!("unknown ({})", kind.opens), |opens| opens.name().to_owned())
}

fn of_items(attached: &AttachItems) -> Words {
    let mut rows: Vec<(String, String)> =
        attached.items.iter().map(|item| (format!("item {}", quoted(&item.code)), quoted(&item.name))).collect();
    if rows.is_empty() {
        rows.push(("items".to_owned(), "none".to_owned()));
    }
    let before = if attached.adds { "keeping those attached before" } else { "replacing all before" };
    let title = format!("Attach items to unit {} and kind {:06}, {before}", attached.unit_id, attached.kind);
    Words { title, rows }
}

fn of_validators(change: &SetValidators) -> Words {
    let mut rows = vec![("in force from height".to_owned(), change.effective_height.to_string())];
    for member in change.validators.members() {
        let field = |key: &str| format!("validator {} {key}", member.id);
        rows.push((field("name"), quoted(&member.name)));
        rows.push((field("consensus key"), hex::encode(member.consensus_key.0)));
        rows.push((field("log key"), hex::encode(member.log_key.0)));
        rows.push((field("cosigner key"), hex::encode(member.cosigner_key.0)));
    }
    let (count, quorum) = (change.validators.members().len(), change.validators.quorum());
    Words { title: format!("Replace the validators by these {count}, of which {quorum} decide"), rows }
}

fn of_authorities(set: &AuthoritySet) -> Words {
    let rows = (1_u32..).zip(&set.keys).map(|(number, key)| (format!("authority {number}"), hex::encode(key.0)));
    let (count, threshold) = (set.keys.len(), set.threshold);
    let title =
        format!("Replace the authorities by these {count}, of which {threshold} sign, from the next message on");
    Words { title, rows: rows.collect() }
}

fn of_area_authorities(change: &SetAreaAuthorities) -> Words {
    let SetAreaAuthorities { area, set } = change;
    if change.takes_away() {
        let title = format!("Take the authorities of area {area} away: only those above it govern it from then on");
        return Words::new(title, Vec::new());
    }
    let rows = (1_u32..).zip(&set.keys).map(|(number, key)| (format!("authority {number}"), hex::encode(key.0)));
    let (count, threshold) = (set.keys.len(), set.threshold);
    let title = format!(
        "Name these {count} the authorities of area {area}, of which {threshold} sign, from their next message on"
    );
    Words { title, rows: rows.collect() }
}

fn of_collector(collector: &RegisterCollector, time: impl Fn(u64) -> String) -> Words {
    let suspended = match collector.suspended_from_ms {
        0 => "no".to_owned(),
        from => format!("from {}", time(from)),
    };
    let rows = vec![
        ("name", quoted(&collector.name)),
        ("collects for", collects_for(collector)),
        ("daily cap", yuan(collector.daily_cap_fen)),
        ("suspended", suspended),
    ];
    Words::new(format!("Register collector {}, or replace its whole entry", collector.collector_id), rows)
}

/// The units or the area for which a collector collects.
pub(crate) fn collects_for(collector: &RegisterCollector) -> String {
    let units: Vec<String> = collector.unit_ids.iter().map(|unit| format!("unit {unit}")).collect();
    match collector.area {
        0 => or_none(&units),
        area => format!("every unit of area {area:06}"),
    }
}

/// An amount in yuan.
pub(crate) fn yuan(fen: u64) -> String {
    format!("{}.{:02} yuan", fen / 100, fen % 100)
}

fn or_none(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}
