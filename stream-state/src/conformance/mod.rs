//! Functions that every implementation of a store must pass: obligations S1 to S6 of [`stream_core::store`], checked against a
//! [`BTreeMap`](std::collections::BTreeMap) with random sequences of operations. Feature `conformance`.
//!
//! Each function panics with the shortest sequence that it found to fail.

mod fixture;
mod key_value;
mod model;
mod session;
mod table;
mod versioned;
mod window;

pub use fixture::{Bench, RawBytes};
pub use key_value::{changes_are_logged_once_in_the_order_of_the_last_write, layers_behave_like_a_map};
pub use session::sessions_behave_like_a_map;
pub use table::drains_behave_like_a_map_of_changes;
pub use versioned::versions_behave_like_a_map;
pub use window::windows_behave_like_a_map;

/// In which order a store gives the rows of several keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOrder {
    /// By segment, then by key: on disk.
    Segment,
    /// By time: in memory. Rows expire to the millisecond.
    Memory,
    /// By time: on disk, by an index.
    Time,
}
