//! What all examples share, so that an example's own file is its topology and little else: the flags, the cluster (or an embedded
//! broker), topics, feeding a file, a clean end on signals, and the lines printed at the start and the end.

#![allow(dead_code, unused_imports, reason = "each example uses the part that it needs")]

mod application;
mod cluster;
mod events;
mod feed;
mod flags;
mod follow;
mod lines;
mod output;
mod reader;
mod running;

use std::fmt;
use std::io::IsTerminal;
use std::process::ExitCode;

pub use application::Application;
pub use cluster::Cluster;
pub use flags::{CommonFlags, Input};
pub use output::{note, print, print_line};
pub use reader::TopicReader;
pub use running::{Outcome, Running, Summary};
use tracing_subscriber::EnvFilter;

/// Any error of an example.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an example ends with an error.
#[derive(Debug)]
pub enum Failure {
    /// A flag or setting is wrong: exit code 2, as for flags that clap refuses.
    Usage(BoxError),
    /// Something went wrong while it ran: exit code 1.
    Run(BoxError),
    /// Whoever read standard output has left, as `head` does when it has enough. Nothing is wrong: it is asked to end, as by SIGTERM.
    OutputClosed,
}

impl Failure {
    /// A wrong flag or setting.
    pub fn usage(error: impl Into<BoxError>) -> Self {
        Self::Usage(error.into())
    }
}

impl<E: Into<BoxError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Run(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Run(error) => error.fmt(f),
            Self::OutputClosed => f.write_str("standard output is closed"),
        }
    }
}

/// What is logged by default: warnings. Not those of the example's own clients, which take the end of a partition for an error and report
/// each attempt to reach a broker; and not why the application ended, which is the last line of the example.
const LOG_FILTER: &str = "warn,rdkafka=off,librdkafka=off,kstreams::failure=off";

/// Runs an example: log lines go to stderr (`RUST_LOG` says which), an error becomes one line and the exit code.
pub fn run(example: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stderr().is_terminal());
    log.with_writer(std::io::stderr).log_internal_errors(false).init();
    let failure = match example() {
        Ok(()) | Err(Failure::OutputClosed) => return ExitCode::SUCCESS,
        Err(failure) => failure,
    };
    note(format_args!("error: {failure}"));
    ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
}
