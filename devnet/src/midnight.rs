//! The chain's midnight. Drafts name the day on which they are issued and are made before they are sent, so whoever makes
//! many of them begins after it rather than run over it.

use std::time::Duration;

use receipt_core::ids::UnixMillis;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Milliseconds until the next midnight of a chain with this UTC offset.
fn until_midnight_ms(now: UnixMillis, utc_offset_minutes: i32) -> u64 {
    let offset_ms = i64::from(utc_offset_minutes) * 60_000;
    let today = now.get().saturating_add_signed(offset_ms) % DAY_MS;
    DAY_MS - today
}

/// Waits for the chain's midnight if it is nearer than `lasts`; `tell` says so before.
pub async fn clear_of_midnight(now: UnixMillis, utc_offset_minutes: i32, lasts: Duration, tell: impl FnOnce(&str)) {
    let left = Duration::from_millis(until_midnight_ms(now, utc_offset_minutes));
    if left < lasts {
        tell(&format!("the chain's midnight is {} s away: waiting for it", left.as_secs()));
        tokio::time::sleep(left).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_counts() {
        let noon_utc = UnixMillis::new(20_000 * DAY_MS + DAY_MS / 2);
        for (offset, hours) in [(0, 12), (480, 4), (-300, 17), (720, 24)] {
            assert_eq!(until_midnight_ms(noon_utc, offset), hours * 3600 * 1000, "{offset}");
        }
    }
}
