//! Reading the state, and the writes of a block laid over it.

use std::collections::{BTreeMap, HashMap};

use prost::Message;

use super::reading::ReadError;
use super::tables::Table;
use crate::hash::Hash;
use crate::suite::Suite;

/// A keyed read over the committed state. Same state, same answers; concurrent reads are fine.
pub trait StateRead {
    /// The value of `key` in `table`, if there is one.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError>;

    /// The values of `keys`, in their order. For a store that answers many questions at once with less work than one after the other.
    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, ReadError> {
        keys.iter().map(|key| self.get(table, key)).collect()
    }
}

/// Keys by their table.
pub(crate) type Keys = BTreeMap<Table, Vec<Vec<u8>>>;

/// Writes by (table, key), in canonical order; `None` deletes.
pub type Writes = BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>;

/// H(previous ‖ writes): `table u8 ‖ key length u32 ‖ key ‖ 0` for a deletion, `… ‖ 1 ‖ value length u32 ‖ value` for a
/// write, in canonical order. Nodes of the status map and of the registry's are left out: their roots stand in the seal.
pub(crate) fn effects_hash(suite: Suite, previous: Hash, writes: &Writes) -> Hash {
    let mut bytes = Vec::with_capacity(writes.len() * 96);
    let is_node = |table: &Table| [Table::StatusNodes, Table::RegistryNodes].contains(table);
    for ((table, key), value) in writes.iter().filter(|((table, _), _)| !is_node(table)) {
        bytes.push(*table as u8);
        extend_sized(&mut bytes, key);
        match value {
            None => bytes.push(0),
            Some(value) => {
                bytes.push(1);
                extend_sized(&mut bytes, value);
            }
        }
    }
    suite.tagged("tallystick/effects/v1", &[previous.as_bytes(), &bytes])
}

fn extend_sized(bytes: &mut Vec<u8>, part: &[u8]) {
    // Keys and values are bounded by the block size, far below 4 GiB.
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(part);
}

/// A block's writes over a base state, with a nested layer that one batch can drop.
pub(crate) struct Overlay<'a> {
    base: &'a dyn StateRead,
    /// What the base, which stays as it is, answered to the questions that were asked ahead.
    fetched: HashMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    block: Writes,
    batch: Option<Writes>,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(base: &'a dyn StateRead) -> Self {
        Self { base, fetched: HashMap::new(), block: Writes::new(), batch: None }
    }

    pub(crate) fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let lookup = (table, key.to_vec());
        let layered = self.batch.as_ref().and_then(|batch| batch.get(&lookup)).or_else(|| self.block.get(&lookup));
        match layered.or_else(|| self.fetched.get(&lookup)) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(table, key),
        }
    }

    /// Asks the base for all these keys at once, before they are read one by one. What was fetched before is given up: an overlay holds one
    /// batch's rows beside its own.
    pub(crate) fn fetch(&mut self, keys: Keys) -> Result<(), ReadError> {
        self.fetched.clear();
        for (table, keys) in keys {
            let values = self.base.get_many(table, &keys)?;
            self.fetched.extend(keys.into_iter().map(|key| (table, key)).zip(values));
        }
        Ok(())
    }

    pub(crate) fn contains(&self, table: Table, key: &[u8]) -> Result<bool, ReadError> {
        Ok(self.read(table, key)?.is_some())
    }

    pub(crate) fn read_message<M: Message + Default>(&self, table: Table, key: &[u8]) -> Result<Option<M>, ReadError> {
        let Some(bytes) = self.read(table, key)? else { return Ok(None) };
        M::decode(bytes.as_slice()).map(Some).map_err(|_| ReadError::corrupt(table.name()))
    }

    pub(crate) fn write(&mut self, table: Table, key: impl Into<Vec<u8>>, value: Vec<u8>) {
        self.layer().insert((table, key.into()), Some(value));
    }

    pub(crate) fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.layer().insert((table, key.into()), None);
    }

    /// Opens the layer of a batch.
    pub(crate) fn begin_batch(&mut self) {
        self.batch = Some(Writes::new());
    }

    /// Keeps what the batch wrote.
    pub(crate) fn keep_batch(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.block.extend(batch);
        }
    }

    /// Forgets what the batch wrote.
    pub(crate) fn drop_batch(&mut self) {
        self.batch = None;
    }

    pub(crate) fn into_writes(self) -> Writes {
        self.block
    }

    /// The keys of a table that the block wrote, ascending.
    pub(crate) fn written_keys(&self, table: Table) -> impl Iterator<Item = &[u8]> {
        let written = self.block.range((table, Vec::new())..).take_while(move |((of, _), _)| *of == table);
        written.map(|((_, key), _)| key.as_slice())
    }

    pub(crate) fn writes(&self) -> &Writes {
        &self.block
    }

    fn layer(&mut self) -> &mut Writes {
        self.batch.as_mut().unwrap_or(&mut self.block)
    }
}

impl StateRead for Overlay<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.read(table, key)
    }
}
