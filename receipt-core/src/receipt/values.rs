//! Reading the list of values that a body consists of, and what can be wrong with one. Which value stands where: `layout`.

use crate::receipt::field::Field;

/// Why values are not a receipt's body, or a receipt has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The extension is not the one of the code's category.
    #[error("the extension does not fit the category of the receipt code")]
    ExtMismatch,
    /// More rows than the format can count.
    #[error("too many rows")]
    TooManyRows,
    /// Fewer or more values than the header says.
    #[error("the number of values does not fit the counts in the header")]
    CountMismatch,
    /// A value does not read.
    #[error("{name}: {problem}")]
    Value {
        /// The field's name.
        name: String,
        /// What was expected.
        problem: &'static str,
    },
    /// A value reads, but is not written that way.
    #[error("{name}: not the canonical text")]
    NotCanonical {
        /// The field's name.
        name: String,
    },
}

/// Reads a body's values one after the other.
pub(crate) struct ValueReader<'a> {
    values: std::slice::Iter<'a, String>,
}

impl<'a> ValueReader<'a> {
    pub(crate) fn new(values: &'a [String]) -> Self {
        Self { values: values.iter() }
    }

    /// The values that are not read yet.
    pub(crate) fn rest(&self) -> &'a [String] {
        self.values.as_slice()
    }

    /// Reads the next value; `name` is the field's, for errors.
    pub(crate) fn read<T: Field>(&mut self, name: &'static str) -> Result<T, BodyError> {
        let text = self.values.next().ok_or(BodyError::CountMismatch)?;
        T::from_field(text).map_err(|error| BodyError::Value { name: name.to_owned(), problem: error.problem })
    }
}
