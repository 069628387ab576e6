//! `tallystick-page`: puts the page's sources, the compiled verifier and a trust file together, in two shapes.
//!
//! ```text
//! OUT/hosted/index.html          for a server: policy by hash, the verifier beside it, named and pinned by its hash
//! OUT/hosted/verify-HASH.wasm
//! OUT/hosted/carrier-HASH.wasm
//! OUT/tallystick-verify.html     for a disk: everything in one file, and no connection allowed
//! OUT/SHA256SUMS                 what authorities publish
//! ```
//! The same input gives the same bytes. Not here: the verifier (`verifier/wasm`), serving, and what a page says (`site`).

mod script;
mod shapes;
mod template;

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use flate2::Compression;
use flate2::write::GzEncoder;
use receipt_core::code::Host;
use receipt_core::hash::sha256;
use receipt_core::limits::TRUST_BYTES_MAX;
use receipt_core::trust::TrustFile;
use tallystick_service::durable::{self, FileMode};
use tallystick_service::exit::{self, EXIT_CODES, Exit};
use tallystick_service::terminal::{self, path as shown};
use tallystick_service::{input, outln};

use shapes::{Module, Parts};

/// Far above the module's size.
const MODULE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Makes the page on which anybody verifies a receipt, for a server and as one file.
#[derive(Debug, Parser)]
#[command(name = "tallystick-page", version, after_help = EXIT_CODES)]
struct Arguments {
    /// The compiled verifier.
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// The compiled module that opens documents and reads codes; unless it is named, the one that `make wasm` puts beside the verifier.
    #[arg(long, value_name = "FILE")]
    carrier: Option<PathBuf>,
    /// The trust file by which the page judges: from somewhere that its users trust.
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// A host to which codes on paper lead: the page's own, and former ones, because papers outlive names. Kept in the page for when it judges
    /// codes, which it does not yet.
    #[arg(long = "host", value_name = "HOST", value_parser = Host::new)]
    hosts: Vec<Host>,
    /// The folder to write to; what an earlier call has written there is replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments = match exit::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match run(&arguments) {
        Ok(()) => Exit::Good.into(),
        Err(failure) => {
            terminal::complain("tallystick-page", failure.as_ref());
            exit_of(&failure).into()
        }
    }
}

/// A file that cannot be read or written is one thing, one that is not what it must be another.
fn exit_of(failure: &anyhow::Error) -> Exit {
    let io = failure.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        None | Some(ErrorKind::FileTooLarge) => Exit::Usage,
        Some(_) => Exit::NoAccess,
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let beside = || arguments.module.with_file_name("tallystick_page_carrier.wasm");
    let carrier = arguments.carrier.clone().unwrap_or_else(beside);
    let (verifier, carrier) = (read_module(&arguments.module)?, read_module(&carrier)?);
    let modules = [Module::verifier(&verifier), Module::carrier(&carrier)];
    let trust = read_trust(&arguments.trust).with_context(|| format!("reading {}", shown(&arguments.trust)))?;
    let parts = Parts::new(&modules, &trust, &arguments.hosts)?;
    let mut files = vec![
        ("hosted/index.html".to_owned(), parts.hosted()?.into_bytes()),
        ("tallystick-verify.html".to_owned(), parts.one_file()?.into_bytes()),
    ];
    let hosted = |module: &Module<'_>| (format!("hosted/{}", module.file_name()), module.bytes().to_vec());
    files.extend(modules.iter().map(hosted));
    let out = &arguments.out;
    let folder = out.join("hosted");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", shown(&folder)))?;
    let mut sums = String::new();
    for (name, bytes) in &files {
        durable::write(&out.join(name), bytes, FileMode::Shared)?;
        sums += &format!("{}  {name}\n", sha256(&[bytes]));
        outln!("{:>9} bytes, {:>7} as gzip  {}", bytes.len(), gzip_bytes(bytes)?, shown(&out.join(name)));
    }
    durable::write(&out.join("SHA256SUMS"), sums.as_bytes(), FileMode::Shared)?;
    remove_earlier_modules(&folder, &modules)
}

/// A WebAssembly module, by its first bytes.
fn read_module(path: &Path) -> Result<Vec<u8>> {
    let module = input::read(path, MODULE_BYTES_MAX).with_context(|| format!("reading {}", shown(path)))?;
    ensure!(module.starts_with(b"\0asm"), "{} is no WebAssembly module", shown(path));
    Ok(module)
}

/// The text of a trust file, known to be one.
fn read_trust(path: &Path) -> Result<String> {
    let text = String::from_utf8(input::read(path, TRUST_BYTES_MAX)?)?;
    TrustFile::parse(&text)?;
    Ok(text)
}

/// Modules under other hashes that an earlier call has left.
fn remove_earlier_modules(folder: &Path, modules: &[Module<'_>]) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", shown(folder)))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_module = ["verify-", "carrier-"].iter().any(|begin| name.starts_with(begin)) && name.ends_with(".wasm");
        if is_module && !modules.iter().any(|module| module.file_name() == name) {
            fs::remove_file(entry.path()).with_context(|| format!("removing {}", shown(&entry.path())))?;
        }
    }
    Ok(())
}

fn gzip_bytes(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}
