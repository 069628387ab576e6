//! A stored block as issuers and auditors see it: the same message over the wire and in an export file.

use bytes::Bytes;
use receipt_core::block::block_id;
use receipt_core::ids::Height;
use tallystick_proto::ledger::v1::LedgerBlock;

use crate::store::{Store, StoreError};

/// One block; `None` while it is not decided.
pub(crate) fn ledger_block(
    store: &Store,
    height: Height,
    with_records: bool,
) -> Result<Option<LedgerBlock>, StoreError> {
    let Some(record) = store.block(height)? else { return Ok(None) };
    let entries = store.entries(&record.range)?;
    let sealed = store.checkpoint_from(height)?;
    let block_hash =
        if record.block.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(block_id(&record.block).as_bytes()) };
    let (checkpoint_height, checkpoint) = sealed.map_or((0, String::new()), |(height, note)| (height.get(), note));
    Ok(Some(LedgerBlock {
        height: height.get(),
        block: if with_records { record.block.into() } else { Bytes::new() },
        entries: entries.into_iter().map(Bytes::from).collect(),
        first_leaf_index: record.range.first_leaf.get(),
        certificate: record.certificate.into(),
        checkpoint,
        checkpoint_height,
        block_hash,
    }))
}
