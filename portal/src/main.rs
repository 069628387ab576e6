//! `tallystick-portal run --config FILE`: parse, check the config, build, run, drain.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use tallystick_portal::config::Settings;
use tallystick_portal::{app, blame};
use tallystick_service::config_key::OfKey as _;
use tallystick_service::exit::{self, EXIT_CODES, Exit};
use tallystick_service::{telemetry, terminal};

const NAME: &str = "tallystick-portal";

/// Bounded memory is the point of this process; the C library's `malloc` keeps several times as much as is in use
/// (`docs/adr/0020-memory.md`). How it is set up: `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Serves the page to everybody, and hands on what nodes and issuers answer.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the portal until SIGTERM.
    Run {
        /// The config file.
        #[arg(long)]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let Command::Run { config } = match exit::parse::<Arguments>() {
        Ok(arguments) => arguments.command,
        Err(code) => return code,
    };
    let settings = match Settings::load(&config) {
        Ok(settings) => settings,
        Err(error) => {
            terminal::complain(NAME, &error);
            return Exit::Usage.into();
        }
    };
    let keys = blame::keys(&settings);
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = match blame::blame(&error, &keys) {
                Some(named) => named.into(),
                None => error,
            };
            terminal::complain(NAME, error.as_ref());
            Exit::of_error(error.as_ref()).into()
        }
    }
}

fn run(settings: Settings) -> Result<()> {
    telemetry::init(&settings.log).of_key("log.filter")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(app::run(settings))
}
