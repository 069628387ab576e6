//! What a sentence names: values of a few kinds, each with one form for machines and one for a reader of either language.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::labels::field_label;
use super::language::Language;
use super::sentences::{damage_clause, refusal_clause, sort_clause};
use super::times::{age, ago, span, time_text};
use crate::bundle::FileSort;
use crate::code::CodeError;
use crate::ids::{ReceiptKey, UnixMillis};
use crate::reason::Reason;
use crate::shown::{Damage, line};
use crate::suite::ChainId;

/// A value that a sentence names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A receipt; for machines `code-number`.
    Receipt(ReceiptKey),
    /// A field of the content, by its name in the body's layout.
    Field(&'static str),
    /// An instant; for machines whole seconds since 1970.
    Seconds(u64),
    /// An instant; for machines milliseconds since 1970.
    Millis(UnixMillis),
    /// How long ago something was, in seconds.
    Ago(u64),
    /// A measured span, in seconds.
    Age(u64),
    /// A span that somebody named, in seconds.
    Span(u64),
    /// A count.
    Number(u64),
    /// A text, which may be anybody's.
    Text(String),
    /// A chain by its id; for machines all 64 digits. A reader sees eight, which tell two chains apart and fit on a phone; the rest stands among
    /// the particulars.
    Chain(ChainId),
    /// Codes, in order.
    Codes(Vec<String>),
    /// Why the ledger refused something.
    Reason(Reason),
    /// What a file is instead of a bundle.
    Sort(FileSort),
    /// What happened to a file on its way.
    Damage(Damage),
    /// Why a text is not the code of a receipt.
    Code(CodeError),
}

impl Value {
    /// As a reader sees it.
    pub(super) fn shown(&self, utc_offset_minutes: i32, language: Language) -> String {
        match self {
            Self::Receipt(key) => key.to_string(),
            Self::Field(name) => field_label(name).map_or(*name, |label| label.of(language)).to_owned(),
            Self::Seconds(seconds) => {
                time_text(UnixMillis::new(seconds.saturating_mul(1000)), utc_offset_minutes, language)
            }
            Self::Millis(time) => time_text(*time, utc_offset_minutes, language),
            Self::Ago(seconds) => ago(*seconds, language),
            Self::Age(seconds) => age(*seconds, language),
            Self::Span(seconds) => span(*seconds, language),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => line(text).into_owned(),
            Self::Chain(id) => format!("{:.8}", id.0.to_string()),
            Self::Codes(codes) => codes.join(match language {
                Language::Zh => "、",
                Language::En => ", ",
            }),
            Self::Reason(reason) => {
                refusal_clause(*reason).map_or(reason.as_str(), |clause| clause.of(language)).to_owned()
            }
            Self::Sort(sort) => sort_clause(*sort).of(language).to_owned(),
            Self::Damage(damage) => damage_clause(*damage).of(language).to_owned(),
            Self::Code(fault) => match language {
                Language::Zh => fault.in_chinese(),
                Language::En => fault.to_string(),
            },
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Receipt(key) => serializer.collect_str(key),
            Self::Field(name) => serializer.serialize_str(name),
            Self::Millis(time) => serializer.serialize_u64(time.get()),
            Self::Seconds(number)
            | Self::Ago(number)
            | Self::Age(number)
            | Self::Span(number)
            | Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Chain(id) => serializer.collect_str(&id.0),
            Self::Codes(codes) => codes.serialize(serializer),
            Self::Reason(reason) => serializer.serialize_str(reason.as_str()),
            Self::Sort(sort) => serializer.serialize_str(sort.code()),
            Self::Damage(damage) => serializer.serialize_str(damage.code()),
            Self::Code(fault) => serializer.serialize_str(fault.code()),
        }
    }
}

/// Named values, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters(Vec<(&'static str, Value)>);

impl Parameters {
    /// None.
    pub const NONE: Self = Self(Vec::new());

    /// These.
    pub fn of(values: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        Self(values.into_iter().collect())
    }

    /// One more, if there is one.
    #[must_use]
    pub fn and(mut self, name: &'static str, value: Option<Value>) -> Self {
        self.0.extend(value.map(|value| (name, value)));
        self
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
