//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use receipt_core::hash::Hash;
use receipt_core::limits::GOVERNANCE_VALID_HEIGHTS_MAX as VALID_BLOCKS_MAX;
use tallystick_service::exit::EXIT_CODES;
use tallystick_service::passphrase::PassphraseChange;
use tallystick_service::tls::TlsFiles;

/// Governs a chain of the receipt ledger: k of n authorities, each with its key at home.
#[derive(Debug, Parser)]
#[command(name = "tallystick-authority", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes an authority's key file and prints the public key for the genesis description.
    Keygen {
        /// The new key file.
        #[arg(long)]
        out: PathBuf,
        /// File with its passphrase: one line, mode 0600.
        #[arg(long, value_name = "FILE")]
        passphrase_file: PathBuf,
    },
    /// Puts key files under another passphrase; the keys stay the same. Nothing is changed unless all of them open; interrupted, it goes on
    /// when it is run again.
    ChangePassphrase(PassphraseChange),
    /// Makes a chain's genesis and trust file from a description. The same description gives the same chain id everywhere.
    Genesis {
        /// The description, TOML.
        #[arg(long, value_name = "FILE")]
        description: PathBuf,
        /// Directory for the files.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Makes an unsigned proposal.
    Propose(ProposeArguments),
    /// Shows what a proposal says and who has signed it, and checks their signatures.
    Show(FileArguments),
    /// Shows a proposal and adds a signature to it. Needs no network.
    Sign(SignArguments),
    /// Combines copies of a proposal that were signed apart.
    Merge(MergeArguments),
    /// Writes the credentials of a proposal that enough authorities have signed.
    Credentials {
        /// The proposal and its chain.
        #[command(flatten)]
        file: FileArguments,
        /// Directory for the files `<key id>.credential`.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Hands a proposal that enough authorities have signed to the validators, and waits until it is executed. Ends with code 3
    /// if it was taken and is not executed in time.
    Submit(SubmitArguments),
    /// Shows the registry as the ledger keeps it: authorities, validators, issuers, units, systems, keys, segments, codes, kinds,
    /// items, and the next free numbers.
    Registry(RegistryArguments),
    /// Has the validators try a proposal: what it would change, and whether the ledger would execute or refuse it, and why. Code 0 it
    /// would be executed, 1 refused, 3 other messages come first.
    Try(TryArguments),
    /// The directory of units, by which codes on paper are judged without a network.
    #[command(subcommand)]
    Directory(DirectoryCommand),
    /// Shows where the chain stands, and what became of a proposal: code 0 executed, 1 never can be, 3 not yet.
    Status(StatusArguments),
}

fn id(text: &str) -> Result<Hash, String> {
    let bytes = hex::decode(text).ok().and_then(|bytes| Hash::from_slice(&bytes));
    bytes.ok_or_else(|| "an id has 64 hexadecimal digits".to_owned())
}

/// A proposal and its chain.
#[derive(Debug, Args)]
pub(crate) struct FileArguments {
    /// The proposal.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) chain: ChainArguments,
}

/// The chain, and whose word counts on it now.
#[derive(Debug, Args)]
pub(crate) struct ChainArguments {
    /// The chain's genesis file.
    #[arg(long, value_name = "FILE")]
    pub(crate) genesis: PathBuf,
    /// A trust file that is up to date, if authorities or validators have changed since genesis: its newest ones count.
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// For messages of an area: who its authorities are, TOML, as in the description that named them. The ledger says whether they still are.
    #[arg(long, value_name = "FILE")]
    pub(crate) area_authorities: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ProposeArguments {
    #[command(flatten)]
    pub(crate) chain: ChainArguments,
    /// What to propose, TOML.
    #[arg(long, value_name = "FILE", required_unless_present = "message")]
    pub(crate) description: Option<PathBuf>,
    /// A message as `tallystick-issuer recover --plan` writes it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["description", "sequence", "node"])]
    pub(crate) message: Option<PathBuf>,
    /// A proposal whose message the new one repeats, for credentials that it has no room for; the description has credentials alone.
    #[arg(long, value_name = "FILE", requires = "description", conflicts_with_all = ["message", "sequence", "node"])]
    pub(crate) same_message_as: Option<PathBuf>,
    /// The new proposal file.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Without a node: the next sequence, as `status` shows it.
    #[arg(long, value_name = "N", requires = "expiry_height", requires = "previous", conflicts_with = "node")]
    pub(crate) sequence: Option<u64>,
    /// Without a node: the id of the message before, as `status` and `show` print it.
    #[arg(long, value_name = "HEX", requires = "sequence", value_parser = id)]
    pub(crate) previous: Option<Hash>,
    /// Without a node: the last height at which the proposal may be executed.
    #[arg(long, value_name = "HEIGHT", requires = "sequence")]
    pub(crate) expiry_height: Option<u64>,
    /// With a node: for how many blocks from now on the proposal may be executed.
    #[arg(long, value_name = "N", default_value_t = VALID_BLOCKS_MAX, value_parser = clap::value_parser!(u64).range(1..=VALID_BLOCKS_MAX))]
    pub(crate) valid_blocks: u64,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// Copies that were signed apart.
#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// The copies.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) chain: ChainArguments,
    /// The new file.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    #[command(flatten)]
    pub(crate) file: FileArguments,
    /// The authority's key file.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// File with its passphrase.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: PathBuf,
    /// The digest that `show` printed, so that nothing is asked. Without it, its first eight digits are asked for.
    #[arg(long, value_name = "HEX")]
    pub(crate) digest: Option<String>,
    /// Where to write the signed copy; without it, into the file itself.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SubmitArguments {
    #[command(flatten)]
    pub(crate) file: FileArguments,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
    /// How long to wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait_seconds: u64,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// The proposal; without it, the chain alone is shown.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) chain: ChainArguments,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RegistryArguments {
    #[command(flatten)]
    pub(crate) chain: ChainArguments,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
    /// A registry of any past height that an audit has replayed (`tallystick-verifier audit --registry-at`), in place of what nodes say of now.
    #[arg(long, value_name = "FILE", conflicts_with = "node")]
    pub(crate) file: Option<PathBuf>,
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DirectoryCommand {
    /// Writes the directory that a node gives and its seal proves, with nobody's signature, and shows it.
    Draft {
        #[command(flatten)]
        chain: ChainArguments,
        #[command(flatten)]
        former: FormerArguments,
        #[command(flatten)]
        node: NodeArguments,
        /// The new file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Shows what a directory says, or what has changed since a former one, and who has signed it; checks seal and signatures.
    Show {
        #[command(flatten)]
        file: FileArguments,
        #[command(flatten)]
        former: FormerArguments,
    },
    /// Shows a directory and adds a signature to it. Needs no network.
    Sign {
        #[command(flatten)]
        arguments: SignArguments,
        #[command(flatten)]
        former: FormerArguments,
    },
    /// Combines copies of a directory that were signed apart.
    Merge(MergeArguments),
    /// Brings a signed directory up to date: adds what has changed since, or only the seal that says that nothing has. Nobody has to sign.
    Update {
        #[command(flatten)]
        file: FileArguments,
        #[command(flatten)]
        node: NodeArguments,
        /// Credential files of keys and names that are new, or directories of such files; again for each further one.
        #[arg(long, value_name = "PATH")]
        credentials: Vec<PathBuf>,
        /// The new file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct FormerArguments {
    /// The directory before: what has changed since is shown, instead of every unit.
    #[arg(long, value_name = "FILE")]
    pub(crate) former: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TryArguments {
    #[command(flatten)]
    pub(crate) file: FileArguments,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// Validators, and the certificate by which they know the caller.
#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    /// A validator's gRPC address; again for each further one. What a single validator says is not believed where it counts.
    #[arg(long, value_name = "HOST:PORT", requires = "tls_ca", requires = "tls_cert", requires = "tls_key")]
    pub(crate) node: Vec<String>,
    /// Certificates of the authorities of all certificates.
    #[arg(long, value_name = "PEM")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// The operator's certificate.
    #[arg(long, value_name = "PEM")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key, mode 0600.
    #[arg(long, value_name = "PEM")]
    pub(crate) tls_key: Option<PathBuf>,
}

impl NodeArguments {
    /// The TLS files; `None` without nodes.
    pub(crate) fn tls(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate_chain: self.tls_cert.clone()?,
            private_key: self.tls_key.clone()?,
            authorities: self.tls_ca.clone()?,
        })
    }
}
