//! Standard output and standard error of an example. The macros of the standard library panic when nobody reads what they print.

use std::fmt;
use std::io::{ErrorKind, Write, stderr, stdout};

use super::Failure;

/// Prints a line on standard output.
///
/// # Errors
/// [`Failure::OutputClosed`] when whoever read it has left, and the reason when it could not be written otherwise, as on a full disk.
pub fn print_line(text: impl fmt::Display) -> Result<(), Failure> {
    print(format!("{text}\n").as_bytes())
}

/// Writes bytes to standard output.
///
/// # Errors
/// As [`print_line`].
pub fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::Run(format!("standard output cannot be written: {error}").into()),
    })
}

/// Writes a line to standard error, where no one needs to listen.
pub fn note(text: impl fmt::Display) {
    note_unended(format_args!("{text}\n"));
}

/// As [`note`], without the end of the line.
pub fn note_unended(text: impl fmt::Display) {
    let mut err = stderr().lock();
    let _ = err.write_all(text.to_string().as_bytes()).and_then(|()| err.flush());
}
