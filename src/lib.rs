#![doc = include_str!("../README.md")]

pub use stream_core as core;
pub use stream_dsl as dsl;
pub use stream_state as state;

pub mod prelude;
