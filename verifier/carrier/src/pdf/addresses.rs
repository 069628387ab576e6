//! Where the objects of a PDF stand: tables and streams of addresses, from the last revision back to the first (ISO 32000-1 §7.5.4 to
//! §7.5.8).

use std::collections::{BTreeMap, BTreeSet};

use crate::budget::Budget;
use crate::outcome::Why;

use super::object::{Dictionary, Object, Reader};
use super::stream::{STREAM_BYTES_MAX, begins_stream, decoded, heading, stream, value};

/// Where `startxref` may stand at the latest, from the end.
const END_BYTES: usize = 2048;
/// Revisions of one file.
const REVISIONS_MAX: usize = 256;

/// Where an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: it was taken away.
    Free,
    /// So many bytes from the header.
    At(usize),
    /// In this stream of objects.
    Inside(u32),
}

/// Where all objects stand, and which of them is the catalog.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pub(super) places: BTreeMap<u32, Place>,
    pub(super) root: Option<u32>,
    pub(super) encrypted: bool,
}

impl Addresses {
    /// The place of an object in an older revision counts only if no newer one has it.
    fn older(&mut self, number: u32, place: Place) {
        self.places.entry(number).or_insert(place);
    }

    /// What the end of a revision says. The newest that names a catalog counts.
    pub(super) fn trailer(&mut self, trailer: &Dictionary) {
        if let (None, Object::Reference(root)) = (self.root, trailer.get("Root")) {
            self.root = Some(*root);
        }
        self.encrypted |= *trailer.get("Encrypt") != Object::Null;
    }
}

/// All addresses, or `Damaged` if they do not lead anywhere.
pub(super) fn read(file: &[u8], budget: &mut Budget) -> Result<Addresses, Why> {
    let tail = file.len().saturating_sub(END_BYTES);
    let word = file.get(tail..).unwrap_or_default().windows(9).rposition(|window| window == b"startxref");
    let mut reader = Reader::new(file, tail + word.ok_or(Why::Damaged)? + 9);
    let mut next = reader.count().and_then(|at| usize::try_from(at).ok());
    let mut addresses = Addresses::default();
    let mut seen = BTreeSet::new();
    while let Some(at) = next {
        if !seen.insert(at) {
            return Err(Why::Damaged);
        }
        if seen.len() > REVISIONS_MAX {
            return Err(Why::TooLarge);
        }
        let trailer = revision(file, at, &mut addresses, budget)?;
        next = trailer.get("Prev").size();
    }
    if addresses.root.is_none() { Err(Why::Damaged) } else { Ok(addresses) }
}

/// The addresses of one revision, and what stands at its end.
fn revision(file: &[u8], at: usize, addresses: &mut Addresses, budget: &mut Budget) -> Result<Dictionary, Why> {
    let mut reader = Reader::new(file, at);
    reader.skip();
    if !reader.takes(b"xref") {
        return of_stream(file, reader, addresses, budget);
    }
    let table = table(&mut reader, budget)?;
    let Object::Dictionary(trailer) = value(&mut reader, budget)? else { return Err(Why::Damaged) };
    addresses.trailer(&trailer);
    // For readers that know no streams of addresses, the table calls free what only the stream has: so the stream goes first.
    if let Some(at) = trailer.get("XRefStm").size() {
        of_stream(file, Reader::new(file, at), addresses, budget)?;
    }
    for (number, place) in table {
        addresses.older(number, place);
    }
    Ok(trailer)
}

/// The lines of a table, up to behind the word `trailer`.
fn table(reader: &mut Reader<'_>, budget: &mut Budget) -> Result<Vec<(u32, Place)>, Why> {
    let mut places = Vec::new();
    loop {
        let word = reader.word();
        if word == b"trailer" {
            return Ok(places);
        }
        let first: u32 = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).ok_or(Why::Damaged)?;
        let count = reader.count().and_then(|count| u32::try_from(count).ok()).ok_or(Why::Damaged)?;
        for index in 0..count {
            budget.value()?;
            let at = reader.count().and_then(|at| usize::try_from(at).ok()).ok_or(Why::Damaged)?;
            reader.count().ok_or(Why::Damaged)?;
            let place = match reader.word() {
                b"n" => Place::At(at),
                b"f" => Place::Free,
                _ => return Err(Why::Damaged),
            };
            places.push((first.checked_add(index).ok_or(Why::Damaged)?, place));
        }
    }
}

/// The addresses in a stream, whose dictionary is the revision's trailer.
fn of_stream(
    file: &[u8],
    mut reader: Reader<'_>,
    addresses: &mut Addresses,
    budget: &mut Budget,
) -> Result<Dictionary, Why> {
    heading(&mut reader, budget)?.ok_or(Why::Damaged)?;
    let Object::Dictionary(trailer) = value(&mut reader, budget)? else { return Err(Why::Damaged) };
    if !trailer.get("Type").is_name("XRef") || !begins_stream(&mut reader, budget)? {
        return Err(Why::Damaged);
    }
    let raw = stream(file, reader.at, trailer.get("Length").size(), budget)?;
    let contents =
        decoded(raw, one_or_more(&trailer, "Filter"), one_or_more(&trailer, "DecodeParms"), STREAM_BYTES_MAX, budget)?;
    addresses.trailer(&trailer);
    let widths: Vec<usize> = trailer.get("W").array().iter().filter_map(Object::size).collect();
    let [kind_bytes, second_bytes, third_bytes] = *widths.as_slice() else { return Err(Why::Damaged) };
    if [kind_bytes, second_bytes, third_bytes].iter().any(|width| *width > 8) || second_bytes == 0 {
        return Err(Why::Damaged);
    }
    let whole = [Object::Number(0), trailer.get("Size").clone()];
    let ranges = match trailer.get("Index") {
        Object::Array(ranges) => ranges.as_slice(),
        _ => whole.as_slice(),
    };
    let mut rows = contents.chunks_exact(kind_bytes + second_bytes + third_bytes);
    for range in ranges.chunks(2) {
        let [first, count] = range else { return Err(Why::Damaged) };
        let (first, count) = first.size().zip(count.size()).ok_or(Why::Damaged)?;
        for (index, row) in (0..count).zip(&mut rows) {
            budget.value()?;
            let (kind, rest) = row.split_at(kind_bytes);
            let second = rest.get(..second_bytes).map(number).unwrap_or_default();
            let place = match if kind_bytes == 0 { 1 } else { number(kind) } {
                0 => Place::Free,
                1 => Place::At(usize::try_from(second).map_err(|_| Why::Damaged)?),
                2 => Place::Inside(u32::try_from(second).map_err(|_| Why::Damaged)?),
                // ISO 32000-1 §7.5.8.3: an unknown kind is as nothing.
                _ => continue,
            };
            let own = first.checked_add(index).and_then(|own| u32::try_from(own).ok()).ok_or(Why::Damaged)?;
            addresses.older(own, place);
        }
    }
    Ok(trailer)
}

fn one_or_more<'a>(dictionary: &'a Dictionary, name: &str) -> &'a [Object] {
    match dictionary.get(name) {
        Object::Null => &[],
        Object::Array(values) => values,
        one => std::slice::from_ref(one),
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
