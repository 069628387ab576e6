//! The folder that `make page` writes, in memory: read once, compared with its list of sums, packed ahead.
//!
//! ```text
//! page_dir/SHA256SUMS              "<hash>  <name>" a line: what is served, and nothing else
//! page_dir/hosted/index.html       /  /V  /v        a code on paper leads to HTTPS://HOST/V#…; what follows # stays in the browser
//! page_dir/hosted/NAME             /NAME
//! page_dir/NAME                    /NAME            the page as one file: handed out to be kept, and not to be opened here
//! page_dir/…NAME.br                /NAME            the same as brotli, for who takes it; not in the list: it must unpack to what is
//! ```
//! A name with 16 hex digits of a hash in it never changes its content, so browsers keep it for a year; any other is asked for again each
//! time, by its ETag. As gzip a file is packed here. Not here: packing as brotli (`tallystick-page`), which of the forms is sent (`coding`), headers
//! that every answer has (`router`).

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use axum::body::Body;
use brotli_decompressor::Decompressor;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use receipt_core::hash::{Hash, sha256};
use receipt_core::limits::DIRECTORY_BYTES_MAX;
use tallystick_service::input;

use crate::coding::Coding;

/// One file: the page in one file has the directory of units in base64, and modules, which are far below the rest.
const FILE_BYTES_MAX: usize = DIRECTORY_BYTES_MAX / 3 * 4 + 8 * 1024 * 1024;
const FILES_MAX: usize = 64;
const SUMS: &str = "SHA256SUMS";
/// Of the first byte of brotli, what says how large the window is; and what this is, if it is larger than RFC 7932 allows.
const WINDOW_BITS: u8 = 0x7f;
const LARGE_WINDOW: u8 = 0x11;
/// What stands behind a file's name in the name of the same file as brotli.
const BROTLI_ENDING: &str = ".br";
const PAGE: &str = "text/html; charset=utf-8";
const UNPACKED_AT_ONCE_BYTES: usize = 64 * 1024;
/// The name of the directory of units, which is not one of the page's files (`units`).
pub(crate) const UNITS: &str = "units.bin";
const HOSTED: &str = "hosted/";
/// Hex digits of a hash in a name.
const HASH_DIGITS: usize = 16;

/// Why a folder is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// A file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file is not what the list says.
    #[error("{path}: {problem}", path = path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
}

/// Everything that is served, by its path.
#[derive(Debug)]
pub(crate) struct Files(BTreeMap<String, File>);

/// A file as it is handed out.
#[derive(Debug)]
pub(crate) struct File {
    plain: Encoded,
    /// Only if it is shorter, as the next one.
    gzip: Option<Encoded>,
    brotli: Option<Encoded>,
    media_type: &'static str,
    cache: HeaderValue,
    policy: Option<HeaderValue>,
    /// Of what is kept and opened from a disk: under which name.
    attachment: Option<HeaderValue>,
    /// What programs of others read: the list of sums, and the directory of units.
    is_shared: bool,
}

#[derive(Debug)]
struct Encoded {
    bytes: Bytes,
    etag: HeaderValue,
}

impl Files {
    /// Reads the folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, FilesError> {
        let sums = folder.join(SUMS);
        let wrong = |path: &Path, problem| FilesError::Wrong { path: path.to_owned(), problem };
        let list = read(&sums)?;
        let text = std::str::from_utf8(&list).map_err(|_| wrong(&sums, "is not text"))?;
        let mut files = BTreeMap::new();
        for line in text.lines() {
            let (sum, name) = line.split_once("  ").ok_or_else(|| wrong(&sums, "a line is not: hash, name"))?;
            let in_folder = name.strip_prefix(HOSTED).unwrap_or(name);
            if !is_plain_name(in_folder) || in_folder == UNITS || files.len() == FILES_MAX {
                return Err(wrong(&sums, "names a file that a page does not have, or too many"));
            }
            let path = folder.join(name);
            let bytes = read(&path)?;
            if sha256(&[&bytes]).to_string() != sum {
                return Err(wrong(&path, "is not what SHA256SUMS says; run `make page` again"));
            }
            let packed = folder.join(format!("{name}{BROTLI_ENDING}"));
            let brotli = read_brotli(&packed, &bytes)?;
            let mut file = File::new(in_folder, bytes, brotli);
            if file.is_page() && file.policy.is_none() {
                return Err(wrong(&path, "has no Content-Security-Policy"));
            }
            if file.is_page() && in_folder == name {
                // A plain name in quotes: always a header's value.
                file.attachment = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).ok();
            }
            files.insert(format!("/{in_folder}"), file);
        }
        files.insert(format!("/{SUMS}"), File::new(SUMS, list, None));
        if !files.contains_key("/index.html") {
            return Err(wrong(&sums, "names no hosted/index.html"));
        }
        Ok(Self(files))
    }

    /// The answer to a GET of this path; `None`: there is no such file.
    pub(crate) fn answer(&self, path: &str, asked: &HeaderMap) -> Option<Response<Body>> {
        let path = if matches!(path, "/" | "/V" | "/v") { "/index.html" } else { path };
        self.0.get(path).map(|file| file.answer(asked))
    }
}

impl File {
    /// A file of this name, packed ahead. `brotli`: its bytes in that form, if somebody has packed it.
    pub(crate) fn new(name: &str, bytes: Vec<u8>, brotli: Option<Vec<u8>>) -> Self {
        let hash = sha256(&[&bytes]);
        let media_type = media_type(name);
        let packed = |packed: Option<Vec<u8>>, coding| {
            let shorter = packed.filter(|packed| packed.len() < bytes.len());
            shorter.map(|packed| Encoded::new(packed, &hash, coding))
        };
        let (gzip, brotli) = (packed(squeeze(&bytes).ok(), Coding::Gzip), packed(brotli, Coding::Brotli));
        let policy = policy_of(&bytes).filter(|_| media_type == PAGE);
        let cache = match is_named_by_hash(name) {
            true => HeaderValue::from_static("public, max-age=31536000, immutable"),
            false => HeaderValue::from_static("no-cache"),
        };
        let is_shared = matches!(name, SUMS | UNITS);
        let plain = Encoded::new(bytes, &hash, Coding::Plain);
        Self { plain, gzip, brotli, media_type, cache, policy, attachment: None, is_shared }
    }

    fn is_page(&self) -> bool {
        self.media_type == PAGE
    }

    fn in_form(&self, coding: Coding) -> Option<&Encoded> {
        match coding {
            Coding::Brotli => self.brotli.as_ref(),
            Coding::Gzip => self.gzip.as_ref(),
            Coding::Plain => Some(&self.plain),
        }
    }

    /// The answer to a GET. What it asks for a part of (`Range`), it gets whole.
    pub(crate) fn answer(&self, asked: &HeaderMap) -> Response<Body> {
        let coding = Coding::chosen(asked, |coding| self.in_form(coding).is_some());
        let encoded = self.in_form(coding).unwrap_or(&self.plain);
        let is_known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| names(known, &encoded.etag));
        let body = if is_known { Body::empty() } else { Body::from(encoded.bytes.clone()) };
        let mut response = Response::new(body);
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(header::ETAG, encoded.etag.clone());
        headers.insert(header::CACHE_CONTROL, self.cache.clone());
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(name) = coding.name() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        if let Some(policy) = &self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        if let Some(attachment) = &self.attachment {
            headers.insert(header::CONTENT_DISPOSITION, attachment.clone());
        }
        if self.is_shared {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
        }
        response
    }
}

impl Encoded {
    fn new(bytes: Vec<u8>, hash: &Hash, coding: Coding) -> Self {
        let hash = hash.to_string();
        let text = format!("\"{}{}\"", &hash[..2 * HASH_DIGITS], coding.suffix());
        // Hex digits in quotes: always a header's value.
        let etag = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("\"\""));
        Self { bytes: bytes.into(), etag }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FilesError> {
    input::read(path, FILE_BYTES_MAX).map_err(|source| FilesError::Unreadable { path: path.to_owned(), source })
}

/// What lies beside a file as the same in brotli, if anything does.
fn read_brotli(path: &Path, bytes: &[u8]) -> Result<Option<Vec<u8>>, FilesError> {
    let packed = match read(path) {
        Err(FilesError::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    let mut unpacked = Vec::with_capacity(bytes.len());
    let length_max = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(1);
    let read = Decompressor::new(&packed[..], UNPACKED_AT_ONCE_BYTES).take(length_max).read_to_end(&mut unpacked);
    // The decoder takes streams of a larger window, too, which RFC 7932 does not know, and browsers refuse.
    let is_of_browsers = packed.first().is_some_and(|first| first & WINDOW_BITS != LARGE_WINDOW);
    if read.is_err() || unpacked != bytes || !is_of_browsers {
        let problem = "is not the file beside it as brotli; run `make page` again";
        return Err(FilesError::Wrong { path: path.to_owned(), problem });
    }
    Ok(Some(packed))
}

fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain)
}

fn is_named_by_hash(name: &str) -> bool {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let digits = stem.rsplit_once('-').map(|(_, digits)| digits).unwrap_or_default();
    digits.len() == HASH_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => PAGE,
        Some("wasm") => "application/wasm",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("bin") => "application/octet-stream",
        _ => "text/plain; charset=utf-8",
    }
}

/// The policy that a page states itself, and that nobody frames it: that counts in a header alone.
fn policy_of(page: &[u8]) -> Option<HeaderValue> {
    let text = std::str::from_utf8(page).ok()?;
    let (_, rest) = text.split_once("http-equiv=\"Content-Security-Policy\" content=\"")?;
    let (policy, _) = rest.split_once('"')?;
    HeaderValue::from_str(&format!("{policy}; frame-ancestors 'none'")).ok()
}

fn squeeze(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn names(known: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(known), Ok(etag)) = (known.to_str(), etag.to_str()) else { return false };
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PAGE: &str =
        "<html><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; connect-src 'self'\">";
    const MODULE: &str = "hosted/verify-0123456789abcdef.wasm";

    fn folder(files: &[(&str, &str)]) -> scratch::Directory {
        let folder = scratch::Directory::new();
        fs::create_dir(folder.path().join("hosted")).unwrap();
        let mut sums = String::new();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
            sums += &format!("{}  {name}\n", sha256(&[text.as_bytes()]));
        }
        fs::write(folder.path().join(SUMS), sums).unwrap();
        folder
    }

    fn brotli_of(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        brotli::BrotliCompress(&mut &bytes[..], &mut packed, &brotli::enc::BrotliEncoderParams::default()).unwrap();
        packed
    }

    fn asked(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn good() -> (scratch::Directory, Files) {
        let module = "\0asm".repeat(100);
        let folder = folder(&[("hosted/index.html", PAGE), (MODULE, &module), ("one.html", PAGE)]);
        let files = Files::read(folder.path()).unwrap();
        (folder, files)
    }

    #[test]
    fn the_page_is_at_the_root_and_where_codes_lead() {
        let (_folder, files) = good();
        for path in ["/", "/V", "/v", "/index.html"] {
            let answer = files.answer(path, &HeaderMap::new()).unwrap();
            let headers = answer.headers();
            assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
            let policy = "default-src 'none'; connect-src 'self'; frame-ancestors 'none'";
            assert_eq!(headers[header::CONTENT_SECURITY_POLICY], policy);
            assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
            assert!(headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
            assert!(headers.get(header::CONTENT_DISPOSITION).is_none());
        }
        let one_file = files.answer("/one.html", &HeaderMap::new()).unwrap();
        assert_eq!(one_file.headers()[header::CONTENT_DISPOSITION], "attachment; filename=\"one.html\"");
        let sums = files.answer("/SHA256SUMS", &HeaderMap::new()).unwrap();
        assert_eq!(sums.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        for path in ["/hosted/index.html", "/V/", "/../SHA256SUMS", "//", "", "/verify.wasm"] {
            assert!(files.answer(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let (_folder, files) = good();
        let path = "/verify-0123456789abcdef.wasm";
        let plain = files.answer(path, &HeaderMap::new()).unwrap();
        assert_eq!(plain.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(plain.headers()[header::CONTENT_TYPE], "application/wasm");
        assert!(plain.headers().get(header::CONTENT_ENCODING).is_none());
        let gzip = files.answer(path, &asked(&[(header::ACCEPT_ENCODING, "br, gzip;q=0.5")])).unwrap();
        assert_eq!(gzip.headers()[header::CONTENT_ENCODING], "gzip");
        let etag = gzip.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_ne!(etag, plain.headers()[header::ETAG].to_str().unwrap());
        let again = |known: &str, encoding: &str| {
            let asked = asked(&[(header::IF_NONE_MATCH, known), (header::ACCEPT_ENCODING, encoding)]);
            files.answer(path, &asked).unwrap().status().as_u16()
        };
        assert_eq!(again(&etag, "gzip"), 304);
        assert_eq!(again(&format!("\"x\", W/{etag}"), "gzip"), 304);
        assert_eq!(again(&etag, "gzip;q=0"), 200, "it is of the other encoding");
        assert_eq!(again("\"x\"", "gzip"), 200);
    }

    #[test]
    fn a_folder_that_is_not_its_list_is_refused() {
        let problem = |folder: &Path| Files::read(folder).unwrap_err().to_string();
        let (folder_of_page, _) = good();
        fs::write(folder_of_page.path().join(MODULE), "other").unwrap();
        assert!(problem(folder_of_page.path()).contains("is not what SHA256SUMS says"));
        fs::remove_file(folder_of_page.path().join(MODULE)).unwrap();
        assert!(problem(folder_of_page.path()).contains("No such file"));
        assert!(problem(folder(&[("one.html", PAGE)]).path()).contains("names no hosted/index.html"));
        assert!(problem(folder(&[("hosted/index.html", "<html>")]).path()).contains("Content-Security-Policy"));
        let packed = folder(&[("hosted/index.html", PAGE)]);
        let large = brotli::enc::BrotliEncoderParams {
            large_window: true,
            lgwin: 28,
            size_hint: 1 << 28,
            ..Default::default()
        };
        let mut of_no_browser = Vec::new();
        brotli::BrotliCompress(&mut PAGE.as_bytes(), &mut of_no_browser, &large).unwrap();
        let cut = brotli_of(PAGE.as_bytes());
        for other in [&brotli_of(b"another page")[..], &cut[..20], b"junk", b"", &of_no_browser] {
            fs::write(packed.path().join("hosted/index.html.br"), other).unwrap();
            let problem = problem(packed.path());
            assert!(problem.contains("index.html.br: is not the file beside it"), "{problem}");
        }
        fs::write(packed.path().join("hosted/index.html.br"), brotli_of(PAGE.as_bytes())).unwrap();
        assert!(Files::read(packed.path()).is_ok());
        let outside = folder(&[("hosted/index.html", PAGE)]);
        let hash = sha256(&[b"x"]);
        for name in ["../x", "hosted/../x", "/etc/passwd", "hosted/.x", "hosted/units.bin", ""] {
            fs::write(outside.path().join(SUMS), format!("{hash}  {name}\n")).unwrap();
            assert!(problem(outside.path()).contains("does not have"), "{name}");
        }
    }
}
