//! [`NativeError`]: a code of librdkafka or a broker, with what librdkafka says about it.

use rdkafka_sys as rd;

use super::{ffi, string};

/// An error as librdkafka reports it, before the client decides what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NativeError {
    pub(crate) code: i32,
    pub(crate) reason: String,
    pub(crate) fatal: bool,
    pub(crate) retriable: bool,
    pub(crate) requires_abort: bool,
}

impl NativeError {
    /// A bare code; the reason is its description.
    pub(crate) fn from_code(code: i32) -> Self {
        Self::with_reason(code, "")
    }

    /// A code with a more precise reason, when there is one.
    pub(crate) fn with_reason(code: i32, reason: &str) -> Self {
        let reason = if reason.is_empty() { description(code) } else { reason.to_owned() };
        Self { code, reason, fatal: false, retriable: false, requires_abort: false }
    }

    /// Takes over an error object; `Ok` for NULL.
    ///
    /// # Safety
    /// `error` is NULL or an error object that nobody else will destroy.
    pub(super) unsafe fn check(error: *mut rd::rd_kafka_error_t) -> Result<(), Self> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: the object is live until it is destroyed here, once.
        unsafe {
            let native = Self::read(error);
            rd::rd_kafka_error_destroy(error);
            Err(native)
        }
    }

    /// Reads an error object that stays with its owner.
    ///
    /// # Safety
    /// `error` is a live error object.
    pub(super) unsafe fn read(error: *const rd::rd_kafka_error_t) -> Self {
        // SAFETY: by contract; the string belongs to the object and is copied.
        unsafe {
            let code = ffi::rd_kafka_error_code(error);
            Self {
                fatal: rd::rd_kafka_error_is_fatal(error) != 0,
                retriable: rd::rd_kafka_error_is_retriable(error) != 0,
                requires_abort: rd::rd_kafka_error_txn_requires_abort(error) != 0,
                ..Self::with_reason(code, &string(rd::rd_kafka_error_string(error)))
            }
        }
    }
}

/// The description of a code.
fn description(code: i32) -> String {
    // SAFETY: librdkafka answers any integer with a static string.
    unsafe { string(ffi::rd_kafka_err2str(code)) }
}

/// The name of a code as it stands in Kafka's documents, for example `UNKNOWN_MEMBER_ID`.
pub(crate) fn name(code: i32) -> String {
    // SAFETY: as above.
    unsafe { string(ffi::rd_kafka_err2name(code)) }
}
