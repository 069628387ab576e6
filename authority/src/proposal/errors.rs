//! Why a file is no proposal, and how many signatures one has.

use std::fmt;

use receipt_core::hash::Hash;

/// Why a file is no proposal that may be signed, combined or submitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// The file does not have the format above.
    #[error("it is no proposal file: {0}; ask whoever sent it for the file again")]
    Form(String),
    /// Made for another chain.
    #[error(
        "it is of chain {given}, and the genesis file is of chain {expected}; use the genesis of the proposal's chain"
    )]
    OtherChain {
        /// The chain that the proposal names.
        given: String,
        /// The genesis file's.
        expected: Hash,
    },
    /// A message of an area, or of the chain, where the other's authorities were given.
    #[error("{0}")]
    OtherArea(String),
    /// Message or credential of a suite that is not the chain's.
    #[error("it is of another signature suite than the chain")]
    Suite,
    /// The proposal has nothing to sign.
    #[error("it contains nothing: neither actions nor credentials")]
    Empty,
    /// More than an entry of the log or this format holds.
    #[error("{0}; split it into several proposals")]
    TooLarge(String),
    /// The file has a signature of somebody who may not sign.
    #[error(
        "it is signed with the key {0}, which is no authority's of this chain now; if the authorities were replaced, give `--trust` with \
         an updated trust file, or have the proposal made anew"
    )]
    UnknownAuthority(String),
    /// A signature that does not cover what the file says.
    #[error(
        "the signature of authority {authority} does not cover {part}: the file was changed after authority {authority} \
         signed it. Do not sign or submit it; ask authority {authority} for the file as it was signed"
    )]
    SignatureInvalid {
        /// The authority's number, counted from 1.
        authority: u32,
        /// Which signature of it: of the message, or of a credential.
        part: String,
    },
    /// The key is none of this chain's authorities'.
    #[error(
        "the key {0} is no authority's of this chain now; check `--key` and the genesis file, and if the authorities were replaced, give \
         `--trust` with an updated trust file"
    )]
    NotAnAuthority(String),
    /// The authority has signed already.
    #[error("authority {0} has signed it already; pass it on to the next")]
    AlreadySigned(u32),
    /// Two files that are not copies of one proposal.
    #[error("it is another proposal ({given}) than the first file ({expected}); combine copies of one proposal only")]
    Differs {
        /// Digest of this copy.
        given: Hash,
        /// Digest of the first copy.
        expected: Hash,
    },
    /// Not enough signatures yet.
    #[error("it has {0}; have more of the authorities sign it first")]
    TooFew(Count),
}

/// Who has signed, and who must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Of the authorities in force.
    pub given: usize,
    /// How many of them must.
    pub needed: usize,
    /// Of those that the message names as authorities: how many have signed, and how many there are, who all must.
    pub new: Option<(usize, usize)>,
}

impl Count {
    /// Whether enough have.
    pub fn is_enough(&self) -> bool {
        self.given >= self.needed && self.new.is_none_or(|(given, all)| given == all)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} signatures", self.given, self.needed)?;
        match self.new {
            Some((given, all)) => write!(f, " of the authorities in force, and {given} of {all} of the new ones"),
            None => Ok(()),
        }
    }
}
