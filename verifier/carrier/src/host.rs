//! The questions that a page asks, by the names that it calls (`tallystick_page_host` says how).
//!
//! ```text
//! tallystick_attached()             a file
//! tallystick_codes(width, height)   a picture, one byte a pixel, row by row
//! tallystick_document_bytes_max()   how many bytes of a file are worth reading: one more than are looked into
//! ```
//! Not here: what is answered.

tallystick_page_host::exports! {
    questions {
        tallystick_attached() => |input| Some(crate::attached(input));
        tallystick_codes(width, height) => crate::codes;
    }
    numbers {
        tallystick_document_bytes_max = crate::FILE_BYTES_MAX + 1;
    }
}
