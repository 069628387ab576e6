//! A bound on calls under way: what a process holds in memory for callers has a limit, however many they are.
//!
//! A call holds a place from its first byte until its answer is on the wire or dropped, so that an answer that nobody reads counts,
//! too. Each caller has a share of the places; validators may have places outside of those of the others, because consensus lives
//! on their calls. A call above a bound is refused at once with OVERLOADED and a retry hint. Long-lived streams have places of their
//! own, if the server gives them any; else they give theirs back when they begin. Not here: requests that do not come (`arrival`).

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame};
use receipt_core::reason::Reason;
use tallystick_proto::errors::Refusal;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::body::Body;
use tower::Layer;

use crate::around::{Answering, Around, Inner, Layered, at_once};
use crate::callers::{Place, Places};
use crate::identity::{PeerIdentity, Role};

const RETRY_AFTER_MS: u64 = 200;
/// The transport gets an answer that holds places in pieces of so many bytes, each copied: it asks for the next when the caller has
/// made room. So what it keeps of an answer whose time is over is about one piece, and not the whole.
const PIECE_BYTES: usize = 64 * 1024;

/// Put into the extensions of an answer that is given whole: places that are given back when it is on the wire or dropped, and
/// after a while in any case. Then what is left of the answer is dropped, too, and the call ends with an error.
#[derive(Debug, Clone)]
pub struct HeldByAnswer {
    place: Arc<Mutex<Option<Place>>>,
    within: Duration,
}

impl HeldByAnswer {
    /// Holds these for so long.
    pub fn new(place: Place, within: Duration) -> Self {
        Self { place: Arc::new(Mutex::new(Some(place))), within }
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
    type Service = Layered<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(inner, self)
    }
}

impl<B> Around<B> for InFlightLayer {
    fn answer<S: Inner<B>>(&self, inner: &mut S, request: Request<B>) -> Answering<S::Error> {
        let caller = request.extensions().get::<PeerIdentity>();
        let long_lived = (self.is_long_lived)(request.uri().path());
        let Some(place) = self.places(caller, long_lived).try_acquire(caller) else {
            let refusal = Refusal::new(Reason::Overloaded).with_retry_after_ms(RETRY_AFTER_MS);
            let status = refusal
                .with_message("too many calls of this caller, or of all, are under way; try another server, or later")
                .to_status();
            return at_once(status.into_http());
        };
        let gives_back = long_lived && self.streams.is_none();
        let answer = inner.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            if gives_back {
                return Ok(answer);
            }
            if let Some(held) = answer.extensions_mut().remove::<HeldByAnswer>() {
                return Ok(answer.map(|body| Body::new(HeldBody::new(body, held, place))));
            }
            // The place is given back when the last holder goes: the body, or a piece of it that the transport has still to send.
            let places = Arc::new(place);
            let held = move |frame: Frame<Bytes>| {
                let places = Arc::clone(&places);
                frame.map_data(|bytes| Bytes::from_owner(Sending { bytes, _places: places }))
            };
            Ok(answer.map(|body| Body::new(body.map_frame(held))))
        })
    }
}

/// A piece of an answer, which the transport keeps until the caller has made room for it.
struct Sending<P> {
    bytes: Bytes,
    _places: Arc<P>,
}

impl<P> AsRef<[u8]> for Sending<P> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body of an answer that holds places for a time.
struct HeldBody {
    unsent: Arc<Mutex<Option<Unsent>>>,
    places: Arc<HeldPlaces>,
}

/// What of an answer the transport has not asked for.
struct Unsent {
    body: Body,
    /// Of the body's last frame.
    rest: Bytes,
}

/// The call's place, which stands until the transport has let go of all, and those that are given back after a while in any case.
struct HeldPlaces {
    _call: Place,
    _held: HeldByAnswer,
    /// Dropped: nothing is left to be given back.
    _over: oneshot::Sender<()>,
}

impl HeldBody {
    fn new(body: Body, held: HeldByAnswer, call: Place) -> Self {
        let unsent = Arc::new(Mutex::new(Some(Unsent { body, rest: Bytes::new() })));
        let (sender, over) = oneshot::channel();
        let (left, place, within) = (Arc::downgrade(&unsent), Arc::downgrade(&held.place), held.within);
        // The transport does not ask for more while the caller makes no room, so that the body cannot look at the time itself.
        tokio::spawn(async move {
            if tokio::time::timeout(within, over).await.is_err() {
                // Drop what takes the room first, then give the room back.
                if let Some(left) = left.upgrade() {
                    left.lock().unwrap_or_else(PoisonError::into_inner).take();
                }
                if let Some(place) = place.upgrade() {
                    place.lock().unwrap_or_else(PoisonError::into_inner).take();
                }
            }
        });
        Self { unsent, places: Arc::new(HeldPlaces { _call: call, _held: held, _over: sender }) }
    }
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Unsent { body, rest }) = unsent.as_mut() else {
            let refusal = Refusal::new(Reason::Overloaded).with_retry_after_ms(RETRY_AFTER_MS);
            return Poll::Ready(Some(Err(refusal.with_message("the answer was not read in time").to_status())));
        };
        if rest.is_empty() {
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => *rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                ended => return ended,
            }
        }
        let piece = Bytes::copy_from_slice(&rest.split_to(rest.len().min(PIECE_BYTES)));
        let sending = Sending { bytes: piece, _places: Arc::clone(&self.places) };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(sending)))))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Response;
    use tallystick_proto::errors::ErrorReason;
    use tokio::sync::Semaphore;
    use tonic::Status;
    use tower::Service;

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
    struct Holds(Places, Duration);

    impl Service<Request<()>> for Holds {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            let mut answer = Response::new(Body::new(http_body_util::Full::new(bytes::Bytes::from_static(b"answer"))));
            answer.extensions_mut().insert(HeldByAnswer::new(self.0.try_acquire_many(None, 6).unwrap(), self.1));
            std::future::ready(Ok(answer))
        }
    }

    #[tokio::test]
    async fn what_an_answer_holds_is_given_back_when_the_transport_has_let_go_of_it() {
        let bytes = Places::new(10, 10);
        let mut service = layer(8, 8).layer(Holds(bytes.clone(), Duration::from_secs(60)));
        drop(service.call(request(Role::System)).await.unwrap());
        assert_eq!(bytes.in_use(), 0, "an answer that is dropped unread");
        let mut body = service.call(request(Role::System)).await.unwrap().into_body();
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        drop(body);
        assert_eq!(bytes.in_use(), 6);
        drop(piece);
        assert_eq!(bytes.in_use(), 0);
    }

    /// A caller that makes no room for it held it, and its places, for ever.
    #[tokio::test]
    async fn what_an_answer_holds_is_given_back_after_a_while_though_nobody_reads() {
        let bytes = Places::new(10, 10);
        let mut service = layer(8, 8).layer(Holds(bytes.clone(), Duration::from_millis(1)));
        let mut body = service.call(request(Role::System)).await.unwrap().into_body();
        while bytes.in_use() > 0 {
            tokio::task::yield_now().await;
        }
        let ended = body.frame().await.unwrap().unwrap_err();
        assert!(ended.message().contains("not read in time"), "{ended}");
    }

    /// The whole answer goes out, in pieces.
    #[tokio::test]
    async fn an_answer_that_holds_places_is_sent_in_pieces() {
        let places = Places::new(8, 8);
        let whole: Vec<u8> = (0..3 * PIECE_BYTES + 7).map(|byte| (byte % 251) as u8).collect();
        let held = HeldByAnswer::new(places.try_acquire(None).unwrap(), Duration::from_secs(60));
        let full = Body::new(http_body_util::Full::new(Bytes::from(whole.clone())));
        let mut body = HeldBody::new(full, held, places.try_acquire(None).unwrap());
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE_BYTES);
            read.extend_from_slice(&piece);
        }
        assert_eq!(read, whole);
        drop(body);
        assert_eq!(places.in_use(), 0);
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
