//! What a file seems to be, before anything of it is judged: a bundle, one of another format, or something else.
//!
//! A file that has `tallystick/bundle/` nowhere in its first 256 bytes is no bundle, damaged or not. One that begins exactly as a
//! bundle does, with another version, is of a later format. Everything else is read strictly as a bundle.

use super::BUNDLE_FORMAT;

const HEAD_BYTES: usize = 256;
const FAMILY: &[u8] = b"tallystick/bundle/";
const START: &[u8] = b"{\"format\":\"";

/// What a file seems to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A bundle, good or not.
    Bundle,
    /// A bundle of a format that this program does not know.
    OtherBundle {
        /// Its name of the format.
        format: String,
    },
    /// No bundle at all.
    Other {
        /// What it is, as far as that can be seen.
        seems: &'static str,
    },
}

/// Looks at the first bytes.
pub fn kind_of(bytes: &[u8]) -> FileKind {
    let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    if !head.windows(FAMILY.len()).any(|window| window == FAMILY) {
        return FileKind::Other { seems: seems(head) };
    }
    let name = head.strip_prefix(START).and_then(|rest| rest.split(|byte| *byte == b'"').next());
    match name.and_then(|name| std::str::from_utf8(name).ok()) {
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

fn seems(head: &[u8]) -> &'static str {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"tallystick/trust/", "it is a trust file"),
        (b"tallystick/fork/", "it is the evidence of a fork: use `compare`"),
        (b"c2sp.org/tlog-proof", "it is a bare proof of the log"),
        (b"%PDF-", "it is a PDF"),
        (b"PK\x03\x04", "it is a ZIP archive (or OFD): take the bundle out of it"),
        (b"\xff\xd8\xff", "it is a picture"),
        (b"\x89PNG", "it is a picture"),
        (b"\xff\xfe", "it is UTF-16 text: a program has saved it anew; take the file as it was handed out"),
        (b"\xfe\xff", "it is UTF-16 text: a program has saved it anew; take the file as it was handed out"),
        (b"\x1f\x8b", "it is compressed: unpack it first"),
    ];
    if head.is_empty() {
        return "it is empty";
    }
    let known = KNOWN.iter().find(|(start, _)| head.starts_with(start));
    known.map_or("it does not begin as a bundle (.tally) does", |(_, seems)| *seems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_bundle_or_of_another_format_or_something_else() {
        let other = |bytes: &[u8]| matches!(kind_of(bytes), FileKind::Other { .. });
        for bytes in
            [&b""[..], b"{}", b"%PDF-1.7", b"tallystick/trust/v1\n", &[0; 300], b"{\"format\":\"tallystick/bund"]
        {
            assert!(other(bytes), "{bytes:?}");
        }
        let late = [&[b' '; 250][..], b"tallystick/bundle/v1"].concat();
        assert!(other(&late));
        let later = FileKind::OtherBundle { format: "tallystick/bundle/v2".to_owned() };
        assert_eq!(kind_of(b"{\"format\":\"tallystick/bundle/v2\",\"x\":1}"), later);
        for bytes in [
            &b"{\"format\":\"tallystick/bundle/v1\","[..],
            b"{\"format\":\"tallystick/bundle/v",
            b"\xef\xbb\xbf{\"format\":\"tallystick/bundle/v1\",",
            b"{ \"format\":\"tallystick/bundle/v2\",",
        ] {
            assert_eq!(kind_of(bytes), FileKind::Bundle, "{bytes:?}");
        }
        assert_eq!(
            kind_of(b"PK\x03\x04"),
            FileKind::Other { seems: "it is a ZIP archive (or OFD): take the bundle out of it" }
        );
    }
}
