//! XML as a tree, and its text. The only file that names quick-xml.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// An element.
#[derive(Debug)]
pub(crate) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Elements(Vec<Element>),
    Text(String),
}

impl Element {
    /// An element of others.
    pub(crate) const fn of(name: &'static str, children: Vec<Self>) -> Self {
        Self { name, attributes: Vec::new(), content: Content::Elements(children) }
    }

    /// An element of text.
    pub(crate) fn text(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, attributes: Vec::new(), content: Content::Text(text.into()) }
    }

    /// The same with one attribute more. Of the documents only those that are drawn have attributes.
    #[cfg(any(feature = "draw", test))]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// A file with this root, in UTF-8; a comment stands first if there is one.
    pub(crate) fn file(&self, comment: Option<&str>) -> Vec<u8> {
        // Memory takes all that is written.
        self.written(comment).unwrap_or_default()
    }

    fn written(&self, comment: Option<&str>) -> io::Result<Vec<u8>> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 1);
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        if let Some(comment) = comment {
            writer.write_event(Event::Comment(BytesText::from_escaped(comment)))?;
        }
        self.write(&mut writer)?;
        let mut bytes = writer.into_inner();
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let mut start = BytesStart::new(self.name);
        for (name, value) in &self.attributes {
            start.push_attribute((*name, permitted(value).as_str()));
        }
        match &self.content {
            Content::Elements(children) if children.is_empty() => return writer.write_event(Event::Empty(start)),
            Content::Elements(children) => {
                writer.write_event(Event::Start(start))?;
                children.iter().try_for_each(|child| child.write(writer))?;
            }
            Content::Text(text) => {
                writer.write_event(Event::Start(start))?;
                writer.write_event(Event::Text(BytesText::new(&permitted(text))))?;
            }
        }
        writer.write_event(Event::End(BytesEnd::new(self.name)))
    }
}

/// Without what no XML 1.0 file may have (V27 refuses most of it; a document is made all the same).
fn permitted(text: &str) -> String {
    let permitted =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if permitted(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_markup_is_escaped_and_what_no_file_may_have_is_replaced() {
        let element = Element::of("A", vec![Element::text("B", "<x>&\u{1}\u{ffff}]]>"), Element::of("C", Vec::new())]);
        let file = String::from_utf8(element.with("d", "\"<&>'").file(Some(" 注 "))).unwrap();
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- 注 -->\n<A d=\"&quot;&lt;&amp;&gt;&apos;\">\n \
                        <B>&lt;x&gt;&amp;\u{fffd}\u{fffd}]]&gt;</B>\n <C/>\n</A>\n";
        assert_eq!(file, expected);
    }
}
