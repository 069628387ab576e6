//! What a refusal or a failed call says to a person, instead of the transport's own form of it.

use std::error::Error;

use tallystick_proto::errors::Refusal;
use tonic::{Code, Status};

/// The reason, if it is one of ours, the sentence, the fields, and what a connection failed for.
pub fn said(status: &Status) -> String {
    let refusal = Refusal::from_status(status);
    let mut text = match &refusal {
        Some(refusal) => format!("{}: {}", refusal.reason.as_str(), status.message()),
        None if status.message().is_empty() => of_code(status.code()).to_owned(),
        None => format!("{}: {}", of_code(status.code()), status.message()),
    };
    for violation in refusal.iter().flat_map(|refusal| &refusal.violations) {
        text.push_str(&format!(" ({}: {})", violation.field, violation.description));
    }
    let mut source = Error::source(status);
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text.push_str(&format!(": {cause}"));
        }
        source = error.source();
    }
    text
}

/// A code of gRPC in words.
const fn of_code(code: Code) -> &'static str {
    match code {
        Code::Ok => "it answered without an error",
        Code::Cancelled => "the call was cancelled",
        Code::InvalidArgument => "it does not take the request",
        Code::DeadlineExceeded => "it did not answer in time",
        Code::NotFound => "it has no such thing",
        Code::AlreadyExists => "it has this already",
        Code::PermissionDenied => "this certificate may not ask for it",
        Code::ResourceExhausted => "it is asked for too much at once",
        Code::FailedPrecondition => "it is not in a state for it",
        Code::Aborted => "it gave the call up",
        Code::OutOfRange => "the request lies outside of what it has",
        Code::Unimplemented => "it does not have this call: it may be another program, or another version",
        Code::Unavailable => "it cannot be reached",
        Code::DataLoss => "it has lost data",
        Code::Unauthenticated => "it does not know this certificate",
        Code::Unknown | Code::Internal => "it failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_the_transport_is_shown() {
        let text = said(&Status::unavailable("tcp connect error"));
        assert_eq!(text, "it cannot be reached: tcp connect error");
        for code in 0..=16 {
            let text = said(&Status::new(Code::from_i32(code), ""));
            assert!(!text.is_empty() && !text.contains("MetadataMap") && !text.contains("status:"), "{text}");
        }
    }
}
