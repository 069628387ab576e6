//! `tallystick-devnet city`: the folder that it leaves can be used by anybody, without the network that made it; its portal goes on.
//!
//! Needs `make wasm` for the page, and the fonts of `make document-tools`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use receipt_core::bundle::Bundle;
use receipt_core::code::{Host, text};
use receipt_core::hash::sha256;
use serde_json::json;
use tallystick_devnet::binaries::Binaries;
use tallystick_devnet::description::Description;
use tallystick_devnet::documents::CODE_HOST;
use tallystick_devnet::layout::Layout;
use tallystick_tests::python::Python;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::portal::https::Phone;

/// The demonstration may take 90 seconds on a quiet machine.
const WAIT_MAX: Duration = Duration::from_secs(240);
/// One of each sample.
const RECEIPTS: usize = 17;
/// Reads pictures of one bit a pixel with zxing-cpp, which nobody here wrote: one line for each file.
const READ_CODES: &str = "import sys, zlib, zxingcpp
def chunks(data):
    at = 8
    while at < len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], 'big')
        assert zlib.crc32(data[at + 4 : end]) == int.from_bytes(data[end : end + 4], 'big')
        yield data[at + 4 : at + 8], data[at + 8 : end]
        at = end + 4
for path in sys.argv[1:]:
    parts = dict(chunks(open(path, 'rb').read()))
    side = int.from_bytes(parts[b'IHDR'][:4], 'big')
    rows, row_bytes = zlib.decompress(parts[b'IDAT']), (side + 7) // 8 + 1
    grey = bytearray()
    for y in range(side):
        row = rows[y * row_bytes + 1 : (y + 1) * row_bytes]
        grey += bytes(255 if row[x >> 3] >> (7 - (x & 7)) & 1 else 0 for x in range(side))
    found = zxingcpp.read_barcodes(memoryview(bytes(grey)).cast('B', (side, side)), formats=zxingcpp.BarcodeFormat.QRCode)
    print(found[0].text if found else '')";

/// The receipts' folders.
fn folders(out: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = paths.filter(|path| path.join("receipt.tally").is_file()).collect();
    folders.sort();
    folders
}

async fn exit_code_of_verify(out: &Path, files: &[PathBuf]) -> (Option<i32>, String) {
    let mut command = Command::new(Binaries::locate().unwrap().verifier);
    command.arg("verify").args(files).arg("--trust").arg(out.join("trust.txt"));
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_city_leaves_what_people_hold_and_its_portal_goes_on() {
    let _turn = tallystick_tests::turn().await;
    let directory = scratch::Directory::new();
    let (out, network) = (directory.path().join("out"), directory.path().join("network"));
    let programs = Binaries::locate().unwrap().verifier.parent().unwrap().to_owned();
    let mut city = Command::new(programs.join("tallystick-devnet"));
    city.arg("city").arg("--out").arg(&out).arg("--dir").arg(&network).args(["--receipts", "40", "--stay"]);
    let mut city = city.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(city.stdout.take().unwrap()).lines();
    let built = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            println!("{line}");
            if line.contains("Ctrl-C stops it") {
                return;
            }
        }
        panic!("it ended by itself");
    };
    timeout(WAIT_MAX, built).await.unwrap();

    let index = fs::read_to_string(out.join("index.html")).unwrap();
    everything_listed_is_there(&out, &index);
    every_bundle_is_judged(&out).await;
    every_code_is_read(&out, &programs).await;
    the_page_is_this_chains(&out);
    the_portal_knows_the_refused_one(&network, &index).await;

    let id = city.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    let status = timeout(WAIT_MAX, city.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

fn everything_listed_is_there(out: &Path, index: &str) {
    let addresses = index.split('"').zip(index.split('"').skip(1));
    let addresses = addresses.filter(|(before, _)| before.ends_with("href=") || before.ends_with("src="));
    let files: Vec<&str> = addresses.map(|(_, to)| to).filter(|to| !to.starts_with("https://localhost:")).collect();
    for file in &files {
        assert!(out.join(file).is_file(), "{file} is listed");
    }
    for folder in folders(out) {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(out).unwrap().to_str().unwrap();
            assert!(files.contains(&name), "{name} is not listed");
        }
        for name in ["receipt.pdf", "receipt.ofd", "receipt.xml", "receipt.slip", "page-1.png", "code.png"] {
            assert!(folder.join(name).is_file(), "{name} of {}", folder.display());
        }
    }
    for words in ["已冲红", "REVERSED", "Traffic fine", "School fee", "Donation", "示例市慈善基金会", "测试样票"]
    {
        assert!(index.contains(words), "{words}");
    }
}

async fn every_bundle_is_judged(out: &Path) {
    let folders = folders(out);
    assert_eq!(folders.len(), RECEIPTS, "{folders:?}");
    let in_force = folders.iter().filter(|folder| !folder.ends_with("S01"));
    let mut in_force: Vec<PathBuf> = in_force.map(|folder| folder.join("receipt.tally")).collect();
    assert_eq!(in_force.len(), folders.len() - 1);
    in_force.push(out.join("S01/before-reversal.tally"));
    for (files, code) in
        [(in_force, 0), (vec![out.join("S01/receipt.tally")], 2), (vec![out.join("S04/altered.tally")], 1)]
    {
        let (found, said) = exit_code_of_verify(out, &files).await;
        assert_eq!(found, Some(code), "{said}");
    }
    // What the documents carry is the same.
    let attached = out.join("attached.tally");
    let mut detach = Command::new("pdfdetach");
    let detach = detach.args(["-save", "1", "-o"]).arg(&attached).arg(out.join("S02/receipt.pdf"));
    assert!(detach.status().await.unwrap().success());
    assert_eq!(exit_code_of_verify(out, &[attached]).await.0, Some(0));
}

/// What stands in each picture of a code is the record of the bundle beside it.
async fn every_code_is_read(out: &Path, programs: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = Python::install(programs, &root.join("qr/tests/foreign")).await.unwrap();
    let folders = folders(out);
    let pictures: Vec<String> =
        folders.iter().map(|folder| folder.join("code.png").to_str().unwrap().to_owned()).collect();
    let arguments: Vec<&str> = ["-c", READ_CODES].into_iter().chain(pictures.iter().map(String::as_str)).collect();
    let read = String::from_utf8(python.run(&arguments).await.unwrap()).unwrap();
    let host = Host::new(CODE_HOST).unwrap();
    assert_eq!(read.lines().count(), folders.len());
    for (line, folder) in read.lines().zip(&folders) {
        let bundle = Bundle::decode(&fs::read(folder.join("receipt.tally")).unwrap()).unwrap();
        assert_eq!(line, text(&host, &bundle.record), "{}", folder.display());
    }
}

fn the_page_is_this_chains(out: &Path) {
    let page = out.join("page");
    let sums = fs::read_to_string(page.join("SHA256SUMS")).unwrap();
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sha256(&[&fs::read(page.join(name)).unwrap()]).to_string(), sum, "{name}");
    }
    let trust = fs::read_to_string(out.join("trust.txt")).unwrap();
    let one_file = fs::read_to_string(page.join("tallystick-verify.html")).unwrap();
    let chain = trust.lines().nth(1).unwrap();
    assert!(one_file.contains(chain), "the page has no {chain:?}");
}

/// Who types the five entries of a receipt that the ledger refused is told so.
async fn the_portal_knows_the_refused_one(network: &Path, index: &str) {
    let layout = Layout::new(network);
    let address = Description::read(&layout).unwrap().portal.unwrap().https;
    let phone = Phone::new(address, &layout.ca().cert);
    assert_eq!(phone.get("/", "").await.status, 200);
    let section = index.split("<section id=\"refused\">").nth(1).unwrap();
    let values: Vec<&str> = section.split("<dd>").skip(1).map(|rest| rest.split("</dd>").next().unwrap()).collect();
    let [_unit, code, number, check_code, date, total] = values[..] else { panic!("{values:?}") };
    let question = json!({ "code": code, "number": number, "check_code": check_code, "date": date, "total": total });
    let answer = phone.post_json("/elements", &question).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["state"], "REFUSED", "{answer:?}");
    // Without a script he is told by whom, why, of when, and which receipt there is instead.
    let pairs = question.as_object().unwrap().iter();
    let form: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
    let html = phone.post_form("/elements", &form.join("&")).await.text();
    let instead = section.split("有效的是 ").nth(1).unwrap().split('。').next().unwrap();
    for words in [
        "测试样票",
        "开票单位的系统说",
        "账本拒绝了这张票据：业务流水号已被使用。",
        "账本的节点答复",
        "的状态（20",
        &format!("同一业务的票据是{instead}。"),
        "只转述，不作判断",
        "href=\"/V#",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
}
