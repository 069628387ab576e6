//! Authority keys: made and opened on the machine that signs, in the key-file format of all other keys.

use std::path::Path;

use anyhow::{Result, ensure};
use receipt_core::suite::{PublicKey, Signer as _, SoftwareKey};
use tallystick_service::keyfile::{self, KeyKind, Passphrase};
use tallystick_service::rng::Entropy;

/// Makes a key file, which must not exist; the public half.
pub fn keygen(out: &Path, passphrase_file: &Path, entropy: &dyn Entropy) -> Result<PublicKey> {
    ensure!(!out.exists(), "{} exists; a key file is never replaced, give `--out` another name", out.display());
    let passphrase = Passphrase::from_file(passphrase_file)?;
    let held = keyfile::open_or_make(out, &passphrase, KeyKind::Ed25519Seed, entropy)?;
    Ok(SoftwareKey::from_seed(&held.secret).public_key())
}

/// Opens an authority's key file.
pub fn open(path: &Path, passphrase_file: &Path) -> Result<SoftwareKey> {
    let passphrase = Passphrase::from_file(passphrase_file)?;
    let seed = keyfile::open(path, &passphrase, KeyKind::Ed25519Seed)?;
    Ok(SoftwareKey::from_seed(&seed))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tallystick_service::rng::SeededEntropy;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_opens_under_its_passphrase() {
        let directory = scratch::Directory::new();
        let (out, passphrase) = (directory.path().join("a.key"), directory.path().join("passphrase"));
        let make = |seed| keygen(&out, &passphrase, &SeededEntropy::new(seed));
        assert!(make(1).unwrap_err().to_string().contains("passphrase"));
        std::fs::write(&passphrase, "correct horse\n").unwrap();
        assert!(make(1).unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o600)).unwrap();
        let public = make(1).unwrap();
        assert_eq!(open(&out, &passphrase).unwrap().public_key(), public);
        assert!(make(2).unwrap_err().to_string().contains("never replaced"));
        assert_eq!(open(&out, &passphrase).unwrap().public_key(), public);
        std::fs::write(&passphrase, "another\n").unwrap();
        assert!(open(&out, &passphrase).is_err());
    }
}
