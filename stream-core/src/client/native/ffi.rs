//! Functions of librdkafka that return an error code, declared with an integer for it.
//!
//! The bindings declare a Rust enum there. librdkafka hands on whatever code a broker sent, and a newer broker knows codes that the enum
//! does not: reading them as the enum would be undefined behaviour.

use std::ffi::{c_char, c_int, c_void};

use rdkafka_sys as rd;

unsafe extern "C" {
    pub(super) fn rd_kafka_err2str(code: c_int) -> *const c_char;
    pub(super) fn rd_kafka_err2name(code: c_int) -> *const c_char;
    pub(super) fn rd_kafka_error_code(error: *const rd::rd_kafka_error_t) -> c_int;
    pub(super) fn rd_kafka_fatal_error(rk: *mut rd::rd_kafka_t, text: *mut c_char, size: usize) -> c_int;
    pub(super) fn rd_kafka_event_error(event: *mut rd::rd_kafka_event_t) -> c_int;
    pub(super) fn rd_kafka_commit_queue(
        rk: *mut rd::rd_kafka_t,
        offsets: *const rd::rd_kafka_topic_partition_list_t,
        queue: *mut rd::rd_kafka_queue_t,
        callback: Option<unsafe extern "C" fn()>,
        opaque: *mut c_void,
    ) -> c_int;
    pub(super) fn rd_kafka_topic_result_error(result: *const rd::rd_kafka_topic_result_t) -> c_int;
    pub(super) fn rd_kafka_ConfigResource_error(resource: *const rd::rd_kafka_ConfigResource_t) -> c_int;
    pub(super) fn rd_kafka_metadata(
        rk: *mut rd::rd_kafka_t,
        all_topics: c_int,
        only: *mut rd::rd_kafka_topic_t,
        metadata: *mut *const rd::rd_kafka_metadata,
        timeout_ms: c_int,
    ) -> c_int;
    pub(super) fn rd_kafka_flush(rk: *mut rd::rd_kafka_t, timeout_ms: c_int) -> c_int;
    pub(super) fn rd_kafka_purge(rk: *mut rd::rd_kafka_t, flags: c_int) -> c_int;
    pub(super) fn rd_kafka_poll_set_consumer(rk: *mut rd::rd_kafka_t) -> c_int;
    pub(super) fn rd_kafka_message_headers(message: *const rd::rd_kafka_message_t, headers: *mut *mut rd::rd_kafka_headers_t) -> c_int;
    pub(super) fn rd_kafka_header_get_all(
        headers: *const rd::rd_kafka_headers_t,
        index: usize,
        name: *mut *const c_char,
        value: *mut *const c_void,
        size: *mut usize,
    ) -> c_int;
    pub(super) fn rd_kafka_header_add(
        headers: *mut rd::rd_kafka_headers_t,
        name: *const c_char,
        name_size: isize,
        value: *const c_void,
        value_size: isize,
    ) -> c_int;
}

/// Reads an error code field without going through the enum.
///
/// # Safety
/// `field` points to a live field of that type.
pub(super) unsafe fn code(field: *const rd::rd_kafka_resp_err_t) -> i32 {
    // SAFETY: by contract; the enum has the size and alignment of a C int.
    unsafe { field.cast::<c_int>().read() }
}
