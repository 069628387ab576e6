//! How large a symbol is on paper: whole dots of a printer, and the micrometres that these are.

use crate::symbol::Symbol;

/// A module is at least as large: phones of ten years ago read that off thermal paper. Three dots at 203 dpi are 375.
pub const MODULE_MICROMETRES_MIN: u32 = 330;

const MICROMETRES_PER_INCH: u64 = 25_400;

/// A printer's resolution, and how many of its dots a module has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    /// Dots of an inch: 203 of nearly every slip printer.
    pub dots_per_inch: u32,
    /// Dots of a module's side.
    pub dots_per_module: u32,
}

impl Print {
    /// For a page that any printer may print: modules of 375 µm, as of a slip.
    pub const PAPER: Self = Self { dots_per_inch: 203, dots_per_module: 3 };

    /// The fewest whole dots that make a module of at least [`MODULE_MICROMETRES_MIN`]: 3 at 203 dpi, 4 at 300, 8 at 600. A resolution
    /// of 0 is read as 1.
    pub fn at(dots_per_inch: u32) -> Self {
        let dots_per_inch = dots_per_inch.max(1);
        let dots = (u64::from(MODULE_MICROMETRES_MIN) * u64::from(dots_per_inch)).div_ceil(MICROMETRES_PER_INCH);
        // Less than the resolution.
        Self { dots_per_inch, dots_per_module: u32::try_from(dots).unwrap_or(u32::MAX) }
    }

    /// Dots of a symbol's side without its quiet zone.
    pub fn side_dots(self, symbol: &Symbol) -> u32 {
        symbol.side() * self.dots_per_module
    }

    /// Dots of a side with the quiet zone: the room to leave.
    pub fn side_with_quiet_zone_dots(self, symbol: &Symbol) -> u32 {
        symbol.side_with_quiet_zone() * self.dots_per_module
    }

    /// Micrometres of a module's side, to the nearest.
    pub fn module_micrometres(self) -> u32 {
        self.micrometres(self.dots_per_module)
    }

    /// Micrometres of a symbol's side without its quiet zone, to the nearest.
    pub fn side_micrometres(self, symbol: &Symbol) -> u32 {
        self.micrometres(self.side_dots(symbol))
    }

    /// Micrometres of a side with the quiet zone, to the nearest: the room to leave.
    pub fn side_with_quiet_zone_micrometres(self, symbol: &Symbol) -> u32 {
        self.micrometres(self.side_with_quiet_zone_dots(symbol))
    }

    fn micrometres(self, dots: u32) -> u32 {
        let resolution = u64::from(self.dots_per_inch.max(1));
        let micrometres = (u64::from(dots) * MICROMETRES_PER_INCH + resolution / 2) / resolution;
        u32::try_from(micrometres).unwrap_or(u32::MAX)
    }
}
