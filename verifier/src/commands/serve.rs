//! `serve`: reads files, binds, says where, serves until SIGTERM.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tallystick_service::clock::SystemClock;
use tallystick_service::durable::check_private;
use tallystick_service::exit::Exit;
use tallystick_service::outln;
use tallystick_service::shutdown::{CancellationToken, Tasks, on_signals};
use tallystick_service::telemetry::{self, LogConfig};
use tallystick_verifier::serve::{ServeOptions, ServerIdentity, start};
use tokio::net::TcpListener;

use super::{Failure, OrExit, PEM_BYTES_MAX, read_file, read_trust};
use crate::cli::ServeArguments;

/// From the signal to the end.
const DRAIN_DEADLINE: Duration = Duration::from_secs(35);

pub(super) fn run(arguments: &ServeArguments) -> Result<Exit, Failure> {
    // For a service these files are configuration: if one is missing or wrong, restarting does not help (exit code 64).
    let as_config = |failure| Failure { exit: Exit::Usage, ..failure };
    let trust = Arc::new(read_trust(&arguments.trust).map_err(as_config)?);
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => {
            check_private(key).or_exit(Exit::Usage)?;
            let pem = |path| read_file(path, PEM_BYTES_MAX).map_err(as_config);
            Some(ServerIdentity { certificate_pem: pem(certificate)?, key_pem: pem(key)? })
        }
        _ => None,
    };
    telemetry::init(&LogConfig::default()).or_exit(Exit::Usage)?;
    let options = ServeOptions { tls, ..ServeOptions::default() };
    let options = if arguments.behind_proxy { options.behind_proxy() } else { options };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("starting the runtime").or_exit(Exit::NoAccess)?.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await;
        let listener =
            listener.with_context(|| format!("listening on {}", arguments.listen)).or_exit(Exit::NoAccess)?;
        let address = listener.local_addr().context("reading the bound address").or_exit(Exit::NoAccess)?;
        let token = CancellationToken::new();
        let mut tasks = Tasks::new(token.clone());
        tasks.spawn("signals", on_signals(token).context("listening for signals").or_exit(Exit::NoAccess)?);
        start(&mut tasks, listener, trust, Arc::new(SystemClock), &options).or_exit(Exit::Usage)?;
        // The process that started this one may wait for this line. If nobody reads it, the service runs on.
        outln!("listening on {address}");
        tasks.run(DRAIN_DEADLINE).await.context("serving").or_exit(Exit::Bad)?;
        Ok(Exit::Good)
    })
}
