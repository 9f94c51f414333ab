//! The broker's time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Wall-clock milliseconds that never go back: a deadline that has passed stays passed.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    latest: i64,
}

impl Clock {
    pub(crate) fn now(&mut self) -> i64 {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
        self.latest = self.latest.max(wall);
        self.latest
    }
}
