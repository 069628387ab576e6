//! What carries a receipt besides its own file: a PDF or an OFD with the bundle attached, and a picture with its code. As WebAssembly, beside
//! the verifier; a page fetches it only when it is given such a thing.
//!
//! ```text
//! attached(file)                 {"kind":"pdf","why":null}\n ‖ the bundle, or {"kind":"pdf","why":REASON}
//! codes(grey, width, height)     ["HTTPS://…#0123…", …]: the texts of the QR codes in a picture, one byte a pixel
//! ```
//! Nothing is judged here: what is found goes to the verifier, which takes it for what anybody may have written. A drawing in a file is not
//! looked at. Files come from strangers: every loop, depth and inflated byte is bounded (`Budget`), and what does not read gives a reason.
//!
//! Not here: opening pictures (browsers do), calling this (`host`), what a page says about it.

mod archive;
mod budget;
pub mod host;
mod inflate;
mod markup;
mod ofd;
mod outcome;
mod pdf;
mod scan;

pub use outcome::{Kind, Why};

/// The largest file that is looked into: a receipt's PDF of 800 lines has less than 1 MB.
pub const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The bundle that a file carries, or why there is none.
pub fn find(file: &[u8]) -> (Kind, Result<Vec<u8>, Why>) {
    let kind = Kind::of(file);
    let found = match kind {
        _ if file.len() > FILE_BYTES_MAX => Err(Why::TooLarge),
        Kind::Pdf { start } => pdf::attachments(file, start),
        Kind::Ofd => ofd::attachments(file),
        Kind::Other => Err(Why::Other),
    };
    (kind, found.and_then(outcome::the_one))
}

/// The same as bytes: a line of JSON, and the bundle, if there is one.
pub fn attached(file: &[u8]) -> Vec<u8> {
    let (kind, found) = find(file);
    let why = match &found {
        Ok(_) => "null".to_owned(),
        Err(why) => format!("\"{}\"", why.code()),
    };
    let mut answer = format!("{{\"kind\":\"{}\",\"why\":{why}}}\n", kind.name()).into_bytes();
    answer.extend(found.unwrap_or_default());
    answer
}

/// The texts of the QR codes in a picture, as a JSON array; `None` if the numbers do not fit the pixels.
pub fn codes(grey: &[u8], width: usize, height: usize) -> Option<Vec<u8>> {
    serde_json::to_vec(&scan::codes(grey, width, height)?).ok()
}
