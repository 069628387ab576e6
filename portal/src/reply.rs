//! What is answered instead of what was asked for: a code and a sentence in two languages, as JSON, or as a page to whoever sent a form.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use receipt_core::reason::Reason;
use serde::Serialize;

/// Why something is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: ProblemKind,
    /// After how long it may be tried again.
    pub(crate) retry_after: Option<Duration>,
    /// Of a receipt that the ledger refused: why.
    pub(crate) reason: Option<Reason>,
}

macro_rules! problems {
    ($($variant:ident = $status:ident, $code:literal, $zh:literal, $en:literal;)*) => {
        /// Every problem: its HTTP status, its code for programs, its sentences for people.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum ProblemKind {
            $(#[doc = $en] $variant,)*
        }

        impl ProblemKind {
            /// All of them.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            pub(crate) const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            pub(crate) const fn zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)* }
            }

            pub(crate) const fn en(self) -> &'static str {
                match self { $(Self::$variant => $en,)* }
            }
        }
    };
}

problems! {
    Form = BAD_REQUEST, "REQUEST_INVALID", "提交的内容不完整或格式不对，请检查后再试。",
        "What was sent is incomplete or of another form. Check it and try again.";
    TooLarge = PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE", "提交的内容过长。", "What was sent is too long.";
    MediaType = UNSUPPORTED_MEDIA_TYPE, "MEDIA_TYPE_UNKNOWN", "不支持这种格式的请求。",
        "A request here is a form (application/x-www-form-urlencoded) or JSON.";
    OtherSite = FORBIDDEN, "OTHER_SITE", "请求来自别的网站，本站不予处理。请直接打开本站再试。",
        "The request comes from another site’s page, and is not answered. Open this site itself.";
    Slow = REQUEST_TIMEOUT, "REQUEST_SLOW", "网络太慢，请求没有收全，请再试一次。", "The request did not arrive in time. Try again.";
    NotFound = NOT_FOUND, "NOT_FOUND", "没有这一页。", "There is no such page.";
    Busy = SERVICE_UNAVAILABLE, "OVERLOADED", "现在访问的人太多，请稍后再试。", "Too many people are here now. Try again a little later.";
    TooOften = TOO_MANY_REQUESTS, "RATE_LIMITED", "您的网络在短时间内请求太多，请稍后再试。",
        "Too many requests came from your network in a short time. Try again later.";
    NoNode = SERVICE_UNAVAILABLE, "LEDGER_UNAVAILABLE", "暂时连不上账本，票据的状态没有改变，请稍后再试。",
        "The ledger cannot be reached now. Nothing about the receipt has changed. Try again later.";
    NoMatch = NOT_FOUND, "NOT_FOUND_OR_MISMATCH", "没有这张票据，或者填写的内容与票据不符。为防猜试，不说明是哪一项。请逐项核对后重新填写；仍不行，请向开票单位询问。",
        "There is no such receipt, or the details do not fit it; so that nobody can guess, it is not told which. Compare each and fill in the form again; if that does not help, ask the unit.";
    NotSealed = CONFLICT, "IN_PROGRESS", "票据已开具，正在上链，请过几分钟再来。", "The receipt was issued and is being sealed. Come back in a few minutes.";
    Refused = GONE, "REFUSED", "账本没有接受这张票据，请与开票单位联系。", "The ledger refused this receipt. Ask the unit that issued it.";
    NoIssuer = SERVICE_UNAVAILABLE, "ISSUER_UNAVAILABLE", "暂时连不上开票单位的系统，请稍后再试。", "The issuer’s system cannot be reached now. Try again later.";
    NoDocument = NOT_ACCEPTABLE, "NO_DOCUMENT", "开票单位的系统不能提供这种格式的票据，请改选凭证文件（.tally）。",
        "The issuer’s system cannot make the receipt in this format. Choose the .tally file: that can be had.";
    Gone = GONE, "DOWNLOAD_OVER", "下载链接已用过或已过期，请重新取票。", "This download was used or its time is over. Fetch the receipt again.";
    NotYet = SERVICE_UNAVAILABLE, "NOT_READY", "票据刚刚上链，几秒钟后再查。", "The receipt is just being sealed. Ask again in a few seconds.";
}

impl ProblemKind {
    /// Whether the same request may be answered later.
    pub(crate) const fn may_be_repeated(self) -> bool {
        matches!(self.status().as_u16(), 408 | 409 | 429 | 503)
    }

    /// Whether it is a condition of the issuer that was asked, and says nothing of a receipt.
    pub(crate) const fn is_of_the_issuer(self) -> bool {
        matches!(self, Self::NoIssuer | Self::NoNode | Self::Busy | Self::TooOften)
    }
}

impl Problem {
    pub(crate) const fn new(kind: ProblemKind) -> Self {
        Self { kind, retry_after: None, reason: None }
    }

    pub(crate) const fn after(kind: ProblemKind, wait: Duration) -> Self {
        Self { kind, retry_after: Some(wait), reason: None }
    }

    /// The ledger refused the receipt: told to whoever gave the right details.
    pub(crate) const fn refused(reason: Reason) -> Self {
        Self { kind: ProblemKind::Refused, retry_after: None, reason: Some(reason) }
    }
}

#[derive(Serialize)]
struct ProblemJson {
    problem: &'static str,
    zh: &'static str,
    en: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = self.kind;
        let retry_after_ms = self.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let json = ProblemJson {
            problem: kind.code(),
            zh: kind.zh(),
            en: kind.en(),
            retry_after_ms,
            reason: self.reason.map(Reason::as_str),
        };
        // Texts and an integer: it always serialises.
        let body = serde_json::to_vec(&json).unwrap_or_default();
        let mut response = (kind.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Some(wait_ms) = retry_after_ms {
            let seconds = HeaderValue::from(wait_ms.div_ceil(1000).max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_problem_has_a_code_and_words_of_its_own() {
        let codes: BTreeSet<&str> = ProblemKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            assert!(kind.status().is_client_error() || kind.status().is_server_error(), "{kind:?}");
            assert!(kind.zh().ends_with('。') && kind.en().ends_with('.'), "{kind:?}");
            // That is what an employer or insurer does with a receipt (ADR 31).
            assert!(!kind.zh().contains("入账"), "{kind:?}");
        }
        let busy = Problem::after(ProblemKind::Busy, Duration::from_millis(1500)).into_response();
        assert_eq!((busy.status().as_u16(), &busy.headers()[header::RETRY_AFTER]), (503, &HeaderValue::from(2)));
    }
}
