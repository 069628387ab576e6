//! The codec of all services: protobuf, and of what ends in a signature nothing is dropped.
//!
//! Protobuf readers skip fields that they do not know, and of a field that is given twice they keep the last. A receipt made from
//! such a message would say less than its caller believes. So the requests of [`STRICT`] are walked over their wire form first:
//! a field that the schema does not have, a field given twice and two members of a `oneof` are refused, named. Responses and all
//! other requests are read as protobuf is.

use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::sync::OnceLock;

use bytes::{Buf, Bytes};
use prost::{Message, Name};
use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, FileDescriptorSet};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstDecoder, ProstEncoder};

use crate::errors::{CallReason, Refusal};

/// Messages whose content is signed.
const STRICT: [&str; 4] = ["IssueRequest", "IssueManyRequest", "ReverseRequest", "ResubmitRequest"];
/// Their package.
const STRICT_PACKAGE: &str = "tallystick.issuer.v1";
/// Messages within messages; the deepest of ours has four.
const DEPTH_MAX: usize = 16;

/// Encodes as prost does, and decodes strictly what is to be signed.
#[derive(Debug, Clone)]
pub struct StrictCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for StrictCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for StrictCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = StrictDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        StrictDecoder(ProstDecoder::new(BufferSettings::default()))
    }
}

/// See [`StrictCodec`].
#[derive(Debug)]
pub struct StrictDecoder<U>(ProstDecoder<U>);

impl<U: Message + Name + Default> Decoder for StrictDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        if !is_strict::<U>() {
            return self.0.decode(buffer);
        }
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        Ok(decode_strict(bytes).map(Some)?)
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

fn is_strict<U: Name>() -> bool {
    U::PACKAGE == STRICT_PACKAGE && STRICT.contains(&U::NAME)
}

/// Reads a message of which nothing may be dropped.
pub fn decode_strict<U: Message + Name + Default>(bytes: Bytes) -> Result<U, Refusal> {
    let invalid = |message: String| Refusal::new(CallReason::RequestInvalid).with_message(message);
    let message = U::decode(bytes.clone()).map_err(|error| invalid(format!("the request is not readable: {error}")))?;
    let schema = SCHEMA.get_or_init(Schema::read);
    match schema.find_dropped(&U::full_name(), &bytes, 0) {
        None => Ok(message),
        Some(Dropped { path, problem }) => {
            let path = path.join(".");
            // Fields are named from the draft on, as in all refusals.
            let field = path.strip_prefix("draft.").unwrap_or(&path).to_owned();
            Err(invalid(format!("{field}: {problem}")).with_violation(field, problem))
        }
    }
}

/// What would be dropped, and where.
struct Dropped {
    path: Vec<String>,
    problem: &'static str,
}

static SCHEMA: OnceLock<Schema> = OnceLock::new();

/// The fields of every message, from the descriptors of this build.
struct Schema(HashMap<String, HashMap<u32, FieldSchema>>);

struct FieldSchema {
    name: String,
    message: Option<String>,
    repeated: bool,
    oneof: Option<i32>,
}

impl Schema {
    fn read() -> Self {
        let mut messages = HashMap::new();
        // The descriptors are part of this program. If they could not be read, every field would be unknown and every strict call refused.
        let set = FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap_or_default();
        for file in &set.file {
            for message in &file.message_type {
                read_message(file.package(), message, &mut messages);
            }
        }
        Self(messages)
    }

    /// The first field of a well-formed message that reading it would drop.
    fn find_dropped(&self, message: &str, mut bytes: &[u8], depth: usize) -> Option<Dropped> {
        let dropped = |name: String, problem| Some(Dropped { path: vec![name], problem });
        let Some(fields) = self.0.get(message).filter(|_| depth < DEPTH_MAX) else {
            return dropped(message.to_owned(), "is no message of this version");
        };
        let mut seen: HashSet<u32> = HashSet::new();
        let mut chosen: HashSet<i32> = HashSet::new();
        let mut counts: HashMap<u32, usize> = HashMap::new();
        while !bytes.is_empty() {
            let Some((number, content)) = read_field(&mut bytes) else {
                return dropped("(field)".to_owned(), "has an encoding that this version does not know");
            };
            let Some(field) = fields.get(&number) else {
                let problem = "is a field that this version does not know; leave it out, or have the issuer updated";
                return dropped(format!("(field {number})"), problem);
            };
            let mut name = field.name.clone();
            if field.repeated {
                let count = counts.entry(number).or_default();
                name = format!("{name}[{count}]");
                *count += 1;
            } else if !seen.insert(number) {
                return dropped(name, "is given twice");
            }
            if field.oneof.is_some_and(|oneof| !chosen.insert(oneof)) {
                return dropped(name, "is given beside another of which only one may stand there");
            }
            if let (Some(inner), Some(content)) = (&field.message, content)
                && let Some(mut found) = self.find_dropped(inner, content, depth + 1)
            {
                found.path.insert(0, name);
                return Some(found);
            }
        }
        None
    }
}

fn read_message(parent: &str, message: &DescriptorProto, out: &mut HashMap<String, HashMap<u32, FieldSchema>>) {
    let name = format!("{parent}.{}", message.name());
    for nested in &message.nested_type {
        read_message(&name, nested, out);
    }
    let field = |field: &prost_types::FieldDescriptorProto| {
        let schema = FieldSchema {
            name: field.name().to_owned(),
            message: (field.r#type() == prost_types::field_descriptor_proto::Type::Message)
                .then(|| field.type_name().trim_start_matches('.').to_owned()),
            repeated: field.label() == Label::Repeated,
            oneof: field.oneof_index,
        };
        (u32::try_from(field.number()).unwrap_or(0), schema)
    };
    out.insert(name, message.field.iter().map(field).collect());
}

/// The next field's number and, of one with a length, its content; `None` if this is no field of proto3.
fn read_field<'a>(bytes: &mut &'a [u8]) -> Option<(u32, Option<&'a [u8]>)> {
    let tag = read_varint(bytes)?;
    let number = u32::try_from(tag >> 3).ok()?;
    let content = match tag & 7 {
        0 => {
            read_varint(bytes)?;
            None
        }
        1 => read_bytes(bytes, 8).map(|_| None)?,
        2 => {
            let length = usize::try_from(read_varint(bytes)?).ok()?;
            Some(read_bytes(bytes, length)?)
        }
        5 => read_bytes(bytes, 4).map(|_| None)?,
        _ => return None,
    };
    Some((number, content))
}

fn read_bytes<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *read_bytes(bytes, 1)?.first()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
