//! Codes for the verifier: the vectors as published, and one of them with each of its digits changed, the same on every run.

use std::path::Path;

use receipt_core::code::{Host, address};
use receipt_core::directory::{DirectoryFile, SignedDirectory, open_directory_file};
use receipt_core::ids::UnixMillis;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{CodeScan, LedgerAnswer, Verdict, verify_code};
use serde_json::{Value, json};

/// One text to judge.
#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) trust: String,
    /// A directory file.
    pub(crate) directory: Vec<u8>,
    pub(crate) at: UnixMillis,
    pub(crate) hosts: Vec<String>,
    pub(crate) text: String,
}

impl Code {
    /// As the browser is asked.
    pub(crate) fn to_json(&self) -> String {
        let options = json!({ "at_ms": self.at.get(), "hosts": self.hosts });
        let directory = hex::encode(&self.directory);
        json!({ "options": options, "trust": self.trust, "directory": directory, "code": self.text }).to_string()
    }

    /// The library's answer.
    pub(crate) fn judge(&self) -> Verdict {
        let trust = TrustFile::parse(&self.trust).unwrap();
        let hosts: Vec<Host> = self.hosts.iter().map(|host| Host::new(host).unwrap()).collect();
        let directory = open_directory_file(&self.directory, &trust).unwrap();
        let scan = CodeScan { text: &self.text, hosts: &hosts, directory: &directory, ledger: LedgerAnswer::NotAsked };
        verify_code(&scan, &trust, self.at)
    }
}

/// All of the vectors, the first of them a good one.
pub(crate) fn vectors(root: &Path) -> Vec<Code> {
    let text = std::fs::read_to_string(root.join("docs/spec/vectors/verdict.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let code = |row: &Value| {
        let signed = SignedDirectory::decode(&hex::decode(row["directory"].as_str().unwrap()).unwrap()).unwrap();
        let hosts = row["hosts"].as_array().unwrap().iter();
        let code = Code {
            trust: file["trust"].as_str().unwrap().to_owned(),
            directory: DirectoryFile { signed, deltas: Vec::new() }.encode(),
            at: UnixMillis::new(row["at_ms"].as_u64().unwrap()),
            hosts: hosts.map(|host| host.as_str().unwrap().to_owned()).collect(),
            text: row["text"].as_str().unwrap().to_owned(),
        };
        assert_eq!(code.judge().to_json(), row["verdict"].as_str().unwrap(), "{}", row["name"]);
        code
    };
    file["codes"].as_array().unwrap().iter().map(code).collect()
}

/// A code with one of its digits changed, each in turn, to each of two others.
pub(crate) fn changed(good: &Code) -> Vec<Code> {
    let first = address(&Host::new(&good.hosts[0]).unwrap()).len() + 1;
    let digits = good.text.bytes().enumerate().skip(first);
    let others = digits.flat_map(|(at, digit)| [1, 5].map(|more| (at, (digit - b'0' + more) % 10)));
    let code = |(at, digit): (usize, u8)| {
        let text = format!("{}{digit}{}", &good.text[..at], &good.text[at + 1..]);
        Code { text, ..good.clone() }
    };
    others.map(code).collect()
}
