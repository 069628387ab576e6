//! This node's side of the engine's links: one long-lived call to each peer that carries all that its engine says, and a call for each
//! request for decided blocks.
//!
//! The link to a peer has a connection of its own, so that a vote waits behind no batch. Who the peer is follows from its certificate,
//! which the channel checks at each handshake; who this node is, the peer learns from a hello that is signed with its consensus keys for
//! this connection. A link that breaks is opened again, after a pause that doubles up to [`PAUSE_MAX`].
//! Not here: what is said (the engine's `network`), and the peers' links to this node (`api/peer.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use receipt_core::ids::ValidatorId;
use receipt_core::limits;
use tallystick_engine::{Fetch, FetchError, MemberId, Network, NetworkConfig, Session};
use tallystick_proto::errors::Refusal;
use tallystick_proto::peer::v1::peer_service_client::PeerServiceClient;
use tallystick_proto::peer::v1::{ConverseRequest, FetchDecidedRequest};
use tallystick_service::config::{ConfigError, Loaded};
use tallystick_service::identity::Role;
use tallystick_service::shutdown::CancellationToken;
use tallystick_service::tls::{ChannelConfig, ExpectedPeer, Tls, connect_lazy_with_session};
use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::config::{NodeConfig, PeerConfig};
use crate::membership::LinkKeys;

const PAUSE_MIN: Duration = Duration::from_millis(100);
/// A peer that comes back is spoken to after at most so long.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A link that lasted so long was no failed try.
const STEADY: Duration = Duration::from_secs(5);
/// How long an ended call may take to say why it ended.
const WHY_WITHIN: Duration = Duration::from_secs(1);
/// The engine asks somebody else then.
const FETCH_WITHIN: Duration = Duration::from_secs(10);
/// Before a peer that has no room is asked again, whatever pause it names: one that names none would be asked without end.
const FETCH_PAUSE_MIN: Duration = Duration::from_millis(50);
/// What stands around the blocks in the message.
const MESSAGE_OVERHEAD_BYTES: usize = 1024;

/// The link to one peer.
pub(crate) struct Conversation {
    /// Its registry number.
    pub peer: ValidatorId,
    /// A connection for this alone.
    pub channel: Channel,
    /// That connection's.
    pub session: watch::Receiver<Session>,
    /// What there is to say.
    pub network: Network,
}

impl Conversation {
    /// Keeps the link until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let (mut pause, mut told) = (PAUSE_MIN, None);
        loop {
            let begun = Instant::now();
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.converse(&mut told) => ended,
            };
            if begun.elapsed() >= STEADY {
                pause = PAUSE_MIN;
            }
            self.tell(&mut told, why(&ended));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (2 * pause).min(PAUSE_MAX);
        }
    }

    /// Until the link breaks; returns how.
    async fn converse(&self, told: &mut Option<String>) -> Status {
        let mut client = PeerServiceClient::new(self.channel.clone());
        let (sender, frames) = mpsc::channel(1);
        let mut outgoing = self.network.outgoing();
        let speaking = async {
            // A place in the channel first: a frame taken before there is room would be lost if the link ends.
            while let Ok(place) = sender.reserve().await {
                place.send(ConverseRequest { frame: outgoing.next().await });
            }
            // The call has ended: give its status time to arrive, which says why.
            tokio::time::sleep(WHY_WITHIN).await;
        };
        let hearing = async {
            let (network, session) = (self.network.clone(), self.session.clone());
            let to = MemberId::new(self.peer.get());
            // Signed when it is read: then the call has its connection.
            let hello = tokio_stream::once(()).map(move |()| {
                let session = *session.borrow();
                ConverseRequest { frame: network.hello(to, &session) }
            });
            let answer = client.converse(hello.chain(ReceiverStream::new(frames))).await?;
            self.tell(told, String::new());
            // The peer says nothing here: it ends the link, and says why.
            answer.into_inner().message().await
        };
        tokio::select! {
            ended = hearing => ended.err().unwrap_or_else(|| Status::cancelled("the peer has ended the link")),
            () = speaking => Status::cancelled("the link is broken"),
        }
    }

    /// One line a change: links are tried again every second. Empty: it stands.
    fn tell(&self, told: &mut Option<String>, why: String) {
        if told.as_ref() == Some(&why) {
            return;
        }
        if why.is_empty() {
            tracing::info!(peer = %self.peer, "the consensus link to a peer stands");
        } else {
            tracing::info!(peer = %self.peer, why, "no consensus link to a peer");
        }
        *told = Some(why);
    }
}

/// What is said of a broken link, without what changes at every try.
fn why(status: &Status) -> String {
    if let Some(refusal) = Refusal::from_status(status) {
        return format!("{}: {}", refusal.reason, status.message());
    }
    let mut cause = std::error::Error::source(status);
    let mut innermost = status.message().to_owned();
    while let Some(error) = cause {
        innermost = error.to_string();
        cause = error.source();
    }
    format!("not reached: {innermost}")
}

/// A lazily connecting channel to a peer.
pub(crate) fn channel(config: &Loaded<NodeConfig>, tls: &Arc<Tls>, peer: &PeerConfig) -> Result<Channel, ConfigError> {
    channel_with_session(config, tls, peer).map(|(channel, _)| channel)
}

/// The same, and the session of its connection.
pub(crate) fn channel_with_session(
    config: &Loaded<NodeConfig>,
    tls: &Arc<Tls>,
    peer: &PeerConfig,
) -> Result<(Channel, watch::Receiver<Session>), ConfigError> {
    let expected = ExpectedPeer { role: Role::Validator, id: Some(peer.validator_id) };
    let channel = connect_lazy_with_session(tls, &ChannelConfig::new(&peer.grpc, expected));
    channel.map_err(|error| config.invalid("peers.grpc", error.to_string()))
}

/// The engine's side of the links to all peers.
pub(crate) fn network(config: &Loaded<NodeConfig>, tls: &Arc<Tls>, keys: LinkKeys) -> anyhow::Result<Network> {
    let mut channels = BTreeMap::new();
    for peer in &config.value.peers {
        channels.insert(MemberId::new(peer.validator_id), channel(config, tls, peer)?);
    }
    let peers: Vec<MemberId> = channels.keys().copied().collect();
    let own = MemberId::new(config.value.validator_id);
    Ok(Network::new(NetworkConfig {
        chain_id: keys.chain_id(),
        own,
        peers: &peers,
        block_bytes_max: limits::BLOCK_BYTES_MAX,
        fetch: Arc::new(PeerFetch(channels)),
        keys: Arc::new(keys),
    })?)
}

/// Asks peers for decided blocks, over a connection of its own.
pub(crate) struct PeerFetch(pub(crate) BTreeMap<MemberId, Channel>);

#[tonic::async_trait]
impl Fetch for PeerFetch {
    async fn fetch(&self, peer: MemberId, request: Bytes, bytes_max: usize) -> Result<Bytes, FetchError> {
        let channel = self.0.get(&peer).ok_or(FetchError::Unreachable)?;
        let mut client = PeerServiceClient::new(channel.clone())
            .max_decoding_message_size(bytes_max.saturating_add(MESSAGE_OVERHEAD_BYTES));
        loop {
            let mut request = Request::new(FetchDecidedRequest { request: request.clone() });
            request.set_timeout(FETCH_WITHIN);
            let status = match client.fetch_decided(request).await {
                Ok(answer) => return Ok(answer.into_inner().response),
                Err(status) => status,
            };
            // The peer has no room for now. Whoever waits gives up after a while, and drops this.
            let pause_ms = Refusal::from_status(&status).and_then(|refusal| refusal.retry_after_ms);
            match (status.code(), pause_ms) {
                (Code::ResourceExhausted, Some(pause_ms)) => {
                    tokio::time::sleep(Duration::from_millis(pause_ms).clamp(FETCH_PAUSE_MIN, FETCH_WITHIN)).await;
                }
                (Code::Unavailable, _) => return Err(FetchError::Unreachable),
                (Code::DeadlineExceeded | Code::Cancelled, _) => return Err(FetchError::TimedOut),
                _ => return Err(FetchError::Refused),
            }
        }
    }
}

#[cfg(test)]
mod tests;
