//! Audits of whole chains: a clean one from either source, and one row per way in which a ledger can be wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod common;

use common::{Extra, FakeNode, PLAIN, TestFile, audit_blocks, audit_source, chain, export, served};
use receipt_core::authorities::AuthoritySet;
use receipt_core::block::{Block, Item, block_id};
use receipt_core::hash::Hash;
use receipt_core::ids::{Fen, Height, LeafIndex, TreeSize};
use receipt_core::suite::Signer as _;
use receipt_core::testkit::{ISSUER, TestChain, TestReceipt, TestValidator, software_key};
use receipt_core::trust::SetEnd;
use tallystick_proto::ledger::v1::LedgerBlock;
use tallystick_verifier::audit::{AuditResult, FindingCode};
use tallystick_verifier::follow::follow;
use tallystick_verifier::node::NodeAddress;
use tallystick_verifier::source::Source;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[test]
fn a_clean_ledger_is_clean_from_either_source() {
    let (chain, receipts) = chain();
    let from_export = audit_blocks(&chain, &served(&chain), PLAIN);
    assert_eq!(from_export.result, AuditResult::Clean, "{}", from_export.to_text());
    assert_eq!(from_export.height, Some(4));
    assert_eq!(from_export.log_root, chain.log().root(chain.log().size()).to_string());
    assert_eq!(from_export.checkpoints, 5);
    assert_eq!((from_export.totals.blue_count, from_export.totals.red_count), (6, 1));
    assert_eq!(from_export.reversed, 1);
    assert_eq!(from_export.records, 7);
    let net: i64 = receipts.iter().map(|receipt| receipt.receipt.draft.total_amount.get()).sum();
    assert_eq!(from_export.totals.net_yuan, Fen::new(net).to_string());
    assert!(from_export.not_checked.iter().any(|line| line.contains("Content not checked")));
    assert_eq!(from_export.sealed.as_ref().unwrap().height, 4);
    assert_eq!(from_export.unsealed_blocks, 0);

    let (address, chain) = FakeNode::start(chain);
    let node = NodeAddress::parse(&format!("http://{address}"), None).unwrap();
    let from_node = audit_source(&chain, &Source::Node(node), PLAIN);
    assert_eq!(from_node.result, AuditResult::Clean, "{}", from_node.to_text());
    assert_eq!(from_node.effects_hash, from_export.effects_hash);
    assert_eq!(from_node.log_root, from_export.log_root);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let (mut chain, _) = chain();
    for _ in 0..40 {
        let receipt = chain.issue("S02");
        chain.add_block(&[receipt]);
    }
    let blocks = served(&chain);
    let roots: Vec<String> = [1, 2, 8]
        .into_iter()
        .map(|threads| audit_blocks(&chain, &blocks, Extra { threads, ..PLAIN }).effects_hash)
        .collect();
    assert_eq!(roots[0], roots[1]);
    assert_eq!(roots[0], roots[2]);
}

/// Puts a changed block in the place of another, decided and cosigned as if a quorum had colluded.
fn replace(chain: &TestChain, served: &mut LedgerBlock, change: impl FnOnce(&mut Block)) {
    let mut block = Block::decode(&served.block).unwrap();
    change(&mut block);
    let bytes = block.encode();
    served.certificate = chain.certify(Height::new(served.height), &bytes).into();
    served.block_hash = block_id(block.seal.suite, &bytes).0.to_vec().into();
    served.block = bytes.into();
}

fn batch_of(block: &mut Block) -> &mut receipt_core::block::Batch {
    match &mut block.content.items[0] {
        Item::Batch(batch) => batch,
        Item::Governance(_) => panic!("a batch is expected"),
    }
}

type Tamper = fn(&TestChain, &mut Vec<LedgerBlock>);

/// Name, expected finding, its height, and what is done to the served blocks.
const TAMPERINGS: &[(&str, FindingCode, u64, Tamper)] = &[
    ("a missing block", FindingCode::HeightOrder, 2, |_, blocks| {
        blocks.remove(2);
    }),
    ("no genesis", FindingCode::HeightOrder, 0, |_, blocks| {
        blocks.remove(0);
    }),
    ("a block that is not canonical", FindingCode::BlockForm, 1, |_, blocks| {
        let mut bytes = blocks[1].block.to_vec();
        bytes.push(0);
        blocks[1].block = bytes.into();
    }),
    ("another block hash", FindingCode::BlockHash, 1, |_, blocks| blocks[1].block_hash = vec![0; 32].into()),
    ("no certificate", FindingCode::Certificate, 1, |_, blocks| blocks[1].certificate = Vec::new().into()),
    ("the certificate of another block", FindingCode::Certificate, 2, |_, blocks| {
        blocks[2].certificate = blocks[1].certificate.clone();
    }),
    ("a flipped signature in the certificate", FindingCode::Certificate, 3, |_, blocks| {
        let mut bytes = blocks[3].certificate.to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        blocks[3].certificate = bytes.into();
    }),
    ("garbage records under a genuine header", FindingCode::Batch, 1, |chain, blocks| {
        replace(chain, &mut blocks[1], |block| batch_of(block).records[0][40] ^= 1);
    }),
    ("a record left out", FindingCode::Batch, 1, |chain, blocks| {
        replace(chain, &mut blocks[1], |block| {
            batch_of(block).records.pop();
        });
    }),
    ("a header that the issuer did not sign", FindingCode::Refused, 1, |chain, blocks| {
        replace(chain, &mut blocks[1], |block| batch_of(block).header.signature.0[3] ^= 1);
    }),
    ("a batch twice", FindingCode::Refused, 2, |chain, blocks| {
        let first = Block::decode(&blocks[1].block).unwrap().content.items;
        replace(chain, &mut blocks[2], |block| block.content.items = first);
    }),
    ("another parent", FindingCode::Refused, 2, |chain, blocks| {
        replace(chain, &mut blocks[2], |block| block.content.parent_seal_hash = Hash::ZERO);
    }),
    ("time that stands still", FindingCode::Refused, 3, |chain, blocks| {
        let before = Block::decode(&blocks[2].block).unwrap().content.time;
        replace(chain, &mut blocks[3], |block| block.content.time = before);
    }),
    ("another effects hash", FindingCode::Seal, 3, |chain, blocks| {
        replace(chain, &mut blocks[3], |block| block.seal.effects_hash = Hash::ZERO);
    }),
    ("another status root", FindingCode::Seal, 2, |chain, blocks| {
        replace(chain, &mut blocks[2], |block| block.seal.status_root = Hash::ZERO);
    }),
    ("other totals", FindingCode::Seal, 1, |chain, blocks| {
        replace(chain, &mut blocks[1], |block| block.seal.totals_commitment = Hash::ZERO);
    }),
    ("another directory of units", FindingCode::Seal, 2, |chain, blocks| {
        replace(chain, &mut blocks[2], |block| block.seal.directory_root = Hash::ZERO);
    }),
    ("another registry", FindingCode::Seal, 2, |chain, blocks| {
        replace(chain, &mut blocks[2], |block| block.seal.registry_root = Hash::ZERO);
    }),
    ("a handover that nobody announced", FindingCode::Seal, 1, |chain, blocks| {
        replace(chain, &mut blocks[1], |block| block.seal.next_validator_set_hash = Hash::ZERO);
    }),
    ("another entry", FindingCode::Entries, 1, |_, blocks| {
        let mut entry = blocks[1].entries[0].to_vec();
        entry[5] ^= 1;
        blocks[1].entries[0] = entry.into();
    }),
    ("an entry more", FindingCode::Entries, 1, |_, blocks| {
        let entry = blocks[1].entries[0].clone();
        blocks[1].entries.push(entry);
    }),
    ("another genesis entry", FindingCode::Entries, 0, |_, blocks| {
        blocks[0].entries.pop();
    }),
    ("another first leaf", FindingCode::Entries, 2, |_, blocks| blocks[2].first_leaf_index += 1),
    ("a checkpoint by two of four", FindingCode::Checkpoint, 2, |chain, blocks| {
        let validators = &chain.validators_at(Height::new(2))[..2];
        blocks[2].checkpoint = chain.checkpoint_note(chain.blocks()[2].log_size, validators, 1_793_577_700);
    }),
    ("a checkpoint older than its block", FindingCode::Checkpoint, 2, |_, blocks| {
        blocks[2].checkpoint = blocks[1].checkpoint.clone();
    }),
    ("a checkpoint that ends inside a block", FindingCode::Checkpoint, 4, |chain, blocks| {
        let validators = &chain.validators_at(Height::new(2))[..3];
        let size = chain.blocks()[4].log_size - 1;
        blocks[3].checkpoint = chain.checkpoint_note(size, validators, 1_793_577_700);
    }),
    ("a quorum for another root", FindingCode::CheckpointRoot, 3, |chain, blocks| {
        let validators = &chain.validators_at(Height::new(3))[..3];
        let size = chain.blocks()[3].log_size;
        blocks[3].checkpoint = chain.checkpoint_over(size, Hash::ZERO, validators, 1_793_577_700);
    }),
    ("two roots of one later size", FindingCode::Checkpoint, 2, |chain, blocks| {
        let validators = &chain.validators_at(Height::new(4))[..3];
        let size = chain.blocks()[4].log_size;
        blocks[1].checkpoint = chain.checkpoint_over(size, Hash::ZERO, validators, 1_793_577_700);
        blocks[2].checkpoint = chain.checkpoint_note(size, validators, 1_793_577_700);
    }),
];

#[test]
fn every_tampering_is_found_where_it_is() {
    for (name, code, height, tamper) in TAMPERINGS {
        let (chain, _) = chain();
        let mut blocks = served(&chain);
        tamper(&chain, &mut blocks);
        let report = audit_blocks(&chain, &blocks, PLAIN);
        assert_eq!(report.result, AuditResult::Refuted, "{name}");
        let finding = &report.findings[0];
        assert_eq!((finding.code, finding.height), (*code, *height), "{name}: {}", finding.detail);
        if *code == FindingCode::CheckpointRoot {
            assert!(finding.evidence.is_some(), "{name}: the note is evidence");
        }
    }
}

#[test]
fn another_chains_blocks_under_this_chains_name_are_refuted() {
    let (chain, _) = chain();
    let other = TestChain::named("otherchain");
    // An export that says of what chain it is is not judged at all (`another_chains_ledger_is_not_judged`).
    let file = TestFile::new("ledger.export", export(&other, &served(&chain)));
    let report = audit_source(&other, &Source::Export(file.path()), PLAIN);
    assert_eq!(report.result, AuditResult::Refuted);
}

#[test]
fn a_torn_export_is_incomplete_and_not_refuted() {
    let (chain, _) = chain();
    let bytes = export(&chain, &served(&chain));
    let torn = TestFile::new("torn.export", &bytes[..bytes.len() - 50]);
    let report = audit_source(&chain, &Source::Export(torn.path()), PLAIN);
    assert_eq!(report.result, AuditResult::Incomplete);
    assert!(report.source_error.unwrap().contains("ends early"));
    let none = audit_source(&chain, &Source::Export("/nowhere/at.all".into()), PLAIN);
    assert_eq!(none.result, AuditResult::Incomplete);
    assert_eq!(none.height, None);
    let empty = audit_blocks(&chain, &[], PLAIN);
    assert_eq!((empty.result, empty.source_error.as_deref()), (AuditResult::Incomplete, None));
    assert!(empty.to_text().contains("Not even genesis was served"), "{}", empty.to_text());
}

#[test]
fn a_finding_ends_a_long_replay_at_once() {
    let (mut chain, _) = chain();
    for _ in 0..100 {
        chain.add_block(&[]);
    }
    let mut blocks = served(&chain);
    blocks[2].first_leaf_index += 1;
    let report = audit_blocks(&chain, &blocks, PLAIN);
    assert_eq!((report.result, report.findings[0].height, report.height), (AuditResult::Refuted, 2, Some(1)));
    assert_eq!(report.source_error, None, "the auditor stopped, not the source");
}

#[test]
fn a_node_that_ends_before_its_own_checkpoint_is_incomplete() {
    let (chain, _) = chain();
    let (address, chain) = FakeNode::start_cut(chain, 3);
    let node = NodeAddress::parse(&format!("http://{address}"), None).unwrap();
    let report = audit_source(&chain, &Source::Node(node), PLAIN);
    assert_eq!(report.result, AuditResult::Incomplete);
    assert!(report.source_error.unwrap().contains("announced height 4"));
}

#[test]
fn unsealed_blocks_are_counted() {
    let (chain, _) = chain();
    let mut blocks = served(&chain);
    blocks[3].checkpoint = blocks[4].checkpoint.clone();
    blocks[3].checkpoint_height = 4;
    let whole = audit_blocks(&chain, &blocks, PLAIN);
    assert_eq!((whole.result, whole.checkpoints), (AuditResult::Clean, 4), "one note may seal several blocks");
    let cut = audit_blocks(&chain, &blocks[..4], PLAIN);
    assert_eq!((cut.result, cut.unsealed_blocks, cut.checkpoints_not_reached), (AuditResult::Clean, 1, 1));
}

/// Name, what is left of the notes, the sealed height and the blocks after it, and the verdict.
type Stripping = fn(&TestChain, &mut Vec<LedgerBlock>);
const STRIPPINGS: &[(&str, Stripping, Option<u64>, u64, AuditResult)] = &[
    ("the last note is not there yet", |_, blocks| strip(&mut blocks[4..]), Some(3), 1, AuditResult::Clean),
    ("the last two are missing", |_, blocks| strip(&mut blocks[3..]), Some(2), 2, AuditResult::Incomplete),
    ("genesis alone has one", |_, blocks| strip(&mut blocks[1..]), Some(0), 4, AuditResult::Incomplete),
    ("there is none", |_, blocks| strip(blocks), None, 4, AuditResult::Incomplete),
    ("nothing but genesis, without one", |_, blocks| strip_to(blocks, 1), None, 0, AuditResult::Incomplete),
    ("one block, without one", |_, blocks| strip_to(blocks, 2), None, 1, AuditResult::Incomplete),
    ("notes of a size that never comes", far_ahead, None, 4, AuditResult::Incomplete),
];

fn strip(blocks: &mut [LedgerBlock]) {
    for block in blocks {
        block.checkpoint = String::new();
    }
}

fn strip_to(blocks: &mut Vec<LedgerBlock>, count: usize) {
    blocks.truncate(count);
    strip(blocks);
}

fn far_ahead(chain: &TestChain, blocks: &mut Vec<LedgerBlock>) {
    let validators = &chain.validators_at(Height::new(1))[..1];
    for block in blocks {
        block.checkpoint = chain.checkpoint_over(1_000_000_000_000_000_000, Hash::ZERO, validators, 1_793_577_700);
    }
}

#[test]
fn a_ledger_that_no_quorums_checkpoint_covers_is_not_clean() {
    for (name, change, sealed, unsealed, result) in STRIPPINGS {
        let (chain, _) = chain();
        let mut blocks = served(&chain);
        change(&chain, &mut blocks);
        let report = audit_blocks(&chain, &blocks, PLAIN);
        let text = report.to_text();
        assert_eq!(report.sealed.as_ref().map(|sealed| sealed.height), *sealed, "{name}: {text}");
        assert_eq!((report.unsealed_blocks, report.result), (*unsealed, *result), "{name}: {text}");
        let says_why = text.contains("  INCOMPLETE     ") && text.contains("checkpoint");
        assert_eq!(says_why, *result == AuditResult::Incomplete, "{name}: {text}");
    }
}

#[test]
fn six_hundred_heights_without_a_seal_of_their_own_are_audited_and_followed() {
    let (mut chain, _) = chain();
    for _ in 0..600 {
        chain.add_block(&[]);
    }
    let mut blocks = served(&chain);
    let newest = blocks.last().unwrap().clone();
    for block in &mut blocks[1..] {
        (block.checkpoint, block.checkpoint_height) = (newest.checkpoint.clone(), newest.height);
    }
    let report = audit_blocks(&chain, &blocks, PLAIN);
    assert_eq!(report.result, AuditResult::Clean, "{}", report.to_text());
    assert_eq!((report.checkpoints, report.unsealed_blocks), (2, 0), "genesis, and one for all the others");
    let file = TestFile::new("ledger.export", export(&chain, &blocks));
    let followed = follow(chain.trust(), &Source::Export(file.path())).unwrap();
    assert_eq!((followed.tree_size.get(), followed.new_sets), (chain.log().size(), 0));
}

#[test]
fn validators_hand_over_and_the_trust_file_follows() {
    let (mut chain, _) = chain();
    let before = chain.trust().clone();
    chain.rotate_validators((31..=34).map(TestValidator::new).collect());
    let receipt = chain.issue("S02");
    chain.add_block(&[receipt]);
    let blocks = served(&chain);
    let report = audit_blocks(&chain, &blocks, Extra { trust: Some(before.clone()), ..PLAIN });
    assert_eq!(report.result, AuditResult::Clean, "{}", report.to_text());
    assert_eq!(report.handovers.len(), 1);
    assert_eq!(report.trust_text, chain.trust().to_text());
    let fresh = audit_blocks(&chain, &blocks, Extra { trust: Some(chain.trust().clone()), ..PLAIN });
    assert_eq!(fresh.result, AuditResult::Clean, "{}", fresh.to_text());

    let strangers = chain.genesis().validators.clone();
    let true_end = chain.trust().sets()[0].end.unwrap();
    let true_set =
        receipt_core::validators::ValidatorSet::new((31..=34).map(|id| TestValidator::new(id).public()).collect())
            .unwrap();
    let later = receipt_core::note::PosixSeconds::new(true_end.until.get() + 1);
    let early = SetEnd { last_size: receipt_core::ids::TreeSize::new(4), ..true_end };
    for (what, end, set) in [
        ("strangers at another size", early, &strangers),
        ("an end that is later than the set's last block", SetEnd { until: later, ..true_end }, &true_set),
    ] {
        let forged = before.with_next_set(end, set).unwrap();
        let refuted = audit_blocks(&chain, &blocks, Extra { trust: Some(forged), ..PLAIN });
        assert_eq!(refuted.findings[0].code, FindingCode::Trust, "{what}");
    }
    assert_eq!(before.with_next_set(true_end, &true_set).unwrap(), *chain.trust());
    // A file that says of a chain in earnest that it is for tests.
    let marked = chain.trust().to_text().replacen("\norigin ", "\ntest\norigin ", 1);
    let marked = receipt_core::trust::TrustFile::parse(&marked).unwrap();
    let refuted = audit_blocks(&chain, &blocks, Extra { trust: Some(marked), ..PLAIN });
    assert_eq!(refuted.findings[0].code, FindingCode::Trust);

    // Authorities, too: an old file is fine, another one is not.
    let mut succeeded = TestChain::new();
    let (first, by) = (succeeded.trust().clone(), succeeded.log().size());
    succeeded.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    succeeded.add_block(&[]);
    let after = served(&succeeded);
    for trust in [&first, succeeded.trust()] {
        let report = audit_blocks(&succeeded, &after, Extra { trust: Some(trust.clone()), ..PLAIN });
        assert_eq!((report.result, &report.trust_text), (AuditResult::Clean, &succeeded.trust().to_text()));
    }
    let others = receipt_core::authorities::AuthoritySet { threshold: 1, ..first.authorities().clone() };
    let forged = first.with_next_authorities(receipt_core::ids::LeafIndex::new(by), &others).unwrap();
    let refuted = audit_blocks(&succeeded, &after, Extra { trust: forged, ..PLAIN });
    assert_eq!(refuted.findings[0].code, FindingCode::Trust);

    // The same from entries alone, and not past a handover that the old validators did not cosign.
    let file = TestFile::new("ledger.export", export(&chain, &blocks));
    let followed = follow(&before, &Source::Export(file.path())).unwrap();
    assert_eq!((followed.new_sets, followed.trust.to_text()), (1, chain.trust().to_text()));
    let mut unsigned = blocks;
    let handover = report.handovers[0].height as usize - 1;
    unsigned[handover].checkpoint = String::new();
    let file = TestFile::new("ledger.export", export(&chain, &unsigned));
    assert!(follow(&before, &Source::Export(file.path())).is_err());
}

/// Twice in one block, and validators with the second: each is a line of the report, and a row of its JSON.
#[test]
fn changes_of_authorities_are_listed_as_handovers_are() {
    let (mut chain, _) = chain();
    let before = chain.trust().clone();
    let first_leaf = chain.log().size() + 1;
    let successions: [&[&str]; 2] =
        [&["authority-0", "authority-7", "authority-8"], &["authority-7", "authority-8", "authority-9"]];
    chain.replace_all(&successions, (31..=34).map(TestValidator::new).collect());
    let receipt = chain.issue("S02");
    chain.add_block(&[receipt]);
    let blocks = served(&chain);
    for trust in [before, chain.trust().clone()] {
        let report = audit_blocks(&chain, &blocks, Extra { trust: Some(trust), ..PLAIN });
        assert_eq!((report.result, &report.trust_text), (AuditResult::Clean, &chain.trust().to_text()));
        assert_eq!(report.handovers.len(), 1);
        let key = |name: &str| Hash(software_key(name).public_key().0).to_string();
        let row = |leaf, joined: &[&str], left: &[&str]| {
            let keys = |names: &[&str]| names.iter().map(|name| key(name)).collect::<Vec<_>>();
            serde_json::json!({
                "height": 5, "first_leaf": leaf, "authorities": 3, "threshold": 2, "joined": keys(joined), "left": keys(left),
            })
        };
        let expected = serde_json::json!([
            row(first_leaf, &["authority-7", "authority-8"], &["authority-1", "authority-2"]),
            row(first_leaf + 1, &["authority-9"], &["authority-0"]),
        ]);
        assert_eq!(serde_json::to_value(&report).unwrap()["authority_changes"], expected);
        let text = report.to_text();
        for line in [
            format!(
                "  authorities    height 5, leaf {first_leaf}: 2 of 3\n                 joined {}",
                key("authority-7")
            ),
            format!("                 left   {}\n", key("authority-0")),
        ] {
            assert!(text.contains(&line), "{line}: {text}");
        }
    }
}

/// An export is older than the trust file in use: what the file has beyond it is not judged, which is said, and what lies within is.
#[test]
fn a_trust_file_newer_than_the_export_is_not_refuted_by_it() {
    let (mut chain, _) = chain();
    let (old_blocks, size) = (served(&chain), chain.log().size());
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    let between = served(&chain);
    chain.rotate_validators((31..=34).map(TestValidator::new).collect());
    chain.add_block(&[]);
    let (whole, newest) = (served(&chain), chain.trust().clone());
    let (first_leaf, end) = (newest.authority_sets()[1].first_leaf.get(), newest.sets()[0].end.unwrap());
    let authorities = format!("authorities from leaf {first_leaf} on");
    let validators = format!("validators from tree size {} on", end.last_size.get() + 1);
    for (what, blocks, unjudged) in [
        ("before both", &old_blocks, vec![&authorities, &validators]),
        ("between the two", &between, vec![&validators]),
        ("after both", &whole, vec![]),
    ] {
        let report = audit_blocks(&chain, blocks, Extra { trust: Some(newest.clone()), ..PLAIN });
        assert!(report.findings.is_empty(), "{what}: {}", report.to_text());
        let result = if unjudged.is_empty() { AuditResult::Clean } else { AuditResult::Incomplete };
        assert_eq!((report.result, report.reservations.len()), (result, usize::from(!unjudged.is_empty())), "{what}");
        for known in unjudged {
            assert!(report.reservations[0].contains(known.as_str()), "{what}: {:?}", report.reservations);
            assert!(report.to_text().contains("this was not judged. Audit a newer export"), "{}", report.to_text());
        }
    }

    // What lies within the export is judged all the same, whatever lies beyond.
    let genesis = receipt_core::trust::TrustFile::from_genesis(chain.genesis()).unwrap();
    let others = AuthoritySet { threshold: 1, ..genesis.authorities().clone() };
    let with = |leaf: u64| genesis.with_next_authorities(LeafIndex::new(leaf), &others).unwrap().unwrap();
    let early = SetEnd { last_size: TreeSize::new(size), ..end };
    let wrong_end = genesis.with_next_set(early, &chain.genesis().validators).unwrap();
    let late = SetEnd { last_size: TreeSize::new(chain.log().size() + 9), ..end };
    let lacks_a_handover = genesis.with_next_set(late, &chain.genesis().validators).unwrap();
    for (what, blocks, trust) in [
        ("authorities that never were", &old_blocks, with(size - 1)),
        ("others where there are some", &whole, with(first_leaf - 1)),
        ("later ones, without those before", &whole, with(chain.log().size() + 9)),
        ("validators that never took over", &old_blocks, wrong_end),
        ("later validators, without those before", &whole, lacks_a_handover),
    ] {
        let report = audit_blocks(&chain, blocks, Extra { trust: Some(trust), ..PLAIN });
        assert_eq!(report.result, AuditResult::Refuted, "{what}: {}", report.to_text());
        assert_eq!(report.findings[0].code, FindingCode::Trust, "{what}");
    }
}

#[test]
fn broken_promises_to_seal_are_counted_for_their_issuer() {
    let (mut chain, _) = chain();
    // The chain's receipts promise the seal within a day.
    let overdue: Vec<TestReceipt> = ["S01", "S02"].iter().map(|id| chain.issue(id)).collect();
    chain.let_pass(86_400_000 + 5_000);
    let timely = chain.issue("S05");
    let records: Vec<Vec<u8>> = overdue.iter().chain([&timely]).map(|receipt| receipt.record.clone()).collect();
    let batch = chain.batch(records);
    chain.add_items(vec![Item::Batch(batch)]).unwrap();
    // What the ledger refuses keeps no promise and breaks none.
    let refused = chain.batch(vec![overdue[0].record.clone()]);
    chain.add_items(vec![Item::Batch(refused)]).unwrap();

    let report = audit_blocks(&chain, &served(&chain), PLAIN);
    assert_eq!((report.result, report.batches_refused), (AuditResult::Clean, 1), "late is not wrong");
    let json = serde_json::to_value(&report).unwrap();
    let block_time = chain.blocks()[5].seal.time;
    let worst = overdue.iter().map(|receipt| block_time.since(receipt.signed.record.seal_by)).max().unwrap();
    let expected = serde_json::json!([{ "issuer": ISSUER, "records": 2, "worst_ms": worst }]);
    assert_eq!(json["late"], expected);
    assert!(report.to_text().contains(&format!("  late           issuer {ISSUER}: 2 records")), "{}", report.to_text());

    let (chain, _) = common::chain();
    let report = audit_blocks(&chain, &served(&chain), PLAIN);
    assert!(report.to_text().contains("  late           none"), "{}", report.to_text());
}

#[test]
fn times_and_an_empty_status_map_are_printed_for_people() {
    let mut chain = TestChain::new();
    let receipt = chain.issue("S02");
    chain.add_block(&[receipt]);
    let report = audit_blocks(&chain, &served(&chain), PLAIN);
    let as_of = report.sealed.as_ref().unwrap().as_of;
    let time = OffsetDateTime::from_unix_timestamp(i64::try_from(as_of).unwrap()).unwrap().format(&Rfc3339).unwrap();
    let text = report.to_text();
    assert!(text.contains(&format!("as of {time} by ")) && !text.contains(&as_of.to_string()), "{text}");
    assert!(text.contains("  status root    empty"), "{text}");
    assert_eq!(serde_json::to_value(&report).unwrap()["sealed"]["as_of_utc"], time);
}
