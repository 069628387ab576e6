//! A QR code as modules, and what renderers make of it.

use std::fmt;

use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

/// Modules on each side of a symbol that stay white (ISO/IEC 18004, 5.3.8).
pub const QUIET_ZONE_MODULES: u32 = 4;

/// Error correction level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Restores 7 % of the codewords.
    L,
    /// Restores 15 %.
    M,
}

/// A symbol: a square of dark and light modules, without its quiet zone.
#[derive(Clone, PartialEq, Eq)]
pub struct Symbol {
    code: QrCode,
    level: Level,
}

/// A dark area, in modules from the upper left corner of the symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Modules to the right.
    pub width: u32,
    /// Modules down.
    pub height: u32,
}

/// A symbol with its quiet zone as a printer's dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    /// Dots of a side.
    pub side_dots: u32,
    /// Bytes of a row: the last ones' spare bits are 0.
    pub row_bytes: usize,
    /// One bit a dot, 1 black, row after row from above, the most significant bit leftmost.
    pub bits: Vec<u8>,
}

impl Symbol {
    /// The smallest symbol of these segments, or none up to that version. `digits` stand behind a `#`.
    pub(crate) fn of_segments(alphanumeric: &str, digits: Option<&str>, level: Level, version_max: u8) -> Option<Self> {
        let mut segments = vec![QrSegment::make_alphanumeric(alphanumeric)];
        if let Some(digits) = digits {
            segments.extend([QrSegment::make_bytes(b"#"), QrSegment::make_numeric(digits)]);
        }
        let correction = match level {
            Level::L => QrCodeEcc::Low,
            Level::M => QrCodeEcc::Medium,
        };
        let version_max = Version::new(version_max);
        let code =
            QrCode::encode_segments_advanced(&segments, correction, Version::MIN, version_max, None, false).ok()?;
        Some(Self { code, level })
    }

    /// Version: 1 to 40.
    pub fn version(&self) -> u8 {
        self.code.version().value()
    }

    /// Error correction level.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Modules of a side, without quiet zone.
    pub fn side(&self) -> u32 {
        17 + 4 * u32::from(self.version())
    }

    /// Modules of a side, with the quiet zone on both.
    pub fn side_with_quiet_zone(&self) -> u32 {
        self.side() + 2 * QUIET_ZONE_MODULES
    }

    /// Whether a module is dark: `x` to the right and `y` down, from 0. All outside of the symbol is light.
    pub fn is_dark(&self, x: u32, y: u32) -> bool {
        let (Ok(x), Ok(y)) = (i32::try_from(x), i32::try_from(y)) else { return false };
        self.code.get_module(x, y)
    }

    /// All that is dark, each module in one rectangle. Fill them as **one** path: filled one by one, readers that smooth edges leave
    /// light hairlines between them.
    pub fn rectangles(&self) -> Vec<Rectangle> {
        let mut rectangles: Vec<Rectangle> = Vec::new();
        // Of the row above.
        let mut above: Vec<usize> = Vec::new();
        for y in 0..self.side() {
            let mut row = Vec::new();
            for (x, width) in self.runs(y) {
                let continued =
                    above.iter().find(|index| (rectangles[**index].x, rectangles[**index].width) == (x, width));
                if let Some(index) = continued {
                    rectangles[*index].height += 1;
                    row.push(*index);
                } else {
                    row.push(rectangles.len());
                    rectangles.push(Rectangle { x, y, width, height: 1 });
                }
            }
            above = row;
        }
        rectangles
    }

    /// Dark modules of a row that touch: where each run begins, and its length.
    fn runs(&self, y: u32) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for x in (0..self.side()).filter(|x| self.is_dark(*x, y)) {
            match runs.last_mut() {
                Some((start, width)) if *start + *width == x => *width += 1,
                _ => runs.push((x, 1)),
            }
        }
        runs
    }

    /// The symbol with its quiet zone, each module a square of so many dots.
    pub fn bitmap(&self, dots_per_module: u32) -> Bitmap {
        let side_dots = self.side_with_quiet_zone() * dots_per_module;
        let row_bytes = side_dots.div_ceil(8) as usize;
        let mut bits = vec![0_u8; row_bytes * side_dots as usize];
        let quiet_dots = QUIET_ZONE_MODULES * dots_per_module;
        for Rectangle { x, y, width, height } in self.rectangles() {
            let (left, top) = (quiet_dots + x * dots_per_module, quiet_dots + y * dots_per_module);
            for row in top..top + height * dots_per_module {
                for dot in left..left + width * dots_per_module {
                    bits[row as usize * row_bytes + dot as usize / 8] |= 0x80 >> (dot % 8);
                }
            }
        }
        Bitmap { side_dots, row_bytes, bits }
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbol(version {}, level {:?})", self.version(), self.level)
    }
}

impl Bitmap {
    /// Whether a dot is black: `x` to the right and `y` down, from 0. All outside is white.
    pub fn is_black(&self, x: u32, y: u32) -> bool {
        let inside = x < self.side_dots && y < self.side_dots;
        inside && self.bits[y as usize * self.row_bytes + x as usize / 8] & (0x80 >> (x % 8)) != 0
    }
}
