//! The table itself: both languages say the same about the same values, codes are unique, and nothing bad begins with praise.

use std::collections::BTreeSet;

use super::super::language::Sentence;
use super::*;
use crate::reason::Reason;

/// Every sentence of the table, with a name.
fn all() -> Vec<(String, Sentence)> {
    let mut all = Vec::new();
    for check in CheckId::ALL {
        all.push((format!("{} claim", check.code()), check.claim()));
        all.push((format!("{} failure", check.code()), check.failure()));
    }
    for finding in Finding::ALL {
        all.push((format!("{} word", finding.code()), finding.word()));
        all.push((format!("{} sentence", finding.code()), finding.sentence()));
        all.push((format!("{} advice", finding.code()), finding.advice()));
        all.push((format!("{} counted", finding.code()), finding.result().counted()));
    }
    all.extend(Notice::ALL.iter().map(|notice| (notice.code().to_owned(), notice.sentence())));
    all.extend(NotChecked::ALL.iter().map(|item| (item.code().to_owned(), item.sentence())));
    all.extend(Phrase::ALL.iter().map(|phrase| (phrase.code().to_owned(), phrase.sentence())));
    all.extend(Reason::ALL.iter().filter_map(|reason| Some((reason.as_str().to_owned(), refusal_clause(*reason)?))));
    all
}

/// The values that a template names, and whether each stands in brackets.
fn names(template: &str) -> BTreeSet<(String, bool)> {
    let mut found = BTreeSet::new();
    for (position, part) in template.split(['[', ']']).enumerate() {
        let in_part = part.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned());
        found.extend(in_part.map(|name| (name, position % 2 == 1)));
    }
    found
}

#[test]
fn both_languages_name_the_same_values() {
    for (name, Sentence { zh, en }) in all() {
        assert_eq!(names(zh), names(en), "{name}");
        assert_eq!(zh.is_empty(), en.is_empty(), "{name}");
        for text in [zh, en] {
            let count = |sign: char| text.chars().filter(|c| *c == sign).count();
            assert_eq!((count('['), count('{')), (count(']'), count('}')), "{name}: {text}");
            assert!(!text.contains("]]") && !text.contains("[["), "{name}: {text}");
        }
        let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
        assert!(
            zh.is_empty() || zh.contains(is_chinese) || ["{layer}：{result}", "{fault}。"].contains(&zh),
            "{name}: {zh}"
        );
        assert!(!en.contains(is_chinese), "{name}: {en}");
    }
}

#[test]
fn sentences_end_and_clauses_do_not() {
    let ends = |Sentence { zh, en }: Sentence| (zh.ends_with('。'), en.ends_with('.'));
    for finding in Finding::ALL {
        assert_eq!(ends(finding.sentence()), (true, true), "{}", finding.code());
        assert_eq!(ends(finding.word()), (false, false), "{}", finding.code());
    }
    for check in CheckId::ALL {
        assert_eq!(ends(check.claim()), (true, true), "{}", check.code());
    }
    for clause in Reason::ALL.iter().filter_map(|reason| refusal_clause(*reason)) {
        assert_eq!(ends(clause), (false, false), "{clause:?}");
    }
}

#[test]
fn codes_are_unique() {
    let unique = |codes: Vec<&str>| assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "{codes:?}");
    unique(CheckId::ALL.iter().map(|check| check.code()).collect());
    unique(Finding::ALL.iter().map(|finding| finding.code()).collect());
    unique(Notice::ALL.iter().map(|notice| notice.code()).collect());
    unique(NotChecked::ALL.iter().map(|item| item.code()).collect());
    unique(Phrase::ALL.iter().map(|phrase| phrase.code()).collect());
}

#[test]
fn nothing_but_what_is_in_force_begins_with_praise() {
    for finding in Finding::ALL.iter().filter(|finding| **finding != Finding::InForce) {
        for Sentence { zh, en } in [finding.word(), finding.sentence()] {
            for praise in ["有效", "真实", "正确", "通过"] {
                assert!(!zh.starts_with(praise), "{zh}");
            }
            for praise in ["in force", "genuine", "valid", "good", "ok"] {
                assert!(!en.to_lowercase().starts_with(praise), "{en}");
            }
        }
    }
    // 入账 is what a claimer does.
    for (name, Sentence { zh, .. }) in all() {
        assert!(!zh.contains("入账"), "{name}: {zh}");
    }
}

/// That the ledger does not have a record nobody can prove: it is told as somebody's word, and no colour says more.
#[test]
fn what_nobody_can_prove_is_told_as_somebodys_word() {
    for (finding, zh, en) in [
        (Finding::Pending, "答复说", "by what was answered"),
        (Finding::Overdue, "答复说", "by what was answered"),
        (Finding::LeftOut, "报告人称", "by the reporter's word"),
        // That it was refused is proved; what replaces it is not.
        (Finding::Refused, "[；答复称", "[; by what was answered"),
    ] {
        let sentence = finding.sentence();
        assert!(sentence.zh.contains(zh) && sentence.en.contains(en), "{sentence:?}");
        assert_eq!(finding.tone() == Tone::Bad, finding == Finding::Refused, "{}", finding.code());
    }
    assert!(!Finding::Overdue.word().zh.contains("未上链"), "a word is read first, and stands alone");
}

/// A forger's own key is in no directory, and a forged code leads to a forged page: nobody may read past either.
#[test]
fn what_may_be_forged_is_not_to_be_accepted() {
    for finding in
        [Finding::KeyUnknown, Finding::DirectoryOld, Finding::CodeElsewhere, Finding::Forged, Finding::Altered]
    {
        let Sentence { zh, en } = finding.advice();
        assert!(zh.contains("请勿接受") || zh.contains("不要凭这个码接受"), "{}: {zh}", finding.code());
        assert!(en.to_lowercase().contains("not accept") || en.contains("nor accept"), "{}: {en}", finding.code());
    }
}

/// A sentence with two of them reads as a list of which the end is missing.
#[test]
fn no_sentence_of_a_conclusion_has_two_colons() {
    for finding in Finding::ALL {
        for sentence in [finding.sentence(), finding.advice()] {
            assert!(sentence.zh.matches('：').count() <= 1, "{}: {}", finding.code(), sentence.zh);
            assert!(sentence.en.matches(": ").count() <= 1, "{}: {}", finding.code(), sentence.en);
        }
    }
}

/// The table of docs/spec/verdict.md, for who writes another program.
#[test]
fn the_specification_has_every_finding_with_its_result_and_tone() {
    let spec = include_str!("../../../../docs/spec/verdict.md");
    let table = spec.split("\n## Conclusions").nth(1).unwrap().split("\nReceipts are").next().unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut told = BTreeSet::new();
    for cells in table.lines().filter(|line| line.starts_with("| ")).map(cells).skip(1) {
        let codes: Vec<&str> = cells[1].split(", ").collect();
        told.extend(codes.iter().map(|code| format!("{code} {} {}", cells[2], cells[3])));
    }
    let of =
        |finding: &Finding| format!("{} {} {}", finding.code(), finding.result().as_str(), finding.tone().as_str());
    assert_eq!(told, Finding::ALL.iter().map(of).collect());
}

/// What docs/spec/execution.md has the ledger refuse a record for.
#[test]
fn every_reason_of_a_refused_record_has_words() {
    let spec = include_str!("../../../../docs/spec/execution.md");
    let of_records = spec.split("\n## A record").skip(1);
    let named: BTreeSet<&str> = of_records
        .flat_map(|part| {
            let section = part.split("\n## ").next().unwrap_or_default();
            section
                .lines()
                .filter(|line| line.starts_with('|'))
                .filter_map(|line| line.trim_end_matches(" |").rsplit("| ").next())
        })
        .collect();
    let reasons: Vec<Reason> = named.iter().flat_map(|cell| cell.split([' ', ','])).filter_map(Reason::parse).collect();
    assert!(reasons.len() >= 15, "{named:?}");
    for reason in reasons {
        assert!(refusal_clause(reason).is_some(), "{reason}");
    }
}
