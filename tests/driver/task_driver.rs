//! A topology of processors and stores runs as one task, without a broker.

use kstreams::core::processor::{InitContext, Processor, ProcessorContext, PunctuationId, PunctuationType};
use kstreams::core::serdes::Serdes;
use kstreams::core::store::StoreName;
use kstreams::core::task::{DriverOptions, TaskDriver};
use kstreams::core::topology::{Consumed, InternalTopic, Produced};
use kstreams::core::{BoxError, Headers, Record, Topology};
use kstreams::state::{KeyValueStore, Stores};
use std::sync::Arc;
use std::time::Duration;

const COUNTS: StoreName<KeyValueStore<String, i64>> = StoreName::new("counts");

struct Split;

impl Processor for Split {
    type KeyIn = Option<String>;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, record: Record<Option<String>, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        for word in record.value.split(' ') {
            cx.forward(Record::new(word.to_owned(), word.to_owned(), record.timestamp))?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Count {
    counts: Option<KeyValueStore<String, i64>>,
}

impl Processor for Count {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = i64;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.counts = Some(cx.store(&COUNTS)?);
        cx.schedule(Duration::from_secs(1), PunctuationType::WallClockTime);
        Ok(())
    }

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
        if record.value == "poison" {
            return Err("poison".into());
        }
        let counts = self.counts.as_ref().ok_or("not initialised")?;
        let count = counts.get(&record.key)?.unwrap_or(0) + 1;
        counts.put(&record.key, &count)?;
        cx.forward(record.with_value(count))?;
        Ok(())
    }

    fn punctuate(&mut self, _id: PunctuationId, timestamp: i64, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
        cx.forward(Record::new("tick".to_owned(), timestamp, timestamp))?;
        Ok(())
    }
}

fn topology() -> Topology {
    let mut topology = Topology::new();
    let lines = topology.add_source("lines", "text", Consumed::<Option<String>, String>::default()).expect("source");
    let words = topology.add_processor("split", &[&lines], || Split).expect("split");
    topology.add_internal_topic(InternalTopic::repartition("words-repartition")).expect("topic");
    topology.add_sink("words-sink", "words-repartition", Produced::default(), &[&words]).expect("sink");
    let words = topology.add_source("words-source", "words-repartition", Consumed::<String, String>::default()).expect("source");
    let counts = topology.add_processor("count", &[&words], Count::default).expect("count");
    let store = Stores::key_value_store_builder(Stores::persistent_key_value_store("counts"), Serdes::string(), Serdes::long());
    topology.add_state_store(Arc::new(store), &["count"]).expect("store");
    topology.add_sink("out", "counts-out", Produced::<String, i64>::default(), &[&counts]).expect("sink");
    topology
}

#[test]
fn words_are_counted_through_a_repartition_topic_and_a_store() {
    let directory = tempfile::tempdir().expect("temporary folder");
    let mut driver = TaskDriver::new(&topology(), &DriverOptions::new("app", directory.path())).expect("driver");
    let produced = driver.pipe("text", None, Some(b"a b a".to_vec()), 7, Headers::new()).expect("processed");
    let counts: Vec<(String, i64, i64)> = produced
        .iter()
        .filter(|record| &*record.topic == "counts-out")
        .map(|record| {
            let value: [u8; 8] = record.value.as_deref().expect("a value").try_into().expect("eight bytes");
            (String::from_utf8(record.key.clone().expect("a key")).expect("text"), i64::from_be_bytes(value), record.timestamp)
        })
        .collect();
    assert_eq!(counts, [("a".to_owned(), 1, 7), ("b".to_owned(), 1, 7), ("a".to_owned(), 2, 7)]);
    let changelog: Vec<_> = produced.iter().filter(|record| &*record.topic == "app-counts-changelog").collect();
    assert_eq!(changelog.len(), 3);
    driver.flush_stores().expect("flushed");
    let store: KeyValueStore<String, i64> = driver.store("counts").expect("store");
    assert_eq!(store.get(&"a".to_owned()).expect("read"), Some(2));
}

#[test]
fn a_wall_clock_punctuation_forwards_without_a_record() {
    let directory = tempfile::tempdir().expect("temporary folder");
    let mut driver = TaskDriver::new(&topology(), &DriverOptions::new("app", directory.path())).expect("driver");
    assert!(driver.advance_wall_clock(999).expect("advanced").is_empty());
    assert_eq!(driver.advance_wall_clock(1).expect("advanced").len(), 1);
}

#[test]
fn an_error_of_a_processor_names_task_node_and_record() {
    let directory = tempfile::tempdir().expect("temporary folder");
    let mut driver = TaskDriver::new(&topology(), &DriverOptions::new("app", directory.path())).expect("driver");
    let error = driver.pipe("text", None, Some(b"poison".to_vec()), 0, Headers::new()).expect_err("the processor fails").to_string();
    for part in ["task 0_0", "count", "app-words-repartition-0", "offset 0", "poison"] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
}
