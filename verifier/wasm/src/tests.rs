//! Answers are the library's; what cannot be answered says why.

use receipt_core::directory::DirectoryFile;
use receipt_core::testkit::TestChain;
use receipt_core::verdict::Scan;

use super::*;

fn options(at: UnixMillis) -> Options {
    Options { at_ms: at.get(), ..Options::default() }
}

fn text(answer: Vec<u8>) -> String {
    String::from_utf8(answer).unwrap()
}

#[test]
fn an_answer_is_the_librarys() {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&receipt));
    let (bundle, trust) = (chain.bundle(&receipt).encode(), chain.trust().to_text());
    let (now, later) = (chain.now(), chain.now().plus_millis(86_400_000));
    let asked = |options: &Options| text(verdict(&serde_json::to_vec(options).unwrap(), trust.as_bytes(), &bundle));
    let expected = verify_bundle(&bundle, chain.trust(), now);
    assert_eq!(asked(&options(now)), expected.to_json());
    assert!(asked(&options(now)).contains("\"code\":\"IN_FORCE\""));
    let by_clock = Options { clock: true, ..options(now) };
    let expected = verify_bundle(&bundle, chain.trust(), now).timed_by(TimeSource::Clock);
    assert_eq!(asked(&by_clock), expected.to_json());
    let old = Options { age_seconds_max: Some(3600), ..options(later) };
    let expected = verify_bundle(&bundle, chain.trust(), later).not_older_than(3600);
    assert_eq!(asked(&old), expected.to_json());

    let followed = |field: &str| {
        let options = Options { field: field.to_owned(), ..options(now) };
        text(trace(&serde_json::to_vec(&options).unwrap(), trust.as_bytes(), &bundle))
    };
    let expected = trace_bundle(&bundle, chain.trust(), now, "payer_name");
    assert_eq!(followed("payer_name"), serde_json::to_string(&expected).unwrap());
    assert_eq!(followed("none"), "null");
}

#[test]
fn a_receipt_is_asked_for_and_its_bundle_is_made_new() {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&receipt));
    let (old, trust) = (chain.bundle(&receipt).encode(), chain.trust().to_text());
    let key = status_key(chain.trust().suite(), &receipt.record);
    let number = receipt.receipt.issued.receipt_number;
    let code = receipt.receipt.draft.receipt_code;
    let expected = format!("{{\"code\":\"{code}\",\"number\":\"{number}\",\"status_key\":\"{key}\"}}");
    assert_eq!(text(question(trust.as_bytes(), &old)), expected);
    let digits = receipt_core::code::digits(&receipt.record);
    assert_eq!(text(question(trust.as_bytes(), digits.as_bytes())), expected);

    let red = chain.reverse(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    let Bundle { batch, anchor, status, .. } = chain.bundle(&receipt);
    let answer = Answer::Taken { batch, anchor, status }.encode();
    let new = joined(trust.as_bytes(), &old, &answer);
    let judged = text(verdict(&serde_json::to_vec(&options(chain.now())).unwrap(), trust.as_bytes(), &new));
    assert!(judged.contains("\"code\":\"REVERSED\""), "{judged}");

    let earlier = Bundle::decode(&old).unwrap();
    let earlier = Answer::Taken { batch: earlier.batch, anchor: earlier.anchor, status: earlier.status }.encode();
    let absent = Answer::Absent { checkpoint: chain.blocks().last().unwrap().checkpoint.clone() }.encode();
    let other = TestChain::named("another").trust().to_text();
    for (trust, bundle, answer, problem) in [
        (&trust, &new, &earlier, "ANSWER_OLDER"),
        (&trust, &new, &absent, "ANSWER_CONTRADICTS"),
        (&trust, &new, &b"{}".to_vec(), "ANSWER_UNREADABLE"),
        (&other, &new, &answer, "ANSWER_UNPROVED"),
        (&trust, &b"{".to_vec(), &answer, "RECEIPT"),
        (&String::new(), &new, &answer, "TRUST"),
    ] {
        let said = text(joined(trust.as_bytes(), bundle, answer));
        assert!(said.starts_with(&format!("{{\"problem\":\"{problem}\"")), "{said}");
    }
    for receipt in ["", "1", "{}", "99999999999999999"] {
        let said = text(question(trust.as_bytes(), receipt.as_bytes()));
        assert!(said.starts_with("{\"problem\":\"RECEIPT\""), "{receipt} {said}");
    }
}

#[test]
fn the_answer_about_a_code_is_the_librarys() {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S01");
    let file = DirectoryFile { signed: chain.sign_directory(chain.directory()), deltas: Vec::new() };
    let host = Host::new("tally.example").unwrap();
    let code = receipt_core::code::text(&host, &receipt.record);
    let trust = chain.trust().to_text();
    let options = Options { clock: true, hosts: vec!["tally.example".to_owned()], ..options(chain.now()) };
    let asked = |options: &Options, directory: &[u8], code: &str| {
        text(scan(&serde_json::to_vec(options).unwrap(), trust.as_bytes(), directory, code.as_bytes()))
    };
    let directory = file.open(chain.trust()).unwrap();
    for code in [code.as_str(), "https://elsewhere.example/", ""] {
        let known = CodeScan {
            text: code,
            hosts: std::slice::from_ref(&host),
            directory: &directory,
            ledger: LedgerAnswer::NotAsked,
        };
        let expected = verify_code(&known, chain.trust(), chain.now()).timed_by(TimeSource::Clock).to_json();
        assert_eq!(asked(&options, &file.encode(), code), expected);
    }
    assert!(asked(&options, &file.encode(), &code).contains("\"code\":\"UNCHECKED\""));
    let [at_ms, age_seconds_max] = [options.at_ms + 61_000, 60];
    let old = Options { at_ms, age_seconds_max: Some(age_seconds_max), ..options.clone() };
    assert!(asked(&old, &file.encode(), &code).contains("\"code\":\"DIRECTORY_OLD\""));
    let other = TestChain::named("another");
    let foreign = DirectoryFile { signed: other.sign_directory(other.directory()), deltas: Vec::new() };
    for directory in [&b""[..], &foreign.encode()] {
        assert!(asked(&options, directory, &code).starts_with("{\"problem\":\"DIRECTORY\","));
    }
    let no_host = Options { hosts: vec!["https://x".to_owned()], ..options };
    assert!(asked(&no_host, &file.encode(), &code).starts_with("{\"problem\":\"HOST\","));
}

#[test]
fn a_code_with_the_ledgers_answer_is_what_its_bundle_is() {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&receipt));
    let file = DirectoryFile { signed: chain.sign_directory(chain.directory()), deltas: Vec::new() }.encode();
    let code = receipt_core::code::text(&Host::new("tally.example").unwrap(), &receipt.record);
    let trust = chain.trust().to_text();
    let taken = |chain: &TestChain| {
        let Bundle { batch, anchor, status, .. } = chain.bundle(&receipt);
        Answer::Taken { batch, anchor, status }.encode()
    };
    let asked = |at: UnixMillis, answer: &[u8]| {
        let options = Options { hosts: vec!["tally.example".to_owned()], ..options(at) };
        let options = serde_json::to_vec(&options).unwrap();
        text(scan_answered(&options, trust.as_bytes(), &file, code.as_bytes(), answer))
    };
    let at = chain.now();
    assert!(asked(at, &taken(&chain)).contains("\"conclusion\":{\"code\":\"IN_FORCE\""));
    let checkpoint = chain.blocks().last().unwrap().checkpoint.clone();
    let absent = Answer::Absent { checkpoint }.encode();
    assert!(asked(at, &absent).contains("\"conclusion\":{\"code\":\"PENDING\""));
    assert!(asked(at, b"{}").starts_with("{\"problem\":\"ANSWER_UNREADABLE\","));
    let red = chain.reverse(&receipt);
    chain.add_block(std::slice::from_ref(&red));
    assert!(asked(chain.now(), &taken(&chain)).contains("\"conclusion\":{\"code\":\"REVERSED\""));
    let other = chain.bundle(&red);
    let other = Answer::Taken { batch: other.batch, anchor: other.anchor, status: other.status }.encode();
    assert!(asked(chain.now(), &other).contains("\"conclusion\":{\"code\":\"ANSWER_FALSE\""));
}

#[test]
fn a_receipt_left_out_is_reported_and_the_report_judged() {
    let mut chain = TestChain::new();
    let anchored = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&anchored));
    let missing = chain.issue("S02");
    let file = DirectoryFile { signed: chain.sign_directory(chain.directory()), deltas: Vec::new() }.encode();
    let host = Host::new("tally.example").unwrap();
    let [of_missing, of_anchored] = [&missing, &anchored].map(|of| receipt_core::code::text(&host, &of.record));
    let trust = chain.trust().to_text();
    let seal_by = missing.signed.record.seal_by;
    let absent = |seconds| {
        let everybody = chain.validators_at(chain.height());
        let checkpoint = chain.checkpoint_note(chain.log().size(), everybody, seconds);
        Answer::Absent { checkpoint }.encode()
    };
    let late = absent(seal_by.seconds() + 1);
    let plain = options;
    let options = Options { hosts: vec!["tally.example".to_owned()], ..plain(seal_by.plus_millis(3_600_000)) };
    let reported = |options: &Options, code: &str, answer: &[u8]| {
        let options = serde_json::to_vec(options).unwrap();
        super::report_left_out(&options, trust.as_bytes(), &file, code.as_bytes(), answer)
    };
    let report = reported(&options, &of_missing, &late);
    let directory = open_directory_file(&file, chain.trust()).unwrap();
    let ledger = Answer::decode(&late).unwrap();
    let scan = Scan { record: &missing.record, directory: &directory, ledger: ledger.borrowed() };
    let at = UnixMillis::new(options.at_ms);
    let library = receipt_core::answer::report_left_out(&scan, chain.trust(), at).unwrap();
    assert_eq!(report, library.encode());

    let judged = |options: &Options, report: &[u8]| {
        text(left_out(&serde_json::to_vec(options).unwrap(), trust.as_bytes(), &file, report))
    };
    let by_clock = Options { clock: true, ..options.clone() };
    let expected = verify_left_out(&report, &directory, chain.trust(), at).timed_by(TimeSource::Clock).to_json();
    assert_eq!(judged(&by_clock, &report), expected);
    assert!(expected.contains("\"conclusion\":{\"code\":\"LEFT_OUT\""), "{expected}");
    assert!(judged(&options, b"{}").contains("\"check\":\"REPORT_FORM\""));
    // What judges files says what it is, and another question has to be asked.
    let as_file = text(verdict(&serde_json::to_vec(&plain(at)).unwrap(), trust.as_bytes(), &report));
    assert!(as_file.contains("\"seems\":\"LEFT_OUT\""), "{as_file}");

    // Of everything else there is the verdict.
    let Bundle { batch, anchor, status, .. } = chain.bundle(&anchored);
    let taken = Answer::Taken { batch, anchor, status }.encode();
    let old = Options { age_seconds_max: Some(60), ..options.clone() };
    for (options, code, answer, finding) in [
        (&options, &of_missing, &absent(seal_by.seconds()), "PENDING"),
        (&options, &of_anchored, &taken, "IN_FORCE"),
        (&options, &of_missing, &taken, "ANSWER_FALSE"),
        (&options, &"https://elsewhere.example/".to_owned(), &late, "CODE_ELSEWHERE"),
        (&old, &of_missing, &late, "DIRECTORY_OLD"),
    ] {
        let said = text(reported(options, code, answer));
        assert!(said.contains(&format!("\"conclusion\":{{\"code\":\"{finding}\"")), "{finding}: {said}");
    }
    assert!(text(reported(&options, &of_missing, b"{}")).starts_with("{\"problem\":\"ANSWER_UNREADABLE\","));
    assert!(judged(&Options { at_ms: 1, ..options }, &report).starts_with("{\"problem\":\"TIME\","));
}

#[test]
fn a_part_is_chosen_shown_judged_and_made_new() {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&receipt));
    let (bundle, trust) = (chain.bundle(&receipt), chain.trust().to_text());
    let bytes = bundle.encode();
    let offered: serde_json::Value = serde_json::from_slice(&choices(trust.as_bytes(), &bytes)).unwrap();
    let fields = offered["fields"].as_array().unwrap();
    let of = |code: &str| fields.iter().find(|field| field["code"] == code).unwrap();
    assert_eq!(of("total_amount")["always"], true);
    let payer = of("payer_name");
    assert_eq!(payer["value"]["zh"], receipt.receipt.draft.payer_name.as_str());
    assert_eq!((&payer["always"], &payer["en"]), (&false.into(), &"Payer".into()));
    assert_eq!((&payer["empty"], &of("remark")["empty"]), (&false.into(), &true.into()));
    assert!(fields.iter().all(|field| field["code"] != "check_code"));

    let part = share(br#"["payer_name","items[0]"]"#, &bytes);
    assert_eq!(part, receipt_core::bundle::share(&bundle, &["payer_name", "items[0]"]).unwrap().encode());
    let judged = |file: &[u8]| {
        let options = serde_json::to_vec(&options(chain.now())).unwrap();
        text(verdict(&options, trust.as_bytes(), file))
    };
    assert!(judged(&part).contains("\"code\":\"PRESENTED\""), "{}", judged(&part));
    assert_eq!(question(trust.as_bytes(), &part), question(trust.as_bytes(), &bytes));
    let Bundle { batch, anchor, status, .. } = bundle;
    let answer = Answer::Taken { batch, anchor, status }.encode();
    assert_eq!(joined(trust.as_bytes(), &part, &answer), part, "the state that it has");

    for (fields, file, problem) in [
        (&br#"["check_code"]"#[..], &bytes, "SHARE_SECRET"),
        (br#"["payer"]"#, &bytes, "SHARE_FIELD"),
        (br#"["payer_code","biz_code"]"#, &bytes, "SHARE_TOGETHER"),
        (b"payer_name", &bytes, "FIELDS"),
        (b"[]", &part, "RECEIPT"),
    ] {
        let said = text(share(fields, file));
        assert!(said.starts_with(&format!("{{\"problem\":\"{problem}\"")), "{said}");
        assert_eq!(said.contains("\"zh\":\"不能出示"), problem == "SHARE_TOGETHER", "{said}");
    }
    assert!(text(choices(b"", &bytes)).starts_with("{\"problem\":\"TRUST\""));
    assert!(text(choices(trust.as_bytes(), &part)).starts_with("{\"problem\":\"RECEIPT\""));
}

#[test]
fn a_question_that_does_not_read_has_no_verdict() {
    let trust = TestChain::new().trust().to_text();
    let good = serde_json::to_vec(&options(TestChain::new().now())).unwrap();
    for (options, trust, expected) in [
        (&b""[..], trust.as_bytes(), "{\"problem\":\"OPTIONS\","),
        (b"{\"at_ms\":1793577660700,\"age\":1}", trust.as_bytes(), "{\"problem\":\"OPTIONS\","),
        (b"{\"at_ms\":1793577660}", trust.as_bytes(), "{\"problem\":\"TIME\","),
        (&good, b"", "{\"problem\":\"TRUST\","),
        (&good, b"\xff", "{\"problem\":\"TRUST\","),
    ] {
        let answer = text(verdict(options, trust, b""));
        assert!(answer.starts_with(expected), "{answer}");
        let answer = text(super::scan(options, trust, b"", b""));
        assert!(answer.starts_with(expected), "{answer}");
        let answer = text(super::trace(options, trust, b""));
        assert!(answer.starts_with(expected), "{answer}");
    }
}

#[test]
fn a_text_is_shown_as_the_command_line_shows_it() {
    assert_eq!(text(shown("林\u{202e}<b>\u{3164}\n".as_bytes())), "林\\u{202e}<b>\\u{3164}\\n");
    assert_eq!(text(shown(b"\xff")), "\u{fffd}");
}
