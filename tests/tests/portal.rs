//! The portal as people meet it: real validators, issuer and portal, over HTTPS.
//!
//! Needs `make wasm`, for the page that it serves, and `make document-tools`, for documents.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

pub(crate) mod https;

use receipt_core::answer::{Answer as LedgerAnswer, join};
use receipt_core::bundle::Bundle;
use receipt_core::code::{self, Host};
use receipt_core::directory::open_directory_file;
use receipt_core::hash::sha256;
use receipt_core::receipt::model::PayerIdType;
use receipt_core::record::status_key;
use receipt_core::verdict::{CodeScan, Finding, LedgerAnswer as ScanAnswer, Verdict, verify_bundle, verify_code};
use serde_json::{Value, json};
use tallystick_devnet::generate_receipts::GeneratedReceipt;
use tallystick_devnet::issuing::issue_one;
use tallystick_devnet::logs::AllowList;
use tallystick_devnet::process::http_get;
use tallystick_devnet::{Caller, NetworkOptions};
use tallystick_proto::issuer::v1::{ReceiptKey, Wait};
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_tests::TestNetwork;
use tallystick_tests::pages::commands;
use tallystick_tests::python::Python;
use tallystick_tests::requests::reversal;

use crate::offices::Desk;
use crate::portal::https::{Answer, Phone};

/// A network with its portal, and one sealed receipt.
struct World {
    network: TestNetwork,
    phone: Phone,
    issued: GeneratedReceipt,
    bundle: Vec<u8>,
}

async fn world() -> World {
    world_of(&NetworkOptions::default()).await
}

/// One whose issuer draws documents: needs the fonts of `make document-tools`.
async fn world_with_documents() -> World {
    world_of(&NetworkOptions { documents: true, ..NetworkOptions::default() }).await
}

async fn world_of(options: &NetworkOptions) -> World {
    let mut network = TestNetwork::start(options).await.unwrap();
    network.start_portal().await.unwrap();
    let issued = network.sample("S01", 1).unwrap();
    let client = network.issuer_client(1, Caller::System(issued.system_id)).await.unwrap();
    let bundle = issue_one(client, &issued, Wait::Sealed).await.unwrap().response.bundle.to_vec();
    let address = network.description().portal.as_ref().unwrap().https;
    let phone = Phone::new(address, &network.layout().ca().cert);
    World { network, phone, issued, bundle }
}

impl World {
    fn judge(&self, bundle: &[u8]) -> Verdict {
        verify_bundle(bundle, &self.network.trust().unwrap(), SystemClock.now())
    }

    /// What the page asks about the receipt.
    fn question(&self) -> Value {
        let bundle = Bundle::decode(&self.bundle).unwrap();
        let suite = self.network.trust().unwrap().suite();
        let key = self.judge(&self.bundle).signed.unwrap().key;
        let status_key = status_key(suite, &bundle.record).to_string();
        json!({ "code": key.code.to_string(), "number": key.number.to_string(), "status_key": status_key })
    }

    /// What the page makes of the portal's answer.
    async fn refreshed(&self, attempt: u32) -> Verdict {
        let mut question = self.question();
        question["try"] = attempt.into();
        let answer = self.phone.post_json("/refresh", &question).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = LedgerAnswer::decode(&answer.body).unwrap();
        let joined = join(&self.bundle, &answer, &self.network.trust().unwrap()).unwrap();
        self.judge(&joined.encode())
    }

    async fn reverse(&self) -> ReceiptKey {
        let key = self.judge(&self.bundle).signed.unwrap().key;
        let (receipt_code, receipt_number) = (key.code.to_string(), key.number.to_string());
        let original = ReceiptKey { receipt_code, receipt_number };
        let request = reversal(&self.issued.draft, original, "PORTAL-RED");
        let mut client = self.network.issuer_client(1, Caller::System(self.issued.system_id)).await.unwrap();
        let red = client.reverse(request).await.unwrap().into_inner();
        ReceiptKey { receipt_code: red.receipt_code, receipt_number: red.receipt_number }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_comes_with_its_policy_and_a_receipt_is_refreshed() {
    let world = world().await;
    let phone = &world.phone;
    for path in ["/", "/V", "/v"] {
        let page = phone.get(path, "accept-encoding: gzip\r\n").await;
        assert_eq!((page.status, page.header("content-encoding")), (200, Some("gzip")));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'sha256-") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{policy}");
        for (name, value) in [
            ("strict-transport-security", "max-age=63072000"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(page.header(name), Some(value), "{name}");
        }
        assert!(page.header("permissions-policy").unwrap().contains("camera=(self)"));
        assert_eq!(page.header("access-control-allow-origin"), None);
        let again = format!("accept-encoding: gzip\r\nif-none-match: {}\r\n", page.header("etag").unwrap());
        assert_eq!(phone.get(path, &again).await.status, 304);
    }
    let page = phone.get("/", "").await.text();
    let address = format!("/{}", page.split("data-address=\"").nth(1).unwrap().split('"').next().unwrap());
    let module = phone.get(&address, "").await;
    assert_eq!((module.status, module.header("content-type")), (200, Some("application/wasm")));
    assert!(module.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(module.header("content-encoding"), None);
    let shortest = phone.get(&address, "accept-encoding: gzip, deflate, br, zstd\r\n").await;
    assert_eq!(shortest.header("content-encoding"), Some("br"), "{}", shortest.head);
    assert!(shortest.body.len() < phone.get(&address, "accept-encoding: gzip\r\n").await.body.len());
    assert_eq!(phone.get(&format!("{address}.br"), "").await.status, 404);
    // The page as one file, to be kept; it is what the authorities publish.
    let one_file = phone.get("/tallystick-verify.html", "").await;
    let disposition = one_file.header("content-disposition");
    assert_eq!((one_file.status, disposition), (200, Some("attachment; filename=\"tallystick-verify.html\"")));
    let sum = format!("{}  tallystick-verify.html\n", sha256(&[&one_file.body]));
    assert!(phone.get("/SHA256SUMS", "").await.text().contains(&sum), "{sum}");
    assert!(
        page.contains("href=\"tallystick-verify.html\"") && page.contains("href=\"fetch\""),
        "the page leads there"
    );
    for path in ["/nothing", "/../portal.toml", "/hosted/index.html"] {
        assert_eq!(phone.get(path, "").await.status, 404, "{path}");
    }
    let lost = phone.get("/nothing", "accept: text/html,*/*;q=0.8\r\n").await;
    assert_eq!(lost.status, 404);
    assert!(specimens(&lost).contains("没有这一页") && specimens(&lost).contains("href=\"/fetch\""), "{lost:?}");

    assert_eq!(world.refreshed(0).await.finding(), Finding::InForce);
    let mut other = world.question();
    other["status_key"] = "00".repeat(32).into();
    let absent = LedgerAnswer::decode(&phone.post_json("/refresh", &other).await.body).unwrap();
    assert!(matches!(absent, LedgerAnswer::Absent { .. }), "{absent:?}");

    let red = world.reverse().await;
    // Whoever asks again has another node asked, and not the cache.
    let verdict = world.refreshed(1).await;
    assert_eq!(verdict.finding(), Finding::Reversed, "{verdict:?}");
    assert!(verdict.to_json().contains(&format!("{}-{}", red.receipt_code, red.receipt_number)));
    for question in [json!({}), json!({ "code": "1" }), json!([])] {
        assert_eq!(phone.post_json("/refresh", &question).await.status, 400, "{question}");
    }
    let in_address = phone.ask("POST /refresh?code=1 HTTP/1.1\r\ncontent-type: application/json\r\n", "{}").await;
    assert_eq!(in_address.status, 400);
    let elsewhere = "POST /refresh HTTP/1.1\r\ncontent-type: application/json\r\nsec-fetch-site: cross-site\r\n";
    assert_eq!(phone.ask(elsewhere, &world.question().to_string()).await.status, 403);
    world.network.finish(&AllowList::lifecycle()).await.unwrap();
}

/// By what the portal serves, a page judges the receipt's code; and by a newer one as soon as it lies there.
#[tokio::test(flavor = "multi_thread")]
async fn the_directory_of_units_is_served_and_the_next_one_taken() {
    let mut world = world().await;
    let phone = world.phone.clone();
    let path = world.network.layout().directory();
    let first = phone.get("/units.bin", "").await;
    assert_eq!((first.status, &first.body), (200, &std::fs::read(&path).unwrap()));
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("cache-control", "no-cache"),
        ("access-control-allow-origin", "*"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(first.header(name), Some(value), "{name}");
    }
    let etag = first.header("etag").unwrap();
    assert_eq!(phone.get("/units.bin", &format!("if-none-match: {etag}\r\n")).await.status, 304);

    let trust = world.network.trust().unwrap();
    let record = Bundle::decode(&world.bundle).unwrap().record;
    let host = Host::new("tally.example").unwrap();
    let text = code::text(&host, &record);
    let judged = |directory: &[u8]| {
        let directory = open_directory_file(directory, &trust).unwrap();
        let hosts = std::slice::from_ref(&host);
        let scan = CodeScan { text: &text, hosts, directory: &directory, ledger: ScanAnswer::NotAsked };
        verify_code(&scan, &trust, SystemClock.now())
    };
    let of_first = judged(&first.body);
    assert_eq!(of_first.finding(), Finding::Unchecked, "{of_first:?}");
    assert_eq!(of_first.signed, world.judge(&world.bundle).signed, "what stands on the paper");

    let office = Desk::new(&world.network, "office");
    office.certificate("operator");
    office.obtain(&path, "units.signed");
    let [update] =
        <[String; 1]>::try_from(commands("docs/ops/directory.md", "Bringing it up to date").unwrap()).unwrap();
    office.types(&update.replace("--credentials credentials", ""), "").await;
    std::fs::rename(office.path("units.today"), &path).unwrap();
    world.network.portal().unwrap().hang_up().unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    let newer = loop {
        let newer = phone.get("/units.bin", "accept-encoding: identity\r\n").await;
        if newer.header("etag") != Some(etag) {
            break newer;
        }
        assert!(tokio::time::Instant::now() < deadline, "{}", newer.head);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    let of_newer = judged(&newer.body);
    assert!(of_newer.as_of.unwrap().time > of_first.as_of.unwrap().time && of_newer.signers.len() >= 3, "{of_newer:?}");
    assert_eq!(of_newer.finding(), Finding::Unchecked);
    world.network.finish(&AllowList::lifecycle()).await.unwrap();
}

/// A directory file is an extra: a wrong one takes neither the page nor the ledger's answers from people.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_directory_of_units_the_portal_starts_and_takes_the_first_good_one() {
    let mut network = TestNetwork::start(&NetworkOptions::default()).await.unwrap();
    let path = network.layout().directory();
    let good = std::fs::read(&path).unwrap();
    // The page is made by the good one.
    network.start_portal().await.unwrap();
    let process = network.portal().unwrap();
    assert!(process.terminate().await.unwrap().success());
    std::fs::write(&path, b"junk").unwrap();
    process.start().unwrap();
    process.wait_ready().await.unwrap();
    let portal = network.description().portal.clone().unwrap();
    let phone = Phone::new(portal.https, &network.layout().ca().cert);
    assert_eq!(phone.get("/", "").await.status, 200);
    assert_eq!(phone.get("/units.bin", "").await.status, 404);
    let refused = async || {
        let (_, metrics) = http_get(portal.metrics, "/metrics").await.unwrap();
        String::from_utf8(metrics).unwrap().contains("tallystick_portal_directory_refused 1\n")
    };
    assert!(refused().await);
    std::fs::write(&path, &good).unwrap();
    network.portal().unwrap().hang_up().unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while phone.get("/units.bin", "").await.status != 200 || refused().await {
        assert!(tokio::time::Instant::now() < deadline, "it is not taken");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(phone.get("/units.bin", "accept-encoding: identity\r\n").await.body, good);
    let warned = AllowList::lifecycle().and("portal", &["the directory of units was not taken; none is served"]);
    network.finish(&warned).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_gone_is_passed_over_and_without_nodes_the_page_still_comes() {
    let mut world = world().await;
    world.network.node(1).unwrap().kill().await.unwrap();
    assert_eq!(world.refreshed(0).await.finding(), Finding::InForce);
    for node in 2..=4 {
        world.network.node(node).unwrap().kill().await.unwrap();
    }
    let mut question = world.question();
    question["try"] = 1.into();
    let answer = world.phone.post_json("/refresh", &question).await;
    assert_eq!((answer.status, &answer.json()["problem"]), (503, &"LEDGER_UNAVAILABLE".into()));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(world.phone.get("/", "").await.status, 200);
    // Nothing that anybody typed is in a log or a metric.
    let door = world.network.description().portal.as_ref().unwrap().metrics;
    let (status, metrics) = http_get(door, "/metrics").await.unwrap();
    let metrics = String::from_utf8(metrics).unwrap();
    assert_eq!(status, 200);
    let log = std::fs::read_to_string(world.network.layout().log("portal")).unwrap();
    for name in ["number", "status_key"] {
        let value = question[name].as_str().unwrap();
        assert!(!metrics.contains(value) && !log.contains(value), "{name}");
    }
    assert!(metrics.contains("tallystick_portal_node_answers_total{outcome=\"taken\"} 1\n"), "{metrics}");
    let portal = world.network.portal().unwrap().terminate().await.unwrap();
    assert!(portal.success(), "{portal}");
}

/// The end of the sample payer's identity number.
const RESIDENT_ID: &str = "990305199001010015";

impl World {
    /// A receipt of a payer with an identity number, and what stands on it: code, number, check code, date, total.
    async fn face(&self) -> (GeneratedReceipt, Vec<u8>, Value) {
        let mut receipt = self.network.sample("S01", 2).unwrap();
        receipt.draft.payer_id_type = PayerIdType::Resident;
        receipt.draft.payer_code = RESIDENT_ID.to_owned();
        let client = self.network.issuer_client(1, Caller::System(receipt.system_id)).await.unwrap();
        let response = issue_one(client, &receipt, Wait::Sealed).await.unwrap().response;
        let total = receipt.draft.total_amount.get();
        let face = json!({
            "code": response.receipt_code,
            "number": response.receipt_number,
            "check_code": response.check_code,
            "date": response.issue_date,
            "total": format!("{}.{:02}", total / 100, total % 100),
        });
        (receipt, response.bundle.to_vec(), face)
    }

    async fn download(&self, answer: &Value) -> Vec<u8> {
        let address = format!("/{}", answer["download"]["address"].as_str().unwrap());
        let head = self.phone.ask(&format!("HEAD {address} HTTP/1.1\r\n"), "").await;
        assert_eq!((head.status, head.body.len()), (200, 0), "looking ahead takes nothing");
        let file = self.phone.get(&address, "").await;
        assert_eq!(file.status, 200);
        let disposition = file.header("content-disposition").unwrap();
        assert!(
            disposition.starts_with("attachment; filename=\"9") && disposition.ends_with(".tally\""),
            "{disposition}"
        );
        assert_eq!(file.header("cache-control"), Some("no-store"));
        assert_eq!(self.phone.get(&address, "").await.body, file.body, "another program asks again");
        assert_eq!(self.phone.get(&address, "").await.status, 410, "and then nobody");
        file.body
    }
}

/// By what the payer of a receipt with an identity number fetches it.
fn by_reference(receipt: &GeneratedReceipt) -> Value {
    let GeneratedReceipt { draft, .. } = receipt;
    json!({ "unit_code": draft.unit_code, "kind": "biz_code", "reference": draft.biz_code, "last_four": "0015" })
}

fn only(face: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), face[*name].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn as_form(fields: &Value) -> String {
    let pairs = fields.as_object().unwrap().iter();
    pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect::<Vec<_>>().join("&")
}

/// A page for people, which says that it is of a chain for tests.
fn specimens(page: &Answer) -> String {
    let html = page.text();
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
    assert!(html.contains("<title>【测试样票】") && html.contains("<p class=\"test\">测试样票："), "{html}");
    html
}

/// The token of the download that a page offers.
fn token_of(html: &str) -> &str {
    html.split("href=\"/download/").nth(1).unwrap_or_else(|| panic!("{html}")).split('"').next().unwrap()
}

/// People without a script. Each page says that this chain's receipts are specimens.
async fn it_is_fetched_without_a_script(world: &World, three: &Value, face: &Value) {
    let phone = &world.phone;
    for path in ["/fetch", "/fetch-by-reference", "/elements"] {
        let html = specimens(&phone.get(path, "").await);
        assert!(html.contains(&format!("<form method=\"post\" action=\"{path}\">")), "{html}");
    }
    let result = specimens(&phone.post_form("/elements", &as_form(face)).await);
    for words in ["开票单位的系统说", "五项相符，票据已上链，没有冲红。", "所附证明", "的状态（20", "只转述，不作判断"]
    {
        assert!(result.contains(words), "{words}: {result}");
    }
    let token = token_of(&result);
    assert_eq!(world.judge(&phone.get(&format!("/download/{token}"), "").await.body).finding(), Finding::InForce);
    let page = phone.post_form("/fetch", &as_form(three)).await;
    let policy = page.header("content-security-policy").unwrap().to_owned();
    assert!(page.status == 200 && policy.contains("form-action 'self'") && !policy.contains("script"), "{policy}");
    let html = specimens(&page);
    let token = token_of(&html);
    assert_eq!(world.judge(&phone.get(&format!("/download/{token}"), "").await.body).finding(), Finding::InForce);
    let _again = phone.get(&format!("/download/{token}"), "").await;
    assert!(specimens(&phone.get(&format!("/download/{token}"), "").await).contains("下载链接已用过"));
}

/// Whatever was asked: nothing personal is written down.
async fn nothing_of_it_is_in_log_or_metrics(world: &World, receipt: &GeneratedReceipt, face: &Value) {
    let door = world.network.description().portal.as_ref().unwrap().metrics;
    let (_, metrics) = http_get(door, "/metrics").await.unwrap();
    let metrics = String::from_utf8(metrics).unwrap();
    let log = std::fs::read_to_string(world.network.layout().log("portal")).unwrap();
    for name in ["number", "check_code", "total"] {
        let value = face[name].as_str().unwrap();
        assert!(!metrics.contains(value) && !log.contains(value), "{name}");
    }
    for value in [receipt.draft.biz_code.as_str(), RESIDENT_ID, "127.0.0.1 "] {
        assert!(!metrics.contains(value) && !log.contains(value), "{value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_fetched_by_who_can_name_it_and_by_nobody_else() {
    let world = world().await;
    let phone = &world.phone;
    let (receipt, bundle, face) = world.face().await;
    let three = only(&face, &["code", "number", "check_code"]);

    let fetched = phone.post_json("/fetch", &three).await;
    assert_eq!(fetched.status, 200, "{fetched:?}");
    let file = world.download(&fetched.json()).await;
    assert_eq!(world.judge(&file).finding(), Finding::InForce);
    assert_eq!(Bundle::decode(&file).unwrap().record, Bundle::decode(&bundle).unwrap().record);

    let elements = phone.post_json("/elements", &face).await;
    assert_eq!(elements.status, 200, "{elements:?}");
    let said = elements.json();
    assert_eq!((&said["state"], &said["standing"]), (&"SEALED".into(), &"IN_FORCE".into()));
    assert_eq!(world.judge(&world.download(&said).await).finding(), Finding::InForce);

    let by_reference = by_reference(&receipt);
    let found = phone.post_json("/fetch-by-reference", &by_reference).await;
    assert_eq!(found.status, 200, "{found:?}");
    assert_eq!(world.judge(&world.download(&found.json()).await).finding(), Finding::InForce);

    it_is_fetched_without_a_script(&world, &three, &face).await;

    // A wrong check code, a number that nobody issued, one that is in no segment, and another's end of an identity number: one answer.
    let changed = |name: &str, value: &str| {
        let mut fields = three.clone();
        fields[name] = value.into();
        fields
    };
    let wrong_code = if face["check_code"].as_str().unwrap().starts_with('0') { "1aaaaa" } else { "0aaaaa" };
    let mut answers = Vec::new();
    for fields in [changed("check_code", wrong_code), changed("number", "0000009999"), changed("code", "12345678")] {
        let answer = phone.post_json("/fetch", &fields).await;
        answers.push((
            answer.status,
            answer.text(),
            answer.head.lines().filter(|line| !line.starts_with("date")).collect::<Vec<_>>().join("\n"),
        ));
    }
    let mut other = by_reference.clone();
    other["last_four"] = "0016".into();
    let answer = phone.post_json("/fetch-by-reference", &other).await;
    assert_eq!((answer.status, answer.text()), (404, answers[0].1.clone()));
    assert_eq!(answers[0].0, 404);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let page = phone.post_form("/fetch", &as_form(&changed("check_code", wrong_code))).await;
    assert!(page.status == 404 && specimens(&page).contains("不说明是哪一项"), "{page:?}");

    nothing_of_it_is_in_log_or_metrics(&world, &receipt, &face).await;
    world.network.finish(&AllowList::lifecycle()).await.unwrap();
}

/// Each format by its door, as a script gets it: type, name, and a proof in what carries one.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_fetched_in_each_format_and_every_page_of_its_picture() {
    let world = world_with_documents().await;
    let phone = &world.phone;
    let (_, bundle, face) = world.face().await;
    let record = Bundle::decode(&bundle).unwrap().record;
    let three = only(&face, &["code", "number", "check_code"]);
    let as_format = |format: &str| {
        let mut fields = three.clone();
        fields["format"] = format.into();
        fields
    };
    let of_receipt = |bytes: &[u8]| {
        assert_eq!(world.judge(bytes).finding(), Finding::InForce);
        assert_eq!(Bundle::decode(bytes).unwrap().record, record);
    };
    for (format, media_type, ending, begins) in [
        ("bundle", "application/octet-stream", "tally", &b"{\"format\":\"tallystick/bundle/v1\""[..]),
        ("pdf", "application/pdf", "pdf", b"%PDF-"),
        ("ofd", "application/ofd", "ofd", b"PK\x03\x04"),
        ("xml", "application/xml", "xml", b"<?xml"),
        ("png", "image/png", "1.png", b"\x89PNG\r\n"),
    ] {
        let answer = phone.post_json("/fetch", &as_format(format)).await;
        assert_eq!(answer.status, 200, "{format}: {answer:?}");
        let download = answer.json()["download"].clone();
        let file = phone.get(&format!("/{}", download["address"].as_str().unwrap()), "").await;
        assert_eq!((file.status, file.header("content-type")), (200, Some(media_type)), "{format}");
        let name = format!("{}-{}.{ending}", face["code"].as_str().unwrap(), face["number"].as_str().unwrap());
        let disposition = format!("attachment; filename=\"{name}\"");
        assert_eq!(file.header("content-disposition"), Some(disposition.as_str()), "{format}");
        assert_eq!((&download["file_name"], &download["media_type"]), (&name.into(), &media_type.into()), "{format}");
        assert!(file.body.starts_with(begins), "{format}: {:?}", &file.body[..20]);
        match format {
            "bundle" => of_receipt(&file.body),
            "pdf" => of_receipt(&attached(&world.network, &file.body).await),
            "ofd" => assert!(file.body.windows(12).any(|name| name == b"bundle.tally"), "the bundle is in it"),
            _ => {}
        }
    }
    assert_eq!(phone.post_json("/fetch", &as_format("doc")).await.status, 400);

    // The picture without a script: the first page, and from there the second.
    let html = specimens(&phone.post_form("/fetch", &as_form(&as_format("png"))).await);
    assert!(html.contains("这是第 1 页，共 2 页"), "{html}");
    let first = phone.get(&format!("/download/{}", token_of(&html)), "").await;
    let mut again = as_format("png");
    for name in ["code", "number", "check_code", "format"] {
        let value = again[name].as_str().unwrap();
        assert!(html.contains(&format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")), "{html}");
    }
    again["page"] = html.split("<option value=\"").nth(1).unwrap().split('"').next().unwrap().into();
    let html = specimens(&phone.post_form("/fetch", &as_form(&again)).await);
    assert!(html.contains("这是第 2 页，共 2 页"), "{html}");
    let second = phone.get(&format!("/download/{}", token_of(&html)), "").await;
    assert!(second.header("content-disposition").unwrap().ends_with(".2.png\""), "{}", second.head);
    assert!(second.body.starts_with(b"\x89PNG") && second.body != first.body);
    world.network.finish(&AllowList::lifecycle()).await.unwrap();
}

/// What is attached to a PDF, by software of other makers.
async fn attached(network: &TestNetwork, pdf: &[u8]) -> Vec<u8> {
    let [from, to] = ["fetched.pdf", "attached.tally"].map(|name| network.layout().root().join(name));
    std::fs::write(&from, pdf).unwrap();
    let mut detach = tokio::process::Command::new("pdfdetach");
    let done = detach.args(["-save", "1", "-o"]).arg(&to).arg(&from).status().await;
    assert!(done.expect("`make document-tools` installs pdfdetach").success());
    std::fs::read(to).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_after_many_wrong_tries_waits_and_is_answered() {
    let world = world().await;
    let (_, _, face) = world.face().await;
    let three = only(&face, &["code", "number", "check_code"]);
    let mut wrong = three.clone();
    wrong["check_code"] =
        if face["check_code"].as_str().unwrap().starts_with('0') { "1aaaaa" } else { "0aaaaa" }.into();
    for _ in 0..3 {
        assert_eq!(world.phone.post_json("/fetch", &wrong).await.status, 404);
    }
    let waits = world.phone.post_json("/fetch", &three).await;
    assert_eq!(waits.status, 202, "{waits:?}");
    assert!(waits.header("retry-after").is_some());
    // Its place, as a form: the same fields, and the ticket.
    let page = world.phone.post_form("/fetch", &as_form(&three)).await;
    let html = specimens(&page);
    assert!(page.status == 200 && html.contains("name=\"ticket\"") && html.contains("name=\"check_code\""), "{html}");
    let mut again = three.clone();
    again["ticket"] = waits.json()["ticket"].clone();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    let fetched = loop {
        let answer = world.phone.post_json("/fetch", &again).await;
        if answer.status != 202 {
            break answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "{answer:?}");
        let wait_ms = answer.json()["wait_ms"].as_u64().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
    };
    assert_eq!(fetched.status, 200, "{fetched:?}");
    assert_eq!(world.judge(&world.download(&fetched.json()).await).finding(), Finding::InForce);
    world.network.finish(&AllowList::lifecycle()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_browser_the_page_judges_and_a_form_downloads() {
    let world = world_with_documents().await;
    let (receipt, bundle, face) = world.face().await;
    let reference = by_reference(&receipt);
    let file = world.network.layout().root().join("receipt.tally");
    std::fs::write(&file, &bundle).unwrap();
    let programs = world.network.binaries().node.parent().unwrap().to_owned();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let port = world.network.description().portal.as_ref().unwrap().https.port();
    let python = Python::install(&programs, &folder).await.unwrap();
    let python = python
        .with("PYTHONUTF8", "1")
        .with("PORTAL", format!("https://localhost:{port}/"))
        .with("TALLY", &file)
        .with("FACE", face.to_string())
        .with("REFERENCE", reference.to_string())
        .with("DIGITS", code::digits(&Bundle::decode(&bundle).unwrap().record))
        .with("QUESTION", world.question().to_string());
    python.run(&["-m", "unittest", "--verbose", "test_portal"]).await.unwrap();
    world.network.finish(&AllowList::lifecycle()).await.unwrap();
}
