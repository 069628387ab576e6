//! `tallystick-page`: puts the page's sources, the compiled verifier, a trust file and a directory of units together, in two shapes.
//!
//! ```text
//! OUT/hosted/index.html          for a server: policy by hash, the verifier beside it, named and pinned by its hash
//! OUT/hosted/verify-HASH.wasm
//! OUT/hosted/codes-HASH.wasm
//! OUT/hosted/sharing-HASH.wasm
//! OUT/hosted/carrier-HASH.wasm
//! OUT/hosted/more-HASH.js        the second script
//! OUT/hosted/units-HASH.bin      the directory of units, if there is one
//! OUT/tallystick-verify.html     for a disk: everything in one file, and no connection allowed
//! OUT/…/NAME.br                  each of them as brotli; a server may hand it out in the file's place
//! OUT/SHA256SUMS                 what authorities publish: sums of the files themselves
//! ```
//! The same input gives the same bytes. Not here: the verifier (`verifier/wasm`), serving, and what a page says (`site`).

mod packed;
mod script;
mod shapes;
mod template;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use receipt_core::code::Host;
use receipt_core::directory::open_directory_file;
use receipt_core::hash::sha256;
use receipt_core::limits::{DIRECTORY_BYTES_MAX, TRUST_BYTES_MAX};
use receipt_core::trust::TrustFile;
use tallystick_service::durable::{self, FileMode};
use tallystick_service::exit::{self, EXIT_CODES, Exit};
use tallystick_service::terminal::{self, path as shown};
use tallystick_service::{input, outln};

use packed::{BROTLI_ENDING, brotli, gzip_bytes};
use shapes::{Parts, Pinned};

/// Far above the module's size.
const MODULE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Makes the page on which anybody verifies a receipt, for a server and as one file.
#[derive(Debug, Parser)]
#[command(name = "tallystick-page", version, after_help = EXIT_CODES)]
struct Arguments {
    /// The compiled verifier of files; those of codes and of sharing, and the whole one for the page on a disk, are what `make wasm` puts beside it.
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// The compiled module that opens documents and reads codes; unless it is named, the one that `make wasm` puts beside the verifier.
    #[arg(long, value_name = "FILE")]
    carrier: Option<PathBuf>,
    /// The trust file by which the page judges: from somewhere that its users trust.
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// The directory of units by which the page judges codes on paper (docs/ops/directory.md); without it, it judges none.
    #[arg(long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// A host to which codes on paper lead: the page's own, and former ones, because papers outlive names. Codes of any other are refused. Unless
    /// one is named, a page from a server takes the server's, and a page on a disk judges no code.
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
    let beside = |name| arguments.module.with_file_name(name);
    let verifier = read_module(&arguments.module)?;
    let codes = read_module(&beside("tallystick_page_codes.wasm"))?;
    let sharing = read_module(&beside("tallystick_page_sharing.wasm"))?;
    let whole = read_module(&beside("tallystick_page_whole.wasm"))?;
    let carrier = read_module(&arguments.carrier.clone().unwrap_or_else(|| beside("tallystick_page_carrier.wasm")))?;
    let trust = read_trust(&arguments.trust).with_context(|| format!("reading {}", shown(&arguments.trust)))?;
    let read = |path| read_directory(path, &trust).with_context(|| format!("reading {}", shown(path)));
    let directory = arguments.directory.as_deref().map(read).transpose()?;
    let mut pinned = vec![Pinned::verifier(&verifier), Pinned::codes(&codes), Pinned::whole_verifier(&whole)];
    pinned.extend([Pinned::sharing(&sharing), Pinned::carrier(&carrier)]);
    pinned.extend(directory.as_deref().map(Pinned::directory));
    let parts = Parts::new(&pinned, &trust, &arguments.hosts)?;
    let mut files = vec![
        ("hosted/index.html".to_owned(), parts.hosted()?.into_bytes()),
        ("tallystick-verify.html".to_owned(), parts.one_file()?.into_bytes()),
    ];
    let hosted = |file: &Pinned<'_>| (format!("hosted/{}", file.file_name()), file.bytes().to_vec());
    let pinned: Vec<Pinned<'_>> = parts.files().collect();
    files.extend(pinned.iter().map(hosted));
    let out = &arguments.out;
    let folder = out.join("hosted");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", shown(&folder)))?;
    let mut sums = String::new();
    for (name, bytes) in &files {
        let (path, packed) = (out.join(name), brotli(bytes)?);
        durable::write(&path, bytes, FileMode::Shared)?;
        durable::write(&out.join(format!("{name}{BROTLI_ENDING}")), &packed, FileMode::Shared)?;
        sums += &format!("{}  {name}\n", sha256(&[bytes]));
        let (whole, gzip) = (bytes.len(), gzip_bytes(bytes)?);
        outln!("{whole:>9} bytes, {gzip:>7} as gzip, {:>7} as brotli  {}", packed.len(), shown(&path));
    }
    durable::write(&out.join("SHA256SUMS"), sums.as_bytes(), FileMode::Shared)?;
    remove_earlier(&folder, &pinned)
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

/// A directory file by which the page can judge: it opens under the page's trust file.
fn read_directory(path: &Path, trust: &str) -> Result<Vec<u8>> {
    let bytes = input::read(path, DIRECTORY_BYTES_MAX)?;
    open_directory_file(&bytes, &TrustFile::parse(trust)?)?;
    Ok(bytes)
}

/// Modules and directories under other hashes that an earlier call has left, packed or not.
fn remove_earlier(folder: &Path, pinned: &[Pinned<'_>]) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", shown(folder)))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let name = name.strip_suffix(BROTLI_ENDING).unwrap_or(&name);
        let is_pinned = |(begin, end): &(&str, &str)| name.starts_with(begin) && name.ends_with(end);
        let was_pinned = [
            ("verify-", ".wasm"),
            ("codes-", ".wasm"),
            ("sharing-", ".wasm"),
            ("carrier-", ".wasm"),
            ("more-", ".js"),
            ("units-", ".bin"),
        ]
        .iter()
        .any(is_pinned);
        if was_pinned && !pinned.iter().any(|file| file.file_name() == name) {
            fs::remove_file(entry.path()).with_context(|| format!("removing {}", shown(&entry.path())))?;
        }
    }
    Ok(())
}
