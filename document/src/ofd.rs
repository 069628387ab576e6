//! The face as OFD (GB/T 33190-2016), with the data and the proof attached.
//!
//! ```text
//! OFD.xml
//! Doc_0/Document.xml         pages, resources, attachments
//! Doc_0/PublicRes.xml        one font: Res/face.ttf, of what the face says (`subset`)
//! Doc_0/Pages/Page_N/Content.xml
//! Doc_0/Attachs/Attachments.xml, einvoice.xml, bundle.tally
//! ```
//! Millimetres with three decimals are micrometres: every number is exact. A code is one filled path. The archive has no dates of files.
//! Not here: a signature. OFD files of finance departments are sealed with SM2; this one has the bundle.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::content::LocalTime;
use crate::contour::contours;
use crate::face::{CHARACTERS_MAX, Face, Ink, Line, Mark, Page, PlacedCode, STAMP_LENGTH, STAMP_RISE, STAMP_RUN, Text};
use crate::facts::Facts;
use crate::font::Fonts;
use crate::markup::Element;
use crate::outline::{Outlines, stamp_text};
use crate::pdf::BUNDLE_NAME;
use crate::subset::{FONT_NAME, Subset, single};
use crate::width::{cells, clusters};
use crate::xml::XML_NAME;

const NAMESPACE: &str = "http://www.ofdspec.org/2016";
/// The font and the colour space are the first resources.
const FONT_ID: u32 = 1;
const COLOUR_SPACE_ID: u32 = 2;

/// Why there is no OFD.
#[derive(Debug, thiserror::Error)]
pub enum OfdError {
    /// The font of the face could not be made.
    #[error("the font of the document can not be made: {0}")]
    Font(String),
    /// More different characters than [`CHARACTERS_MAX`].
    #[error("it has {0} different characters, at most {CHARACTERS_MAX} can be")]
    Characters(usize),
    /// The archive could not be written.
    #[error("the archive can not be written: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// The same.
    #[error("the archive can not be written: {0}")]
    Writing(#[from] std::io::Error),
}

/// A receipt's OFD; `xml` is attached as `einvoice.xml`, and `bundle` if there is one.
pub fn ofd(face: &Face, fonts: &Fonts, facts: &Facts, xml: &[u8], bundle: Option<&[u8]>) -> Result<Vec<u8>, OfdError> {
    let characters = face.characters();
    if characters > CHARACTERS_MAX {
        return Err(OfdError::Characters(characters));
    }
    let subset = Subset::of(face, &Outlines::new(fonts)).map_err(OfdError::Font)?;
    let mut ids = Ids { last: COLOUR_SPACE_ID };
    let mut contents = Vec::new();
    let mut pages = Vec::new();
    for (index, page) in face.pages.iter().enumerate() {
        let location = format!("Pages/Page_{index}/Content.xml");
        pages.push(Element::of("ofd:Page", Vec::new()).with("ID", ids.next()).with("BaseLoc", &location));
        contents.push((format!("Doc_0/{location}"), content(face, page, &subset, &mut ids).file(None)));
    }
    let attached: Vec<(&str, &str, &[u8])> =
        std::iter::once((XML_NAME, "xml", xml)).chain(bundle.map(|bundle| (BUNDLE_NAME, "tally", bundle))).collect();
    let mut archive = Archive { writer: ZipWriter::new(Cursor::new(Vec::new())) };
    archive.add("OFD.xml", &root(facts).file(None))?;
    archive.add("Doc_0/Document.xml", &document(face, pages, ids.last).file(None))?;
    archive.add("Doc_0/PublicRes.xml", &resources().file(None))?;
    archive.add("Doc_0/Res/face.ttf", &subset.bytes)?;
    for (location, bytes) in &contents {
        archive.add(location, bytes)?;
    }
    archive.add("Doc_0/Attachs/Attachments.xml", &attachments(&attached, facts).file(None))?;
    for (name, _, bytes) in attached {
        archive.add(&format!("Doc_0/Attachs/{name}"), bytes)?;
    }
    Ok(archive.writer.finish()?.into_inner())
}

struct Archive {
    writer: ZipWriter<Cursor<Vec<u8>>>,
}

impl Archive {
    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), OfdError> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        self.writer.start_file(name, options)?;
        Ok(self.writer.write_all(bytes)?)
    }
}

/// Identifiers of a document's objects.
struct Ids {
    last: u32,
}

impl Ids {
    fn next(&mut self) -> String {
        self.last += 1;
        self.last.to_string()
    }
}

fn of_ofd(name: &'static str, children: Vec<Element>) -> Element {
    Element::of(name, children).with("xmlns:ofd", NAMESPACE)
}

fn root(facts: &Facts) -> Element {
    let issued = LocalTime::of(facts.issue_time, facts.utc_offset_minutes);
    // The format wants 32 characters: these are the beginning of the hash of what identifies the document.
    let id = receipt_core::hash::sha256(&[facts.document_id().as_bytes()]).to_string();
    let info = vec![
        Element::text("ofd:DocID", id.get(..32).unwrap_or(&id)),
        Element::text("ofd:Title", &facts.title),
        Element::text("ofd:Author", &facts.unit_name),
        Element::text("ofd:CreationDate", issued.date("-")),
        Element::text("ofd:Creator", "Tallystick"),
    ];
    let body = vec![Element::of("ofd:DocInfo", info), Element::text("ofd:DocRoot", "Doc_0/Document.xml")];
    of_ofd("ofd:OFD", vec![Element::of("ofd:DocBody", body)]).with("Version", "1.1").with("DocType", "OFD")
}

fn document(face: &Face, pages: Vec<Element>, last_id: u32) -> Element {
    let page = format!("0 0 {} {}", mm(face.width_um), mm(face.height_um));
    let common = vec![
        Element::text("ofd:MaxUnitID", last_id.to_string()),
        Element::of("ofd:PageArea", vec![Element::text("ofd:PhysicalBox", page)]),
        Element::text("ofd:PublicRes", "PublicRes.xml"),
    ];
    of_ofd(
        "ofd:Document",
        vec![
            Element::of("ofd:CommonData", common),
            Element::of("ofd:Pages", pages),
            Element::text("ofd:Attachments", "Attachs/Attachments.xml"),
        ],
    )
}

fn resources() -> Element {
    let font = Element::of("ofd:Font", vec![Element::text("ofd:FontFile", "face.ttf")])
        .with("ID", FONT_ID.to_string())
        .with("FontName", FONT_NAME)
        .with("FamilyName", FONT_NAME);
    let colours = Element::of("ofd:ColorSpace", Vec::new())
        .with("ID", COLOUR_SPACE_ID.to_string())
        .with("Type", "RGB")
        .with("BitsPerComponent", "8");
    of_ofd("ofd:Res", vec![Element::of("ofd:ColorSpaces", vec![colours]), Element::of("ofd:Fonts", vec![font])])
        .with("BaseLoc", "Res")
}

fn attachments(attached: &[(&str, &str, &[u8])], facts: &Facts) -> Element {
    let issued = LocalTime::of(facts.issue_time, facts.utc_offset_minutes);
    let created = format!("{}T{}", issued.date("-"), issued.clock());
    let attachment = |(index, (name, format, bytes)): (usize, &(&str, &str, &[u8]))| {
        Element::of("ofd:Attachment", vec![Element::text("ofd:FileLoc", *name)])
            .with("ID", (index + 1).to_string())
            .with("Name", *name)
            .with("Format", *format)
            .with("CreationDate", &created)
            // The size is told in thousands of bytes, with three decimals.
            .with("Size", mm(i32::try_from(bytes.len()).unwrap_or(i32::MAX)))
            .with("Visible", "true")
    };
    of_ofd("ofd:Attachments", attached.iter().enumerate().map(attachment).collect())
}

fn content(face: &Face, page: &Page, subset: &Subset, ids: &mut Ids) -> Element {
    let layer = ids.next();
    let mut objects = Vec::new();
    let mut lines = Vec::new();
    for mark in &page.marks {
        match mark {
            Mark::Text(text) => objects.push(text_object(text, subset, ids)),
            Mark::Stamp(stamp) => {
                // CTM turns and moves what is drawn around the origin of the page.
                let part = |of: i32| format!("{:.6}", f64::from(of) / f64::from(STAMP_LENGTH));
                let turn = format!(
                    "{} {} {} {} {} {}",
                    part(STAMP_RUN),
                    part(-STAMP_RISE),
                    part(STAMP_RISE),
                    part(STAMP_RUN),
                    mm(stamp.center_x_um),
                    mm(stamp.center_y_um)
                );
                let boundary = format!("0 0 {} {}", mm(face.width_um), mm(face.height_um));
                objects.push(placed_text(&stamp_text(stamp), (0, 0), boundary, subset, ids).with("CTM", turn));
            }
            Mark::Code(code) => objects.push(code_object(code, ids)),
            Mark::Line(line) => lines.push(*line),
        }
    }
    if !lines.is_empty() {
        objects.push(lines_object(face, &lines, ids));
    }
    let layer = Element::of("ofd:Layer", objects).with("ID", layer).with("Type", "Body");
    of_ofd("ofd:Page", vec![Element::of("ofd:Content", vec![layer])])
}

/// A line of text in a boundary of its own.
fn text_object(text: &Text, subset: &Subset, ids: &mut Ids) -> Element {
    let top_um = text.baseline_um - text.size_um * 22 / 25;
    let width_um = cells(&text.text) * text.size_um / 2;
    let boundary = [text.x_um, top_um, width_um.max(1), text.size_um].map(mm).join(" ");
    placed_text(text, (text.x_um, top_um), boundary, subset, ids)
}

/// A line of text in a boundary whose origin is given.
fn placed_text(text: &Text, origin: (i32, i32), boundary: String, subset: &Subset, ids: &mut Ids) -> Element {
    let mut children = vec![colour(text.ink)];
    let mut advances = Vec::new();
    let mut position = 0;
    for cluster in clusters(&text.text) {
        let characters = cluster.text.chars().count();
        if single(cluster.text).is_none() {
            // Several characters are one glyph.
            let glyphs = Element::text("ofd:Glyphs", subset.glyph(cluster.text).to_string());
            children.push(
                Element::of("ofd:CGTransform", vec![glyphs])
                    .with("CodePosition", position.to_string())
                    .with("CodeCount", characters.to_string())
                    .with("GlyphCount", "1"),
            );
        }
        position += characters;
        advances.push(mm(cluster.cells * text.size_um / 2));
    }
    // There is one distance less than glyphs.
    advances.pop();
    let mut code = Element::text("ofd:TextCode", &text.text)
        .with("X", mm(text.x_um - origin.0))
        .with("Y", mm(text.baseline_um - origin.1));
    if !advances.is_empty() {
        code = code.with("DeltaX", advances.join(" "));
    }
    children.push(code);
    Element::of("ofd:TextObject", children)
        .with("ID", ids.next())
        .with("Boundary", boundary)
        .with("Font", FONT_ID.to_string())
        .with("Size", mm(text.size_um))
}

fn colour(ink: Ink) -> Element {
    let (red, green, blue) = ink.rgb();
    Element::of("ofd:FillColor", Vec::new())
        .with("Value", format!("{red} {green} {blue}"))
        .with("ColorSpace", COLOUR_SPACE_ID.to_string())
}

fn code_object(code: &PlacedCode, ids: &mut Ids) -> Element {
    let at = |modules: i32| mm(modules.saturating_mul(code.module_um));
    let areas = contours(code).into_iter().map(|corners| {
        let steps = corners.into_iter().map(|(x, y)| format!("{} {}", at(x), at(y))).collect::<Vec<_>>();
        format!("M {} C", steps.join(" L "))
    });
    let side = mm(code.side.saturating_mul(code.module_um));
    let boundary = format!("{} {} {side} {side}", mm(code.x_um), mm(code.y_um));
    filled(boundary, areas.collect(), ids)
}

/// All lines of a page, as thin areas.
fn lines_object(face: &Face, lines: &[Line], ids: &mut Ids) -> Element {
    let areas = lines.iter().map(|line| {
        let half = line.width_um / 2;
        let (left, right) = (line.x1_um.min(line.x2_um) - half, line.x1_um.max(line.x2_um) + half);
        rectangle(left, line.y1_um.min(line.y2_um) - half, right, line.y1_um.max(line.y2_um) + half)
    });
    filled(format!("0 0 {} {}", mm(face.width_um), mm(face.height_um)), areas.collect(), ids)
}

fn filled(boundary: String, areas: Vec<String>, ids: &mut Ids) -> Element {
    Element::of("ofd:PathObject", vec![colour(Ink::Black), Element::text("ofd:AbbreviatedData", areas.join(" "))])
        .with("ID", ids.next())
        .with("Boundary", boundary)
        .with("Fill", "true")
        .with("Stroke", "false")
}

fn rectangle(left: i32, top: i32, right: i32, bottom: i32) -> String {
    let [left, top, right, bottom] = [left, top, right, bottom].map(mm);
    format!("M {left} {top} L {right} {top} L {right} {bottom} L {left} {bottom} C")
}

/// Thousandths as a decimal number: micrometres as millimetres.
fn mm(thousandths: i32) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    let magnitude = thousandths.unsigned_abs();
    let decimals = format!("{:03}", magnitude % 1000);
    match decimals.trim_end_matches('0') {
        "" => format!("{sign}{}", magnitude / 1000),
        decimals => format!("{sign}{}.{decimals}", magnitude / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::mm;

    #[test]
    fn micrometres_are_millimetres_exactly() {
        for (thousandths, text) in
            [(0, "0"), (1, "0.001"), (375, "0.375"), (1500, "1.5"), (210_000, "210"), (-2640, "-2.64")]
        {
            assert_eq!(mm(thousandths), text);
        }
    }
}
