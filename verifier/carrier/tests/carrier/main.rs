//! What the page finds in documents that the project makes, and in bad pictures of its codes. One program of all subjects.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the pictures of the crate qr, of which not all is used here")]

mod documents;
#[path = "../../../../qr/tests/paper/jpeg.rs"]
mod jpeg;
#[path = "../../../../qr/tests/paper/picture.rs"]
mod picture;
mod pictures;
