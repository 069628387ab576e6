//! RocksDB's write-ahead log as bytes: where it ceases to be whole.
//!
//! ```text
//! blocks of 32,768 bytes:  checksum u32 ‖ length u16 ‖ kind u8 ‖ payload, again and again; fewer than 7 bytes at a block's end are zeros
//! kind       1 whole, 2 first, 3 middle, 4 last piece of a write; all little-endian
//! checksum   CRC-32C of kind and payload, rotated right by 15 bits, plus 0xa282ead8
//! ```
//! The database itself passes over zeros without a word, and goes on behind them: of a log of which pages were lost it would make a
//! journal with a hole. So the log is read here first. Nothing here names RocksDB's library; the format is that of its log since
//! LevelDB.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

const BLOCK_BYTES: usize = 32_768;
const HEADER_BYTES: usize = 7;

/// The log files of a journal's directory, oldest first.
pub(crate) fn log_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            files.push(path);
        }
    }
    // Numbers with leading zeros, longer only beyond a million files.
    files.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    Ok(files)
}

/// The offset of the first write that is not whole; `None` if all of the file is.
pub(crate) fn torn_at(path: &Path) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    let mut scan = Scan { offset: 0, begun: None };
    loop {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        (&mut file).take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
        match scan.block(&block) {
            Block::Torn(offset) => return Ok(Some(offset)),
            // Zeros to the end are space that was preallocated and never written to. The exception: so few of them lie in the last block
            // that the database takes them for an unfinished header.
            Block::Zeros(offset) => {
                let is_no_header = |zeros: &u64| !(1..HEADER_BYTES as u64).contains(&(zeros % BLOCK_BYTES as u64));
                return Ok(if zeros_alone(&mut file)?.as_ref().is_some_and(is_no_header) {
                    None
                } else {
                    Some(offset)
                });
            }
            Block::Whole if block.len() < BLOCK_BYTES => return Ok(scan.begun),
            Block::Whole => scan.offset += BLOCK_BYTES as u64,
        }
    }
}

/// Shows every write behind `from` that is whole, past whatever is not. A piece is looked for at each byte: where one is torn, its
/// length cannot be relied on.
pub(crate) fn each_whole_write(path: &Path, from: u64, mut show: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    let in_block = usize::try_from(from % BLOCK_BYTES as u64).unwrap_or(0);
    file.seek(SeekFrom::Start(from - in_block as u64))?;
    let (mut start, mut write): (usize, Option<Vec<u8>>) = (in_block, None);
    loop {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        (&mut file).take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
        while let Some(rest) = block.get(start..).filter(|rest| rest.len() >= HEADER_BYTES) {
            let Some((kind, payload)) = piece(rest) else {
                write = None;
                start += 1;
                continue;
            };
            start += HEADER_BYTES + payload.len();
            write = match (kind, write) {
                (1 | 2, _) => Some(payload.to_vec()),
                (_, Some(begun)) => Some([begun, payload.to_vec()].concat()),
                (_, None) => None,
            };
            if matches!(kind, 1 | 4)
                && let Some(whole) = write.take()
            {
                show(&whole);
            }
        }
        if block.len() < BLOCK_BYTES {
            return Ok(());
        }
        start = 0;
    }
}

/// The piece at the beginning of these bytes of a block, if it is one.
fn piece(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (&[c0, c1, c2, c3, l0, l1, kind], behind) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let payload = behind.get(..usize::from(u16::from_le_bytes([l0, l1])))?;
    let is_whole = (1..=4).contains(&kind) && u32::from_le_bytes([c0, c1, c2, c3]) == masked(kind, payload);
    is_whole.then_some((kind, payload))
}

/// How many bytes follow, if all of them are zeros.
fn zeros_alone(file: &mut File) -> io::Result<Option<u64>> {
    let (mut buffer, mut zeros) = (vec![0; BLOCK_BYTES], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Some(zeros)),
            count if buffer.iter().take(count).any(|byte| *byte != 0) => return Ok(None),
            count => zeros += count as u64,
        }
    }
}

struct Scan {
    /// Offset of the block in the file.
    offset: u64,
    /// Where a write began that is not complete yet.
    begun: Option<u64>,
}

enum Block {
    Whole,
    /// From here on it has zeros alone.
    Zeros(u64),
    /// The write that begins here is not whole.
    Torn(u64),
}

impl Scan {
    fn block(&mut self, block: &[u8]) -> Block {
        let mut rest = block;
        while let Some((header, behind)) = rest.split_first_chunk::<HEADER_BYTES>() {
            let at = self.offset + (block.len() - rest.len()) as u64;
            let start = self.begun.unwrap_or(at);
            if *header == [0; HEADER_BYTES] {
                let zeros = self.begun.is_none() && behind.iter().all(|byte| *byte == 0);
                return if zeros { Block::Zeros(start) } else { Block::Torn(start) };
            }
            let Some((kind, payload)) = piece(rest) else { return Block::Torn(start) };
            self.begun = match (kind, self.begun) {
                (1, None) | (4, Some(_)) => None,
                (2, None) => Some(at),
                (3, Some(begun)) => Some(begun),
                _ => return Block::Torn(start),
            };
            rest = behind.get(payload.len()..).unwrap_or_default();
        }
        // Fewer bytes than a header are left. In a full block they are its padding; at the end of the file they are an unfinished header.
        let at = self.offset + (block.len() - rest.len()) as u64;
        let filled = block.len() == BLOCK_BYTES;
        if rest.iter().any(|byte| *byte != 0) || (!rest.is_empty() && !filled) {
            return Block::Torn(self.begun.unwrap_or(at));
        }
        Block::Whole
    }
}

/// The checksum of a piece.
fn masked(kind: u8, payload: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in std::iter::once(&kind).chain(payload) {
        let index = (crc as u8) ^ byte;
        crc = TABLE.get(usize::from(index)).copied().unwrap_or_default() ^ (crc >> 8);
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C, a byte at a time.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}
