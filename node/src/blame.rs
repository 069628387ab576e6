//! Which config key a failed command is about: so that the operator sees it, and systemd does not start the same config again and
//! again (exit code 64).

use std::path::PathBuf;

use tallystick_node::config::NodeConfig;
use tallystick_node::guard::GuardError;
use tallystick_node::store::OpenError;
use tallystick_service::config::Loaded;
use tallystick_service::config_key::{self, KeyError};
use tallystick_service::terminal::describe;

/// Every key that names a file or directory, with its path; those inside of another come first.
pub(super) fn keys(config: &Loaded<NodeConfig>) -> Vec<(&'static str, PathBuf)> {
    let value = &config.value;
    let tls = value.tls.resolve(config);
    let mut keys = vec![
        ("genesis_file", config.resolve(&value.genesis_file)),
        ("keys.passphrase_file", config.resolve(&value.keys.passphrase_file)),
        ("keys.consensus", config.resolve(&value.keys.consensus)),
        ("keys.log", config.resolve(&value.keys.log)),
        ("keys.cosigner", config.resolve(&value.keys.cosigner)),
        ("tls.certificate_chain", tls.certificate_chain),
        ("tls.private_key", tls.private_key),
        ("tls.authorities", tls.authorities),
    ];
    if let Some(next) = &value.next_keys {
        keys.extend([
            ("next_keys.consensus", config.resolve(&next.consensus)),
            ("next_keys.log", config.resolve(&next.log)),
            ("next_keys.cosigner", config.resolve(&next.cosigner)),
        ]);
    }
    keys
}

/// The error as one of a config key, if it is one.
pub(super) fn blame(error: &anyhow::Error, keys: &[(&str, PathBuf)]) -> Option<KeyError> {
    if let Some(named) = config_key::blame(error.as_ref(), keys) {
        return Some(named);
    }
    let of_config = |key: &str| Some(KeyError::config(key, describe(error.as_ref())));
    for cause in error.chain() {
        match cause.downcast_ref() {
            Some(
                OpenError::Exists { .. }
                | OpenError::Missing { .. }
                | OpenError::Newer { .. }
                | OpenError::Foreign { .. },
            ) => {
                return of_config("data_dir");
            }
            Some(OpenError::Genesis(_)) => return of_config("genesis_file"),
            _ => {}
        }
        match cause.downcast_ref() {
            Some(GuardError::Unreadable { .. }) => return of_config("guard_file"),
            Some(error @ GuardError::Io { .. }) if !config_key::may_pass(error) => return of_config("guard_file"),
            _ => {}
        }
    }
    None
}
