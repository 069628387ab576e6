//! The QR code that is printed on a receipt, as a symbol: which modules are dark, and how many dots and micrometres it takes. The text in it
//! is `receipt_core::code`; why it is drawn so stands in docs/adr/0034-the-code-on-the-paper.md.
//!
//! ```text
//! receipt_symbol(host, signed record) ─▶ Symbol ─▶ rectangles()   areas, in modules: one path of a PDF or an OFD
//!                                               └▶ bitmap(dots)   with its quiet zone, one bit a dot: a slip printer, a PNG
//! Print::at(203).side_with_quiet_zone_dots(&symbol)               the room to leave
//! ```
//! Pure: no clock, no randomness, no float; the same input gives the same symbol. It reads no codes: that is the page's.
//!
//! Invariants: a module is a whole number of dots, because a printer's driver that scales draws modules of different widths; four
//! modules on each side stay white; nothing is drawn over the symbol.

mod print;
mod symbol;

use std::fmt;

use receipt_core::code::{Host, address, digits, text};

pub use print::{MODULE_MICROMETRES_MIN, Print};
pub use symbol::{Bitmap, Level, QUIET_ZONE_MODULES, Rectangle, Symbol};

/// The largest version at level M: 65 modules are 24.4 mm at 203 dpi.
pub const VERSION_MAX: u8 = 12;
/// The largest version at level L, for records that do not fit the former: 73 modules are 27.4 mm at 203 dpi.
pub const VERSION_LOW_MAX: u8 = 14;

/// What is printed of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptSymbol {
    /// What a scanner reads.
    pub text: String,
    /// The symbol.
    pub symbol: Symbol,
    /// What is less than it should be, if anything.
    pub lint: Option<Lint>,
}

/// Why a symbol is less than it should be. The receipt is good all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lint {
    /// Level L: the record does not fit [`VERSION_MAX`] at level M.
    Low,
    /// The record does not fit [`VERSION_LOW_MAX`] at level L: the symbol has the page's address alone.
    AddressAlone,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => {
                "the record is too large for a code at error correction level M: level L is printed, which faint or dirty paper \
                 makes unreadable earlier; a shorter host leaves more room"
            }
            Self::AddressAlone => {
                "the record is too large for a code: the address of the page alone is printed, and the receipt is looked up by number \
                 and check code; a shorter host leaves more room"
            }
        })
    }
}

/// The symbol of a receipt: its signed record, verbatim, behind the address of a page. See the crate's documentation for what of it is
/// printed where.
pub fn receipt_symbol(host: &Host, signed_record: &[u8]) -> ReceiptSymbol {
    let (address, digits) = (address(host), digits(signed_record));
    let of_record = |level, version_max| Symbol::of_segments(&address, Some(digits.as_str()), level, version_max);
    if let Some(symbol) = of_record(Level::M, VERSION_MAX) {
        return ReceiptSymbol { text: text(host, signed_record), symbol, lint: None };
    }
    if let Some(symbol) = of_record(Level::L, VERSION_LOW_MAX) {
        return ReceiptSymbol { text: text(host, signed_record), symbol, lint: Some(Lint::Low) };
    }
    let symbol = address_symbol(host);
    ReceiptSymbol { text: address, symbol, lint: Some(Lint::AddressAlone) }
}

/// The symbol of a page's address alone, at level M.
#[expect(clippy::expect_used, reason = "an address of at most 74 characters fits version 4")]
pub fn address_symbol(host: &Host) -> Symbol {
    Symbol::of_segments(&address(host), None, Level::M, VERSION_MAX).expect("an address fits")
}
