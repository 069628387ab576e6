//! `share`: a presentation of chosen fields out of a bundle, or what there is to choose.

use anyhow::Context as _;
use receipt_core::bundle::{Bundle, ShareError, share};
use receipt_core::limits::BUNDLE_BYTES_MAX;
use receipt_core::shown::line;
use receipt_core::verdict::{Language, choices};
use tallystick_service::durable;
use tallystick_service::exit::Exit;
use tallystick_service::terminal::path as shown;

use super::{Failure, OrExit, print_text, read_file};
use crate::cli::ShareArguments;

/// The offset in which times are listed: that of China. A file carries none.
const UTC_OFFSET_MINUTES: i32 = 480;

pub(super) fn run(arguments: &ShareArguments) -> Result<Exit, Failure> {
    let file = &arguments.file;
    let bytes = read_file(file, BUNDLE_BYTES_MAX)?;
    let bundle = Bundle::decode(&bytes);
    let bundle = bundle.with_context(|| format!("reading {}", shown(file))).or_exit(Exit::NoReceipt)?;
    let Some(out) = &arguments.out else {
        print_text(&list(&bundle, arguments.wording.language()).map_err(failure)?)?;
        return Ok(Exit::Good);
    };
    let presentation = share(&bundle, &arguments.fields).map_err(failure)?;
    // Never over a file that is there: it may be the bundle.
    durable::create(out, &presentation.encode(), durable::FileMode::Private).or_exit(Exit::NoAccess)?;
    let count = presentation.leaves.iter().filter(|leaf| leaf.value().is_some()).count();
    print_text(&format!("{}: {count} of {} values\n", shown(out), presentation.leaves.len()))?;
    Ok(Exit::Good)
}

fn failure(error: ShareError) -> Failure {
    let exit = match error {
        ShareError::Field { .. } | ShareError::Secret | ShareError::Together { .. } => Exit::Usage,
        ShareError::Bundle(_) | ShareError::Record(_) | ShareError::Content => Exit::Bad,
    };
    Failure { exit, error: error.into() }
}

/// One field a line: whether it is always shown, its name, what it is called, its value.
fn list(bundle: &Bundle, language: Language) -> Result<String, ShareError> {
    let row = |choice: receipt_core::verdict::Choice| {
        let mark = if choice.always { "*" } else { " " };
        let (label, value) = (choice.line.label.of(language), choice.line.value.of(language));
        format!("{mark} {:<32} {}: {}\n", choice.line.code, line(label), line(value))
    };
    Ok(choices(bundle, UTC_OFFSET_MINUTES)?.into_iter().map(row).collect())
}
