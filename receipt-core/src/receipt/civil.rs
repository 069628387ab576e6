//! Local civil dates as printed on receipts: `YYYY-MM-DD`, proleptic Gregorian, years 1900–2999.
//!
//! Not an instant: what is the date of an instant depends on the chain's UTC offset.

use std::fmt;

use crate::ids::{IdError, UnixMillis};
use crate::receipt::field::{parsed_field, text_serde};

/// A valid civil date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate {
    year: u16,
    month: u8,
    day: u8,
}

impl CivilDate {
    /// A date that exists, from 1900 to 2999.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, IdError> {
        let error = |problem| IdError { what: "date", problem };
        if !(1900..=2999).contains(&year) {
            return Err(error("year must be 1900 to 2999"));
        }
        if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return Err(error("no such day"));
        }
        Ok(Self { year, month, day })
    }

    /// Parses `YYYY-MM-DD`, exactly ten characters.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let error = IdError { what: "date", problem: "must look like 2026-11-02" };
        let bytes = text.as_bytes();
        let digits = |range: std::ops::Range<usize>| -> Option<u16> {
            let part = bytes.get(range)?;
            part.iter()
                .try_fold(0_u16, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u16::from(byte - b'0')))
        };
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return Err(error);
        }
        match (digits(0..4), digits(5..7), digits(8..10)) {
            (Some(year), Some(month), Some(day)) => {
                Self::new(year, u8::try_from(month).unwrap_or(0), u8::try_from(day).unwrap_or(0))
            }
            _ => Err(error),
        }
    }

    /// The local date at an instant, under a fixed UTC offset in minutes. Fails outside the years 1900 to 2999.
    pub fn at(time: UnixMillis, utc_offset_minutes: i32) -> Result<Self, IdError> {
        let (year, month, day) = time.civil_date(utc_offset_minutes);
        let error = |_| IdError { what: "date", problem: "year must be 1900 to 2999" };
        Self::new(
            u16::try_from(year).map_err(error)?,
            u8::try_from(month).map_err(error)?,
            u8::try_from(day).map_err(error)?,
        )
    }

    /// The year, four digits.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01; negative before.
    pub fn epoch_days(self) -> i64 {
        // Days-from-civil, Howard Hinnant's algorithm.
        let month = i64::from(self.month);
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The date so many days later (earlier, if negative). Fails outside the years 1970 to 2999.
    pub fn plus_days(self, days: i64) -> Result<Self, IdError> {
        let error = IdError { what: "date", problem: "year must be 1970 to 2999" };
        let epoch_days = self.epoch_days().checked_add(days).and_then(|days| u64::try_from(days).ok());
        let millis = epoch_days.and_then(|days| days.checked_mul(86_400_000));
        Self::at(UnixMillis::new(millis.filter(|millis| *millis < 1 << 45).ok_or(error)?), 0)
    }

    /// The day of the year, from 1.
    pub fn day_of_year(self) -> i64 {
        let before = Self { year: self.year, month: 1, day: 1 };
        self.epoch_days() - before.epoch_days() + 1
    }

    /// The instant of a local time of this day, under a fixed UTC offset in minutes; `None` before 1970.
    pub fn at_seconds(self, second_of_day: u32, utc_offset_minutes: i32) -> Option<UnixMillis> {
        let seconds = self.epoch_days() * 86_400 + i64::from(second_of_day) - i64::from(utc_offset_minutes) * 60;
        u64::try_from(seconds * 1000).ok().map(UnixMillis::new)
    }
}

impl fmt::Display for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

parsed_field!(CivilDate);
text_serde!(CivilDate);

const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_days_that_exist() {
        for text in ["2026-11-02", "2024-02-29", "2000-02-29", "1900-01-01", "2999-12-31"] {
            assert_eq!(CivilDate::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026-1-02",
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-04-31",
            "2026/11/02",
            "1899-12-31",
            "２026-11-02",
            "2026-11-0２",
        ] {
            assert!(CivilDate::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_of_the_year() {
        for (text, day) in [("2026-01-01", 1), ("2026-12-31", 365), ("2024-12-31", 366), ("2026-03-01", 60)] {
            assert_eq!(CivilDate::parse(text).unwrap().day_of_year(), day);
        }
        assert!(CivilDate::parse("2999-12-31").unwrap().plus_days(1).is_err());
        assert!(CivilDate::parse("1970-01-01").unwrap().plus_days(-1).is_err());
        assert!(CivilDate::parse("2026-01-01").unwrap().plus_days(i64::MAX).is_err());
    }

    #[test]
    fn days_agree_with_instants_over_four_centuries() {
        let mut date = CivilDate::parse("1970-01-01").unwrap();
        for day in 0..150_000_i64 {
            assert_eq!(date.epoch_days(), day);
            let time = UnixMillis::new(u64::try_from(day).unwrap() * 86_400_000);
            assert_eq!(CivilDate::at(time, 0).unwrap(), date);
            assert_eq!(date.at_seconds(28_800, 480), Some(time));
            date = date.plus_days(1).unwrap();
            assert_eq!(date.plus_days(-1).unwrap().epoch_days(), day);
        }
    }
}
