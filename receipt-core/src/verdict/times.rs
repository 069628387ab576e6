//! Instants and spans as a person reads them, in both languages. Pure arithmetic on the chain's fixed UTC offset.

use super::language::Language;
use crate::ids::UnixMillis;

const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;
const MINUTE: u64 = 60;
/// Clocks in China show this offset, and say no other.
const CHINA_OFFSET_MINUTES: i32 = 480;

/// `2026年11月2日 08:21:37`, with the offset behind it if it is not China's; `2026-11-02 08:21:37 +08:00`.
pub(super) fn time_text(time: UnixMillis, utc_offset_minutes: i32, language: Language) -> String {
    let clock = clock(time, utc_offset_minutes);
    let (year, month, day) = time.civil_date(utc_offset_minutes);
    let sign = if utc_offset_minutes < 0 { '-' } else { '+' };
    let offset = utc_offset_minutes.unsigned_abs();
    let offset = format!(" {sign}{:02}:{:02}", offset / 60, offset % 60);
    match language {
        Language::Zh if utc_offset_minutes == CHINA_OFFSET_MINUTES => format!("{year}年{month}月{day}日 {clock}"),
        Language::Zh => format!("{year}年{month}月{day}日 {clock}{offset}"),
        Language::En => format!("{year:04}-{month:02}-{day:02} {clock}{offset}"),
    }
}

/// RFC 3339, UTC, whole seconds.
pub fn utc_text(time: UnixMillis) -> String {
    let (year, month, day) = time.civil_date(0);
    format!("{year:04}-{month:02}-{day:02}T{}Z", clock(time, 0))
}

fn clock(time: UnixMillis, utc_offset_minutes: i32) -> String {
    let local_seconds = i128::from(time.seconds()) + i128::from(utc_offset_minutes) * 60;
    let second = local_seconds.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// How long ago something was: `三天前`, `3 days ago`; less than a minute is `刚刚`, `just now`.
pub(super) fn ago(seconds: u64, language: Language) -> String {
    match (seconds < MINUTE, language) {
        (true, Language::Zh) => "刚刚".to_owned(),
        (true, Language::En) => "just now".to_owned(),
        (false, Language::Zh) => format!("{}前", age(seconds, language)),
        (false, Language::En) => format!("{} ago", age(seconds, language)),
    }
}

/// A span that was measured, rounded down to what a person would say: `三天`, `3 days`.
pub(super) fn age(seconds: u64, language: Language) -> String {
    let unit = match seconds {
        0..MINUTE => 1,
        MINUTE..7_200 => MINUTE,
        7_200..172_800 => HOUR,
        _ => DAY,
    };
    counted(seconds / unit, unit, language)
}

/// A span that somebody named, exactly: `24小时` is `一天`, 36 hours stay `36小时`.
pub(super) fn span(seconds: u64, language: Language) -> String {
    let divides = |unit: &u64| seconds.is_multiple_of(*unit) && seconds > 0;
    let unit = [DAY, HOUR, MINUTE].into_iter().find(divides).unwrap_or(1);
    counted(seconds / unit, unit, language)
}

fn counted(count: u64, unit: u64, language: Language) -> String {
    let (zh, en) = match unit {
        DAY => ("天", "day"),
        HOUR => ("小时", "hour"),
        MINUTE => ("分钟", "minute"),
        _ => ("秒", "second"),
    };
    match language {
        Language::Zh => format!("{}{zh}", chinese_count(count)),
        Language::En if count == 1 => format!("1 {en}"),
        Language::En => format!("{count} {en}s"),
    }
}

/// Up to ten in words, as people say it (两天, not 二天).
fn chinese_count(count: u64) -> String {
    const WORDS: [&str; 11] = ["零", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十"];
    let word = usize::try_from(count).ok().and_then(|count| WORDS.get(count));
    word.map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_chains_own() {
        let time = UnixMillis::new(1_793_577_697_000);
        assert_eq!(time_text(time, 480, Language::Zh), "2026年11月2日 08:01:37");
        assert_eq!(time_text(time, 480, Language::En), "2026-11-02 08:01:37 +08:00");
        assert_eq!(time_text(time, -210, Language::Zh), "2026年11月1日 20:31:37 -03:30");
        assert_eq!(time_text(time, -210, Language::En), "2026-11-01 20:31:37 -03:30");
        assert_eq!(utc_text(time), "2026-11-02T00:01:37Z");
    }

    #[test]
    fn spans_are_said_as_people_do() {
        for (seconds, zh, en) in [
            (0, "刚刚", "just now"),
            (59, "刚刚", "just now"),
            (60, "一分钟前", "1 minute ago"),
            (7_199, "119分钟前", "119 minutes ago"),
            (7_200, "两小时前", "2 hours ago"),
            (172_799, "47小时前", "47 hours ago"),
            (259_300, "三天前", "3 days ago"),
            (100 * 86_400, "100天前", "100 days ago"),
        ] {
            assert_eq!((ago(seconds, Language::Zh).as_str(), ago(seconds, Language::En).as_str()), (zh, en));
        }
        for (seconds, zh, en) in [
            (0, "零秒", "0 seconds"),
            (90, "90秒", "90 seconds"),
            (900, "15分钟", "15 minutes"),
            (86_400, "一天", "1 day"),
            (129_600, "36小时", "36 hours"),
        ] {
            assert_eq!((span(seconds, Language::Zh).as_str(), span(seconds, Language::En).as_str()), (zh, en));
        }
        assert_eq!(age(5, Language::En), "5 seconds");
    }
}
