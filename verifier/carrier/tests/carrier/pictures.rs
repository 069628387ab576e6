//! Codes in pictures as phones make them, printed by the crate qr.

use std::time::Instant;

use receipt_core::code::Host;
use receipt_core::testkit::TestChain;
use tallystick_page_carrier::codes;
use tallystick_qr::{QUIET_ZONE_MODULES, ReceiptSymbol, receipt_symbol};

use crate::picture::{Kind, Picture};

/// Pictures of each kind.
const PICTURES: usize = 16;
/// (kind, pixels of a module, how many of [`PICTURES`] must be read).
const DEMANDED: [(Kind, f32, usize); 3] =
    [(Kind::Photo, 2.5, 15), (Kind::Recompressed, 2.5, 15), (Kind::Faint, 3.0, 10)];
/// A camera's frame.
const FRAME: (usize, usize) = (1280, 720);

/// The codes of a fine, which are the largest, and of a receipt at a hospital.
fn printed(sample: &str, host: &str) -> ReceiptSymbol {
    let record = TestChain::new().issue(sample).record;
    receipt_symbol(&Host::new(host).unwrap(), &record)
}

fn read(grey: &[u8], width: usize, height: usize) -> Vec<String> {
    serde_json::from_slice(&codes(grey, width, height).unwrap()).unwrap()
}

#[test]
fn bad_pictures_are_read_as_they_were_printed() {
    let symbol = printed("S04", "TALLY.EXAMPLE-CITY.CN");
    for (kind, pixels, least) in DEMANDED {
        let pictures = (0..PICTURES as u64).map(|seed| Picture::of(&symbol.symbol, kind, pixels, seed));
        let texts: Vec<Vec<String>> =
            pictures.map(|picture| read(&picture.luma(), picture.width, picture.height)).collect();
        let count = texts.iter().filter(|texts| !texts.is_empty()).count();
        println!("{:?}: {kind:?} at {pixels}: {count} of {PICTURES}", symbol.symbol);
        assert!(count >= least, "{kind:?} at {pixels}: {count} of {PICTURES}");
        assert!(texts.iter().flatten().all(|text| *text == symbol.text), "a picture is read as another code");
    }
}

/// Light everywhere.
fn paper() -> Vec<u8> {
    vec![225; FRAME.0 * FRAME.1]
}

/// Draws a symbol into a frame, its quiet zone's corner at a place, so many pixels a module.
fn draw(frame: &mut [u8], symbol: &ReceiptSymbol, at: (usize, usize), pixels: usize) {
    let side = symbol.symbol.side_with_quiet_zone() as usize * pixels;
    for y in 0..side {
        for x in 0..side {
            let module = |pixel: usize| ((pixel / pixels) as u32).wrapping_sub(QUIET_ZONE_MODULES);
            let dark = symbol.symbol.is_dark(module(x), module(y));
            frame[(at.1 + y) * FRAME.0 + at.0 + x] = if dark { 40 } else { 225 };
        }
    }
}

#[test]
fn every_code_of_a_picture_is_told_once() {
    let (first, second) = (printed("S01", "TALLY.EXAMPLE"), printed("S02", "TALLY.EXAMPLE"));
    let mut frame = paper();
    assert_eq!(read(&frame, FRAME.0, FRAME.1), Vec::<String>::new());
    draw(&mut frame, &first, (40, 60), 4);
    assert_eq!(read(&frame, FRAME.0, FRAME.1), [first.text.as_str()]);
    draw(&mut frame, &second, (700, 200), 4);
    let mut expected = [first.text, second.text];
    let mut told = read(&frame, FRAME.0, FRAME.1);
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn numbers_that_do_not_fit_the_pixels_get_no_answer() {
    for (width, height) in [(0, 0), (0, 9), (9, 0), (3, 4), (usize::MAX, 2), (10_000, 1)] {
        let grey = vec![0; if width == 10_000 { 10_000 } else { 9 }];
        assert_eq!(codes(&grey, width, height), None, "{width} {height}");
    }
    // Tiny, flat and noisy pictures have none.
    assert_eq!(read(&[0], 1, 1), Vec::<String>::new());
    let noise: Vec<u8> = (0..FRAME.0 * FRAME.1).map(|at| ((at * 2_654_435_761) >> 13) as u8).collect();
    assert_eq!(read(&noise, FRAME.0, FRAME.1), Vec::<String>::new());
}

/// Not a measurement: it says in the log how long a frame takes here.
#[test]
fn frames_of_a_camera_are_read() {
    let symbol = printed("S04", "TALLY.EXAMPLE");
    let mut frame = paper();
    draw(&mut frame, &symbol, (500, 250), 3);
    for (name, frame) in [("with a code", frame), ("without one", paper())] {
        let start = Instant::now();
        let texts = read(&frame, FRAME.0, FRAME.1);
        println!("a frame {name}: {:?}", start.elapsed());
        assert_eq!(texts.len(), usize::from(name == "with a code"));
    }
}
