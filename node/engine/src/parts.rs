//! The engine's parts (its actors), and how they are ended: in an order in which each still closes its files.

use std::time::Duration;

use malachitebft_app_channel::app::engine::consensus::ConsensusMsg;
use malachitebft_app_channel::app::engine::network::NetworkMsg;
use malachitebft_app_channel::app::engine::node::NodeRef;
use malachitebft_app_channel::app::engine::sync::SyncMsg;
use ractor::ActorRef;
use tokio::sync::{OnceCell, watch};
use tracing::debug;

use crate::context::ChainContext;
use crate::network::Network;

/// How long the engine's parts get to close their files.
pub(crate) const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The engine's parts: the actors under its supervisor.
pub(crate) struct Parts {
    pub(crate) supervisor: NodeRef,
    /// Carries what they say; behind a proxy it has no supervisor.
    pub(crate) carrier: ActorRef<NetworkMsg<ChainContext>>,
    pub(crate) network: Network,
    /// Read by a signer that refuses: it holds consensus until the parts have no supervisor.
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) ended: OnceCell<()>,
}

impl Parts {
    /// Ends them, so that files are closed, and then the supervisor. Returns when all that has happened, to each
    /// caller; harmless if they have ended by themselves.
    pub(crate) async fn stop(&self) {
        self.ended.get_or_init(|| self.stop_once()).await;
    }

    /// The parts are taken from their supervisor first: at the first end of a part it would end itself and kill the others.
    /// Sync and consensus go first and the network last, because a part logs errors when one that it uses is away.
    async fn stop_once(&self) {
        self.network.detach();
        let mut parts = self.supervisor.get_cell().get_children();
        parts.sort_by_key(|part| match part {
            part if part.is_message_type_of::<SyncMsg<ChainContext>>() == Some(true) => 0,
            part if part.is_message_type_of::<ConsensusMsg<ChainContext>>() == Some(true) => 1,
            part if part.is_message_type_of::<NetworkMsg<ChainContext>>() == Some(true) => 3,
            _ => 2,
        });
        for part in &parts {
            part.unlink(self.supervisor.get_cell());
        }
        self.stopping.send_replace(true);
        for part in &parts {
            if let Err(error) = part.stop_and_wait(Some("stopped".to_owned()), Some(STOP_WITHIN)).await {
                // In most cases the part has ended already.
                debug!(part = %part.get_id(), %error, "not told to stop");
            }
        }
        self.carrier.stop(Some("stopped".to_owned()));
        self.supervisor.stop(Some("stopped".to_owned()));
    }
}
