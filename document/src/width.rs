//! How wide text is, and where it may break: in cells of half a full-width character, whatever font draws it.
//!
//! A face is laid out before a font is known, and must be the same under any: so a character has one cell (ASCII, alphabetic scripts) or
//! two (Chinese, everything full-width), as on the terminals and printers of the field, and whoever draws it puts the glyph into the middle
//! of its cells. Fonts for receipts are of half and full width anyway.

use unicode_width::UnicodeWidthChar as _;

/// No line begins with one of these.
const CLOSING: &str = "，。、；：？！）》」』】〕〉”’％…·,.;:?!)]}%";
/// No line ends with one of these.
const OPENING: &str = "（《「『【〔〈“‘([{￥¥";

/// A character with what combines with it, and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cluster<'a> {
    /// First byte in the text.
    pub start: usize,
    /// The characters.
    pub text: &'a str,
    /// Cells before it.
    pub cell: i32,
    /// Its own cells: 1 or 2.
    pub cells: i32,
}

/// Cells of a character; 0: it combines with the one before.
pub fn cells_of(c: char) -> i32 {
    match (c.width_cjk(), c.width()) {
        (None | Some(0), _) => 0,
        (Some(1), _) => 1,
        // Latin, Greek and Cyrillic letters, which legacy Chinese encodings have full-width, belong to words.
        (Some(_), Some(1)) if c.is_alphabetic() && c < '\u{2000}' => 1,
        (Some(_), _) => 2,
    }
}

/// Cells of a text.
pub fn cells(text: &str) -> i32 {
    clusters(text).map(|cluster| cluster.cells).sum()
}

/// The clusters of a text. A combining character without one before it stands by itself.
pub fn clusters(text: &str) -> impl Iterator<Item = Cluster<'_>> {
    let mut rest = text.char_indices().peekable();
    let mut cell = 0;
    std::iter::from_fn(move || {
        let (start, first) = rest.next()?;
        let mut end = start + first.len_utf8();
        while let Some((at, next)) = rest.next_if(|(_, next)| cells_of(*next) == 0) {
            end = at + next.len_utf8();
        }
        let cluster = Cluster { start, text: &text[start..end], cell, cells: cells_of(first).max(1) };
        cell += cluster.cells;
        Some(cluster)
    })
}

/// Breaks a text into lines of at most so many cells: at spaces and between Chinese characters, but not before a closing sign, not after an
/// opening one and not inside a word or number, unless a line has no other place. Nothing is lost but spaces at a break. The empty text
/// has no line.
pub fn wrap(text: &str, cells_max: i32) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = line_end(rest, cells_max.max(2));
        let (line, after) = rest.split_at(end);
        lines.push(line.trim_end());
        rest = after.trim_start();
    }
    lines
}

/// Where the first line of a text ends: a byte index above 0.
fn line_end(text: &str, cells_max: i32) -> usize {
    let mut before: Option<&str> = None;
    let mut last_break = 0;
    for cluster in clusters(text) {
        if before.is_some_and(|before| may_break(before, cluster.text)) {
            last_break = cluster.start;
        }
        // A space at the end of a line is not drawn.
        if cluster.cell + cluster.cells > cells_max && cluster.start > 0 && cluster.text != " " {
            return if last_break > 0 { last_break } else { cluster.start };
        }
        before = Some(cluster.text);
    }
    text.len()
}

fn may_break(before: &str, after: &str) -> bool {
    let first = |text: &str| text.chars().next().unwrap_or(' ');
    let (before, after) = (first(before), first(after));
    if after == ' ' || CLOSING.contains(after) || OPENING.contains(before) {
        return false;
    }
    before == ' ' || cells_of(before) == 2 || cells_of(after) == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_have_one_cell_or_two() {
        for (text, expected) in [
            ("", 0),
            ("A0.-*", 5),
            ("林某某", 6),
            ("𠮷野", 4),
            ("郎\u{fa2d}", 4),
            ("José Müller", 11),
            ("Nguyễn", 6),
            ("Иванов", 6),
            ("α", 1),
            ("①Ⅱ°×·“”", 14),
            // Here are a combining accent and a variation selector.
            ("e\u{301}", 1),
            ("葛\u{e0100}城", 4),
            ("\u{323b0}", 2),
        ] {
            assert_eq!(cells(text), expected, "{text}");
        }
        assert_eq!(clusters("葛\u{e0100}城").map(|cluster| cluster.text).collect::<Vec<_>>(), ["葛\u{e0100}", "城"]);
    }

    #[test]
    fn lines_break_where_a_reader_expects() {
        for (text, cells_max, expected) in [
            ("", 10, vec![]),
            ("短", 10, vec!["短"]),
            ("一二三四五六七", 6, vec!["一二三", "四五六", "七"]),
            // No line begins with a full stop or ends with a bracket.
            ("一二三。四", 6, vec!["一二", "三。四"]),
            ("一二（三四）", 6, vec!["一二", "（三", "四）"]),
            // A number stays whole where it can.
            ("缴款码 9903002600", 12, vec!["缴款码", "9903002600"]),
            ("项目9903002600", 12, vec!["项目", "9903002600"]),
            ("99030026000000012345", 8, vec!["99030026", "00000001", "2345"]),
            ("one two three", 7, vec!["one two", "three"]),
        ] {
            assert_eq!(wrap(text, cells_max), expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_lost_and_no_line_is_too_wide() {
        let text = "示例省人民法院（2026）示01民初123号 parking, αβγ。。。。。。。。。。。。结束 𠮷葛\u{e0100}";
        for cells_max in 2..40 {
            let lines = wrap(text, cells_max);
            assert!(lines.iter().all(|line| cells(line) <= cells_max), "{cells_max}: {lines:?}");
            let joined = lines.concat().replace(' ', "");
            assert_eq!(joined, text.replace(' ', ""), "{cells_max}");
        }
    }
}
