//! `audit`: replay, report.

use std::path::PathBuf;

use anyhow::Context as _;
use receipt_core::bundle::LeftOut;
use receipt_core::genesis::Genesis;
use receipt_core::ids::Height;
use receipt_core::limits::LEFT_OUT_BYTES_MAX;
use tallystick_service::errln;
use tallystick_service::exit::Exit;
use tallystick_service::rng::OsEntropy;
use tallystick_service::terminal::path as shown;
use tallystick_verifier::audit::{AuditError, AuditOptions, AuditResult, GivenReport, audit};
use tallystick_verifier::progress::for_stderr;

use super::{Failure, OrExit, print_json, print_text, read_file, read_genesis, read_trust, source_of, write_file};
use crate::cli::AuditArguments;

pub(super) fn run(arguments: &AuditArguments) -> Result<Exit, Failure> {
    let genesis = read_genesis(&arguments.genesis)?;
    let source = source_of(&arguments.source, &arguments.tls, &genesis.chain_name)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = AuditOptions {
        threads: arguments.threads.unwrap_or(cores).clamp(1, 256),
        bodies: arguments.bodies.clone(),
        left_out: read_reports(&arguments.left_out, &genesis)?,
        trust: arguments.trust.as_deref().map(read_trust).transpose()?,
        registry_at: arguments.registry_at.map(Height::new),
        entropy: &OsEntropy,
    };
    if let Some(trust) = &options.trust
        && trust.chain_id() != genesis.chain_id()
    {
        let (given, own) = (trust.chain_id().0, genesis.chain_id().0);
        let error = anyhow::anyhow!("--trust is of the chain {given}, and --genesis of the chain {own}");
        return Err(error).or_exit(Exit::Usage);
    }
    let report = audit(&genesis, &source, &options, for_stderr().as_mut());
    let report = match report {
        Err(error @ AuditError::Genesis(_)) => return Err(error).or_exit(Exit::Usage),
        Err(error @ AuditError::OtherChain(_)) => return Err(error).or_exit(Exit::Unjudged),
        other => other.or_exit(Exit::NoAccess)?,
    };
    if arguments.json {
        print_json(&report)?;
    } else {
        print_text(&report.to_text())?;
    }
    match (&arguments.write_trust, report.result) {
        (None, _) => {}
        (Some(path), AuditResult::Clean) => write_file(path, &report.trust_text)?,
        (Some(path), AuditResult::Refuted | AuditResult::Incomplete) => {
            errln!("{} is not written: the audit is not clean", path.display());
        }
    }
    if let Some(path) = &arguments.write_registry {
        match (&report.registered, report.result) {
            (Some(registered), AuditResult::Clean) => write_file(path, &registered.to_text())?,
            (None, AuditResult::Clean) => {
                let reached = report.height.unwrap_or_default();
                let error = anyhow::anyhow!("{} is not written: the ledger ends at height {reached}", path.display());
                return Err(error).or_exit(Exit::Usage);
            }
            (_, AuditResult::Refuted | AuditResult::Incomplete) => {
                errln!("{} is not written: the audit is not clean", path.display());
            }
        }
    }
    Ok(match report.result {
        AuditResult::Clean => Exit::Good,
        AuditResult::Refuted => Exit::Bad,
        AuditResult::Incomplete => Exit::Reserved,
    })
}

/// Reports of receipts left out, each of the chain that is replayed.
fn read_reports(paths: &[PathBuf], genesis: &Genesis) -> Result<Vec<GivenReport>, Failure> {
    let read = |path: &PathBuf| {
        let report = LeftOut::decode(&read_file(path, LEFT_OUT_BYTES_MAX)?);
        let report = report
            .with_context(|| format!("{} is no report of a receipt left out", shown(path)))
            .or_exit(Exit::Usage)?;
        let (given, own) = (report.chain, genesis.chain_id());
        if given != own {
            let error =
                anyhow::anyhow!("{} is of the chain {}, and --genesis of the chain {}", shown(path), given.0, own.0);
            return Err(error).or_exit(Exit::Usage);
        }
        Ok(GivenReport { file: path.display().to_string(), report })
    };
    paths.iter().map(read).collect()
}
