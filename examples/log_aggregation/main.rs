//! Aggregates log lines of several formats: counts per service, level and minute; error rates beside the owner of each service; the
//! most frequent messages. Lines that no format accepts are counted and kept in a topic of their own.
//!
//! ```text
//! cat examples/data/logs/*.log | cargo run --release --example log_aggregation -- --input - --partitions 1 --year 2024
//! cargo run --release --example log_aggregation -- --input /var/log/syslog --follow
//! ```

#[path = "../common/mod.rs"]
mod common;

mod display;
mod entry;
mod finding;
mod instant;
mod line;
mod mask;
mod parse;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use common::{Application, CommonFlags, Failure, Input, Outcome, Running, TopicReader, note};
use display::Display;
use entry::{Level, LogEntry};
use finding::{ErrorRate, Finding, ServiceLevel, ServiceMessage};
use kstreams::prelude::*;
use line::{LineTimestamp, LogLine, LogLineSerde};
use rdkafka::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A hundred years.
const MAX_GRACE_HOURS: u64 = 876_600;

/// Aggregate log lines: syslog, dpkg, apt, nginx and JSON
#[derive(Parser)]
#[command(about, version)]
struct Flags {
    /// Topic of raw log lines
    #[arg(long, value_name = "TOPIC", default_value = "logs")]
    input_topic: String,

    /// Topic of findings, one JSON object each
    #[arg(long, value_name = "TOPIC", default_value = "log-counts")]
    output_topic: String,

    /// Topic for lines in no known format
    #[arg(long, value_name = "TOPIC", default_value = "log-unparsable")]
    unparsable_topic: String,

    /// Topic of service owners: the service as key, its owner as value
    #[arg(long, value_name = "TOPIC", default_value = "service-owners")]
    owners_topic: String,

    /// Put these owners into their topic first: a file of `service,owner` lines
    #[arg(long, value_name = "FILE")]
    owners: Option<PathBuf>,

    /// Feed this file (- is standard input) into the input topic; without it, process what others write there until SIGTERM
    #[arg(long, value_name = "FILE|-")]
    input: Option<Input>,

    /// Go on when the input file grows, as tail -F does
    #[arg(long, requires = "input")]
    follow: bool,

    /// How many hours late a line may be and still count
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(0..=MAX_GRACE_HOURS))]
    grace_hours: u64,

    /// The year of lines that name none (RFC 3164); by default the latest that is not in the future
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i64).range(1970..=9999))]
    year: Option<i64>,

    #[command(flatten)]
    common: CommonFlags,
}

/// How entries travel through the repartition topics: both sides as JSON.
fn grouped<K: Serialize + DeserializeOwned + 'static>() -> Grouped<K, LogEntry> {
    Grouped::with(Serdes::json(), Serdes::json())
}

fn topology(flags: &Flags) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    let consumed = Consumed::with(Option::<String>::default_serde(), Arc::new(LogLineSerde))
        .with_timestamp_extractor(LineTimestamp { year: flags.year });
    let lines = builder.stream_with(flags.input_topic.as_str(), consumed).filter(|_, line: &LogLine| !line.raw.trim().is_empty());
    let minutes = || TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(flags.grace_hours * 3600));

    let unparsable = lines.filter(|_, line| line.entry.is_none()).map_values(|line: &LogLine| line.raw.clone());
    unparsable.to(flags.unparsable_topic.as_str());
    let unparsable = unparsable
        .group_by(|_, _| "unparsable".to_owned())
        .count_with(Materialized::named("unparsable"))
        .to_stream()
        .map(|_, count| Finding::unparsable(count.unwrap_or(0)));

    let entries = lines.flat_map_values(|line: &LogLine| line.entry.clone());
    let counts = entries
        .group_by_with(|_, entry| ServiceLevel { service: entry.service.clone(), level: entry.level }, grouped())
        .windowed_by(minutes())
        .count_with(Materialized::named("counts"))
        .to_stream()
        .map(|key, count| Finding::count(&key, count.unwrap_or(0)));

    let owners = builder.table::<String, String>(flags.owners_topic.as_str());
    let rates = entries
        .group_by_with(|_, entry| entry.service.clone(), grouped())
        .windowed_by(minutes())
        .aggregate_with(
            ErrorRate::default,
            |_, entry: LogEntry, rate: ErrorRate| ErrorRate {
                lines: rate.lines + 1,
                errors: rate.errors + u64::from(entry.level == Level::Error),
                ..rate
            },
            Materialized::named("error-rates").with_value_serde(Json::serde()),
        )
        .to_stream()
        .map(|key: Windowed<String>, rate| {
            let minute = instant::minute_text(key.window.start_ms());
            (key.key, ErrorRate { minute, ..rate.unwrap_or_default() })
        })
        .left_join_with(
            &owners,
            |rate: &ErrorRate, owner: Option<&String>| (rate.clone(), owner.cloned()),
            Joined::with(String::default_serde(), Json::serde()),
        )
        .map(|service, (rate, owner)| Finding::error_rate(service, rate, owner));

    let messages = entries
        .group_by_with(|_, entry| ServiceMessage { service: entry.service.clone(), message: mask::mask(&entry.message) }, grouped())
        .count_with(Materialized::named("messages"))
        .to_stream()
        .map(|key, count| Finding::message(key, count.unwrap_or(0)));

    counts
        .merge(&rates)
        .merge(&messages)
        .merge(&unparsable)
        .to_with(flags.output_topic.as_str(), Produced::with(String::default_serde(), Json::serde()));
    builder.build()
}

fn main() -> ExitCode {
    common::run(|| {
        let flags = Flags::parse();
        if flags.follow && flags.input == Some(Input::Stdin) {
            let reason = "--follow needs a file that grows; standard input is read to its end without it (leave --follow out)";
            return Err(Failure::usage(reason));
        }
        let owners = flags.owners.as_deref().map(read_owners).transpose()?;
        let application = Application::new("log-aggregation", &flags.common)?;
        for topic in [&flags.input_topic, &flags.output_topic, &flags.unparsable_topic, &flags.owners_topic] {
            application.create_topic(topic)?;
        }
        // Owners are older than every line, so that a line finds its owner also when both are read for the first time. Clients take 0 for now.
        application.cluster().send_table(&flags.owners_topic, &owners.unwrap_or_default(), 1)?;
        let mut running = application.start(topology(&flags)?)?;
        if let Some(input) = &flags.input {
            running.feed(input, &flags.input_topic, flags.follow)?;
        }
        let mut display = Display::new();
        show_until_end(&mut running, &flags, &mut display)?;
        let summary = running.close()?;
        let seconds = summary.duration.as_secs_f64();
        note(format_args!("{} lines and intermediate records in {seconds:.1} s", summary.metrics.consumed));
        Ok(())
    })
}

/// Shows findings until a signal, or until a finite input is processed.
fn show_until_end(running: &mut Running, flags: &Flags, display: &mut Display) -> Result<(), Failure> {
    let mut findings = TopicReader::new(running.cluster(), &flags.output_topic, Duration::from_secs(30))?;
    let finite = flags.input.is_some() && !flags.follow;
    loop {
        let stopped = running.step(Duration::ZERO)? == Some(Outcome::Stopped);
        let processed = finite && running.is_processed()?;
        if stopped || processed {
            findings.read_to_end(|record| record.payload().map_or(Ok(()), |json| display.take(json)), Duration::from_secs(30))?;
            display.renew(true)?;
            return Ok(());
        }
        findings.read_for(|record| record.payload().map_or(Ok(()), |json| display.take(json)), Duration::from_millis(300))?;
        display.renew(false)?;
    }
}

fn read_owners(path: &std::path::Path) -> Result<Vec<(String, String)>, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read --owners {}: {error}", path.display())))?;
    let owner = |line: &str| line.split_once(',').map(|(service, owner)| (service.trim().to_owned(), owner.trim().to_owned()));
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| owner(line).ok_or_else(|| Failure::usage(format!("`{line}` in {} is not `service,owner`", path.display())))).collect()
}
