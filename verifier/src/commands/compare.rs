//! `compare`: two checkpoint notes, or an evidence file.

use anyhow::Context;
use receipt_core::limits::NOTE_BYTES_MAX;
use receipt_core::note::ForkEvidence;
use tallystick_service::errln;
use tallystick_service::exit::Exit;
use tallystick_service::terminal::path as shown;
use tallystick_verifier::compare::{Relation, compare};

use super::{
    EVIDENCE_BYTES_MAX, Failure, OrExit, node_address, print_json, print_text, read_text, read_trust, write_file,
};
use crate::cli::CompareArguments;

pub(super) fn run(arguments: &CompareArguments) -> Result<Exit, Failure> {
    let trust = read_trust(&arguments.trust)?;
    let bytes_max = if arguments.second.is_some() { NOTE_BYTES_MAX } else { EVIDENCE_BYTES_MAX };
    let first = read_text(&arguments.first, bytes_max)?;
    let [first, second] = match &arguments.second {
        Some(second) => [first, read_text(second, NOTE_BYTES_MAX)?],
        None => {
            let evidence = ForkEvidence::decode(&first);
            evidence.with_context(|| format!("reading {}", shown(&arguments.first))).or_exit(Exit::Usage)?.notes
        }
    };
    let node = match &arguments.node {
        Some(url) => Some(node_address(url, &arguments.tls, trust.chain_name())?),
        None => None,
    };
    let comparison = compare(&first, &second, &trust, node.as_ref());
    let comparison = comparison.map_err(|error| {
        let exit = if error.cannot_be_judged_here() { Exit::Unjudged } else { Exit::Usage };
        Failure { exit, error: error.into() }
    })?;
    if arguments.json {
        print_json(&comparison)?;
    } else {
        print_text(&comparison.to_text())?;
    }
    Ok(match &comparison.relation {
        Relation::Same | Relation::Consistent => Exit::Good,
        Relation::Unproven { .. } => Exit::Reserved,
        Relation::Fork { evidence, .. } | Relation::DoubleSigned { evidence, .. } => {
            if arguments.second.is_some() {
                write_file(&arguments.evidence, evidence)?;
                errln!("evidence: {}", arguments.evidence.display());
            }
            Exit::Bad
        }
    })
}
