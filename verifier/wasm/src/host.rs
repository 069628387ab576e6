//! The names that a host calls, and the two pieces of memory that both sides see.
//!
//! ```text
//! host                                              module
//! p = tallystick_input(n), writes n bytes at p ──▶  the question: options ‖ trust ‖ bundle, or a text
//! n = tallystick_verdict(options, trust)       ──▶  judges; the lengths of the first two parts
//! p = tallystick_output(), reads n bytes at p  ◀──  the answer
//! ```
//! One question at a time. Lengths that do not fit the input give an empty answer. A host that is told of a trap throws the instance away.
//! Not here: what is answered.

#![expect(unsafe_code, reason = "to export a name is called unsafe; nothing else here is (ADR 32)")]

use std::cell::RefCell;

use receipt_core::limits::BUNDLE_BYTES_MAX;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Room for a question of `length` bytes, at the address that it returns. The one before is gone.
#[unsafe(no_mangle)]
pub extern "C" fn tallystick_input(length: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        input.clear();
        input.resize(length, 0);
        input.as_mut_ptr()
    })
}

/// Where the last answer stands.
#[unsafe(no_mangle)]
pub extern "C" fn tallystick_output() -> *const u8 {
    OUTPUT.with_borrow(|output| output.as_ptr())
}

/// Judges the bundle in the input; the length of the answer.
#[unsafe(no_mangle)]
pub extern "C" fn tallystick_verdict(options_length: usize, trust_length: usize) -> usize {
    answer(|input| parts(input, options_length, trust_length).map(|(a, b, c)| crate::verdict(a, b, c)))
}

/// Follows a value of the bundle in the input to the checkpoint; the length of the answer.
#[unsafe(no_mangle)]
pub extern "C" fn tallystick_trace(options_length: usize, trust_length: usize) -> usize {
    answer(|input| parts(input, options_length, trust_length).map(|(a, b, c)| crate::trace(a, b, c)))
}

/// Makes the text in the input fit to be shown; the length of the answer.
#[unsafe(no_mangle)]
pub extern "C" fn tallystick_shown() -> usize {
    answer(|input| Some(crate::shown(input)))
}

/// How many bytes of a file are worth reading: one more than a bundle may have.
#[unsafe(no_mangle)]
pub extern "C" fn tallystick_file_bytes_max() -> usize {
    BUNDLE_BYTES_MAX + 1
}

fn parts(input: &[u8], options_length: usize, trust_length: usize) -> Option<(&[u8], &[u8], &[u8])> {
    let (options, rest) = input.split_at_checked(options_length)?;
    let (trust, bundle) = rest.split_at_checked(trust_length)?;
    Some((options, trust, bundle))
}

fn answer(of: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> usize {
    let answer = INPUT.with_borrow(|input| of(input)).unwrap_or_default();
    let length = answer.len();
    OUTPUT.replace(answer);
    length
}
