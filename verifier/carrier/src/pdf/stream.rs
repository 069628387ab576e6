//! The bytes of streams, and what they hold (ISO 32000-1 §7.3.8, §7.4, §7.5.7).

use std::collections::BTreeMap;

use crate::budget::Budget;
use crate::inflate;
use crate::outcome::Why;

use super::object::{Dictionary, Object, Reader};
use super::predictor;

/// A stream of objects or addresses.
pub(super) const STREAM_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A value, whose bytes count: a text without an end is read to the end of the file.
pub(super) fn value(reader: &mut Reader<'_>, budget: &mut Budget) -> Result<Object, Why> {
    let start = reader.at;
    let value = reader.object(budget);
    budget.spend(reader.at.saturating_sub(start))?;
    value
}

/// The number of the object that begins here, past its heading; its bytes count: white space and comments before it may be the whole file.
pub(super) fn heading(reader: &mut Reader<'_>, budget: &mut Budget) -> Result<Option<u32>, Why> {
    let start = reader.at;
    let number = reader.heading();
    budget.spend(reader.at.saturating_sub(start))?;
    Ok(number)
}

/// Which objects a stream of objects has, and where each begins; of two with one number, the first.
pub(super) fn starts(object: &Object, contents: &[u8], budget: &mut Budget) -> Result<BTreeMap<u32, usize>, Why> {
    let dictionary = object.dictionary().filter(|own| own.get("Type").is_name("ObjStm")).ok_or(Why::Damaged)?;
    let count = dictionary.get("N").size().ok_or(Why::Damaged)?;
    let first = dictionary.get("First").size().ok_or(Why::Damaged)?;
    let mut reader = Reader::new(contents, 0);
    let mut starts = BTreeMap::new();
    for _ in 0..count {
        budget.value()?;
        let number = reader.count().and_then(|number| u32::try_from(number).ok()).ok_or(Why::Damaged)?;
        let offset = reader.count().and_then(|offset| usize::try_from(offset).ok()).ok_or(Why::Damaged)?;
        starts.entry(number).or_insert(first.saturating_add(offset));
    }
    Ok(starts)
}

/// Whether a stream begins behind a dictionary; up to its first byte, if so.
pub(super) fn begins_stream(reader: &mut Reader<'_>, budget: &mut Budget) -> Result<bool, Why> {
    let start = reader.at;
    reader.skip();
    budget.spend(reader.at.saturating_sub(start))?;
    let begins = reader.takes(b"stream");
    let _ = begins && (reader.takes(b"\r\n") || reader.takes(b"\n") || reader.takes(b"\r"));
    Ok(begins)
}

/// The bytes of a stream that begins here. A length that does not end at `endstream` is not believed: mail and text editors change line
/// ends.
pub(super) fn stream<'a>(
    file: &'a [u8],
    start: usize,
    length: Option<usize>,
    budget: &mut Budget,
) -> Result<&'a [u8], Why> {
    if let Some(end) = length.and_then(|length| start.checked_add(length)) {
        let mut behind = Reader::new(file, end);
        behind.skip();
        budget.spend(behind.at.saturating_sub(end))?;
        if behind.takes(b"endstream") {
            return file.get(start..end).ok_or(Why::Damaged);
        }
    }
    let rest = file.get(start..).unwrap_or_default();
    let end = rest.windows(9).position(|window| window == b"endstream");
    budget.spend(end.unwrap_or(rest.len()))?;
    let bytes = rest.get(..end.ok_or(Why::Damaged)?).unwrap_or_default();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    Ok(bytes.strip_suffix(b"\r").unwrap_or(bytes))
}

/// What is left when all filters are undone. Known is `FlateDecode`.
pub(super) fn decoded(
    stream: &[u8],
    filters: &[Object],
    parameters: &[Object],
    bytes_max: usize,
    budget: &mut Budget,
) -> Result<Vec<u8>, Why> {
    let mut contents = None;
    for (index, filter) in filters.iter().enumerate() {
        if !filter.is_name("FlateDecode") && !filter.is_name("Fl") {
            return Err(Why::Damaged);
        }
        let mut made = inflate::zlib(contents.as_deref().unwrap_or(stream), bytes_max, budget)?;
        if let Some(parameters) = parameters.get(index).and_then(Object::dictionary) {
            made = differences_undone(made, parameters)?;
        }
        contents = Some(made);
    }
    match contents {
        Some(contents) => Ok(contents),
        None if stream.len() > bytes_max => Err(Why::TooLarge),
        None => {
            budget.spend(stream.len())?;
            Ok(stream.to_vec())
        }
    }
}

fn differences_undone(contents: Vec<u8>, parameters: &Dictionary) -> Result<Vec<u8>, Why> {
    let number = |name, usual| match parameters.get(name) {
        Object::Null => Some(usual),
        other => other.size(),
    };
    let one_byte = number("Colors", 1) == Some(1) && number("BitsPerComponent", 8) == Some(8);
    match (number("Predictor", 1), number("Columns", 1)) {
        (Some(1), _) => Ok(contents),
        (Some(10..=15), Some(columns)) if one_byte && columns > 0 => predictor::undo(&contents, columns),
        _ => Err(Why::Damaged),
    }
}
