//! GetDocument: who may read a receipt's bundle may have it as a document.

use bytes::Bytes;
use receipt_core::ids::SystemId;
use tallystick_document::Paper;
use tallystick_proto::errors::Refusal;
use tallystick_proto::issuer::v1 as wire;
use tallystick_service::callers::Place;
use tallystick_service::identity::PeerIdentity;

use super::{ApiContext, key_to_wire};
use crate::documents::{Kind, unconfigured};

impl ApiContext {
    /// A document, and the room that it holds until it is taken.
    pub(super) async fn get_document(
        &self,
        system: SystemId,
        caller: Option<&PeerIdentity>,
        request: wire::GetDocumentRequest,
    ) -> Result<(wire::GetDocumentResponse, Place), Refusal> {
        let documents = self.documents.as_ref().ok_or_else(unconfigured)?;
        let kind = kind_of(&request)?;
        documents.check(kind)?;
        let selector = request.selector.map(|selector| match selector {
            wire::get_document_request::Selector::Key(key) => wire::get_bundle_request::Selector::Key(key),
            wire::get_document_request::Selector::BizKey(biz) => wire::get_bundle_request::Selector::BizKey(biz),
        });
        let key = self.bundle_key(system, selector)?;
        let (made, room) = documents.make(&self.bundler, key, kind, caller).await?;
        self.metrics.document_made(kind.name());
        let standing = match made.state.reversed_by {
            Some(_) => wire::Standing::Reversed,
            None => wire::Standing::InForce,
        };
        let response = wire::GetDocumentResponse {
            document: Bytes::from(made.bytes),
            media_type: made.media_type.to_owned(),
            file_name: made.file_name,
            page_count: u32::try_from(made.page_count).unwrap_or(u32::MAX),
            standing: standing.into(),
            reversed_by: made.state.reversed_by.map(key_to_wire),
            as_of_seconds: made.state.as_of.get(),
            snapshot_height: made.snapshot_height,
        };
        Ok((response, room))
    }
}

/// What a request asks for. Options of another format are an error: the caller means something else.
fn kind_of(request: &wire::GetDocumentRequest) -> Result<Kind, Refusal> {
    use wire::{DocumentFormat as F, SlipPaper as P};
    let unknown = |field| Refusal::field(field, "is no value of this schema");
    let format = F::try_from(request.format).map_err(|_| unknown("format"))?;
    let paper = P::try_from(request.slip_paper).map_err(|_| unknown("slip_paper"))?;
    if format != F::Slip && paper != P::Unspecified {
        return Err(Refusal::field("slip_paper", "is for DOCUMENT_FORMAT_SLIP"));
    }
    if format != F::Png && request.page != 0 {
        return Err(Refusal::field("page", "is for DOCUMENT_FORMAT_PNG: the others have all pages"));
    }
    Ok(match format {
        F::Unspecified => return Err(Refusal::field("format", "is missing: PDF, OFD, XML, PNG or SLIP")),
        F::Pdf => Kind::Pdf,
        F::Ofd => Kind::Ofd,
        F::Xml => Kind::Xml,
        F::Png => Kind::Png(usize::try_from(request.page.saturating_sub(1)).unwrap_or(usize::MAX)),
        F::Slip if paper == P::SlipPaper58Mm => Kind::Slip(Paper::Mm58),
        F::Slip => Kind::Slip(Paper::Mm80),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_one_thing() {
        use wire::{DocumentFormat as F, SlipPaper as P};
        let of = |format: F, slip_paper: P, page| {
            let request = wire::GetDocumentRequest {
                format: format.into(),
                slip_paper: slip_paper.into(),
                page,
                ..wire::GetDocumentRequest::default()
            };
            kind_of(&request).map_err(|refusal| refusal.violations[0].field.clone())
        };
        let refused = |field: &str| Err(field.to_owned());
        for (format, paper, page, expected) in [
            (F::Pdf, P::Unspecified, 0, Ok(Kind::Pdf)),
            (F::Ofd, P::Unspecified, 0, Ok(Kind::Ofd)),
            (F::Xml, P::Unspecified, 0, Ok(Kind::Xml)),
            (F::Png, P::Unspecified, 0, Ok(Kind::Png(0))),
            (F::Png, P::Unspecified, 1, Ok(Kind::Png(0))),
            (F::Png, P::Unspecified, 7, Ok(Kind::Png(6))),
            (F::Slip, P::Unspecified, 0, Ok(Kind::Slip(Paper::Mm80))),
            (F::Slip, P::SlipPaper80Mm, 0, Ok(Kind::Slip(Paper::Mm80))),
            (F::Slip, P::SlipPaper58Mm, 0, Ok(Kind::Slip(Paper::Mm58))),
            (F::Unspecified, P::Unspecified, 0, refused("format")),
            (F::Pdf, P::SlipPaper58Mm, 0, refused("slip_paper")),
            (F::Slip, P::SlipPaper58Mm, 1, refused("page")),
            (F::Pdf, P::Unspecified, 2, refused("page")),
        ] {
            assert_eq!(of(format, paper, page), expected, "{format:?} {paper:?} {page}");
        }
        let odd = wire::GetDocumentRequest { format: 99, ..wire::GetDocumentRequest::default() };
        assert_eq!(kind_of(&odd).unwrap_err().violations[0].field, "format");
    }
}
