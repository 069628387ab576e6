//! What a file is, which of its attachments is the bundle, and why there is none.

use std::fmt;

/// Where `%PDF-` may stand at the latest: some programs write something before it.
const PDF_HEADER_WITHIN: usize = 1024;
/// How a bundle's file name ends.
const BUNDLE_ENDING: &str = ".tally";
/// A bundle's media type.
const BUNDLE_MEDIA_TYPE: &str = "application/vnd.tallystick.bundle+json";

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A PDF, whose header stands so many bytes from its beginning.
    Pdf {
        /// Bytes before `%PDF-`.
        start: usize,
    },
    /// A ZIP archive, as an OFD is one.
    Ofd,
    /// Something else.
    Other,
}

impl Kind {
    pub(crate) fn of(file: &[u8]) -> Self {
        let head = file.get(..PDF_HEADER_WITHIN).unwrap_or(file);
        if file.starts_with(b"PK\x03\x04") {
            return Self::Ofd;
        }
        head.windows(5).position(|window| window == b"%PDF-").map_or(Self::Other, |start| Self::Pdf { start })
    }

    /// As the page knows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pdf { .. } => "pdf",
            Self::Ofd => "ofd",
            Self::Other => "other",
        }
    }
}

/// Why there is no bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nothing is attached: merged, printed to a file, or saved by a program that drops attachments.
    Gone,
    /// Files are attached, and none of them is a bundle.
    NoBundle,
    /// More than one bundle: which one is meant, only whoever holds the file can say.
    Several,
    /// Encrypted.
    Encrypted,
    /// It does not read, or uses a way to compress that is not known here.
    Damaged,
    /// More bytes than are looked into, before or after decompression.
    TooLarge,
    /// Neither PDF nor OFD.
    Other,
}

impl Why {
    /// The stable name of the reason.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Gone => "GONE",
            Self::NoBundle => "NO_BUNDLE",
            Self::Several => "SEVERAL",
            Self::Encrypted => "ENCRYPTED",
            Self::Damaged => "DAMAGED",
            Self::TooLarge => "TOO_LARGE",
            Self::Other => "OTHER",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Something that is attached: a bundle by name or type, with its bytes, or anything else, whose bytes nobody asks for.
#[derive(Debug)]
pub(crate) enum Attachment {
    Bundle(Vec<u8>),
    Other,
}

/// Whether a name or a media type is that of a bundle.
pub(crate) fn is_bundle(name: &str, media_type: &str) -> bool {
    let ending = name.len().checked_sub(BUNDLE_ENDING.len()).and_then(|at| name.get(at..));
    media_type == BUNDLE_MEDIA_TYPE || ending.is_some_and(|ending| ending.eq_ignore_ascii_case(BUNDLE_ENDING))
}

/// The one bundle of all that is attached. The same bytes twice are one.
pub(crate) fn the_one(attachments: Vec<Attachment>) -> Result<Vec<u8>, Why> {
    let any = !attachments.is_empty();
    let mut bundles = attachments.into_iter().filter_map(|attachment| match attachment {
        Attachment::Bundle(bytes) => Some(bytes),
        Attachment::Other => None,
    });
    match bundles.next() {
        Some(first) if bundles.all(|other| other == first) => Ok(first),
        Some(_) => Err(Why::Several),
        None if any => Err(Why::NoBundle),
        None => Err(Why::Gone),
    }
}
