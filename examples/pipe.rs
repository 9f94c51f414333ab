//! Passes records on without any state: those whose value begins with a letter below `x`, with the value in upper case.

mod common;

use std::process::ExitCode;

use clap::Parser;
use common::{Application, CommonFlags, Input};
use kstreams::prelude::*;

/// Filter and change records, without state
#[derive(Parser)]
#[command(about, version)]
struct Flags {
    /// Topic to read
    #[arg(long, value_name = "TOPIC", default_value = "in")]
    input_topic: String,

    /// Topic to write
    #[arg(long, value_name = "TOPIC", default_value = "out")]
    output_topic: String,

    /// Feed this file (- is standard input) into the input topic, and end when it is processed; else process until SIGTERM
    #[arg(long, value_name = "FILE|-")]
    input: Option<Input>,

    #[command(flatten)]
    common: CommonFlags,
}

fn topology(input: &str, output: &str) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    builder
        .stream::<Option<String>, String>(input)
        .filter(|_, value: &String| value.as_bytes().first().is_some_and(|first| *first < b'x'))
        .map_values(|value: &String| value.to_uppercase())
        .to(output);
    builder.build()
}

fn main() -> ExitCode {
    common::run(|| {
        let flags = Flags::parse();
        let application = Application::new("pipe", &flags.common)?;
        application.create_topic(&flags.input_topic)?;
        application.create_topic(&flags.output_topic)?;
        let mut running = application.start(topology(&flags.input_topic, &flags.output_topic)?)?;
        match &flags.input {
            Some(input) => {
                running.feed(input, &flags.input_topic, false)?;
                running.until_processed()?;
            }
            None => running.until_stopped()?,
        }
        running.close()?;
        Ok(())
    })
}
