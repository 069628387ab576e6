//! The printed code as a picture: PNG of one bit a pixel (ISO/IEC 15948: signature, IHDR, pHYs, IDAT, IEND), whole pixels a module, and its size on
//! paper told, so that a program that prints it prints it in that size.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use tallystick_qr::{Print, Symbol};

/// Pixels of a module's side.
const PIXELS: u32 = 6;
const MICROMETRES_PER_METRE: u32 = 1_000_000;

/// The symbol with its quiet zone.
pub(super) fn png(symbol: &Symbol) -> Result<Vec<u8>> {
    let bitmap = symbol.bitmap(PIXELS);
    let mut compressor = ZlibEncoder::new(Vec::new(), Compression::best());
    for row in bitmap.bits.chunks(bitmap.row_bytes) {
        // Each row begins with its filter; 0 changes nothing. A bit that is set is white.
        let row: Vec<u8> = std::iter::once(0).chain(row.iter().map(|dots| !dots)).collect();
        compressor.write_all(&row).context("compress a code")?;
    }
    let data = compressor.finish().context("compress a code")?;
    let side = bitmap.side_dots.to_be_bytes();
    // One bit of grey; compression, filter and order are the standard's first.
    let header = [&side[..], &side, &[1, 0, 0, 0, 0]].concat();
    let per_metre = (PIXELS * MICROMETRES_PER_METRE / Print::PAPER.module_micrometres()).to_be_bytes();
    let resolution = [&per_metre[..], &per_metre, &[1]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"pHYs", resolution), (b"IDAT", data), (b"IEND", Vec::new())] {
        let length = u32::try_from(data.len()).context("a code is too large for a picture")?;
        let mut sum = Crc::new();
        sum.update(kind);
        sum.update(&data);
        png.extend([&length.to_be_bytes()[..], kind, &data, &sum.sum().to_be_bytes()].concat());
    }
    Ok(png)
}
