//! All selected runs, one after the other, each in a fresh process, so that memory and CPU time are its own.

use std::process::{Command, Stdio};

use super::broker::Cluster;
use super::command::{Job, Selection};
use super::figures::Figures;
use super::report::Report;
use super::topics::Topics;
use super::workload::{Mode, Workload, scale, size};
use super::{BOOTSTRAP_SERVERS, BenchResult, number_from};

/// Runs everything, prints each run's line and then the report.
pub fn run(selection: &Selection) -> BenchResult<()> {
    let (n, rounds) = (size()?, number_from("BENCH_RUNS", 2_u32)?);
    let jobs = selection.jobs();
    let cluster = Cluster::start()?;
    let topics = Topics::connect(cluster.bootstrap_servers(), "bench-observer")?;
    for workload in Workload::ALL.into_iter().filter(|workload| jobs.iter().any(|job| job.workload == *workload)) {
        topics.preload(workload.input(), n)?;
    }
    // The loop reads the input of `pipe`.
    topics.preload(Workload::Pipe.input(), n)?;

    let mut report = Report::new(cluster.description(), scale()?);
    // Round after round, so that whatever else the machine does meets all of them.
    for _ in 0..rounds {
        for mode in Mode::ALL.into_iter().filter(|mode| jobs.iter().any(|job| job.mode == *mode)) {
            for what in ["--bare", "--bare-strings"] {
                report.add(run_child(what, Job { workload: Workload::Pipe, mode }, &cluster)?);
            }
        }
        for job in &jobs {
            match run_child("--measure", *job, &cluster) {
                Ok(figures) => report.add(figures),
                Err(error) => report.failed(*job, &error.to_string()),
            }
        }
    }
    println!("{report}");
    if report.has_failures() { Err("not every run reached its end".into()) } else { Ok(()) }
}

fn run_child(what: &str, job: Job, cluster: &Cluster) -> BenchResult<Figures> {
    let name = format!("{what} {} {}", job.workload.name(), job.mode.name());
    let child = Command::new(std::env::current_exe()?)
        .args([what, job.workload.name(), job.mode.name()])
        .env(BOOTSTRAP_SERVERS, cluster.bootstrap_servers())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(format!("the run `{name}` ended with {}", output.status).into());
    }
    let line = text.lines().find(|line| line.starts_with('{')).ok_or_else(|| format!("the run `{name}` printed no figures"))?;
    println!("{line}");
    Ok(serde_json::from_str(line)?)
}
