//! Which address is answered by what, and what every answer has.
//!
//! ```text
//! GET  /  /V  /v  /NAME     the page and its files
//! GET  /units.bin           the directory of units
//! POST /refresh             what the ledger says of a receipt
//! GET  /fetch …             a form for people without a script; POST: the receipt, by what stands on it
//! POST /fetch-by-reference  the same, by what was paid
//! POST /elements            what became of a receipt, by its five typed elements
//! GET  /download/TOKEN      a fetched file
//! ```
//! Every request takes a place among all and among those of its source. A POST that a page of another site has made a browser send is
//! refused: else any page could spend its visitors' tries. Not here: connections (`server`).

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tallystick_proto::portal::v1::Genuine;
use tallystick_service::callers::{Network, Shares};

use crate::answers::{self, Asker};
use crate::downloads::Downloads;
use crate::fetch::{Fetched, FetchedElements, Fetcher};
use crate::files::Files;
use crate::input::{Fields, is_form};
use crate::metrics::PortalMetrics;
use crate::pages::Pages;
use crate::refresh::Refresher;
use crate::reply::{Problem, ProblemKind};
use crate::told::Teller;
use crate::units::Units;

/// Everything that requests are answered from.
#[derive(Debug)]
pub(crate) struct Portal {
    pub(crate) files: Files,
    pub(crate) units: Option<Arc<Units>>,
    pub(crate) refresher: Refresher,
    pub(crate) fetcher: Fetcher,
    pub(crate) pages: Pages,
    pub(crate) teller: Teller,
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) places: Shares<Network>,
    pub(crate) metrics: PortalMetrics,
}

/// All that the portal answers.
pub(crate) fn router(portal: Arc<Portal>) -> Router {
    Router::new()
        .route("/refresh", post(refresh))
        .route("/fetch", get(form).post(fetch))
        .route("/fetch-by-reference", get(form).post(fetch_by_reference))
        .route("/elements", get(form).post(elements))
        .route("/download/{token}", get(download))
        .fallback(file)
        .layer(from_fn_with_state(Arc::clone(&portal), keep_order))
        .with_state(portal)
}

async fn refresh(
    State(portal): State<Arc<Portal>>,
    Extension(source): Extension<Network>,
    request: Request,
) -> Response {
    let answered = async {
        let fields = Fields::read(request).await?;
        portal.refresher.answer(fields, source).await
    };
    match answered.await {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn form(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    let form = portal.pages.form(request.uri().path());
    form.unwrap_or_else(|| Problem::new(ProblemKind::NotFound).into_response())
}

async fn fetch(State(portal): State<Arc<Portal>>, Extension(source): Extension<Network>, request: Request) -> Response {
    let asker = match asker(&portal, "/fetch", request).await {
        Ok(asker) => asker,
        Err(refused) => return refused,
    };
    asker.document(portal.fetcher.by_face(asker.sent.clone(), source).await, &portal.downloads)
}

async fn fetch_by_reference(
    State(portal): State<Arc<Portal>>,
    Extension(source): Extension<Network>,
    request: Request,
) -> Response {
    let asker = match asker(&portal, "/fetch-by-reference", request).await {
        Ok(asker) => asker,
        Err(refused) => return refused,
    };
    asker.document(portal.fetcher.by_reference(asker.sent.clone(), source).await, &portal.downloads)
}

async fn elements(
    State(portal): State<Arc<Portal>>,
    Extension(source): Extension<Network>,
    request: Request,
) -> Response {
    let asker = match asker(&portal, "/elements", request).await {
        Ok(asker) => asker,
        Err(refused) => return refused,
    };
    let fetched = portal.fetcher.elements(asker.sent.clone(), source).await;
    let told = match &fetched {
        Ok(Fetched::Here(FetchedElements { genuine, .. })) if asker.is_form => tell(&portal, genuine).await,
        _ => String::new(),
    };
    asker.elements(fetched, &portal.downloads, &told)
}

/// What people without a script are told. A script asks the ledger itself.
async fn tell(portal: &Portal, genuine: &Genuine) -> String {
    let answer = match portal.teller.question(genuine) {
        Some(question) => portal.refresher.about(&question).await,
        None => None,
    };
    portal.teller.tell(genuine, answer.as_ref())
}

async fn asker(portal: &Portal, path: &'static str, request: Request) -> Result<Asker, Response> {
    let (is_form, pages) = (is_form(request.headers()), portal.pages);
    let asker = |sent| Asker { path, is_form, sent, pages };
    match Fields::read(request).await {
        Ok(sent) => Ok(asker(sent)),
        Err(problem) => Err(asker(Fields::default()).problem(problem)),
    }
}

/// A HEAD takes nothing: whoever looks ahead does not spend the token.
async fn download(State(portal): State<Arc<Portal>>, Path(token): Path<String>, method: Method) -> Response {
    match method {
        Method::GET => answers::file(portal.downloads.take(&token), portal.pages),
        _ => Response::default(),
    }
}

async fn file(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    let found = found(&portal.files, portal.units.as_deref(), &request);
    match found.status() {
        StatusCode::NOT_FOUND if is_person(request.headers()) => {
            portal.pages.problem(&Problem::new(ProblemKind::NotFound), None)
        }
        _ => found,
    }
}

/// Whether somebody looks at the answer: a browser that opens an address asks for a page.
fn is_person(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// A file of the page or the directory of units. Of a HEAD, all but the bytes.
pub(crate) fn found(files: &Files, units: Option<&Units>, request: &Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (path, asked) = (request.uri().path(), request.headers());
    let units = || units?.answer(path, asked);
    match files.answer(path, asked).or_else(units).filter(|_| is_read) {
        Some(answer) if request.method() == Method::HEAD => without_bytes(answer),
        Some(answer) => answer,
        None => Problem::new(ProblemKind::NotFound).into_response(),
    }
}

fn without_bytes(mut answer: Response) -> Response {
    if let Some(bytes) = answer.body().size_hint().exact().filter(|_| answer.status() == StatusCode::OK) {
        answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    *answer.body_mut() = Body::empty();
    answer
}

/// Around every request: a place, the sender's site, headers, metrics.
async fn keep_order(State(portal): State<Arc<Portal>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let door = door_of(request.uri().path());
    let source = request.extensions().get::<Network>().copied();
    let place = source.and_then(|source| portal.places.try_acquire(source, 1));
    let mut response = match &place {
        None => {
            portal.metrics.turn_away("requests");
            Problem::after(ProblemKind::Busy, std::time::Duration::from_secs(2)).into_response()
        }
        Some(_) if request.method() == Method::POST && is_of_another_site(request.headers(), request.uri().host()) => {
            Problem::new(ProblemKind::OtherSite).into_response()
        }
        Some(_) => next.run(request).await,
    };
    drop(place);
    finish(response.headers_mut());
    portal.metrics.answered(door, response.status().as_u16(), begun.elapsed().as_secs_f64());
    response
}

/// A few names for all addresses: what somebody typed is no label.
fn door_of(path: &str) -> &'static str {
    match path {
        "/" | "/V" | "/v" | "/index.html" => "page",
        "/refresh" => "refresh",
        "/fetch" => "fetch",
        "/fetch-by-reference" => "fetch_by_reference",
        "/elements" => "elements",
        path if path.starts_with("/download/") => "download",
        _ => "file",
    }
}

/// Whether a browser says that a page of another site sends this. A form of a page without a referrer has the origin `null`, so browsers
/// that say the site are believed first.
fn is_of_another_site(headers: &HeaderMap, authority: Option<&str>) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN).filter(|origin| *origin != "null") else { return false };
    let host = text(header::HOST).or(authority).unwrap_or_default();
    let without_port = |name: &str| name.rsplit_once(':').map_or(name.to_owned(), |(host, _)| host.to_owned());
    let named = origin.strip_prefix("https://").unwrap_or_default();
    named != host && without_port(named) != without_port(host)
}

/// What every answer has; what it has already stays.
fn finish(headers: &mut HeaderMap) {
    for (name, value) in [
        // Two years.
        ("strict-transport-security", "max-age=63072000"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(self), geolocation=(), microphone=(), payment=(), usb=()"),
        ("cache-control", "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_this_sites_pages_send() {
        for (pairs, other) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://p.example")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("origin", "null"), ("host", "p.example")], false),
            (&[("origin", "https://p.example"), ("host", "p.example")], false),
            (&[("origin", "https://p.example:8443"), ("host", "p.example:8443")], false),
            (&[("origin", "https://q.example"), ("host", "p.example")], true),
            (&[("origin", "http://p.example"), ("host", "p.example")], true),
        ] {
            assert_eq!(is_of_another_site(&headers(pairs), None), other, "{pairs:?}");
        }
        assert!(!is_of_another_site(&headers(&[("origin", "https://p.example")]), Some("p.example")));
    }

    #[test]
    fn an_answers_own_headers_stay() {
        let mut own = headers(&[("cache-control", "no-cache"), ("cross-origin-resource-policy", "cross-origin")]);
        finish(&mut own);
        assert_eq!(
            (&own["cache-control"], &own["cross-origin-resource-policy"]),
            (&HeaderValue::from_static("no-cache"), &HeaderValue::from_static("cross-origin"))
        );
        assert_eq!(own.len(), 9);
        assert_eq!(door_of("/99060126-0000000001"), "file");
    }
}
