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
use common::{Application, CommonFlags, Failure, Input, Outcome, TopicReader, print_line};
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
fn topology(input: &str, output: &str) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    builder
        .stream::<Option<String>, String>(input)
        .flat_map_values(|line: &String| line.unicode_words().map(str::to_lowercase).collect::<Vec<_>>())
        .group_by(|_, word: &String| word.clone())
        .count_with(Materialized::named("counts"))
        .to_stream()
        .to(output);
    builder.build()
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
        print_line(format_args!("duration: {seconds:.1} s, {:.0} records in per second", summary.metrics.consumed as f64 / seconds))?;
        print_line(format_args!("state:    {state}"))?;
        print_line(
            "next:     --bootstrap-servers HOST:PORT runs it on Kafka; start it there twice to share the work; --help lists all flags;",
        )?;
        print_line("          `make demo-logs` runs the second example; README.md shows the program in 25 lines")
    })
}

fn print_most_frequent(reader: &mut TopicReader) -> Result<(), Failure> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    reader.read_to_end(
        |record| {
            if let (Some(Ok(word)), Some(Ok(count))) = (record.key_view::<str>(), record.payload().map(<[u8; 8]>::try_from)) {
                counts.insert(word.to_owned(), u64::from_be_bytes(count));
            }
            Ok(())
        },
        Duration::from_secs(60),
    )?;
    let mut ranked: Vec<(&String, &u64)> = counts.iter().collect();
    ranked.sort_by(|(word, count), (other_word, other)| other.cmp(count).then_with(|| word.cmp(other_word)));
    print_line(format_args!("{} different words, {} in all; the most frequent:", counts.len(), counts.values().sum::<u64>()))?;
    ranked.iter().take(20).try_for_each(|(word, count)| print_line(format_args!("{count:>8}  {word}")))
}
