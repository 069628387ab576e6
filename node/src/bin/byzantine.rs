//! `tallystick-node-byzantine run --config FILE`: a validator that double-signs every vote and proposal; or, if the environment names
//! a file in `TALLYSTICK_CLOCK_SHIFT`, an honest one whose clock is shifted by it. For tests only.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tallystick_node::config::NodeConfig;
use tallystick_node::{app, byzantine};
use tallystick_service::errln;
use tallystick_service::{config, telemetry};

const CLOCK_SHIFT: &str = "TALLYSTICK_CLOCK_SHIFT";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, option, path] = arguments.as_slice() else { return usage() };
    if command != "run" || option != "--config" {
        return usage();
    }
    let outcome = async {
        let loaded = config::load::<NodeConfig>(Path::new(path))?;
        telemetry::init_quiet(&loaded.value.log, tallystick_node::QUIET)?;
        match std::env::var_os(CLOCK_SHIFT) {
            Some(file) => app::run_under(loaded, Arc::new(byzantine::ShiftedClock::by_file(file.into()))).await,
            None => app::run_misbehaving(loaded, byzantine::EQUIVOCATES).await,
        }
    };
    match outcome.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            errln!("tallystick-node-byzantine: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    errln!("tallystick-node-byzantine run --config FILE");
    ExitCode::from(config::EXIT_CODE_CONFIG)
}
