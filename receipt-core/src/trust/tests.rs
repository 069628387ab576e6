//! Trust files: one spelling, the right set for every size, and whose signatures count.

use super::*;
use crate::ids::Height;
use crate::testkit::{TestChain, TestValidator};

#[test]
fn a_trust_file_reads_back() {
    let mut chain = TestChain::new();
    let text = chain.trust().to_text();
    assert_eq!(&TrustFile::parse(&text).unwrap(), chain.trust());
    chain.rotate_validators((5..=11).map(TestValidator::new).collect());
    let rotated = chain.trust().to_text();
    assert_eq!(&TrustFile::parse(&rotated).unwrap(), chain.trust());
    assert_eq!(chain.trust().sets().len(), 2);
    assert!(rotated.contains("group quorum 5 "), "seven validators, five are enough: {rotated}");
    assert_eq!(TrustFile::from_genesis(chain.genesis()).unwrap().to_text(), text);
}

#[test]
fn any_other_spelling_is_refused() {
    let chain = TestChain::new();
    let text = chain.trust().to_text();
    let hash = chain.trust().sets()[0].set_hash.to_string();
    let authority = text.lines().find(|line| line.starts_with("authority ")).unwrap().to_owned();
    let witness = text.lines().find(|line| line.starts_with("witness ")).unwrap().to_owned();
    let rows = [
        ("no final newline", text.trim_end().to_owned()),
        ("an empty line more", format!("{text}\n")),
        ("an unknown line", text.replacen("origin ", "colour blue\norigin ", 1)),
        ("an unknown line in a policy", format!("{text}colour blue\n")),
        ("a comment", text.replacen("quorum quorum\n", "# x\nquorum quorum\n", 1)),
        ("upper-case hex", text.replacen(&hash, &hash.to_uppercase(), 1)),
        ("a space more", text.replacen("name ", "name  ", 1)),
        ("a leading zero", text.replacen("utc-offset-minutes 480", "utc-offset-minutes 0480", 1)),
        ("a plus sign", text.replacen("utc-offset-minutes 480", "utc-offset-minutes +480", 1)),
        ("an authority twice", text.replacen(&authority, &format!("{authority}\n{authority}"), 1)),
        ("a threshold of nobody", text.replacen("authority-threshold 2", "authority-threshold 0", 1)),
        ("a threshold above all", text.replacen("authority-threshold 2", "authority-threshold 4", 1)),
        ("sets from 0", text.replacen("validators 1 open", "validators 0 open", 1)),
        ("a gap before the first set", text.replacen("validators 1 open", "validators 2 open", 1)),
        ("an empty range", text.replacen("validators 1 open", "validators 1 0 5", 1)),
        ("an end without its time", text.replacen("validators 1 open", "validators 1 9", 1)),
        ("a time without an end", text.replacen("validators 1 open", "validators 1 open 5", 1)),
        ("authorities not from the first leaf on", text.replacen("authorities 0", "authorities 1", 1)),
        ("authorities without a leaf", text.replacen("authorities 0\n", "", 1)),
        ("authorities twice from one leaf", twice_from_one_leaf(&text)),
        ("no quorum", text.replacen("quorum quorum", "quorum none", 1)),
        ("a witness twice", text.replacen(&witness, &format!("{witness}\n{witness}"), 1)),
        ("no set", text.split("\n\n").next().unwrap().to_owned() + "\n"),
        ("another version", text.replacen("trust/v1", "trust/v2", 1)),
        ("another origin than the log keys", text.replacen("origin ", "origin x", 1)),
        ("carriage returns", text.replace('\n', "\r\n")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("a URL with a no-break space", text.replacen(&witness, &format!("{witness} https://x\u{a0}y"), 1)),
        ("a URL with a C1 control", text.replacen(&witness, &format!("{witness} https://x\u{9b}y"), 1)),
        ("a URL with a tab", text.replacen(&witness, &format!("{witness} https://x\ty"), 1)),
        ("an empty URL", text.replacen(&witness, &format!("{witness} "), 1)),
    ];
    for (name, bad) in rows {
        assert_ne!(bad, text, "{name} changes the text");
        assert!(TrustFile::parse(&bad).is_err(), "{name}");
    }
}

fn twice_from_one_leaf(text: &str) -> String {
    let start = text.find("authorities 0").unwrap();
    let end = start + text[start..].find("\n\n").unwrap() + 1;
    format!("{}{}{}", &text[..end], &text[start..end], &text[end..])
}

/// Name, which line of a file with two sets of either kind, what stands there instead, and why it is refused.
#[test]
fn sets_with_a_gap_or_out_of_order_are_refused() {
    let mut chain = TestChain::new();
    chain.rotate_validators((21..=24).map(TestValidator::new).collect());
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    let text = chain.trust().to_text();
    let (first, second) = (&chain.trust().sets()[0], &chain.trust().sets()[1]);
    let (end, begins) = (first.end.unwrap(), second.first_size.get());
    let closed = format!("validators 1 {} {} ", end.last_size, end.until);
    let open = format!("validators {begins} open ");
    let later = format!("authorities {}\n", chain.trust().authority_sets()[1].first_leaf);
    let (sets, leaves) = ("without a gap", "the authorities do not follow each other");
    for (name, line, instead, problem) in [
        ("a gap", &open, format!("validators {} open ", begins + 1), sets),
        ("an overlap", &open, format!("validators {} open ", begins - 1), sets),
        ("a set that ends sooner", &closed, format!("validators 1 {} {} ", end.last_size.get() - 1, end.until), sets),
        ("a set after an open one", &closed, "validators 1 open ".to_owned(), sets),
        ("the second from 1 on", &open, "validators 1 open ".to_owned(), sets),
        ("authorities from one leaf", &later, "authorities 0\n".to_owned(), leaves),
    ] {
        assert_eq!(text.matches(line.as_str()).count(), 1, "{name}: {line}");
        let refused = TrustFile::parse(&text.replace(line.as_str(), &instead)).unwrap_err();
        assert!(refused.to_string().contains(problem), "{name}: {refused}");
    }
}

#[test]
fn authorities_follow_each_other_by_leaves() {
    let mut chain = TestChain::new();
    let before = chain.trust().clone();
    let by = chain.log().size();
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    let trust = chain.trust();
    assert_eq!(TrustFile::parse(&trust.to_text()).as_ref(), Ok(trust));
    let (old, new) = (before.authorities(), trust.authorities());
    assert_eq!([trust.authorities_at(LeafIndex::new(by)), trust.authorities_at(LeafIndex::new(by + 1))], [old, new]);
    assert_eq!((trust.authorities_at(LeafIndex::ZERO), trust.authorities_at(LeafIndex::new(u64::MAX))), (old, new));
    assert!(trust.goes_on_from(&before) && !before.goes_on_from(trust));
    // Followed twice, and with another content.
    assert_eq!(trust.with_next_authorities(LeafIndex::new(by), new), Ok(None));
    assert!(trust.with_next_authorities(LeafIndex::new(by), old).is_err());
    assert!(trust.with_next_authorities(LeafIndex::new(by - 1), new).is_err(), "before the one that it has");
    let other = before.with_next_authorities(LeafIndex::new(by + 3), new).unwrap().unwrap();
    assert!(!other.goes_on_from(trust) && !trust.goes_on_from(&other));
}

/// A file that was given, held against what a log makes: one row per way of differing.
#[test]
fn a_handover_of_the_log_is_the_files_or_comes_after_it() {
    let chain = TestChain::new();
    let one = chain.trust();
    let set = |ids: std::ops::RangeInclusive<u32>| {
        crate::validators::ValidatorSet::new(ids.map(|id| TestValidator::new(id).public()).collect()).unwrap()
    };
    let end = |last_size, until| SetEnd { last_size: TreeSize::new(last_size), until: PosixSeconds::new(until) };
    let two = one.with_next_set(end(50, 9), &set(2..=5)).unwrap();
    let three = two.with_next_set(end(70, 9), &set(3..=6)).unwrap();
    assert_eq!(one.after_handover(end(50, 9), &set(2..=5)), Ok(Some(two.clone())));
    assert_eq!(two.after_handover(end(70, 9), &set(3..=6)), Ok(Some(three.clone())));
    for known in [&two, &three] {
        assert_eq!(known.after_handover(end(50, 9), &set(2..=5)), Ok(None));
    }
    // One that ends where the log hands over, and says no more.
    let closed = TrustFile { sets: three.sets[..2].to_vec(), ..three.clone() };
    assert_eq!(closed.after_handover(end(70, 9), &set(3..=6)), Ok(Some(three.clone())));
    assert!(closed.after_handover(end(90, 9), &set(3..=6)).is_err(), "it knows nobody who could hand over there");
    for (what, refused) in [
        ("another set", three.after_handover(end(50, 9), &set(3..=6))),
        ("another end", three.after_handover(end(50, 8), &set(2..=5))),
        ("one in between", three.after_handover(end(60, 9), &set(4..=7))),
        ("one before all", three.after_handover(end(40, 9), &set(2..=5))),
    ] {
        assert!(refused.is_err(), "{what}");
    }
    // The right hash over other keys: whoever changed them would be believed.
    let mut forged = two.clone();
    forged.sets[1].policy = policy_of(one.origin(), &set(6..=9)).unwrap();
    assert!(forged.after_handover(end(50, 9), &set(2..=5)).is_err());
    // Where a member's log is to be read says nothing about whom to believe.
    let text = two.to_text();
    let witness = text.lines().rfind(|line| line.starts_with("witness ")).unwrap();
    let with_url = TrustFile::parse(&text.replace(witness, &format!("{witness} https://v5.example/log"))).unwrap();
    assert_eq!(with_url.after_handover(end(50, 9), &set(2..=5)), Ok(None));
}

#[test]
fn takeovers_are_those_that_a_log_makes_while_it_grows() {
    let mut chain = TestChain::new();
    let begin = chain.log().size();
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    chain.rotate_validators((21..=24).map(TestValidator::new).collect());
    let trust = chain.trust();
    let first_leaf = trust.authority_sets()[1].first_leaf;
    let last_size = trust.sets()[0].end.unwrap().last_size;
    let [authorities, validators] = [Takeover::Authorities { first_leaf }, Takeover::Validators { last_size }];
    assert_eq!(first_leaf.get(), begin + 1);
    let between = |before: u64, after: u64| trust.takeovers(TreeSize::new(before), TreeSize::new(after));
    assert_eq!(between(0, u64::MAX), [authorities, validators], "the first sets take over from nobody");
    assert_eq!(between(begin, begin + 1), [authorities]);
    assert!(between(begin + 1, last_size.get() - 1).is_empty());
    assert_eq!(between(last_size.get() - 1, last_size.get()), [validators]);
    assert!(between(last_size.get(), u64::MAX).is_empty());
    assert_eq!(authorities.to_string(), format!("authorities from leaf {} on", begin + 1));
    assert_eq!(validators.to_string(), format!("validators from tree size {} on", last_size.get() + 1));
}

/// A file that names the chain and begins otherwise was changed by somebody.
#[test]
fn a_file_begins_as_its_genesis_says() {
    let mut chain = TestChain::new();
    let genesis = chain.genesis().clone();
    assert_eq!(chain.trust().check_founding(&genesis), Ok(()));
    chain.rotate_validators((21..=24).map(TestValidator::new).collect());
    chain.replace_authorities(&["authority-0", "authority-7", "authority-8"]);
    let trust = chain.trust();
    assert_eq!(trust.check_founding(&genesis), Ok(()));
    let changed = |change: &dyn Fn(&mut TrustFile)| {
        let mut changed = trust.clone();
        change(&mut changed);
        changed.check_founding(&genesis).unwrap_err().to_string()
    };
    for (problem, said) in [
        ("another chain", changed(&|trust| trust.chain.0.0[0] ^= 1)),
        ("name, origin, offset or suite", changed(&|trust| trust.chain_name.push('x'))),
        ("name, origin, offset or suite", changed(&|trust| trust.utc_offset_minutes = 0)),
        ("whether the chain is for tests", changed(&|trust| trust.is_test = true)),
        ("first authorities", changed(&|trust| trust.authorities[0].set.threshold = 1)),
        ("first authorities", changed(&|trust| trust.authorities.swap(0, 1))),
        ("first validators", changed(&|trust| trust.sets[0].set_hash = Hash::ZERO)),
        ("first validators", changed(&|trust| trust.sets[0].policy = trust.sets[1].policy.clone())),
    ] {
        assert!(said.contains(problem), "{problem}: {said}");
    }
    let other = TestChain::named("otherchain");
    assert!(trust.check_founding(other.genesis()).is_err());
}

#[test]
fn a_url_of_visible_ascii_is_taken() {
    let chain = TestChain::new();
    let text = chain.trust().to_text();
    let witness = text.lines().find(|line| line.starts_with("witness ")).unwrap();
    let with_url = text.replacen(witness, &format!("{witness} https://v1.example/~log?a=b"), 1);
    assert_eq!(TrustFile::parse(&with_url).unwrap().to_text(), with_url);
}

#[test]
fn every_flipped_byte_gives_another_file_or_none() {
    let chain = TestChain::new();
    let text = chain.trust().to_text();
    for position in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[position] ^= 1;
        let Ok(flipped) = String::from_utf8(bytes) else { continue };
        assert_ne!(TrustFile::parse(&flipped).as_ref(), Ok(chain.trust()), "byte {position}");
    }
}

#[test]
fn sets_follow_each_other_without_a_gap() {
    let chain = TestChain::new();
    let set = chain.genesis().validators.clone();
    let end = |last_size| SetEnd { last_size: TreeSize::new(last_size), until: PosixSeconds::new(9) };
    let next = chain.trust().with_next_set(end(49), &set).unwrap();
    assert_eq!(next.set_for(TreeSize::new(49)).unwrap().0, 0);
    assert_eq!(next.set_for(TreeSize::new(50)).unwrap().0, 1);
    assert_eq!(next.set_for(TreeSize::new(u64::MAX)).unwrap().0, 1);
    assert_eq!(next.set_for(TreeSize::ZERO), None);
    assert!(next.with_next_set(end(49), &set).is_err(), "the last set would be empty");
    assert!(next.with_next_set(end(50), &set).is_ok());
    assert!(next.with_next_set(end(u64::MAX), &set).is_err(), "no tree is left for the next set");
}

/// One row per pair: does the first file go on from the second?
#[test]
fn a_file_goes_on_from_those_whose_sets_it_begins_with() {
    let chain = TestChain::new();
    let (one, other) = (chain.trust(), TestChain::named("other").trust().clone());
    let set = |ids: std::ops::RangeInclusive<u32>| {
        crate::validators::ValidatorSet::new(ids.map(|id| TestValidator::new(id).public()).collect()).unwrap()
    };
    let end = |last_size, until| SetEnd { last_size: TreeSize::new(last_size), until: PosixSeconds::new(until) };
    let two = one.with_next_set(end(50, 9), &set(2..=5)).unwrap();
    let three = two.with_next_set(end(70, 9), &set(3..=6)).unwrap();
    let two_closed = TrustFile { sets: three.sets[..2].to_vec(), ..two.clone() };
    for (name, longer, shorter, expected) in [
        ("the same", one, one, true),
        ("one more", &two, one, true),
        ("two more", &three, one, true),
        ("the last one closed", &three, &two_closed, true),
        ("only closed", &two_closed, &two, true),
        ("fewer", one, &two, false),
        ("open again", &two, &two_closed, false),
        ("another chain", &other, one, false),
        ("one that hides that it is a test chain", one, &TrustFile { is_test: true, ..one.clone() }, false),
        ("another set", &one.with_next_set(end(50, 9), &set(3..=6)).unwrap(), &two, false),
        ("another size", &one.with_next_set(end(51, 9), &set(2..=5)).unwrap(), &two, false),
        ("another time of a closed set", &one.with_next_set(end(50, 8), &set(2..=5)).unwrap(), &two, false),
    ] {
        assert_eq!(longer.goes_on_from(shorter), expected, "{name}");
    }
}

/// Whoever gets hold of a retired set's keys can have them say what they like of old trees, but nothing later than their end.
#[test]
fn a_retired_set_can_date_nothing_later_than_its_end() {
    let mut chain = TestChain::new();
    let old = chain.validators_at(Height::ZERO).to_vec();
    chain.add_block(&[]);
    let middle = chain.log().size();
    chain.rotate_validators((21..=24).map(TestValidator::new).collect());
    let (last, until) = (chain.log().size(), chain.trust().sets()[0].end.unwrap().until.get());
    let before = TrustFile::from_genesis(chain.genesis()).unwrap();
    let as_of = |trust: &TrustFile, size, time| {
        trust.verify_checkpoint(&chain.checkpoint_note(size, &old[..3], time)).unwrap().as_of.get()
    };
    let ten_years = 10 * 365 * 86_400;
    for (size, time, expected) in [
        (last, until + ten_years, until),
        (middle, until + ten_years, until),
        (last, until + 1, until),
        (last, until, until),
        (middle, until - 1, until - 1),
    ] {
        assert_eq!(as_of(chain.trust(), size, time), expected, "size {size} at {time}");
        assert_eq!(as_of(&before, size, time), time, "a file that does not know the end believes it");
    }
}

#[test]
fn the_set_is_chosen_by_tree_size() {
    let mut chain = TestChain::new();
    let old = chain.validators_at(Height::ZERO).to_vec();
    let new: Vec<TestValidator> = (21..=24).map(TestValidator::new).collect();
    chain.rotate_validators(new.clone());
    let before = chain.log().size();
    chain.add_block(&[]);
    let after = chain.log().size();
    let at = chain.now().seconds();
    let judge =
        |size, signers: &[TestValidator]| chain.trust().verify_checkpoint(&chain.checkpoint_note(size, signers, at));
    assert_eq!(judge(before, &old[..3]).unwrap().set_index, 0);
    assert_eq!(judge(after, &new[..3]).unwrap().set_index, 1);
    assert!(judge(after, &old).is_err(), "retired");
    assert!(judge(before, &new).is_err(), "not yet");
    let mixed = [old[0].clone(), new[0].clone(), new[1].clone()];
    assert!(judge(after, &mixed).is_err(), "one retired and two of the new ones");
}

#[test]
fn as_of_is_the_oldest_of_the_freshest_quorum() {
    let chain = TestChain::new();
    let validators = chain.validators_at(Height::ZERO).to_vec();
    let size = chain.log().size();
    let origin = chain.trust().origin();
    let text = Checkpoint::new(origin, TreeSize::new(size), chain.log().root(size)).unwrap().to_string();
    let times = [100, 400, 200, 300];
    let mut lines = vec![validators[0].sign_as_log(origin, &text)];
    lines.extend(validators.iter().zip(times).map(|(validator, time)| validator.cosign(origin, &text, time)));
    let trusted = chain.trust().verify_note(&SignedNote::new(&text, lines).unwrap()).unwrap();
    assert_eq!(trusted.as_of, PosixSeconds::new(200));
    let names: Vec<String> = [2, 3, 4].iter().map(|id| format!("{origin}/v{id}")).collect();
    assert_eq!(trusted.signers, names);
    assert_eq!((trusted.size.get(), trusted.root), (size, chain.log().root(size)));
}

#[test]
fn another_logs_checkpoint_is_refused_before_its_signatures() {
    let chain = TestChain::new();
    let other = TestChain::named("otherchain");
    let note = &other.blocks()[0].checkpoint;
    assert!(matches!(chain.trust().verify_checkpoint(note), Err(TrustError::Origin { .. })));
}

/// Validators whose turn was over, and ones whose turn has not come: a quorum's word, and worth nothing.
#[test]
fn a_quorum_out_of_its_turn_is_known_as_one() {
    let mut chain = TestChain::new();
    chain.add_block(&[]);
    let founders = chain.validators_at(chain.height()).to_vec();
    let own = chain.blocks().last().unwrap().checkpoint.clone();
    chain.rotate_validators((21..=24).map(TestValidator::new).collect());
    chain.add_block(&[]);
    let (trust, size, time) = (chain.trust(), chain.log().size(), chain.now().seconds());
    assert_eq!(trust.signed_out_of_turn(&own), None, "its own turn");
    let late = chain.checkpoint_note(size, &founders[..3], time);
    let found = trust.signed_out_of_turn(&late).unwrap();
    let last_size = trust.sets()[0].end.unwrap().last_size;
    assert_eq!(
        found,
        OutOfTurn { size: TreeSize::new(size), first_size: TreeSize::new(1), last_size: Some(last_size) }
    );
    assert!(trust.verify_checkpoint(&late).is_err());
    let said = found.to_string();
    assert!(said.contains(&format!("size {size} ")) && said.ends_with(&format!("from 1 to {last_size}")), "{said}");
    let early = chain.checkpoint_note(1, &chain.validators_at(chain.height())[..3], time);
    assert_eq!(trust.signed_out_of_turn(&early).unwrap().last_size, None);
    // Too few, strangers, and another log's.
    assert_eq!(trust.signed_out_of_turn(&chain.checkpoint_note(size, &founders[..2], time)), None);
    let strangers: Vec<TestValidator> = (91..=94).map(TestValidator::new).collect();
    assert_eq!(trust.signed_out_of_turn(&chain.checkpoint_note(size, &strangers, time)), None);
    assert_eq!(TestChain::named("otherchain").trust().signed_out_of_turn(&late), None);
    assert_eq!(trust.signed_out_of_turn("no note"), None);
}
