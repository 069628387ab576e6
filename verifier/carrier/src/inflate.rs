//! Decompression within bounds. The only file that names miniz_oxide.

use miniz_oxide::inflate::{
    DecompressError, TINFLStatus, decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit,
};

use crate::budget::Budget;
use crate::outcome::Why;

/// The contents of a zlib stream (PDF), at most so many bytes. What stands behind its end is left alone, and a stream that was cut is
/// refused.
pub(crate) fn zlib(bytes: &[u8], bytes_max: usize, budget: &mut Budget) -> Result<Vec<u8>, Why> {
    finish(decompress_to_vec_zlib_with_limit(bytes, budget.at_most(bytes_max)), budget)
}

/// The same of a stream without a head (ZIP).
pub(crate) fn raw(bytes: &[u8], bytes_max: usize, budget: &mut Budget) -> Result<Vec<u8>, Why> {
    finish(decompress_to_vec_with_limit(bytes, budget.at_most(bytes_max)), budget)
}

fn finish(result: Result<Vec<u8>, DecompressError>, budget: &mut Budget) -> Result<Vec<u8>, Why> {
    let (made, result) = match result {
        Ok(bytes) => (bytes.len(), Ok(bytes)),
        Err(error) if error.status == TINFLStatus::HasMoreOutput => (error.output.len(), Err(Why::TooLarge)),
        Err(error) => (error.output.len(), Err(Why::Damaged)),
    };
    budget.spend(made)?;
    result
}
