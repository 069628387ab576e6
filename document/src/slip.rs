//! The receipt as a slip of a thermal printer: plain ESC/POS bytes, text in GB18030, the code as a raster of whole dots.
//!
//! ```text
//! ESC @          start afresh           FS &           Chinese characters on
//! ESC a n        0 left, 1 middle       ESC E n        bold on or off
//! GS v 0         raster image           GS V 66 n      feed and cut
//! ```
//! A character has the cells that its bytes are: one byte one cell, two or four bytes two cells: that is how printers of the field advance.
//! A printer's font has the two-byte characters; of a four-byte one nobody knows, so its code point is printed on a line below.
//! A slip says what must be compared, and where to look the rest up; details (清单) stand in the other documents.

use encoding_rs::GB18030;
use receipt_core::receipt::model::Receipt;

use crate::content::{Content, item_field};
use crate::face::{Code, FaceOptions};
use crate::template::{InfoField, Template};
use crate::width::{clusters, wrap};

/// A width of paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// 58 mm: 384 dots at 203 dpi.
    Mm58,
    /// 80 mm: 576 dots at 203 dpi.
    Mm80,
}

impl Paper {
    /// Dots that can be printed beside each other.
    pub const fn dots(self) -> usize {
        match self {
            Self::Mm58 => 384,
            Self::Mm80 => 576,
        }
    }

    /// Cells of 12 dots.
    pub const fn cells(self) -> usize {
        self.dots() / 12
    }
}

/// Dots of a module's side: the least that phones read off thermal paper at 203 dpi.
const DOTS_PER_MODULE: usize = 3;

const START: &[u8] = &[0x1b, b'@', 0x1c, b'&'];
const LEFT: &[u8] = &[0x1b, b'a', 0];
const MIDDLE: &[u8] = &[0x1b, b'a', 1];
const BOLD: &[u8] = &[0x1b, b'E', 1];
const NOT_BOLD: &[u8] = &[0x1b, b'E', 0];
const CUT: &[u8] = &[0x1d, b'V', 66, 80];

/// The bytes to send to the printer.
pub fn slip(receipt: &Receipt, template: &Template, options: &FaceOptions<'_>, paper: Paper) -> Vec<u8> {
    let content = Content::new(receipt, template, options.utc_offset_minutes);
    let mut slip = Slip { bytes: START.to_vec(), cells: paper.cells() };
    slip.stamp(template, options);
    slip.bytes.extend_from_slice(MIDDLE);
    slip.bytes.extend_from_slice(BOLD);
    slip.text(content.get("receipt_name").unwrap_or_default());
    slip.text(content.get("red_mark").unwrap_or_default());
    slip.bytes.extend_from_slice(NOT_BOLD);
    slip.text(content.get("supervision").unwrap_or_default());
    slip.bytes.extend_from_slice(LEFT);
    if let Some(state) = options.state {
        slip.text(&state.line(template, options.utc_offset_minutes));
    }
    slip.rule();
    slip.fields(&content, &template.slip.above);
    slip.rule();
    for item in content.items() {
        slip.text(&item_field(item, "item_name"));
        let times = match (&item.quantity, &item.standard) {
            (Some(_), Some(_)) => {
                format!("  {}{} × {}", item_field(item, "quantity"), item.unit, item_field(item, "standard"))
            }
            _ => String::new(),
        };
        slip.both_ends(&times, &item_field(item, "amount"));
    }
    slip.rule();
    slip.bytes.extend_from_slice(BOLD);
    for column in &template.totals.columns {
        slip.both_ends(&column.label, content.get(&column.field).unwrap_or_default());
    }
    slip.bytes.extend_from_slice(NOT_BOLD);
    slip.fields(&content, &template.slip.below);
    for line in options.own_lines {
        slip.text(&template.sentences.own_line.replace("{line}", line));
    }
    if !content.aux_items().is_empty() {
        slip.text(&template.slip.details.replace("{count}", &content.aux_items().len().to_string()));
    }
    slip.rule();
    if let Some(code) = options.code {
        slip.bytes.extend_from_slice(MIDDLE);
        slip.code(code, paper);
        slip.text(&format!("{} {}", template.code.caption, code.host));
        slip.bytes.extend_from_slice(LEFT);
    }
    slip.text(&template.slip.notice);
    slip.stamp(template, options);
    slip.bytes.extend_from_slice(CUT);
    slip.bytes
}

struct Slip {
    bytes: Vec<u8>,
    cells: usize,
}

impl Slip {
    /// Lines of text; nothing for the empty text.
    fn text(&mut self, text: &str) {
        for line in lines(text, self.cells) {
            self.line(&line);
        }
        let is_rare = |c: &char| printed(c.encode_utf8(&mut [0; 4])).len() > 2;
        let rare: Vec<String> = text.chars().filter(is_rare).map(|c| format!("{c}=U+{:04X}", u32::from(c))).collect();
        if !rare.is_empty() {
            for line in lines(&format!("（{}）", rare.join(" ")), self.cells) {
                self.line(&line);
            }
        }
    }

    /// One text at the left edge and one at the right, on lines of their own if they do not fit on one.
    fn both_ends(&mut self, left: &str, right: &str) {
        let free = self.cells.saturating_sub(printed_cells(left) + printed_cells(right));
        if free > 0 {
            self.line(&format!("{left}{}{right}", " ".repeat(free)));
        } else {
            self.text(left);
            self.text(right);
        }
    }

    fn fields(&mut self, content: &Content<'_>, fields: &[InfoField]) {
        for InfoField { field, label, .. } in fields {
            if let Some(value) = content.get(field) {
                self.text(&format!("{label}：{value}"));
            }
        }
    }

    fn rule(&mut self) {
        self.line(&"-".repeat(self.cells));
    }

    fn line(&mut self, line: &str) {
        self.bytes.extend_from_slice(&printed(line));
        self.bytes.push(b'\n');
    }

    /// What a chain of tests, and a receipt that was reversed, say above and below.
    fn stamp(&mut self, template: &Template, options: &FaceOptions<'_>) {
        let reversed = options.state.is_some_and(|state| state.reversed_by.is_some());
        for (_, stamp) in [(options.test_chain, &template.stamp), (reversed, &template.reversed)]
            .into_iter()
            .filter(|(applies, _)| *applies)
        {
            self.bytes.extend_from_slice(MIDDLE);
            self.bytes.extend_from_slice(BOLD);
            self.line(&format!("*** {} ***", stamp.text));
            self.bytes.extend_from_slice(NOT_BOLD);
            self.bytes.extend_from_slice(LEFT);
        }
    }

    /// The symbol with its quiet zone, as long as it fits on the paper.
    fn code(&mut self, code: &Code, paper: Paper) {
        let modules = usize::try_from(code.side + 2 * code.quiet_zone).unwrap_or(usize::MAX);
        let side = modules.saturating_mul(DOTS_PER_MODULE);
        if side > paper.dots() {
            return;
        }
        let row_bytes = side.div_ceil(8);
        let mut bits = vec![0_u8; row_bytes * side];
        for area in &code.areas {
            let dots = |modules: i32| usize::try_from(modules).unwrap_or_default() * DOTS_PER_MODULE;
            let (left, top) = (dots(area.x + code.quiet_zone), dots(area.y + code.quiet_zone));
            for y in top..top + dots(area.height) {
                for x in left..left + dots(area.width) {
                    if let Some(byte) = bits.get_mut(y * row_bytes + x / 8) {
                        *byte |= 0x80 >> (x % 8);
                    }
                }
            }
        }
        let low = |value: usize| (value % 256) as u8;
        self.bytes.extend_from_slice(&[0x1d, b'v', b'0', 0]);
        self.bytes.extend_from_slice(&[low(row_bytes), low(row_bytes / 256), low(side), low(side / 256)]);
        self.bytes.extend_from_slice(&bits);
        self.bytes.push(b'\n');
    }
}

/// A text in the printer's encoding. What cannot be seen and could be a command is left out.
fn printed(text: &str) -> Vec<u8> {
    let visible: String = text.chars().filter(|c| !c.is_control()).collect();
    GB18030.encode(&visible).0.into_owned()
}

/// Cells of a text on a printer.
fn printed_cells(text: &str) -> usize {
    text.chars().map(|c| printed(c.encode_utf8(&mut [0; 4])).len().min(2)).sum()
}

/// Lines whose bytes fit: the width of a face, then by bytes, which for some letters are more.
fn lines(text: &str, cells: usize) -> Vec<String> {
    let cells_max = i32::try_from(cells).unwrap_or(i32::MAX);
    let mut fitting = Vec::new();
    for line in wrap(text, cells_max) {
        let (mut current, mut used) = (String::new(), 0);
        for cluster in clusters(line) {
            let width = printed_cells(cluster.text);
            if used + width > cells && !current.is_empty() {
                fitting.push(std::mem::take(&mut current));
                used = 0;
            }
            current.push_str(cluster.text);
            used += width;
        }
        fitting.push(current);
    }
    fitting
}

#[cfg(test)]
mod tests;
