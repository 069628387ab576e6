//! All wiring: the parts are made here, every task is started and joined here.
//!
//! ```text
//! signals · tls watch (towards people, towards nodes) · units watch · operations door · https
//! ```

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use prometheus_client::registry::Registry;
use receipt_core::hash::sha256;
use receipt_core::limits::TRUST_BYTES_MAX;
use receipt_core::trust::TrustFile;
use tallystick_service::callers::Shares;
use tallystick_service::clock::{Clock, SystemClock};
use tallystick_service::config_key::{KeyError, OfKey as _};
use tallystick_service::descriptors::Files as Descriptors;
use tallystick_service::identity::{ChainName, Role};
use tallystick_service::metrics::{self, Readiness};
use tallystick_service::rng::{OsEntropy, random_array};
use tallystick_service::shutdown::{CancellationToken, Tasks, on_signals};
use tallystick_service::tls::{CertificateWatch, DaysLeft, PublicTls, Tls, watch};
use tallystick_service::{durable, process};
use tokio::net::TcpListener;

use crate::config::Settings;
use crate::downloads::Downloads;
use crate::fetch::Fetcher;
use crate::files::Files;
use crate::issuers::Issuers;
use crate::metrics::PortalMetrics;
use crate::nodes::Nodes;
use crate::pages::Pages;
use crate::refresh::Refresher;
use crate::router::{Portal, router};
use crate::server::{self, ServerLimits};
use crate::told::Teller;
use crate::units::Units;

/// From the signal to the end.
const DRAIN_DEADLINE: Duration = Duration::from_secs(20);
/// Interval at which the certificate files are looked at.
const TLS_WATCH_INTERVAL: Duration = Duration::from_secs(10);
const SECRET_BYTES_MIN: usize = 32;
const SECRET_BYTES_MAX: usize = 4096;

/// Checks what the settings name, builds the portal, and runs it until SIGTERM, SIGINT or a fatal error; then answers the requests under
/// way, for 5 s at most.
pub async fn run(settings: Settings) -> Result<()> {
    let descriptors = Descriptors::raised();
    let trust = read_trust(&settings)?;
    let files = Files::read(&settings.page_dir).map_err(|error| KeyError::of("page_dir", &error))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chain = ChainName::parse(trust.chain_name()).of_key("trust_file")?;
    let tls = Tls::load(settings.tls.clone(), chain, Arc::clone(&clock)).context("load TLS files")?;
    check_identity(&settings, &tls)?;
    let public =
        PublicTls::load(settings.public_tls.clone(), Arc::clone(&clock)).context("load the public TLS files")?;
    let token = CancellationToken::new();
    let mut tasks = Tasks::new(token.clone());
    let mut registry = Registry::default();
    let portal_metrics = PortalMetrics::register(&mut registry);
    process::register(&mut registry, "tallystick-portal", env!("CARGO_PKG_VERSION"));
    let units = settings.directory_file.as_ref().map(|path| Arc::new(Units::read(path, trust.clone())));
    let (pages, teller) = (Pages::new(trust.is_test()), Teller::new(trust.clone(), Arc::clone(&clock)));
    let known = (trust, Arc::clone(&clock));
    let nodes = Nodes::new(&tls, &settings.nodes, known, settings.node_timeout(), portal_metrics.clone());
    let nodes = nodes.of_key("nodes")?;
    let refresher = Refresher::new(nodes, &settings.refresh, &settings.limits, portal_metrics.clone());
    let issuers = issuers(&settings, &tls)?;
    let https = TcpListener::bind(settings.listen.https).await.of_key("listen.https")?;
    let operations = TcpListener::bind(settings.listen.metrics).await.of_key("listen.metrics")?;
    let downloads = Downloads::new(Duration::from_secs(settings.fetch.download_seconds), Arc::new(OsEntropy));
    let downloads = Arc::new(downloads);
    let portal = Arc::new(Portal {
        files,
        units: units.clone(),
        refresher,
        fetcher: Fetcher::new(issuers, &settings.limits, portal_metrics.clone()),
        pages,
        teller,
        downloads: Arc::clone(&downloads),
        places: Shares::new(settings.limits.requests_max, settings.limits.source_requests_max),
        metrics: portal_metrics.clone(),
    });

    let readiness = Readiness::new();
    let watching = |part, days_left: &DaysLeft| CertificateWatch {
        interval: TLS_WATCH_INTERVAL,
        ready: readiness.part(part),
        days_left: days_left.clone(),
    };
    tasks.spawn("signals", on_signals(token.clone())?);
    let watched = watching("tls", &portal_metrics.tls_certificate_days_left);
    tasks.spawn("tls-watch", watch(tls, watched, token.clone()));
    let watched = watching("public_tls", &portal_metrics.public_certificate_days_left);
    tasks.spawn("public-tls-watch", watch(Arc::clone(&public), watched, token.clone()));
    if let Some(units) = units {
        tasks.spawn("units-watch", units.watch(clock, portal_metrics.clone(), token.clone()));
    }
    tasks.spawn("downloads", downloads.forget(token.clone()));
    let [connections_max] = descriptors.connections([settings.limits.connections_max]);
    let limits = ServerLimits::new(&settings.limits, connections_max);
    tasks.spawn("https", server::serve(https, public, router(portal), (limits, portal_metrics), token.clone()));
    tasks.spawn("metrics", metrics::serve(operations, registry, readiness, token.clone()));
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(version, https = %settings.listen.https, metrics = %settings.listen.metrics, "the portal starts");
    tasks.run(DRAIN_DEADLINE).await.context("run")
}

fn read_trust(settings: &Settings) -> Result<TrustFile> {
    let bytes = durable::read(&settings.trust_file, TRUST_BYTES_MAX).of_key("trust_file")?;
    let text = std::str::from_utf8(&bytes).of_key("trust_file")?;
    Ok(TrustFile::parse(text).of_key("trust_file")?)
}

fn issuers(settings: &Settings, tls: &Arc<Tls>) -> Result<Issuers> {
    let secret = match &settings.source_secret_file {
        None => random_array(&OsEntropy).context("draw the secret of sources")?,
        Some(path) => read_secret(path)?,
    };
    let timeout = Duration::from_millis(settings.fetch.call_timeout_ms);
    Ok(Issuers::new(tls, &settings.issuers, &settings.segments, secret, timeout).of_key("issuers")?)
}

fn read_secret(path: &std::path::Path) -> Result<[u8; 32]> {
    let key = "source_secret_file";
    durable::check_private(path).of_key(key)?;
    let bytes = durable::read(path, SECRET_BYTES_MAX).of_key(key)?;
    if bytes.len() < SECRET_BYTES_MIN {
        let problem = format!("must have at least {SECRET_BYTES_MIN} random bytes, has {}", bytes.len());
        return Err(KeyError::config(key, problem).into());
    }
    Ok(*sha256(&[&bytes]).as_bytes())
}

fn check_identity(settings: &Settings, tls: &Tls) -> Result<()> {
    let own = tls.identity();
    if own.role != Role::Portal || own.id != settings.portal_id {
        let problem = format!("the certificate is of {own}, the config of portal {}", settings.portal_id);
        return Err(KeyError::config("tls.certificate_chain", problem).into());
    }
    Ok(())
}
