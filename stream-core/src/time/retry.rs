//! [`Retry`]: one thing that fails and is tried again.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// How often something is tried again, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// `retry.backoff.ms`: before the second attempt. Each later wait is twice as long.
    pub(crate) backoff: Duration,
    /// `retry.backoff.max.ms`: the longest wait.
    pub(crate) longest_backoff: Duration,
    /// `task.timeout.ms`: how long it may fail without a success between.
    pub(crate) timeout: Duration,
}

/// The failures of one thing since it last succeeded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retry {
    failing_since: Option<Duration>,
    failures: u32,
    due: Duration,
}

impl Retry {
    /// Notes a failure at `now` (monotonic clock). Returns how long to wait before the next attempt.
    ///
    /// # Errors
    /// The failure, of kind [`ErrorKind::TimedOut`], once the policy's time is over: it begins at the first failure, not at the start of
    /// what failed.
    pub(crate) fn failed(&mut self, error: Error, now: Duration, policy: &RetryPolicy) -> Result<Duration> {
        let since = *self.failing_since.get_or_insert(now);
        if now.saturating_sub(since) >= policy.timeout {
            let waited = format!("no progress for {} ms (`task.timeout.ms`)", policy.timeout.as_millis());
            return Err(error.with_kind(ErrorKind::TimedOut).at(waited));
        }
        let wait = policy.backoff.saturating_mul(2_u32.saturating_pow(self.failures)).min(policy.longest_backoff.max(policy.backoff));
        self.failures = self.failures.saturating_add(1);
        self.due = now + wait;
        Ok(wait)
    }

    /// It succeeded: the next failure is the first one.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Whether the last attempt failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing_since.is_some()
    }

    /// When the next attempt is to be made (monotonic clock); in the past while nothing failed.
    pub(crate) fn due(&self) -> Duration {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy { backoff: ms(100), longest_backoff: ms(1_000), timeout: ms(5_000) };

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn failure() -> Error {
        Error::retriable("the brokers are away")
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut retry = Retry::default();
        let waits: Vec<u128> = (0..6).map(|_| retry.failed(failure(), ms(7), &POLICY).expect("time is left").as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(retry.due(), ms(1_007));
    }

    #[test]
    fn the_time_runs_from_the_first_failure_and_a_success_ends_it() {
        let mut retry = Retry::default();
        assert!(retry.failed(failure(), ms(60_000), &POLICY).is_ok());
        assert!(retry.failed(failure(), ms(64_999), &POLICY).is_ok());
        retry.succeeded();
        assert!(!retry.is_failing());
        assert!(retry.failed(failure(), ms(65_000), &POLICY).is_ok());
        let error = retry.failed(failure(), ms(70_000), &POLICY).expect_err("5 s are over");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "no progress for 5000 ms (`task.timeout.ms`): the brokers are away");
    }
}
