//! Windows of time.

mod join_windows;
mod serde;
mod time_windows;

pub use join_windows::JoinWindows;
pub use serde::TimeWindowedSerde;
pub use time_windows::{TimeWindow, TimeWindows};

/// A key together with a window: what windowed tables are keyed by. Mirrors Kafka Streams' `Windowed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Windowed<K> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: TimeWindow,
}

impl<K: std::fmt::Display> std::fmt::Display for Windowed<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}/{}", self.key, self.window.start_ms(), self.window.end_ms())
    }
}
