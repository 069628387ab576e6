//! What is printed of the project's samples, how large it is, and whether decoders of two makers read it off bad pictures.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

mod decoding;
mod drawing;
mod foreign;
mod jpeg;
mod picture;
mod records;
mod versions;
