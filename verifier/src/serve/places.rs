//! How many requests may be under way at once, in all and from one network. One more is refused at once, with a hint when to try again:
//! it costs an answer, and no bundle in memory.
//!
//! A place is held from a request's header to its answer, so while the bundle is read, waits for its judgement, and is judged. Callers have
//! no certificate: one is known by the network it calls from, so that nobody takes all places with uploads that never end.

use std::net::SocketAddr;

use receipt_core::reason::Reason;
use tallystick_proto::errors::Refusal;
use tallystick_service::around::{Answering, Around, Inner, Layered, at_once};
use tallystick_service::callers::{Network, Shares};
use tonic::codegen::http::{Extensions, Request};
use tonic::transport::server::TlsConnectInfo;
use tower::Layer;

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
    type Service = Layered<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(inner, self)
    }
}

impl<B> Around<B> for Places {
    fn answer<S: Inner<B>>(&self, inner: &mut S, request: Request<B>) -> Answering<S::Error> {
        let Some(place) = self.0.try_acquire(network_of(request.extensions()), 1) else {
            return at_once(Refusal::new(Reason::Overloaded).to_status().into_http());
        };
        let answer = inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(place);
            answer
        })
    }
}
