//! Counts words: text lines in, `(word, count)` out, exactly once if asked for.
//!
//! ```text
//! cargo run --release --example word_count -- --input examples/data/books.txt
//! ```

mod common;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use common::{Application, CommonFlags, Failure, Input, Outcome, TopicReader};
use kstreams::prelude::*;
use rdkafka::Message;
use unicode_segmentation::UnicodeSegmentation;

/// Count the words of text lines
#[derive(Parser)]
#[command(about, version)]
struct Flags {
    /// Topic of text lines
    #[arg(long, value_name = "TOPIC", default_value = "lines")]
    input_topic: String,

    /// Topic of results: the word as UTF-8 key, its count as 8-byte big-endian value
    #[arg(long, value_name = "TOPIC", default_value = "counts")]
    output_topic: String,

    /// Feed this file (- is standard input) into the input topic, and end when it is counted; else process until SIGTERM
    #[arg(long, value_name = "FILE|-")]
    input: Option<Input>,

    #[command(flatten)]
    common: CommonFlags,
}

/// Words are what Unicode's word boundaries enclose, in lower case.
struct Words;

impl Processor for Words {
    type KeyIn = Option<String>;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, record: Record<Option<String>, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        for word in record.value.unicode_words() {
            let word = word.to_lowercase();
            cx.forward(Record::new(word.clone(), word, record.timestamp))?;
        }
        Ok(())
    }
}

struct Count {
    name: kstreams::core::store::StoreName<Counts>,
    store: Option<Counts>,
}

type Counts = kstreams::state::TimestampedKeyValueStore<String, i64>;

impl Processor for Count {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = i64;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = Some(cx.store(&self.name)?);
        Ok(())
    }

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
        let store = self.store.as_ref().ok_or("not initialised")?;
        let count = store.get(&record.key)?.map_or(0, |row| row.value) + 1;
        store.put(&record.key, Some(kstreams::state::ValueAndTimestamp { value: &count, timestamp: record.timestamp }))?;
        if !store.is_caching() {
            cx.forward(record.with_value(count))?;
        }
        Ok(())
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
        let store = self.store.as_ref().ok_or("not initialised")?;
        while let Some(change) = if store.is_caching() { store.next_change()? } else { None } {
            if let Some(new) = change.new {
                cx.forward(Record::new(change.key, new.value, new.timestamp))?;
            }
        }
        Ok(())
    }
}

fn topology(input: &str, output: &str) -> Result<Topology, TopologyError> {
    use kstreams::core::topology::InternalTopic;
    let mut topology = Topology::new();
    let lines = topology.add_source("lines", input, Consumed::<Option<String>, String>::default())?;
    let words = topology.add_processor("words", &[&lines], || Words)?;
    topology.add_internal_topic(InternalTopic::repartition("counts-repartition"))?;
    topology.add_sink("by-word", "counts-repartition", Produced::default(), &[&words])?;
    let by_word = topology.add_source("words-by-key", "counts-repartition", Consumed::<String, String>::default())?;
    let builder = kstreams::state::TimestampedKeyValueStoreBuilder::new(
        kstreams::state::Stores::persistent_key_value_store("counts"),
        String::default_serde(),
        i64::default_serde(),
    )
    .with_caching_enabled();
    let name = builder.store_name();
    let counts = topology.add_processor("count", &[&by_word], move || Count { name: name.clone(), store: None })?;
    topology.add_state_store(std::sync::Arc::new(builder), &["count"])?;
    topology.add_sink("counts-out", output, Produced::default(), &[&counts])?;
    Ok(topology)
}

fn main() -> ExitCode {
    common::run(|| {
        let flags = Flags::parse();
        let application = Application::new("word-count", &flags.common)?;
        application.create_topic(&flags.input_topic)?;
        application.create_topic(&flags.output_topic)?;
        let mut running = application.start(topology(&flags.input_topic, &flags.output_topic)?)?;
        let Some(input) = &flags.input else {
            running.until_stopped()?;
            running.close()?;
            return Ok(());
        };
        running.feed(input, &flags.input_topic, false)?;
        if running.until_processed()? == Outcome::Processed {
            print_most_frequent(&mut TopicReader::new(running.cluster(), &flags.output_topic, Duration::from_secs(30))?)?;
        }
        let state = running.state_location();
        let summary = running.close()?;
        let seconds = summary.duration.as_secs_f64();
        println!("duration: {seconds:.1} s, {:.0} records in per second", summary.metrics.consumed as f64 / seconds);
        println!("state:    {state}");
        println!(
            "next:     --bootstrap-servers HOST:PORT runs it on Kafka; start it there twice to share the work; --help lists all flags;"
        );
        println!("          `make demo-logs` runs the second example; README.md shows the program in 25 lines");
        Ok(())
    })
}

fn print_most_frequent(reader: &mut TopicReader) -> Result<(), Failure> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    reader.read_to_end(
        |record| {
            if let (Some(Ok(word)), Some(Ok(count))) = (record.key_view::<str>(), record.payload().map(<[u8; 8]>::try_from)) {
                counts.insert(word.to_owned(), u64::from_be_bytes(count));
            }
        },
        Duration::from_secs(60),
    )?;
    let mut ranked: Vec<(&String, &u64)> = counts.iter().collect();
    ranked.sort_by(|(word, count), (other_word, other)| other.cmp(count).then_with(|| word.cmp(other_word)));
    println!("{} different words, {} in all; the most frequent:", counts.len(), counts.values().sum::<u64>());
    for (word, count) in ranked.iter().take(20) {
        println!("{count:>8}  {word}");
    }
    Ok(())
}
