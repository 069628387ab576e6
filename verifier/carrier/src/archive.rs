//! The files in a ZIP archive (APPNOTE 6.3), by its directory at the end. Nothing is written anywhere: a name is only a name.

use crate::budget::Budget;
use crate::inflate;
use crate::outcome::Why;

/// Entries of one archive.
const ENTRIES_MAX: usize = 10_000;
/// The record at the end, without its comment.
const END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: usize = 65_535;
const DIRECTORY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;

/// The files of an archive.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    file: &'a [u8],
    /// Bytes in front of what the directory counts from.
    shift: usize,
    pub(crate) entries: Vec<Entry>,
}

/// A file of an archive, as the directory has it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// With `/` between folders, and none in front.
    pub(crate) name: String,
    encrypted: bool,
    method: usize,
    packed_bytes: usize,
    bytes: usize,
    at: usize,
}

impl<'a> Archive<'a> {
    pub(crate) fn open(file: &'a [u8], budget: &mut Budget) -> Result<Self, Why> {
        let tail = file.len().saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
        let end = file.get(tail..).unwrap_or_default().windows(4).rposition(|window| window == b"PK\x05\x06");
        let end = tail + end.ok_or(Why::Damaged)?;
        let (count, bytes, start) = (two(file, end + 10)?, four(file, end + 12)?, four(file, end + 16)?);
        // These numbers say that the real ones stand elsewhere, for archives of more than 4 GB or 65,534 files.
        if count == 0xFFFF || bytes == 0xFFFF_FFFF || start == 0xFFFF_FFFF || count > ENTRIES_MAX {
            return Err(Why::TooLarge);
        }
        let first = end.checked_sub(bytes).ok_or(Why::Damaged)?;
        let shift = first.checked_sub(start).ok_or(Why::Damaged)?;
        let mut archive = Self { file, shift, entries: Vec::new() };
        let mut at = first;
        for _ in 0..count {
            budget.value()?;
            let lengths = [28, 30, 32].map(|field| two(file, at + field));
            let [name, extra, comment] = lengths;
            let (name, behind) = (name?, extra?.saturating_add(comment?));
            if file.get(at..at + 4) != Some(b"PK\x01\x02") {
                return Err(Why::Damaged);
            }
            let text = file.get(at + DIRECTORY_BYTES..at + DIRECTORY_BYTES + name).ok_or(Why::Damaged)?;
            archive.entries.push(Entry {
                name: String::from_utf8_lossy(text).replace('\\', "/").trim_start_matches('/').to_owned(),
                encrypted: two(file, at + 8)? & 1 != 0,
                method: two(file, at + 10)?,
                packed_bytes: four(file, at + 20)?,
                bytes: four(file, at + 24)?,
                at: four(file, at + 42)?,
            });
            at = at + DIRECTORY_BYTES + name + behind;
        }
        Ok(archive)
    }

    /// The contents of an entry, at most so many bytes.
    pub(crate) fn contents(&self, entry: &Entry, bytes_max: usize, budget: &mut Budget) -> Result<Vec<u8>, Why> {
        if entry.encrypted {
            return Err(Why::Encrypted);
        }
        if entry.bytes > bytes_max {
            return Err(Why::TooLarge);
        }
        let local = self.shift.saturating_add(entry.at);
        let head = self.file.get(local..).filter(|rest| rest.starts_with(b"PK\x03\x04")).ok_or(Why::Damaged)?;
        let start = LOCAL_BYTES + two(head, 26)? + two(head, 28)?;
        let packed = head.get(start..).and_then(|rest| rest.get(..entry.packed_bytes)).ok_or(Why::Damaged)?;
        let contents = match entry.method {
            0 => {
                budget.spend(packed.len())?;
                packed.to_vec()
            }
            8 => inflate::raw(packed, bytes_max, budget)?,
            _ => return Err(Why::Damaged),
        };
        if contents.len() == entry.bytes { Ok(contents) } else { Err(Why::Damaged) }
    }
}

fn two(bytes: &[u8], at: usize) -> Result<usize, Why> {
    number(bytes, at, 2)
}

fn four(bytes: &[u8], at: usize) -> Result<usize, Why> {
    number(bytes, at, 4)
}

fn number(bytes: &[u8], at: usize, count: usize) -> Result<usize, Why> {
    let bytes = bytes.get(at..at.saturating_add(count)).ok_or(Why::Damaged)?;
    Ok(bytes.iter().rev().fold(0, |number, byte| (number << 8) | usize::from(*byte)))
}

#[cfg(test)]
mod tests;
