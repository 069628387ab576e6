//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use receipt_core::verdict::Language;
use tallystick_service::exit::EXIT_CODES;

/// What the codes mean for each command; the whole table is in the program's own `--help`.
const VERIFY_EXIT_CODES: &str = "\
Exit codes, of several the gravest:
  0   all in force, each as of the time that its line says; a red receipt among them, or one that is shown in part, is said to be so
  2   at least one is reversed
  4   at least one cannot be judged here: another chain, later validators or authorities, an unknown format or status, --max-age; or is the report of a receipt left out, and holds
  5   at least one file is no receipt; a report of one left out is none without --directory
  66  at least one file cannot be read (the others are judged), or the output not be written
  1   at least one is invalid
  64  wrong arguments or trust file";

const SCAN_EXIT_CODES: &str = "\
Exit codes; without the ledger's answer no code is more than signed:
  0   by the answer in force, as of the time that is said
  2   by the answer reversed
  4   signed, and not checked whether recorded or reversed; or it cannot be judged here: an unknown or revoked key or format, a false answer, --max-age
  5   it is not the code of a receipt, or leads elsewhere
  66  a file cannot be read, or the output not be written
  1   invalid: no such unit signed it; or the ledger refused it
  64  wrong arguments, host, trust file or answer; a directory that is damaged, or not signed by the trust file's authorities for its chain";

const AUDIT_EXIT_CODES: &str = "\
Exit codes:
  0   CLEAN: all that was served and given was seen, and holds
  1   REFUTED: see the findings; what each means stands in docs/ops/audit.md
  2   INCOMPLETE: nothing is wrong, and not everything was seen, or a reported receipt is left out; also if the source cannot be read
  4   the source is another chain's ledger: it cannot be judged by this genesis file
  64  wrong arguments, genesis, trust file or report of a receipt left out
  66  a file cannot be read, the output not be written, or this machine gives no randomness";

const COMPARE_EXIT_CODES: &str = "\
Exit codes:
  0   one history: the same tree, or the larger proved to extend the smaller
  1   a fork: two trees under a quorum each; the evidence file is written
  2   unproven: sizes differ, and there is no proof
  4   a note cannot be judged here: of another log, or by validators that the trust file does not know
  64  wrong arguments or trust file, or a note that is not under its quorum
  66  a file cannot be read, or the output not be written";

const SERVE_EXIT_CODES: &str = "\
Exit codes:
  0   ended by SIGTERM or SIGINT
  1   ended by an error of its own
  64  wrong arguments, trust file, certificate or key
  66  the address cannot be bound";

const SHARE_EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   the signed record does not read, or the content of the bundle is not what it commits to: nothing of it can be proved
  5   the file is no bundle; a presentation is none
  64  wrong arguments, a field that the receipt does not have, or one that is not to be shown
  66  the file cannot be read, or the output not be written, or is there already";

const LEFT_OUT_EXIT_CODES: &str = "\
Exit codes; only with 0 a report is written:
  0   reported
  2   the ledger has the receipt, in force or reversed
  4   its time is not over, or it cannot be judged here: an unknown or revoked key, a false answer; a bundle of another chain, later validators or authorities, an unknown format
  5   the file or code is no receipt
  66  a file or node cannot be read, or the output not be written, or is there already
  1   invalid: no such unit signed it, or a time lies in the future (is this clock right?); or the ledger refused it
  64  wrong arguments, trust file or answer; a directory that is damaged, or not signed by the trust file's authorities for its chain";

const TRUST_EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   update: what the source serves does not hold, or has other sets than the trust file; nothing is printed
  4   update: the source is another chain's ledger
  64  wrong arguments, genesis or trust file
  66  a file or node cannot be read, or the output not be written";

/// Checks fiscal receipts and the ledger that anchors them.
#[derive(Debug, Parser)]
#[command(name = "tallystick-verifier", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judge bundles and presentations (.tally files), and reports of receipts left out, offline.
    #[command(after_help = VERIFY_EXIT_CODES)]
    Verify(VerifyArguments),
    /// Judge the code on a receipt's paper by the directory of units: offline, or with what the ledger answered.
    #[command(after_help = SCAN_EXIT_CODES)]
    Scan(ScanArguments),
    /// Replay the whole ledger from genesis.
    #[command(after_help = AUDIT_EXIT_CODES)]
    Audit(AuditArguments),
    /// Compare two checkpoint notes, or check a fork's evidence file.
    #[command(after_help = COMPARE_EXIT_CODES)]
    Compare(CompareArguments),
    /// Verify bundles for others, over gRPC. Anybody may call; nothing of a bundle is kept.
    #[command(after_help = SERVE_EXIT_CODES)]
    Serve(ServeArguments),
    /// Show others a part of a receipt, with the proofs of all of it.
    #[command(after_help = SHARE_EXIT_CODES)]
    Share(ShareArguments),
    /// Report that the ledger leaves a receipt out: what the unit signed, and a checkpoint from after its promised time.
    #[command(after_help = LEFT_OUT_EXIT_CODES)]
    ReportLeftOut(LeftOutArguments),
    /// Make, show and update trust files.
    #[command(subcommand, after_help = TRUST_EXIT_CODES)]
    Trust(TrustCommand),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The bundles, presentations and reports.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) terms: TermsArguments,
    /// The directory of units, by which reports of receipts left out are judged. Receipts need none.
    #[arg(long, value_name = "FILE")]
    pub(crate) directory: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) wording: WordingArguments,
    /// One JSON object per file.
    #[arg(long)]
    pub(crate) json: bool,
    /// The whole verdict of each file, also if there are several.
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArguments {
    /// The text of the code, as a scanner reads it; `-` reads it from standard input, a line end behind it left out.
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
    /// A host of the pages to which the chain's codes lead, former ones too; again for each further one.
    #[arg(long, value_name = "HOST", required = true)]
    pub(crate) host: Vec<String>,
    /// The directory of units.
    #[arg(long, value_name = "FILE")]
    pub(crate) directory: PathBuf,
    #[command(flatten)]
    pub(crate) terms: TermsArguments,
    /// What the ledger answered about the receipt, as a portal hands it on (POST /refresh).
    #[arg(long, value_name = "FILE")]
    pub(crate) answer: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) wording: WordingArguments,
    /// One JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShareArguments {
    /// The bundle.
    #[arg(value_name = "BUNDLE")]
    pub(crate) file: PathBuf,
    /// The fields to show, by the names that are listed without --out: payer_name,items[0]; `items` and `aux_items` are all rows. Fields
    /// with a star are shown in any case.
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "out")]
    pub(crate) fields: Vec<String>,
    /// Where the presentation goes. Without it the fields are listed.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) wording: WordingArguments,
}

/// By what is judged.
#[derive(Debug, Args)]
pub(crate) struct TermsArguments {
    /// The trust file.
    #[arg(long, value_name = "TRUST")]
    pub(crate) trust: PathBuf,
    /// Judge as of this time, otherwise now: RFC 3339 with its offset; a date (2026-11-02: its last moment where the chain is); or
    /// milliseconds since 1970.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Call nothing in force whose status was stated longer ago, and no code signed by an older directory: 90s, 15m, 24h, 7d.
    #[arg(long, value_name = "DURATION")]
    pub(crate) max_age: Option<String>,
}

/// Of what a report is made.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "receipt")]
pub(crate) struct ReceiptArguments {
    /// A bundle or a presentation: nothing of its content goes into the report.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The text of the code on the paper, or its digits; `-` reads it from standard input.
    #[arg(long, value_name = "TEXT")]
    pub(crate) code: Option<String>,
}

/// What the ledger says of a receipt.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "ledger")]
pub(crate) struct LedgerArguments {
    /// What the ledger answered about the receipt, as a portal hands it on (POST /refresh).
    #[arg(long, value_name = "FILE")]
    pub(crate) answer: Option<PathBuf>,
    /// A node to be asked: https://host:port (with the --tls options), http://host:port (without).
    #[arg(long, value_name = "URL")]
    pub(crate) node: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LeftOutArguments {
    #[command(flatten)]
    pub(crate) receipt: ReceiptArguments,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
    /// The directory of units.
    #[arg(long, value_name = "FILE")]
    pub(crate) directory: PathBuf,
    /// Where the report goes.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) terms: TermsArguments,
    #[command(flatten)]
    pub(crate) wording: WordingArguments,
}

/// In which words people are told.
#[derive(Debug, Args)]
pub(crate) struct WordingArguments {
    /// The language of what is printed for people: zh is Chinese. The system's locale is not asked, so that the same command says the same
    /// everywhere; --json has both.
    #[arg(long, value_name = "LANGUAGE", value_enum, default_value = "en")]
    lang: LanguageTag,
}

impl WordingArguments {
    /// The language of what is printed for people.
    pub(crate) const fn language(&self) -> Language {
        match self.lang {
            LanguageTag::Zh => Language::Zh,
            LanguageTag::En => Language::En,
        }
    }
}

/// A language as it is named on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum LanguageTag {
    /// Chinese
    Zh,
    /// English
    En,
}

/// Where to read blocks.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "source")]
pub(crate) struct SourceArguments {
    /// A node: https://host:port (with the --tls options), http://host:port (without).
    #[arg(long, value_name = "URL")]
    pub(crate) node: Option<String>,
    /// An export file, or a directory of them.
    #[arg(long, value_name = "PATH")]
    pub(crate) export: Option<PathBuf>,
}

/// mTLS towards the node.
#[derive(Debug, Args)]
pub(crate) struct TlsArguments {
    /// PEM: own certificate chain.
    #[arg(long, value_name = "PEM", requires = "tls_key", requires = "tls_ca")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM: private key of the own certificate, mode 0600.
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// PEM: certificate authorities.
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    pub(crate) tls_ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    #[command(flatten)]
    pub(crate) source: SourceArguments,
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
    /// The genesis file.
    #[arg(long, value_name = "GENESIS")]
    pub(crate) genesis: PathBuf,
    /// A trust file in use, to be compared with the ledger's own.
    #[arg(long, value_name = "TRUST")]
    pub(crate) trust: Option<PathBuf>,
    /// Write the trust file that the ledger implies, if it is clean.
    #[arg(long, value_name = "FILE")]
    pub(crate) write_trust: Option<PathBuf>,
    /// Write the registry as it was after the block of this height, if the ledger is clean: `tallystick-authority registry --file` shows it.
    #[arg(long, value_name = "HEIGHT", requires = "write_registry")]
    pub(crate) registry_at: Option<u64>,
    /// Where that registry goes.
    #[arg(long, value_name = "FILE", requires = "registry_at")]
    pub(crate) write_registry: Option<PathBuf>,
    /// An issuer's contents (`tallystick-issuer export-bodies`), to be checked against their records and the body rules.
    /// Once per issuer, and with the height of the ledger's export as `--until-height`.
    #[arg(long, value_name = "FILE")]
    pub(crate) bodies: Vec<PathBuf>,
    /// The report of a receipt left out (`report-left-out`, or a page's): what the ledger has of it. Once per report.
    #[arg(long, value_name = "FILE")]
    pub(crate) left_out: Vec<PathBuf>,
    /// The report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Threads that check signatures. Otherwise as many as the machine has cores.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// A checkpoint note; an evidence file, if it stands alone.
    #[arg(value_name = "A")]
    pub(crate) first: PathBuf,
    /// Another checkpoint note.
    #[arg(value_name = "B")]
    pub(crate) second: Option<PathBuf>,
    /// The trust file.
    #[arg(long, value_name = "TRUST")]
    pub(crate) trust: PathBuf,
    /// A node to ask for consistency proofs.
    #[arg(long, value_name = "URL")]
    pub(crate) node: Option<String>,
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
    /// Where the evidence of a fork goes.
    #[arg(long, value_name = "FILE", default_value = "fork-evidence.txt")]
    pub(crate) evidence: PathBuf,
    /// The comparison as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The trust file against which every bundle is judged.
    #[arg(long, value_name = "TRUST")]
    pub(crate) trust: PathBuf,
    /// Where to listen, for example 0.0.0.0:7443; port 0 for any. The address is printed.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// PEM: the server's certificate chain, looked at again while it runs (at SIGHUP at once). Without it, plain text: put something that
    /// ends TLS before it (`--behind-proxy`).
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM: its private key, mode 0600.
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where operators read `/metrics`, `/livez` and `/readyz`, over plain HTTP: an inside address. Without it nothing is shown. The address
    /// is printed, too.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<SocketAddr>,
    /// All callers come through something that bounds each of them itself. Without it one network address (of IPv6 a /64) has at
    /// most 16 of the 64 requests and 128 of the 1024 connections.
    #[arg(long)]
    pub(crate) behind_proxy: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Check a trust file and say what it holds.
    #[command(after_help = TRUST_EXIT_CODES)]
    Show {
        /// The trust file.
        file: PathBuf,
    },
    /// Print the trust file that a genesis file implies.
    #[command(after_help = TRUST_EXIT_CODES)]
    FromGenesis {
        /// The genesis file.
        genesis: PathBuf,
    },
    /// Follow validators and authorities through the log's entries and print the trust file brought up to date.
    #[command(after_help = TRUST_EXIT_CODES)]
    Update {
        /// The trust file in use.
        file: PathBuf,
        #[command(flatten)]
        source: SourceArguments,
        #[command(flatten)]
        tls: TlsArguments,
    },
}
