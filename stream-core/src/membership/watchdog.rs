//! Sees to it that a stuck worker does not keep its tasks: only a subscribed consumer that is not polled is noticed by librdkafka, and
//! the membership thread always polls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::time::Clock;

/// Watches the progress of workers against `max.poll.interval.ms`.
pub struct Watchdog {
    clock: Arc<dyn Clock>,
    limit: Duration,
    workers: Mutex<Vec<Weak<Progress>>>,
}

/// A worker's side: what it tells about itself. Dropping it ends the watch.
pub struct Progress {
    worker: Arc<str>,
    clock: Arc<dyn Clock>,
    /// Monotonic milliseconds.
    noted: AtomicU64,
}

/// A worker without progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// Its name.
    pub worker: Arc<str>,
    /// How long ago it last made progress.
    pub since: Duration,
}

impl Watchdog {
    /// `limit` is `max.poll.interval.ms`.
    pub fn new(clock: Arc<dyn Clock>, limit: Duration) -> Self {
        Self { clock, limit, workers: Mutex::new(Vec::new()) }
    }

    /// Begins to watch a worker, which has made progress right now.
    pub fn register(&self, worker: impl Into<Arc<str>>) -> Arc<Progress> {
        let progress = Arc::new(Progress { worker: worker.into(), clock: Arc::clone(&self.clock), noted: AtomicU64::new(0) });
        progress.note();
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&progress));
        progress
    }

    /// The worker that has been without progress for longest, if that is longer than the limit.
    pub fn stalled(&self) -> Option<Stalled> {
        let now = self.clock.monotonic();
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.retain(|worker| worker.strong_count() > 0);
        let stalled = workers.iter().filter_map(Weak::upgrade).map(|progress| Stalled {
            worker: Arc::clone(&progress.worker),
            since: now.saturating_sub(Duration::from_millis(progress.noted.load(Ordering::Relaxed))),
        });
        stalled.filter(|stalled| stalled.since > self.limit).max_by_key(|stalled| stalled.since)
    }

    /// `max.poll.interval.ms`.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

impl Progress {
    /// The worker is alive: to be called once per turn of its loop, before it may block.
    #[inline]
    pub fn note(&self) {
        self.noted.store(u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    #[test]
    fn a_worker_without_progress_is_named_until_it_moves_or_ends() {
        let clock = Arc::new(ManualClock::new(0));
        let watchdog = Watchdog::new(Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_millis(100));
        let (first, second) = (watchdog.register("worker-1"), watchdog.register("worker-2"));
        clock.advance(60);
        first.note();
        clock.advance(60);
        assert_eq!(watchdog.stalled(), Some(Stalled { worker: "worker-2".into(), since: Duration::from_millis(120) }));
        second.note();
        assert_eq!(watchdog.stalled(), None);
        clock.advance(101);
        first.note();
        drop(second);
        assert_eq!(watchdog.stalled(), None);
    }
}
