//! What people send: a few short fields, as a form or as JSON.
//!
//! ```text
//! application/x-www-form-urlencoded    code=99060126&number=0000000007&…
//! application/json                     {"code":"99060126","number":"0000000007",…}       text or whole numbers
//! ```
//! One reader for both: the same bounds, and the same refusals. A field that is there twice, or that nobody asked for, is refused: it was
//! meant for something. Nothing of it is ever logged.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::reply::{Problem, ProblemKind};

/// All that a form here has, with room.
pub(crate) const BODY_BYTES_MAX: usize = 8 * 1024;
/// From a request's header to the last byte of its body.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Named texts.
#[derive(Clone, Default)]
pub(crate) struct Fields(BTreeMap<String, String>);

/// Whether the request is a form: then its sender is a person without a script, to whom a page is answered.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers) == "application/x-www-form-urlencoded"
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Names only: values are nobody's but their sender's.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Fields {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Reads a request whole.
    pub(crate) async fn read(request: Request<Body>) -> Result<Self, Problem> {
        Self::read_within(request, BODY_PATIENCE).await
    }

    async fn read_within(request: Request<Body>, patience: Duration) -> Result<Self, Problem> {
        let form = Problem::new(ProblemKind::Form);
        let (parts, body) = request.into_parts();
        // Nothing belongs into an address: it would stay in histories and logs on the way.
        if parts.uri.query().is_some() {
            return Err(form);
        }
        let media_type = media_type(&parts.headers);
        if !["application/x-www-form-urlencoded", "application/json"].contains(&media_type.as_str()) {
            return Err(Problem::new(ProblemKind::MediaType));
        }
        let collected = tokio::time::timeout(patience, Limited::new(body, BODY_BYTES_MAX).collect()).await;
        let body: Bytes = match collected {
            Err(_) => return Err(Problem::new(ProblemKind::Slow)),
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Problem::new(ProblemKind::TooLarge)),
            Ok(Err(_)) => return Err(form),
        };
        let pairs = match media_type.as_str() {
            "application/json" => serde_json::from_slice::<JsonFields>(&body).map_err(|_| form.clone())?.0,
            _ => form_urlencoded::parse(&body).into_owned().collect(),
        };
        Self::of(pairs).ok_or(form)
    }

    fn of(pairs: Vec<(String, String)>) -> Option<Self> {
        let mut fields = BTreeMap::new();
        for (name, value) in pairs {
            if fields.insert(name, value).is_some() {
                return None;
            }
        }
        Some(Self(fields))
    }

    /// Takes a field out; an empty one is none.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// Takes a field out that must be there and read.
    pub(crate) fn need<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Problem> {
        self.take(name).as_deref().and_then(read).ok_or(Problem::new(ProblemKind::Form))
    }

    /// That nothing is left.
    pub(crate) fn end(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::new(ProblemKind::Form)) }
    }
}

/// A flat object whose values are texts or whole numbers.
struct JsonFields(Vec<(String, String)>);

impl<'de> Deserialize<'de> for JsonFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = JsonFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts and whole numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonFields, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, JsonValue>()? {
                    let value = match value {
                        JsonValue::Text(text) => text,
                        JsonValue::Number(number) => number.to_string(),
                    };
                    pairs.push((name, value));
                }
                Ok(JsonFields(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonValue {
    Text(String),
    Number(i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(media_type: &str, body: impl Into<Body>) -> Result<BTreeMap<String, String>, ProblemKind> {
        let request = Request::post("/x").header(header::CONTENT_TYPE, media_type).body(body.into()).unwrap();
        Fields::read(request).await.map(|fields| fields.0).map_err(|problem| problem.kind)
    }

    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";

    #[tokio::test]
    async fn a_form_and_json_say_the_same() {
        let fields = read(FORM, "code=99060126&name=%E9%83%8E+x&empty=").await.unwrap();
        assert_eq!(fields["name"], "郎 x");
        let json =
            read("Application/JSON; charset=utf-8", "{\"code\":99060126,\"name\":\"郎 x\",\"empty\":\"\"}").await;
        assert_eq!(json.unwrap(), fields);
    }

    #[tokio::test]
    async fn whatever_else_is_refused() {
        use ProblemKind::{Form, MediaType, TooLarge};
        let long = format!("code={}", "0".repeat(BODY_BYTES_MAX));
        for (media_type, body, problem) in [
            (FORM, "code=1&code=2", Form),
            (JSON, "{\"code\":\"1\",\"code\":\"2\"}", Form),
            (JSON, "{\"code\":{}}", Form),
            (JSON, "{\"code\":1.5}", Form),
            (JSON, "{\"code\":null}", Form),
            (JSON, "[]", Form),
            (JSON, "{} ,", Form),
            (JSON, "", Form),
            (FORM, long.as_str(), TooLarge),
            ("text/plain", "code=1", MediaType),
            ("multipart/form-data; boundary=x", "", MediaType),
            ("", "", MediaType),
        ] {
            assert_eq!(read(media_type, body.to_owned()).await, Err(problem), "{media_type} {body:.20}");
        }
        let request = Request::post("/x?code=1").header(header::CONTENT_TYPE, FORM).body(Body::empty()).unwrap();
        assert_eq!(Fields::read(request).await.unwrap_err().kind, Form);
        let mut fields = Fields::of(vec![("a".into(), "1".into()), ("b".into(), String::new())]).unwrap();
        assert_eq!(fields.need("a", |text| text.parse().ok()), Ok(1_u32));
        assert!(fields.need("a", |text| text.parse::<u32>().ok()).is_err(), "it was taken");
        assert_eq!(fields.take("b"), None);
        assert_eq!(fields.end(), Ok(()));
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
        let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
        let request = Request::post("/x").header(header::CONTENT_TYPE, FORM).body(body).unwrap();
        let problem = Fields::read_within(request, Duration::from_millis(10)).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Slow);
        drop(sender);
    }
}
