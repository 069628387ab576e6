//! The registry as the ledger keeps it: everything that governance has put there, read from validators.
//!
//! One validator's word is not enough: as many as cannot all lie must give the same rows. What moves without governance (numbers used,
//! the next batch of an issuer) is not compared, and is shown as one of them says it. Not here: what a proposal would change.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use receipt_core::directory::UnitRow;
use receipt_core::hash::Hash;
use receipt_core::ids::UnixMillis;
use receipt_core::registered_at::RegisteredAt;
use receipt_core::state::tables::{GovernanceState, Table};
use tallystick_proto::admin::v1::{ReadRegistryRequest, RegistryRow};
use tallystick_service::said::said;

use crate::chain::Chain;
use crate::nodes::{Node, Nodes, Unanswered};

mod page;
mod rows;
mod thing;

pub use page::{document, shown};
pub use thing::{Class, Thing, Value};

/// A registry above this is not read.
const REGISTRY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How often a registry is read anew that governance changed between its pages.
const READS_MAX: usize = 5;

/// What is needed to read rows: the chain's UTC offset and the present time.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The chain's offset, for times.
    pub utc_offset_minutes: i32,
    /// The time as of which a key is called valid or ended.
    pub now: UnixMillis,
}

impl Reading {
    /// For a chain, as of `now`.
    pub fn new(chain: &Chain, now: UnixMillis) -> Self {
        Self { utc_offset_minutes: chain.genesis.utc_offset_minutes, now }
    }

    /// The row as what it registers.
    pub fn thing(self, row: &RegistryRow) -> Result<Thing> {
        let table = Table::ALL.into_iter().find(|table| *table as u32 == row.table);
        let table = table.with_context(|| format!("a row of the unknown table {}", row.table))?;
        self.row(table, &row.key, &row.value)
    }

    fn row(self, table: Table, key: &[u8], value: &[u8]) -> Result<Thing> {
        rows::read(self, table, key, value).with_context(|| format!("a row of table {}", table.name()))
    }
}

/// The registry, as enough validators say alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The height as of which it holds.
    pub height: u64,
    /// Sequence of the last governance message of the chain's own authorities by then.
    pub sequence: u64,
    /// Its id; the chain id for genesis alone.
    pub id: Hash,
    /// Tells this registry from one before or after any message, also of an area.
    pub version: Hash,
    /// Everything registered, by table and key.
    pub things: Vec<Thing>,
    /// The nodes that say so; nobody if an audit has replayed it.
    pub said_by: Vec<String>,
    /// Of a registry that an audit has replayed: hash of the seal after which it holds.
    pub replayed: Option<Hash>,
}

impl Registry {
    /// What an audit has replayed (`tallystick-verifier audit --write-registry`), with states as of its block's time.
    pub fn replayed(file: &RegisteredAt, chain: &Chain) -> Result<Self> {
        ensure!(
            file.chain == chain.id,
            "it is of chain {}, and the genesis file is of chain {}",
            file.chain.0,
            chain.id.0
        );
        let reading = Reading::new(chain, file.time);
        let rows = file.rows.iter().filter(|row| row.table != Table::Directory);
        let things = rows.map(|row| reading.row(row.table, &row.key, &row.value)).collect::<Result<_>>()?;
        let (GovernanceState { sequence, id }, seal) = (file.governance, file.seal_hash);
        let (height, said_by, replayed) = (file.height.get(), Vec::new(), Some(seal));
        Ok(Self { height, sequence, id, version: seal, things, said_by, replayed })
    }

    fn agrees_with(&self, other: &Self) -> bool {
        let same = |(one, other): (&Thing, &Thing)| one.is_same(other);
        (self.sequence, self.id, self.version, self.things.len())
            == (other.sequence, other.id, other.version, other.things.len())
            && self.things.iter().zip(&other.things).all(same)
    }

    /// The things of a class, by number.
    pub fn of(&self, class: Class) -> impl Iterator<Item = &Thing> {
        self.things.iter().filter(move |thing| thing.class == class)
    }

    /// The thing of this class and name.
    pub fn find(&self, class: Class, name: &str) -> Option<&Thing> {
        self.of(class).find(|thing| thing.name == name)
    }

    /// The lowest number above all that are used, of a class that has such numbers; `None` if there is none.
    pub fn next_free(&self, class: Class) -> Option<u64> {
        if !class.is_numbered() {
            return None;
        }
        let highest = self.of(class).filter_map(|thing| thing.name.parse::<u64>().ok()).max();
        Some(highest.unwrap_or(0).saturating_add(1)).filter(|next| *next <= u64::from(u32::MAX))
    }
}

/// What at least `needed` say alike: the first that reaches it, as of the lowest height of those who agree.
fn agreed(said: &[Registry], needed: usize) -> Option<Registry> {
    said.iter().find_map(|one| {
        let alike: Vec<&Registry> = said.iter().filter(|other| one.agrees_with(other)).collect();
        let lowest = alike.iter().min_by_key(|registry| registry.height)?;
        let said_by = alike.iter().flat_map(|registry| registry.said_by.iter().cloned()).collect();
        (alike.len() >= needed).then(|| Registry { said_by, ..(*lowest).clone() })
    })
}

impl Nodes {
    /// The registry, as so many of the named nodes say alike that one of them is honest.
    pub async fn registry(&self, chain: &Chain, reading: Reading) -> Result<Registry> {
        let mut voices = self.voices(chain).await?;
        let needed = voices.needed();
        let mut said = Vec::new();
        for node in self.all() {
            said.extend(voices.admit(node, read_all(node, chain, reading).await));
            if let Some(registry) = agreed(&said, needed) {
                return Ok(registry);
            }
        }
        let away = voices.away();
        Err(Unanswered(format!(
            "{needed} validators must say the same registry, since {} of them may be wrong; {} answered, and no {needed} of them \
             agree. Give `--node` for more of them, or ask again when a message under way is executed.{away}",
            needed - 1,
            said.len()
        ))
        .into())
    }
}

async fn read_all(node: &Node, chain: &Chain, reading: Reading) -> Result<Registry> {
    let Rows { height, sequence, id, version, rows } = read_rows(node, chain).await?;
    // Rows of the directory repeat what units and keys say.
    let rows = rows.iter().filter(|row| row.table != Table::Directory as u32);
    let things = rows.map(|row| reading.thing(row)).collect::<Result<_>>()?;
    let said_by = vec![node.name.clone()];
    Ok(Registry { height, sequence, id, version, things, said_by, replayed: None })
}

/// The directory's rows, as one node says them: whoever takes them holds them against a seal.
pub(crate) async fn read_directory_rows(node: &Node, chain: &Chain) -> Result<Vec<UnitRow>> {
    let rows = read_rows(node, chain).await?.rows;
    let rows = rows.iter().filter(|row| row.table == Table::Directory as u32);
    rows.map(|row| UnitRow::decode(&row.value).context("a row of its directory")).collect()
}

/// All rows that a node has.
struct Rows {
    height: u64,
    sequence: u64,
    id: Hash,
    version: Hash,
    rows: Vec<RegistryRow>,
}

async fn read_rows(node: &Node, chain: &Chain) -> Result<Rows> {
    node.status(chain).await?;
    for _ in 0..READS_MAX {
        if let Some(rows) = read_once(node).await? {
            return Ok(rows);
        }
    }
    bail!("governance changed its registry while it was read, {READS_MAX} times")
}

/// All pages, if they are of one registry.
async fn read_once(node: &Node) -> Result<Option<Rows>> {
    let mut found: Option<Rows> = None;
    let (mut page_token, mut bytes, mut last) = (String::new(), 0_usize, None);
    loop {
        let page = node.admin().read_registry(ReadRegistryRequest { page_token }).await;
        let page = page.map_err(|status| anyhow!(said(&status)))?.into_inner();
        let id = Hash::from_slice(&page.governance_id).context("it names no id of the last governance message")?;
        let version = Hash::from_slice(&page.registry_version).context("it names no version of its registry")?;
        let (height, sequence) = (page.height, page.governance_sequence);
        let found_rows = found.get_or_insert_with(|| Rows { height, sequence, id, version, rows: Vec::new() });
        if (found_rows.sequence, found_rows.id, found_rows.version) != (page.governance_sequence, id, version) {
            return Ok(None);
        }
        let is_empty = page.rows.is_empty();
        for row in page.rows {
            let place = Some((row.table, row.key.clone()));
            ensure!(place > last, "its rows do not ascend");
            last = place;
            bytes = bytes.saturating_add(row.key.len()).saturating_add(row.value.len());
            found_rows.rows.push(row);
        }
        ensure!(bytes <= REGISTRY_BYTES_MAX, "its registry has more than {REGISTRY_BYTES_MAX} bytes");
        if page.next_page_token.is_empty() {
            return Ok(found);
        }
        ensure!(!is_empty, "a page without rows is not its last");
        page_token = page.next_page_token;
    }
}

#[cfg(test)]
mod tests;
