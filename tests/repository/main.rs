//! The repository's own rules. Reads files only.

mod book;
mod examples;
mod rust_version;
mod tidy;
mod traps;
