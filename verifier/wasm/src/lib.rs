//! What the page asks of `receipt-core`, as bytes in and bytes out. No judgement of its own: each answer is what the library
//! returns, so that a browser, the command line and an auditor cannot say different things of one file.
//!
//! ```text
//! verdict(options, trust, bundle)   JSON (docs/spec/verdict.md), the same bytes as in `tallystick-verifier verify --json`
//! trace(options, trust, bundle)     JSON of `Trace`, the way from a value to the checkpoint; `null` if there is none
//! scan(options, trust, directory, text)   JSON of a verdict on a code's text, the same bytes as in `tallystick-verifier scan --json`
//! scan_answered(options, trust, directory, text, answer)   the same with a ledger's answer about the receipt
//! report_left_out(options, trust, directory, text, answer)   the report that the ledger leaves the code's receipt out (docs/spec/left-out.md), or the verdict why there is none
//! left_out(options, trust, directory, report)   JSON of a verdict on such a report, the same bytes as in `tallystick-verifier verify --json`
//! question(trust, receipt)          JSON of what a portal is asked: {"code":…,"number":…,"status_key":…}; of a bundle, or of a code's digits
//! choices(trust, bundle)            JSON of what of it can be shown to others: {"fields":[…]}
//! share(fields, bundle)             a presentation of these fields (docs/spec/presentation.md)
//! joined(trust, bundle, answer)     the bundle with the proofs of a ledger's answer (docs/spec/ledger-answer.md)
//! shown(text)                       the text as a person may see it: nothing in it acts on a reader
//! ```
//! A question that cannot be answered (options, trust file or directory that do not read, an answer that does not fit) gets `{"problem":CODE,"detail":TEXT}`, which no verdict
//! looks like. A presentation is taken where a bundle is, but of `choices` and `share`. Not here: how a host calls this (`host`), which clock is asked, what a page looks like.

pub mod host;

use receipt_core::answer::{Answer, join, left_out_by};
use receipt_core::bundle::{Bundle, ShareError};
use receipt_core::code::{self, Host};
use receipt_core::directory::{TrustedDirectory, open_directory_file};
use receipt_core::ids::UnixMillis;
use receipt_core::record::{SignedRecord, status_key};
use receipt_core::shown::line;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{
    Choice, CodeScan, Language, LedgerAnswer, Parameters, Phrase, Said, TimeSource, Value, Verdict, can_be_meant, say,
    trace_bundle, verify_bundle, verify_code, verify_left_out,
};
use serde::{Deserialize, Serialize};

/// What an answer depends on besides the trust file and the bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The time of the judgement, Unix milliseconds.
    pub at_ms: u64,
    /// Whether this is the time of the device's clock, and not one that somebody gave.
    #[serde(default)]
    pub clock: bool,
    /// The greatest age of a status, or for `scan` of the directory, that is still taken, in seconds; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds_max: Option<u64>,
    /// For `trace`: the value's name in the body's layout, for example `total_amount` or `items[0]`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// For `scan`: the hosts of the page to which codes lead, former ones included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

impl Options {
    fn at(&self) -> UnixMillis {
        UnixMillis::new(self.at_ms)
    }

    /// A verdict as it is told to whoever asks with these options: by which clock, and of which age.
    fn meant(&self, verdict: Verdict) -> Verdict {
        let verdict = verdict.timed_by(if self.clock { TimeSource::Clock } else { TimeSource::Given });
        match self.age_seconds_max {
            Some(age) => verdict.not_older_than(age),
            None => verdict,
        }
    }
}

/// Why a question has no answer.
#[derive(Debug, Serialize)]
struct Problem {
    problem: &'static str,
    detail: String,
    /// For whoever asked, where it is theirs to mend.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    said: Option<Said>,
}

impl Problem {
    fn new(problem: &'static str, detail: String) -> Self {
        Self { problem, detail, said: None }
    }
}

/// The verdict on a bundle.
pub fn verdict(options: &[u8], trust: &[u8], bundle: &[u8]) -> Vec<u8> {
    told(read(options, trust).map(|(options, trust)| options.meant(verify_bundle(bundle, &trust, options.at()))))
}

/// The way from one value to the checkpoint.
pub fn trace(options: &[u8], trust: &[u8], bundle: &[u8]) -> Vec<u8> {
    match read(options, trust) {
        Ok((options, trust)) => json(&trace_bundle(bundle, &trust, options.at(), &options.field)),
        Err(problem) => json(&problem),
    }
}

/// What names a receipt to a portal.
#[derive(Debug, Serialize)]
struct Question {
    code: String,
    number: String,
    status_key: String,
}

/// The record of a bundle, a part or the digits of a code: a module of the page is asked only about what it judges, and has no room for more.
fn record_of(receipt: &[u8]) -> Result<Vec<u8>, Problem> {
    let unread = |detail: String| Problem::new("RECEIPT", detail);
    #[cfg(feature = "codes")]
    if let Some(digits) = std::str::from_utf8(receipt).ok().filter(|text| !text.starts_with('{')) {
        return receipt_core::code::read_digits(digits).map_err(|error| unread(error.to_string()));
    }
    #[cfg(feature = "files")]
    {
        let file = receipt_core::bundle::ReceiptFile::decode(receipt).map_err(|error| unread(error.to_string()))?;
        Ok(file.evidence().record.to_vec())
    }
    #[cfg(not(feature = "files"))]
    Err(unread("not the digits of a code".to_owned()))
}

/// What a portal is asked about the receipt of a bundle, or of the digits of a code. Nothing is judged.
pub fn question(trust: &[u8], receipt: &[u8]) -> Vec<u8> {
    let asked = || -> Result<Question, Problem> {
        let unread = |detail: String| Problem::new("RECEIPT", detail);
        let record = record_of(receipt)?;
        let signed = SignedRecord::decode(&record).map_err(|error| unread(error.to_string()))?;
        let (key, suite) = (signed.record.key, read_trust(trust)?.suite());
        let status_key = status_key(suite, &record).to_string();
        Ok(Question { code: key.code.to_string(), number: key.number.to_string(), status_key })
    };
    match asked() {
        Ok(question) => json(&question),
        Err(problem) => json(&problem),
    }
}

/// A bundle with the proofs of a ledger's answer in the place of its own. It is to be judged: [`verdict`].
pub fn joined(trust: &[u8], bundle: &[u8], answer: &[u8]) -> Vec<u8> {
    let joined = || {
        let answer = Answer::decode(answer).map_err(|error| Problem::new("ANSWER_UNREADABLE", error.to_string()))?;
        join(bundle, &answer, &read_trust(trust)?).map_err(|error| Problem::new(error.code(), error.to_string()))
    };
    match joined() {
        Ok(bundle) => bundle.encode(),
        Err(problem) => json(&problem),
    }
}

/// The verdict on the text of a code, by a directory file (docs/spec/directory.md); the ledger is not asked.
pub fn scan(options: &[u8], trust: &[u8], directory: &[u8], text: &[u8]) -> Vec<u8> {
    told(read_scan(options, trust, directory).map(|known| known.judge(text, LedgerAnswer::NotAsked)))
}

/// The same with what the ledger answered about the receipt (docs/spec/ledger-answer.md).
pub fn scan_answered(options: &[u8], trust: &[u8], directory: &[u8], text: &[u8], answer: &[u8]) -> Vec<u8> {
    let judged = || {
        let known = read_scan(options, trust, directory)?;
        let answer = Answer::decode(answer).map_err(|error| Problem::new("ANSWER_UNREADABLE", error.to_string()))?;
        Ok(known.judge(text, answer.borrowed()))
    };
    told(judged())
}

/// The report that the ledger leaves out the receipt of a code, by what was answered about it; or JSON of the verdict that says why there is none.
pub fn report_left_out(options: &[u8], trust: &[u8], directory: &[u8], text: &[u8], answer: &[u8]) -> Vec<u8> {
    let reported = || -> Result<Vec<u8>, Problem> {
        let known = read_scan(options, trust, directory)?;
        let answer = Answer::decode(answer).map_err(|error| Problem::new("ANSWER_UNREADABLE", error.to_string()))?;
        let verdict = known.judge(text, answer.borrowed());
        let record = code::read(&String::from_utf8_lossy(text), &known.hosts).unwrap_or_default();
        let report = left_out_by(&verdict, &record, answer.borrowed(), &known.trust);
        Ok(report.map_or_else(|| verdict.to_json().into_bytes(), |report| report.encode()))
    };
    reported().unwrap_or_else(|problem| json(&problem))
}

/// The verdict on the report of a receipt left out, by a directory file.
pub fn left_out(options: &[u8], trust: &[u8], directory: &[u8], report: &[u8]) -> Vec<u8> {
    told(
        read_scan(options, trust, directory).map(|known| {
            known.options.meant(verify_left_out(report, &known.directory, &known.trust, known.options.at()))
        }),
    )
}

/// What can be shown of a bundle.
#[derive(Debug, Serialize)]
struct Choices {
    fields: Vec<Choice>,
}

/// The fields of a bundle that its holder can show to others.
pub fn choices(trust: &[u8], bundle: &[u8]) -> Vec<u8> {
    let choices = || {
        let offset = read_trust(trust)?.utc_offset_minutes();
        let bundle = Bundle::decode(bundle).map_err(|error| unshared(&ShareError::from(error)))?;
        receipt_core::verdict::choices(&bundle, offset).map_err(|error| unshared(&error))
    };
    match choices() {
        Ok(fields) => json(&Choices { fields }),
        Err(problem) => json(&problem),
    }
}

/// A presentation of these fields (a JSON array of their names) of a bundle.
pub fn share(fields: &[u8], bundle: &[u8]) -> Vec<u8> {
    let shared = || {
        let fields: Vec<String> =
            serde_json::from_slice(fields).map_err(|error| Problem::new("FIELDS", error.to_string()))?;
        let bundle = Bundle::decode(bundle).map_err(|error| unshared(&ShareError::from(error)))?;
        receipt_core::bundle::share(&bundle, &fields).map_err(|error| unshared(&error))
    };
    match shared() {
        Ok(presentation) => presentation.encode(),
        Err(problem) => json(&problem),
    }
}

fn unshared(error: &ShareError) -> Problem {
    let said = match error {
        ShareError::Together { reference } => {
            let named = Parameters::of([("field", Value::Field(reference))]);
            let words = |language| say(Phrase::SharedTogether.sentence(), &named, language);
            Some(Said { zh: words(Language::Zh), en: words(Language::En) })
        }
        _ => None,
    };
    Problem { problem: error.code(), detail: error.to_string(), said }
}

/// A text of somebody else's as it may be shown.
pub fn shown(text: &[u8]) -> Vec<u8> {
    line(&String::from_utf8_lossy(text)).into_owned().into_bytes()
}

/// By what a code is judged.
struct Known {
    options: Options,
    trust: TrustFile,
    hosts: Vec<Host>,
    directory: TrustedDirectory,
}

impl Known {
    fn judge(&self, text: &[u8], ledger: LedgerAnswer<'_>) -> Verdict {
        let text = String::from_utf8_lossy(text);
        let scan = CodeScan { text: &text, hosts: &self.hosts, directory: &self.directory, ledger };
        self.options.meant(verify_code(&scan, &self.trust, self.options.at()))
    }
}

fn told(judged: Result<Verdict, Problem>) -> Vec<u8> {
    match judged {
        Ok(verdict) => verdict.to_json().into_bytes(),
        Err(problem) => json(&problem),
    }
}

fn read_scan(options: &[u8], trust: &[u8], directory: &[u8]) -> Result<Known, Problem> {
    let (options, trust) = read(options, trust)?;
    let hosts = options.hosts.iter().map(|host| Host::new(host));
    let hosts: Result<Vec<Host>, _> = hosts.collect();
    let hosts = hosts.map_err(|error| Problem::new("HOST", error.to_string()))?;
    let directory = open_directory_file(directory, &trust);
    let directory = directory.map_err(|error| Problem::new("DIRECTORY", error.to_string()))?;
    Ok(Known { options, trust, hosts, directory })
}

fn read(options: &[u8], trust: &[u8]) -> Result<(Options, TrustFile), Problem> {
    let options: Options =
        serde_json::from_slice(options).map_err(|error| Problem::new("OPTIONS", error.to_string()))?;
    if !can_be_meant(options.at()) {
        return Err(Problem::new("TIME", format!("{} is no time of a judgement in milliseconds", options.at_ms)));
    }
    Ok((options, read_trust(trust)?))
}

fn read_trust(trust: &[u8]) -> Result<TrustFile, Problem> {
    let problem = |detail: String| Problem::new("TRUST", detail);
    let text = std::str::from_utf8(trust).map_err(|error| problem(error.to_string()))?;
    TrustFile::parse(text).map_err(|error| problem(error.to_string()))
}

/// The answer's bytes. These structures have text keys and no floats: that they do not serialise does not occur, and would be no verdict.
fn json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).unwrap_or_default()
}

#[cfg(test)]
mod tests;
