//! Which config key a failure is about, so that the operator sees it and a service manager does not start the same config again (exit
//! code 64).

use std::path::PathBuf;

use tallystick_service::config_key::{self, KeyError};

use crate::config::Settings;

/// Every key that names a file or directory, with its path.
pub fn keys(settings: &Settings) -> Vec<(&'static str, PathBuf)> {
    let secret = settings.source_secret_file.iter().map(|path| ("source_secret_file", path.clone()));
    let keys = vec![
        ("trust_file", settings.trust_file.clone()),
        ("page_dir", settings.page_dir.clone()),
        ("public_tls.certificate_chain", settings.public_tls.certificate_chain.clone()),
        ("public_tls.private_key", settings.public_tls.private_key.clone()),
        ("tls.certificate_chain", settings.tls.certificate_chain.clone()),
        ("tls.private_key", settings.tls.private_key.clone()),
        ("tls.authorities", settings.tls.authorities.clone()),
    ];
    secret.chain(keys).collect()
}

/// The error as one of a config key, if it is one.
pub fn blame(error: &anyhow::Error, keys: &[(&str, PathBuf)]) -> Option<KeyError> {
    config_key::blame(error.as_ref(), keys)
}
