//! Documents from a running issuer, over mTLS: one of each format, read by software of other makers; what is attached to them is the bundle, and
//! what stands on them is the state.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use receipt_core::verdict::verify_bundle;
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::registry::SYSTEM_HOSPITALS;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::convert::draft_to_wire;
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1::{
    DocumentFormat, GetBundleRequest, GetDocumentRequest, GetDocumentResponse, IssueRequest, IssueResponse, ReceiptKey,
    SlipPaper, Standing, Wait, get_bundle_request, get_document_request,
};
use tallystick_proto::portal::v1::fetch_response::Answer;
use tallystick_proto::portal::v1::{FetchRequest, Format, Try};
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::TestNetwork;
use tallystick_tests::judgement::SEAL_TIMEOUT;
use tallystick_tests::requests::reversal;

/// The checkpoint of a bundle stays the same for as long as nothing is issued.
const COSIGN_INTERVAL_MS: u64 = 3_600_000;
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The state of an archive or of bytes for a printer, in UTF-8. Both are read by Python's own library.
const LOOK: &str = "import sys, zipfile, re; kind, path, out = sys.argv[1:]
if kind == 'slip':
    text = open(path, 'rb').read()
    text = re.sub(rb'\\x1d\\x76\\x30.{5}', b'', text).decode('gb18030', 'replace')
else:
    archive = zipfile.ZipFile(path)
    open(out, 'wb').write(archive.read('Doc_0/Attachs/bundle.tally'))
    text = ''.join(archive.read(n).decode() for n in archive.namelist() if n.endswith('Content.xml'))
sys.stdout.buffer.write(text.encode())";

fn key(response: &IssueResponse) -> ReceiptKey {
    ReceiptKey { receipt_code: response.receipt_code.clone(), receipt_number: response.receipt_number.clone() }
}

fn request(key: &ReceiptKey, format: DocumentFormat) -> GetDocumentRequest {
    let selector = Some(get_document_request::Selector::Key(key.clone()));
    GetDocumentRequest { selector, format: format.into(), ..GetDocumentRequest::default() }
}

async fn asked(client: &IssuerClient, request: GetDocumentRequest) -> Result<GetDocumentResponse, Refusal> {
    let answer = client.clone().get_document(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| Refusal::from_status(&status).unwrap())
}

async fn bundle(client: &IssuerClient, key: &ReceiptKey) -> Vec<u8> {
    let selector = Some(get_bundle_request::Selector::Key(key.clone()));
    client.clone().get_bundle(GetBundleRequest { selector }).await.unwrap().into_inner().bundle.to_vec()
}

/// A document, and the bundle before and after it: the same, once the last cosignatures of its checkpoint are there.
async fn document(client: &IssuerClient, key: &ReceiptKey, format: DocumentFormat) -> (GetDocumentResponse, Vec<u8>) {
    let deadline = Instant::now() + SEAL_TIMEOUT;
    loop {
        let before = bundle(client, key).await;
        let document = asked(client, request(key, format)).await.unwrap();
        if bundle(client, key).await == before {
            return (document, before);
        }
        assert!(Instant::now() < deadline, "the bundle does not come to rest");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; `make document-tools` installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Where documents are kept while foreign software reads them.
struct Desk(PathBuf);

impl Desk {
    fn keep(&self, document: &GetDocumentResponse) -> String {
        let path = self.0.join(&document.file_name);
        std::fs::write(&path, &document.document).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What a PDF says, and what is attached to it.
    fn pdf(&self, document: &GetDocumentResponse) -> (String, Vec<u8>) {
        let (path, out) = (self.keep(document), self.0.join("of-pdf.tally"));
        assert!(run("pdfdetach", &["-list", &path]).contains("1 embedded files\n1: bundle.tally\n"));
        run("pdfdetach", &["-save", "1", "-o", out.to_str().unwrap(), &path]);
        (run("pdftotext", &["-layout", "-enc", "UTF-8", &path, "-"]), std::fs::read(out).unwrap())
    }

    /// What an OFD says, and what is attached to it.
    fn ofd(&self, document: &GetDocumentResponse) -> (String, Vec<u8>) {
        let (path, out) = (self.keep(document), self.0.join("of-ofd.tally"));
        let text = run("python3", &["-c", LOOK, "ofd", &path, out.to_str().unwrap()]);
        (text, std::fs::read(out).unwrap())
    }

    fn slip(&self, document: &GetDocumentResponse) -> String {
        run("python3", &["-c", LOOK, "slip", &self.keep(document), ""])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_issuer_gives_a_document_of_each_format_and_a_reversed_receipt_says_so() {
    let options =
        NetworkOptions { documents: true, cosign_interval_ms: COSIGN_INTERVAL_MS, ..NetworkOptions::default() };
    let network = TestNetwork::start(&options).await.unwrap();
    let client = network.issuer_client(1, Caller::System(SYSTEM_HOSPITALS)).await.unwrap();
    let draft = network.sample("S01", 1).unwrap().draft;
    let issue = IssueRequest {
        draft: Some(draft_to_wire(&draft)),
        wait: Wait::Sealed.into(),
        wait_timeout_ms: 30_000,
        with_bundle: false,
    };
    let issued = client.clone().issue(issue).await.unwrap().into_inner();
    let key = key(&issued);
    let desk = Desk(network.layout().root().join("documents"));
    std::fs::create_dir(&desk.0).unwrap();

    let (pdf, expected) = document(&client, &key, DocumentFormat::Pdf).await;
    assert_eq!((pdf.media_type.as_str(), pdf.page_count, pdf.standing()), ("application/pdf", 2, Standing::InForce));
    let (text, attached) = desk.pdf(&pdf);
    assert_eq!(attached, expected, "the attachment is the bundle");
    // The characters of the stamp stand on a slope, each by itself.
    for said in [&*draft.payer_name, &issued.check_code, "截至 20", "已上链，有效。", "测", "试"] {
        assert!(text.contains(said), "{said} in {text}");
    }
    let kept = desk.0.join("of-pdf.tally");
    let trust = network.layout().trust();
    let (code, said) = network
        .run_verifier(&["verify", kept.to_str().unwrap(), "--trust", trust.to_str().unwrap(), "--max-age", "1h"])
        .await
        .unwrap();
    assert_eq!(code, 0, "{said}");

    let (ofd, expected) = document(&client, &key, DocumentFormat::Ofd).await;
    let (text, attached) = desk.ofd(&ofd);
    assert_eq!(attached, expected, "the attachment is the bundle");
    assert!(text.contains("测试样票") && text.contains("已上链，有效。") && !text.contains("已冲红"), "{text}");

    pictures(&client, &key).await;
    let xml = asked(&client, request(&key, DocumentFormat::Xml)).await.unwrap();
    let text = std::str::from_utf8(&xml.document).unwrap();
    assert!(text.contains("<TallystickBundle>") && text.contains(&draft.payer_name), "{text}");
    for (paper, dots) in [(SlipPaper::SlipPaper58Mm, 384), (SlipPaper::SlipPaper80Mm, 576)] {
        let request = GetDocumentRequest { slip_paper: paper.into(), ..request(&key, DocumentFormat::Slip) };
        let slip = asked(&client, request).await.unwrap();
        assert!(slip.document.starts_with(&[0x1b, b'@', 0x1c, b'&']), "{dots} dots");
        // Narrow paper breaks the line anywhere.
        let text: String = desk.slip(&slip).split_whitespace().collect();
        assert!(text.contains("***测试样票***") && text.contains("已上链，有效。"), "{dots} dots: {text}");
    }

    through_a_portal(&network, &issued, &desk).await;
    reversed(&client, &key, &draft, &desk).await;
    strangers(&network, &key).await;
    drop(client);
    network.wait_equal_tips().await.unwrap();
    network.audit(1).await.unwrap();
    network.finish(&AllowList::lifecycle()).await.unwrap();
}

/// Who has the receipt on paper gets the document, too.
async fn through_a_portal(network: &TestNetwork, issued: &IssueResponse, desk: &Desk) {
    let mut portal = network.portal_client(1, Caller::Portal).await.unwrap();
    let request = FetchRequest {
        attempt: Some(Try { source: vec![7; 16].into(), ticket: Vec::new().into() }),
        receipt_code: issued.receipt_code.clone(),
        receipt_number: issued.receipt_number.clone(),
        check_code: issued.check_code.clone(),
        format: Format::Pdf.into(),
        ..FetchRequest::default()
    };
    let answer = portal.fetch(request).await.unwrap().into_inner().answer;
    let Some(Answer::Document(document)) = answer else { panic!("{answer:?}") };
    assert_eq!((document.media_type.as_str(), document.page_count), ("application/pdf", 2));
    let file = GetDocumentResponse {
        document: document.content,
        file_name: document.file_name,
        ..GetDocumentResponse::default()
    };
    let (text, attached) = desk.pdf(&file);
    assert!(text.contains(&issued.check_code), "{text}");
    let verdict = verify_bundle(&attached, &network.trust().unwrap(), SystemClock.now());
    assert!(verdict.is_in_force(), "{:?}", verdict.conclusion);
}

/// Each page is a call, and there is none behind the last.
async fn pictures(client: &IssuerClient, key: &ReceiptKey) {
    let of = |page| asked(client, GetDocumentRequest { page, ..request(key, DocumentFormat::Png) });
    let mut pages = Vec::new();
    for page in [1, 2] {
        let picture = of(page).await.unwrap();
        assert_eq!((picture.media_type.as_str(), picture.page_count), ("image/png", 2));
        assert!(picture.document.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert_eq!(picture.document[16..24], [0, 0, 6, 144, 0, 0, 4, 160], "1680 × 1184 pixels");
        pages.push(picture.document);
    }
    assert_ne!(pages[0], pages[1]);
    let refusal = of(3).await.unwrap_err();
    assert_eq!((refusal.reason.as_str(), refusal.violations[0].field.as_str()), ("FIELD_INVALID", "page"));
}

/// What was in force a moment ago is drawn as what it is now: as PDF, OFD and slip. XML is data, and has its state in its bundle alone.
async fn reversed(
    client: &IssuerClient,
    key: &ReceiptKey,
    draft: &receipt_core::receipt::model::ReceiptDraft,
    desk: &Desk,
) {
    let red = client.clone().reverse(reversal(draft, key.clone(), "R")).await.unwrap().into_inner();
    let name = format!("{}-{}", red.receipt_code, red.receipt_number);
    let pdf = asked(client, request(key, DocumentFormat::Pdf)).await.unwrap();
    let ofd = asked(client, request(key, DocumentFormat::Ofd)).await.unwrap();
    let slip = asked(client, request(key, DocumentFormat::Slip)).await.unwrap();
    for (document, text) in [(&pdf, desk.pdf(&pdf).0), (&ofd, desk.ofd(&ofd).0), (&slip, desk.slip(&slip))] {
        assert_eq!(document.standing(), Standing::Reversed, "{}", document.file_name);
        let by = document.reversed_by.as_ref().unwrap();
        assert_eq!(format!("{}-{}", by.receipt_code, by.receipt_number), name);
        let text: String = text.split_whitespace().collect();
        assert!(text.contains("已冲红") && text.contains(&name) && !text.contains("已上链，有效"), "{text}");
    }
}

/// Neither another unit's system nor another role gets a document.
async fn strangers(network: &TestNetwork, key: &ReceiptKey) {
    for (caller, reason) in [(Caller::System(3), "NOT_FOUND_OR_MISMATCH"), (Caller::Auditor, "NOT_PERMITTED")] {
        let client = network.issuer_client(1, caller).await.unwrap();
        let refusal = asked(&client, request(key, DocumentFormat::Xml)).await.unwrap_err();
        assert_eq!(refusal.reason.as_str(), reason, "{caller:?}");
    }
}

/// The first font of a development network is the one that the tests of documents know.
#[test]
fn the_machine_has_the_fonts_that_documents_are_tested_with() {
    let font = Path::new("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc");
    assert!(font.is_file(), "{} is missing: `make document-tools` installs it", font.display());
}
