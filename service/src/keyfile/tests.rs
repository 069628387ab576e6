use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::rng::SeededEntropy;

const SECRET: [u8; 32] = [7; 32];

struct Fixture {
    path: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let dir = scratch::Directory::new();
        let path = dir.path().join("unit.key");
        let new_key = NewKey { secret: &SECRET, kind: KeyKind::Ed25519Seed, cost: KdfCost::DEVELOPMENT };
        create(&path, &Passphrase::new("correct horse"), &new_key, &SeededEntropy::new(1)).unwrap();
        Self { path }
    }

    fn open(&self) -> Result<Secret, KeyFileError> {
        open(&self.path, &Passphrase::new("correct horse"), KeyKind::Ed25519Seed)
    }

    fn rewrite(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(&self.path).unwrap();
        change(&mut bytes);
        fs::write(&self.path, bytes).unwrap();
    }
}

#[test]
fn opens_what_it_made_with_mode_0600() {
    let fixture = Fixture::new();
    assert_eq!(*fixture.open().unwrap(), SECRET);
    assert_eq!(fs::metadata(&fixture.path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read(&fixture.path).unwrap().len(), FILE_BYTES);
}

#[test]
fn wrong_passphrase_is_refused() {
    let fixture = Fixture::new();
    let error = open(&fixture.path, &Passphrase::new("correct horsf"), KeyKind::Ed25519Seed).unwrap_err();
    assert!(matches!(error, KeyFileError::WrongPassphrase { .. }), "{error}");
}

#[test]
fn another_kind_is_refused() {
    let fixture = Fixture::new();
    let error = open(&fixture.path, &Passphrase::new("correct horse"), KeyKind::Symmetric).unwrap_err();
    assert!(matches!(error, KeyFileError::WrongKind { .. }), "{error}");
    fixture.rewrite(|bytes| bytes[9] = 2);
    let error = open(&fixture.path, &Passphrase::new("correct horse"), KeyKind::Symmetric).unwrap_err();
    assert!(matches!(error, KeyFileError::WrongPassphrase { .. }), "a relabelled key opened: {error}");
}

#[test]
fn every_truncation_is_refused() {
    let fixture = Fixture::new();
    let whole = fs::read(&fixture.path).unwrap();
    for length in 0..whole.len() {
        fixture.rewrite(|bytes| *bytes = whole[..length].to_vec());
        let error = fixture.open().unwrap_err();
        assert!(matches!(error, KeyFileError::Damaged { .. }), "{length} bytes: {error}");
    }
    fixture.rewrite(|bytes| *bytes = [&whole[..], b"x"].concat());
    assert!(matches!(fixture.open().unwrap_err(), KeyFileError::Damaged { .. }));
}

#[test]
fn every_flipped_bit_is_refused() {
    let fixture = Fixture::new();
    let whole = fs::read(&fixture.path).unwrap();
    // Bytes 10–21 are the cost: their upper bits would only make each try slow; one low bit each is enough.
    for at in (0..whole.len()).filter(|at| !(10..22).contains(at)).chain([12, 17, 21]) {
        fixture.rewrite(|bytes| {
            bytes.clone_from(&whole);
            bytes[at] ^= 1;
        });
        assert!(fixture.open().is_err(), "byte {at}");
    }
}

#[test]
fn an_unreasonable_cost_is_refused_before_it_is_paid() {
    let fixture = Fixture::new();
    fixture.rewrite(|bytes| bytes[10] = 0xff);
    assert!(matches!(fixture.open().unwrap_err(), KeyFileError::Damaged { .. }));
}

#[test]
fn a_key_file_is_never_overwritten() {
    let fixture = Fixture::new();
    let new_key = NewKey { secret: &[8; 32], kind: KeyKind::Ed25519Seed, cost: KdfCost::DEVELOPMENT };
    create(&fixture.path, &Passphrase::new("other"), &new_key, &SeededEntropy::new(2)).unwrap_err();
    assert_eq!(*fixture.open().unwrap(), SECRET);
}

#[test]
fn others_must_not_read_it() {
    let fixture = Fixture::new();
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = fixture.open().unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn passphrase_files() {
    let dir = scratch::Directory::new();
    let path = dir.path().join("pass");
    for (content, good) in [("secret", true), ("secret\n", true), ("", false), ("\n", false), ("a\nb", false)] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Passphrase::from_file(&path).is_ok(), good, "{content:?}");
    }
    fs::write(&path, "secret\n").unwrap();
    assert_eq!(Passphrase::from_file(&path).unwrap().0.as_slice(), b"secret");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(Passphrase::from_file(&path).is_err(), "readable by others");
}

#[test]
fn a_passphrase_is_never_printed() {
    assert!(!format!("{:?}", Passphrase::new("hunter2")).contains("hunter2"));
}

#[test]
fn a_missing_key_is_made_once_and_opened_from_then_on() {
    let dir = scratch::Directory::new();
    let path = dir.path().join("authority.key");
    let hold = |text: &str, kind| open_or_make(&path, &Passphrase::new(text), kind, &SeededEntropy::new(1));
    let made = hold("correct horse", KeyKind::Ed25519Seed).unwrap();
    let opened = hold("correct horse", KeyKind::Ed25519Seed).unwrap();
    assert_eq!((made.is_new, opened.is_new), (true, false));
    assert_eq!(*made.secret, *opened.secret);
    assert_ne!(*made.secret, [0; 32]);
    let bytes = fs::read(&path).unwrap();
    let error = hold("correct horsf", KeyKind::Ed25519Seed).unwrap_err();
    assert!(matches!(error, KeyFileError::WrongPassphrase { .. }), "{error}");
    let error = hold("correct horse", KeyKind::Symmetric).unwrap_err();
    assert!(matches!(error, KeyFileError::WrongKind { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "a refused key file is left as it is");
    let cost = [10, 14, 18].map(|at| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()));
    let KdfCost { memory_kib, passes, lanes } = KdfCost::STANDARD;
    assert_eq!(cost, [memory_kib, passes, lanes]);
}

#[test]
fn keys_are_wiped_when_they_are_dropped() {
    fn wiped<T: zeroize::ZeroizeOnDrop>() {}
    wiped::<Secret>();
    wiped::<Zeroizing<Vec<Block>>>();
    wiped::<XChaCha20Poly1305>();
}

/// Key files of both kinds, the first of them dearer than the standard, and the passphrases of a change.
struct Change {
    paths: Vec<PathBuf>,
    old: Passphrase,
    new: Passphrase,
    _dir: scratch::Directory,
}

impl Change {
    const KINDS: [KeyKind; 2] = [KeyKind::Ed25519Seed, KeyKind::Symmetric];

    fn new() -> Self {
        let dir = scratch::Directory::new();
        let (old, new) = (Passphrase::new("correct horse"), Passphrase::new("battery staple"));
        let dear = KdfCost { passes: KdfCost::STANDARD.passes + 1, ..KdfCost::DEVELOPMENT };
        let make = |(name, kind, cost)| {
            let path = dir.path().join(name);
            create(&path, &old, &NewKey { secret: &SECRET, kind, cost }, &SeededEntropy::new(1)).unwrap();
            path
        };
        let files = [("unit.key", Self::KINDS[0], dear), ("master.key", Self::KINDS[1], KdfCost::DEVELOPMENT)];
        let paths = files.map(make).to_vec();
        Self { paths, old, new, _dir: dir }
    }

    fn rewrite(&self) -> Result<Vec<bool>, KeyFileError> {
        rewrite(&self.paths, Passphrases { old: &self.old, new: &self.new }, &SeededEntropy::new(2))
    }

    fn opens(&self, passphrase: &Passphrase) -> Vec<bool> {
        let open =
            |(path, kind): (&PathBuf, KeyKind)| open(path, passphrase, kind).is_ok_and(|secret| *secret == SECRET);
        self.paths.iter().zip(Self::KINDS).map(open).collect()
    }
}

#[test]
fn a_passphrase_is_changed_and_the_keys_stay() {
    let change = Change::new();
    assert_eq!(change.rewrite().unwrap(), [true, true]);
    assert_eq!((change.opens(&change.old), change.opens(&change.new)), (vec![false; 2], vec![true; 2]));
    let costs = change.paths.iter().map(|path| Header::parse(&fs::read(path).unwrap()).unwrap().cost);
    let dear = KdfCost { passes: KdfCost::STANDARD.passes + 1, ..KdfCost::STANDARD };
    assert_eq!(costs.collect::<Vec<_>>(), [dear, KdfCost::STANDARD]);
    for path in &change.paths {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    assert_eq!(change.rewrite().unwrap(), [false, false], "done again, it changes nothing");
}

#[test]
fn an_interrupted_change_is_completed_by_the_next() {
    let mut change = Change::new();
    let second = change.paths.pop().unwrap();
    assert_eq!(change.rewrite().unwrap(), [true]);
    let done = fs::read(&change.paths[0]).unwrap();
    change.paths.push(second);
    assert_eq!(change.rewrite().unwrap(), [false, true]);
    assert_eq!(change.opens(&change.new), [true, true]);
    assert_eq!(fs::read(&change.paths[0]).unwrap(), done);
}

#[test]
fn nothing_is_rewritten_unless_all_open() {
    let mut change = Change::new();
    let before = fs::read(&change.paths[0]).unwrap();
    let stranger = change.paths[0].with_file_name("stranger.key");
    let new_key = NewKey { secret: &SECRET, kind: KeyKind::Symmetric, cost: KdfCost::DEVELOPMENT };
    create(&stranger, &Passphrase::new("another"), &new_key, &SeededEntropy::new(3)).unwrap();
    let absent = stranger.with_file_name("absent.key");
    for (path, expected) in [(&stranger, "opens neither under the old nor under the new"), (&absent, "absent.key")] {
        change.paths[1].clone_from(path);
        let error = change.rewrite().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.path(), Some(path.as_path()));
        assert_eq!(fs::read(&change.paths[0]).unwrap(), before);
    }
}

#[test]
fn a_link_to_a_key_file_stays_one() {
    let mut change = Change::new();
    let link = change.paths[0].with_file_name("link.key");
    std::os::unix::fs::symlink(&change.paths[0], &link).unwrap();
    let file = std::mem::replace(&mut change.paths[0], link.clone());
    assert_eq!(change.rewrite().unwrap(), [true, true]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(open(&file, &change.new, KeyKind::Ed25519Seed).is_ok());
}
