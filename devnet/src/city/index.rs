//! `index.html`: what is in the folder, in Chinese and English. Without script; what a receipt says is text and never markup.

use std::fmt::Write as _;

use receipt_core::verdict::Language;

use super::folder::{CODE, Entry};
use super::receipts::Refused;

const STYLE: &str = "\
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 1rem/1.6 system-ui, 'Noto Sans CJK SC', sans-serif; overflow-wrap: anywhere; }
section { margin: 1.5rem 0; padding: 0.5rem 1rem; border: 1px solid #bbb; border-radius: 0.5rem; }
section > div { display: flex; flex-wrap: wrap; gap: 1rem; justify-content: space-between; }
[lang=en] { color: #555; }
img { width: 18rem; height: 18rem; image-rendering: pixelated; }
a { color: #144a75; }
.good { color: #14622f; }
.bad { color: #a01818; }
.caution { color: #7a4a00; }
dt { float: left; clear: left; width: 12rem; }
dd { margin-left: 12rem; }
";

/// What the page says besides the receipts.
pub(super) struct Index<'a> {
    /// The chain.
    pub(super) chain_name: &'a str,
    /// The portal's address, if it goes on.
    pub(super) portal: Option<&'a str>,
}

impl Index<'_> {
    /// The whole file.
    pub(super) fn page(&self, entries: &[Entry], refused: &Refused) -> String {
        let mut text = format!(
            "<!doctype html>\n<html lang=\"zh-CN\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>示例市的电子票据</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        );
        both(&mut text, "h1", "示例市的电子票据", "Receipts of a made-up city");
        both(
            &mut text,
            "p",
            &format!("链 {}：四个验证节点、两个开票系统、一个公众平台。全部是测试样票。", self.chain_name),
            &format!("Chain {}: four validators, two issuers, a portal. All of it is for tests.", self.chain_name),
        );
        text.push_str("<ul>\n");
        link(
            &mut text,
            "page/tallystick-verify.html",
            "核验页：一个文件，断网也能用",
            "the page: one file, works without a network",
        );
        if let Some(portal) = self.portal {
            link(
                &mut text,
                portal,
                "公众平台（浏览器会提示证书：它是本网络自己签发的）",
                "the portal; a browser warns of its certificate",
            );
            link(&mut text, &format!("{portal}/fetch"), "取票", "fetch a receipt");
        }
        link(&mut text, "trust.txt", "信任文件", "the trust file");
        link(&mut text, "directory.bin", "单位名录", "the directory of units");
        text.push_str("</ul>\n");
        both(
            &mut text,
            "p",
            "命令行：tallystick-verifier verify S01/receipt.tally --trust trust.txt --lang zh",
            "On a command line, in English: without --lang zh.",
        );
        for entry in entries {
            section(&mut text, entry);
        }
        section_of_refused(&mut text, refused);
        text.push_str("</body>\n</html>\n");
        text
    }
}

fn section(text: &mut String, entry: &Entry) {
    let Entry { folder, verdict, receipt, files } = entry;
    let (draft, issued) = (&receipt.draft, &receipt.issued);
    let _ = writeln!(text, "<section id=\"{folder}\">");
    both(text, "h2", &draft.receipt_name, english(folder));
    let tone = verdict.to_report().conclusion.tone;
    both(text, &format!("p class=\"{tone}\""), &verdict.to_line(Language::Zh), &verdict.to_line(Language::En));
    text.push_str("<div>\n<div>\n");
    let key = receipt.key();
    facts(
        text,
        &[
            ("开票单位", "unit", issued.unit_name.clone()),
            ("交款人", "payer", draft.payer_name.clone()),
            ("票据代码", "code", key.code.to_string()),
            ("票据号码", "number", key.number.to_string()),
            ("校验码", "check code", issued.check_code.to_string()),
            ("开票日期", "date", draft.issue_date.to_string()),
            ("金额合计", "total", draft.total_amount.to_string()),
        ],
    );
    text.push_str("<ul>\n");
    for (name, [zh, en]) in files {
        link(text, &format!("{folder}/{name}"), zh, en);
    }
    let number = escaped(&key.number.to_string());
    let _ = writeln!(
        text,
        "</ul>\n</div>\n<img src=\"{folder}/{CODE}\" alt=\"{number} 的二维码 (code of {number})\">\n</div>\n</section>"
    );
}

/// A receipt that the ledger did not take: it has no bundle. Its face is what was handed out.
fn section_of_refused(text: &mut String, refused: &Refused) {
    let response = &refused.response;
    text.push_str("<section id=\"refused\">\n");
    both(text, "h2", "没有上链的一张", "One that the ledger did not take");
    both(
        text,
        "p class=\"bad\"",
        &format!(
            "同一业务在两个开票系统各开了一张，账本只收一张（{}）。有效的是 {}-{}。",
            response.refused_reason, refused.replaced_by.0, refused.replaced_by.1
        ),
        &format!(
            "One transaction was handed to two issuers; the ledger takes one. {}-{} stands instead.",
            refused.replaced_by.0, refused.replaced_by.1
        ),
    );
    facts(
        text,
        &[
            ("开票单位", "unit", refused.unit_name.clone()),
            ("票据代码", "code", response.receipt_code.clone()),
            ("票据号码", "number", response.receipt_number.clone()),
            ("校验码", "check code", response.check_code.clone()),
            ("开票日期", "date", response.issue_date.clone()),
            ("金额合计", "total", refused.total.to_string()),
        ],
    );
    text.push_str("</section>\n");
}

/// What a sample is.
fn english(sample_id: &str) -> &'static str {
    match sample_id {
        "S01" => "Hospital, out-patient; reversed as a whole",
        "S02" => "Hospital, in-patient",
        "S03" => "Hospital, registration fee",
        "S04" => "Traffic fine",
        "S05" => "Medical insurance premium",
        "S06" => "School fee",
        "S07" => "Money that a school collects for others",
        "S08" => "Association's dues",
        "S09" => "Donation of money",
        "S10" => "Donation in kind",
        "S11" => "Registration of real estate",
        "S12" => "Deposit of a bidder",
        "S13" => "The red receipt that reverses the out-patient one",
        "S14" => "What remains of it, issued anew",
        "S15" => "Court fee",
        "S16" => "Trade union's income",
        "S17" => "Maintenance fund of a building",
        _ => "Receipt",
    }
}

/// An element with both languages.
fn both(text: &mut String, element: &str, zh: &str, en: &str) {
    let name = element.split(' ').next().unwrap_or(element);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "<{element}>{} <span lang=\"en\">{}</span></{name}>", escaped(zh), escaped(en));
}

fn link(text: &mut String, to: &str, zh: &str, en: &str) {
    let (to, zh, en) = (escaped(to), escaped(zh), escaped(en));
    let _ = writeln!(text, "<li><a href=\"{to}\">{zh} <span lang=\"en\">{en}</span></a></li>");
}

fn facts(text: &mut String, rows: &[(&str, &str, String)]) {
    text.push_str("<dl>\n");
    for (zh, en, value) in rows {
        let _ = writeln!(text, "<dt>{zh} <span lang=\"en\">{en}</span></dt><dd>{}</dd>", escaped(value));
    }
    text.push_str("</dl>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receipt_says_is_no_markup() {
        let mut text = String::new();
        both(&mut text, "p class=\"bad\"", "<script>林&", "\"quoted\"");
        facts(&mut text, &[("交款人", "payer", "<b>".to_owned())]);
        assert_eq!(
            text,
            "<p class=\"bad\">&lt;script&gt;林&amp; <span lang=\"en\">&quot;quoted&quot;</span></p>\n<dl>\n<dt>交款人 <span \
             lang=\"en\">payer</span></dt><dd>&lt;b&gt;</dd>\n</dl>\n"
        );
    }
}
