//! How many of sixteen bad pictures are read, by rxing. All samples and sizes are looked at if `TALLYSTICK_QR_PICTURES` is set
//! (`make soak`), one of them else.

use receipt_core::code::{self, Host};
use rxing::common::GlobalHistogramBinarizer;
use rxing::{BarcodeFormat, BinaryBitmap, DecodeHints, Luma8LuminanceSource, MultiFormatReader, Reader as _};
use tallystick_qr::{ReceiptSymbol, receipt_symbol};

use crate::picture::{Kind, Picture};
use crate::records::records;

/// Pictures of one symbol, kind and size.
pub(crate) const PICTURES: usize = 16;

/// (kind, pixels of a module, how many of [`PICTURES`] must be read by a foreign decoder, and how many by rxing, which is worse on faint
/// print: of version 10 it reads 13, of the weakest symbol 11).
pub(crate) const DEMANDED: [(Kind, f32, usize, usize); 3] =
    [(Kind::Photo, 2.5, 15, 15), (Kind::Recompressed, 2.5, 15, 15), (Kind::Faint, 3.0, 14, 10)];

/// Larger pictures, for the long run: nothing may become worse.
const LARGER: [(Kind, f32, usize); 6] = [
    (Kind::Photo, 3.0, 15),
    (Kind::Photo, 4.0, 16),
    (Kind::Recompressed, 3.0, 15),
    (Kind::Recompressed, 4.0, 16),
    (Kind::Faint, 4.0, 15),
    (Kind::Faint, 6.0, 16),
];

/// Whether everything is looked at.
pub(crate) fn is_long_run() -> bool {
    std::env::var_os("TALLYSTICK_QR_PICTURES").is_some()
}

/// The symbols to look at: one of each version that the samples have, or the largest.
pub(crate) fn symbols() -> Vec<ReceiptSymbol> {
    let hosts = [14, 24].map(|chars| Host::new(&format!("{}.CN", "A".repeat(chars - 3))).unwrap());
    let mut symbols: Vec<ReceiptSymbol> = records(1)
        .iter()
        .flat_map(|record| hosts.iter().map(|host| receipt_symbol(host, &record.bytes)).collect::<Vec<_>>())
        .collect();
    symbols.sort_by_key(|printed| printed.symbol.version());
    symbols.dedup_by_key(|printed| printed.symbol.version());
    if is_long_run() {
        // And the weakest that is printed at all.
        symbols.push(receipt_symbol(&hosts[0], &[0x5A; 400]));
    } else {
        symbols.drain(..symbols.len() - 1);
    }
    symbols
}

pub(crate) fn pictures(printed: &ReceiptSymbol, kind: Kind, pixels_per_module: f32) -> Vec<Picture> {
    let seeds = 0..PICTURES as u64;
    seeds.map(|seed| Picture::of(&printed.symbol, kind, pixels_per_module, seed)).collect()
}

/// What rxing reads in a picture. A threshold for each part of the picture reads unevenly lit ones, one threshold for all of it faint ones:
/// one after the other, both.
fn decoded(picture: &Picture) -> Option<String> {
    let (width, height) = (u32::try_from(picture.width).unwrap(), u32::try_from(picture.height).unwrap());
    let format = BarcodeFormat::QR_CODE;
    let mut hints = DecodeHints {
        TryHarder: Some(true),
        PossibleFormats: Some(std::iter::once(format).collect()),
        ..DecodeHints::default()
    };
    let by_parts =
        rxing::helpers::detect_in_luma_filtered_with_hints(picture.luma(), width, height, Some(format), &mut hints);
    let found = by_parts.or_else(|_| {
        let source = Luma8LuminanceSource::new(picture.luma(), width, height)?;
        let mut bitmap = BinaryBitmap::new(GlobalHistogramBinarizer::new(source));
        MultiFormatReader::default().decode_with_hints(&mut bitmap, &hints)
    });
    found.ok().map(|found| found.getText().to_owned())
}

/// How many of the pictures are read; another text than the printed one fails the test.
fn count_read(printed: &ReceiptSymbol, pictures: &[Picture]) -> usize {
    let read = pictures.iter().filter_map(decoded);
    read.inspect(|text| assert_eq!(*text, printed.text, "a picture is read as another code")).count()
}

#[test]
fn bad_pictures_are_read() {
    let mut demanded: Vec<(Kind, f32, usize)> =
        DEMANDED.iter().map(|(kind, pixels, _, least)| (*kind, *pixels, *least)).collect();
    if is_long_run() {
        demanded.extend(LARGER);
    }
    let mut failed = Vec::new();
    for printed in symbols() {
        for (kind, pixels_per_module, least) in &demanded {
            let read = count_read(&printed, &pictures(&printed, *kind, *pixels_per_module));
            let row = format!("{:?}: {kind:?} at {pixels_per_module}: {read} of {PICTURES}", printed.symbol);
            println!("{row}");
            if read < *least {
                failed.push(row);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The pictures are bad: at one pixel a module hardly any is read. What is read is never another code.
#[test]
fn pictures_that_are_too_small_are_not_read() {
    let printed = symbols().remove(0);
    let read = count_read(&printed, &pictures(&printed, Kind::Recompressed, 1.0));
    assert!(read < PICTURES / 4, "{read} of {PICTURES}");
}

/// A scanner that finds another code says so; one that finds ours gives the record.
#[test]
fn what_is_read_is_the_record() {
    let host = Host::new("TALLY.EXAMPLE").unwrap();
    let record = &records(1)[0];
    let printed = receipt_symbol(&host, &record.bytes);
    let picture = Picture::of(&printed.symbol, Kind::Photo, 4.0, 7);
    let text = decoded(&picture).unwrap();
    assert_eq!(code::read(&text, std::slice::from_ref(&host)).as_ref(), Ok(&record.bytes));
    let other = Host::new("OTHER.EXAMPLE").unwrap();
    assert!(matches!(code::read(&text, &[other]), Err(code::CodeError::Elsewhere { .. })));
}
