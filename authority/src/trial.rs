//! What the ledger would make of a proposal, before anybody signs it.
//!
//! The validators execute it on their own state as a block would, and drop what it wrote. As many as cannot all lie must say the same,
//! and the registry before is what as many say alike, too. Signatures are not judged: `show` counts them.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, anyhow, ensure};
use receipt_core::area::Area;
use receipt_core::governance::Governance;
use receipt_core::hash::Hash;
use receipt_core::ids::{Height, UnixMillis};
use tallystick_proto::admin::v1::TryGovernanceRequest;
use tallystick_service::said::said;

use crate::chain::Chain;
use crate::epochs;
use crate::nodes::{GovernanceTip, Node, Nodes, Unanswered};
use crate::registry::{Class, Reading, Registry, Thing};
use crate::words::of_action;

/// One validator's answer to a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    height: u64,
    sequence: u64,
    id: Hash,
    version: Hash,
    place_problem: Option<String>,
    /// Number of the action from 1, and what is wrong with it.
    refused: Option<(u32, String)>,
    after: Vec<Thing>,
    node: String,
}

impl Said {
    /// Heights apart: blocks come while the nodes are asked.
    fn agrees_with(&self, other: &Self) -> bool {
        let same = |(one, other): (&Thing, &Thing)| one.is_same(other);
        (self.id, self.version, &self.place_problem, &self.refused)
            == (other.id, other.version, &other.place_problem, &other.refused)
            && self.after.len() == other.after.len()
            && self.after.iter().zip(&other.after).all(same)
    }
}

/// What the ledger would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It would execute the proposal.
    Executes,
    /// Not now: other messages come first. Its actions would do.
    Waits,
    /// It would refuse the proposal.
    Refuses,
}

/// A proposal's trial, as enough validators say alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    said: Said,
    said_by: Vec<String>,
    registry: Registry,
}

impl Nodes {
    /// Has the validators try a message over the registry that they say alike.
    pub async fn try_governance(&self, chain: &Chain, message: &Governance, now: UnixMillis) -> Result<Trial> {
        let reading = Reading::new(chain, now);
        let registry = self.registry(chain, reading).await?;
        let mut voices = self.voices(chain).await?;
        let needed = voices.needed();
        let mut all = Vec::new();
        for node in self.all() {
            let said = ask(node, chain, message, reading).await.and_then(|said| {
                ensure!(said.version == registry.version, "governance changed while it was asked");
                Ok(said)
            });
            all.extend(voices.admit(node, said));
            if let Some((said, said_by)) = agreed(&all, needed) {
                return Ok(Trial { said, said_by, registry });
            }
        }
        let away = voices.away();
        Err(Unanswered(format!(
            "{needed} validators must say alike what would become of the proposal, since {} of them may be wrong; {} answered, and \
             no {needed} of them agree. Give `--node` for more of them, or ask again.{away}",
            needed - 1,
            all.len()
        ))
        .into())
    }
}

impl Nodes {
    /// Where the messages of an area stand, as so many of the named nodes say alike that one of them is honest: they try an empty one.
    pub async fn area_tip(&self, chain: &Chain, area: Area, now: UnixMillis) -> Result<GovernanceTip> {
        let (suite, previous, expiry) = (chain.genesis.suite, Hash([0; 32]), Height::ZERO);
        let nothing = Governance { suite, area: Some(area), sequence: 0, expiry, previous, actions: Vec::new() };
        let Trial { said, registry, .. } = self.try_governance(chain, &nothing, now).await?;
        ensure!(
            registry.find(Class::Area, &area.to_string()).is_some(),
            "area {area} has no authorities of its own: those above it name them (`set_area_authorities`)"
        );
        Ok(GovernanceTip { sequence: said.sequence, id: said.id, height: said.height.saturating_sub(1) })
    }
}

/// What at least `needed` say alike, as of the lowest height of those who agree, and who they are.
fn agreed(all: &[Said], needed: usize) -> Option<(Said, Vec<String>)> {
    all.iter().find_map(|one| {
        let alike: Vec<&Said> = all.iter().filter(|other| one.agrees_with(other)).collect();
        let height = alike.iter().map(|said| said.height).min()?;
        let said_by = alike.iter().map(|said| said.node.clone()).collect();
        (alike.len() >= needed).then(|| (Said { height, ..one.clone() }, said_by))
    })
}

async fn ask(node: &Node, chain: &Chain, message: &Governance, reading: Reading) -> Result<Said> {
    node.status(chain).await?;
    let request = TryGovernanceRequest { governance: message.encode().into(), block_time_ms: reading.now.get() };
    let answer = node.admin().try_governance(request).await.map_err(|status| anyhow!(said(&status)))?.into_inner();
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Said {
        height: answer.height,
        sequence: answer.governance_sequence,
        id: Hash::from_slice(&answer.governance_id).context("it names no id of the last governance message")?,
        version: Hash::from_slice(&answer.registry_version).context("it names no version of its registry")?,
        place_problem: some(answer.place_problem),
        refused: some(answer.action_problem).map(|problem| (answer.refused_action, problem)),
        after: answer.rows.iter().map(|row| reading.thing(row)).collect::<Result<_>>()?,
        node: node.name.clone(),
    })
}

impl Trial {
    /// What would become of the message. Of one that is signed in advance nothing can be said but that it waits.
    pub fn verdict(&self, message: &Governance) -> Verdict {
        let waits = message.sequence > self.said.sequence.saturating_add(1) && message.expiry.get() >= self.said.height;
        match (&self.said.refused, &self.said.place_problem) {
            (None, None) => Verdict::Executes,
            (None, Some(_)) if waits => Verdict::Waits,
            _ => Verdict::Refuses,
        }
    }

    /// The trial as text: place, changes, verdict, next free numbers.
    pub fn shown(&self, message: &Governance, utc_offset_minutes: i32) -> String {
        let Self { said, said_by, registry } = self;
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\nTRIED at height {}, as {} say alike:", said.height, said_by.join(", "));
        let next = said.sequence.saturating_add(1);
        let _ = writeln!(text, "  sequence   {}; the next one is {next}", message.sequence);
        let follows = if message.previous == said.id { "the last message" } else { "NOT the last message" };
        let _ = writeln!(text, "  follows    {}, {follows} ({})", message.previous, said.id);
        let left = message.expiry.get().saturating_add(1).saturating_sub(said.height);
        let _ = writeln!(text, "  expires    after height {}: {left} blocks may still carry it", message.expiry);
        self.write_changes(&mut text);
        text.push_str(&epochs::warnings(message, registry));
        self.write_verdict(&mut text, message, utc_offset_minutes);
        text.push_str("\nNEXT FREE NUMBERS before it\n");
        for class in Class::ALL {
            if let Some(next) = registry.next_free(class) {
                let _ = writeln!(text, "  {} {next}", class.word());
            }
        }
        for code in registry.of(Class::Code) {
            let next = code.fields.iter().find(|(name, _)| *name == "next_free").map(|(_, value)| value.words());
            let _ = writeln!(text, "  {} {}: {}", code.class.word(), code.name, next.unwrap_or_default());
        }
        text
    }

    fn write_changes(&self, text: &mut String) {
        if self.said.refused.is_some() {
            return;
        }
        let same =
            |after: &&Thing| self.registry.find(after.class, &after.name).is_some_and(|before| before.is_same(after));
        let changed: Vec<&Thing> = self.said.after.iter().filter(|after| !same(after)).collect();
        let _ = writeln!(text, "\nWHAT IT CHANGES: {} entries of the registry", changed.len());
        for after in changed {
            let before = self.registry.find(after.class, &after.name);
            let is_new = if before.is_none() { ", new" } else { "" };
            let _ = writeln!(text, "  {} {}{is_new}", after.class.word(), after.name);
            for (name, value) in &after.fields {
                let old = before.and_then(|thing| thing.fields.iter().find(|(other, _)| other == name));
                let name = name.replace('_', " ");
                match old {
                    Some((_, old)) if old == value => {}
                    Some((_, old)) => {
                        let _ = writeln!(text, "    {name}: {} -> {}", old.words(), value.words());
                    }
                    None => {
                        let _ = writeln!(text, "    {name}: {}", value.words());
                    }
                }
            }
        }
    }

    fn write_verdict(&self, text: &mut String, message: &Governance, utc_offset_minutes: i32) {
        let refused = self.said.refused.as_ref().map(|(number, problem)| {
            let action = usize::try_from(*number).ok().and_then(|number| number.checked_sub(1));
            let action = action.and_then(|index| message.actions.get(index));
            let title = action.map(|action| of_action(action, utc_offset_minutes).title).unwrap_or_default();
            format!("action {number} ({title}): {problem}")
        });
        let problems: Vec<String> = self.said.place_problem.clone().into_iter().chain(refused).collect();
        let line = match self.verdict(message) {
            Verdict::Executes => "THE LEDGER WOULD EXECUTE IT, once enough authorities have signed it".to_owned(),
            Verdict::Waits => {
                let last = self.said.sequence;
                format!(
                    "IT HAS TO WAIT: {}. The last message executed is {last}; those in between come first, and may change \
                     what is said here",
                    problems.join("; ")
                )
            }
            Verdict::Refuses => format!("THE LEDGER WOULD REFUSE IT: {}", problems.join("; ")),
        };
        let _ = writeln!(text, "\n{line}.");
    }
}
