//! How far a run is, counted by the topology itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::usage::Snapshot;

/// Counts records where they are processed, and takes a snapshot at the first (A), behind a quarter (Q) and at the last (B).
///
/// One worker thread counts, so plain loads and stores will do: a step must cost next to nothing.
pub struct Progress {
    total: u64,
    processed: AtomicU64,
    output: AtomicU64,
    marks: Mutex<Marks>,
    done: Mutex<Option<Sender<()>>>,
}

/// The snapshots of a run.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// A.
    pub first: Option<Snapshot>,
    /// Q.
    pub quarter: Option<Snapshot>,
    /// B.
    pub last: Option<Snapshot>,
}

/// Tells when the last record is processed.
pub struct Completion(Receiver<()>);

impl Completion {
    /// Waits for it; `false` after `timeout`.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.0.recv_timeout(timeout).is_ok()
    }
}

impl Progress {
    /// For a run of `total` records.
    pub fn new(total: u64) -> (Arc<Self>, Completion) {
        let (sender, receiver) = channel();
        let progress = Self {
            total,
            processed: AtomicU64::new(0),
            output: AtomicU64::new(0),
            marks: Mutex::default(),
            done: Mutex::new(Some(sender)),
        };
        (Arc::new(progress), Completion(receiver))
    }

    /// Processing begins, be it before the first counted record.
    #[inline]
    pub fn start(&self) {
        if self.processed.load(Ordering::Relaxed) == 0 {
            self.mark(|marks| marks.first = marks.first.take().or_else(|| Some(Snapshot::take())));
        }
    }

    /// One record is processed.
    #[inline]
    pub fn one(&self) {
        let before = self.processed.load(Ordering::Relaxed);
        let now = before + 1;
        if before == 0 {
            self.start();
        }
        self.processed.store(now, Ordering::Relaxed);
        if now == self.total / 4 {
            self.mark(|marks| marks.quarter = Some(Snapshot::take()));
        }
        if now == self.total {
            self.mark(|marks| marks.last = Some(Snapshot::take()));
            if let Some(done) = self.done.lock().unwrap_or_else(PoisonError::into_inner).take() {
                // Without a receiver nobody waits any more.
                done.send(()).ok();
            }
        }
    }

    /// One record goes to the sink.
    #[inline]
    pub fn out(&self) {
        self.output.store(self.output.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// How many were processed.
    pub fn processed(&self) -> u64 {
        self.processed.load(Ordering::Relaxed)
    }

    /// How many went to the sink.
    pub fn output(&self) -> u64 {
        self.output.load(Ordering::Relaxed)
    }

    /// The snapshots so far.
    pub fn marks(&self) -> Marks {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[cold]
    fn mark(&self, change: impl FnOnce(&mut Marks)) {
        change(&mut self.marks.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
