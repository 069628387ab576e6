//! `tallystick-issuer init|keygen|run|export-bodies|check-journal|backup|restore|repair|rewrap-body-keys|recover|segment-report|erase-bodies
//! --config FILE`, and `change-passphrase`.

mod blame;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use receipt_core::ids::{Height, ReceiptCode, ReceiptNumber, SegmentId};
use tallystick_anchoring::recover::RecoveryState;
use tallystick_issuer::check::said;
use tallystick_issuer::config::{CATEGORY_PROBLEM, Settings, parse_category};
use tallystick_issuer::control::erasing;
use tallystick_issuer::control::segments::{SegmentRequest, request_report};
use tallystick_issuer::keygen::{UnitKey, Wanted};
use tallystick_issuer::recover::command as recover;
use tallystick_issuer::{app, control, export, keygen, repair, rewrap};
use tallystick_service::config_key::OfKey as _;
use tallystick_service::exit::{self, EXIT_CODES, Exit};
use tallystick_service::passphrase::PassphraseChange;
use tallystick_service::{errln, outln, outpage, telemetry, terminal};

const NAME: &str = "tallystick-issuer";

/// Also RocksDB's allocator, because it takes the place of the C library's `malloc`. That one keeps several times as much as is in use
/// (`docs/adr/0020-memory.md`). How it is set up: `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Issues fiscal electronic receipts onto a Tallystick ledger.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the journal that the config names. Never overwrites one.
    Init {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Makes the key files that the config names and that are missing, and prints the public keys as governance actions. No
    /// private key leaves this machine.
    Keygen {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
        /// A unit's key in this issuer's custody, by registry numbers; once per key.
        #[arg(long = "unit-key", value_name = "KEY_ID:UNIT_ID")]
        unit_keys: Vec<UnitKey>,
        /// Makes the blinding secret as well: at the first issuer of a chain only; all others are given a copy.
        #[arg(long)]
        blinding_secret: bool,
    },
    /// Puts key files under another passphrase; the keys stay the same. Nothing is changed unless all of them open; interrupted, it goes on
    /// when it is run again.
    ChangePassphrase(PassphraseChange),
    /// Runs the issuer until SIGTERM.
    Run {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Writes the content of every sealed receipt for an auditor, also while the issuer runs. The file is personal data
    /// in the clear: it is made for its owner alone (0600), travels encrypted, and is deleted after the audit. Ends with code 2 if
    /// contents are lost: their receipts are named, the others written.
    ExportBodies {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
        /// The new file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Leave out what was sealed above this height: that of the ledger's export.
        #[arg(long, value_name = "HEIGHT")]
        until_height: Option<u64>,
    },
    /// Reads the whole journal of a running or stopped issuer: each row, each body. Ends with code 1 if anything is damaged, and
    /// names what, and the way out.
    CheckJournal {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Copies the journal of a running or stopped issuer into a new directory, and reads all of the copy. Keys and config are not
    /// copied. Ends with code 1 if the journal is damaged; the copy is made all the same.
    Backup {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
        /// Where to: absent or empty.
        #[arg(long)]
        to: PathBuf,
    },
    /// Checks a backup and puts it back where the config's journal was: absent or empty. The journal then waits for `recover`.
    Restore {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
        /// The backup.
        #[arg(long)]
        from: PathBuf,
        /// The list of erased bodies is lost: bodies that were erased since the backup come back.
        #[arg(long)]
        without_erased_list: bool,
        /// Also one of a journal that was damaged when it was made.
        #[arg(long)]
        despite_damage: bool,
    },
    /// Looks at the journal of a stopped issuer. Newest writes that a power cut has torn are cut off if none of them was
    /// acknowledged, as the next `run` would; nothing else is changed. Running it again does no harm.
    Repair {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
        /// Write every row into new tables, and put them in the place of the old ones, which are moved aside. Refused if any row
        /// cannot be read.
        #[arg(long)]
        rewrite: bool,
        /// Learn batches from the ledger again whose rows cannot be read; those that it has not decided are named.
        #[arg(long, conflicts_with = "rewrite")]
        from_ledger: bool,
    },
    /// Gives the journal of a stopped issuer another master key: wraps the key of every body anew. Interrupted, it goes on when it is run
    /// again with the same keys; nothing else uses the journal before it is done. The old key's file is kept beside the new one, as `….before`.
    RewrapBodyKeys {
        /// The config file. It names the old key.
        #[arg(long)]
        config: PathBuf,
        /// The new key's file, beside the old one's, whose place it takes; made if it is not there.
        #[arg(long, value_name = "FILE")]
        new_key: PathBuf,
    },
    /// Brings the halted journal of a stopped issuer up to the ledger. Ends with code 3 while governance is awaited.
    Recover {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
        /// Where to write the governance that the authorities must sign, if any is needed.
        #[arg(long)]
        plan: Option<PathBuf>,
    },
    /// Of a running issuer: stops a segment for good and says what became of each of its numbers (used, void, lost): what the
    /// authorities settle it by.
    SegmentReport {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
        /// The segment's number in the registry.
        #[arg(long, value_name = "NUMBER")]
        segment: u32,
        /// Stop it also if it is open on the ledger. Nothing takes that back.
        #[arg(long)]
        stop: bool,
        /// Where to write the settlement as a description for `tallystick-authority propose`. The report itself goes to standard
        /// output, as JSON.
        #[arg(long, value_name = "FILE")]
        proposal: Option<PathBuf>,
    },
    /// Erases the bodies of receipts for good: what they say of persons. Records, numbers and states stay. By name all or none of
    /// those named; by age all whose time (`bodies.retention_years`) is over.
    #[command(group = clap::ArgGroup::new("what").required(true))]
    EraseBodies {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
        /// A receipt; may be repeated.
        #[arg(long = "receipt", value_name = "CODE-NUMBER", group = "what", value_parser = receipt_text)]
        receipts: Vec<String>,
        /// Also those of the named ones that must still be kept.
        #[arg(long, requires = "receipts")]
        despite_retention: bool,
        /// All whose time is over; waits until that is complete. Interrupted, or with the issuer stopped, it goes on all the same.
        #[arg(long, group = "what")]
        expired: bool,
        /// Of this category only: positions 3 and 4 of the receipt code; may be repeated.
        #[arg(long = "category", value_name = "CC", requires = "expired", value_parser = category)]
        categories: Vec<u32>,
        /// Counts what would be erased, and erases nothing.
        #[arg(long, requires = "expired")]
        dry_run: bool,
        /// Says how far the erasure by age has come.
        #[arg(long, group = "what")]
        progress: bool,
        /// Of a stopped issuer: makes the list of erased bodies anew from its journal, because all copies of it are lost.
        #[arg(long, group = "what")]
        rewrite_list: bool,
    },
}

fn category(text: &str) -> std::result::Result<u32, String> {
    parse_category(text).ok_or_else(|| CATEGORY_PROBLEM.to_owned())
}

/// Code and number with a hyphen between them.
fn receipt_text(text: &str) -> std::result::Result<String, String> {
    let parts = text.split_once('-').map(|(code, number)| (ReceiptCode::parse(code), ReceiptNumber::parse(number)));
    match parts {
        Some((Ok(_), Ok(_))) => Ok(text.to_owned()),
        _ => Err("write its code, a hyphen, its number: 99060126-0000000001".to_owned()),
    }
}

impl Command {
    /// The config file; a change of passphrases has none.
    fn config(&self) -> std::result::Result<&Path, &PassphraseChange> {
        match self {
            Self::ChangePassphrase(change) => Err(change),
            Self::Init { config }
            | Self::Keygen { config, .. }
            | Self::Run { config }
            | Self::ExportBodies { config, .. }
            | Self::CheckJournal { config }
            | Self::Repair { config, .. }
            | Self::RewrapBodyKeys { config, .. }
            | Self::Backup { config, .. }
            | Self::Restore { config, .. }
            | Self::Recover { config, .. }
            | Self::SegmentReport { config, .. }
            | Self::EraseBodies { config, .. } => Ok(config),
        }
    }
}

fn main() -> ExitCode {
    let arguments = match exit::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let config = match arguments.command.config() {
        Ok(config) => config,
        Err(change) => return change.as_program(NAME),
    };
    let settings = match Settings::load(config) {
        Ok(settings) => settings,
        Err(error) => {
            terminal::complain(NAME, &error);
            return Exit::Usage.into();
        }
    };
    let keys = blame::keys(&settings);
    match execute(&arguments.command, settings) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let error = match blame::blame(&error, &keys) {
                Some(named) => named.into(),
                None => error,
            };
            terminal::complain(NAME, error.as_ref());
            match arguments.command {
                Command::Run { .. } => Exit::of_error(error.as_ref()).into(),
                _ => Exit::of_command_error(error.as_ref()).into(),
            }
        }
    }
}

fn execute(command: &Command, settings: Settings) -> Result<Exit> {
    telemetry::init(&settings.log).of_key("log.filter")?;
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime");
    match command {
        Command::Init { .. } => app::init(&settings).context("make the journal")?,
        Command::Keygen { unit_keys, blinding_secret, .. } => {
            let wanted = Wanted { unit_keys: unit_keys.clone(), blinding_secret: *blinding_secret };
            keygen::run(&settings, &wanted).context("make the keys")?;
        }
        Command::ChangePassphrase(change) => change.run()?,
        Command::ExportBodies { out, until_height, .. } => {
            let written = export::run(&settings, out, until_height.map(Height::new)).context("export the bodies")?;
            errln!("{written}");
            if !written.is_complete() {
                return Ok(Exit::Reserved);
            }
        }
        Command::Run { .. } => runtime()?.block_on(app::run(settings))?,
        Command::Backup { to, .. } => {
            let made = runtime()?.block_on(control::request_backup(&settings, to)).context("back up the journal")?;
            outln!("backed up {made}");
        }
        Command::CheckJournal { .. } => {
            outln!("{}", runtime()?.block_on(control::request_check(&settings)).context("check the journal")?);
        }
        Command::Restore { from, despite_damage, without_erased_list, .. } => {
            let wish = app::RestoreWish { despite_damage: *despite_damage, without_erased_list: *without_erased_list };
            let copied = app::restore(&settings, from, wish).context("restore the journal")?;
            if !copied.findings.is_sound() {
                outln!("{}", said(&copied.findings));
            }
            outln!("restored {}; now run `tallystick-issuer recover`", control::summary(&copied.manifest));
        }
        Command::Repair { from_ledger: true, .. } => {
            let said = runtime()?.block_on(repair::from_ledger(&settings));
            outpage!("{}\n", said.context("learn batches from the ledger again")?);
        }
        Command::Repair { rewrite, .. } => {
            outpage!("{}\n", repair::run(&settings, *rewrite).context("repair the journal")?);
        }
        Command::RewrapBodyKeys { new_key, .. } => {
            outpage!("{}\n", rewrap::run(&settings, new_key).context("wrap the keys of the bodies anew")?);
        }
        Command::Recover { plan, .. } => {
            let state = runtime()?.block_on(recover::run(&settings, plan.as_deref())).context("recover the journal")?;
            if matches!(state, RecoveryState::AwaitsFence { .. }) {
                // Not finished: the authorities must fence the lost journal first; after that `recover` is run again.
                return Ok(Exit::NotYet);
            }
        }
        Command::SegmentReport { segment, stop, proposal, .. } => {
            let request = SegmentRequest { segment: SegmentId::new(*segment), stop: *stop };
            let said = runtime()?.block_on(request_report(&settings, request, proposal.as_deref()));
            terminal::json_text(&said.context("report on the segment")?).context("write the report")?;
        }
        Command::EraseBodies { .. } => {
            let said = runtime()?.block_on(erase(command, &settings));
            outpage!("{}\n", said.context("erase the bodies")?);
        }
    }
    Ok(Exit::Good)
}

async fn erase(command: &Command, settings: &Settings) -> Result<String> {
    let Command::EraseBodies { receipts, despite_retention, expired, categories, dry_run, rewrite_list, .. } = command
    else {
        return Ok(String::new());
    };
    if *expired {
        let categories = categories.iter().copied().collect();
        return if *dry_run {
            erasing::count_expired(settings, &categories)
        } else {
            erasing::request_expired(settings, &categories).await
        };
    }
    if *rewrite_list {
        return erasing::rewrite(settings);
    }
    if receipts.is_empty() {
        return erasing::request_progress(settings).await;
    }
    erasing::request_erasure(settings, receipts, *despite_retention).await
}
