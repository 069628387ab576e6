//! `tallystick-node`: parse, check the config, build, run, drain.

mod blame;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tallystick_node::config::NodeConfig;
use tallystick_node::{app, keygen, offline};
use tallystick_service::exit::{self, EXIT_CODES, Exit};
use tallystick_service::passphrase::PassphraseChange;
use tallystick_service::{telemetry, terminal};

const NAME: &str = "tallystick-node";

/// Also RocksDB's allocator, because it takes the place of the C library's `malloc`. That one keeps several times as much as is in use
/// (`docs/adr/0020-memory.md`). How it is set up: `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A validator of the receipt ledger.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
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
    /// Puts key files under another passphrase; the keys stay the same. Nothing is changed unless all of them open; interrupted, it goes on
    /// when it is run again.
    ChangePassphrase(PassphraseChange),
    /// Shows where a stopped node stands, and the size of each table; changes nothing. With `--evidence`: says what a file of
    /// `evidence_dir` proves, and against whom; the node may run.
    Inspect {
        /// The node's TOML file.
        #[arg(long)]
        config: PathBuf,
        /// A file `double-sign-….txt`.
        #[arg(long, value_name = "FILE")]
        evidence: Option<PathBuf>,
        /// Compacts all tables first: this writes, and may take long. For figures that can be compared.
        #[arg(long, conflicts_with = "evidence")]
        compacted: bool,
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
    let command = match exit::parse::<Arguments>() {
        Ok(arguments) => arguments.command,
        Err(code) => return code,
    };
    let path = match &command {
        Command::ChangePassphrase(change) => return change.as_program(NAME),
        Command::Init { config }
        | Command::Keygen { config }
        | Command::Inspect { config, .. }
        | Command::Repair { config }
        | Command::Export { config, .. }
        | Command::Run { config } => config,
    };
    let loaded = match NodeConfig::load(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            terminal::complain(NAME, &error);
            return Exit::Usage.into();
        }
    };
    if let Err(error) = telemetry::init_quiet(&loaded.value.log, tallystick_node::QUIET) {
        terminal::complain(NAME, &error);
        return Exit::Usage.into();
    }
    let keys = blame::keys(&loaded);
    let is_run = matches!(command, Command::Run { .. });
    let outcome = match command {
        Command::Init { .. } => app::init(&loaded),
        Command::Keygen { .. } => keygen::run(&loaded),
        Command::ChangePassphrase(change) => change.run().map_err(anyhow::Error::from),
        Command::Inspect { evidence: None, compacted, .. } => offline::inspect(&loaded, compacted),
        Command::Inspect { evidence: Some(file), .. } => offline::inspect_evidence(&loaded, &file),
        Command::Repair { .. } => offline::repair(&loaded),
        Command::Export { out, .. } => offline::export(&loaded, &out),
        Command::Run { .. } => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| runtime.block_on(app::run(loaded))),
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let error = match blame::blame(&error, &keys) {
        Some(named) => named.into(),
        None => error,
    };
    let exit = if is_run { Exit::of_error(error.as_ref()) } else { Exit::of_command_error(error.as_ref()) };
    if exit == Exit::Usage || !is_run {
        terminal::complain(NAME, error.as_ref());
    } else {
        tracing::error!("{}", terminal::describe(error.as_ref()));
    }
    exit.into()
}
