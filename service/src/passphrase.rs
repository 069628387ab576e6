//! `change-passphrase`: puts key files under another passphrase. The command of every program that has key files; the work is
//! [`keyfile::rewrite`]'s.
//!
//! It reads no config: a key file that was carried here is opened under a passphrase that no config names. A process reads its key files
//! at start only, so a running one takes no notice.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config_key::may_pass;
use crate::exit::Exit;
use crate::keyfile::{self, KeyFileError, Passphrase, Passphrases};
use crate::rng::OsEntropy;
use crate::{durable, errln, terminal};

/// What is asked for on the command line.
#[derive(Debug, Clone, Args)]
pub struct PassphraseChange {
    /// File with the passphrase that the key files have now: one line, mode 0600.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: PathBuf,
    /// File with the passphrase that they get: one line, mode 0600.
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: PathBuf,
    /// The key files, of any kind.
    #[arg(required = true, value_name = "KEY_FILE")]
    pub key_files: Vec<PathBuf>,
}

impl PassphraseChange {
    /// Does it, and says on standard error what became of each file.
    pub fn run(&self) -> Result<(), KeyFileError> {
        let old = Passphrase::from_file(&self.passphrase_file)?;
        let new = Passphrase::from_file(&self.new_passphrase_file)?;
        if old == new {
            return Err(KeyFileError::SamePassphrase { path: self.new_passphrase_file.clone() });
        }
        // A shell wrote the passphrase file, which may not be on the disk yet. If a power cut lost it and not the key files that need it, all the
        // keys would be lost.
        durable::sync_file(&self.new_passphrase_file)?;
        let replaced = keyfile::rewrite(&self.key_files, Passphrases { old: &old, new: &new }, &OsEntropy)?;
        for (path, replaced) in self.key_files.iter().zip(replaced) {
            errln!("{} {}", if replaced { "changed" } else { "kept, has the new passphrase already:" }, path.display());
        }
        Ok(())
    }

    /// The same as the whole of a program.
    pub fn as_program(&self, name: &str) -> ExitCode {
        match self.run() {
            Ok(()) => Exit::Good.into(),
            Err(error) => {
                terminal::complain(name, &error);
                // The files were named on the command line, so a wrong one is a usage error.
                let exit = if may_pass(&error) { Exit::Bad } else { Exit::Usage };
                exit.into()
            }
        }
    }
}
