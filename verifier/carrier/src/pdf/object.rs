//! Values of a PDF as they stand in its bytes (ISO 32000-1 §7.2, §7.3).

use crate::budget::Budget;
use crate::outcome::Why;

/// Values inside of values.
const DEPTH_MAX: usize = 64;

/// A value. Real numbers are nothing that is asked for, and stand as `Other`, as does any word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Object {
    Null,
    Number(i64),
    Name(Vec<u8>),
    Text(Vec<u8>),
    Array(Vec<Object>),
    Dictionary(Dictionary),
    Reference(u32),
    Other,
}

/// Names and values. Of a name that stands twice, the last counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dictionary(Vec<(Vec<u8>, Object)>);

impl Dictionary {
    /// The value of a name; `Null` if it has none.
    pub(super) fn get(&self, name: &str) -> &Object {
        let found = self.0.iter().rev().find(|(key, _)| key == name.as_bytes());
        found.map_or(&Object::Null, |(_, value)| value)
    }
}

impl Object {
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn size(&self) -> Option<usize> {
        self.number().and_then(|number| usize::try_from(number).ok())
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self, Self::Name(own) if own == name.as_bytes())
    }

    pub(super) fn dictionary(&self) -> Option<&Dictionary> {
        match self {
            Self::Dictionary(dictionary) => Some(dictionary),
            _ => None,
        }
    }

    pub(super) fn array(&self) -> &[Object] {
        match self {
            Self::Array(values) => values,
            _ => &[],
        }
    }
}

/// Reads values from bytes, one after the other.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Past spaces and comments.
    pub(super) fn skip(&mut self) {
        while let Some(byte) = self.peek() {
            if byte == b'%' {
                while self.peek().is_some_and(|byte| byte != b'\n' && byte != b'\r') {
                    self.at += 1;
                }
            } else if is_space(byte) {
                self.at += 1;
            } else {
                break;
            }
        }
    }

    /// Whether these bytes come next; past them, if so.
    pub(super) fn takes(&mut self, word: &[u8]) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if found {
            self.at += word.len();
        }
        found
    }

    /// What comes next up to a space or a delimiter; empty at a delimiter or the end.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.skip();
        let start = self.at;
        while self.peek().is_some_and(|byte| !is_space(byte) && !is_delimiter(byte)) {
            self.at += 1;
        }
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// A whole number that is not negative.
    pub(super) fn count(&mut self) -> Option<u64> {
        digits(self.word())
    }

    /// `N G obj`: the number of the object that begins here.
    pub(super) fn heading(&mut self) -> Option<u32> {
        let number = self.count().and_then(|number| u32::try_from(number).ok())?;
        self.count()?;
        (self.word() == b"obj").then_some(number)
    }

    pub(super) fn object(&mut self, budget: &mut Budget) -> Result<Object, Why> {
        self.nested(budget, DEPTH_MAX)
    }

    fn nested(&mut self, budget: &mut Budget, depth: usize) -> Result<Object, Why> {
        budget.value()?;
        let depth = depth.checked_sub(1).ok_or(Why::Damaged)?;
        self.skip();
        match self.peek().ok_or(Why::Damaged)? {
            b'/' => Ok(Object::Name(self.name())),
            b'(' => self.text(),
            b'[' => {
                self.at += 1;
                let mut values = Vec::new();
                loop {
                    self.skip();
                    if self.takes(b"]") {
                        return Ok(Object::Array(values));
                    }
                    values.push(self.nested(budget, depth)?);
                }
            }
            b'<' if self.takes(b"<<") => {
                let mut dictionary = Dictionary::default();
                loop {
                    self.skip();
                    if self.takes(b">>") {
                        return Ok(Object::Dictionary(dictionary));
                    }
                    if self.peek() != Some(b'/') {
                        return Err(Why::Damaged);
                    }
                    let name = self.name();
                    dictionary.0.push((name, self.nested(budget, depth)?));
                }
            }
            b'<' => self.hexadecimal(),
            byte if is_delimiter(byte) => Err(Why::Damaged),
            _ => Ok(self.atom()),
        }
    }

    /// A number, a reference, or a word.
    fn atom(&mut self) -> Object {
        let word = self.word();
        if word == b"null" {
            return Object::Null;
        }
        let (negative, figures) = match word {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, word),
        };
        let Some(number) = digits(figures).and_then(|number| i64::try_from(number).ok()) else { return Object::Other };
        if negative {
            return Object::Number(-number);
        }
        let behind = self.at;
        if let (Ok(object), Some(_)) = (u32::try_from(number), self.count())
            && self.word() == b"R"
        {
            return Object::Reference(object);
        }
        self.at = behind;
        Object::Number(number)
    }

    fn name(&mut self) -> Vec<u8> {
        self.at += 1;
        let start = self.at;
        while self.peek().is_some_and(|byte| !is_space(byte) && !is_delimiter(byte)) {
            self.at += 1;
        }
        let mut name = Vec::new();
        let mut rest = self.bytes.get(start..self.at).unwrap_or_default();
        while let Some((first, behind)) = rest.split_first() {
            let escaped = match behind {
                [high, low, ..] if *first == b'#' => nibble(*high).zip(nibble(*low)),
                _ => None,
            };
            match escaped {
                Some((high, low)) => {
                    name.push(high * 16 + low);
                    rest = behind.get(2..).unwrap_or_default();
                }
                None => {
                    name.push(*first);
                    rest = behind;
                }
            }
        }
        name
    }

    /// A text in parentheses. They may stand in it in pairs; `\` escapes.
    fn text(&mut self) -> Result<Object, Why> {
        self.at += 1;
        let (mut text, mut open) = (Vec::new(), 1_usize);
        loop {
            let byte = self.next()?;
            match byte {
                b'(' => open += 1,
                b')' => open -= 1,
                b'\\' => {
                    if let Some(byte) = self.escaped()? {
                        text.push(byte);
                    }
                    continue;
                }
                _ => {}
            }
            if open == 0 {
                return Ok(Object::Text(text));
            }
            text.push(byte);
        }
    }

    fn escaped(&mut self) -> Result<Option<u8>, Why> {
        Ok(match self.next()? {
            b'n' => Some(b'\n'),
            b'r' => Some(b'\r'),
            b't' => Some(b'\t'),
            b'b' => Some(8),
            b'f' => Some(0x0C),
            b'\r' => {
                self.takes(b"\n");
                None
            }
            b'\n' => None,
            first @ b'0'..=b'7' => {
                let mut value = u32::from(first - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.peek() else { break };
                    value = value * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                Some((value & 0xFF) as u8)
            }
            other => Some(other),
        })
    }

    fn hexadecimal(&mut self) -> Result<Object, Why> {
        self.at += 1;
        let mut text = Vec::new();
        let mut high = None;
        loop {
            let byte = self.next()?;
            if byte == b'>' {
                text.extend(high.map(|high: u8| high * 16));
                return Ok(Object::Text(text));
            }
            if is_space(byte) {
                continue;
            }
            let low = nibble(byte).ok_or(Why::Damaged)?;
            match high.take() {
                Some(high) => text.push(high * 16 + low),
                None => high = Some(low),
            }
        }
    }

    fn next(&mut self) -> Result<u8, Why> {
        let byte = self.peek().ok_or(Why::Damaged)?;
        self.at += 1;
        Ok(byte)
    }
}

fn digits(word: &[u8]) -> Option<u64> {
    let figures = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word).ok().filter(|_| figures)?.parse().ok()
}

const fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
