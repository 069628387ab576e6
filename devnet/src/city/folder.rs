//! A receipt's folder: its bundle, its documents as the issuer gives them, and the code that is printed on it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use receipt_core::bundle::Bundle;
use receipt_core::code::Host;
use receipt_core::receipt::model::Receipt;
use receipt_core::verdict::{Conclusion, Verdict};
use tallystick_devnet::clients::IssuerClient;
use tallystick_devnet::documents::CODE_HOST;
use tallystick_devnet::outcomes::Key;
use tallystick_proto::issuer::v1::{
    DocumentFormat, GetDocumentRequest, GetDocumentResponse, ReceiptKey, Standing, get_document_request,
};
use tallystick_qr::receipt_symbol;
use tallystick_service::durable::{self, FileMode};

use super::code;
use super::receipts::Kept;
use crate::demo::Demo;
use crate::demo::bundles::{fetch, verify};

/// The code as a picture.
pub(super) const CODE: &str = "code.png";

/// Documents that are one call each: format, file name, and what they are in Chinese and English.
const DOCUMENTS: [(DocumentFormat, &str, [&str; 2]); 4] = [
    (DocumentFormat::Pdf, "receipt.pdf", ["PDF（附凭证）", "PDF with the bundle attached"]),
    (DocumentFormat::Ofd, "receipt.ofd", ["OFD（附凭证）", "OFD with the bundle attached"]),
    (DocumentFormat::Xml, "receipt.xml", ["XML", "XML"]),
    (
        DocumentFormat::Slip,
        "receipt.slip",
        ["小票（80 毫米打印机的原始字节）", "slip: raw bytes for a printer of 80 mm"],
    ),
];

/// A receipt as the index shows it.
pub(super) struct Entry {
    /// Its folder.
    pub(super) folder: String,
    /// What the bundle says, as judged.
    pub(super) verdict: Verdict,
    /// The receipt.
    pub(super) receipt: Receipt,
    /// Name of each file, and what it is in Chinese and English.
    pub(super) files: Vec<(String, [String; 2])>,
}

/// Fetches everything of a receipt and writes it.
pub(super) async fn fill(demo: &Demo, out: &Path, kept: &Kept) -> Result<Entry> {
    let folder = out.join(&kept.folder);
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let mut files = Vec::new();
    let mut keep = |name: &str, bytes: &[u8], said: [&str; 2]| -> Result<()> {
        durable::write(&folder.join(name), bytes, FileMode::Shared)?;
        files.push((name.to_owned(), said.map(str::to_owned)));
        Ok(())
    };
    let client = demo.client(kept.system_id)?;
    let bundle = fetch(client.clone(), &kept.key).await?;
    let verdict = verify(&bundle, &demo.trust);
    let standing = match &verdict.conclusion {
        Conclusion::InForce { .. } => Standing::InForce,
        Conclusion::Reversed { .. } => Standing::Reversed,
        other => bail!("the bundle is {other:?}"),
    };
    keep("receipt.tally", &bundle, ["凭证（.tally）", "bundle (.tally)"])?;
    for (format, name, said) in DOCUMENTS {
        let document = document(client.clone(), &kept.key, format, 0).await?;
        ensure!(document.standing() == standing, "{name} says {}", document.standing().as_str_name());
        keep(name, &document.document, said)?;
    }
    let mut page = 1;
    loop {
        let picture = document(client.clone(), &kept.key, DocumentFormat::Png, page).await?;
        let said = [format!("第 {page} 页的图片"), format!("picture of page {page}")];
        keep(&format!("page-{page}.png"), &picture.document, [&said[0], &said[1]])?;
        if page >= picture.page_count {
            break;
        }
        page += 1;
    }
    let host = Host::new(CODE_HOST).context("read the host of codes")?;
    let record = Bundle::decode(&bundle).context("decode a bundle that was judged good")?.record;
    keep(
        CODE,
        &code::png(&receipt_symbol(&host, &record).symbol)?,
        ["票面上的二维码", "the code that is printed on it"],
    )?;
    for other in &kept.others {
        keep(other.name, &other.bytes, other.said)?;
    }
    let receipt = verdict.receipt.clone().context("the verdict shows no receipt")?;
    Ok(Entry { folder: kept.folder.clone(), verdict, receipt, files })
}

async fn document(
    mut client: IssuerClient,
    key: &Key,
    format: DocumentFormat,
    page: u32,
) -> Result<GetDocumentResponse> {
    let key = ReceiptKey { receipt_code: key.0.clone(), receipt_number: key.1.clone() };
    let selector = Some(get_document_request::Selector::Key(key));
    let request = GetDocumentRequest { selector, format: format.into(), page, ..GetDocumentRequest::default() };
    let answer = client.get_document(request).await;
    Ok(answer.with_context(|| format!("fetch {} (fonts: `make document-tools`)", format.as_str_name()))?.into_inner())
}
