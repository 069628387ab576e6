//! How the nodes of a test reach each other: plain TCP, a connection for each direction of a pair, and one for each fetch. The node's
//! own transport has certificates; here everybody is who it says it is.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tallystick_engine::{FRAME_BYTES_MAX, Fetch, FetchError, MemberId, Network, Session};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Disk;

/// Of the peers, as this node dials them.
pub(crate) type Addresses = Arc<Mutex<BTreeMap<MemberId, String>>>;

pub(crate) const CONVERSE: u8 = 0;
const FETCH: u8 = 1;
/// Of every connection: here all are who they say they are, and what is signed for another one is a matter of some tests.
pub(crate) const SESSION: Session = [0x5E; 32];
/// Said once of a link that is taken; nothing else comes back.
const STANDS: u8 = 1;
const AGAIN_AFTER: Duration = Duration::from_millis(100);

pub(crate) struct TcpFetch {
    pub(crate) own: MemberId,
    pub(crate) addresses: Addresses,
    /// Of the node that fetches.
    pub(crate) disk: Arc<Disk>,
    /// Answers that came and hold a height that is not decided: their last height and bytes.
    waiting: Mutex<Vec<(u64, usize)>>,
    /// The most bytes of these at a time.
    pub(crate) peak_bytes: AtomicUsize,
}

impl TcpFetch {
    pub(crate) fn new(own: MemberId, addresses: Addresses, disk: Arc<Disk>) -> Self {
        Self { own, addresses, disk, waiting: Mutex::default(), peak_bytes: AtomicUsize::new(0) }
    }

    /// `first height u64 · count u16 · …`
    fn note(&self, answer: &[u8]) {
        let (Some(first), Some(count)) = (answer.first_chunk(), answer.get(8..10)) else { return };
        let (first, count) = (u64::from_be_bytes(*first), u16::from_be_bytes(count.try_into().unwrap()));
        let mut waiting = self.waiting.lock().unwrap();
        let tip = self.disk.tip();
        waiting.retain(|(last, _)| *last > tip);
        waiting.push((first + u64::from(count).saturating_sub(1), answer.len()));
        let bytes = waiting.iter().map(|(_, bytes)| bytes).sum();
        self.peak_bytes.fetch_max(bytes, Ordering::SeqCst);
    }
}

/// A connection that has said who opens it, and what for.
pub(crate) async fn connect(own: MemberId, address: &str, purpose: u8) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_u32(own.get()).await?;
    stream.write_u8(purpose).await?;
    Ok(stream)
}

pub(crate) async fn write_frame(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    to.write_u32(u32::try_from(frame.len()).map_err(io::Error::other)?).await?;
    to.write_all(frame).await
}

async fn read_frame(from: &mut (impl AsyncRead + Unpin), bytes_max: usize) -> io::Result<Bytes> {
    let length = from.read_u32().await? as usize;
    if length > bytes_max {
        return Err(io::Error::other("a frame is too large"));
    }
    let mut frame = vec![0; length];
    from.read_exact(&mut frame).await?;
    Ok(frame.into())
}

#[async_trait]
impl Fetch for TcpFetch {
    async fn fetch(&self, peer: MemberId, request: Bytes, bytes_max: usize) -> Result<Bytes, FetchError> {
        let address = self.addresses.lock().unwrap()[&peer].clone();
        let asked = async {
            let mut stream = connect(self.own, &address, FETCH).await?;
            write_frame(&mut stream, &request).await?;
            read_frame(&mut stream, bytes_max).await
        };
        let answer: Result<Bytes, FetchError> = asked.await.map_err(|_: io::Error| FetchError::Unreachable);
        answer.inspect(|answer| self.note(answer))
    }
}

/// What a node answers from.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) network: Network,
    pub(crate) disk: Arc<Disk>,
}

/// Serves and dials until it is dropped.
pub(crate) fn wire(served: Served, own: MemberId, listen: SocketAddr, addresses: &Addresses) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    // A listener of the run before may still be closing.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(listen).unwrap();
    let network = served.network.clone();
    tasks.spawn(accept(socket.listen(64).unwrap(), served));
    for (peer, address) in addresses.lock().unwrap().iter() {
        assert!(network.peers().any(|known| known == *peer));
        tasks.spawn(dial(network.clone(), own, *peer, address.clone()));
    }
    tasks
}

async fn accept(listener: TcpListener, served: Served) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let served = served.clone();
        connections.spawn(async move {
            // The one who dials finds out by the end of the connection.
            let _ = serve(stream, &served).await;
        });
    }
}

async fn serve(mut stream: TcpStream, served: &Served) -> io::Result<()> {
    let Served { network, disk } = served;
    let (peer, purpose) = (MemberId::new(stream.read_u32().await?), stream.read_u8().await?);
    if purpose == FETCH {
        let request = read_frame(&mut stream, FRAME_BYTES_MAX).await?;
        let heights = network.requested(peer, &request).map_err(io::Error::other)?;
        let answer = Network::answer(*heights.start(), disk.decided_values(heights));
        return write_frame(&mut stream, &answer).await;
    }
    let hello = read_frame(&mut stream, FRAME_BYTES_MAX).await?;
    let mut incoming = network.open(peer, &hello, &SESSION).map_err(io::Error::other)?;
    stream.write_u8(STANDS).await?;
    loop {
        let over = incoming.over();
        let frame = tokio::select! {
            why = over => return Err(io::Error::other(why)),
            frame = read_frame(&mut stream, 2 * FRAME_BYTES_MAX) => frame?,
        };
        incoming.receive(frame).await.map_err(io::Error::other)?;
    }
}

async fn dial(network: Network, own: MemberId, peer: MemberId, address: String) {
    loop {
        if let Ok(stream) = connect(own, &address, CONVERSE).await {
            let _ = say_all(&network, peer, stream).await;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

async fn say_all(network: &Network, peer: MemberId, stream: TcpStream) -> io::Result<()> {
    let (mut from, mut to) = stream.into_split();
    let mut outgoing = network.outgoing();
    let speaking = async {
        write_frame(&mut to, &network.hello(peer, &SESSION)).await?;
        loop {
            write_frame(&mut to, &outgoing.next().await).await?;
        }
    };
    tokio::select! {
        ended = speaking => ended,
        closed = async {
            from.read_u8().await?;
            // The peer says nothing more; it closes.
            from.read_u8().await
        } => closed.map(|_| ()),
    }
}
