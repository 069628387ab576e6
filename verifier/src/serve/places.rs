//! How many requests may be under way at once. One more is refused at once, with a hint when to try again: it costs an answer,
//! and no bundle in memory.
//!
//! A place is held from a request's header to its answer, so while the bundle is read, waits for its judgement, and is judged.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use receipt_core::reason::Reason;
use tallystick_proto::errors::Refusal;
use tokio::sync::Semaphore;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

/// Gives each request a place, or refuses it.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Places {
    /// So many, over all connections.
    pub(super) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }
}

impl<S> Layer<S> for Places {
    type Service = Placed<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Placed { inner, places: self.clone() }
    }
}

/// The service that [`Places`] makes.
#[derive(Debug, Clone)]
pub(super) struct Placed<S> {
    inner: S,
    places: Places,
}

impl<S, Asked, Answer> Service<Request<Asked>> for Placed<S>
where
    S: Service<Request<Asked>, Response = Response<Answer>, Error = Infallible>,
    S::Future: Send + 'static,
    Answer: Default + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Asked>) -> Self::Future {
        let Ok(place) = Arc::clone(&self.places.0).try_acquire_owned() else {
            let refusal = Refusal::new(Reason::Overloaded).to_status().into_http();
            return Box::pin(std::future::ready(Ok(refusal)));
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(place);
            answer
        })
    }
}
