//! The rows of a store, as its changelog holds them.

use std::collections::BTreeMap;

use serde_json::Value;
use stream_testkit::StoreRow;

use super::is_unbounded;
use crate::interpreter::compare;
use crate::interpreter::expected::{Bytes, Produced, bytes};
use crate::interpreter::store_rows::{self, StoreContext};

/// Compares each store that has a changelog of its own with the last record of each key there.
pub fn differences(case: &Value, records: &BTreeMap<String, Vec<Produced>>) -> (usize, Vec<String>) {
    let (mut compared, mut found) = (0, Vec::new());
    for store in case["expected"]["stores"].as_array().into_iter().flatten() {
        let name = store["name"].as_str().unwrap_or_default();
        let Some(changelog) = records.get(&format!("app-{name}-changelog")).filter(|_| is_unbounded(case, name)) else { continue };
        compared += 1;
        let rows = match history_ms(case, name) {
            Some(history_ms) => versions(store, changelog, history_ms),
            None => last_rows(store, changelog),
        };
        let context = StoreContext { retention_ms: compare::retention_ms(case, store), ..StoreContext::default() };
        if let Err(difference) = store_rows::compare(store, &rows, &context) {
            found.push(format!("store {name}\n{difference}"));
        }
    }
    (compared, found)
}

/// The row of each key: its last record, unless that deletes it.
fn last_rows(store: &Value, changelog: &[Produced]) -> Vec<StoreRow> {
    let last: BTreeMap<&Bytes, StoreRow> = changelog.iter().map(|record| (&record.key, row(record))).collect();
    let entries = || store["entries"].as_array().into_iter().flatten();
    // A store without timestamps is shown with -1 where its table has them.
    let untimed = entries().next().is_some() && entries().all(|entry| entry["ts"] == -1);
    let rows = last.into_values().filter(|row| row.value.is_some());
    rows.map(|row| if untimed { StoreRow { timestamp: -1, ..row } } else { row }).collect()
}

/// The last record of each key and timestamp, as far as a versioned store takes and keeps them: the changelog holds what came too late, and what
/// the history has left behind.
fn versions(store: &Value, changelog: &[Produced], history_ms: i64) -> Vec<StoreRow> {
    let mut stream_time = i64::MIN;
    let mut versions: BTreeMap<(&Bytes, i64), StoreRow> = BTreeMap::new();
    for record in changelog {
        let row = row(record);
        stream_time = stream_time.max(row.timestamp);
        if row.timestamp >= stream_time - history_ms {
            versions.insert((&record.key, row.timestamp), row);
        }
    }
    let entries = || store["entries"].as_array().into_iter().flatten();
    let oldest = |key: &[u8]| {
        let of_key = entries().filter(|entry| bytes(&entry["key"]).is_ok_and(|bytes| bytes.as_deref() == Some(key)));
        of_key.filter_map(|entry| entry["ts"].as_i64()).min()
    };
    versions.into_values().filter(|row| oldest(&row.key).is_some_and(|oldest| row.timestamp >= oldest)).collect()
}

fn row(record: &Produced) -> StoreRow {
    StoreRow { key: record.key.clone().unwrap_or_default(), value: record.value.clone(), timestamp: record.timestamp.unwrap_or(-1) }
}

/// How long a versioned store keeps its history, by its changelog's config; `None` for other stores.
fn history_ms(case: &Value, store: &str) -> Option<i64> {
    const ADDITIONAL_LAG_MS: i64 = 86_400_000;
    let name = format!("app-{store}-changelog");
    let mut topics = case["expected"]["internal-topics"].as_array().into_iter().flatten();
    let lag = &topics.find(|topic| topic["name"] == name)?["config"]["min.compaction.lag.ms"];
    Some(lag.as_str()?.parse::<i64>().ok()? - ADDITIONAL_LAG_MS)
}
