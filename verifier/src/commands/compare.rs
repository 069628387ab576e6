//! `compare`: two checkpoint notes, or an evidence file.

use anyhow::Context;
use tallystick_verifier::compare::{Relation, compare, decode_evidence};

use super::{Exit, Failure, OrExit, node_address, print_json, print_text, read_text, read_trust};
use crate::cli::CompareArguments;

pub(super) fn run(arguments: &CompareArguments) -> Result<Exit, Failure> {
    let trust = read_trust(&arguments.trust)?;
    let first = read_text(&arguments.first)?;
    let [first, second] = match &arguments.second {
        Some(second) => [first, read_text(second)?],
        None => decode_evidence(&first)
            .with_context(|| format!("reading {}", arguments.first.display()))
            .or_exit(Exit::Usage)?,
    };
    let node = match &arguments.node {
        Some(url) => Some(node_address(url, &arguments.tls, trust.chain_name())?),
        None => None,
    };
    let comparison = compare(&first, &second, &trust, node.as_ref()).or_exit(Exit::Usage)?;
    if arguments.json {
        print_json(&comparison)?;
    } else {
        print_text(&comparison.to_text())?;
    }
    Ok(match &comparison.relation {
        Relation::Same | Relation::Consistent => Exit::Good,
        Relation::Unproven { .. } => Exit::Reserved,
        Relation::Fork { evidence, .. } => {
            if arguments.second.is_some() {
                let written = std::fs::write(&arguments.evidence, evidence);
                let context = || format!("writing {}", arguments.evidence.display());
                written.with_context(context).or_exit(Exit::NoInput)?;
                eprintln!("evidence: {}", arguments.evidence.display());
            }
            Exit::Bad
        }
    })
}
