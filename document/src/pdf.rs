//! The face as PDF/A-3b (ISO 19005-3), with the proof attached: places what the face says where it says, in points.
//!
//! ```text
//! bundle.tally   the bundle, byte for byte; AFRelationship Data, application/vnd.tallystick.bundle+json
//! ```
//! The only file that names krilla. The same face, fonts, proof and facts give the same bytes: dates and identifiers come from the receipt,
//! nothing from the machine. krilla checks the rules of PDF/A while it writes and gives an error instead of a file that breaks one.

use std::ops::Range;
use std::sync::Arc;

use krilla::color::rgb;
use krilla::configure::{Archival, ConfigurationBuilder};
use krilla::embed::{AssociationKind, EmbeddedFile, MimeType};
use krilla::geom::{Path, PathBuilder, Point, Rect, Transform};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule, Stroke};
use krilla::surface::Surface;
use krilla::text::{GlyphId, KrillaGlyph};
use krilla::{Document, SerializeSettings};

use crate::content::LocalTime;
use crate::contour::contours;
use crate::face::{
    CHARACTERS_MAX, Face, Ink, Line, Mark, PlacedCode, STAMP_LENGTH, STAMP_RISE, STAMP_RUN, Stamp, Text,
};
use crate::facts::Facts;
use crate::font::{Fonts, Found, Glyphs};
use crate::outline::{BOX_BOTTOM, BOX_INSET, BOX_LINE, BOX_TOP, DIGITS_ROW, DIGITS_SIZE, stamp_text};
use crate::width::clusters;

/// Name of the attached proof.
pub const BUNDLE_NAME: &str = "bundle.tally";
/// Its media type.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.tallystick.bundle+json";
const BUNDLE_DESCRIPTION: &str = "票据凭证：内容、签名与上链证明 (receipt with its proof)";

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The face is larger than a PDF page can be, or a number in it is beyond all measure.
    #[error("the face can not be drawn: {0}")]
    Face(&'static str),
    /// More different characters than [`CHARACTERS_MAX`].
    #[error("it has {0} different characters, at most {CHARACTERS_MAX} can be")]
    Characters(usize),
    /// krilla refuses to write it.
    #[error("the PDF can not be written: {0}")]
    Writing(String),
}

/// A receipt's PDF/A-3b; `bundle` is attached, if there is one.
pub fn pdf(face: &Face, fonts: &Fonts, facts: &Facts, bundle: Option<&[u8]>) -> Result<Vec<u8>, PdfError> {
    let characters = face.characters();
    if characters > CHARACTERS_MAX {
        return Err(PdfError::Characters(characters));
    }
    let configuration = ConfigurationBuilder::new().with_archival_validator(Archival::A3_B).finish();
    let configuration = configuration.map_err(|error| PdfError::Writing(format!("{error:?}")))?;
    let settings = SerializeSettings { configuration, enable_tagging: false, ..SerializeSettings::default() };
    let mut document = Document::new_with(settings);
    let pen = Pen::new(fonts)?;
    let size = PageSettings::from_wh(points(face.width_um), points(face.height_um));
    let size = size.ok_or(PdfError::Face("its page has no size"))?;
    for page in &face.pages {
        let mut sheet = document.start_page_with(size.clone());
        let mut surface = sheet.surface();
        for mark in &page.marks {
            pen.draw(mark, &mut surface)?;
        }
        surface.finish();
        sheet.finish();
    }
    let issued = date_time(facts);
    document.set_metadata(metadata(facts, issued));
    if let Some(bundle) = bundle {
        let file = EmbeddedFile {
            path: BUNDLE_NAME.to_owned(),
            mime_type: MimeType::new(BUNDLE_MEDIA_TYPE),
            description: Some(BUNDLE_DESCRIPTION.to_owned()),
            association_kind: AssociationKind::Data,
            data: bundle.to_vec().into(),
            modification_date: Some(issued),
            compress: Some(true),
            location: None,
        };
        document.embed_file(file).ok_or(PdfError::Face("the proof is attached twice"))?;
    }
    document.finish().map_err(|error| PdfError::Writing(said(&error)))
}

/// An error of krilla with its particulars, which its own text leaves out.
fn said(error: &krilla::error::KrillaError) -> String {
    match error {
        krilla::error::KrillaError::Validation(errors) => format!("{error}: {errors:?}"),
        _ => error.to_string(),
    }
}

fn metadata(facts: &Facts, issued: DateTime) -> Metadata {
    Metadata::new()
        .title(format!("{} {}-{}", facts.title, facts.key.code, facts.key.number))
        .authors(vec![facts.unit_name.clone()])
        .creator("Tallystick".to_owned())
        .producer("Tallystick".to_owned())
        .language("zh-CN".to_owned())
        .document_id(facts.document_id())
        .creation_date(issued)
}

fn date_time(facts: &Facts) -> DateTime {
    let local = LocalTime::of(facts.issue_time, facts.utc_offset_minutes);
    let small = |value: u32| u8::try_from(value).unwrap_or_default();
    let second = local.second_of_day;
    DateTime::new(u16::try_from(local.year).unwrap_or_default())
        .month(small(local.month))
        .day(small(local.day))
        .hour(small(second / 3600))
        .minute(small(second / 60 % 60))
        .second(small(second % 60))
        .utc_offset_hour(i8::try_from(facts.utc_offset_minutes / 60).unwrap_or_default())
        .utc_offset_minute(small(facts.utc_offset_minutes.unsigned_abs() % 60))
}

/// Exact enough: micrometres of a page are far below 2^24.
fn points(micrometres: i32) -> f32 {
    micrometres as f32 * 72.0 / 25_400.0
}

struct Pen<'a> {
    fonts: Vec<krilla::text::Font>,
    glyphs: Glyphs<'a>,
}

/// Glyphs of one font that follow each other, with the text that they stand for.
struct Run {
    font: usize,
    /// From the beginning of the text to its first cell, in em.
    offset_em: f32,
    glyphs: Vec<KrillaGlyph>,
}

impl<'a> Pen<'a> {
    fn new(fonts: &'a Fonts) -> Result<Self, PdfError> {
        let open = |font: &crate::font::Font| krilla::text::Font::new(Arc::clone(&font.bytes).into(), font.index);
        let opened = fonts.all().iter().map(open).collect::<Option<Vec<_>>>();
        Ok(Self { fonts: opened.ok_or(PdfError::Face("a font does not open"))?, glyphs: fonts.glyphs() })
    }

    fn draw(&self, mark: &Mark, surface: &mut Surface<'_>) -> Result<(), PdfError> {
        match mark {
            Mark::Text(text) => self.text(text, surface),
            Mark::Line(line) => {
                let path = line_path(line).ok_or(PdfError::Face("a line has no length"))?;
                surface.set_fill(None);
                surface.set_stroke(Some(Stroke { width: points(line.width_um), ..stroke(Ink::Black) }));
                surface.draw_path(&path);
                Ok(())
            }
            Mark::Code(code) => {
                let path = code_path(code).ok_or(PdfError::Face("a code has no area"))?;
                surface.set_stroke(None);
                surface.set_fill(Some(fill(Ink::Black)));
                // Whole numbers of modules take half the bytes of points.
                let module = points(code.module_um);
                let place = Transform::from_row(module, 0.0, 0.0, module, points(code.x_um), points(code.y_um));
                surface.push_transform(&place);
                surface.draw_path(&path);
                surface.pop();
                Ok(())
            }
            Mark::Stamp(stamp) => self.stamp(stamp, surface),
        }
    }

    /// A stamp is a text around the origin, turned and moved to its place.
    fn stamp(&self, stamp: &Stamp, surface: &mut Surface<'_>) -> Result<(), PdfError> {
        let (cos, sin) = (STAMP_RUN as f32 / STAMP_LENGTH as f32, STAMP_RISE as f32 / STAMP_LENGTH as f32);
        // Down is positive, so rising to the right turns against the clock.
        let turn = Transform::from_row(cos, -sin, sin, cos, points(stamp.center_x_um), points(stamp.center_y_um));
        surface.push_transform(&turn);
        let drawn = self.text(&stamp_text(stamp), surface);
        surface.pop();
        drawn
    }

    fn text(&self, text: &Text, surface: &mut Surface<'_>) -> Result<(), PdfError> {
        surface.set_stroke(None);
        surface.set_fill(Some(fill(text.ink)));
        let mut run: Option<Run> = None;
        for cluster in clusters(&text.text) {
            let range = cluster.start..cluster.start + cluster.text.len();
            let (before_em, width_em) = (half(cluster.cell), half(cluster.cells));
            let Some(found) = self.glyphs.of_cluster(cluster.text) else {
                self.run(run.take(), text, surface)?;
                let first = cluster.text.chars().next().unwrap_or_default();
                self.missing(first, range, text, (before_em, width_em), surface)?;
                continue;
            };
            let font = found.first().map_or(0, |first| first.font);
            if run.as_ref().is_some_and(|run| run.font != font) {
                self.run(run.take(), text, surface)?;
            }
            let run = run.get_or_insert_with(|| Run { font, offset_em: before_em, glyphs: Vec::new() });
            run.glyphs.extend(centred(&found, width_em, &range));
        }
        self.run(run, text, surface)
    }

    /// Glyphs that follow each other, as text.
    fn run(&self, run: Option<Run>, text: &Text, surface: &mut Surface<'_>) -> Result<(), PdfError> {
        let Some(Run { font, offset_em, glyphs }) = run else { return Ok(()) };
        let font = self.fonts.get(font).ok_or(PdfError::Face("a glyph is of no font"))?.clone();
        let size = points(text.size_um);
        let start = Point::from_xy(points(text.x_um) + offset_em * size, points(text.baseline_um));
        surface.draw_glyphs(start, &glyphs, font, &text.text, size, false);
        Ok(())
    }

    /// A character that no font has: a box with its code point, both drawn and no text. The character itself lies there as two half-width
    /// spaces that belong to one cluster: krilla gives such a cluster its characters as ActualText, which is what is copied and read aloud.
    fn missing(
        &self,
        c: char,
        range: Range<usize>,
        text: &Text,
        (before_em, width_em): (f32, f32),
        surface: &mut Surface<'_>,
    ) -> Result<(), PdfError> {
        let font = self.fonts.first().ok_or(PdfError::Face("there is no font"))?;
        let (size, y) = (points(text.size_um), points(text.baseline_um));
        let x = points(text.x_um) + before_em * size;
        let (left, right) = (x + BOX_INSET * size, x + (width_em - BOX_INSET) * size);
        let rect = Rect::from_ltrb(left, y + BOX_TOP * size, right, y + BOX_BOTTOM * size);
        let mut outline = PathBuilder::new();
        outline.push_rect(rect.ok_or(PdfError::Face("a character has no size"))?);
        let outline = outline.finish().ok_or(PdfError::Face("a character has no size"))?;
        surface.set_fill(None);
        surface.set_stroke(Some(Stroke { width: BOX_LINE * size, ..stroke(text.ink) }));
        surface.draw_path(&outline);
        surface.set_stroke(None);
        surface.set_fill(Some(fill(text.ink)));
        let [upper, lower] = self.glyphs.missing_digits(c);
        let row_em = half(i32::try_from(upper.len().max(1)).unwrap_or(1));
        // Digits are half an em, if the box is wide enough for them.
        let digits_size = size * DIGITS_SIZE.min((width_em - 0.1) / row_em);
        let indent = (width_em * size - row_em * digits_size) / 2.0;
        for (row, raised) in [(upper, DIGITS_ROW * size), (lower, 0.0)] {
            let digit =
                |found: Found| KrillaGlyph::new(GlyphId::new(found.glyph), 0.5, 0.0, 0.0, 0.0, range.clone(), None);
            let digits: Vec<KrillaGlyph> = row.into_iter().map(digit).collect();
            let start = Point::from_xy(x + indent, y - raised);
            surface.draw_glyphs(start, &digits, font.clone(), &text.text, digits_size, true);
        }
        let space = self.glyphs.of_cluster(" ").and_then(|found| found.first().copied());
        let space = space.filter(|space| space.font == 0).ok_or(PdfError::Face("the first font has no space"))?;
        let half_of_it = KrillaGlyph::new(GlyphId::new(space.glyph), width_em / 2.0, 0.0, 0.0, 0.0, range, None);
        let spaces = [half_of_it.clone(), half_of_it];
        surface.draw_glyphs(Point::from_xy(x, y), &spaces, font.clone(), &text.text, size, false);
        Ok(())
    }
}

/// Cells in em.
fn half(cells: i32) -> f32 {
    cells as f32 / 2.0
}

/// The glyphs of a cluster in the middle of its cells; what combines with the first lies over it.
fn centred(found: &[Found], width_em: f32, range: &Range<usize>) -> Vec<KrillaGlyph> {
    let last = found.len().saturating_sub(1);
    let glyph = |(index, found): (usize, &Found)| {
        let advance = if index == last { width_em } else { 0.0 };
        let offset = (width_em - found.advance_em) / 2.0;
        KrillaGlyph::new(GlyphId::new(found.glyph), advance, offset, 0.0, 0.0, range.clone(), None)
    };
    found.iter().enumerate().map(glyph).collect()
}

fn line_path(line: &Line) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(points(line.x1_um), points(line.y1_um));
    path.line_to(points(line.x2_um), points(line.y2_um));
    path.finish()
}

/// In modules.
fn code_path(code: &PlacedCode) -> Option<Path> {
    let mut path = PathBuilder::new();
    for corners in contours(code) {
        for (index, (x, y)) in corners.into_iter().map(|(x, y)| (x as f32, y as f32)).enumerate() {
            if index == 0 {
                path.move_to(x, y);
            } else {
                path.line_to(x, y);
            }
        }
        // To fill closes.
    }
    path.finish()
}

fn color(ink: Ink) -> rgb::Color {
    let (red, green, blue) = ink.rgb();
    rgb::Color::new(red, green, blue)
}

fn fill(ink: Ink) -> Fill {
    Fill { paint: color(ink).into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}

fn stroke(ink: Ink) -> Stroke {
    Stroke { paint: color(ink).into(), ..Stroke::default() }
}
