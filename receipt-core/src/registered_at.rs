//! The registry as of a height, as a replay of the ledger found it: a file that whoever replayed can keep, compare and show.
//!
//! ```text
//! tallystick/registry/v1
//! chain <chain id, hex>
//! height <height>
//! time <time of its block, milliseconds>
//! seal <hash of its seal, hex>
//! governance <sequence> <id, hex>                 the last message of the chain's own authorities by then
//! row <table> <key, hex> <value, hex>             ascending by table and key; an empty value is -
//! ```
//! One spelling: two replays of one chain write the same bytes. It is no proof: nobody has signed it, and it is worth what the replay is worth that
//! wrote it. Who doubts it replays, or compares files by their hash.

use std::fmt::Write as _;

use crate::hash::Hash;
use crate::ids::{Height, UnixMillis};
use crate::memory::MemoryState;
use crate::state::tables::{GovernanceState, META_GOVERNANCE, REGISTRY_TABLES, Table, Tip, is_of_registry};
use crate::state::{ReadError, StateRead};
use crate::suite::ChainId;

const MAGIC: &str = "tallystick/registry/v1";

/// A row of the registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegistryRow {
    /// Its table.
    pub table: Table,
    /// Its key, verbatim.
    pub key: Vec<u8>,
    /// Its value, verbatim.
    pub value: Vec<u8>,
}

/// Everything registered as of a height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredAt {
    /// The chain.
    pub chain: ChainId,
    /// The height.
    pub height: Height,
    /// Time of its block.
    pub time: UnixMillis,
    /// Hash of its seal.
    pub seal_hash: Hash,
    /// The last message of the chain's own authorities by then.
    pub governance: GovernanceState,
    /// The rows, ascending by table and key.
    pub rows: Vec<RegistryRow>,
}

/// Why a text is no such file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegisteredAtError {
    /// A line that is missing or does not read; from 1.
    #[error("line {0} is not what has to stand there")]
    Line(usize),
    /// The file as a whole is not as a replay writes it.
    #[error("it is not in the one form in which a replay writes it: rows out of order, or other spellings")]
    NotCanonical,
}

impl RegisteredAt {
    /// What a replay has registered at its tip.
    pub fn of(state: &MemoryState, chain: ChainId) -> Result<Self, ReadError> {
        let Tip { height, time, seal_hash, .. } = state.tip()?.ok_or_else(|| ReadError::corrupt("no tip"))?;
        let governance = state.get(Table::Meta, META_GOVERNANCE)?.ok_or_else(|| ReadError::corrupt("governance"))?;
        let mut rows: Vec<RegistryRow> = Vec::new();
        for table in REGISTRY_TABLES {
            let found = state.rows(table).into_iter().filter(|(key, _)| is_of_registry(table, key));
            rows.extend(found.map(|(key, value)| RegistryRow { table, key: key.to_vec(), value: value.to_vec() }));
        }
        Ok(Self { chain, height, time, seal_hash, governance: GovernanceState::decode(&governance)?, rows })
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let Self { chain, height, time, seal_hash, governance: GovernanceState { sequence, id }, rows } = self;
        let mut text = format!(
            "{MAGIC}\nchain {}\nheight {height}\ntime {time}\nseal {seal_hash}\ngovernance {sequence} {id}\n",
            chain.0
        );
        for RegistryRow { table, key, value } in rows {
            let value = if value.is_empty() { "-".to_owned() } else { hex::encode(value) };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "row {} {} {value}", *table as u8, hex::encode(key));
        }
        text
    }

    /// Reads a file; only the one spelling is taken. Whether rows say something sensible is the reader's to judge.
    pub fn parse(text: &str) -> Result<Self, RegisteredAtError> {
        let mut lines = (1_usize..).zip(text.lines());
        let magic = |line: &str| (line == MAGIC).then_some(());
        next(&mut lines, "", magic)?;
        let registered = Self {
            chain: ChainId(next(&mut lines, "chain ", hash)?),
            height: Height::new(next(&mut lines, "height ", number)?),
            time: UnixMillis::new(next(&mut lines, "time ", number)?),
            seal_hash: next(&mut lines, "seal ", hash)?,
            governance: next(&mut lines, "governance ", message)?,
            rows: lines
                .map(|(number, line)| row(line).ok_or(RegisteredAtError::Line(number)))
                .collect::<Result<_, _>>()?,
        };
        let place = |row: &RegistryRow| (row.table, row.key.clone());
        let ascending = registered.rows.windows(2).all(|pair| place(&pair[0]) < place(&pair[1]));
        if ascending && registered.to_text() == text { Ok(registered) } else { Err(RegisteredAtError::NotCanonical) }
    }
}

/// What stands on the next line behind these words.
fn next<'a, T>(
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
    words: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, RegisteredAtError> {
    let (number, line) = lines.next().unwrap_or((1, ""));
    line.strip_prefix(words).and_then(read).ok_or(RegisteredAtError::Line(number))
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn hash(text: &str) -> Option<Hash> {
    Hash::from_slice(&hex::decode(text).ok()?)
}

fn message(text: &str) -> Option<GovernanceState> {
    let (sequence, id) = text.split_once(' ')?;
    Some(GovernanceState { sequence: sequence.parse().ok()?, id: hash(id)? })
}

fn row(line: &str) -> Option<RegistryRow> {
    let mut words = line.strip_prefix("row ")?.split(' ');
    let (table, key, value) = (words.next()?, words.next()?, words.next()?);
    let table = Table::ALL.into_iter().find(|known| (*known as u8).to_string() == table)?;
    let key = hex::decode(key).ok()?;
    let value = if value == "-" { Vec::new() } else { hex::decode(value).ok()? };
    (words.next().is_none() && is_of_registry(table, &key)).then_some(RegistryRow { table, key, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::TestChain;

    #[test]
    fn what_a_replay_has_registered_reads_back_in_one_spelling() {
        let chain = TestChain::new();
        let found = RegisteredAt::of(chain.state(), chain.genesis().chain_id()).unwrap();
        assert_eq!((found.height, found.time, found.governance.sequence), (Height::ZERO, chain.genesis().time, 0));
        assert_eq!(found.seal_hash, chain.blocks()[0].seal.hash());
        for table in [Table::Units, Table::Keys, Table::Kinds, Table::Items, Table::Segments, Table::Issuers] {
            let rows = found.rows.iter().filter(|row| row.table == table).count();
            assert_eq!((rows, rows > 0), (chain.state().row_count(table), true), "{}", table.name());
        }
        assert!(found.rows.iter().all(|row| is_of_registry(row.table, &row.key)), "no receipt, no status");
        let text = found.to_text();
        assert_eq!(RegisteredAt::parse(&text), Ok(found.clone()));
        // A kind without number and name is an empty message.
        let mut empty = found;
        empty.rows = vec![RegistryRow { table: Table::Kinds, key: vec![0; 4], value: Vec::new() }];
        assert_eq!(RegisteredAt::parse(&empty.to_text()), Ok(empty));

        let mut swapped: Vec<&str> = text.lines().collect();
        swapped.swap(8, 9);
        let first_row = text.lines().position(|line| line.starts_with("row 5 ")).unwrap() + 1;
        for (what, bad, problem) in [
            ("nothing", String::new(), RegisteredAtError::Line(1)),
            ("another format", text.replace("/v1", "/v2"), RegisteredAtError::Line(1)),
            ("no chain", text.replace("chain ", "chains "), RegisteredAtError::Line(2)),
            ("a height that is none", text.replace("height 0", "height x"), RegisteredAtError::Line(3)),
            ("a height with zeros", text.replace("height 0", "height 00"), RegisteredAtError::NotCanonical),
            ("a row out of order", swapped.join("\n") + "\n", RegisteredAtError::NotCanonical),
            ("no line end", text.trim_end().to_owned(), RegisteredAtError::NotCanonical),
            ("another line end", text.replace('\n', "\r\n"), RegisteredAtError::NotCanonical),
            ("a row of receipts", text.replace("\nrow 5 ", "\nrow 1 "), RegisteredAtError::Line(first_row)),
        ] {
            assert_eq!(RegisteredAt::parse(&bad), Err(problem), "{what}");
        }
    }
}
