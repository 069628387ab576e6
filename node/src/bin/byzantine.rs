//! `tallystick-node-byzantine run --config FILE`: a validator that double-signs every vote and proposal. For tests only.

use std::path::Path;
use std::process::ExitCode;

use tallystick_node::config::NodeConfig;
use tallystick_node::{app, byzantine};
use tallystick_service::errln;
use tallystick_service::{config, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, option, path] = arguments.as_slice() else { return usage() };
    if command != "run" || option != "--config" {
        return usage();
    }
    let outcome = async {
        let loaded = config::load::<NodeConfig>(Path::new(path))?;
        telemetry::init(&loaded.value.log)?;
        app::run_misbehaving(loaded, byzantine::EQUIVOCATES).await
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
