//! Values as people write them in descriptions, and as they are shown before a signature.
//!
//! Every value is checked where it is read, so that a refusal names the key. Foreign text is shown in quotes, and nothing in
//! it acts on a terminal (`receipt_core::shown`).

use receipt_core::ids::{ReceiptCode, ReceiptNumber, UnixMillis};
use receipt_core::receipt::idcheck::uscc_check_character;
use receipt_core::shown::line;
use receipt_core::suite::PublicKey;
use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

const NAME_CHARACTERS_MAX: usize = 200;

/// A public key: 64 lower-case hexadecimal digits, canonical and torsion-free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyText(pub PublicKey);

impl TryFrom<String> for KeyText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let key = PublicKey(bytes_of_hex(&text).ok_or("must be 64 hexadecimal digits, lower case")?);
        if !key.is_registrable() {
            return Err("is not a canonical, torsion-free Ed25519 key; copy it again from `keygen`".to_owned());
        }
        Ok(Self(key))
    }
}

/// The fingerprint of a blinding secret: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FingerprintText(pub [u8; 16]);

impl TryFrom<String> for FingerprintText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        bytes_of_hex(&text).map(Self).ok_or("must be the 32 hexadecimal digits that `tallystick-issuer keygen` printed")
    }
}

/// The id of a journal that recovers: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct JournalText(pub [u8; 16]);

impl TryFrom<String> for JournalText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        bytes_of_hex(&text).map(Self).ok_or("must be the 32 hexadecimal digits that `recover` printed")
    }
}

/// An instant in RFC 3339, with its offset: `2026-11-23T00:00:00+08:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeText(pub UnixMillis);

impl TryFrom<String> for TimeText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const FORM: &str = "must be a time with its offset, like 2026-11-23T00:00:00+08:00, after 1970";
        let time = OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| FORM)?;
        let nanos = time.unix_timestamp_nanos();
        if nanos % 1_000_000 != 0 {
            return Err("must be in whole milliseconds");
        }
        u64::try_from(nanos / 1_000_000).ok().filter(|millis| *millis > 0).map(UnixMillis::new).map(Self).ok_or(FORM)
    }
}

/// A registry number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "u32")]
pub struct IdText(pub u32);

impl TryFrom<u32> for IdText {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if number == 0 { Err("registry numbers begin with 1") } else { Ok(Self(number)) }
    }
}

/// A kind of receipt: 6 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct KindText(pub u32);

impl TryFrom<String> for KindText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if !is_digits(&text, 6) {
            return Err("must be 6 digits in quotes, like \"990601\"");
        }
        text.parse().map(Self).map_err(|_| "must be 6 digits")
    }
}

/// 票据代码: 8 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CodeText(pub ReceiptCode);

impl TryFrom<String> for CodeText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        ReceiptCode::parse(&text).map(Self).map_err(|error| error.problem)
    }
}

/// 票据号码: 10 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NumberText(pub ReceiptNumber);

impl TryFrom<String> for NumberText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        ReceiptNumber::parse(&text).map(Self).map_err(|error| error.problem)
    }
}

/// 统一社会信用代码: 18 characters with the right check character (GB 32100).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct UnitCodeText(pub String);

impl TryFrom<String> for UnitCodeText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = text.get(..17).and_then(uscc_check_character);
        match (expected, text.chars().nth(17)) {
            (Some(expected), Some(given)) if text.chars().count() == 18 => match given == expected {
                true => Ok(Self(text)),
                false => Err(format!("its check character must be {expected}: a character of it is wrong")),
            },
            _ => Err("must have 18 characters of 0-9 and A-Z without I, O, S, V, Z".to_owned()),
        }
    }
}

/// 监管机构代码: 6 digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AreaText(pub String);

impl TryFrom<String> for AreaText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_digits(&text, 6) { Ok(Self(text)) } else { Err("must be 6 digits in quotes, like \"990300\"") }
    }
}

/// A name or code for people: 1 to 200 characters that all can be seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct NameText(pub String);

impl TryFrom<String> for NameText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !(1..=NAME_CHARACTERS_MAX).contains(&text.chars().count()) {
            return Err(format!("must have 1 to {NAME_CHARACTERS_MAX} characters"));
        }
        if text.trim() != text || text.escape_debug().any(|c| c == '\\') {
            return Err("has spaces at an end, or characters that cannot be seen".to_owned());
        }
        Ok(Self(text))
    }
}

/// Exactly `N` bytes from lower-case hexadecimal digits.
pub fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: [u8; N] = hex::decode(text).ok()?.try_into().ok()?;
    (hex::encode(bytes) == text).then_some(bytes)
}

/// Text as it is shown: in quotes, everything that acts on a terminal or cannot be seen escaped, quotes and backslashes too.
pub fn quoted(text: &str) -> String {
    line(&format!("{text:?}")).into_owned()
}

/// An instant as it is shown, in the chain's fixed offset.
pub fn shown_time(time_ms: u64, utc_offset_minutes: i32) -> String {
    let local = || {
        let offset = UtcOffset::from_whole_seconds(utc_offset_minutes.checked_mul(60)?).ok()?;
        let nanos = i128::from(time_ms).checked_mul(1_000_000)?;
        OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?.checked_to_offset(offset)?.format(&Rfc3339).ok()
    };
    local().unwrap_or_else(|| format!("{time_ms} ms after 1970, beyond the calendar"))
}

fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: TryFrom<String>>(text: &str) -> Option<T> {
        T::try_from(text.to_owned()).ok()
    }

    #[test]
    fn values_are_strict() {
        assert_eq!(read::<KindText>("990601"), Some(KindText(990_601)));
        for bad in ["", "99060", "9906011", "99060a", "+99060"] {
            assert_eq!(read::<KindText>(bad), None, "{bad}");
            assert_eq!(read::<AreaText>(bad), None, "{bad}");
        }
        let time = |text| read::<TimeText>(text).map(|time| time.0.get());
        assert_eq!(time("1970-01-01T08:00:01+08:00"), Some(1_000));
        assert_eq!(time("1970-01-01T00:00:00.250Z"), Some(250));
        for bad in ["1970-01-01T00:00:00Z", "1969-01-01T00:00:00Z", "2026-11-23", "2026-11-23T00:00:00", "x"] {
            assert_eq!(time(bad), None, "{bad}");
        }
        assert_eq!(time("1970-01-01T00:00:01.0000001Z"), None, "parts of a millisecond");
        for bad in ["", " x", "x ", "a\nb", "a\u{202e}b", "a\u{200b}b", &"x".repeat(201)] {
            assert_eq!(read::<NameText>(bad), None, "{bad:?}");
        }
        assert!(read::<NameText>("示例市第一人民医院").is_some());
        assert!(IdText::try_from(0).is_err());
    }

    #[test]
    fn unit_codes_and_keys_are_checked() {
        let prefix = "12990300400009001";
        let check = uscc_check_character(prefix).unwrap();
        assert!(read::<UnitCodeText>(&format!("{prefix}{check}")).is_some());
        let wrong = if check == '1' { '2' } else { '1' };
        let error = UnitCodeText::try_from(format!("{prefix}{wrong}")).unwrap_err();
        assert!(error.contains(&format!("must be {check}")), "{error}");
        for bad in [String::new(), prefix.to_owned(), format!("{prefix}{check}0"), format!("é{prefix}")] {
            assert_eq!(read::<UnitCodeText>(&bad), None, "{bad}");
        }
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert!(read::<KeyText>(key).is_some());
        let identity = format!("01{}", "00".repeat(31));
        for bad in ["", &key[1..], &key.to_uppercase(), &identity] {
            assert_eq!(read::<KeyText>(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_shown_cannot_turn_the_terminal() {
        assert_eq!(quoted("a\u{1b}[2Jb\u{202e}c\n"), r#""a\u{1b}[2Jb\u{202e}c\n""#);
        assert_eq!(quoted("医院"), "\"医院\"");
        assert_eq!(shown_time(0, 480), "1970-01-01T08:00:00+08:00");
        assert_eq!(shown_time(u64::MAX, 480), format!("{} ms after 1970, beyond the calendar", u64::MAX));
    }
}
