//! A bound on what requests hold in memory: each message takes as many places as it has bytes, before its first byte is kept.
//!
//! ```text
//! gRPC frame:  compressed u8 ‖ length u32 ‖ message      the length is taken when it is read: room for it is made at once
//! ```
//! The framework makes room for a whole message as soon as it has read the length, and keeps it until the last byte is there: a
//! thousand calls that send five bytes each would hold gigabytes. So the announced length counts, against all callers and against the
//! share of one, until the answer begins. A message that finds no room is refused with OVERLOADED, and so is a call whose request has
//! not arrived whole in time. A compressed message counts by what it unfolds to, which is found by unfolding it as it comes, and
//! forgetting the result. Of a conversation, whose frames are bounded by whoever hears them, only the first message counts, until the next begins, and
//! the announced length has a limit of its own: else each could hold as much as the largest message of any method. Not here: how many calls there are
//! (`inflight`), how large a message may be else (the server's own limit).

use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use flate2::write::GzDecoder;
use http::Request;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use receipt_core::reason::Reason;
use tallystick_proto::errors::Refusal;
use tokio::time::{Instant, Sleep};
use tonic::Status;
use tonic::body::Body;
use tower::Layer;

use crate::around::{Answering, Around, Inner, Layered};
use crate::callers::{Place, Places};
use crate::identity::{PeerIdentity, Role};

/// Compressed flag and length.
const HEADER_BYTES: usize = 5;
const RETRY_AFTER_MS: u64 = 500;
/// What unfolding a message takes beside the message: window and tables.
const UNFOLDING_BYTES: usize = 64 * 1024;

/// Bounds of what requests may hold in memory.
#[derive(Debug, Clone)]
pub struct ArrivalLimits {
    /// Bytes of messages, in all and of one caller.
    pub bytes: Places,
    /// The same of validators, if they have room of their own, because consensus lives on their calls.
    pub validators: Option<Places>,
    /// The largest message that the server takes.
    pub message_bytes_max: usize,
    /// From a call's begin to its request's last byte.
    pub patience: Duration,
    /// Knows by `/package.Service/Method` the methods to which callers stream for as long as they like: these are waited for, and only
    /// the present message of one counts.
    pub is_streamed: fn(&str) -> bool,
}

/// The methods of every port of ours to which callers stream.
pub fn is_reflection(path: &str) -> bool {
    path.starts_with("/grpc.reflection.")
}

impl ArrivalLimits {
    fn places(&self, caller: Option<&PeerIdentity>) -> &Places {
        match (&self.validators, caller) {
            (Some(validators), Some(caller)) if caller.role == Role::Validator => validators,
            _ => &self.bytes,
        }
    }
}

/// Put it inside the authorisation layer, which says who calls.
#[derive(Debug, Clone)]
pub struct ArrivalLayer {
    limits: ArrivalLimits,
    conversations: Conversations,
}

/// Methods whose callers speak for as long as they like, and the largest message of theirs.
#[derive(Debug, Clone, Copy)]
struct Conversations {
    is_one: fn(&str) -> bool,
    message_bytes_max: usize,
}

impl ArrivalLayer {
    /// A layer that keeps to these limits.
    pub fn new(limits: ArrivalLimits) -> Self {
        Self { limits, conversations: Conversations { is_one: |_| false, message_bytes_max: 0 } }
    }

    /// Knows by `/package.Service/Method` the methods whose messages need not come in time and do not count once the first is there: a call of
    /// theirs has one message at once, of at most so many bytes.
    #[must_use]
    pub fn with_conversations(self, is_one: fn(&str) -> bool, message_bytes_max: usize) -> Self {
        Self { conversations: Conversations { is_one, message_bytes_max }, ..self }
    }
}

impl<S> Layer<S> for ArrivalLayer {
    type Service = Layered<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Layered::new(inner, self)
    }
}

/// Room that a call's messages have taken: held by its body and by its future, whichever ends last.
type Held = Arc<Mutex<Vec<Place>>>;

impl Around<Body> for ArrivalLayer {
    fn answer<S: Inner<Body>>(&self, inner: &mut S, request: Request<Body>) -> Answering<S::Error> {
        let caller = request.extensions().get::<PeerIdentity>().cloned();
        let held = Held::default();
        let limits = self.limits.clone();
        let path = request.uri().path();
        let uncounted = (self.conversations.is_one)(path).then_some((self.conversations.message_bytes_max, false));
        let is_streamed = uncounted.is_some() || (limits.is_streamed)(path);
        let answer = inner.call(request.map(|body| {
            let deadline = || Box::pin(tokio::time::sleep_until(Instant::now() + limits.patience));
            Body::new(ArrivingBody {
                deadline: (!is_streamed).then(deadline),
                inner: body,
                limits,
                uncounted,
                caller,
                held: Arc::clone(&held),
                header: Vec::with_capacity(HEADER_BYTES),
                message_bytes_left: 0,
                unfolding: None,
            })
        }));
        Box::pin(async move {
            let answer = answer.await;
            drop(held);
            answer
        })
    }
}

/// A request's body on its way in.
struct ArrivingBody {
    inner: Body,
    limits: ArrivalLimits,
    /// Of a conversation: its largest message, and whether its first has begun. Later ones do not count.
    uncounted: Option<(usize, bool)>,
    caller: Option<PeerIdentity>,
    held: Held,
    /// When it must be there; `None`: it is a stream.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Of a frame's header, what is read of it.
    header: Vec<u8>,
    /// Bytes of the present message that are still to come.
    message_bytes_left: usize,
    /// The present message, if it is compressed.
    unfolding: Option<Unfolding>,
}

/// A compressed message as it is unfolded.
struct Unfolding {
    decoder: GzDecoder<Counter>,
    /// Bytes of room that were taken for what it unfolds to.
    taken: usize,
}

/// Counts what is written, and keeps none of it.
struct Counter {
    count: usize,
    count_max: usize,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The server refuses a message above this size, so counting further is of no use.
        if self.count >= self.count_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.count = self.count.saturating_add(bytes.len()).min(self.count_max);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ArrivingBody {
    /// Takes room for every message that begins in these bytes, and for what those unfold to that are compressed.
    fn account(&mut self, mut data: &[u8]) -> Result<(), Status> {
        while !data.is_empty() {
            if self.message_bytes_left > 0 {
                let (passed, rest) = data.split_at(self.message_bytes_left.min(data.len()));
                self.message_bytes_left -= passed.len();
                data = rest;
                self.unfold(passed)?;
                continue;
            }
            let missing = HEADER_BYTES - self.header.len();
            let (head, rest) = data.split_at(missing.min(data.len()));
            self.header.extend_from_slice(head);
            data = rest;
            if let [compressed, length @ ..] = self.header.as_slice()
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.begin(*compressed != 0, length)?;
                self.message_bytes_left = length;
                self.header.clear();
            }
        }
        Ok(())
    }

    /// Makes room for a message of this announced length.
    fn begin(&mut self, compressed: bool, length: usize) -> Result<(), Status> {
        if let Some((largest, has_begun)) = &mut self.uncounted {
            if length > *largest {
                let problem = format!("{length} bytes, and a message of this method has at most {largest}");
                return Err(Refusal::field("message", problem).to_status());
            }
            if std::mem::replace(has_begun, true) {
                self.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return Ok(());
            }
            return self.make_room(length);
        }
        if self.deadline.is_none() {
            // A new message begins: the earlier ones are answered by now, or never will be.
            self.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        // A larger message needs no more room than this: the server refuses it without reading it.
        let largest = self.limits.message_bytes_max;
        self.make_room(length.min(largest))?;
        self.unfolding = None;
        if compressed && length <= largest {
            // The framework makes room for twice the length before it unfolds anything.
            let taken = length.saturating_mul(2).min(largest);
            self.make_room(taken.saturating_add(UNFOLDING_BYTES))?;
            let decoder = GzDecoder::new(Counter { count: 0, count_max: largest });
            self.unfolding = Some(Unfolding { decoder, taken });
        }
        Ok(())
    }

    /// Takes room for what the next bytes of a compressed message unfold to.
    fn unfold(&mut self, bytes: &[u8]) -> Result<(), Status> {
        let Some(unfolding) = &mut self.unfolding else { return Ok(()) };
        // The server itself refuses what is not gzip or is too large. What it has unpacked by then is counted here.
        let ended = unfolding.decoder.write_all(bytes).and_then(|()| unfolding.decoder.flush()).is_err();
        let more = unfolding.decoder.get_ref().count.saturating_sub(unfolding.taken);
        unfolding.taken = unfolding.taken.saturating_add(more);
        if ended || self.message_bytes_left == 0 {
            self.unfolding = None;
        }
        if more > 0 { self.make_room(more) } else { Ok(()) }
    }

    fn make_room(&self, bytes: usize) -> Result<(), Status> {
        let place = self.limits.places(self.caller.as_ref()).try_acquire_many(self.caller.as_ref(), bytes);
        let place =
            place.ok_or_else(|| overloaded("too many bytes of requests are held for this caller, or for all"))?;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        Ok(())
    }
}

fn overloaded(problem: &str) -> Status {
    let refusal = Refusal::new(Reason::Overloaded).with_retry_after_ms(RETRY_AFTER_MS);
    refusal.with_message(format!("{problem}; nothing was done, send the call again")).to_status()
}

impl HttpBody for ArrivingBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    let data = data.clone();
                    self.account(&data)?;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending => match self.deadline.as_mut().map(|deadline| deadline.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(Some(Err(overloaded("the request did not arrive in time")))),
                _ => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Response;
    use http_body_util::{BodyExt as _, StreamBody};
    use tallystick_proto::errors::ErrorReason;
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::UnboundedReceiverStream;
    use tower::Service;

    use super::*;
    use crate::testing::identity;

    /// Reads the request whole, and says how it ended.
    #[derive(Clone)]
    struct Reads;

    impl Service<Request<Body>> for Reads {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            Box::pin(async move {
                Ok(match request.into_body().collect().await {
                    Ok(_) => Response::new(Body::empty()),
                    Err(status) => status.into_http(),
                })
            })
        }
    }

    type Sender = mpsc::UnboundedSender<Result<Frame<Bytes>, Status>>;

    fn request(caller: u32) -> (Sender, Request<Body>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut request = Request::new(Body::new(StreamBody::new(UnboundedReceiverStream::new(receiver))));
        request.extensions_mut().insert(identity(Role::System, caller));
        (sender, request)
    }

    fn send(sender: &Sender, bytes: &[u8]) {
        sender.send(Ok(Frame::data(Bytes::copy_from_slice(bytes)))).unwrap();
    }

    fn header(compressed: u8, length: u32) -> Vec<u8> {
        [&[compressed][..], &length.to_be_bytes()].concat()
    }

    fn refusal(answer: &Response<Body>) -> Option<(ErrorReason, String)> {
        let refusal = Refusal::from_status(&Status::from_header_map(answer.headers())?)?;
        Some((refusal.reason, refusal.message))
    }

    fn layer() -> (Places, Layered<Reads, ArrivalLayer>) {
        layer_with(Duration::from_secs(30))
    }

    fn layer_with(patience: Duration) -> (Places, Layered<Reads, ArrivalLayer>) {
        layer_of(Places::new(200, 100), 80, patience)
    }

    fn layer_of(bytes: Places, message_bytes_max: usize, patience: Duration) -> (Places, Layered<Reads, ArrivalLayer>) {
        let layer = bounds(bytes.clone(), message_bytes_max, patience).layer(Reads);
        (bytes, layer)
    }

    fn bounds(bytes: Places, message_bytes_max: usize, patience: Duration) -> ArrivalLayer {
        let is_streamed = is_reflection;
        ArrivalLayer::new(ArrivalLimits { bytes, validators: None, message_bytes_max, patience, is_streamed })
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Until everything that was sent is read.
    async fn until_taken(places: &Places, bytes: usize) {
        while places.in_use() != bytes {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_announced_length_counts_from_its_fifth_byte_until_the_answer() {
        let (places, mut service) = layer();
        let (first, one) = request(1);
        let one = tokio::spawn(service.call(one));
        // Five bytes in two pieces, and nothing after them.
        send(&first, &header(0, 60)[..3]);
        send(&first, &header(0, 60)[3..]);
        until_taken(&places, 60).await;
        let (second, two) = request(1);
        send(&second, &header(0, 60));
        let (reason, message) = refusal(&service.call(two).await.unwrap()).unwrap();
        assert_eq!(reason, ErrorReason::Core(Reason::Overloaded));
        assert!(message.contains("too many bytes"), "{message}");
        // Another caller has a share of its own, and all together have a bound.
        let (third, three) = request(2);
        let three = tokio::spawn(service.call(three));
        send(&third, &header(0, 80));
        until_taken(&places, 140).await;
        let (fourth, four) = request(3);
        send(&fourth, &header(0, 61));
        assert!(refusal(&service.call(four).await.unwrap()).is_some());
        send(&first, &[7; 60]);
        drop((first, third));
        assert_eq!(refusal(&one.await.unwrap().unwrap()), None);
        assert_eq!(refusal(&three.await.unwrap().unwrap()), None);
        assert_eq!(places.in_use(), 0);
    }

    #[tokio::test]
    async fn every_message_counts_and_one_above_the_limit_as_the_largest() {
        let (places, mut service) = layer();
        let (sender, call) = request(1);
        let call = tokio::spawn(service.call(call));
        send(&sender, &[header(0, 3), vec![1; 3], header(0, 2), vec![1; 2]].concat());
        until_taken(&places, 5).await;
        drop(sender);
        call.await.unwrap().unwrap();
        // One above the server's limit takes no more than that: the server refuses it, unread.
        let (sender, call) = request(1);
        let call = tokio::spawn(service.call(call));
        send(&sender, &header(0, u32::MAX));
        until_taken(&places, 80).await;
        drop(sender);
        call.await.unwrap().unwrap();
        assert_eq!(places.in_use(), 0);
    }

    /// Small ones count little, so that a caller who compresses has as many calls under way as one who does not; a bomb counts as it
    /// goes off, and no further than the largest message.
    #[tokio::test]
    async fn a_compressed_message_counts_by_what_it_unfolds_to() {
        const MIB: usize = 1024 * 1024;
        let (places, mut service) = layer_of(Places::new(64 * MIB, 8 * MIB), 4 * MIB, Duration::from_secs(30));
        let small = gzip(&[7; 300]);
        let mut calls = Vec::new();
        for _ in 0..32 {
            let (sender, call) = request(1);
            calls.push((tokio::spawn(service.call(call)), sender));
            let sender = &calls.last().unwrap().1;
            send(sender, &header(1, u32::try_from(small.len()).unwrap()));
            send(sender, &small);
        }
        let of_each = small.len() + UNFOLDING_BYTES + 300.max(2 * small.len());
        until_taken(&places, 32 * of_each).await;
        drop(calls);
        until_taken(&places, 0).await;
        let bomb = gzip(&vec![0; 64 * MIB]);
        let length = u32::try_from(bomb.len()).unwrap();
        assert!(bomb.len() < 100_000);
        let (sender, call) = request(2);
        let call = tokio::spawn(service.call(call));
        send(&sender, &header(1, length));
        until_taken(&places, 3 * bomb.len() + UNFOLDING_BYTES).await;
        for piece in bomb.chunks(1000) {
            send(&sender, piece);
        }
        until_taken(&places, bomb.len() + UNFOLDING_BYTES + 4 * MIB).await;
        // A second one of the same caller finds no room.
        let (second, other) = request(2);
        send(&second, &[header(1, length), bomb.clone()].concat());
        assert!(refusal(&service.call(other).await.unwrap()).is_some());
        drop((sender, second));
        call.await.unwrap().unwrap();
        // What is not gzip at all is left to the server.
        let (sender, call) = request(1);
        send(&sender, &[header(1, 9), vec![3; 9], header(0, 2), vec![1; 2]].concat());
        drop(sender);
        assert_eq!(refusal(&service.call(call).await.unwrap()), None);
        assert_eq!(places.in_use(), 0);
    }

    /// A client of reflection keeps its stream open for as long as it runs.
    #[tokio::test]
    async fn a_stream_is_waited_for_and_holds_one_message() {
        let (places, mut service) = layer_with(Duration::from_millis(1));
        let (sender, mut call) = request(1);
        *call.uri_mut() = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo".parse().unwrap();
        let call = tokio::spawn(service.call(call));
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            send(&sender, &[header(0, 60), vec![1; 60]].concat());
            until_taken(&places, 60).await;
        }
        drop(sender);
        assert_eq!(refusal(&call.await.unwrap().unwrap()), None);
        assert_eq!(places.in_use(), 0);
    }

    #[tokio::test]
    async fn a_request_that_does_not_come_is_not_waited_for() {
        let (places, mut service) = layer_with(Duration::from_millis(1));
        let (sender, call) = request(1);
        send(&sender, &header(0, 60));
        let (reason, message) = refusal(&service.call(call).await.unwrap()).unwrap();
        assert_eq!(reason, ErrorReason::Core(Reason::Overloaded));
        assert!(message.contains("did not arrive in time"), "{message}");
        assert_eq!(places.in_use(), 0);
    }

    /// Validators speak to each other for as long as they run.
    #[tokio::test]
    async fn a_conversation_goes_on_uncounted_in_messages_of_its_own_bound() {
        let places = Places::new(200, 100);
        let layer = bounds(places.clone(), 80, Duration::from_millis(1));
        let mut bounded = layer.clone().layer(Reads);
        let mut service = layer.with_conversations(|path| path == "/stream", 70).layer(Reads);
        let stream = |path: &str| {
            let (sender, mut call) = request(1);
            *call.uri_mut() = path.parse().unwrap();
            (sender, call)
        };
        let (sender, call) = stream("/stream");
        let answer = tokio::spawn(service.call(call));
        for _ in 0..20 {
            send(&sender, &[header(0, 70), vec![1; 70]].concat());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(places.in_use(), 0);
        drop(sender);
        assert_eq!(refusal(&answer.await.unwrap().unwrap()), None);
        // By its length alone, before room is made for it.
        let (sender, call) = stream("/stream");
        send(&sender, &header(0, 71));
        let (_, message) = refusal(&service.call(call).await.unwrap()).unwrap();
        assert!(message.contains("at most 70"), "{message}");
        let (_sender, call) = stream("/another");
        assert!(refusal(&bounded.call(call).await.unwrap()).is_some());
    }

    #[tokio::test]
    async fn what_others_send_takes_no_room_of_the_validators() {
        let (bytes, validators) = (Places::new(100, 100), Places::new(100, 100));
        let limits = ArrivalLimits {
            bytes: bytes.clone(),
            validators: Some(validators.clone()),
            message_bytes_max: 80,
            patience: Duration::from_secs(30),
            is_streamed: is_reflection,
        };
        let mut service = ArrivalLayer::new(limits).layer(Reads);
        let (system, call) = request(1);
        let full = tokio::spawn(service.call(call));
        send(&system, &header(0, 80));
        until_taken(&bytes, 80).await;
        let (sender, mut call) = request(1);
        call.extensions_mut().insert(identity(Role::Validator, 1));
        send(&sender, &[header(0, 60), vec![1; 60]].concat());
        drop(sender);
        assert_eq!(refusal(&service.call(call).await.unwrap()), None);
        assert_eq!((bytes.in_use(), validators.in_use()), (80, 0));
        drop(system);
        full.await.unwrap().unwrap();
    }
}
