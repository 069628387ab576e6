//! Identifiers and quantities as newtypes.
//!
//! None of them converts implicitly; arithmetic is checked and explicit. Text forms are the printed ones of a fiscal
//! receipt (`99060126`, `0000001023`, `385.37`).

use std::fmt;

/// Why a text or number is not a valid identifier or quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {problem}")]
pub struct IdError {
    /// The kind of value that was expected, for example `receipt_code`.
    pub what: &'static str,
    /// What is wrong with it, in words a cashier's system can show.
    pub problem: &'static str,
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// Wraps a raw value.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The raw value.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// One more; `None` at the end of the range.
            pub fn next(self) -> Option<Self> {
                self.0.checked_add(1).map(Self)
            }

            /// One less; `None` at zero.
            pub fn previous(self) -> Option<Self> {
                self.0.checked_sub(1).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter!(
    /// A block's height: genesis is 0, each block one more.
    Height
);
counter!(
    /// Position of a leaf in the outer log or in a batch, from 0.
    LeafIndex
);
counter!(
    /// Number of leaves of a tree. Never an index.
    TreeSize
);
counter!(
    /// An issuer's batch sequence, from 1, without gaps.
    BatchSequence
);

macro_rules! registry_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            /// Wraps a raw registry number.
            pub const fn new(value: u32) -> Self {
                Self(value)
            }

            /// The raw registry number.
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

registry_id!(
    /// An issuing unit's number in the ledger's registry.
    UnitId
);
registry_id!(
    /// A signing key's number in the ledger's registry.
    KeyId
);
registry_id!(
    /// An issuer's (one issuer process and its journal) number in the ledger's registry.
    IssuerId
);
registry_id!(
    /// A calling system's number in the ledger's registry.
    SystemId
);
registry_id!(
    /// A validator's number in the ledger's registry.
    ValidatorId
);
registry_id!(
    /// A number segment's number in the ledger's registry.
    SegmentId
);

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// Wraps milliseconds since the epoch.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// `self + millis`, saturating at the end of the range.
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to `self`; 0 if `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The civil date (year, month, day) at this instant under a fixed UTC offset in minutes.
    pub fn civil_date(self, utc_offset_minutes: i32) -> (i32, u32, u32) {
        let local_ms = i128::from(self.0) + i128::from(utc_offset_minutes) * 60_000;
        let days = local_ms.div_euclid(86_400_000);
        // Civil-from-days, Howard Hinnant's algorithm, era of 400 years.
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i128::from(month <= 2);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "u64 millis keep all three small")]
        (year as i32, month as u32, day as u32)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An amount of money in 分 (1/100 yuan). Signed: red receipts are negative. Never a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fen(i64);

impl Fen {
    /// Zero fen.
    pub const ZERO: Self = Self(0);

    /// Wraps an amount in 分.
    pub const fn new(fen: i64) -> Self {
        Self(fen)
    }

    /// The amount in 分.
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

    /// Parses `-?digits.dd`, exactly two decimals, no leading zeros, no `-0.00`, as printed on receipts.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let error = |problem| IdError { what: "amount", problem };
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (yuan, cents) = rest.split_once('.').ok_or(error("must have two decimals, like 385.37"))?;
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(yuan) || cents.len() != 2 || !digits(cents) {
            return Err(error("must be digits with exactly two decimals, like 385.37"));
        }
        if yuan.len() > 1 && yuan.starts_with('0') {
            return Err(error("must not have leading zeros"));
        }
        let magnitude = format!("{yuan}{cents}").parse::<i64>().map_err(|_| error("is too large"))?;
        if negative && magnitude == 0 {
            return Err(error("must not be negative zero"));
        }
        Ok(Self(if negative { -magnitude } else { magnitude }))
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", magnitude / 100, magnitude % 100)
    }
}

/// 票据代码: 8 digits, region (1–2), category (3–4), kind (5–6), year (7–8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptCode(u32);

impl ReceiptCode {
    /// Parses `^\d{8}$`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(IdError { what: "receipt_code", problem: "must be exactly 8 digits" });
        }
        text.parse::<u32>().map(Self).map_err(|_| IdError { what: "receipt_code", problem: "must be 8 digits" })
    }

    /// From the number the 8 digits spell.
    pub fn new(value: u32) -> Result<Self, IdError> {
        if value > 99_999_999 {
            return Err(IdError { what: "receipt_code", problem: "must have at most 8 digits" });
        }
        Ok(Self(value))
    }

    /// The number the 8 digits spell.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Digits 1–2: region of the authority.
    pub const fn region(self) -> u32 {
        self.0 / 1_000_000
    }

    /// Digits 3–4: category.
    pub const fn category(self) -> u32 {
        self.0 / 10_000 % 100
    }

    /// Digits 5–6: kind, per province.
    pub const fn kind(self) -> u32 {
        self.0 / 100 % 100
    }

    /// Digits 7–8: year.
    pub const fn year(self) -> u32 {
        self.0 % 100
    }
}

impl fmt::Display for ReceiptCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

/// 票据号码: 10 digits, sequential inside a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptNumber(u64);

impl ReceiptNumber {
    /// Parses `^\d{10}$`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.len() != 10 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(IdError { what: "receipt_number", problem: "must be exactly 10 digits" });
        }
        text.parse::<u64>().map(Self).map_err(|_| IdError { what: "receipt_number", problem: "must be 10 digits" })
    }

    /// From the number the 10 digits spell.
    pub fn new(value: u64) -> Result<Self, IdError> {
        if value > 9_999_999_999 {
            return Err(IdError { what: "receipt_number", problem: "must have at most 10 digits" });
        }
        Ok(Self(value))
    }

    /// The number the 10 digits spell.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ReceiptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

/// The natural key of a receipt: (票据代码, 票据号码).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptKey {
    /// 票据代码.
    pub code: ReceiptCode,
    /// 票据号码.
    pub number: ReceiptNumber,
}

impl fmt::Display for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.code, self.number)
    }
}

/// The name of a record in the journal of whoever submitted it. Only that journal's owner reads it.
///
/// 12 bytes. A receipt's: code u32 ‖ number u64, big-endian, so that the order of the bytes is that of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(pub [u8; 12]);

impl From<ReceiptKey> for RecordKey {
    fn from(key: ReceiptKey) -> Self {
        let mut bytes = [0; 12];
        let (code, number) = bytes.split_at_mut(4);
        code.copy_from_slice(&key.code.get().to_be_bytes());
        number.copy_from_slice(&key.number.get().to_be_bytes());
        Self(bytes)
    }
}

impl TryFrom<RecordKey> for ReceiptKey {
    type Error = IdError;

    fn try_from(RecordKey(bytes): RecordKey) -> Result<Self, Self::Error> {
        let [a, b, c, d, number @ ..] = bytes;
        let code = ReceiptCode::new(u32::from_be_bytes([a, b, c, d]))?;
        Ok(Self { code, number: ReceiptNumber::new(u64::from_be_bytes(number))? })
    }
}
