//! Whose word counts, and how many must say the same: f + 1 of the validators that decide *now*.
//!
//! ```text
//! trust file ─▶ hash of the newest set ─▶ the set, from any node that gives one of this hash ─▶ f, and the numbers of its members
//! certificate of a connection ─▶ number ─▶ counted once, if it is a member's
//! ```
//! f of genesis would do for the chain of genesis alone: of seven validators two may lie, of the first four one might. An address is no
//! validator: one has several, and who left the set keeps its certificate for a while. Not here: what is said and compared.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use receipt_core::state::tables::{META_VALIDATORS, Table};
use receipt_core::validators::ValidatorSet;
use tallystick_proto::admin::v1::ReadRegistryRequest;
use tallystick_service::said::said;

use crate::chain::Chain;
use crate::nodes::{Node, Nodes, Unanswered};

/// The validators that decide, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Council {
    members: BTreeSet<u32>,
    faults_max: usize,
}

impl Council {
    fn of(set: &ValidatorSet) -> Self {
        let members = set.members().iter().map(|member| member.id.get()).collect();
        Self { members, faults_max: set.faults_max() }
    }

    /// From a set as a node gives it, if it is the one that is known here.
    fn proved(chain: &Chain, encoded: &[u8]) -> Result<Self> {
        let set = ValidatorSet::decode(encoded).context("it gives a validator set that cannot be read")?;
        if set.hash(chain.genesis.suite) != chain.validators.set_hash {
            bail!("it has other validators than the newest of the trust file");
        }
        Ok(Self::of(&set))
    }
}

/// Who has spoken, of those whose word counts.
#[derive(Debug, Clone)]
pub(crate) struct Voices {
    council: Council,
    /// By validator: the address under which it was asked.
    heard: BTreeMap<u32, String>,
    problems: Vec<String>,
}

impl Voices {
    fn new(council: Council) -> Self {
        Self { council, heard: BTreeMap::new(), problems: Vec::new() }
    }

    /// How many validators' word it takes: one more than may lie.
    pub(crate) fn needed(&self) -> usize {
        self.council.faults_max + 1
    }

    /// How many have been heard.
    pub(crate) fn count(&self) -> usize {
        self.heard.len()
    }

    /// What a node said, if its word counts: it is a validator of now, and was not heard before. What is in the way is kept for [`Self::away`].
    pub(crate) fn admit<T>(&mut self, node: &Node, said: Result<T>) -> Option<T> {
        let counted = said.and_then(|said| self.hear(&node.name, node.validator()).map(|()| said));
        counted.map_err(|problem| self.problems.push(format!("{}: {problem:#}", node.name))).ok()
    }

    fn hear(&mut self, name: &str, validator: Option<u32>) -> Result<()> {
        let number = validator.context("it showed no certificate")?;
        if !self.council.members.contains(&number) {
            bail!("it is validator {number}, who is none of those that decide now");
        }
        if let Some(before) = self.heard.get(&number) {
            bail!("it is validator {number}, as {before} is: each validator counts once");
        }
        self.heard.insert(number, name.to_owned());
        Ok(())
    }

    /// Whose word is missing, and why, as the end of a sentence's paragraph; empty if nobody's.
    pub(crate) fn away(&self) -> String {
        if self.problems.is_empty() { String::new() } else { format!(" Not counted: {}.", self.problems.join("; ")) }
    }
}

impl Nodes {
    /// The validators of now, none of them heard yet. Those of genesis are known; of others the trust file has the hash, and the named nodes
    /// are asked until one gives the set of this hash.
    pub(crate) async fn voices(&self, chain: &Chain) -> Result<Voices> {
        let founding = &chain.genesis.validators;
        if chain.validators.set_hash == founding.hash(chain.genesis.suite) {
            return Ok(Voices::new(Council::of(founding)));
        }
        let mut problems = Vec::new();
        for node in self.all() {
            match validators_of(node, chain).await.and_then(|encoded| Council::proved(chain, &encoded)) {
                Ok(council) => return Ok(Voices::new(council)),
                Err(problem) => problems.push(format!("{}: {problem:#}", node.name)),
            }
        }
        Err(Unanswered(format!(
            "no node gave the newest validator set of the trust file, and without it nobody knows whose word counts. If it was replaced \
             since, bring the trust file up to date. {}",
            problems.join("; ")
        ))
        .into())
    }
}

/// The set in force, as a node's registry has it: in its first page, which begins with the table Meta.
async fn validators_of(node: &Node, chain: &Chain) -> Result<Vec<u8>> {
    node.status(chain).await?;
    let page = node.admin().read_registry(ReadRegistryRequest::default()).await;
    let page = page.map_err(|status| anyhow::anyhow!(said(&status)))?.into_inner();
    let mut rows = page.rows.into_iter();
    let row = rows.find(|row| row.table == Table::Meta as u32 && row.key == META_VALIDATORS);
    Ok(row.context("its registry has no validators")?.value.to_vec())
}

#[cfg(test)]
mod tests {
    use receipt_core::testkit::{TestChain, TestValidator};

    use super::*;

    /// A chain of 4 whose set was replaced by that of these numbers, and the new set's bytes.
    fn grown(ids: &[u32]) -> (Chain, Vec<u8>) {
        let mut chain = TestChain::new();
        let members: Vec<TestValidator> = ids.iter().copied().map(TestValidator::new).collect();
        let set = ValidatorSet::new(members.iter().map(TestValidator::public).collect()).unwrap();
        chain.rotate_validators(members);
        (Chain::new(chain.genesis().clone()).under(chain.trust()).unwrap(), set.encode())
    }

    #[test]
    fn a_chain_that_grew_from_four_to_seven_wants_three_voices() {
        let (chain, set) = grown(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(Voices::new(Council::of(&chain.genesis.validators)).needed(), 2);
        let mut voices = Voices::new(Council::proved(&chain, &set).unwrap());
        assert_eq!(voices.needed(), 3);
        // Two liars are named first. They are heard, and are too few.
        for liar in [6, 7] {
            voices.hear("liar", Some(liar)).unwrap();
        }
        assert!(voices.count() < voices.needed());
        // A set that a node made up is not the one of the trust file.
        let founding = chain.genesis.validators.encode();
        assert!(Council::proved(&chain, &founding).unwrap_err().to_string().contains("other validators"));
        assert!(Council::proved(&chain, b"junk").is_err());
    }

    #[test]
    fn a_validator_counts_once_whatever_it_is_called_and_only_while_it_decides() {
        let (chain, set) = grown(&[2, 3, 4, 5]);
        let mut voices = Voices::new(Council::proved(&chain, &set).unwrap());
        voices.hear("127.0.0.1:7102", Some(2)).unwrap();
        let twice = voices.hear("localhost:7102", Some(2)).unwrap_err().to_string();
        assert!(twice.contains("127.0.0.1:7102") && twice.contains("counts once"), "{twice}");
        // It has left the set. Its certificate is valid for months.
        let retired = voices.hear("node-1:7101", Some(1)).unwrap_err().to_string();
        assert!(retired.contains("validator 1, who is none of those that decide now"), "{retired}");
        assert!(voices.hear("nobody", None).is_err());
        assert_eq!(voices.count(), 1);
        voices.hear("node-3:7103", Some(3)).unwrap();
        assert_eq!(voices.count(), voices.needed());
    }

    #[test]
    fn without_a_trust_file_the_validators_are_those_of_genesis() {
        let genesis = TestChain::new().genesis().clone();
        let chain = Chain::new(genesis.clone());
        assert_eq!(
            (chain.validators.set_hash, chain.validators.by_trust_file),
            (genesis.validators.hash(genesis.suite), false)
        );
        assert!(Council::proved(&chain, &genesis.validators.encode()).is_ok());
    }
}
