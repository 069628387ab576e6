//! Reading export files (`receipt_core::export` is their format).

use std::io::Read;
use std::path::{Path, PathBuf};

use prost::Message;
use receipt_core::export::{ExportDecoder, ExportError, ExportItem};
use receipt_core::suite::ChainId;
use tallystick_proto::ledger::v1::LedgerBlock;
use tallystick_service::input;

use crate::sink::{Announcement, Flow, Sink};

const READ_BYTES: usize = 1024 * 1024;

/// Why an export cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportReadError {
    /// The operating system refuses.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: std::io::Error,
    },
    /// A directory without a file.
    #[error("{path}: there is no export file in it", path = path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// Not an export, or a damaged one.
    #[error("{path}: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: ExportError,
    },
    /// A frame is not a block message.
    #[error("{path}: frame {frame} is not a LedgerBlock", path = path.display())]
    Message {
        /// The file.
        path: PathBuf,
        /// Position of the frame, from 0.
        frame: u64,
    },
    /// The files are of different chains.
    #[error("{path}: it is of another chain than the file before", path = path.display())]
    Chain {
        /// The file.
        path: PathBuf,
    },
}

/// Reads one file, or every file of a directory in the order of their names, as one run of blocks.
pub fn read(path: &Path, sink: &mut dyn Sink) -> Result<(), ExportReadError> {
    let mut chain = None;
    for file in files_of(path)? {
        if read_file(&file, &mut chain, sink)? == Flow::Stop {
            break;
        }
    }
    Ok(())
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, ExportReadError> {
    let io = |source| ExportReadError::Io { path: path.to_owned(), source };
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort_unstable();
    if files.is_empty() { Err(ExportReadError::Empty { path: path.to_owned() }) } else { Ok(files) }
}

fn read_file(path: &Path, chain: &mut Option<ChainId>, sink: &mut dyn Sink) -> Result<Flow, ExportReadError> {
    let io = |source| ExportReadError::Io { path: path.to_owned(), source };
    let format = |source| ExportReadError::Format { path: path.to_owned(), source };
    let mut file = input::open(path).map_err(io)?;
    let mut decoder = ExportDecoder::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut frame = 0;
    loop {
        let count = file.read(&mut buffer).map_err(io)?;
        if count == 0 {
            decoder.finish().map_err(format)?;
            return Ok(Flow::Continue);
        }
        decoder.feed(buffer.get(..count).unwrap_or_default());
        while let Some(item) = decoder.next_item().map_err(format)? {
            match item {
                ExportItem::Start(found) if chain.is_some_and(|chain| chain != found) => {
                    return Err(ExportReadError::Chain { path: path.to_owned() });
                }
                ExportItem::Start(found) => {
                    let is_first = chain.replace(found).is_none();
                    let announcement = Announcement { last_height: None, chain: Some(found) };
                    if is_first && sink.announce(announcement) == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
                ExportItem::Frame(message) => {
                    let block = LedgerBlock::decode(message.as_slice());
                    let block = block.map_err(|_| ExportReadError::Message { path: path.to_owned(), frame })?;
                    frame += 1;
                    if sink.block(block) == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
                ExportItem::End => {}
            }
        }
    }
}
