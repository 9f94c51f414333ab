//! Asks a service about each record, many requests at a time: what takes 50 ms per record still passes thousands a second.
//!
//! The service is a timer here; results are as exact as everything else: a commit waits for the requests of its records.
//!
//! ```text
//! cargo run --release --example enrichment -- --input examples/data/books.txt --latency-ms 50 --in-flight 1000
//! ```

mod common;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use common::{Application, CommonFlags, Input};
use kstreams::prelude::*;

/// Ask a slow service about each record
#[derive(Parser)]
#[command(about, version)]
struct Flags {
    /// Topic to read
    #[arg(long, value_name = "TOPIC", default_value = "in")]
    input_topic: String,

    /// Topic to write
    #[arg(long, value_name = "TOPIC", default_value = "enriched")]
    output_topic: String,

    /// How long the service takes
    #[arg(long, value_name = "MS", default_value_t = 50)]
    latency_ms: u64,

    /// Requests at a time in each task
    #[arg(long, value_name = "N", default_value_t = 100)]
    in_flight: usize,

    /// Feed this file (- is standard input) into the input topic, and end when it is processed; else process until SIGTERM
    #[arg(long, value_name = "FILE|-")]
    input: Option<Input>,

    #[command(flatten)]
    common: CommonFlags,
}

/// The service: how long a text is.
async fn length_of(text: &str, latency: Duration) -> Result<usize, BoxError> {
    tokio::time::sleep(latency).await;
    Ok(text.chars().count())
}

fn topology(flags: &Flags) -> Result<Topology, TopologyError> {
    let latency = Duration::from_millis(flags.latency_ms);
    let builder = StreamsBuilder::new();
    builder
        .stream::<Option<String>, String>(flags.input_topic.as_str())
        .map_values_async(AsyncOptions::new(flags.in_flight), move |_, text: String| async move {
            let length = length_of(&text, latency).await?;
            Ok(format!("{text} ({length})"))
        })
        .to(flags.output_topic.as_str());
    builder.build()
}

fn main() -> ExitCode {
    common::run(|| {
        let flags = Flags::parse();
        let application = Application::new("enrichment", &flags.common)?;
        application.create_topic(&flags.input_topic)?;
        application.create_topic(&flags.output_topic)?;
        let mut running = application.start(topology(&flags)?)?;
        match &flags.input {
            Some(input) => {
                running.feed(input, &flags.input_topic, false)?;
                running.until_processed()?;
            }
            None => running.until_stopped()?,
        }
        let summary = running.close()?;
        let seconds = summary.duration.as_secs_f64();
        println!("duration: {seconds:.1} s, {:.0} records in per second", summary.metrics.consumed as f64 / seconds);
        Ok(())
    })
}
