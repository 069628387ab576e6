//! Python with the packages that a `requirements.txt` names. What `pip` installs is kept in the target directory, by the file's hash, so that
//! later runs find it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use receipt_core::hash::sha256;
use tokio::process::Command;
use tokio::sync::Mutex;

/// Two tests do not install the same packages at once.
static INSTALLING: Mutex<()> = Mutex::const_new(());

/// An interpreter with packages, the directory in which it runs, and what it is told besides arguments.
pub struct Python {
    directory: PathBuf,
    interpreter: PathBuf,
    variables: Vec<(&'static str, OsString)>,
}

impl Python {
    /// Installs what `requirements.txt` in `directory` names, unless it is there. `programs` is the directory of this build's programs.
    pub async fn install(programs: &Path, directory: &Path) -> Result<Self> {
        let _turn = INSTALLING.lock().await;
        let requirements = std::fs::read(directory.join("requirements.txt")).context("read requirements.txt")?;
        let hash = sha256(&[&requirements]).to_string();
        let out = programs.parent().context("the programs lie in no directory")?;
        let venv = out.join("python").join(&hash[..16]);
        let interpreter = venv.join("bin/python");
        let python = Self { directory: directory.to_owned(), interpreter, variables: Vec::new() };
        let venv = venv.to_str().context("the target directory's path is not text")?;
        python.start(Path::new("python3"), &["-m", "venv", venv]).await?;
        let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
        python.run(&arguments).await?;
        Ok(python)
    }

    /// The same with a variable in its environment.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Runs to the end; what it writes to standard output. An error has what it said on standard error.
    pub async fn run(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        self.start(&self.interpreter, arguments).await
    }

    async fn start(&self, program: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.directory).env("PYTHONDONTWRITEBYTECODE", "1");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.with_context(|| format!("run {}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} {arguments:?}: {said}", program.display());
        Ok(output.stdout)
    }
}
