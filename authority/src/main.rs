//! `tallystick-authority`: parse, run, exit.
//!
//! The exit codes stand in `tallystick_service::exit`: 3 is "taken, not executed yet".

mod cli;
mod commands;

use std::process::ExitCode;

use tallystick_authority::nodes::Unanswered;
use tallystick_service::config_key::may_pass;
use tallystick_service::exit::{self, Exit};
use tallystick_service::terminal;

fn main() -> ExitCode {
    let arguments = match exit::parse::<cli::Arguments>() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match commands::run(&arguments.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal::complain("tallystick-authority", failure.as_ref());
            exit_of(&failure).into()
        }
    }
}

/// Files and arguments that will not do are 64: the same call fails again. What nodes or the disk could not do now is 1.
fn exit_of(error: &anyhow::Error) -> Exit {
    let passing = error.is::<Unanswered>() || may_pass(error.as_ref());
    if passing { Exit::Bad } else { Exit::Usage }
}
