//! Every test of the whole system, in one program: as programs of their own they would be linked for minutes, each with the same
//! clients in it. Each module is a subject; `cargo test --test main SUBJECT::` runs one.
//!
//! A module that is not listed here does not run; `tidy` finds it. Networks run one after another ([`tallystick_tests`]).
//! Not here: `byzantine` and `clocks`, which need a program of another build.

mod api;
mod areas;
mod authority;
mod bad_batches;
mod bodies;
mod callers;
mod catch_up;
mod city;
mod descriptors;
mod directory;
mod documents;
mod erasure;
mod faults;
mod fetching;
mod foreign_tools;
mod full_disk;
mod hostile;
mod idle;
mod issuer_procedures;
mod journey;
mod launcher;
mod left_out;
mod machines;
mod membership;
mod newcomer;
mod node_start;
mod offices;
mod old_copy;
mod operations;
mod operators_pages;
mod page;
mod portal;
mod privacy;
mod procedures;
mod python_example;
mod quorum;
mod repair;
mod restore;
mod rollback;
mod rotation;
mod secrets;
mod segments;
mod shutdown;
mod startup;
mod succession;
mod sync;
mod tidy;
mod two_issuers;
mod uniqueness;
mod windows;
