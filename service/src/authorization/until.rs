//! An answer that ends when its caller's certificate does: what it may read is judged by that.
//!
//! The end is a status, `NOT_AUTHENTICATED`, not a broken connection: the caller comes again with a new certificate, from the
//! position that it has. A wall clock may jump, so it is looked at every now and then, and not only once at the end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use receipt_core::ids::UnixMillis;
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;
use tonic::body::Body;

use super::expired;
use crate::clock::Clock;

/// The longest time between two looks at the clock.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// A body that ends with its caller's certificate.
pub(super) struct Until {
    inner: Body,
    clock: Arc<dyn Clock>,
    valid_until: UnixMillis,
    look: Pin<Box<Sleep>>,
    ended: bool,
}

impl Until {
    pub(super) fn new(inner: Body, clock: Arc<dyn Clock>, valid_until: UnixMillis) -> Self {
        let look = Box::pin(sleep(pause(clock.now(), valid_until)));
        Self { inner, clock, valid_until, look, ended: false }
    }

    /// Ready when the certificate has expired.
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.look.as_mut().poll(cx));
            let now = self.clock.now();
            if now > self.valid_until {
                return Poll::Ready(());
            }
            self.look.as_mut().reset(Instant::now() + pause(now, self.valid_until));
        }
    }
}

fn pause(now: UnixMillis, valid_until: UnixMillis) -> Duration {
    Duration::from_millis(valid_until.get().saturating_sub(now.get()).saturating_add(1)).min(LOOK_INTERVAL_MAX)
}

/// A refusal as what ends a stream.
fn trailers() -> HeaderMap {
    let (parts, ()) = expired().to_status().into_http::<()>().into_parts();
    let mut trailers = parts.headers;
    trailers.remove(CONTENT_TYPE);
    trailers
}

impl HttpBody for Until {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.poll_expired(cx).is_ready() {
            self.ended = true;
            self.inner = Body::empty();
            return Poll::Ready(Some(Ok(Frame::trailers(trailers()))));
        }
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use tallystick_proto::errors::Refusal;

    use super::*;
    use crate::clock::FixedClock;

    /// Never gives anything.
    struct Silent;

    impl HttpBody for Silent {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Pending
        }
    }

    async fn next(body: &mut Until) -> Option<Frame<Bytes>> {
        std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await.transpose().unwrap()
    }

    #[tokio::test]
    async fn a_silent_stream_ends_with_its_callers_certificate() {
        let clock = Arc::new(FixedClock::new(UnixMillis::new(1_000)));
        let mut body = Until::new(Body::new(Silent), clock.clone(), UnixMillis::new(1_010));
        let waiting = tokio::time::timeout(Duration::from_millis(50), next(&mut body)).await;
        assert!(waiting.is_err(), "the clock has not moved");
        clock.set(UnixMillis::new(1_011));
        let trailers = next(&mut body).await.unwrap().into_trailers().unwrap_or_default();
        let status = Status::from_header_map(&trailers).unwrap();
        assert_eq!(Refusal::from_status(&status).unwrap().reason.as_str(), "NOT_AUTHENTICATED");
        assert!(next(&mut body).await.is_none() && body.is_end_stream());
    }

    #[tokio::test]
    async fn what_the_stream_gives_passes_through() {
        let clock = Arc::new(FixedClock::new(UnixMillis::new(1_000)));
        let inner = Body::new(http_body("block"));
        let mut body = Until::new(inner, clock, UnixMillis::new(u64::MAX));
        assert_eq!(next(&mut body).await.unwrap().into_data().unwrap_or_default(), "block");
        assert!(next(&mut body).await.is_none());
    }

    fn http_body(text: &'static str) -> impl HttpBody<Data = Bytes, Error = Status> + Send + 'static {
        struct Once(Option<Bytes>);
        impl HttpBody for Once {
            type Data = Bytes;
            type Error = Status;

            fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
                Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
            }
        }
        Once(Some(Bytes::from_static(text.as_bytes())))
    }
}
