//! Times and spans as people give them on the command line. What nobody can have meant is refused: `20261102` read as milliseconds
//! would be a morning in 1970.

use std::time::Duration;

use receipt_core::ids::UnixMillis;
use receipt_core::verdict::can_be_meant;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, Time, UtcOffset};

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const DATE_DIGITS: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]");
/// Digits of the milliseconds since 1970 in any time that can be meant.
const MILLIS_DIGITS: usize = 13;

/// Why a time or span is refused: a sentence that names the argument.
#[derive(Debug, thiserror::Error)]
pub enum WhenError {
    /// Not a time in one of the forms.
    #[error(
        "--at: `{0}` is no time: give it with its offset (2026-11-02T08:00:00+08:00), as a date (2026-11-02), or as milliseconds since 1970"
    )]
    Time(String),
    /// Seconds, or a typing error.
    #[error("--at: `{0}` would be before 2020 or after 2100; milliseconds since 1970 have {MILLIS_DIGITS} digits")]
    Beyond(String),
    /// The text is no span of time.
    #[error("--max-age: `{0}` is no span: give a number and its unit, like 90s, 15m, 24h or 7d")]
    Span(String),
}

/// RFC 3339; a date, which means its last millisecond under the chain's offset; or milliseconds since the Unix epoch.
pub fn time_of(text: &str, utc_offset_minutes: i32) -> Result<UnixMillis, WhenError> {
    let bad = || WhenError::Time(text.to_owned());
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let date = match text.len() {
        8 if is_digits => Date::parse(text, DATE_DIGITS).ok(),
        _ => Date::parse(text, DATE).ok(),
    };
    let millis = if let Some(date) = date {
        let offset = utc_offset_minutes.checked_mul(60).and_then(|seconds| UtcOffset::from_whole_seconds(seconds).ok());
        let end = Time::from_hms_milli(23, 59, 59, 999).map_err(|_| bad())?;
        date.with_time(end).assume_offset(offset.ok_or_else(bad)?).unix_timestamp_nanos() / 1_000_000
    } else if !text.is_empty() && is_digits {
        text.parse::<u64>().map(i128::from).map_err(|_| WhenError::Beyond(text.to_owned()))?
    } else {
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| bad())?.unix_timestamp_nanos().div_euclid(1_000_000)
    };
    let time = u64::try_from(millis).ok().map(UnixMillis::new).filter(|time| can_be_meant(*time));
    time.ok_or_else(|| WhenError::Beyond(text.to_owned()))
}

/// A number and its unit: s, m, h or d.
pub fn span_of(text: &str) -> Result<Duration, WhenError> {
    let bad = || WhenError::Span(text.to_owned());
    let (number, seconds) = match text.char_indices().last() {
        Some((end, 's')) => (&text[..end], 1),
        Some((end, 'm')) => (&text[..end], 60),
        Some((end, 'h')) => (&text[..end], 3_600),
        Some((end, 'd')) => (&text[..end], 86_400),
        _ => return Err(bad()),
    };
    let number: u32 = if number.bytes().all(|byte| byte.is_ascii_digit()) {
        number.parse().map_err(|_| bad())?
    } else {
        return Err(bad());
    };
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_what_somebody_can_have_meant() {
        let parsed = |text: &str| time_of(text, 480).ok().map(UnixMillis::get);
        assert_eq!(parsed("1793577600000"), Some(1_793_577_600_000));
        assert_eq!(parsed("2026-11-02T08:00:00+08:00"), Some(1_793_577_600_000));
        assert_eq!(parsed("2026-11-02T00:00:00.250Z"), Some(1_793_577_600_250));
        // The end of the day in China.
        let end = Some(1_793_548_800_000 + 86_400_000 - 1);
        assert_eq!((parsed("2026-11-02"), parsed("20261102")), (end, end));
        for bad in [
            "",
            "now",
            "0",
            "1793577600",
            "17935776000000",
            "99999999999999999999",
            "20261302",
            "2026-02-30",
            "2026-11-02T08:00:00",
            "1969-12-31",
            "1960-01-01T00:00:00Z",
            "2101-01-01",
            "-5",
            "2026-11-02\n",
        ] {
            assert_eq!(parsed(bad), None, "{bad:?}");
        }
        assert!(time_of("1793577600", 480).unwrap_err().to_string().contains("13 digits"));
    }

    #[test]
    fn spans_have_a_unit() {
        let parsed = |text: &str| span_of(text).ok().map(|span| span.as_secs());
        assert_eq!(
            [parsed("90s"), parsed("15m"), parsed("24h"), parsed("7d"), parsed("0s")],
            [90, 900, 86_400, 604_800, 0].map(Some)
        );
        for bad in ["", "90", "s", "1.5h", "-1h", "+1h", "1w", "1 h", "99999999999d", "一d"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }
}
