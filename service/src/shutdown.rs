//! Orderly ends: one signal to stop, tasks with names, and a deadline by which they must have ended.
//!
//! A process starts every task through [`Tasks`]. The first of SIGTERM, SIGINT, a failed or a panicked task asks all to
//! stop; a task that has not ended by the deadline is aborted and named. A task that returns `Ok` before is simply done.

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{Id, JoinError, JoinSet};
pub use tokio_util::sync::CancellationToken;

/// What a task reports when it fails.
pub type TaskError = Box<dyn Error + Send + Sync>;

/// Why a process did not end as asked.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// A task failed; the others were asked to stop.
    #[error("task {name} failed")]
    Failed {
        /// The task's name.
        name: &'static str,
        /// The error that the task returned.
        source: TaskError,
    },
    /// A task panicked; the others were asked to stop.
    #[error("task {name} panicked")]
    Panicked {
        /// The task's name.
        name: &'static str,
    },
    /// Tasks that did not end in time and were aborted.
    #[error("aborted after {deadline_ms} ms: {}", names.join(", "))]
    Aborted {
        /// Their names, sorted.
        names: Vec<&'static str>,
        /// The deadline, in milliseconds.
        deadline_ms: u64,
    },
}

/// Cancels the token at the first SIGTERM or SIGINT. The handlers are in place when this returns; run the future as a
/// task, it ends with the token.
pub fn on_signals(token: CancellationToken) -> std::io::Result<impl Future<Output = Result<(), TaskError>> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
            _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
            () = token.cancelled() => {}
        }
        token.cancel();
        Ok(())
    })
}

/// The tasks of a process.
#[derive(Debug)]
pub struct Tasks {
    set: JoinSet<Result<(), TaskError>>,
    names: HashMap<Id, &'static str>,
    token: CancellationToken,
}

impl Tasks {
    /// None yet; `token` tells them to stop.
    pub fn new(token: CancellationToken) -> Self {
        Self { set: JoinSet::new(), names: HashMap::new(), token }
    }

    /// The token that asks all tasks to stop.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Starts a task. It is expected to end soon after the token is cancelled.
    pub fn spawn<F, E>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<TaskError>,
    {
        let handle = self.set.spawn(async move { task.await.map_err(Into::into) });
        self.names.insert(handle.id(), name);
    }

    /// Runs until all tasks are done. From the stop (signal, failure or a cancelled token) on, they have `deadline`; of
    /// several failures the first is reported.
    pub async fn run(mut self, deadline: Duration) -> Result<(), DrainError> {
        let mut outcome = Ok(());
        let token = self.token.clone();
        let stopped = async move {
            token.cancelled().await;
            tokio::time::sleep(deadline).await;
        };
        tokio::pin!(stopped);
        loop {
            let joined = tokio::select! {
                joined = self.set.join_next_with_id() => joined,
                () = &mut stopped => break,
            };
            let Some(joined) = joined else { return outcome };
            if let Err(error) = self.ended(joined) {
                self.token.cancel();
                outcome = outcome.and(Err(error));
            }
        }
        let mut names: Vec<_> = self.names.into_values().collect();
        names.sort_unstable();
        self.set.shutdown().await;
        outcome
            .and(Err(DrainError::Aborted { names, deadline_ms: deadline.as_millis().try_into().unwrap_or(u64::MAX) }))
    }

    fn ended(&mut self, joined: Result<(Id, Result<(), TaskError>), JoinError>) -> Result<(), DrainError> {
        let id = joined.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let name = self.names.remove(&id).unwrap_or("unnamed");
        match joined {
            Ok((_, Ok(()))) => Ok(()),
            Ok((_, Err(source))) => Err(DrainError::Failed { name, source }),
            Err(_) => Err(DrainError::Panicked { name }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> Tasks {
        Tasks::new(CancellationToken::new())
    }

    async fn until(token: CancellationToken) -> Result<(), TaskError> {
        token.cancelled().await;
        Ok(())
    }

    #[tokio::test]
    async fn ends_when_all_are_done() {
        let mut tasks = tasks();
        tasks.spawn("short", async { Ok::<(), TaskError>(()) });
        tasks.run(Duration::from_secs(60)).await.unwrap();
    }

    #[tokio::test]
    async fn a_cancelled_token_lets_tasks_say_their_last_words() {
        let mut tasks = tasks();
        let token = tasks.token().clone();
        let (said, heard) = tokio::sync::oneshot::channel();
        let inner = token.clone();
        tasks.spawn("speaker", async move {
            inner.cancelled().await;
            tokio::task::yield_now().await;
            said.send("bye").map_err(TaskError::from)
        });
        token.cancel();
        tasks.run(Duration::from_secs(60)).await.unwrap();
        assert_eq!(heard.await.unwrap(), "bye");
    }

    #[tokio::test]
    async fn a_failure_stops_the_others_and_is_named() {
        let mut tasks = tasks();
        tasks.spawn("patient", until(tasks.token().clone()));
        tasks.spawn("broken", async { Err::<(), TaskError>("disk full".into()) });
        let error = tasks.run(Duration::from_secs(60)).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!((error.to_string().as_str(), cause.as_str()), ("task broken failed", "disk full"));
    }

    #[tokio::test]
    async fn a_panic_stops_the_others_and_is_named() {
        let mut tasks = tasks();
        tasks.spawn("patient", until(tasks.token().clone()));
        tasks.spawn("clumsy", async {
            let empty: Vec<u8> = Vec::new();
            assert!(!empty.is_empty(), "planned panic of a test");
            Ok::<(), TaskError>(())
        });
        let error = tasks.run(Duration::from_secs(60)).await.unwrap_err();
        assert!(matches!(error, DrainError::Panicked { name: "clumsy" }), "{error}");
    }

    #[tokio::test]
    async fn a_deaf_task_is_aborted_and_named() {
        let mut tasks = tasks();
        tasks.spawn("deaf", std::future::pending::<Result<(), TaskError>>());
        tasks.spawn("patient", until(tasks.token().clone()));
        tasks.token().cancel();
        let error = tasks.run(Duration::from_millis(5)).await.unwrap_err();
        assert_eq!(error.to_string(), "aborted after 5 ms: deaf");
    }
}
