//! Sees to it that a stuck worker does not keep its tasks. librdkafka only notices a subscribed consumer that is not polled, and the
//! membership thread always polls.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// When each worker last made progress, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Watchdog(Mutex<BTreeMap<usize, Duration>>);

/// A worker without progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// Its number.
    pub worker: usize,
    /// How long ago it last made progress.
    pub since: Duration,
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} has made no progress for {:?}, longer than `max.poll.interval.ms`", self.worker, self.since)
    }
}

impl Watchdog {
    pub(super) fn note(&self, worker: usize, now: Duration) {
        self.lock().insert(worker, now);
    }

    pub(super) fn forget(&self, worker: usize) {
        self.lock().remove(&worker);
    }

    /// The worker that has been without progress for longest, if that is longer than `limit`.
    pub(super) fn stalled(&self, now: Duration, limit: Duration) -> Option<Stalled> {
        let workers = self.lock();
        let stalled = workers.iter().map(|(&worker, &noted)| Stalled { worker, since: now.saturating_sub(noted) });
        stalled.filter(|stalled| stalled.since > limit).max_by_key(|stalled| stalled.since)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_worker_without_progress_is_named_until_it_moves_or_ends() {
        let watchdog = Watchdog::default();
        watchdog.note(0, ms(0));
        watchdog.note(1, ms(0));
        watchdog.note(0, ms(60));
        assert_eq!(watchdog.stalled(ms(120), ms(100)), Some(Stalled { worker: 1, since: ms(120) }));
        watchdog.note(1, ms(120));
        assert_eq!(watchdog.stalled(ms(120), ms(100)), None);
        watchdog.note(0, ms(200));
        watchdog.forget(1);
        assert_eq!(watchdog.stalled(ms(300), ms(100)), None);
    }
}
