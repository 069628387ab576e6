//! A bound on calls under way: what a node holds in memory for callers has a limit, however many they are.
//!
//! Validators are not counted: consensus lives on their calls, and they are few; the bound per connection holds for them, too.
//! A call above the bound is refused at once with OVERLOADED and a retry hint. A call counts until its answer begins; streams
//! have a bound of their own (`api`).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use receipt_core::reason::Reason;
use tallystick_proto::errors::Refusal;
use tallystick_service::identity::{PeerIdentity, Role};
use tokio::sync::Semaphore;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

const RETRY_AFTER_MS: u64 = 200;

/// Put it inside the authorisation layer, which says who calls.
#[derive(Debug, Clone)]
pub(crate) struct InFlightLayer(Arc<Semaphore>);

impl InFlightLayer {
    /// Up to `calls_max` calls of others than validators at once.
    pub(crate) fn new(calls_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(calls_max)))
    }
}

impl<S> Layer<S> for InFlightLayer {
    type Service = InFlight<S>;

    fn layer(&self, inner: S) -> Self::Service {
        InFlight { inner, places: Arc::clone(&self.0) }
    }
}

/// The service that [`InFlightLayer`] makes.
#[derive(Debug, Clone)]
pub(crate) struct InFlight<S> {
    inner: S,
    places: Arc<Semaphore>,
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
        let is_validator =
            request.extensions().get::<PeerIdentity>().is_some_and(|caller| caller.role == Role::Validator);
        if is_validator {
            return Box::pin(self.inner.call(request));
        }
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => {
                let answer = self.inner.call(request);
                Box::pin(async move {
                    let answer = answer.await;
                    drop(place);
                    answer
                })
            }
            Err(_) => {
                let refusal = Refusal::new(Reason::Overloaded).with_retry_after_ms(RETRY_AFTER_MS);
                let status = refusal.with_message("too many calls are under way; try another node").to_status();
                Box::pin(std::future::ready(Ok(status.into_http())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tallystick_proto::errors::ErrorReason;
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
                Ok(Response::new(Body::default()))
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

    #[tokio::test]
    async fn calls_above_the_bound_are_refused_and_validators_are_not_counted() {
        let told = Arc::new(Semaphore::new(0));
        let mut service = InFlightLayer::new(2).layer(Slow(Arc::clone(&told)));
        let under_way: Vec<_> = (0..2).map(|_| tokio::spawn(service.call(request(Role::Issuer)))).collect();
        let refused = service.call(request(Role::Auditor)).await.unwrap();
        assert_eq!(refusal(&refused), Some(ErrorReason::Core(Reason::Overloaded)));
        let validator = tokio::spawn(service.call(request(Role::Validator)));
        told.add_permits(3);
        assert_eq!(refusal(&validator.await.unwrap().unwrap()), None);
        for call in under_way {
            assert_eq!(refusal(&call.await.unwrap().unwrap()), None);
        }
        told.add_permits(1);
        assert_eq!(refusal(&service.call(request(Role::Auditor)).await.unwrap()), None, "there is room again");
    }
}
