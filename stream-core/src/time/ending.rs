//! How much time the end of the application has.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is kept for the end itself: aborting, flushing the stores, leaving the group.
const RESERVE: Duration = Duration::from_secs(4);

/// Whether the program asked for the end, and until when it waits for that. Written by the handle and read by all threads: what waits for
/// a broker that does not answer must not wait for longer than the program does.
#[derive(Debug, Default)]
pub(crate) struct Ending(Mutex<Option<Limits>>);

#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    /// When the last commit is given up.
    commit_by: Option<Instant>,
    end_by: Option<Instant>,
}

impl Ending {
    /// The program asks for the end. Of several calls, the one that wants it soonest counts.
    pub(crate) fn ask(&self, within: Duration) {
        let now = Instant::now();
        // A time beyond all clocks is no limit.
        let asked = Limits { commit_by: now.checked_add(within.saturating_sub(RESERVE.min(within / 2))), end_by: now.checked_add(within) };
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = |known: Option<Instant>, asked: Option<Instant>| known.into_iter().chain(asked).min();
        *limits = Some(match *limits {
            Some(known) => Limits { commit_by: earlier(known.commit_by, asked.commit_by), end_by: earlier(known.end_by, asked.end_by) },
            None => asked,
        });
    }

    fn limits(&self) -> Option<Limits> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the program asked for the end.
    pub(crate) fn is_asked(&self) -> bool {
        self.limits().is_some()
    }

    /// How long a commit may take, of the time that it has otherwise.
    pub(crate) fn limit_commit(&self, timeout: Duration) -> Duration {
        let by = self.limits().and_then(|limits| limits.commit_by);
        by.map_or(timeout, |by| timeout.min(by.saturating_duration_since(Instant::now())))
    }

    /// Whether a commit that still waits is to be given up.
    pub(crate) fn is_commit_over(&self) -> bool {
        self.limits().and_then(|limits| limits.commit_by).is_some_and(|by| Instant::now() >= by)
    }

    /// How long the program waits still.
    pub(crate) fn remaining(&self) -> Duration {
        let by = self.limits().and_then(|limits| limits.end_by);
        by.map_or(Duration::MAX, |by| by.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_has_its_own_time_until_the_end_is_asked_for_and_then_less_than_the_end_has() {
        let (ending, own) = (Ending::default(), Duration::from_secs(40));
        assert_eq!((ending.is_asked(), ending.limit_commit(own), ending.remaining()), (false, own, Duration::MAX));
        ending.ask(Duration::MAX);
        assert_eq!((ending.is_asked(), ending.limit_commit(own), ending.remaining()), (true, own, Duration::MAX));
        ending.ask(Duration::from_secs(10));
        assert!(ending.limit_commit(own) <= Duration::from_secs(6) && ending.limit_commit(own) > Duration::from_secs(1));
        assert!(!ending.is_commit_over() && ending.remaining() > ending.limit_commit(own));
        assert_eq!(ending.limit_commit(Duration::from_millis(5)), Duration::from_millis(5));
    }

    #[test]
    fn who_wants_the_end_soonest_has_it() {
        let ending = Ending::default();
        ending.ask(Duration::ZERO);
        ending.ask(Duration::from_secs(60));
        assert!(ending.is_commit_over());
        assert_eq!((ending.remaining(), ending.limit_commit(Duration::from_secs(1))), (Duration::ZERO, Duration::ZERO));
    }
}
