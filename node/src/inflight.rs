//! A bound on calls under way: what a node holds in memory for callers has a limit, however many they are.
//!
//! A call holds a place from its first byte until its answer is sent or dropped, so that an answer that nobody reads counts,
//! too. Each caller has a share of the places, and so has each validator, outside of the places of the others: consensus lives
//! on their calls. A call above a bound is refused at once with OVERLOADED and a retry hint. The server cuts calls
//! whose request does not come ([`crate::servers`]). Long-lived streams give their place back when they begin; block streams
//! have places of their own (`api`).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use receipt_core::reason::Reason;
use tallystick_proto::errors::Refusal;
use tallystick_service::identity::{PeerIdentity, Role};
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

use crate::callers::Places;

const RETRY_AFTER_MS: u64 = 200;

/// Answers that go on for as long as the caller likes.
fn is_long_lived(path: &str) -> bool {
    matches!(path, "/tallystick.ledger.v1.LedgerService/StreamBlocks" | "/grpc.health.v1.Health/Watch")
}

/// Put it inside the authorisation layer, which says who calls.
#[derive(Debug, Clone)]
pub(crate) struct InFlightLayer {
    /// Of validators.
    validators: Places,
    /// Of everybody else.
    others: Places,
}

impl InFlightLayer {
    /// With places for validators and for everybody else.
    pub(crate) fn new(validators: Places, others: Places) -> Self {
        Self { validators, others }
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
pub(crate) struct InFlight<S> {
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
        let places = match caller.map(|caller| caller.role) {
            Some(Role::Validator) => &self.places.validators,
            _ => &self.places.others,
        };
        let Some(place) = places.take(caller) else {
            let refusal = Refusal::new(Reason::Overloaded).with_retry_after_ms(RETRY_AFTER_MS);
            let status = refusal.with_message("too many calls are under way; try another node").to_status();
            return Box::pin(std::future::ready(Ok(status.into_http())));
        };
        let long_lived = is_long_lived(request.uri().path());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            if long_lived {
                return Ok(answer);
            }
            // Dropped with the body that holds it: at the answer's end, or when the caller is gone.
            let held = move |frame| {
                let _ = &place;
                frame
            };
            Ok(answer.map(|body| Body::new(body.map_frame(held))))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

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
        InFlightLayer::new(Places::new(1, 1), Places::new(in_all, of_one))
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
        assert_eq!((layer.others.taken(), layer.validators.taken()), (0, 0), "answers were dropped");
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_holds_its_place() {
        let told = Arc::new(Semaphore::new(2));
        let layer = layer(8, 1);
        let mut service = layer.layer(Slow(Arc::clone(&told)));
        let answer = service.call(request(Role::Auditor)).await.unwrap();
        assert_eq!(layer.others.taken(), 1);
        let refused = service.call(request(Role::Auditor)).await.unwrap();
        assert_eq!(refusal(&refused), Some(ErrorReason::Core(Reason::Overloaded)), "one caller, one place");
        drop(answer);
        assert_eq!(layer.others.taken(), 0);

        let mut stream = request(Role::Auditor);
        *stream.uri_mut() = "/tallystick.ledger.v1.LedgerService/StreamBlocks".parse().unwrap();
        let stream = service.call(stream).await.unwrap();
        assert_eq!(layer.others.taken(), 0, "a stream has begun, and counts elsewhere");
        drop(stream);
    }
}
