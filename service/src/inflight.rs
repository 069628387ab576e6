//! A bound on calls under way: what a process holds in memory for callers has a limit, however many they are.
//!
//! A call holds a place from its first byte until its answer is on the wire or dropped, so that an answer that nobody reads counts,
//! too. Each caller has a share of the places; validators may have places outside of those of the others, because consensus lives
//! on their calls. A call above a bound is refused at once with OVERLOADED and a retry hint. Long-lived streams have places of their
//! own, if the server gives them any; else they give theirs back when they begin. Not here: requests that do not come (`arrival`).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use receipt_core::reason::Reason;
use tallystick_proto::errors::Refusal;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::callers::{Place, Places};
use crate::identity::{PeerIdentity, Role};

const RETRY_AFTER_MS: u64 = 200;

/// Put into the extensions of an answer that is given whole: places that are given back when it is on the wire or dropped.
#[derive(Debug, Clone)]
pub struct HeldByAnswer {
    _place: Arc<Place>,
}

impl HeldByAnswer {
    /// Holds these.
    pub fn new(place: Place) -> Self {
        Self { _place: Arc::new(place) }
    }
}

/// Put it inside the authorisation layer, which says who calls.
#[derive(Debug, Clone)]
pub struct InFlightLayer {
    /// Places of validators, if they have their own.
    validators: Option<Places>,
    /// Places of callers other than validators.
    others: Places,
    /// Places of long-lived streams, if they are bounded here.
    streams: Option<Places>,
    is_long_lived: fn(&str) -> bool,
}

impl InFlightLayer {
    /// With places for all. `is_long_lived` knows the methods whose answers go on for as long as the caller likes, by
    /// `/package.Service/Method`.
    pub fn new(places: Places, is_long_lived: fn(&str) -> bool) -> Self {
        Self { validators: None, others: places, streams: None, is_long_lived }
    }

    /// Gives validators places of their own.
    #[must_use]
    pub fn with_validators(self, validators: Places) -> Self {
        Self { validators: Some(validators), ..self }
    }

    /// Long-lived streams have these, until they end.
    #[must_use]
    pub fn with_streams(self, streams: Places) -> Self {
        Self { streams: Some(streams), ..self }
    }

    fn places(&self, caller: Option<&PeerIdentity>, long_lived: bool) -> &Places {
        match (&self.streams, &self.validators, caller) {
            (Some(streams), ..) if long_lived => streams,
            (_, Some(validators), Some(caller)) if caller.role == Role::Validator => validators,
            _ => &self.others,
        }
    }
}

impl<S> Layer<S> for InFlightLayer {
    type Service = InFlight<S>;

    fn layer(&self, inner: S) -> Self::Service {
        InFlight { inner, places: self.clone() }
    }
}

/// The service that [`InFlightLayer`] makes.
#[derive(Debug, Clone)]
pub struct InFlight<S> {
    inner: S,
    places: InFlightLayer,
}

impl<S, ReqBody> Service<Request<ReqBody>> for InFlight<S>
where
    S: Service<Request<ReqBody>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let caller = request.extensions().get::<PeerIdentity>();
        let long_lived = (self.places.is_long_lived)(request.uri().path());
        let Some(place) = self.places.places(caller, long_lived).try_acquire(caller) else {
            let refusal = Refusal::new(Reason::Overloaded).with_retry_after_ms(RETRY_AFTER_MS);
            let status = refusal
                .with_message("too many calls of this caller, or of all, are under way; try another server, or later")
                .to_status();
            return Box::pin(std::future::ready(Ok(status.into_http())));
        };
        let gives_back = long_lived && self.places.streams.is_none();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            if gives_back {
                return Ok(answer);
            }
            let held = answer.extensions_mut().remove::<HeldByAnswer>();
            // Given back with the last of what holds it: the body, and each piece of it until the transport has sent it.
            let places = Arc::new((place, held));
            let held = move |frame: Frame<Bytes>| {
                let places = Arc::clone(&places);
                frame.map_data(|bytes| Bytes::from_owner(Sending { bytes, _places: places }))
            };
            Ok(answer.map(|body| Body::new(body.map_frame(held))))
        })
    }
}

/// A piece of an answer, which the transport keeps until the caller has made room for it.
struct Sending {
    bytes: Bytes,
    _places: Arc<(Place, Option<HeldByAnswer>)>,
}

impl AsRef<[u8]> for Sending {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tallystick_proto::errors::ErrorReason;
    use tokio::sync::Semaphore;
    use tonic::Status;

    use super::*;
    use crate::testing::identity;

    /// Answers when told to.
    #[derive(Clone)]
    struct Slow(Arc<Semaphore>);

    impl Service<Request<()>> for Slow {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            let told = Arc::clone(&self.0);
            Box::pin(async move {
                told.acquire().await.unwrap().forget();
                Ok(Response::new(Body::new(http_body_util::Full::new(bytes::Bytes::from_static(b"answer")))))
            })
        }
    }

    fn request(role: Role) -> Request<()> {
        let mut request = Request::new(());
        request.extensions_mut().insert(identity(role, 1));
        request
    }

    fn refusal(answer: &Response<Body>) -> Option<ErrorReason> {
        let status = Status::from_header_map(answer.headers())?;
        Refusal::from_status(&status).map(|refusal| refusal.reason)
    }

    fn layer(in_all: usize, of_one: usize) -> InFlightLayer {
        let is_long_lived = |path: &str| path == "/tallystick.ledger.v1.LedgerService/StreamBlocks";
        InFlightLayer::new(Places::new(in_all, of_one), is_long_lived).with_validators(Places::new(1, 1))
    }

    #[tokio::test]
    async fn calls_above_the_bound_are_refused_and_validators_have_places_of_their_own() {
        let told = Arc::new(Semaphore::new(0));
        let layer = layer(2, 2);
        let mut service = layer.layer(Slow(Arc::clone(&told)));
        let under_way: Vec<_> = (0..2).map(|_| tokio::spawn(service.call(request(Role::Issuer)))).collect();
        let refused = service.call(request(Role::Auditor)).await.unwrap();
        assert_eq!(refusal(&refused), Some(ErrorReason::Core(Reason::Overloaded)));
        let validator = tokio::spawn(service.call(request(Role::Validator)));
        let refused = service.call(request(Role::Validator)).await.unwrap();
        assert_eq!(refusal(&refused), Some(ErrorReason::Core(Reason::Overloaded)));
        told.add_permits(3);
        assert_eq!(refusal(&validator.await.unwrap().unwrap()), None);
        for call in under_way {
            assert_eq!(refusal(&call.await.unwrap().unwrap()), None);
        }
        told.add_permits(1);
        assert_eq!(refusal(&service.call(request(Role::Auditor)).await.unwrap()), None, "there is room again");
        assert_eq!(
            (layer.others.in_use(), layer.validators.as_ref().unwrap().in_use()),
            (0, 0),
            "answers were dropped"
        );
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_holds_its_place() {
        let told = Arc::new(Semaphore::new(2));
        let layer = layer(8, 1);
        let mut service = layer.layer(Slow(Arc::clone(&told)));
        let answer = service.call(request(Role::Auditor)).await.unwrap();
        assert_eq!(layer.others.in_use(), 1);
        let refused = service.call(request(Role::Auditor)).await.unwrap();
        assert_eq!(refusal(&refused), Some(ErrorReason::Core(Reason::Overloaded)), "one caller, one place");
        drop(answer);
        assert_eq!(layer.others.in_use(), 0);

        let mut stream = request(Role::Auditor);
        *stream.uri_mut() = "/tallystick.ledger.v1.LedgerService/StreamBlocks".parse().unwrap();
        let stream = service.call(stream).await.unwrap();
        assert_eq!(layer.others.in_use(), 0, "a stream has begun, and counts elsewhere");
        drop(stream);
    }

    #[tokio::test]
    async fn an_answer_counts_until_the_transport_has_let_go_of_it() {
        let layer = layer(8, 1);
        let mut service = layer.layer(Slow(Arc::new(Semaphore::new(1))));
        let answer = service.call(request(Role::System)).await.unwrap();
        let mut body = answer.into_body();
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        assert_eq!(&piece[..], b"answer");
        assert_eq!(layer.others.in_use(), 1, "the body ended, and the transport still has its bytes");
        drop(piece);
        assert_eq!(layer.others.in_use(), 0);
    }

    /// Answers, and holds bytes for it.
    #[derive(Clone)]
    struct Holds(Places);

    impl Service<Request<()>> for Holds {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            let mut answer = Response::new(Body::new(http_body_util::Full::new(bytes::Bytes::from_static(b"answer"))));
            answer.extensions_mut().insert(HeldByAnswer::new(self.0.try_acquire_many(None, 6).unwrap()));
            std::future::ready(Ok(answer))
        }
    }

    #[tokio::test]
    async fn what_an_answer_holds_is_given_back_when_the_transport_has_let_go_of_it() {
        let bytes = Places::new(10, 10);
        let mut service = layer(8, 8).layer(Holds(bytes.clone()));
        drop(service.call(request(Role::System)).await.unwrap());
        assert_eq!(bytes.in_use(), 0, "an answer that is dropped unread");
        let mut body = service.call(request(Role::System)).await.unwrap().into_body();
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        assert_eq!(bytes.in_use(), 6);
        drop(piece);
        assert_eq!(bytes.in_use(), 0);
    }

    #[tokio::test]
    async fn streams_with_places_of_their_own_hold_them_until_they_end() {
        let streams = Places::new(8, 1);
        let layer = layer(8, 1).with_streams(streams.clone());
        let mut service = layer.layer(Slow(Arc::new(Semaphore::new(3))));
        let stream = || {
            let mut stream = request(Role::System);
            *stream.uri_mut() = "/tallystick.ledger.v1.LedgerService/StreamBlocks".parse().unwrap();
            stream
        };
        let first = service.call(stream()).await.unwrap();
        let refused = service.call(stream()).await.unwrap();
        assert_eq!(refusal(&refused), Some(ErrorReason::Core(Reason::Overloaded)));
        assert_eq!((layer.others.in_use(), streams.in_use()), (0, 1), "calls have theirs");
        drop(first);
        assert_eq!(streams.in_use(), 0);
    }
}
