//! Runs a case on the test driver, and notes everything that can be seen.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;

use kstreams::core::config::{EmitIntervals, ProcessingGuarantee};
use kstreams::core::handler::Handlers;
use kstreams::core::handler::LogAndContinue;
use kstreams::core::serdes::{SerdeError, Serdes};
use kstreams::core::time::BuiltInTimestampExtractor;
use kstreams::core::topology::{BuiltTopology, InternalTopicSettings};
use kstreams::core::{Error, Record, Topology, TopologyError};
use serde_json::{Value, json};
use stream_testkit::{StoreRow, TopologyTestDriver};
use tempfile::TempDir;

use super::expected::{Produced, bytes, headers, number};
use super::program::{Built as BuiltProgram, NotYet, Program};

/// What a case did here.
#[derive(Debug, Default)]
pub struct Observed {
    pub describe: Option<Vec<String>>,
    pub branches: BTreeMap<String, Vec<String>>,
    /// The lines of each `print`, by label.
    pub printed: BTreeMap<String, Vec<String>>,
    pub internal_topics: Vec<Value>,
    pub copartition: Vec<Vec<String>>,
    pub steps: Vec<ObservedStep>,
    /// The rows of each store; none after an error.
    pub stores: Option<BTreeMap<String, Vec<StoreRow>>>,
    pub dropped: Option<u64>,
    pub error: Option<Failure>,
}

#[derive(Debug, Default)]
pub struct ObservedStep {
    pub records: Vec<Produced>,
    pub seen: Vec<Value>,
}

/// An error, where it came, and of which kind it is.
#[derive(Debug)]
pub struct Failure {
    pub at: String,
    pub kind: FailureKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The program is wrong: found by the builder, by a start, or by a call.
    Program,
    /// A serde.
    Serialization,
    /// A function of the catalogue failed on purpose.
    User,
}

/// How cases are run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mode {
    /// After each step every store is flushed and drops its clean entries, so that all reads go to the disk.
    pub flush: bool,
    /// At the end the process ends and another one restores the stores.
    pub restart: bool,
}

impl Mode {
    /// As `KSTREAMS_CONFORMANCE_FLUSH` says.
    pub fn from_environment() -> Self {
        Self { flush: std::env::var_os("KSTREAMS_CONFORMANCE_FLUSH").is_some_and(|value| value == "1"), restart: false }
    }
}

/// What is left of a case at its end: the driver, for further questions, unless the case failed.
pub struct Finished {
    pub observed: Observed,
    pub driver: Option<TopologyTestDriver>,
}

/// Builds and runs a case.
pub fn run(case: &Value, mode: Mode) -> Result<Finished, NotYet> {
    let program = Program::new(case).build()?;
    let mut observed = Observed::default();
    let driver = match execute(case, mode, &program, &mut observed) {
        Ok(driver) => Some(driver),
        Err(failure) => {
            observed.error = Some(failure);
            None
        }
    };
    if observed.describe.is_some() {
        observed.branches.clone_from(&program.branches);
        observed.printed = program.printed();
    }
    Ok(Finished { observed, driver })
}

fn execute(case: &Value, mode: Mode, program: &BuiltProgram, observed: &mut Observed) -> Result<TopologyTestDriver, Failure> {
    let at_build = |error: TopologyError| Failure { at: "build".to_owned(), kind: FailureKind::Program, text: error.to_string() };
    let topology = program.topology.as_ref().map_err(|error| at_build(error.clone()))?;
    let built = topology.build("app").map_err(at_build)?;
    observed.describe = Some(topology.describe().to_string().trim_end().lines().map(str::to_owned).collect());
    observed.internal_topics = internal_topics(&built);
    let groups = built.copartition_groups().iter().map(|group| group.iter().map(ToString::to_string).collect());
    observed.copartition = groups.collect();

    let state_dir = if mode.flush { in_memory_directory() } else { None };
    let driver = driver(case, topology, state_dir.as_ref().map(TempDir::path)).map_err(|error| failure("init", &error))?;
    let mut read = 0;
    for (index, step) in case["steps"].as_array().into_iter().flatten().enumerate() {
        let result = perform(step, &driver);
        let records: Vec<Produced> = driver.records().iter().skip(read).map(Produced::from).collect();
        read += records.len();
        let seen = std::mem::take(&mut *program.seen.lock().expect("no panic holds it"));
        observed.steps.push(ObservedStep { records, seen });
        result.map_err(|error| failure(&format!("step {index}"), &error))?;
        if mode.flush {
            driver.flush_stores().map_err(|error| failure("flush", &error))?;
        }
    }
    if mode.restart {
        driver.restart().map_err(|error| failure("restart", &error))?;
    }
    observed.stores = Some(stores(&driver).map_err(|error| failure("stores", &error))?);
    observed.dropped = driver.metrics(|metrics| metrics.dropped.get()).ok();
    Ok(driver)
}

/// The rows of every store.
pub fn stores(driver: &TopologyTestDriver) -> Result<BTreeMap<String, Vec<StoreRow>>, Error> {
    let names = driver.store_names()?;
    names.into_iter().map(|name| driver.store_rows(&name).map(|rows| (name, rows))).collect()
}

/// A folder in memory, where there is one: hundreds of databases are opened, and each waits for the disk.
fn in_memory_directory() -> Option<TempDir> {
    TempDir::new_in("/dev/shm").ok()
}

fn driver(case: &Value, topology: &Topology, state_dir: Option<&Path>) -> Result<TopologyTestDriver, Error> {
    let config = &case["config"];
    let mut handlers = Handlers::default();
    if config["deserialization.exception.handler"] == "continue" {
        handlers.deserialization = Arc::new(LogAndContinue);
    }
    if config["processing.exception.handler"] == "continue" {
        handlers.processing = Arc::new(LogAndContinue);
    }
    handlers.default_timestamp_extractor = match config["default.timestamp.extractor"].as_str() {
        Some("log-and-skip") => BuiltInTimestampExtractor::LogAndSkip,
        Some("partition-time") => BuiltInTimestampExtractor::UsePartitionTime,
        _ => BuiltInTimestampExtractor::FailOnInvalid,
    };
    if let Some(topic) = config["errors.dead.letter.queue.topic.name"].as_str() {
        handlers = handlers.with_dead_letter_queue(topic);
    }
    let guarantee = match config["processing.guarantee"].as_str() {
        Some("exactly_once_v2") => ProcessingGuarantee::ExactlyOnceV2,
        _ => ProcessingGuarantee::AtLeastOnce,
    };
    let mut intervals = EmitIntervals::ALWAYS;
    if let Some(ms) = config["__emit.interval.ms.kstreams.outer.join.spurious.results.fix__"].as_i64() {
        intervals.outer_join_ms = ms;
    }
    if let Some(ms) = config["__emit.interval.ms.kstreams.windowed.aggregation__"].as_i64() {
        intervals.windowed_aggregation_ms = ms;
    }
    let builder = TopologyTestDriver::builder(topology);
    let builder = match state_dir {
        Some(directory) => builder.state_dir(directory),
        None => builder,
    };
    builder
        .emit_intervals(intervals)
        .application_id("app")
        .processing_guarantee(guarantee)
        .cache_max_bytes(config["statestore.cache.max.bytes"].as_u64().and_then(|bytes| bytes.try_into().ok()).unwrap_or(10 << 20))
        .handlers(handlers)
        .build()
}

fn perform(step: &Value, driver: &TopologyTestDriver) -> Result<(), Error> {
    if let Some(ms) = step["advance-ms"].as_u64() {
        return driver.advance_wall_clock_time(std::time::Duration::from_millis(ms));
    }
    let raw = || Serdes::nullable(Serdes::byte_array());
    let record = (|| Ok::<_, String>((bytes(&step["key"])?, bytes(&step["value"])?, number(&step["ts"])?, headers(&step["headers"])?)))();
    let (key, value, timestamp, headers) = record.map_err(Error::invalid)?;
    let topic = step["pipe"].as_str().ok_or_else(|| Error::invalid(format!("a step of an unknown kind: {step}")))?;
    driver.create_input_topic_with(topic, raw(), raw()).pipe_record(Record { key, value, timestamp, headers })
}

fn internal_topics(built: &BuiltTopology) -> Vec<Value> {
    let topics = built.internal_topics(&InternalTopicSettings::default()).into_iter();
    let shown = topics.map(|topic| {
        let role = if topic.is_changelog { "changelog" } else { "repartition" };
        let mut shown = json!({"name": &*topic.name, "role": role, "config": topic.configs});
        if let Some(partitions) = topic.fixed_partitions {
            shown["partitions"] = json!(partitions);
        }
        shown
    });
    shown.collect()
}

fn failure(at: &str, error: &Error) -> Failure {
    let text = error.to_string();
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    let mut serialization = false;
    while let Some(error) = source {
        serialization |= error.is::<SerdeError>();
        source = error.source();
    }
    let kind = if text.contains("boom: ") {
        FailureKind::User
    } else if serialization {
        FailureKind::Serialization
    } else {
        FailureKind::Program
    };
    Failure { at: at.to_owned(), kind, text }
}
