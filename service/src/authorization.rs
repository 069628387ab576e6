//! Who may call what: one table, method path → roles. What is not in the table, or not served at this port, is unknown.
//!
//! The layer reads the caller from the connection ([`crate::tls::ConnectionInfo`]), refuses with `NOT_AUTHENTICATED`,
//! `METHOD_UNKNOWN` or `NOT_PERMITTED`, and puts the [`PeerIdentity`](crate::identity::PeerIdentity) into the request extensions for
//! what only the method can judge (the units of a system). A certificate that expired during a long connection is refused at the next
//! request, and ends the answers that are streams (`until`).

use std::sync::Arc;

use http::Request;
use tallystick_proto::errors::{CallReason, Refusal};
use tonic::body::Body;
use tower::Layer;

use crate::around::{Answering, Around, Inner, Layered, at_once};
use crate::clock::Clock;
use crate::identity::{Named, Role};
use crate::tls::ConnectionInfo;

mod until;

use until::Until;

/// One row: a method and who may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodRule {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// Roles that may call it.
    pub roles: &'static [Role],
}

const SYSTEM: &[Role] = &[Role::System];
const ISSUER: &[Role] = &[Role::Issuer];
const PORTAL: &[Role] = &[Role::Portal];
const VALIDATOR: &[Role] = &[Role::Validator];
const OPERATOR: &[Role] = &[Role::Operator];
const LEDGER_READERS: &[Role] = &[Role::Issuer, Role::Validator, Role::Auditor, Role::Operator];
const ANYBODY: &[Role] = Role::ALL;
/// Who looks round. Programs that call by themselves know what they call; and of all methods but the validators' own, these alone have requests
/// that a server may leave unread for as long as the caller likes, and so no place behind a large window (`node/src/servers.rs`).
const PEOPLE: &[Role] = &[Role::System, Role::Auditor, Role::Operator, Role::Claimer];

const fn rule(path: &'static str, roles: &'static [Role]) -> MethodRule {
    MethodRule { path, roles }
}

/// Every method of every service, by its path `/package.Service/Method`, with the roles that may call it. A method that is not here
/// cannot be called.
pub const METHOD_RULES: &[MethodRule] = &[
    rule("/tallystick.issuer.v1.IssuerService/Issue", SYSTEM),
    rule("/tallystick.issuer.v1.IssuerService/IssueMany", SYSTEM),
    rule("/tallystick.issuer.v1.IssuerService/GetReceipt", SYSTEM),
    rule("/tallystick.issuer.v1.IssuerService/GetBundle", SYSTEM),
    rule("/tallystick.issuer.v1.IssuerService/GetDocument", SYSTEM),
    rule("/tallystick.issuer.v1.IssuerService/ListReceipts", SYSTEM),
    rule("/tallystick.issuer.v1.IssuerService/DayTotals", SYSTEM),
    rule("/tallystick.issuer.v1.IssuerService/Watch", SYSTEM),
    rule("/tallystick.issuer.v1.IssuerService/Reverse", SYSTEM),
    rule("/tallystick.issuer.v1.IssuerService/Resubmit", SYSTEM),
    // Whoever faces the Internet: what its caller knows is judged by the issuer, which counts the tries.
    rule("/tallystick.portal.v1.PortalService/Fetch", PORTAL),
    rule("/tallystick.portal.v1.PortalService/FetchByReference", PORTAL),
    rule("/tallystick.portal.v1.PortalService/Elements", PORTAL),
    rule("/tallystick.ledger.v1.LedgerService/SubmitBatch", ISSUER),
    // Blocks hold records: volumes and totals of every unit.
    rule("/tallystick.ledger.v1.LedgerService/GetBlock", LEDGER_READERS),
    rule("/tallystick.ledger.v1.LedgerService/StreamBlocks", LEDGER_READERS),
    rule("/tallystick.ledger.v1.LedgerService/GetInclusionProof", ANYBODY),
    rule("/tallystick.ledger.v1.LedgerService/GetConsistencyProof", ANYBODY),
    rule("/tallystick.ledger.v1.LedgerService/GetCheckpoint", ANYBODY),
    rule("/tallystick.ledger.v1.LedgerService/GetReceiptState", ANYBODY),
    rule("/tallystick.peer.v1.PeerService/AnnounceBatches", VALIDATOR),
    rule("/tallystick.peer.v1.PeerService/ForwardBatch", VALIDATOR),
    rule("/tallystick.peer.v1.PeerService/ForwardGovernance", VALIDATOR),
    rule("/tallystick.peer.v1.PeerService/ExchangeCosignatures", VALIDATOR),
    rule("/tallystick.peer.v1.PeerService/GetCosignatures", VALIDATOR),
    rule("/tallystick.peer.v1.PeerService/Converse", VALIDATOR),
    rule("/tallystick.peer.v1.PeerService/FetchDecided", VALIDATOR),
    // Governance carries its own k of n signatures; the role only keeps strangers off the pool.
    rule("/tallystick.admin.v1.AdminService/SubmitGovernance", OPERATOR),
    rule("/tallystick.admin.v1.AdminService/ListUnits", LEDGER_READERS),
    rule("/tallystick.admin.v1.AdminService/ListSystems", LEDGER_READERS),
    rule("/tallystick.admin.v1.AdminService/ListKeys", LEDGER_READERS),
    rule("/tallystick.admin.v1.AdminService/ListSegments", LEDGER_READERS),
    rule("/tallystick.admin.v1.AdminService/ListIssuers", LEDGER_READERS),
    rule("/tallystick.admin.v1.AdminService/ReadRegistry", LEDGER_READERS),
    // A trial makes the node execute actions, which is work. Only callers that may submit governance may ask for it.
    rule("/tallystick.admin.v1.AdminService/TryGovernance", OPERATOR),
    rule("/tallystick.admin.v1.AdminService/GetNodeStatus", LEDGER_READERS),
    rule("/tallystick.verifier.v1.VerifierService/VerifyBundle", ANYBODY),
    rule("/grpc.health.v1.Health/Check", ANYBODY),
    rule("/grpc.health.v1.Health/List", ANYBODY),
    rule("/grpc.health.v1.Health/Watch", ANYBODY),
    rule("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", PEOPLE),
    rule("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", PEOPLE),
];

/// Methods whose answer may last as long as the connection.
const STREAMS: &[&str] = &[
    "/tallystick.issuer.v1.IssuerService/Watch",
    "/tallystick.ledger.v1.LedgerService/StreamBlocks",
    "/tallystick.peer.v1.PeerService/Converse",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The roles that may call a method; `None` if the table does not have it.
pub fn roles_of(path: &str) -> Option<&'static [Role]> {
    METHOD_RULES.iter().find(|rule| rule.path == path).map(|rule| rule.roles)
}

fn expired() -> Refusal {
    let message = "the client certificate has expired; connect again with a new one";
    Refusal::new(CallReason::NotAuthenticated).with_message(message)
}

/// Services that every port of ours has besides its own.
pub const COMMON_SERVICES: &[&str] =
    &["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// Judges one call at a port that has `services` besides the common ones; `None`: everything in the table.
fn judge(
    path: &str,
    connection: Option<&ConnectionInfo>,
    clock: &dyn Clock,
    services: Option<&[&str]>,
) -> Result<Named, Refusal> {
    let refuse = |message: String| Refusal::new(CallReason::NotAuthenticated).with_message(message);
    let connection = connection.ok_or_else(|| refuse("the call did not come over mutual TLS".to_owned()))?;
    let named = connection.peer.as_ref().map_err(|error| refuse(error.to_string()))?;
    if clock.now() > named.valid_until {
        return Err(expired());
    }
    let role = named.identity.role;
    let service = path.strip_prefix('/').and_then(|path| path.split_once('/')).map_or("", |(service, _)| service);
    let served = services.is_none_or(|services| services.contains(&service) || COMMON_SERVICES.contains(&service));
    match roles_of(path).filter(|_| served) {
        Some(roles) if roles.contains(&role) => Ok(named.clone()),
        Some(_) => Err(Refusal::new(CallReason::NotPermitted).with_message(format!("a {role} may not call {path}"))),
        None => Err(Refusal::new(CallReason::MethodUnknown)),
    }
}

/// Lets through what the table allows. Put it around all services of a server.
#[derive(Debug, Clone)]
pub struct AuthorizationLayer {
    clock: Arc<dyn Clock>,
    services: Option<&'static [&'static str]>,
}

impl AuthorizationLayer {
    /// A layer; the clock judges whether a certificate is still valid.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, services: None }
    }

    /// At a port that has these services (`package.Service`) and the common ones: what others have is unknown here, whoever calls.
    #[must_use]
    pub fn serving(self, services: &'static [&'static str]) -> Self {
        Self { services: Some(services), ..self }
    }
}

impl<S> Layer<S> for AuthorizationLayer {
    type Service = Layered<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(inner, self)
    }
}

impl<B> Around<B> for AuthorizationLayer {
    fn answer<S: Inner<B>>(&self, inner: &mut S, mut request: Request<B>) -> Answering<S::Error> {
        let connection = request.extensions().get::<ConnectionInfo>();
        match judge(request.uri().path(), connection, self.clock.as_ref(), self.services) {
            Ok(named) => {
                let lasts = STREAMS.contains(&request.uri().path());
                request.extensions_mut().insert(named.identity);
                let answer = inner.call(request);
                if !lasts {
                    return Box::pin(answer);
                }
                let (clock, valid_until) = (Arc::clone(&self.clock), named.valid_until);
                Box::pin(async move { Ok(answer.await?.map(|body| Body::new(Until::new(body, clock, valid_until)))) })
            }
            Err(refusal) => at_once(refusal.to_status().into_http()),
        }
    }
}

#[cfg(test)]
mod tests;
