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

use crate::input::Fields;
use crate::reply::Problem;

const STYLE: &str = "body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:0 auto;padding:1rem;color:#1a1a1a;background:#fff}\
h1{font-size:1.4rem}label{display:block;margin:.8rem 0 .2rem}input,select,button{font:inherit;padding:.5rem;min-height:2.75rem;\
box-sizing:border-box;width:100%;border:1px solid #595959;border-radius:.25rem}button,.download{background:#144a75;color:#fff;border:0;\
margin-top:1.2rem;display:block;padding:.7rem;text-align:center;border-radius:.25rem}:focus-visible{outline:3px solid #b35900;\
outline-offset:2px}[lang=en]{color:#444}button [lang=en],.download [lang=en]{color:inherit}dt{font-weight:bold}dd{margin:0 0 .6rem}a{color:#144a75}.download{color:#fff}";

/// A field of a form: name, label in both languages, and what else the element says.
struct Input(&'static str, &'static str, &'static str, &'static str);

const CODE: Input =
    Input("code", "票据代码", "Receipt code, 8 digits", "inputmode=\"numeric\" maxlength=\"8\" required");
const NUMBER: Input =
    Input("number", "票据号码", "Receipt number, 10 digits", "inputmode=\"numeric\" maxlength=\"10\" required");
const CHECK: Input =
    Input("check_code", "校验码", "Check code, 6 characters", "maxlength=\"6\" autocapitalize=\"off\" required");
const DATE: Input = Input("date", "开票日期", "Date of issue", "type=\"date\"");
const TOTAL: Input = Input("total", "金额（元）", "Amount in yuan", "inputmode=\"decimal\" maxlength=\"20\"");

/// The forms, by their addresses.
pub(crate) fn form(path: &str) -> Option<Response> {
    let (title, inputs, rest) = match path {
        "/fetch" => (("取回票据", "Fetch a receipt"), vec![CODE, NUMBER, CHECK], format_choice()),
        "/elements" => (
            ("五要素查验", "Check a receipt by five elements"),
            vec![CODE, NUMBER, CHECK, required(DATE), required(TOTAL)],
            String::new(),
        ),
        "/fetch-by-reference" => (
            ("票据丢了：凭缴款信息取票", "A lost receipt: fetch it by what was paid"),
            vec![
                Input(
                    "unit_code",
                    "收款单位统一社会信用代码",
                    "Code of the unit that was paid",
                    "maxlength=\"18\" required",
                ),
                Input(
                    "reference",
                    "缴款码、结算号、决定书号或业务流水号",
                    "Number that the unit gave",
                    "maxlength=\"100\" required",
                ),
                Input(
                    "instalment",
                    "分期缴纳的期数（一次缴清不填）",
                    "Instalment of a decision; empty if all was paid at once",
                    "inputmode=\"numeric\" maxlength=\"4\"",
                ),
                Input(
                    "last_four",
                    "缴款人证件号码后四位",
                    "Last four characters of the payer’s ID",
                    "maxlength=\"4\" required",
                ),
            ],
            reference_choice() + &format_choice(),
        ),
        _ => return None,
    };
    let mut body = format!("<form method=\"post\" action=\"{path}\">");
    for Input(name, zh, en, more) in inputs {
        let _ = write!(
            body,
            "<label for=\"{name}\">{zh} <span lang=\"en\">{en}</span></label><input id=\"{name}\" name=\"{name}\" autocomplete=\"off\" {more}>"
        );
    }
    body += &rest;
    body += "<button>提交 <span lang=\"en\">Send</span></button></form>";
    body += "<p><a href=\"/\">核验票据 <span lang=\"en\">Verify a receipt</span></a></p>";
    Some(page(StatusCode::OK, title, &body))
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
    let options = [("bundle", "凭证文件 .tally"), ("pdf", "PDF"), ("ofd", "OFD"), ("xml", "XML"), ("png", "PNG")];
    choice("format", ("文件格式", "As what"), &options)
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

/// Why something is not answered.
pub(crate) fn problem(problem: &Problem) -> Response {
    let kind = problem.kind;
    let mut body = format!("<p role=\"alert\">{}</p><p lang=\"en\">{}</p>", kind.zh(), kind.en());
    if let Some(wait) = problem.retry_after {
        let seconds = seconds(wait);
        let _ = write!(body, "<p>请等 {seconds} 秒。<span lang=\"en\">Wait {seconds} seconds.</span></p>");
    }
    if let Some(reason) = problem.reason {
        let _ = write!(body, "<p><code>{reason}</code></p>");
    }
    page(kind.status(), ("没有完成", "Not done"), &body)
}

/// A file that can be downloaded.
pub(crate) fn download(token: &str, file_name: &str, bytes: usize, life: Duration) -> String {
    let (name, kilobytes, minutes) = (escaped(file_name), bytes.div_ceil(1000), life.as_secs() / 60);
    format!(
        "<p><a class=\"download\" href=\"/download/{token}\" rel=\"nofollow\">下载 {name}（{kilobytes} kB） <span lang=\"en\">Download</span></a></p>\
         <p>链接 {minutes} 分钟内有效。<span lang=\"en\">The link is good for {minutes} minutes.</span></p>"
    )
}

/// The same form again, after a while or with more.
pub(crate) fn again(
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
        None => "<p role=\"status\">试的人太多，请再填下面几项。</p><p lang=\"en\">Too many have tried. Give these, too.</p>".to_owned(),
    };
    let _ = write!(body, "<form method=\"post\" action=\"{}\">", escaped(path));
    for (name, value) in sent.iter().filter(|(name, _)| *name != "ticket" && !more.iter().any(|more| more == name)) {
        let _ = write!(body, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value));
    }
    if let Some(ticket) = ticket {
        let _ = write!(body, "<input type=\"hidden\" name=\"ticket\" value=\"{}\">", escaped(ticket));
    }
    for Input(name, zh, en, more) in [DATE, TOTAL].into_iter().filter(|input| more.iter().any(|name| name == input.0)) {
        let _ = write!(
            body,
            "<label for=\"{name}\">{zh} <span lang=\"en\">{en}</span></label><input id=\"{name}\" name=\"{name}\" {more} required>"
        );
    }
    body += "<button>继续 <span lang=\"en\">Go on</span></button></form>";
    page(StatusCode::OK, ("再试一次", "Once more"), &body)
}

/// A page. `body` is markup: whatever of it came from outside is escaped by now.
pub(crate) fn page(status: StatusCode, (zh, en): (&str, &str), body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{zh} {en}</title><style>{STYLE}</style></head><body><main><h1>{zh} <span lang=\"en\">{en}</span></h1>{body}</main></body></html>"
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
        let html = text(again("/fetch", &sent, (Some("00ff"), Some(Duration::from_millis(2_100))), &more)).await;
        assert!(html.contains("value=\"&quot;&gt;&lt;script&gt;\"") && !html.contains("<script"), "{html}");
        assert!(html.contains("name=\"ticket\" value=\"00ff\"") && !html.contains("value=\"old\""), "{html}");
        assert!(html.contains("请等 3 秒") && html.contains("type=\"date\" required"), "{html}");
        assert_eq!(html.matches("name=\"total\"").count(), 1, "{html}");
    }

    #[tokio::test]
    async fn every_form_is_labelled_and_its_style_is_the_policys() {
        for path in ["/fetch", "/elements", "/fetch-by-reference"] {
            let response = form(path).unwrap();
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            assert!(
                policy.contains(&STANDARD.encode(sha256(&[STYLE.as_bytes()]).as_bytes())) && !policy.contains("unsafe")
            );
            let html = text(response).await;
            assert!(html.contains(&format!("<style>{STYLE}</style>")));
            assert_eq!(html.matches("<label for=").count(), html.matches(" id=\"").count(), "{html}");
        }
        assert!(form("/").is_none());
    }
}
