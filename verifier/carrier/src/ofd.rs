//! What is attached to an OFD (GB/T 33190-2016 §20).
//!
//! ```text
//! OFD.xml ─▶ DocRoot ─▶ Document.xml ─▶ Attachments ─▶ Attachments.xml ─▶ Attachment Name … FileLoc ─▶ the file
//! ```
//! A bundle that stands in the archive and in no list counts, too: programs that save an OFD anew copy files and forget lists.

use receipt_core::limits::BUNDLE_BYTES_MAX;

use crate::archive::{Archive, Entry};
use crate::budget::Budget;
use crate::markup::{Element, elements};
use crate::outcome::{Attachment, Why, is_bundle};

/// Where every OFD begins.
const BEGINNING: &str = "OFD.xml";
/// A list of an OFD.
const LIST_BYTES_MAX: usize = 1024 * 1024;
/// Documents of one OFD, and lists of one document.
const LISTS_MAX: usize = 16;
/// Bundles that are read: two are too many already.
const BUNDLES_MAX: usize = 8;

/// All attached files; of bundles, their bytes.
pub(crate) fn attachments(file: &[u8]) -> Result<Vec<Attachment>, Why> {
    let mut budget = Budget::new();
    let archive = Archive::open(file, &mut budget)?;
    let mut reader = Reader { archive: &archive, budget: &mut budget };
    let is_ofd = archive.entries.iter().any(|entry| entry.name == BEGINNING);
    let listed = if is_ofd { reader.listed()? } else { Vec::new() };
    let other = listed.iter().filter(|(_, bundle)| !bundle).map(|_| Attachment::Other);
    let mut attachments: Vec<Attachment> = other.collect();
    let is_named = |entry: &Entry| {
        is_bundle(&entry.name, "") || listed.iter().any(|(name, bundle)| *bundle && *name == entry.name)
    };
    let bundles: Vec<&Entry> = archive.entries.iter().filter(|entry| is_named(entry)).collect();
    if bundles.len() > BUNDLES_MAX {
        return Err(Why::Several);
    }
    for entry in bundles {
        attachments.push(Attachment::Bundle(archive.contents(entry, BUNDLE_BYTES_MAX, reader.budget)?));
    }
    if is_ofd || !attachments.is_empty() { Ok(attachments) } else { Err(Why::Other) }
}

struct Reader<'a, 'b> {
    archive: &'a Archive<'a>,
    budget: &'b mut Budget,
}

impl Reader<'_, '_> {
    /// The names of all files that the lists name, and which of them are bundles.
    fn listed(&mut self) -> Result<Vec<(String, bool)>, Why> {
        let mut listed = Vec::new();
        for document in self.followed(BEGINNING, "DocRoot")? {
            for list in self.followed(&document, "Attachments")? {
                let mut name = String::new();
                for element in self.list(&list)? {
                    if element.name == "Attachment" {
                        name = element.attribute("Name").to_owned();
                    } else if element.name == "FileLoc" {
                        let location = path(&list, &element.text)?;
                        let bundle = is_bundle(&name, "") || is_bundle(&location, "");
                        listed.push((location, bundle));
                    }
                }
            }
        }
        Ok(listed)
    }

    /// The lists that the elements of a name in one list lead to.
    fn followed(&mut self, list: &str, name: &str) -> Result<Vec<String>, Why> {
        let found =
            self.list(list)?.into_iter().filter(|element| element.name == name && !element.text.trim().is_empty());
        let paths = found.map(|element| path(list, &element.text)).collect::<Result<Vec<_>, _>>()?;
        if paths.len() > LISTS_MAX { Err(Why::TooLarge) } else { Ok(paths) }
    }

    /// What stands in a list. One that is not in the archive lists nothing.
    fn list(&mut self, name: &str) -> Result<Vec<Element>, Why> {
        let Some(entry) = self.archive.entries.iter().find(|entry| entry.name == name) else { return Ok(Vec::new()) };
        elements(&self.archive.contents(entry, LIST_BYTES_MAX, self.budget)?, self.budget)
    }
}

/// A location in a list as the name of a file in the archive. One that leads out of it is refused.
fn path(list: &str, location: &str) -> Result<String, Why> {
    let location = location.trim().replace('\\', "/");
    let mut parts: Vec<&str> = match (location.starts_with('/'), list.rsplit_once('/')) {
        (false, Some((folder, _))) => folder.split('/').collect(),
        _ => Vec::new(),
    };
    for part in location.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or(Why::Damaged)?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_stays_in_the_archive() {
        for (list, location, expected) in [
            ("OFD.xml", "Doc_0/Document.xml", Ok("Doc_0/Document.xml")),
            ("Doc_0/Attachs/Attachments.xml", " bundle.tally ", Ok("Doc_0/Attachs/bundle.tally")),
            ("Doc_0/Attachs/Attachments.xml", "/Doc_0/./b.tally", Ok("Doc_0/b.tally")),
            ("Doc_0/Attachs/Attachments.xml", "..\\b.tally", Ok("Doc_0/b.tally")),
            ("Doc_0/Attachs/Attachments.xml", "../../../etc/passwd", Err(Why::Damaged)),
            ("OFD.xml", "/../b.tally", Err(Why::Damaged)),
        ] {
            assert_eq!(path(list, location).as_deref().map_err(|why| *why), expected, "{list} {location}");
        }
    }
}
