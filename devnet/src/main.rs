//! `tallystick-devnet`: a development network on one machine, the demonstration of a receipt's whole journey, and that of what people hold.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use receipt_core::limits::ENTRY_BYTES_MAX;
use tallystick_devnet::layout::Layout;
use tallystick_devnet::{Network, NetworkOptions, governance};
use tallystick_service::exit::{self, EXIT_CODES, Exit};
use tallystick_service::{durable, outln, terminal};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

mod city;
mod demo;
mod up;

use city::CityOptions;

/// Development networks of Tallystick.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a network, starts it, prints how to talk to it, and runs it until Ctrl-C.
    Up {
        /// Where to keep it; a network that is there already is started again.
        #[arg(long, default_value = "devnet-data")]
        dir: PathBuf,
    },
    /// Shows a receipt's whole journey on a new network, and ends with exit code 0 if everything held.
    Demo {
        /// Where to keep the network; without it, a temporary directory that is removed after success.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Generated receipts beside the samples.
        #[arg(long, default_value_t = 2000)]
        receipts: usize,
    },
    /// Issues receipts of every kind on a new network, and leaves page, documents and codes in a folder.
    City {
        /// The folder that is filled; what an earlier run has left there is replaced.
        #[arg(long, default_value = "city")]
        out: PathBuf,
        /// Where to keep the network; without it, a temporary directory that is removed after success.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Generated receipts beside the samples.
        #[arg(long, default_value_t = 300)]
        receipts: usize,
        /// Goes on until Ctrl-C, so that the portal can be used.
        #[arg(long)]
        stay: bool,
    },
    /// Signs a governance message with the network's authorities and offers it to its validators.
    Govern {
        /// The network's directory.
        #[arg(long, default_value = "devnet-data")]
        dir: PathBuf,
        /// The unsigned message, as `tallystick-issuer recover --plan` writes it.
        #[arg(long)]
        message: PathBuf,
    },
}

fn main() -> ExitCode {
    let command = match exit::parse::<Arguments>() {
        Ok(arguments) => arguments.command,
        Err(code) => return code,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(command)),
        Err(error) => Err(error).context("start the runtime"),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain("tallystick-devnet", error.as_ref());
            Exit::of_command_error(error.as_ref()).into()
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Up { dir } => up::run(&dir, interrupted()).await,
        Command::Govern { dir, message } => {
            let bytes = durable::read(&message, ENTRY_BYTES_MAX)?;
            let layout = Layout::new(std::path::absolute(&dir).context("resolve the directory")?);
            let signed = governance::sign(&layout, &bytes)?;
            governance::submit(&layout, &signed).await?;
            outln!(
                "governance message {} is offered; the registry shows when it is decided",
                signed.governance.sequence
            );
            Ok(())
        }
        Command::Demo { dir, receipts } => tokio::select! {
            outcome = run_demo(dir, receipts) => outcome,
            // Dropping the demo drops its network, and with it every process.
            signal = interrupted() => signal.and_then(|name| bail!("stopped by {name}")),
        },
        Command::City { out, dir, receipts, stay } => {
            let terminal = std::io::stdout().is_terminal();
            run_city(dir, &CityOptions { out, receipts, stays: stay, terminal }).await
        }
    }
}

/// Waits for SIGTERM or Ctrl-C.
async fn interrupted() -> Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}

async fn run_demo(dir: Option<PathBuf>, receipts: usize) -> Result<()> {
    let place = Place::new(dir)?;
    let outcome = match Network::generate(&place.directory, &NetworkOptions::default()) {
        Ok(network) => demo::run(network, receipts, std::io::stdout().is_terminal()).await,
        Err(error) => Err(error),
    };
    place.leave(outcome)
}

async fn run_city(dir: Option<PathBuf>, options: &CityOptions) -> Result<()> {
    let place = Place::new(dir)?;
    let built = tokio::select! {
        built = city::build(&place.directory, options) => built,
        signal = interrupted() => return signal.and_then(|name| bail!("stopped by {name}")),
    };
    let outcome = match built {
        Ok(city) if options.stays => city.stay(interrupted()).await,
        Ok(city) => city.stop().await,
        Err(error) => Err(error),
    };
    place.leave(outcome)
}

/// Where a network lies that only a demonstration needs.
struct Place {
    directory: PathBuf,
    temporary: Option<TempDir>,
}

impl Place {
    /// The directory that was named, or a temporary one.
    fn new(named: Option<PathBuf>) -> Result<Self> {
        if let Some(directory) = named {
            return Ok(Self { directory, temporary: None });
        }
        let temporary = tempfile::Builder::new().prefix("tallystick-demo-").tempdir().context("make a directory")?;
        Ok(Self { directory: temporary.path().to_owned(), temporary: Some(temporary) })
    }

    /// Removes a temporary directory, unless its logs are needed to find out what failed.
    fn leave(self, outcome: Result<()>) -> Result<()> {
        match (outcome, self.temporary) {
            (Ok(()), _) => Ok(()),
            (Err(error), None) => Err(error),
            (Err(error), Some(temporary)) => {
                Err(error.context(format!("see {}", temporary.keep().join("logs").display())))
            }
        }
    }
}
