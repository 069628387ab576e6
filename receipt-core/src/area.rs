//! Areas: administrative division codes (行政区划代码), and which of them lies in which.
//!
//! Six digits in three pairs: province, city, district. Zeros at the end stand for all of it: 330100 is a city and covers its districts,
//! 330106 is one of them and covers itself. The code 000000 is no area: what concerns the whole chain names none.

use std::fmt;

/// An administrative division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Area(u32);

impl Area {
    /// From its number; `None` if that has not six digits, the first two of which name a province.
    pub const fn new(code: u32) -> Option<Self> {
        if code >= 10_000 && code <= 999_999 { Some(Self(code)) } else { None }
    }

    /// Reads six ASCII digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).and_then(Self::new)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether the other is this area or lies in it.
    pub const fn covers(self, other: Self) -> bool {
        let whole = match self.0 {
            province if province % 10_000 == 0 => 10_000,
            city if city % 100 == 0 => 100,
            _ => 1,
        };
        self.0 / whole == other.0 / whole
    }

    /// Whether the other lies in this area and is not all of it.
    pub const fn is_above(self, other: Self) -> bool {
        self.covers(other) && self.0 != other.0
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_covers_what_has_its_digits() {
        let area = |code| Area::new(code).unwrap();
        for (one, other, covers) in [
            (330_000, 330_000, true),
            (330_000, 330_100, true),
            (330_000, 330_106, true),
            (330_000, 320_106, false),
            (330_100, 330_106, true),
            (330_100, 330_100, true),
            (330_100, 330_000, false),
            (330_100, 330_206, false),
            (330_106, 330_106, true),
            (330_106, 330_100, false),
            (330_106, 330_108, false),
            // A county that is under the province itself.
            (419_000, 419_001, true),
            (410_100, 419_001, false),
            (410_000, 419_001, true),
        ] {
            assert_eq!(area(one).covers(area(other)), covers, "{one} {other}");
            assert_eq!(area(one).is_above(area(other)), covers && one != other, "{one} {other}");
        }
    }

    #[test]
    fn areas_have_six_digits_and_a_province() {
        for (text, code) in [("330106", Some(330_106)), ("990300", Some(990_300)), ("010000", Some(10_000))] {
            assert_eq!(Area::parse(text).map(Area::get), code, "{text}");
            assert_eq!(Area::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "33010", "3301066", "33010a", "+30106", "000000", "009999", " 30106", "３３０１０６"] {
            assert_eq!(Area::parse(text), None, "{text:?}");
        }
        assert_eq!([Area::new(0), Area::new(9_999), Area::new(1_000_000)], [None; 3]);
    }
}
