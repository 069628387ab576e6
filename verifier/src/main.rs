//! `tallystick-verifier`: parse, run, exit with a code that tells the outcomes apart.
//!
//! The codes stand in `tallystick_service::exit`; `--help` of each command says what they mean for it.

mod cli;
mod commands;

use std::process::ExitCode;

use tallystick_service::{exit, terminal};

fn main() -> ExitCode {
    let arguments = match exit::parse::<cli::Arguments>() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match commands::run(arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal::complain("tallystick-verifier", failure.error.as_ref());
            failure.exit.into()
        }
    }
}
