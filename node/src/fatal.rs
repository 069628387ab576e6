//! Errors after which the process must not go on, met where a call is answered.
//!
//! A task that fails ends the process by returning its error. A call cannot: it owes its caller an answer, and the process would
//! live on over a store that has failed. So the doors answer INTERNAL and report here, and the task that watches ends the process,
//! which starts again from disk. Not here: errors of tasks.

use std::error::Error;
use std::sync::Arc;

use tallystick_service::shutdown::CancellationToken;
use tokio::sync::watch;

/// The first such error, for the task that ends the process.
#[derive(Debug, Clone)]
pub(crate) struct Fatal(Arc<watch::Sender<Option<String>>>);

/// The fatal error that was met while a call was answered.
#[derive(Debug, thiserror::Error)]
#[error("while a call was answered: {0}")]
pub(crate) struct FatalError(String);

impl Default for Fatal {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Fatal {
    /// Reports an error; the first one counts.
    pub(crate) fn report(&self, error: &dyn Error) {
        self.0.send_if_modified(|told| {
            let first = told.is_none();
            told.get_or_insert_with(|| error.to_string());
            first
        });
    }

    /// Waits for an error or for the stop.
    pub(crate) async fn watch(self, stop: CancellationToken) -> Result<(), FatalError> {
        let mut told = self.0.subscribe();
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            // The sender lives as long as this does.
            Ok(told) = told.wait_for(Option::is_some) => Err(FatalError(told.clone().unwrap_or_default())),
        }
    }

    /// What was reported.
    #[cfg(test)]
    pub(crate) fn told(&self) -> Option<String> {
        self.0.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_error_ends_the_watch_whenever_it_came() {
        let fatal = Fatal::default();
        fatal.report(&std::io::Error::other("first"));
        fatal.report(&std::io::Error::other("second"));
        let ended = fatal.clone().watch(CancellationToken::new()).await.unwrap_err();
        assert!(ended.to_string().ends_with("first"), "{ended}");
        let stop = CancellationToken::new();
        stop.cancel();
        Fatal::default().watch(stop).await.unwrap();
    }
}
