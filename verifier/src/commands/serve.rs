//! `serve`: reads files, binds, says where, serves until SIGTERM. Certificate and key are read again while it runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tallystick_service::clock::{Clock, SystemClock};
use tallystick_service::exit::Exit;
use tallystick_service::outln;
use tallystick_service::shutdown::{CancellationToken, Tasks, on_signals};
use tallystick_service::telemetry::{self, LogConfig};
use tallystick_service::tls::{OwnFiles, PublicTls};
use tallystick_verifier::serve::{Listeners, ServeOptions, start};
use tokio::net::TcpListener;

use super::{Failure, OrExit, read_trust};
use crate::cli::ServeArguments;

/// From the signal to the end.
const DRAIN_DEADLINE: Duration = Duration::from_secs(35);

pub(super) fn run(arguments: &ServeArguments) -> Result<Exit, Failure> {
    // For a service these files are configuration: if one is missing or wrong, restarting does not help (exit code 64).
    let as_config = |failure| Failure { exit: Exit::Usage, ..failure };
    let trust = Arc::new(read_trust(&arguments.trust).map_err(as_config)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => {
            let files = OwnFiles { certificate_chain: certificate.clone(), private_key: key.clone() };
            Some(PublicTls::load(files, Arc::clone(&clock)).or_exit(Exit::Usage)?)
        }
        _ => None,
    };
    telemetry::init(&LogConfig::default()).or_exit(Exit::Usage)?;
    let options = ServeOptions { tls, ..ServeOptions::default() };
    let options = if arguments.behind_proxy { options.behind_proxy() } else { options };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("starting the runtime").or_exit(Exit::NoAccess)?.block_on(async {
        let (grpc, address) = bind(arguments.listen).await?;
        let (metrics, metrics_address) = match arguments.metrics {
            Some(address) => Some(bind(address).await?),
            None => None,
        }
        .unzip();
        let token = CancellationToken::new();
        let mut tasks = Tasks::new(token.clone());
        tasks.spawn("signals", on_signals(token).context("listening for signals").or_exit(Exit::NoAccess)?);
        start(&mut tasks, Listeners { grpc, metrics }, trust, clock, &options).or_exit(Exit::Usage)?;
        // The process that started this one may wait for these lines. If nobody reads them, the service runs on.
        outln!("listening on {address}");
        if let Some(address) = metrics_address {
            outln!("metrics on {address}");
        }
        tasks.run(DRAIN_DEADLINE).await.context("serving").or_exit(Exit::Bad)?;
        Ok(Exit::Good)
    })
}

/// A listener, and its address.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("listening on {address}")).or_exit(Exit::NoAccess)?;
    let bound = listener.local_addr().context("reading the bound address").or_exit(Exit::NoAccess)?;
    Ok((listener, bound))
}
