//! The door of the portal: reads who calls, hands the request on, and nothing else.

use std::sync::Arc;

use tallystick_proto::errors::{CallReason, Refusal};
use tallystick_proto::portal::v1 as wire;
use tallystick_proto::portal::v1::portal_service_server::PortalService;
use tallystick_service::identity::{PeerIdentity, Role};
use tonic::{Request, Response, Status};

use super::ApiContext;

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
fn portals<T>(request: Request<T>) -> Result<T, Refusal> {
    match request.extensions().get::<PeerIdentity>() {
        Some(identity) if identity.role == Role::Portal => Ok(request.into_inner()),
        Some(_) => Err(Refusal::new(CallReason::NotPermitted)),
        None => Err(Refusal::new(CallReason::NotAuthenticated)),
    }
}

#[tonic::async_trait]
impl PortalService for PortalApi {
    async fn fetch(&self, request: Request<wire::FetchRequest>) -> Result<Response<wire::FetchResponse>, Status> {
        Ok(Response::new(self.context.fetch(portals(request)?).await?))
    }

    async fn fetch_by_reference(
        &self,
        request: Request<wire::FetchByReferenceRequest>,
    ) -> Result<Response<wire::FetchResponse>, Status> {
        Ok(Response::new(self.context.fetch_by_reference(portals(request)?).await?))
    }

    async fn elements(
        &self,
        request: Request<wire::ElementsRequest>,
    ) -> Result<Response<wire::ElementsResponse>, Status> {
        Ok(Response::new(self.context.elements(portals(request)?).await?))
    }
}
