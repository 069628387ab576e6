//! A stored block as issuers and auditors see it: the same message over the wire and in an export file.

use bytes::Bytes;
use receipt_core::ids::Height;
use tallystick_proto::ledger::v1::LedgerBlock;

use crate::store::{Store, StoreError};

/// One block; `None` while it is not decided.
pub(crate) fn ledger_block(
    store: &Store,
    height: Height,
    with_records: bool,
) -> Result<Option<LedgerBlock>, StoreError> {
    let Some((range, block_id)) = store.height_row(height)? else { return Ok(None) };
    // A block may have megabytes. Most readers want only its entries, so it is not read for them.
    let block =
        if with_records { store.block(height)?.map(|record| record.block).unwrap_or_default() } else { Vec::new() };
    let sealed = store.checkpoint_from(height)?;
    let (checkpoint_height, checkpoint) = sealed.map_or((0, String::new()), |(height, note)| (height.get(), note));
    Ok(Some(LedgerBlock {
        height: height.get(),
        block: block.into(),
        entries: store.entries(&range)?.into_iter().map(Bytes::from).collect(),
        first_leaf_index: range.first_leaf.get(),
        certificate: store.certificate(height)?.into(),
        checkpoint,
        checkpoint_height,
        block_hash: block_id.map_or_else(Bytes::new, |id| Bytes::copy_from_slice(id.as_bytes())),
    }))
}
