//! What documents cost: bytes and time of each kind on this machine. Prints, asserts nothing; with a folder as argument it leaves the
//! documents there.
//!
//! `cargo run --release -p tallystick-document --example document_figures [FOLDER]`. Fonts are those of Debian (`make document-tools`).

#![expect(clippy::unwrap_used, reason = "a program for developers fails by panicking")]

use std::path::PathBuf;
use std::time::Instant;

use receipt_core::code::Host;
use receipt_core::hash::{Hash, sha256};
use receipt_core::receipt::decimal::Yuan4;
use receipt_core::receipt::model::{AuxItem, Receipt};
use receipt_core::suite::ChainId;
use receipt_core::testkit::TestChain;
use receipt_core::verdict::verify_bundle;
use tallystick_document::{
    Code, Face, FaceOptions, Facts, FontSource, Fonts, Paper, State, Template, ofd, pdf, png, slip, xml,
};

/// Documents of each kind that are timed.
const RUNS: usize = 50;

fn main() {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let template = Template::standard().unwrap();
    let start = Instant::now();
    let fonts = fonts(&template);
    println!("fonts read, hashed and checked in {} ms", start.elapsed().as_millis());
    let mut chain = TestChain::new();
    let issued = [chain.issue("S01"), chain.issue("S02"), chain.issue("S04")];
    let mut draft = chain.draft("S02");
    draft.aux_items = (0..800).map(|index| line(index, &draft.items[0].item_code)).collect();
    let long = chain.issue_draft(draft, Vec::new());
    let mut draft = chain.draft("S02");
    draft.aux_items = (0..2000).map(|index| rare_line(index, &draft.items[0].item_code)).collect();
    let rare = chain.issue_draft(draft, Vec::new());
    let issued = [issued.as_slice(), &[long, rare]].concat();
    chain.add_block(&issued);
    println!("memory at most until now {}", most_memory());
    for (name, issued) in ["S01", "S02", "S04", "800 rows", "2000 rows"].iter().zip(&issued) {
        let bundle = chain.bundle(issued).encode();
        let state = State::of(&verify_bundle(&bundle, chain.trust(), chain.now()));
        let proof = (&bundle[..], state.as_ref());
        figures(name, (&issued.receipt, &issued.record), proof, (&template, &fonts), folder.as_ref());
    }
}

fn figures(
    name: &str,
    (receipt, record): (&Receipt, &[u8]),
    (bundle, state): (&[u8], Option<&State>),
    (template, fonts): (&Template, &Fonts),
    folder: Option<&PathBuf>,
) {
    let code = Code::of_receipt(&Host::new("TALLY.EXAMPLE").unwrap(), record);
    let options = FaceOptions {
        utc_offset_minutes: 480,
        code: Some(&code),
        test_chain: true,
        with_evidence: true,
        state,
        own_lines: &[],
    };
    let facts = Facts::of(receipt, ChainId(Hash([7; 32])), 480);
    let face = Face::of(receipt, template, &options);
    let data = xml(receipt, template, 480, Some(bundle));
    println!("{name}: {} pages, bundle {} bytes", face.pages.len(), bundle.len());
    let runs = match receipt.draft.aux_items.len() {
        0..=100 => RUNS,
        101..=1000 => RUNS / 10,
        _ => 1,
    };
    let kinds: [(&str, &dyn Fn() -> Vec<u8>); 6] = [
        ("face", &|| format!("{:?}", Face::of(receipt, template, &options).pages.len()).into_bytes()),
        ("pdf", &|| pdf(&face, fonts, &facts, Some(bundle)).unwrap()),
        ("ofd", &|| ofd(&face, fonts, &facts, &data, Some(bundle)).unwrap()),
        ("png", &|| png(&face, fonts).unwrap().concat()),
        ("xml", &|| xml(receipt, template, 480, Some(bundle))),
        ("slip", &|| slip(receipt, template, &options, Paper::Mm80)),
    ];
    for (kind, make) in kinds {
        let mut micros = Vec::with_capacity(runs);
        let mut bytes = Vec::new();
        for _ in 0..runs {
            let start = Instant::now();
            bytes = make();
            micros.push(start.elapsed().as_micros());
        }
        micros.sort_unstable();
        let (median, max) = (micros[runs / 2], micros[runs - 1]);
        let most = most_memory();
        println!("  {kind:5} {:>8} bytes  median {median:>7} µs  max {max:>7} µs  memory at most {most}", bytes.len());
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder).unwrap();
            // All pictures together are no file; they follow one by one.
            if kind != "png" {
                std::fs::write(folder.join(format!("{}.{kind}", name.replace(' ', "-"))), &bytes).unwrap();
            }
        }
    }
    if let Some(folder) = folder {
        let keep = |ending: &str, bytes: &[u8]| {
            std::fs::write(folder.join(format!("{}{ending}", name.replace(' ', "-"))), bytes).unwrap();
        };
        keep(".tally", bundle);
        for (index, page) in png(&face, fonts).unwrap().iter().take(2).enumerate() {
            keep(&format!("-{}.png", index + 1), page);
        }
        // What readers of other makers must find in the text.
        let key = receipt.key();
        let texts = [key.code.to_string(), key.number.to_string(), receipt.draft.payer_name.clone()];
        keep(".txt", texts.join("\n").as_bytes());
    }
}

/// Detail lines with names of 6 to 12 characters out of two thousand, so that the subset is large.
fn line(index: u32, item_code: &str) -> AuxItem {
    let name = (0..6 + index % 7).filter_map(|place| char::from_u32(0x4e00 + (index * 131 + place * 977) % 2000));
    AuxItem {
        related_item_code: item_code.to_owned(),
        related_item_name: String::new(),
        item_code: format!("XA{index:05}"),
        item_name: name.collect(),
        unit: "盒".to_owned(),
        quantity: None,
        standard: None,
        amount: Yuan4::new(i64::from(index) * 100),
        remark: "乙类".to_owned(),
    }
}

/// The most that a receipt may have: 2,000 lines of nearly 1 MiB, and nearly as many rare characters as a document can have.
fn rare_line(index: u32, item_code: &str) -> AuxItem {
    let name = (0..100).filter_map(|place| char::from_u32(0x20000 + (index * 100 + place) % 4_500 * 9));
    AuxItem { item_name: name.collect(), ..line(index, item_code) }
}

/// The most that this process has held so far, as the kernel says it.
fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}

fn fonts(template: &Template) -> Fonts {
    let files = [
        ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 7),
        ("/usr/share/fonts/truetype/hanazono/HanaMinB.ttf", 0),
        ("/usr/share/fonts/truetype/babelstone/BabelStoneHan.ttf", 0),
    ];
    let sources = files.into_iter().map(|(path, index)| {
        let bytes = std::fs::read(path).unwrap();
        FontSource { name: path.to_owned(), sha256: sha256(&[&bytes]), bytes, index }
    });
    Fonts::new(sources.collect(), template).unwrap()
}
