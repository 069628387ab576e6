//! Objects of a PDF by their number, and the contents of streams.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::budget::Budget;
use crate::outcome::Why;

use super::addresses::{Addresses, Place};
use super::object::{Dictionary, Object, Reader};
use super::stream::{STREAM_BYTES_MAX, begins_stream, decoded, heading, starts, stream, value};

/// References that lead to references.
const STEPS_MAX: usize = 8;
/// Filters of one stream.
const FILTERS_MAX: usize = 4;

/// A PDF whose objects have addresses.
pub(super) struct Document<'a, 'b> {
    file: &'a [u8],
    pub(super) addresses: Addresses,
    pub(super) budget: &'b mut Budget,
    /// Streams of objects that are open, by their number.
    opened: BTreeMap<u32, Rc<Opened>>,
}

/// A stream of objects: its bytes, and which object begins where.
struct Opened {
    bytes: Vec<u8>,
    starts: BTreeMap<u32, usize>,
}

/// An object with the bytes of its stream, as they stand in the file, if it has one.
pub(super) struct Found<'a> {
    pub(super) object: Object,
    pub(super) stream: Option<&'a [u8]>,
}

impl<'a, 'b> Document<'a, 'b> {
    pub(super) fn new(file: &'a [u8], addresses: Addresses, budget: &'b mut Budget) -> Self {
        Self { file, addresses, budget, opened: BTreeMap::new() }
    }

    /// The value itself, where it may be a reference. What has no address is nothing (ISO 32000-1 §7.3.10).
    pub(super) fn resolve(&mut self, object: &Object) -> Result<Object, Why> {
        let mut object = object.clone();
        for _ in 0..STEPS_MAX {
            let Object::Reference(number) = object else { return Ok(object) };
            object = self.object(number)?.object;
        }
        Err(Why::Damaged)
    }

    /// The value of a name, resolved.
    pub(super) fn value(&mut self, dictionary: &Dictionary, name: &str) -> Result<Object, Why> {
        self.resolve(dictionary.get(name))
    }

    pub(super) fn object(&mut self, number: u32) -> Result<Found<'a>, Why> {
        let nothing = Found { object: Object::Null, stream: None };
        match self.addresses.places.get(&number) {
            None | Some(Place::Free) => Ok(nothing),
            Some(Place::At(at)) => {
                let mut reader = Reader::new(self.file, *at);
                if heading(&mut reader, self.budget)? != Some(number) {
                    return Err(Why::Damaged);
                }
                self.read(reader)
            }
            Some(Place::Inside(stream)) => {
                let opened = self.open(*stream)?;
                let start = *opened.starts.get(&number).ok_or(Why::Damaged)?;
                let mut reader = Reader::new(&opened.bytes, start);
                let object = reader.object(self.budget)?;
                self.budget.spend(reader.at.saturating_sub(start))?;
                Ok(Found { object, stream: None })
            }
        }
    }

    /// The value behind a heading, and its stream.
    fn read(&mut self, mut reader: Reader<'a>) -> Result<Found<'a>, Why> {
        let object = value(&mut reader, self.budget)?;
        let Object::Dictionary(dictionary) = &object else { return Ok(Found { object, stream: None }) };
        if !begins_stream(&mut reader, self.budget)? {
            return Ok(Found { object, stream: None });
        }
        let length = match dictionary.get("Length") {
            // The length of a stream that holds a length would lead in a circle; `endstream` ends both.
            Object::Reference(length) => match self.addresses.places.get(length) {
                Some(Place::At(at)) => {
                    let mut reader = Reader::new(self.file, *at);
                    let own = heading(&mut reader, self.budget)? == Some(*length);
                    if own { value(&mut reader, self.budget)?.size() } else { None }
                }
                _ => None,
            },
            other => other.size(),
        };
        let stream = stream(self.file, reader.at, length, self.budget)?;
        Ok(Found { object, stream: Some(stream) })
    }

    /// The contents of a stream, at most so many bytes.
    pub(super) fn contents(&mut self, found: &Found<'a>, bytes_max: usize) -> Result<Vec<u8>, Why> {
        let (dictionary, stream) = found.object.dictionary().zip(found.stream).ok_or(Why::Damaged)?;
        let filters = self.list(dictionary, "Filter")?;
        let parameters = self.list(dictionary, "DecodeParms")?;
        decoded(stream, &filters, &parameters, bytes_max, self.budget)
    }

    /// One value, or an array of them, all resolved.
    fn list(&mut self, dictionary: &Dictionary, name: &str) -> Result<Vec<Object>, Why> {
        match self.value(dictionary, name)? {
            Object::Null => Ok(Vec::new()),
            Object::Array(values) if values.len() <= FILTERS_MAX => {
                values.iter().map(|value| self.resolve(value)).collect()
            }
            Object::Array(_) => Err(Why::Damaged),
            one => Ok(vec![one]),
        }
    }

    fn open(&mut self, number: u32) -> Result<Rc<Opened>, Why> {
        if let Some(opened) = self.opened.get(&number) {
            return Ok(Rc::clone(opened));
        }
        // A stream of objects stands in no other.
        if !matches!(self.addresses.places.get(&number), Some(Place::At(_))) {
            return Err(Why::Damaged);
        }
        let found = self.object(number)?;
        let bytes = self.contents(&found, STREAM_BYTES_MAX)?;
        let starts = starts(&found.object, &bytes, self.budget)?;
        let opened = Rc::new(Opened { bytes, starts });
        self.opened.insert(number, Rc::clone(&opened));
        Ok(opened)
    }
}
