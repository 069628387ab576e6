//! The questions that a page asks, by the names that it calls (`tallystick_page_host` says how).
//!
//! ```text
//! tallystick_verdict(options, trust)    options ‖ trust ‖ bundle; the lengths of the first two parts
//! tallystick_trace(options, trust)      the same
//! tallystick_scan(options, trust, directory)    options ‖ trust ‖ directory ‖ text of a code
//! tallystick_scan_answered(options, trust, directory, text)    the same ‖ ledger's answer
//! tallystick_report_left_out(options, trust, directory, text)  the same
//! tallystick_left_out(options, trust, directory)    options ‖ trust ‖ directory ‖ report of a receipt left out
//! tallystick_question(trust)            trust ‖ bundle, or digits of a code
//! tallystick_choices(trust)             trust ‖ bundle
//! tallystick_share(fields)              fields ‖ bundle
//! tallystick_joined(trust, bundle)      trust ‖ bundle ‖ ledger's answer
//! tallystick_shown()                    a text
//! tallystick_file_bytes_max()           how many bytes of a file are worth reading: one more than a bundle may have
//! ```
//! A page from a server has three modules of this: one that judges files, which every page runs, one that judges codes, and one that makes parts of receipts to
//! show, which are fetched when somebody brings a code or picks a part. The features `files`, `codes` and `sharing` say which questions a module answers; the
//! others are in all. A page on a disk has one module with all of them. Not here: what is answered.

use receipt_core::limits::BUNDLE_BYTES_MAX;

tallystick_page_host::exports! {
    questions {
        #[cfg(feature = "files")]
        tallystick_verdict(options, trust) => |input, options, trust| {
            parts(input, options, trust).map(|(options, trust, bundle)| crate::verdict(options, trust, bundle))
        };
        #[cfg(feature = "files")]
        tallystick_trace(options, trust) => |input, options, trust| {
            parts(input, options, trust).map(|(options, trust, bundle)| crate::trace(options, trust, bundle))
        };
        #[cfg(feature = "codes")]
        tallystick_scan(options, trust, directory) => |input, options, trust, directory| {
            let (options, trust, rest) = parts(input, options, trust)?;
            let (directory, text) = pair(rest, directory)?;
            Some(crate::scan(options, trust, directory, text))
        };
        #[cfg(feature = "codes")]
        tallystick_scan_answered(options, trust, directory, text) => |input, options, trust, directory, text| {
            let (options, trust, rest) = parts(input, options, trust)?;
            let (directory, text, answer) = parts(rest, directory, text)?;
            Some(crate::scan_answered(options, trust, directory, text, answer))
        };
        #[cfg(feature = "codes")]
        tallystick_report_left_out(options, trust, directory, text) => |input, options, trust, directory, text| {
            let (options, trust, rest) = parts(input, options, trust)?;
            let (directory, text, answer) = parts(rest, directory, text)?;
            Some(crate::report_left_out(options, trust, directory, text, answer))
        };
        #[cfg(feature = "codes")]
        tallystick_left_out(options, trust, directory) => |input, options, trust, directory| {
            let (options, trust, rest) = parts(input, options, trust)?;
            let (directory, report) = pair(rest, directory)?;
            Some(crate::left_out(options, trust, directory, report))
        };
        tallystick_question(trust) => |input, trust| {
            pair(input, trust).map(|(trust, receipt)| crate::question(trust, receipt))
        };
        #[cfg(feature = "sharing")]
        tallystick_choices(trust) => |input, trust| {
            pair(input, trust).map(|(trust, bundle)| crate::choices(trust, bundle))
        };
        #[cfg(feature = "sharing")]
        tallystick_share(fields) => |input, fields| {
            pair(input, fields).map(|(fields, bundle)| crate::share(fields, bundle))
        };
        #[cfg(feature = "files")]
        tallystick_joined(trust, bundle) => |input, trust, bundle| {
            parts(input, trust, bundle).map(|(trust, bundle, answer)| crate::joined(trust, bundle, answer))
        };
        tallystick_shown() => |input| Some(crate::shown(input));
    }
    numbers {
        tallystick_file_bytes_max = BUNDLE_BYTES_MAX + 1;
    }
}

fn pair(input: &[u8], first_length: usize) -> Option<(&[u8], &[u8])> {
    input.split_at_checked(first_length)
}

fn parts(input: &[u8], options_length: usize, trust_length: usize) -> Option<(&[u8], &[u8], &[u8])> {
    let (options, rest) = input.split_at_checked(options_length)?;
    let (trust, bundle) = rest.split_at_checked(trust_length)?;
    Some((options, trust, bundle))
}
