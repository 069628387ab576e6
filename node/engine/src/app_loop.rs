//! The conversation between engine and application, one message at a time.
//!
//! Every message that wants an answer gets one, or the loop ends: a dropped answer would leave the engine half dead.
//! The loop ends with an error when the application fails, a signature is refused, or the engine closes its channel; it
//! ends without one after a stop that was asked for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use malachitebft_app_channel::app::consensus::MisbehaviorEvidence;
use malachitebft_app_channel::app::engine::host::{HeightParams, Next, SyncedValueOutcome};
use malachitebft_app_channel::app::engine::util::events::{Event, RxEvent};
use malachitebft_app_channel::app::streaming::{StreamContent, StreamMessage};
use malachitebft_app_channel::app::types::core::{Round, Validity};
use malachitebft_app_channel::app::types::{LocallyProposedValue, ProposedValue};
use malachitebft_app_channel::{AppMsg, NetworkMsg, Reply};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{debug, info, warn};

use crate::adapter::{ChainSigner, act_of, equivocations};
use crate::application::Application;
use crate::certificate::Certificate;
use crate::context::{ChainContext, ChainHeight, MemberSet, engine_round, height_params, round_number};
use crate::error::EngineError;
use crate::hold::PeerActivity;
use crate::intake::Intake;
use crate::network::{Network, member_of};
use crate::parts::Parts;
use crate::preimage::{self, StreamFields, VoteSlot};
use crate::proposal_part::{ProposalPart, StreamHeader};
use crate::signing::{SignRefused, SignRequest};
use crate::streaming::{Assembly, Current, Finished, StreamIds, chunk_hashes};
use crate::types::{BlockId, Fatal, MemberId, ReceivedProposal, StartHeight, SyncVerdict, SyncedBlock, Verdict};

/// How often a resting node looks whether it was left behind.
const TICK: Duration = Duration::from_millis(500);
/// The engine must begin after this long.
const READY_WITHIN: Duration = Duration::from_secs(15);

/// The channels that the loop receives from.
pub(crate) struct Inbox {
    pub(crate) consensus: mpsc::Receiver<AppMsg<ChainContext>>,
    pub(crate) events: RxEvent<ChainContext>,
    pub(crate) refused: mpsc::UnboundedReceiver<SignRefused>,
    pub(crate) peer_tip: watch::Receiver<u64>,
    pub(crate) wake: Arc<Notify>,
    pub(crate) stop: Arc<Notify>,
}

/// What does not change while the loop runs.
pub(crate) struct Fixed {
    pub(crate) member: MemberId,
    pub(crate) signer: ChainSigner,
    pub(crate) network: Network,
    /// Takes the parts of this node's blocks.
    pub(crate) parts_out: mpsc::Sender<NetworkMsg<ChainContext>>,
    pub(crate) parts: Arc<Parts>,
    pub(crate) log_path: PathBuf,
    pub(crate) block_bytes_max: usize,
    #[cfg(feature = "byzantine")]
    pub(crate) forges_bodies: bool,
}

/// The held answer to "which height now?".
struct Held {
    reply: Reply<Next<ChainContext>>,
    height: ChainHeight,
    params: HeightParams<ChainContext>,
    since: Instant,
}

/// The loop's state.
pub(crate) struct AppLoop {
    app: Box<dyn Application>,
    fixed: Fixed,
    assembly: Assembly,
    stream_ids: StreamIds,
    /// The height being decided, or to be started next.
    height: u64,
    /// The validators of that height.
    set: Option<MemberSet>,
    /// Proposals of this height.
    intake: Intake,
    activity: PeerActivity,
    peer_tip: u64,
    held: Option<Held>,
    ready: bool,
    log_trouble: Option<String>,
}

fn in_call(call: &'static str) -> impl FnOnce(Fatal) -> EngineError {
    move |reason| EngineError::Application { call, reason: reason.to_string() }
}

impl AppLoop {
    pub(crate) fn new(app: Box<dyn Application>, fixed: Fixed, assembly: Assembly) -> Self {
        Self {
            app,
            fixed,
            assembly,
            stream_ids: StreamIds::new(),
            height: 0,
            set: None,
            intake: Intake::default(),
            activity: PeerActivity::default(),
            peer_tip: 0,
            held: None,
            ready: false,
            log_trouble: None,
        }
    }

    /// Runs until the engine ends.
    pub(crate) async fn run(mut self, mut inbox: Inbox) -> Result<(), EngineError> {
        let begun = Instant::now();
        let (mut stopping, mut hears) = (false, true);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = inbox.consensus.recv() => match message {
                    Some(message) => self.answer(message).await?,
                    None if stopping => return Ok(()),
                    None => return Err(self.why_closed(&mut inbox)),
                },
                Some(refusal) = inbox.refused.recv() => return Err(refusal.into()),
                () = inbox.wake.notified() => self.look_again().await?,
                Ok(()) = inbox.peer_tip.changed() => {
                    self.peer_tip = *inbox.peer_tip.borrow_and_update();
                    self.go_on_if_due();
                }
                event = inbox.events.recv(), if hears => match event {
                    Ok(event) => self.observe(event),
                    // Some events were overwritten before this loop read them. The loop goes on with the next one.
                    Err(RecvError::Lagged(missed)) => debug!(missed, "the engine's events came too fast"),
                    Err(RecvError::Closed) => hears = false,
                },
                _ = tick.tick() => {
                    if !self.ready && begun.elapsed() > READY_WITHIN {
                        return Err(EngineError::NotBeginning);
                    }
                    self.go_on_if_due();
                }
                () = inbox.stop.notified(), if !stopping => {
                    stopping = true;
                    // From here until the next start, warnings of the engine's parts are about their own end.
                    info!("the engine stops as asked");
                    let parts = self.fixed.parts.clone();
                    tokio::spawn(async move { parts.stop().await });
                }
            }
        }
    }

    fn why_closed(&mut self, inbox: &mut Inbox) -> EngineError {
        loop {
            match inbox.events.try_recv() {
                Ok(event) => self.observe(event),
                // Older events were overwritten. What ended the engine is among the newer ones, so read on.
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        match (inbox.refused.try_recv(), self.log_trouble.take()) {
            (Ok(refusal), _) => refusal.into(),
            (_, Some(problem)) => EngineError::of_log(self.fixed.log_path.clone(), problem),
            _ => EngineError::Closed,
        }
    }

    async fn answer(&mut self, message: AppMsg<ChainContext>) -> Result<(), EngineError> {
        match message {
            AppMsg::ConsensusReady { reply } => {
                let start = self.app.ready().await.map_err(in_call("ready"))?;
                info!(height = start.height, "consensus starts");
                let _ = reply.send(self.expect(&start)?);
                self.ready = true;
            }
            AppMsg::StartedRound { height, round, proposer, reply_value, .. } => {
                let values = self.started_round(height.0, round_number(round)?, proposer).await?;
                let _ = reply_value.send(values);
            }
            AppMsg::GetValue { height, round, timeout, reply } => {
                self.propose(VoteSlot { height: height.0, round: round_number(round)? }, timeout, reply).await?;
            }
            AppMsg::ReceivedProposalPart { from, part, reply, .. } => {
                let from = member_of(&from).ok_or(EngineError::Unexpected("a part of nobody"))?;
                let _ = reply.send(self.received_part(from, part).await?);
            }
            AppMsg::RestreamProposal { height, round, valid_round, address, value_id } => {
                let slot = VoteSlot { height: height.0, round: round_number(round)? };
                self.restream(slot, valid_round.as_u32(), address, value_id).await?;
            }
            AppMsg::Decided { certificate, reply, .. } => {
                let certificate =
                    Certificate::from_engine(&certificate).ok_or(EngineError::Unexpected("an empty certificate"))?;
                self.app.decided(&certificate).await.map_err(in_call("decided"))?;
                let _ = reply.send(());
            }
            AppMsg::Finalized { certificate, evidence, reply, .. } => {
                self.finalized(certificate.height.0, &evidence, reply).await?;
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let height = self.app.history_min_height().await.map_err(in_call("history_min_height"))?;
                let _ = reply.send(ChainHeight(height));
            }
            // Peers' requests do not come to the engine: whoever asks must not hold up consensus (`Network::requested`).
            AppMsg::GetDecidedValues { reply, .. } => {
                let _ = reply.send(Vec::new());
            }
            AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply } => {
                let slot = VoteSlot { height: height.0, round: round_number(round)? };
                let _ = reply.send(self.synced(slot, proposer, value_bytes).await?);
            }
            // Votes carry no extensions.
            AppMsg::ExtendVote { reply, .. } => {
                let _ = reply.send(None);
            }
            AppMsg::VerifyVoteExtensions { extensions, reply, .. } => {
                let _ = reply.send(extensions.into_iter().map(|(member, ())| (member, Ok(()))).collect());
            }
        }
        Ok(())
    }

    /// Takes over the next height and returns it in the engine's form.
    fn expect(&mut self, start: &StartHeight) -> Result<(ChainHeight, HeightParams<ChainContext>), EngineError> {
        let set = MemberSet::new(&start.set).map_err(|error| EngineError::Application {
            call: "a height's validator set",
            reason: error.to_string(),
        })?;
        self.height = start.height;
        self.set = Some(set.clone());
        self.fixed.signer.support.start_height(start.height, &start.set);
        self.intake = Intake::default();
        self.activity.deciding(start.height, start.carried);
        self.fixed.network.at_height(start.height);
        self.assembly.expect_height(Current {
            height: start.height,
            round: 0,
            set: set.clone(),
            chain_id: self.fixed.signer.chain_id,
            started: false,
        });
        Ok((ChainHeight(start.height), height_params(set, &start.set.timeouts)))
    }

    async fn started_round(
        &mut self,
        height: u64,
        round: u32,
        proposer: MemberId,
    ) -> Result<Vec<ProposedValue<ChainContext>>, EngineError> {
        debug!(height, round, %proposer, "round starts");
        self.fixed.network.start_height(height);
        let known = self.app.started_round(height, round, proposer).await.map_err(in_call("started_round"))?;
        let mut values = Vec::new();
        for proposal in known {
            if proposal.timely {
                self.fixed.signer.support.found_timely(proposal.block_id);
            }
            if self.intake.deliver(proposal.round, proposal.block_id) {
                values.push(ProposedValue {
                    height: ChainHeight(height),
                    round: engine_round(Some(proposal.round)),
                    valid_round: engine_round(proposal.pol_round),
                    proposer: proposal.proposer,
                    value: proposal.block_id,
                    validity: Validity::from_bool(proposal.valid),
                });
            }
        }
        for finished in self.assembly.start_round(round) {
            values.extend(self.deliver(finished).await?);
        }
        Ok(values)
    }

    async fn propose(
        &mut self,
        slot: VoteSlot,
        timeout: Duration,
        reply: Reply<LocallyProposedValue<ChainContext>>,
    ) -> Result<(), EngineError> {
        let height = ChainHeight(slot.height);
        let Some(own) = self.app.build(slot.height, slot.round, timeout).await.map_err(in_call("build"))? else {
            info!(height = slot.height, round = slot.round, "no proposal of this node in this round");
            // The engine needs an answer. It drops a value of another round, and the timeout of this round runs on.
            let _ = reply.send(LocallyProposedValue::new(height, Round::Nil, BlockId([0; 32])));
            return Ok(());
        };
        if own.bytes.is_empty() || own.bytes.len() > self.fixed.block_bytes_max {
            let reason = format!("a block of {} bytes", own.bytes.len());
            return Err(EngineError::Application { call: "build", reason });
        }
        self.intake.deliver(slot.round, own.block_id);
        self.fixed.signer.support.found_timely(own.block_id);
        let _ = reply.send(LocallyProposedValue::new(height, engine_round(Some(slot.round)), own.block_id));
        self.publish(slot, None, self.fixed.member, own.block_id, &own.bytes).await
    }

    async fn restream(
        &mut self,
        slot: VoteSlot,
        pol_round: Option<u32>,
        proposer: MemberId,
        block_id: BlockId,
    ) -> Result<(), EngineError> {
        let block = self.app.restream(slot.height, block_id).await.map_err(in_call("restream"))?;
        match block.filter(|block| !block.is_empty()) {
            Some(block) => self.publish(slot, pol_round, proposer, block_id, &block).await,
            None => {
                warn!(height = slot.height, round = slot.round, %block_id, "no block to send again");
                Ok(())
            }
        }
    }

    async fn publish(
        &mut self,
        slot: VoteSlot,
        pol_round: Option<u32>,
        proposer: MemberId,
        block_id: BlockId,
        block: &Bytes,
    ) -> Result<(), EngineError> {
        let bytes_total = u32::try_from(block.len()).map_err(|_| EngineError::Unexpected("a block above 4 GiB"))?;
        let (sender, chunk_hashes) = (self.fixed.member, chunk_hashes(block));
        let fields = StreamFields { pol_round, block_id, proposer, sender, bytes_total, chunk_hashes };
        let preimage = preimage::stream(&self.fixed.signer.chain_id, slot, &fields);
        let request = SignRequest::Stream { slot, block_id, proposer };
        let signature = self.fixed.signer.sign(&request, &preimage)?.signature;
        for message in self.stream_ids.cut(StreamHeader { slot, fields, signature }, block) {
            // Sending fails only when the engine ends. The loop learns that from its own channel next.
            let _ = self.fixed.parts_out.send(NetworkMsg::PublishProposalPart(message)).await;
        }
        Ok(())
    }

    async fn received_part(
        &mut self,
        publisher: MemberId,
        message: StreamMessage<ProposalPart>,
    ) -> Result<Option<ProposedValue<ChainContext>>, EngineError> {
        if publisher == self.fixed.member {
            self.fixed.network.passed(&message);
            return Ok(None);
        }
        if let StreamContent::Data(ProposalPart::Header(header)) = &message.content
            && self.held.is_some()
            && self.assembly.is_genuine(header)
        {
            self.activity.acted(header.fields.sender, header.slot.height);
        }
        #[cfg(feature = "byzantine")]
        if self.fixed.forges_bodies {
            crate::byzantine::send_forged(&message, &mut self.stream_ids, &self.fixed.parts_out).await;
        }
        let finished = self.assembly.insert(publisher, message);
        self.go_on_if_due();
        match finished {
            Some(finished) => self.deliver(finished).await,
            None => Ok(None),
        }
    }

    /// Has the application judge a complete block, once per round, and few of one sender.
    async fn deliver(&mut self, finished: Finished) -> Result<Option<ProposedValue<ChainContext>>, EngineError> {
        let Finished { header, block } = finished;
        let (slot, fields) = (header.slot, header.fields);
        if slot.height != self.height || !self.intake.may_judge(slot.round, fields.sender, &fields.block_id) {
            debug!(height = slot.height, round = slot.round, sender = %fields.sender, "a block is not judged");
            return Ok(None);
        }
        let proposal = ReceivedProposal {
            height: slot.height,
            round: slot.round,
            pol_round: fields.pol_round,
            proposer: fields.proposer,
            block_id: fields.block_id,
            bytes: block,
        };
        let validity = match self.app.received(proposal).await.map_err(in_call("received"))? {
            Verdict::Valid => {
                self.fixed.signer.support.found_timely(fields.block_id);
                Validity::Valid
            }
            // The engine knows only whether a block keeps the rules. That it is untimely, the signer knows, and signs no prevote for it.
            Verdict::Untimely => Validity::Valid,
            Verdict::Invalid => Validity::Invalid,
            Verdict::Ignore => return Ok(None),
        };
        self.intake.deliver(slot.round, fields.block_id);
        Ok(Some(ProposedValue {
            height: ChainHeight(slot.height),
            round: engine_round(Some(slot.round)),
            valid_round: engine_round(fields.pol_round),
            proposer: fields.proposer,
            value: fields.block_id,
            validity,
        }))
    }

    async fn synced(
        &mut self,
        slot: VoteSlot,
        proposer: MemberId,
        bytes: Bytes,
    ) -> Result<SyncedValueOutcome<ChainContext>, EngineError> {
        if bytes.len() > self.fixed.block_bytes_max {
            return Ok(SyncedValueOutcome::PeerFault);
        }
        let block = SyncedBlock { height: slot.height, round: slot.round, bytes };
        let (value, validity) = match self.app.synced(block).await.map_err(in_call("synced"))? {
            SyncVerdict::Valid(id) => (id, Validity::Valid),
            SyncVerdict::Invalid(id) => (id, Validity::Invalid),
            SyncVerdict::PeerFault => return Ok(SyncedValueOutcome::PeerFault),
        };
        self.activity.synced(slot.height);
        Ok(SyncedValueOutcome::Verdict(ProposedValue {
            height: ChainHeight(slot.height),
            round: engine_round(Some(slot.round)),
            valid_round: Round::Nil,
            // The proposer is only a label here: the certificate decides, without the proposal.
            proposer,
            value,
            validity,
        }))
    }

    async fn finalized(
        &mut self,
        height: u64,
        evidence: &MisbehaviorEvidence<ChainContext>,
        reply: Reply<Next<ChainContext>>,
    ) -> Result<(), EngineError> {
        let found = self.set.as_ref().map(|set| equivocations(&self.fixed.signer.chain_id, set, evidence));
        let found = found.unwrap_or_default();
        let next = self.app.finalized(height, found).await.map_err(in_call("finalized"))?;
        if next.height != height.saturating_add(1) {
            let reason = format!("height {} after {height}", next.height);
            return Err(EngineError::Application { call: "finalized", reason });
        }
        let (height, params) = self.expect(&next)?;
        self.held = Some(Held { reply, height, params, since: Instant::now() });
        self.go_on_if_due();
        self.look_again().await
    }

    /// Resting: is there work now?
    async fn look_again(&mut self) -> Result<(), EngineError> {
        if self.held.is_some() && !self.app.is_idle(self.height).await.map_err(in_call("is_idle"))? {
            self.go_on();
        }
        Ok(())
    }

    fn go_on_if_due(&mut self) {
        let (activity, peer_tip) = (&mut self.activity, self.peer_tip);
        if self.held.as_ref().is_some_and(|held| activity.must_go_on(peer_tip, held.since.elapsed())) {
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        if let Some(held) = self.held.take() {
            let _ = held.reply.send(Next::Start(held.height, held.params));
        }
    }

    fn observe(&mut self, event: Event<ChainContext>) {
        match event {
            // The engine reports a message before it has checked its signature, so `act_of` checks it.
            Event::Received(message) => {
                let is_news = |member, height| self.activity.is_news(member, height);
                let act = self.set.as_ref().and_then(|set| act_of(&self.fixed.signer.chain_id, set, &message, is_news));
                if let Some((member, height)) = act {
                    self.activity.acted(member, height);
                    self.go_on_if_due();
                }
            }
            Event::WalCorrupted(error) => self.log_trouble = Some(error.to_string()),
            Event::WalReplayError(error) => self.log_trouble = Some(error.to_string()),
            Event::WalResetError(error) => self.log_trouble = Some(error.to_string()),
            _ => {}
        }
    }
}
