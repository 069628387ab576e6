//! The operator's socket: what only the process that holds the journal can do, asked for by commands of `tallystick-issuer`.
//!
//! ```text
//! operator ─▶ "backup /absolute/directory\n"                       issuer ─▶ "done …\n" | "failed …\n"
//!             "check-journal\n"                                    (see `check`; takes minutes, others are served meanwhile)
//!             "segment-report 13 [stop]\n"                         (see `segments`: the report as JSON)
//!             "erase-bodies [despite-retention] code-number …\n"   (see `erasing`)
//!             "erase-expired all|category …\n"  "erasure-progress -\n"
//! ```
//! A Unix socket beside the journal; only the issuer's own user and root are served. One request per connection, one at a time.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tallystick_anchoring::check::{Findings, Pass};
use tallystick_anchoring::gate::Gate;
use tallystick_anchoring::guard::Guard;
use tallystick_anchoring::tail;
use tallystick_service::clock::{Clock, SystemClock};
use tallystick_service::shutdown::CancellationToken;
use tallystick_storage::StoreShare;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use crate::backup::{BackupError, Copied, Manifest, back_up};
use crate::body::BodyCipher;
use crate::chain::load_chain;
use crate::check::{Checker, ReceiptInspector, said};
use crate::config::Settings;
use crate::issue::IssueQueue;
use crate::journal::Journal;
use crate::keys::KeyRing;
use crate::metrics::IssuerMetrics;
use crate::secrets;

pub mod erasing;
pub mod segments;

/// A request is a word and a path, or some hundred receipts.
const REQUEST_BYTES_MAX: u64 = 16 * 1024;
/// How long a request may take to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A segment of which every other number is lost has a long report.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What the issuer's end works with.
#[derive(Clone)]
pub struct ControlParts {
    /// The config.
    pub settings: Arc<Settings>,
    /// What is copied, reported of, erased.
    pub journal: Arc<Journal>,
    /// Follows the journal at once where a promise goes out.
    pub guard: Option<Arc<Guard>>,
    /// The keys whose public halves a backup names.
    pub keys: Arc<KeyRing>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Whether the journal is known to be the newest.
    pub gate: Arc<Gate>,
    /// The way to the one writer.
    pub queue: IssueQueue,
    /// Counts what is erased.
    pub metrics: Arc<IssuerMetrics>,
    /// The chain's UTC offset.
    pub utc_offset_minutes: i32,
    /// Told when an erasure by age has begun.
    pub erasure_begun: Arc<Notify>,
    /// Reads the whole journal.
    pub checker: Arc<Checker>,
}

/// The issuer's end.
pub struct Control {
    listener: UnixListener,
    parts: ControlParts,
}

impl Control {
    /// Binds the socket of this journal. The journal is open, so no other process can serve it: a socket that is there is a
    /// dead process's.
    pub fn bind(parts: ControlParts) -> Result<Self> {
        let path = &parts.settings.control_socket;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("remove the old control_socket {}", path.display()));
            }
            _ => {}
        }
        let listener = UnixListener::bind(path).with_context(|| format!("bind control_socket {}", path.display()))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).context("protect control_socket")?;
        Ok(Self { listener, parts })
    }

    /// Serves until the token is cancelled.
    pub async fn serve(self, token: CancellationToken) -> io::Result<()> {
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "the operator's socket failed to accept");
                        tokio::time::sleep(REQUEST_TIMEOUT).await;
                        continue;
                    }
                },
                () = token.cancelled() => break,
            };
            tokio::select! {
                answered = self.answer(stream, &token) => {
                    if let Err(error) = answered {
                        tracing::info!(%error, "an operator's request was not answered");
                    }
                }
                () = token.cancelled() => break,
            }
        }
        // Remove the socket, so that the next command is told that no issuer runs, and not that it does not answer.
        let _ = std::fs::remove_file(&self.parts.settings.control_socket);
        Ok(())
    }

    async fn answer(&self, mut stream: UnixStream, token: &CancellationToken) -> io::Result<()> {
        let user = stream.peer_cred()?.uid();
        if user != 0 && user != rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        let mut line = String::new();
        let mut reader = BufReader::new((&mut stream).take(REQUEST_BYTES_MAX));
        tokio::time::timeout(REQUEST_TIMEOUT, reader.read_line(&mut line)).await??;
        if line == "check-journal\n" {
            tokio::spawn(check(stream, Arc::clone(&self.parts.checker), token.clone()));
            return Ok(());
        }
        let answer = match line.trim_end_matches('\n').split_once(' ') {
            Some(("backup", directory)) if Path::new(directory).is_absolute() => {
                self.back_up(PathBuf::from(directory)).await
            }
            Some(("segment-report", words)) => answer_of(self.parts.segment_report(words).await),
            Some(("erase-bodies", words)) => answer_of(self.parts.erase_bodies(words).await),
            Some(("erase-expired", words)) => answer_of(self.parts.erase_expired(words).await),
            Some(("erasure-progress", _)) => answer_of(self.parts.erasure_progress()),
            _ => "failed this program does not know the request; is it of another version?".to_owned(),
        };
        send(&mut stream, &answer).await
    }

    async fn back_up(&self, directory: PathBuf) -> String {
        let parts = self.parts.clone();
        let (journal, keys, settings, now) = (parts.journal, parts.keys, parts.settings, parts.clock.now());
        let made = tokio::task::spawn_blocking(move || back_up(&journal, &settings, &keys, now, &directory)).await;
        match made {
            Ok(Ok(copied)) => {
                tracing::info!(followed_height = copied.manifest.position.followed_height, "a backup was made");
                answer_of(judged(&copied))
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a backup failed");
                format!("failed {error}{}", who_writes(&error))
            }
            Err(error) => format!("failed {error}"),
        }
    }
}

async fn send(stream: &mut UnixStream, answer: &str) -> io::Result<()> {
    stream.write_all(answer.replace('\n', " ").as_bytes()).await?;
    stream.write_all(b"\n").await?;
    stream.shutdown().await
}

/// Checks the journal and answers; whoever asked may be gone by then.
async fn check(mut stream: UnixStream, checker: Arc<Checker>, token: CancellationToken) {
    let checked = tokio::task::spawn_blocking(move || checker.at_once(&token)).await;
    let answer = match checked {
        Ok(Ok(Some(findings))) => answer_of(verdict(&findings)),
        Ok(Ok(None)) => "failed the issuer was stopped before the journal was checked".to_owned(),
        Ok(Err(error)) => format!("failed {error}"),
        Err(error) => format!("failed {error}"),
    };
    let _ = send(&mut stream, &answer).await;
}

/// What a check comes to: an error if the journal is damaged.
fn verdict(findings: &Findings) -> Result<String> {
    if findings.is_sound() { Ok(said(findings)) } else { bail!("{}", said(findings)) }
}

/// What a backup comes to: an error if the journal is damaged, though the backup was made.
fn judged(copied: &Copied) -> Result<String> {
    let summary = summary(&copied.manifest);
    verdict(&copied.findings)
        .with_context(|| format!("the backup was made ({summary}), and is no better than the journal"))?;
    Ok(summary)
}

/// Whoever typed the command may write where this process may not.
fn who_writes(error: &BackupError) -> &'static str {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(next) = cause {
        match next.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) => {
                return ". The running issuer writes the copy itself, as its own user and where its unit lets it: below `ReadWritePaths`";
            }
            _ => cause = next.source(),
        }
    }
    ""
}

fn answer_of(result: Result<String>) -> String {
    match result {
        Ok(said) => format!("done {said}"),
        Err(error) => format!("failed {error:#}"),
    }
}

/// The running issuer of this config; `None` if none runs.
async fn connect(settings: &Settings) -> Result<Option<UnixStream>> {
    match UnixStream::connect(&settings.control_socket).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("ask the issuer at {}", settings.control_socket.display())),
    }
}

/// `tallystick-issuer backup`: asks the running issuer; if none runs, copies its journal itself.
pub async fn request_backup(settings: &Settings, directory: &Path) -> Result<String> {
    let directory = std::path::absolute(directory).context("resolve the directory")?;
    if let Some(stream) = connect(settings).await? {
        let path = directory.to_str().context("the directory's name is not UTF-8 text")?;
        return ask(stream, &format!("backup {path}")).await;
    }
    let journal = open_stopped(settings)?;
    let keys = secrets::open_keys(settings, &journal)?;
    judged(&back_up(&journal, settings, &keys, SystemClock.now(), &directory)?)
}

/// `tallystick-issuer check-journal`: by the running issuer; if none runs, of its journal. An error if it is damaged.
pub async fn request_check(settings: &Settings) -> Result<String> {
    if let Some(stream) = connect(settings).await? {
        return ask(stream, "check-journal").await;
    }
    let journal = open_stopped(settings)?;
    let keys = secrets::open_keys(settings, &journal)?;
    let inspector = ReceiptInspector::new(Arc::new(BodyCipher::new(&keys.master)));
    let findings = Pass::new(&journal, &inspector).run()?;
    if inspector.opened_none() {
        bail!("no body opens, though keys.master_key_file is the key of this journal: every one is damaged");
    }
    verdict(&findings)
}

fn open_stopped(settings: &Settings) -> Result<Journal> {
    let chain = load_chain(settings)?;
    let opened = tail::open(&settings.journal_dir, chain.identity, &settings.guard_file, StoreShare::SMALL);
    Ok(opened.context("open the stopped issuer's journal")?.0)
}

async fn ask(mut stream: UnixStream, request: &str) -> Result<String> {
    stream.write_all(format!("{request}\n").as_bytes()).await.context("ask the running issuer")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await.context("wait for the running issuer")?;
    match answer.trim_end().split_once(' ') {
        Some(("done", summary)) => Ok(summary.to_owned()),
        Some(("failed", problem)) => bail!("the running issuer says: {problem}"),
        _ => bail!("the running issuer ended before it answered; what was asked for may be half done: ask again"),
    }
}

/// One line about a backup.
pub fn summary(manifest: &Manifest) -> String {
    let position = &manifest.position;
    format!(
        "issuer {} of chain {}: epoch {}, next batch {}, followed to height {}",
        manifest.issuer_id, manifest.chain_id, position.epoch, position.next_sequence, position.followed_height
    )
}
