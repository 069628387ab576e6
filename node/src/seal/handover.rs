//! The last height of a validator set: its note is the way from one set to the next, and is handed on whole.
//!
//! See the invariant in `seal`: nothing larger is signed or published before it is stored here. Where a node missed its signers' lines,
//! any peer that stored the note gives it, and nothing in it is believed that the quorum of its own set has not signed.

use std::sync::PoisonError;

use receipt_core::ids::Height;
use receipt_core::note::SignedNote;

use super::{SealError, Sealer, next_of};
use crate::store::StoreError;

impl Sealer {
    /// Whether this decided height is the last of its set.
    pub(super) fn is_handover(&self, height: Height) -> Result<bool, StoreError> {
        self.ledger.begins_set(next_of(height)?)
    }

    /// The oldest handover whose note is not stored here.
    pub(crate) fn open_handover(&self) -> Result<Option<Height>, StoreError> {
        let mut handed_over = self.handed_over.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(handover) = self.ledger.store.handover_after(*handed_over)? {
            if self.ledger.store.checkpoint(handover)?.is_none() {
                return Ok(Some(handover));
            }
            *handed_over = handover;
        }
        Ok(None)
    }

    /// The stored note of a handover: for peers that lack it.
    pub(crate) fn handover_note(&self, height: Height) -> Result<Option<String>, StoreError> {
        if height > self.heights.decided_height() || !self.is_handover(height)? {
            return Ok(None);
        }
        self.ledger.store.checkpoint(height)
    }

    /// Takes the note of the oldest open handover from whoever stored it, if it is under the quorum of its own set.
    pub(crate) fn accept_handover_note(&self, height: Height, note: &str) -> Result<(), SealError> {
        if self.open_handover()? != Some(height) {
            return Ok(());
        }
        let refuse = |problem: String| SealError::Note { height, problem };
        let checkpoint = self.checkpoint_of(height)?.ok_or_else(|| refuse("the height is not decided".into()))?;
        let note = SignedNote::parse(note.as_bytes()).map_err(|error| refuse(error.to_string()))?;
        if note.text() != checkpoint.to_string() {
            return Err(refuse("it is of another tree than this node has".into()));
        }
        let assembled = self.note_keys(height)?.policy().assemble(&note);
        let notes = assembled.notes.map_err(|error| refuse(error.to_string()))?;
        {
            let _publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
            if self.ledger.store.checkpoint(height)?.is_some() {
                return Ok(());
            }
            self.publish(height, &notes)?;
        }
        self.seal_after(height)
    }

    /// After a handover's note: the newest tree whose quorum waited for it.
    pub(super) fn seal_after(&self, handover: Height) -> Result<(), SealError> {
        for height in self.held.heights_after(handover) {
            if self.seal_one(height)? && self.is_handover(height)? {
                return self.seal_after(height);
            }
        }
        Ok(())
    }
}
