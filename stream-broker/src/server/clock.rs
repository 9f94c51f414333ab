//! The broker's time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch that never go back: a deadline that has passed stays passed. They run with the wall clock, ahead
/// of it by what they were moved, or stand still until they are moved.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    latest: i64,
    /// How far the clock is ahead of the wall's.
    ahead: i64,
    stands: bool,
}

impl Clock {
    /// A clock that moves only when it is told to.
    pub(crate) fn standing_at(time: SystemTime) -> Self {
        Clock { latest: millis(time), ahead: 0, stands: true }
    }

    pub(crate) fn now(&mut self) -> i64 {
        if !self.stands {
            self.latest = self.latest.max(millis(SystemTime::now()).saturating_add(self.ahead));
        }
        self.latest
    }

    /// Moves the clock on to a time; one that has passed changes nothing.
    pub(crate) fn move_to(&mut self, time: i64) {
        let now = self.now();
        if time > now {
            self.ahead = self.ahead.saturating_add(time - now);
            self.latest = time;
        }
    }

    /// Whether it is of use to wait for a time.
    pub(crate) fn runs(&self) -> bool {
        !self.stands
    }
}

fn millis(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
