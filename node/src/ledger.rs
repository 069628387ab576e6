//! The ledger as this node has it: store, chain parameters, and executing blocks over it.

use std::cell::RefCell;
use std::sync::Arc;

use receipt_core::block::{Block, BlockContent, block_id};
use receipt_core::genesis::Genesis;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, KeyId, ValidatorId};
use receipt_core::limits;
use receipt_core::state::tables::{KeyState, Table, Tip};
use receipt_core::state::{
    ApplyError, BatchCache, BlockRefusal, ChainParameters, CheckedBlock, Effects, StateRead as _, apply,
    proposer_order, read_pending_validators, read_schedule,
};
use receipt_core::suite::PublicKey;
use receipt_core::validators::ValidatorSet;
use tallystick_engine::{HeightSet, MEMBERS_MAX, Member, MemberId, Timeouts};

use crate::store::{Store, StoreError, ValidatorsFrom};

// The engine knows no ledger: a set that one of them takes and the other refuses would stop the chain at its first height.
const _: () = assert!(MEMBERS_MAX == limits::VALIDATORS_MAX, "engine and ledger bound a set alike");

/// The validator sets that say who a validator is now.
#[derive(Debug, Clone)]
pub(crate) struct Sets {
    /// That of the next height.
    pub next: ValidatorSet,
    /// One that governance has decided on, and that is not in force yet.
    pub announced: Option<ValidatorSet>,
}

impl Sets {
    /// The sets that a ledger has.
    pub(crate) fn of(ledger: &Ledger) -> Result<Self, StoreError> {
        let next = ledger.validators_at(ledger.next_height()?)?;
        Ok(Self { next, announced: ledger.announced_validators()?.map(|(_, set)| set) })
    }
}

/// A block and what executing it gave.
#[derive(Debug)]
pub struct Executed {
    /// Hash of the bytes.
    pub block_id: Hash,
    /// The block's bytes.
    pub bytes: Vec<u8>,
    /// Writes, seal and outcomes of its execution.
    pub effects: Effects,
}

/// Why a foreign block is not executed.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The block is at fault.
    #[error("the block is refused: {0}")]
    Refused(String),
    /// The store is at fault: fatal.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ApplyError> for ExecuteError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Refused(refusal) => Self::Refused(refusal.to_string()),
            ApplyError::Read(error) => Self::Store(error.into()),
        }
    }
}

/// Store and chain parameters, shared by all parts of the node.
#[derive(Clone)]
pub struct Ledger {
    /// The database.
    pub store: Store,
    /// The parameters that genesis fixes.
    pub chain: Arc<ChainParameters>,
    /// The genesis file.
    pub genesis: Arc<Genesis>,
}

impl Ledger {
    /// Over an opened store.
    pub fn new(store: Store, genesis: Genesis) -> Self {
        Self { store, chain: Arc::new(ChainParameters::of(&genesis)), genesis: Arc::new(genesis) }
    }

    /// The newest decided block: height, time, seal hash, effects hash.
    pub fn tip(&self) -> Result<Tip, StoreError> {
        self.store.tip()
    }

    /// The height that is decided next.
    pub fn next_height(&self) -> Result<Height, StoreError> {
        self.tip()?.height.next().ok_or_else(|| StoreError::Corrupt("no height is left".into()))
    }

    /// The validators that decide a height and cosign the checkpoint after it. An error for heights beyond
    /// [`Self::next_height`], whose set is not known.
    pub fn validators_at(&self, height: Height) -> Result<ValidatorSet, StoreError> {
        Ok(self.validators_from(height)?.set)
    }

    /// The set that governance has decided on and that is not in force yet, and the first height that it decides.
    pub fn announced_validators(&self) -> Result<Option<(Height, ValidatorSet)>, StoreError> {
        Ok(read_pending_validators(&self.store)?)
    }

    /// Whether another set decides from this height on. Genesis hands over to nobody. Errors as [`Self::validators_at`].
    pub fn begins_set(&self, height: Height) -> Result<bool, StoreError> {
        Ok(height > Height::ZERO && self.validators_from(height)?.first == height)
    }

    fn validators_from(&self, height: Height) -> Result<ValidatorsFrom, StoreError> {
        let known = self.store.validators_at(height)?;
        known.ok_or_else(|| StoreError::corrupt(format!("the validators of height {height} are asked for too early")))
    }

    /// Whether a validator decides a height, as far as this node can know: beyond the next height, whether it is in the set of
    /// the next one or in one that governance has decided on. For what is kept unjudged until the height is decided.
    pub fn may_decide(&self, height: Height, id: ValidatorId) -> Result<bool, StoreError> {
        if let Some(known) = self.store.validators_at(height)? {
            return Ok(known.set.member(id).is_some());
        }
        let pending = self.announced_validators()?.filter(|(first, _)| *first <= height);
        let announced = pending.is_some_and(|(_, set)| set.member(id).is_some());
        Ok(announced || self.validators_at(self.next_height()?)?.member(id).is_some())
    }

    /// What consensus needs to know of the next height.
    pub fn next_height_set(&self, timeouts: Timeouts) -> Result<(Height, HeightSet), StoreError> {
        let height = self.next_height()?;
        let set = self.validators_at(height)?;
        let order = proposer_order(&set, &read_schedule(&self.store)?, height);
        let members = set.members().iter().map(|validator| Member {
            id: MemberId::new(validator.id.get()),
            public_key: validator.consensus_key.0,
            voting_power: 1,
        });
        let proposer_order = order.into_iter().map(|id| MemberId::new(id.get())).collect();
        Ok((height, HeightSet { members: members.collect(), proposer_order, timeouts }))
    }

    /// A registered public key.
    fn public_key(&self, id: KeyId) -> Result<Option<PublicKey>, StoreError> {
        let Some(bytes) = self.store.get(Table::Keys, &id.get().to_be_bytes())? else { return Ok(None) };
        let state: KeyState = prost::Message::decode(bytes.as_slice()).map_err(|_| StoreError::corrupt("a key"))?;
        state.key.key().map(Some).map_err(|_| StoreError::corrupt("a key"))
    }

    /// Lets `judge` look keys up. That a key could not be read is no verdict on what it should have signed: then the store's error
    /// stands in place of what `judge` found.
    pub fn with_keys<T>(&self, judge: impl FnOnce(&dyn Fn(KeyId) -> Option<PublicKey>) -> T) -> Result<T, StoreError> {
        let failed = RefCell::new(None);
        let judged = judge(&|id| {
            self.public_key(id).unwrap_or_else(|error| {
                failed.borrow_mut().get_or_insert(error);
                None
            })
        });
        failed.into_inner().map_or(Ok(judged), Err)
    }

    /// Executes a foreign block over the tip: decoded strictly, every batch checked or found checked in `cache`, and the
    /// seal it carries equal to the one that executing gives.
    pub fn execute(&self, bytes: &[u8], cache: &dyn BatchCache, entropy: [u8; 32]) -> Result<Executed, ExecuteError> {
        let block = Block::decode(bytes).map_err(|error| ExecuteError::Refused(error.to_string()))?;
        self.execute_decoded(block, bytes, cache, entropy)
    }

    /// The same for a block that is decoded already; `bytes` are the block's.
    pub(crate) fn execute_decoded(
        &self,
        block: Block,
        bytes: &[u8],
        cache: &dyn BatchCache,
        entropy: [u8; 32],
    ) -> Result<Executed, ExecuteError> {
        let checked = self
            .with_keys(|key| CheckedBlock::check(block.content, self.chain.id, cache, key, entropy))?
            .map_err(|error| ExecuteError::Refused(error.to_string()))?;
        let effects = apply(&self.store, &self.chain, &checked)?;
        if effects.seal != block.seal {
            return Err(ExecuteError::Refused(BlockRefusal::Seal.to_string()));
        }
        Ok(Executed { block_id: block_id(self.chain.suite, bytes), bytes: bytes.to_vec(), effects })
    }

    /// Executes a block of this node's own and encodes it.
    pub fn execute_own(&self, block: &CheckedBlock) -> Result<Executed, ApplyError> {
        let effects = apply(&self.store, &self.chain, block)?;
        let content: BlockContent = block.to_content();
        let bytes = Block { content, seal: effects.seal.clone() }.encode();
        Ok(Executed { block_id: block_id(self.chain.suite, &bytes), bytes, effects })
    }
}
