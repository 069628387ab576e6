//! Check characters of Chinese identifiers: GB 32100 (统一社会信用代码) and GB 11643 (公民身份号码).
//!
//! Also computed, for generators of test data. A valid check character says nothing about existence.

use crate::receipt::civil::CivilDate;

const USCC_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const RESIDENT_CHECKS: &[u8; 11] = b"10X98765432";

/// The check character for the first 17 characters of a 统一社会信用代码 (GB 32100-2015, 31 − Σ wᵢcᵢ mod 31, wᵢ = 3ⁱ mod
/// 31); `None` for another length or a character outside the alphabet (no I, O, S, V, Z).
pub fn uscc_check_character(first_17: &str) -> Option<char> {
    if first_17.len() != 17 {
        return None;
    }
    let (mut sum, mut weight) = (0_usize, 1_usize);
    for byte in first_17.bytes() {
        let value = USCC_ALPHABET.iter().position(|known| *known == byte)?;
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    Some(char::from(USCC_ALPHABET[(31 - sum % 31) % 31]))
}

/// Whether this is a 统一社会信用代码: 18 characters with the right last one.
pub fn uscc_is_valid(code: &str) -> bool {
    let Some((first_17, check)) = code.split_at_checked(17) else { return false };
    uscc_check_character(first_17).is_some_and(|expected| check.chars().eq([expected]))
}

/// The check digit for the first 17 digits of a 公民身份号码 (GB 11643-1999, ISO 7064 MOD 11-2); `None` for anything
/// but 17 digits.
pub fn resident_id_check_digit(first_17: &str) -> Option<char> {
    if first_17.len() != 17 || !first_17.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let sum = first_17.bytes().fold(0_usize, |sum, byte| (sum + usize::from(byte - b'0')) * 2 % 11);
    Some(char::from(RESIDENT_CHECKS[sum]))
}

/// Characters of a masked resident ID that must be shown: less tells nobody whose it is.
const SHOWN_MIN: usize = 4;

/// The birthday in a 公民身份号码; `None` if this is none: 18 characters, a birthday that exists, the right last character.
/// Whether the birthday has come is for the caller, who knows the day.
pub fn resident_id_birthday(id: &str) -> Option<CivilDate> {
    let (first_17, check) = id.split_at_checked(17)?;
    let expected = resident_id_check_digit(first_17)?;
    let birthday = format!("{}-{}-{}", &id[6..10], &id[10..12], &id[12..14]);
    if check.chars().eq([expected]) { CivilDate::parse(&birthday).ok() } else { None }
}

/// Whether this is a resident ID with a part of it hidden: 18 characters, digits and `*`, the last one maybe `X`; at least
/// four are shown; and some birthday up to `today` fits what is shown of it.
pub fn masked_resident_id_is_plausible(id: &str, today: CivilDate) -> bool {
    let is_known = |(i, byte): (usize, u8)| byte.is_ascii_digit() || byte == b'*' || (byte == b'X' && i == 17);
    if id.len() != 18 || !id.contains('*') || !id.bytes().enumerate().all(is_known) {
        return false;
    }
    let (birthday, shown) = (&id[6..14], id.bytes().filter(|byte| *byte != b'*').count());
    shown >= SHOWN_MIN && (birthday == "********" || some_day_fits(birthday.as_bytes(), today))
}

/// Whether a day from 1900 to `today` is written like this, `*` standing for any digit.
fn some_day_fits(pattern: &[u8], today: CivilDate) -> bool {
    let fits = |part: &[u8], value: u16| {
        let digits = format!("{value:0width$}", width = part.len());
        part.iter().zip(digits.bytes()).all(|(wanted, digit)| *wanted == b'*' || *wanted == digit)
    };
    let (year, rest) = pattern.split_at(4);
    let (month, day) = rest.split_at(2);
    (1900..=today.year()).rev().filter(|value| fits(year, *value)).any(|year| {
        (1..=12_u8).filter(|value| fits(month, u16::from(*value))).any(|month| {
            (1..=31_u8)
                .filter(|value| fits(day, u16::from(*value)))
                .any(|day| CivilDate::new(year, month, day).is_ok_and(|birthday| birthday <= today))
        })
    })
}

/// The code as it is shown: the first six and the last four characters of a long one, the first and the last of a
/// short one; a code of up to two characters is hidden altogether. What has a `*` was masked by the unit and stays as it is: masked again it
/// would show less than the receipt says, and other characters than the unit's.
pub fn masked_code(code: &str) -> String {
    if code.contains('*') {
        return code.to_owned();
    }
    let count = code.chars().count();
    let (head, tail) = match count {
        0..=2 => (0, 0),
        3..=12 => (1, 1),
        _ => (6, 4),
    };
    let hide = |(i, c)| if i < head || i >= count - tail { c } else { '*' };
    code.chars().enumerate().map(hide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn social_credit_codes() {
        // Published codes of three well-known firms, and the samples' hospital.
        for code in ["91330100799655058B", "91110000802100433B", "9144030071526726XG", "129903004000000181"] {
            assert!(uscc_is_valid(code), "{code}");
            assert!(code_sum_is_zero(code), "{code}");
        }
        for code in [
            "",
            "12990300400000018",
            "129903004000000182",
            "1299030040000001811",
            "12990300400000018I",
            "一二九九零三",
            "129903004000000181\n",
        ] {
            assert!(!uscc_is_valid(code), "{code}");
        }
        assert_eq!(uscc_check_character("1299030040000001O"), None);
    }

    /// The rule as an equation over all 18 characters: Σ wᵢcᵢ + c₁₈ ≡ 0 (mod 31).
    fn code_sum_is_zero(code: &str) -> bool {
        const WEIGHTS: [usize; 18] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28, 1];
        let values = code.bytes().map(|byte| USCC_ALPHABET.iter().position(|known| *known == byte).unwrap());
        values.zip(WEIGHTS).map(|(value, weight)| value * weight).sum::<usize>().is_multiple_of(31)
    }

    #[test]
    fn resident_ids() {
        // The standard's own example, and the one every textbook uses.
        for id in ["11010519491231002X", "440524188001010014"] {
            assert_eq!(resident_id_check_digit(&id[..17]), id.chars().last(), "{id}");
        }
        assert_eq!(resident_id_birthday("11010519491231002X"), CivilDate::parse("1949-12-31").ok());
        for id in [
            "",
            "110105194912310021",
            "11010519491331002X",
            "1101051949123100",
            "11010519491231002x",
            "990305********0012",
        ] {
            assert_eq!(resident_id_birthday(id), None, "{id}");
        }
    }

    #[test]
    fn masked_resident_ids() {
        let plausible = |id: &str| masked_resident_id_is_plausible(id, CivilDate::parse("2026-11-12").unwrap());
        for id in [
            "990305********0012",
            "990305********001X",
            "9903**************",
            "**************0012",
            "9903051990****0012",
            "990305****02290012",
            "9903052026111*001*",
            "990305202*1231****",
        ] {
            assert!(plausible(id), "{id}");
        }
        for id in [
            "990305********001",
            "99030519491231001X",
            "99030X********0012",
            "某990305******0012",
            "******************",
            "1****************X",
            "990305209*****0012",
            "9903052026112*0012",
            "990305****13**0012",
            "990305****0230001*",
            "9903051990023*00*3",
        ] {
            assert!(!plausible(id), "{id}");
        }
    }

    #[test]
    fn masked() {
        for (code, shown) in [
            ("11010519491231002X", "110105********002X"),
            ("E12345678", "E*******8"),
            ("12", "**"),
            ("", ""),
            ("港澳A123", "港****3"),
            ("****0301", "****0301"),
            ("990305********0012", "990305********0012"),
            ("6222 **** 3445", "6222 **** 3445"),
        ] {
            assert_eq!(masked_code(code), shown);
        }
    }
}
