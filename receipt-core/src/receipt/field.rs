//! One printed text form per typed value: what stands in a disclosure and in JSON alike.
//!
//! Not a parser of callers' notations: [`Field::from_field`] may accept more than [`Field::to_field`] writes, and
//! whoever needs the one canonical form encodes again and compares.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{Fen, IdError, ReceiptCode, ReceiptNumber, UnixMillis};

/// A value with a text form. The text of a present value is never empty, texts and lists excepted.
pub trait Field: Sized {
    /// The canonical text.
    fn to_field(&self) -> String;

    /// Reads the text; the error says what was expected.
    fn from_field(text: &str) -> Result<Self, IdError>;

    /// The text itself, of a value that is free text and nothing else.
    fn as_text_mut(&mut self) -> Option<&mut String> {
        None
    }
}

/// Serde as text, for `#[serde(with = "text")]`.
pub(crate) mod text {
    use super::{Deserialize, Deserializer, Field, Serializer};

    pub(crate) fn serialize<T: Field, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_field())
    }

    pub(crate) fn deserialize<'de, T: Field, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        T::from_field(&text).map_err(serde::de::Error::custom)
    }
}

/// Whether an amount is zero: such a field is left out of JSON where zero is the default.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Field for String {
    fn to_field(&self) -> String {
        self.clone()
    }

    fn from_field(text: &str) -> Result<Self, IdError> {
        Ok(text.to_owned())
    }

    fn as_text_mut(&mut self) -> Option<&mut String> {
        Some(self)
    }
}

impl Field for bool {
    fn to_field(&self) -> String {
        self.to_string()
    }

    fn from_field(text: &str) -> Result<Self, IdError> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(IdError { what: "flag", problem: "must be true or false" }),
        }
    }
}

/// Decimal digits without sign or leading zeros.
fn parse_unsigned(what: &'static str, text: &str) -> Result<u64, IdError> {
    let canonical = text == "0" || (!text.starts_with('0') && !text.is_empty());
    if !canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(IdError { what, problem: "must be decimal digits without leading zeros" });
    }
    text.parse().map_err(|_| IdError { what, problem: "is too large" })
}

impl Field for u32 {
    fn to_field(&self) -> String {
        self.to_string()
    }

    fn from_field(text: &str) -> Result<Self, IdError> {
        let value = parse_unsigned("count", text)?;
        value.try_into().map_err(|_| IdError { what: "count", problem: "is too large" })
    }
}

impl Field for UnixMillis {
    fn to_field(&self) -> String {
        self.to_string()
    }

    fn from_field(text: &str) -> Result<Self, IdError> {
        parse_unsigned("time", text).map(Self::new)
    }
}

macro_rules! parsed_field {
    ($($name:ident),*) => {$(
        impl $crate::receipt::field::Field for $name {
            fn to_field(&self) -> String {
                self.to_string()
            }

            fn from_field(text: &str) -> Result<Self, $crate::ids::IdError> {
                Self::parse(text)
            }
        }
    )*};
}
pub(crate) use parsed_field;

parsed_field!(Fen, ReceiptCode, ReceiptNumber);

/// Absent is the empty text.
impl<T: Field> Field for Option<T> {
    fn to_field(&self) -> String {
        self.as_ref().map(Field::to_field).unwrap_or_default()
    }

    fn from_field(text: &str) -> Result<Self, IdError> {
        if text.is_empty() { Ok(None) } else { T::from_field(text).map(Some) }
    }
}

/// The empty list is the empty text; otherwise compact JSON.
impl<T: Serialize + DeserializeOwned> Field for Vec<T> {
    fn to_field(&self) -> String {
        if self.is_empty() { String::new() } else { to_json(self) }
    }

    fn from_field(text: &str) -> Result<Self, IdError> {
        if text.is_empty() { Ok(Self::new()) } else { from_json("list", text) }
    }
}

/// Compact JSON, keys in the order of declaration.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    // Rows hold texts and integers under text keys only, which JSON always takes; the empty text would be refused on reading.
    serde_json::to_string(value).unwrap_or_default()
}

/// Reads JSON; the reader compares with what would be written.
pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, IdError> {
    serde_json::from_str(text).map_err(|_| IdError { what, problem: "must be the JSON of this format version" })
}

/// An enum with one text per variant: `as_str`, `ALL`, parsing, serde and [`Field`].
macro_rules! text_enum {
    ($(#[$meta:meta])* pub enum $name:ident: $what:literal {
        $($(#[$vmeta:meta])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)*
        }

        impl $name {
            /// All values, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable text of this value.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Reads the stable text.
            pub fn parse(text: &str) -> Result<Self, $crate::ids::IdError> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::ids::IdError { what: $what, problem: concat!("must be one of:", $(" ", $text),*) }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        $crate::receipt::field::parsed_field!($name);
        $crate::receipt::field::text_serde!($name);
    };
}
pub(crate) use text_enum;

/// Serde through [`Field`].
macro_rules! text_serde {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::receipt::field::text::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::receipt::field::text::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use text_serde;
