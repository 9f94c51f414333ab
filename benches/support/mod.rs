//! What the benchmark consists of, lowest first: input, clients, measuring, one run, the whole suite and its report.

pub mod command;

pub mod generator;
pub mod topics;
pub mod usage;
pub mod workload;

pub mod broker;
pub mod checksum;
pub mod figures;
pub mod progress;
pub mod topologies;

pub mod measure;
pub mod native;

pub mod java;
pub mod report;
pub mod suite;

/// Any failure ends a run; its text is for the person who started it.
pub type BenchResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The cluster that `KSTREAMS_BOOTSTRAP_SERVERS` names.
pub fn bootstrap_servers() -> BenchResult<String> {
    std::env::var(BOOTSTRAP_SERVERS).map_err(|_| format!("{BOOTSTRAP_SERVERS} is not set").into())
}

/// The variable by which a cluster is named, for all processes of a run.
pub const BOOTSTRAP_SERVERS: &str = "KSTREAMS_BOOTSTRAP_SERVERS";

/// Whether an environment variable is switched on.
pub fn is_on(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| value == "1")
}

/// A number from the environment.
pub fn number_from<T: std::str::FromStr>(name: &str, default: T) -> BenchResult<T> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} is `{text}`, which is not a number in its range").into()),
        Err(_) => Ok(default),
    }
}
