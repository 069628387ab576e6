//! `tallystick-node`: parse, check the config, build, run, drain.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tallystick_node::config::NodeConfig;
use tallystick_node::{app, keygen, offline};
use tallystick_service::{config, telemetry};

/// Many small, short-lived values on several threads: glibc's allocator took a tenth of the time under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A validator of the receipt ledger.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Creates the store, the guard file and the directories of a node. A guard file of the same chain is kept: a validator
    /// that lost its store must not forget what it has signed.
    Init {
        /// The node's TOML file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Makes the key files that the config names and that are missing, and prints the public keys as the genesis description
    /// and the peers' configs want them. No private key leaves this machine.
    Keygen {
        /// The node's TOML file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Shows where a stopped node stands, and the size of each table after compaction. With `--evidence`: says what a file of
    /// `evidence_dir` proves, and against whom; the node may run.
    Inspect {
        /// The node's TOML file.
        #[arg(long)]
        config: PathBuf,
        /// A file `double-sign-….txt`.
        #[arg(long, value_name = "FILE")]
        evidence: Option<PathBuf>,
    },
    /// Looks at a stopped node: store, guard, consensus log. A log that cannot be used it moves aside, as the next start would;
    /// it deletes nothing, and says what happens at the next start.
    Repair {
        /// The node's TOML file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Writes all blocks of a stopped node into a file for auditors.
    Export {
        /// The node's TOML file.
        #[arg(long)]
        config: PathBuf,
        /// The file to create.
        #[arg(long)]
        out: PathBuf,
    },
    /// Runs the node until SIGTERM.
    Run {
        /// The node's TOML file.
        #[arg(long)]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let (Command::Init { config: path }
    | Command::Keygen { config: path }
    | Command::Inspect { config: path, .. }
    | Command::Repair { config: path }
    | Command::Export { config: path, .. }
    | Command::Run { config: path }) = &command;
    let loaded = match NodeConfig::load(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("tallystick-node: {error}");
            return error.exit_code();
        }
    };
    if let Err(error) = telemetry::init_without(&loaded.value.log, tallystick_node::misleads) {
        eprintln!("tallystick-node: {error}");
        return ExitCode::from(config::EXIT_CODE_CONFIG);
    }
    let outcome = match command {
        Command::Init { .. } => app::init(&loaded),
        Command::Keygen { .. } => keygen::run(&loaded),
        Command::Inspect { evidence: None, .. } => offline::inspect(&loaded),
        Command::Inspect { evidence: Some(file), .. } => offline::inspect_evidence(&loaded, &file),
        Command::Repair { .. } => offline::repair(&loaded),
        Command::Export { out, .. } => offline::export(&loaded, &out),
        Command::Run { .. } => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| runtime.block_on(app::run(loaded))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<config::ConfigError>() => {
            eprintln!("tallystick-node: {error:#}");
            ExitCode::from(config::EXIT_CODE_CONFIG)
        }
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
