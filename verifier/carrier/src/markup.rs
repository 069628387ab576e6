//! As much of XML as the lists of an OFD need: elements with attributes and text. A document type, and with it every entity of somebody's
//! own, is refused.

use crate::budget::Budget;
use crate::outcome::Why;

/// An element: its name without a prefix, its attributes, and the text right inside of it up to the next tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Element {
    /// The value of an attribute; empty if there is none.
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }
}

/// All elements, in the order in which they begin.
pub(crate) fn elements(bytes: &[u8], budget: &mut Budget) -> Result<Vec<Element>, Why> {
    let text = std::str::from_utf8(bytes).map_err(|_| Why::Damaged)?;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found: Vec<Element> = Vec::new();
    // Whether text still belongs to the element that was found last.
    let mut inside = false;
    while let Some((before, tag)) = rest.split_once('<') {
        if inside && let Some(last) = found.last_mut() {
            last.text += &unescaped(before)?;
        }
        budget.value()?;
        rest = if let Some(comment) = tag.strip_prefix("!--") {
            comment.split_once("-->").ok_or(Why::Damaged)?.1
        } else if let Some(data) = tag.strip_prefix("![CDATA[") {
            let (data, behind) = data.split_once("]]>").ok_or(Why::Damaged)?;
            if inside && let Some(last) = found.last_mut() {
                last.text += data;
            }
            behind
        } else if let Some(instruction) = tag.strip_prefix('?') {
            instruction.split_once("?>").ok_or(Why::Damaged)?.1
        } else if tag.starts_with('!') {
            return Err(Why::Damaged);
        } else if let Some(end) = tag.strip_prefix('/') {
            inside = false;
            end.split_once('>').ok_or(Why::Damaged)?.1
        } else {
            let (element, is_empty, behind) = element(tag, budget)?;
            inside = !is_empty;
            found.push(element);
            behind
        };
    }
    Ok(found)
}

/// The element whose tag begins here, whether that is all of it, and what stands behind the tag.
fn element<'a>(tag: &'a str, budget: &mut Budget) -> Result<(Element, bool, &'a str), Why> {
    let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
    let (name, mut rest) = tag.split_at(tag.find(ends).ok_or(Why::Damaged)?);
    let local = name.rsplit_once(':').map_or(name, |(_, local)| local);
    let mut element = Element { name: local.to_owned(), attributes: Vec::new(), text: String::new() };
    loop {
        rest = rest.trim_ascii_start();
        if let Some(behind) = rest.strip_prefix("/>") {
            return Ok((element, true, behind));
        }
        if let Some(behind) = rest.strip_prefix('>') {
            return Ok((element, false, behind));
        }
        budget.value()?;
        let (name, value) = rest.split_at(rest.find(ends).ok_or(Why::Damaged)?);
        let value = value.trim_ascii_start().strip_prefix('=').ok_or(Why::Damaged)?.trim_ascii_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or(Why::Damaged)?;
        let (value, behind) = value.get(1..).and_then(|value| value.split_once(quote)).ok_or(Why::Damaged)?;
        element.attributes.push((name.to_owned(), unescaped(value)?));
        rest = behind;
    }
}

fn unescaped(text: &str) -> Result<String, Why> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        let (name, behind) = entity.split_once(';').ok_or(Why::Damaged)?;
        let number = |figures: &str, radix| u32::from_str_radix(figures, radix).ok().and_then(char::from_u32);
        let c = match name {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => match name.strip_prefix('#') {
                Some(hexadecimal) if hexadecimal.starts_with('x') => number(&hexadecimal[1..], 16),
                Some(decimal) => number(decimal, 10),
                None => None,
            },
        };
        plain += before;
        plain.push(c.ok_or(Why::Damaged)?);
        rest = behind;
    }
    Ok(plain + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_attributes_and_text() {
        let text = "\u{feff}<?xml version=\"1.0\"?><!-- <no/> --><o:A xmlns:o='u' x = \"1 &lt; &#50;&#x33;\"><B/>\n<C>a<![CDATA[<b>]]>&amp;c</C>d</o:A>";
        let found = elements(text.as_bytes(), &mut Budget::new()).unwrap();
        let told: Vec<_> = found.iter().map(|own| (own.name.as_str(), own.attribute("x"), own.text.as_str())).collect();
        assert_eq!(told, [("A", "1 < 23", ""), ("B", "", ""), ("C", "", "a<b>&c")]);
    }

    #[test]
    fn what_is_no_plain_markup_is_refused() {
        for text in [
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            "<a>&b;</a>",
            "<a b='&c;'/>",
            "<a>&#0xG;</a>",
            "<a>&#xD800;</a>",
            "<a",
            "<a b",
            "<a b=c>",
            "<a b='c",
            "<!-- ",
            "<![CDATA[ ",
            "<? ",
        ] {
            assert_eq!(elements(text.as_bytes(), &mut Budget::new()), Err(Why::Damaged), "{text}");
        }
        assert_eq!(elements(b"<a>\xff</a>", &mut Budget::new()), Err(Why::Damaged));
        let many = "<a/>".repeat(2_000_000);
        assert_eq!(elements(many.as_bytes(), &mut Budget::new()), Err(Why::TooLarge));
    }
}
