use receipt_core::fingerprint::Fingerprint;
use receipt_core::state::BlindingEpoch;
use receipt_core::testkit::TestChain;
use tallystick_service::keyfile::Secret;

use super::*;
use crate::journal::ReceiptReads as _;
use crate::testing::{MASTER, TestIssuer, draft, identity, init, marks};

#[path = "../../../verifier/tests/common/schema.rs"]
mod schema;

struct Fixture {
    chain: TestChain,
    issuer: TestIssuer,
    settings: Settings,
    dir: scratch::Directory,
}

fn fixture() -> Fixture {
    let dir = scratch::Directory::new();
    let config = dir.path().join("issuer.toml");
    std::fs::write(&config, include_str!("../../issuer.example.toml")).unwrap();
    let chain = TestChain::new();
    let issuer = TestIssuer::start(init(&dir.path().join("live"), &chain), &chain, 1);
    Fixture { settings: Settings::load(&config).unwrap(), dir, chain, issuer }
}

impl Fixture {
    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn back_up(&self) -> Manifest {
        let Self { issuer, settings, .. } = self;
        let made = back_up(&issuer.journal, settings, &issuer.keys, UnixMillis::new(5), &self.at("backup")).unwrap();
        assert!(made.findings.is_sound(), "{:?}", made.findings);
        made.manifest
    }

    fn restore(&self, to: &Path, master: [u8; 32]) -> Result<Manifest, BackupError> {
        let mark = Fingerprint::of_master(self.chain.genesis().suite, &master);
        let secrets = SecretMarks { master: mark, ..marks(&self.chain) };
        self.restore_with(to, master, secrets)
    }

    fn restore_with(&self, to: &Path, master: [u8; 32], secrets: SecretMarks) -> Result<Manifest, BackupError> {
        let cipher = Arc::new(BodyCipher::new(&Secret::new(master)));
        let identity = identity(&self.chain);
        let target = RestoreTarget { identity, journal_dir: to, cipher, secrets, despite_damage: false };
        restore(&self.at("backup"), &target).map(|copied| copied.manifest)
    }
}

#[test]
fn a_backup_of_a_running_journal_comes_back_whole_and_halted() {
    let mut fixture = fixture();
    let key = fixture.issuer.issue_new(draft(&mut fixture.chain, "S01", "A")).key;
    let manifest = fixture.back_up();
    assert_eq!((manifest.position.epoch, manifest.position.next_sequence), (1, 1));
    assert!(manifest.keys.iter().any(|key| key.purpose == "unit" && key.public_key.len() == 64));
    let later = fixture.issuer.issue_new(draft(&mut fixture.chain, "S01", "B")).key;
    let to = fixture.at("restored");
    assert_eq!(fixture.restore(&to, MASTER).unwrap(), manifest);
    // Restoring leaves the backup as it was, for another time.
    assert_eq!(check(&fixture.at("backup")).unwrap(), manifest);
    let restored = Journal::open(&to, identity(&fixture.chain)).unwrap();
    assert!(restored.receipt(key).unwrap().is_some() && restored.body(key).unwrap().is_some());
    assert!(restored.receipt(later).unwrap().is_none());
    let why = restored.halted().unwrap().unwrap();
    assert!(why.contains("restored from a backup") && why.contains("tallystick-issuer recover --config"), "{why}");
    assert_eq!(fixture.issuer.journal.halted().unwrap(), None, "the copy was marked, not the original");
}

/// Operators read it, and `restore` depends on it.
#[test]
fn the_manifest_has_the_head_of_every_report_and_fits_its_schema() {
    let fixture = fixture();
    fixture.back_up();
    let document: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture.at("backup").join(MANIFEST)).unwrap()).unwrap();
    let schema = include_str!("../../../docs/spec/schemas/backup-manifest.schema.json");
    let mut found = Vec::new();
    schema::breaks(&serde_json::from_str(schema).unwrap(), &document, "$", &mut found);
    assert_eq!(found, Vec::<String>::new(), "{document}");
    assert_eq!((&document["format_version"], &document["program"]), (&FORMAT.into(), &"tallystick-issuer".into()));
    assert_eq!(document["program_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["made_at"], "1970-01-01T00:00:00Z", "by the clock that it was given");
}

#[test]
fn a_manifest_of_another_format_is_named_as_such() {
    let fixture = fixture();
    fixture.back_up();
    let backup = fixture.at("backup");
    let older = r#"{"format_version": 1, "created_at_ms": 5}"#;
    std::fs::write(backup.join(MANIFEST), older).unwrap();
    let sums = sums_of(&backup).unwrap().into_iter().map(|(name, sum)| format!("{sum}  {name}\n"));
    std::fs::write(backup.join(SUMS), sums.collect::<String>()).unwrap();
    let refused = check(&backup).unwrap_err().to_string();
    assert!(refused.contains("it has format 1; this program knows 2"), "{refused}");
}

#[test]
fn nothing_is_overwritten() {
    let fixture = fixture();
    fixture.back_up();
    let Fixture { issuer, settings, .. } = &fixture;
    let again = back_up(&issuer.journal, settings, &issuer.keys, UnixMillis::new(5), &fixture.at("backup"));
    assert!(matches!(again, Err(BackupError::Occupied(_))), "{again:?}");
    let refused = fixture.restore(&fixture.at("live"), MASTER);
    assert!(matches!(refused, Err(BackupError::Occupied(_))), "{refused:?}");
    let empty = fixture.at("empty");
    std::fs::create_dir(&empty).unwrap();
    fixture.restore(&empty, MASTER).unwrap();
    std::fs::create_dir(fixture.at("half.restoring")).unwrap();
    let refused = fixture.restore(&fixture.at("half"), MASTER);
    assert!(matches!(refused, Err(BackupError::Leftover(_))), "{refused:?}");
}

#[test]
fn every_damage_is_found_before_anything_is_restored() {
    let mut fixture = fixture();
    fixture.issuer.issue_new(draft(&mut fixture.chain, "S01", "A"));
    fixture.back_up();
    let backup = fixture.at("backup");
    let mut files: Vec<PathBuf> = std::fs::read_dir(backup.join(JOURNAL)).unwrap().map(|e| e.unwrap().path()).collect();
    files.push(backup.join(MANIFEST));
    files.push(backup.join(SUMS));
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        if bytes.is_empty() {
            continue;
        }
        for bad in [flipped(&bytes), bytes[..bytes.len() - 1].to_vec()] {
            // The list ends with a line feed that nobody needs.
            if file.ends_with(SUMS) && bad.len() < bytes.len() {
                continue;
            }
            std::fs::write(&file, bad).unwrap();
            let to = fixture.at("restored");
            let refused = fixture.restore(&to, MASTER);
            assert!(matches!(refused, Err(BackupError::Damaged(_))), "{}: {refused:?}", file.display());
            assert!(!to.exists() && !beside(&to, "restoring").exists());
        }
        std::fs::write(&file, bytes).unwrap();
    }
    std::fs::write(backup.join(JOURNAL).join("000999.sst"), b"foreign").unwrap();
    assert!(matches!(check(&backup), Err(BackupError::Damaged(_))), "a file too many");
    std::fs::remove_file(backup.join(JOURNAL).join("000999.sst")).unwrap();
    std::fs::remove_file(backup.join(SUMS)).unwrap();
    assert!(check(&backup).unwrap_err().to_string().contains("interrupted"));
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

#[test]
fn only_its_own_issuer_and_secrets_take_it() {
    let mut fixture = fixture();
    fixture.issuer.issue_new(draft(&mut fixture.chain, "S01", "A"));
    fixture.back_up();
    let to = fixture.at("restored");
    let refused = fixture.restore(&to, [6; 32]).unwrap_err();
    assert!(matches!(refused, BackupError::Secrets(SecretsError::Master { .. })), "{refused}");
    let secrets = marks(&fixture.chain);
    let blinding = vec![BlindingEpoch { epoch: 1, fingerprint: Fingerprint([1; 16]) }];
    let other = SecretMarks { blinding, ..secrets.clone() };
    let refused = fixture.restore_with(&to, MASTER, other).unwrap_err();
    assert!(matches!(refused, BackupError::Secrets(SecretsError::Blinding { .. })), "{refused}");
    assert!(!to.exists() && !beside(&to, "restoring").exists());
    let cipher = Arc::new(BodyCipher::new(&Secret::new(MASTER)));
    let ours = identity(&fixture.chain);
    for foreign in [
        JournalIdentity { issuer: receipt_core::ids::IssuerId::new(2), ..ours },
        JournalIdentity { chain: TestChain::named("other").genesis().chain_id(), ..ours },
    ] {
        let cipher = Arc::clone(&cipher);
        let target = RestoreTarget {
            identity: foreign,
            journal_dir: &to,
            cipher,
            secrets: secrets.clone(),
            despite_damage: false,
        };
        let refused = restore(&fixture.at("backup"), &target).unwrap_err();
        assert!(matches!(refused, BackupError::Foreign(_)), "{refused}");
    }
    assert!(!to.exists());
}

/// The journal rots while it runs: the copy is made, and nobody takes it for a sound one.
#[test]
fn a_rotten_journal_is_told_of_by_backup_and_by_restore() {
    let mut fixture = fixture();
    let receipt = fixture.issuer.issue_new(draft(&mut fixture.chain, "S01", "A")).key;
    // In a blob file, and that file rots: as a journal that was closed and opened again.
    let rotten = fixture.at("rotten");
    fixture.issuer.journal.copy_to(&rotten).unwrap();
    let blobs = std::fs::read_dir(&rotten).unwrap().map(|entry| entry.unwrap().path());
    let blob = blobs.filter(|path| path.extension() == Some("blob".as_ref())).max().unwrap();
    let bytes = std::fs::read(&blob).unwrap();
    // Not through the link: the other journal keeps its own.
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, flipped(&bytes)).unwrap();
    let journal = Journal::open(&rotten, identity(&fixture.chain)).unwrap();
    let Fixture { issuer, settings, .. } = &fixture;
    let made = back_up(&journal, settings, &issuer.keys, UnixMillis::new(5), &fixture.at("backup")).unwrap();
    assert_eq!((made.manifest.faults, made.findings.named.len()), (1, 1));
    let told = said(&made.findings);
    assert!(told.contains(&format!("receipt {receipt}: ")) && told.contains("Resubmit"), "{told}");

    let to = fixture.at("restored");
    let refused = fixture.restore(&to, MASTER).unwrap_err();
    assert!(matches!(refused, BackupError::Rotten(_)), "{refused}");
    let refused = refused.to_string();
    assert!(refused.contains(&receipt.to_string()) && refused.contains("--despite-damage"), "{refused}");
    assert!(!to.exists() && !beside(&to, "restoring").exists());
    let cipher = Arc::new(BodyCipher::new(&Secret::new(MASTER)));
    let (ours, secrets) = (identity(&fixture.chain), marks(&fixture.chain));
    let target = RestoreTarget { identity: ours, journal_dir: &to, cipher, secrets, despite_damage: true };
    let copied = restore(&fixture.at("backup"), &target).unwrap();
    assert_eq!((copied.findings.faults, &copied.manifest), (1, &made.manifest));
    let restored = Journal::open(&to, identity(&fixture.chain)).unwrap();
    assert!(restored.receipt(receipt).unwrap().is_some() && restored.body(receipt).unwrap_err().is_damage());
}
