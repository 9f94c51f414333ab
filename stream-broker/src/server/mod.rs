//! Sockets around the core: one thread runs an event loop that owns the core and every connection.

mod clock;
pub(crate) mod command;
mod connection;
mod event_loop;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod request_shape;

pub(crate) use clock::Clock;
pub(crate) use event_loop::{EventLoop, Limits};
