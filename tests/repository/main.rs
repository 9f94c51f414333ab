//! The repository's own rules. Reads files only.

mod rust_version;
mod tidy;
mod traps;
