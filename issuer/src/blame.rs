//! Which config key a failed command is about: so that the operator sees it, and systemd does not start the same config again and
//! again (exit code 64).

use std::path::PathBuf;

use tallystick_anchoring::guard::GuardError;
use tallystick_anchoring::tail::TailError;
use tallystick_issuer::config::Settings;
use tallystick_issuer::erasure::EraseError;
use tallystick_issuer::journal::JournalError;
use tallystick_issuer::keys::KeysError;
use tallystick_issuer::secrets::SecretsError;
use tallystick_service::config_key::{self, KeyError};
use tallystick_service::terminal::describe;

/// Every key that names a file or directory, with its path; those inside of another come first.
pub(super) fn keys(settings: &Settings) -> Vec<(&'static str, PathBuf)> {
    let former = settings.former_blinding_secrets.iter();
    let mut keys: Vec<_> = former.map(|former| ("keys.former_blinding_secrets", former.file.clone())).collect();
    keys.extend([
        ("genesis_file", settings.genesis_file.clone()),
        ("trust_file", settings.trust_file.clone()),
        ("keys.passphrase_file", settings.passphrase_file.clone()),
        ("keys.issuer_key_file", settings.issuer_key_file.clone()),
        ("keys.master_key_file", settings.master_key_file.clone()),
        ("keys.blinding_secret_file", settings.blinding_secret_file.clone()),
        ("keys.unit_keys_dir", settings.unit_keys_dir.clone()),
        ("tls.certificate_chain", settings.tls.certificate_chain.clone()),
        ("tls.private_key", settings.tls.private_key.clone()),
        ("tls.authorities", settings.tls.authorities.clone()),
        ("erased_file", settings.erased_file.clone()),
    ]);
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
            Some(KeysError::File(inner)) => return config_key::blame(inner, keys),
            Some(KeysError::Directory { .. }) => return of_config("keys.unit_keys_dir"),
            None => {}
        }
        if let Some(key) = cause.downcast_ref().and_then(SecretsError::config_key) {
            return of_config(key);
        }
        if let Some(JournalError::Absent { .. } | JournalError::Exists(_) | JournalError::Foreign(_)) =
            journal_error(cause)
        {
            return of_config("journal_dir");
        }
        if let Some(EraseError::List { .. }) = cause.downcast_ref() {
            return of_config("erased_file");
        }
        match guard_error(cause) {
            Some(GuardError::Damaged { .. } | GuardError::Missing { .. } | GuardError::Foreign(_)) => {
                return of_config("guard_file");
            }
            Some(error @ GuardError::File { .. }) if !config_key::may_pass(error) => return of_config("guard_file"),
            _ => {}
        }
    }
    None
}

type Cause<'a> = &'a (dyn std::error::Error + 'static);

fn guard_error(cause: Cause<'_>) -> Option<&GuardError> {
    match cause.downcast_ref() {
        Some(TailError::Guard(error)) => Some(error),
        _ => cause.downcast_ref(),
    }
}

fn journal_error(cause: Cause<'_>) -> Option<&JournalError> {
    match (cause.downcast_ref(), guard_error(cause)) {
        (Some(TailError::Journal(error)), _) | (_, Some(GuardError::Journal(error))) => Some(error),
        _ => cause.downcast_ref(),
    }
}
