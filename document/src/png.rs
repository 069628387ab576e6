//! The face as pictures for messengers: one PNG a page, 8 pixels a millimetre, so that a module of a code (375 µm) is three whole pixels.
//!
//! The only file that names tiny-skia. Pictures have few colours, so they are written as PNG with a palette (ISO/IEC 15948); this file does
//! that by itself: signature, IHDR, PLTE, IDAT, IEND. A picture carries no proof: it is the code in it that can be checked.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use skrifa::outline::pen::PathElement;
use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Transform};

use crate::face::{Face, Ink, Mark, Page, PlacedCode};
use crate::font::Fonts;
use crate::outline::Outlines;

/// Micrometres of a pixel: 203.2 dpi.
pub const PIXEL_UM: i32 = 125;

/// Steps of each colour channel: text needs no more, and all colours that come of it fit a palette.
const LEVELS: u8 = 8;

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// A page has no size, or one beyond all measure.
    #[error("a page of {width_um} × {height_um} micrometres can not be a picture")]
    Size {
        /// Width of the page.
        width_um: i32,
        /// Height of the page.
        height_um: i32,
    },
    /// More colours than a palette holds.
    #[error("a page has too many colours")]
    Colours,
    /// The compressor failed.
    #[error("the picture can not be written: {0}")]
    Writing(#[from] std::io::Error),
}

/// One picture a page.
pub fn png(face: &Face, fonts: &Fonts) -> Result<Vec<Vec<u8>>, PngError> {
    let outlines = Outlines::new(fonts);
    face.pages.iter().map(|page| picture(face, page, &outlines)).collect()
}

fn picture(face: &Face, page: &Page, outlines: &Outlines<'_>) -> Result<Vec<u8>, PngError> {
    let (width_um, height_um) = (face.width_um, face.height_um);
    let pixels = |um: i32| u32::try_from(um / PIXEL_UM).unwrap_or(0);
    let size = PngError::Size { width_um, height_um };
    let mut pixmap = Pixmap::new(pixels(width_um), pixels(height_um)).ok_or(size)?;
    pixmap.fill(Color::WHITE);
    for mark in &page.marks {
        draw(mark, outlines, &mut pixmap);
    }
    encoded(&pixmap)
}

fn draw(mark: &Mark, outlines: &Outlines<'_>, pixmap: &mut Pixmap) {
    // What is drawn has edges between pixels only where it is text; lines and codes lie on whole ones.
    let (path, ink, smooth) = match mark {
        Mark::Text(text) => (outline_path(&outlines.text(text)), text.ink, true),
        Mark::Stamp(stamp) => (outline_path(&outlines.stamp(stamp)), stamp.ink, true),
        Mark::Code(code) => (code_path(code), Ink::Black, false),
        Mark::Line(line) => {
            let half = (line.width_um / 2).max(PIXEL_UM / 2);
            let rect = Rect::from_ltrb(
                pixel(line.x1_um.min(line.x2_um) - half).round(),
                pixel(line.y1_um.min(line.y2_um) - half).round(),
                pixel(line.x1_um.max(line.x2_um) + half).round(),
                pixel(line.y1_um.max(line.y2_um) + half).round(),
            );
            (rect.map(PathBuilder::from_rect), Ink::Black, false)
        }
    };
    let Some(path) = path else { return };
    let mut paint = Paint { anti_alias: smooth, ..Paint::default() };
    let (red, green, blue) = ink.rgb();
    paint.set_color_rgba8(red, green, blue, 255);
    pixmap.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), None);
}

fn pixel(um: i32) -> f32 {
    um as f32 / PIXEL_UM as f32
}

fn outline_path(elements: &[PathElement]) -> Option<Path> {
    let mut path = PathBuilder::new();
    let scale = 1.0 / PIXEL_UM as f32;
    for element in elements {
        match *element {
            PathElement::MoveTo { x, y } => path.move_to(x * scale, y * scale),
            PathElement::LineTo { x, y } => path.line_to(x * scale, y * scale),
            PathElement::QuadTo { cx0, cy0, x, y } => path.quad_to(cx0 * scale, cy0 * scale, x * scale, y * scale),
            PathElement::CurveTo { cx0, cy0, cx1, cy1, x, y } => {
                path.cubic_to(cx0 * scale, cy0 * scale, cx1 * scale, cy1 * scale, x * scale, y * scale);
            }
            PathElement::Close => path.close(),
        }
    }
    path.finish()
}

/// Whole pixels: a module that is wider than its neighbours costs a scanner more than one that lies a tenth of a millimetre aside.
fn code_path(code: &PlacedCode) -> Option<Path> {
    let module = (pixel(code.module_um)).round().max(1.0);
    let (left, top) = (pixel(code.x_um).round(), pixel(code.y_um).round());
    let mut path = PathBuilder::new();
    for area in &code.areas {
        let (x, y) = (left + area.x as f32 * module, top + area.y as f32 * module);
        path.push_rect(Rect::from_xywh(x, y, area.width as f32 * module, area.height as f32 * module)?);
    }
    path.finish()
}

/// The picture as PNG with a palette.
fn encoded(pixmap: &Pixmap) -> Result<Vec<u8>, PngError> {
    let step = |channel: u8| {
        let level = (u16::from(channel) * u16::from(LEVELS - 1) + 127) / 255;
        // This is at most 255.
        (level * 255 / u16::from(LEVELS - 1)) as u8
    };
    let width = pixmap.width() as usize;
    let mut palette: Vec<[u8; 3]> = Vec::new();
    let mut rows = Vec::with_capacity((width + 1) * pixmap.height() as usize);
    let mut last = None;
    for row in pixmap.pixels().chunks(width) {
        // Each row begins with its filter; 0 changes nothing.
        rows.push(0);
        for pixel in row {
            // Most pixels are as the one before them.
            if let Some((_, index)) = last.filter(|(known, _)| known == pixel) {
                rows.push(index);
                continue;
            }
            let colour = [step(pixel.red()), step(pixel.green()), step(pixel.blue())];
            let known = palette.iter().position(|known| *known == colour);
            let index = u8::try_from(known.unwrap_or(palette.len())).map_err(|_| PngError::Colours)?;
            if known.is_none() {
                palette.push(colour);
            }
            last = Some((*pixel, index));
            rows.push(index);
        }
    }
    let mut compressor = ZlibEncoder::new(Vec::new(), Compression::default());
    compressor.write_all(&rows)?;
    let data = compressor.finish()?;
    let mut header = Vec::new();
    header.extend_from_slice(&pixmap.width().to_be_bytes());
    header.extend_from_slice(&pixmap.height().to_be_bytes());
    // A pixel is 8 bits of a palette; compression, filter and order are the standard's first.
    header.extend_from_slice(&[8, 3, 0, 0, 0]);
    // The pixels of a metre are told, so that who prints a page prints it in its size.
    let per_metre = u32::try_from(1_000_000 / PIXEL_UM).unwrap_or_default().to_be_bytes();
    let resolution = [&per_metre[..], &per_metre[..], &[1]].concat();
    let mut png = vec![0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
    for (kind, data) in [
        (b"IHDR", &header),
        (b"pHYs", &resolution),
        (b"PLTE", &palette.concat()),
        (b"IDAT", &data),
        (b"IEND", &Vec::new()),
    ] {
        chunk(*kind, data, &mut png);
    }
    Ok(png)
}

fn chunk(kind: [u8; 4], data: &[u8], png: &mut Vec<u8>) {
    let mut crc = Crc::new();
    crc.update(&kind);
    crc.update(data);
    png.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    png.extend_from_slice(&kind);
    png.extend_from_slice(data);
    png.extend_from_slice(&crc.sum().to_be_bytes());
}
