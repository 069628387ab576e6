//! The door of the portal: reads who calls, hands the request on, and nothing else.

use std::sync::Arc;

use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::portal::v1 as wire;
use tallystick_proto::portal::v1::portal_service_server::PortalService;
use tallystick_service::identity::{PeerIdentity, Role};
use tallystick_service::inflight::HeldByAnswer;
use tonic::{Request, Response, Status};

use super::ApiContext;
use super::fetched::Fetched;
use crate::documents::TAKEN_WITHIN;

/// The service.
#[derive(Clone)]
pub struct PortalApi {
    context: Arc<ApiContext>,
}

impl PortalApi {
    /// The service over this context.
    pub fn new(context: Arc<ApiContext>) -> Self {
        Self { context }
    }
}

/// Lets a portal in and nobody else, as the authorisation layer has, too.
fn portals<T>(request: Request<T>) -> Result<(PeerIdentity, T), Refusal> {
    match request.extensions().get::<PeerIdentity>() {
        Some(identity) if identity.role == Role::Portal => Ok((identity.clone(), request.into_inner())),
        Some(_) => Err(Refusal::new(CallReason::NotPermitted)),
        None => Err(Refusal::new(CallReason::NotAuthenticated)),
    }
}

/// A document holds its room until the portal has taken it.
fn answer(Fetched { response, room }: Fetched) -> Response<wire::FetchResponse> {
    let mut answer = Response::new(response);
    if let Some(room) = room {
        answer.extensions_mut().insert(HeldByAnswer::new(room, TAKEN_WITHIN));
    }
    answer
}

#[tonic::async_trait]
impl PortalService for PortalApi {
    async fn fetch(&self, request: Request<wire::FetchRequest>) -> Result<Response<wire::FetchResponse>, Status> {
        let (portal, request) = portals(request)?;
        Ok(answer(self.context.fetch(Some(&portal), request).await?))
    }

    async fn fetch_by_reference(
        &self,
        request: Request<wire::FetchByReferenceRequest>,
    ) -> Result<Response<wire::FetchResponse>, Status> {
        let (portal, request) = portals(request)?;
        Ok(answer(self.context.fetch_by_reference(Some(&portal), request).await?))
    }

    async fn elements(
        &self,
        request: Request<wire::ElementsRequest>,
    ) -> Result<Response<wire::ElementsResponse>, Status> {
        Ok(Response::new(self.context.elements(portals(request)?.1).await?))
    }
}
