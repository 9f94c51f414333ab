//! What is counted and measured. Counters of the library itself have one writer, any number of readers, and no lock.

mod custom;
mod sensor;

use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use custom::MetricRegistry;
pub use custom::{MetricName, StreamsMetrics};
pub use sensor::Sensor;

/// A counter with a single writer: adding is a plain load and store, reading is possible from any thread.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only one thread may write at a time; a second writer would lose counts, nothing else.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The count so far.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets it: for figures that are measured, not counted.
    #[inline]
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }
}

/// What one task counts. Kafka Streams' names are in `stream-task-metrics`.
#[derive(Debug, Default)]
pub struct TaskMetrics {
    /// Records taken from source topics.
    pub consumed: Counter,
    /// Records sent to topics other than changelogs.
    pub produced: Counter,
    /// Records sent to changelogs.
    pub changelogged: Counter,
    /// `dropped-records-total`: records that an operator, extractor or handler left out.
    pub dropped: Counter,
    /// Records read from changelogs before the task ran.
    pub restored: Counter,
    /// Commits in which the task took part.
    pub commits: Counter,
    /// `punctuate-total`: punctuator calls.
    pub punctuations: Counter,
    /// `enforced-processing-total`: records processed although a partition was empty for `max.task.idle.ms`.
    pub enforced: Counter,
}
