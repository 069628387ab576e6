//! Text as outlines, for renderers that know no fonts: where the edges of the ink run, in micrometres of the page.

use skrifa::instance::{LocationRef, Size};
use skrifa::outline::OutlinePen;
use skrifa::outline::pen::PathElement;
use skrifa::{FontRef, MetadataProvider as _, OutlineGlyphCollection};

use crate::face::{STAMP_LENGTH, STAMP_RISE, STAMP_RUN, Stamp, Text};
use crate::font::{Fonts, Found, Glyphs};
use crate::width::{cells, clusters};

/// Digits of a code point in the box of a character that no font has: their size, and how far the upper row lies above the lower, in em of
/// the text.
pub(crate) const DIGITS_SIZE: f32 = 0.5;
/// See [`DIGITS_SIZE`].
pub(crate) const DIGITS_ROW: f32 = 0.44;
/// The box, in em: how far it lies inside of the cells, its upper and lower edge from the baseline (down positive), its line.
pub(crate) const BOX_INSET: f32 = 0.03;
/// See [`BOX_INSET`].
pub(crate) const BOX_TOP: f32 = -0.86;
/// See [`BOX_INSET`].
pub(crate) const BOX_BOTTOM: f32 = 0.1;
/// See [`BOX_INSET`].
pub(crate) const BOX_LINE: f32 = 0.04;

/// Draws text of a chain of fonts.
pub(crate) struct Outlines<'a> {
    glyphs: Glyphs<'a>,
    fonts: Vec<(OutlineGlyphCollection<'a>, f32)>,
}

/// Where something is drawn: its origin, and the size of an em, in micrometres.
#[derive(Clone, Copy)]
struct Place {
    x_um: f32,
    y_um: f32,
    em_um: f32,
}

impl<'a> Outlines<'a> {
    /// Outlines of these fonts.
    pub(crate) fn new(fonts: &'a Fonts) -> Self {
        let open = |font: &'a crate::font::Font| {
            let reader: FontRef<'a> = font.font_ref()?;
            Some((reader.outline_glyphs(), f32::from(font.units_per_em)))
        };
        Self { glyphs: fonts.glyphs(), fonts: fonts.all().iter().filter_map(open).collect() }
    }

    /// A line of text.
    pub(crate) fn text(&self, text: &Text) -> Vec<PathElement> {
        let mut path = Vec::new();
        let em_um = text.size_um as f32;
        for cluster in clusters(&text.text) {
            let x_um = text.x_um as f32 + cluster.cell as f32 / 2.0 * em_um;
            let place = Place { x_um, y_um: text.baseline_um as f32, em_um };
            let width_em = cluster.cells as f32 / 2.0;
            match self.glyphs.of_cluster(cluster.text) {
                Some(found) => {
                    for glyph in found {
                        let offset_um = (width_em - glyph.advance_em) / 2.0 * em_um;
                        self.glyph(glyph, Place { x_um: x_um + offset_um, ..place }, &mut path);
                    }
                }
                None => self.missing(cluster.text.chars().next().unwrap_or_default(), width_em, place, &mut path),
            }
        }
        path
    }

    /// A stamp: its text around the origin, turned and moved.
    pub(crate) fn stamp(&self, stamp: &Stamp) -> Vec<PathElement> {
        let (cos, sin) = (STAMP_RUN as f32 / STAMP_LENGTH as f32, STAMP_RISE as f32 / STAMP_LENGTH as f32);
        let turn = |x: f32, y: f32| {
            (stamp.center_x_um as f32 + x * cos + y * sin, stamp.center_y_um as f32 - x * sin + y * cos)
        };
        self.text(&stamp_text(stamp)).into_iter().map(|element| turned(element, &turn)).collect()
    }

    fn glyph(&self, found: Found, place: Place, path: &mut Vec<PathElement>) {
        let Some((outlines, units_per_em)) = self.fonts.get(found.font) else { return };
        let Some(outline) = outlines.get(skrifa::GlyphId::new(found.glyph)) else { return };
        let mut pen = PlacedPen { place, scale: place.em_um / units_per_em, path };
        // An outline that does not read draws what it has, as every renderer does.
        let _drawn = outline.draw((Size::unscaled(), LocationRef::default()), &mut pen);
    }

    /// A character that no font has: a box with its code point.
    fn missing(&self, c: char, width_em: f32, place: Place, path: &mut Vec<PathElement>) {
        let Place { x_um, y_um, em_um } = place;
        let edge = |inset: f32| {
            let (left, right) = (x_um + inset * em_um, x_um + (width_em - inset) * em_um);
            let inner = (inset - BOX_INSET) * em_um;
            (left, y_um + BOX_TOP * em_um + inner, right, y_um + BOX_BOTTOM * em_um - inner)
        };
        rectangle(edge(BOX_INSET), false, path);
        rectangle(edge(BOX_INSET + BOX_LINE), true, path);
        let [upper, lower] = self.glyphs.missing_digits(c);
        let row_em = upper.len().max(1) as f32 / 2.0;
        let digits_um = em_um * DIGITS_SIZE.min((width_em - 0.1) / row_em);
        let indent_um = (width_em * em_um - row_em * digits_um) / 2.0;
        for (row, raised_um) in [(upper, DIGITS_ROW * em_um), (lower, 0.0)] {
            for (index, found) in row.into_iter().enumerate() {
                let x_um = x_um + indent_um + index as f32 / 2.0 * digits_um;
                self.glyph(found, Place { x_um, y_um: y_um - raised_um, em_um: digits_um }, path);
            }
        }
    }
}

/// The text of a stamp around the origin.
pub(crate) fn stamp_text(stamp: &Stamp) -> Text {
    Text {
        x_um: -cells(&stamp.text) * stamp.size_um / 4,
        // The middle of the ink lies 0.38 em above the baseline.
        baseline_um: stamp.size_um * 19 / 50,
        size_um: stamp.size_um,
        ink: stamp.ink,
        text: stamp.text.clone(),
    }
}

/// With the ink inside, or outside: a frame is one of each.
fn rectangle((left, top, right, bottom): (f32, f32, f32, f32), backwards: bool, path: &mut Vec<PathElement>) {
    let mut corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    if backwards {
        corners.reverse();
    }
    for (index, (x, y)) in corners.into_iter().enumerate() {
        path.push(if index == 0 { PathElement::MoveTo { x, y } } else { PathElement::LineTo { x, y } });
    }
    path.push(PathElement::Close);
}

fn turned(element: PathElement, turn: &impl Fn(f32, f32) -> (f32, f32)) -> PathElement {
    match element {
        PathElement::MoveTo { x, y } => {
            let (x, y) = turn(x, y);
            PathElement::MoveTo { x, y }
        }
        PathElement::LineTo { x, y } => {
            let (x, y) = turn(x, y);
            PathElement::LineTo { x, y }
        }
        PathElement::QuadTo { cx0, cy0, x, y } => {
            let ((cx0, cy0), (x, y)) = (turn(cx0, cy0), turn(x, y));
            PathElement::QuadTo { cx0, cy0, x, y }
        }
        PathElement::CurveTo { cx0, cy0, cx1, cy1, x, y } => {
            let ((cx0, cy0), (cx1, cy1), (x, y)) = (turn(cx0, cy0), turn(cx1, cy1), turn(x, y));
            PathElement::CurveTo { cx0, cy0, cx1, cy1, x, y }
        }
        PathElement::Close => PathElement::Close,
    }
}

/// Takes an outline in font units, up positive, to its place on the page, down positive.
struct PlacedPen<'p> {
    place: Place,
    scale: f32,
    path: &'p mut Vec<PathElement>,
}

impl PlacedPen<'_> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.place.x_um + x * self.scale, self.place.y_um - y * self.scale)
    }
}

impl OutlinePen for PlacedPen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.push(PathElement::MoveTo { x, y });
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.push(PathElement::LineTo { x, y });
    }

    fn quad_to(&mut self, cx0: f32, cy0: f32, x: f32, y: f32) {
        let ((cx0, cy0), (x, y)) = (self.at(cx0, cy0), self.at(x, y));
        self.path.push(PathElement::QuadTo { cx0, cy0, x, y });
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        let ((cx0, cy0), (cx1, cy1), (x, y)) = (self.at(cx0, cy0), self.at(cx1, cy1), self.at(x, y));
        self.path.push(PathElement::CurveTo { cx0, cy0, cx1, cy1, x, y });
    }

    fn close(&mut self) {
        self.path.push(PathElement::Close);
    }
}
