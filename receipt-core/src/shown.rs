//! Foreign text as it is shown to a person: nothing of it may move the cursor, start a line, turn the direction of writing, or be
//! invisible. A remark with ESC could repaint a verdict, a file name with a newline could forge one.
//!
//! ```text
//! line(text)   one line: every such character is written as \n, \t or \u{1b}
//! page(text)   the same, but line ends stay: for text that was put together from lines
//! json(text)   JSON text: the same characters as \u001b; what a JSON reader gets stays as it was
//! ```
//! Escaped are C0, DEL and C1 controls, line and paragraph separators, bidirectional controls, characters that are ignorable by
//! default, interlinear annotations and noncharacters. Variation selectors stay: rare names are written with them.
//!
//! Not here: which characters a receipt may have (rule V27), and writing (`tallystick_service::terminal`).

use std::borrow::Cow;
use std::fmt::Write as _;

/// One line for a person: nothing in it acts on a terminal.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, false)
}

/// Several lines for a person. Use [`line`] for each foreign part first: a newline of its own would start a line of yours.
pub fn page(text: &str) -> Cow<'_, str> {
    escaped(text, true)
}

fn escaped(text: &str, keeps_line_ends: bool) -> Cow<'_, str> {
    let acts = |c: char| acts_on_a_reader(c) && !(keeps_line_ends && c == '\n');
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' if keeps_line_ends => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if acts(c) => shown.extend(c.escape_unicode()),
            _ => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// JSON text with every such character inside its strings as `\uXXXX`. Line ends and tabs between values stay.
pub fn json(text: &str) -> Cow<'_, str> {
    // Outside of strings JSON has none of them but white space; inside, a serialiser has escaped those already.
    let acts = |c: char| acts_on_a_reader(c) && !matches!(c, '\n' | '\r' | '\t');
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if !acts(c) {
            shown.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    Cow::Owned(shown)
}

/// Whether a character does something to a terminal or a reader instead of being seen.
fn acts_on_a_reader(c: char) -> bool {
    c.is_control() || is_invisible(c) || u32::from(c) & 0xfffe == 0xfffe
}

/// Bidi_Control, Default_Ignorable_Code_Point, line and paragraph separators, annotations, noncharacters of the BMP. Variation
/// selectors (FE00–FE0F, E0100–E01EF) are left out.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e00ff}'
            | '\u{e01f0}'..='\u{e0fff}'
    )
}

/// What a program between the one who made a file and this one did to it, if that is why it does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A byte order mark at its beginning.
    ByteOrderMark,
    /// UTF-16 instead of UTF-8.
    Utf16,
    /// CR LF instead of LF.
    LineEnds,
    /// A line end behind what has none.
    NewlineAdded,
}

impl Damage {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::ByteOrderMark, Self::Utf16, Self::LineEnds, Self::NewlineAdded];

    /// The stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ByteOrderMark => "BYTE_ORDER_MARK",
            Self::Utf16 => "UTF_16",
            Self::LineEnds => "LINE_ENDS",
            Self::NewlineAdded => "NEWLINE_ADDED",
        }
    }

    /// A sentence to put behind the refusal.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::ByteOrderMark => {
                "it begins with a byte order mark: a program has saved it anew as text; take the file as it was handed out"
            }
            Self::Utf16 => "it is UTF-16: a program has saved it anew as text; take the file as it was handed out",
            Self::LineEnds => {
                "its lines end in CR LF: it went through a transfer that changes line ends; take the file as it was handed out"
            }
            Self::NewlineAdded => {
                "a line end stands behind it: it went through a transfer that adds one; take the file as it was handed out"
            }
        }
    }

    /// Of a file that may have line ends of its own, at its end, too.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
            Some(Self::ByteOrderMark)
        } else if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            Some(Self::Utf16)
        } else if bytes.windows(2).any(|pair| pair == b"\r\n") {
            Some(Self::LineEnds)
        } else {
            None
        }
    }

    /// Of a file that ends without a line end.
    pub fn of_one_line(bytes: &[u8]) -> Option<Self> {
        Self::of(bytes).or_else(|| bytes.ends_with(b"\n").then_some(Self::NewlineAdded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_written_out() {
        for (text, expected) in [
            ("示例市第一人民医院 café 1.00", "示例市第一人民医院 café 1.00"),
            ("\u{1b}[2J\u{1b}[H有效 IN FORCE", "\\u{1b}[2J\\u{1b}[H有效 IN FORCE"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\u{7f}b\u{8}c\u{7}", "a\\u{7f}b\\u{8}c\\u{7}"),
            ("x.tally\n有效 IN FORCE  y.tally", "x.tally\\n有效 IN FORCE  y.tally"),
            ("a\rb\tc", "a\\rb\\tc"),
            ("a\u{202e}b\u{2066}c\u{61c}d", "a\\u{202e}b\\u{2066}c\\u{61c}d"),
            ("a\u{2028}b\u{2029}c\u{85}d", "a\\u{2028}b\\u{2029}c\\u{85}d"),
            ("a\u{200b}b\u{feff}c\u{e0041}", "a\\u{200b}b\\u{feff}c\\u{e0041}"),
            ("\u{fffe}\u{10ffff}", "\\u{fffe}\\u{10ffff}"),
            ("葛\u{e0100}飾", "葛\u{e0100}飾"),
        ] {
            assert_eq!(line(text), expected);
        }
        assert_eq!(page("a\n\u{1b}b\r\n"), "a\n\\u{1b}b\\r\n");
    }

    #[test]
    fn json_stays_what_it_says() {
        let value = serde_json::json!({ "remark": "a\u{9b}2J\u{202e}b\u{e0041}\u{1b}\n医" });
        let plain = value.to_string();
        let safe = json(&plain);
        assert!(!safe.contains(acts_on_a_reader), "{safe}");
        assert!(safe.contains("\\u009b2J\\u202eb\\udb40\\udc41\\u001b\\n医"), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }

    #[test]
    fn no_control_or_bidi_character_is_left() {
        let all: String = ('\0'..=char::MAX).collect();
        assert!(!line(&all).contains(acts_on_a_reader));
        for bidi in
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars()
        {
            assert!(acts_on_a_reader(bidi), "{bidi:?}");
        }
    }

    #[test]
    fn damage_on_the_way_has_a_sentence() {
        let said = |bytes: &[u8]| Damage::of(bytes).map(Damage::sentence);
        assert!(said(b"\xef\xbb\xbfx").unwrap().contains("byte order mark"));
        assert!(said(b"\xff\xfex\0").unwrap().contains("UTF-16"));
        assert!(said(b"a\r\nb\r\n").unwrap().contains("CR LF"));
        assert_eq!(said(b"a\nb\n"), None);
        assert_eq!(Damage::of_one_line(b"a\n"), Some(Damage::NewlineAdded));
        assert_eq!(Damage::of_one_line(b"a\r\n"), Some(Damage::LineEnds));
        assert_eq!(Damage::of_one_line(b"a"), None);
    }
}
