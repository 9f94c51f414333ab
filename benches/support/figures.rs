//! The figures of one run: one line of JSON on standard output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::progress::Marks;
use super::usage::{Snapshot, peak_rss_mb};
use super::{BenchResult, command::Job};

/// The name of an implementation: this library.
pub const LIBRARY: &str = "kstreams";
/// The bare loop over librdkafka.
pub const BARE: &str = "librdkafka";
/// The same, with owned strings for key and value: what the types of the topology cost by themselves.
pub const BARE_STRINGS: &str = "librdkafka+String";

/// One run. A to C is from the first record to the end of the close; Q to B from a quarter of the records to the last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// Who ran.
    #[serde(rename = "impl")]
    pub implementation: String,
    /// The workload.
    pub workload: String,
    /// The guarantee, `alos`, `eos` or `alos100`.
    pub guarantee: String,
    /// Records processed.
    pub records: u64,
    /// A to C, seconds.
    pub wall_s: f64,
    /// A to C, CPU seconds of the process.
    pub cpu_s: f64,
    /// The main figure.
    pub cpu_us_per_record: f64,
    /// A to C.
    pub records_per_s: f64,
    /// A to B, seconds.
    pub processed_wall_s: f64,
    /// A to B, CPU seconds.
    pub processed_cpu_s: f64,
    /// Q to B.
    pub steady_cpu_us_per_record: f64,
    /// Q to B. There is no JIT to subtract.
    pub steady_nojit_cpu_us_per_record: f64,
    /// Q to B.
    pub steady_records_per_s: f64,
    /// `VmHWM`, MiB.
    pub peak_rss_mb: f64,
    /// Records that reached the sink.
    pub output_records: u64,
    /// CPU seconds of the process from its start.
    pub process_cpu_s: f64,
    /// Whether the group's offsets are the ends of the input.
    pub committed: bool,
    /// Sum over the output, with `VERIFY=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// CPU seconds in A to B by kind of thread.
    pub threads: BTreeMap<String, f64>,
}

impl Figures {
    /// From the snapshots of a run that ended at `end` (C).
    pub fn new(implementation: &str, job: Job, records: u64, marks: &Marks, end: &Snapshot, output_records: u64) -> BenchResult<Self> {
        let (Some(first), Some(quarter), Some(last)) = (&marks.first, &marks.quarter, &marks.last) else {
            return Err("a run ended before all of its records were processed".into());
        };
        let wall = |from: &Snapshot, to: &Snapshot| to.wall.duration_since(from.wall).as_secs_f64();
        let cpu = |from: &Snapshot, to: &Snapshot| to.cpu.saturating_sub(from.cpu).as_secs_f64();
        let steady_records = (records - records / 4) as f64;
        let steady = cpu(quarter, last) * 1e6 / steady_records;
        let threads = last.threads.iter().filter_map(|(kind, ticks)| {
            let used = ticks.saturating_sub(first.threads.get(kind).copied().unwrap_or(0));
            (used > 0).then(|| ((*kind).to_owned(), used as f64 / 100.0))
        });
        Ok(Self {
            implementation: implementation.to_owned(),
            workload: job.workload.name().to_owned(),
            guarantee: job.mode.name().to_owned(),
            records,
            wall_s: round(wall(first, end)),
            cpu_s: round(cpu(first, end)),
            cpu_us_per_record: round(cpu(first, end) * 1e6 / records as f64),
            records_per_s: (records as f64 / wall(first, end)).round(),
            processed_wall_s: round(wall(first, last)),
            processed_cpu_s: round(cpu(first, last)),
            steady_cpu_us_per_record: round(steady),
            steady_nojit_cpu_us_per_record: round(steady),
            steady_records_per_s: (steady_records / wall(quarter, last)).round(),
            peak_rss_mb: peak_rss_mb()?.round(),
            output_records,
            process_cpu_s: round(end.cpu.as_secs_f64()),
            committed: true,
            checksum: None,
            threads: threads.collect(),
        })
    }

    /// Prints the line.
    pub fn print(&self) -> BenchResult<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

fn round(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}
