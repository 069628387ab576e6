//! The text form of a trust policy (c2sp.org/tlog-policy): reading, writing, and the plain "k of these" policy.
//!
//! ```text
//! log <vkey> [<url>]
//! witness <name> <vkey> [<url>]
//! group <name> all|any|<k> <name>...
//! quorum <name>|none
//! ```
//!
//! Words are separated by spaces and tabs; empty lines and lines that start with # are skipped. Names refer to earlier
//! lines only; each name is a member at most once; each key stands once; no two keys have both name and key id in common, because
//! a signature line names its key by these two alone; exactly one quorum line. `Display` writes the one canonical form of a
//! policy (comments are not kept).

use std::fmt;

use super::key::{KeyError, VerifierKey};
use super::key_id::{KeyKind, is_key_name};
use super::policy::{Log, Member, Policy, Rule};
use super::text::parse_decimal;
use crate::limits::{POLICY_BYTES_MAX, VALIDATORS_MAX};

/// Why a text is not a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyTextError {
    /// A line breaks a rule of the format.
    #[error("line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A line's verifier key is refused.
    #[error("line {line}: {source}")]
    Key {
        /// Counted from 1.
        line: usize,
        /// The underlying error.
        source: KeyError,
    },
    /// A rule about the whole text is broken.
    #[error("{0}")]
    Whole(&'static str),
}

/// Why a line is refused, before its number is known.
enum Refusal {
    Problem(&'static str),
    Key(KeyError),
}

impl From<&'static str> for Refusal {
    fn from(problem: &'static str) -> Self {
        Self::Problem(problem)
    }
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

/// A policy as far as it has been read.
#[derive(Default)]
struct Draft {
    logs: Vec<Log>,
    members: Vec<Member>,
    /// Per member, whether a group has it already.
    taken: Vec<bool>,
    quorum: Option<Option<usize>>,
}

impl Policy {
    /// Reads a policy file.
    pub fn parse(text: &str) -> Result<Self, PolicyTextError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyTextError::Whole("the policy is too large"));
        }
        if text.bytes().any(|byte| (byte < 0x20 && byte != b'\n' && byte != b'\t') || byte == 0x7f) {
            return Err(PolicyTextError::Whole("the policy has a control character"));
        }
        let body = text.strip_suffix('\n').ok_or(PolicyTextError::Whole("the policy does not end in a newline"))?;
        let mut draft = Draft::default();
        for (line, content) in (1..).zip(body.split('\n')) {
            let words: Vec<&str> = content.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            draft.read(&words).map_err(|refusal| match refusal {
                Refusal::Problem(problem) => PolicyTextError::Line { line, problem },
                Refusal::Key(source) => PolicyTextError::Key { line, source },
            })?;
        }
        let quorum = draft.quorum.ok_or(PolicyTextError::Whole("the policy has no quorum line"))?;
        Ok(Self { logs: draft.logs, members: draft.members, quorum })
    }

    /// The plain policy of a validator set: any one of the log keys, and `threshold` of the cosigner keys, each under its
    /// own key name.
    pub fn threshold(
        log_keys: &[VerifierKey],
        cosigner_keys: &[VerifierKey],
        threshold: usize,
    ) -> Result<Self, PolicyTextError> {
        let mut text = String::new();
        let mut names = String::new();
        for key in log_keys {
            text += &format!("log {key}\n");
        }
        for key in cosigner_keys {
            text += &format!("witness {} {key}\n", key.name());
            names += &format!(" {}", key.name());
        }
        // Validators' key names are `<origin>/<validator>`; a group named by "quorum" cannot be one of them.
        text += &format!("group quorum {threshold}{names}\nquorum quorum\n");
        Self::parse(&text)
    }
}

impl Draft {
    fn read(&mut self, words: &[&str]) -> Result<(), Refusal> {
        match *words {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", vkey] => self.log(vkey, None),
            ["log", vkey, url] => self.log(vkey, Some(url)),
            ["witness", name, vkey] => self.witness(name, vkey, None),
            ["witness", name, vkey, url] => self.witness(name, vkey, Some(url)),
            ["group", name, threshold, ref of @ ..] => self.group(name, threshold, of),
            ["quorum", name] => self.quorum(name),
            _ => Err("it is not a log, witness, group or quorum line".into()),
        }
    }

    fn log(&mut self, vkey: &str, url: Option<&str>) -> Result<(), Refusal> {
        check_url(url)?;
        let key = VerifierKey::parse(vkey)?;
        if key.kind() != KeyKind::Log {
            return Err("a log's key must be of type 0x01".into());
        }
        if self.logs.iter().any(|log| log.key.public_key() == key.public_key()) {
            return Err("the key is already another log's".into());
        }
        if self.logs.len() == VALIDATORS_MAX {
            return Err("there are too many logs".into());
        }
        self.require_new_id(&key)?;
        self.logs.push(Log { key, url: url.map(str::to_owned) });
        Ok(())
    }

    fn witness(&mut self, name: &str, vkey: &str, url: Option<&str>) -> Result<(), Refusal> {
        check_url(url)?;
        let key = VerifierKey::parse(vkey)?;
        if key.kind() != KeyKind::Cosigner {
            return Err("a witness's key must be of type 0x04".into());
        }
        let same = |member: &Member| matches!(&member.rule, Rule::Witness { key: other, .. } if other.public_key() == key.public_key());
        if self.members.iter().any(same) {
            return Err("the key is already another witness's".into());
        }
        self.require_new_id(&key)?;
        self.member(name, Rule::Witness { key: Box::new(key), url: url.map(str::to_owned) })
    }

    /// Whoever reads a note takes name and key id for the key. A key that shares both with another would have its signatures
    /// judged under the other, which rejects the note.
    fn require_new_id(&self, key: &VerifierKey) -> Result<(), Refusal> {
        let witnesses = self.members.iter().filter_map(|member| match &member.rule {
            Rule::Witness { key, .. } => Some(key.as_ref()),
            Rule::Group { .. } => None,
        });
        let mut keys = self.logs.iter().map(|log| &log.key).chain(witnesses);
        if keys.any(|other| (other.name(), other.id()) == (key.name(), key.id())) {
            return Err(
                "another key of the policy has the same name and key id; one of the two must be replaced".into()
            );
        }
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, names: &[&str]) -> Result<(), Refusal> {
        let threshold = match threshold {
            "any" => Some(1),
            "all" => Some(names.len()),
            number => parse_decimal(number).and_then(|number| usize::try_from(number).ok()),
        };
        let threshold = threshold.filter(|threshold| (1..=names.len()).contains(threshold));
        let threshold = threshold.ok_or("the threshold is not all, any or 1 to the number of members")?;
        let mut of = Vec::with_capacity(names.len());
        for name in names {
            let position = self.position(name).ok_or("a member is not defined on an earlier line")?;
            if std::mem::replace(&mut self.taken[position], true) {
                return Err("a member is already in a group".into());
            }
            of.push(position);
        }
        self.member(name, Rule::Group { threshold, of })
    }

    fn quorum(&mut self, name: &str) -> Result<(), Refusal> {
        if self.quorum.is_some() {
            return Err("there is a second quorum line".into());
        }
        self.quorum = Some(match name {
            "none" => None,
            name => Some(self.position(name).ok_or("the quorum is not defined on an earlier line")?),
        });
        Ok(())
    }

    fn member(&mut self, name: &str, rule: Rule) -> Result<(), Refusal> {
        if name == "none" || !is_key_name(name) {
            return Err("the name is reserved or has a space, a control character or a plus".into());
        }
        if self.position(name).is_some() {
            return Err("the name is already defined".into());
        }
        if self.members.len() == 2 * VALIDATORS_MAX {
            return Err("there are too many witnesses and groups".into());
        }
        self.members.push(Member { name: name.to_owned(), rule });
        self.taken.push(false);
        Ok(())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|member| member.name == name)
    }
}

/// Visible ASCII: every reader takes the same bytes for it, and nothing in it acts on a terminal.
fn check_url(url: Option<&str>) -> Result<(), Refusal> {
    match url {
        Some(url) if !url.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("a URL has other characters than visible ASCII".into())
        }
        _ => Ok(()),
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key, url(&log.url))?;
        }
        for member in &self.members {
            match &member.rule {
                Rule::Witness { key, url: at } => writeln!(f, "witness {} {key}{}", member.name, url(at))?,
                Rule::Group { threshold, of } => {
                    write!(f, "group {} {threshold}", member.name)?;
                    of.iter().try_for_each(|position| write!(f, " {}", self.members[*position].name))?;
                    writeln!(f)?;
                }
            }
        }
        match self.quorum {
            None => writeln!(f, "quorum none"),
            Some(position) => writeln!(f, "quorum {}", self.members[position].name),
        }
    }
}
