//! What two directories differ in, in words: what an authority reads before it signs.

use std::fmt::Write as _;

use receipt_core::directory::{DirectoryKey, UnitRow};
use receipt_core::ids::KeyId;

use crate::text::{quoted, shown_time};

/// Each difference as a line, by unit; `utc_offset_minutes` is the chain's. Units are known by number, so `before` may be empty.
pub fn changes(before: &[UnitRow], after: &[UnitRow], utc_offset_minutes: i32) -> Vec<String> {
    let known = |rows: &[UnitRow], row: &UnitRow| rows.iter().position(|other| other.unit_id == row.unit_id);
    let gone = before.iter().filter(|row| known(after, row).is_none());
    let mut lines: Vec<String> = gone.map(|row| format!("{}: IS NOT IN IT ANY MORE", name(row))).collect();
    for row in after {
        match known(before, row).and_then(|position| before.get(position)) {
            None => {
                lines.push(format!("{}: new, area {}", name(row), quoted(&row.supervisor_area_code)));
                lines.extend(row.keys.iter().map(|key| format!("  {}", new_key(key, utc_offset_minutes))));
            }
            Some(old) => lines.extend(of_unit(old, row, utc_offset_minutes)),
        }
    }
    lines
}

fn of_unit(old: &UnitRow, row: &UnitRow, utc_offset_minutes: i32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |line: String| lines.push(format!("{}: {line}", name(row)));
    if old.unit_code != row.unit_code {
        say(format!("ANOTHER UNIT CODE than {}", quoted(&old.unit_code)));
    }
    if old.unit_name != row.unit_name {
        say(format!("renamed, from {}", quoted(&old.unit_name)));
    }
    if old.supervisor_area_code != row.supervisor_area_code {
        say(format!("area {} -> {}", quoted(&old.supervisor_area_code), quoted(&row.supervisor_area_code)));
    }
    for key in old.keys.iter().filter(|key| row.key(KeyId::new(key.key_id)).is_none()) {
        say(format!("KEY {} IS GONE", key.key_id));
    }
    for key in &row.keys {
        let Some(before) = old.key(KeyId::new(key.key_id)) else {
            say(new_key(key, utc_offset_minutes));
            continue;
        };
        let unrevoked = |key: &DirectoryKey| DirectoryKey { revoked_from_ms: 0, ..key.clone() };
        if unrevoked(before) != unrevoked(key) {
            say(format!("key {} IS NOT WHAT IT WAS: {}", key.key_id, new_key(key, utc_offset_minutes)));
        }
        if before.revoked_from_ms != key.revoked_from_ms {
            say(format!("key {}: {}", key.key_id, revocation(key, utc_offset_minutes)));
        }
    }
    if lines.is_empty() && old != row {
        lines.push(format!("{}: its former names are others", name(row)));
    }
    lines
}

fn name(row: &UnitRow) -> String {
    format!("unit {} {} ({})", row.unit_id, quoted(&row.unit_name), row.unit_code)
}

fn new_key(key: &DirectoryKey, utc_offset_minutes: i32) -> String {
    let mut text = format!("key {}, new: {}", key.key_id, hex::encode(&key.public_key));
    // Writing to a String cannot fail.
    let _ = write!(text, ", valid from {}", shown_time(key.valid_from_ms, utc_offset_minutes));
    if key.valid_until_ms != 0 {
        let _ = write!(text, " to {}", shown_time(key.valid_until_ms, utc_offset_minutes));
    }
    if key.revoked_from_ms != 0 {
        let _ = write!(text, ", {}", revocation(key, utc_offset_minutes));
    }
    text
}

fn revocation(key: &DirectoryKey, utc_offset_minutes: i32) -> String {
    match key.revoked_from_ms {
        0 => "NOT REVOKED ANY MORE".to_owned(),
        from => format!("revoked from {}", shown_time(from, utc_offset_minutes)),
    }
}
