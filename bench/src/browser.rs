//! A Chromium that this program drives itself, through the pipe of its DevTools protocol: JSON messages, each ended by a zero byte.
//!
//! ```text
//! this program ──▶ file 3 ─┐
//!                          Chromium, headless, a profile of its own
//! this program ◀── file 4 ─┘
//! ```
//! Not here: what is measured.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// The shell only moves its own input and output to the files that Chromium speaks through.
const MOVED: &str = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A running browser; dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    calls: u64,
}

/// One page in a context of its own: no cache and no storage of another's.
#[derive(Debug)]
pub struct Tab {
    context: String,
    session: String,
}

impl Browser {
    /// Starts one with a new profile in `profile`.
    ///
    /// # Errors
    /// No Chromium is installed, or it does not start.
    pub async fn start(profile: &Path) -> Result<Self> {
        let program = program().context("no Chromium is installed: apt-get install chromium")?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(MOVED).arg(program).arg("--remote-debugging-pipe").args(["--headless", "--disable-gpu"]);
        // Its own sandbox does not start as root in a container; the pages opened here are ours.
        command.args(["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-extensions"]);
        let mut data = std::ffi::OsString::from("--user-data-dir=");
        data.push(profile);
        command.arg(data).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().context("start Chromium")?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (input, output) = (input.context("no pipe to Chromium")?, output.context("no pipe from Chromium")?);
        Ok(Self { child, input, output: BufReader::new(output), calls: 0 })
    }

    /// What it calls itself, with its version.
    pub async fn version(&mut self) -> Result<String> {
        let answer = self.call("Browser.getVersion", json!({}), None).await?;
        text(&answer, "product")
    }

    /// An empty page whose processor is slowed down by `slowdown`.
    pub async fn open(&mut self, slowdown: u32) -> Result<Tab> {
        let context = text(&self.call("Target.createBrowserContext", json!({}), None).await?, "browserContextId")?;
        let target = json!({ "url": "about:blank", "browserContextId": context, "width": 360, "height": 640 });
        let target = text(&self.call("Target.createTarget", target, None).await?, "targetId")?;
        let attach = json!({ "targetId": target, "flatten": true });
        let session = text(&self.call("Target.attachToTarget", attach, None).await?, "sessionId")?;
        let tab = Tab { context, session };
        self.call("Page.enable", json!({}), Some(&tab)).await?;
        self.call("Emulation.setCPUThrottlingRate", json!({ "rate": slowdown }), Some(&tab)).await?;
        Ok(tab)
    }

    /// Opens an address, with a script that runs before those of the page.
    pub async fn visit(&mut self, tab: &Tab, address: &str, script: &str) -> Result<()> {
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }), Some(tab)).await?;
        let answer = self.call("Page.navigate", json!({ "url": address }), Some(tab)).await?;
        match answer.get("errorText") {
            Some(problem) => bail!("{address} does not open: {problem}"),
            None => Ok(()),
        }
    }

    /// The value of an expression in the page; of a promise, what it comes to.
    pub async fn value(&mut self, tab: &Tab, expression: &str) -> Result<Value> {
        let question = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", question, Some(tab)).await?;
        if let Some(problem) = answer.get("exceptionDetails") {
            bail!("the page has failed at {expression}: {problem}");
        }
        Ok(answer.pointer("/result/value").cloned().unwrap_or(Value::Null))
    }

    /// Closes a page, and forgets what it kept.
    pub async fn close(&mut self, tab: Tab) -> Result<()> {
        self.call("Target.disposeBrowserContext", json!({ "browserContextId": tab.context }), None).await?;
        Ok(())
    }

    /// Ends the browser, and waits for it.
    pub async fn stop(mut self) -> Result<()> {
        self.call("Browser.close", json!({}), None).await?;
        timeout(ANSWER_WITHIN, self.child.wait())
            .await
            .context("Chromium does not end")?
            .context("wait for Chromium")?;
        Ok(())
    }

    async fn call(&mut self, method: &str, parameters: Value, tab: Option<&Tab>) -> Result<Value> {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(tab) = tab {
            message["sessionId"] = tab.session.clone().into();
        }
        let answered = timeout(ANSWER_WITHIN, self.exchange(id, message)).await;
        let answer = answered.with_context(|| format!("Chromium does not answer {method}"))??;
        match answer.get("error") {
            Some(problem) => bail!("Chromium refuses {method}: {problem}"),
            None => Ok(answer.get("result").cloned().unwrap_or(Value::Null)),
        }
    }

    /// Sends a message, and reads on to its answer: what else comes is news that nobody asked for.
    async fn exchange(&mut self, id: u64, message: Value) -> Result<Value> {
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).await.context("write to Chromium")?;
        loop {
            let mut bytes = Vec::new();
            self.output.read_until(0, &mut bytes).await.context("read from Chromium")?;
            if bytes.pop() != Some(0) {
                bail!("Chromium has ended");
            }
            let answer: Value = serde_json::from_slice(&bytes).context("read what Chromium says")?;
            if answer.get("id").and_then(Value::as_u64) == Some(id) {
                return Ok(answer);
            }
        }
    }
}

fn text(answer: &Value, name: &str) -> Result<String> {
    let text = answer.get(name).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("Chromium's answer has no {name}"))
}

fn program() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let all = |name: &str| std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    PROGRAMS.into_iter().find_map(all)
}

/// Microseconds, as a script of ours gives them.
pub(crate) fn durations(measured: &Value, name: &str) -> Result<Vec<Duration>> {
    let list = measured.get(name).and_then(Value::as_array).with_context(|| format!("no {name} was measured"))?;
    let duration = |value: &Value| value.as_u64().map(Duration::from_micros).context("a time is no number");
    list.iter().map(duration).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_what_the_page_measured() {
        let measured = json!({ "cold": [1500], "warm": [2, 3] });
        assert_eq!(durations(&measured, "cold").unwrap(), [Duration::from_micros(1500)]);
        assert_eq!(durations(&measured, "warm").unwrap().len(), 2);
        assert!(durations(&measured, "none").is_err() && durations(&json!({ "cold": [1.5] }), "cold").is_err());
    }
}
