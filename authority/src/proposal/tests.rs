//! Signed apart and combined; every tampering and every misuse refused with its reason.

use receipt_core::area::Area;
use receipt_core::block::Item;
use receipt_core::governance::{Action, FenceIssuer, RegisterIssuer, SetAreaAuthorities};
use receipt_core::ids::{Height, KeyId, LeafIndex, TreeSize, UnitId, UnixMillis};
use receipt_core::suite::{SoftwareKey, Suite};
use receipt_core::testkit::{TestChain, authorities, software_key, unit_key};
use receipt_core::trust::TrustFile;

use super::*;
use crate::show::shown;
use crate::succession;

fn chain() -> Chain {
    Chain::new(TestChain::new().genesis().clone())
}

fn governance(sequence: u64) -> Governance {
    let fence = Action::FenceIssuer(FenceIssuer { issuer_id: 1, epoch: 2, journal: Vec::new() });
    let previous = Hash([7; 32]);
    Governance {
        suite: Suite::Ed25519Sha256,
        area: None,
        sequence,
        expiry: Height::new(900),
        previous,
        actions: vec![fence],
    }
}

fn credential() -> UnitCredential {
    UnitCredential {
        suite: Suite::Ed25519Sha256,
        unit: UnitId::new(7),
        unit_code: "129903004000000181".to_owned(),
        unit_name: "示例市\u{202e}第一人民医院".to_owned(),
        supervisor_area_code: "990300".to_owned(),
        signing_key: KeyId::new(107),
        public_key: unit_key(7).public_key(),
        valid_from: UnixMillis::new(1_793_577_600_000),
        valid_until: None,
    }
}

fn proposal(chain: &Chain) -> Proposal {
    Proposal::new(chain, Some(governance(3)), vec![credential()], 12).unwrap()
}

/// A copy as it arrives at another authority.
fn sent(proposal: &Proposal, chain: &Chain) -> Proposal {
    Proposal::read(proposal.to_text(chain).as_bytes(), chain).unwrap()
}

fn too_few(given: usize) -> ProposalError {
    ProposalError::TooFew(Count { given, needed: 2, new: None })
}

#[test]
fn authorities_sign_apart_and_the_ledger_accepts_the_sum() {
    let chain = chain();
    let keys = authorities();
    let unsigned = proposal(&chain);
    assert_eq!(unsigned.signed_governance(&chain), Err(too_few(0)));
    let (mut first, mut third) = (sent(&unsigned, &chain), sent(&unsigned, &chain));
    assert_eq!(third.sign(&chain, &keys[2]), Ok(3));
    assert_eq!(first.sign(&chain, &keys[0]), Ok(1));
    assert_eq!(first.signed_governance(&chain), Err(too_few(1)));
    assert_eq!(first.signed_credentials(&chain), Err(too_few(1)));
    let mut merged = sent(&third, &chain);
    merged.absorb(&chain, sent(&first, &chain)).unwrap();
    assert_eq!(merged.digest(&chain), unsigned.digest(&chain));
    let merged = sent(&merged, &chain);
    let message = merged.signed_governance(&chain).unwrap().unwrap();
    assert!(message.verify(chain.id, &chain.authorities));
    assert_eq!(SignedGovernance::decode(&message.encode()), Ok(message));
    let credentials = merged.signed_credentials(&chain).unwrap();
    assert_eq!(credentials.len(), 1);
    assert!(credentials[0].verify(chain.id, &chain.authorities));
}

#[test]
fn what_changed_after_a_signature_is_refused_with_the_reason() {
    let chain = chain();
    let mut signed = proposal(&chain);
    signed.sign(&chain, &authorities()[1]).unwrap();
    let text = signed.to_text(&chain);
    let bytes = hex::encode(governance(3).encode());
    let others = [
        governance(4),
        Governance { expiry: Height::new(901), ..governance(3) },
        Governance {
            actions: vec![Action::FenceIssuer(FenceIssuer { issuer_id: 1, epoch: 3, journal: Vec::new() })],
            ..governance(3)
        },
    ];
    for other in others {
        let tampered = text.replace(&bytes, &hex::encode(other.encode()));
        assert_ne!(tampered, text);
        let error = Proposal::read(tampered.as_bytes(), &chain).unwrap_err();
        assert!(matches!(error, ProposalError::SignatureInvalid { authority: 2, .. }), "{error}");
        assert!(error.to_string().contains("was changed after authority 2 signed it"), "{error}");
    }
    let other = UnitCredential { signing_key: KeyId::new(108), ..credential() };
    let tampered = text.replace(&hex::encode(credential().encode()), &hex::encode(other.encode()));
    let error = Proposal::read(tampered.as_bytes(), &chain).unwrap_err();
    assert!(error.to_string().contains("the credential of key 108"), "{error}");
    // A part taken away, or one put beside it, is not covered either.
    let edit = |change: &dyn Fn(&mut File)| {
        let mut file: File = serde_json::from_str(&text).unwrap();
        change(&mut file);
        Proposal::read(serde_json::to_string(&file).unwrap().as_bytes(), &chain).unwrap_err()
    };
    let refusals = [
        edit(&|file| file.governance = None),
        edit(&|file| file.credentials.clear()),
        edit(&|file| file.credentials.push(hex::encode(other.encode()))),
        edit(&|file| file.signatures[0].public_key = hex::encode(authorities()[0].public_key().0)),
        edit(&|file| file.signatures[0].governance = None),
    ];
    for error in refusals {
        assert!(matches!(error, ProposalError::SignatureInvalid { .. }), "{error}");
    }
}

#[test]
fn only_the_right_keys_sign_and_each_once() {
    let chain = chain();
    let mut proposal = proposal(&chain);
    let stranger = SoftwareKey::from_seed(&[9; 32]);
    let error = proposal.sign(&chain, &stranger).unwrap_err();
    assert!(matches!(error, ProposalError::NotAnAuthority(_)), "{error}");
    proposal.sign(&chain, &authorities()[0]).unwrap();
    assert_eq!(proposal.sign(&chain, &authorities()[0]), Err(ProposalError::AlreadySigned(1)));
}

/// Two of three are replaced. Whoever leaves may sign, whoever comes must; the sum does on the ledger, and afterwards the new ones count.
#[test]
fn a_new_set_signs_with_the_old_one() {
    let mut test_chain = TestChain::new();
    let chain = Chain::new(test_chain.genesis().clone());
    let [stays, leaves, _] = authorities();
    let [seven, eight] = ["authority-7", "authority-8"].map(software_key);
    let keys = vec![stays.public_key(), seven.public_key(), eight.public_key()];
    let set = AuthoritySet { keys, threshold: 2 };
    let message = test_chain.governance(vec![Action::SetAuthorities(set)]).governance;
    let mut proposal = Proposal::new(&chain, Some(message), vec![credential()], 0).unwrap();
    assert!(shown(&proposal, &chain).contains("new authority 5 ("), "{}", shown(&proposal, &chain));
    let said = succession::meaning(&proposal, &chain);
    for words in
        ["2 before, 2 after", "of those in force and all 3 of the next", "It has 1.", "no credential of before holds"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    let count = |proposal: &Proposal, given, new| {
        assert_eq!(proposal.count(&chain), Count { given, needed: 2, new: Some((new, 3)) });
        let problem = ProposalError::TooFew(proposal.count(&chain));
        assert_eq!(proposal.signed_governance(&chain).err(), Some(problem.clone()));
        assert_eq!(proposal.signed_credentials(&chain).err(), Some(problem));
    };
    count(&proposal, 0, 0);
    assert_eq!(proposal.sign(&chain, &eight), Ok(5));
    assert_eq!(proposal.sign(&chain, &leaves), Ok(2));
    count(&proposal, 1, 1);
    assert_eq!(proposal.sign(&chain, &stays), Ok(1));
    count(&proposal, 2, 2);
    assert_eq!(proposal.sign(&chain, &seven), Ok(4));
    let proposal = sent(&proposal, &chain);
    let signed = proposal.signed_governance(&chain).unwrap().unwrap();
    test_chain.add_items(vec![Item::Governance(signed)]).unwrap();
    // The credential beside it is both sets'.
    let next = proposal.next_authorities().unwrap();
    let credentials = proposal.signed_credentials(&chain).unwrap();
    assert!(credentials[0].verify(chain.id, &chain.authorities) && credentials[0].verify(chain.id, next));

    let leaf = LeafIndex::new(test_chain.log().size() - 2);
    let trust = test_chain.trust().with_next_authorities(leaf, next).unwrap().unwrap();
    let after = chain.clone().under(&trust).unwrap();
    // The change itself is read, shown and handed out by the newer file as by the older one, and may be signed late.
    let mut read = sent(&proposal, &after);
    assert_eq!(read.count(&after), Count { given: 2, needed: 2, new: Some((3, 3)) });
    assert_eq!(read.signed_governance(&after), proposal.signed_governance(&chain));
    assert_eq!(read.signed_credentials(&after), proposal.signed_credentials(&chain));
    assert_eq!(shown(&read, &after), shown(&proposal, &chain));
    assert_eq!(succession::meaning(&read, &after), succession::meaning(&proposal, &chain));
    assert_eq!(read.sign(&after, &authorities()[2]), Ok(3));
    let mut later = Proposal::new(&after, Some(governance(4)), Vec::new(), 0).unwrap();
    let error = later.sign(&after, &leaves).unwrap_err();
    assert!(error.to_string().contains("no authority's of this chain now"), "{error}");
    assert_eq!((later.sign(&after, &stays), later.sign(&after, &seven)), (Ok(1), Ok(2)));
    assert!(later.signed_governance(&after).is_ok());
    // Whoever has not followed the change does not take it for tampering.
    let error = Proposal::read(later.to_text(&after).as_bytes(), &chain).unwrap_err();
    assert!(error.to_string().contains("if the authorities were replaced, give `--trust`"), "{error}");
}

/// Whoever signs for an area says whose authorities count; nothing of it is believed of the proposal.
#[test]
fn a_message_of_an_area_is_signed_by_its_authorities_and_read_only_with_them() {
    let chain = chain();
    let key = |name: &str| software_key(name).public_key();
    let named = |code: u32, names: &[&str]| SetAreaAuthorities {
        area: Area::new(code).unwrap(),
        set: AuthoritySet { keys: names.iter().map(|name| key(name)).collect(), threshold: 2 },
    };
    let of_area = |code| chain.clone().of_area(named(code, &["d-1", "d-2", "d-3"])).unwrap();
    let (district, other) = (of_area(990_106), of_area(990_108));
    let message = Governance { area: Area::new(990_106), ..governance(3) };
    let mut proposal = Proposal::new(&district, Some(message.clone()), Vec::new(), 0).unwrap();
    assert!(
        shown(&proposal, &district).contains("area       990106: by its authorities"),
        "{}",
        shown(&proposal, &district)
    );
    assert!(matches!(proposal.sign(&district, &authorities()[0]), Err(ProposalError::NotAnAuthority(_))));
    assert_eq!(proposal.sign(&district, &software_key("d-3")), Ok(3));
    assert_eq!(
        proposal.signed_governance(&district),
        Err(ProposalError::TooFew(Count { given: 1, needed: 2, new: None }))
    );
    assert_eq!(proposal.sign(&district, &software_key("d-1")), Ok(1));
    let signed = sent(&proposal, &district).signed_governance(&district).unwrap().unwrap();
    assert!(signed.verify(chain.id, &district.authorities) && !signed.verify(chain.id, &chain.authorities));
    for (what, known, problem) in [
        ("without them", &chain, "it is a message of area 990106; give `--area-authorities`"),
        ("with another area's", &other, "it is a message of area 990106; give `--area-authorities`"),
    ] {
        let error = Proposal::read(proposal.to_text(&district).as_bytes(), known).unwrap_err().to_string();
        assert!(error.contains(problem), "{what}: {error}");
    }
    // Others than were named: the file is not theirs to sign.
    let strangers = chain.clone().of_area(named(990_106, &["s-1", "s-2"])).unwrap();
    let error = Proposal::read(proposal.to_text(&district).as_bytes(), &strangers).unwrap_err();
    assert!(matches!(error, ProposalError::UnknownAuthority(_)), "{error}");
    let refused = |message, credentials| Proposal::new(&district, message, credentials, 0).unwrap_err().to_string();
    assert!(refused(Some(governance(3)), Vec::new()).contains("leave `--area-authorities` out"));
    assert!(refused(Some(message), vec![credential()]).contains("credentials are signed by the chain's own"));
    assert!(refused(None, vec![credential()]).contains("credentials are signed by the chain's own"));
    let away = SetAreaAuthorities { set: AuthoritySet { keys: Vec::new(), threshold: 0 }, ..named(990_106, &[]) };
    assert!(chain.clone().of_area(away).unwrap_err().to_string().contains("names no authorities of area 990106"));

    // Those who name an area's authorities, and all who are named, sign one message.
    let naming = Action::SetAreaAuthorities(named(990_106, &["d-1", "d-2", "d-3"]));
    let mut naming =
        Proposal::new(&chain, Some(Governance { actions: vec![naming], ..governance(3) }), Vec::new(), 0).unwrap();
    let founders = authorities();
    for signer in [&founders[0], &founders[1], &software_key("d-1"), &software_key("d-2")] {
        naming.sign(&chain, signer).unwrap();
    }
    assert_eq!(naming.count(&chain), Count { given: 2, needed: 2, new: Some((2, 3)) });
    assert!(naming.signed_governance(&chain).is_err());
    assert_eq!(naming.sign(&chain, &software_key("d-3")), Ok(6));
    assert!(naming.signed_governance(&chain).unwrap().unwrap().verify(chain.id, &chain.authorities));
}

/// A trust file that knows later changes, too, reads the file of an earlier one.
#[test]
fn an_earlier_change_than_the_newest_is_read_with_a_newer_trust_file() {
    let test_chain = TestChain::new();
    let founding = Chain::new(test_chain.genesis().clone());
    let founders = authorities();
    let set = |names: [String; 3]| {
        let keys = names.map(|name| software_key(&name).public_key()).to_vec();
        AuthoritySet { keys, threshold: 2 }
    };
    let [second, third, fourth] = ["b", "c", "d"].map(|of| set([1, 2, 3].map(|number| format!("{of}-{number}"))));
    let change = |to: &AuthoritySet| Governance { actions: vec![Action::SetAuthorities(to.clone())], ..governance(3) };
    let mut first = Proposal::new(&founding, Some(change(&second)), Vec::new(), 0).unwrap();
    for key in [&founders[0], &founders[2], &software_key("b-1"), &software_key("b-2"), &software_key("b-3")] {
        first.sign(&founding, key).unwrap();
    }
    let mut trust = test_chain.trust().clone();
    let all = [&second, &third, &fourth];
    for (leaf, set) in (10..).zip(all) {
        trust = trust.with_next_authorities(LeafIndex::new(leaf), set).unwrap().unwrap();
    }
    for known in 1..=all.len() {
        let newest = trust.up_to(TreeSize::new(10 + known as u64));
        let chain = founding.clone().under(&newest).unwrap();
        assert_eq!(&chain.authorities, all[known - 1]);
        let read = sent(&first, &chain);
        assert_eq!(read.signed_governance(&chain), first.signed_governance(&founding), "{known}");
        assert_eq!(shown(&read, &chain), shown(&first, &founding), "{known}");
    }
    // What is new is for those in force.
    let chain = founding.clone().under(&trust).unwrap();
    let fifth = set(["e-1", "e-2", "e-3"].map(str::to_owned));
    let mut new = Proposal::new(&chain, Some(change(&fifth)), Vec::new(), 0).unwrap();
    assert_eq!(new.authorities(&chain), &fourth);
    assert_eq!(new.sign(&chain, &software_key("d-2")), Ok(2));
    assert!(matches!(new.sign(&chain, &founders[0]), Err(ProposalError::NotAnAuthority(_))));
}

/// Whoever changes a trust file on its way could name authorities of his own; the chain id in it says nothing of them.
#[test]
fn a_trust_file_that_does_not_begin_with_genesis_names_nobody() {
    let test_chain = TestChain::new();
    let chain = Chain::new(test_chain.genesis().clone());
    let trust = test_chain.trust();
    let thief = AuthoritySet { keys: vec![software_key("thief").public_key()], threshold: 1 };
    let later = trust.with_next_authorities(LeafIndex::new(50), &thief).unwrap().unwrap().to_text();
    // The thief's set in the place of the first one.
    let (head, rest) = later.split_once("authorities 0\n").unwrap();
    let forged = format!("{head}authorities 0\n{}", rest.split_once("authorities 51\n").unwrap().1);
    let weaker = trust.to_text().replace("authority-threshold 2", "authority-threshold 1");
    let elsewhere = TestChain::named("elsewhere").trust().to_text();
    for (text, problem) in [
        (forged, "first authorities are not those of the genesis file"),
        (weaker, "first authorities are not those of the genesis file"),
        (elsewhere, "another chain than the genesis file"),
    ] {
        let forged = TrustFile::parse(&text).unwrap();
        let error = chain.clone().under(&forged).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    assert_eq!(chain.clone().under(trust).unwrap().authorities, chain.authorities);
}

#[test]
fn another_chains_proposal_is_refused() {
    let (here, there) = (chain(), Chain::new(TestChain::named("elsewhere").genesis().clone()));
    let mut foreign = proposal(&there);
    foreign.sign(&there, &authorities()[0]).unwrap();
    let text = foreign.to_text(&there);
    let error = Proposal::read(text.as_bytes(), &here).unwrap_err();
    assert!(matches!(error, ProposalError::OtherChain { .. }), "{error}");
    // Relabelled, its signatures do not hold: they cover the chain id.
    let relabelled = text.replace(&there.id.0.to_string(), &here.id.0.to_string());
    let error = Proposal::read(relabelled.as_bytes(), &here).unwrap_err();
    assert!(matches!(error, ProposalError::SignatureInvalid { authority: 1, .. }), "{error}");
}

#[test]
fn copies_of_different_proposals_are_not_combined() {
    let chain = chain();
    let mut first = proposal(&chain);
    let other = Proposal::new(&chain, Some(governance(4)), vec![credential()], 12).unwrap();
    let before = first.clone();
    let error = first.absorb(&chain, other).unwrap_err();
    assert!(matches!(error, ProposalError::Differs { .. }), "{error}");
    assert_eq!(first, before);
}

#[test]
fn malformed_files_are_refused() {
    let chain = chain();
    let mut signed = proposal(&chain);
    signed.sign(&chain, &authorities()[0]).unwrap();
    let text = signed.to_text(&chain);
    let bytes = hex::encode(governance(3).encode());
    let signature_start = text.find("\"signatures\"").unwrap();
    for (what, bad) in [
        ("cut", text[..text.len() - 3].to_owned()),
        ("extended", format!("{text}{{}}")),
        ("unknown field", text.replacen('{', "{ \"note\": \"\",", 1)),
        (
            "a field twice",
            text.replacen("\"look_from_height\": 12", "\"look_from_height\": 12, \"look_from_height\": 1", 1),
        ),
        ("other format", text.replace("proposal/1", "proposal/2")),
        ("upper case", text.replace(&bytes, &bytes.to_uppercase())),
        ("not canonical", text.replace(&bytes, &format!("{bytes}3000"))),
        ("no key", text.replace("\"public_key\": \"", "\"public_key\": \"00")),
        ("no list", format!("{}\"signatures\": null }}", &text[..signature_start])),
        ("too large", format!("{text}{}", " ".repeat(PROPOSAL_BYTES_MAX))),
    ] {
        assert_ne!(bad, text, "{what}");
        let error = Proposal::read(bad.as_bytes(), &chain).unwrap_err();
        assert!(matches!(error, ProposalError::Form(_)), "{what}: {error}");
    }
    let key = |key: &SoftwareKey| hex::encode(key.public_key().0);
    let stranger = key(&SoftwareKey::from_seed(&[9; 32]));
    let unknown = text.replace(&key(&authorities()[0]), &stranger);
    let error = Proposal::read(unknown.as_bytes(), &chain).unwrap_err();
    assert_eq!(error, ProposalError::UnknownAuthority(stranger));
    let mut twice: File = serde_json::from_str(&text).unwrap();
    let again: File = serde_json::from_str(&text).unwrap();
    twice.signatures.extend(again.signatures);
    let error = Proposal::read(serde_json::to_string(&twice).unwrap().as_bytes(), &chain).unwrap_err();
    assert!(error.to_string().contains("twice"), "{error}");
}

#[test]
fn what_the_ledger_can_never_take_is_not_proposed() {
    let chain = chain();
    let refused = |message: Governance| Proposal::new(&chain, Some(message), Vec::new(), 0).unwrap_err();
    assert!(matches!(refused(governance(0)), ProposalError::Form(_)));
    assert_eq!(refused(Governance { actions: Vec::new(), ..governance(1) }), ProposalError::Empty);
    assert_eq!(Proposal::new(&chain, None, Vec::new(), 0), Err(ProposalError::Empty));
    let action = |id| Action::RegisterIssuer(RegisterIssuer::of_receipts(id, "x".repeat(200)));
    let large = Governance { actions: (1..400).map(action).collect(), ..governance(1) };
    assert!(matches!(refused(large), ProposalError::TooLarge(_)));
    // The largest that is proposed fits into an entry with all signatures.
    let mut count = 1;
    while let Ok(mut proposal) = {
        let message = Governance { actions: (1..=count).map(action).collect(), ..governance(1) };
        Proposal::new(&chain, Some(message), Vec::new(), 0)
    } {
        for key in &authorities() {
            proposal.sign(&chain, key).unwrap();
        }
        let entry = proposal.signed_governance(&chain).unwrap().unwrap().encode();
        assert!(entry.len() < limits::ENTRY_BYTES_MAX);
        count += 20;
    }
    assert!(count > 200, "the bound is near the ledger's");
}

/// A file that takes no more signatures before enough have signed would be of no use.
#[test]
fn what_has_no_room_for_its_signatures_goes_into_further_proposals() {
    let chain = chain();
    let credentials = |count: u32| -> Vec<UnitCredential> {
        (1..=count).map(|id| UnitCredential { signing_key: KeyId::new(id), ..credential() }).collect()
    };
    let next = |count: usize| {
        let keys = (0..count).map(|n| software_key(&format!("new-{n}")).public_key()).collect();
        let actions = vec![Action::SetAuthorities(AuthoritySet { keys, threshold: 1 })];
        Some(Governance { actions, ..governance(3) })
    };
    let of = |message, count| Proposal::new(&chain, message, credentials(count), 0);
    for (refused, has_message) in [(of(None, 1_001), false), (of(next(1), 1_001), true), (of(next(64), 1_000), true)] {
        let error = refused.unwrap_err();
        assert!(matches!(&error, ProposalError::TooLarge(_)), "{error}");
        assert_eq!(error.to_string().contains("`propose --same-message-as`"), has_message, "{error}");
    }
    let mut proposal = of(next(5), 1_000).unwrap();
    for key in authorities() {
        proposal.sign(&chain, &key).unwrap();
    }
    for number in 0..5 {
        proposal.sign(&chain, &software_key(&format!("new-{number}"))).unwrap();
    }
    let text = proposal.to_text(&chain);
    assert!(text.len() < PROPOSAL_BYTES_MAX, "{}", text.len());
    assert_eq!(sent(&proposal, &chain).signed_credentials(&chain).unwrap().len(), 1_000);
}

#[test]
fn all_that_is_signed_is_shown_and_cannot_turn_the_terminal() {
    let chain = chain();
    let mut proposal = proposal(&chain);
    proposal.sign(&chain, &authorities()[1]).unwrap();
    let text = shown(&proposal, &chain);
    for expected in [
        "\"testchain\"".to_owned(),
        chain.id.0.to_string(),
        proposal.digest(&chain).to_string(),
        "1 of 2 signatures: not enough yet".to_owned(),
        format!("authority 2 ({}) signed", hex::encode(authorities()[1].public_key().0)),
        format!("authority 3 ({}) not signed", hex::encode(authorities()[2].public_key().0)),
        "sequence   3".to_owned(),
        "expires    after height 900".to_owned(),
        "1. Fence issuer 1".to_owned(),
        "Vouch for key 107 of unit 7".to_owned(),
        hex::encode(unit_key(7).public_key().0),
        "示例市\\u{202e}第一人民医院".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected} is missing in:\n{text}");
    }
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'));
    let alone = Proposal::new(&chain, None, vec![credential()], 0).unwrap();
    assert!(shown(&alone, &chain).contains("NOTHING CHANGES ON THE LEDGER"));
    // For which chain it is: one for tests must not be taken for the one in use, nor the other way round.
    assert!(!text.contains("TEST CHAIN"), "{text}");
    let specimens = Chain::new(TestChain::of_specimens("testchain").genesis().clone());
    let text = shown(&self::proposal(&specimens), &specimens);
    assert_eq!(text.lines().nth(1).map(str::trim_start).and_then(|line| line.get(..10)), Some("TEST CHAIN"), "{text}");
}
