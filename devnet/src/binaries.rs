//! Where the programs are: beside this one, or where `TALLYSTICK_BIN_DIR` says.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

/// Names the directory of the programs, if they are not beside this one.
pub const BIN_DIR_VARIABLE: &str = "TALLYSTICK_BIN_DIR";

/// Paths of the programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// `tallystick-node`.
    pub node: PathBuf,
    /// `tallystick-issuer`.
    pub issuer: PathBuf,
    /// `tallystick-verifier`.
    pub verifier: PathBuf,
    /// `tallystick-authority`.
    pub authority: PathBuf,
}

impl Binaries {
    /// Looks in the directory of this program (for a test: of its target directory), or in [`BIN_DIR_VARIABLE`].
    pub fn locate() -> Result<Self> {
        let directory = match std::env::var_os(BIN_DIR_VARIABLE) {
            Some(directory) => PathBuf::from(directory),
            None => directory_of_this_program()?,
        };
        let find = |name: &str| found(directory.join(name));
        Ok(Self {
            node: find("tallystick-node")?,
            issuer: find("tallystick-issuer")?,
            verifier: find("tallystick-verifier")?,
            authority: find("tallystick-authority")?,
        })
    }
}

impl Binaries {
    /// Another program of the same directory, such as `tallystick-portal`: not every network runs it.
    pub fn beside(&self, name: &str) -> Result<PathBuf> {
        found(self.node.with_file_name(name))
    }

    /// The verifier as WebAssembly, which `make wasm` builds in the same target directory.
    pub fn module(&self) -> Result<PathBuf> {
        let target = self.node.parent().and_then(|directory| directory.parent()).context("the programs' directory")?;
        let module = target.join("wasm32-unknown-unknown/page/tallystick_page_wasm.wasm");
        if !module.is_file() {
            bail!("{} is missing; build it with `make wasm`", module.display());
        }
        Ok(module)
    }
}

fn found(path: PathBuf) -> Result<PathBuf> {
    if !path.is_file() {
        bail!("{} is missing; build it with `cargo build --release --workspace`", path.display());
    }
    Ok(path)
}

fn directory_of_this_program() -> Result<PathBuf> {
    let program = std::env::current_exe().context("find this program")?;
    let mut directory = program.parent().context("find this program's directory")?;
    // Test programs lie one level deeper than the programs that they test.
    if directory.ends_with("deps") {
        directory = directory.parent().context("find the target directory")?;
    }
    Ok(directory.to_owned())
}
