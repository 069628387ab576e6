//! The seventeen samples as templates for development networks, benches and tests. Not for production.
//!
//! `samples/samples.json` keeps them in the field names of the official XML. [`Samples::template`] maps one to a
//! [`ReceiptDraft`] and sets afresh what a run must: date, year digits, `biz_code`, references that are unique per
//! payment, and valid identifiers where theirs are masked. The same parameters give the same draft.
//!
//! Invariants: a field that the mapping table does not know is an error; nothing here is random.

mod convert;
mod mapping;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ids::ReceiptCode;
use crate::receipt::civil::CivilDate;
use crate::receipt::model::{Receipt, ReceiptDraft};

pub use mapping::{MAPPING, Target};

const SAMPLES_JSON: &str = include_str!("../../samples/samples.json");

/// Why there is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// The file is not what it should be.
    #[error("samples: {0}")]
    File(String),
    /// No such sample.
    #[error("no sample {0}")]
    Unknown(String),
    /// A field that no row of the mapping covers.
    #[error("{sample}: the mapping knows no field {path}")]
    Unmapped {
        /// The sample.
        sample: String,
        /// The official path.
        path: String,
    },
    /// A field's value does not convert.
    #[error("{sample}: {path}: {problem}")]
    Value {
        /// The sample.
        sample: String,
        /// The official path, or our name.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The sample refers to another one, which must be issued first.
    #[error("{sample} needs the receipt issued from {original}")]
    NeedsOriginal {
        /// The sample.
        sample: String,
        /// The sample whose receipt is needed.
        original: &'static str,
    },
}

/// What a run sets afresh.
#[derive(Debug, Clone, Copy)]
pub struct RunParams<'a> {
    /// The day of issue; the sample's other dates move along with it.
    pub date: CivilDate,
    /// Year digits of the receipt code, usually those of the date.
    pub year_digits: u32,
    /// Begins every `biz_code` of the run; at most 24 characters, so that all stay below 50.
    pub biz_prefix: &'a str,
    /// Which use of the template in this run.
    pub serial: u64,
    /// The chain's UTC offset.
    pub utc_offset_minutes: i32,
    /// The receipt issued from S01: S13 reverses it, S14 is what remains of it.
    pub original: Option<&'a Receipt>,
}

/// What a sample says about its unit, for registering units, kinds and items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleUnit {
    /// Its name, `S01` to `S17`.
    pub sample_id: String,
    /// 统一社会信用代码.
    pub unit_code: String,
    /// The unit's name.
    pub unit_name: String,
    /// Six digits of area.
    pub supervisor_area_code: String,
    /// The kind, with the sample's own year digits.
    pub receipt_code: ReceiptCode,
    /// The title of the kind.
    pub receipt_name: String,
    /// 开票点.
    pub place_code: String,
    /// Codes and names of the items charged.
    pub items: Vec<(String, String)>,
}

/// The samples, parsed.
#[derive(Debug, Clone)]
pub struct Samples {
    samples: Vec<Map<String, Value>>,
}

impl Samples {
    /// Parses the file that is compiled in.
    pub fn load() -> Result<Self, SampleError> {
        let samples = serde_json::from_str(SAMPLES_JSON).map_err(|error| SampleError::File(error.to_string()))?;
        Ok(Self { samples })
    }

    /// The names, `S01` to `S17`.
    pub fn ids(&self) -> Vec<&str> {
        self.samples.iter().filter_map(|sample| sample.get("sample_id")?.as_str()).collect()
    }

    /// The sample that must be issued before this one and handed over as [`RunParams::original`].
    pub fn original_of(&self, sample_id: &str) -> Option<&'static str> {
        let related = self.get(sample_id).ok()?.get("related")?;
        related.get("related_invoice_number").and_then(Value::as_str).filter(|number| *number == "0000001023")?;
        Some("S01")
    }

    /// Whether the sample goes on to be exchanged to paper.
    pub fn is_exchanged_to_paper(&self, sample_id: &str) -> bool {
        let state = self.get(sample_id).ok().and_then(|sample| sample.get("state"));
        state.and_then(|state| state.get("is_exchange_paper")).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The unit behind a sample.
    pub fn unit(&self, sample_id: &str) -> Result<SampleUnit, SampleError> {
        #[derive(Deserialize)]
        struct Row {
            item_code: String,
            item_name: String,
        }
        let sample = self.get(sample_id)?;
        let text = |path: &str| convert::text(sample_id, sample, path);
        let items = sample.get("items").cloned().unwrap_or_default();
        let items: Vec<Row> = serde_json::from_value(items).map_err(|error| SampleError::File(error.to_string()))?;
        Ok(SampleUnit {
            sample_id: sample_id.to_owned(),
            unit_code: text("invoicing_party_code")?,
            unit_name: text("invoicing_party_name")?,
            supervisor_area_code: text("supervisor_area_code")?,
            receipt_code: ReceiptCode::parse(&text("e_invoice_code")?)
                .map_err(|error| SampleError::File(error.to_string()))?,
            receipt_name: text("e_invoice_name")?,
            place_code: text("place_code")?,
            items: items.into_iter().map(|row| (row.item_code, row.item_name)).collect(),
        })
    }

    /// A draft made from the sample, valid under all rules on the day of its date.
    pub fn template(&self, sample_id: &str, params: &RunParams<'_>) -> Result<ReceiptDraft, SampleError> {
        let sample = self.get(sample_id)?;
        convert::check_all_mapped(sample_id, sample)?;
        convert::draft(sample_id, sample, params)
    }

    fn get(&self, sample_id: &str) -> Result<&Map<String, Value>, SampleError> {
        let found =
            self.samples.iter().find(|sample| sample.get("sample_id").and_then(Value::as_str) == Some(sample_id));
        found.ok_or_else(|| SampleError::Unknown(sample_id.to_owned()))
    }
}

#[cfg(test)]
mod tests;
