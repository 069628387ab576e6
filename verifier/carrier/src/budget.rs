//! How much work a file may cause, whatever it says of itself.

use crate::outcome::Why;

/// What is left of the work that one file may cause.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Values that may still be read.
    values: usize,
    /// Bytes that may still be looked at again or made: searched, copied, decompressed.
    bytes: usize,
}

impl Budget {
    /// Values of one file: a PDF of 800 lines has fewer than 20,000.
    const VALUES: usize = 1_000_000;
    /// Bytes of one file.
    const BYTES: usize = 128 * 1024 * 1024;

    pub(crate) const fn new() -> Self {
        Self { values: Self::VALUES, bytes: Self::BYTES }
    }

    /// One more value.
    pub(crate) fn value(&mut self) -> Result<(), Why> {
        self.values = self.values.checked_sub(1).ok_or(Why::TooLarge)?;
        Ok(())
    }

    /// So many more bytes.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Why> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Why::TooLarge)?;
        Ok(())
    }

    /// How many bytes one thing may still take, of at most so many.
    pub(crate) fn at_most(&self, bytes: usize) -> usize {
        self.bytes.min(bytes)
    }
}
