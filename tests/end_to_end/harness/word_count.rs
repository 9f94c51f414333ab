//! Word count as most tests run it: without cache, with topics of its own, and an audit of what came out.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::{Audit, Cluster, Example, PATIENCE, count_words};

/// One application and what was fed to it.
pub struct WordCount<'c> {
    cluster: &'c Cluster,
    application: String,
    input: String,
    output: String,
    lines: Vec<String>,
}

impl<'c> WordCount<'c> {
    /// Makes the topics.
    pub fn new(cluster: &'c Cluster, partitions: i32) -> Self {
        // A test may have several on one cluster.
        static APPLICATIONS: AtomicU32 = AtomicU32::new(0);
        let number = APPLICATIONS.fetch_add(1, Ordering::Relaxed);
        let [input, output] = ["lines", "counts"].map(|topic| cluster.topic(&format!("{topic}-{number}"), partitions, &[]));
        Self { cluster, application: cluster.unique(&format!("word-count-{number}")), input, output, lines: Vec::new() }
    }

    pub fn application(&self) -> &str {
        &self.application
    }

    pub fn input(&self) -> &str {
        &self.input
    }

    pub fn output(&self) -> &str {
        &self.output
    }

    pub fn changelog(&self) -> String {
        format!("{}-counts-changelog", self.application)
    }

    /// A process under exactly-once, with short sessions, so that a dead one is missed soon.
    pub fn command(&self, state_dir: &Path) -> Command {
        let mut command = Example::command("word_count", self.cluster, &self.application, state_dir);
        command.args(["--input-topic", &self.input, "--output-topic", &self.output, "--cache-max-bytes", "0"]);
        command.args(["--processing-guarantee", "exactly_once_v2", "--commit-interval-ms", "100"]);
        for setting in ["session.timeout.ms=6000", "heartbeat.interval.ms=1500", "transaction.timeout.ms=6000"] {
            command.args(["--config", setting]);
        }
        command
    }

    /// Starts a process and waits until it runs.
    pub fn start(&self, state_dir: &Path) -> Example {
        let example = Example::spawn(self.command(state_dir));
        example.await_running();
        example
    }

    /// Writes lines.
    pub fn feed(&mut self, lines: impl IntoIterator<Item = String>) {
        let lines: Vec<String> = lines.into_iter().collect();
        self.cluster.produce(&self.input, lines.iter().map(|line| (None::<&str>, line)));
        self.lines.extend(lines);
    }

    /// Writes lines, and calls `meanwhile` when the first of them are counted, so that it meets work in progress.
    pub fn feed_while(&mut self, lines: impl IntoIterator<Item = String>, meanwhile: impl FnOnce()) {
        let lines: Vec<String> = lines.into_iter().collect();
        let before: i64 = self.cluster.ends(&self.output).iter().sum();
        std::thread::scope(|scope| {
            scope.spawn(|| self.cluster.produce(&self.input, lines.iter().map(|line| (None::<&str>, line))));
            let deadline = Instant::now() + PATIENCE;
            while self.cluster.ends(&self.output).iter().sum::<i64>() < before + 500 {
                assert!(Instant::now() < deadline, "nothing is counted");
                std::thread::yield_now();
            }
            meanwhile();
        });
        self.lines.extend(lines);
    }

    /// Notes a line that the test wrote itself.
    pub fn note(&mut self, line: String) {
        self.lines.push(line);
    }

    /// The true counts.
    pub fn truth(&self) -> BTreeMap<String, i64> {
        count_words(self.lines.iter().map(String::as_str))
    }

    /// How many words were fed.
    pub fn words(&self) -> u64 {
        self.truth().values().sum::<i64>().unsigned_abs()
    }

    /// Waits until every line is counted and committed.
    pub fn await_processed(&self) {
        self.cluster.await_processed(&self.application, &self.input, PATIENCE);
    }

    /// What a committed reader sees.
    pub fn audit(&self) -> Audit {
        let mut audit = Audit::new();
        for row in self.cluster.read_all(&self.output) {
            audit.take(&row);
        }
        audit
    }

    /// Every word was counted 1, 2, 3 … n.
    pub fn assert_exactly_once(&self) {
        self.audit().assert_exactly_once(&self.truth());
    }
}
