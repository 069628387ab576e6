//! Every procedure of docs/ops is typed by a test, and can be done by who is told to do it: sections with commands without a test, blocks
//! that no test can type, commands that stand in prose alone, and files that root makes for the service, are found here.
//!
//! A test types a section by naming page and heading as they stand: `commands(PAGE, "Heading")`. That is read from the tests' sources, so
//! that this is no matter of which tests a run selects.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tallystick_tests::pages::{commands, page};
use tallystick_tests::services::{Unit, objection};

/// What types, or hands on to what types; page and heading are the last two arguments.
const TYPISTS: &[&str] = &["commands", "follow", "paste", "twice", "typed_twice", "type_all"];
/// Sections with commands when this was last looked at. Fewer: the reader of pages sees less than it did.
const SECTIONS_MIN: usize = 57;
/// What may stand in a block: commands, files that people write, and what a program prints.
const LANGUAGES: &[&str] = &["sh", "toml", "ini", "text"];
/// A command begins with one of these words.
const PROGRAMS: &[&str] = &[
    "tallystick-",
    "systemctl ",
    "sudo ",
    "openssl ",
    "mv ",
    "cp ",
    "rm ",
    "mkdir ",
    "install ",
    "chmod ",
    "chown ",
    "sha256sum ",
];

fn operators_pages() -> Vec<(String, String)> {
    let files = std::fs::read_dir(page("docs/ops")).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| format!("docs/ops/{}", path.file_name().unwrap().to_str().unwrap());
    let mut found: Vec<_> = files.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect();
    found.sort();
    found
}

/// What stands on a page.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    /// Headings under which something is to be typed.
    headings: BTreeSet<String>,
    /// Languages of its blocks that are none.
    languages: BTreeSet<String>,
    /// What stands in backticks in its prose and tables.
    spans: Vec<String>,
}

fn read(text: &str) -> Read {
    let (mut found, mut heading, mut in_block) = (Read::default(), String::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(language) = line.strip_prefix("```") {
            in_block = !in_block;
            if in_block && language == "sh" {
                found.headings.insert(heading.clone());
            }
            if in_block && !LANGUAGES.contains(&language) {
                found.languages.insert(language.to_owned());
            }
        } else if !in_block && line.starts_with('#') {
            line.trim_start_matches('#').trim().clone_into(&mut heading);
        } else if !in_block {
            found.spans.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// Whether what stands in prose is a command for one machine, and not one's name or form: it names a file, and nothing in it is a
/// placeholder in capitals.
fn is_typed_from_prose(span: &str) -> bool {
    let is_capital = |c: char| c.is_ascii_uppercase();
    let is_placeholder = |word: &str| {
        let has_nothing_else = word.chars().all(|c| is_capital(c) || c.is_ascii_digit() || c == '_');
        word.len() > 1 && word.contains(is_capital) && has_nothing_else
    };
    let mut words = span.split([' ', '=', '[', ']']);
    let names_a_file = span.split(' ').skip(1).any(|word| word.contains(['/', '.']));
    PROGRAMS.iter().any(|program| span.starts_with(program)) && names_a_file && !words.any(is_placeholder)
}

/// The arguments of a call, from behind its parenthesis on.
fn arguments(text: &str) -> Vec<&str> {
    let (mut found, mut begun, mut depth, mut quoted) = (Vec::new(), 0, 0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ')' | ']' | '}' | ',' if depth == 0 => {
                found.push(text[begun..at].trim());
                begun = at + 1;
                if letter != ',' {
                    break;
                }
            }
            _ => {}
        }
    }
    found.retain(|argument| !argument.is_empty());
    found
}

/// Page and heading of what a test's source has typed.
fn typed_sections(text: &str) -> BTreeSet<(String, String)> {
    let literal = |text: &str| Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    let mut pages: BTreeMap<&str, String> = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        let Some((name, value)) = line.strip_prefix("const ").and_then(|rest| rest.split_once(": &str = ")) else {
            continue;
        };
        pages.extend(literal(value.trim_end_matches(';')).map(|value| (name, value)));
    }
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
    let mut found = BTreeSet::new();
    for typist in TYPISTS {
        for (at, _) in code.match_indices(&format!("{typist}(")) {
            let is_part_of_a_name = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let arguments = arguments(&code[at + typist.len() + 1..]);
            let [.., page, heading] = arguments[..] else { continue };
            let page = literal(page).or_else(|| pages.get(page).cloned());
            if let (false, Some(page), Some(heading)) = (is_part_of_a_name, page, literal(heading)) {
                found.insert((page, heading));
            }
        }
    }
    found
}

/// A procedure that no test types goes wrong when somebody needs it: a new page, or a new section of one, needs its test.
#[test]
fn every_procedure_of_the_operators_pages_is_typed_by_a_test() {
    let tests = std::fs::read_dir(page("tests/tests")).unwrap().map(|entry| entry.unwrap().path());
    let own = Path::new(file!()).file_name().unwrap();
    let tests = tests.filter(|path| path.is_file() && path.file_name() != Some(own));
    let typed: BTreeSet<_> = tests.flat_map(|path| typed_sections(&std::fs::read_to_string(path).unwrap())).collect();
    let mut sections = 0;
    for (name, text) in operators_pages() {
        let read = read(&text);
        assert_eq!(
            read.languages,
            BTreeSet::new(),
            "{name}: mark a block as sh, so that a test can type it, or as text"
        );
        for heading in read.headings {
            let section = (name.clone(), heading);
            assert!(
                typed.contains(&section),
                "no test types the commands of {section:?}: `commands(PAGE, \"Heading\")`"
            );
            sections += 1;
        }
    }
    assert!(sections >= SECTIONS_MIN, "{sections} sections");
    for (name, heading) in typed.iter().filter(|(name, _)| name.starts_with("docs/ops/")) {
        assert!(commands(name, heading).is_ok(), "a test types {heading:?} of {name}, where nothing is to be typed");
    }
}

/// All that is to be typed, by page and heading.
fn all_commands() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, text) in operators_pages() {
        for heading in read(&text).headings {
            let typed = commands(&name, &heading).unwrap();
            found.extend(typed.into_iter().map(|command| (format!("{name}, {heading:?}"), command)));
        }
    }
    found
}

/// Tests type blocks: what stands in prose alone is not seen by them.
#[test]
fn no_command_stands_in_prose_alone() {
    let all = all_commands();
    for (name, text) in operators_pages() {
        for span in read(&text).spans.iter().filter(|span| is_typed_from_prose(span)) {
            let is_typed = all.iter().any(|(_, command)| command.contains(span.as_str()));
            assert!(is_typed, "{name} has `{span}` in prose, and no block has it, so that no test types it");
        }
    }
}

/// The unit and the owners of docs/ops/services.md are those of the machine on which all of this is typed.
#[test]
fn nothing_is_typed_that_the_services_user_cannot_do_or_read_afterwards() {
    let unit = Unit::read().unwrap();
    let all = all_commands();
    let as_user = all.iter().filter(|(_, command)| command.contains("sudo -u tallystick")).count();
    assert!(as_user >= 40, "{as_user} commands of the service's user");
    for (place, command) in all {
        let objection = objection(&command, &unit);
        assert_eq!(objection, None, "{place}: {command}");
    }
}

#[test]
fn pages_are_read() {
    let text = "# A\n```toml\nx\n```\n## B\n1. do `sudo rm /x`, `y`\n   ```sh\n   one `no`\n   ```\n   ```\n   sudo two\n   ```\n### C\n```text\nprinted\n```\n";
    let read = read(text);
    assert_eq!(read.headings, BTreeSet::from(["B".to_owned()]));
    assert_eq!(read.languages, BTreeSet::from([String::new()]));
    assert_eq!(read.spans, ["sudo rm /x", "y"]);
}

#[test]
fn commands_in_prose_are_found() {
    for typed in [
        "tallystick-node init --config node.toml",
        "tallystick-issuer repair --from-ledger --config /var/lib/tallystick/issuer.toml",
        "openssl req -in node.csr -noout -text",
        "rm -r /var/lib/tallystick/carried",
        "mkdir -p /backups",
        "chmod 600 /var/lib/tallystick/node.toml",
    ] {
        assert!(is_typed_from_prose(typed), "{typed}");
    }
    for named in [
        "tallystick-node keygen",
        "tallystick-node keygen --config FILE",
        "tallystick-issuer backup --config FILE --to DIR",
        "tallystick-issuer export-bodies --until-height H",
        "chmod 600",
        "/var/lib/tallystick",
        "node/node.example.toml",
    ] {
        assert!(!is_typed_from_prose(named), "{named}");
    }
}

#[test]
fn typed_sections_are_found() {
    let text = r#"
const PAGE: &str = "docs/ops/a.md";
async fn twice(network: &mut TestNetwork, page: &str, section: &str) -> String {
    operator.follow(page, section).await
    // operator.follow(PAGE, "In a comment")
    operator.follow(PAGE, "One").await;
    let [x] = <[String; 1]>::try_from(commands("docs/ops/b.md", "Two (of two)").unwrap()).unwrap();
    twice(&mut network(1, "x"), PAGE, "Three").await;
    typed_twice(
        &mut network,
        PAGE,
        "Four",
    );
    for section in ["Five"] { follow(PAGE, section); }
    unfollow(PAGE, "Six");
    let literals = (PAGE, "Seven");
}
"#;
    let expected = [
        ("docs/ops/a.md", "Four"),
        ("docs/ops/a.md", "One"),
        ("docs/ops/a.md", "Three"),
        ("docs/ops/b.md", "Two (of two)"),
    ];
    let expected = expected.map(|(page, heading)| (page.to_owned(), heading.to_owned()));
    assert_eq!(typed_sections(text), BTreeSet::from(expected));
}
