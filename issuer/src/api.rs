//! The gRPC door: reads the caller, hands the request on, and nothing else.
//!
//! Not here: transport security and which role may call which method (the service kit), what a call does (the files below).

use std::sync::Arc;

use receipt_core::ids::{ReceiptCode, ReceiptKey, ReceiptNumber, SystemId};
use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::issuer::v1 as wire;
use tallystick_proto::issuer::v1::issuer_service_server::IssuerService;
use tallystick_service::identity::{PeerIdentity, Role};
use tallystick_service::inflight::HeldByAnswer;
use tonic::{Request, Response, Status};

use crate::documents::TAKEN_WITHIN;

mod answers;
mod context;
mod documents;
mod fetched;
mod fetching;
mod issuing;
mod portal;
mod queries;
mod resubmitting;
mod reversing;
mod watching;

#[cfg(test)]
mod tests;

pub use context::ApiContext;
pub use portal::PortalApi;
pub use watching::OutcomeStream;

/// The service.
#[derive(Clone)]
pub struct IssuerApi {
    context: Arc<ApiContext>,
}

impl IssuerApi {
    /// The service over this context.
    pub fn new(context: Arc<ApiContext>) -> Self {
        Self { context }
    }
}

/// The calling system, as the authorisation layer read it from the certificate.
fn caller<T>(request: &Request<T>) -> Result<SystemId, Refusal> {
    match request.extensions().get::<PeerIdentity>() {
        Some(identity) if identity.role == Role::System => Ok(SystemId::new(identity.id)),
        Some(_) => Err(Refusal::new(CallReason::NotPermitted)),
        None => Err(Refusal::new(CallReason::NotAuthenticated)),
    }
}

#[tonic::async_trait]
impl IssuerService for IssuerApi {
    async fn issue(&self, request: Request<wire::IssueRequest>) -> Result<Response<wire::IssueResponse>, Status> {
        let system = caller(&request)?;
        Ok(Response::new(self.context.issue(system, request.into_inner()).await?))
    }

    async fn issue_many(
        &self,
        request: Request<wire::IssueManyRequest>,
    ) -> Result<Response<wire::IssueManyResponse>, Status> {
        let system = caller(&request)?;
        Ok(Response::new(self.context.issue_many(system, request.into_inner()).await?))
    }

    async fn get_receipt(
        &self,
        request: Request<wire::GetReceiptRequest>,
    ) -> Result<Response<wire::GetReceiptResponse>, Status> {
        let system = caller(&request)?;
        Ok(Response::new(self.context.get_receipt(system, request.into_inner())?))
    }

    async fn get_bundle(
        &self,
        request: Request<wire::GetBundleRequest>,
    ) -> Result<Response<wire::GetBundleResponse>, Status> {
        let system = caller(&request)?;
        Ok(Response::new(self.context.get_bundle(system, request.into_inner()).await?))
    }

    async fn get_document(
        &self,
        request: Request<wire::GetDocumentRequest>,
    ) -> Result<Response<wire::GetDocumentResponse>, Status> {
        let system = caller(&request)?;
        let identity = request.extensions().get::<PeerIdentity>().cloned();
        let (document, room) = self.context.get_document(system, identity.as_ref(), request.into_inner()).await?;
        let mut answer = Response::new(document);
        answer.extensions_mut().insert(HeldByAnswer::new(room, TAKEN_WITHIN));
        Ok(answer)
    }

    async fn list_receipts(
        &self,
        request: Request<wire::ListReceiptsRequest>,
    ) -> Result<Response<wire::ListReceiptsResponse>, Status> {
        let system = caller(&request)?;
        Ok(Response::new(tokio::task::block_in_place(|| self.context.list_receipts(system, &request.into_inner()))?))
    }

    async fn day_totals(
        &self,
        request: Request<wire::DayTotalsRequest>,
    ) -> Result<Response<wire::DayTotalsResponse>, Status> {
        let system = caller(&request)?;
        Ok(Response::new(self.context.day_totals(system, &request.into_inner())?))
    }

    type WatchStream = OutcomeStream;

    async fn watch(&self, request: Request<wire::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let system = caller(&request)?;
        Ok(Response::new(ApiContext::watch(&self.context, system, &request.into_inner())?))
    }

    async fn reverse(&self, request: Request<wire::ReverseRequest>) -> Result<Response<wire::IssueResponse>, Status> {
        let system = caller(&request)?;
        Ok(Response::new(self.context.reverse(system, request.into_inner()).await?))
    }

    async fn resubmit(&self, request: Request<wire::ResubmitRequest>) -> Result<Response<wire::IssueResponse>, Status> {
        let system = caller(&request)?;
        Ok(Response::new(self.context.resubmit(system, request.into_inner()).await?))
    }
}

/// Reads a receipt key.
fn key_from_wire(key: &wire::ReceiptKey) -> Result<ReceiptKey, Refusal> {
    let field = |error: receipt_core::ids::IdError| Refusal::field(format!("key.{}", error.what), error.problem);
    Ok(ReceiptKey {
        code: ReceiptCode::parse(&key.receipt_code).map_err(field)?,
        number: ReceiptNumber::parse(&key.receipt_number).map_err(field)?,
    })
}

/// Writes a receipt key.
fn key_to_wire(key: ReceiptKey) -> wire::ReceiptKey {
    wire::ReceiptKey { receipt_code: key.code.to_string(), receipt_number: key.number.to_string() }
}
