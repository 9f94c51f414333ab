//! Windows of time.

mod definition;
mod emit_strategy;
mod join_windows;
mod serde;
mod session_serde;
mod session_windows;
mod sliding_windows;
mod time_window;
mod time_windows;
mod unlimited_windows;
mod windows;

pub use definition::WindowDefinition;
pub use emit_strategy::EmitStrategy;
pub use join_windows::JoinWindows;
pub use serde::TimeWindowedSerde;
pub use session_serde::SessionWindowedSerde;
pub use session_windows::SessionWindows;
pub use sliding_windows::SlidingWindows;
pub use time_window::TimeWindow;
pub use time_windows::TimeWindows;
pub use unlimited_windows::UnlimitedWindows;
pub use windows::Windows;

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
