//! A case as the test driver runs it: one partition, the next step when the step before is committed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cluster::Cluster;
use super::ends::Ends;
use super::{changelog, selection, start};
use crate::interpreter::compare::{is_changelog, is_internal};
use crate::interpreter::expected::Produced;

/// Runs the case; returns the differences.
pub fn run(case: &Value, guarantee: &str) -> Vec<String> {
    let done = execute(case, guarantee).and_then(|records| {
        let mut found = topics(case, &records)?;
        found.extend(changelog::differences(case, &records).1);
        Ok(found)
    });
    done.unwrap_or_else(|error| vec![error])
}

fn execute(case: &Value, guarantee: &str) -> Result<BTreeMap<String, Vec<Produced>>, String> {
    let cluster = Cluster::start(case, 1);
    let state = tempfile::tempdir().map_err(|error| error.to_string())?;
    let application = start(case, guarantee, &cluster.bootstrap_servers(), state.path())?;
    application.await_running()?;
    let consumer = cluster.consumer();
    let sources = selection::sources(case);
    let is_read = |topic: &str| sources.iter().any(|source| source == topic) || is_internal(topic) && !is_changelog(topic);
    let ends = Ends::new(&consumer, cluster.partitions_of(&consumer, is_read));
    for (index, step) in case["steps"].as_array().into_iter().flatten().enumerate() {
        cluster.send(step)?;
        ends.await_committed(|| application.check()).map_err(|error| format!("step {index}: {step}: {error}"))?;
    }
    application.close()?;
    cluster.read(|topic| !topic.starts_with("__"))
}

/// Compares the records of each topic but the changelogs, in order: those of the steps, and those that came of them.
fn topics(case: &Value, records: &BTreeMap<String, Vec<Produced>>) -> Result<Vec<String>, String> {
    let mut wanted: BTreeMap<&str, Vec<Produced>> = BTreeMap::new();
    let steps = case["steps"].as_array().into_iter().flatten();
    let expected = case["expected"]["steps"].as_array().into_iter().flatten();
    for (step, expected) in steps.zip(expected) {
        let mut piped = step.clone();
        piped["topic"] = step["pipe"].clone();
        wanted.entry(step["pipe"].as_str().unwrap_or_default()).or_default().push(Produced::wanted(&piped)?);
        for record in expected["records"].as_array().into_iter().flatten() {
            wanted.entry(record["topic"].as_str().unwrap_or_default()).or_default().push(Produced::wanted(record)?);
        }
    }
    let mut found = Vec::new();
    let none = Vec::new();
    let names = records.keys().map(String::as_str).chain(wanted.keys().copied());
    let names: std::collections::BTreeSet<&str> = names.filter(|topic| !is_changelog(topic)).collect();
    for topic in names {
        let (wanted, got) = (wanted.get(topic).unwrap_or(&none), records.get(topic).unwrap_or(&none));
        if wanted != got {
            let lines = |rows: &[Produced]| rows.iter().map(|row| format!("\n      {row}")).collect::<String>();
            found.push(format!("topic {topic}\n--- wanted{}\n--- got   {}", lines(wanted), lines(got)));
        }
    }
    Ok(found)
}
