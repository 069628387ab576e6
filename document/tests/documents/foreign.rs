//! What software of other makers finds in a document: pikepdf (qpdf) the attachment and the metadata, poppler the text and a picture.
//!
//! What `pip` installs is kept in the target directory, by the hash of `requirements.txt`. Pictures of every sample are left there too,
//! under `document-pictures`, for people to look at.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use receipt_core::code;
use receipt_core::hash::sha256;
use receipt_core::testkit::TestChain;
use receipt_core::verdict::verify_bundle;
use tallystick_document::{BUNDLE_MEDIA_TYPE, BUNDLE_NAME, Code, PdfError, ofd, pdf, png, xml};

use crate::common::{ALL_FONTS, INSTALLING, RECEIPTS, TEMPLATE, face, face_with, facts, host};

/// Foreign programs.
pub(crate) struct Foreign {
    directory: PathBuf,
    python: PathBuf,
}

impl Foreign {
    /// Installs what `requirements.txt` names, unless it is there.
    pub(crate) fn install() -> Self {
        let _one_at_a_time = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
        let hash = sha256(&[&std::fs::read(directory.join("requirements.txt")).unwrap()]).to_string();
        let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("document-tools").join(&hash[..16]);
        let foreign = Self { directory, python: venv.join("bin/python") };
        let done = venv.join("installed");
        if !done.is_file() {
            foreign.run(Path::new("python3"), &["-m", "venv", venv.to_str().unwrap()]);
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
            foreign.run(&foreign.python, &pip);
            std::fs::write(done, "").unwrap();
        }
        foreign
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.directory).env("PYTHONDONTWRITEBYTECODE", "1");
        let output = command.stdin(Stdio::null()).output();
        let output =
            output.unwrap_or_else(|error| panic!("{}: {error}; `make document-tools` installs it", program.display()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {arguments:?}: {said}", program.display());
        // poppler says what it does not like and goes on.
        assert!(said.trim().is_empty(), "{} {arguments:?}: {said}", program.display());
        output.stdout
    }

    /// The text of a PDF as poppler copies it.
    pub(crate) fn text_of(&self, path: &Path) -> String {
        let text = self.run(Path::new("pdftotext"), &["-layout", "-enc", "UTF-8", path.to_str().unwrap(), "-"]);
        String::from_utf8(text).unwrap()
    }
}

#[test]
fn foreign_software_finds_the_proof_and_it_is_good() {
    let foreign = Foreign::install();
    let directory = scratch::Directory::new();
    let mut chain = TestChain::new();
    let issued = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&issued));
    let bundle = chain.bundle(&issued).encode();
    let face = face(&issued.receipt, true);
    let document = pdf(&face, &ALL_FONTS, &facts(&issued.receipt), Some(&bundle)).unwrap();
    let (path, out) = (directory.path().join("receipt.pdf"), directory.path().join("taken-out.tally"));
    std::fs::write(&path, document).unwrap();
    let said = foreign.run(&foreign.python, &["read_pdf.py", path.to_str().unwrap(), out.to_str().unwrap()]);
    let said: serde_json::Value = serde_json::from_slice(&said).unwrap();

    let attachments = said["attachments"].as_object().unwrap();
    assert_eq!(attachments.keys().collect::<Vec<_>>(), [BUNDLE_NAME]);
    let attached = &attachments[BUNDLE_NAME];
    assert_eq!(attached["relationship"], "/Data");
    assert_eq!(attached["media_type"], BUNDLE_MEDIA_TYPE);
    assert_eq!(attached["size"], bundle.len());
    assert!(attached["description"].as_str().unwrap().contains("票据凭证"), "{said}");
    assert_eq!(said["associated"], serde_json::json!([BUNDLE_NAME]));

    let metadata = &said["metadata"];
    assert_eq!((&metadata["part"], &metadata["conformance"]), (&"3".into(), &"B".into()));
    assert_eq!(said["output_intents"], serde_json::json!(["/GTS_PDFA1"]));
    assert!(metadata["title"].as_str().unwrap().contains(&issued.receipt.issued.receipt_number.to_string()));
    // The date is the receipt's, in the chain's offset, in both places.
    assert!(metadata["created"].as_str().unwrap().starts_with("2026-11-02T"), "{said}");
    assert!(metadata["created"].as_str().unwrap().ends_with("+08:00"), "{said}");
    assert!(said["info_created"].as_str().unwrap().starts_with("D:20261102"), "{said}");
    assert_eq!(said["encrypted"], false);
    assert_eq!(said["javascript"], false);
    assert_eq!(said["fonts_embedded"], true, "{said}");
    assert_eq!(said["pages"], face.pages.len());
    assert_eq!(said["problems"], serde_json::json!([]));

    let taken_out = std::fs::read(&out).unwrap();
    assert_eq!(taken_out, bundle);
    assert!(verify_bundle(&taken_out, chain.trust(), chain.now()).is_in_force());
}

#[test]
fn foreign_software_reads_what_stands_on_the_face_of_every_sample() {
    let foreign = Foreign::install();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("document-pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    for (sample, issued) in RECEIPTS.iter() {
        let receipt = &issued.receipt;
        let face = face(receipt, true);
        let path = pictures.join(format!("{sample}.pdf"));
        std::fs::write(&path, pdf(&face, &ALL_FONTS, &facts(receipt), Some(b"{}")).unwrap()).unwrap();
        let text = foreign.text_of(&path);
        for value in [
            receipt.draft.receipt_name.as_str(),
            &receipt.key().code.to_string(),
            &receipt.key().number.to_string(),
            &receipt.issued.check_code.to_string(),
            &receipt.draft.payer_name,
            &receipt.issued.unit_name,
            &receipt.draft.total_amount.to_string(),
            // These two are of the stamp, whose characters stand on a slope.
            "测",
            "试",
        ] {
            assert!(text.contains(value), "{sample}: {value} in {text}");
        }
        for item in &receipt.draft.items {
            assert!(text.contains(&item.amount.to_string()), "{sample}: {}", item.item_name);
        }
        let picture = pictures.join(sample);
        foreign.run(Path::new("pdftoppm"), &["-r", "150", "-png", path.to_str().unwrap(), picture.to_str().unwrap()]);
        for (index, page) in png(&face, &ALL_FONTS).unwrap().iter().enumerate() {
            std::fs::write(pictures.join(format!("{sample}-own-{}.png", index + 1)), page).unwrap();
        }
    }
}

/// The code of every sample, off poppler's picture of the PDF at 150 dpi and off our own: both lead to the signed record, byte for byte.
#[test]
fn a_foreign_decoder_reads_the_code_off_the_pictures() {
    let foreign = Foreign::install();
    let directory = scratch::Directory::new();
    let mut pictures = Vec::new();
    let mut expected = String::new();
    for (sample, issued) in RECEIPTS.iter() {
        let face = face_with(&issued.receipt, &Code::of_receipt(&host(), &issued.record), true);
        let place = |name: String| directory.path().join(name).to_str().unwrap().to_owned();
        let (document, printed, own) =
            (place(format!("{sample}.pdf")), place(format!("{sample}-printed")), place(format!("{sample}-own.png")));
        std::fs::write(&document, pdf(&face, &ALL_FONTS, &facts(&issued.receipt), None).unwrap()).unwrap();
        std::fs::write(&own, &png(&face, &ALL_FONTS).unwrap()[0]).unwrap();
        let page = ["-r", "150", "-png", "-f", "1", "-singlefile", document.as_str(), printed.as_str()];
        foreign.run(Path::new("pdftoppm"), &page);
        let text = code::text(&host(), &issued.record);
        expected += &format!("{text}\n{text}\n");
        pictures.extend([format!("{printed}.png"), own]);
    }
    let read = "import sys, zxingcpp; from PIL import Image; \
                print('\\n'.join(' '.join(c.text for c in zxingcpp.read_barcodes(Image.open(p).convert('L'))) for p in sys.argv[1:]))";
    let mut arguments = vec!["-c", read];
    arguments.extend(pictures.iter().map(String::as_str));
    let said = String::from_utf8(foreign.run(&foreign.python, &arguments)).unwrap();
    assert_eq!(said, expected);
}

/// An own check of the pictures: a foreign decoder reads their pixels.
#[test]
fn a_foreign_decoder_reads_the_pictures() {
    let foreign = Foreign::install();
    let directory = scratch::Directory::new();
    let receipt = &RECEIPTS[0].1.receipt;
    let path = directory.path().join("page.png");
    let pages = png(&face(receipt, true), &ALL_FONTS).unwrap();
    std::fs::write(&path, &pages[0]).unwrap();
    let look = "import sys; from PIL import Image; i = Image.open(sys.argv[1]); i.load(); \
                r = i.convert('RGB'); print(i.size, i.mode, round(i.info['dpi'][0]), r.getpixel((3, 3)), len(r.getcolors(100000)))";
    let said = foreign.run(&foreign.python, &["-c", look, path.to_str().unwrap()]);
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("(1680, 1184) P 203 (255, 255, 255) "), "{said}");
}

/// XML of every sample is well formed for a foreign parser, and says the same.
#[test]
fn a_foreign_parser_reads_the_xml() {
    let foreign = Foreign::install();
    let directory = scratch::Directory::new();
    for (sample, issued) in RECEIPTS.iter() {
        let mut receipt = issued.receipt.clone();
        receipt.draft.remark = "<script>&\"'</script>]]>".to_owned();
        let path = directory.path().join(format!("{sample}.xml"));
        std::fs::write(&path, xml(&receipt, &TEMPLATE, 480, Some(b"{}"))).unwrap();
        let look = "import sys; from lxml import etree; t = etree.parse(sys.argv[1]).getroot(); g = lambda p: t.findtext(p); \
                    print('\\n'.join([t.tag, g('.//EInvoiceCode'), g('.//EInvoiceNumber'), g('.//TotalAmount'), g('.//PayerPartyName'), \
                    g('.//Remark'), str(len(t.findall('.//Item'))), str(len(t.findall('.//AuxItem'))), g('TallystickBundle')]))";
        let said = String::from_utf8(foreign.run(&foreign.python, &["-c", look, path.to_str().unwrap()])).unwrap();
        let draft = &receipt.draft;
        let expected = [
            "EInvoice".to_owned(),
            receipt.key().code.to_string(),
            receipt.key().number.to_string(),
            draft.total_amount.to_string(),
            draft.payer_name.clone(),
            draft.remark.clone(),
            draft.items.len().to_string(),
            draft.aux_items.len().to_string(),
            "e30=".to_owned(),
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{sample}");
    }
}

/// An OFD is a sound archive of well-formed XML whose references lead somewhere; its attachments come out as they went in, and FreeType
/// draws its font.
#[test]
fn foreign_software_opens_the_ofd() {
    let foreign = Foreign::install();
    let directory = scratch::Directory::new();
    for (sample, issued) in RECEIPTS.iter() {
        let mut receipt = issued.receipt.clone();
        receipt.draft.payer_name = "林某某𠮷野\u{31350}葛\u{e0100}\u{323b0}<&>".to_owned();
        let face = face(&receipt, true);
        let data = xml(&receipt, &TEMPLATE, 480, None);
        let (path, data_path) = (directory.path().join(format!("{sample}.ofd")), directory.path().join("data.xml"));
        std::fs::write(&path, ofd(&face, &ALL_FONTS, &facts(&receipt), &data, Some(b"the bundle")).unwrap()).unwrap();
        std::fs::write(&data_path, data).unwrap();
        let arguments = ["read_ofd.py", path.to_str().unwrap(), data_path.to_str().unwrap(), &receipt.draft.payer_name];
        let said = String::from_utf8(foreign.run(&foreign.python, &arguments)).unwrap();
        assert_eq!(said, format!("{} pages, 2 attachments, font drawn\n", face.pages.len()), "{sample}");
        let length = std::fs::metadata(&path).unwrap().len();
        let rows = receipt.draft.items.len() + receipt.draft.aux_items.len();
        assert!(rows > 10 || length <= 60_000, "{sample}: {length} bytes for {rows} rows");
    }
}

/// What krilla refuses is an error, not a file that breaks PDF/A. Nothing of a receipt leads there.
#[test]
fn a_face_without_size_is_an_error() {
    let receipt = &RECEIPTS[0].1.receipt;
    let mut face = face(receipt, false);
    face.width_um = 0;
    let error = pdf(&face, &ALL_FONTS, &facts(receipt), None).unwrap_err();
    assert!(matches!(error, PdfError::Face(_)), "{error}");
    assert!(png(&face, &ALL_FONTS).is_err());
}
