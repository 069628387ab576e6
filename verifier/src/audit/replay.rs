//! The sequential half: executes each block over the state before it and compares everything with what was served.

use std::collections::BTreeMap;

use receipt_core::entry::Entry;
use receipt_core::genesis::Genesis;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, LeafIndex, TreeSize};
use receipt_core::memory::MemoryState;
use receipt_core::merkle::Frontier;
use receipt_core::note::PosixSeconds;
use receipt_core::registered_at::RegisteredAt;
use receipt_core::seal::Seal;
use receipt_core::state::tables::{META_TOTALS, Table, Totals};
use receipt_core::state::{ChainParameters, Effects, StateRead, apply, genesis_effects, read_validators};
use receipt_core::succession::AuthorityChange;
use receipt_core::suite::ChainId;
use receipt_core::trust::{SetEnd, TrustFile, TrustTextError, TrustedCheckpoint};
use receipt_core::validators::ValidatorSet;

use super::finding::{Finding, FindingCode};
use super::handover::{AuthorityChangeReport, HandoverReport};
use super::in_use;
use super::prepare::{KeyRegistry, Prepared, PreparedBlock, Served};
use super::tally::Tally;
use super::watch::Watch;
use crate::certificate::Certificate;

/// The ledger as far as it was replayed.
pub(super) struct Replay<'a> {
    genesis: &'a Genesis,
    params: ChainParameters,
    keys: &'a KeyRegistry,
    pub(super) state: MemoryState,
    pub(super) frontier: Frontier,
    /// Genesis, every handover and every change of authorities since.
    pub(super) trust: TrustFile,
    pub(super) tally: Tally,
    /// Who decides the next height. Read from the state only when it changes: decoding a set checks its keys anew.
    set: ValidatorSet,
    pub(super) handovers: Vec<HandoverReport>,
    pub(super) authority_changes: Vec<AuthorityChangeReport>,
    /// The last block's seal and height.
    pub(super) tip: Option<(Height, Seal)>,
    /// The newest verified checkpoint and its height.
    pub(super) sealed: Option<(Height, TrustedCheckpoint)>,
    /// Reports of receipts left out, whose records and checkpoints are looked out for.
    pub(super) left_out: Watch,
    /// Served notes of sizes not reached yet.
    pub(super) pending: BTreeMap<u64, String>,
    /// The height as of which the registry is kept.
    pub(super) registry_at: Option<Height>,
    /// The registry as of then, once the height was reached.
    pub(super) registered: Option<RegisteredAt>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(genesis: &'a Genesis, keys: &'a KeyRegistry, left_out: Watch) -> Result<Self, TrustTextError> {
        Ok(Self {
            genesis,
            params: ChainParameters::of(genesis),
            keys,
            state: MemoryState::new(),
            frontier: Frontier::new(genesis.suite),
            trust: TrustFile::from_genesis(genesis)?,
            tally: Tally::default(),
            set: genesis.validators.clone(),
            handovers: Vec::new(),
            authority_changes: Vec::new(),
            tip: None,
            sealed: None,
            left_out,
            pending: BTreeMap::new(),
            registry_at: None,
            registered: None,
        })
    }

    pub(super) fn chain(&self) -> ChainId {
        self.params.id
    }

    pub(super) fn progress_words(&self) -> String {
        format!("{} receipts, {} leaves", self.tally.receipts(), self.frontier.size())
    }

    /// Replays one block, or genesis.
    pub(super) fn take(&mut self, prepared: Prepared) -> Result<(), Finding> {
        let Prepared { height, served, block } = prepared;
        let effects = match block {
            None => self.execute_genesis(height)?,
            Some(block) => self.execute(height, &served, &block)?,
        };
        self.compare_entries(height, &served, &effects)?;
        for entry in &effects.entries {
            let appended = self.frontier.append(entry, |_, _| ());
            appended.map_err(|error| Finding::at(height, FindingCode::Entries, error.to_string()))?;
        }
        self.commit(height, effects)?;
        self.left_out.compare(height, &self.frontier, &self.trust);
        self.take_checkpoint(height, served.checkpoint)
    }

    fn execute_genesis(&self, height: Height) -> Result<Effects, Finding> {
        genesis_effects(self.genesis).map_err(|error| Finding::at(height, FindingCode::Refused, error.to_string()))
    }

    fn execute(&mut self, height: Height, served: &Served, block: &PreparedBlock) -> Result<Effects, Finding> {
        let certified = Certificate::decode(&served.certificate)
            .and_then(|certificate| certificate.verify(self.chain(), &self.set, height, &block.id));
        certified.map_err(|error| Finding::at(height, FindingCode::Certificate, error.to_string()))?;
        let effects = apply(&self.state, &self.params, &block.checked)
            .map_err(|error| Finding::at(height, FindingCode::Refused, error.to_string()))?;
        if effects.seal != block.seal {
            return Err(Finding::at(height, FindingCode::Seal, differing_seal(&effects.seal, &block.seal)));
        }
        self.tally.count_block(block, &effects);
        self.left_out.count_block(height, block, &effects);
        Ok(effects)
    }

    fn compare_entries(&self, height: Height, served: &Served, effects: &Effects) -> Result<(), Finding> {
        let first = effects.first_leaf.get();
        if served.first_leaf != first {
            let detail = format!("the first entry stands at {first}, served as {}", served.first_leaf);
            return Err(Finding::at(height, FindingCode::Entries, detail));
        }
        if served.entries == effects.entries {
            return Ok(());
        }
        let differs = served.entries.iter().zip(&effects.entries).position(|(served, own)| served != own);
        let index = differs.unwrap_or_else(|| served.entries.len().min(effects.entries.len()));
        let detail = format!("entry {} is not what executing the block gives", first.saturating_add(index as u64));
        Err(Finding::at(height, FindingCode::Entries, detail))
    }

    /// Takes over the block's writes, new keys, and a new validator set.
    fn commit(&mut self, height: Height, effects: Effects) -> Result<(), Finding> {
        let unreadable =
            |error: receipt_core::state::ReadError| Finding::at(height, FindingCode::NotJudged, error.to_string());
        self.tally.count_writes(&self.state, &effects.writes, self.keys).map_err(unreadable)?;
        self.replace_authorities(height, &effects)?;
        self.state.commit(effects.writes, &effects.stale_nodes);
        if self.registry_at == Some(height) {
            self.registered = Some(RegisteredAt::of(&self.state, self.params.id).map_err(unreadable)?);
        }
        let seal = effects.seal;
        if seal.next_validator_set_hash != seal.validator_set_hash {
            self.hand_over(height, &seal)?;
        }
        self.tip = Some((height, seal));
        Ok(())
    }

    /// Puts the authorities that the block brings into the trust file.
    fn replace_authorities(&mut self, height: Height, effects: &Effects) -> Result<(), Finding> {
        let finding = |detail: String| Finding::at(height, FindingCode::Handover, detail);
        for (leaf, bytes) in (effects.first_leaf.get()..).zip(&effects.entries) {
            let Ok(Entry::Governance(signed)) = Entry::decode(bytes) else { continue };
            let Some(set) = signed.governance.next_authorities() else { continue };
            let leaf = LeafIndex::new(leaf);
            let change = AuthorityChange::new(leaf, self.trust.authorities(), set);
            self.authority_changes.push(AuthorityChangeReport::new(height, &change));
            let next = self.trust.with_next_authorities(leaf, set);
            self.trust = next.map_err(|error| finding(error.to_string()))?.unwrap_or_else(|| self.trust.clone());
        }
        Ok(())
    }

    fn hand_over(&mut self, height: Height, seal: &Seal) -> Result<(), Finding> {
        let finding = |detail: String| Finding::at(height, FindingCode::Handover, detail);
        let set = self.next_validators(height)?;
        if set.hash(self.params.suite) != seal.next_validator_set_hash {
            return Err(finding("the seal names another next validator set than the state holds".to_owned()));
        }
        let first_size = self.frontier.size().next().ok_or_else(|| finding("the log is full".to_owned()))?;
        let end = SetEnd { last_size: self.frontier.size(), until: PosixSeconds::new(seal.time.seconds()) };
        self.trust = self.trust.with_next_set(end, &set).map_err(|error| finding(error.to_string()))?;
        self.handovers.push(HandoverReport {
            height: height.get().saturating_add(1),
            first_tree_size: first_size.get(),
            validators: set.members().len(),
            quorum: set.quorum(),
            set_hash: set.hash(self.params.suite).to_string(),
        });
        self.set = set;
        Ok(())
    }

    /// The set that decides the height after the one that was committed last.
    fn next_validators(&self, committed: Height) -> Result<ValidatorSet, Finding> {
        let unjudged = |problem: String| Finding::at(committed, FindingCode::NotJudged, problem);
        let next = committed.next().ok_or_else(|| unjudged("no height is left".to_owned()))?;
        read_validators(&self.state, next).map_err(|error| unjudged(error.to_string()))
    }

    /// Keeps the served note until its size is reached, and verifies those whose size it is.
    fn take_checkpoint(&mut self, height: Height, note: String) -> Result<(), Finding> {
        let size = self.frontier.size().get();
        if !note.is_empty() {
            let claimed = claimed_size(&note)
                .ok_or_else(|| Finding::at(height, FindingCode::Checkpoint, "the served note is no checkpoint"))?;
            if claimed < size {
                let detail = format!("the served checkpoint has {claimed} leaves, the block ends at {size}");
                return Err(Finding::at(height, FindingCode::Checkpoint, detail));
            }
            match self.pending.get(&claimed) {
                Some(known) if *known == note => {}
                // Two notes of one size may carry other signatures: the first is verified when its size is reached.
                Some(_) => self.verify_extra(height, claimed, &note)?,
                None => {
                    self.pending.insert(claimed, note);
                }
            }
        }
        while let Some(entry) = self.pending.first_entry() {
            let claimed = *entry.key();
            if claimed > size {
                break;
            }
            let note = entry.remove();
            if claimed < size {
                let detail = format!("a checkpoint of {claimed} leaves ends inside this block");
                return Err(Finding::at(height, FindingCode::Checkpoint, detail));
            }
            self.verify_checkpoint(height, &note)?;
        }
        Ok(())
    }

    fn verify_checkpoint(&mut self, height: Height, note: &str) -> Result<(), Finding> {
        let finding =
            |code, detail: String| Finding { evidence: Some(note.to_owned()), ..Finding::at(height, code, detail) };
        let trusted =
            self.trust.verify_checkpoint(note).map_err(|error| finding(FindingCode::Checkpoint, error.to_string()))?;
        let own: Hash = self.frontier.root();
        if trusted.root != own {
            let detail = format!("a quorum cosigned the root {}, the replay gives {own}", trusted.root);
            return Err(finding(FindingCode::CheckpointRoot, detail));
        }
        self.tally.checkpoints += 1;
        self.sealed = Some((height, trusted));
        Ok(())
    }

    /// A second note of a size still ahead: its text must be the first one's.
    fn verify_extra(&self, height: Height, size: u64, note: &str) -> Result<(), Finding> {
        let text = |note: &str| note.split("\n\n").next().map(str::to_owned);
        let known = self.pending.get(&size).and_then(|known| text(known));
        if known == text(note) {
            return Ok(());
        }
        let detail = format!("two checkpoints of {size} leaves were served, with different roots");
        Err(Finding { evidence: Some(note.to_owned()), ..Finding::at(height, FindingCode::Checkpoint, detail) })
    }

    /// What can only be judged at the end: the totals, and a trust file in use.
    pub(super) fn closing_findings(&self, given: Option<&TrustFile>) -> Vec<Finding> {
        let height = self.tip.as_ref().map_or(Height::ZERO, |(height, _)| *height);
        let mut findings = Vec::new();
        let totals = self.state.get(Table::Meta, META_TOTALS).ok().flatten();
        let totals = totals.and_then(|bytes| Totals::decode(&bytes).ok()).unwrap_or_default();
        if self.tip.is_some() && totals != self.tally.totals() {
            let detail = "the running totals are not the sum of the receipts".to_owned();
            findings.push(Finding::at(height, FindingCode::Totals, detail));
        }
        let replayed = self.frontier.size();
        if let Some(problem) = given.and_then(|given| in_use::problem(given, &self.trust, replayed)) {
            findings.push(Finding::at(height, FindingCode::Trust, problem));
        }
        findings
    }
}

/// The size in a note's second line; nothing is verified.
fn claimed_size(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse::<u64>().ok().filter(|size| TreeSize::new(*size) != TreeSize::ZERO)
}

/// The first field in which two seals differ.
fn differing_seal(own: &Seal, given: &Seal) -> String {
    let fields = [
        ("height", own.height == given.height),
        ("time", own.time == given.time),
        ("parent_seal_hash", own.parent_seal_hash == given.parent_seal_hash),
        ("status_root", own.status_root == given.status_root),
        ("validator_set_hash", own.validator_set_hash == given.validator_set_hash),
        ("next_validator_set_hash", own.next_validator_set_hash == given.next_validator_set_hash),
        ("effects_hash", own.effects_hash == given.effects_hash),
        ("totals_commitment", own.totals_commitment == given.totals_commitment),
        ("directory_root", own.directory_root == given.directory_root),
        ("registry_root", own.registry_root == given.registry_root),
    ];
    let differs: Vec<&str> = fields.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect();
    format!("the block's seal differs in {}", differs.join(", "))
}
