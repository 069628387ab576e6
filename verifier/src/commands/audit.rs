//! `audit`: replay, report.

use anyhow::Context;
use tallystick_service::rng::OsEntropy;
use tallystick_verifier::audit::{AuditOptions, AuditResult, audit};
use tallystick_verifier::progress::for_stderr;

use super::{Exit, Failure, OrExit, print_json, print_text, read_genesis, read_trust, source_of};
use crate::cli::AuditArguments;

pub(super) fn run(arguments: &AuditArguments) -> Result<Exit, Failure> {
    let genesis = read_genesis(&arguments.genesis)?;
    let source = source_of(&arguments.source, &arguments.tls, &genesis.chain_name)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = AuditOptions {
        threads: arguments.threads.unwrap_or(cores).clamp(1, 256),
        bodies: arguments.bodies.clone(),
        trust: arguments.trust.as_deref().map(read_trust).transpose()?,
        entropy: &OsEntropy,
    };
    let report = audit(&genesis, &source, &options, for_stderr().as_mut()).or_exit(Exit::NoInput)?;
    if arguments.json {
        print_json(&report)?;
    } else {
        print_text(&report.to_text())?;
    }
    if let (Some(path), AuditResult::Clean) = (&arguments.write_trust, report.result) {
        let written = std::fs::write(path, &report.trust_text);
        written.with_context(|| format!("writing {}", path.display())).or_exit(Exit::NoInput)?;
    }
    Ok(match report.result {
        AuditResult::Clean => Exit::Good,
        AuditResult::Refuted => Exit::Bad,
        AuditResult::Incomplete => Exit::Reserved,
    })
}
