//! The ledger's answer about a record, and what bundles it makes new.

use receipt_core::answer::{Answer, join};
use receipt_core::bundle::{Bundle, StatusPart};
use receipt_core::ids::ReceiptKey;
use receipt_core::note::{SignedNote, TlogProof};
use receipt_core::testkit::{TestChain, TestReceipt};
use serde_json::{Value, json};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn taken(bundle: &Bundle) -> Answer {
    let Bundle { batch, anchor, status, .. } = bundle.clone();
    Answer::Taken { batch, anchor, status }
}

/// The same under notes with a line of every validator, and one by a stranger.
fn with_all_lines(chain: &TestChain, bundle: &Bundle) -> Answer {
    let validators = chain.validators_at(chain.height());
    let note = chain.checkpoint_note(chain.log().size(), validators, chain.now().seconds());
    let stranger = TestChain::named("another").blocks()[0].checkpoint.clone();
    let line = stranger.lines().last().unwrap().replace("another", "testchain-of-another");
    let note = SignedNote::parse(format!("{note}{line}\n").as_bytes()).unwrap();
    let proof = |text: &str| {
        let proof = TlogProof::parse(text.as_bytes()).unwrap();
        TlogProof { checkpoint: note.clone(), ..proof }.to_string()
    };
    let status = StatusPart { proof: proof(&bundle.status.proof), ..bundle.status.clone() };
    // The anchor as of the same tree: the same index under its root.
    let index = TlogProof::parse(bundle.anchor.as_bytes()).unwrap().index.get();
    let anchor = chain.proof_with(index, chain.log().size(), &note.to_string());
    Answer::Taken { batch: bundle.batch.clone(), anchor, status }
}

struct World {
    chain: TestChain,
    receipt: TestReceipt,
    /// Of before it was reversed.
    old: Bundle,
    replaced_by: ReceiptKey,
}

fn world() -> World {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S01");
    chain.add_block(std::slice::from_ref(&receipt));
    let old = chain.bundle(&receipt);
    let red = chain.reverse(&receipt);
    let replaced_by = red.receipt.key();
    chain.add_block(std::slice::from_ref(&red));
    World { chain, receipt, old, replaced_by }
}

#[test]
fn ledger_answer_json() {
    let World { chain, receipt, old, replaced_by } = world();
    let new = chain.bundle(&receipt);
    let checkpoint = chain.blocks().last().unwrap().checkpoint.clone();
    let place = chain.place(&receipt.record);
    let refused = |replaced_by| Answer::Refused { checkpoint: checkpoint.clone(), place: place.clone(), replaced_by };
    let absent = Answer::Absent { checkpoint: checkpoint.clone() };
    let answers = [
        ("taken and in force", taken(&old)),
        ("taken and reversed", taken(&new)),
        ("taken, with spare lines", with_all_lines(&chain, &new)),
        ("refused", refused(None)),
        ("refused and replaced", refused(Some(replaced_by))),
        ("absent", absent.clone()),
    ];
    let written = |answer: &Answer| text(answer.encode());
    let good = written(&absent);
    let wrong = [
        ("empty", String::new()),
        ("another format", good.replace("answer/v1", "answer/v2")),
        ("another answer", good.replace("absent", "unknown")),
        ("white space", good.replace("{\"format\"", "{ \"format\"")),
        ("a key more", good.replace('}', ",\"more\":1}")),
        ("a key of another form", good.replace('}', ",\"replaced_by\":\"99060126-0001000001\"}")),
        ("a key missing", written(&refused(None)).replace("\"refusal\"", "\"refused\"")),
        ("keys in another order", {
            let at = good.find(",\"answer\"").unwrap();
            let after = good[at + 1..].find(',').unwrap() + at + 1;
            format!("{{{},{}{}", &good[at + 1..after], &good[1..at], &good[after..])
        }),
    ];
    let joins = [
        ("a reversal", &old, taken(&new)),
        ("spare lines", &old, with_all_lines(&chain, &new)),
        ("the same", &new, taken(&new)),
        ("older", &new, taken(&old)),
        ("not taken", &old, absent),
        ("no proof file", &old, taken(&Bundle { anchor: "c2sp.org".to_owned(), ..new.clone() })),
        ("another log's", &old, {
            let mut other = TestChain::named("another");
            let receipt = other.issue("S01");
            other.add_block(std::slice::from_ref(&receipt));
            taken(&other.bundle(&receipt))
        }),
    ];
    let join_row = |(name, old, answer): &(&str, &Bundle, Answer)| {
        let old = old.encode();
        let mut row = json!({ "name": name, "answer": written(answer) });
        match join(&old, answer, chain.trust()) {
            Ok(bundle) => row["bundle"] = text(bundle.encode()).into(),
            Err(error) => row["problem"] = error.code().into(),
        }
        row["old"] = text(old).into();
        row
    };
    let rows: Vec<Value> = joins.iter().map(join_row).collect();
    let problems: Vec<&str> = rows.iter().filter_map(|row| row["problem"].as_str()).collect();
    assert_eq!(problems, ["ANSWER_OLDER", "ANSWER_CONTRADICTS", "ANSWER_UNPROVED", "ANSWER_UNPROVED"]);
    for (name, text) in &wrong {
        assert!(Answer::decode(text.as_bytes()).is_err(), "{name}");
    }
    let value = json!({
        "trust": chain.trust().to_text(),
        "answers": answers.iter().map(|(name, answer)| json!({ "name": name, "text": written(answer) })).collect::<Vec<_>>(),
        "refused": wrong.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect::<Vec<_>>(),
        "joins": rows,
    });
    super::check("ledger-answer.json", &value);
}
