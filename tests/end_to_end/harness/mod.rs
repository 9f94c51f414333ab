//! What the end-to-end tests stand on: a cluster (the embedded broker, or the one that `KSTREAMS_BOOTSTRAP_SERVERS` names), plain
//! Kafka clients that share no code with the library, and the example programs as processes of their own.

mod audit;
mod cluster;
mod process;
mod word_count;
mod words;

pub use audit::{Audit, assert_same_counts};
pub use cluster::{Cluster, Row, send};
pub use process::Example;
pub use word_count::WordCount;
pub use words::{Vocabulary, count_words};

use std::time::Duration;

/// How long anything may take that normally takes seconds.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What the library logs in this process, as `RUST_LOG` says; nothing without it.
pub fn log_to_stderr() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_default_env() {
        // The first test of the process is the one that sets it.
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    }
}

/// A number from the environment, so that a longer run needs no other code: `KSTREAMS_TEST_LINES=5000000`.
pub fn size(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => default,
    }
}
