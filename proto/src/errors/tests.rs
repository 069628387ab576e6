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
            Code::NotFound => &[404],
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
