//! How many requests may be under way at once, in all and from one network. One more is refused at once, with a hint when to try again:
//! it costs an answer, and no bundle in memory.
//!
//! A place is held from a request's header to its answer, so while the bundle is read, waits for its judgement, and is judged. Callers have
//! no certificate: one is known by the network it calls from, so that nobody takes all places with uploads that never end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use receipt_core::reason::Reason;
use tallystick_proto::errors::Refusal;
use tallystick_service::callers::{Network, Shares};
use tonic::codegen::http::{Extensions, Request, Response};
use tonic::transport::server::TlsConnectInfo;
use tower::{Layer, Service};

/// The one that a request came from, as the server has put it there.
fn network_of(extensions: &Extensions) -> Option<Network> {
    let plain = extensions.get::<SocketAddr>().copied();
    let over_tls = || extensions.get::<TlsConnectInfo<SocketAddr>>().map(|info| *info.get_ref());
    plain.or_else(over_tls).map(|address| Network::of(address.ip()))
}

/// Gives each request a place, or refuses it.
#[derive(Debug, Clone)]
pub(super) struct Places(Shares<Option<Network>>);

impl Places {
    /// So many, over all connections; of one network so many.
    pub(super) fn new(in_all: usize, of_one: usize) -> Self {
        Self(Shares::new(in_all, of_one))
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
        let Some(place) = self.places.0.try_acquire(network_of(request.extensions()), 1) else {
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
