//! Deciding blocks on the test chain.

use super::{AUTHORITY_THRESHOLD, ISSUER, ISSUER_KEY, TestBlock, TestChain, TestReceipt, TestValidator, keys};
use crate::authorities::AuthoritySet;
use crate::batch::{BatchHeader, SignedBatchHeader};
use crate::block::{Batch, Block, BlockContent, Item, block_id};
use crate::governance::{Action, Governance, SetValidators, SignedGovernance};
use crate::hash::{Hash, tagged};
use crate::ids::{BatchSequence, Height, IssuerId, KeyId, LeafIndex, TreeSize, UnixMillis};
use crate::limits;
use crate::merkle::InnerTree;
use crate::note::{Checkpoint, PosixSeconds, SignedNote};
use crate::state::tables::{GovernanceState, KeyState, Table};
use crate::state::{
    ApplyError, CheckedBlock, Effects, NoCache, StateRead, apply, proposer_order, read_schedule, read_validators,
};
use crate::suite::{PublicKey, Signer};
use crate::trust::SetEnd;

impl TestChain {
    /// Decides a block with one batch of these receipts (or none); panics if the ledger refuses any of them.
    pub fn add_block(&mut self, receipts: &[TestReceipt]) -> Height {
        let records: Vec<Vec<u8>> = receipts.iter().map(|receipt| receipt.record.clone()).collect();
        let items = if records.is_empty() { Vec::new() } else { vec![Item::Batch(self.batch(records))] };
        let height = self.add_items(items).unwrap();
        let taken = self.blocks.last().unwrap();
        let entries = taken.entries.len();
        assert!(entries == 1 || taken.entries[0][0] == 1, "the batch was refused: {:?}", taken.entries[0]);
        height
    }

    /// The issuer's next batch over these signed records.
    pub fn batch(&mut self, records: Vec<Vec<u8>>) -> Batch {
        let times = records.iter().filter_map(|record| crate::record::SignedRecord::decode(record).ok());
        let times: Vec<UnixMillis> = times.map(|signed| signed.record.issue_time).collect();
        let header = BatchHeader {
            suite: self.params.suite,
            issuer: IssuerId::new(ISSUER),
            epoch: 1,
            sequence: BatchSequence::new(self.next_sequence),
            count: u32::try_from(records.len()).unwrap(),
            root: InnerTree::from_leaves(self.params.suite, &records).unwrap().root(),
            first_issue_time: times.iter().min().copied().unwrap_or(self.time),
            last_issue_time: times.iter().max().copied().unwrap_or(self.time),
            signing_key: KeyId::new(ISSUER_KEY),
        };
        self.next_sequence += 1;
        Batch {
            header: SignedBatchHeader::sign(header, self.params.id, keys::signer(self.params.suite, "issuer").as_ref()),
            records,
        }
    }

    /// A governance message with the next sequence, signed by the threshold of authorities.
    pub fn governance(&mut self, actions: Vec<Action>) -> SignedGovernance {
        self.governance_until(Height::new(self.height().get() + limits::GOVERNANCE_VALID_HEIGHTS_MAX), actions)
    }

    /// The same, for blocks up to this height.
    pub fn governance_until(&mut self, expiry: Height, actions: Vec<Action>) -> SignedGovernance {
        let governance = Governance {
            suite: self.params.suite,
            area: None,
            sequence: self.governance.sequence + 1,
            expiry,
            previous: self.governance.id,
            actions,
        };
        self.governance = GovernanceState { sequence: governance.sequence, id: governance.id() };
        self.sign_governance(governance, &self.authorities_at(u64::MAX)[..AUTHORITY_THRESHOLD as usize])
    }

    /// A message signed by the authorities of these names.
    fn sign_governance(&self, governance: Governance, names: &[String]) -> SignedGovernance {
        let keys: Vec<_> = names.iter().map(|name| keys::signer(self.params.suite, name)).collect();
        let signers: Vec<&dyn Signer> = keys.iter().map(AsRef::as_ref).collect();
        SignedGovernance::sign(governance, self.params.id, &signers)
    }

    /// The authorities that are in force where a leaf of the log is written.
    pub(super) fn authorities_at(&self, leaf: u64) -> &[String] {
        let set = self.authorities.iter().rev().find(|(first, _)| *first <= leaf);
        &set.unwrap().1
    }

    /// Replaces the authorities by those of the keys derived from these names, of which two must sign: decides a block with nothing else.
    /// The trust file knows both sets.
    pub fn replace_authorities(&mut self, names: &[&str]) {
        self.succeed(&[names], &[]);
    }

    /// Replaces the authorities several times in one block, by one message each; the last of them also has these actions.
    fn succeed(&mut self, successions: &[&[&str]], with: &[Action]) {
        let (mut items, mut sets) = (Vec::new(), Vec::new());
        for (leaf, names) in (self.log.size()..).zip(successions) {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let public = |name: &String| keys::signer(self.params.suite, name).public_key();
            let set = AuthoritySet { keys: names.iter().map(public).collect(), threshold: AUTHORITY_THRESHOLD };
            let further = if sets.len() + 1 == successions.len() { with } else { &[] };
            let actions = std::iter::once(Action::SetAuthorities(set.clone())).chain(further.iter().cloned());
            let governance = self.governance(actions.collect()).governance;
            let mut signers = [&self.authorities_at(u64::MAX)[..AUTHORITY_THRESHOLD as usize], &names[..]].concat();
            signers.sort();
            signers.dedup();
            items.push(Item::Governance(self.sign_governance(governance, &signers)));
            self.authorities.push((leaf + 1, names));
            sets.push((LeafIndex::new(leaf), set));
        }
        self.add_items(items).unwrap();
        for (leaf, set) in sets {
            self.trust = self.trust.with_next_authorities(leaf, &set).unwrap().unwrap();
        }
    }

    /// Hands over to other validators two heights on: decides that block and an empty one. From the next block on they
    /// decide and cosign; the trust file knows both sets.
    pub fn rotate_validators(&mut self, validators: Vec<TestValidator>) {
        let action = self.announcement(&validators);
        let governance = self.governance(vec![action]);
        self.add_items(vec![Item::Governance(governance)]).unwrap();
        self.hand_over(validators);
    }

    /// The same in one block with several changes of authorities, each as in [`Self::replace_authorities`]: the last message replaces
    /// both.
    pub fn replace_all(&mut self, successions: &[&[&str]], validators: Vec<TestValidator>) {
        let action = self.announcement(&validators);
        self.succeed(successions, &[action]);
        self.hand_over(validators);
    }

    /// These validators two heights after the next block.
    fn announcement(&self, validators: &[TestValidator]) -> Action {
        let effective_height = self.height().get() + 3;
        Action::SetValidators(SetValidators { effective_height, validators: keys::set_of(validators) })
    }

    /// Decides the last block of the set before those that were announced in the block before it.
    fn hand_over(&mut self, validators: Vec<TestValidator>) {
        self.add_items(Vec::new()).unwrap();
        let set = keys::set_of(&validators);
        self.sets.push((self.height().get() + 1, validators));
        let end = SetEnd { last_size: TreeSize::new(self.log.size()), until: PosixSeconds::new(self.time.seconds()) };
        self.trust = self.trust.with_next_set(end, &set).unwrap();
    }

    /// The validators that decide a height.
    pub fn validators_at(&self, height: Height) -> &[TestValidator] {
        let set = self.sets.iter().rev().find(|(first, _)| *first <= height.get());
        &set.unwrap().1
    }

    /// Decides a block with any items, as the proposer whose turn it is.
    pub fn add_items(&mut self, items: Vec<Item>) -> Result<Height, ApplyError> {
        self.add_items_in_round(items, 0)
    }

    /// The same in a later round, whose proposer is another: those before it missed their turns.
    pub fn add_items_in_round(&mut self, items: Vec<Item>, proposer_round: u32) -> Result<Height, ApplyError> {
        self.time = self.block_time();
        let tip = self.state.tip().unwrap().unwrap();
        let height = tip.height.next().unwrap();
        let set = read_validators(&self.state, height)?;
        let schedule = read_schedule(&self.state)?;
        let order = proposer_order(&set, &schedule, height);
        let content = BlockContent {
            height,
            time: self.time,
            parent_seal_hash: tip.seal_hash,
            proposer: order[proposer_round as usize % order.len()],
            proposer_round,
            items,
            salt: tagged("tallystick/testkit/salt", &[&height.get().to_be_bytes()]).0,
        };
        let key = |id: KeyId| self.registered_key(id);
        let checked = CheckedBlock::check(content.clone(), self.params.id, &NoCache, &key, [0; 32]).unwrap();
        let effects = apply(&self.state, &self.params, &checked)?;
        let block = Block { content, seal: effects.seal.clone() };
        self.commit(block.encode(), effects);
        Ok(height)
    }

    /// Lets time pass before the next block.
    pub fn let_pass(&mut self, millis: u64) {
        self.time = self.time.plus_millis(millis);
    }

    /// A key of the registry.
    pub fn registered_key(&self, id: KeyId) -> Option<PublicKey> {
        let bytes = StateRead::get(&self.state, Table::Keys, &id.get().to_be_bytes()).unwrap()?;
        let state: KeyState = prost::Message::decode(bytes.as_slice()).unwrap();
        state.key.key().ok()
    }

    /// Commits what a block left behind, cosigns and certifies it.
    pub(super) fn commit(&mut self, bytes: Vec<u8>, effects: Effects) {
        let height = effects.tip.height;
        for entry in &effects.entries {
            self.log.append(entry);
        }
        let size = effects.tip.log_size;
        assert_eq!(self.log.size(), size.get());
        let validators = self.validators_at(height);
        let certificate = if bytes.is_empty() { Vec::new() } else { self.certify(height, &bytes) };
        let checkpoint = self.checkpoint_note(size.get(), &validators[..3], self.time.seconds() + 1);
        self.blocks.push(TestBlock {
            bytes,
            certificate,
            checkpoint,
            entries: effects.entries,
            first_leaf: effects.first_leaf.get(),
            log_size: size.get(),
            seal: effects.seal,
        });
        self.state.commit(effects.writes, &effects.stale_nodes);
    }

    /// A certificate for any bytes, by a quorum of the validators that decide this height.
    pub fn certify(&self, height: Height, block: &[u8]) -> Vec<u8> {
        let validators = &self.validators_at(height)[..3];
        keys::certificate(validators, self.params.id, height, 0, &block_id(self.params.suite, block))
    }

    /// A checkpoint note over any root, by the same.
    pub fn checkpoint_over(&self, size: u64, root: Hash, validators: &[TestValidator], time_seconds: u64) -> String {
        let origin = &self.genesis.origin;
        let text = Checkpoint::new(origin, TreeSize::new(size), root).unwrap().to_string();
        let mut lines = vec![validators[0].sign_as_log(origin, &text)];
        lines.extend(validators.iter().map(|validator| validator.cosign(origin, &text, time_seconds)));
        SignedNote::new(&text, lines).unwrap().to_string()
    }

    /// The checkpoint note of a size: the first validator signs as the log, all of them cosign at one time.
    pub fn checkpoint_note(&self, size: u64, validators: &[TestValidator], time_seconds: u64) -> String {
        self.checkpoint_over(size, self.log.root(size), validators, time_seconds)
    }

    /// Where a record was anchored: height of its block, log index of its header, its batch.
    pub(super) fn batch_of(&self, record: &[u8]) -> (Height, u64, Batch) {
        for block in self.blocks.iter().filter(|block| !block.bytes.is_empty()) {
            let content = Block::decode(&block.bytes).unwrap().content;
            for (index, item) in (block.first_leaf..).zip(content.items) {
                match item {
                    Item::Batch(batch) if batch.records.iter().any(|known| known == record) => {
                        return (content.height, index, batch);
                    }
                    _ => {}
                }
            }
        }
        panic!("the record is not anchored");
    }
}
