//! What nodes tell a node that is behind.
//!
//! ```text
//! status    tip u64 · lowest height u64 · peer id (the rest, at most 64)
//! request   first u64 · last u64 (not below first)
//! response  first height u64 · count u16 · count × (length u32 · block · certificate)
//! ```
//! Certificates in their canonical bytes. A status raises the highest known peer tip.

use std::ops::RangeInclusive;

use bytes::Bytes;
use malachitebft_app_channel::app::types::PeerId;
use malachitebft_app_channel::app::types::codec::HasEncodedLen;
use malachitebft_app_channel::app::types::core::{ExtendedCommitCertificate, VoteExtensions};
use malachitebft_app_channel::app::types::sync::{RawDecidedValue, Request, Response, Status};
use malachitebft_sync::{ValueRequest, ValueResponse};

use super::{ChainCodec, Wire};
use crate::certificate::{Certificate, DecidedValue};
use crate::context::{ChainContext, ChainHeight};
use crate::wire::{CodecError, Reader, put_count};

/// Values in one response at most; more than is ever asked for.
const VALUES_MAX: usize = 1024;
const PEER_ID_BYTES_MAX: usize = 64;

impl Wire for Status<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        self.tip_height.write(out);
        self.history_min_height.write(out);
        out.extend_from_slice(&self.peer_id.to_bytes());
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let (tip_height, history_min_height) = (ChainHeight::read(reader)?, ChainHeight::read(reader)?);
        let peer_id = reader.rest();
        if peer_id.len() > PEER_ID_BYTES_MAX {
            return Err(CodecError::Invalid("peer id length"));
        }
        let peer_id = PeerId::from_bytes(&peer_id).map_err(|_| CodecError::Invalid("peer id"))?;
        Ok(Self { peer_id, tip_height, history_min_height })
    }

    fn noted(&self, codec: &ChainCodec) {
        let tip = self.tip_height.0;
        codec.peer_tip.send_if_modified(|known| {
            let higher = tip > *known;
            *known = tip.max(*known);
            higher
        });
    }
}

impl Wire for Request<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        let Self::ValueRequest(request) = self;
        request.range.start().write(out);
        request.range.end().write(out);
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let (first, last) = (ChainHeight::read(reader)?, ChainHeight::read(reader)?);
        if last < first {
            return Err(CodecError::Invalid("empty range"));
        }
        Ok(Self::ValueRequest(ValueRequest::new(first..=last)))
    }
}

impl Wire for RawDecidedValue<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.value_bytes.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.value_bytes);
        // A certificate without round or signatures does not occur. If it did, nothing would be written, and every reader would refuse that.
        if let Some(certificate) = Certificate::from_engine(&self.certificate.trim_vote_extensions()) {
            out.extend_from_slice(&certificate.encode());
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let length = reader.u32()? as usize;
        let value_bytes = reader.bytes(length)?;
        Ok(raw_decided_value(value_bytes, &Certificate::read(reader)?))
    }
}

/// Which heights a request asks for.
pub(crate) fn asked_heights(request: Bytes) -> Result<RangeInclusive<u64>, CodecError> {
    let Request::ValueRequest(request) = Request::from_bytes(request)?;
    Ok(request.range.start().0..=request.range.end().0)
}

/// The response that these blocks are, from this height on.
pub(crate) fn response(first: u64, values: Vec<DecidedValue>) -> Response<ChainContext> {
    let values = values.into_iter().map(|value| raw_decided_value(value.bytes, &value.certificate));
    Response::ValueResponse(ValueResponse::new(ChainHeight(first), values.collect()))
}

/// A decided value in the engine's form.
pub(super) fn raw_decided_value(bytes: Bytes, certificate: &Certificate) -> RawDecidedValue<ChainContext> {
    let extended = ExtendedCommitCertificate::from_commit_certificate_and_extensions(
        certificate.to_engine(),
        VoteExtensions::default(),
    );
    RawDecidedValue::new(bytes, extended)
}

impl Wire for Response<ChainContext> {
    fn write(&self, out: &mut Vec<u8>) {
        let Self::ValueResponse(response) = self;
        response.start_height.write(out);
        put_count(out, response.values.len());
        for value in &response.values {
            value.write(out);
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let start = ChainHeight::read(reader)?;
        let count = reader.count(VALUES_MAX)?;
        let values = (0..count).map(|_| RawDecidedValue::read(reader)).collect::<Result<_, _>>()?;
        Ok(Self::ValueResponse(ValueResponse::new(start, values)))
    }
}

impl HasEncodedLen<Response<ChainContext>> for ChainCodec {
    fn encoded_len(&self, message: &Response<ChainContext>) -> Result<usize, CodecError> {
        let Response::ValueResponse(response) = message;
        let values: usize = response
            .values
            .iter()
            .map(|value| 4 + value.value_bytes.len() + 46 + 68 * value.certificate.commit_signatures.len())
            .sum();
        Ok(8 + 2 + values)
    }
}
