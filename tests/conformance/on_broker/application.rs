//! An application that runs a case, or one of several processes of it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kstreams::core::app::{KafkaStreams, State};
use kstreams::core::config::StreamsConfig;
use kstreams::core::time::Clock;
use serde_json::Value;

use super::PATIENCE;
use crate::interpreter::program::{Built, Program};

/// A running application with the program that it was made from.
pub struct Application {
    streams: KafkaStreams,
    _program: Built,
}

/// The wall clock of a case stands at 0 unless a step moves it; what waits and times out goes by the machine's.
struct StandingWallClock {
    started: Instant,
}

impl Clock for StandingWallClock {
    fn now_ms(&self) -> i64 {
        0
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Settings of the test driver's own: a commit after every record, and operators that look for results at every record.
const SETTINGS: [(&str, &str); 6] = [
    ("commit.interval.ms", "0"),
    ("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", "0"),
    ("__emit.interval.ms.kstreams.windowed.aggregation__", "0"),
    ("producer.linger.ms", "0"),
    ("session.timeout.ms", "6000"),
    ("consumer.fetch.wait.max.ms", "100"),
];

/// Starts the case's program; it need not run yet when this returns.
pub fn start(case: &Value, guarantee: &str, bootstrap_servers: &str, state_dir: &Path) -> Result<Application, String> {
    let mut config = StreamsConfig::new("app", bootstrap_servers).with_state_dir(state_dir);
    for (name, value) in SETTINGS {
        config = config.set(name, value).map_err(|error| error.to_string())?;
    }
    for (name, value) in case["config"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = match (name.as_str(), value.as_str()) {
            // The interpreter gives these to each source and store.
            ("dsl.store.suppliers.class" | "default.timestamp.extractor" | "processing.guarantee", _) => continue,
            (_, "continue") => "log-and-continue".to_owned(),
            (_, "fail") => "log-and-fail".to_owned(),
            _ => value,
        };
        config = config.set(name, value).map_err(|error| error.to_string())?;
    }
    config = config.set("processing.guarantee", guarantee).map_err(|error| error.to_string())?;
    let program = Program::new(case).build()?;
    let topology = program.topology.clone().map_err(|error| error.to_string())?;
    let builder = KafkaStreams::builder(topology, config).clock(Arc::new(StandingWallClock { started: Instant::now() }));
    let streams = builder.build().map_err(|error| error.to_string())?;
    streams.start().map_err(|error| error.to_string())?;
    Ok(Application { streams, _program: program })
}

impl Application {
    /// Waits until its tasks run.
    pub fn await_running(&self) -> Result<(), String> {
        if self.streams.wait_for(State::Running, PATIENCE) { Ok(()) } else { Err(self.trouble("it does not run")) }
    }

    /// An error when it has ended by itself.
    pub fn check(&self) -> Result<(), String> {
        if self.streams.state().is_final() { Err(self.trouble("it ended by itself")) } else { Ok(()) }
    }

    /// Ends it.
    pub fn close(self) -> Result<(), String> {
        if self.streams.close(PATIENCE) && self.streams.state() == State::NotRunning {
            Ok(())
        } else {
            Err(self.trouble("it does not end"))
        }
    }

    fn trouble(&self, what: &str) -> String {
        format!("{what}: {:?} {:?}", self.streams.state(), self.streams.failure())
    }
}

/// Whether a store keeps all its rows: a bounded one gives up some that its changelog has.
pub fn is_unbounded(case: &Value, store: &str) -> bool {
    let mut statements = case["topology"].as_array().into_iter().flatten();
    let is_bounded = |statement: &Value| {
        let (materialized, added) = (&statement["materialized"], &statement["store"]);
        materialized["store"] == "lru" && materialized["name"] == store || added["kind"] == "kv-lru" && added["name"] == store
    };
    !statements.any(is_bounded)
}
