//! What is registered, field by field: for people and as JSON.

use serde_json::{Map, Value as Json};

use crate::text::quoted;

/// What kind of registration a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum Class {
    Authorities,
    Validators,
    Unit,
    System,
    Key,
    Segment,
    Code,
    Issuer,
    Kind,
    Items,
    BlindingSecrets,
    Area,
    Collector,
}

impl Class {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 13] = [
        Self::Authorities,
        Self::Area,
        Self::Validators,
        Self::Issuer,
        Self::Unit,
        Self::System,
        Self::Key,
        Self::Segment,
        Self::Code,
        Self::Kind,
        Self::Items,
        Self::Collector,
        Self::BlindingSecrets,
    ];

    /// Its name in a sentence, singular.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Authorities => "authorities",
            Self::Validators => "validators",
            Self::Unit => "unit",
            Self::System => "system",
            Self::Key => "key",
            Self::Segment => "segment",
            Self::Code => "receipt code",
            Self::Issuer => "issuer",
            Self::Kind => "kind",
            Self::Items => "items of",
            Self::BlindingSecrets => "blinding secrets",
            Self::Area => "area",
            Self::Collector => "collector",
        }
    }

    /// Its key in the JSON document, plural.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Authorities => "authority_sets",
            Self::Validators => "validator_sets",
            Self::Unit => "units",
            Self::System => "systems",
            Self::Key => "keys",
            Self::Segment => "segments",
            Self::Code => "receipt_codes",
            Self::Issuer => "issuers",
            Self::Kind => "kinds",
            Self::Items => "items",
            Self::BlindingSecrets => "blinding_secrets",
            Self::Area => "areas",
            Self::Collector => "collectors",
        }
    }

    /// Whether its numbers are the authorities' to choose, one after the other.
    pub const fn is_numbered(self) -> bool {
        matches!(self, Self::Unit | Self::System | Self::Key | Self::Segment | Self::Issuer | Self::Collector)
    }
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Absent,
    /// A number.
    Number(u64),
    /// Digits or words of our own.
    Plain(String),
    /// Text that others chose.
    Foreign(String),
    /// A list of values.
    List(Vec<Value>),
    /// Named values that belong together.
    Part(Vec<(&'static str, Value)>),
}

impl Value {
    /// The value as text for people; foreign text in quotes.
    pub fn words(&self) -> String {
        match self {
            Self::Absent => "none".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Plain(text) => text.clone(),
            Self::Foreign(text) => quoted(text),
            Self::List(values) if values.is_empty() => "none".to_owned(),
            Self::List(values) => values.iter().map(Self::words).collect::<Vec<_>>().join(", "),
            Self::Part(fields) => {
                let fields = fields.iter().map(|(name, value)| format!("{} {}", spaced(name), value.words()));
                format!("({})", fields.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// The JSON form.
    pub fn json(&self) -> Json {
        match self {
            Self::Absent => Json::Null,
            Self::Number(number) => (*number).into(),
            Self::Plain(text) | Self::Foreign(text) => text.as_str().into(),
            Self::List(values) => values.iter().map(Self::json).collect(),
            Self::Part(fields) => object(fields),
        }
    }
}

/// A field's name as a sentence has it.
pub(super) fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

fn object(fields: &[(&'static str, Value)]) -> Json {
    Json::Object(fields.iter().map(|(name, value)| ((*name).to_owned(), value.json())).collect::<Map<_, _>>())
}

/// Something registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// What kind of registration it is.
    pub class: Class,
    /// Its number, or what else tells it from others of its class.
    pub name: String,
    /// What governance has put there.
    pub fields: Vec<(&'static str, Value)>,
    /// What follows from it, and what moves without governance.
    pub moving: Vec<(&'static str, Value)>,
}

impl Thing {
    /// Whether governance has made both the same.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.class, &self.name, &self.fields) == (other.class, &other.name, &other.fields)
    }

    /// The JSON form.
    pub fn json(&self) -> Json {
        object(&self.fields.iter().chain(&self.moving).cloned().collect::<Vec<_>>())
    }
}
