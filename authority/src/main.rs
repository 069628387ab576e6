//! `tallystick-authority`: parse, run, exit.
//!
//! ```text
//! 0   done; executed
//! 1   refused, or failed
//! 3   taken, not executed yet
//! 64  bad arguments, or a description that is refused; the message names the key
//! ```

mod cli;
mod commands;

use std::process::ExitCode;

use clap::Parser as _;
use tallystick_authority::text::harmless;
use tallystick_service::config::{ConfigError, EXIT_CODE_CONFIG};

fn main() -> ExitCode {
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; where they cannot be printed, nothing can.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_CODE_CONFIG) } else { ExitCode::SUCCESS };
        }
    };
    match commands::run(&arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tallystick-authority: {}", harmless(&format!("{error:#}")));
            if error.is::<ConfigError>() { ExitCode::from(EXIT_CODE_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}
