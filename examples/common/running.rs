//! An example while it runs, and its end.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::executor::block_on_stream;
use kstreams::prelude::{KafkaStreams, Metrics, State};
use rdkafka::consumer::BaseConsumer;

use super::events::Event;
use super::feed::feed;
use super::{Application, BoxError, Cluster, Failure, Input};

/// How long the end may take before it is given up.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// How often progress is looked at.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Why waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that was fed is processed.
    Processed,
    /// A signal asked for the end.
    Stopped,
    /// The given time is over.
    TimedOut,
}

/// The figures of a run.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// The application's counters.
    pub metrics: Metrics,
    /// From the start to the end of the run.
    pub duration: Duration,
}

/// A started example.
pub struct Running {
    // Dropped first: a client that outlives the embedded broker would complain.
    observer: BaseConsumer,
    streams: Arc<KafkaStreams>,
    application: Application,
    started: Instant,
    fed_topics: Vec<String>,
    feeding: usize,
    is_closed: bool,
}

impl Running {
    pub(super) fn new(application: Application, streams: KafkaStreams) -> Result<Self, Failure> {
        let streams = Arc::new(streams);
        watch(&streams, application.events.sender())?;
        let observer = application.cluster.observer()?;
        Ok(Self { observer, streams, application, started: Instant::now(), fed_topics: Vec::new(), feeding: 0, is_closed: false })
    }

    /// Plain clients of the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.application.cluster
    }

    /// The application's counters now.
    pub fn metrics(&self) -> Metrics {
        self.streams.metrics()
    }

    /// Feeds the lines of `input` into a topic, beside the processing.
    pub fn feed(&mut self, input: &Input, topic: &str, follow: bool) -> Result<(), Failure> {
        let (cluster, events, stop) =
            (self.application.cluster.clone(), self.application.events.sender(), self.application.events.stop_flag());
        let (input, into) = (input.clone(), topic.to_owned());
        std::thread::Builder::new().name("feed".to_owned()).spawn(move || {
            let result = feed(&cluster, &input, &into, follow, &stop);
            // Nobody listens any more when the example has ended meanwhile.
            let _ = events.send(Event::Fed(result));
        })?;
        self.fed_topics.push(topic.to_owned());
        self.feeding += 1;
        Ok(())
    }

    /// Waits until a signal.
    pub fn until_stopped(&mut self) -> Result<(), Failure> {
        while self.step(Duration::from_secs(3600))? != Some(Outcome::Stopped) {}
        Ok(())
    }

    /// Waits until all fed lines, and what they led to, are processed and committed; or until a signal. Shows progress on the way.
    pub fn until_processed(&mut self) -> Result<Outcome, Failure> {
        let mut progress = Progress::new();
        loop {
            if let Some(outcome) = self.step(PROGRESS_INTERVAL)? {
                progress.end();
                return Ok(outcome);
            }
            let fed = self.feeding == 0;
            let lag = if fed || progress.is_due() { self.lag()? } else { None };
            if fed && lag == Some(0) {
                progress.end();
                return Ok(Outcome::Processed);
            }
            progress.show(&self.streams.metrics(), lag, fed);
        }
    }

    /// Whether everything that was fed is processed and committed.
    pub fn is_processed(&self) -> Result<bool, Failure> {
        Ok(self.feeding == 0 && self.lag()? == Some(0))
    }

    /// Waits for one event, at most `timeout`; `Some` when the example shall end.
    pub fn step(&mut self, timeout: Duration) -> Result<Option<Outcome>, Failure> {
        match self.application.events.next(timeout) {
            Some(Event::Signal) => Ok(Some(Outcome::Stopped)),
            Some(Event::Fed(result)) => {
                result?;
                self.feeding -= 1;
                Ok(None)
            }
            Some(Event::Ended) => {
                let reason = self.streams.failure().unwrap_or_else(|| "the application ended by itself".to_owned());
                Err(reason.into())
            }
            None => Ok(None),
        }
    }

    /// How much is left to be processed; `None` when a signal came before that was known.
    fn lag(&self) -> Result<Option<i64>, BoxError> {
        self.application.cluster.lag(&self.observer, &self.fed_topics, &self.application.events.stop_flag())
    }

    /// Where the stores of this run lie.
    pub fn state_location(&self) -> String {
        let folder = self.application.config.state_dir().join(self.application.config.application_id());
        match self.application.temporary_state {
            Some(_) => format!("{} (removed at the end; --state-dir FOLDER keeps it)", folder.display()),
            None => folder.display().to_string(),
        }
    }

    /// Commits, closes, and prints what was done.
    pub fn close(mut self) -> Result<Summary, Failure> {
        self.application.events.request_stop();
        let closed = self.streams.close(CLOSE_TIMEOUT);
        self.is_closed = true;
        let summary = Summary { metrics: self.streams.metrics(), duration: self.started.elapsed() };
        let Metrics { consumed, produced, restored, commits, dropped, .. } = summary.metrics;
        println!("finished: in {consumed}, out {produced}, restored {restored}, dropped {dropped}, commits {commits}");
        if self.streams.state() == State::Error {
            let reason = self.streams.failure().unwrap_or_else(|| "the application ended with an error".to_owned());
            return Err(reason.into());
        }
        if !closed {
            return Err(format!("the application did not end within {} s", CLOSE_TIMEOUT.as_secs()).into());
        }
        Ok(summary)
    }
}

impl Drop for Running {
    /// After an error: the application ends before the embedded broker does, or its clients would complain of that and hide the reason.
    fn drop(&mut self) {
        if !self.is_closed {
            self.application.events.request_stop();
            self.streams.close(CLOSE_TIMEOUT);
        }
    }
}

/// Prints `running: tasks …` whenever the application runs with other tasks than before, and reports its end.
fn watch(streams: &Arc<KafkaStreams>, events: std::sync::mpsc::Sender<Event>) -> Result<(), Failure> {
    let (states, streams) = (streams.states(), Arc::downgrade(streams));
    std::thread::Builder::new().name("states".to_owned()).spawn(move || {
        let mut shown = None;
        for state in block_on_stream(states) {
            let Some(streams) = streams.upgrade() else { return };
            match state {
                State::Running => {
                    let mut tasks: Vec<_> = streams.tasks().iter().map(|task| task.id).collect();
                    tasks.sort();
                    if shown.as_ref() != Some(&tasks) {
                        let names: Vec<String> = tasks.iter().map(ToString::to_string).collect();
                        let names = if names.is_empty() { "none; all are with other processes".to_owned() } else { names.join(" ") };
                        println!("running: tasks {names}");
                        shown = Some(tasks);
                    }
                }
                State::Error | State::NotRunning => {
                    let _ = events.send(Event::Ended);
                }
                _ => {}
            }
        }
    })?;
    Ok(())
}

/// One line that changes in place on a terminal, and a line every few seconds elsewhere.
struct Progress {
    terminal: bool,
    shown: Instant,
    visible: bool,
}

impl Progress {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), shown: Instant::now(), visible: false }
    }

    fn is_due(&self) -> bool {
        self.shown.elapsed() >= if self.terminal { Duration::from_millis(400) } else { Duration::from_secs(5) }
    }

    fn show(&mut self, metrics: &Metrics, lag: Option<i64>, fed: bool) {
        if !self.is_due() {
            return;
        }
        let lag = lag.map_or_else(String::new, |lag| format!(", {lag} waiting"));
        let feeding = if fed { "" } else { " (still feeding)" };
        let text =
            format!("progress: {} records in, {} out, {} commits{lag}{feeding}", metrics.consumed, metrics.produced, metrics.commits);
        if self.terminal {
            eprint!("\r\x1b[2K{text}");
            // A terminal that takes no more output is no reason to stop.
            let _ = std::io::stderr().flush();
            self.visible = true;
        } else {
            eprintln!("{text}");
        }
        self.shown = Instant::now();
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.visible) {
            eprintln!();
        }
    }
}
