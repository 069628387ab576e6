//! Objects without addresses: a file that was cut, or whose line ends somebody changed, is searched for them, as readers do.

use crate::budget::Budget;
use crate::outcome::Why;

use super::addresses::{Addresses, Place};
use super::object::{Object, Reader, is_space};
use super::stream::{STREAM_BYTES_MAX, begins_stream, decoded, starts, stream, value};

/// Where the objects are that begin anywhere; of one that stands twice, the last. Contents of streams are passed over.
pub(super) fn addresses(file: &[u8], budget: &mut Budget) -> Result<Addresses, Why> {
    budget.spend(file.len())?;
    let mut found = Addresses::default();
    let (mut catalog, mut at) = (None, 0);
    while let Some(offset) = file.get(at..).and_then(next_word) {
        let word = at + offset;
        if file.get(word..).is_some_and(|rest| rest.starts_with(b"trailer")) {
            at = word + 7;
            if let Ok(Object::Dictionary(trailer)) = value(&mut Reader::new(file, at), budget)
                && *trailer.get("Root") != Object::Null
            {
                found.root = None;
                found.trailer(&trailer);
            }
            continue;
        }
        at = word + 3;
        let Some((number, start)) = heading(file, word) else { continue };
        found.places.insert(number, Place::At(start));
        let mut reader = Reader::new(file, at);
        let Ok(object) = within(value(&mut reader, budget))? else { continue };
        let Object::Dictionary(dictionary) = &object else { continue };
        if dictionary.get("Type").is_name("Catalog") {
            catalog = Some(number);
        }
        if !begins_stream(&mut reader, budget)? {
            continue;
        }
        let Ok(raw) = within(stream(file, reader.at, dictionary.get("Length").size(), budget))? else { continue };
        at = reader.at + raw.len();
        if dictionary.get("Type").is_name("XRef") {
            found.root = None;
            found.trailer(dictionary);
        } else if dictionary.get("Type").is_name("ObjStm") {
            let filter = dictionary.get("Filter").clone();
            let filters = if filter == Object::Null { Vec::new() } else { vec![filter] };
            let contents = within(decoded(raw, &filters, &[], STREAM_BYTES_MAX, budget))?;
            let inside = contents.and_then(|contents| starts(&object, &contents, budget));
            for (own, _) in inside.unwrap_or_default() {
                found.places.insert(own, Place::Inside(number));
            }
        }
    }
    found.root = found.root.or(catalog);
    if found.root.is_none() { Err(Why::Damaged) } else { Ok(found) }
}

/// What is damaged is passed over; a limit that is reached ends the search.
fn within<T>(result: Result<T, Why>) -> Result<Result<T, Why>, Why> {
    match result {
        Err(Why::TooLarge) => Err(Why::TooLarge),
        other => Ok(other),
    }
}

/// Where the next `obj` or `trailer` stands.
fn next_word(rest: &[u8]) -> Option<usize> {
    rest.windows(3).enumerate().find_map(|(at, window)| match window {
        b"obj" => Some(at),
        b"tra" if rest.get(at..).is_some_and(|rest| rest.starts_with(b"trailer")) => Some(at),
        _ => None,
    })
}

/// The number of the object whose `obj` stands here, and where its heading begins.
fn heading(file: &[u8], word: usize) -> Option<(u32, usize)> {
    let before = |end: usize, wanted: fn(u8) -> bool| {
        let kept = file.get(..end).unwrap_or_default().iter().rev().take_while(|byte| wanted(**byte)).count();
        end - kept
    };
    let figure = |byte: u8| byte.is_ascii_digit();
    let generation = before(before(word, is_space), figure);
    let start = before(before(generation, is_space), figure);
    let mut reader = Reader::new(file, start);
    reader.heading().map(|number| (number, start)).filter(|_| reader.at == word + 3)
}
