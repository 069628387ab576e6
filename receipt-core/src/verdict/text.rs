//! The verdict for people, in one language: a line, or a whole page of plain text. All words are the report's.
//!
//! Whatever is not ours (content, names, what a check found) goes through [`line`], so that no remark can repaint the page or start
//! a line of its own.

use super::face::Face;
use super::fill::say;
use super::language::Language;
use super::presentation::PresentationReport;
use super::report::{ChainReport, ConclusionReport, UnreadableReport, VerdictReport};
use super::sentences::Phrase;
use super::value::{Parameters, Value};
use crate::shown::line;

/// What it comes to, in one line: as of when, or why.
pub(super) fn headline(report: &VerdictReport, language: Language) -> String {
    let conclusion = &report.conclusion;
    // PRESENTED says so in its word; of a red, reversed or old one this line says that it is a part.
    let is_part = report.presentation.is_some() && conclusion.code != "PRESENTED";
    let mut text = first_words(conclusion, &report.chain, is_part, language);
    if let Some(as_of) = &report.as_of {
        text = format!("{text}  {}", as_of.said.of(language));
    }
    // Particulars are for technicians, and English.
    let detail = conclusion.detail.as_deref().filter(|_| language == Language::En);
    let code = conclusion.check.or(conclusion.detail.as_ref().map(|_| conclusion.code));
    let because = [code, detail].into_iter().flatten().collect::<Vec<_>>().join(": ");
    if because.is_empty() { text } else { format!("{text}  ({})", line(&because)) }
}

impl UnreadableReport {
    /// In one line, without a line end.
    pub fn to_line(&self, language: Language) -> String {
        first_words(&self.conclusion, &self.chain, false, language)
    }
}

/// Word and sentence, behind the marks of a chain for tests and of a part.
fn first_words(conclusion: &ConclusionReport, chain: &ChainReport, is_part: bool, language: Language) -> String {
    let marks = [(chain.test, Phrase::TestMark), (is_part, Phrase::PartMark)];
    let marks = marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| mark.sentence().of(language));
    let marks: String = marks.collect();
    format!("{marks}{}  {}", conclusion.word.of(language), conclusion.sentence.of(language))
}

/// A whole page of plain text, ending in a newline.
pub(super) fn render(report: &VerdictReport, language: Language) -> String {
    let mut page = Page { language, text: String::new() };
    page.conclusion(report);
    page.compare(report);
    if let Some(face) = &report.receipt {
        page.face(face);
    }
    if let Some(presentation) = &report.presentation {
        page.presentation(presentation);
    }
    page.checks(report);
    page.text
}

struct Page {
    language: Language,
    text: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn phrase(&self, phrase: Phrase, values: impl IntoIterator<Item = (&'static str, Value)>) -> String {
        say(phrase.sentence(), &Parameters::of(values), self.language)
    }

    fn labelled(&mut self, label: &str, value: &str) {
        let colon = match self.language {
            Language::Zh => "：",
            Language::En => ": ",
        };
        self.line(&format!("  {}{colon}{}", line(label), line(value)));
    }

    fn conclusion(&mut self, report: &VerdictReport) {
        let language = self.language;
        self.line(&headline(report, language));
        for layer in &report.layers {
            self.line(&format!("  {}", layer.said.of(language)));
        }
        for notice in &report.notices {
            self.line(&format!("  ! {}", notice.said.of(language)));
        }
        if let Some(advice) = &report.conclusion.advice {
            self.line(&format!("  > {}", advice.of(language)));
        }
        if !report.signers.is_empty() {
            let signers = self.phrase(Phrase::Signers, [("signers", Value::Codes(report.signers.clone()))]);
            self.line(&format!("  {}", line(&signers)));
        }
        self.line(&format!("  {}", report.judged_at.said.of(language)));
    }

    fn compare(&mut self, report: &VerdictReport) {
        if report.compare.is_empty() {
            return;
        }
        let heading = self.phrase(Phrase::CompareHeading, []);
        self.line(&format!("\n{heading}"));
        for item in &report.compare {
            self.labelled(item.label.of(self.language), &item.value);
        }
    }

    fn face(&mut self, face: &Face) {
        let heading = self.phrase(Phrase::ReceiptHeading, []);
        self.line(&format!("\n{heading}  {}", line(&face.title)));
        for field in &face.lines {
            self.labelled(field.label.of(self.language), field.value.of(self.language));
        }
        let heading = self.phrase(Phrase::ItemsHeading, []);
        self.line(&format!("  {heading}"));
        for item in &face.items {
            self.line(&format!("    {}", line(item)));
        }
        if face.aux_count > 0 {
            let count = |count: usize| Value::Number(u64::try_from(count).unwrap_or(u64::MAX));
            let counts = [("shown", count(face.aux_items.len())), ("count", count(face.aux_count))];
            let heading = self.phrase(Phrase::AuxHeading, counts);
            self.line(&format!("  {heading}"));
            for item in &face.aux_items {
                self.line(&format!("    {}", line(item)));
            }
        }
    }

    fn presentation(&mut self, presentation: &PresentationReport) {
        let heading = self.phrase(Phrase::ShownHeading, []);
        self.line(&format!("\n{heading}  {}", line(&presentation.title)));
        for field in &presentation.lines {
            self.labelled(field.label.of(self.language), field.value.of(self.language));
        }
        let heading = self.phrase(Phrase::WithheldHeading, []);
        self.line(&format!("\n{heading}"));
        for field in &presentation.withheld {
            self.line(&format!("  -    {}", line(field.label.of(self.language))));
        }
    }

    fn checks(&mut self, report: &VerdictReport) {
        let chain = &report.chain;
        let chain = format!("{} {}…", chain.name, chain.id.get(..12).unwrap_or(&chain.id));
        let heading = self.phrase(Phrase::ChecksHeading, [("chain", Value::Text(chain))]);
        self.line(&format!("\n{heading}"));
        for check in &report.checks {
            let mark = match check.outcome {
                "passed" => "ok  ",
                "warned" => "warn",
                "failed" => "FAIL",
                _ => "?   ",
            };
            self.line(&format!("  {mark} {:<22} {}", check.code, check.said.of(self.language)));
            for detail in &check.details {
                self.line(&format!("       {}", line(detail)));
            }
        }
        let heading = self.phrase(Phrase::NotCheckedHeading, []);
        self.line(&format!("\n{heading}"));
        for item in &report.not_checked {
            self.line(&format!("  -    {:<22} {}", item.code, item.said.of(self.language)));
        }
    }
}
