//! What a file seems to be, before anything of it is judged: a bundle, a presentation, one of another format, or something else.
//!
//! A file that has `tallystick/bundle/` nowhere in its first 256 bytes is no bundle, damaged or not. One that begins exactly as a
//! bundle does, with another version, is of a later format, or a presentation. Everything else is read strictly as a bundle. A report of a
//! receipt left out is none, whatever its unit has signed into the record.

use super::BUNDLE_FORMAT;
use super::left_out::LEFT_OUT_START;
use super::presentation::PRESENTATION_FORMAT;

const HEAD_BYTES: usize = 256;
const FAMILY: &[u8] = b"tallystick/bundle/";
const START: &[u8] = b"{\"format\":\"";

/// What a file seems to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A bundle, good or not.
    Bundle,
    /// What a holder shows of one, good or not.
    Presentation,
    /// A bundle of a format that this program does not know.
    OtherBundle {
        /// Its name of the format.
        format: String,
    },
    /// No bundle at all.
    Other(FileSort),
}

/// What a file is instead of a bundle, as far as its first bytes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSort {
    /// No bytes.
    Empty,
    /// A trust file.
    Trust,
    /// The evidence of a fork.
    ForkEvidence,
    /// A bare proof of the log.
    LogProof,
    /// The report of a receipt that was left out.
    LeftOut,
    /// A PDF.
    Pdf,
    /// A ZIP archive, or OFD.
    Zip,
    /// A picture.
    Picture,
    /// UTF-16 text.
    Utf16,
    /// Compressed data.
    Compressed,
    /// Something else.
    Unknown,
}

impl FileSort {
    /// All sorts.
    pub const ALL: [Self; 11] = [
        Self::Empty,
        Self::Trust,
        Self::ForkEvidence,
        Self::LogProof,
        Self::LeftOut,
        Self::Pdf,
        Self::Zip,
        Self::Picture,
        Self::Utf16,
        Self::Compressed,
        Self::Unknown,
    ];

    /// The stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::Trust => "TRUST_FILE",
            Self::ForkEvidence => "FORK_EVIDENCE",
            Self::LogProof => "LOG_PROOF",
            Self::LeftOut => "LEFT_OUT",
            Self::Pdf => "PDF",
            Self::Zip => "ZIP",
            Self::Picture => "PICTURE",
            Self::Utf16 => "UTF_16",
            Self::Compressed => "COMPRESSED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Looks at the first bytes.
pub fn kind_of(bytes: &[u8]) -> FileKind {
    let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    if head.starts_with(LEFT_OUT_START) {
        return FileKind::Other(FileSort::LeftOut);
    }
    if !head.windows(FAMILY.len()).any(|window| window == FAMILY) {
        return FileKind::Other(sort_of(head));
    }
    let name = head.strip_prefix(START).and_then(|rest| rest.split(|byte| *byte == b'"').next());
    match name.and_then(|name| std::str::from_utf8(name).ok()) {
        Some(PRESENTATION_FORMAT) if head.len() > START.len() + PRESENTATION_FORMAT.len() => FileKind::Presentation,
        Some(format)
            if format != BUNDLE_FORMAT
                && format.as_bytes().starts_with(FAMILY)
                && head.len() > START.len() + format.len() =>
        {
            FileKind::OtherBundle { format: format.to_owned() }
        }
        _ => FileKind::Bundle,
    }
}

fn sort_of(head: &[u8]) -> FileSort {
    const KNOWN: &[(&[u8], FileSort)] = &[
        (b"tallystick/trust/", FileSort::Trust),
        (b"tallystick/fork/", FileSort::ForkEvidence),
        (b"c2sp.org/tlog-proof", FileSort::LogProof),
        (b"%PDF-", FileSort::Pdf),
        (b"PK\x03\x04", FileSort::Zip),
        (b"\xff\xd8\xff", FileSort::Picture),
        (b"\x89PNG", FileSort::Picture),
        (b"\xff\xfe", FileSort::Utf16),
        (b"\xfe\xff", FileSort::Utf16),
        (b"\x1f\x8b", FileSort::Compressed),
    ];
    if head.is_empty() {
        return FileSort::Empty;
    }
    let known = KNOWN.iter().find(|(start, _)| head.starts_with(start));
    known.map_or(FileSort::Unknown, |(_, sort)| *sort)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_bundle_or_of_another_format_or_something_else() {
        let other = |bytes: &[u8]| matches!(kind_of(bytes), FileKind::Other(_));
        for bytes in
            [&b""[..], b"{}", b"%PDF-1.7", b"tallystick/trust/v1\n", &[0; 300], b"{\"format\":\"tallystick/bund"]
        {
            assert!(other(bytes), "{bytes:?}");
        }
        let late = [&[b' '; 250][..], b"tallystick/bundle/v1"].concat();
        assert!(other(&late));
        let later = FileKind::OtherBundle { format: "tallystick/bundle/v2".to_owned() };
        assert_eq!(kind_of(b"{\"format\":\"tallystick/bundle/presentation/v1\","), FileKind::Presentation);
        let later_presentation = kind_of(b"{\"format\":\"tallystick/bundle/presentation/v2\",");
        assert!(matches!(later_presentation, FileKind::OtherBundle { .. }), "{later_presentation:?}");
        assert_eq!(kind_of(b"{\"format\":\"tallystick/bundle/v2\",\"x\":1}"), later);
        for bytes in [
            &b"{\"format\":\"tallystick/bundle/v1\","[..],
            b"{\"format\":\"tallystick/bundle/v",
            b"{\"format\":\"tallystick/bundle/presentation/v1",
            b"\xef\xbb\xbf{\"format\":\"tallystick/bundle/v1\",",
            b"{ \"format\":\"tallystick/bundle/v2\",",
        ] {
            assert_eq!(kind_of(bytes), FileKind::Bundle, "{bytes:?}");
        }
        // A unit may sign what looks like the name of a bundle: what reports it stays a report.
        let report = b"{\"format\":\"tallystick/left-out/v1\",\"record\":\"tallystick/bundle/v1\"";
        assert_eq!(kind_of(report), FileKind::Other(FileSort::LeftOut));
        assert_eq!(kind_of(b"PK\x03\x04"), FileKind::Other(FileSort::Zip));
    }
}
