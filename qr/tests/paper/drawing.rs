//! What renderers get is the symbol: no module more or less.

use receipt_core::code::Host;
use tallystick_qr::{QUIET_ZONE_MODULES, receipt_symbol};

use crate::records::records;

#[test]
fn rectangles_cover_each_dark_module_once() {
    let host = Host::new("TALLY.EXAMPLE").unwrap();
    for record in records(1) {
        let symbol = receipt_symbol(&host, &record.bytes).symbol;
        let side = symbol.side();
        let mut covered = vec![0_u8; (side * side) as usize];
        let rectangles = symbol.rectangles();
        for area in &rectangles {
            for y in area.y..area.y + area.height {
                for x in area.x..area.x + area.width {
                    covered[(y * side + x) as usize] += 1;
                }
            }
        }
        let mut dark = 0;
        for y in 0..side {
            for x in 0..side {
                assert_eq!(covered[(y * side + x) as usize], u8::from(symbol.is_dark(x, y)), "{x} {y}");
                dark += usize::from(symbol.is_dark(x, y));
            }
        }
        assert!(rectangles.len() < dark * 2 / 3, "{} rectangles for {dark} modules", rectangles.len());
        assert!(!symbol.is_dark(side, 0) && !symbol.is_dark(0, side) && !symbol.is_dark(u32::MAX, 0));
    }
}

#[test]
fn a_bitmap_is_the_symbol_in_its_quiet_zone() {
    let host = Host::new("TALLY.EXAMPLE").unwrap();
    let symbol = receipt_symbol(&host, &records(1)[0].bytes).symbol;
    for dots in 1..=4 {
        let bitmap = symbol.bitmap(dots);
        assert_eq!(bitmap.side_dots, symbol.side_with_quiet_zone() * dots);
        assert_eq!(bitmap.bits.len(), bitmap.row_bytes * bitmap.side_dots as usize);
        for y in 0..bitmap.side_dots {
            for x in 0..bitmap.side_dots {
                let module = |dot: u32| (dot / dots).checked_sub(QUIET_ZONE_MODULES);
                let dark = module(x).zip(module(y)).is_some_and(|(x, y)| symbol.is_dark(x, y));
                assert_eq!(bitmap.is_black(x, y), dark, "{x} {y} at {dots} dots");
            }
        }
        // Spare bits at the end of a row print nothing.
        let spare = bitmap.row_bytes * 8 - bitmap.side_dots as usize;
        let rows = bitmap.bits.chunks(bitmap.row_bytes);
        assert!(rows.map(|row| row[row.len() - 1]).all(|last| u32::from(last).trailing_zeros() as usize >= spare));
        assert!(!bitmap.is_black(bitmap.side_dots, 0) && !bitmap.is_black(0, bitmap.side_dots));
    }
}
