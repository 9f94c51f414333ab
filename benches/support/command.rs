//! The command line: what a person asks for, and what the processes of a run are told.

use super::workload::{Mode, Workload};

const USAGE: &str = "\
usage: cargo bench --bench workloads -- [WORKLOAD | MODE]...
  WORKLOAD   pipe, count, count-nocache, window, wordcount    [all]
  MODE       alos, eos, alos100 (alos, commit.interval.ms=100)   [all]
environment
  KSTREAMS_BOOTSTRAP_SERVERS  a cluster to run on         [an embedded broker in a process of its own]
  BENCH_SCALE=1    scales the number of records           BENCH_RUNS=2     rounds; the least figure of each counts
  VERIFY=1         compares a checksum of the output      KEEP=1           keeps the topics that a run wrote
  BENCH_STATE      folder for stores                      [a temporary folder]";

/// One measured run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// What is run.
    pub workload: Workload,
    /// With which guarantee.
    pub mode: Mode,
}

/// What is asked for; empty means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    workloads: Vec<Workload>,
    modes: Vec<Mode>,
}

impl Selection {
    /// The runs of one round, in order.
    pub fn jobs(&self) -> Vec<Job> {
        let workloads = Workload::ALL.into_iter().filter(|workload| self.workloads.is_empty() || self.workloads.contains(workload));
        let jobs = workloads.flat_map(|workload| Mode::ALL.into_iter().map(move |mode| Job { workload, mode }));
        jobs.filter(|job| match job.mode {
            // It exists only for the ratio of the guarantees at equal intervals.
            Mode::AtLeastOnce100 if self.modes.is_empty() => job.workload.compares_guarantees(),
            mode => self.modes.is_empty() || self.modes.contains(&mode),
        })
        .collect()
    }
}

/// What this process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Runs everything selected, each in a process of its own, and reports.
    Suite(Selection),
    /// One run of the library.
    Measure(Job),
    /// One run of the bare loop.
    Bare {
        /// Of `pipe`, with this guarantee.
        job: Job,
        /// Whether key and value become owned strings.
        owned_strings: bool,
    },
    /// An embedded broker, until standard input ends.
    Broker,
    /// Prints this.
    Help(&'static str),
}

impl Command {
    /// Reads the command line.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.collect();
        match arguments.first().map(String::as_str) {
            Some("--broker") => return Ok(Self::Broker),
            Some("--measure") => return Ok(Self::Measure(job(&arguments)?)),
            Some("--bare") => return Ok(Self::Bare { job: job(&arguments)?, owned_strings: false }),
            Some("--bare-strings") => return Ok(Self::Bare { job: job(&arguments)?, owned_strings: true }),
            _ => {}
        }
        let mut selection = Selection::default();
        for argument in &arguments {
            if let Some(workload) = Workload::named(argument) {
                selection.workloads.push(workload);
            } else if let Some(mode) = Mode::named(argument) {
                selection.modes.push(mode);
            } else if argument == "--help" || argument == "-h" {
                return Ok(Self::Help(USAGE));
            } else if argument != "--bench" {
                // `--bench` is cargo's own.
                return Err(format!("`{argument}` is neither a workload nor a mode\n{USAGE}"));
            }
        }
        Ok(Self::Suite(selection))
    }
}

fn job(arguments: &[String]) -> Result<Job, String> {
    let [_, workload, mode] = arguments else { return Err("a run takes a workload and a mode".to_owned()) };
    let workload = Workload::named(workload).ok_or_else(|| format!("no workload `{workload}`"))?;
    let mode = Mode::named(mode).ok_or_else(|| format!("no mode `{mode}`"))?;
    Ok(Job { workload, mode })
}
