//! Fixed-point quantities with four decimals. Checked arithmetic only; conversions to 分 are explicit.

use std::fmt;

use crate::ids::{Fen, IdError};
use crate::receipt::field::{parsed_field, text_serde};

/// An amount of a 清单 line or a charging standard, in 1/10,000 yuan. Printed with four decimals: `31.9133`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Yuan4(i64);

/// A quantity in 1/10,000 of its unit. Printed without trailing zeros: `1`, `1.5`, `89.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i64);

macro_rules! ten_thousandths {
    ($name:ident, $what:literal) => {
        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// Wraps a number of ten-thousandths.
            pub const fn new(ten_thousandths: i64) -> Self {
                Self(ten_thousandths)
            }

            /// The number of ten-thousandths.
            pub const fn get(self) -> i64 {
                self.0
            }

            /// Checked sum.
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }

            /// Checked negation.
            pub fn checked_neg(self) -> Option<Self> {
                self.0.checked_neg().map(Self)
            }

            /// Parses `-?digits` with up to four decimals, without leading zeros, no negative zero.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                parse($what, text).map(Self)
            }
        }

        parsed_field!($name);
        text_serde!($name);
    };
}

ten_thousandths!(Yuan4, "amount");
ten_thousandths!(Quantity, "quantity");

impl Yuan4 {
    /// The same amount of money; `None` beyond the range.
    pub fn from_fen(fen: Fen) -> Option<Self> {
        fen.get().checked_mul(100).map(Self)
    }
}

impl fmt::Display for Yuan4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:04}", magnitude / 10_000, magnitude % 10_000)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let decimals = format!("{:04}", magnitude % 10_000);
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "{sign}{}{point}{decimals}", magnitude / 10_000)
    }
}

fn parse(what: &'static str, text: &str) -> Result<i64, IdError> {
    let error = |problem| IdError { what, problem };
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, decimals) = rest.split_once('.').unwrap_or((rest, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 4 {
        return Err(error("must be digits with up to four decimals"));
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(error("must not have leading zeros"));
    }
    let magnitude = format!("{whole}{decimals:0<4}").parse::<i64>().map_err(|_| error("is too large"))?;
    if negative && magnitude == 0 {
        return Err(error("must not be negative zero"));
    }
    Ok(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, yuan, quantity) in [
            ("0", "0.0000", "0"),
            ("1", "1.0000", "1"),
            ("-1.50", "-1.5000", "-1.5"),
            ("89.10", "89.1000", "89.1"),
            ("31.9133", "31.9133", "31.9133"),
            ("0.0001", "0.0001", "0.0001"),
            ("922337203685477.5807", "922337203685477.5807", "922337203685477.5807"),
        ] {
            assert_eq!(Yuan4::parse(text).unwrap().to_string(), yuan);
            assert_eq!(Quantity::parse(text).unwrap().to_string(), quantity);
        }
        for text in
            ["", "-", ".", "1.", ".5", "01", "-0", "-0.0000", "1.00000", "1e3", "+1", " 1", "922337203685477.5808"]
        {
            assert!(Yuan4::parse(text).is_err(), "{text:?}");
        }
    }
}
