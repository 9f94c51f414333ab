//! The flags that every example accepts.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use kstreams::prelude::StreamsConfig;

use super::Failure;

/// Flags about the application, its cluster and its topics.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Application")]
pub struct CommonFlags {
    /// Brokers of the Kafka cluster, host:port[,host:port...]; without it, an embedded broker runs inside this process
    #[arg(long, value_name = "HOST:PORT,...")]
    pub bootstrap_servers: Option<String>,

    /// `application.id`: names the group, the internal topics and the state; processes with the same id share the work
    #[arg(long, value_name = "ID")]
    pub application_id: Option<String>,

    /// `state.dir`: where the stores live; without it, a temporary folder that is removed at the end when the broker is embedded
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,

    /// `num.stream.threads`: worker threads of this process
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,

    /// `processing.guarantee`
    #[arg(long, value_enum, value_name = "GUARANTEE")]
    pub processing_guarantee: Option<Guarantee>,

    /// `commit.interval.ms`; short, so that an example that has done its work need not wait for the next commit
    #[arg(long, value_name = "MS", default_value_t = 100, overrides_with = "commit_interval_ms")]
    pub commit_interval_ms: u64,

    /// `statestore.cache.max.bytes`: how many bytes of changes tables hold back until a commit; 0 forwards each update at once
    #[arg(long, value_name = "BYTES")]
    pub cache_max_bytes: Option<u64>,

    /// Partitions of topics that have to be created
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    pub partitions: i32,

    /// Any other setting by its Kafka name, as in --config max.task.idle.ms=500; may be repeated
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,

    /// How long to wait for the cluster at the start, in ms
    #[arg(long, value_name = "MS", default_value_t = 15_000)]
    pub connect_timeout_ms: u64,
}

/// `processing.guarantee`.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Guarantee {
    /// After a crash some records may be processed again
    AtLeastOnce,
    /// Every record counts once, whatever crashes
    #[value(name = "exactly_once_v2")]
    ExactlyOnceV2,
}

/// Where lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input (`-`).
    Stdin,
    /// A file.
    File(PathBuf),
}

impl FromStr for Input {
    type Err = String;

    /// A file is opened once here, so that a wrong name shows before anything was started.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        let path = PathBuf::from(text);
        match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() => Err("it is a folder; a file is needed".to_owned()),
            Ok(_) => std::fs::File::open(&path).map(|_| Self::File(path)).map_err(|error| format!("it cannot be read: {error}")),
            Err(error) => Err(format!("it cannot be read: {error}")),
        }
    }
}

/// Settings that have a flag of their own. Given twice, one would silently win, or an embedded broker would start beside the named cluster.
const OWN_FLAGS: [(&str, &str); 9] = [
    ("bootstrap.servers", "--bootstrap-servers"),
    ("metadata.broker.list", "--bootstrap-servers"),
    ("application.id", "--application-id"),
    ("state.dir", "--state-dir"),
    ("num.stream.threads", "--threads"),
    ("processing.guarantee", "--processing-guarantee"),
    ("commit.interval.ms", "--commit-interval-ms"),
    ("statestore.cache.max.bytes", "--cache-max-bytes"),
    ("cache.max.bytes.buffering", "--cache-max-bytes"),
];

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => match OWN_FLAGS.iter().find(|(own, _)| *own == name.trim()) {
            Some((own, flag)) => Err(format!("`{own}` has a flag of its own; use {flag} {}", value.trim())),
            None => Ok((name.trim().to_owned(), value.trim().to_owned())),
        },
        _ => Err("expected KEY=VALUE, as in max.task.idle.ms=500".to_owned()),
    }
}

impl CommonFlags {
    /// The configuration of the application.
    ///
    /// # Errors
    /// When a setting is unknown, wrong, or would break the guarantee: a usage error.
    pub fn config(&self, application_id: &str, bootstrap_servers: &str, state_dir: Option<&str>) -> Result<StreamsConfig, Failure> {
        let guarantee = self.processing_guarantee.map(|guarantee| match guarantee {
            Guarantee::AtLeastOnce => "at_least_once".to_owned(),
            Guarantee::ExactlyOnceV2 => "exactly_once_v2".to_owned(),
        });
        let named = [
            ("state.dir", state_dir.map(str::to_owned)),
            ("num.stream.threads", self.threads.map(|threads| threads.to_string())),
            ("processing.guarantee", guarantee),
            ("commit.interval.ms", Some(self.commit_interval_ms.to_string())),
            ("statestore.cache.max.bytes", self.cache_max_bytes.map(|bytes| bytes.to_string())),
        ];
        let mut config = StreamsConfig::new(application_id, bootstrap_servers);
        for (name, value) in named {
            if let Some(value) = value {
                config = config.set(name, value).map_err(Failure::usage)?;
            }
        }
        for (name, value) in &self.settings {
            config = config.set(name, value).map_err(Failure::usage)?;
        }
        config.validate().map_err(Failure::usage)?;
        Ok(config)
    }
}
