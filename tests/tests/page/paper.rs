//! Codes on paper: their texts, the directories of units that a page has, what the ledger answers, and what the library says of each.

use std::fs;
use std::path::Path;

use receipt_core::answer::{Answer, report_left_out};
use receipt_core::block::Item;
use receipt_core::bundle::Bundle;
use receipt_core::code::{self, Host};
use receipt_core::directory::{Directory, DirectoryFile, TrustedDirectory, UnitRow};
use receipt_core::ids::{Fen, UnixMillis};
use receipt_core::record::SignedRecord;
use receipt_core::testkit::{TestChain, TestReceipt};
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{CodeScan, LedgerAnswer, Scan, TimeSource, Verdict, verify_code, verify_left_out};
use serde_json::{Value, json};

use super::carriers::{HOST, OTHER_HOST};

/// A host to which the page's codes led before.
pub(crate) const FORMER_HOST: &str = "OLD.EXAMPLE";
const DAYS_2_MS: u64 = 2 * 86_400_000;
/// Digits of the largest code that there is.
const DIGITS_OF_LARGEST: usize = 7_089;

/// What is judged by what, when, and what is said.
pub(crate) struct Codes {
    pub(crate) trust: TrustFile,
    pub(crate) at: UnixMillis,
    pub(crate) described: Vec<Value>,
    /// When the time is over by which a receipt was to be sealed that the ledger does not have.
    pub(crate) late: UnixMillis,
    /// What the library says then of the report that is made.
    pub(crate) report: Value,
}

struct Scene {
    chain: TestChain,
    hosts: [Host; 2],
    /// The page's own directory, and the one that its portal serves.
    own: TrustedDirectory,
    served: TrustedDirectory,
}

/// Receipts of a scene: of three units, the second of which the directories lack a key, and of the third the served one says that it is revoked.
struct Receipts {
    good: TestReceipt,
    reversed: TestReceipt,
    red: TestReceipt,
    unknown: TestReceipt,
    revoked: TestReceipt,
    /// Never offered to the ledger.
    absent: TestReceipt,
    refused: TestReceipt,
}

/// Writes `own.units` and `served.units`, and what the ledger answers of each code as `CODE-ANSWER.answer`.
pub(crate) fn write(folder: &Path) -> Codes {
    let mut chain = TestChain::new();
    let receipts = receipts(&mut chain);
    let now = chain.now();
    let mut own = chain.directory();
    own.time = UnixMillis::new(now.get() - DAYS_2_MS);
    row_of(&mut own, &receipts.unknown).keys.clear();
    let mut served = Directory { time: now, ..own.clone() };
    row_of(&mut served, &receipts.revoked).keys[0].revoked_from_ms = now.get();
    for (name, directory) in [("own.units", &own), ("served.units", &served)] {
        let file = DirectoryFile { signed: chain.sign_directory(directory.clone()), deltas: Vec::new() };
        fs::write(folder.join(name), file.encode()).unwrap();
    }
    let (own, served) = (chain.trusted(own), chain.trusted(served));
    let hosts = [HOST, FORMER_HOST].map(|host| Host::new(host).unwrap());
    let mut scene = Scene { chain, hosts, own, served };
    let described = scene.of_receipts(&receipts, folder).into_iter().chain(scene.of_texts(&receipts.good)).collect();
    let report = scene.leave_out(&receipts.absent, folder);
    Codes { trust: scene.chain.trust().clone(), at: now, described, late: scene.chain.now(), report }
}

fn receipts(chain: &mut TestChain) -> Receipts {
    let mut of_units: Vec<TestReceipt> = Vec::new();
    for sample in ["S01", "S02", "S03", "S04", "S05", "S06", "S07", "S08"] {
        let issued = chain.issue(sample);
        if of_units.iter().all(|other| other.signed.record.unit != issued.signed.record.unit) {
            of_units.push(issued);
        }
    }
    of_units.truncate(3);
    let [good, unknown, revoked] = <[TestReceipt; 3]>::try_from(of_units).map_err(|_| "three units").unwrap();
    let (reversed, absent) = (chain.issue("S01"), chain.issue("S01"));
    chain.add_block(&[good.clone(), unknown.clone(), revoked.clone(), reversed.clone()]);
    let red = chain.reverse(&reversed);
    chain.add_block(std::slice::from_ref(&red));
    // Of a number that is taken.
    let mut twin = good.receipt.clone();
    "TWIN".clone_into(&mut twin.draft.biz_code);
    let refused = chain.sign(twin, Vec::new());
    let batch = chain.batch(vec![refused.record.clone()]);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    Receipts { good, reversed, red, unknown, revoked, absent, refused }
}

fn row_of<'a>(directory: &'a mut Directory, receipt: &TestReceipt) -> &'a mut UnitRow {
    let unit = receipt.signed.record.unit;
    directory.units.iter_mut().find(|row| row.unit() == unit).unwrap()
}

impl Scene {
    fn of_receipts(&self, receipts: &Receipts, folder: &Path) -> Vec<Value> {
        let taken = |receipt: &TestReceipt| {
            let Bundle { batch, anchor, status, .. } = self.chain.bundle(receipt);
            Answer::Taken { batch, anchor, status }
        };
        let checkpoint = || self.chain.blocks().last().unwrap().checkpoint.clone();
        let absent = || Answer::Absent { checkpoint: checkpoint() };
        let place = self.chain.place(&receipts.refused.record);
        let refused =
            Answer::Refused { checkpoint: checkpoint(), place, replaced_by: Some(receipts.good.receipt.key()) };
        let rows = [
            ("good", &receipts.good, vec![("taken", taken(&receipts.good)), ("false", taken(&receipts.reversed))]),
            ("reversed", &receipts.reversed, vec![("taken", taken(&receipts.reversed))]),
            ("red", &receipts.red, vec![("taken", taken(&receipts.red))]),
            ("unknown", &receipts.unknown, Vec::new()),
            ("revoked", &receipts.revoked, vec![("taken", taken(&receipts.revoked)), ("absent", absent())]),
            ("absent", &receipts.absent, vec![("absent", absent())]),
            ("refused", &receipts.refused, vec![("refused", refused)]),
        ];
        let describe = |(name, receipt, answers): (&str, &TestReceipt, Vec<(&str, Answer)>)| {
            let text = code::text(&self.hosts[0], &receipt.record);
            let answered = answers.iter().map(|(answer, given)| {
                fs::write(folder.join(format!("{name}-{answer}.answer")), given.encode()).unwrap();
                let verdict = self.judge(&text, &self.own, given.borrowed());
                json!({ "name": answer, "verdict": verdict.to_report() })
            });
            let answers: Vec<Value> = answered.collect();
            self.described(name, &text, &answers)
        };
        rows.into_iter().map(describe).collect()
    }

    /// Two days later the ledger still does not have it: `absent-late.answer`, and `absent.report`, which shows that. What is said of it.
    fn leave_out(&mut self, receipt: &TestReceipt, folder: &Path) -> Value {
        self.chain.let_pass(DAYS_2_MS);
        self.chain.add_block(&[]);
        let answer = Answer::Absent { checkpoint: self.chain.blocks().last().unwrap().checkpoint.clone() };
        fs::write(folder.join("absent-late.answer"), answer.encode()).unwrap();
        let scan = Scan { record: &receipt.record, directory: &self.own, ledger: answer.borrowed() };
        let report = report_left_out(&scan, self.chain.trust(), self.chain.now()).unwrap();
        fs::write(folder.join("absent.report"), report.encode()).unwrap();
        let verdict = verify_left_out(&report.encode(), &self.own, self.chain.trust(), self.chain.now());
        serde_json::to_value(verdict.timed_by(TimeSource::Clock).to_report()).unwrap()
    }

    /// Texts that are no code of a receipt on this page, or only nearly.
    fn of_texts(&self, good: &TestReceipt) -> Vec<Value> {
        let [host, former] = &self.hosts;
        let text = code::text(host, &good.record);
        let mut forged = SignedRecord::decode(&good.record).unwrap();
        forged.record.total = Fen::new(forged.record.total.get() + 1);
        forged.record_bytes = forged.record.encode();
        let address = code::address(host);
        let texts = [
            ("former", code::text(former, &good.record)),
            ("forged", code::text(host, &forged.encode())),
            ("elsewhere", code::text(&Host::new(OTHER_HOST).unwrap(), &good.record)),
            ("elsewhere-alike", text.replacen("TALLY", "TA11Y", 1)),
            ("elsewhere-below", text.replacen("/V#", ".EVIL.EXAMPLE/V#", 1)),
            ("small-letters", text.replacen("HTTPS", "https", 1)),
            ("cut", text[..text.len() - 1].to_owned()),
            ("no-bytes", format!("{address}#{}", "9".repeat(17))),
            ("no-digits", format!("{address}#")),
            ("letters", format!("{address}#<b>林</b>")),
            ("largest", format!("{address}#{}", "1".repeat(DIGITS_OF_LARGEST))),
            ("too-many", format!("{address}#{}", "0".repeat(DIGITS_OF_LARGEST - address.len() - 1))),
            ("alone", address.clone()),
            ("something-else", "TALLY-1234".to_owned()),
        ];
        texts.iter().map(|(name, text)| self.described(name, text, &[])).collect()
    }

    fn described(&self, name: &str, text: &str, answers: &[Value]) -> Value {
        let by = |directory| self.judge(text, directory, LedgerAnswer::NotAsked).to_report();
        json!({ "name": name, "text": text, "verdict": by(&self.own), "by_served": by(&self.served), "answers": answers })
    }

    fn judge(&self, text: &str, directory: &TrustedDirectory, ledger: LedgerAnswer<'_>) -> Verdict {
        let scan = CodeScan { text, hosts: &self.hosts, directory, ledger };
        verify_code(&scan, self.chain.trust(), self.chain.now()).timed_by(TimeSource::Clock)
    }
}
