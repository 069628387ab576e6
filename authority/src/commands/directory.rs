//! `directory`: the directory of units as files that authorities read, sign and bring up to date.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use receipt_core::credential::{CREDENTIAL_BYTES_MAX, SignedCredential};
use receipt_core::directory::{DeltaError, DirectoryDelta, DirectoryFile, TrustedDirectory};
use receipt_core::limits::DIRECTORY_BYTES_MAX;
use tallystick_authority::directory::{changes, count, digest, merge as take_over, sign as sign_directory, signers};
use tallystick_authority::keys;
use tallystick_authority::text::{quoted, shown_time};
use tallystick_service::durable::{self, FileMode};
use tallystick_service::terminal::out_page;
use tallystick_service::{errln, outpage};

use super::{Governed, agree, in_runtime, nodes, of_the_chain};
use crate::cli::{
    ChainArguments, DirectoryCommand, FileArguments, FormerArguments, MergeArguments, NodeArguments, SignArguments,
};

pub(super) fn run(command: &DirectoryCommand) -> Result<()> {
    match command {
        DirectoryCommand::Draft { chain, former, node, out } => draft(chain, former, node, out),
        DirectoryCommand::Show { file, former } => {
            let governed = of_the_chain(&file.chain)?;
            let read = read(&file.file, &governed)?;
            outpage!("{}", presented(&read, former, &governed)?);
            Ok(())
        }
        DirectoryCommand::Sign { arguments, former } => sign(arguments, former),
        DirectoryCommand::Merge(arguments) => merge(arguments),
        DirectoryCommand::Update { file, node, credentials, out } => update(file, node, credentials, out),
    }
}

/// A file, and what it comes to.
struct Read {
    file: DirectoryFile,
    opened: TrustedDirectory,
}

fn decode(path: &Path) -> Result<DirectoryFile> {
    let bytes = durable::read(path, DIRECTORY_BYTES_MAX)?;
    DirectoryFile::decode(&bytes).map_err(|error| anyhow!("directory {}: {error}", path.display()))
}

/// A draft is known by its seal; once enough have signed, by their signatures.
fn read(path: &Path, governed: &Governed) -> Result<Read> {
    let file = decode(path)?;
    let signed = signers(&file, &governed.chain).with_context(|| format!("directory {}", path.display()))?;
    let opened = match signed.len() >= governed.chain.threshold() {
        true => file.open(&governed.trust),
        false => file.open_draft(&governed.trust),
    };
    let opened = opened.map_err(|error| anyhow!("directory {}: {error}", path.display()))?;
    Ok(Read { file, opened })
}

fn write_new(path: &Path, file: &DirectoryFile) -> Result<()> {
    ensure!(!path.exists(), "{} exists; give `--out` another name, nothing is replaced", path.display());
    Ok(durable::create(path, &file.encode(), FileMode::Shared)?)
}

fn presented(read: &Read, former: &FormerArguments, governed: &Governed) -> Result<String> {
    let Governed { chain, trust, .. } = governed;
    let Read { file, opened } = read;
    let offset = chain.genesis.utc_offset_minutes;
    let directory = &file.signed.directory;
    let keys = opened.units().iter().flat_map(|row| &row.keys);
    let (count_of_keys, revoked) = (keys.clone().count(), keys.filter(|key| key.revoked_from().is_some()).count());
    let as_of = shown_time(opened.as_of().get().saturating_mul(1000), offset);
    let by = match opened.signers() {
        [] => "by its signatures alone".to_owned(),
        agencies => format!("by the seal of height {}, cosigned by {}", opened.height(), agencies.join(", ")),
    };
    let mut text = format!("DIRECTORY OF UNITS of chain {}\n", quoted(&chain.genesis.chain_name));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  chain id   {}", chain.id.0);
    let _ = writeln!(text, "  signed     height {}, {}", directory.height, shown_time(directory.time.get(), offset));
    let _ = writeln!(text, "  as of      {as_of}, {by}");
    let _ =
        writeln!(text, "  units      {} with {count_of_keys} keys, {revoked} of them revoked", opened.units().len());
    let _ = writeln!(text, "  root       {}", opened.root());
    let _ = writeln!(text, "  digest     {}", digest(file));
    let _ = writeln!(text, "  signatures {}", count(file, chain)?);
    let (before, heading) = match &former.former {
        None => (Vec::new(), "WHAT IT SAYS (give `--former` to see only what has changed)".to_owned()),
        Some(path) => {
            let former =
                decode(path)?.open(trust).map_err(|error| anyhow!("`--former` {}: {error}", path.display()))?;
            let as_of = shown_time(former.as_of().get().saturating_mul(1000), offset);
            let heading = format!("WHAT HAS CHANGED since {} (height {}, {as_of})", path.display(), former.height());
            (former.units().to_vec(), heading)
        }
    };
    let lines = changes(&before, opened.units(), offset);
    let _ = writeln!(text, "\n{heading}");
    if lines.is_empty() {
        text += "  nothing\n";
    }
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    Ok(text)
}

fn draft(chain: &ChainArguments, former: &FormerArguments, node: &NodeArguments, out: &Path) -> Result<()> {
    let governed = of_the_chain(chain)?;
    let rows = in_runtime(async {
        let nodes = nodes(&governed.chain, node)?;
        nodes.sealed_rows(&governed.chain, &governed.trust).await
    })?;
    let file = rows.draft(&governed.chain);
    let opened = file.open_draft(&governed.trust)?;
    let read = Read { file, opened };
    let text = presented(&read, former, &governed)?;
    write_new(out, &read.file)?;
    outpage!("{text}");
    errln!("wrote {}; have {} of the authorities sign it", out.display(), governed.chain.threshold());
    Ok(())
}

fn sign(arguments: &SignArguments, former: &FormerArguments) -> Result<()> {
    let governed = of_the_chain(&arguments.file.chain)?;
    let path = &arguments.file.file;
    let mut read = read(path, &governed)?;
    ensure!(
        read.opened.root() == read.file.signed.directory.root(),
        "directory {}: it was brought up to date since enough had signed it, and what would be signed is not what it says now: sign the file from before `update`",
        path.display()
    );
    // An error here ends the command: nobody signs what was not shown to them.
    out_page(&presented(&read, former, &governed)?).context("show the directory")?;
    agree(arguments.digest.as_deref(), &digest(&read.file).to_string())?;
    let key = keys::open(&arguments.key, &arguments.passphrase_file)?;
    let authority = sign_directory(&mut read.file, &governed.chain, &key);
    let authority = authority.with_context(|| format!("directory {}", path.display()))?;
    let to = match &arguments.out {
        Some(out) => {
            write_new(out, &read.file)?;
            out
        }
        None => {
            durable::write(path, &read.file.encode(), FileMode::Shared)?;
            path
        }
    };
    errln!("signed as authority {authority} into {}: {}", to.display(), count(&read.file, &governed.chain)?);
    Ok(())
}

fn merge(arguments: &MergeArguments) -> Result<()> {
    let MergeArguments { files, chain, out } = arguments;
    let governed = of_the_chain(chain)?;
    let (first, others) = files.split_first().context("no file was given")?;
    let mut merged = read(first, &governed)?.file;
    for path in others {
        let other = read(path, &governed)?.file;
        take_over(&mut merged, other).with_context(|| format!("directory {}", path.display()))?;
    }
    let said = count(&merged, &governed.chain)?;
    write_new(out, &merged)?;
    errln!("wrote {}: {said}", out.display());
    Ok(())
}

fn update(file: &FileArguments, node: &NodeArguments, credentials: &[PathBuf], out: &Path) -> Result<()> {
    let governed = of_the_chain(&file.chain)?;
    let mut updated = decode(&file.file)?;
    let opened = updated.open(&governed.trust);
    let opened = opened.map_err(|error| anyhow!("directory {}: {error}", file.file.display()))?;
    let credentials = read_credentials(credentials)?;
    let rows = in_runtime(async {
        let nodes = nodes(&governed.chain, node)?;
        nodes.sealed_rows(&governed.chain, &governed.trust).await
    })?;
    let delta = rows.delta_since(&opened, &credentials);
    let changed = delta.units.len();
    let delta = delta.encode();
    let taken = opened.with_delta(&delta, &governed.trust);
    let taken = taken.map_err(|error| match error {
        DeltaError::KeyUnsigned { .. } | DeltaError::NameUnsigned { .. } => {
            anyhow!("{error}: name its credential with `--credentials`; if there is none, draft a new directory")
        }
        error => anyhow!("directory {}: {error}", file.file.display()),
    })?;
    // The seals of those that say only that nothing had changed say less than the new one.
    let is_bare = |delta: &Vec<u8>| DirectoryDelta::decode(delta).is_ok_and(|delta| delta.units.is_empty());
    while updated.deltas.last().is_some_and(is_bare) {
        updated.deltas.pop();
    }
    updated.deltas.push(delta);
    write_new(out, &updated)?;
    let offset = governed.chain.genesis.utc_offset_minutes;
    for line in changes(opened.units(), taken.units(), offset) {
        outpage!("{line}\n");
    }
    let as_of = shown_time(taken.as_of().get().saturating_mul(1000), offset);
    errln!("wrote {}: {changed} units changed; as of {as_of}", out.display());
    Ok(())
}

/// The credentials in these files, and in the files `*.credential` of these directories.
fn read_credentials(paths: &[PathBuf]) -> Result<Vec<SignedCredential>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let listed = std::fs::read_dir(path).with_context(|| format!("list {}", path.display()))?;
        for entry in listed {
            let found = entry.with_context(|| format!("list {}", path.display()))?.path();
            files.extend(Some(found).filter(|found| found.extension().is_some_and(|end| end == "credential")));
        }
    }
    files.sort();
    let read = |path: &PathBuf| {
        let bytes = durable::read(path, CREDENTIAL_BYTES_MAX)?;
        SignedCredential::decode(&bytes).map_err(|error| anyhow!("{} is no credential: {error}", path.display()))
    };
    files.iter().map(read).collect()
}
