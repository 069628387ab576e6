//! Questions for the verifier: the vectors as published, and mutants of good bundles, the same on every run.

use std::path::Path;

use receipt_core::bundle::{Bundle, share};
use receipt_core::hash::Hash;
use receipt_core::ids::{LeafIndex, UnixMillis};
use receipt_core::receipt::disclosure::Seed;
use receipt_core::trust::TrustFile;
use receipt_core::verdict::{Verdict, verify_bundle};
use serde_json::{Value, json};

const SEED: u64 = 20_261_102;
const MINUTES_20_MS: u64 = 20 * 60 * 1000;

/// One file to judge.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) trust: String,
    pub(crate) at: UnixMillis,
    pub(crate) age_seconds_max: Option<u64>,
    pub(crate) bundle: Vec<u8>,
}

impl Question {
    /// As the browser is asked.
    pub(crate) fn to_json(&self) -> String {
        let mut options = json!({ "at_ms": self.at.get() });
        if let Some(age) = self.age_seconds_max {
            options["age_seconds_max"] = age.into();
        }
        json!({ "options": options, "trust": self.trust, "bundle": hex::encode(&self.bundle) }).to_string()
    }

    /// The library's answer.
    pub(crate) fn judge(&self) -> Verdict {
        let verdict = verify_bundle(&self.bundle, &TrustFile::parse(&self.trust).unwrap(), self.at);
        match self.age_seconds_max {
            Some(age) => verdict.not_older_than(age),
            None => verdict,
        }
    }
}

fn file(root: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(root.join("docs/spec/vectors").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn question(row: &Value, trust: &str, bundle: Vec<u8>) -> Question {
    let trust = match row["trust_replace"].as_array() {
        Some(pair) => trust.replace(pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
        None => trust.to_owned(),
    };
    Question { trust, at: UnixMillis::new(row["at_ms"].as_u64().unwrap()), age_seconds_max: None, bundle }
}

/// The bundles that stand in the file in full.
pub(crate) fn good(root: &Path) -> Vec<Question> {
    let file = file(root, "bundle.json");
    let trust = file["trust"].as_str().unwrap();
    let rows = file["bundles"].as_array().unwrap().iter();
    rows.map(|row| question(row, trust, row["bundle"].as_str().unwrap().into())).collect()
}

/// All vectors: those, and the first of them changed; presentations, and one of them changed.
pub(crate) fn vectors(root: &Path) -> Vec<Question> {
    let (whole, part) = (file(root, "bundle.json"), file(root, "presentation.json"));
    let trust = part["trust"].as_str().unwrap();
    let shown = part["presentations"].as_array().unwrap().iter();
    let shown = shown.map(|row| question(row, trust, row["presentation"].as_str().unwrap().into()));
    let mut questions: Vec<Question> = good(root).into_iter().chain(shown).collect();
    let base = questions[0].bundle.clone();
    questions.extend(changed(&whole, "tampered_first_bundle", &base));
    questions.extend(changed(&part, "tampered_base", part["base"].as_str().unwrap().as_bytes()));
    questions
}

fn changed(file: &Value, rows: &str, base: &[u8]) -> Vec<Question> {
    let trust = file["trust"].as_str().unwrap();
    let of = |row: &Value| {
        let place = |key: &str| usize::try_from(row["splice"][key].as_u64().unwrap()).unwrap();
        let mut bundle = base.to_vec();
        bundle.splice(place("from_byte")..place("to_byte"), row["splice"]["insert"].as_str().unwrap().bytes());
        question(row, trust, bundle)
    };
    file[rows].as_array().unwrap().iter().map(of).collect()
}

/// SplitMix64: the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// One bit of it is another.
    fn flip(&mut self, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let place = self.below(bytes.len());
            bytes[place] ^= 1 << self.below(8);
        }
    }

    /// One character of an ASCII text is another.
    fn retype(&mut self, text: &mut String) {
        let place = self.below(text.len());
        let letter = b"ABCxyz019+/=\n -"[self.below(15)];
        if text.is_char_boundary(place) && text.is_char_boundary(place + 1) {
            text.replace_range(place..=place, &char::from(letter).to_string());
        }
    }
}

/// So many changed bundles: bytes of the file, then parts of what it says, in canonical form so that they are read far into.
pub(crate) fn mutants(good: &[Question], count: usize) -> Vec<Question> {
    println!("mutants by seed {SEED}");
    let mut numbers = Numbers(SEED);
    let mutant = |_| {
        let mut question = good[numbers.below(good.len())].clone();
        let other = Bundle::decode(&good[numbers.below(good.len())].bundle).unwrap();
        match numbers.below(10) {
            0 => numbers.flip(&mut question.bundle),
            1 => {
                let place = numbers.below(question.bundle.len());
                question.bundle.truncate(place);
            }
            2 => {
                let bundle = Bundle::decode(&question.bundle).unwrap();
                question.bundle = share(&bundle, &["payer_name", "items"]).unwrap().encode();
                numbers.flip(&mut question.bundle);
            }
            _ => {
                let mut bundle = Bundle::decode(&question.bundle).unwrap();
                change(&mut bundle, other, &mut numbers);
                question.bundle = bundle.encode();
            }
        }
        match numbers.below(10) {
            0 => question.at = UnixMillis::new(question.at.get() - numbers.next() % (2 * MINUTES_20_MS)),
            1 => question.at = question.at.plus_millis(numbers.next() % MINUTES_20_MS),
            2 => question.age_seconds_max = Some(numbers.next() % 120),
            _ => {}
        }
        question
    };
    (0..count).map(mutant).collect()
}

fn change(bundle: &mut Bundle, other: Bundle, numbers: &mut Numbers) {
    match numbers.below(18) {
        0 => numbers.flip(&mut bundle.record),
        1 => numbers.flip(&mut bundle.credential),
        2 => numbers.flip(&mut bundle.batch.header),
        3 => numbers.flip(&mut bundle.status.seal),
        4 => numbers.flip(&mut bundle.status.map),
        5 => {
            let mut seed = *bundle.seed.as_bytes();
            numbers.flip(&mut seed);
            bundle.seed = Seed::new(seed);
        }
        6 => {
            let place = numbers.below(bundle.values.len());
            bundle.values[place].push_str(["0", " ", "<b>", "\u{202e}", "\u{3164}", "郎"][numbers.below(6)]);
        }
        7 => {
            let place = numbers.below(bundle.batch.path.len().max(1));
            match bundle.batch.path.get_mut(place) {
                Some(hash) => numbers.flip(&mut hash.0),
                None => bundle.batch.path.push(Hash::ZERO),
            }
        }
        8 => bundle.batch.index = LeafIndex::new(numbers.next() % 8),
        9 => numbers.retype(&mut bundle.anchor),
        10 => numbers.retype(&mut bundle.status.proof),
        11 => match &mut bundle.status.value {
            Some(value) => numbers.flip(value),
            None => bundle.status.value = other.status.value,
        },
        12 => bundle.chain.0.0[0] ^= 1,
        13 => bundle.status = other.status,
        14 => bundle.anchor = other.anchor,
        15 => bundle.credential = other.credential,
        16 => bundle.batch = other.batch,
        _ => (bundle.values, bundle.seed) = (other.values, other.seed),
    }
}
