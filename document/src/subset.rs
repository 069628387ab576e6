//! A small TrueType font of what a face says, made from the outlines of the real ones: for formats that embed a font and place characters by
//! themselves.
//!
//! One glyph for each cluster that occurs, already in the middle of its cells, so that who places characters by cells needs nothing else;
//! a character that no font has is its box with the code point, under that code point. 1,000 units an em, curves of second order.
//! The only file that names write-fonts and kurbo.

use std::collections::BTreeMap;

use kurbo::{BezPath, CubicBez, PathEl, Point};
use skrifa::outline::pen::PathElement;
use write_fonts::tables::cmap::Cmap;
use write_fonts::tables::glyf::{GlyfLocaBuilder, Glyph, SimpleGlyph};
use write_fonts::tables::head::Head;
use write_fonts::tables::hhea::Hhea;
use write_fonts::tables::hmtx::{Hmtx, LongMetric};
use write_fonts::tables::maxp::Maxp;
use write_fonts::tables::name::{Name, NameRecord};
use write_fonts::tables::os2::Os2;
use write_fonts::tables::post::Post;
use write_fonts::types::{FWord, GlyphId, NameId, UfWord};
use write_fonts::{BuilderError, FontBuilder};

use crate::face::{Face, Ink, Text};
use crate::outline::Outlines;
use crate::width::clusters;

/// The name under which the font is embedded.
pub(crate) const FONT_NAME: &str = "TallystickFace";

const UNITS_PER_EM: i32 = 1000;
/// How far a curve of second order may lie from that of third order that it stands for, in units.
const ACCURACY: f64 = 0.5;

/// A font of a face's clusters.
#[derive(Debug)]
pub(crate) struct Subset {
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// Glyph numbers of clusters.
    glyphs: BTreeMap<String, u16>,
}

impl Subset {
    /// The font of all that a face says; the error is the compiler's text.
    pub(crate) fn of(face: &Face, outlines: &Outlines<'_>) -> Result<Self, String> {
        let mut order: Vec<(String, i32)> = Vec::new();
        let mut glyphs = BTreeMap::new();
        for cluster in face.texts().flat_map(clusters) {
            if !glyphs.contains_key(cluster.text) {
                order.push((cluster.text.to_owned(), cluster.cells));
                // Glyph 0 stands for none.
                let number = u16::try_from(order.len()).map_err(|_| "more than 65,535 characters".to_owned())?;
                glyphs.insert(cluster.text.to_owned(), number);
            }
        }
        let bytes = compile(&order, &glyphs, outlines)?;
        Ok(Self { bytes, glyphs })
    }

    /// The glyph of a cluster of the face.
    pub(crate) fn glyph(&self, cluster: &str) -> u16 {
        self.glyphs.get(cluster).copied().unwrap_or(0)
    }
}

/// The one character of a cluster that has no other.
pub(crate) fn single(cluster: &str) -> Option<char> {
    let mut characters = cluster.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// Outlines and what is known of all of them together.
struct Drawn {
    builder: GlyfLocaBuilder,
    metrics: Vec<LongMetric>,
    /// Least x and y, greatest x and y.
    bounds: [i16; 4],
}

impl Drawn {
    /// Glyph 0, which stands for none.
    fn new() -> Result<Self, String> {
        let mut drawn = Self { builder: GlyfLocaBuilder::new(), metrics: Vec::new(), bounds: [0; 4] };
        drawn.add(None, 1000)?;
        Ok(drawn)
    }

    /// The next glyph; `None` has no ink.
    fn add(&mut self, glyph: Option<SimpleGlyph>, advance: u16) -> Result<(), String> {
        let [x_min, y_min, x_max, y_max] = self.bounds;
        let mut bearing = 0;
        if let Some(glyph) = &glyph {
            let bbox = glyph.bbox;
            bearing = bbox.x_min;
            self.bounds = [x_min.min(bbox.x_min), y_min.min(bbox.y_min), x_max.max(bbox.x_max), y_max.max(bbox.y_max)];
        }
        self.metrics.push(LongMetric::new(advance, bearing));
        let glyph = glyph.map_or(Glyph::Empty, Glyph::Simple);
        self.builder.add_glyph(&glyph).map(|_| ()).map_err(|error| format!("glyph: {error}"))
    }
}

fn compile(
    order: &[(String, i32)],
    numbers: &BTreeMap<String, u16>,
    outlines: &Outlines<'_>,
) -> Result<Vec<u8>, String> {
    let mut drawn = Drawn::new()?;
    for (cluster, cells) in order {
        let text = Text { x_um: 0, baseline_um: 0, size_um: UNITS_PER_EM, ink: Ink::Black, text: cluster.clone() };
        // A space has no outline; one that is no path is left white, as a renderer would.
        let glyph = SimpleGlyph::from_bezpath(&quadratic(&outlines.text(&text))).ok();
        let advance = u16::try_from(cells * UNITS_PER_EM / 2).unwrap_or(1000);
        drawn.add(glyph.filter(|glyph| !glyph.contours.is_empty()), advance)?;
    }
    let mut mapped: BTreeMap<char, GlyphId> = BTreeMap::new();
    let known = |cluster: &String| numbers.get(cluster).map(|number| GlyphId::new(u32::from(*number)));
    for (cluster, _) in order {
        mapped.extend(single(cluster).zip(known(cluster)));
    }
    // A reader that knows no clusters shows the form with its mark or selector for the character, if that does not stand by itself anywhere.
    for (cluster, _) in order {
        if let Some((first, glyph)) = cluster.chars().next().zip(known(cluster)) {
            mapped.entry(first).or_insert(glyph);
        }
    }
    let cmap = Cmap::from_mappings(mapped).map_err(|error| format!("cmap: {error}"))?;
    assembled(drawn, &cmap)
}

fn assembled(drawn: Drawn, cmap: &Cmap) -> Result<Vec<u8>, String> {
    let (glyf, loca, format) = drawn.builder.build();
    let count = u16::try_from(drawn.metrics.len()).map_err(|_| "too many glyphs".to_owned())?;
    let [x_min, y_min, x_max, y_max] = drawn.bounds;
    let head = Head {
        units_per_em: 1000,
        x_min,
        y_min,
        x_max,
        y_max,
        lowest_rec_ppem: 6,
        index_to_loc_format: format as i16,
        ..Head::default()
    };
    let hhea = Hhea {
        ascender: FWord::new(880),
        descender: FWord::new(-120),
        advance_width_max: UfWord::new(1000),
        number_of_h_metrics: count,
        caret_slope_rise: 1,
        ..Hhea::default()
    };
    let os2 = Os2 {
        s_typo_ascender: 880,
        s_typo_descender: -120,
        us_win_ascent: 880,
        us_win_descent: 120,
        us_weight_class: 400,
        us_width_class: 5,
        ..Os2::default()
    };
    let failed = |error: BuilderError| format!("table {}: {}", error.tag, error.inner);
    let mut font = FontBuilder::new();
    font.add_table(&head).map_err(failed)?;
    font.add_table(&hhea).map_err(failed)?;
    font.add_table(&maxp(count)).map_err(failed)?;
    font.add_table(&os2).map_err(failed)?;
    font.add_table(&Hmtx::new(drawn.metrics, Vec::new())).map_err(failed)?;
    font.add_table(cmap).map_err(failed)?;
    font.add_table(&glyf).map_err(failed)?;
    font.add_table(&loca).map_err(failed)?;
    font.add_table(&names()).map_err(failed)?;
    font.add_table(&Post::default()).map_err(failed)?;
    Ok(font.build())
}

/// Version 1.0, without instructions and composites.
fn maxp(count: u16) -> Maxp {
    Maxp {
        num_glyphs: count,
        max_points: Some(u16::MAX),
        max_contours: Some(1024),
        max_composite_points: Some(0),
        max_composite_contours: Some(0),
        max_zones: Some(2),
        max_twilight_points: Some(0),
        max_storage: Some(0),
        max_function_defs: Some(0),
        max_instruction_defs: Some(0),
        max_stack_elements: Some(0),
        max_size_of_instructions: Some(0),
        max_component_elements: Some(0),
        max_component_depth: Some(0),
    }
}

/// Family, style, full and PostScript name, for Windows (Unicode) in English.
fn names() -> Name {
    let record = |id: NameId, text: &str| NameRecord::new(3, 1, 0x409, id, text.to_owned().into());
    Name::new(vec![
        record(NameId::FAMILY_NAME, FONT_NAME),
        record(NameId::SUBFAMILY_NAME, "Regular"),
        record(NameId::FULL_NAME, FONT_NAME),
        record(NameId::POSTSCRIPT_NAME, FONT_NAME),
    ])
}

/// The outline with up positive and curves of second order.
fn quadratic(elements: &[PathElement]) -> BezPath {
    let at = |x: f32, y: f32| Point::new(f64::from(x), -f64::from(y));
    let mut path = BezPath::new();
    let mut current = Point::ZERO;
    for element in elements {
        match *element {
            PathElement::MoveTo { x, y } => {
                current = at(x, y);
                path.push(PathEl::MoveTo(current));
            }
            PathElement::LineTo { x, y } => {
                current = at(x, y);
                path.push(PathEl::LineTo(current));
            }
            PathElement::QuadTo { cx0, cy0, x, y } => {
                current = at(x, y);
                path.push(PathEl::QuadTo(at(cx0, cy0), current));
            }
            PathElement::CurveTo { cx0, cy0, cx1, cy1, x, y } => {
                let cubic = CubicBez::new(current, at(cx0, cy0), at(cx1, cy1), at(x, y));
                for (_, _, quadratic) in cubic.to_quads(ACCURACY) {
                    path.push(PathEl::QuadTo(quadratic.p1, quadratic.p2));
                }
                current = at(x, y);
            }
            PathElement::Close => path.push(PathEl::ClosePath),
        }
    }
    path
}
