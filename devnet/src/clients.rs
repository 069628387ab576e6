//! gRPC clients over mTLS, as any of the callers of the network.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tallystick_proto::admin::v1::admin_service_client::AdminServiceClient;
use tallystick_proto::issuer::v1::issuer_service_client::IssuerServiceClient;
use tallystick_proto::ledger::v1::ledger_service_client::LedgerServiceClient;
use tallystick_proto::portal::v1::portal_service_client::PortalServiceClient;
use tallystick_service::durable;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::callers::Caller;
use crate::layout::{CertificateFiles, Layout};

/// Client of the issuer's service, as business systems use it.
pub type IssuerClient = IssuerServiceClient<Channel>;
/// Client of the issuer's service for portals.
pub type PortalClient = PortalServiceClient<Channel>;
/// What auditors and verifiers read.
pub type LedgerClient = LedgerServiceClient<Channel>;
/// Client of a node's admin service, as operators use it.
pub type AdminClient = AdminServiceClient<Channel>;

/// Answers above this are refused: two blocks of 4 MiB and their entries fit.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes on their way per connection and stream: blocks and full `IssueMany` answers are megabytes.
const PEM_BYTES_MAX: usize = 1024 * 1024;
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// An endpoint at `address` that names the caller by its certificate. Nothing is connected yet.
pub fn endpoint(layout: &Layout, address: SocketAddr, caller: Caller) -> Result<Endpoint> {
    let files = certificate_files(layout, caller);
    let read = |path: &std::path::Path| durable::read(path, PEM_BYTES_MAX);
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read(&layout.ca().cert)?))
        .identity(Identity::from_pem(read(&files.cert)?, read(&files.key)?))
        .domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://{address}")).context("make the endpoint")?;
    let endpoint = endpoint.tls_config(tls).context("set up TLS")?.connect_timeout(CONNECT_TIMEOUT);
    Ok(endpoint.initial_connection_window_size(WINDOW_BYTES).initial_stream_window_size(WINDOW_BYTES).tcp_nodelay(true))
}

/// A client of an issuer.
pub fn issuer_client(channel: Channel) -> IssuerClient {
    IssuerServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// A client of an issuer's service for portals.
pub fn portal_client(channel: Channel) -> PortalClient {
    PortalServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// A client of a node's ledger service.
pub fn ledger_client(channel: Channel) -> LedgerClient {
    LedgerServiceClient::new(channel)
        .max_decoding_message_size(ANSWER_BYTES_MAX)
        .max_encoding_message_size(ANSWER_BYTES_MAX)
}

/// A client of a node's admin service.
pub fn admin_client(channel: Channel) -> AdminClient {
    AdminServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// The certificate of a caller.
pub fn certificate_files(layout: &Layout, caller: Caller) -> CertificateFiles {
    let own = |directory: std::path::PathBuf, name: &str| CertificateFiles {
        cert: directory.join("tls").join(format!("{name}.pem")),
        key: directory.join("tls").join(format!("{name}.key")),
    };
    match caller {
        Caller::Validator(id) => own(layout.node(id), "node"),
        Caller::Issuer(id) => own(layout.issuer(id), "issuer"),
        client => layout.client(&client.name()),
    }
}
