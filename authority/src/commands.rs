//! The commands: files in, the library's work, words and files out. Of directories of units: `directory`.

mod directory;

use std::io::{BufRead as _, Read as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use receipt_core::governance::SignedGovernance;
use receipt_core::ids::Height;
use receipt_core::limits::TRUST_BYTES_MAX;
use receipt_core::registered_at::RegisteredAt;
use receipt_core::trust::TrustFile;
use tallystick_authority::actions::AreaAuthoritiesText;
use tallystick_authority::drafting::{Draft, Position, propose_beside, propose_message};
use tallystick_authority::nodes::Nodes;
use tallystick_authority::proposal::PROPOSAL_BYTES_MAX;
use tallystick_authority::quorums::meaning;
use tallystick_authority::registry::{self, Reading, Registry};
use tallystick_authority::show::shown;
use tallystick_authority::starts::warnings;
use tallystick_authority::submit::{Fate, Judge, Wanted, fate, offer};
use tallystick_authority::trial::Verdict;
use tallystick_authority::{Chain, Proposal, epochs, genesis, keys, succession};
use tallystick_service::clock::{Clock as _, SystemClock};
use tallystick_service::config::{Loaded, load};
use tallystick_service::durable::{self, FileMode};
use tallystick_service::exit::Exit;
use tallystick_service::report::Stamped;
use tallystick_service::rng::OsEntropy;
use tallystick_service::terminal::{self, ask, out_page};
use tallystick_service::{errln, outln, outpage};

use crate::cli::{
    ChainArguments, Command, FileArguments, MergeArguments, NodeArguments, ProposeArguments, RegistryArguments,
    SignArguments, StatusArguments, SubmitArguments, TryArguments,
};

/// Digits of the digest that a person types.
const TYPED_DIGITS: usize = 8;
/// What a person types is shorter.
const ANSWER_BYTES_MAX: u64 = 1024;

/// A file of a registry above this is not read.
const REGISTRY_FILE_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Version of the document that `registry --json` prints.
const REGISTRY_FORMAT_VERSION: u32 = 1;

/// Runs a command to its end.
pub(crate) fn run(command: &Command) -> Result<Exit> {
    match command {
        Command::Keygen { out, passphrase_file } => {
            let public = keys::keygen(out, passphrase_file, &OsEntropy)?;
            errln!("made {}; keep it and its passphrase apart, and a sealed copy of each", out.display());
            outln!("{}", hex::encode(public.0));
        }
        Command::ChangePassphrase(change) => change.run()?,
        Command::Genesis { description, out } => {
            let made = genesis::make(description)?;
            for path in made.write(out)? {
                errln!("wrote {}", path.display());
            }
            outpage!("{}", made.summary());
        }
        Command::Propose(arguments) => propose(arguments)?,
        Command::Show(arguments) => {
            let (governed, proposal) = read(arguments)?;
            outpage!("{}", presented(&proposal, &governed));
        }
        Command::Sign(arguments) => sign(arguments)?,
        Command::Merge(arguments) => merge(arguments)?,
        Command::Credentials { file, out } => write_credentials(file, out)?,
        Command::Submit(arguments) => return in_runtime(submit(arguments)),
        Command::Registry(arguments) => in_runtime(show_registry(arguments))?,
        Command::Try(arguments) => return in_runtime(tried(arguments)),
        Command::Directory(command) => directory::run(command)?,
        Command::Status(arguments) => return in_runtime(status(arguments)),
    }
    Ok(Exit::Good)
}

fn in_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.context("start the runtime")?.block_on(work)
}

fn read_proposal(path: &Path, chain: &Chain) -> Result<Proposal> {
    let bytes = durable::read(path, PROPOSAL_BYTES_MAX)?;
    Proposal::read(&bytes, chain).map_err(|error| anyhow!("proposal {}: {error}", path.display()))
}

/// The chain, and the trust file by which it is known.
struct Governed {
    chain: Chain,
    trust: TrustFile,
    /// Whether the trust file was given, not made from genesis.
    is_given: bool,
}

fn governed(arguments: &ChainArguments) -> Result<Governed> {
    let governed = load_chain(arguments)?;
    let Some(path) = &arguments.area_authorities else { return Ok(governed) };
    let named: Loaded<AreaAuthoritiesText> = load(path)?;
    let chain = named.value.change().map_err(|problem| anyhow!("{}: {problem}", path.display()))?;
    let chain = governed.chain.of_area(chain).with_context(|| format!("{}", path.display()))?;
    Ok(Governed { chain, ..governed })
}

/// The same under the chain's own authorities, who alone sign what is no governance message.
fn of_the_chain(arguments: &ChainArguments) -> Result<Governed> {
    ensure!(
        arguments.area_authorities.is_none(),
        "the chain's own authorities sign this; leave `--area-authorities` out"
    );
    load_chain(arguments)
}

fn load_chain(arguments: &ChainArguments) -> Result<Governed> {
    let chain = Chain::load(&arguments.genesis)?;
    let Some(path) = &arguments.trust else {
        let trust = TrustFile::from_genesis(&chain.genesis).context("make the trust file")?;
        return Ok(Governed { chain, trust, is_given: false });
    };
    let bytes = durable::read(path, TRUST_BYTES_MAX)?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()))?;
    let trust = TrustFile::parse(&text).with_context(|| format!("{} is no trust file", path.display()))?;
    let chain = chain.under(&trust).with_context(|| format!("{}", path.display()))?;
    Ok(Governed { chain, trust, is_given: true })
}

fn read(arguments: &FileArguments) -> Result<(Governed, Proposal)> {
    let governed = governed(&arguments.chain)?;
    let proposal = read_proposal(&arguments.file, &governed.chain)?;
    Ok((governed, proposal))
}

fn write_new(path: &Path, proposal: &Proposal, chain: &Chain) -> Result<()> {
    ensure!(!path.exists(), "{} exists; give `--out` another name, nothing is replaced", path.display());
    Ok(durable::create(path, proposal.to_text(chain).as_bytes(), FileMode::Shared)?)
}

fn nodes(chain: &Chain, arguments: &NodeArguments) -> Result<Nodes> {
    let tls = arguments.tls().context("no node was named; give `--node HOST:PORT` and the three `--tls` files")?;
    if !chain.validators.by_trust_file {
        errln!(
            "no `--trust` was given: the validators that count are those of genesis; if they were replaced since, give it"
        );
    }
    Nodes::new(chain, &arguments.node, tls)
}

/// The proposal in words, what it means for authorities and validators, and what of it is unusual.
fn presented(proposal: &Proposal, governed: &Governed) -> String {
    let Governed { chain, trust, is_given } = governed;
    let warnings = warnings(proposal, chain.genesis.utc_offset_minutes, SystemClock.now());
    let of_authorities = succession::meaning(proposal, chain);
    let of_validators = meaning(proposal, trust, *is_given);
    shown(proposal, chain) + &of_authorities + &of_validators + &epochs::meaning(proposal) + &warnings
}

fn propose(arguments: &ProposeArguments) -> Result<()> {
    let governed = governed(&arguments.chain)?;
    let chain = &governed.chain;
    let proposal = match (&arguments.message, &arguments.description, &arguments.same_message_as) {
        (Some(message), ..) => propose_message(message, chain)?,
        (None, Some(description), Some(first)) => propose_beside(description, chain, &read_proposal(first, chain)?)?,
        (None, Some(description), None) => {
            let draft = Draft::read(description, chain)?;
            let position = if draft.has_actions() { position(arguments, chain)? } else { None };
            draft.propose(chain, position).with_context(|| format!("description {}", description.display()))?
        }
        (None, None, _) => bail!("give `--description` or `--message`"),
    };
    write_new(&arguments.out, &proposal, chain)?;
    outpage!("{}", presented(&proposal, &governed));
    errln!("wrote {}; `try` it, then have {} of the authorities sign it", arguments.out.display(), chain.threshold());
    Ok(())
}

fn position(arguments: &ProposeArguments, chain: &Chain) -> Result<Option<Position>> {
    let by_hand = (arguments.sequence, arguments.previous, arguments.expiry_height);
    if let (Some(sequence), Some(previous), Some(expiry)) = by_hand {
        return Ok(Some(Position { sequence, previous, expiry: Height::new(expiry), look_from_height: 0 }));
    }
    if arguments.node.node.is_empty() {
        return Ok(None);
    }
    in_runtime(async {
        let nodes = nodes(chain, &arguments.node)?;
        let tip = match chain.area {
            None => nodes.governance_tip(chain).await?,
            Some(area) => nodes.area_tip(chain, area, SystemClock.now()).await?,
        };
        let end = || anyhow!("the chain has no numbers left");
        let sequence = tip.sequence.checked_add(1).ok_or_else(end)?;
        let expiry = Height::new(tip.height.checked_add(arguments.valid_blocks).ok_or_else(end)?);
        let (previous, look_from_height) = (tip.id, tip.height);
        Ok(Some(Position { sequence, previous, expiry, look_from_height }))
    })
}

fn sign(arguments: &SignArguments) -> Result<()> {
    let (governed, mut proposal) = read(&arguments.file)?;
    // An error here ends the command: nobody signs what was not shown to them.
    out_page(&presented(&proposal, &governed)).context("show the proposal")?;
    let chain = governed.chain;
    let digest = proposal.digest(&chain).to_string();
    agree(arguments.digest.as_deref(), &digest)?;
    let key = keys::open(&arguments.key, &arguments.passphrase_file)?;
    let authority =
        proposal.sign(&chain, &key).map_err(|error| anyhow!("proposal {}: {error}", arguments.file.file.display()))?;
    let to = match &arguments.out {
        Some(out) => {
            write_new(out, &proposal, &chain)?;
            out
        }
        None => {
            durable::write(&arguments.file.file, proposal.to_text(&chain).as_bytes(), FileMode::Shared)?;
            &arguments.file.file
        }
    };
    errln!("signed as authority {authority} into {}: {}", to.display(), proposal.count(&chain));
    Ok(())
}

/// Whoever signs says what they read: its digest, or the first digits of it, typed.
fn agree(given: Option<&str>, digest: &str) -> Result<()> {
    match given {
        Some(given) => ensure!(
            given == digest,
            "the file is not what was shown: `--digest` is {given}, the file's is {digest}. Run `show`, and read it again"
        ),
        None => {
            ask(&format!("\nTo sign this, type the first {TYPED_DIGITS} digits of the digest: "));
            let mut line = String::new();
            std::io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut line).context("read the answer")?;
            ensure!(line.trim() == &digest[..TYPED_DIGITS], "nothing was signed: these are not its first digits");
        }
    }
    Ok(())
}

fn merge(arguments: &MergeArguments) -> Result<()> {
    let MergeArguments { files, chain, out } = arguments;
    let chain = governed(chain)?.chain;
    let (first, others) = files.split_first().context("no file was given")?;
    let mut merged = read_proposal(first, &chain)?;
    for path in others {
        let other = read_proposal(path, &chain)?;
        merged.absorb(&chain, other).map_err(|error| anyhow!("proposal {}: {error}", path.display()))?;
    }
    write_new(out, &merged, &chain)?;
    errln!("wrote {}: {}", out.display(), merged.count(&chain));
    Ok(())
}

fn write_credentials(arguments: &FileArguments, out: &Path) -> Result<()> {
    let (Governed { chain, .. }, proposal) = read(arguments)?;
    let signed = proposal.signed_credentials(&chain);
    let signed = signed.map_err(|error| anyhow!("proposal {}: {error}", arguments.file.display()))?;
    ensure!(!signed.is_empty(), "proposal {} has no credentials", arguments.file.display());
    durable::private_directory(out)?;
    for credential in signed {
        let path = out.join(format!("{}.credential", credential.credential.signing_key));
        ensure!(!path.exists(), "{} exists; move it away if this one shall take its place", path.display());
        durable::create(&path, &credential.encode(), FileMode::Shared)?;
        outln!("wrote {}", path.display());
    }
    Ok(())
}

async fn submit(arguments: &SubmitArguments) -> Result<Exit> {
    let (Governed { chain, trust, .. }, proposal) = read(&arguments.file)?;
    let path = arguments.file.file.display();
    let signed = proposal.signed_governance(&chain).map_err(|error| anyhow!("proposal {path}: {error}"))?;
    let signed =
        signed.with_context(|| format!("proposal {path} has credentials only; use `credentials`, not `submit`"))?;
    let nodes = nodes(&chain, &arguments.node)?;
    let judge = Judge { chain: &chain, trust: &trust };
    let wanted = wanted(&signed, &proposal);
    let patience = match offer(&nodes, &chain, &signed).await {
        Ok(node) => {
            errln!("{node} has taken it; waiting until it is executed");
            Some(Duration::from_secs(arguments.wait_seconds))
        }
        // A message that was executed before is refused, too.
        Err(refusal) => match fate(&nodes, judge, wanted, None).await {
            Ok(Fate::Executed { height, leaf_index }) => {
                outln!("executed before at height {height}, as leaf {leaf_index} of the log");
                return Ok(Exit::Good);
            }
            _ => return Err(refusal),
        },
    };
    Ok(tell(&fate(&nodes, judge, wanted, patience).await?, &signed))
}

fn wanted<'a>(signed: &'a SignedGovernance, proposal: &Proposal) -> Wanted<'a> {
    let from_height = proposal.look_from_height();
    Wanted { message: &signed.governance_bytes, governance: &signed.governance, from_height }
}

fn tell(fate: &Fate, signed: &SignedGovernance) -> Exit {
    let sequence = signed.governance.sequence;
    match fate {
        Fate::Executed { height, leaf_index } => {
            outln!("executed at height {height}, as leaf {leaf_index} of the log");
            Exit::Good
        }
        Fate::Overtaken { height } => {
            outln!("refused: another message took sequence {sequence} at height {height}; propose it anew");
            Exit::Bad
        }
        Fate::Expired => {
            let expiry = signed.governance.expiry;
            outln!("refused: the chain is past its expiry height {expiry}; propose it anew");
            Exit::Bad
        }
        Fate::Open => {
            outln!("not executed yet: ask again with `status`, or submit it again");
            Exit::NotYet
        }
    }
}

async fn status(arguments: &StatusArguments) -> Result<Exit> {
    let Governed { chain, trust, .. } = governed(&arguments.chain)?;
    let proposal = arguments.file.as_deref().map(|path| read_proposal(path, &chain)).transpose()?;
    let nodes = nodes(&chain, &arguments.node)?;
    let (node, status) = nodes.first(&chain).await?;
    outln!("node              {} (validator {})", node.name, status.validator_id);
    outln!("chain id          {}", chain.id.0);
    outln!("decided height    {}", status.decided_height);
    outln!("sealed height     {}", status.sealed_height);
    outln!("next sequence     {}", status.governance_sequence.saturating_add(1));
    outln!("last message      {}", hex::encode(&status.governance_id));
    let Some(proposal) = proposal else { return Ok(Exit::Good) };
    outln!("signed            {}", proposal.count(&chain));
    let Some(message) = proposal.governance() else {
        outln!("the proposal has credentials only: nothing of it goes onto the ledger");
        return Ok(Exit::Good);
    };
    let governance_bytes = message.encode();
    let signed = SignedGovernance { governance: message.clone(), governance_bytes, signatures: Vec::new() };
    let judge = Judge { chain: &chain, trust: &trust };
    Ok(tell(&fate(&nodes, judge, wanted(&signed, &proposal), None).await?, &signed))
}

async fn show_registry(arguments: &RegistryArguments) -> Result<()> {
    let chain = governed(&arguments.chain)?.chain;
    let now = SystemClock.now();
    let found = match &arguments.file {
        Some(path) => replayed(path, &chain)?,
        None => nodes(&chain, &arguments.node)?.registry(&chain, Reading::new(&chain, now)).await?,
    };
    if arguments.json {
        let document = registry::document(&found, &chain);
        let program = ("tallystick-authority", env!("CARGO_PKG_VERSION"));
        let stamped = Stamped::new(program, Some(REGISTRY_FORMAT_VERSION), now, &document);
        terminal::json_line(&stamped).context("write the document")?;
    } else {
        outpage!("{}", registry::shown(&found, &chain));
    }
    Ok(())
}

fn replayed(path: &Path, chain: &Chain) -> Result<Registry> {
    let named = || format!("registry {}", path.display());
    let text = String::from_utf8(durable::read(path, REGISTRY_FILE_BYTES_MAX)?).with_context(named)?;
    Registry::replayed(&RegisteredAt::parse(&text).with_context(named)?, chain).with_context(named)
}

async fn tried(arguments: &TryArguments) -> Result<Exit> {
    let (governed, proposal) = read(&arguments.file)?;
    let chain = &governed.chain;
    let nodes = nodes(chain, &arguments.node)?;
    let mut text = presented(&proposal, &governed);
    let Some(message) = proposal.governance() else {
        outpage!("{text}");
        return Ok(Exit::Good);
    };
    let trial = nodes.try_governance(chain, message, SystemClock.now()).await?;
    text.push_str(&trial.shown(message, chain.genesis.utc_offset_minutes));
    outpage!("{text}");
    Ok(match trial.verdict(message) {
        Verdict::Executes => Exit::Good,
        Verdict::Waits => Exit::NotYet,
        Verdict::Refuses => Exit::Bad,
    })
}
