//! QR codes in a picture. The only file that names rxing, of which it uses what lies below its readers of text: those carry tables of every
//! character set, and the text of a receipt's code is ASCII.

use rxing::common::{BitMatrix, DetectorRXingResult as _, GlobalHistogramBinarizer, HybridBinarizer};
use rxing::qrcode::cpp_port::decoder::Decode;
use rxing::qrcode::cpp_port::detector::{FindFinderPatterns, GenerateFinderPatternSets, SampleQR};
use rxing::{Binarizer as _, Luma8LuminanceSource};

/// Codes of one picture that are told.
const CODES_MAX: usize = 8;
/// Triples of corners that are tried: of a picture full of things that look like corners there are thousands.
const TRIES_MAX: usize = 256;
/// The longest side of a picture.
const SIDE_MAX: usize = 8192;

/// The texts of the codes in a picture of one byte a pixel; `None` if width and height do not fit the pixels.
///
/// A threshold for each part of the picture reads unevenly lit ones, one threshold for all of it faint ones: the second is tried where the
/// first finds nothing.
pub(crate) fn codes(grey: &[u8], width: usize, height: usize) -> Option<Vec<String>> {
    let fits = (1..=SIDE_MAX).contains(&width) && (1..=SIDE_MAX).contains(&height) && width * height == grey.len();
    let (width, height) = (u32::try_from(width).ok().filter(|_| fits)?, u32::try_from(height).ok()?);
    let source = || Luma8LuminanceSource::new(grey.to_vec(), width, height).ok();
    let by_parts = HybridBinarizer::new(source()?);
    let found = by_parts.get_black_matrix().map(texts).unwrap_or_default();
    if !found.is_empty() {
        return Some(found);
    }
    let by_all = GlobalHistogramBinarizer::new(source()?);
    Some(by_all.get_black_matrix().map(texts).unwrap_or_default())
}

fn texts(picture: &BitMatrix) -> Vec<String> {
    let mut corners = FindFinderPatterns(picture, true, 0);
    let mut texts: Vec<String> = Vec::new();
    for corners in GenerateFinderPatternSets(&mut corners).into_iter().take(TRIES_MAX) {
        let Ok(sampled) = SampleQR(picture, &corners) else { continue };
        let Ok(decoded) = Decode(sampled.getBits()) else { continue };
        let text = String::from_utf8_lossy(decoded.content().bytes()).into_owned();
        if decoded.isValid() && !texts.contains(&text) {
            texts.push(text);
        }
        if texts.len() == CODES_MAX {
            break;
        }
    }
    texts
}
