//! `tallystick-issuer repair`: looks at the journal of a stopped issuer. A torn end of its log is cut off, if nothing in it was
//! acknowledged; with `--from-ledger` batches whose rows cannot be read are learnt from the ledger again; with `--rewrite` every row goes into
//! new tables, in the place of damaged ones.
//!
//! ```text
//! journal ──▶ journal.rewriting ──▶ journal,  the old one being journal.damaged-N
//! ```
//! Nothing is lost by it: what cannot be read refuses it. Not here: what is cut off ([`tail`]), what is damaged (`check`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use receipt_core::fingerprint::Fingerprint;
use tallystick_anchoring::check::Pass;
use tallystick_anchoring::guard::Mark;
use tallystick_anchoring::relearn::{Relearner, Relearnt};
use tallystick_anchoring::tail;
use tallystick_service::durable;
use tallystick_service::keyfile::{KeyKind, Passphrase, open};
use tallystick_storage::StoreShare;

use crate::body::BodyCipher;
use crate::chain::load_chain;
use crate::check::{ReceiptInspector, said};
use crate::config::{Settings, beside};
use crate::journal::Journal;
use crate::recover::command::{nodes_of, owner_of};
use crate::secrets::check_master;

/// Repairs what can be without a loss. Returns what it found and did.
pub fn run(settings: &Settings, rewrite: bool) -> Result<String> {
    let chain = load_chain(settings)?;
    let (journal, cut) = tail::open(&settings.journal_dir, chain.identity, &settings.guard_file, StoreShare::SMALL)?;
    let found = match cut {
        None => "its log is whole".to_owned(),
        Some(cut) => format!(
            "its newest writes were torn, and none of them was acknowledged: they were cut off, and are kept in {}",
            cut.kept_at.display()
        ),
    };
    let Mark { step, next_sequence } = Mark::of(&journal)?;
    let stands = format!("{found}; the journal goes up to write {step}, next batch {next_sequence}");
    let halted = journal.halted()?.map(|why| format!("\nit is halted: {why}")).unwrap_or_default();
    let did = if rewrite { write_anew(settings, journal)? } else { String::new() };
    Ok(format!("{stands}{did}{halted}"))
}

/// Learns the batches again whose rows cannot be read, from the nodes that the config names. Returns what it found and did; an error if some are
/// left.
pub async fn from_ledger(settings: &Settings) -> Result<String> {
    let chain = load_chain(settings)?;
    let (journal, _) = tail::open(&settings.journal_dir, chain.identity, &settings.guard_file, StoreShare::SMALL)?;
    let journal = Arc::new(journal);
    let trust = chain.followed_trust(&journal)?;
    let nodes = nodes_of(settings, &chain)?;
    let owner = owner_of(&chain, &journal)?;
    let relearner = Relearner { journal: &journal, owner: &owner, nodes: &nodes, trust: &trust };
    let Relearnt { batches, left } = relearner.run().await?;
    let learnt: Vec<String> = batches.iter().map(ToString::to_string).collect();
    let mut said = match learnt.is_empty() {
        true if left.is_empty() => "every batch can be read".to_owned(),
        true => "no batch was learnt from the ledger again".to_owned(),
        false => format!(
            "learnt from the ledger again: batches {}. Their table is still there: `repair --rewrite` ends that",
            learnt.join(", ")
        ),
    };
    let left: Vec<String> =
        left.iter().map(|(sequence, why)| format!("\nbatch {sequence} cannot be read: {why}")).collect();
    said.push_str(&left.concat());
    ensure!(
        left.is_empty(),
        "{said}\nWhat is left comes back by `restore` of a sound backup and `recover` (docs/ops/repair.md)"
    );
    Ok(said)
}

fn write_anew(settings: &Settings, journal: Journal) -> Result<String> {
    let passphrase = Passphrase::from_file(&settings.passphrase_file)?;
    let master = open(&settings.master_key_file, &passphrase, KeyKind::Symmetric)?;
    check_master(&journal, Fingerprint::of_master(journal.identity().suite, &master))?;
    let inspector = ReceiptInspector::new(Arc::new(BodyCipher::new(&master)));
    let making = beside(&settings.journal_dir, "rewriting");
    if making.exists() {
        // An interrupted run left this directory. It has nothing that the journal has not.
        fs::remove_dir_all(&making).with_context(|| format!("remove {}", making.display()))?;
    }
    let written = journal.write_anew(&making, &inspector).map_err(anyhow::Error::from).and_then(|copy| {
        let findings = Pass::new(&copy, &inspector).run()?;
        ensure!(findings.is_sound(), "written anew, {}", said(&findings));
        Ok(findings.rows)
    });
    let rows = match written {
        Ok(rows) => rows,
        Err(error) => {
            let _ = fs::remove_dir_all(&making);
            return Err(error.context("the journal stays as it is"));
        }
    };
    drop(journal);
    let aside = put_in_place(&making, &settings.journal_dir)?;
    Ok(format!("\nwritten anew: {rows} rows; the old one is kept as {}", aside.display()))
}

/// The two change places in one step, so that there is a journal at every moment; then the old one goes aside.
fn put_in_place(making: &Path, journal_dir: &Path) -> Result<PathBuf> {
    let aside = (1_u32..).map(|number| beside(journal_dir, &format!("damaged-{number}"))).find(|path| !path.exists());
    let aside = aside.context("there are too many damaged journals beside this one")?;
    durable::sync_directory(making)?;
    rustix::fs::renameat_with(rustix::fs::CWD, making, rustix::fs::CWD, journal_dir, rustix::fs::RenameFlags::EXCHANGE)
        .with_context(|| format!("exchange {} and {}", making.display(), journal_dir.display()))?;
    fs::rename(making, &aside).with_context(|| format!("move the old journal to {}", aside.display()))?;
    durable::sync_parent(journal_dir)?;
    Ok(aside)
}
