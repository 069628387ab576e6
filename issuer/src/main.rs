//! `tallystick-issuer init|run|export-bodies --config FILE`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use receipt_core::ids::Height;
use tallystick_issuer::config::Settings;
use tallystick_issuer::{app, export};
use tallystick_service::telemetry;

/// Many small, short-lived values on several threads: glibc's allocator took a tenth of the time under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Issues fiscal electronic receipts onto a Tallystick ledger.
#[derive(Debug, Parser)]
#[command(version)]
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
    /// Runs the issuer until SIGTERM.
    Run {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Writes the content of every sealed receipt for an auditor, also while the issuer runs. The file is personal data
    /// in the clear: it is made for its owner alone (0600), travels encrypted, and is deleted after the audit.
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
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (Command::Init { config } | Command::Run { config } | Command::ExportBodies { config, .. }) =
        &arguments.command;
    let settings = match Settings::load(config) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("tallystick-issuer: {error}");
            return error.exit_code();
        }
    };
    match execute(&arguments.command, settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tallystick-issuer: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: &Command, settings: Settings) -> Result<()> {
    telemetry::init(&settings.log).context("start logging")?;
    match command {
        Command::Init { .. } => app::init(&settings).context("make the journal"),
        Command::ExportBodies { out, until_height, .. } => {
            let written = export::run(&settings, out, until_height.map(Height::new)).context("export the bodies")?;
            eprintln!("{written}");
            Ok(())
        }
        Command::Run { .. } => {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
            runtime.block_on(app::run(settings))
        }
    }
}
