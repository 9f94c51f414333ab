//! One run of this library, in a process of its own.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kstreams::prelude::*;

use super::checksum::checksum;
use super::command::Job;
use super::figures::{Figures, LIBRARY};
use super::generator::{Input, WORDS_PER_LINE};
use super::progress::{Completion, Progress};
use super::topics::Topics;
use super::topologies::topology;
use super::usage::Snapshot;
use super::workload::{Workload, scale, size};
use super::{BenchResult, bootstrap_servers, is_on};

/// How long a run may take.
const RUN_TIMEOUT: Duration = Duration::from_secs(600);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs a workload to its end and prints its figures.
pub fn run(job: &Job) -> BenchResult<()> {
    let n = size()?;
    let servers = bootstrap_servers()?;
    let application_id =
        format!("bench-kstreams-{}-{}-{}", job.workload.name(), job.mode.name(), SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis());
    let (input, output) = (job.workload.input().topic(n), format!("{application_id}-out"));
    let topics = Topics::connect(&servers, &application_id)?;
    topics.create(&output)?;
    let state = StateFolder::new(&application_id)?;

    let records = match job.workload.input() {
        Input::KeyValues | Input::FewKeys => n,
        Input::Lines => n / WORDS_PER_LINE * WORDS_PER_LINE,
    };
    let (progress, completion) = Progress::new(records);
    let streams = KafkaStreams::new(topology(job.workload, &input, &output, &progress)?, config(job, &application_id, &servers, &state)?)?;
    streams.start()?;
    wait(&streams, &progress, &completion)?;
    if !streams.close(CLOSE_TIMEOUT) {
        return Err(format!("the application did not close within {} s", CLOSE_TIMEOUT.as_secs()).into());
    }
    let end = Snapshot::take();
    if let Some(failure) = streams.failure() {
        return Err(failure.into());
    }

    let mut figures = Figures::new(LIBRARY, *job, records, &progress.marks(), &end, progress.output())?;
    figures.committed = topics.is_committed(&input)?;
    if is_on("VERIFY") {
        let sum = checksum(&topics, &output, job.workload.summing())?;
        if job.workload.expected_checksum(scale()?).is_some_and(|expected| expected != sum) {
            eprintln!("WRONG OUTPUT: {} {} gives {sum}", job.workload.name(), job.mode.name());
        }
        figures.checksum = Some(sum);
    }
    figures.print()?;
    if !is_on("KEEP") {
        topics.delete_with_prefix(&application_id)?;
    }
    Ok(())
}

/// One worker thread; everything else as it is by default.
fn config(job: &Job, application_id: &str, servers: &str, state: &StateFolder) -> BenchResult<StreamsConfig> {
    let guarantee = if job.mode.is_exactly_once() { ProcessingGuarantee::ExactlyOnceV2 } else { ProcessingGuarantee::AtLeastOnce };
    let mut config = StreamsConfig::new(application_id, servers)
        .with_processing_guarantee(guarantee)
        .set("state.dir", state.0.display())?
        .set("num.stream.threads", 1)?
        .set("commit.interval.ms", job.mode.commit_interval_ms())?;
    if job.workload == Workload::CountNoCache {
        config = config.set("statestore.cache.max.bytes", 0)?;
    }
    // BENCH_CONFIG="name=value name=value" tries other settings.
    for setting in std::env::var("BENCH_CONFIG").unwrap_or_default().split_whitespace() {
        let (name, value) = setting.split_once('=').ok_or_else(|| format!("BENCH_CONFIG has `{setting}`, which is not NAME=VALUE"))?;
        config = config.set(name, value)?;
    }
    Ok(config)
}

fn wait(streams: &KafkaStreams, progress: &Progress, completion: &Completion) -> BenchResult<()> {
    let step = Duration::from_millis(500);
    let mut waited = Duration::ZERO;
    while !completion.wait(step) {
        waited += step;
        if let Some(failure) = streams.failure() {
            return Err(failure.into());
        }
        if waited >= RUN_TIMEOUT {
            return Err(format!("{} records were processed after {} s", progress.processed(), RUN_TIMEOUT.as_secs()).into());
        }
    }
    Ok(())
}

/// A fresh folder for stores, removed at the end.
struct StateFolder(PathBuf);

impl StateFolder {
    fn new(application_id: &str) -> BenchResult<Self> {
        let parent = std::env::var_os("BENCH_STATE").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = parent.join(application_id);
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for StateFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} could not be removed: {error}", self.0.display());
        }
    }
}
