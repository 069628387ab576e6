//! The face as pictures for messengers: one PNG a page, 8 pixels a millimetre, so that a module of a code (375 µm) is three whole pixels.
//!
//! The only file that names ab_glyph_rasterizer. A picture has few colours: a pixel is an index into a palette while it is drawn already, and the
//! file has the same (PNG, ISO/IEC 15948: signature, IHDR, pHYs, PLTE, IDAT, IEND). A picture carries no proof: it is the code in it that can be
//! checked.

use std::io::Write as _;

use ab_glyph_rasterizer::{Point, Rasterizer, point};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use skrifa::outline::pen::PathElement;

use crate::face::{Face, Ink, Line, Mark, Page, PlacedCode};
use crate::font::Fonts;
use crate::outline::Outlines;

/// Micrometres of a pixel: 203.2 dpi.
pub const PIXEL_UM: i32 = 125;

/// How much of a pixel is ink, in steps: text needs no more, and all colours that come of it fit a palette.
const LEVELS: usize = 8;
/// A page of a side of 2 m; what is larger is no picture.
const SIDE_PIXELS_MAX: usize = 16_384;
const INKS: [Ink; 3] = [Ink::Black, Ink::Red, Ink::Pale];

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// There is no such page.
    #[error("the face has {pages} pages, and none has index {page}")]
    Page {
        /// The page asked for, from 0.
        page: usize,
        /// How many there are.
        pages: usize,
    },
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

/// The picture of one page, from 0.
pub fn png_page(face: &Face, page: usize, fonts: &Fonts) -> Result<Vec<u8>, PngError> {
    let pages = face.pages.len();
    picture(face, face.pages.get(page).ok_or(PngError::Page { page, pages })?, &Outlines::new(fonts))
}

fn picture(face: &Face, page: &Page, outlines: &Outlines<'_>) -> Result<Vec<u8>, PngError> {
    let mut canvas = Canvas::new(face)?;
    for mark in &page.marks {
        match mark {
            Mark::Text(text) => canvas.outlines(&outlines.text(text), text.ink)?,
            Mark::Stamp(stamp) => canvas.outlines(&outlines.stamp(stamp), stamp.ink)?,
            Mark::Code(code) => canvas.code(code)?,
            Mark::Line(line) => canvas.line(*line)?,
        }
    }
    canvas.encoded()
}

/// Pixels of a page, each an index into the palette; white is the first colour.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    palette: Palette,
}

impl Canvas {
    fn new(face: &Face) -> Result<Self, PngError> {
        let (width_um, height_um) = (face.width_um, face.height_um);
        let pixels = |um: i32| usize::try_from(um / PIXEL_UM).ok().filter(|side| (1..=SIDE_PIXELS_MAX).contains(side));
        let (Some(width), Some(height)) = (pixels(width_um), pixels(height_um)) else {
            return Err(PngError::Size { width_um, height_um });
        };
        Ok(Self { width, height, pixels: vec![0; width * height], palette: Palette::new() })
    }

    /// Fills what outlines enclose, with soft edges. What lies outside of the page is cut off.
    fn outlines(&mut self, elements: &[PathElement], ink: Ink) -> Result<(), PngError> {
        let Some((left, top, width, height)) = bounds(elements) else { return Ok(()) };
        // What a face says lies on its page; what does not would only cost memory.
        if width.saturating_mul(height) > 4 * self.pixels.len() {
            return Ok(());
        }
        let mut rasterizer = Rasterizer::new(width, height);
        trace(elements, (left as f32, top as f32), &mut rasterizer);
        let mut failed = None;
        rasterizer.for_each_pixel_2d(|x, y, coverage| {
            // Contours that lie over each other add up to more than all of a pixel.
            let level = (coverage.min(1.0) * (LEVELS - 1) as f32).round() as usize;
            if level > 0 {
                let at = (left + i64::from(x), top + i64::from(y));
                failed = self.put(at, ink, level).err().or(failed.take());
            }
        });
        failed.map_or(Ok(()), Err)
    }

    /// Whole pixels: a module that is wider than its neighbours costs a scanner more than one that lies a tenth of a millimetre aside.
    fn code(&mut self, code: &PlacedCode) -> Result<(), PngError> {
        let module = i64::from((code.module_um + PIXEL_UM / 2) / PIXEL_UM).max(1);
        let (left, top) = (nearest_pixel(code.x_um), nearest_pixel(code.y_um));
        for area in &code.areas {
            let [x, y, width, height] =
                [area.x, area.y, area.width, area.height].map(|modules| i64::from(modules) * module);
            self.fill((left + x, top + y), (left + x + width, top + y + height))?;
        }
        Ok(())
    }

    /// Lines lie on whole pixels, too: at least one.
    fn line(&mut self, line: Line) -> Result<(), PngError> {
        let half = (line.width_um / 2).max(PIXEL_UM / 2);
        let from = (nearest_pixel(line.x1_um.min(line.x2_um) - half), nearest_pixel(line.y1_um.min(line.y2_um) - half));
        let to = (nearest_pixel(line.x1_um.max(line.x2_um) + half), nearest_pixel(line.y1_um.max(line.y2_um) + half));
        self.fill(from, (to.0.max(from.0 + 1), to.1.max(from.1 + 1)))
    }

    /// Black from a corner up to, and without, another.
    fn fill(&mut self, from: (i64, i64), to: (i64, i64)) -> Result<(), PngError> {
        for y in from.1..to.1 {
            for x in from.0..to.0 {
                self.put((x, y), Ink::Black, LEVELS - 1)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, (x, y): (i64, i64), ink: Ink, level: usize) -> Result<(), PngError> {
        let inside = |value: i64, side: usize| usize::try_from(value).ok().filter(|value| *value < side);
        let (Some(x), Some(y)) = (inside(x, self.width), inside(y, self.height)) else { return Ok(()) };
        let Some(pixel) = self.pixels.get_mut(y * self.width + x) else { return Ok(()) };
        *pixel = self.palette.blended(*pixel, ink, level)?;
        Ok(())
    }

    /// The picture as PNG with a palette.
    fn encoded(&self) -> Result<Vec<u8>, PngError> {
        let mut compressor = ZlibEncoder::new(Vec::new(), Compression::new(COMPRESSION));
        let mut rows = Vec::with_capacity((self.width + 1) * self.height);
        for row in self.pixels.chunks(self.width) {
            // Each row begins with its filter; 0 changes nothing.
            rows.push(0);
            rows.extend_from_slice(row);
        }
        compressor.write_all(&rows)?;
        let data = compressor.finish()?;
        let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX).to_be_bytes();
        // A pixel is 8 bits of a palette; compression, filter and order are the standard's first.
        let header = [&side(self.width)[..], &side(self.height), &[8, 3, 0, 0, 0]].concat();
        // The pixels of a metre are told, so that who prints a page prints it in its size.
        let per_metre = u32::try_from(1_000_000 / PIXEL_UM).unwrap_or_default().to_be_bytes();
        let resolution = [&per_metre[..], &per_metre[..], &[1]].concat();
        let mut png = vec![0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
        for (kind, data) in [
            (b"IHDR", &header),
            (b"pHYs", &resolution),
            (b"PLTE", &self.palette.colours.concat()),
            (b"IDAT", &data),
            (b"IEND", &Vec::new()),
        ] {
            chunk(*kind, data, &mut png);
        }
        Ok(png)
    }
}

/// Of zlib: most of a page is white, so that more effort saves little.
const COMPRESSION: u32 = 4;

/// Colours that are in use, and what comes of ink upon them.
struct Palette {
    colours: Vec<[u8; 3]>,
    /// By colour, ink and level less one; `None`: not asked for yet.
    blends: Vec<[[Option<u8>; LEVELS - 1]; INKS.len()]>,
}

impl Palette {
    fn new() -> Self {
        Self { colours: vec![[255; 3]], blends: vec![Default::default()] }
    }

    /// The colour of so much ink, above none, over a colour.
    fn blended(&mut self, under: u8, ink: Ink, level: usize) -> Result<u8, PngError> {
        let place = (usize::from(under), INKS.iter().position(|known| *known == ink).unwrap_or_default());
        let known = self.blends.get(place.0).and_then(|inks| inks.get(place.1)?.get(level.checked_sub(1)?).copied()?);
        if let Some(index) = known {
            return Ok(index);
        }
        let below = self.colours.get(place.0).copied().unwrap_or([255; 3]);
        let (red, green, blue) = ink.rgb();
        let mixed = |below: u8, ink: u8| {
            let (steps, level) = (LEVELS - 1, level.min(LEVELS - 1));
            let sum = usize::from(below) * (steps - level) + usize::from(ink) * level;
            // The nearest of as many steps as there are levels, so that colours stay few.
            let step = (sum + 127) / 255;
            u8::try_from(step * 255 / steps).unwrap_or(u8::MAX)
        };
        let colour = [mixed(below[0], red), mixed(below[1], green), mixed(below[2], blue)];
        let known = self.colours.iter().position(|known| *known == colour);
        let index = u8::try_from(known.unwrap_or(self.colours.len())).map_err(|_| PngError::Colours)?;
        if known.is_none() {
            self.colours.push(colour);
            self.blends.push(Default::default());
        }
        if let Some(blend) = self.blends.get_mut(place.0).and_then(|inks| inks.get_mut(place.1)?.get_mut(level - 1)) {
            *blend = Some(index);
        }
        Ok(index)
    }
}

fn pixel(um: f32) -> f32 {
    um / PIXEL_UM as f32
}

fn nearest_pixel(um: i32) -> i64 {
    i64::from((um + PIXEL_UM / 2).div_euclid(PIXEL_UM))
}

/// Left and upper edge, width and height of all that outlines may touch, in pixels; `None`: nothing.
fn bounds(elements: &[PathElement]) -> Option<(i64, i64, usize, usize)> {
    let mut edges: Option<(f32, f32, f32, f32)> = None;
    let mut touch = |x: f32, y: f32| {
        let (left, top, right, bottom) = edges.unwrap_or((x, y, x, y));
        edges = Some((left.min(x), top.min(y), right.max(x), bottom.max(y)));
    };
    for element in elements {
        match *element {
            PathElement::MoveTo { x, y } | PathElement::LineTo { x, y } => touch(x, y),
            PathElement::QuadTo { cx0, cy0, x, y } => [(cx0, cy0), (x, y)].into_iter().for_each(|(x, y)| touch(x, y)),
            PathElement::CurveTo { cx0, cy0, cx1, cy1, x, y } => {
                [(cx0, cy0), (cx1, cy1), (x, y)].into_iter().for_each(|(x, y)| touch(x, y));
            }
            PathElement::Close => {}
        }
    }
    let (left, top, right, bottom) = edges?;
    // A pixel more on each side: rounding must not lead out of the picture. Far outside of every page, a cast ends at the largest number.
    let (left, top) = (pixel(left).floor() as i64 - 1, pixel(top).floor() as i64 - 1);
    let (right, bottom) = (pixel(right).ceil() as i64 + 1, pixel(bottom).ceil() as i64 + 1);
    let side = |from: i64, to: i64| usize::try_from(to.saturating_sub(from)).ok();
    Some((left, top, side(left, right)?, side(top, bottom)?))
}

/// Hands outlines to the rasteriser, in pixels from a corner.
fn trace(elements: &[PathElement], (left, top): (f32, f32), rasterizer: &mut Rasterizer) {
    let at = |x: f32, y: f32| point(pixel(x) - left, pixel(y) - top);
    let origin = point(0.0, 0.0);
    let (mut first, mut last): (Point, Point) = (origin, origin);
    for element in elements {
        match *element {
            PathElement::MoveTo { x, y } => {
                // A contour that was left open is closed.
                rasterizer.draw_line(last, first);
                first = at(x, y);
                last = first;
            }
            PathElement::LineTo { x, y } => {
                rasterizer.draw_line(last, at(x, y));
                last = at(x, y);
            }
            PathElement::QuadTo { cx0, cy0, x, y } => {
                rasterizer.draw_quad(last, at(cx0, cy0), at(x, y));
                last = at(x, y);
            }
            PathElement::CurveTo { cx0, cy0, cx1, cy1, x, y } => {
                rasterizer.draw_cubic(last, at(cx0, cy0), at(cx1, cy1), at(x, y));
                last = at(x, y);
            }
            PathElement::Close => {
                rasterizer.draw_line(last, first);
                last = first;
            }
        }
    }
    rasterizer.draw_line(last, first);
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
