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
            Code::Unimplemented => &[501],
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
        let [_, _, number_cell, code_cell, http_cell, retry_cell, call_cell, refused_cell, meaning, _] = cells[..]
        else {
            panic!("{row:?}")
        };
        let told = |Advice { receipt, place, action }: Advice| {
            format!("`{}` · `{}` · `{}`", receipt.as_str(), place.as_str(), action.as_str())
        };
        assert_eq!(call_cell, told(reason.advice()), "{reason}");
        let if_refused = match reason {
            ErrorReason::Core(reason) => told(advice_if_refused(reason)),
            ErrorReason::Call(_) => "–".to_owned(),
        };
        assert_eq!(refused_cell, if_refused, "{reason}");
        assert_eq!(number_cell, number, "{reason}");
        assert_eq!(code_cell.replace('_', ""), code.to_uppercase(), "{reason}");
        assert_eq!(http_cell, http_status.to_string(), "{reason}");
        let retry = retry_cell.replace([',', ' '], "");
        assert_eq!(retry, retry_after_ms.map_or("no".to_owned(), |millis| format!("{millis}ms")), "{reason}");
        let to_do = meaning.strip_prefix(reason.sentence()).unwrap_or_else(|| panic!("{reason}: {meaning}"));
        assert!(!to_do.is_empty(), "{reason}: the page does not say what to do");
    }
    let rows =
        page.lines().filter(|line| line.strip_prefix("| `").is_some_and(|line| line.starts_with(char::is_uppercase)));
    assert_eq!(rows.count(), all().len(), "the page has other rows");
    for text in Stands::ALL.iter().map(|text| text.as_str()).chain(Place::ALL.iter().map(|text| text.as_str())) {
        assert!(page.contains(&format!("| `{text}` | ")), "the page does not explain {text}");
    }
    for action in Action::ALL {
        assert!(page.contains(&format!("| `{}` | ", action.as_str())), "the page does not explain {}", action.as_str());
    }
}

#[test]
fn what_stands_is_never_issued_anew() {
    // Each of these says that another receipt of the same business event exists; "issue anew" would make a second one.
    let standing = [
        Reason::BizCodeConflict,
        Reason::BizCodeUsed,
        Reason::PaymentReceipted,
        Reason::DecisionPaid,
        Reason::AlreadyReversed,
    ];
    for reason in standing {
        for advice in [ErrorReason::Core(reason).advice(), advice_if_refused(reason)] {
            assert_eq!(advice.receipt, Stands::Yes, "{reason}");
            assert!(matches!(advice.action, Action::UseReceipt | Action::LookUp), "{reason}: {advice:?}");
            assert_ne!(advice.place, Place::Nowhere, "{reason}");
        }
    }
    for reason in all() {
        let advice = reason.advice();
        assert_ne!(advice.action, Action::NewBizCode, "{reason}: a refused call has spent nothing");
        let waits = matches!(advice.action, Action::Repeat | Action::RepeatHere);
        assert_eq!(waits, reason.mapping().retry_after_ms.is_some(), "{reason}: {advice:?}");
        if advice.receipt == Stands::No {
            assert_eq!(advice.place, Place::Nowhere, "{reason}");
        }
    }
    for reason in Reason::ALL {
        let advice = advice_if_refused(*reason);
        assert_eq!(advice.action == Action::NewBizCode, advice.receipt == Stands::No, "{reason}: {advice:?}");
    }
}

#[test]
fn the_advice_is_in_the_metadata_and_is_read_back() {
    let refusal = Refusal::new(Reason::PaymentReceipted).with_metadata("biz_code", "MZ-1").with_advice(
        Stands::Yes,
        Place::OtherPlace,
        Action::UseReceipt,
    );
    let status = refusal.to_status();
    let metadata = status.get_error_details().error_info().unwrap().metadata.clone();
    let told = |key: &str| metadata.get(key).map(String::as_str);
    assert_eq!(
        (told("receipt"), told("where"), told("action")),
        (Some("yes"), Some("other_place"), Some("use_receipt"))
    );
    assert_eq!(told("biz_code"), Some("MZ-1"));
    assert_eq!(Refusal::from_status(&status).as_ref(), Some(&refusal));
    assert_eq!(refusal.to_item_error().metadata, metadata);
    // One of a service that sends none, or a text of a newer version: the reason's own.
    let bare = ErrorDetails::with_error_info(
        "PAYMENT_RECEIPTED",
        ERROR_DOMAIN,
        HashMap::from([("action".to_owned(), "x".to_owned())]),
    );
    let bare = Refusal::from_status(&Status::with_error_details(Code::FailedPrecondition, "", bare)).unwrap();
    assert_eq!(bare.advice, ErrorReason::Core(Reason::PaymentReceipted).advice());
}

#[test]
fn conditions_of_the_issuer_do_not_say_never() {
    for reason in [CallReason::Internal, CallReason::OutcomeUnknown, CallReason::NotReady, CallReason::DiskLow] {
        assert!(ErrorReason::Call(reason).mapping().retry_after_ms.is_some(), "{reason:?}");
    }
    assert!(ErrorReason::Core(Reason::NumberExhausted).mapping().retry_after_ms.is_some());
}

#[test]
fn the_message_names_the_first_field_and_counts_the_rest() {
    let violation =
        |field: &str| FieldViolation { field: field.to_owned(), description: "V27: is required".to_owned() };
    let two = Refusal::fields(Reason::FieldInvalid, vec![violation("payer_name"), violation("checker")]);
    assert_eq!(two.message, "payer_name: V27: is required (and 1 more)");
    assert_eq!(Refusal::field("biz_code", "is too long").message, "biz_code: is too long");
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
