use receipt_core::receipt::rules::RuleId;

use super::*;

fn all() -> Vec<ErrorReason> {
    let core = Reason::ALL.iter().copied().map(ErrorReason::Core);
    core.chain(CallReason::ALL.iter().copied().map(ErrorReason::Call)).collect()
}

#[test]
fn names_are_unique_over_both_enums_and_read_back() {
    let mut names: Vec<_> = all().iter().map(|reason| reason.as_str()).collect();
    for reason in all() {
        assert_eq!(ErrorReason::parse(reason.as_str()), Some(reason));
        assert!(reason.sentence().ends_with('.'), "{reason}");
    }
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(ErrorReason::parse("NO_SUCH_REASON"), None);
}

#[test]
fn every_reason_survives_the_wire() {
    for reason in all() {
        let refusal = Refusal::new(reason)
            .with_message("no, because")
            .with_violation("items[3].amount", "must not be zero")
            .with_violation("checker", "is missing")
            .with_metadata("receipt_number", "0000001023");
        assert_eq!(Refusal::from_item_error(&refusal.to_item_error()).as_ref(), Some(&refusal));
        if reason.mapping().code == Code::Ok {
            continue;
        }
        let status = refusal.to_status();
        assert_eq!(status.code(), reason.mapping().code, "{reason}");
        assert_eq!(status.message(), "no, because");
        assert_eq!(Refusal::from_status(&status).as_ref(), Some(&refusal));
    }
}

#[test]
fn codes_and_http_statuses_agree() {
    for reason in all() {
        let Mapping { code, http_status, retry_after_ms } = reason.mapping();
        let allowed: &[u16] = match code {
            Code::Ok => &[200],
            Code::InvalidArgument => &[400],
            Code::Unauthenticated => &[401],
            Code::PermissionDenied => &[403],
            Code::NotFound => &[404, 410],
            Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => &[409],
            Code::OutOfRange => &[413],
            Code::ResourceExhausted => &[429, 503, 507],
            Code::Internal => &[500],
            Code::Unavailable => &[503],
            _ => &[],
        };
        assert!(allowed.contains(&http_status), "{reason}: {code:?} {http_status}");
        if matches!(code, Code::Unavailable | Code::ResourceExhausted | Code::Aborted) {
            assert!(retry_after_ms.is_some(), "{reason}: nothing says when to retry");
        }
    }
}

#[test]
fn a_retry_hint_is_sent_only_where_the_table_has_one() {
    let hint = |reason: Reason| Refusal::new(reason).with_retry_after_ms(7).to_status();
    assert_eq!(retry_after(&hint(Reason::Overloaded)), Some(Duration::from_millis(7)));
    assert_eq!(retry_after(&hint(Reason::SumMismatch)), None);
}

#[test]
fn statuses_of_others_are_not_taken_for_ours() {
    assert_eq!(Refusal::from_status(&Status::unavailable("connection refused")), None);
    assert!(retry_after(&Status::unavailable("connection refused")).is_some());
    assert!(retry_after(&Status::unimplemented("no such method")).is_none());
    let foreign = ErrorDetails::with_error_info("OVERLOADED", "example.org", HashMap::new());
    let status = Status::with_error_details(Code::ResourceExhausted, "", foreign);
    assert_eq!(Refusal::from_status(&status), None);
}

#[test]
fn a_field_refusal_names_the_field() {
    let status = Refusal::field("biz_code", "must have 1 to 50 characters").to_status();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(Refusal::from_status(&status).unwrap().violations[0].field, "biz_code");
}

#[test]
fn the_page_of_reasons_is_the_table() {
    let page = include_str!("../../../docs/spec/reasons.md");
    for reason in all() {
        let Mapping { code, http_status, retry_after_ms } = reason.mapping();
        let number = match reason {
            ErrorReason::Core(reason) => reason.code().to_string(),
            ErrorReason::Call(_) => String::new(),
        };
        let code = format!("{code:?}");
        let row = page.lines().find(|line| line.starts_with(&format!("| `{reason}` |")));
        let cells: Vec<&str> = row.unwrap_or_else(|| panic!("{reason} has no row")).split('|').map(str::trim).collect();
        let [_, _, number_cell, code_cell, http_cell, retry_cell, meaning, _] = cells[..] else { panic!("{row:?}") };
        assert_eq!(number_cell, number, "{reason}");
        assert_eq!(code_cell.replace('_', ""), code.to_uppercase(), "{reason}");
        assert_eq!(http_cell, http_status.to_string(), "{reason}");
        let retry = retry_cell.replace([',', ' '], "");
        assert_eq!(retry, retry_after_ms.map_or("no".to_owned(), |millis| format!("{millis}ms")), "{reason}");
        let to_do = meaning.strip_prefix(reason.sentence()).unwrap_or_else(|| panic!("{reason}: {meaning}"));
        assert!(!to_do.is_empty(), "{reason}: the page does not say what to do");
    }
    assert_eq!(page.lines().filter(|line| line.starts_with("| `")).count(), all().len(), "the page has other rows");
}

#[test]
fn the_page_of_rules_has_every_rule_and_no_other() {
    let page = include_str!("../../../docs/spec/rules.md");
    let (table, _) = page.split_once("\n## ").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut listed = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        listed.push(cells[1]);
        for name in cells[4].split('`').skip(1).step_by(2) {
            assert!(Reason::parse(name).is_some(), "{row}: no reason {name}");
        }
    }
    let judged = RuleId::ALL.iter().filter(|rule| !matches!(rule, RuleId::V21 | RuleId::V22));
    assert_eq!(listed, judged.map(|rule| rule.as_str()).collect::<Vec<_>>());
}
