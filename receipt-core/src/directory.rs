//! The units whose signatures a reader without a network can judge: credentials, each proved against a trust file.
//!
//! A bundle brings its unit's credential along; a code on paper has no room for it. So whoever scans codes keeps those of all units, and
//! says of when they are. Not here: revocations, which a credential does not know of, and the list under one signature that
//! docs/adr/0034-the-code-on-the-paper.md has in mind for thousands of units.

use crate::credential::{SignedCredential, UnitCredential};
use crate::trust::TrustFile;

/// Why a list of credentials is no directory. It is taken whole or not at all: with a gap in it, a genuine receipt would look unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// One of them does not read.
    #[error("credential {0} of the directory is malformed: fetch the directory anew")]
    Form(usize),
    /// One of them is of another suite than the chain.
    #[error("credential {0} of the directory is of another suite than the chain")]
    Suite(usize),
    /// A signature of one of them is not valid.
    #[error("a signature of credential {0} of the directory is not valid: fetch the directory anew")]
    Signature(usize),
    /// Too few of the present authorities have signed one of them.
    #[error(
        "credential {0} of the directory is not signed by enough of the authorities that the trust file names last: bring the trust file \
         up to date, or fetch the directory anew"
    )]
    Authorities(usize),
}

/// What the credentials say of units and their keys, in their order. Each is the bytes of a `SignedCredential`, under enough of the
/// authorities that the trust file names last: a scan names no leaf of the log, and keys that were replaced vouch for nothing new.
///
/// # Errors
/// See [`DirectoryError`]; the number is the position in the list, from 0.
pub fn proved_units<'a>(
    credentials: impl IntoIterator<Item = &'a [u8]>,
    trust: &TrustFile,
) -> Result<Vec<UnitCredential>, DirectoryError> {
    let proved = |(position, bytes): (usize, &[u8])| {
        let signed = SignedCredential::decode(bytes).map_err(|_| DirectoryError::Form(position))?;
        if signed.credential.suite != trust.suite() {
            return Err(DirectoryError::Suite(position));
        }
        // The cheap question first: a list of strangers costs no signature.
        if !signed.is_signed_by_enough(trust.authorities()) {
            return Err(DirectoryError::Authorities(position));
        }
        if !signed.signatures_hold(trust.chain_id()) {
            return Err(DirectoryError::Signature(position));
        }
        Ok(signed.credential)
    };
    credentials.into_iter().enumerate().map(proved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{Signer, Suite};
    use crate::testkit::{TestChain, software_key};

    #[test]
    fn only_what_the_present_authorities_signed_is_in_a_directory() {
        let mut chain = TestChain::new();
        let receipts = ["S01", "S02", "S06"].map(|id| chain.issue(id));
        let signed = receipts.each_ref().map(|receipt| chain.credential(receipt));
        let list = signed.each_ref().map(SignedCredential::encode);
        let units = |list: &[Vec<u8>], chain: &TestChain| proved_units(list.iter().map(Vec::as_slice), chain.trust());
        let expected: Vec<UnitCredential> = signed.iter().map(|signed| signed.credential.clone()).collect();
        assert_eq!(units(&list, &chain), Ok(expected));
        assert_eq!(units(&[], &chain), Ok(Vec::new()));
        // Another chain's authorities may have the same keys: what they sign names the chain.
        assert_eq!(units(&list, &TestChain::named("otherchain")), Err(DirectoryError::Signature(0)));

        let dummy = TestChain::with_suite("testchain", Suite::Dummy);
        assert_eq!(units(&list, &dummy), Err(DirectoryError::Suite(0)));

        let with = |other: Vec<u8>| [list[0].clone(), other];
        let mut damaged = list[1].clone();
        damaged[10] ^= 1;
        let error = units(&with(damaged), &chain).unwrap_err();
        assert!(matches!(error, DirectoryError::Form(1) | DirectoryError::Signature(1)), "{error}");
        assert_eq!(units(&with(Vec::new()), &chain), Err(DirectoryError::Form(1)));
        let by = |names: &[&str]| {
            let keys: Vec<_> = names.iter().map(|name| software_key(name)).collect();
            let signers: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
            let credential = signed[1].credential.clone();
            SignedCredential::sign(credential, chain.genesis().chain_id(), &signers).encode()
        };
        assert_eq!(units(&with(by(&["authority-0"])), &chain), Err(DirectoryError::Authorities(1)));
        assert_eq!(units(&with(by(&["authority-0", "stranger"])), &chain), Err(DirectoryError::Authorities(1)));
        let mut forged = signed[1].clone();
        forged.signatures[1].1.0[0] ^= 1;
        assert_eq!(units(&with(forged.encode()), &chain), Err(DirectoryError::Signature(1)));

        // Authorities that were replaced vouch for nothing new.
        chain.add_block(&receipts);
        chain.replace_authorities(&["authority-7", "authority-8", "authority-9"]);
        assert_eq!(units(&list, &chain), Err(DirectoryError::Authorities(0)));
        let list = receipts.each_ref().map(|receipt| chain.credential(receipt).encode());
        assert_eq!(units(&list, &chain).unwrap().len(), 3);
    }
}
