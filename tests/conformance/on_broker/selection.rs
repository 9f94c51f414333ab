//! Which cases can run on a broker, and give one result there.

use serde_json::Value;

use crate::interpreter::{exceptions, known_differences};

fn statements(case: &Value) -> impl Iterator<Item = &Value> {
    case["topology"].as_array().into_iter().flatten()
}

fn steps(case: &Value) -> impl Iterator<Item = &Value> {
    case["steps"].as_array().into_iter().flatten()
}

fn is(statement: &Value, ops: &[&str]) -> bool {
    statement["op"].as_str().is_some_and(|op| ops.contains(&op))
}

/// The topics that the tasks of a case read, without internal ones.
pub fn sources(case: &Value) -> Vec<String> {
    let sources = statements(case).filter(|statement| is(statement, &["stream", "table", "add-source"]));
    let topics = sources.flat_map(|statement| statement["topics"].as_array().into_iter().flatten().chain([&statement["topic"]]));
    topics.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Why a case cannot be run step by step on a broker; `None` when it can.
pub fn reason_against(name: &str, case: &Value) -> Option<&'static str> {
    let produced = || case["expected"]["steps"].as_array().into_iter().flatten().flat_map(|step| step["records"].as_array()).flatten();
    let is_before_time = |record: &Value| record["ts"].as_i64().is_some_and(|timestamp| timestamp <= 0);
    if exceptions::reason(name).is_some() || known_differences::differs(name) || exceptions::reason_for_headers(case).is_some() {
        return Some("it differs on the test driver, too");
    }
    if !case["expected"]["error"].is_null() {
        return Some("it fails");
    }
    if steps(case).any(|step| !step["advance-ms"].is_null()) {
        return Some("it moves the wall clock");
    }
    if statements(case).any(|statement| !statement["pattern"].is_null()) {
        return Some("its topics are a pattern");
    }
    if statements(case).any(|statement| statement["op"].as_str().is_some_and(|op| op.contains("global") || op == "add-read-only-store")) {
        return Some("nobody can see from outside when a global store has a record");
    }
    if statements(case).any(|statement| statement["reset"] == "none") {
        return Some("it starts only where a position is committed");
    }
    if steps(case).chain(produced()).any(is_before_time) {
        return Some("a time is not after 1970: librdkafka takes 0 as now, and Kafka refuses times before it");
    }
    None
}

/// Whether the final tables of a case are the same in whatever order its partitions are read: each key's history decides alone, or what
/// is counted does not depend on an order.
pub fn is_independent_of_order(case: &Value) -> bool {
    const PER_KEY: [&str; 13] = [
        "stream",
        "table",
        "filter",
        "filter-not",
        "map-values",
        "peek",
        "group-by-key",
        "count",
        "reduce",
        "aggregate",
        "to",
        "to-stream",
        "to-table",
    ];
    let sources = sources(case);
    let is_one_topic = steps(case).all(|step| step["pipe"].as_str() == sources.first().map(String::as_str)) && sources.len() == 1;
    let changes_keys = statements(case).any(|statement| is(statement, &["group-by", "map", "select-key", "flat-map"]));
    let only_counts = statements(case).all(|statement| !is(statement, &["reduce", "aggregate"]));
    let per_key = |statement: &Value| is(statement, &PER_KEY) || is(statement, &["group-by", "map", "select-key"]) && only_counts;
    let has_stores = case["expected"]["stores"].as_array().is_some_and(|stores| !stores.is_empty());
    // A partition of its own has a time of its own, and a versioned table or an extractor may go by it.
    let goes_by_time =
        statements(case).any(|statement| !statement["extractor"].is_null() || statement["materialized"]["store"] == "versioned");
    let to_table_behind_new_keys = changes_keys && statements(case).any(|statement| is(statement, &["to-table"]));
    is_one_topic && has_stores && statements(case).all(per_key) && !goes_by_time && !to_table_behind_new_keys
}
