//! Machines that are set up as docs/ops/services.md says: a network's processes run as the page's unit has them, below a user of their own, and
//! `sudo -u tallystick` of a page changes to that user. What a page makes as root, the service then cannot read; where the unit does not let
//! it write, it cannot.
//!
//! ```text
//! NETWORK/         root's; read-only for the processes, but for what `ReadWritePaths` stands for
//!   programs/      the programs: their own directory may be one that only root enters
//!   as-user/       tallystick-node, tallystick-issuer as `sudo -u tallystick` runs them: what a test runs by itself
//!   units/         the same for each process as systemd starts it
//!   node-1/ …      stands for /var/lib/tallystick of its machine, the user's
//!   backups/       stands for /backups, the user's
//!   desk/          root's current directory
//! ```
//! This takes root, and mounts in a namespace of its own. Where a test has neither, one user does all, and the test says so.
//! Not here: `LimitNOFILE`, and what the programs do by themselves whatever started them (umask, core files: `service::hardening`).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tallystick_devnet::Network;
use tallystick_devnet::process::ManagedProcess;

use crate::repository::page;

/// The page that has the unit, and how a machine is set up.
pub const SERVICES: &str = "docs/ops/services.md";
/// The section with the commands of setting up.
pub const MACHINE: &str = "The machine";
/// What a page calls the user and group.
pub const OWNER: &str = "-o tallystick -g tallystick";
/// Below this directory lies everything of a process.
pub const STATE: &str = "/var/lib/tallystick";
/// What is to leave the machine.
pub const BACKUPS: &str = "/backups";
/// Options of the programs that name a file or directory.
const FILE_OPTIONS: &[&str] = &["--config", "--out", "--plan", "--to", "--from", "--proposal", "--new-key"];
/// What makes a file or directory, which is then whose command it was.
const MAKERS: &[&str] = &["mkdir", "tee", "touch", "install", ">", ">>"];
/// Stands for the user `tallystick`. No user of a machine has this number, and none is made.
const USER: u32 = 64_321;

/// Whether root can do what a start by systemd does: makes a directory read-only for one process, and changes the user, who can get there.
const PROBE: &str = r#"
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 1
! touch "$1/probe" 2>/dev/null || exit 1
exec setpriv --reuid="$2" --regid="$2" --clear-groups --no-new-privs test -x "$1"
"#;

/// `ProtectSystem=strict` for the network's directory, then the unit's paths, umask and user.
const START: &str = r#"
root=$1 user=$2 mask=$3; shift 3
mount --bind "$root" "$root"
while [ "$1" != -- ]; do mount --bind "$1" "$1"; shift; done
shift
mount -o remount,bind,ro "$root"
umask "$mask"
exec setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs -- "$@"
"#;

/// The page's unit, as far as it is kept here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// `User=`
    pub user: String,
    /// `ExecStart=`
    pub start: String,
    /// `UMask=`
    pub umask: String,
    /// `ReadWritePaths=`
    pub read_write_paths: Vec<String>,
}

impl Unit {
    /// Reads the unit of the page. It must close the machine to the process, or what is tested here would be of another machine.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(page(SERVICES)).context("read the page with the unit")?;
        let unit = text.split("```ini\n").nth(1).and_then(|rest| rest.split("```").next()).context("it has no unit")?;
        let value = |key: &str| {
            let found = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            found.map(str::to_owned).with_context(|| format!("the unit has no {key}"))
        };
        ensure!(value("ProtectSystem")? == "strict" && value("NoNewPrivileges")? == "yes", "the unit is open: {unit}");
        let paths = value("ReadWritePaths")?.split(' ').map(str::to_owned).collect();
        Ok(Self { user: value("User")?, start: value("ExecStart")?, umask: value("UMask")?, read_write_paths: paths })
    }
}

/// How a network's processes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Users {
    /// All is one user's: the test's.
    One,
    /// Root types, and the service's user does what follows `sudo -u tallystick`.
    RootAndService,
}

impl Users {
    /// What `sudo` is for a page's commands.
    pub(crate) fn sudo(&self) -> String {
        let change = match self {
            Self::One => String::new(),
            Self::RootAndService => as_user(),
        };
        format!("#!/bin/sh\n[ \"$1\" = -u ] && [ \"$2\" = tallystick ] || exit 1\nshift 2\nexec {change}\"$@\"\n")
    }

    /// What stands for [`OWNER`].
    pub(crate) fn owner(&self) -> String {
        match self {
            Self::One => String::new(),
            Self::RootAndService => format!("-o {USER} -g {USER}"),
        }
    }

    /// With what umask root types: the strictest, so that nothing is readable because root was careless.
    pub(crate) fn umask(&self) -> &'static str {
        match self {
            Self::One => "",
            Self::RootAndService => "umask 077\n",
        }
    }

    /// Gives files of a test to the service's user, as whoever brings them to the machine has to.
    pub(crate) fn hand_over(&self, path: &Path) -> Result<()> {
        if *self == Self::One {
            return Ok(());
        }
        let owner = format!("{USER}:{USER}");
        let status = Command::new("chown").args(["-R", &owner]).arg(path).status().context("run chown")?;
        ensure!(status.success(), "chown of {}: {status}", path.display());
        Ok(())
    }
}

fn as_user() -> String {
    format!("setpriv --reuid={USER} --regid={USER} --clear-groups -- ")
}

/// Why one user has to do all here.
fn hindrance(root: &Path) -> Option<String> {
    let user = USER.to_string();
    let mut probe = Command::new("unshare");
    probe.args(["--mount", "--propagation", "private", "sh", "-c", PROBE, "sh"]).arg(root).arg(user);
    match probe.output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Some(format!("mounting, or changing to a user who can enter {}: {}", root.display(), said.trim()))
        }
        Err(error) => Some(format!("unshare: {error}")),
    }
}

/// Has the processes of a network that was made, and not started, run as the page's unit says. Also where the programs are for everybody.
pub(crate) fn set_up(network: &mut Network) -> Result<(Users, PathBuf)> {
    let root = network.layout().root().to_owned();
    let own = network.binaries().node.parent().context("the programs have no directory")?.to_owned();
    let unit = Unit::read()?;
    fs::set_permissions(&root, Permissions::from_mode(0o711))?;
    if let Some(why) = hindrance(&root) {
        println!("NOT TESTED: that the service's user can do what the pages say; one user does all here. {why}");
        return Ok((Users::One, own));
    }
    // What everybody has, and what the configs of a network name outside of a machine's own directory.
    let layout = network.layout();
    for shared in [layout.genesis(), layout.trust(), layout.ca().cert, layout.directory()] {
        fs::set_permissions(&shared, Permissions::from_mode(0o644))?;
    }
    let programs = root.join("programs");
    carry_programs(&own, &programs)?;
    for program in ["tallystick-node", "tallystick-issuer"] {
        let script = format!("#!/bin/sh\nexec {}'{}' \"$@\"\n", as_user(), programs.join(program).display());
        write_script(&root.join("as-user").join(program), &script)?;
    }
    let ids = network.description().nodes.iter().map(|node| node.validator_id).collect::<Vec<_>>();
    for id in ids {
        let state = network.layout().node(id);
        start_as(network.node(id)?, &unit, &root, &state)?;
        Users::RootAndService.hand_over(&state)?;
    }
    let ids = network.description().issuers.iter().map(|issuer| issuer.issuer_id).collect::<Vec<_>>();
    for id in ids {
        let state = network.layout().issuer(id);
        start_as(network.issuer(id)?, &unit, &root, &state)?;
        Users::RootAndService.hand_over(&state)?;
    }
    let binaries = network.binaries_mut();
    binaries.node = root.join("as-user/tallystick-node");
    binaries.issuer = root.join("as-user/tallystick-issuer");
    Ok((Users::RootAndService, programs))
}

/// Where they lie may be closed to all but root. No copy where a link will do: they are large.
fn carry_programs(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with("tallystick-") && !name.contains('.') && path.is_file() {
            let there = to.join(name);
            fs::hard_link(&path, &there).or_else(|_| fs::copy(&path, &there).map(|_| ()))?;
        }
    }
    Ok(())
}

pub(crate) fn write_script(path: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(path.parent().context("a script lies in a directory")?)?;
    fs::write(path, text)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))?;
    Ok(())
}

/// Has a process start as systemd starts it. The user's and the machine's places are those that stand for them in the network.
fn start_as(process: &mut ManagedProcess, unit: &Unit, root: &Path, state: &Path) -> Result<()> {
    let name = process.spec().program.file_name().and_then(|name| name.to_str()).context("a program has a name")?;
    let program = root.join("programs").join(name);
    let mut paths = String::new();
    for path in &unit.read_write_paths {
        let place = if let Some(below) = path.strip_prefix(STATE) {
            format!("{}{below}", state.display())
        } else {
            format!("{}{path}", root.display())
        };
        paths.push_str(&format!("'{place}' "));
    }
    let start = root.join("units").join(&process.spec().name);
    let script = format!(
        "#!/bin/sh\nexec unshare --mount --propagation private sh -euc '{START}' sh '{}' {USER} {} {paths}-- '{}' \"$@\"\n",
        root.display(),
        unit.umask,
        program.display(),
    );
    write_script(&start, &script)?;
    process.spec_mut().program = start;
    Ok(())
}

/// The commands of a line, apart: what stands in quotes stays whole.
fn parts(text: &str) -> Vec<&str> {
    let (mut found, mut begun, mut quote) = (Vec::new(), 0, None);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '|' | '&' | ';') => {
                found.push(text[begun..at].trim());
                begun = at + 1;
            }
            _ => {}
        }
    }
    found.push(text[begun..].trim());
    found
}

/// Why the service could not do what a page has typed here, or could not read afterwards what root has made; `None` if it can.
#[must_use]
pub fn objection(command: &str, unit: &Unit) -> Option<String> {
    parts(command).into_iter().find_map(|part| objection_to_part(part, unit))
}

fn objection_to_part(part: &str, unit: &Unit) -> Option<String> {
    let is_written = |path: &str| unit.read_write_paths.iter().any(|root| Path::new(path).starts_with(root));
    let is_path = |word: &str| word.starts_with('/') && !word.starts_with("/dev/") && !word.contains(['\\', '^']);
    let words: Vec<&str> = part.split([' ', '"', '\'', '(', ')', ';']).filter(|word| !word.is_empty()).collect();
    let as_user = part.starts_with(&format!("sudo -u {} ", unit.user));
    for program in ["tallystick-node", "tallystick-issuer"] {
        let typed = words.windows(2).any(|pair| pair[0] == program && pair[1].starts_with(char::is_alphabetic));
        if typed && !as_user {
            return Some(format!("{program} is run by root, and what it makes is root's"));
        }
    }
    if as_user {
        if let Some(path) = words.iter().find(|word| is_path(word) && !is_written(word)) {
            return Some(format!("{path} lies outside of ReadWritePaths"));
        }
        let named = words.windows(2).find(|pair| {
            let is_file = FILE_OPTIONS.contains(&pair[0]) || pair[0].ends_with("passphrase-file");
            is_file && !pair[1].starts_with('/')
        });
        return named.map(|pair| format!("{} {} lies in root's directory", pair[0], pair[1]));
    }
    // What root puts into the user's directories must be the user's.
    let target = words.last().filter(|path| is_written(path))?;
    let keeps_owner = match words.first().copied() {
        Some("cp") => words.iter().any(|word| ["-p", "-a", "-aT"].contains(word)),
        Some("mv") => words.iter().filter(|word| is_path(word)).count() == 2,
        _ => part.contains(OWNER) || !MAKERS.iter().any(|maker| words.contains(maker)),
    };
    (!keeps_owner).then(|| format!("root makes {target}, and it is not the service's user's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_makes_for_the_service_is_objected_to() {
        let unit = Unit {
            user: "tallystick".to_owned(),
            start: String::new(),
            umask: "0077".to_owned(),
            read_write_paths: vec![STATE.to_owned(), BACKUPS.to_owned()],
        };
        let objected = |command: &str| objection(command, &unit).is_some();
        for bad in [
            "tallystick-issuer erase-bodies --config /var/lib/tallystick/issuer.toml --rewrite-list",
            "sudo -u tallystick tallystick-node keygen --config /etc/tallystick/node.toml",
            "sudo -u tallystick tallystick-node export --config /var/lib/tallystick/node.toml --out ledger.tallyledger",
            "sudo -u tallystick tallystick-issuer recover --config /var/lib/tallystick/issuer.toml --plan fence.gov",
            "grep -q x node.toml || printf '%s\\n' '[x]' | sudo -u tallystick tee -a /etc/tallystick/node.toml",
            "sudo -u tallystick tallystick-issuer backup --config /var/lib/tallystick/issuer.toml --to /backups-2/issuer",
            "mkdir -p /backups",
            "mv node.key.new /var/lib/tallystick/tls/node.key",
            "cp /backups/credentials/*.credential /var/lib/tallystick/credentials/",
            "install -m 600 genesis.bin /var/lib/tallystick/genesis.bin",
            "head -c 32 /dev/urandom > /var/lib/tallystick/source.secret",
        ] {
            assert!(objected(bad), "{bad}");
        }
        for good in [
            "sudo -u tallystick tallystick-node keygen --config /var/lib/tallystick/node.toml",
            "install -o tallystick -g tallystick -m 600 genesis.bin /var/lib/tallystick/genesis.bin",
            "mv -T --backup=numbered /var/lib/tallystick/data /var/lib/tallystick/data.lost",
            "cp -aT /backups/node-data /var/lib/tallystick/data",
            "rm -r /var/lib/tallystick/journal.damaged-1",
            "sudo -u tallystick sed -i -e '/^\\[x\\]$/,$d' /var/lib/tallystick/node.toml",
            "sudo -u tallystick sh -c 'umask 077; head -c 32 /dev/urandom > /var/lib/tallystick/source.secret'",
            "systemctl stop tallystick-node",
            "tallystick-verifier audit --genesis genesis.bin --export ledger.tallyledger",
        ] {
            assert!(!objected(good), "{good}");
        }
    }
}
