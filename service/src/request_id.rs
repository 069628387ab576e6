//! A name for every request, so that a caller's complaint leads to the log lines of its call.
//!
//! A caller may send one in the header `x-request-id` (1–64 characters of `A-Za-z0-9._-`); otherwise, or if it is not
//! of that form, the service makes one: 8 random hex digits of the process, a dash, a counter. It is put into the request
//! extensions, into the log span of the call, and into the answer's headers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Request;
use http::header::{HeaderName, HeaderValue};
use tower::Layer;
use tracing::Instrument;

use crate::around::{Answering, Around, Inner, Layered};
use crate::rng::{Entropy, EntropyError, random_array};

/// The header in both directions.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

const CHARACTERS_MAX: usize = 64;

/// The name of one request. In the request extensions of every call behind [`RequestIdLayer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        // Both ways of making one allow ASCII only.
        self.0.to_str().unwrap_or_default()
    }

    fn accept(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let good = !bytes.is_empty() && bytes.len() <= CHARACTERS_MAX && bytes.iter().all(allowed);
        good.then(|| Self(value.clone()))
    }
}

/// Gives each request its [`RequestId`].
#[derive(Debug, Clone)]
pub struct RequestIdLayer {
    process: u32,
    count: Arc<AtomicU64>,
}

impl RequestIdLayer {
    /// A layer whose ids begin with a random prefix for this process.
    pub fn new(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let process = u32::from_be_bytes(random_array(entropy)?);
        Ok(Self { process, count: Arc::new(AtomicU64::new(0)) })
    }

    fn make(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let text = format!("{:08x}-{count}", self.process);
        RequestId(HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unnamed")))
    }
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = Layered<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(inner, self)
    }
}

impl<B> Around<B> for RequestIdLayer {
    fn answer<S: Inner<B>>(&self, inner: &mut S, mut request: Request<B>) -> Answering<S::Error> {
        let given = request.headers().get(&REQUEST_ID_HEADER).and_then(RequestId::accept);
        let id = given.unwrap_or_else(|| self.make());
        let span = tracing::info_span!("request", request_id = id.as_str(), method = request.uri().path());
        request.extensions_mut().insert(id.clone());
        let answer = inner.call(request);
        let named = async move {
            let mut response = answer.await?;
            response.headers_mut().insert(REQUEST_ID_HEADER, id.0);
            Ok(response)
        };
        Box::pin(named.instrument(span))
    }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use tonic::body::Body;
    use tower::Service as _;

    use super::*;
    use crate::rng::SeededEntropy;

    async fn id_of(layer: &RequestIdLayer, header: Option<&str>) -> (String, String) {
        let inner = tower::service_fn(|request: Request<()>| async move {
            let id = request.extensions().get::<RequestId>().unwrap().as_str().to_owned();
            let answer = Response::builder().header("x-inside", id).body(Body::empty()).unwrap();
            Ok::<_, std::convert::Infallible>(answer)
        });
        let mut request = Request::new(());
        if let Some(text) = header {
            request.headers_mut().insert(REQUEST_ID_HEADER, HeaderValue::from_str(text).unwrap());
        }
        let response = layer.layer(inner).call(request).await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        (header("x-inside"), header("x-request-id"))
    }

    #[tokio::test]
    async fn the_callers_id_is_kept_and_echoed() {
        let layer = RequestIdLayer::new(&SeededEntropy::new(1)).unwrap();
        let (inside, echoed) = id_of(&layer, Some("his-000917.a_B")).await;
        assert_eq!(inside, "his-000917.a_B");
        assert_eq!(echoed, inside);
    }

    #[tokio::test]
    async fn what_is_no_id_is_replaced_by_a_fresh_one() {
        let layer = RequestIdLayer::new(&SeededEntropy::new(1)).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        let long = "x".repeat(CHARACTERS_MAX + 1);
        for header in [None, Some(""), Some("a b"), Some("a\"b"), Some(long.as_str())] {
            let (inside, echoed) = id_of(&layer, header).await;
            assert_eq!(inside, echoed);
            assert_ne!(Some(inside.as_str()), header);
            assert!(seen.insert(inside), "given twice");
        }
    }
}
