//! Verdicts as they are told, byte for byte: of bundles and files of every finding, and of codes with every answer of the ledger.
//! Every code and sentence of the table is reached by one of them, the reasons of a refusal apart (`verdict/tests/scan.rs`).

use std::collections::BTreeSet;

use receipt_core::answer::report_left_out;
use receipt_core::block::Item;
use receipt_core::bundle::{BatchPart, Bundle, LeftOut, StatusPart, share};
use receipt_core::code::{self, Host};
use receipt_core::directory::{Directory, FormerName, TrustedDirectory, UnitRow};
use receipt_core::hash::Hash;
use receipt_core::ids::{ReceiptKey, UnixMillis};
use receipt_core::note::TlogProof;
use receipt_core::testkit::{TestChain, TestReceipt, TestValidator};
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{
    CheckId, CheckOutcome, CodeScan, Finding, Language, LedgerAnswer, NotChecked, Notice, RecordPlace, Scan,
    TimeSource, Verdict, verify_bundle, verify_code, verify_left_out, verify_scan,
};
use serde_json::{Value, json};

use super::bundles::{of_authorities, splice};
use super::forgeries::{DOUBTS, FORGERIES};
use super::presentations::{DISHONEST, TAMPERED, dishonest};
use super::scene::Scene;

/// The verdict, and how it is asked for.
struct Asked {
    name: &'static str,
    input: Value,
    verdict: Verdict,
    age_seconds_max: Option<u64>,
}

impl Asked {
    fn of_file(name: &'static str, base: &[u8], file: &[u8], trust: &TrustFile, at: UnixMillis) -> Self {
        let input = match std::str::from_utf8(file) {
            Ok(_) => json!({ "splice": splice(base, file) }),
            Err(_) => json!({ "hex": hex::encode(file) }),
        };
        Self { name, input, verdict: verify_bundle(file, trust, at), age_seconds_max: None }
    }

    fn not_older_than(self, age_seconds_max: u64) -> Self {
        let verdict = self.verdict.not_older_than(age_seconds_max);
        Self { verdict, age_seconds_max: Some(age_seconds_max), ..self }
    }

    fn by_the_clock(self) -> Self {
        Self { verdict: self.verdict.timed_by(TimeSource::Clock), ..self }
    }

    fn row(&self) -> Value {
        let verdict = &self.verdict;
        let mut row = json!({
            "name": self.name,
            "at_ms": verdict.at.get(),
            "clock": verdict.time_source == TimeSource::Clock,
            "verdict": verdict.to_json(),
        });
        for language in Language::ALL {
            row[language.tag()] = verdict.to_line(language).into();
        }
        if let Some(age) = self.age_seconds_max {
            row["age_seconds_max"] = age.into();
        }
        row.as_object_mut().unwrap().extend(self.input.as_object().unwrap().clone());
        row
    }
}

/// What a node may answer about a record.
enum Answer {
    NotAsked,
    Absent { checkpoint: String },
    Refused { checkpoint: String, place: RecordPlace, replaced_by: Option<ReceiptKey> },
    Taken { batch: BatchPart, anchor: String, status: StatusPart },
}

impl Answer {
    fn borrowed(&self) -> LedgerAnswer<'_> {
        match self {
            Self::NotAsked => LedgerAnswer::NotAsked,
            Self::Absent { checkpoint } => LedgerAnswer::Absent { checkpoint },
            Self::Refused { checkpoint, place, replaced_by } => {
                LedgerAnswer::Refused { checkpoint, place, replaced_by: *replaced_by }
            }
            Self::Taken { batch, anchor, status } => LedgerAnswer::Taken { batch, anchor, status },
        }
    }

    fn to_json(&self) -> Value {
        let path = |path: &[Hash]| path.iter().map(ToString::to_string).collect::<Vec<_>>();
        match self {
            Self::NotAsked => json!({ "answer": "not_asked" }),
            Self::Absent { checkpoint } => json!({ "answer": "absent", "checkpoint": checkpoint }),
            Self::Refused { checkpoint, place, replaced_by } => json!({
                "answer": "refused",
                "checkpoint": checkpoint,
                "leaf_index": place.leaf_index.get(),
                "entry": hex::encode(&place.entry),
                "path": path(&place.path),
                "signed_header": hex::encode(&place.signed_header),
                "batch_index": place.batch_index.get(),
                "batch_path": path(&place.batch_path),
                "replaced_by": replaced_by.map(|key| key.to_string()),
            }),
            Self::Taken { batch, anchor, status } => json!({
                "answer": "taken",
                "batch_index": batch.index.get(),
                "batch_path": path(&batch.path),
                "signed_header": hex::encode(&batch.header),
                "anchor": anchor,
                "seal": hex::encode(&status.seal),
                "proof": status.proof,
                "map": hex::encode(&status.map),
                "value": status.value.as_deref().map(hex::encode),
            }),
        }
    }
}

fn of_scan(
    name: &'static str,
    chain: &TestChain,
    record: &[u8],
    directory: &Directory,
    (answer, at): (&Answer, UnixMillis),
) -> Asked {
    let signed = chain.sign_directory(directory.clone()).encode();
    let opened = TrustedDirectory::open(&signed, chain.trust()).unwrap();
    let scan = Scan { record, directory: &opened, ledger: answer.borrowed() };
    let input = json!({
        "record": hex::encode(record),
        "directory": hex::encode(&signed),
        "ledger": answer.to_json(),
    });
    Asked { name, input, verdict: verify_scan(&scan, chain.trust(), at), age_seconds_max: None }
}

/// Texts as they are scanned, of one host and a former one.
fn of_codes(scene: &Scene) -> Vec<Asked> {
    let (chain, record) = (&scene.chain, &scene.blues[0].record);
    let hosts = ["TALLY.EXAMPLE", "OLD.EXAMPLE"].map(|host| Host::new(host).unwrap());
    let [now, former] = hosts.each_ref().map(|host| code::text(host, record));
    let signed = chain.sign_directory(chain.directory()).encode();
    let directory = TrustedDirectory::open(&signed, chain.trust()).unwrap();
    let texts = [
        ("a code", now.clone()),
        ("a code of a former host", former),
        ("a code that leads elsewhere", now.replace("TALLY", "TA11Y")),
        ("a code with a small letter", now.replacen("HTTPS", "https", 1)),
        ("a code whose record was too large", code::address(&hosts[0])),
        ("a code cut off", now[..now.len() - 1].to_owned()),
        ("something else", "1234567890".to_owned()),
    ];
    let judged = |(name, text): (&'static str, String)| {
        let scan = CodeScan { text: &text, hosts: &hosts, directory: &directory, ledger: LedgerAnswer::NotAsked };
        let verdict = verify_code(&scan, chain.trust(), chain.now());
        let input =
            json!({ "text": text, "hosts": ["TALLY.EXAMPLE", "OLD.EXAMPLE"], "directory": hex::encode(&signed) });
        Asked { name, input, verdict, age_seconds_max: None }
    };
    texts.into_iter().map(judged).collect()
}

#[test]
fn verdict_json() {
    let mut scene = Scene::new();
    let (trust, base) = (scene.chain.trust().clone(), scene.chain.bundle(&scene.blues[0]));
    let files = of_files(&mut scene, &base, &trust);
    let codes = of_codes(&scene);
    let (reports, report) = of_reports(Scene::new());
    let scans = of_scans(scene);
    let rows = |asked: &[Asked]| asked.iter().map(Asked::row).collect::<Vec<_>>();
    let value = json!({
        "trust": trust.to_text(),
        "base": String::from_utf8(base.encode()).unwrap(),
        "files": rows(&files),
        "scans": rows(&scans),
        "codes": rows(&codes),
        "report": report,
        "reports": rows(&reports),
        "pages": {
            "zh": files[0].verdict.to_text(Language::Zh),
            "en": files[0].verdict.to_text(Language::En),
        },
    });
    super::check("verdict.json", &value);
    all_is_reached(files.iter().chain(&scans).chain(&codes).chain(&reports).map(|asked| &asked.verdict));
}

fn of_files(scene: &mut Scene, good: &Bundle, trust: &TrustFile) -> Vec<Asked> {
    let (base, now) = (good.encode(), scene.chain.now());
    let of = |name, file: &[u8], at| Asked::of_file(name, &base, file, trust, at);
    let [reversed, red] = [scene.chain.bundle(&scene.blues[1]), scene.chain.bundle(&scene.red)].map(|b| b.encode());
    let three_days = now.plus_millis(3 * 86_400_000);
    let mut asked = vec![
        of("in force", &base, now),
        of("in force, by the clock", &base, now).by_the_clock(),
        of("in force, three days ago", &base, three_days),
        of("in force, three days ago, four allowed", &base, three_days).not_older_than(4 * 86_400),
        of("in force, three days ago, one allowed", &base, three_days).not_older_than(86_400),
        of("reversed", &reversed, now),
        of("reversed, three days ago, one allowed", &reversed, three_days).not_older_than(86_400),
        of("red", &red, now),
    ];
    // Of each check that can fail, one way.
    let mut codes = BTreeSet::new();
    for &(name, code, forge) in FORGERIES {
        if codes.insert(code) {
            let mut bundle = good.clone();
            forge(scene, &mut bundle);
            asked.push(of(name, &bundle.encode(), now));
        }
    }
    for &(name, code, forge) in DOUBTS {
        if codes.insert(code) {
            let mut bundle = good.clone();
            forge(scene, &mut bundle);
            asked.push(of(name, &bundle.encode(), now));
        }
    }
    for (name, bundle, at, code) in of_authorities(good) {
        if code == Some("AUTHORITIES_UNKNOWN") && codes.insert("AUTHORITIES_UNKNOWN") {
            asked.push(of(name, &bundle.encode(), at));
        }
    }
    let mut name_changed = good.clone();
    "别人".clone_into(&mut name_changed.values[16]);
    asked.push(of("the payer's name changed", &name_changed.encode(), now));
    let mut unit_changed = good.clone();
    "别的单位".clone_into(&mut unit_changed.values[4]);
    asked.push(of("the unit's name changed", &unit_changed.encode(), now));
    let issued = scene.blues[0].signed.record.issue_time.get();
    asked.push(of("issued in the future", &base, UnixMillis::new(issued - 600_001)));
    asked.push(of("its state is of the future", &base, UnixMillis::new(issued - 600_000)));
    asked.push(anchored_in_the_future(&base, now));
    asked.push(of_another_set(&base, trust, now));
    asked.push(broken_rule(&base, now));
    asked.extend(of_specimens());
    for (name, file) in other_files(&base) {
        asked.push(of(name, &file, now));
    }
    asked.extend(of_presentations(scene, good, &base));
    asked
}

/// What holders show, and what it is changed to.
fn of_presentations(scene: &mut Scene, good: &Bundle, base: &[u8]) -> Vec<Asked> {
    let (now, trust) = (scene.chain.now(), scene.chain.trust().clone());
    let of = |name, file: &[u8], at| Asked::of_file(name, base, file, &trust, at);
    let three_days = now.plus_millis(3 * 86_400_000);
    let [of_reversed, of_red] = [&scene.blues[1], &scene.red].map(|receipt| scene.chain.bundle(receipt));
    let shown = share(good, &["payer_name", "remark"]).unwrap();
    let part = |bundle: &Bundle| share(bundle, &["items"]).unwrap().encode();
    let mut asked = vec![
        of("shown in part", &shown.encode(), now),
        of("shown in part, three days ago, one allowed", &shown.encode(), three_days).not_older_than(86_400),
        of("shown in part, reversed", &part(&of_reversed), now),
        of("shown in part, red", &part(&of_red), now),
    ];
    let mut codes = BTreeSet::new();
    for &(name, code, tamper) in TAMPERED {
        if codes.insert(code) {
            let mut tampered = shown.clone();
            tamper(&mut tampered, &share(&of_reversed, &["payer_name", "remark"]).unwrap());
            asked.push(of(name, &tampered.encode(), now));
        }
    }
    for &(name, code, positions) in DISHONEST {
        if codes.insert(code) {
            let file = dishonest(scene, good, name, positions).encode();
            asked.push(of(name, &file, now));
        }
    }
    asked
}

/// Under a checkpoint that the validators of today have dated ten minutes and a second ahead.
fn anchored_in_the_future(base: &[u8], now: UnixMillis) -> Asked {
    let mut chain = Scene::new().chain;
    let receipt = chain.issue("S02");
    chain.add_block(std::slice::from_ref(&receipt));
    let mut bundle = chain.bundle(&receipt);
    let index = TlogProof::parse(bundle.anchor.as_bytes()).unwrap().index.get();
    let size = chain.log().size();
    let note = chain.checkpoint_note(size, &chain.validators_at(chain.height())[..3], now.seconds() + 601);
    bundle.anchor = chain.proof_with(index, size, &note);
    Asked::of_file("anchored in the future", base, &bundle.encode(), chain.trust(), now)
}

/// The same keys under the hash of another set: a trust file that fits the cosignatures and not the seal.
fn of_another_set(base: &[u8], trust: &TrustFile, now: UnixMillis) -> Asked {
    let known = trust.sets()[1].set_hash.to_string();
    let other = trust.to_text().replace(&known, &Hash::ZERO.to_string());
    let asked = Asked::of_file("another set hash", base, base, &TrustFile::parse(&other).unwrap(), now);
    let input = json!({ "splice": asked.input["splice"], "trust": other });
    Asked { input, ..asked }
}

/// A receipt whose items do not add up, on the same chain after all else.
fn broken_rule(base: &[u8], now: UnixMillis) -> Asked {
    let mut chain = Scene::new().chain;
    let mut draft = chain.draft("S01");
    let amount = &mut draft.items[0].amount;
    *amount = receipt_core::ids::Fen::new(amount.get() + 100);
    let receipt = chain.issue_draft(draft, Vec::new());
    chain.add_block(std::slice::from_ref(&receipt));
    Asked::of_file("items that do not add up", base, &chain.bundle(&receipt).encode(), chain.trust(), now)
}

/// Of a chain for tests: one that is in force, and a file that is none.
fn of_specimens() -> [Asked; 2] {
    let mut chain = TestChain::of_specimens("specimens");
    let receipt = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&receipt));
    let bundle = String::from_utf8(chain.bundle(&receipt).encode()).unwrap();
    let files = [("a specimen in force", bundle), ("no receipt, for a chain of specimens", "{}".to_owned())];
    files.map(|(name, file)| {
        let verdict = verify_bundle(file.as_bytes(), chain.trust(), chain.now());
        let input = json!({ "trust": chain.trust().to_text(), "bundle": file });
        Asked { name, input, verdict, age_seconds_max: None }
    })
}

/// What people take for a bundle, and what programs do to one.
fn other_files(base: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = std::str::from_utf8(base).unwrap();
    vec![
        ("a byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("a mark of UTF-16", [b"\xff\xfe", base].concat()),
        ("CR LF at the end", format!("{text}\r\n").into_bytes()),
        ("a newline at the end", format!("{text}\n").into_bytes()),
        ("cut off", base[..base.len() - 1].to_vec()),
        ("a later format", text.replacen("bundle/v1", "bundle/v2", 1).into_bytes()),
        ("an empty file", Vec::new()),
        ("a trust file", b"tallystick/trust/v1\n".to_vec()),
        ("evidence of a fork", b"tallystick/fork/v1\n".to_vec()),
        ("a bare proof", b"c2sp.org/tlog-proof@v1\n".to_vec()),
        ("a report of a receipt left out", b"{\"format\":\"tallystick/left-out/v1\",".to_vec()),
        ("a PDF", b"%PDF-1.7\n".to_vec()),
        ("a ZIP archive", b"PK\x03\x04\xff".to_vec()),
        ("a picture", b"\xff\xd8\xff\xe0".to_vec()),
        ("UTF-16", b"\xff\xfe{\x00".to_vec()),
        ("compressed", b"\x1f\x8b\x08".to_vec()),
        ("another JSON file", b"{}".to_vec()),
    ]
}

/// Reports of a receipt left out, and the text of the first, which the others are changes of.
fn of_reports(scene: Scene) -> (Vec<Asked>, String) {
    let Scene { mut chain, .. } = scene;
    let missing = chain.issue("S02");
    let (record, seal_by) = (&missing.record, missing.signed.record.seal_by);
    let at = seal_by.plus_millis(3_600_000);
    let known = chain.validators_at(chain.height());
    let size = chain.log().size();
    let note = |validators: &[TestValidator], seconds| chain.checkpoint_note(size, validators, seconds);
    let late = note(known, seal_by.seconds() + 1);
    let units = chain.directory();
    let opened = chain.trusted(units.clone());
    let scan = Scan { record, directory: &opened, ledger: LedgerAnswer::Absent { checkpoint: &late } };
    let good = report_left_out(&scan, chain.trust(), at).unwrap();
    let base = good.encode();
    let text = String::from_utf8(base.clone()).unwrap();
    let rows = changed_reports(&chain, &missing, &good, &late, at);
    let asked = |(name, file, units): (&'static str, Vec<u8>, Directory)| {
        let signed = chain.sign_directory(units).encode();
        let opened = TrustedDirectory::open(&signed, chain.trust()).unwrap();
        let verdict = verify_left_out(&file, &opened, chain.trust(), at);
        let input = json!({ "splice": splice(&base, &file), "directory": hex::encode(&signed) });
        Asked { name, input, verdict, age_seconds_max: None }
    };
    let mut all: Vec<Asked> = rows.into_iter().map(asked).collect();
    let old = asked(("a directory older than is allowed", base.clone(), units));
    all.push(old.not_older_than(60));
    let left_out: Vec<&str> =
        all.iter().filter(|asked| asked.verdict.finding() == Finding::LeftOut).map(|asked| asked.name).collect();
    assert_eq!(left_out, ["left out"]);
    (all, text)
}

/// A report of a record, and what it is changed to; and by which directory each is judged.
fn changed_reports(
    chain: &TestChain,
    missing: &TestReceipt,
    good: &LeftOut,
    late: &str,
    at: UnixMillis,
) -> Vec<(&'static str, Vec<u8>, Directory)> {
    let (record, seal_by, units) = (&missing.record, missing.signed.record.seal_by, chain.directory());
    let (base, size) = (good.encode(), chain.log().size());
    let text = String::from_utf8(base.clone()).unwrap();
    let known = chain.validators_at(chain.height());
    let note = |validators: &[TestValidator], seconds| chain.checkpoint_note(size, validators, seconds);
    let under = |checkpoint| LeftOut { checkpoint, ..good.clone() }.encode();
    let of_record = |record: Vec<u8>| LeftOut { record, ..good.clone() }.encode();
    let changed = |change: &dyn Fn(&mut UnitRow)| {
        let mut units = units.clone();
        change(units.units.iter_mut().find(|row| row.unit() == missing.signed.record.unit).unwrap());
        units
    };
    let flipped = |position: usize| {
        let mut record = record.clone();
        record[position] ^= 1;
        of_record(record)
    };
    let mut later = record.clone();
    super::forgeries::later(&mut later, 1, 2);
    let strangers: Vec<TestValidator> = (91..=94).map(TestValidator::new).collect();
    let plain = || units.clone();
    let revoked = || changed(&|row| row.keys[0].revoked_from_ms = at.get());
    let quorum = &known[..3];
    vec![
        ("left out", base.clone(), plain()),
        ("a revoked key", base.clone(), revoked()),
        ("a revoked key, two of four", under(note(&known[..2], seal_by.seconds() + 1)), revoked()),
        ("a revoked key, from the future", under(note(quorum, at.seconds() + 601)), revoked()),
        ("a revoked key, later validators", under(note(&strangers, seal_by.seconds() + 1)), revoked()),
        ("a revoked key, no checkpoint", under(String::new()), revoked()),
        ("a key that the directory does not have", base.clone(), changed(&|row| row.keys.clear())),
        ("a directory from the future", base.clone(), Directory { time: at.plus_millis(601_000), ..plain() }),
        ("the record changed", flipped(12), plain()),
        ("the signature changed", flipped(record.len() - 1), plain()),
        ("the record cut", of_record(record[..record.len() - 1].to_vec()), plain()),
        ("a record of a later format", of_record(later), plain()),
        (
            "another chain",
            text.replacen(&chain.trust().chain_id().0.to_string(), &Hash::ZERO.to_string(), 1).into(),
            plain(),
        ),
        ("in time to the second", under(note(quorum, seal_by.seconds())), plain()),
        ("two of four", under(note(&known[..2], seal_by.seconds() + 1)), plain()),
        ("a line more", under(late.to_owned()), plain()),
        ("a time changed", under(good.checkpoint.replacen("— ", "—  ", 1)), plain()),
        ("a root changed", text.replacen("\\n\\n", "A\\n\\n", 1).into(), plain()),
        ("later validators", under(note(&strangers, seal_by.seconds() + 1)), plain()),
        ("from the future", under(note(quorum, at.seconds() + 601)), plain()),
        ("no checkpoint", under(String::new()), plain()),
        ("a key more", text.replacen(",\"record\"", ",\"more\":1,\"record\"", 1).into(), plain()),
        ("white space", text.replacen("{\"format\"", "{ \"format\"", 1).into(), plain()),
        ("a later version", text.replacen("left-out/v1", "left-out/v2", 1).into(), plain()),
        ("a later version, other keys", b"{\"format\":\"tallystick/left-out/v2\",\"records\":[]}".to_vec(), plain()),
        ("a later version, cut off", b"{\"format\":\"tallystick/left-out/v2".to_vec(), plain()),
        ("a newline at the end", format!("{text}\n").into(), plain()),
        ("cut off", base[..base.len() - 1].to_vec(), plain()),
        ("a bundle", b"{\"format\":\"tallystick/bundle/v1\",".to_vec(), plain()),
        ("an empty file", Vec::new(), plain()),
    ]
}

fn of_scans(scene: Scene) -> Vec<Asked> {
    let Scene { mut chain, blues, red } = scene;
    let mut twin = blues[0].receipt.clone();
    "TWIN".clone_into(&mut twin.draft.biz_code);
    let twin = chain.sign(twin, Vec::new());
    let (waiting, sent_back) = (chain.issue("S02"), chain.issue("S04"));
    let batch = chain.batch(vec![twin.record.clone(), sent_back.record.clone()]);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let now = chain.now();
    let mut units = chain.directory();
    units.time = UnixMillis::new(now.get() - 2 * 86_400_000);
    let changed = |of: &TestReceipt, change: &dyn Fn(&mut UnitRow)| {
        let mut units = units.clone();
        change(units.units.iter_mut().find(|row| row.unit() == of.signed.record.unit).unwrap());
        units
    };
    let seal_by = waiting.signed.record.seal_by;
    let after = seal_by.plus_millis(3_600_000);
    let validators = &chain.validators_at(chain.height())[..3];
    let later = chain.checkpoint_note(chain.log().size(), validators, seal_by.seconds() + 1);
    let checkpoint = || chain.blocks().last().unwrap().checkpoint.clone();
    let taken = |receipt: &TestReceipt| taken(&chain, receipt);
    let refused = |receipt: &TestReceipt, replaced_by| Answer::Refused {
        checkpoint: checkpoint(),
        place: chain.place(&receipt.record),
        replaced_by,
    };
    let strange = receipt_core::suite::Signer::public_key(&receipt_core::testkit::unit_key(4242)).0.to_vec();
    let forged = changed(&blues[0], &|row| row.keys[0].public_key.clone_from(&strange));
    let unknown = changed(&blues[0], &|row| row.keys.clear());
    let revoked = changed(&blues[0], &|row| row.keys[0].revoked_from_ms = now.get());
    let revoked_waiting = changed(&waiting, &|row| row.keys[0].revoked_from_ms = now.get());
    let issued = blues[0].signed.record.issue_time.get();
    let former = FormerName { unit_name: "示例旧名单位".to_owned(), until_ms: issued + 1 };
    let renamed = changed(&blues[0], &|row| row.former_names = vec![former.clone()]);
    let plain = || units.clone();
    let misplaced = refused(&blues[0], None);
    let absent = || Answer::Absent { checkpoint: checkpoint() };
    let rows: Vec<(&'static str, &TestReceipt, Directory, Answer, UnixMillis)> = vec![
        ("offline", &blues[0], plain(), Answer::NotAsked, now),
        ("offline, a red receipt", &red, plain(), Answer::NotAsked, now),
        ("offline, a key that the directory does not have", &blues[0], unknown, Answer::NotAsked, now),
        ("offline, somebody else's key", &blues[0], forged, Answer::NotAsked, now),
        ("offline, the unit was renamed since", &blues[0], renamed, Answer::NotAsked, now),
        ("offline, a revoked key", &blues[0], revoked.clone(), Answer::NotAsked, now),
        ("absent, a revoked key", &waiting, revoked_waiting, absent(), now),
        ("another receipt's proofs, a revoked key", &blues[0], revoked.clone(), taken(&blues[1]), now),
        ("taken, by a key revoked since", &blues[0], revoked, taken(&blues[0]), now),
        ("taken", &blues[0], plain(), taken(&blues[0]), now),
        ("taken, reversed", &blues[1], plain(), taken(&blues[1]), now),
        ("taken, red", &red, plain(), taken(&red), now),
        ("another receipt's proofs", &blues[0], plain(), taken(&blues[1]), now),
        ("absent, in time", &waiting, plain(), absent(), now),
        ("absent, overdue", &waiting, plain(), Answer::Absent { checkpoint: later }, after),
        ("refused", &twin, plain(), refused(&twin, None), now),
        ("refused and replaced", &twin, plain(), refused(&twin, Some(waiting.receipt.key())), now),
        ("its batch was refused", &sent_back, plain(), refused(&sent_back, None), now),
        ("called refused, and taken", &blues[0], plain(), misplaced, now),
    ];
    let asked = |(name, of, units, answer, at): &(&'static str, &TestReceipt, Directory, Answer, UnixMillis)| {
        of_scan(name, &chain, &of.record, units, (answer, *at))
    };
    let mut all: Vec<Asked> = rows.iter().map(asked).collect();
    all.extend(of_old_and_odd(&chain, [&blues[0], &blues[1], &waiting], &units));
    all
}

fn taken(chain: &TestChain, receipt: &TestReceipt) -> Answer {
    let Bundle { batch, anchor, status, .. } = chain.bundle(receipt);
    Answer::Taken { batch, anchor, status }
}

/// By a directory or checkpoint that is too old or too young, by a slow clock, and of records that do not read. The directory is two days old.
fn of_old_and_odd(chain: &TestChain, [receipt, other, waiting]: [&TestReceipt; 3], units: &Directory) -> Vec<Asked> {
    let (now, not_asked) = (chain.now(), Answer::NotAsked);
    let absent = Answer::Absent { checkpoint: chain.blocks().last().unwrap().checkpoint.clone() };
    let issued_seconds = waiting.signed.record.issue_time.seconds();
    let validators = &chain.validators_at(chain.height())[..3];
    let before =
        Answer::Absent { checkpoint: chain.checkpoint_note(chain.log().size(), validators, issued_seconds - 601) };
    let ahead = Directory { time: now.plus_millis(601_000), ..units.clone() };
    let slow = UnixMillis::new(receipt.signed.record.issue_time.get() - 600_001);
    let aged = |name, answer: &Answer| of_scan(name, chain, &receipt.record, units, (answer, now));
    let too_old = |name, answer: &Answer| aged(name, answer).not_older_than(2 * 86_400 - 1);
    let damaged = &receipt.record[..receipt.record.len() - 1];
    let mut later = receipt.record.clone();
    super::forgeries::later(&mut later, 1, 2);
    let unread = |name, record: &[u8]| of_scan(name, chain, record, units, (&not_asked, now));
    vec![
        of_scan("absent, by a checkpoint from before it", chain, &waiting.record, units, (&before, now)),
        of_scan("offline, a clock that is slow", chain, &receipt.record, units, (&not_asked, slow)),
        of_scan("offline, a directory from the future", chain, &receipt.record, &ahead, (&not_asked, now)),
        too_old("offline, a directory older than is allowed", &not_asked),
        aged("offline, a directory as old as is allowed", &not_asked).not_older_than(2 * 86_400),
        too_old("absent, a directory older than is allowed", &absent),
        too_old("another receipt's proofs, a directory older than is allowed", &taken(chain, other)),
        too_old("taken, a directory older than is allowed", &taken(chain, receipt)),
        unread("offline, a damaged record", damaged),
        unread("offline, a record of a later format", &later),
    ]
}

/// No sentence that nobody can ever read.
fn all_is_reached<'a>(verdicts: impl Iterator<Item = &'a Verdict>) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for verdict in verdicts {
        let report = verdict.to_report();
        seen.insert(format!("finding {}", report.conclusion.code));
        for (kind, value) in ["seems", "damage"].iter().filter_map(|name| {
            let value = serde_json::to_value(report.conclusion.parameters.get(name)?).unwrap();
            Some((*name, value.as_str().unwrap().to_owned()))
        }) {
            seen.insert(format!("{kind} {value}"));
        }
        for check in &verdict.checks {
            let said = match check.outcome {
                CheckOutcome::Passed => "claim",
                CheckOutcome::Warned | CheckOutcome::Failed => "failure",
                CheckOutcome::Unknown => continue,
            };
            seen.insert(format!("{said} {}", check.id.code()));
        }
        seen.extend(report.notices.iter().map(|notice| format!("notice {}", notice.code)));
        seen.extend(report.not_checked.iter().map(|item| format!("not checked {}", item.code)));
        seen.extend(report.layers.iter().map(|layer| format!("layer {} {}", layer.code, layer.result)));
        seen.extend(report.as_of.map(|as_of| format!("as of {}", as_of.source)));
        seen.insert(format!("judged at {}", report.judged_at.source));
        for text in [&report.conclusion.sentence, &report.conclusion.word] {
            for language in Language::ALL {
                assert!(!text.of(language).contains(['{', '[', '…']), "{}", text.of(language));
            }
        }
        for check in &report.checks {
            assert!(!check.said.zh.contains(['{', '[', '…']) && !check.said.zh.is_empty(), "{check:?}");
            assert!(!check.said.en.contains(['{', '[', '…']) && !check.said.en.is_empty(), "{check:?}");
        }
    }
    let mut expected: BTreeSet<String> = BTreeSet::new();
    // The command line alone meets a file that cannot be read: `verifier/tests/cli.rs`.
    let findings = Finding::ALL.iter().filter(|finding| **finding != Finding::Unreadable);
    expected.extend(findings.map(|finding| format!("finding {}", finding.code())));
    for check in CheckId::ALL {
        expected.insert(format!("claim {}", check.code()));
        if !check.failure().en.is_empty() {
            expected.insert(format!("failure {}", check.code()));
        }
    }
    expected.extend(Notice::ALL.iter().map(|notice| format!("notice {}", notice.code())));
    expected.extend(NotChecked::ALL.iter().map(|item| format!("not checked {}", item.code())));
    expected.extend(receipt_core::bundle::FileSort::ALL.iter().map(|sort| format!("seems {}", sort.code())));
    expected.extend(receipt_core::shown::Damage::ALL.iter().map(|damage| format!("damage {}", damage.code())));
    for layer in ["genuine", "anchored", "in_force"] {
        expected.extend(["passed", "failed", "unknown"].map(|result| format!("layer {layer} {result}")));
    }
    expected.extend(["as of checkpoint", "as of directory", "judged at given", "judged at clock"].map(str::to_owned));
    let missing: Vec<&String> = expected.difference(&seen).collect();
    assert_eq!(missing, Vec::<&String>::new(), "nothing says this");
}
