//! librdkafka, called directly: the only `unsafe` code of the crate.
//!
//! What holds throughout, and makes the blocks sound:
//! 1. A [`NativeClient`](client::NativeClient) owns the `rd_kafka_t`. Whatever refers to it (queues, topics, messages) holds an `Arc` of it and
//!    is destroyed first, so no handle outlives its client.
//! 2. The callbacks' opaque pointer is the client's boxed [`Callbacks`](callbacks::Callbacks), freed only after `rd_kafka_destroy` has joined
//!    all threads of the client.
//! 3. librdkafka's own handles (client, queues) may be used from any thread; messages and lists are moved between threads, never shared.
//! 4. Error codes are read as integers (see [`ffi`]): a code that the bindings' enum does not know would be undefined behaviour.
//! 5. No Rust panic crosses into C: callbacks catch it.
#![allow(unsafe_code, reason = "the one FFI module of the crate")]

pub(crate) mod admin;
mod callbacks;
pub(crate) mod client;
pub(crate) mod error;
mod ffi;
pub(crate) mod group;
pub(crate) mod message;
mod partition_list;
pub(crate) mod producer;
pub(crate) mod properties;
pub(crate) mod queue;

use std::ffi::{CStr, CString, c_char, c_int};
use std::time::Duration;

pub(crate) use callbacks::Callbacks;
pub(crate) use error::NativeError;
pub(crate) use partition_list::{PartitionEntry, PartitionList};

use crate::error::{Error, Result};

/// `text` for C.
pub(crate) fn c_string(text: &str, what: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::invalid(format!("{what} contains a NUL character")))
}

/// A copy of a C string; empty for NULL.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that lives during the call.
unsafe fn string(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: by contract.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A timeout in milliseconds, rounded up, so that a short one is not a busy loop.
pub(crate) fn timeout_ms(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
}

/// The buffer that librdkafka writes error texts into.
struct ErrorText([c_char; 512]);

impl ErrorText {
    fn new() -> Self {
        Self([0; 512])
    }

    fn as_mut_ptr(&mut self) -> *mut c_char {
        self.0.as_mut_ptr()
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Display for ErrorText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // SAFETY: the buffer is NUL-terminated: it began as zeros, and librdkafka writes at most its length with a terminator.
        f.write_str(&unsafe { string(self.0.as_ptr()) })
    }
}
