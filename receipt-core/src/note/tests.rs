//! Published vectors, refusal tables, policies, and junk.

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::hash::Hash;
use crate::ids::{LeafIndex, TreeSize};
use crate::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};
use crate::merkle::{InnerTree, leaf_hash};
use crate::suite::Suite;

const SUITE: Suite = Suite::Ed25519Sha256;
const FOO_VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const FOO_NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const MIRROR_VKEY: &str = "mirror.example.org+3fb148ef+BAAjjch9GyYz0sJsJx7ALhbdAtz2ov0unbzSl1vMp94O";
const MIRROR_NOTE: &str = "rome2026h1.example.org\n300\ngw31yQrqZZCcEOPrzX+bpy3nJ6QgngTKn8G1m0i62uU=\n\n— mirror.example.org P7FI7wAAAABpVGeAjA1S4pJm6MbcXjX7UUImu4azZtrfcVW2uyr/LXIYlwEJzXC0N0EiZkbqfLdXt/4gVEEuGmxJjAfXKMCISpsJAg==\n";
const ORIGIN: &str = "ledger.example/2026";

/// A line that claims to be by this key.
fn line_by(key: &VerifierKey, payload: Vec<u8>) -> SignatureLine {
    SignatureLine::new(key.name(), key.id(), payload)
}

#[test]
fn evidence_of_a_fork_is_read_as_it_was_written() {
    let evidence = ForkEvidence::new(FOO_NOTE, MIRROR_NOTE);
    let text = evidence.encode();
    assert_eq!(ForkEvidence::decode(&text), Ok(evidence));
    let longer = text.replacen("note ", "note 0", 1);
    for bad in [
        String::new(),
        "tallystick/fork/v1\n".to_owned(),
        text[..text.len() - 1].to_owned(),
        format!("{text}\n"),
        longer,
        text.replacen("fork/v1", "fork/v2", 1),
        text.replacen("note ", "note +", 1),
        text.replacen("note ", "note 99999999999999999999", 1),
        ForkEvidence::new(FOO_NOTE, "no note").encode(),
        // A length that ends inside a character.
        text.replacen(&format!("note {}", FOO_NOTE.len()), "note 30", 1),
    ] {
        assert_eq!(ForkEvidence::decode(&bad), Err(NotEvidence), "{bad:?}");
    }
}

/// A key pair whose seed is a repeated byte.
struct Pair {
    key: VerifierKey,
    secret: SigningKey,
}

impl Pair {
    fn new(name: &str, kind: KeyKind, seed: u8) -> Self {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        Self { key: VerifierKey::new(name, kind, secret.verifying_key().to_bytes()).unwrap(), secret }
    }

    fn raw(&self, message: &[u8]) -> Result<[u8; 64], ()> {
        Ok(self.secret.sign(message).to_bytes())
    }

    fn signs(&self, text: &str) -> SignatureLine {
        sign(&self.key, text, |message| self.raw(message)).unwrap()
    }

    fn cosigns(&self, text: &str, time: u64) -> SignatureLine {
        cosign(&self.key, text, PosixSeconds::new(time), |message| self.raw(message)).unwrap()
    }
}

fn log_key(validator: u8) -> Pair {
    Pair::new(ORIGIN, KeyKind::Log, 10 + validator)
}

fn cosigner(validator: u8) -> Pair {
    Pair::new(&format!("{ORIGIN}/v{validator}"), KeyKind::Cosigner, 20 + validator)
}

fn three_of_four() -> Policy {
    let logs: Vec<VerifierKey> = (1..=4).map(|validator| log_key(validator).key).collect();
    let cosigners: Vec<VerifierKey> = (1..=4).map(|validator| cosigner(validator).key).collect();
    Policy::threshold(&logs, &cosigners, 3).unwrap()
}

fn checkpoint_text() -> String {
    Checkpoint::new(ORIGIN, TreeSize::new(9), Hash([7; 32])).unwrap().to_string()
}

/// One log signature and the given (validator, time) cosignatures.
fn note_with(times: &[(u8, u64)]) -> SignedNote {
    let text = checkpoint_text();
    let mut lines = vec![log_key(2).signs(&text)];
    lines.extend(times.iter().map(|(validator, time)| cosigner(*validator).cosigns(&text, *time)));
    SignedNote::new(&text, lines).unwrap()
}

#[test]
fn published_signed_note() {
    let key = VerifierKey::parse(FOO_VKEY).unwrap();
    assert_eq!((key.name(), key.kind(), key.to_string().as_str()), ("example.com/foo", KeyKind::Log, FOO_VKEY));
    let note = SignedNote::parse(FOO_NOTE.as_bytes()).unwrap();
    assert_eq!(note.text(), "This is an example message.\n");
    assert_eq!(note.to_string(), FOO_NOTE);
    assert_eq!(note.verify(&[&key]), Ok(vec![Verified { key: 0, line: 0, time: None }]));
}

#[test]
fn published_cosignature() {
    let key = VerifierKey::parse(MIRROR_VKEY).unwrap();
    assert_eq!((key.kind(), key.to_string().as_str()), (KeyKind::Cosigner, MIRROR_VKEY));
    let note = SignedNote::parse(MIRROR_NOTE.as_bytes()).unwrap();
    assert_eq!(note.to_string(), MIRROR_NOTE);
    let time = Some(PosixSeconds::new(0x6954_6780));
    assert_eq!(note.verify(&[&key]), Ok(vec![Verified { key: 0, line: 0, time }]));
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), ("rome2026h1.example.org", TreeSize::new(300)));
    let message = cosignature_message(PosixSeconds::new(0x6954_6780), note.text());
    assert!(message.starts_with(b"cosignature/v1\ntime 1767139200\nrome2026h1.example.org\n300\n"));
}

#[test]
fn every_flipped_bit_of_the_published_notes_is_refused() {
    for (note, vkey) in [(FOO_NOTE, FOO_VKEY), (MIRROR_NOTE, MIRROR_VKEY)] {
        let key = VerifierKey::parse(vkey).unwrap();
        for position in 0..note.len() {
            for bit in 0..8 {
                let mut bytes = note.as_bytes().to_vec();
                bytes[position] ^= 1 << bit;
                let verdict = SignedNote::parse(&bytes).and_then(|note| note.verify(&[&key]));
                assert!(verdict.is_err(), "bit {bit} of byte {position} of {vkey}");
            }
        }
    }
}

#[test]
fn malformed_keys() {
    let flipped = FOO_VKEY.replace("530d903a", "530d903b");
    let table = [
        ("", KeyError::Shape),
        ("example.com/foo", KeyError::Shape),
        ("example.com/foo+530d903a", KeyError::Shape),
        ("example.com/foo+530d903a+!!", KeyError::Shape),
        ("example.com/foo+530d903a+", KeyError::Shape),
        (&FOO_VKEY[..FOO_VKEY.len() - 4], KeyError::Point),
        (&flipped, KeyError::IdMismatch),
        (&FOO_VKEY.replace("530d903a", "530D903A"), KeyError::IdMismatch),
        (&FOO_VKEY.replace("example.com/foo", "example.com/fop"), KeyError::IdMismatch),
        (&FOO_VKEY.replace("example.com/foo", "example.com foo"), KeyError::Name),
        (&FOO_VKEY.replace("example.com/foo", "example.com\u{2003}foo"), KeyError::Name),
        (&FOO_VKEY.replace("example.com/foo", ""), KeyError::Name),
        (&FOO_VKEY.replace("+Aeky", "+/+ky"), KeyError::UnsupportedType(0xff)),
        (&FOO_VKEY.replace("+Aeky", "+Buky"), KeyError::UnsupportedType(0x06)),
    ];
    for (vkey, error) in table {
        assert_eq!(VerifierKey::parse(vkey), Err(error), "{vkey}");
    }
}

#[test]
fn weak_and_non_canonical_keys_are_refused() {
    let point = |text: &str| -> [u8; 32] { hex::decode(text).unwrap().try_into().unwrap() };
    let refused = [
        // The identity, the point of order 2, one of order 4, one of order 8.
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        // y = p + 1 and y = p: other spellings of the identity and of a point of order 4.
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        // y = 2 is on no point of the curve.
        "0200000000000000000000000000000000000000000000000000000000000000",
    ];
    for text in refused {
        assert_eq!(VerifierKey::new("name", KeyKind::Log, point(text)), Err(KeyError::Point), "{text}");
    }
    // y = 3 is on the curve but has a torsion component or not: whatever is taken is torsion-free.
    let taken = (3u8..100).filter(|y| {
        let mut bytes = [0; 32];
        bytes[0] = *y;
        VerifierKey::new("name", KeyKind::Log, bytes).is_ok()
    });
    // One curve point in eight is torsion-free, and half of all y are on the curve: about 6 of 97.
    assert!((1..20).contains(&taken.count()));
}

#[test]
fn signatures_verify_strictly() {
    let pair = Pair::new("example.com/foo", KeyKind::Log, 1);
    let text = "a text\n";
    let line = pair.signs(text);
    let note = SignedNote::new(text, vec![line.clone()]).unwrap();
    assert!(note.verify(&[&pair.key]).is_ok());
    let with_payload = |payload: &[u8]| {
        let line = line_by(&pair.key, payload.to_vec());
        SignedNote::new(text, vec![line]).unwrap().verify(&[&pair.key])
    };
    let refused = Err(NoteError::BadSignature { name: "example.com/foo".to_owned() });

    // S + L is the same scalar, but not its canonical spelling.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut malleated = line.payload().to_vec();
    let mut carry = 0u16;
    for (byte, add) in malleated[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    assert_eq!(with_payload(&malleated), refused);
    // R the identity, S zero.
    let mut small_order = [0u8; 64];
    small_order[0] = 1;
    assert_eq!(with_payload(&small_order), refused);
    // Wrong lengths.
    assert_eq!(with_payload(&line.payload()[..63]), refused);
    assert_eq!(with_payload(&[line.payload(), &[0]].concat()), refused);
    // A log signature is no cosignature, even over the same bytes.
    let witness = Pair::new("example.com/foo", KeyKind::Cosigner, 1);
    let forged = line_by(&witness.key, line.payload().to_vec());
    let verdict = SignedNote::new(text, vec![forged]).unwrap().verify(&[&witness.key]);
    assert_eq!(verdict, refused);
}

#[test]
fn signing_checks_itself() {
    let (log, witness) = (Pair::new("log", KeyKind::Log, 1), Pair::new("witness", KeyKind::Cosigner, 2));
    let time = PosixSeconds::new(5);
    assert_eq!(sign(&witness.key, "x\n", |m| witness.raw(m)), Err(SignError::WrongKind));
    assert_eq!(cosign(&log.key, "x\n", time, |m| log.raw(m)), Err(SignError::WrongKind));
    assert_eq!(sign(&log.key, "x\n", |m| witness.raw(m)), Err(SignError::Mismatch));
    assert_eq!(
        cosign(&witness.key, "x\n", time, |_| Err("the guard refuses")),
        Err(SignError::Signer("the guard refuses"))
    );
    assert_eq!(witness.cosigns("x\n", 5).to_string().split(' ').nth(1), Some("witness"));
}

#[test]
fn malformed_notes() {
    let good_line = FOO_NOTE.lines().last().unwrap();
    let table = [
        (String::new(), NoteError::Shape),
        ("text\n".to_owned(), NoteError::Shape),
        (format!("text\n{good_line}\n"), NoteError::Shape),
        (format!("text\n\n{good_line}"), NoteError::Shape),
        (format!("text\n\n{good_line}\n\n"), NoteError::Shape),
        ("text\n\n".to_owned(), NoteError::Shape),
        ("text\n\n\n".to_owned(), NoteError::Shape),
        ("text\n\n \n".to_owned(), NoteError::SignatureLine { line: 1 }),
        (format!("te\txt\n\n{good_line}\n"), NoteError::NotText),
        (format!("text\r\n\n{good_line}\n"), NoteError::NotText),
        (format!("text\n\n{good_line}\r\n"), NoteError::SignatureLine { line: 1 }),
        (format!("text\n\n{good_line}\n{good_line} \n"), NoteError::SignatureLine { line: 2 }),
        (format!("text\n\n{}\n", good_line.replace('—', "-")), NoteError::SignatureLine { line: 1 }),
        (format!("text\n\n{}\n", good_line.replace("foo ", "foo  ")), NoteError::SignatureLine { line: 1 }),
        (format!("text\n\n{}\n", good_line.replace("com/foo", "com+foo")), NoteError::SignatureLine { line: 1 }),
        (format!("text\n\n{}\n", good_line.replace("aQM=", "aQN=")), NoteError::SignatureLine { line: 1 }),
        (format!("text\n\n{}\n", good_line.replace("aQM=", "aQM")), NoteError::SignatureLine { line: 1 }),
        ("text\n\n— name AAAAAA==\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("text\n\n—  AAAAAAA=\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("text\n\n— AAAAAAA=\n".to_owned(), NoteError::SignatureLine { line: 1 }),
    ];
    for (bytes, error) in table {
        assert_eq!(SignedNote::parse(bytes.as_bytes()), Err(error), "{bytes:?}");
    }
    assert_eq!(SignedNote::parse(b"te\xffxt\n\n"), Err(NoteError::NotText));
    // The text ends before the last empty line, and may itself have some.
    let note = SignedNote::parse(b"a\n\n\n\xe2\x80\x94 name AAAAAAA=\n").unwrap();
    assert_eq!(note.text(), "a\n\n");
    let note = SignedNote::parse(format!("a\n\n{good_line}\n\n{good_line}\n").as_bytes()).unwrap();
    assert_eq!((note.text(), note.signatures().len()), (format!("a\n\n{good_line}\n").as_str(), 1));
}

#[test]
fn note_limits() {
    let line = FOO_NOTE.lines().last().unwrap();
    let note = |lines: usize| format!("text\n\n{}", format!("{line}\n").repeat(lines));
    assert_eq!(SignedNote::parse(note(NOTE_SIGNATURES_MAX).as_bytes()).unwrap().signatures().len(), 256);
    let too_many = Err(NoteError::TooManySignatures);
    assert_eq!(SignedNote::parse(note(NOTE_SIGNATURES_MAX + 1).as_bytes()), too_many);
    let full = "x".repeat(NOTE_BYTES_MAX - line.len() - 3);
    assert!(SignedNote::parse(format!("{full}\n\n{line}\n").as_bytes()).is_ok());
    let bytes = NOTE_BYTES_MAX + 1;
    assert_eq!(SignedNote::parse(format!("{full}x\n\n{line}\n").as_bytes()), Err(NoteError::TooLarge { bytes }));
    let lines = SignedNote::parse(note(1).as_bytes()).unwrap().signatures().to_vec();
    assert_eq!(SignedNote::new(&format!("{full}x\n"), lines), Err(NoteError::TooLarge { bytes }));
}

/// c2sp.org/signed-note: readers must accept up to 16 signatures, and post-quantum ones have nearly 5 kB.
#[test]
fn sixteen_lines_of_post_quantum_size_are_read() {
    const ML_DSA_87_BYTES: usize = 4_627;
    let known = Pair::new("example.com/known", KeyKind::Log, 1);
    let checkpoint = checkpoint_text();
    for (large, bytes) in [(12, ML_DSA_87_BYTES), (15, 5_000)] {
        let mut lines: Vec<SignatureLine> = (0..large)
            .map(|number| {
                let payload = text::base64(&vec![number; 4 + bytes]);
                SignatureLine::parse(&format!("— witness.example.com/{number:02} {payload}")).unwrap()
            })
            .collect();
        lines.resize(15, line_by(&cosigner(1).key, vec![0; 72]));
        lines.push(known.signs(&checkpoint));
        let written: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let note = format!("{checkpoint}\n{written}");
        assert!(note.len() > 70_000, "{}", note.len());
        let read = SignedNote::parse(note.as_bytes()).unwrap();
        assert_eq!((read.signatures().len(), read.to_string()), (16, note));
        assert_eq!(read.verify(&[&known.key]).unwrap()[0].line, 15);
    }
}

#[test]
fn unknown_keys_are_ignored_known_ones_must_be_right() {
    let (a, b) = (Pair::new("a", KeyKind::Log, 1), Pair::new("b", KeyKind::Log, 2));
    let same_name = Pair::new("a", KeyKind::Log, 3);
    let text = "text\n";
    let wrong_b = line_by(&b.key, vec![0; 64]);
    let note = |lines: &[&SignatureLine]| SignedNote::new(text, lines.iter().copied().cloned().collect()).unwrap();
    let by_a = a.signs(text);
    let seen = |line| Ok(vec![Verified { key: 0, line, time: None }]);
    assert_eq!(note(&[&wrong_b, &by_a]).verify(&[&a.key]), seen(1));
    assert_eq!(note(&[&same_name.signs(text), &by_a]).verify(&[&a.key]), seen(1));
    let bad_b = Err(NoteError::BadSignature { name: "b".to_owned() });
    assert_eq!(note(&[&by_a, &wrong_b]).verify(&[&a.key, &b.key]), bad_b);
    assert_eq!(note(&[&wrong_b]).verify(&[&a.key]), Err(NoteError::NoKnownKey));
    assert_eq!(note(&[&by_a]).verify(&[]), Err(NoteError::NoKnownKey));
    // Doubled lines count once; a wrong double still rejects.
    assert_eq!(note(&[&by_a, &by_a]).verify(&[&a.key]), seen(0));
    let wrong_a = line_by(&a.key, vec![0; 64]);
    assert_eq!(note(&[&by_a, &wrong_a]).verify(&[&a.key]), Err(NoteError::BadSignature { name: "a".to_owned() }));
    // Of a cosigner's lines the latest counts.
    let witness = Pair::new("w", KeyKind::Cosigner, 4);
    let twice = note(&[&witness.cosigns(text, 5), &witness.cosigns(text, 9), &witness.cosigns(text, 7)]);
    let time = Some(PosixSeconds::new(9));
    assert_eq!(twice.verify(&[&witness.key]), Ok(vec![Verified { key: 0, line: 1, time }]));
}

#[test]
fn checkpoints() {
    let root = "gw31yQrqZZCcEOPrzX+bpy3nJ6QgngTKn8G1m0i62uU=";
    let good = format!("origin with spaces\n300\n{root}\n");
    assert_eq!(Checkpoint::parse(&good).unwrap().to_string(), good);
    assert!(Checkpoint::parse(&format!("o\n0\n{root}\n")).is_ok());
    let bad = [
        String::new(),
        "\n\n\n".to_owned(),
        format!("\n300\n{root}\n"),
        format!("o\n300\n{root}"),
        format!("o\n300\n{root}\n\n"),
        format!("o\n300\n{root}\nextension\n"),
        format!("o\n0300\n{root}\n"),
        format!("o\n+300\n{root}\n"),
        format!("o\n-1\n{root}\n"),
        format!("o\n\n{root}\n"),
        format!("o\n18446744073709551616\n{root}\n"),
        format!("o\n300\n{}\n", root.trim_end_matches('=')),
        format!("o\n300\n{}\n", root.replace("2uU=", "2uV=")),
        "o\n300\nAAAA\n".to_owned(),
        format!("o\r\n300\n{root}\n"),
    ];
    for text in bad {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
    assert!(Checkpoint::new("two\nlines", TreeSize::ZERO, Hash::ZERO).is_err());
}

#[test]
fn three_of_four_validators() {
    let policy = three_of_four();
    assert_eq!(Policy::parse(&policy.to_string()), Ok(policy.clone()));
    let enough = note_with(&[(1, 100), (3, 90), (4, 110)]);
    let endorsement = policy.verify(&enough).unwrap();
    assert_eq!(endorsement.as_of, Some(PosixSeconds::new(90)));
    assert_eq!(endorsement.checkpoint.size(), TreeSize::new(9));
    let quorum_missing = |cosigners| Err(PolicyError::QuorumNotReached { cosigners });
    assert_eq!(policy.verify(&note_with(&[(1, 100), (3, 90)])), quorum_missing(2));
    // One validator three times is one.
    assert_eq!(policy.verify(&note_with(&[(1, 100), (3, 90), (3, 95), (3, 99)])), quorum_missing(2));
    let evaluation = policy.evaluate(&note_with(&[(1, 100), (3, 90)])).unwrap();
    assert!(evaluation.log_signed && !evaluation.quorum_reached && evaluation.as_of.is_none());
    assert_eq!(evaluation.cosigners.len(), 2);
    // Nobody's stale or early clock counts beyond the quorum's need: the freshest three decide.
    let all = note_with(&[(1, 1), (2, 100), (3, 90), (4, u64::MAX)]);
    let endorsement = policy.verify(&all).unwrap();
    assert_eq!(endorsement.as_of, Some(PosixSeconds::new(90)));
    let used: Vec<bool> = endorsement.cosigners.iter().map(|cosigner| cosigner.in_quorum).collect();
    assert_eq!(used, [false, true, true, true]);
    assert_eq!(endorsement.cosigners[0].name, format!("{ORIGIN}/v1"));
}

#[test]
fn the_log_must_sign_under_the_origin() {
    let policy = three_of_four();
    let text = checkpoint_text();
    let cosigned: Vec<SignatureLine> = (1..=3).map(|validator| cosigner(validator).cosigns(&text, 5)).collect();
    let without_log = SignedNote::new(&text, cosigned.clone()).unwrap();
    assert_eq!(policy.verify(&without_log), Err(PolicyError::LogSignatureMissing));
    assert_eq!(policy.assemble(&without_log).notes, Err(PolicyError::LogSignatureMissing));
    // The right keys over another origin's checkpoint.
    let foreign = Checkpoint::new("another.example", TreeSize::new(9), Hash::ZERO).unwrap().to_string();
    let mut lines = vec![log_key(1).signs(&foreign)];
    lines.extend((1..=3).map(|validator| cosigner(validator).cosigns(&foreign, 5)));
    let foreign = SignedNote::new(&foreign, lines).unwrap();
    assert_eq!(policy.verify(&foreign), Err(PolicyError::LogSignatureMissing));
    // Not a checkpoint at all.
    let other = SignedNote::new("hello\n", vec![log_key(1).signs("hello\n")]).unwrap();
    assert!(matches!(policy.verify(&other), Err(PolicyError::Checkpoint(_))));
    // A wrong line by a known cosigner rejects a note that had enough without it.
    let mut lines = note_with(&[(1, 1), (2, 1), (3, 1)]).signatures().to_vec();
    lines.push(line_by(&cosigner(4).key, vec![0; 72]));
    let spoiled = SignedNote::new(&text, lines).unwrap();
    assert!(matches!(policy.verify(&spoiled), Err(PolicyError::Note(NoteError::BadSignature { .. }))));
}

#[test]
fn assembled_notes_carry_exactly_what_is_needed() {
    let policy = three_of_four();
    let text = checkpoint_text();
    let stranger = Pair::new("stranger", KeyKind::Cosigner, 99);
    let mut lines = vec![stranger.cosigns(&text, 7), log_key(3).signs(&text), log_key(2).signs(&text)];
    lines.extend([(4, 40), (2, 20), (2, 25), (3, 30), (1, 10)].map(|(who, time)| cosigner(who).cosigns(&text, time)));
    let Assembled { notes, wrong } = policy.assemble(&SignedNote::new(&text, lines).unwrap());
    let Assembly { smallest: note, fullest, as_of } = notes.unwrap();
    assert_eq!((wrong, as_of), (Vec::new(), Some(PosixSeconds::new(25))));
    let names = |note: &SignedNote| note.signatures().iter().map(|line| line.name().to_owned()).collect::<Vec<_>>();
    let [v1, v2, v3, v4] = [1, 2, 3, 4].map(|validator| format!("{ORIGIN}/v{validator}"));
    assert_eq!(names(&note), [ORIGIN.to_owned(), v2.clone(), v3.clone(), v4.clone()]);
    // The fullest has a line by each key: whoever knows one of the log keys, and any three cosigners, can use it.
    assert_eq!(names(&fullest), [ORIGIN.to_owned(), ORIGIN.to_owned(), v1, v2, v3, v4]);
    assert_eq!(fullest.signatures()[..2], [log_key(2).signs(&text), log_key(3).signs(&text)]);
    assert_eq!(policy.verify(&fullest).unwrap().as_of, as_of);
    assert_eq!(policy.assemble(&fullest).notes.unwrap(), Assembly { smallest: note.clone(), fullest, as_of });
    assert_eq!(note.signatures()[0], log_key(2).signs(&text), "the policy's first log key that signed");
    assert_eq!(policy.verify(&note).unwrap().as_of, Some(PosixSeconds::new(25)));
    assert_eq!(policy.assemble(&note).notes.unwrap().smallest, note);
    for dropped in 0..4 {
        let mut lines = note.signatures().to_vec();
        lines.remove(dropped);
        assert!(policy.verify(&SignedNote::new(&text, lines).unwrap()).is_err());
    }
    let missing = policy.assemble(&note_with(&[(1, 1), (2, 2)]));
    assert_eq!(missing.notes, Err(PolicyError::QuorumNotReached { cosigners: 2 }));
}

/// Who reads a note with a wrong line by a known key rejects it; who puts one together leaves the line out and says which.
#[test]
fn wrong_lines_are_left_out_of_assembled_notes() {
    let policy = three_of_four();
    let text = checkpoint_text();
    let mut lines = vec![line_by(&log_key(1).key, vec![0; 64]), log_key(2).signs(&text)];
    lines.push(line_by(&cosigner(4).key, vec![0; 72]));
    lines.extend([1, 2, 3].map(|validator| cosigner(validator).cosigns(&text, 5)));
    let note = SignedNote::new(&text, lines.clone()).unwrap();
    assert!(matches!(policy.verify(&note), Err(PolicyError::Note(NoteError::BadSignature { .. }))));
    let Assembled { notes, wrong } = policy.assemble(&note);
    assert_eq!(wrong, [0, 2]);
    assert_eq!(policy.verify(&notes.unwrap().fullest).unwrap().as_of, Some(PosixSeconds::new(5)));
    // What is wrong is said although it is not enough.
    let few = policy.assemble(&SignedNote::new(&text, lines[..5].to_vec()).unwrap());
    assert_eq!(few.wrong, [0, 2]);
    assert_eq!(few.notes, Err(PolicyError::QuorumNotReached { cosigners: 2 }));
}

/// A signature line has nothing but name and key id to say whose it is.
#[test]
fn keys_that_share_name_and_id_are_refused() {
    let origin = "ledger.example/testchain";
    let twins = crate::testkit::TWIN_LOG_KEYS.map(crate::testkit::TestValidator::new);
    let [one, other] =
        twins.each_ref().map(|twin| VerifierKey::new(origin, KeyKind::Log, twin.public().log_key.0).unwrap());
    assert_eq!((one.name(), one.id()), (other.name(), other.id()));
    assert_ne!(one.public_key(), other.public_key());
    // Under one policy the second's line would be judged as the first's, and the note rejected.
    let text = Checkpoint::new(origin, TreeSize::new(9), Hash([7; 32])).unwrap().to_string();
    let note = SignedNote::new(&text, vec![twins[1].sign_as_log(origin, &text)]).unwrap();
    assert!(note.verify(&[&other]).is_ok());
    assert!(matches!(note.verify(&[&one, &other]), Err(NoteError::BadSignature { .. })));
    let rest = format!("witness a {}\nquorum a\n", cosigner(1).key);
    assert!(
        Policy::parse(&format!("log {one}\n{rest}")).is_ok() && Policy::parse(&format!("log {other}\n{rest}")).is_ok()
    );
    let refused = Policy::parse(&format!("log {one}\nlog {other}\n{rest}")).unwrap_err();
    assert!(
        matches!(refused, PolicyTextError::Line { line: 2, .. }) && refused.to_string().contains("key id"),
        "{refused}"
    );
    let set = |ids: &[u32]| {
        let members = ids.iter().map(|id| crate::testkit::TestValidator::new(*id).public()).collect();
        crate::validators::ValidatorSet::new(members).unwrap()
    };
    let with_twins = set(&[1, twins[0].id, twins[1].id]);
    let refused = with_twins.check_note_keys(origin).unwrap_err().to_string();
    assert!(refused.contains(&format!("{} and {}", twins[0].id, twins[1].id)), "{refused}");
    with_twins.check_note_keys("ledger.example/2026").unwrap();
    set(&[1, 2, 3, 4]).check_note_keys(origin).unwrap();
}

#[test]
fn nested_groups() {
    let vkey = |n: u8| cosigner(n).key.to_string();
    let text = format!(
        "# the example of the specification\n\nlog {log} https://log.example/\nwitness X1 {} \twitness.example\n\
         witness X2\t{}\n  witness X3 {}\ngroup X 2 X1 X2 X3\nwitness Y1 {}\nwitness Y2 {}\n \t\n\
         group Y any Y1 Y2\ngroup XY all X Y\nquorum XY\n # end\n",
        vkey(1),
        vkey(2),
        vkey(3),
        vkey(4),
        vkey(5),
        log = log_key(2).key,
    );
    let policy = Policy::parse(&text).unwrap();
    assert_eq!(Policy::parse(&policy.to_string()), Ok(policy.clone()));
    assert_eq!((policy.log_keys().count(), policy.cosigner_keys().count()), (1, 5));
    type Row = (&'static [(u8, u64)], Option<u64>);
    let table: [Row; 7] = [
        (&[(1, 10), (2, 20), (4, 30)], Some(10)),
        (&[(1, 10), (2, 20), (3, 15), (4, 30)], Some(15)),
        (&[(1, 10), (2, 20), (4, 5), (5, 7)], Some(7)),
        (&[(1, 10), (2, 20), (3, 30)], None),
        (&[(1, 10), (4, 20), (5, 30)], None),
        (&[(4, 20)], None),
        (&[], None),
    ];
    for (times, as_of) in table {
        let verdict = policy.verify(&note_with(times)).ok().map(|endorsement| endorsement.as_of);
        assert_eq!(verdict, as_of.map(|time| Some(PosixSeconds::new(time))), "{times:?}");
    }
}

#[test]
fn quorum_of_one_and_of_none() {
    let log = log_key(2).key;
    let one = Policy::parse(&format!("log {log}\nwitness w {}\nquorum w\n", cosigner(1).key)).unwrap();
    assert_eq!(one.verify(&note_with(&[(1, 4)])).unwrap().as_of, Some(PosixSeconds::new(4)));
    assert!(one.verify(&note_with(&[(2, 4)])).is_err());
    let none = Policy::parse(&format!("log {log}\nquorum none\n")).unwrap();
    assert_eq!(Policy::parse(&none.to_string()), Ok(none.clone()));
    assert_eq!(none.verify(&note_with(&[])).unwrap().as_of, None);
    assert_eq!(none.assemble(&note_with(&[(1, 4)])).notes.unwrap().smallest, note_with(&[]));
    let no_log = Policy::parse(&format!("witness w {}\nquorum w\n", cosigner(1).key)).unwrap();
    assert_eq!(no_log.verify(&note_with(&[(1, 4)])), Err(PolicyError::LogSignatureMissing));
}

#[test]
fn malformed_policies() {
    let (log, w1, w2) = (log_key(1).key, cosigner(1).key, cosigner(2).key);
    let same_key = VerifierKey::new("other-name", KeyKind::Cosigner, w1.public_key()).unwrap();
    let base = format!("log {log}\nwitness a {w1}\nwitness b {w2}\n");
    assert!(Policy::parse(&format!("{base}group g 1 a b\nquorum g\n")).is_ok());
    let bad = [
        String::new(),
        "quorum none".to_owned(),
        "quorum none\r\n".to_owned(),
        "quorum none\n\x0b\n".to_owned(),
        base.clone(),
        format!("{base}quorum a\nquorum a\n"),
        format!("{base}quorum c\n"),
        format!("{base}quorum a b\n"),
        format!("{base}quorum\n"),
        format!("quorum a\n{base}"),
        format!("{base}group g 0 a b\nquorum g\n"),
        format!("{base}group g 3 a b\nquorum g\n"),
        format!("{base}group g 01 a b\nquorum g\n"),
        format!("{base}group g most a b\nquorum g\n"),
        format!("{base}group g any\nquorum g\n"),
        format!("{base}group g all\nquorum g\n"),
        format!("{base}group g 1 a a\nquorum g\n"),
        format!("{base}group g 1 a none\nquorum g\n"),
        format!("{base}group g 1 a g\nquorum g\n"),
        format!("{base}group g 1 h\ngroup h 1 a\nquorum g\n"),
        format!("{base}group g 1 a\ngroup h 1 a b\nquorum h\n"),
        format!("{base}group a 1 b\nquorum a\n"),
        format!("{base}group none 1 b\nquorum a\n"),
        format!("{base}log {log}\nquorum a\n"),
        format!("{base}log {w1}\nquorum a\n"),
        format!("{base}witness c {log}\nquorum a\n"),
        format!("{base}witness c {same_key}\nquorum a\n"),
        format!("{base}witness a {}\nquorum a\n", cosigner(3).key),
        format!("{base}witness none {}\nquorum a\n", cosigner(3).key),
        format!("{base}witness c d {}\nquorum a\n", cosigner(3).key),
        format!("{base}log {log} url more\nquorum a\n"),
        format!("{base}mirror {log}\nquorum a\n"),
        format!("{base}Quorum a\n"),
    ];
    for text in bad {
        assert!(Policy::parse(&text).is_err(), "{text:?}");
    }
    let error = Policy::parse(&format!("{base}witness c x\nquorum a\n"));
    assert_eq!(error, Err(PolicyTextError::Key { line: 4, source: KeyError::Shape }));
    assert!(Policy::threshold(std::slice::from_ref(&log), &[w1.clone(), w2.clone()], 3).is_err());
    assert!(Policy::threshold(&[log], &[w1, w2], 2).is_ok());
}

/// A proof of one of nine entries under the three-of-four policy.
fn proof_of(entry: usize) -> (TlogProof, Hash) {
    let leaves: Vec<Vec<u8>> = (0..9u8).map(|n| vec![n; 5]).collect();
    let tree = InnerTree::from_leaves(SUITE, &leaves).unwrap();
    let text = Checkpoint::new(ORIGIN, tree.size(), tree.root()).unwrap().to_string();
    let mut lines = vec![log_key(1).signs(&text)];
    lines.extend((1..=3).map(|validator| cosigner(validator).cosigns(&text, 1000)));
    let index = LeafIndex::new(entry as u64);
    let path = tree.path(index).unwrap();
    let checkpoint = SignedNote::new(&text, lines).unwrap();
    (TlogProof { extra: None, index, path, checkpoint }, leaf_hash(SUITE, &leaves[entry]))
}

#[test]
fn proof_files() {
    let policy = three_of_four();
    for entry in 0..9 {
        let (proof, leaf) = proof_of(entry);
        let file = proof.to_string();
        assert_eq!(TlogProof::parse_without_extra(file.as_bytes()), Ok(proof.clone()));
        assert_eq!(proof.verify(SUITE, &policy, &leaf).unwrap().as_of, Some(PosixSeconds::new(1000)));
        assert!(matches!(proof.verify(SUITE, &policy, &Hash::ZERO), Err(TlogProofError::Path(_))));
        let elsewhere = TlogProof { index: LeafIndex::new(9), ..proof.clone() };
        assert!(matches!(elsewhere.verify(SUITE, &policy, &leaf), Err(TlogProofError::Path(_))));
        let mut trailing = proof.clone();
        trailing.path.push(Hash::ZERO);
        assert!(matches!(trailing.verify(SUITE, &policy, &leaf), Err(TlogProofError::Path(_))));
        let with_extra = TlogProof { extra: Some(b"hint".to_vec()), ..proof };
        let file = with_extra.to_string();
        assert!(file.starts_with("c2sp.org/tlog-proof@v1\nextra aGludA==\nindex "));
        assert_eq!(TlogProof::parse(file.as_bytes()), Ok(with_extra));
        let refused = TlogProofError::Format("extra data is not accepted");
        assert_eq!(TlogProof::parse_without_extra(file.as_bytes()), Err(refused));
    }
}

#[test]
fn malformed_proof_files() {
    let file = proof_of(5).0.to_string();
    let hash = "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=\n";
    let bad = [
        String::new(),
        file.replace("@v1", "@v2"),
        file.replace("\nindex", "\r\nindex"),
        file.replace("index 5", "index 05"),
        file.replace("index 5", "index  5"),
        file.replace("index 5", "index +5"),
        file.replace("index 5", "index 5 "),
        file.replace("index 5\n", ""),
        file.replace("index 5\n", "index 5\nindex 5\n"),
        file.replace("index 5\n", "index 5\nextra AAAA\n"),
        file.replace("index 5\n", "extra AAAA\nextra AAAA\nindex 5\n"),
        file.replace("index 5\n", "extra A\nindex 5\n"),
        file.replace("index 5\n", "extra\nindex 5\n"),
        file.replace("index 5\n", "index 5\nAAAA\n"),
        file.replace("index 5\n", "index 5\n\n"),
        file.replace("index 5\n", &format!("index 5\n{}", hash.repeat(61))),
        file.trim_end().to_owned(),
        format!("{file}\n"),
        format!("\n{file}"),
        "c2sp.org/tlog-proof@v1\nindex 5\n\n".to_owned(),
    ];
    for text in bad {
        assert!(TlogProof::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(TlogProof::parse(file.replace("index 5\n", &format!("index 5\n{}", hash.repeat(60))).as_bytes()).is_ok());
    assert!(TlogProof::parse(&vec![b'a'; 1 << 20]).is_err());
}

#[test]
fn every_flipped_byte_of_a_proof_file_is_refused() {
    let policy = three_of_four();
    let (proof, leaf) = proof_of(4);
    let file = proof.to_string();
    for position in 0..file.len() {
        for flip in [0x01, 0x10, 0x20, 0x80, 0xff] {
            let mut bytes = file.as_bytes().to_vec();
            bytes[position] ^= flip;
            let verdict = TlogProof::parse_without_extra(&bytes).and_then(|proof| proof.verify(SUITE, &policy, &leaf));
            assert!(verdict.is_err(), "byte {position} xor {flip:#x}");
        }
    }
}

proptest! {
    #[test]
    fn junk_never_panics_and_what_is_taken_is_printed_back(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        text in "([a-z +0-9=\n—]{0,20}(\n\n)?(— [a-z+]{0,3} [A-Za-z0-9+/=]{0,12}\n)?){0,4}",
        policy in "((log|witness|group|quorum|#) [a-c]{0,2} (any|all|[0-3])? ?[a-c ]{0,5}\n){0,6}(quorum none\n)?",
    ) {
        for input in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(note) = SignedNote::parse(input) {
                prop_assert_eq!(note.to_string().into_bytes(), input);
            }
            if let Ok(proof) = TlogProof::parse(input) {
                prop_assert_eq!(proof.to_string().into_bytes(), input);
            }
        }
        let _ = (VerifierKey::parse(&text), Checkpoint::parse(&text), SignatureLine::parse(&text));
        if let Ok(parsed) = Policy::parse(&policy) {
            prop_assert_eq!(Policy::parse(&parsed.to_string()), Ok(parsed));
        }
    }

    #[test]
    fn well_formed_notes_round_trip(
        text in "[ -~äπ—\n]{0,60}\n",
        lines in proptest::collection::vec(("[!-*,-~é]{1,12}", proptest::collection::vec(any::<u8>(), 5..80)), 1..5),
    ) {
        let lines: Vec<String> = lines.iter().map(|(name, bytes)| format!("— {name} {}", text::base64(bytes))).collect();
        let note = format!("{text}\n{}\n", lines.join("\n"));
        let parsed = SignedNote::parse(note.as_bytes()).unwrap();
        prop_assert_eq!(parsed.text(), text);
        prop_assert_eq!(parsed.signatures().len(), lines.len());
        prop_assert_eq!(parsed.to_string(), note);
    }

    #[test]
    fn the_freshest_quorum_is_the_kth_latest(times in proptest::collection::vec(proptest::option::of(0..50u64), 4)) {
        let signed: Vec<(u8, u64)> = (1..).zip(&times).filter_map(|(n, time)| Some((n, (*time)?))).collect();
        let mut sorted: Vec<u64> = signed.iter().map(|(_, time)| *time).collect();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let verdict = three_of_four().verify(&note_with(&signed));
        prop_assert_eq!(verdict.ok().and_then(|e| e.as_of), sorted.get(2).map(|time| PosixSeconds::new(*time)));
    }
}
