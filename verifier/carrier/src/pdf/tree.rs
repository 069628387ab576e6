//! From the catalog to the attached files (ISO 32000-1 §7.7.4, §7.9.6, §7.11.3; `AF`: ISO 32000-2 §14.13).

use std::collections::BTreeSet;

use receipt_core::limits::BUNDLE_BYTES_MAX;

use crate::outcome::{Attachment, Why, is_bundle};

use super::document::Document;
use super::object::{Dictionary, Object};

/// Nodes of the name tree.
const NODES_MAX: usize = 4096;
/// Attached files that are looked at.
const FILES_MAX: usize = 1024;
/// Bundles that are read: two are too many already.
const BUNDLES_MAX: usize = 8;

/// All attached files; of bundles, their bytes.
pub(super) fn attachments(document: &mut Document<'_, '_>) -> Result<Vec<Attachment>, Why> {
    if document.addresses.encrypted {
        return Err(Why::Encrypted);
    }
    let root = Object::Reference(document.addresses.root.ok_or(Why::Damaged)?);
    let Object::Dictionary(catalog) = document.resolve(&root)? else { return Err(Why::Damaged) };
    if *catalog.get("Pages") == Object::Null {
        return Err(Why::Damaged);
    }
    let mut files = document.value(&catalog, "AF")?.array().to_vec();
    if let Object::Dictionary(names) = document.value(&catalog, "Names")? {
        named(document, names.get("EmbeddedFiles"), &mut files)?;
    }
    let (mut specifications, mut streams, mut attachments) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for file in files {
        if let Object::Reference(number) = file
            && !specifications.insert(number)
        {
            continue;
        }
        if attachments.len() >= FILES_MAX {
            return Err(Why::TooLarge);
        }
        let Object::Dictionary(specification) = document.resolve(&file)? else { continue };
        let Object::Dictionary(embedded) = document.value(&specification, "EF")? else { continue };
        let stream = ["UF", "F"].iter().find_map(|name| match embedded.get(name) {
            Object::Reference(number) => Some(*number),
            _ => None,
        });
        let Some(stream) = stream else { continue };
        if streams.insert(stream) {
            attachments.push(attachment(document, &specification, stream)?);
            let bundles = attachments.iter().filter(|one| matches!(one, Attachment::Bundle(_))).count();
            if bundles > BUNDLES_MAX {
                return Err(Why::Several);
            }
        }
    }
    Ok(attachments)
}

/// What the leaves of a name tree hold.
fn named(document: &mut Document<'_, '_>, tree: &Object, files: &mut Vec<Object>) -> Result<(), Why> {
    let mut open = vec![tree.clone()];
    let (mut seen, mut nodes) = (BTreeSet::new(), 0);
    while let Some(node) = open.pop() {
        nodes += 1;
        if nodes > NODES_MAX {
            return Err(Why::TooLarge);
        }
        if let Object::Reference(number) = node
            && !seen.insert(number)
        {
            return Err(Why::Damaged);
        }
        let Object::Dictionary(node) = document.resolve(&node)? else { continue };
        open.extend_from_slice(document.value(&node, "Kids")?.array());
        let names = document.value(&node, "Names")?;
        files.extend(names.array().chunks(2).filter_map(|pair| pair.get(1).cloned()));
    }
    Ok(())
}

fn attachment(document: &mut Document<'_, '_>, specification: &Dictionary, stream: u32) -> Result<Attachment, Why> {
    let found = document.object(stream)?;
    let media_type = match found.object.dictionary().map(|dictionary| dictionary.get("Subtype").clone()) {
        Some(subtype) => match document.resolve(&subtype)? {
            Object::Name(name) => String::from_utf8_lossy(&name).into_owned(),
            _ => String::new(),
        },
        None => String::new(),
    };
    for key in ["UF", "F"] {
        let name = match document.value(specification, key)? {
            Object::Text(text) => text_of(&text),
            _ => String::new(),
        };
        if is_bundle(&name, &media_type) {
            return document.contents(&found, BUNDLE_BYTES_MAX).map(Attachment::Bundle);
        }
    }
    Ok(Attachment::Other)
}

/// UTF-16 or UTF-8 with a mark in front, or bytes of which only the ASCII ones matter here.
fn text_of(text: &[u8]) -> String {
    match text {
        [0xFE, 0xFF, rest @ ..] => {
            let units =
                rest.chunks(2).map(|pair| pair.iter().fold(0, |unit: u16, byte| (unit << 8) | u16::from(*byte)));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => text.iter().map(|byte| char::from(*byte)).collect(),
    }
}
