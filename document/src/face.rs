//! The face (票面): what stands where on the pages of a receipt, in whole micrometres from the upper left corner of each page. Pure: no font,
//! no clock, no file; the same receipt, template and options give the same face. Renderers place it and decide nothing.
//!
//! ```text
//! text     ─┬─────────── baseline_um        each character in the middle of its cells of size_um / 2 (`width`);
//!           x_um                            the ink lies between 0.88 size above and 0.12 size below the baseline
//! line      (x1_um, y1_um) ─── (x2_um, y2_um), as thick as width_um
//! code      dark squares of module_um, from the upper left corner of the symbol without its quiet zone
//! stamp     one text, its middle at (center_x_um, center_y_um), rising by 5 over 12
//! ```
//! Order is that of drawing. A face is for people and no evidence: a forger who keeps the attachment can repaint the page.

use std::collections::BTreeSet;

use receipt_core::code::Host;
use serde::Serialize;
use tallystick_qr::{Print, QUIET_ZONE_MODULES, Symbol, receipt_symbol};

use crate::state::State;
pub use crate::template::Ink;
use crate::width::clusters;

/// A stamp rises to the right by this over [`STAMP_RUN`]: with 13 a whole right triangle, so that its direction is exact.
pub const STAMP_RISE: i32 = 5;
/// See [`STAMP_RISE`].
pub const STAMP_RUN: i32 = 12;
/// The length of the two together.
pub const STAMP_LENGTH: i32 = 13;

/// A line of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// Left edge of the first cell.
    pub x_um: i32,
    /// Where letters stand.
    pub baseline_um: i32,
    /// Side of a full-width character: two cells.
    pub size_um: i32,
    /// What it is drawn with.
    pub ink: Ink,
    /// The characters.
    pub text: String,
}

/// A straight line, horizontal or vertical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Beginning.
    pub x1_um: i32,
    /// Beginning.
    pub y1_um: i32,
    /// End.
    pub x2_um: i32,
    /// End.
    pub y2_um: i32,
    /// Thickness.
    pub width_um: i32,
}

/// A dark area of a code, in modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Area {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Modules to the right.
    pub width: i32,
    /// Modules down.
    pub height: i32,
}

/// A code in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlacedCode {
    /// Left edge of the symbol, without quiet zone.
    pub x_um: i32,
    /// Upper edge of the symbol, without quiet zone.
    pub y_um: i32,
    /// Side of a module.
    pub module_um: i32,
    /// Modules of a side.
    pub side: i32,
    /// All that is dark. One path, not many: renderers that smooth edges leave light lines between areas drawn one by one.
    pub areas: Vec<Area>,
}

/// A text across a page, below everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// Middle of the text.
    pub center_x_um: i32,
    /// Middle of the text.
    pub center_y_um: i32,
    /// Side of a full-width character.
    pub size_um: i32,
    /// What it is drawn with.
    pub ink: Ink,
    /// The characters.
    pub text: String,
}

/// One thing on a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A line of text.
    Text(Text),
    /// A straight line.
    Line(Line),
    /// A code.
    Code(PlacedCode),
    /// A text across the page.
    Stamp(Stamp),
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Page {
    /// What stands on it, in the order of drawing.
    pub marks: Vec<Mark>,
}

/// A whole face.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Face {
    /// Name and version of the template.
    pub template: String,
    /// Width of every page.
    pub width_um: i32,
    /// Height of every page.
    pub height_um: i32,
    /// The pages; at least one.
    pub pages: Vec<Page>,
}

/// Different characters of a face that a document with fonts of its own can have: a person's receipt has some hundreds, and a document of these
/// is smaller than 4 MB. With many more its fonts would take memory without end, and the tables of a font end.
pub const CHARACTERS_MAX: usize = 5_000;

impl Face {
    /// How many characters its different clusters have together: a letter with another mark is another shape for a font to hold.
    pub fn characters(&self) -> usize {
        let different: BTreeSet<&str> = self.texts().flat_map(clusters).map(|cluster| cluster.text).collect();
        different.into_iter().map(|cluster| cluster.chars().count()).sum()
    }

    /// Every text on the face, in the order of drawing.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.pages.iter().flat_map(|page| &page.marks).filter_map(|mark| match mark {
            Mark::Text(text) => Some(text.text.as_str()),
            Mark::Stamp(stamp) => Some(stamp.text.as_str()),
            Mark::Line(_) | Mark::Code(_) => None,
        })
    }
}

/// The code of a receipt, as the face takes it: modules without their quiet zone, and the host to print beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Modules of a side.
    pub side: i32,
    /// Modules on each side that stay white.
    pub quiet_zone: i32,
    /// Side of a module on paper.
    pub module_um: i32,
    /// All that is dark, without overlaps.
    pub areas: Vec<Area>,
    /// Where it leads, for people to compare.
    pub host: String,
}

impl Code {
    /// The code of a receipt: its signed record, verbatim, behind the page's address. What is less than it should be (too long a record) is told by
    /// [`tallystick_qr::receipt_symbol`], which this asks.
    pub fn of_receipt(host: &Host, signed_record: &[u8]) -> Self {
        Self::of_symbol(&receipt_symbol(host, signed_record).symbol, host)
    }

    /// A symbol as it is printed on paper.
    pub fn of_symbol(symbol: &Symbol, host: &Host) -> Self {
        // A symbol has at most 177 modules a side.
        let small = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let areas = symbol.rectangles().into_iter().map(|area| Area {
            x: small(area.x),
            y: small(area.y),
            width: small(area.width),
            height: small(area.height),
        });
        Self {
            side: small(symbol.side()),
            quiet_zone: small(QUIET_ZONE_MODULES),
            module_um: small(Print::PAPER.module_micrometres()),
            areas: areas.collect(),
            host: host.as_str().to_owned(),
        }
    }

    /// Whether a square of so many micrometres holds the symbol with its quiet zone.
    pub fn fits(&self, side_um: i32) -> bool {
        let modules = i64::from(self.side) + 2 * i64::from(self.quiet_zone);
        modules * i64::from(self.module_um) <= i64::from(side_um)
    }

    /// A code of the modules that `is_dark` (column, row) names: a run of each row.
    pub fn of_modules(
        side: i32,
        quiet_zone: i32,
        module_um: i32,
        host: &str,
        is_dark: impl Fn(i32, i32) -> bool,
    ) -> Self {
        let mut areas: Vec<Area> = Vec::new();
        for y in 0..side {
            for x in (0..side).filter(|x| is_dark(*x, y)) {
                match areas.last_mut() {
                    Some(last) if last.y == y && last.x + last.width == x => last.width += 1,
                    _ => areas.push(Area { x, y, width: 1, height: 1 }),
                }
            }
        }
        Self { side, quiet_zone, module_um, areas, host: host.to_owned() }
    }
}

/// What is decided outside of a receipt.
#[derive(Debug, Clone, Copy, Default)]
pub struct FaceOptions<'a> {
    /// The chain's UTC offset, under which times are printed.
    pub utc_offset_minutes: i32,
    /// The code; `None`: its square stays empty.
    pub code: Option<&'a Code>,
    /// Whether the chain is for tests: every page says so across all of it.
    pub test_chain: bool,
    /// Whether the document carries the proof; if not, the face says so.
    pub with_evidence: bool,
    /// What the ledger says of the receipt; `None`: the face says nothing of it.
    pub state: Option<&'a State>,
    /// What the unit wants to say besides, a line each, such as where to ask: the face says that nobody signed it.
    pub own_lines: &'a [String],
}
