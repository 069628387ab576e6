//! `tallystick-verifier`: parse, run, exit with a code that says it all.
//!
//! ```text
//! 0   everything in force / clean / same or consistent
//! 1   something is invalid / refuted / forked
//! 2   valid but reversed / not everything seen / unproven
//! 64  usage: bad arguments, or a genesis, trust or note file that is not what it must be
//! 66  a file cannot be read, or the output cannot be written
//! ```
//!
//! `--help` of each command says what they mean for it; `docs/ops/README.md` has those of all programs.

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser;

use commands::Exit;

fn main() -> ExitCode {
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; where they cannot be printed, nothing can.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    match commands::run(arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("tallystick-verifier: {:#}", failure.error);
            failure.exit.into()
        }
    }
}
