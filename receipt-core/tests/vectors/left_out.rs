//! Reports of receipts left out: what is made into one, and what is not.

use receipt_core::answer::{Answer, report_left_out};
use receipt_core::block::Item;
use receipt_core::bundle::{Bundle, LeftOut};
use receipt_core::directory::TrustedDirectory;
use receipt_core::testkit::TestChain;
use receipt_core::verdict::Scan;
use serde_json::{Value, json};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn left_out_json() {
    let mut chain = TestChain::new();
    let anchored = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&anchored));
    let missing = chain.issue("S02");
    let mut twin = anchored.receipt.clone();
    "TWIN".clone_into(&mut twin.draft.biz_code);
    let twin = chain.sign(twin, Vec::new());
    let sent_back = chain.issue("S05");
    let batch = chain.batch(vec![twin.record.clone(), sent_back.record.clone()]);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    let seal_by = sent_back.signed.record.seal_by.max(missing.signed.record.seal_by);
    let at = seal_by.plus_millis(3_600_000);
    let validators = chain.validators_at(chain.height());
    let size = chain.log().size();
    let note = |seconds| chain.checkpoint_note(size, validators, seconds);
    let late = note(seal_by.seconds() + 1);
    let absent = |checkpoint: &str| Answer::Absent { checkpoint: checkpoint.to_owned() };
    let refused =
        |record: &[u8]| Answer::Refused { checkpoint: late.clone(), place: chain.place(record), replaced_by: None };
    let Bundle { batch, anchor, status, .. } = chain.bundle(&anchored);
    let taken = Answer::Taken { batch, anchor, status };
    let mut forged = missing.record.clone();
    *forged.last_mut().unwrap() ^= 1;
    let rows = [
        ("absent, and its time is over", &missing.record, absent(&late)),
        ("its batch was refused for others' sake, and its time is over", &sent_back.record, refused(&sent_back.record)),
        ("in time", &missing.record, absent(&note(missing.signed.record.seal_by.seconds()))),
        ("taken", &anchored.record, taken.clone()),
        ("refused", &twin.record, refused(&twin.record)),
        ("another's proofs", &missing.record, taken),
        ("no checkpoint", &missing.record, absent("")),
        ("not the unit's", &forged, absent(&late)),
    ];
    let signed = chain.sign_directory(chain.directory()).encode();
    let directory = TrustedDirectory::open(&signed, chain.trust()).unwrap();
    let row = |(name, record, answer): &(&str, &Vec<u8>, Answer)| {
        let mut row = json!({ "name": name, "record": hex::encode(record), "answer": text(answer.encode()) });
        let scan = Scan { record, directory: &directory, ledger: answer.borrowed() };
        match report_left_out(&scan, chain.trust(), at) {
            Ok(report) => row["report"] = text(report.encode()).into(),
            Err(verdict) => row["finding"] = verdict.finding().code().into(),
        }
        row
    };
    let rows: Vec<Value> = rows.iter().map(row).collect();
    let findings: Vec<&str> = rows.iter().filter_map(|row| row["finding"].as_str()).collect();
    assert_eq!(findings, ["PENDING", "IN_FORCE", "REFUSED", "ANSWER_FALSE", "ANSWER_FALSE", "FORGED"]);
    let good = rows[0]["report"].as_str().unwrap();
    let wrong = misspelt(good, &chain.trust().chain_id().0.to_string());
    for (name, text) in &wrong {
        assert!(LeftOut::decode(text.as_bytes()).is_err() && text != good, "{name}");
    }
    let value = json!({
        "trust": chain.trust().to_text(),
        "directory": hex::encode(&signed),
        "at_ms": at.get(),
        "reports": rows,
        "refused": wrong.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect::<Vec<_>>(),
    });
    super::check("left-out.json", &value);
}

/// What a report is not, its text changed a little.
fn misspelt(good: &str, chain: &str) -> Vec<(&'static str, String)> {
    vec![
        ("empty", String::new()),
        ("a later version", good.replacen("left-out/v1", "left-out/v2", 1)),
        ("white space", good.replacen("{\"format\"", "{ \"format\"", 1)),
        ("a key more", good.replacen(",\"record\"", ",\"more\":1,\"record\"", 1)),
        ("a key missing", good.replacen("\"record\"", "\"recorded\"", 1)),
        ("the chain in capitals", { good.replacen(chain, &chain.to_uppercase(), 1) }),
        ("a newline at the end", format!("{good}\n")),
        ("another spelling of a line end", good.replacen("\\n", "\\u000a", 1)),
    ]
}
