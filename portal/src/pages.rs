//! Pages for people without a script: forms, and what is answered to them. Chinese first, English beside it.
//!
//! Every text from outside is escaped by [`escaped`]. A page has no script, one stylesheet known by its hash, and sends forms to this site
//! alone. What somebody typed is repeated to them, in the body of an answer and nowhere else, if they have to send it again.

use std::fmt::Write as _;
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use receipt_core::hash::sha256;
use receipt_core::verdict::{Finding, Notice, Parameters, Phrase, Said, Sentence, Value, said};

use crate::input::Fields;
use crate::reply::{Problem, ProblemKind};

const STYLE: &str = "body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:0 auto;padding:1rem;color:#1a1a1a;background:#fff;overflow-wrap:anywhere}\
h1{font-size:1.4rem}label{display:block;margin:.8rem 0 .2rem}input,select,button{font:inherit;padding:.5rem;min-height:2.75rem;\
box-sizing:border-box;width:100%;border:1px solid #595959;border-radius:.25rem}button,.download{background:#144a75;color:#fff;border:0;\
margin-top:1.2rem;display:block;padding:.7rem;text-align:center;border-radius:.25rem}:focus-visible,input:focus-within{outline:3px solid #b35900;\
outline-offset:2px}[lang=en]{color:#444}button [lang=en],.download [lang=en],.test [lang=en]{color:inherit}\
h1 [lang=en],label [lang=en]{display:block;font-size:.85rem;font-weight:400}select{background:#fff}dt{font-weight:bold}dd{margin:0 0 .6rem}dd p{margin:0 0 .4rem}a{color:#144a75}.download{color:#fff;text-decoration:none}\
.links a{display:inline-block;padding:.5rem 0}nav{border-top:1px solid #767676;margin-top:2rem}nav ul{list-style:none;padding:0}\
.test{border:2px solid #8a4b00;padding:.5rem;font-weight:bold}";

/// A field of a form: name, label in both languages, and what else the element says.
struct Input(&'static str, &'static str, &'static str, &'static str);

const CODE: Input =
    Input("code", "票据代码（8 位）", "Receipt code (8 digits)", "inputmode=\"numeric\" maxlength=\"8\" required");
const NUMBER: Input = Input(
    "number",
    "票据号码（10 位）",
    "Receipt number (10 digits)",
    "inputmode=\"numeric\" maxlength=\"10\" required",
);
const CHECK: Input = Input(
    "check_code",
    "校验码（6 位）",
    "Check code (6 characters)",
    "maxlength=\"6\" autocapitalize=\"off\" required",
);
const DATE: Input = Input("date", "开票日期", "Date of issue", "type=\"date\"");
const TOTAL: Input = Input("total", "金额合计（元）", "Total (yuan)", "inputmode=\"decimal\" maxlength=\"20\"");

const UNIT: Input = Input(
    "unit_code",
    "收款单位统一社会信用代码（18 位）",
    "Code of the unit that was paid (18 characters)",
    "maxlength=\"18\" required",
);
const REFERENCE: Input = Input(
    "reference",
    "缴款码、结算号、决定书号或业务流水号",
    "Number that the unit gave",
    "maxlength=\"100\" required",
);
const INSTALMENT: Input = Input(
    "instalment",
    "第几期（处罚决定书分期缴纳的；一次缴清不填）",
    "Which instalment of a decision (empty if all was paid at once)",
    "inputmode=\"numeric\" maxlength=\"4\"",
);
const LAST_FOUR: Input =
    Input("last_four", "交款人证件号码后四位", "Last four characters of the payer’s ID", "maxlength=\"4\" required");

/// Where people without a script can go.
const ROOMS: [(&str, &str, &str); 4] = [
    ("/", "核验票据", "Verify a receipt"),
    ("/fetch", "取票据文件（PDF、OFD、.tally 等）", "Get the receipt as a file"),
    ("/fetch-by-reference", "票据丢了？凭缴款信息取", "Lost it? Fetch it by what was paid"),
    ("/elements", "没有文件？输入票面上的五项", "No file? Type five entries of the receipt"),
];

/// What a form asks for, as markup.
fn asked_by(path: &str) -> Option<String> {
    let of = |inputs: &[Input]| inputs.iter().map(field).collect::<String>();
    Some(match path {
        "/fetch" => of(&[CODE, NUMBER, CHECK]) + &format_choice(),
        "/elements" => of(&[CODE, NUMBER, CHECK, required(DATE), required(TOTAL)]),
        "/fetch-by-reference" => [
            of(&[UNIT]),
            // Which number it is stands before it, as on the page.
            reference_choice(),
            of(&[REFERENCE, INSTALMENT, LAST_FOUR]),
            format_choice(),
        ]
        .concat(),
        _ => return None,
    })
}

fn field(Input(name, zh, en, more): &Input) -> String {
    format!(
        "<label for=\"{name}\">{zh} <span lang=\"en\">{en}</span></label><input id=\"{name}\" name=\"{name}\" autocomplete=\"off\" {more}>"
    )
}

fn required(input: Input) -> Input {
    let Input(name, zh, en, more) = input;
    let more = if more.starts_with("type") {
        "type=\"date\" required"
    } else {
        "inputmode=\"decimal\" maxlength=\"20\" required"
    };
    Input(name, zh, en, more)
}

fn choice(name: &str, (zh, en): (&str, &str), options: &[(&str, &str)]) -> String {
    let mut html = format!(
        "<label for=\"{name}\">{zh} <span lang=\"en\">{en}</span></label><select id=\"{name}\" name=\"{name}\">"
    );
    for (value, text) in options {
        let _ = write!(html, "<option value=\"{value}\">{text}</option>");
    }
    html + "</select>"
}

fn format_choice() -> String {
    let options = [
        ("pdf", "PDF（可打印，内附凭证）"),
        ("ofd", "OFD（内附凭证）"),
        ("bundle", "凭证文件 .tally（供核验）"),
        ("png", "图片 PNG"),
        ("xml", "XML（供记账系统读取）"),
    ];
    choice("format", ("文件格式", "File format"), &options)
}

fn reference_choice() -> String {
    let options = [
        ("pay_code", "缴款码 pay code"),
        ("settlement_number", "医保结算号 settlement"),
        ("decision", "处罚决定书 decision"),
        ("biz_code", "业务流水号 transaction"),
    ];
    choice("kind", ("号码种类", "Kind of number"), &options)
}

/// How pages are made. On a chain for tests each says so: nobody may take a specimen for a receipt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pages {
    is_test: bool,
}

impl Pages {
    /// Of a chain, which is for tests or not.
    pub(crate) const fn new(is_test: bool) -> Self {
        Self { is_test }
    }

    /// The forms, by their addresses.
    pub(crate) fn form(self, path: &str) -> Option<Response> {
        let asked = asked_by(path)?;
        let (_, zh, en) = ROOMS.into_iter().find(|(room, ..)| *room == path)?;
        let body = format!(
            "<form method=\"post\" action=\"{path}\">{asked}<button>提交 <span lang=\"en\">Send</span></button></form>"
        );
        Some(self.page(StatusCode::OK, (zh, en), &body, path))
    }

    /// Why something is not answered, and the form that it was sent by.
    pub(crate) fn problem(self, problem: &Problem, path: Option<&str>) -> Response {
        let kind = problem.kind;
        let mut body = format!("<p role=\"alert\">{}</p><p lang=\"en\">{}</p>", kind.zh(), kind.en());
        if let Some(wait) = problem.retry_after {
            let seconds = seconds(wait);
            let _ = write!(body, "<p>请等 {seconds} 秒。<span lang=\"en\">Wait {seconds} seconds.</span></p>");
        }
        if let Some(reason) = problem.reason {
            let values = Parameters::of([("reason", Value::Reason(reason))]);
            let Said { zh, en } = said(Finding::Refused.sentence(), &values, 0);
            let _ = write!(body, "<p>{} <span lang=\"en\">{}</span></p>", escaped(&zh), escaped(&en));
        }
        if let Some(path) = path {
            let again = "重新填写 <span lang=\"en\">Fill in the form again</span>";
            let _ = write!(body, "<p class=\"links\"><a href=\"{path}\">{again}</a></p>");
        }
        let title = match kind {
            ProblemKind::NoMatch => ("没有查到", "Not found"),
            _ => ("没有完成", "Not done"),
        };
        self.page(kind.status(), title, &body, "")
    }

    /// The same form again, after a while or with more.
    pub(crate) fn again(
        self,
        path: &str,
        sent: &Fields,
        (ticket, wait): (Option<&str>, Option<Duration>),
        more: &[String],
    ) -> Response {
        let mut body = match wait {
            Some(wait) => {
                let seconds = seconds(wait);
                format!(
                    "<p role=\"status\">刚才有人试过这张票据，请等 {seconds} 秒再点“继续”。</p>\
                     <p lang=\"en\">Somebody has tried this receipt just now. Wait {seconds} seconds, then go on.</p>"
                )
            }
            None => "<p role=\"status\">有人试过多次，请再填开票日期和金额。</p><p lang=\"en\">It was tried for often. Give date and amount as well.</p>".to_owned(),
        };
        let is_sent = |name: &str| name != "ticket" && !more.iter().any(|more| more == name);
        body += &same_again(path, sent, is_sent);
        if let Some(ticket) = ticket {
            let _ = write!(body, "<input type=\"hidden\" name=\"ticket\" value=\"{}\">", escaped(ticket));
        }
        let asked = [DATE, TOTAL].into_iter().filter(|input| more.iter().any(|name| name == input.0));
        for Input(name, zh, en, more) in asked {
            let _ = write!(
                body,
                "<label for=\"{name}\">{zh} <span lang=\"en\">{en}</span></label><input id=\"{name}\" name=\"{name}\" {more} required>"
            );
        }
        body += "<button>继续 <span lang=\"en\">Go on</span></button></form>";
        let title = match wait {
            Some(_) => ("再试一次", "Once more"),
            None => ("还需填写", "More is needed"),
        };
        self.page(StatusCode::OK, title, &body, "")
    }

    /// A page, with ways to every other but the one at `here`. `body` is markup: whatever of it came from outside is escaped by now.
    pub(crate) fn page(self, status: StatusCode, (zh, en): (&str, &str), body: &str, here: &str) -> Response {
        let Sentence { zh: test_zh, en: test_en } = Notice::TestChain.sentence();
        let (mark, notice) = match self.is_test {
            true => (
                Phrase::TestMark.sentence().zh,
                format!("<p class=\"test\">{test_zh} <span lang=\"en\">{test_en}</span></p>"),
            ),
            false => ("", String::new()),
        };
        let mut ways = String::new();
        for (path, zh, en) in ROOMS.into_iter().filter(|(path, ..)| *path != here) {
            let _ = write!(ways, "<li><a href=\"{path}\">{zh} <span lang=\"en\">{en}</span></a></li>");
        }
        let html = format!(
            "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{mark}{zh} {en}</title><style>{STYLE}</style></head><body><main>{notice}<h1>{zh} <span lang=\"en\">{en}</span></h1>{body}</main>\
             <nav class=\"links\" aria-label=\"本站 This site\"><ul>{ways}</ul></nav></body></html>"
        );
        let hash = STANDARD.encode(sha256(&[STYLE.as_bytes()]).as_bytes());
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        let mut response = (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// A file that can be downloaded, of this name and media type, and how it is verified.
pub(crate) fn download(token: &str, (file_name, media_type): (&str, &str), bytes: usize, life: Duration) -> String {
    let (name, kilobytes, minutes) = (escaped(file_name), bytes.div_ceil(1000), life.as_secs() / 60);
    let (zh, en) = match media_type {
        "image/png" => (
            "图片里没有证明，只有票据的码：在本站首页选择这张图片，可按码核验。",
            "A picture holds no proof but the receipt’s code: choose it on this site’s first page, which judges the code.",
        ),
        "application/xml" => (
            "XML 供记账系统读取；要核验，请另取凭证文件（.tally）、PDF 或 OFD。",
            "XML is for accounting systems: to verify, fetch the .tally file, PDF or OFD.",
        ),
        _ => (
            "核验：在本站首页或您保存的单文件核验页里选择这个文件（浏览器要能运行脚本）。结论由您的设备算出，不靠本站的话。",
            "To verify, choose this file on this site’s first page, or on the page that you have kept as one file, in a browser that runs scripts. Your device judges, and takes no word of this site’s for it.",
        ),
    };
    format!(
        "<p><a class=\"download\" href=\"/download/{token}\" rel=\"nofollow\">下载 {name}（{kilobytes}&nbsp;kB） <span lang=\"en\">Download</span></a></p>\
         <p>链接 {minutes} 分钟内有效，最多用两次。<span lang=\"en\">The link is good for {minutes} minutes, and twice at most.</span></p>\
         <p>{zh} <span lang=\"en\">{en}</span></p>"
    )
}

/// Of a receipt of several pages, each a picture: which one this is, and the way to the others.
pub(crate) fn other_pages(path: &str, sent: &Fields, page_count: u32) -> String {
    let given = sent.iter().find(|(name, _)| *name == "page").and_then(|(_, page)| page.parse().ok());
    let this = given.unwrap_or(1_u32).max(1);
    if page_count < 2 {
        return String::new();
    }
    let others =
        (1..=page_count).filter(|page| *page != this).map(|page| (page.to_string(), format!("{page} / {page_count}")));
    let others: Vec<(String, String)> = others.collect();
    let options: Vec<(&str, &str)> = others.iter().map(|(page, text)| (page.as_str(), text.as_str())).collect();
    format!(
        "<p>这是第 {this} 页，共 {page_count} 页。<span lang=\"en\">This is page {this} of {page_count}.</span></p>{}{}\
         <button>取这一页 <span lang=\"en\">Fetch that page</span></button></form>",
        same_again(path, sent, |name| !["page", "ticket"].contains(&name)),
        choice("page", ("另一页", "Another page"), &options),
    )
}

/// The beginning of a form that sends again what was sent.
fn same_again(path: &str, sent: &Fields, is_sent: impl Fn(&str) -> bool) -> String {
    let mut form = format!("<form method=\"post\" action=\"{}\">", escaped(path));
    for (name, value) in sent.iter().filter(|(name, _)| is_sent(name)) {
        let _ = write!(form, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value));
    }
    form
}

fn seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

/// A text as markup shows it.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use receipt_core::reason::Reason;

    use super::*;

    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn what_was_typed_is_repeated_as_text_alone() {
        let request = http::Request::post("/fetch")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("code=%22%3E%3Cscript%3E&ticket=old&total=1".into())
            .unwrap();
        let sent = Fields::read(request).await.unwrap();
        let more = ["date".to_owned(), "total".to_owned()];
        let pages = Pages::new(false);
        let html = text(pages.again("/fetch", &sent, (Some("00ff"), Some(Duration::from_millis(2_100))), &more)).await;
        assert!(html.contains("value=\"&quot;&gt;&lt;script&gt;\"") && !html.contains("<script"), "{html}");
        assert!(html.contains("name=\"ticket\" value=\"00ff\"") && !html.contains("value=\"old\""), "{html}");
        assert!(html.contains("请等 3 秒") && html.contains("type=\"date\" required"), "{html}");
        assert_eq!(html.matches("name=\"total\"").count(), 1, "{html}");
    }

    #[tokio::test]
    async fn every_form_is_labelled_and_its_style_is_the_policys() {
        for path in ["/fetch", "/elements", "/fetch-by-reference"] {
            let response = Pages::new(false).form(path).unwrap();
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            assert!(
                policy.contains(&STANDARD.encode(sha256(&[STYLE.as_bytes()]).as_bytes())) && !policy.contains("unsafe")
            );
            let html = text(response).await;
            assert!(html.contains(&format!("<style>{STYLE}</style>")));
            assert_eq!(html.matches("<label for=").count(), html.matches(" id=\"").count(), "{html}");
        }
        assert!(Pages::new(false).form("/").is_none());
    }

    #[tokio::test]
    async fn a_page_is_headed_by_what_became_of_it() {
        let pages = Pages::new(false);
        let not_found = text(pages.problem(&Problem::new(ProblemKind::NoMatch), Some("/fetch"))).await;
        assert!(not_found.contains("<h1>没有查到 ") && not_found.contains("请逐项核对后重新填写"), "{not_found}");
        let missing = text(pages.again("/fetch", &Fields::default(), (None, None), &["date".to_owned()])).await;
        assert!(missing.contains("<h1>还需填写 ") && missing.contains("请再填开票日期和金额"), "{missing}");
        let wait = Some(Duration::from_secs(3));
        let later = text(pages.again("/fetch", &Fields::default(), (Some("00"), wait), &[])).await;
        assert!(later.contains("<h1>再试一次 "), "{later}");
    }

    /// Which of its numbers somebody has stands before the number, as on the page with scripts.
    #[tokio::test]
    async fn the_kind_of_a_number_is_asked_for_before_the_number() {
        let html = text(Pages::new(false).form("/fetch-by-reference").unwrap()).await;
        let at = |id: &str| html.find(&format!("id=\"{id}\"")).unwrap();
        let order = ["unit_code", "kind", "reference", "instalment", "last_four", "format"].map(at);
        assert!(order.is_sorted(), "{html}");
    }

    /// Nobody may take a specimen for a receipt; and no page is a dead end, or shows a name of a program.
    #[tokio::test]
    async fn every_page_of_a_test_chain_says_so_and_leads_on() {
        let sent = Fields::default();
        for is_test in [true, false] {
            let pages = Pages::new(is_test);
            let refused = Problem::refused(Reason::NumberUsed);
            for response in [
                pages.form("/fetch").unwrap(),
                pages.problem(&refused, Some("/fetch")),
                pages.problem(&Problem::new(ProblemKind::Gone), None),
                pages.again("/fetch", &sent, (None, None), &[]),
                pages.page(StatusCode::OK, ("甲", "A"), "", ""),
            ] {
                let html = text(response).await;
                assert_eq!(html.matches("测试样票").count(), if is_test { 2 } else { 0 }, "{html}");
                assert_eq!(html.contains("TEST SPECIMEN"), is_test, "{html}");
                for way in ["href=\"/\"", "href=\"/elements\"", "href=\"/fetch-by-reference\""] {
                    assert!(html.contains(way), "{way}: {html}");
                }
                assert!(!html.contains("NUMBER_USED"), "{html}");
            }
        }
        let html = text(Pages::new(false).problem(&Problem::refused(Reason::NumberUsed), Some("/fetch"))).await;
        assert!(
            html.contains("账本拒绝了这张票据：票据号码已被使用。") && html.contains("href=\"/fetch\">重新填写"),
            "{html}"
        );
    }

    #[tokio::test]
    async fn each_page_of_a_picture_is_one_step_away() {
        let fields = |body: &str| {
            let request = http::Request::post("/fetch");
            let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            Fields::read(request.body(body.to_owned().into()).unwrap())
        };
        let sent = fields("code=1&format=png&ticket=x").await.unwrap();
        let html = other_pages("/fetch", &sent, 3);
        assert!(html.contains("第 1 页，共 3 页") && html.contains("name=\"format\" value=\"png\""), "{html}");
        assert!(html.contains("<option value=\"2\">2 / 3</option><option value=\"3\">3 / 3</option>"), "{html}");
        assert!(!html.contains("ticket") && !html.contains("value=\"1\">1 / 3"), "{html}");
        let second = fields("code=1&format=png&page=2").await.unwrap();
        let html = other_pages("/fetch", &second, 2);
        assert!(html.contains("第 2 页，共 2 页") && html.contains("<option value=\"1\">1 / 2</option>"), "{html}");
        assert_eq!(html.matches("name=\"page\"").count(), 1, "{html}");
        assert_eq!(other_pages("/fetch", &sent, 1), "");
    }
}
