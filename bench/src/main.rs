//! `tallystick-bench`: load and figures of a development network on one machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tallystick_bench::fill::FillOptions;
use tallystick_bench::load::{LoadOptions, Pace};
use tallystick_bench::measure::Span;
use tallystick_bench::page::{PageOptions, PageReport};
use tallystick_bench::report::Report;
use tallystick_bench::standard::After;
use tallystick_bench::wan::{self, WanOptions};
use tallystick_bench::{clock, endurance, erase, failover, fill, page, replay, standard, verify};
use tallystick_service::exit::{self, EXIT_CODES, Exit};
use tallystick_service::{outln, outpage, terminal};
use tallystick_storage::StoreShare;
use tokio::signal::unix::{SignalKind, signal};

/// Tables that a filled store may keep open.
const FILLED_FILES: u64 = 1024;
const MIB: u64 = 1024 * 1024;

/// Measures Tallystick on this machine.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Where the report goes as JSON.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    /// Where to make the network, which is removed after success; without it, a temporary directory.
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// One load on a new network.
    Load {
        #[command(flatten)]
        load: LoadArguments,
        /// Length of the window, in seconds.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Before the window, in seconds.
        #[arg(long, default_value_t = 5)]
        warm_up: u64,
        /// Stop the network afterwards and measure a validator's store.
        #[arg(long)]
        live_bytes: bool,
    },
    /// The runs behind RESULTS.md.
    Standard {
        /// Length of each window, in seconds.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Before each window, in seconds.
        #[arg(long, default_value_t = 5)]
        warm_up: u64,
    },
    /// A long load on a new network, and whether it holds: ends with 1 if the rate, at one speed of the processor, falls below 0.9 of its beginning, no block comes for
    /// more than a second, or a process takes more memory than its budget.
    Endurance {
        #[command(flatten)]
        load: LoadArguments,
        /// Length of the window, in seconds.
        #[arg(long, default_value_t = 25 * 60)]
        seconds: u64,
        /// Before the window, in seconds.
        #[arg(long, default_value_t = 5)]
        warm_up: u64,
    },
    /// Fill a store in this process, without a network, and show what it costs as it grows.
    Fill {
        /// Whose store.
        #[arg(value_enum)]
        store: Filled,
        /// Receipts at least.
        #[arg(long, default_value_t = 1_000_000)]
        receipts: u64,
        /// At most so many receipts a second; without it, as fast as the store takes them.
        #[arg(long)]
        rate: Option<u64>,
        /// Memory of the store, in MiB.
        #[arg(long, default_value_t = 192, value_parser = clap::value_parser!(u64).range(16..))]
        memory_mib: u64,
        /// What its tables are written with at most, in MiB a second.
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(2..))]
        table_mib_per_second: u64,
    },
    /// Erase bodies by age in a journal of this process, beside writes like those of issuing.
    Erase {
        /// Bodies that are due.
        #[arg(long, default_value_t = 1_000_000)]
        bodies: u64,
    },
    /// Kill one of four validators under load.
    Failover {
        #[command(flatten)]
        load: LoadArguments,
        /// Registry number of the validator that dies; the issuer submits to 1 first.
        #[arg(long, default_value_t = 1)]
        victim: u32,
    },
    /// Validators far from each other: time to the seal by one-way delay.
    Wan {
        /// One-way delays between validators in milliseconds.
        #[arg(long, value_delimiter = ',', default_values_t = [0, 15, 30, 100])]
        delays_ms: Vec<u64>,
        /// Receipts of the light load, per second.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
        per_second: u32,
        /// Length of each window, in seconds.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Before each window, in seconds.
        #[arg(long, default_value_t = 5)]
        warm_up: u64,
        /// Without the full load.
        #[arg(long)]
        light: bool,
    },
    /// Verify one bundle again and again, as a citizen's program does.
    Verify {
        /// The bundle, as `GetBundle` gives it.
        bundle: PathBuf,
        /// The trust file.
        #[arg(long)]
        trust: PathBuf,
        /// How often.
        #[arg(long, default_value_t = 10_000)]
        runs: usize,
    },
    /// Open the verify page in Chromium: bytes to the first verdict, and the time until it stands there.
    Page {
        /// The folder that `make page` wrote.
        #[arg(long)]
        page: PathBuf,
        /// A receipt that the page's trust file vouches for.
        receipt: PathBuf,
        /// The directory of units by which the code on the receipt's paper is judged; without it no scan is measured.
        #[arg(long)]
        directory: Option<PathBuf>,
        /// Openings of the page, and verdicts after each.
        #[arg(long, default_value_t = 15)]
        runs: usize,
    },
    /// Fill a ledger, export it, replay it as the audit office would.
    Replay {
        /// Receipts at least.
        #[arg(long, default_value_t = 300_000)]
        receipts: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Filled {
    Issuer,
    Node,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Closed,
    Open,
}

#[derive(Clone, Copy, ValueEnum)]
enum Call {
    Issue,
    IssueMany,
}

#[derive(Args)]
struct LoadArguments {
    /// Closed: as fast as answers and seals come. Open: at a rate.
    #[arg(long, value_enum, default_value = "closed")]
    mode: Mode,
    /// Open loop: receipts per second.
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// Which call.
    #[arg(long, value_enum, default_value = "issue-many")]
    call: Call,
    /// Receipts of one IssueMany.
    #[arg(long, default_value_t = 50)]
    size: usize,
    /// TLS connections.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Closed loop: calls at once.
    #[arg(long, default_value_t = 16)]
    callers: usize,
    /// Closed loop: acknowledged receipts that may wait for their seal.
    #[arg(long, default_value_t = 8_000)]
    unsealed_max: usize,
}

impl LoadArguments {
    fn options(&self) -> LoadOptions {
        let Self { mode, rate, call, size, connections, callers, unsealed_max } = *self;
        let pace = match mode {
            Mode::Closed => Pace::Closed { callers, unsealed_max },
            Mode::Open => Pace::Open { rate },
        };
        let many = match call {
            Call::Issue => None,
            Call::IssueMany => Some(size),
        };
        LoadOptions { pace, many, connections }
    }
}

fn main() -> ExitCode {
    let arguments = match exit::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error).context("start the runtime"),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            terminal::complain("tallystick-bench", error.as_ref());
            Exit::of_command_error(error.as_ref()).into()
        }
    }
}

async fn run(arguments: Arguments) -> Result<Exit> {
    let Arguments { command, json, dir } = arguments;
    if let Command::Verify { bundle, trust, runs } = &command {
        outln!("verify of one bundle, one thread: {}", verify::run(bundle, trust, *runs)?.line());
        return Ok(Exit::Good);
    }
    if let Command::Fill { store, receipts, rate, memory_mib, table_mib_per_second } = command {
        let (bytes, table_bytes_per_second) = (memory_mib * MIB, table_mib_per_second * MIB);
        let share = StoreShare { bytes, files: FILLED_FILES, table_bytes_per_second };
        outpage!("{}", filled(store, dir.as_deref(), FillOptions { receipts, rate, share })?);
        return Ok(Exit::Good);
    }
    if let Command::Erase { bodies } = command {
        outpage!("{}", erase::run(dir.as_deref(), bodies)?);
        return Ok(Exit::Good);
    }
    if let Command::Page { page, receipt, directory, runs } = command {
        let report = paged(dir.as_deref(), &PageOptions { page, receipt, directory, runs }).await?;
        outpage!("{}", report.table());
        if let Some(path) = json {
            report.save(&path)?;
        }
        return Ok(Exit::Good);
    }
    let report = tokio::select! {
        report = measure(command, dir.as_deref()) => report?,
        // Dropping the measurement drops its network, and with it every process.
        () = interrupted() => bail!("stopped by a signal"),
    };
    outpage!("{}", report.table());
    if let Some(path) = json {
        report.save(&path)?;
    }
    let holds = report.endurance.as_ref().is_none_or(|verdict| verdict.holds());
    Ok(if holds { Exit::Good } else { Exit::Bad })
}

/// A directory of its own.
fn own(directory: Option<&Path>) -> Result<PathBuf> {
    let directory = match directory {
        Some(directory) => directory.to_owned(),
        None => std::env::temp_dir().join(clock::run_name()?),
    };
    std::fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    Ok(directory)
}

/// Opens the page with a browser whose profile is in a directory of its own, and removes it.
async fn paged(directory: Option<&Path>, options: &PageOptions) -> Result<PageReport> {
    let directory = own(directory)?;
    let report = page::run(&directory, options).await?;
    std::fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
    Ok(report)
}

/// Fills a store in a directory of its own, and removes it.
fn filled(store: Filled, directory: Option<&Path>, options: FillOptions) -> Result<String> {
    let directory = own(directory)?;
    let table = match store {
        Filled::Issuer => fill::journal(&directory, options)?,
        Filled::Node => fill::ledger(&directory, options)?,
    };
    std::fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
    Ok(table)
}

async fn measure(command: Command, dir: Option<&Path>) -> Result<Report> {
    match command {
        Command::Load { load, seconds, warm_up, live_bytes } => {
            let after = After { live_bytes, replay: false };
            standard::run_one(dir, load.options(), span(warm_up, seconds), after).await
        }
        Command::Standard { seconds, warm_up } => standard::run(dir, span(warm_up, seconds)).await,
        Command::Failover { load, victim } => failover::run(dir, load.options(), victim).await,
        Command::Replay { receipts } => replay::run(dir, receipts).await,
        Command::Wan { delays_ms, per_second, seconds, warm_up, light } => {
            let options = WanOptions { delays_ms, per_second, span: span(warm_up, seconds), full: !light };
            wan::run(dir, &options).await
        }
        Command::Endurance { load, seconds, warm_up } => {
            endurance::run(dir, load.options(), span(warm_up, seconds)).await
        }
        Command::Verify { .. } | Command::Fill { .. } | Command::Erase { .. } | Command::Page { .. } => {
            bail!("this command needs no network")
        }
    }
}

fn span(warm_up: u64, window: u64) -> Span {
    Span { warm_up: Duration::from_secs(warm_up), window: Duration::from_secs(window) }
}

/// Returns on SIGTERM or Ctrl-C; never if signals cannot be listened for.
async fn interrupted() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
