use std::sync::Arc;

use stream_core::record::OwnedRecord;
use stream_core::task::{DriverOptions, TaskDriver};
use stream_core::topology::{Regex, SinkTopic, TopicContext, TopicNameExtractor};
use stream_core::{BoxError, Headers, Record, Topology};

use crate::support::{Shape, produced};

struct ToTopicOfValue;

impl TopicNameExtractor<String, String> for ToTopicOfValue {
    fn topic(&self, record: &Record<String, String>, _context: &TopicContext<'_>) -> Result<Arc<str>, BoxError> {
        Ok(Arc::from(record.value.as_str()))
    }
}

fn driver(topology: &Topology) -> TaskDriver {
    TaskDriver::new(topology, &DriverOptions::new("app", std::env::temp_dir().join("never-written"))).unwrap()
}

fn pipe(driver: &mut TaskDriver, topic: &str, value: &str) -> stream_core::Result<Vec<OwnedRecord>> {
    driver.pipe(topic, Some(b"k".to_vec()), Some(value.as_bytes().to_vec()), 5, Headers::new())
}

fn topics(records: &[OwnedRecord]) -> Vec<&str> {
    records.iter().map(|record| &*record.topic).collect()
}

#[test]
fn records_pass_a_repartition_topic_under_its_full_name() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    let grouped = topology.repartition("r", &source);
    topology.sink("k", "out", &[&grouped]);
    let records = pipe(&mut driver(&topology), "in", "v").unwrap();
    assert_eq!(topics(&records), ["app-r", "out"]);
    assert_eq!((records[1].value.as_deref(), records[1].timestamp), (Some(&b"v"[..]), 5));
}

#[test]
fn an_extractor_cannot_choose_an_internal_topic() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    let grouped = topology.repartition("r", &source);
    topology.add_sink("k", SinkTopic::extracted(ToTopicOfValue), produced(), &[&grouped]).unwrap();
    let mut driver = driver(&topology);
    assert_eq!(topics(&pipe(&mut driver, "in", "anywhere").unwrap()), ["app-r", "anywhere"]);
    let error = pipe(&mut driver, "in", "app-r").unwrap_err().to_string();
    assert!(error.contains("app-r") && error.contains("node k"), "{error}");
}

#[test]
fn a_pattern_reads_topics_that_come_later() {
    let mut topology = Topology::new();
    let source = topology.source("s", Regex::new("in-.*").unwrap());
    topology.sink("k", "out", &[&source]);
    let mut driver = driver(&topology);
    assert_eq!(topics(&pipe(&mut driver, "in-1", "v").unwrap()), ["out"]);
    assert_eq!(topics(&pipe(&mut driver, "in-2", "v").unwrap()), ["out"]);
    assert!(pipe(&mut driver, "other", "v").is_err());
}
