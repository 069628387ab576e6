//! `tallystick-verifier`: parse, run, exit with a code that says it all.
//!
//! ```text
//! 0   everything in force / clean / same or consistent
//! 1   something is invalid / refuted / forked
//! 2   valid but not in force / source incomplete / unproven
//! 64  usage: bad arguments, or files that are not what they must be
//! 66  a file or node cannot be read
//! ```

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
