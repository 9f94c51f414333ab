//! Runs a case and compares everything that can be seen with what Kafka Streams did.

use std::collections::BTreeMap;
use std::sync::Arc;

use kstreams::core::handler::LogAndContinue;
use kstreams::core::record::OwnedRecord;
use kstreams::core::task::{DriverOptions, TaskDriver};
use kstreams::core::{Headers, Topology};
use kstreams::dsl::StreamsBuilder;
use serde_json::{Value, json};

use super::program::{Program, Seen};

/// What came of a case.
pub enum Verdict {
    Equal,
    /// Readable differences.
    Differs(Vec<String>),
    /// What of the API is not there yet, or not interpreted yet.
    NotYet(String),
}

type Bytes = Option<Vec<u8>>;
type Row = (Bytes, Bytes, i64, Headers);

fn bytes(value: &Value) -> Bytes {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Number(number) => Some(number.as_i64().expect("a whole number").to_be_bytes().to_vec()),
        other => {
            let hex = other["hex"].as_str().expect("hex");
            Some((0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect())
        }
    }
}

fn headers(value: &Value) -> Headers {
    let mut headers = Headers::new();
    for header in value.as_array().into_iter().flatten() {
        headers.add(header[0].as_str().expect("a name"), bytes(&header[1]).as_deref());
    }
    headers
}

/// Records by topic. A commit logs the last change of each key: of a changelog's records of one key within a step the last counts.
fn by_topic(records: impl Iterator<Item = (String, Row)>) -> BTreeMap<String, Vec<Row>> {
    let mut topics: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for (topic, row) in records {
        let rows = topics.entry(topic.clone()).or_default();
        if topic.ends_with("-changelog") {
            rows.retain(|known| known.0 != row.0);
        }
        rows.push(row);
    }
    topics
}

fn produced(records: Vec<OwnedRecord>) -> BTreeMap<String, Vec<Row>> {
    by_topic(records.into_iter().map(|record| (record.topic.to_string(), (record.key, record.value, record.timestamp, record.headers))))
}

/// Java's buffers of `suppress` log their keys without a timestamp, in the order of a hash table.
const NO_TIMESTAMP: i64 = i64::MIN;

fn without_order(got: &mut BTreeMap<String, Vec<Row>>, wanted: &mut BTreeMap<String, Vec<Row>>) {
    for (topic, rows) in wanted.iter_mut().filter(|(_, rows)| rows.iter().any(|row| row.2 == NO_TIMESTAMP)) {
        rows.sort_by(|one, two| one.0.cmp(&two.0));
        if let Some(rows) = got.get_mut(topic) {
            rows.iter_mut().for_each(|row| row.2 = NO_TIMESTAMP);
            rows.sort_by(|one, two| one.0.cmp(&two.0));
        }
    }
}

fn wanted(step: &Value) -> BTreeMap<String, Vec<Row>> {
    by_topic(step["records"].as_array().into_iter().flatten().map(|record| {
        let ts = if record["ts"].is_null() { NO_TIMESTAMP } else { record["ts"].as_i64().expect("ts") };
        let row = (bytes(&record["key"]), bytes(&record["value"]), ts, headers(&record["headers"]));
        (record["topic"].as_str().expect("a topic").to_owned(), row)
    }))
}

/// Rust's extractors have other names than the oracle's.
fn normal(describe: &str) -> String {
    let line = |line: &str| line.split_once("(extractor class:").map_or_else(|| line.to_owned(), |(before, _)| before.to_owned());
    describe.trim_end().lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Runs a case.
pub fn judge(case: &Value) -> Verdict {
    let expected = &case["expected"];
    let (builder, branches, seen) = match Program::new(case).build() {
        Ok(program) => program,
        Err(reason) => return Verdict::NotYet(reason),
    };
    let mut differences = Vec::new();
    run(case, builder, &seen, &mut differences);
    let got = json!(branches);
    let wanted = if expected["branches"].is_null() { json!({}) } else { expected["branches"].clone() };
    if got != wanted && expected["error"].is_null() {
        differences.push(format!("branches\n--- wanted {wanted}\n--- got    {got}"));
    }
    if differences.is_empty() { Verdict::Equal } else { Verdict::Differs(differences) }
}

fn topics(topology: &Topology) -> Vec<String> {
    let Ok(built) = topology.build("app") else { return Vec::new() };
    let repartition = built.subtopologies().iter().flat_map(|part| part.repartition_topics.iter().map(|topic| topic.to_string()));
    let changelogs = built.changelogs().filter(|changelog| changelog.config.is_some()).map(|changelog| changelog.topic.to_string());
    let mut topics: Vec<String> = repartition.chain(changelogs).collect();
    topics.sort();
    topics.dedup();
    topics
}

fn run(case: &Value, builder: StreamsBuilder, seen: &Seen, differences: &mut Vec<String>) {
    let (expected, config) = (&case["expected"], &case["config"]);
    let fails_at = expected["error"]["at"].as_str();
    let topology = match builder.build() {
        Ok(topology) => topology,
        Err(_) if fails_at == Some("build") => return,
        Err(error) => return differences.push(format!("cannot be built: {error}")),
    };
    if fails_at == Some("build") {
        if topology.build("app").is_ok() {
            differences.push(format!("was built, but {}", expected["error"]));
        }
        return;
    }
    let lines: Vec<&str> = expected["describe"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (got, described) = (normal(&topology.describe().to_string()), normal(&lines.join("\n")));
    if got != described {
        differences.push(format!("describe\n--- wanted\n{described}\n--- got\n{got}"));
    }
    let names: Vec<&str> =
        expected["internal-topics"].as_array().into_iter().flatten().filter_map(|topic| topic["name"].as_str()).collect();
    if topics(&topology) != names {
        differences.push(format!("internal topics\n--- wanted {names:?}\n--- got    {:?}", topics(&topology)));
    }
    let state = tempfile::tempdir().expect("a folder");
    let mut options = DriverOptions::new("app", state.path());
    options.caching_enabled = config["statestore.cache.max.bytes"] != 0;
    options.emit_intervals.windowed_aggregation_ms = config["__emit.interval.ms.kstreams.windowed.aggregation__"].as_i64().unwrap_or(0);
    if config["deserialization.exception.handler"] == "continue" {
        options.handlers.deserialization = Arc::new(LogAndContinue);
    }
    if config["processing.exception.handler"] == "continue" {
        options.handlers.processing = Arc::new(LogAndContinue);
    }
    let mut driver = match TaskDriver::new(&topology, &options) {
        Ok(driver) => driver,
        Err(_) if fails_at == Some("init") => return,
        Err(error) => return differences.push(format!("cannot be started: {error}")),
    };
    for (index, step) in case["steps"].as_array().into_iter().flatten().enumerate() {
        let answer = match (step["pipe"].as_str(), step["advance-ms"].as_i64()) {
            (Some(topic), _) => {
                let (key, value, ts) = (bytes(&step["key"]), bytes(&step["value"]), step["ts"].as_i64().expect("ts"));
                driver.pipe(topic, key, value, ts, headers(&step["headers"]))
            }
            (None, Some(ms)) => driver.advance_wall_clock(ms),
            (None, None) => unreachable!("a step without a kind"),
        };
        let records = match answer {
            Ok(records) => records,
            Err(_) if fails_at == Some(format!("step {index}").as_str()) => return,
            Err(error) => return differences.push(format!("step {index} failed: {error}")),
        };
        if fails_at == Some(format!("step {index}").as_str()) {
            return differences.push(format!("step {index} did not fail, but {}", expected["error"]));
        }
        let (mut got, mut wanted) = (produced(records), wanted(&expected["steps"][index]));
        without_order(&mut got, &mut wanted);
        if got != wanted {
            differences.push(format!("step {index}: {step}\n--- wanted {wanted:?}\n--- got    {got:?}"));
        }
        let (got, saw) = (json!(std::mem::take(&mut *seen.lock().expect("no panic holds it"))), &expected["steps"][index]["seen"]);
        if got != *saw && !(saw.is_null() && got == json!([])) {
            differences.push(format!("step {index}: seen\n--- wanted {saw}\n--- got    {got}"));
        }
    }
    if let Some(dropped) = expected["dropped"].as_u64() {
        let got = driver.metrics().dropped.get();
        if got != dropped {
            differences.push(format!("{got} records dropped, wanted {dropped}"));
        }
    }
}
