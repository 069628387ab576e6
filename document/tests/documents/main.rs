//! Documents as files: drawn with the fonts of Debian, read by foreign software. One program of all subjects.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod foreign;
mod golden;
mod names;
mod sizes;
