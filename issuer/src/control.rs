//! The operator's socket: what only the process that holds the journal can do, asked for by `tallystick-issuer backup`.
//!
//! ```text
//! operator ─▶ "backup /absolute/directory\n"        issuer ─▶ "done …\n" | "failed …\n"
//! ```
//! A Unix socket beside the journal; only the issuer's own user and root are served. One request per connection, one at a time.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tallystick_service::clock::{Clock, SystemClock};
use tallystick_service::shutdown::CancellationToken;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::app::load_chain;
use crate::backup::{Manifest, back_up};
use crate::config::Settings;
use crate::journal::Journal;
use crate::keys::KeyRing;

/// A request is a word and a path.
const REQUEST_BYTES_MAX: u64 = 8 * 1024;
/// For the request to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// The issuer's end.
pub struct Control {
    listener: UnixListener,
    settings: Arc<Settings>,
    journal: Arc<Journal>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
}

impl Control {
    /// Binds the socket of this journal. The journal is open, so no other process can serve it: a socket that is there is a
    /// dead process's.
    pub fn bind(
        settings: &Settings,
        journal: &Arc<Journal>,
        keys: &Arc<KeyRing>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let path = &settings.control_socket;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("remove the old control_socket {}", path.display()));
            }
            _ => {}
        }
        let listener = UnixListener::bind(path).with_context(|| format!("bind control_socket {}", path.display()))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).context("protect control_socket")?;
        Ok(Self {
            listener,
            settings: Arc::new(settings.clone()),
            journal: Arc::clone(journal),
            keys: Arc::clone(keys),
            clock: Arc::clone(clock),
        })
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
                answered = self.answer(stream) => {
                    if let Err(error) = answered {
                        tracing::info!(%error, "an operator's request was not answered");
                    }
                }
                () = token.cancelled() => break,
            }
        }
        // Whoever comes next finds nobody, not a socket without a listener.
        let _ = std::fs::remove_file(&self.settings.control_socket);
        Ok(())
    }

    async fn answer(&self, mut stream: UnixStream) -> io::Result<()> {
        let user = stream.peer_cred()?.uid();
        if user != 0 && user != rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        let mut line = String::new();
        let mut reader = BufReader::new((&mut stream).take(REQUEST_BYTES_MAX));
        tokio::time::timeout(REQUEST_TIMEOUT, reader.read_line(&mut line)).await??;
        let answer = match line.trim_end_matches('\n').split_once(' ') {
            Some(("backup", directory)) if Path::new(directory).is_absolute() => {
                self.back_up(PathBuf::from(directory)).await
            }
            _ => "failed the request is not `backup /absolute/directory`".to_owned(),
        };
        stream.write_all(answer.replace('\n', " ").as_bytes()).await?;
        stream.write_all(b"\n").await?;
        stream.shutdown().await
    }

    async fn back_up(&self, directory: PathBuf) -> String {
        let (journal, keys) = (Arc::clone(&self.journal), Arc::clone(&self.keys));
        let (settings, now) = (Arc::clone(&self.settings), self.clock.now());
        let made = tokio::task::spawn_blocking(move || back_up(&journal, &settings, &keys, now, &directory)).await;
        match made {
            Ok(Ok(manifest)) => {
                tracing::info!(followed_height = manifest.position.followed_height, "a backup was made");
                format!("done {}", summary(&manifest))
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a backup failed");
                format!("failed {error}")
            }
            Err(error) => format!("failed {error}"),
        }
    }
}

/// `tallystick-issuer backup`: asks the running issuer; if none runs, copies its journal itself.
pub async fn request_backup(settings: &Settings, directory: &Path) -> Result<String> {
    let directory = std::path::absolute(directory).context("resolve the directory")?;
    match UnixStream::connect(&settings.control_socket).await {
        Ok(stream) => ask(stream, &directory).await,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            let chain = load_chain(settings)?;
            let journal =
                Journal::open(&settings.journal_dir, chain.identity).context("open the stopped issuer's journal")?;
            let keys = KeyRing::open(settings, chain.genesis.suite).context("open the keys")?;
            let manifest = back_up(&journal, settings, &keys, SystemClock.now(), &directory)?;
            Ok(summary(&manifest))
        }
        Err(error) => Err(error).with_context(|| format!("ask the issuer at {}", settings.control_socket.display())),
    }
}

async fn ask(mut stream: UnixStream, directory: &Path) -> Result<String> {
    let path = directory.to_str().context("the directory's name is not UTF-8 text")?;
    stream.write_all(format!("backup {path}\n").as_bytes()).await.context("ask the running issuer")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await.context("wait for the running issuer")?;
    match answer.trim_end().split_once(' ') {
        Some(("done", summary)) => Ok(summary.to_owned()),
        Some(("failed", problem)) => bail!("the running issuer says: {problem}"),
        _ => bail!("the running issuer ended before the backup did; the backup is not usable"),
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
