//! A file in shorter forms: as brotli, for servers that hand it out so, and as gzip, to say how long it is.
//!
//! ```text
//! OUT/…/NAME        what the list of sums has
//! OUT/…/NAME.br     the same as brotli; whoever serves it can see that it is
//! ```
//! Packed when the page is made and not when it is served: as small as brotli can takes seconds. The same bytes in give the same bytes
//! out, whatever the processor (`portable-float` of the crate).

use std::io::{self, Write as _};

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

/// What stands behind a file's name in the name of its brotli.
pub(crate) const BROTLI_ENDING: &str = ".br";
/// As small as it can, which takes 4 s a MiB.
const QUALITY_BEST: i32 = 11;
/// An eighth more bytes, in a small part of the time.
const QUALITY_FAST: i32 = 9;
/// Longer files are packed fast: the page in one file, which is fetched to be kept, and a large directory of units.
const BEST_BYTES_MAX: usize = 1024 * 1024;

/// The bytes as brotli (RFC 7932).
pub(crate) fn brotli(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let quality = if bytes.len() <= BEST_BYTES_MAX { QUALITY_BEST } else { QUALITY_FAST };
    let parameters = BrotliEncoderParams { quality, size_hint: bytes.len(), ..BrotliEncoderParams::default() };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut packed, &parameters)?;
    Ok(packed)
}

/// How many bytes they are as gzip.
pub(crate) fn gzip_bytes(bytes: &[u8]) -> io::Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use receipt_core::hash::sha256;

    use super::*;

    /// Bytes that hardly repeat but have few values, as a module's.
    fn bytes(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 28) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn what_is_packed_unpacks_to_the_same_and_is_the_same_each_time() {
        for length in [0, 1, 100_000, BEST_BYTES_MAX + 1] {
            let bytes = bytes(length);
            let packed = brotli(&bytes).unwrap();
            assert_eq!(packed, brotli(&bytes).unwrap());
            let mut unpacked = Vec::new();
            brotli::Decompressor::new(&packed[..], 4096).read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == bytes, "{length}");
            assert!(length < 2 || packed.len() < gzip_bytes(&bytes).unwrap(), "{length}: {}", packed.len());
        }
    }

    /// Another version of the crate may pack otherwise; another processor may not.
    #[test]
    fn the_same_bytes_are_packed_alike_everywhere() {
        let packed = brotli(&bytes(100_000)).unwrap();
        assert_eq!(sha256(&[&packed]).to_string(), "0943ee0072ff7553eb9c9d113d44f8f1aa793cb04b795ef3e617c3cc2e0a69b2");
    }
}
