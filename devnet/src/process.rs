//! Child processes: started, watched until ready, signalled, stopped, started again.
//!
//! A child's standard output and error are appended to its log file. A child is killed when its handle is dropped. It
//! runs in a process group of its own, so that Ctrl-C at the terminal reaches the launcher alone, which then stops
//! everything in order.
//!
//! Not here: what the processes are told; that stands in their config files.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::ports::HeldPorts;

/// How long a process may take to be ready, on a loaded two-core machine.
pub const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a process may take to drain after SIGTERM.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const LOG_TAIL_LINES: usize = 20;

/// How to start a process.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// Its name in messages and in the log directory.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables added to the environment.
    pub environment: Vec<(String, String)>,
    /// The file its standard output and error are appended to.
    pub log: PathBuf,
    /// Where it answers `GET /readyz`.
    pub metrics: SocketAddr,
}

/// A process that can be started, killed and started again.
#[derive(Debug)]
pub struct ManagedProcess {
    spec: ProcessSpec,
    held_ports: HeldPorts,
    child: Option<Child>,
}

impl ManagedProcess {
    /// Not started yet; `held_ports` are released when it is.
    pub fn new(spec: ProcessSpec, held_ports: HeldPorts) -> Self {
        Self { spec, held_ports, child: None }
    }

    /// Program, arguments and files of the process.
    pub fn spec(&self) -> &ProcessSpec {
        &self.spec
    }

    /// How it will be started next, to be changed: other arguments, another environment.
    pub fn spec_mut(&mut self) -> &mut ProcessSpec {
        &mut self.spec
    }

    /// Starts it. Does not wait until it is ready.
    pub fn start(&mut self) -> Result<()> {
        if self.is_running() {
            bail!("{} runs already", self.spec.name);
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.spec.log);
        let log = log.with_context(|| format!("open {}", self.spec.log.display()))?;
        let errors = log.try_clone().context("share the log file")?;
        self.held_ports.release();
        let child = Command::new(&self.spec.program)
            .args(&self.spec.arguments)
            .envs(self.spec.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {} ({})", self.spec.name, self.spec.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until `GET /readyz` answers 200. Fails after [`READY_TIMEOUT`], or at once if the process ends.
    pub async fn wait_ready(&mut self) -> Result<()> {
        self.wait_ready_within(READY_TIMEOUT).await
    }

    /// As [`Self::wait_ready`], with another bound.
    pub async fn wait_ready_within(&mut self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.exited()? {
                bail!("{} ended with {status} before it was ready; its log ends:\n{}", self.spec.name, self.log_tail());
            }
            match tokio::time::timeout(PROBE_TIMEOUT, http_get(self.spec.metrics, "/readyz")).await {
                Ok(Ok((200, _))) => return Ok(()),
                _ if Instant::now() >= deadline => {
                    bail!("{} is not ready after {timeout:?}; its log ends:\n{}", self.spec.name, self.log_tail())
                }
                _ => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Whether it was started and has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// How it ended, if it was started and has ended.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => child.try_wait().with_context(|| format!("look after {}", self.spec.name)),
            None => bail!("{} was not started", self.spec.name),
        }
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// SIGKILL, and waits for the end.
    pub async fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill().await.with_context(|| format!("kill {}", self.spec.name))
    }

    /// SIGKILL, and waits for the end on this thread: for who has no runtime to wait in.
    pub fn end(&mut self) {
        let Some(child) = self.child.take() else { return };
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { return };
        // It may have ended by itself: then there is nothing to kill, and nothing to wait for. The runtime reaps it.
        let _ = kill_process(pid, Signal::KILL);
        let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    }

    /// SIGTERM, and waits until it has drained and ended. Kills it after [`STOP_TIMEOUT`], which is an error.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait_exit(STOP_TIMEOUT).await
    }

    /// Waits for its end. Kills it after `timeout`, which is an error.
    pub async fn wait_exit(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let name = self.spec.name.clone();
        let mut child = self.child.take().ok_or_else(|| anyhow!("{name} was not started"))?;
        match tokio::time::timeout(timeout, child.wait()).await {
            Ok(status) => status.with_context(|| format!("wait for {name}")),
            Err(_) => {
                child.kill().await.with_context(|| format!("kill {name}"))?;
                bail!("{name} had not ended after {timeout:?} and was killed; its log ends:\n{}", self.log_tail())
            }
        }
    }

    /// SIGSTOP: it stands still, and its connections stay open.
    pub fn pause(&mut self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: it goes on.
    pub fn resume(&mut self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// SIGHUP: it reads its TLS files again.
    pub fn hang_up(&mut self) -> Result<()> {
        self.signal(Signal::HUP)
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let bytes = std::fs::read(&self.spec.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        let name = &self.spec.name;
        // A child that was not waited for keeps its pid, so the signal cannot reach a stranger.
        let pid = self.child.as_ref().and_then(Child::id).and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw).ok_or_else(|| anyhow!("{name} does not run"))?;
        kill_process(pid, signal).with_context(|| format!("send {signal:?} to {name}"))
    }
}

/// A minimal HTTP/1.1 GET: status and body. Bodies of unknown length end with the connection.
pub async fn http_get(address: SocketAddr, path: &str) -> Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.context("send the request")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.context("read the answer")?;
    let split = answer.windows(4).position(|window| window == b"\r\n\r\n").context("the answer has no header")?;
    let head = std::str::from_utf8(&answer[..split]).context("the header is not text")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("the answer has no status")?;
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        bail!("{path} answers in chunks, which this client does not read");
    }
    Ok((status, answer[split + 4..].to_vec()))
}
