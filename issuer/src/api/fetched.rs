//! What a portal is handed for a receipt that was fetched: the bundle, or a document drawn here.

use bytes::Bytes;
use receipt_core::ids::ReceiptKey;
use tallystick_proto::errors::Refusal;
use tallystick_proto::portal::v1 as wire;
use tallystick_service::callers::Place as Room;
use tallystick_service::identity::PeerIdentity;

use super::ApiContext;
use crate::documents::{Kind, unconfigured};

/// An answer, and the room that a document in it holds until the portal has taken it.
pub(super) struct Fetched {
    pub(super) response: wire::FetchResponse,
    pub(super) room: Option<Room>,
}

impl ApiContext {
    /// The receipt as a file, and the room that a document holds.
    pub(super) async fn file_of(
        &self,
        key: ReceiptKey,
        form: Option<Kind>,
        caller: Option<&PeerIdentity>,
    ) -> Result<(wire::Document, Option<Room>), Refusal> {
        match form {
            None => Ok((self.bundle_file(key).await?, None)),
            Some(kind) => self.drawn(key, kind, caller).await,
        }
    }

    async fn drawn(
        &self,
        key: ReceiptKey,
        kind: Kind,
        caller: Option<&PeerIdentity>,
    ) -> Result<(wire::Document, Option<Room>), Refusal> {
        let documents = self.documents.as_ref().ok_or_else(unconfigured)?;
        let (made, room) = documents.make(&self.bundler, key, kind, caller).await?;
        self.metrics.document_made(kind.name());
        let document = wire::Document {
            content: Bytes::from(made.bytes),
            media_type: made.media_type.to_owned(),
            file_name: made.file_name,
            page_count: u32::try_from(made.page_count).unwrap_or(u32::MAX),
            snapshot_height: made.snapshot_height,
        };
        Ok((document, Some(room)))
    }

    /// What can be had here: `None` is the bundle. Judged before a try is counted, and of every receipt alike.
    pub(super) fn form_of(&self, format: i32, page: u32) -> Result<Option<Kind>, Refusal> {
        use wire::Format as F;
        let unknown = || Refusal::field("format", "is none of this schema");
        let format = F::try_from(format).map_err(|_| unknown())?;
        if format != F::Png && page != 0 {
            return Err(Refusal::field("page", "is of a PNG alone"));
        }
        let kind = match format {
            F::Unspecified => return Err(unknown()),
            F::Bundle => return Ok(None),
            F::Pdf => Kind::Pdf,
            F::Ofd => Kind::Ofd,
            F::Xml => Kind::Xml,
            F::Png => Kind::Png(usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX)),
        };
        self.documents.as_ref().ok_or_else(unconfigured)?.check(kind)?;
        Ok(Some(kind))
    }

    async fn bundle_file(&self, key: ReceiptKey) -> Result<wire::Document, Refusal> {
        let bundle = self.bundler.assemble(key).await?;
        Ok(wire::Document {
            content: Bytes::from(bundle.bytes),
            media_type: "application/octet-stream".to_owned(),
            file_name: format!("{}-{}.tally", key.code, key.number),
            page_count: 0,
            snapshot_height: bundle.snapshot_height,
        })
    }
}
