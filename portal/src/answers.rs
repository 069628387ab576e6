//! How what was fetched is answered: as JSON to a script, as a page to whoever sent a form, and as a file to whoever has a token.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tallystick_proto::issuer::v1::{ReceiptState, Standing};
use tallystick_proto::portal::v1::{Genuine, Wait};
use tallystick_service::callers::{Network, Share};

use crate::downloads::{Download, Downloads};
use crate::fetch::{Fetched, FetchedDocument, FetchedElements, bundle_of, download_of};
use crate::input::Fields;
use crate::pages::{self, Pages};
use crate::reply::{Problem, ProblemKind};

/// Who is answered, and what they sent.
#[derive(Debug)]
pub(crate) struct Asker {
    /// Where the form goes.
    pub(crate) path: &'static str,
    /// A person without a script.
    pub(crate) is_form: bool,
    /// What they sent, to be sent again if it must be.
    pub(crate) sent: Fields,
    /// How they are shown a page.
    pub(crate) pages: Pages,
}

#[derive(Serialize)]
struct DownloadJson {
    address: String,
    file_name: String,
    media_type: String,
    bytes: usize,
    good_for_ms: u64,
}

#[derive(Serialize)]
struct DocumentJson {
    download: DownloadJson,
    page_count: u32,
    snapshot_height: u64,
}

#[derive(Serialize)]
struct ElementsJson {
    state: &'static str,
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reversed_by: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    refused_reason: String,
    /// Base64.
    signed_record: String,
    snapshot_height: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    download: Option<DownloadJson>,
}

#[derive(Serialize)]
struct WaitJson {
    ticket: String,
    wait_ms: u32,
    good_for_ms: u32,
}

#[derive(Serialize)]
struct GiveMoreJson {
    problem: &'static str,
    fields: Vec<String>,
}

impl Asker {
    /// A problem, for this asker.
    pub(crate) fn problem(&self, problem: Problem) -> Response {
        if self.is_form { self.pages.problem(&problem, Some(self.path)) } else { problem.into_response() }
    }

    /// A receipt, or how to come to it.
    pub(crate) fn document(
        &self,
        fetched: Result<Fetched<FetchedDocument>, Problem>,
        downloads: &Downloads,
    ) -> Response {
        let fetched = match fetched {
            Ok(Fetched::Here(fetched)) => fetched,
            Ok(Fetched::Wait(wait)) => return self.wait(&wait),
            Ok(Fetched::GiveMore(fields)) => return self.give_more(fields),
            Err(problem) => return self.problem(problem),
        };
        let (page_count, snapshot_height) = (fetched.document.page_count, fetched.document.snapshot_height);
        let kept = match kept(download_of(fetched), downloads) {
            Ok(kept) => kept,
            Err(problem) => return self.problem(problem),
        };
        if self.is_form {
            let mut body = kept.as_markup(downloads.life());
            if kept.media_type == "image/png" {
                body += &pages::other_pages(self.path, &self.sent, page_count);
            }
            return self.pages.page(StatusCode::OK, ("票据已取到", "Here is the receipt"), &body, "");
        }
        json(StatusCode::OK, &DocumentJson { download: kept, page_count, snapshot_height })
    }

    /// What the five elements say; `told` is what people are told of it, as markup.
    pub(crate) fn elements(
        &self,
        fetched: Result<Fetched<FetchedElements>, Problem>,
        downloads: &Downloads,
        told: &str,
    ) -> Response {
        let elements = match fetched {
            Ok(Fetched::Here(elements)) => elements,
            Ok(Fetched::Wait(wait)) => return self.wait(&wait),
            Ok(Fetched::GiveMore(fields)) => return self.give_more(fields),
            Err(problem) => return self.problem(problem),
        };
        let mut answer = elements_of(&elements.genuine);
        match bundle_of(elements).map(|download| kept(download, downloads)).transpose() {
            Ok(download) => answer.download = download,
            Err(problem) => return self.problem(problem),
        }
        if !self.is_form {
            return json(StatusCode::OK, &answer);
        }
        let file = answer.download.as_ref().map(|download| download.as_markup(downloads.life()));
        let body = format!("{told}{}", file.unwrap_or_default());
        self.pages.page(StatusCode::OK, ("查验结果", "Result"), &body, "")
    }

    fn wait(&self, wait: &Wait) -> Response {
        let ticket = hex::encode(&wait.ticket);
        let wait_for = Duration::from_millis(wait.wait_ms.into());
        if self.is_form {
            return self.pages.again(self.path, &self.sent, (Some(&ticket), Some(wait_for)), &[]);
        }
        let answer = WaitJson { ticket, wait_ms: wait.wait_ms, good_for_ms: wait.good_for_ms };
        let mut response = json(StatusCode::ACCEPTED, &answer);
        let seconds = HeaderValue::from(wait.wait_ms.div_ceil(1000).max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
        response
    }

    /// The issuer's names for fields are not the forms'.
    fn give_more(&self, fields: Vec<String>) -> Response {
        let name = |field: String| match field.as_str() {
            "issue_date" => "date".to_owned(),
            "total_fen" => "total".to_owned(),
            _ => field,
        };
        let fields: Vec<String> = fields.into_iter().map(name).collect();
        match self.is_form {
            true => self.pages.again(self.path, &self.sent, (None, None), &fields),
            false => json(StatusCode::UNPROCESSABLE_ENTITY, &GiveMoreJson { problem: "GIVE_MORE", fields }),
        }
    }
}

fn kept(download: Download, downloads: &Downloads) -> Result<DownloadJson, Problem> {
    let (file_name, media_type) = (download.file_name.clone(), download.media_type.clone());
    let bytes = download.content.len();
    let token = downloads.keep(download).map_err(|error| {
        tracing::error!(%error, "no download can be offered");
        Problem::new(ProblemKind::Busy)
    })?;
    let good_for_ms = u64::try_from(downloads.life().as_millis()).unwrap_or(u64::MAX);
    Ok(DownloadJson { address: format!("download/{token}"), file_name, media_type, bytes, good_for_ms })
}

impl DownloadJson {
    fn as_markup(&self, life: Duration) -> String {
        let token = self.address.rsplit('/').next().unwrap_or_default();
        pages::download(token, (&self.file_name, &self.media_type), self.bytes, life)
    }
}

fn elements_of(genuine: &Genuine) -> ElementsJson {
    ElementsJson {
        state: match genuine.state() {
            ReceiptState::Sealed => "SEALED",
            ReceiptState::Refused => "REFUSED",
            ReceiptState::Pending | ReceiptState::Unknown | ReceiptState::Unspecified => "PENDING",
        },
        standing: match genuine.standing() {
            Standing::InForce => "IN_FORCE",
            Standing::Reversed => "REVERSED",
            Standing::PaperOut => "PAPER_OUT",
            Standing::Unspecified => "",
        },
        reversed_by: genuine.reversed_by.as_ref().map(|key| format!("{}-{}", key.receipt_code, key.receipt_number)),
        refused_reason: genuine.refused_reason.clone(),
        signed_record: STANDARD.encode(&genuine.signed_record),
        snapshot_height: genuine.snapshot_height,
        download: None,
    }
}

/// The file of a token.
pub(crate) fn file(download: Option<Download>, pages: Pages) -> Response {
    let Some(Download { content, media_type, file_name, place }) = download else {
        return pages.problem(&Problem::new(ProblemKind::Gone), None);
    };
    let plain = |c: &char| c.is_ascii_alphanumeric() || ".-_".contains(*c);
    let name: String = file_name.chars().filter(plain).collect();
    let mut response = Response::new(Body::from(Bytes::from_owner(Held { content, _place: place })));
    let headers = response.headers_mut();
    let value = |text: &str, other| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(other));
    headers.insert(header::CONTENT_TYPE, value(&media_type, "application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, value(&format!("attachment; filename=\"{name}\""), "attachment"));
    response
}

fn json(status: StatusCode, answer: &impl Serialize) -> Response {
    // Texts and integers under text keys: it always serialises.
    let body = serde_json::to_vec(answer).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Bytes of a file on its way, which count among those in memory until the last of them is sent.
struct Held {
    content: Bytes,
    _place: Arc<Share<Network>>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}
