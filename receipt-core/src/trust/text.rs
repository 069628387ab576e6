//! The text of a trust file: reading it strictly, and writing it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{SetEnd, TrustFile, TrustedAuthorities, TrustedSet};
use crate::authorities::AuthoritySet;
use crate::genesis::{is_name, is_utc_offset};
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize};
use crate::limits::{TRUST_BYTES_MAX, VALIDATORS_MAX};
use crate::note::{KeyError, Policy, PolicyTextError, PosixSeconds};
use crate::shown::Damage;
use crate::suite::{ChainId, PublicKey, Suite};

const MAGIC: &str = "tallystick/trust/v1";

/// Why a text is not a trust file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustTextError {
    /// A line breaks a rule of the format.
    #[error("line {line} of the trust file: {problem}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A validator set's policy is refused.
    #[error("a policy of the trust file is refused: {0}")]
    Policy(#[source] PolicyTextError),
    /// A validator's key is refused.
    #[error("a key is refused: {0}")]
    Key(#[source] KeyError),
    /// The chain runs on a suite that this build does not have.
    #[error("the chain runs on signature suite {0}, which is not known to this program")]
    Suite(u32),
    /// A rule about the whole text is broken.
    #[error("the trust file is refused: {0}")]
    Whole(&'static str),
}

impl TrustFile {
    /// Reads a trust file; only the canonical spelling is taken.
    pub fn parse(text: &str) -> Result<Self, TrustTextError> {
        if text.len() > TRUST_BYTES_MAX {
            return Err(TrustTextError::Whole("it is too large"));
        }
        if let Some(damage) = Damage::of(text.as_bytes()) {
            return Err(TrustTextError::Whole(damage.sentence()));
        }
        let body = text.strip_suffix('\n').ok_or(TrustTextError::Whole("it does not end in a newline"))?;
        let mut lines = Lines { lines: body.split('\n').collect(), next: 0 };
        lines.exactly(MAGIC)?;
        let trust = Self {
            chain: ChainId(lines.value("chain ", parse_hex)?),
            chain_name: lines.value("name ", parse_name)?,
            is_test: lines.may_have("test"),
            origin: lines.value("origin ", parse_name)?,
            utc_offset_minutes: lines.value("utc-offset-minutes ", parse_offset)?,
            suite: lines.suite()?,
            authorities: lines.authority_sets()?,
            sets: lines.sets()?,
        };
        trust.check()?;
        if trust.to_text() == text { Ok(trust) } else { Err(TrustTextError::Whole("it is not in canonical form")) }
    }

    /// Writes the canonical text.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{MAGIC}\nchain {}\nname {}\n{}origin {}\nutc-offset-minutes {}\nsuite {}\n",
            self.chain.0,
            self.chain_name,
            if self.is_test { "test\n" } else { "" },
            self.origin,
            self.utc_offset_minutes,
            self.suite.number()
        );
        for authorities in &self.authorities {
            text += &format!("authorities {}\n", authorities.first_leaf);
            for key in &authorities.set.keys {
                text += &format!("authority {}\n", BASE64_STANDARD.encode(key.0));
            }
            text += &format!("authority-threshold {}\n", authorities.set.threshold);
        }
        for set in &self.sets {
            let end = set.end.map_or_else(|| "open".to_owned(), |end| format!("{} {}", end.last_size, end.until));
            text += &format!("\nvalidators {} {end} {}\n{}", set.first_size, set.set_hash, set.policy);
        }
        text
    }

    /// What the lines alone do not say: authorities, ranges, and whose keys the log keys are.
    fn check(&self) -> Result<(), TrustTextError> {
        let require = |condition: bool, problem| {
            if condition { Ok(()) } else { Err(TrustTextError::Whole(problem)) }
        };
        for authorities in &self.authorities {
            authorities.set.check(self.suite).map_err(TrustTextError::Whole)?;
        }
        let first = self.authorities.first().map(|authorities| authorities.first_leaf);
        require(first == Some(LeafIndex::ZERO), "the first authorities do not start at leaf 0")?;
        let ascending = self.authorities.windows(2).all(|pair| pair[0].first_leaf < pair[1].first_leaf);
        require(ascending, "the authorities do not follow each other")?;
        require(!self.sets.is_empty(), "there is no validator set")?;
        let mut expected = Some(TreeSize::new(1));
        for set in &self.sets {
            require(Some(set.first_size) == expected, "validator sets do not follow each other without a gap")?;
            require(set.end.is_none_or(|end| set.first_size <= end.last_size), "a validator set has no tree size")?;
            expected = set.end.and_then(|end| end.last_size.next());
            let named = set.policy.log_keys().all(|key| key.name() == self.origin);
            require(named && set.policy.log_keys().next().is_some(), "a log key is not named by the origin")?;
        }
        Ok(())
    }
}

/// The lines still to be read.
struct Lines<'a> {
    lines: Vec<&'a str>,
    next: usize,
}

impl<'a> Lines<'a> {
    fn error(&self, problem: &'static str) -> TrustTextError {
        TrustTextError::Line { line: self.next + 1, problem }
    }

    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.next).copied()
    }

    fn exactly(&mut self, expected: &str) -> Result<(), TrustTextError> {
        if self.peek() != Some(expected) {
            return Err(self.error("another line is expected here"));
        }
        self.next += 1;
        Ok(())
    }

    /// Takes the line if it is this one.
    fn may_have(&mut self, line: &str) -> bool {
        let has = self.peek() == Some(line);
        self.next += usize::from(has);
        has
    }

    fn value<T>(&mut self, keyword: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, TrustTextError> {
        let text = self.peek().and_then(|line| line.strip_prefix(keyword));
        let text = text.ok_or_else(|| self.error("another keyword is expected here"))?;
        let value = read(text).ok_or_else(|| self.error("the value is malformed"))?;
        self.next += 1;
        Ok(value)
    }

    fn suite(&mut self) -> Result<Suite, TrustTextError> {
        let number = self.value("suite ", |text| text.parse::<u32>().ok())?;
        Suite::from_number(number).ok_or(TrustTextError::Suite(number))
    }

    fn authority_sets(&mut self) -> Result<Vec<TrustedAuthorities>, TrustTextError> {
        let mut sets = Vec::new();
        while self.peek().is_some_and(|line| line.starts_with("authorities ")) {
            let first_leaf = self.value("authorities ", |text| text.parse().ok().map(LeafIndex::new))?;
            let keys = self.authorities()?;
            let threshold = self.value("authority-threshold ", |text| text.parse().ok())?;
            sets.push(TrustedAuthorities { first_leaf, set: AuthoritySet { keys, threshold } });
        }
        Ok(sets)
    }

    fn authorities(&mut self) -> Result<Vec<PublicKey>, TrustTextError> {
        let mut keys = Vec::new();
        while self.peek().is_some_and(|line| line.starts_with("authority ")) {
            if keys.len() == VALIDATORS_MAX {
                return Err(self.error("there are too many authorities"));
            }
            keys.push(self.value("authority ", parse_key)?);
        }
        Ok(keys)
    }

    fn sets(&mut self) -> Result<Vec<TrustedSet>, TrustTextError> {
        let mut sets = Vec::new();
        while self.peek().is_some() {
            self.exactly("")?;
            let (first_size, end, set_hash) = self.value("validators ", parse_range)?;
            let mut policy = String::new();
            while let Some(line) = self.peek().filter(|line| !line.is_empty()) {
                policy.push_str(line);
                policy.push('\n');
                self.next += 1;
            }
            if policy.lines().last() == Some("quorum none") {
                return Err(TrustTextError::Whole("a validator set without a quorum can vouch for nothing"));
            }
            let policy = Policy::parse(&policy).map_err(TrustTextError::Policy)?;
            sets.push(TrustedSet { first_size, end, set_hash, policy });
        }
        Ok(sets)
    }
}

fn parse_hex(text: &str) -> Option<Hash> {
    Hash::from_slice(&hex::decode(text).ok()?)
}

fn parse_key(text: &str) -> Option<PublicKey> {
    BASE64_STANDARD.decode(text).ok()?.try_into().ok().map(PublicKey)
}

fn parse_name(text: &str) -> Option<String> {
    is_name(text).then(|| text.to_owned())
}

fn parse_offset(text: &str) -> Option<i32> {
    text.parse().ok().filter(|minutes| is_utc_offset(*minutes))
}

/// `<first> <last> <until> <hash>`, or `<first> open <hash>`
fn parse_range(text: &str) -> Option<(TreeSize, Option<SetEnd>, Hash)> {
    let mut words = text.split(' ');
    let (first, last) = (words.next()?, words.next()?);
    let end = if last == "open" {
        None
    } else {
        let until = PosixSeconds::new(words.next()?.parse().ok()?);
        Some(SetEnd { last_size: TreeSize::new(last.parse().ok()?), until })
    };
    let hash = parse_hex(words.next()?)?;
    words.next().is_none().then_some((TreeSize::new(first.parse().ok()?), end, hash))
}
