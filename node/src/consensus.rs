//! The ledger behind the consensus engine: builds, judges, commits.
//!
//! Invariants: every block is executed before it is voted for; whatever was built, received or synced is on disk before the
//! engine hears of it; whether a block keeps the rules follows from block and state alone, is stored and said again.
//! Timeliness (the block's time against this node's clock, and the round it claims) is no part of that: other honest nodes may see
//! it otherwise. It is stored apart, and only keeps this validator from being among the first to vote for the block (rule 4 of
//! the guard's answers). Sync does not ask for it, and nor does a decision.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use receipt_core::block::{Block, BlockContent};
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, ValidatorId};
use receipt_core::limits;
use receipt_core::reason::Reason;
use receipt_core::state::{ApplyError, BlockRefusal, CheckedBlock};
use tallystick_engine::{
    Application, BlockId, Certificate, Equivocation, Fatal, KnownProposal, MemberId, OwnProposal, ReceivedProposal,
    StartHeight, SyncVerdict, SyncedBlock, Timeouts, Verdict,
};
use tallystick_service::clock::Clock;
use tallystick_service::rng::{Entropy, random_array};
use tokio::time::Instant;

use crate::evidence::EvidenceFolder;
use crate::guard::{Guard, Proposed};
use crate::heights::ChainHeights;
use crate::ledger::{ExecuteError, Executed, Ledger};
use crate::metrics::Metrics;
use crate::pool::{Candidates, Pool};
use crate::store::{ProposalHead, StoredProposal};
use crate::succession;

/// Executed blocks that are kept until one is decided. One that is not kept is executed again.
const EXECUTED_MAX: usize = 4;

/// What the ledger's side of consensus needs.
#[derive(Clone)]
pub(crate) struct ConsensusParts {
    /// Store and chain.
    pub ledger: Ledger,
    /// Work to propose, and batches checked before.
    pub pool: Arc<Pool>,
    /// Decided and sealed heights.
    pub heights: Arc<ChainHeights>,
    /// What this validator has signed.
    pub guard: Arc<Guard>,
    /// What others have signed twice.
    pub evidence: Arc<EvidenceFolder>,
    /// Reads the time.
    pub clock: Arc<dyn Clock>,
    /// Salts and batch-verification coefficients.
    pub entropy: Arc<dyn Entropy>,
    /// Timeouts of the rounds of every height.
    pub timeouts: Timeouts,
    /// This validator.
    pub validator: ValidatorId,
}

/// The newest blocks that were executed over the tip. A proposer that sends many displaces others, whose execution is then
/// repeated, but does not fill the memory.
#[derive(Default)]
struct ExecutedBlocks(Vec<Executed>);

impl ExecutedBlocks {
    fn put(&mut self, executed: Executed) {
        self.0.retain(|known| known.block_id != executed.block_id);
        if self.0.len() >= EXECUTED_MAX {
            self.0.remove(0);
        }
        self.0.push(executed);
    }

    fn remove(&mut self, block_id: Hash) -> Option<Executed> {
        let at = self.0.iter().position(|known| known.block_id == block_id)?;
        Some(self.0.swap_remove(at))
    }
}

/// What this node has to propose in a round by what it did before.
enum Earlier {
    /// Nothing: it may build a block.
    Free,
    /// This block.
    Block(StoredProposal),
    /// Nothing may be proposed: it was, in a way that cannot be repeated.
    Spent,
}

/// The engine's counterpart.
pub(crate) struct LedgerApplication {
    parts: ConsensusParts,
    executed: ExecutedBlocks,
    /// The round that runs.
    round: u32,
    /// Whether the last block had any item.
    carried: bool,
    metrics: Metrics,
}

impl LedgerApplication {
    /// An application over the node's parts.
    pub(crate) fn new(parts: ConsensusParts, metrics: Metrics) -> Self {
        Self { parts, executed: ExecutedBlocks::default(), round: 0, carried: false, metrics }
    }

    fn entropy(&self) -> Result<[u8; 32], Fatal> {
        Ok(random_array(self.parts.entropy.as_ref())?)
    }

    fn start_height(&self) -> Result<StartHeight, Fatal> {
        let (height, set) = self.parts.ledger.next_height_set(self.parts.timeouts)?;
        Ok(StartHeight { height: height.get(), set, carried: self.carried })
    }

    /// Builds a block of what waits; drops what no block may carry, and builds again. An empty block is always possible.
    fn build_block(&mut self, height: u64, round: u32) -> Result<Executed, Fatal> {
        let salt = self.entropy()?;
        let parts = &self.parts;
        let mut may_carry = parts.heights.unsealed_heights() <= limits::UNSEALED_HEIGHTS_MAX;
        loop {
            let tip = parts.ledger.tip()?;
            let time = parts.clock.now().max(tip.time.plus_millis(1));
            let candidates = if may_carry { parts.pool.candidates(height, time)? } else { Candidates::default() };
            let content = BlockContent {
                height: Height::new(height),
                time,
                parent_seal_hash: tip.seal_hash,
                proposer: parts.validator,
                proposer_round: round,
                items: Vec::new(),
                salt,
            };
            let block = CheckedBlock::assemble(content, candidates.governance, candidates.batches);
            let begun = Instant::now();
            let outcome = parts.ledger.execute_own(&block);
            self.metrics.execute_seconds.observe(begun.elapsed().as_secs_f64());
            match outcome {
                // Whoever proposed it would end, and at its next turn again.
                Ok(executed) if may_carry && executed.bytes.len() > limits::BLOCK_BYTES_MAX => {
                    let bytes = executed.bytes.len();
                    tracing::error!(bytes, "the pool's work makes too large a block; proposing an empty one");
                    may_carry = false;
                }
                Ok(executed) => return Ok(executed),
                Err(ApplyError::Refused(BlockRefusal::Batch { header_hash, reason: Reason::RefusalBudgetSpent })) => {
                    parts.pool.set_aside(header_hash, time)?;
                }
                Err(ApplyError::Refused(BlockRefusal::Batch { header_hash, reason })) if reason != Reason::TooEarly => {
                    tracing::info!(%header_hash, reason = reason.as_str(), "a pooled batch can not be taken; dropped");
                    parts.pool.drop_batch(header_hash);
                }
                Err(ApplyError::Refused(BlockRefusal::Governance { area, sequence, problem })) => {
                    let of = area.map(tracing::field::display);
                    tracing::info!(
                        area = of,
                        sequence,
                        problem,
                        "a pooled governance message can not be taken; dropped"
                    );
                    parts.pool.drop_governance(area, sequence);
                }
                Err(ApplyError::Refused(refusal)) if may_carry => {
                    tracing::error!(%refusal, "the pool's work makes no block; proposing an empty one");
                    may_carry = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Executes a foreign block and remembers the effects. `Ok(false)`: it breaks a rule. Decoding strictly is a good part of the
    /// work on a full block, so whoever has looked into it hands it on.
    fn judge(&mut self, block: Block, bytes: &[u8]) -> Result<bool, Fatal> {
        let entropy = self.entropy()?;
        let begun = Instant::now();
        let outcome = self.parts.ledger.execute_decoded(block, bytes, self.parts.pool.as_ref(), entropy);
        self.metrics.execute_seconds.observe(begun.elapsed().as_secs_f64());
        match outcome {
            Ok(executed) => {
                self.executed.put(executed);
                Ok(true)
            }
            Err(ExecuteError::Refused(problem)) => {
                tracing::info!(problem, "a proposed block is refused");
                Ok(false)
            }
            Err(ExecuteError::Store(error)) => Err(error.into()),
        }
    }

    /// Whether a proposal comes when and from whom it says, in the round that runs: a proposer with an old clock, or one that dates
    /// its block right after an old parent, could else decide by what time the block's receipts are judged; and one whose turn
    /// comes again could put a new block in its first turn, and hide the turns missed since. What the sender says of an earlier
    /// round proves nothing: a block that is proposed again is voted for because it came in time once, or because others voted for
    /// it.
    fn is_timely(&self, block: &Block, proposal: &ReceivedProposal) -> bool {
        let (time, now, round) = (block.content.time, self.parts.clock.now(), proposal.round);
        let built_now =
            block.content.proposer_round == round && block.content.proposer.get() == proposal.proposer.get();
        let in_time = self.parts.ledger.genesis.timeliness.permits(time, now, round);
        let timely = in_time && built_now && round == self.round;
        if !timely {
            self.metrics.untimely_proposals.inc();
            let (proposer, of_round) = (block.content.proposer, block.content.proposer_round);
            tracing::info!(%proposer, %time, %now, round, of_round, "a proposal is early, late, or of another round");
        }
        timely
    }

    fn receive(&mut self, proposal: &ReceivedProposal) -> Result<Verdict, Fatal> {
        let block_id = receipt_core::block::block_id(self.parts.ledger.chain.suite, &proposal.bytes);
        if block_id.0 != proposal.block_id.0 {
            return Ok(Verdict::Ignore);
        }
        let height = Height::new(proposal.height);
        let known = self.parts.ledger.store.proposal_head(height, block_id)?;
        let block = Block::decode(&proposal.bytes).ok();
        let in_time = block.as_ref().is_some_and(|block| self.is_timely(block, proposal));
        let valid = match (known, block) {
            // This block was judged in an earlier round. It gets the same verdict.
            (Some(known), _) => known.valid,
            (None, Some(block)) => self.judge(block, &proposal.bytes)?,
            (None, None) => false,
        };
        let timely = valid && (known.is_some_and(|known| known.timely) || in_time);
        let head = ProposalHead {
            block_id,
            round: proposal.round,
            pol_round: proposal.pol_round,
            proposer: proposal.proposer.get(),
            valid,
            timely,
            own: false,
        };
        self.parts.ledger.store.put_proposal(height, &head, &proposal.bytes)?;
        Ok(match (valid, timely) {
            (false, _) => Verdict::Invalid,
            (true, false) => Verdict::Untimely,
            (true, true) => Verdict::Valid,
        })
    }

    fn earlier(&self, height: u64, round: u32) -> Result<Earlier, Fatal> {
        let (store, guard) = (&self.parts.ledger.store, &self.parts.guard);
        let stored = |block_id: BlockId| store.proposal(Height::new(height), Hash(block_id.0));
        let usable = |proposal: &StoredProposal| proposal.head.valid;
        match guard.proposed_at(height, round) {
            Proposed::Again | Proposed::Forgotten => return Ok(Earlier::Spent),
            Proposed::Block(block_id) => {
                return Ok(stored(block_id)?.filter(usable).map_or(Earlier::Spent, Earlier::Block));
            }
            Proposed::Nothing => {}
        }
        let known = store.proposals(Height::new(height))?;
        if let Some(own) = known.into_iter().find(|proposal| proposal.own && proposal.round == round) {
            return Ok(stored(BlockId(own.block_id.0))?.map_or(Earlier::Spent, Earlier::Block));
        }
        // The engine asks for a block only if it knows of no lock. If the guard knows of one, the engine's log was lost. Then propose the locked
        // block: this validator, and all who lost their logs with it, will prevote no other.
        let summary = guard.summary();
        let Some((_, block_id)) = summary.lock.filter(|_| summary.height == height) else {
            return Ok(Earlier::Free);
        };
        Ok(stored(block_id)?.filter(usable).map_or(Earlier::Free, Earlier::Block))
    }

    fn own_proposal(&mut self, height: u64, round: u32) -> Result<Option<OwnProposal>, Fatal> {
        let own = match self.earlier(height, round)? {
            Earlier::Spent => return Ok(None),
            Earlier::Block(own) => {
                return Ok(Some(OwnProposal { block_id: BlockId(own.head.block_id.0), bytes: own.bytes.into() }));
            }
            Earlier::Free => self.build_block(height, round)?,
        };
        let head = ProposalHead {
            block_id: own.block_id,
            round,
            pol_round: None,
            proposer: self.parts.validator.get(),
            valid: true,
            timely: true,
            own: true,
        };
        self.parts.ledger.store.put_proposal(Height::new(height), &head, &own.bytes)?;
        let proposal = OwnProposal { block_id: BlockId(own.block_id.0), bytes: own.bytes.clone().into() };
        self.executed.put(own);
        Ok(Some(proposal))
    }

    fn commit(&mut self, certificate: &Certificate) -> Result<(), Fatal> {
        let height = Height::new(certificate.height);
        let tip = self.parts.ledger.tip()?;
        if height <= tip.height {
            // It is committed already: the process died after the commit and before the engine learned of it.
            return Ok(());
        }
        let block_id = Hash(certificate.block_id.0);
        let mut executed = self.executed.remove(block_id);
        if executed.is_none() {
            let stored = self.parts.ledger.store.proposal(height, block_id)?;
            let stored = stored.ok_or("a block was decided that this node never saw")?;
            let block =
                Block::decode(&stored.bytes).map_err(|error| format!("the decided block {block_id}: {error}"))?;
            if !self.judge(block, &stored.bytes)? {
                return Err(format!("block {block_id} was decided at height {height}, but breaks a rule here").into());
            }
            executed = self.executed.remove(block_id);
        }
        let executed = executed.ok_or("the executed block is gone")?;
        succession::tell(&self.parts.ledger.store, &executed.effects)?;
        let begun = Instant::now();
        self.parts.ledger.store.commit_block(&executed.effects, &executed.bytes, &certificate.encode())?;
        self.metrics.commit_seconds.observe(begun.elapsed().as_secs_f64());
        self.executed = ExecutedBlocks::default();
        // The seal is the last entry of every block.
        self.carried = executed.effects.entries.len() > 1;
        self.parts.pool.forget_decided(&executed.effects)?;
        self.parts.heights.decided(executed.effects.tip.height);
        Ok(())
    }

    fn sync(&mut self, block: &SyncedBlock) -> Result<SyncVerdict, Fatal> {
        let Ok(decoded) = Block::decode(&block.bytes) else { return Ok(SyncVerdict::PeerFault) };
        let block_id = receipt_core::block::block_id(self.parts.ledger.chain.suite, &block.bytes);
        let id = BlockId(block_id.0);
        if !self.judge(decoded, &block.bytes)? {
            return Ok(SyncVerdict::Invalid(id));
        }
        // A decided block needs no vote of this node, so whether it came in time is not judged.
        let (round, pol_round, proposer) = (block.round, None, 0);
        let head = ProposalHead { block_id, round, pol_round, proposer, valid: true, timely: false, own: false };
        self.parts.ledger.store.put_proposal(Height::new(block.height), &head, &block.bytes)?;
        Ok(SyncVerdict::Valid(id))
    }
}

#[async_trait]
impl Application for LedgerApplication {
    async fn ready(&mut self) -> Result<StartHeight, Fatal> {
        self.start_height()
    }

    async fn started_round(&mut self, height: u64, round: u32, _: MemberId) -> Result<Vec<KnownProposal>, Fatal> {
        self.round = round;
        if round > 0 {
            self.metrics.further_rounds.inc();
            tracing::info!(height, round, "a further round starts");
        }
        let stored = self.parts.ledger.store.proposals(Height::new(height))?;
        let known = stored.into_iter().filter(|proposal| proposal.proposer != 0).map(|proposal| KnownProposal {
            round: proposal.round,
            pol_round: proposal.pol_round,
            proposer: MemberId::new(proposal.proposer),
            block_id: BlockId(proposal.block_id.0),
            valid: proposal.valid,
            timely: proposal.timely,
        });
        Ok(known.collect())
    }

    async fn build(&mut self, height: u64, round: u32, _: Duration) -> Result<Option<OwnProposal>, Fatal> {
        tokio::task::block_in_place(|| self.own_proposal(height, round))
    }

    async fn received(&mut self, proposal: ReceivedProposal) -> Result<Verdict, Fatal> {
        tokio::task::block_in_place(|| self.receive(&proposal))
    }

    async fn decided(&mut self, certificate: &Certificate) -> Result<(), Fatal> {
        tokio::task::block_in_place(|| self.commit(certificate))
    }

    async fn finalized(&mut self, _: u64, equivocations: Vec<Equivocation>) -> Result<StartHeight, Fatal> {
        if !equivocations.is_empty() {
            let evidence = &self.parts.evidence;
            tokio::task::block_in_place(|| equivocations.iter().for_each(|found| evidence.double_sign(found)));
        }
        self.start_height()
    }

    async fn is_idle(&mut self, height: u64) -> Result<bool, Fatal> {
        // While too many heights have no seal, further blocks would be empty. Rest until the quorum cosigns again.
        let unsealed = self.parts.heights.unsealed_heights() > limits::UNSEALED_HEIGHTS_MAX;
        // A block's time is after its parent's. While the parent's lies too far ahead of this clock, no block can be timely here, and further
        // rounds would only grow longer. Rest until one can be. Either clocks were set back, or this one is wrong (`clocks`).
        let (tip, now) = (self.parts.ledger.tip()?, self.parts.clock.now());
        let too_far_ahead = tip.time.since(now) >= self.parts.ledger.genesis.timeliness.ahead_ms_max;
        // The first block of a new set is always made: members that left sign no more, so without that block no checkpoint shows a later time.
        let begins_set = self.parts.ledger.begins_set(Height::new(height))?;
        Ok(too_far_ahead || (!begins_set && (unsealed || !self.parts.pool.has_work()?)))
    }

    async fn history_min_height(&mut self) -> Result<u64, Fatal> {
        Ok(1)
    }

    async fn synced(&mut self, block: SyncedBlock) -> Result<SyncVerdict, Fatal> {
        tokio::task::block_in_place(|| self.sync(&block))
    }

    async fn restream(&mut self, height: u64, block_id: BlockId) -> Result<Option<bytes::Bytes>, Fatal> {
        let stored = self.parts.ledger.store.proposal(Height::new(height), Hash(block_id.0))?;
        Ok(stored.map(|proposal| proposal.bytes.into()))
    }
}

#[cfg(test)]
mod tests;
