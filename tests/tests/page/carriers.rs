//! What carries a receipt besides its own file: documents, pictures with a code, and what a camera sees.

use std::fs;
use std::path::Path;

use receipt_core::code::{self, Host};
use receipt_core::directory::DirectoryFile;
use receipt_core::hash::{Hash, sha256};
use receipt_core::ids::UnixMillis;
use receipt_core::suite::ChainId;
use receipt_core::testkit::TestChain;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{CodeScan, LedgerAnswer, TimeSource, Verdict, verify_code};
use tallystick_document::{Code, Face, FaceOptions, Facts, FontSource, Fonts, Template, ofd, pdf, png, xml};
use tallystick_qr::{QUIET_ZONE_MODULES, Symbol, receipt_symbol};

const FONT: &str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc";
/// The page that the codes lead to, and one of somebody else's.
pub(crate) const HOST: &str = "TALLY.EXAMPLE";
pub(crate) const OTHER_HOST: &str = "TALLY-EXAMPLE.CN";
/// A camera's frames, and how many of them are without a code at the beginning.
const FRAME: (usize, usize) = (1280, 720);
const EMPTY_FRAMES: usize = 2;

/// What is judged by what, and when.
pub(crate) struct Carriers {
    pub(crate) trust: TrustFile,
    pub(crate) at: UnixMillis,
    /// The text of the code on the receipt.
    pub(crate) text: String,
    /// The receipt's number.
    pub(crate) number: String,
    /// What is said of its code, and of one of somebody else's page.
    pub(crate) scanned: Verdict,
    pub(crate) elsewhere: Verdict,
}

/// Writes a receipt in all that carries one: `s01.tally`, `.pdf`, `.ofd`, `.png`; `code.y4m`, a camera that sees its code, `elsewhere.y4m` one
/// that sees a code of somebody else's page, `nothing.y4m` one that sees none. A second receipt as `s02.tally`, and the directory of units as `units`.
pub(crate) fn write(folder: &Path) -> Carriers {
    let mut chain = TestChain::new();
    let (issued, second) = (chain.issue("S01"), chain.issue("S02"));
    chain.add_block(&[issued.clone(), second.clone()]);
    let bundle = chain.bundle(&issued).encode();
    let template = Template::standard().unwrap();
    let bytes = fs::read(FONT).unwrap_or_else(|error| panic!("{FONT}: {error}; `make document-tools` installs it"));
    let font = FontSource { name: FONT.to_owned(), sha256: sha256(&[&bytes]), bytes, index: 7 };
    let fonts = Fonts::new(vec![font], &template).unwrap();
    let host = Host::new(HOST).unwrap();
    let code = Code::of_receipt(&host, &issued.record);
    let options = FaceOptions {
        utc_offset_minutes: 480,
        code: Some(&code),
        test_chain: true,
        with_evidence: true,
        ..FaceOptions::default()
    };
    let face = Face::of(&issued.receipt, &template, &options);
    let facts = Facts::of(&issued.receipt, ChainId(Hash([7; 32])), 480);
    let data = xml(&issued.receipt, &template, 480, None);
    let symbol = receipt_symbol(&host, &issued.record);
    let elsewhere = receipt_symbol(&Host::new(OTHER_HOST).unwrap(), &issued.record);
    for (name, bytes) in [
        ("s01.tally", bundle.clone()),
        ("s02.tally", chain.bundle(&second).encode()),
        ("s01.pdf", pdf(&face, &fonts, &facts, Some(&bundle)).unwrap()),
        ("s01.ofd", ofd(&face, &fonts, &facts, &data, Some(&bundle)).unwrap()),
        ("s01.png", png(&face, &fonts).unwrap().swap_remove(0)),
        ("code.y4m", video(&[&symbol.symbol])),
        ("elsewhere.y4m", video(&[&elsewhere.symbol])),
        ("nothing.y4m", video(&[])),
        ("units", DirectoryFile { signed: chain.sign_directory(chain.directory()), deltas: Vec::new() }.encode()),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let number = issued.receipt.issued.receipt_number.to_string();
    let directory = chain.trusted(chain.directory());
    let judged = |text: &str| {
        let (hosts, ledger) = (std::slice::from_ref(&host), LedgerAnswer::NotAsked);
        let scan = CodeScan { text, hosts, directory: &directory, ledger };
        verify_code(&scan, chain.trust(), chain.now()).timed_by(TimeSource::Clock)
    };
    let scanned = judged(&symbol.text);
    let elsewhere = judged(&code::text(&Host::new(OTHER_HOST).unwrap(), &issued.record));
    Carriers { trust: chain.trust().clone(), at: chain.now(), text: symbol.text, number, scanned, elsewhere }
}

/// A film for a camera, YUV4MPEG2: frames of grey paper, then frames with these codes on it.
fn video(symbols: &[&Symbol]) -> Vec<u8> {
    let mut film = format!("YUV4MPEG2 W{} H{} F10:1 Ip A1:1 C420jpeg\n", FRAME.0, FRAME.1).into_bytes();
    let mut add = |light: &[u8]| {
        film.extend(b"FRAME\n");
        film.extend(light);
        film.extend(vec![128; FRAME.0 * FRAME.1 / 2]);
    };
    let mut light = vec![200; FRAME.0 * FRAME.1];
    for _ in 0..EMPTY_FRAMES {
        add(&light);
    }
    for (index, symbol) in symbols.iter().enumerate() {
        draw(&mut light, symbol, (100 + index * 600, 80), 5);
    }
    for _ in 0..EMPTY_FRAMES {
        add(&light);
    }
    film
}

fn draw(light: &mut [u8], symbol: &Symbol, at: (usize, usize), pixels: usize) {
    let side = symbol.side_with_quiet_zone() as usize * pixels;
    let module = |pixel: usize| u32::try_from(pixel / pixels).unwrap().wrapping_sub(QUIET_ZONE_MODULES);
    for y in 0..side {
        for x in 0..side {
            let dark = symbol.is_dark(module(x), module(y));
            light[(at.1 + y) * FRAME.0 + at.0 + x] = if dark { 60 } else { 200 };
        }
    }
}
