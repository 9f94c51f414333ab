//! State that is larger than the memory it may take.
//!
//! `KSTREAMS_TEST_KEYS` (5,000,000 for the full size), `KSTREAMS_TEST_MEMORY_BYTES` (67,108,864) and `KSTREAMS_TEST_KILLS` (20) set the sizes.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::{Cluster, Example, PATIENCE, WordCount, size};
use kstreams::core::serdes::Serdes;
use kstreams::core::store::StoreName;
use kstreams::core::topology::{Consumed, Produced};
use kstreams::core::{BoxError, InitContext, Processor, ProcessorContext, Record};
use kstreams::prelude::{KafkaStreams, StreamsConfig, Topology};
use kstreams::state::{KeyValueStore, Stores};

/// How long the full size may take.
const LONG: Duration = Duration::from_secs(900);

fn count(word_count: &WordCount<'_>, state: &Path, limit: u64) -> Example {
    let mut command = word_count.command(&state.join("count"));
    command.args(["--config", &format!("state.memory.max.bytes={limit}")]);
    Example::spawn(command)
}

#[test]
fn memory_stays_bounded_while_the_state_does_not() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let (keys, limit) = (size("KSTREAMS_TEST_KEYS", 400_000), size("KSTREAMS_TEST_MEMORY_BYTES", 16 << 20));
    let kills = size("KSTREAMS_TEST_KILLS", 2);

    // What the clients alone need.
    let mut word_count = WordCount::new(&cluster, 4);
    let lines = (0..keys / 10).map(|line| (0..10).map(|word| format!("key{:08}", line * 10 + word)).collect::<Vec<_>>().join(" "));
    word_count.feed(lines);
    let piped = cluster.topic("piped", 4, &[]);
    let application = cluster.unique("pipe");
    let mut command = Example::command("pipe", &cluster, &application, &state.path().join("pipe"));
    command.args(["--input-topic", word_count.input(), "--output-topic", &piped]);
    let pipe = Example::spawn(command);
    pipe.await_running();
    cluster.await_processed(&application, word_count.input(), LONG);
    let pipe_peak = pipe.peak_memory_bytes();
    pipe.terminate();

    let counted = || cluster.ends(word_count.output()).iter().sum::<i64>().unsigned_abs();
    let mut example = count(&word_count, state.path(), limit);
    let mut peak = 0;
    for kill in 1..=kills {
        // Each kill meets work in progress, with more state than before.
        let deadline = Instant::now() + LONG;
        while counted() < keys * kill / (kills + 1) {
            assert!(Instant::now() < deadline, "after {} kills {} of {keys} words are counted\n{}", kill - 1, counted(), example.output());
            // Kafka tells nobody when a partition grows.
            std::thread::sleep(Duration::from_millis(100));
        }
        peak = peak.max(example.peak_memory_bytes());
        example.kill();
        example = count(&word_count, state.path(), limit);
    }
    cluster.await_processed(word_count.application(), word_count.input(), LONG);
    peak = peak.max(example.peak_memory_bytes());
    example.kill();

    // And again over the same keys, from what the kill left.
    word_count.feed((0..keys / 40).map(|line| (0..10).map(|word| format!("key{:08}", line * 10 + word)).collect::<Vec<_>>().join(" ")));
    let example = count(&word_count, state.path(), limit);
    example.await_running();
    cluster.await_processed(word_count.application(), word_count.input(), LONG);
    peak = peak.max(example.peak_memory_bytes());
    let finished = example.terminate();
    let above = peak.saturating_sub(pipe_peak);
    println!(
        "{keys} keys, {limit} bytes, {kills} kills: peak {} MB, pipe {} MB, replayed at last {}",
        peak >> 20,
        pipe_peak >> 20,
        finished.restored
    );
    assert!(above <= 150 << 20, "peak memory {} MB is {} MB above that of pipe", peak >> 20, above >> 20);
    assert!(finished.restored < keys, "only a tail is replayed: {finished:?}");
    word_count.assert_exactly_once();
}

const TABLE: StoreName<KeyValueStore<String, i64>> = StoreName::new("table");

/// Keeps rows: a record `key, number` writes, `key, -` deletes, and `from, scan to` answers with what lies between.
#[derive(Default)]
struct Table {
    rows: Option<KeyValueStore<String, i64>>,
}

impl Processor for Table {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.rows = Some(cx.store(&TABLE)?);
        Ok(())
    }

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        let rows = self.rows.as_ref().ok_or("not initialised")?;
        if let Some(to) = record.value.strip_prefix("scan ") {
            let mut summary = Summary::default();
            for row in rows.range(record.key.clone()..=to.to_owned())? {
                let (key, value) = row?;
                summary.take(&key, value);
            }
            let mut reverse = Summary::default();
            for row in rows.reverse_range(record.key.clone()..=to.to_owned())? {
                let (key, value) = row?;
                reverse.take(&key, value);
            }
            let answer = format!("{} {}", summary.text(), reverse.text());
            cx.forward(record.with_value(answer))?;
        } else if record.value == "-" {
            rows.delete(&record.key)?;
        } else {
            rows.put(&record.key, &record.value.parse::<i64>()?)?;
        }
        Ok(())
    }
}

/// Rows in their order, in short.
#[derive(Default)]
struct Summary {
    rows: u64,
    digest: u64,
}

impl Summary {
    fn take(&mut self, key: &str, value: i64) {
        self.rows += 1;
        for byte in key.bytes().chain(value.to_be_bytes()) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn text(&self) -> String {
        format!("{}:{:x}", self.rows, self.digest)
    }
}

#[test]
fn range_scans_of_a_state_larger_than_memory_equal_a_model() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let [input, output] = ["in", "out"].map(|name| cluster.topic(name, 1, &[]));
    let (keys, limit) = (size("KSTREAMS_TEST_KEYS", 400_000), size("KSTREAMS_TEST_MEMORY_BYTES", 16 << 20));
    let application = cluster.unique("scans");
    let start = || {
        let mut topology = Topology::new();
        let source = topology.add_source("in", input.as_str(), Consumed::<String, String>::default()).expect("a source");
        let table = topology.add_processor("table", &[&source], Table::default).expect("a processor");
        let store = Stores::key_value_store_builder(Stores::persistent_key_value_store("table"), Serdes::string(), Serdes::long());
        topology.add_state_store(Arc::new(store), &["table"]).expect("a store");
        topology.add_sink("out", output.as_str(), Produced::<String, String>::default(), &[&table]).expect("a sink");
        let config = StreamsConfig::new(&application, cluster.bootstrap_servers())
            .set("state.dir", state.path().display())
            .and_then(|config| config.set("processing.guarantee", "exactly_once_v2"))
            .and_then(|config| config.set("state.memory.max.bytes", limit))
            .expect("a configuration");
        let streams = KafkaStreams::new(topology, config).expect("an application");
        streams.start().expect("it starts");
        streams
    };
    let (mut model, mut expected) = (BTreeMap::new(), Vec::new());
    let mut state_of_numbers = 1_u64;
    let mut random = |below: u64| {
        state_of_numbers = state_of_numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state_of_numbers >> 33) % below
    };
    // The second half comes after a restart: the first part of it is on disk only.
    for half in 0..2 {
        let mut records: Vec<(String, String)> = Vec::new();
        for step in 0..keys {
            let key = format!("row{:08}", random(keys));
            if step % 1000 == 999 {
                let from = random(keys);
                let (from, to) = (format!("row{from:08}"), format!("row{:08}", from + random((keys / 100).min(4000))));
                let (mut forward, mut backward) = (Summary::default(), Summary::default());
                model.range(from.clone()..=to.clone()).for_each(|(key, value): (&String, &i64)| forward.take(key, *value));
                model.range(from.clone()..=to.clone()).rev().for_each(|(key, value): (&String, &i64)| backward.take(key, *value));
                expected.push(format!("{from} {} {}", forward.text(), backward.text()));
                records.push((from, format!("scan {to}")));
            } else if random(10) == 0 {
                model.remove(&key);
                records.push((key, "-".to_owned()));
            } else {
                let value = (half * keys + step).cast_signed();
                model.insert(key.clone(), value);
                records.push((key, value.to_string()));
            }
        }
        cluster.produce(&input, records.iter().map(|(key, value)| (Some(key), value)));
        let streams = start();
        cluster.await_processed(&application, &input, LONG);
        assert!(streams.close(PATIENCE), "it ends");
    }
    let answers: Vec<String> = cluster.read_all(&output).iter().map(|row| format!("{} {}", row.key_text(), row.value_text())).collect();
    println!("{} rows, {} scans", model.len(), answers.len());
    assert_eq!(answers.len(), expected.len());
    for (answer, expected) in answers.iter().zip(&expected) {
        assert_eq!(answer, expected);
    }
}
