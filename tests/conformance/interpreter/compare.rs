//! Compares what a case did here with what Kafka Streams did.
//!
//! Everything is equal, with one freedom: order counts within each topic and across all topics that are not internal; and within one step
//! several changelog records of one key may be one, the last (for versioned stores: of one key and timestamp), because a commit logs each
//! dirty key once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::expected::{Produced, bytes, readable};
use super::run::{Failure, FailureKind, Observed, ObservedStep};
use super::store_rows::{self, StoreContext};

/// Readable differences; none when the case is equal.
pub fn differences(case: &Value, observed: &Observed) -> Vec<String> {
    let mut comparison = Comparison { case, expected: &case["expected"], found: Vec::new() };
    comparison.error(observed);
    comparison.topology(observed);
    comparison.steps(observed);
    if case["expected"]["error"].is_null() {
        comparison.end(observed);
    }
    comparison.found
}

/// Takes the headers out of both sides.
pub fn forget_headers(case: &mut Value, observed: &mut Observed) {
    let steps = case["expected"]["steps"].as_array_mut().into_iter().flatten();
    for record in steps.filter_map(|step| step.get_mut("records")?.as_array_mut()).flatten() {
        record["headers"] = Value::Null;
    }
    observed.steps.iter_mut().flat_map(|step| &mut step.records).for_each(|record| record.headers.clear());
}

struct Comparison<'a> {
    case: &'a Value,
    expected: &'a Value,
    found: Vec<String>,
}

/// A missing field stands for an empty one.
fn or_empty(value: &Value, empty: Value) -> Value {
    if value.is_null() { empty } else { value.clone() }
}

impl Comparison<'_> {
    fn equal(&mut self, what: &str, wanted: &Value, got: &Value) {
        if wanted != got {
            self.found.push(format!("{what}\n--- wanted {wanted}\n--- got    {got}"));
        }
    }

    fn error(&mut self, observed: &Observed) {
        let wanted = &self.expected["error"];
        match (&observed.error, wanted.is_null()) {
            (None, true) => {}
            (None, false) => self.found.push(format!("did not fail, but Kafka Streams did: {wanted}")),
            (Some(failure), true) => self.found.push(format!("failed at {}: {}", failure.at, failure.text)),
            (Some(failure), false) => {
                if wanted["at"] != failure.at || !is_kind(wanted, failure) {
                    self.found.push(format!("failed differently\n--- wanted {wanted}\n--- got    {failure:?}"));
                }
            }
        }
    }

    fn topology(&mut self, observed: &Observed) {
        let lines: Vec<Value> = self.expected["describe"].as_array().cloned().unwrap_or_default();
        let wanted: Vec<String> = lines.iter().map(|line| described(line.as_str().unwrap_or("not a line"))).collect();
        let got: Vec<String> = observed.describe.iter().flatten().map(|line| described(line)).collect();
        if wanted != got {
            self.found.push(format!("describe\n--- wanted\n{}\n--- got\n{}", wanted.join("\n"), got.join("\n")));
        }
        // After an error while building, whatever was known of the topology before does not count.
        if observed.describe.is_some() {
            let expected = self.expected;
            self.equal("branches", &or_empty(&expected["branches"], json!({})), &json!(observed.branches));
            self.equal("printed", &or_empty(&expected["printed"], json!({})), &json!(observed.printed));
            self.equal("internal topics", &or_empty(&expected["internal-topics"], json!([])), &json!(observed.internal_topics));
            self.equal("co-partitioned topics", &or_empty(&expected["copartition"], json!([])), &json!(observed.copartition));
        }
    }

    fn steps(&mut self, observed: &Observed) {
        let wanted = self.expected["steps"].as_array().map_or(&[][..], Vec::as_slice);
        if wanted.len() != observed.steps.len() {
            self.found.push(format!("{} steps were run, wanted {}", observed.steps.len(), wanted.len()));
        }
        for (index, (wanted, got)) in wanted.iter().zip(&observed.steps).enumerate() {
            let failed = self.expected["error"]["at"] == format!("step {index}");
            for difference in self.step(wanted, got, failed) {
                self.found.push(format!("step {index}: {}\n{difference}", self.case["steps"][index]));
            }
        }
    }

    fn step(&self, wanted: &Value, got: &ObservedStep, failed: bool) -> Vec<String> {
        let mut found = Vec::new();
        let seen = or_empty(&wanted["seen"], json!([]));
        if seen != json!(got.seen) {
            found.push(format!("seen\n--- wanted {seen}\n--- got    {}", json!(got.seen)));
        }
        let records = wanted["records"].as_array().into_iter().flatten().map(Produced::wanted).collect::<Result<Vec<_>, _>>();
        let records = match records {
            Ok(records) => records,
            Err(reason) => return vec![format!("the case cannot be read: {reason}")],
        };
        let keep = |record: &&Produced| !(failed && is_changelog(&record.topic));
        // Changes are logged by the commit that a step which fails does not reach.
        let (wanted, got): (Vec<_>, Vec<_>) = (records.iter().filter(keep).collect(), got.records.iter().filter(keep).collect());
        let (mut by_topic, mut got_by_topic) = (self.by_topic(&wanted), self.by_topic(&got));
        // Java's buffers of `suppress` log without a timestamp, and in the order of a hash table.
        for (topic, rows) in by_topic.iter_mut().filter(|(_, rows)| rows.iter().any(|row| row.timestamp.is_none())) {
            rows.sort_by(|one, two| one.key.cmp(&two.key));
            got_by_topic.entry(topic).or_default().sort_by(|one, two| one.key.cmp(&two.key));
        }
        let topics: BTreeSet<&&str> = by_topic.keys().chain(got_by_topic.keys()).collect();
        for topic in topics {
            let (wanted, got) = (by_topic.get(*topic), got_by_topic.get(*topic));
            if wanted != got {
                let lines =
                    |rows: Option<&Vec<&Produced>>| rows.into_iter().flatten().map(|row| format!("\n      {row}")).collect::<String>();
                found.push(format!("topic {topic}\n--- wanted{}\n--- got   {}", lines(wanted), lines(got)));
            }
        }
        let order = |records: &[&Produced]| -> Vec<String> {
            records.iter().filter(|record| !is_internal(&record.topic)).map(|record| record.topic.clone()).collect()
        };
        if found.is_empty() && order(&wanted) != order(&got) {
            found.push(format!("order across topics\n--- wanted {:?}\n--- got    {:?}", order(&wanted), order(&got)));
        }
        found
    }

    /// The records of each topic; of a changelog's records of one key, the last.
    fn by_topic<'a>(&self, records: &[&'a Produced]) -> BTreeMap<&'a str, Vec<&'a Produced>> {
        let mut topics: BTreeMap<&str, Vec<&Produced>> = BTreeMap::new();
        for record in records {
            let rows = topics.entry(&record.topic).or_default();
            if is_changelog(&record.topic) {
                let versioned = self.is_versioned(&record.topic);
                rows.retain(|known| known.key != record.key || versioned && known.timestamp != record.timestamp);
            }
            rows.push(record);
        }
        topics
    }

    /// Only versioned stores read their history from the changelog.
    fn is_versioned(&self, topic: &str) -> bool {
        let topics = self.expected["internal-topics"].as_array().into_iter().flatten();
        let mut found = topics.filter(|known| known["name"] == topic);
        found.any(|known| !known["config"]["min.compaction.lag.ms"].is_null())
    }

    fn end(&mut self, observed: &Observed) {
        if let Some(dropped) = observed.dropped {
            self.equal("dropped records", &self.expected["dropped"].clone(), &json!(dropped));
        }
        let Some(stores) = &observed.stores else { return };
        let wanted = self.expected["stores"].as_array().map_or(&[][..], Vec::as_slice);
        let names: BTreeSet<&str> = wanted.iter().filter_map(|store| store["name"].as_str()).collect();
        let got: BTreeSet<&str> =
            stores.keys().map(String::as_str).filter(|name| names.contains(name) || !self.cannot_be_scanned(name)).collect();
        if names != got {
            self.found.push(format!("stores\n--- wanted {names:?}\n--- got    {got:?}"));
        }
        for store in wanted {
            let Some(rows) = store["name"].as_str().and_then(|name| stores.get(name)) else { continue };
            let context = StoreContext { retention_ms: retention_ms(self.case, store), ..self.store_context(store, observed) };
            if let Err(difference) = store_rows::compare(store, rows, &context) {
                self.found.push(format!("store {}\n{difference}", store["name"]));
            }
        }
    }

    /// What else is known of a store.
    fn store_context(&self, store: &Value, observed: &Observed) -> StoreContext {
        let changelog = format!("app-{}-changelog", store["name"].as_str().unwrap_or_default());
        let records = observed.steps.iter().flat_map(|step| &step.records).filter(|record| record.topic == changelog);
        let headers = records.filter_map(|record| Some((record.key.clone()?, record.headers.clone()))).collect();
        // Java finds the versions of a key by asking for it: of those in the changelog, else of those that were piped.
        let mut topics = self.expected["internal-topics"].as_array().into_iter().flatten();
        let is_logged = topics.any(|topic| topic["name"] == changelog);
        let piped = self.case["steps"].as_array().into_iter().flatten().filter_map(|step| bytes(&step["key"]).ok().flatten());
        StoreContext { retention_ms: None, headers, asked: (!is_logged).then(|| piped.collect()) }
    }

    /// In Java a window store of window size 0 has no full scan, and the case does not list it: those of a join with difference 0.
    fn cannot_be_scanned(&self, name: &str) -> bool {
        let mut statements = self.case["topology"].as_array().into_iter().flatten();
        let is_join_store = name.contains("-JOIN") || name.contains("-OUTER") || name.ends_with("-join-store");
        let of_size_zero = |statement: &Value| {
            let windows = &statement["windows"];
            let (before, after) = (&windows["before-ms"], &windows["after-ms"]);
            let difference = &windows["difference-ms"];
            let side = |side: &Value| side.as_i64().or_else(|| difference.as_i64());
            difference.is_i64() && side(before).unwrap_or(0) + side(after).unwrap_or(0) == 0
        };
        is_join_store && statements.any(of_size_zero)
    }
}

/// How long a windowed store keeps its rows, by its changelog's config.
pub fn retention_ms(case: &Value, store: &Value) -> Option<i64> {
    const ADDITIONAL_RETENTION_MS: i64 = 86_400_000;
    if !matches!(store["kind"].as_str(), Some("window" | "session")) {
        return None;
    }
    let name = format!("app-{}-changelog", store["name"].as_str()?);
    let mut topics = case["expected"]["internal-topics"].as_array().into_iter().flatten();
    let Some(topic) = topics.find(|topic| topic["name"] == name) else {
        // Not logged: the longest of the case's windows.
        let statements = case["topology"].as_array().into_iter().flatten();
        return statements.filter(|statement| statement["op"] == "windowed-by").map(|statement| kept_ms(&statement["windows"])).max();
    };
    let retention: i64 = topic["config"]["retention.ms"].as_str()?.parse().ok()?;
    Some(retention - ADDITIONAL_RETENTION_MS)
}

/// How long a store keeps windows of a kind, unless the program says something else.
fn kept_ms(windows: &Value) -> i64 {
    let ms = |field: &str| windows[field].as_i64().unwrap_or(0);
    ms("size-ms") + 2 * ms("difference-ms") + ms("gap-ms") + ms("grace-ms")
}

/// Whether our error is of the kind of the innermost exception.
fn is_kind(wanted: &Value, failure: &Failure) -> bool {
    let mut innermost = wanted;
    while innermost["cause"].is_object() {
        innermost = &innermost["cause"];
    }
    let kind = match innermost["class"].as_str() {
        Some("UserFailure") => FailureKind::User,
        Some("SerializationException") => FailureKind::Serialization,
        Some("TopologyException" | "IllegalArgumentException" | "StreamsException" | "NullPointerException") => FailureKind::Program,
        _ => return false,
    };
    kind == failure.kind
}

/// Rust's topic extractors have other names than Java's.
fn described(line: &str) -> String {
    line.split_once("(extractor class:").map_or_else(|| line.to_owned(), |(before, _)| before.to_owned())
}

pub fn is_internal(topic: &str) -> bool {
    topic.starts_with("app-")
}

pub fn is_changelog(topic: &str) -> bool {
    is_internal(topic) && topic.ends_with("-changelog")
}

/// A row for a reader.
pub fn shown_row(key: &[u8], value: &super::expected::Bytes, timestamp: i64) -> String {
    format!("{} = {} @{timestamp}", readable(&Some(key.to_vec())), readable(value))
}
