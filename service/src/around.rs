//! What every layer around gRPC services has in common: it has a request answered by what is inside, or answers it itself.
//!
//! Not here: what each does.

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

/// An answer that is awaited.
pub type Answering<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

/// What is inside of a layer: a service that takes requests with bodies of the kind `B`.
pub trait Inner<B>:
    Service<Request<B>, Response = Response<Body>, Error: Send + 'static, Future: Send + 'static>
{
}

impl<B, S> Inner<B> for S where
    S: Service<Request<B>, Response = Response<Body>, Error: Send + 'static, Future: Send + 'static>
{
}

/// What a layer does with a request.
pub trait Around<B> {
    /// Answers it, by `inner` or without.
    fn answer<S: Inner<B>>(&self, inner: &mut S, request: Request<B>) -> Answering<S::Error>;
}

/// The service that a layer makes of another.
#[derive(Debug, Clone)]
pub struct Layered<S, A> {
    inner: S,
    around: A,
}

impl<S, A: Clone> Layered<S, A> {
    /// `inner`, with `around` around it.
    pub fn new(inner: S, around: &A) -> Self {
        Self { inner, around: around.clone() }
    }
}

impl<B, S: Inner<B>, A: Around<B>> Service<Request<B>> for Layered<S, A> {
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answering<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.around.answer(&mut self.inner, request)
    }
}

/// An answer that is there already.
pub fn at_once<E: Send + 'static>(answer: Response<Body>) -> Answering<E> {
    Box::pin(ready(Ok(answer)))
}
