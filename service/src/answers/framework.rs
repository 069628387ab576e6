//! Statuses that the gRPC framework makes before a service sees the call, or after it answered, in the words of the table.
//!
//! They carry no details, only a code and a sentence. What is read of the sentence is the path that the decoder puts before
//! its problem: `failed to decode Protobuf message: Inner.field: Outer.field: problem`, the innermost message first.

use tallystick_proto::errors::{CallReason, Refusal};
use tonic::{Code, Status};

/// When the framework made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Instead of an answer: the request is at fault.
    Request,
    /// The status ends an answer that had begun.
    Answer,
}

/// Fields that only carry the draft: a path is told from the draft on, as everywhere.
const CONTAINERS: [&str; 3] = ["draft", "drafts", "ext"];

/// The table's word for it.
pub(super) fn refusal_of(status: &Status, stage: Stage) -> Refusal {
    let as_it_says = |reason: CallReason| match status.message() {
        "" => Refusal::new(reason),
        message => Refusal::new(reason).with_message(message),
    };
    match (status.code(), stage) {
        (Code::Unimplemented, _) if status.message().contains("compressed") => {
            Refusal::new(CallReason::EncodingUnknown)
                .with_message("the request's encoding is not read here; send it plain, or with gzip")
        }
        (Code::Unimplemented, _) => Refusal::new(CallReason::MethodUnknown),
        (Code::OutOfRange | Code::ResourceExhausted, Stage::Request) => as_it_says(CallReason::RequestTooLarge),
        // The connection broke while the request was read. Nobody reads this answer, and nothing failed here.
        (Code::Unknown | Code::Cancelled, Stage::Request) if status.message().contains("reading a body") => {
            Refusal::new(CallReason::RequestInvalid).with_message("the request broke off")
        }
        (Code::Internal, Stage::Request) => undecodable(status.message()),
        (Code::NotFound, _) => as_it_says(CallReason::NotFound),
        (Code::InvalidArgument, _) => as_it_says(CallReason::RequestInvalid),
        _ => Refusal::new(CallReason::Internal),
    }
}

/// A request that is no message of its type.
fn undecodable(message: &str) -> Refusal {
    let refusal = Refusal::new(CallReason::RequestInvalid);
    let Some(rest) = message.strip_prefix("failed to decode Protobuf message: ") else {
        return refusal.with_message(format!("the request cannot be read: {message}"));
    };
    let mut path = Vec::new();
    let mut problem = rest;
    while let Some((segment, after)) = problem.split_once(": ") {
        // A segment `Message.field` belongs to the path. The text after it may contain a colon as well, and does not.
        let Some((_, field)) = segment.split_once('.').filter(|(_, field)| !field.contains([' ', '.'])) else { break };
        path.push(field);
        problem = after;
    }
    path.reverse();
    path.retain(|field| !CONTAINERS.contains(field));
    let problem = if problem.contains("UTF-8") {
        "is not UTF-8 text; convert it first (from GBK or GB 18030, for example)"
    } else {
        problem
    };
    if path.is_empty() {
        return refusal.with_message(format!("the request is not a message of its type: {problem}"));
    }
    let field = path.join(".");
    let told = format!("{field}: {problem}");
    refusal.with_violation(field, problem).with_message(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A validator that is killed while it hands a batch over was an ERROR of the other's.
    #[test]
    fn a_request_that_breaks_off_is_no_fault_of_the_server() {
        let broken = Status::unknown("h2 protocol error: error reading a body from connection");
        assert_eq!(refusal_of(&broken, Stage::Request).reason, CallReason::RequestInvalid.into());
        assert_eq!(refusal_of(&Status::unknown("?"), Stage::Request).reason, CallReason::Internal.into());
    }
}
