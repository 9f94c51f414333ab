//! The table and the ratios of a run.

use std::fmt;

use super::command::Job;
use super::figures::{BARE, BARE_STRINGS, Figures, LIBRARY};
use super::java::java;
use super::workload::{Mode, Workload};

/// All figures of a run.
pub struct Report {
    cluster: String,
    scale: f64,
    runs: Vec<Figures>,
    failures: Vec<(Job, String)>,
}

/// A ratio, with what it shall be at most.
struct Ratio {
    what: String,
    value: f64,
    mark: f64,
    goal: f64,
    detail: String,
}

impl Report {
    /// An empty one.
    pub fn new(cluster: String, scale: f64) -> Self {
        Self { cluster, scale, runs: Vec::new(), failures: Vec::new() }
    }

    /// Adds a run.
    pub fn add(&mut self, figures: Figures) {
        self.runs.push(figures);
    }

    /// Notes a run that did not reach its end.
    pub fn failed(&mut self, job: Job, error: &str) {
        eprintln!("{error}");
        self.failures.push((job, error.to_owned()));
    }

    /// Whether there is one.
    pub fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    fn of<'a>(&'a self, implementation: &'a str, workload: Workload, mode: Mode) -> impl Iterator<Item = &'a Figures> + 'a {
        self.runs
            .iter()
            .filter(move |run| run.implementation == implementation && run.workload == workload.name() && run.guarantee == mode.name())
    }

    /// The least of a figure over the rounds: what disturbs a run only ever adds.
    fn least(&self, implementation: &str, workload: Workload, mode: Mode, figure: impl Fn(&Figures) -> f64) -> Option<f64> {
        self.of(implementation, workload, mode).map(figure).reduce(f64::min)
    }

    fn ratios(&self) -> Vec<Ratio> {
        let mut ratios = Vec::new();
        self.add_bare_ratios(&mut ratios);
        self.add_guarantee_ratios(&mut ratios);
        self.add_java_ratios(&mut ratios);
        ratios
    }

    fn add_bare_ratios(&self, ratios: &mut Vec<Ratio>) {
        for mode in [Mode::AtLeastOnce, Mode::ExactlyOnce] {
            let cpu = |implementation| self.least(implementation, Workload::Pipe, mode, |run| run.cpu_us_per_record);
            if let (Some(ours), Some(bare), Some(strings)) = (cpu(LIBRARY), cpu(BARE), cpu(BARE_STRINGS)) {
                ratios.push(Ratio {
                    what: format!("pipe {}: CPU per record, to the bare loop", mode.name()),
                    value: ours / bare,
                    mark: 1.5,
                    goal: 1.25,
                    detail: format!("{ours:.2} to {bare:.2} µs; with owned strings the bare loop takes {strings:.2}"),
                });
            }
        }
    }

    fn add_guarantee_ratios(&self, ratios: &mut Vec<Ratio>) {
        for workload in Workload::ALL.into_iter().filter(|workload| workload.compares_guarantees()) {
            let cpu = |mode| self.least(LIBRARY, workload, mode, |run| run.cpu_us_per_record);
            if let (Some(eos), Some(alos)) = (cpu(Mode::ExactlyOnce), cpu(Mode::AtLeastOnce100)) {
                ratios.push(Ratio {
                    what: format!("{}: eos to alos, CPU per record, both with commit.interval.ms=100", workload.name()),
                    value: eos / alos,
                    mark: 1.3,
                    goal: 1.1,
                    detail: format!("{eos:.2} to {alos:.2} µs"),
                });
            }
        }
    }

    fn add_java_ratios(&self, ratios: &mut Vec<Ratio>) {
        for workload in Workload::ALL {
            for mode in [Mode::AtLeastOnce, Mode::ExactlyOnce] {
                let Some(java) = java(Job { workload, mode }) else { continue };
                if matches!(workload, Workload::Count | Workload::CountNoCache) {
                    if let Some(ours) = self.least(LIBRARY, workload, mode, |run| run.cpu_us_per_record) {
                        ratios.push(Ratio {
                            what: format!("{} {}: CPU per record, to Java without its JIT", workload.name(), mode.name()),
                            value: ours / java.steady_nojit_cpu_us,
                            mark: 1.0 / 3.0,
                            goal: if mode.is_exactly_once() { 0.25 } else { 0.2 },
                            detail: format!("{ours:.2} to {:.1} µs", java.steady_nojit_cpu_us),
                        });
                    }
                }
                let bare = self.least(BARE, Workload::Pipe, mode, |run| run.peak_rss_mb).unwrap_or(0.0);
                // The least memory that is asked for: a quarter more than what the clients alone take.
                let floor = 1.25 * bare / java.peak_rss_mb;
                if let Some(ours) = self.least(LIBRARY, workload, mode, |run| run.peak_rss_mb) {
                    ratios.push(Ratio {
                        what: format!("{} {}: peak memory, to Java", workload.name(), mode.name()),
                        value: ours / java.peak_rss_mb,
                        mark: f64::max(0.25, floor),
                        goal: f64::max(0.125, floor),
                        detail: format!("{ours:.0} to {:.0} MiB; the bare loop: {bare:.0}", java.peak_rss_mb),
                    });
                }
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nOn {}, scale {}; least of the runs of each:\n", self.cluster, self.scale)?;
        writeln!(
            f,
            "| {:<17} | {:<13} | {:<7} | CPU µs/record | steady | Java steady, no JIT | records/s | peak MiB | out records |",
            "", "workload", "mode"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        for implementation in [BARE, BARE_STRINGS, LIBRARY] {
            for workload in Workload::ALL {
                for mode in Mode::ALL {
                    let Some(run) = self.of(implementation, workload, mode).min_by(|run, other| run.cpu_s.total_cmp(&other.cpu_s)) else {
                        continue;
                    };
                    let java = java(Job { workload, mode }).map_or_else(String::new, |java| format!("{:.1}", java.steady_nojit_cpu_us));
                    writeln!(
                        f,
                        "| {implementation:<17} | {:<13} | {:<7} | {:>13.2} | {:>6.2} | {java:>19} | {:>9.0} | {:>8.0} | {:>11} |{}",
                        run.workload,
                        run.guarantee,
                        run.cpu_us_per_record,
                        run.steady_cpu_us_per_record,
                        run.records_per_s,
                        run.peak_rss_mb,
                        run.output_records,
                        if run.committed { "" } else { " NOT COMMITTED" }
                    )?;
                }
            }
        }
        writeln!(f, "\n| ratio | is | mark | goal | |\n|---|---|---|---|---|")?;
        for Ratio { what, value, mark, goal, detail } in self.ratios() {
            let verdict = match value {
                value if value <= goal => "goal reached",
                value if value <= mark => "mark reached",
                _ => "MISSED",
            };
            writeln!(f, "| {what} ({detail}) | {value:.3} | {mark:.3} | {goal:.3} | {verdict} |")?;
        }
        for (job, error) in &self.failures {
            writeln!(f, "\nFAILED: {} {}: {error}", job.workload.name(), job.mode.name())?;
        }
        Ok(())
    }
}
