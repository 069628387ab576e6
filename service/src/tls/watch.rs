//! Looking at certificate files again while a process runs, and telling how long the certificate is good: log, readiness, metric.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::TlsError;
use super::validity::{DaysLeft, Told, Validity};
use crate::metrics::ReadyPart;
use crate::shutdown::{CancellationToken, TaskError};

/// A set of certificate files in use.
pub trait Watched: Send + Sync {
    /// Reads the files again. `Ok(true)`: changed, new handshakes use them. After an error the old ones stay in use.
    fn reload(&self) -> Result<bool, TlsError>;

    /// How long the certificate is good.
    fn validity(&self) -> Validity;

    /// The file that has to be renewed first, for the log: the certificate's, or that of its authority.
    fn path(&self) -> &Path;
}

/// What [`watch`] tells besides the log.
#[derive(Debug)]
pub struct CertificateWatch {
    /// Time between two looks at the files.
    pub interval: Duration,
    /// Not ready while the own certificate is not valid.
    pub ready: ReadyPart,
    /// Metric of the days left, set at each look.
    pub days_left: DaysLeft,
}

/// Reloads at each interval and at SIGHUP, until `stop`, and looks how long the certificate is good. A problem is logged
/// once, not at every turn.
pub async fn watch<W: Watched>(
    watched: Arc<W>,
    watch: CertificateWatch,
    stop: CancellationToken,
) -> Result<(), TaskError> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (mut last_problem, mut told) = (None, Told::default());
    loop {
        tell_validity(watched.as_ref(), &watch, &mut told);
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(watch.interval) => {}
            _ = hangup.recv() => last_problem = None,
        }
        match watched.reload() {
            Ok(changed) => {
                last_problem = None;
                if changed {
                    let path = watched.path().display();
                    tracing::info!(%path, validity = %watched.validity(), "TLS files reloaded");
                }
            }
            Err(error) => {
                let problem = error.to_string();
                if last_problem.as_ref() != Some(&problem) {
                    tracing::warn!(problem, "TLS files not reloaded; the old ones stay in use");
                }
                last_problem = Some(problem);
            }
        }
    }
}

fn tell_validity<W: Watched>(watched: &W, watch: &CertificateWatch, told: &mut Told) {
    let validity = watched.validity();
    watch.days_left.set(validity.days_left());
    match &validity {
        Validity::Valid { .. } => watch.ready.ready(),
        Validity::Refused { .. } => {
            watch.ready.not_ready(format!("certificate {validity}; put the right files in place"))
        }
        Validity::NotYet { .. } | Validity::Ended { .. } => {
            watch.ready.not_ready(format!("certificate {validity}; put a new one in its place"));
        }
    }
    if !told.must_say(&validity) {
        return;
    }
    let path = watched.path().display();
    if validity.is_valid() {
        tracing::warn!(%path, %validity, "the TLS certificate must be renewed: when it ends, nobody talks to this process");
    } else {
        tracing::error!(%path, %validity, "ALARM: the TLS certificate is not valid: nobody talks to this process");
    }
}
