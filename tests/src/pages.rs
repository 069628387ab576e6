//! Commands of the documents, as they stand there: what a page tells an operator to type is what a test runs.
//!
//! A page's commands stand in blocks that begin with ```` ```sh ````, indented or not. Paths of a real machine are put in place of by
//! those of the network; services are started and stopped by the test, because `systemctl` is not there. Who types, and as whom processes
//! run, is in [`crate::services`].

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tallystick_devnet::process::ManagedProcess;
use tokio::io::AsyncWriteExt as _;

use crate::TestNetwork;
pub use crate::repository::page;
use crate::services::{BACKUPS, OWNER, STATE, Users, write_script};

/// No user is made on the machine of a test.
const USERADD: &str = "#!/bin/sh\nexit 0\n";

/// The commands under a heading (any level, without its marks), one per element, in their order. Lines that end in `\` go on; comments are
/// left out.
pub fn commands(path: &str, heading: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(page(path)).with_context(|| format!("read {path}"))?;
    let commands = commands_of(&text, heading);
    ensure!(!commands.is_empty(), "{path} has no commands under {heading:?}");
    Ok(commands)
}

fn commands_of(text: &str, heading: &str) -> Vec<String> {
    let (mut commands, mut current) = (Vec::new(), String::new());
    let (mut in_section, mut in_code, mut in_shell) = (false, false, false);
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(language) = trimmed.strip_prefix("```") {
            in_code = !in_code;
            in_shell = in_code && language == "sh";
        } else if !in_code && trimmed.starts_with('#') {
            in_section = trimmed.trim_start_matches('#').trim() == heading;
        } else if in_section && in_shell && !trimmed.starts_with('#') && !trimmed.is_empty() {
            match trimmed.strip_suffix('\\') {
                Some(begun) => current.push_str(begun),
                None => commands.push(std::mem::take(&mut current) + trimmed),
            }
        }
    }
    commands
}

/// Whose machine it is.
#[derive(Debug, Clone, Copy)]
enum Machine {
    Node(u32),
    Issuer(u32),
}

/// What becomes of the commands behind one that fails.
#[derive(Debug, Clone, Copy)]
enum AtFailure {
    Stop,
    GoOn,
}

/// An operator at one machine.
pub struct Operator<'a> {
    network: &'a mut TestNetwork,
    machine: Machine,
    /// What the page has for example, and what stands here in its place.
    examples: Vec<(&'static str, String)>,
}

impl<'a> Operator<'a> {
    /// An operator at this validator's machine.
    pub fn new(network: &'a mut TestNetwork, validator_id: u32) -> Self {
        Self::at(network, Machine::Node(validator_id))
    }

    /// An operator at this issuer's machine.
    pub fn of_issuer(network: &'a mut TestNetwork, issuer_id: u32) -> Self {
        Self::at(network, Machine::Issuer(issuer_id))
    }

    fn at(network: &'a mut TestNetwork, machine: Machine) -> Self {
        // Otherwise the test would show what one user can do, and the pages are for two.
        assert!(network.users.is_some(), "pages are typed on machines set up as they say: `start_as_services`");
        Self { network, machine, examples: Vec::new() }
    }

    /// Types this instead of what the page has for example.
    #[must_use]
    pub fn with(mut self, example: &'static str, real: String) -> Self {
        self.examples.push((example, real));
        self
    }

    /// Types the commands under a heading of a page; a start is waited for until the process is ready. What all of them printed.
    pub async fn follow(&mut self, path: &str, heading: &str) -> Result<String> {
        self.type_all(path, heading, AtFailure::Stop).await
    }

    /// The same as if the block was pasted into a terminal: behind a command that fails the next one is typed all the same. What all of them
    /// printed, and why some failed.
    pub async fn paste(&mut self, path: &str, heading: &str) -> Result<String> {
        self.type_all(path, heading, AtFailure::GoOn).await
    }

    async fn type_all(&mut self, path: &str, heading: &str, at_failure: AtFailure) -> Result<String> {
        let mut printed = String::new();
        for command in commands(path, heading)? {
            println!("{:?}: {command}", self.machine);
            let service = match self.machine {
                Machine::Node(_) => "tallystick-node",
                Machine::Issuer(_) => "tallystick-issuer",
            };
            let verb = command.strip_prefix("systemctl ").and_then(|rest| rest.strip_suffix(service));
            match verb.map(str::trim) {
                Some("stop") if !self.process()?.is_running() => {}
                Some("stop") => {
                    let status = self.process()?.terminate().await?;
                    ensure!(status.success(), "{service} ended with {status}");
                }
                Some("start") => {
                    self.process()?.start()?;
                    self.process()?.wait_ready().await.with_context(|| format!("after {printed}"))?;
                }
                Some("reload") => self.process()?.hang_up()?,
                _ => match (self.shell(&command).await, at_failure) {
                    (Err(failed), AtFailure::GoOn) => printed.push_str(&format!("{failed:#}\n")),
                    (said, _) => printed.push_str(&said?),
                },
            }
        }
        Ok(printed)
    }

    fn process(&mut self) -> Result<&mut ManagedProcess> {
        match self.machine {
            Machine::Node(id) => self.network.node(id),
            Machine::Issuer(id) => self.network.issuer(id),
        }
    }

    /// Where commands are typed.
    #[must_use]
    pub fn desk(&self) -> PathBuf {
        self.network.layout().root().join("desk")
    }

    async fn shell(&self, command: &str) -> Result<String> {
        let layout = self.network.layout();
        let directory = match self.machine {
            Machine::Node(id) => layout.node(id),
            Machine::Issuer(id) => layout.issuer(id),
        };
        let mut places = vec![
            (STATE, directory.display().to_string()),
            (BACKUPS, self.network.backups().display().to_string()),
            ("tallystick://CHAIN/", format!("tallystick://{}/", self.network.description().chain_name)),
            ("DNS:node-2.example.org", "DNS:localhost,IP:127.0.0.1".to_owned()),
        ];
        places.extend(self.examples.iter().map(|(example, real)| (*example, real.clone())));
        typed(self.network, &self.desk(), command, &places, "").await
    }
}

/// Types a command of a page in a directory: what stands for something of a real machine is replaced, and `answer` is typed when the
/// program asks. What it printed; a command that fails is an error.
pub async fn typed(
    network: &TestNetwork,
    desk: &Path,
    command: &str,
    places: &[(&str, String)],
    answer: &str,
) -> Result<String> {
    let users = network.users.as_ref().unwrap_or(&Users::One);
    let stand_ins = network.layout().root().join("stand-ins");
    for (name, script) in [("sudo", &*users.sudo()), ("useradd", USERADD)] {
        write_script(&stand_ins.join(name), script)?;
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{}:{path}", stand_ins.display(), network.programs.display());
    let command = command.replace(OWNER, &users.owner());
    let command = places.iter().fold(command, |command, (from, to)| command.replace(from, to));
    let command = format!("{}{command}", users.umask());
    // Root's, who has no directory that others enter.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(desk)?;
    let mut shell = tokio::process::Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &command])
        .current_dir(desk)
        .env("PATH", path)
        .env("DEVNET", network.layout().root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut running = shell.spawn().context("run bash")?;
    let mut keyboard = running.stdin.take().context("no keyboard")?;
    // A program that asks nothing may have ended.
    let _ = keyboard.write_all(answer.as_bytes()).await;
    drop(keyboard);
    let output = running.wait_with_output().await.context("run bash")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    ensure!(output.status.success(), "{command}: {}\n{said}", output.status);
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_of_the_section() {
        let text = "# A\n```sh\nno\n```\n## B\ntext\n   ```sh\n   # why\n   one \\\n      two\n   three\n   ```\n```toml\nno\n```\n### C\n```sh\nno\n```\n";
        assert_eq!(commands_of(text, "B"), ["one two", "three"]);
        assert!(commands_of(text, "D").is_empty());
    }
}
